package eventbus_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
)

// spread returns n events over so many aggregates, in the order in which they happened.
func spread(n, aggregates int) []hyperlocal.Envelope {
	out := make([]hyperlocal.Envelope, n)
	for i := range out {
		out[i] = envelope(fmt.Sprintf("%04d", i%aggregates), int64(i/aggregates)+1, 0)
	}
	return out
}

// TestNothingLostEffectsOnce restarts the bus again and again under handlers that fail at
// random: every handler handles every event once, in the order of its aggregate.
func TestNothingLostEffectsOnce(t *testing.T) {
	onAllStores(t, func(t *testing.T, p parts) {
		events := spread(5000, 200)
		if testing.Short() {
			events = spread(500, 50)
		}
		consumers := []string{"loyalty", "mailer", "search", "ledger"}
		f := newEffects()
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		var mu sync.Mutex
		random := rand.New(rand.NewPCG(seed, 1))
		fails := func(percent int) bool {
			mu.Lock()
			defer mu.Unlock()
			return random.IntN(1000) < 10*percent/10
		}
		start := func() (*eventbus.Bus, func()) {
			transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
			c := config(p, transport)
			c.Retry = hyperlocal.Backoff{Base: time.Millisecond, Max: 20 * time.Millisecond}
			bus := newBus(t, c)
			for _, name := range consumers[:3] {
				handle(t, bus, name, "order.changed", func(ctx context.Context, e hyperlocal.Envelope) error {
					f.note(ctx, name, e)
					if fails(2) {
						return errBroken
					}
					return nil
				})
			}
			err := bus.HandleMany(consumers[3], []string{"order.changed"}, func(ctx context.Context, events []hyperlocal.Envelope) error {
				for _, e := range events {
					f.note(ctx, consumers[3], e)
				}
				if fails(5) {
					return errBroken
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return bus, running(t, bus, transport)
		}
		began := time.Now()
		const restarts = 20
		for i := range restarts {
			_, stop := start()
			part := len(events) / restarts
			appendAll(t, p, events[i*part:(i+1)*part]...)
			mu.Lock()
			gap := time.Duration(random.IntN(60)) * time.Millisecond
			mu.Unlock()
			time.Sleep(gap)
			stop()
		}
		bus, stop := start()
		waitIdle(t, bus)
		stop()
		t.Logf("%d events, %d effects in %v", len(events), len(events)*len(consumers), time.Since(began))
		f.check(t, events, consumers...)
	})
}

// TestPoison: a message that always fails is tried three times within a second and parked; what
// follows it in its aggregate waits, others go on; it is given up after ten tries and can be
// replayed.
func TestPoison(t *testing.T) {
	onAllStores(t, func(t *testing.T, p parts) {
		clock := newFakeClock()
		transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
		c := config(p, transport)
		c.Clock = clock
		var alerts atomic.Int64
		c.Alert = func(_ context.Context, a eventbus.Alert) {
			if a.Kind == eventbus.AlertDeadLetter && a.Consumer == "mailer" && a.Aggregate.ID == "bad" {
				alerts.Add(1)
			}
		}
		bus := newBus(t, c)
		f := newEffects()
		var tries atomic.Int64
		var healed atomic.Bool
		handle(t, bus, "mailer", "order.changed", func(ctx context.Context, e hyperlocal.Envelope) error {
			f.note(ctx, "mailer", e)
			if e.Aggregate.ID == "bad" && e.AggregateVersion == 1 && !healed.Load() {
				tries.Add(1)
				return errBroken
			}
			return nil
		})
		running(t, bus, transport)
		// What an event takes here and now, so that a slow machine is not taken for a queue.
		began := time.Now()
		appendAll(t, p, envelope("first", 1, 0))
		drain(t, bus)
		usual := time.Since(began)
		bad := []hyperlocal.Envelope{envelope("bad", 1, 0), envelope("bad", 2, 0), envelope("bad", 3, 0)}
		appendAll(t, p, bad...)
		began = time.Now()
		good := spread(200, 50)
		appendAll(t, p, good...)
		bus.Wake()
		eventually(t, "the other aggregates are handled", 10*time.Second, func() bool { return f.of("mailer", good[0]) == 1 })
		if took := time.Since(began); took > time.Second+5*usual {
			t.Errorf("another aggregate waited %v behind the poison; an event alone took %v", took, usual)
		}
		drain(t, bus)
		quick := tries.Load() // three, or as many as a slow machine begins within a second
		if quick < 1 || quick > 3 || quick < 3 && usual < 50*time.Millisecond {
			t.Errorf("parked after %d tries, want 3", quick)
		}
		parked, err := bus.Parked(t.Context(), queue.Filter{Tenant: tenant, Limit: 10})
		if err != nil || len(parked) != 3 || parked[0].Dead {
			t.Fatalf("parked: %+v, %v", parked, err)
		}
		if idle, _ := bus.Idle(t.Context()); idle {
			t.Error("idle while messages have tries left")
		}
		for n := quick + 1; n <= 10; n++ {
			eventually(t, fmt.Sprintf("try %d", n), 10*time.Second, func() bool {
				clock.advance(time.Second)
				bus.Wake()
				return tries.Load() >= n
			})
		}
		eventually(t, "the alert", 5*time.Second, func() bool { return alerts.Load() == 1 })
		drain(t, bus)
		if n := tries.Load(); n != 10 {
			t.Errorf("given up after %d tries, want 10", n)
		}
		if f.of("mailer", bad[0]) != 0 || f.of("mailer", bad[1]) != 1 || f.of("mailer", bad[2]) != 1 {
			t.Error("what waited behind a dead letter goes on, and the dead letter had no effect")
		}
		if idle, _ := bus.Idle(t.Context()); !idle {
			t.Error("a dead letter waits for a person and is nothing left to do")
		}
		dead, err := bus.Parked(t.Context(), queue.Filter{Tenant: tenant, DeadOnly: true, Limit: 10})
		if err != nil || len(dead) != 1 || dead[0].Attempts != 10 || dead[0].LastError == "" {
			t.Fatalf("dead letters: %+v, %v", dead, err)
		}
		healed.Store(true)
		for range 2 { // replaying twice has one effect
			if _, err := bus.Retry(t.Context(), dead[0].ID()); err != nil {
				t.Fatal(err)
			}
			drain(t, bus)
		}
		if n := f.of("mailer", bad[0]); n != 1 {
			t.Errorf("a replayed dead letter had %d effects", n)
		}
		if left, _ := bus.Parked(t.Context(), queue.Filter{Tenant: tenant, Limit: 10}); len(left) != 0 {
			t.Errorf("left behind: %+v", left)
		}
	})
}

// flaky is a publisher that can be made to fail.
type flaky struct {
	message.Publisher

	down   atomic.Bool
	poison atomic.Value // string: the id of a message that is never taken
	tries  atomic.Int64
}

func (f *flaky) Publish(topic string, ms ...*message.Message) error {
	f.tries.Add(1)
	if f.down.Load() {
		return errBroken
	}
	for _, m := range ms {
		if m.UUID == f.poison.Load() {
			return errBroken
		}
	}
	return f.Publisher.Publish(topic, ms...)
}

// TestBrokerOutage: nothing is lost and no attempt is counted while the broker is away.
func TestBrokerOutage(t *testing.T) {
	onAllStores(t, func(t *testing.T, p parts) {
		transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
		pub := &flaky{Publisher: transport}
		pub.down.Store(true)
		c := config(p, transport)
		c.Publisher = pub
		var downs, ups atomic.Int64
		c.Alert = func(_ context.Context, a eventbus.Alert) {
			switch a.Kind {
			case eventbus.AlertBrokerDown:
				downs.Add(1)
			case eventbus.AlertBrokerUp:
				ups.Add(1)
			}
		}
		bus := newBus(t, c)
		f := newEffects()
		handle(t, bus, "mailer", "order.changed", func(ctx context.Context, e hyperlocal.Envelope) error {
			f.note(ctx, "mailer", e)
			return nil
		})
		running(t, bus, transport)
		events := spread(300, 60)
		appendAll(t, p, events...)
		for range 2 {
			eventually(t, "the relay has tried", 10*time.Second, func() bool { return pub.tries.Load() > 200 })
			for shard := range queue.Shards {
				rows, err := p.queue.Pending(t.Context(), time.Now(), 1000, queue.Window{Shard: shard})
				if err != nil {
					t.Fatal(err)
				}
				for _, row := range rows {
					if row.Attempts != 0 {
						t.Fatalf("an outage counted as an attempt: %+v", row)
					}
				}
			}
			pub.down.Store(false)
			drain(t, bus)
			pub.down.Store(true)
			pub.tries.Store(0)
			more := []hyperlocal.Envelope{}
			for _, e := range spread(300, 60) {
				e.AggregateVersion += 100 * int64(1+len(events))
				more = append(more, e)
			}
			events = append(events, more...)
			appendAll(t, p, more...)
			bus.Wake()
		}
		pub.down.Store(false)
		drain(t, bus)
		f.check(t, events, "mailer")
		if downs.Load() == 0 || downs.Load() > 3 || ups.Load() != downs.Load() {
			t.Errorf("%d alerts that the broker is down, %d that it is back", downs.Load(), ups.Load())
		}
	})
}

// TestUnpublishable: an event that the broker refuses blocks its own aggregate only, is stuck
// after ten attempts, and leaves in order once a person has revived it.
func TestUnpublishable(t *testing.T) {
	onAllStores(t, func(t *testing.T, p parts) {
		clock := newFakeClock()
		transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
		pub := &flaky{Publisher: transport}
		bad := []hyperlocal.Envelope{envelope("bad", 1, 0), envelope("bad", 1, 1), envelope("bad", 2, 0)}
		pub.poison.Store(bad[0].ID)
		c := config(p, transport)
		c.Publisher, c.Clock = pub, clock
		var stuck atomic.Int64
		c.Alert = func(_ context.Context, a eventbus.Alert) {
			if a.Kind == eventbus.AlertEventStuck {
				stuck.Add(1)
			}
		}
		bus := newBus(t, c)
		f := newEffects()
		handle(t, bus, "mailer", "order.changed", func(ctx context.Context, e hyperlocal.Envelope) error {
			f.note(ctx, "mailer", e)
			return nil
		})
		running(t, bus, transport)
		appendAll(t, p, bad...)
		var good []hyperlocal.Envelope
		n := 0
		eventually(t, "the event is stuck", time.Minute, func() bool {
			// Other traffic is what tells a bad message from a broker that is down.
			n++
			more := envelope(fmt.Sprintf("good%d", n), 1, 0)
			good = append(good, more)
			appendAll(t, p, more)
			clock.advance(10 * time.Minute)
			bus.Wake()
			time.Sleep(10 * time.Millisecond)
			return stuck.Load() > 0
		})
		drain(t, bus)
		f.check(t, good, "mailer")
		s, err := bus.Statistics(t.Context())
		if err != nil || s.Stuck != 3 || s.Pending != 0 {
			t.Errorf("statistics %+v, %v; want 3 stuck", s, err)
		}
		rows, err := bus.Stuck(t.Context(), 10)
		if err != nil || len(rows) != 1 || rows[0].Envelope.ID != bad[0].ID || rows[0].Attempts != queue.MaxAttempts {
			t.Fatalf("stuck: %+v, %v", rows, err)
		}
		pub.poison.Store("")
		if n, err := bus.Revive(t.Context(), queue.PlaceOf(bad[0])); n != 1 || err != nil {
			t.Fatalf("Revive: %d, %v", n, err)
		}
		drain(t, bus)
		f.check(t, append(bad, good...), "mailer")
	})
}

// TestTwoRelays share the shards; nothing is lost when either goes.
func TestTwoRelays(t *testing.T) {
	onAllStores(t, func(t *testing.T, p parts) {
		f := newEffects()
		start := func() (*eventbus.Bus, func()) {
			transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
			c := config(p, transport)
			c.Relay.Lease = 900 * time.Millisecond // far longer than a busy machine stops a process for
			bus := newBus(t, c)
			handle(t, bus, "mailer", "order.changed", func(ctx context.Context, e hyperlocal.Envelope) error {
				f.note(ctx, "mailer", e)
				return nil
			})
			return bus, running(t, bus, transport)
		}
		_, stopA := start()
		b, _ := start()
		events := spread(2000, 100)
		appendAll(t, p, events[:1000]...)
		time.Sleep(700 * time.Millisecond) // both have asked for their share meanwhile
		appendAll(t, p, events[1000:]...)
		stopA()
		drain(t, b)
		f.check(t, events, "mailer")
	})
}

// TestCrashAfterPublish: events that were published and not marked are published again, and
// have no second effect.
func TestCrashAfterPublish(t *testing.T) {
	for _, place := range []string{"relay.after_publish", "relay.before_mark", "inbox.before_commit"} {
		t.Run(place, func(t *testing.T) {
			onAllStores(t, func(t *testing.T, p parts) {
				transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
				var hits atomic.Int64
				c := config(p, transport)
				c.Hook = func(_ context.Context, name string) error {
					if name == place && hits.Add(1)%3 == 1 {
						return errBroken
					}
					return nil
				}
				c.Retry = hyperlocal.Backoff{Base: time.Millisecond, Max: time.Millisecond}
				bus := newBus(t, c)
				f := newEffects()
				handle(t, bus, "mailer", "order.changed", func(ctx context.Context, e hyperlocal.Envelope) error {
					f.note(ctx, "mailer", e)
					return nil
				})
				running(t, bus, transport)
				events := spread(200, 40)
				appendAll(t, p, events...)
				waitIdle(t, bus)
				f.check(t, events, "mailer")
				if hits.Load() < 2 {
					t.Errorf("%s was passed %d times", place, hits.Load())
				}
			})
		})
	}
}

// TestSchedules: what is due leaves, whatever versions its aggregate is at; the rest stays.
func TestSchedules(t *testing.T) {
	onAllStores(t, func(t *testing.T, p parts) {
		clock := newFakeClock()
		transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
		c := config(p, transport)
		c.Clock = clock
		bus := newBus(t, c)
		f := newEffects()
		handle(t, bus, "reminder", "order.changed", func(ctx context.Context, e hyperlocal.Envelope) error {
			f.note(ctx, "reminder", e)
			return nil
		})
		running(t, bus, transport)
		now := envelope("a", 7, 0)
		soon, also, later := envelope("a", 1, 0), envelope("a", 1, 0), envelope("a", 1, 0)
		err := p.tx.WithinTx(t.Context(), func(ctx context.Context) error {
			if err := p.outbox.Append(ctx, now); err != nil {
				return err
			}
			return p.schedules.Schedule(ctx,
				hyperlocal.Scheduled{Key: "soon", Due: clock.Now().Add(time.Minute), Envelope: soon},
				hyperlocal.Scheduled{Key: "also", Due: clock.Now().Add(time.Minute), Envelope: also},
				hyperlocal.Scheduled{Key: "later", Due: clock.Now().Add(time.Hour), Envelope: later})
		})
		if err != nil {
			t.Fatal(err)
		}
		drain(t, bus)
		f.check(t, []hyperlocal.Envelope{now}, "reminder")
		clock.advance(time.Minute)
		drain(t, bus)
		f.check(t, []hyperlocal.Envelope{now, soon, also}, "reminder")
		clock.advance(time.Hour)
		drain(t, bus)
		f.check(t, []hyperlocal.Envelope{now, soon, also, later}, "reminder")
	})
}
