package eventbus_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/storetest/dbtest"
)

// countingQueue counts what the bus asks of its queue.
type countingQueue struct {
	queue.Queue

	mu    sync.Mutex
	calls map[string]int
}

func (q *countingQueue) count(what string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.calls[what]++
}

func (q *countingQueue) Pending(ctx context.Context, now time.Time, limit int, windows ...queue.Window) ([]queue.Pending, error) {
	q.count("Pending")
	return q.Queue.Pending(ctx, now, limit, windows...)
}

func (q *countingQueue) Mark(ctx context.Context, at time.Time, published []queue.Place, failed []queue.Failure) error {
	q.count("Mark")
	return q.Queue.Mark(ctx, at, published, failed)
}

func (q *countingQueue) MoveDue(ctx context.Context, now time.Time, limit int) (int, error) {
	q.count("MoveDue")
	return q.Queue.MoveDue(ctx, now, limit)
}

func (q *countingQueue) Prune(ctx context.Context, before time.Time, limit int) (int64, error) {
	q.count("Prune")
	return q.Queue.Prune(ctx, before, limit)
}

func (q *countingQueue) Due(ctx context.Context, now time.Time, limit int, consumers ...string) ([]queue.Parked, error) {
	q.count("Due")
	return q.Queue.Due(ctx, now, limit, consumers...)
}

func (q *countingQueue) Lease(ctx context.Context, owner string, now, until time.Time, busy []int) ([]int, error) {
	q.count("Lease")
	return q.Queue.Lease(ctx, owner, now, until, busy)
}

// An idle bus asks three short questions a second, renews its leases every five, and does
// nothing else.
func TestIdleCostsNextToNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := memory(t)
		q := &countingQueue{Queue: p.queue, calls: make(map[string]int)}
		p.queue = q
		transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
		c := config(p, transport)
		c.Relay = eventbus.RelayConfig{}
		bus := newBus(t, c)
		handle(t, bus, "mailer", "order.changed", func(context.Context, hyperlocal.Envelope) error { return nil })
		stop := running(t, bus, transport)
		time.Sleep(10 * time.Second) // it backs off
		q.mu.Lock()
		clear(q.calls)
		q.mu.Unlock()
		time.Sleep(time.Minute)
		q.mu.Lock()
		got := q.calls
		q.calls = make(map[string]int)
		q.mu.Unlock()
		for what, most := range map[string]int{"Pending": 61, "MoveDue": 61, "Due": 61, "Lease": 13, "Prune": 1, "Mark": 0} {
			if got[what] > most {
				t.Errorf("%s %d times in an idle minute, want at most %d", what, got[what], most)
			}
		}
		if got["Pending"] < 50 || got["Lease"] < 10 {
			t.Errorf("the bus is asleep: %v", got)
		}
		stop()
	})
}

// Events that are committed one after the other are read and marked together.
func TestLooksAreShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := memory(t)
		q := &countingQueue{Queue: p.queue, calls: make(map[string]int)}
		p.queue = q
		transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
		bus := newBus(t, config(p, transport))
		var handled atomic.Int64
		handle(t, bus, "mailer", "order.changed", func(context.Context, hyperlocal.Envelope) error {
			handled.Add(1)
			return nil
		})
		stop := running(t, bus, transport)
		time.Sleep(time.Second)
		q.mu.Lock()
		clear(q.calls)
		q.mu.Unlock()

		p.outbox = bus.Outbox(p.outbox)
		const events = 1000 // in a second
		for _, e := range spread(events, events) {
			appendAll(t, p, e)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(10 * time.Millisecond)
		if handled.Load() != events {
			t.Errorf("%d of %d events are handled 10 ms after the last commit", handled.Load(), events)
		}
		q.mu.Lock()
		if got := q.calls["Pending"]; got > events/2 {
			t.Errorf("%d looks for %d events", got, events)
		}
		q.mu.Unlock()
		stop()
	})
}

// countingBell is a queue with a bell that counts its rings.
type countingBell struct {
	queue.Queue

	rings atomic.Int64
}

func (q *countingBell) Ring(context.Context) error {
	q.rings.Add(1)
	return nil
}

func (*countingBell) Listen(ctx context.Context, _ func(), _ func(error)) { <-ctx.Done() }

// Other processes are told of commits if there are any, and not for every commit.
func TestRingsAreFew(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		others      bool
		least, most int64
	}{{"alone", false, 0, 0}, {"with another relay", true, 15, 25}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := memory(t)
				q := &countingBell{Queue: p.queue}
				p.queue = q
				if c.others {
					now := time.Now()
					if _, err := q.Lease(t.Context(), "other", now, now.Add(time.Hour), nil); err != nil {
						t.Fatal(err)
					}
				}
				transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
				bus := newBus(t, config(p, transport))
				stop := running(t, bus, transport)
				time.Sleep(time.Second)
				p.outbox = bus.Outbox(p.outbox)
				for _, e := range spread(200, 200) { // in a second
					appendAll(t, p, e)
					time.Sleep(5 * time.Millisecond)
				}
				time.Sleep(time.Second)
				if n := q.rings.Load(); n < c.least || n > c.most {
					t.Errorf("%d rings for 200 commits in a second, want %d to %d", n, c.least, c.most)
				}
				stop()
			})
		})
	}
}

// What one process commits is published by the relay of another at once, which would not look
// by itself for minutes.
func TestOtherProcessesAreHeard(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t)
	patient := eventbus.RelayConfig{Poll: 10 * time.Minute, Lease: time.Hour}

	here := open(t, dsn)
	transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
	c := config(here, transport)
	c.Relay = patient
	bus := newBus(t, c)
	handled := make(chan string, 100)
	handle(t, bus, "mailer", "order.changed", func(_ context.Context, e hyperlocal.Envelope) error {
		handled <- e.ID
		return nil
	})
	running(t, bus, transport)
	here.outbox = bus.Outbox(here.outbox)
	appendAll(t, here, envelope("before", 1, 0))
	select { // then this relay holds all shards, for an hour
	case <-handled:
	case <-time.After(20 * time.Second):
		t.Fatal("the first event is not handled")
	}

	there := open(t, dsn)
	transport = eventbus.GoChannel(eventbus.GoChannelConfig{})
	c = config(there, transport)
	c.Relay = patient
	other := newBus(t, c)
	running(t, other, transport)
	there.outbox = other.Outbox(there.outbox)
	for i := range 3 {
		time.Sleep(300 * time.Millisecond) // else the look after the event before finds it
		e := envelope("a", int64(i), 0)
		appendAll(t, there, e)
		select {
		case id := <-handled:
			if id != e.ID {
				t.Fatalf("%s was handled, not %s", id, e.ID)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("event %d is not handled", i)
		}
	}
}
