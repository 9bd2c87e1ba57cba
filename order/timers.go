package order

import (
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// NextAction returns what the clock does with an order as it stands, and when, under the
// default table. It is total: for every state that is not terminal and every payment status
// there is an action. "" and the zero time mean that nothing is left to do.
//
// The time counts from the last change (UpdatedAt); an order keeps the time it has for as
// long as neither its state nor its payment status changes.
func NextAction(o Order, p Policy) (Timer, time.Time) {
	return nextAction(DefaultTable(), &o, p.WithDefaults(), o.UpdatedAt)
}

// nextAction is NextAction for any table. since is when the order came to where it stands.
func nextAction(t StateTable, o *Order, p Policy, since time.Time) (Timer, time.Time) {
	timer := t.Timer(o.State, o)
	alarm, ok := t.alarm(timer)
	if !ok {
		return "", time.Time{}
	}
	deadline, at := o.CreatedAt.Add(p.PaymentWithin), since.Add(alarm.After(p))
	switch timer {
	case TimerPaymentDeadline:
		at = later(deadline, since)
	case TimerPaymentWait:
		at = later(deadline, at)
	case TimerPaymentRetry:
		at = earlier(deadline, at)
	case TimerPrepare, TimerReady, TimerDelivery:
		// An order for tomorrow evening is not late tonight.
		at = later(since, later(o.RequestedFrom, o.RequestedTo)).Add(alarm.After(p))
	}
	return timer, hyperlocal.Instant(at)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// arm sets the next action of a changed order.
func (w *work) arm(c *change) {
	moved := c.o.State != c.was.State || c.o.PaymentStatus != c.was.PaymentStatus ||
		w.s.states.Terminal(c.o.State) && c.o.Authorized != c.was.Authorized // held for what is over
	if !c.armed && (moved || c.again) {
		timer, at := nextAction(w.s.config.Table, &c.o, w.s.config.Policy, w.now)
		c.o.NextAction, c.o.NextActionAt = string(timer), at
	}
	if !c.o.NextActionAt.IsZero() && (c.was.NextActionAt.IsZero() || c.o.NextActionAt.Before(c.was.NextActionAt)) {
		w.sooner = true
	}
}

// set arms a timer on purpose.
func (c *change) set(timer Timer, at time.Time) {
	c.o.NextAction, c.o.NextActionAt, c.armed, c.dirty = string(timer), hyperlocal.Instant(at), true, true
	if timer == "" {
		c.o.NextActionAt = time.Time{}
	}
}
