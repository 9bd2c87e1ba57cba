package order

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// dueRefunds handles due refunds, one transaction per order: they are few, and a refund
// that cannot be handled must not hold up the others.
func (s *Service) dueRefunds(ctx context.Context, limit int) (n int, next time.Time, err error) {
	due, next, err := s.config.Store.DueRefunds(ctx, s.config.Clock.Now(), limit)
	if err != nil || len(due) == 0 {
		return 0, next, err
	}
	var (
		keys  []Key
		seen  = make(map[Key]bool)
		wrong []error
	)
	for _, r := range due {
		if k := (Key{r.Tenant, r.Order}); !seen[k] {
			seen[k] = true
			keys = append(keys, k)
		}
	}
	for _, k := range keys {
		if ctx.Err() != nil {
			return n, next, errors.Join(append(wrong, ctx.Err())...)
		}
		done, at, err := s.refundsOf(ctx, k)
		n, next = n+done, sooner(next, at)
		if err != nil {
			wrong = append(wrong, err)
		}
	}
	return n, next, errors.Join(wrong...)
}

// refundsOf handles the due refunds of one order, or else puts them off. next is when they
// are due again in either case.
func (s *Service) refundsOf(ctx context.Context, k Key) (n int, next time.Time, err error) {
	var (
		asked  []hyperlocal.PaymentOperation
		looked []string
	)
	err = s.eachDueRefund(ctx, k, func(ctx context.Context, w *work, due []dueRefund) error {
		n, looked, next = len(due), nil, time.Time{}
		for _, d := range due {
			operation, err := w.tickRefund(ctx, d.change, d.Refund)
			if err != nil {
				return err
			}
			if operation != "" {
				looked = append(looked, operation)
			}
		}
		if err := w.flush(ctx); err != nil {
			return err
		}
		for _, d := range due {
			next = sooner(next, d.NextActionAt)
		}
		asked = w.asked
		return nil
	})
	if err != nil {
		next, off := s.putOffRefunds(ctx, k)
		return 0, next, errors.Join(err, off)
	}
	next = s.executeDue(ctx, asked, next)
	return n, next, s.lookUp(ctx, k, looked)
}

// dueRefund is a refund that is due, and its order.
type dueRefund struct {
	*Refund
	change *change
}

// eachDueRefund locks an order and calls fn with those of its refunds that are due.
func (s *Service) eachDueRefund(ctx context.Context, k Key, fn func(context.Context, *work, []dueRefund) error) error {
	return s.config.Tx.WithinTx(ctx, func(ctx context.Context) error {
		w := s.newWork(s.config.Clock.Now())
		if err := w.lock(ctx, []Key{k}); err != nil {
			return err
		}
		if err := w.loadRefunds(ctx, func(*change) bool { return true }); err != nil {
			return err
		}
		var due []dueRefund
		for _, c := range w.changes {
			for _, r := range c.refunds {
				if !r.NextActionAt.IsZero() && !r.NextActionAt.After(w.now) {
					due = append(due, dueRefund{r, c})
				}
			}
		}
		return fn(ctx, w, due)
	})
}

// putOffRefunds counts an attempt that came to nothing. In the end a person is asked.
func (s *Service) putOffRefunds(ctx context.Context, k Key) (next time.Time, err error) {
	err = s.eachDueRefund(ctx, k, func(ctx context.Context, w *work, due []dueRefund) error {
		next = time.Time{}
		for _, d := range due {
			if d.State == RefundNeedsAttention {
				d.NextActionAt = hyperlocal.Instant(w.now.Add(s.config.Policy.LookupEvery))
				w.saveRefund(d.Refund)
			} else if _, err := w.attemptRefund(ctx, d.change, d.Refund); err != nil {
				return err
			}
			next = sooner(next, d.NextActionAt)
		}
		return w.flush(ctx)
	})
	if err != nil { // they are due still
		next = s.config.Clock.Now().Add(s.config.Policy.LookupEvery)
	}
	return next, err
}

// executeDue asks the gateways and returns when to look again: at once if there was anything
// to ask, because the answers have set timers of their own.
func (s *Service) executeDue(ctx context.Context, asked []hyperlocal.PaymentOperation, next time.Time) time.Time {
	if len(asked) == 0 {
		return next
	}
	s.execute(ctx, asked)
	return s.config.Clock.Now()
}

// attemptRefund counts an attempt and sets the time of the next one, or, when they are used
// up, raises the refund to a person.
func (w *work) attemptRefund(ctx context.Context, c *change, r *Refund) (left bool, err error) {
	r.Attempts++
	gap, left := w.s.config.Policy.RefundRetry.Next(r.Attempts, spread(r.ID))
	if !left {
		return false, w.moveRefund(ctx, c, r, TriggerAttend, w.system(ReasonRefundUnknown).own())
	}
	r.NextActionAt = hyperlocal.Instant(w.now.Add(gap))
	w.saveRefund(r)
	return true, nil
}

// tickRefund asks about one refund, or raises it to a person. It returns the operation to be
// looked at after the commit, "" for none.
func (w *work) tickRefund(ctx context.Context, c *change, r *Refund) (operation string, err error) {
	d := w.system("")
	if r.State == RefundNeedsAttention {
		return "", w.moveRefund(ctx, c, r, TriggerRemind, d.own())
	}
	left, err := w.attemptRefund(ctx, c, r)
	if err != nil || !left || w.s.config.Payments == nil {
		return "", err
	}
	if r.State == RefundRequested {
		// The reference makes it the same operation, however often it is begun.
		w.ask(c, hyperlocal.VerbRefund, r.Amount, r.ID, d, func(op hyperlocal.PaymentOperation) { r.Operation = op.ID }, seenToLater)
	}
	// One that was begun before may have come to its end without the order's knowing.
	return r.Operation, nil
}

// lookUp applies what the payment context knows about refunds that are open still, should
// its word not have reached the order.
func (s *Service) lookUp(ctx context.Context, k Key, operations []string) error {
	if len(operations) == 0 {
		return nil
	}
	facts, err := s.config.Payments.Status(ctx, k.Tenant, operations...)
	if err != nil {
		return err
	}
	refunds, err := s.config.Store.Refunds(ctx, k.Tenant, k.ID)
	if err != nil {
		return err
	}
	settled := facts[:0]
	for _, f := range facts {
		ended := f.Outcome == hyperlocal.OutcomeSucceeded || f.Outcome == hyperlocal.OutcomeDeclined
		if ended && slices.ContainsFunc(refunds, func(r Refund) bool {
			return r.ID == f.Reference && r.open() && r.State != RefundNeedsAttention
		}) {
			settled = append(settled, f)
		}
	}
	if len(settled) == 0 {
		return nil
	}
	return s.config.Tx.WithinTx(ctx, func(ctx context.Context) error {
		if err := s.LockOwners(ctx, hyperlocal.TenantRef{Tenant: k.Tenant, Ref: k.ID.Ref()}); err != nil {
			return err
		}
		return s.ApplyPayment(ctx, settled...)
	})
}
