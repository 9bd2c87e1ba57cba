package sandbox_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox/sandboxtest"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
	"github.com/hyperlocal-sdk/hyperlocal/payment/gatewaytest"
)

var secret = []byte(sandboxtest.Secret)

func methods() map[gatewaytest.Scenario]string {
	return map[gatewaytest.Scenario]string{
		gatewaytest.Succeeds: "ok", gatewaytest.DeclinedHard: "decline:hard", gatewaytest.DeclinedSoft: "decline:soft",
		gatewaytest.Invalid: "decline:invalid", gatewaytest.RateLimited: "rate_limited",
		gatewaytest.ProviderDown: "provider_down", gatewaytest.LosesAnswer: "timeout:after",
		gatewaytest.LosesRequest: "timeout:before", gatewaytest.NeedsAction: "action", gatewaytest.Pends: "pending",
		gatewaytest.RefundLosesAnswer: "ok,refund=timeout:after",
	}
}

func TestGateway(t *testing.T) {
	t.Parallel()
	for name, without := range map[string]sandbox.Without{
		"full":            {},
		"single capture":  {MultiCapture: true},
		"whole only":      {PartialCapture: true, MultiCapture: true, PartialRefund: true},
		"charge only":     {Verbs: []hyperlocal.PaymentVerb{hyperlocal.VerbAuthorize, hyperlocal.VerbCapture, hyperlocal.VerbVoid}},
		"no direct money": {Verbs: []hyperlocal.PaymentVerb{hyperlocal.VerbCharge}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gatewaytest.Run(t, func(t *testing.T) gatewaytest.Harness {
				gw, err := sandbox.New(sandbox.Config{Secret: secret, Without: without, Fee: sandbox.Fee{BasisPoints: 290, Fixed: 30}})
				if err != nil {
					t.Fatal(err)
				}
				return gatewaytest.Harness{
					Gateway: gw, Methods: methods(), Complete: gw.Complete,
					Moved: func(ctx context.Context, tenant hyperlocal.TenantID, intent string, verb hyperlocal.PaymentVerb) (int, error) {
						done, err := gw.Statement(ctx, tenant, intent)
						n := 0
						for _, r := range done {
							if r.Verb == verb {
								n++
							}
						}
						return n, err
					},
					Webhook: func(ctx context.Context, tenant hyperlocal.TenantID, key string, at time.Time) (map[string][]string, []byte, error) {
						w, ok, err := gw.Webhook(ctx, tenant, key)
						if err != nil || !ok {
							return nil, nil, errors.Join(err, payment.ErrNotFound)
						}
						return gw.Sign(at, w.Body), w.Body, nil
					},
				}
			})
		})
	}
}

func TestMemoryLog(t *testing.T) {
	t.Parallel()
	sandboxtest.RunLog(t, func(*testing.T) sandbox.Log { return &sandbox.MemoryLog{} })
}
