package eventbus_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
)

const tenant = hyperlocal.TenantID("shop")

// parts is what the bus needs of a store, and what a test needs besides.
type parts struct {
	tx         hyperlocal.TxRunner
	inbox      hyperlocal.Inbox
	queue      queue.Queue
	outbox     hyperlocal.Outbox
	schedules  hyperlocal.Schedules
	background func(context.Context) context.Context
}

func memory(*testing.T) parts {
	db := memstore.New()
	return parts{
		tx: db, inbox: db.Inbox(), queue: db.Queue(), outbox: db.Outbox(), schedules: db.Schedules(),
		background: func(ctx context.Context) context.Context { return ctx },
	}
}

// fakeClock stands still until it is told to move.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func newFakeClock() *fakeClock { return &fakeClock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// envelope returns the event number version of an aggregate.
func envelope(aggregate string, version int64, n int) hyperlocal.Envelope {
	payload, err := json.Marshal(map[string]int64{"version": version})
	if err != nil {
		panic(err)
	}
	return hyperlocal.Envelope{
		ID: hyperlocal.RandomIDs{}.NewID(), Name: "order.changed", Version: 1, Tenant: tenant,
		Aggregate: hyperlocal.NewRef("order", aggregate), AggregateVersion: version, N: n,
		Time: time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC), Actor: hyperlocal.System("test"), Payload: payload,
	}
}

func appendAll(t *testing.T, p parts, events ...hyperlocal.Envelope) {
	t.Helper()
	for start := 0; start < len(events); start += 500 {
		batch := events[start:min(start+500, len(events))]
		err := p.tx.WithinTx(t.Context(), func(ctx context.Context) error { return p.outbox.Append(ctx, batch...) })
		if err != nil {
			t.Fatal(err)
		}
	}
}

// logger shows what the bus says when EVENTBUS_LOG is set.
func logger() *slog.Logger {
	if os.Getenv("EVENTBUS_LOG") == "" {
		return nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// running starts a bus and stops it, transport included, at the end of the test or when the
// returned function is called.
func running(t *testing.T, bus *eventbus.Bus, transport *eventbus.InProcess) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- bus.Run(ctx) }()
	select {
	case <-bus.Running():
	case err := <-done:
		cancel()
		t.Fatalf("Run: %v", err)
	}
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
			if err := transport.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func config(p parts, transport *eventbus.InProcess) eventbus.Config {
	return eventbus.Config{
		Tx: p.tx, Inbox: p.inbox, Queue: p.queue, Publisher: transport, Subscriber: transport,
		Logger: logger(), Background: p.background, Relay: eventbus.RelayConfig{Poll: 20 * time.Millisecond},
	}
}

func newBus(t *testing.T, c eventbus.Config) *eventbus.Bus {
	t.Helper()
	bus, err := eventbus.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return bus
}

func handle(t *testing.T, bus *eventbus.Bus, consumer, event string, fn eventbus.Handler) {
	t.Helper()
	if err := bus.Handle(consumer, event, fn); err != nil {
		t.Fatal(err)
	}
}

func drain(t *testing.T, bus *eventbus.Bus) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := bus.Drain(ctx); err != nil {
		s, _ := bus.Statistics(t.Context())
		t.Fatalf("%v; %+v", err, s)
	}
}

// effects counts what was committed, by consumer and event, and checks the order.
type effects struct {
	turn  atomic.Int64
	mu    sync.Mutex
	count map[string]int
	notes []effect
}

type effect struct {
	turn  int64
	at    string
	place queue.Place
}

func newEffects() *effects { return &effects{count: make(map[string]int)} }

// note is called inside a handler; it takes effect when the handler's transaction commits. Its
// turn is that of the handler: who has committed may be overtaken on the way to the notes.
func (f *effects) note(ctx context.Context, consumer string, e hyperlocal.Envelope) {
	turn := f.turn.Add(1)
	hyperlocal.AfterCommit(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.count[consumer+" "+e.ID]++
		f.notes = append(f.notes, effect{turn, consumer + " " + e.PartitionKey(), queue.PlaceOf(e)})
	})
}

// misplaced lists the effects that came before one that they depend on.
func (f *effects) misplaced() (wrong []string) {
	slices.SortFunc(f.notes, func(a, b effect) int { return cmp.Compare(a.turn, b.turn) })
	last := make(map[string]queue.Place)
	for _, n := range f.notes {
		if before, ok := last[n.at]; ok && !before.Before(n.place) {
			wrong = append(wrong, fmt.Sprintf("%s: %d.%d after %d.%d", n.at, n.place.Version, n.place.N, before.Version, before.N))
		}
		last[n.at] = n.place
	}
	return wrong
}

func (f *effects) of(consumer string, e hyperlocal.Envelope) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count[consumer+" "+e.ID]
}

// check fails unless every consumer has handled every event once, in order.
func (f *effects) check(t *testing.T, events []hyperlocal.Envelope, consumers ...string) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	lost, twice := 0, 0
	for _, consumer := range consumers {
		for _, e := range events {
			switch n := f.count[consumer+" "+e.ID]; {
			case n == 0:
				lost++
			case n > 1:
				twice++
			}
		}
	}
	if lost > 0 || twice > 0 || len(f.count) != len(events)*len(consumers) {
		t.Errorf("%d effects lost, %d more than once, %d in all for %d events and %d consumers",
			lost, twice, len(f.count), len(events), len(consumers))
	}
	if wrong := f.misplaced(); len(wrong) > 0 {
		t.Errorf("%d out of order, such as %s", len(wrong), wrong[0])
	}
}

var errBroken = errors.New("broken")

func eventually(t *testing.T, what string, patience time.Duration, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func waitIdle(t *testing.T, bus *eventbus.Bus) {
	t.Helper()
	eventually(t, "everything is handled", 3*time.Minute, func() bool {
		bus.Wake()
		idle, err := bus.Idle(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return idle
	})
}
