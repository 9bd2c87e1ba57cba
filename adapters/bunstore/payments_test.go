package bunstore

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox/sandboxtest"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
	"github.com/hyperlocal-sdk/hyperlocal/payment/paymenttest"
)

func TestPayments(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		paymenttest.Run(t, func(t *testing.T) paymenttest.Harness {
			s := openStore(t, d)
			return paymenttest.Harness{
				Store: s.Payments(), Tx: s, Outbox: s.Outbox(), OpenBank: sandboxtest.Bank(s.SandboxLog()), Slow: true,
			}
		})
	})
}

func TestSandboxLog(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		sandboxtest.RunLog(t, func(t *testing.T) sandbox.Log { return openStore(t, d).SandboxLog() })
	})
}

// told is an owner that counts.
type told struct{ n atomic.Int64 }

func (*told) LockOwners(context.Context, ...hyperlocal.TenantRef) error { return nil }

func (o *told) ApplyPayment(ctx context.Context, facts ...hyperlocal.PaymentFact) error {
	hyperlocal.AfterCommit(ctx, func() { o.n.Add(int64(len(facts))) })
	return nil
}

// In a host's transaction nobody is charged: the operation is stored with the host's rows,
// and the worker charges when they are committed.
func TestPaymentsInHostTransaction(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		h := openHost(t, d)
		s := h.store
		gw, err := sandbox.New(sandbox.Config{})
		if err != nil {
			t.Fatal(err)
		}
		pay, err := payment.New(payment.Config{Store: s.Payments(), Tx: s, Outbox: s.Outbox(), Gateways: []payment.Gateway{gw}})
		if err != nil {
			t.Fatal(err)
		}
		orders := &told{}
		if err := pay.AttachOwner("order", orders); err != nil {
			t.Fatal(err)
		}
		amount, err := hyperlocal.NewMoney(1250, "GBP")
		if err != nil {
			t.Fatal(err)
		}
		for _, commits := range []bool{false, true} {
			tx, err := h.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			ctx := s.WithSQLTx(t.Context(), tx)
			ops, err := pay.Begin(ctx, hyperlocal.PaymentCommand{
				Tenant: "shop", Owner: hyperlocal.NewRef("order", "o1"), Merchant: hyperlocal.NewRef("merchant", "m1"),
				Verb: hyperlocal.VerbCharge, Amount: amount, Reference: "pay/1", Method: "ok", Actor: hyperlocal.System("test"),
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := pay.Execute(ctx, "shop", ops[0].ID); hyperlocal.ReasonOf(err) != hyperlocal.ErrNetworkInTx.Reason {
				t.Errorf("executed inside the host's transaction: %v", err)
			}
			if !commits {
				if err := tx.Rollback(); err != nil {
					t.Fatal(err)
				}
				if n, _, err := pay.RunDue(t.Context(), 10); n != 0 || err != nil {
					t.Errorf("rolled back, and yet %d are due (%v)", n, err)
				}
				continue
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			n, _, err := pay.RunDue(t.Context(), 10)
			if n != 1 || err != nil || orders.n.Load() != 1 {
				t.Errorf("%d executed, owner told %d times, %v", n, orders.n.Load(), err)
			}
			facts, err := pay.Status(t.Context(), "shop", ops[0].ID)
			if err != nil || facts[0].Captured != amount {
				t.Errorf("%+v, %v", facts, err)
			}
		}
	})
}
