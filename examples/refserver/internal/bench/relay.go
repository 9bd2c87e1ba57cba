package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// Relay measures the way of an event: from the outbox through the bus to a handler whose
// effect commits with its claim in the inbox. First a backlog of Events is drained, then Rate
// events a second are appended for Duration, and the time from the commit of each to the commit
// of its effect is taken.
//
// The handler is called with batches, as the SDK's own consumers are, or with single events.
// The backlog are two events each of many orders.
func Relay(ctx context.Context, o Options) (*Result, error) {
	if err := errors.Join(need("--events", o.Events, MaxEvents), need("--rate", o.Rate, MaxEvents)); err != nil {
		return nil, err
	}
	if o.Duration > 0 && o.Rate > MaxEvents/max(1, int(o.Duration.Seconds())) {
		return nil, fmt.Errorf("%w: at most %d events in all; lower --rate or --duration", ErrOptions, MaxEvents)
	}
	return within(ctx, &o, func(own *room) (*Result, error) { return own.relay(ctx, &o) })
}

// The kinds of the aggregates of the two phases.
const (
	backlog = "backlog"
	stream  = "stream"
)

// effects counts the effects of a phase as they commit.
type effects struct {
	want    int
	start   time.Time      // of the clock for commits
	commits []atomic.Int64 // when each event was committed, in nanoseconds after start; none: not timed
	done    chan struct{}  // closed with the last effect

	mu      sync.Mutex
	handled int
	times   histogram
}

func newEffects(want int) *effects {
	return &effects{want: want, start: hyperlocal.Stopwatch(), done: make(chan struct{})}
}

// committed counts the effects of events that are events of the given kind.
func (e *effects) committed(kind string, events []hyperlocal.Envelope) {
	now := hyperlocal.Since(e.start)
	e.mu.Lock()
	defer e.mu.Unlock()
	before := e.handled
	for _, ev := range events {
		if ev.Aggregate.Kind != kind {
			continue
		}
		e.handled++
		if n, err := strconv.Atoi(ev.Aggregate.ID); err == nil && n < len(e.commits) {
			e.times.add(e.since(n, now))
		}
	}
	if before < e.want && e.handled >= e.want {
		close(e.done)
	}
}

// since is how long after its commit event n took effect: 0 if whoever committed it has not
// got to look at the clock yet.
func (e *effects) since(n int, now time.Duration) time.Duration {
	if at := e.commits[n].Load(); at > 0 {
		return now - time.Duration(at)
	}
	return 0
}

func (e *effects) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.handled
}

// wait returns when everything has taken effect. That nothing does for a while is an error.
func (e *effects) wait(ctx context.Context) error {
	const patience = 30 * time.Second
	tick := time.NewTicker(patience)
	defer tick.Stop()
	for last := -1; ; {
		select {
		case <-e.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			n := e.count()
			if n == last {
				return fmt.Errorf("%w: %d of %d, and none for %s", ErrStalled, n, e.want, patience)
			}
			last = n
		}
	}
}

// handler is the bench's consumer. The effect of an event is an entry in the schedules, which
// nobody is going to meet.
func (s *shop) handler(phases map[string]*effects) func(ctx context.Context, events []hyperlocal.Envelope) error {
	never := hyperlocal.SystemClock{}.Now().AddDate(10, 0, 0)
	return func(ctx context.Context, events []hyperlocal.Envelope) error {
		entries := make([]hyperlocal.Scheduled, len(events))
		for i, ev := range events {
			var placed order.OrderPlaced
			if err := ev.Decode(&placed); err != nil {
				return err
			}
			entries[i] = hyperlocal.Scheduled{Key: "effect/" + ev.ID, Due: never, Envelope: ev}
		}
		if err := s.db.Schedules.Schedule(ctx, entries...); err != nil {
			return err
		}
		hyperlocal.AfterCommit(ctx, func() {
			for kind, e := range phases {
				e.committed(kind, events)
			}
		})
		return nil
	}
}

func (own *room) relay(ctx context.Context, o *Options) (res *Result, err error) {
	s, err := own.open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.close()
	first, second := newEffects(o.Events), newEffects(max(1, int(o.Duration.Seconds()*float64(o.Rate))))
	second.commits = make([]atomic.Int64, second.want)
	if err := s.consume(o, map[string]*effects{backlog: first, stream: second}); err != nil {
		return nil, err
	}
	o.tell("appending %d events", o.Events)
	if err := s.fill(ctx, o.Events); err != nil {
		return nil, err
	}
	if err := own.settle(ctx); err != nil {
		return nil, err
	}
	o.tell("draining them")
	if err := s.meter.begin(ctx); err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	began := hyperlocal.Stopwatch()
	go func() { ended <- s.Bus.Run(running) }()
	defer func() {
		stop()
		if e := <-ended; err == nil {
			err = e
		}
	}()
	if err := first.wait(ctx); err != nil {
		return nil, err
	}
	drained := Sample{Calls: o.Events, Elapsed: hyperlocal.Since(began)}
	if err := s.meter.end(ctx); err != nil {
		return nil, err
	}
	res = &Result{Unit: "events"}
	s.meter.costs(res, o.Events)

	o.tell("appending %d a second for %s", o.Rate, o.Duration)
	appended, err := s.stream(ctx, o, second)
	if err != nil {
		return nil, err
	}
	drained.times = second.times
	res.ours(&drained)
	res.more("events_per_second", res.OursPerSecond)
	res.more("appended_per_second", whole(appended.PerSecond()))
	return res, nil
}

func (s *shop) consume(o *Options, phases map[string]*effects) error {
	name := order.OrderPlaced{}.EventName()
	handle := s.handler(phases)
	if o.Single {
		return s.Bus.Handle("bench", name, func(ctx context.Context, ev hyperlocal.Envelope) error {
			return handle(ctx, []hyperlocal.Envelope{ev})
		})
	}
	return s.Bus.HandleMany("bench", []string{name}, handle)
}

// envelope is an event as an order emits it.
func envelope(ctx context.Context, aggregate hyperlocal.Ref, version int64) (hyperlocal.Envelope, error) {
	now := hyperlocal.Instant(hyperlocal.SystemClock{}.Now())
	ids := hyperlocal.RandomIDs{}
	price, err := hyperlocal.NewMoney(200, "EUR")
	if err != nil {
		return hyperlocal.Envelope{}, err
	}
	lines := make([]order.EventLine, 2)
	for i := range lines {
		lines[i] = order.EventLine{N: i + 1, Variant: hyperlocal.NewRef("variant", item(i)), Item: hyperlocal.ItemID(item(i)), Quantity: hyperlocal.Pieces(1)}
	}
	return hyperlocal.NewEnvelope(ctx, ids, now, tenant, hyperlocal.Actor{Kind: "shopper", ID: "shopper-1"}, aggregate, version, 0,
		order.OrderPlaced{Lines: lines, Changed: order.Changed{
			Order: order.ID(ids.NewID()), Number: "2611-ABCDEFGH", Merchant: hyperlocal.NewRef("merchant", "shop"),
			Customer: hyperlocal.NewRef("customer", "shopper-1"), State: order.AwaitingPayment, PaymentStatus: order.PaymentDue, Version: version,
			Total: price, PlacedAt: now, At: now,
		}})
}

// fill appends the backlog past the relay, which is not told.
func (s *shop) fill(ctx context.Context, n int) error {
	const part = 1000
	for from := 0; from < n; from += part {
		envelopes := make([]hyperlocal.Envelope, 0, part)
		for i := from; i < min(from+part, n); i++ {
			ev, err := envelope(ctx, hyperlocal.NewRef(backlog, strconv.Itoa(i/2)), int64(1+i%2))
			if err != nil {
				return err
			}
			envelopes = append(envelopes, ev)
		}
		if err := s.db.WithinTx(ctx, func(ctx context.Context) error { return s.db.Outbox.Append(ctx, envelopes...) }); err != nil {
			return err
		}
	}
	return nil
}

// stream appends events at a steady rate and returns when all of them have taken effect. The
// sample counts what was appended.
func (s *shop) stream(ctx context.Context, o *Options, e *effects) (*Sample, error) {
	began := hyperlocal.Stopwatch()
	outbox := s.Bus.Outbox(s.db.Outbox)
	var next atomic.Int64
	failed := make([]error, o.Clients)
	var wg sync.WaitGroup
	for c := range o.Clients {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(e.want) && ctx.Err() == nil; i = next.Add(1) - 1 {
				wait(ctx, time.Duration(i)*time.Second/time.Duration(o.Rate)-hyperlocal.Since(began))
				ev, err := envelope(ctx, hyperlocal.NewRef(stream, strconv.FormatInt(i, 10)), 1)
				if err == nil {
					err = s.db.WithinTx(ctx, func(ctx context.Context) error {
						hyperlocal.AfterCommit(ctx, func() { e.commits[i].Store(int64(hyperlocal.Since(e.start))) }) // before the relay is woken
						return outbox.Append(ctx, ev)
					})
				}
				if err != nil {
					failed[c] = err
					return
				}
			}
		})
	}
	wg.Wait()
	appended := &Sample{Calls: e.want, Elapsed: hyperlocal.Since(began)}
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	return appended, e.wait(ctx)
}
