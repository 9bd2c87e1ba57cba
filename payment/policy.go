package payment

import (
	"errors"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Policy says how patient the service is. Zero fields take the values of DefaultPolicy.
type Policy struct {
	Timeout time.Duration // of one call to a gateway
	// Lease is how long an operation belongs to whoever executes it. It must be longer than
	// Timeout, so that nobody looks up what is still being sent.
	Lease time.Duration
	// Lookups are the gaps between lookups of an operation whose outcome is unknown. After
	// the last one it is handed to a person.
	Lookups []time.Duration
	// Pending are the same gaps for an operation that waits for the provider or the shopper.
	Pending []time.Duration
	// Owed are the gaps after which a capture, void or refund is sent again that the gateway
	// surely did not process (rate_limited, provider_down). The owner is told of a decline
	// only when they are used up: what is owed does not fail because a provider was down for
	// a minute. A gateway that asks for more patience is heard, up to MaxRetryAfter. An empty
	// slice that is not nil means never.
	Owed []time.Duration
	// SendWithin bounds the age at which a charge or authorization that surely never reached
	// the gateway is still sent. An older one is settled as declined: nobody expects to be
	// charged hours later. What is owed (captures, voids, refunds) is sent at any age.
	SendWithin time.Duration
	// Parallel is how many gateway calls RunDue makes at a time.
	Parallel int
	// Webhooks is the retry schedule for a stored webhook that could not be applied.
	Webhooks hyperlocal.Backoff
}

// DefaultPolicy settles or raises a charge or authorization within 26 hours of its beginning,
// and anything else within 26 hours of the last time it was sent: at most 30 minutes for
// SendWithin, and 25 hours and 6 minutes for the gaps of Lookups, leases not counted.
func DefaultPolicy() Policy {
	return Policy{
		Timeout: 30 * time.Second,
		Lease:   2 * time.Minute,
		Lookups: []time.Duration{5 * time.Second, 30 * time.Second, 5 * time.Minute, time.Hour, 6 * time.Hour, 18 * time.Hour},
		Pending: []time.Duration{time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour,
			24 * time.Hour, 24 * time.Hour, 24 * time.Hour},
		Owed:       []time.Duration{time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour},
		SendWithin: 30 * time.Minute,
		Parallel:   8,
		Webhooks:   hyperlocal.Backoff{MaxAttempts: 10, Base: 5 * time.Second, Max: time.Hour},
	}
}

func (p *Policy) setDefaults() {
	d := DefaultPolicy()
	if p.Timeout == 0 {
		p.Timeout = d.Timeout
	}
	if p.Lease == 0 {
		p.Lease = max(d.Lease, 2*p.Timeout)
	}
	if p.Lookups == nil {
		p.Lookups = d.Lookups
	}
	if p.Pending == nil {
		p.Pending = d.Pending
	}
	if p.Owed == nil {
		p.Owed = d.Owed
	}
	if p.SendWithin == 0 {
		p.SendWithin = d.SendWithin
	}
	if p.Parallel == 0 {
		p.Parallel = d.Parallel
	}
	if p.Webhooks == (hyperlocal.Backoff{}) {
		p.Webhooks = d.Webhooks
	}
}

func (p *Policy) validate() error {
	var errs []error
	if p.Timeout < 0 || p.Lease <= p.Timeout {
		errs = append(errs, hyperlocal.Invalid("payment", "lease", "the lease must be longer than the timeout of a gateway call"))
	}
	if p.SendWithin < 0 {
		errs = append(errs, hyperlocal.Invalid("payment", "send_within", "must not be negative"))
	}
	if p.Parallel < 0 || p.Parallel > 1000 {
		errs = append(errs, hyperlocal.Invalid("payment", "parallel", "1 to 1000 calls at a time"))
	}
	for _, gaps := range [][]time.Duration{p.Lookups, p.Pending, p.Owed} {
		for _, g := range gaps {
			if g <= 0 {
				errs = append(errs, hyperlocal.Invalid("payment", "gaps", "every gap between lookups is positive"))
			}
		}
	}
	return errors.Join(errs...)
}

// gap returns how long to wait before the next lookup of an operation that stands at
// outcome and was looked up n times, and false when a person has to take over.
func (p *Policy) gap(outcome hyperlocal.PaymentOutcome, n int) (time.Duration, bool) {
	gaps := p.Lookups
	if outcome == hyperlocal.OutcomePending || outcome == hyperlocal.OutcomeAction {
		gaps = p.Pending
	}
	if n >= len(gaps) {
		return 0, false
	}
	return gaps[n], true
}
