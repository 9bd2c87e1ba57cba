package routing

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/sony/gobreaker"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// health is what is known of a gateway.
type health struct {
	circuit *gobreaker.TwoStepCircuitBreaker
	cool    time.Duration

	mu      sync.Mutex
	opened  time.Time
	step    time.Duration // length of a bucket
	buckets [parts]bucket // a ring of the last of them
}

// parts is into how many parts the window is divided: what leaves it leaves in one of them.
const parts = 20

type bucket struct {
	n                int64 // which bucket of all time
	succeeded, ended int64
}

func newHealth(c *Config, name string) *health {
	h := &health{cool: c.Cool, step: max(c.Window/parts, 1)}
	trip := uint32(min(c.Trip, math.MaxInt32)) //nolint:gosec // it is positive, or New refuses it
	h.circuit = gobreaker.NewTwoStepCircuitBreaker(gobreaker.Settings{
		Name: name, MaxRequests: 1, Timeout: c.Cool,
		ReadyToTrip: func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= trip },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				h.mu.Lock()
				h.opened = hyperlocal.Stopwatch()
				h.mu.Unlock()
			}
		},
	})
	return h
}

// openUntil tells until when nothing is sent, if so.
func (h *health) openUntil(now time.Time) (time.Time, bool) {
	if h.circuit.State() != gobreaker.StateOpen {
		return time.Time{}, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	until := h.opened.Add(h.cool)
	if until.Before(now) {
		until = now
	}
	return until, true
}

// note counts a charge or authorization that ended.
func (h *health) note(now time.Time, succeeded bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := now.UnixNano() / int64(h.step)
	b := &h.buckets[n%parts]
	if b.n != n {
		*b = bucket{n: n}
	}
	b.ended++
	if succeeded {
		b.succeeded++
	}
}

// rate returns how many of those within the window succeeded.
func (h *health) rate(now time.Time) (succeeded, ended int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := now.UnixNano() / int64(h.step)
	for _, b := range h.buckets {
		if b.n > n-parts && b.n <= n {
			succeeded, ended = succeeded+b.succeeded, ended+b.ended
		}
	}
	return succeeded, ended
}

// watched is a gateway whose charges and authorizations are counted, and not sent while its
// circuit is open.
type watched struct {
	payment.Gateway
	health *health
}

func watch(g payment.Gateway, h *health) payment.Gateway { return &watched{Gateway: g, health: h} } //nolint:ireturn // it takes its place

// Unwrap lets payment.AbilityOf find what else the gateway can do.
func (w *watched) Unwrap() payment.Gateway { return w.Gateway }

// Authorize implements payment.Gateway.
func (w *watched) Authorize(ctx context.Context, r payment.AuthorizeRequest) (payment.Result, error) {
	done, err := w.health.circuit.Allow()
	if err != nil { // the circuit is open, or another call is trying
		wait := w.health.cool
		now := hyperlocal.Stopwatch()
		if until, open := w.health.openUntil(now); open {
			wait = until.Sub(now)
		}
		return payment.Result{
			Outcome: hyperlocal.OutcomeDeclined, Class: hyperlocal.DeclineProviderDown, Code: "circuit_open", RetryAfter: wait,
		}, nil
	}
	verdict := failed // also when the gateway panics
	defer func() {
		done(verdict != failed)
		w.health.note(hyperlocal.Stopwatch(), verdict == succeeded)
	}()
	result, err := w.Gateway.Authorize(ctx, r)
	verdict = judge(&result, err)
	return result, err
}

type verdict uint8

const (
	failed    verdict = iota // not processed, or perhaps
	declined                 // processed, and refused
	succeeded                // or under way
)

func judge(r *payment.Result, err error) verdict {
	switch {
	case errors.Is(err, context.Canceled): // whoever asked has left, which is nobody's fault
		return declined
	case err != nil:
		return failed
	}
	switch r.Outcome {
	case hyperlocal.OutcomeSucceeded, hyperlocal.OutcomePending, hyperlocal.OutcomeAction:
		return succeeded
	case hyperlocal.OutcomeDeclined:
		if r.Class == hyperlocal.DeclineProviderDown || r.Class == hyperlocal.DeclineRateLimited {
			return failed
		}
		return declined
	}
	return failed
}
