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
	err = s.config.Tx.WithinTx(ctx, func(ctx context.Context) error {
		w := s.newWork(s.config.Clock.Now())
		due, later, err := s.config.Store.Due(ctx, w.now, limit)
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
		next = sooner(next, at)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		n++
	}
	return n, next, errors.Join(wrong...)
}

// dueOne handles one order, or else puts it off. next is when it is due again in either case.
func (s *Service) dueOne(ctx context.Context, k Key) (next time.Time, err error) {
	var asked []hyperlocal.PaymentOperation
	err = s.config.Tx.WithinTx(ctx, func(ctx context.Context) error {
		w := s.newWork(s.config.Clock.Now())
		if err := w.lock(ctx, []Key{k}); err != nil {
			return err
		}
		err := w.tickAll(ctx)
		asked, next = w.asked, w.earliest()
		return err
	})
	if err == nil {
		return s.executeDue(ctx, asked, next), nil
	}
	next, off := s.putOff(ctx, k)
	return next, errors.Join(err, off)
}

// putOff makes an order that cannot be handled now due a little later, so that it does not
// stand in the way of others.
func (s *Service) putOff(ctx context.Context, k Key) (next time.Time, err error) {
	err = s.config.Tx.WithinTx(ctx, func(ctx context.Context) error {
		w := s.newWork(s.config.Clock.Now())
		if err := w.lock(ctx, []Key{k}); err != nil {
			return err
		}
		for _, c := range w.changes {
			if !c.o.NextActionAt.IsZero() && !c.o.NextActionAt.After(w.now) {
				c.set(Timer(c.o.NextAction), w.now.Add(s.config.Policy.LookupEvery))
			}
		}
		next = w.earliest()
		return w.flush(ctx)
	})
	if err != nil { // it is due still
		next = s.config.Clock.Now().Add(s.config.Policy.LookupEvery)
	}
	return next, err
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
		if w.broken != nil || hyperlocal.IsCode(err, hyperlocal.CodeInternal) {
			return err
		}
		if err != nil || !c.dirty {
			// The table has no answer: look again later rather than spin.
			c.set(Timer(c.o.NextAction), w.now.Add(w.s.config.Policy.LookupEvery))
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
	p, o := &w.s.config.Policy, &c.o
	deadline := o.CreatedAt.Add(p.PaymentWithin)
	timer := Timer(o.NextAction)
	if timer == TimerCapture {
		w.tickCapture(c)
		return nil
	}
	if now := w.s.config.Table.Timer(o.State, o); now != timer {
		// The table has changed since the timer was armed.
		name, at := nextAction(w.s.config.Table, o, *p, w.now)
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
		if w.s.config.Payments != nil && o.PaidWith.known() {
			err := w.attempt(ctx, c, o.PaidWith, w.system(""))
			if err == nil || w.broken != nil || hyperlocal.IsCode(err, hyperlocal.CodeInternal) {
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
	alarm, ok := w.s.config.Table.alarm(timer)
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

// tickCapture captures what became held in a transaction that could not ask for it.
func (w *work) tickCapture(c *change) {
	name, at := nextAction(w.s.config.Table, &c.o, w.s.config.Policy, w.now)
	c.set(name, at)
	if c.o.collectable().Sign() > 0 && w.s.config.Payments != nil {
		w.capture(c, w.system(""))
	}
}

// maxVoidGap ends the attempts to let go of held money: by then it has lapsed by itself.
const maxVoidGap = 7 * 24 * time.Hour

// tickVoid lets go of money that is held for an order that has ended. The gaps double, so
// no count of attempts is needed: the one before is the time from the last change to now.
func (w *work) tickVoid(c *change) error {
	if w.s.config.Payments != nil && c.o.Authorized.Sign() > 0 {
		w.ask(c, hyperlocal.VerbVoid, c.o.Authorized, voidReference(&c.o), w.system(""), nil, seenToLater)
	}
	gap := max(w.s.config.Policy.LookupEvery, 2*c.o.NextActionAt.Sub(c.o.UpdatedAt))
	if gap > maxVoidGap {
		c.set("", time.Time{})
		return nil
	}
	c.set(TimerVoid, w.now.Add(gap))
	return nil
}
