package order

import (
	"context"
	"errors"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// defaultDue is how much RunDue does at a time unless told otherwise.
const defaultDue = 100

// Reasons that the clock records.
const (
	ReasonPaymentUnknown = "payment_unknown" // nobody knows whether the order was paid
	ReasonRefundUnknown  = "refund_unknown"  // nobody knows whether the money went back
)

// RunDue does what is due now: at most limit orders and limit refunds (0 means 100). It
// expires what was not paid in time, charges again, cancels what no merchant took, completes
// what was delivered, asks gateways about refunds, and raises to a person what has no
// automatic answer left. It returns how many it handled and when it should be called next,
// the zero time if nothing is waiting.
//
// Any number of workers may call it at once. A crash at any point loses nothing: what was
// due is still due, or was handled. An order that cannot be handled is put off and reported
// in the error; the others are handled all the same. It talks to gateways, so it refuses to
// run inside a transaction.
func (s *Service) RunDue(ctx context.Context, limit int) (n int, next time.Time, err error) {
	if hyperlocal.InTx(ctx) {
		return 0, time.Time{}, hyperlocal.ErrNetworkInTx
	}
	if limit <= 0 {
		limit = defaultDue
	}
	limit = min(limit, MaxBatch)
	orders, first, err := s.dueOrders(ctx, limit)
	refunds, second, err2 := s.dueRefunds(ctx, limit)
	return orders + refunds, sooner(first, second), errors.Join(err, err2)
}

// sooner is the earlier of two times, where the zero time means never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// system is who acts when the clock does.
func (w *work) system(reason string) doer {
	return doer{kind: ActorSystem, actor: hyperlocal.System("order"), at: w.now, reason: reason, unattended: true}
}

// dueOrders handles due orders in one transaction, or one by one if one of them spoils it.
func (s *Service) dueOrders(ctx context.Context, limit int) (n int, next time.Time, err error) {
	var (
		asked []hyperlocal.PaymentOperation
		keys  []Key
	)
	err = s.Tx.WithinTx(ctx, func(ctx context.Context) error {
		w := s.newWork(s.Clock.Now())
		due, later, err := s.Store.Due(ctx, w.now, limit)
		if err != nil {
			return err
		}
		keys, next = keys[:0], later
		for _, o := range due {
			keys = append(keys, Key{o.Tenant, o.ID})
			w.add(o)
		}
		if err := w.tickAll(ctx); err != nil {
			return err
		}
		n, asked, next = len(due), w.asked, sooner(next, w.earliest())
		return nil
	})
	switch {
	case err == nil:
		return n, s.executeDue(ctx, asked, next), nil
	case len(keys) == 0 || ctx.Err() != nil:
		return 0, next, err
	}
	return s.dueOneByOne(ctx, keys, next)
}

// dueOneByOne gives every order its own transaction, and puts off those that cannot be handled.
func (s *Service) dueOneByOne(ctx context.Context, keys []Key, next time.Time) (n int, _ time.Time, err error) {
	var wrong []error
	for _, k := range keys {
		if ctx.Err() != nil {
			return n, next, errors.Join(append(wrong, ctx.Err())...)
		}
		at, err := s.dueOne(ctx, k)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		n++
		next = sooner(next, at)
	}
	return n, next, errors.Join(wrong...)
}

// dueOne handles one order, around a payment context that refuses, or else puts it off.
func (s *Service) dueOne(ctx context.Context, k Key) (next time.Time, err error) {
	var (
		asked   []hyperlocal.PaymentOperation
		refused bool
	)
	run := func(lazy bool) error {
		return s.Tx.WithinTx(ctx, func(ctx context.Context) error {
			w := s.newWork(s.Clock.Now())
			w.lazy = lazy
			if err := w.lock(ctx, []Key{k}); err != nil {
				return err
			}
			err := w.tickAll(ctx)
			asked, refused, next = w.asked, w.refused, w.earliest()
			return err
		})
	}
	err = run(false)
	if err != nil && refused {
		err = run(true)
	}
	if err == nil {
		return s.executeDue(ctx, asked, next), nil
	}
	return time.Time{}, errors.Join(err, s.putOff(ctx, k))
}

// putOff makes an order that cannot be handled now due a little later, so that it does not
// stand in the way of others.
func (s *Service) putOff(ctx context.Context, k Key) error {
	return s.Tx.WithinTx(ctx, func(ctx context.Context) error {
		w := s.newWork(s.Clock.Now())
		if err := w.lock(ctx, []Key{k}); err != nil {
			return err
		}
		for _, c := range w.changes {
			if !c.o.NextActionAt.IsZero() && !c.o.NextActionAt.After(w.now) {
				c.set(Timer(c.o.NextAction), w.now.Add(s.Policy.LookupEvery))
			}
		}
		return w.flush(ctx)
	})
}

// tickAll handles every order of the transaction that is due, and writes it down.
func (w *work) tickAll(ctx context.Context) error {
	if err := w.loadRefunds(ctx, func(c *change) bool { return c.o.Captured.Sign() > 0 }); err != nil {
		return err
	}
	for _, c := range w.changes {
		if c.o.NextActionAt.IsZero() || c.o.NextActionAt.After(w.now) {
			continue // another worker was faster
		}
		err := w.tick(ctx, c)
		if hyperlocal.IsCode(err, hyperlocal.CodeInternal) {
			return err
		}
		if err != nil || !c.dirty {
			// The table has no answer: look again later rather than spin.
			c.set(Timer(c.o.NextAction), w.now.Add(w.s.Policy.LookupEvery))
		}
	}
	return w.flush(ctx)
}

// earliest is when the first of the transaction's orders is due again.
func (w *work) earliest() time.Time {
	var at time.Time
	for _, c := range w.changes {
		at = sooner(at, c.o.NextActionAt)
	}
	return at
}

// tick does what an order's timer says.
func (w *work) tick(ctx context.Context, c *change) error {
	p, o := &w.s.Policy, &c.o
	deadline := o.CreatedAt.Add(p.PaymentWithin)
	timer := Timer(o.NextAction)
	if now := w.s.Table.Timer(o.State, o); now != timer {
		// The table has changed since the timer was armed.
		name, at := nextAction(w.s.Table, o, *p, w.now)
		c.set(name, at)
		return nil
	}
	switch timer {
	case TimerSettle:
		return w.tickSettle(ctx, c)
	case TimerPaymentRetry:
		if !w.now.Before(deadline) {
			return w.fire(ctx, c, TriggerExpire, w.system(""))
		}
		if !w.lazy && w.s.Payments != nil {
			err := w.attempt(ctx, c, o.PaidWith, w.system(""))
			if err == nil || hyperlocal.IsCode(err, hyperlocal.CodeInternal) {
				return err
			}
		}
		return w.pass(ctx, c, TriggerDrop, PaymentCase{Order: o}, w.system("")) // the shopper may still pay
	case TimerPaymentWait:
		// The payment context looks the outcome up; its fact moves the order.
		if w.now.Before(deadline.Add(p.SettleWithin)) {
			c.set(TimerPaymentWait, w.now.Add(p.LookupEvery))
			return nil
		}
		return w.fire(ctx, c, TriggerAttend, w.system(ReasonPaymentUnknown))
	case TimerVoid:
		return w.tickVoid(c)
	}
	alarm, ok := w.s.Table.alarm(timer)
	if !ok {
		return errMachine.With("timer", timer)
	}
	return w.fire(ctx, c, alarm.Trigger, w.system(alarm.Reason))
}

// tickSettle moves an order that has nothing to wait for.
func (w *work) tickSettle(ctx context.Context, c *change) error {
	d := w.system("")
	for _, trigger := range []Trigger{TriggerConfirm, TriggerAwaitPayment} {
		if w.s.states.Can(c.o.State, trigger, "", &c.o) {
			return w.fire(ctx, c, trigger, d.own())
		}
	}
	d.reason = "refunded"
	return w.fire(ctx, c, TriggerCancel, d) // all of it was given back before it began
}

// maxVoidGap ends the attempts to let go of held money: by then it has lapsed by itself.
const maxVoidGap = 7 * 24 * time.Hour

// tickVoid lets go of money that is held for an order that has ended. The gaps double, so
// no count of attempts is needed: the one before is the time from the last change to now.
func (w *work) tickVoid(c *change) error {
	if !w.lazy && w.s.Payments != nil {
		w.ask(c, hyperlocal.VerbVoid, c.o.Authorized, voidReference(&c.o), w.system(""), nil)
	}
	gap := max(w.s.Policy.LookupEvery, 2*c.o.NextActionAt.Sub(c.o.UpdatedAt))
	if gap > maxVoidGap {
		c.set("", time.Time{})
		return nil
	}
	c.set(TimerVoid, w.now.Add(gap))
	return nil
}

// dueRefunds handles due refunds, one transaction per order: they are few, and a refund
// that the payment context refuses must not hold up the others.
func (s *Service) dueRefunds(ctx context.Context, limit int) (n int, next time.Time, err error) {
	due, next, err := s.Store.DueRefunds(ctx, s.Clock.Now(), limit)
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

// refundsOf handles the due refunds of one order.
func (s *Service) refundsOf(ctx context.Context, k Key) (n int, next time.Time, err error) {
	var (
		asked   []hyperlocal.PaymentOperation
		looked  []string
		refused bool
	)
	run := func(lazy bool) error {
		return s.Tx.WithinTx(ctx, func(ctx context.Context) error {
			w := s.newWork(s.Clock.Now())
			w.lazy = lazy
			if err := w.lock(ctx, []Key{k}); err != nil {
				return err
			}
			if err := w.loadRefunds(ctx, func(*change) bool { return true }); err != nil {
				return err
			}
			n, looked, next = 0, nil, time.Time{}
			for _, c := range w.changes {
				for _, r := range c.refunds {
					if r.NextActionAt.IsZero() || r.NextActionAt.After(w.now) {
						continue
					}
					n++
					lookup, err := w.tickRefund(ctx, c, r)
					if err != nil {
						return err
					}
					if lookup {
						looked = append(looked, r.Operation)
					}
					next = sooner(next, r.NextActionAt)
				}
			}
			err := w.flush(ctx)
			asked, refused = w.asked, w.refused
			return err
		})
	}
	if err = run(false); err != nil && refused {
		err = run(true)
	}
	if err != nil {
		return 0, time.Time{}, err
	}
	next = s.executeDue(ctx, asked, next)
	return n, next, s.lookUp(ctx, k, looked)
}

// executeDue asks the gateways and returns when to look again: at once if there was anything
// to ask, because the answers have set timers of their own.
func (s *Service) executeDue(ctx context.Context, asked []hyperlocal.PaymentOperation, next time.Time) time.Time {
	if len(asked) == 0 {
		return next
	}
	s.execute(ctx, asked)
	return s.Clock.Now()
}

// tickRefund asks about one refund, or raises it to a person. lookup tells that its
// operation is to be looked at after the commit.
func (w *work) tickRefund(ctx context.Context, c *change, r *Refund) (lookup bool, err error) {
	d := w.system("")
	if r.State == RefundNeedsAttention {
		return false, w.moveRefund(ctx, c, r, TriggerRemind, d.own())
	}
	r.Attempts++
	gap, ok := w.s.Policy.RefundRetry.Next(r.Attempts, spread(r.ID))
	if !ok {
		d.reason = ReasonRefundUnknown
		return false, w.moveRefund(ctx, c, r, TriggerAttend, d.own())
	}
	r.NextActionAt = hyperlocal.Instant(w.now.Add(gap))
	w.saveRefund(r)
	if w.lazy || w.s.Payments == nil {
		return false, nil
	}
	if r.State == RefundRequested {
		// The reference makes it the same operation, however often it is begun.
		w.ask(c, hyperlocal.VerbRefund, r.Amount, r.ID, d, func(op hyperlocal.PaymentOperation) { r.Operation = op.ID })
		return false, nil
	}
	return r.Operation != "", nil
}

// lookUp applies what the payment context knows about refunds, should its word not have
// reached the order.
func (s *Service) lookUp(ctx context.Context, k Key, operations []string) error {
	if len(operations) == 0 {
		return nil
	}
	facts, err := s.Payments.Status(ctx, k.Tenant, operations...)
	if err != nil {
		return err
	}
	settled := facts[:0]
	for _, f := range facts {
		if f.Outcome == hyperlocal.OutcomeSucceeded || f.Outcome == hyperlocal.OutcomeDeclined {
			settled = append(settled, f)
		}
	}
	if len(settled) == 0 {
		return nil
	}
	return s.Tx.WithinTx(ctx, func(ctx context.Context) error {
		if err := s.LockOwners(ctx, hyperlocal.TenantRef{Tenant: k.Tenant, Ref: k.ID.Ref()}); err != nil {
			return err
		}
		return s.ApplyPayment(ctx, settled...)
	})
}
