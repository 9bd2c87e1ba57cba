package paymenttest

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// slow is a TxRunner that holds one transaction up when it is told to.
type slow struct {
	hyperlocal.TxRunner
	wait atomic.Bool
}

func (r *slow) TxScope() hyperlocal.Scope { return hyperlocal.ScopeOf(r.TxRunner) }

func (r *slow) WithinTx(ctx context.Context, fn func(context.Context) error) error {
	if !hyperlocal.InTx(ctx) && r.wait.CompareAndSwap(true, false) {
		time.Sleep(100 * time.Millisecond) // the others line up meanwhile
	}
	return r.TxRunner.WithinTx(ctx, fn)
}

func intakeCases() []testCase {
	return []testCase{
		{"answers that come together are recorded together", func(t *testing.T, h Harness) {
			const n = 20
			tx := &slow{TxRunner: h.Tx}
			h.Tx, h.Intake = tx, &payment.Intake{Gather: hyperlocal.GatherConfig{Committers: 1}}
			w := open(t, h)
			owners := make([]hyperlocal.Ref, n)
			ops := make([]hyperlocal.PaymentOperation, n)
			for i := range ops {
				owners[i] = newOrder()
				if i == n-1 {
					owners[i] = owners[0] // two payments for one owner
				}
				ops[i] = w.begin(command(charge, owners[i], gbp(int64(100+i)), "attempt/"+strconv.Itoa(i), "ok"))
			}
			broken := errors.New("no")
			w.shop.react = func(ctx context.Context, f hyperlocal.PaymentFact) error {
				if f.Operation == ops[5].ID {
					return broken
				}
				cause := f.Cause
				if cause == (hyperlocal.Cause{}) {
					cause, _ = hyperlocal.CauseFrom(ctx)
				}
				if want := f.Amount.String(); cause.Correlation != want {
					t.Errorf("the fact about %s has the cause %q", want, cause.Correlation)
				}
				return nil
			}
			var asked sync.WaitGroup // nobody goes on before everybody was answered by the gateway
			asked.Add(n)
			w.crashWith(func(string) error {
				asked.Done()
				asked.Wait()
				tx.wait.Store(true)
				return nil
			})
			var locked atomic.Int32
			w.shop.waited = func(context.Context) error { locked.Add(1); return nil }
			facts := make([]hyperlocal.PaymentFact, n)
			errs := make([]error, n)
			var all sync.WaitGroup
			for i, op := range ops {
				all.Go(func() {
					ctx := hyperlocal.ContextWithCause(t.Context(), hyperlocal.Cause{Correlation: op.Amount.String()})
					facts[i], errs[i] = w.pay.Execute(ctx, op.Tenant, op.ID)
				})
			}
			all.Wait()
			for i := range ops {
				if i == 5 {
					if !errors.Is(errs[i], payment.ErrNotRecorded) || !errors.Is(errs[i], broken) {
						t.Errorf("the owner that cannot be told: %v", errs[i])
					}
					continue
				}
				if errs[i] != nil || facts[i].Outcome != hyperlocal.OutcomeSucceeded || facts[i].Operation != ops[i].ID {
					t.Errorf("payment %d: %+v, %v", i, facts[i], errs[i])
				}
			}
			if got := w.operation(ops[5].ID).Outcome; got != hyperlocal.OutcomeProcessing {
				t.Errorf("what could not be recorded is %s", got)
			}
			// One alone, the rest together, and again in parts without the one that fails.
			if got := locked.Load(); got > n*2/3 {
				t.Errorf("%d transactions for %d answers", got, n)
			}
			w.wantTotals(w.status(ops[0].ID), 0, 100+100+n-1, 0)
			w.shop.react = nil
			w.crashWith(nil)
			w.clock.Advance(2 * time.Minute) // the lease ends, and the bank is asked
			w.due()
			w.audit(true, owners[:n-1]...)
			if err := w.pay.Close(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
			// Who comes too late to be gathered is recorded all the same.
			if f := w.run(command(charge, newOrder(), gbp(1), "attempt/1", "ok")); f.Outcome != hyperlocal.OutcomeSucceeded {
				t.Errorf("after Close: %+v", f)
			}
		}},
	}
}
