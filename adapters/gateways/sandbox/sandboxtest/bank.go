package sandboxtest

import (
	"context"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox"
	"github.com/hyperlocal-sdk/hyperlocal/payment/paymenttest"
)

// Secret signs the webhooks of [Bank].
const Secret = "sandbox-secret-for-tests"

// Bank returns an opener of banks that write to the log.
func Bank(log sandbox.Log) func(*testing.T, hyperlocal.Clock, paymenttest.Deliver, paymenttest.Without) paymenttest.Bank {
	return func(t *testing.T, clock hyperlocal.Clock, deliver paymenttest.Deliver, without paymenttest.Without) paymenttest.Bank {
		t.Helper()
		gw, err := sandbox.New(sandbox.Config{
			Log: log, Clock: clock, Fee: sandbox.Fee{BasisPoints: 140, Fixed: 2}, Secret: []byte(Secret),
			Deliver: func(ctx context.Context, w sandbox.Webhook) error {
				return deliver(ctx, w.Tenant, w.Gateway, w.Headers, w.Body)
			},
			Without: sandbox.Without{PartialCapture: without.PartialCapture, MultiCapture: without.MultiCapture,
				PartialRefund: without.PartialRefund, KeyLifetime: without.KeyLifetime},
		})
		if err != nil {
			t.Fatal(err)
		}
		return paymenttest.Bank{
			Gateway: gw, Complete: gw.Complete, Flush: gw.Flush, Sign: gw.Sign,
			Moved: func(ctx context.Context, tenant hyperlocal.TenantID) ([]paymenttest.Moved, error) {
				records, err := gw.Statement(ctx, tenant, "")
				var moved []paymenttest.Moved
				for _, r := range records {
					moved = append(moved, paymenttest.Moved{Key: r.Key, Intent: r.Intent, Verb: r.Verb, Amount: r.Amount})
				}
				return moved, err
			},
		}
	}
}
