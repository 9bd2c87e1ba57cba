package order

import (
	"errors"
	"maps"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Policy says how long things may take and what follows when they take longer. A zero field
// means the default beside it.
type Policy struct {
	// PaymentWithin is the time to pay, counted from the recording of the order: 30 minutes.
	PaymentWithin time.Duration
	// SettleWithin is how long after that deadline an outcome that nobody knows is looked up
	// before a person is asked: 24 hours. So long, too, a completed order may wait for money
	// that is held for it.
	SettleWithin time.Duration
	// LookupEvery is the gap between lookups, and between looks at money that is held for
	// nothing: 10 minutes.
	LookupEvery time.Duration
	// AcceptWithin is the time a merchant has to accept before the order is cancelled: 24 hours.
	AcceptWithin time.Duration
	// PrepareWithin is the time from accepted to ready before a person is asked: 24 hours,
	// counted from the requested window if that is later. Likewise below.
	PrepareWithin time.Duration
	// ReadyWithin is the time an order waits to be handed over: 72 hours. Then a digital
	// order, one on the spot and a service count as delivered; for others a person is asked.
	ReadyWithin time.Duration
	// DeliverWithin is the time on the way, or after a failed delivery, before a person is
	// asked: 24 hours.
	DeliverWithin time.Duration
	// CompleteAfter is the time from delivered to completed: 24 hours.
	CompleteAfter time.Duration
	// RemindEvery is the gap between reminders of an order that waits for a person: 24 hours.
	RemindEvery time.Duration

	// CommitOn is the trigger at which stock leaves the shelf: TriggerAccept. One of
	// TriggerConfirm, TriggerAccept, TriggerPrepare, TriggerReady, TriggerDispatch and
	// TriggerDeliver. An order that skips the trigger commits at the next one.
	CommitOn Trigger
	// CaptureOn is the trigger at which authorized money is captured, chosen from the same: TriggerAccept.
	CaptureOn Trigger
	// KeepStock: an order cancelled after its stock was committed does not put it back on
	// the shelf, as for a kitchen that has cooked already.
	KeepStock bool

	// Retry says per decline class when the system charges again without the shopper. A
	// class that is missing is never retried. Nil means: soft after 5, 10, ... minutes up to
	// 4 attempts, rate_limited and provider_down after 1, 2, ... minutes up to 6 attempts.
	Retry map[hyperlocal.DeclineClass]hyperlocal.Backoff
	// MaxAttempts bounds the payment attempts of an order, the shopper's own included: 20.
	MaxAttempts int

	// ExecuteWithin is how long the caller of a refund has to see it through before the
	// worker takes over: 1 minute.
	ExecuteWithin time.Duration
	// RefundRetry is the schedule on which an unfinished refund is looked at; when it ends a
	// person is asked. The default reaches 24 hours: 24 times, from 1 minute to 2 hours apart.
	RefundRetry hyperlocal.Backoff

	// Rounding of line amounts. The zero value is half to even.
	Rounding hyperlocal.Rounding
}

// WithDefaults returns the policy with its zero fields filled in.
func (p Policy) WithDefaults() Policy {
	day := 24 * time.Hour
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&p.PaymentWithin, 30 * time.Minute},
		{&p.SettleWithin, day},
		{&p.LookupEvery, 10 * time.Minute},
		{&p.AcceptWithin, day},
		{&p.PrepareWithin, day},
		{&p.ReadyWithin, 3 * day},
		{&p.DeliverWithin, day},
		{&p.CompleteAfter, day},
		{&p.RemindEvery, day},
		{&p.ExecuteWithin, time.Minute},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if p.CommitOn == "" {
		p.CommitOn = TriggerAccept
	}
	if p.CaptureOn == "" {
		p.CaptureOn = TriggerAccept
	}
	if p.MaxAttempts == 0 {
		p.MaxAttempts = 20
	}
	if p.RefundRetry == (hyperlocal.Backoff{}) {
		p.RefundRetry = hyperlocal.Backoff{MaxAttempts: 24, Base: time.Minute, Max: 2 * time.Hour}
	}
	if p.Retry == nil {
		down := hyperlocal.Backoff{MaxAttempts: 6, Base: time.Minute, Max: 15 * time.Minute, Jitter: 20}
		p.Retry = map[hyperlocal.DeclineClass]hyperlocal.Backoff{
			hyperlocal.DeclineSoft:         {MaxAttempts: 4, Base: 5 * time.Minute, Max: time.Hour, Jitter: 20},
			hyperlocal.DeclineRateLimited:  down,
			hyperlocal.DeclineProviderDown: down,
		}
	}
	p.Retry = maps.Clone(p.Retry)
	return p
}

// Validate reports every field that makes no sense, after WithDefaults.
func (p Policy) Validate() error {
	var wrong []error
	say := func(field, message string) { wrong = append(wrong, hyperlocal.Invalid("order", field, message)) }
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"payment_within", p.PaymentWithin}, {"settle_within", p.SettleWithin}, {"lookup_every", p.LookupEvery},
		{"accept_within", p.AcceptWithin}, {"prepare_within", p.PrepareWithin}, {"ready_within", p.ReadyWithin},
		{"deliver_within", p.DeliverWithin}, {"complete_after", p.CompleteAfter}, {"remind_every", p.RemindEvery},
		{"execute_within", p.ExecuteWithin},
	} {
		if d.value <= 0 {
			say(d.name, "the time is positive")
		}
	}
	if stage(p.CommitOn) < 0 {
		say("commit_on", "stock is committed on confirm, accept, prepare, ready, dispatch or deliver")
	}
	if stage(p.CaptureOn) < 0 {
		say("capture_on", "money is captured on confirm, accept, prepare, ready, dispatch or deliver")
	}
	if p.MaxAttempts < 1 {
		say("max_attempts", "an order allows at least one payment attempt")
	}
	if p.Rounding > hyperlocal.RoundCeil {
		say("rounding", "choose one of the rounding modes of the root package")
	}
	schedule := func(field string, b hyperlocal.Backoff) {
		if b.MaxAttempts > 1 && b.Base <= 0 || b.Base < 0 || b.Max < b.Base || b.Jitter < 0 || b.Jitter > 100 {
			say(field, "a schedule grows from a positive base to its maximum, with a jitter of 0 to 100 percent")
		}
	}
	schedule("refund_retry", p.RefundRetry)
	for class, b := range p.Retry {
		if class == hyperlocal.DeclineHard || class == hyperlocal.DeclineInvalid {
			say("retry", "a hard decline is never retried: "+string(class))
		}
		schedule("retry", b)
	}
	return errors.Join(wrong...)
}

// progress is how far a state lies on the way to the customer; -1 for a state off the way.
// A state of the host's own lies where the order last was, see progressOf.
func progress(s State) int {
	switch s {
	case Placed, AwaitingPayment:
		return 0
	case Confirmed:
		return 1
	case Accepted:
		return 2
	case Preparing:
		return 3
	case Ready:
		return 4
	case Dispatched, DeliveryFailed:
		return 5
	case Delivered:
		return 6
	case Completed:
		return 7
	default:
		return -1
	}
}

// stage is the progress that a trigger stands for in CommitOn and CaptureOn.
func stage(t Trigger) int {
	switch t {
	case TriggerConfirm:
		return progress(Confirmed)
	case TriggerAccept:
		return progress(Accepted)
	case TriggerPrepare:
		return progress(Preparing)
	case TriggerReady:
		return progress(Ready)
	case TriggerDispatch:
		return progress(Dispatched)
	case TriggerDeliver:
		return progress(Delivered)
	default:
		return -1
	}
}
