package eventbus_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
)

func ignore(context.Context, hyperlocal.Envelope) error { return nil }

func TestNewReportsEverythingThatIsMissing(t *testing.T) {
	t.Parallel()
	if _, err := eventbus.New(eventbus.Config{}); !errors.Is(err, eventbus.ErrConfig) {
		t.Errorf("nothing given: %v", err)
	}
	if _, err := eventbus.NewRelay(eventbus.RelayConfig{}); !errors.Is(err, eventbus.ErrConfig) {
		t.Errorf("nothing given to a relay: %v", err)
	}
	p := memory(t)
	c := config(p, eventbus.GoChannel(eventbus.GoChannelConfig{}))
	c.Inbox = memstore.New().Inbox()
	if _, err := eventbus.New(c); !errors.Is(err, hyperlocal.ErrMixedScopes) {
		t.Errorf("two databases: %v", err)
	}
	c = config(p, eventbus.GoChannel(eventbus.GoChannelConfig{}))
	c.SubscriberFor = func(string) (message.Subscriber, error) { return nil, nil }
	if _, err := eventbus.New(c); !errors.Is(err, eventbus.ErrConfig) {
		t.Errorf("two ways to subscribe: %v", err)
	}
}

func TestHandleRefusesMistakes(t *testing.T) {
	t.Parallel()
	transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
	bus := newBus(t, config(memory(t), transport))
	handle(t, bus, "mailer", "order.changed", ignore)
	many := func(context.Context, []hyperlocal.Envelope) error { return nil }
	for name, err := range map[string]error{
		"twice":           bus.Handle("mailer", "order.changed", ignore),
		"nil":             bus.Handle("mailer", "order.placed", nil),
		"consumer":        bus.Handle("Mail er", "order.placed", ignore),
		"empty consumer":  bus.Handle("", "order.placed", ignore),
		"event":           bus.Handle("mailer", "placed", ignore),
		"dotted topic":    bus.Handle("mailer", "Order.placed", ignore),
		"no fact":         bus.Handle("mailer", "order.", ignore),
		"mixed":           bus.HandleMany("mailer", []string{"order.placed"}, many),
		"nil batch":       bus.HandleMany("other", []string{"order.placed"}, nil),
		"batch of no one": bus.HandleMany("other", nil, many),
	} {
		if !errors.Is(err, eventbus.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	running(t, bus, transport)
	if err := bus.Handle("late", "order.placed", ignore); !errors.Is(err, eventbus.ErrRunning) {
		t.Errorf("after Run: %v", err)
	}
	if err := bus.Run(t.Context()); !errors.Is(err, eventbus.ErrRunning) {
		t.Errorf("Run twice: %v", err)
	}
}

func TestSubscribeFailureEndsRun(t *testing.T) {
	t.Parallel()
	transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
	bus := newBus(t, config(memory(t), transport))
	handle(t, bus, "mailer", "order.changed", ignore)
	if err := transport.Close(); err != nil {
		t.Fatal(err)
	}
	if err := bus.Run(t.Context()); !errors.Is(err, eventbus.ErrStopped) {
		t.Errorf("Run: %v", err)
	}
}

// TestPanicIsAFailedTry: a panic is rolled back and parked like any error.
func TestPanicIsAFailedTry(t *testing.T) {
	t.Parallel()
	p := memory(t)
	transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
	bus := newBus(t, config(p, transport))
	handle(t, bus, "mailer", "order.changed", func(context.Context, hyperlocal.Envelope) error { panic("oh") })
	running(t, bus, transport)
	appendAll(t, p, envelope("a", 1, 0))
	drain(t, bus)
	parked, err := bus.Parked(t.Context(), queue.Filter{Tenant: tenant, Limit: 1})
	if err != nil || len(parked) != 1 || parked[0].Attempts != 3 || parked[0].LastError == "" {
		t.Errorf("parked: %+v, %v", parked, err)
	}
}

// TestInvalidSkipsQuickTries: what cannot get better within a second is parked at once.
func TestInvalidSkipsQuickTries(t *testing.T) {
	t.Parallel()
	p := memory(t)
	transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
	bus := newBus(t, config(p, transport))
	handle(t, bus, "mailer", "order.changed", func(context.Context, hyperlocal.Envelope) error {
		return hyperlocal.Invalid("mail", "address", "no")
	})
	running(t, bus, transport)
	appendAll(t, p, envelope("a", 1, 0))
	drain(t, bus)
	parked, err := bus.Parked(t.Context(), queue.Filter{Tenant: tenant, Limit: 1})
	if err != nil || len(parked) != 1 || parked[0].Attempts != 1 {
		t.Errorf("parked: %+v, %v", parked, err)
	}
}

// TestForeignMessages: what is no event of ours is kept as a dead letter, what nobody handles
// is acknowledged, and the topic goes on.
func TestForeignMessages(t *testing.T) {
	t.Parallel()
	p := memory(t)
	transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
	c := config(p, transport)
	var mu sync.Mutex
	seen := map[eventbus.Outcome]int{}
	c.Observe = func(o eventbus.Observation) {
		mu.Lock()
		defer mu.Unlock()
		seen[o.Outcome]++
	}
	bus := newBus(t, c)
	f := newEffects()
	handle(t, bus, "mailer", "order.changed", func(ctx context.Context, e hyperlocal.Envelope) error {
		f.note(ctx, "mailer", e)
		return nil
	})
	running(t, bus, transport)
	for _, payload := range []string{"", "not json \xff\x00", `{"id":"x"}`} {
		if err := transport.Publish("hc-order", message.NewMessage("foreign"+payload[:min(1, len(payload))], []byte(payload))); err != nil {
			t.Fatal(err)
		}
	}
	unknown := envelope("a", 1, 0)
	unknown.Name = "order.sung"
	known := envelope("a", 2, 0)
	appendAll(t, p, unknown, known)
	drain(t, bus)
	f.check(t, []hyperlocal.Envelope{known}, "mailer")
	dead, err := bus.Parked(t.Context(), queue.Filter{Tenant: eventbus.UnknownTenant, DeadOnly: true, Limit: 10})
	if err != nil || len(dead) != 3 {
		t.Errorf("dead letters: %+v, %v", dead, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if seen[eventbus.OutcomeIgnored] != 1 || seen[eventbus.OutcomeHandled] != 1 || seen[eventbus.OutcomeParked] != 3 {
		t.Errorf("observed %v", seen)
	}
}

// TestEffectAndFollowUpCommitTogether: what a handler emits points back at what it handled, and
// vanishes with a failed try.
func TestEffectAndFollowUpCommitTogether(t *testing.T) {
	onAllStores(t, func(t *testing.T, p parts) {
		transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
		bus := newBus(t, config(p, transport))
		var tries atomic.Int64
		handle(t, bus, "billing", "order.changed", func(ctx context.Context, e hyperlocal.Envelope) error {
			cause, _ := hyperlocal.CauseFrom(ctx)
			next := envelope("bill", 1, 0)
			next.Name, next.Aggregate = "payment.billed", hyperlocal.NewRef("bill", e.Aggregate.ID)
			next.Correlation, next.Causation = cause.Correlation, cause.Causation
			if err := bus.Outbox(p.outbox).Append(ctx, next); err != nil {
				return err
			}
			if tries.Add(1) < 3 {
				return errBroken
			}
			return nil
		})
		var got atomic.Value
		handle(t, bus, "audit", "payment.billed", func(ctx context.Context, e hyperlocal.Envelope) error {
			hyperlocal.AfterCommit(ctx, func() { got.Store(e) })
			return nil
		})
		running(t, bus, transport)
		first := envelope("a", 1, 0)
		first.Correlation = "checkout-1"
		appendAll(t, p, first)
		drain(t, bus)
		e, _ := got.Load().(hyperlocal.Envelope)
		if e.Causation != first.ID || e.Correlation != "checkout-1" || tries.Load() != 3 {
			t.Errorf("after %d tries the follow-up is %+v", tries.Load(), e)
		}
	})
}

func TestTenantHook(t *testing.T) {
	t.Parallel()
	p := memory(t)
	transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
	c := config(p, transport)
	c.Tenant = func(ctx context.Context, id hyperlocal.TenantID) (context.Context, error) {
		if id != tenant {
			return ctx, hyperlocal.NewError(hyperlocal.CodePermission, "test/tenant", "not here")
		}
		return ctx, nil
	}
	bus := newBus(t, c)
	f := newEffects()
	handle(t, bus, "mailer", "order.changed", func(ctx context.Context, e hyperlocal.Envelope) error {
		f.note(ctx, "mailer", e)
		return nil
	})
	running(t, bus, transport)
	mine, theirs := envelope("a", 1, 0), envelope("a", 1, 0)
	theirs.Tenant = "other"
	appendAll(t, p, mine, theirs)
	drain(t, bus)
	f.check(t, []hyperlocal.Envelope{mine}, "mailer")
	if parked, err := bus.Parked(t.Context(), queue.Filter{Tenant: "other", Limit: 1}); err != nil || len(parked) != 1 {
		t.Errorf("parked: %v, %v", parked, err)
	}
}

// TestStopWhileHandling: a bus that stops hands back what it has not finished.
func TestStopWhileHandling(t *testing.T) {
	t.Parallel()
	p := memory(t)
	f := newEffects()
	event := envelope("a", 1, 0)
	for round := range 2 {
		transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
		c := config(p, transport)
		c.Relay.StopWait = 10 * time.Millisecond
		bus := newBus(t, c)
		entered := make(chan struct{}, 10)
		handle(t, bus, "mailer", "order.changed", func(ctx context.Context, e hyperlocal.Envelope) error {
			f.note(ctx, "mailer", e)
			entered <- struct{}{}
			if round == 0 {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		stop := running(t, bus, transport)
		if round == 0 {
			appendAll(t, p, event)
		}
		bus.Wake()
		<-entered
		if round == 1 {
			drain(t, bus)
		}
		stop()
	}
	f.check(t, []hyperlocal.Envelope{event}, "mailer")
}

// endsAtMark is a queue on which the relay is stopped at the moment when it wants to mark.
type endsAtMark struct {
	queue.Queue
	stop func()
	once sync.Once
}

func (q *endsAtMark) Mark(ctx context.Context, now time.Time, published []queue.Place, failed []queue.Failure) error {
	q.once.Do(q.stop)
	if err := ctx.Err(); err != nil {
		return err
	}
	return q.Queue.Mark(ctx, now, published, failed)
}

// TestStopWhileMarkingIsNoError: a relay that is stopped marks what it has published on its way
// out and has nothing to complain about.
func TestStopWhileMarkingIsNoError(t *testing.T) {
	t.Parallel()
	p := memory(t)
	transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
	defer transport.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var log bytes.Buffer // written by the relay alone, read when it has ended
	r, err := eventbus.NewRelay(eventbus.RelayConfig{
		Queue: &endsAtMark{Queue: p.queue, stop: cancel}, Publisher: transport, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	appendAll(t, p, envelope("a", 1, 0))
	if err := r.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if log.Len() > 0 {
		t.Errorf("an ordinary stop logs %s", log.String())
	}
	s, err := p.queue.Statistics(t.Context(), time.Now())
	if err != nil || s.Pending != 0 {
		t.Errorf("left: %+v, %v", s, err)
	}
}

func TestRelayDrainsAlone(t *testing.T) {
	onAllStores(t, func(t *testing.T, p parts) {
		transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
		defer transport.Close()
		r, err := eventbus.NewRelay(eventbus.RelayConfig{Queue: p.queue, Publisher: transport})
		if err != nil {
			t.Fatal(err)
		}
		appendAll(t, p, spread(300, 30)...)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		for range 2 {
			if err := r.Drain(ctx); err != nil {
				t.Fatal(err)
			}
		}
		s, err := p.queue.Statistics(ctx, time.Now())
		if err != nil || s.Pending != 0 {
			t.Errorf("left: %+v, %v", s, err)
		}
	})
}
