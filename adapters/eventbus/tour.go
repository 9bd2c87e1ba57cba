package eventbus

import (
	"context"
	"errors"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
)

// tour is one run of a relay. Its methods are called by one goroutine; shards are published by
// others, which hand an outcome back.
type tour struct {
	r *Relay

	held       []int
	leasedAt   time.Time
	leasedTill time.Time

	busy     map[int]bool            // shards that are being published or not marked yet
	after    map[int]queue.Aggregate // where each shard's round goes on
	results  chan outcome
	unmarked []outcome

	poll     time.Duration // the next idle wait
	looked   time.Time     // when the outbox was read last, by the machine's clock
	found    int           // how many events that were
	swept    time.Time     // last look at the schedules, by the machine's clock
	woken    bool          // since then
	pruned   time.Time
	pause    time.Duration // after the broker failed
	resumeAt time.Time     // by the machine's clock
	down     bool          // an alert about the broker has been raised

	finishing bool // refusals tell nothing any more: the transport may be closing
}

// pruneGap is how often published events are removed, pruneBatch how many at a time.
const (
	pruneGap   = time.Minute
	pruneBatch = 1000
)

// breath is the least time between two looks at the outbox, and longBreath after a look that
// found little. An event after a pause leaves at once; under load those of a few milliseconds
// are read, published and marked together, where a look for each would cost the database more
// than the events themselves.
const (
	breath     = 3 * time.Millisecond
	longBreath = 5 * breath
)

// step does what can be done now and then waits for something to happen.
func (t *tour) step(ctx context.Context) {
	c := &t.r.c
	for left := t.sinceLook(); left > 0 && ctx.Err() == nil; left = t.sinceLook() {
		t.wait(ctx, left)
	}
	now := c.Clock.Now()
	if !t.lease(ctx, now) {
		t.wait(ctx, c.Poll)
		return
	}
	t.mark(ctx)
	t.sweep(ctx, now)
	if left := t.resumeAt.Sub(hyperlocal.Stopwatch()); t.pause > 0 && left > 0 {
		t.wait(ctx, left)
		return
	}
	again, err := t.dispatch(ctx, now)
	switch {
	case errors.Is(err, hyperlocal.ErrTxRetry): // nobody is at fault; the next look is the second try
		t.wait(ctx, c.Poll)
	case err != nil:
		c.Logger.ErrorContext(ctx, "the outbox cannot be read", "error", err)
		t.wait(ctx, c.Poll)
	case again:
		t.wait(ctx, 0)
	case len(t.busy) > 0:
		t.poll = c.Poll
		t.wait(ctx, t.poll)
	default:
		t.wait(ctx, t.poll)
		t.poll = min(t.poll*2, c.IdlePoll)
	}
}

// sinceLook is what is left of the breath.
func (t *tour) sinceLook() time.Duration {
	if t.looked.IsZero() {
		return 0
	}
	least := breath
	if t.found < t.r.c.Batch {
		least = longBreath
	}
	return least - hyperlocal.Since(t.looked)
}

// wait returns when an outcome is there, somebody wakes the relay, the time is over or ctx
// ends. Zero means: do not wait.
func (t *tour) wait(ctx context.Context, d time.Duration) {
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case o := <-t.results:
			t.unmarked = append(t.unmarked, o)
		case <-t.r.wake:
			t.poll, t.woken = t.r.c.Poll, true
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	for {
		select {
		case o := <-t.results:
			t.unmarked = append(t.unmarked, o)
		default:
			return
		}
	}
}

// lease keeps the shards' leases fresh and reports whether the relay may go on.
func (t *tour) lease(ctx context.Context, now time.Time) bool {
	c := &t.r.c
	fresh := !now.Before(t.leasedAt) && now.Before(t.leasedAt.Add(c.Lease/3))
	if fresh && len(t.held) > 0 {
		return true
	}
	busy := make([]int, 0, len(t.busy))
	for shard := range t.busy {
		busy = append(busy, shard)
	}
	until := now.Add(c.Lease)
	held, err := c.Queue.Lease(ctx, c.Name, now, until, busy)
	if err != nil {
		if ctx.Err() == nil {
			c.Logger.ErrorContext(ctx, "the relay cannot lease its shards", "error", err)
		}
		return now.Before(t.leasedTill) && !now.Before(t.leasedAt)
	}
	t.held, t.leasedAt, t.leasedTill = held, now, until
	t.r.alone.Store(len(held) == queue.Shards)
	return true
}

// sweep moves due schedules and removes old events, each no more often than it has to.
func (t *tour) sweep(ctx context.Context, now time.Time) {
	c := &t.r.c
	gap := c.Poll
	if t.woken {
		gap = min(gap, 20*time.Millisecond) // every commit wakes the relay
	}
	if t.swept.IsZero() || hyperlocal.Since(t.swept) >= gap {
		t.swept, t.woken = hyperlocal.Stopwatch(), false
		n, err := c.Queue.MoveDue(ctx, now, pruneBatch)
		switch {
		case err != nil && ctx.Err() == nil:
			c.Logger.ErrorContext(ctx, "due schedules cannot be moved", "error", err)
		case n == pruneBatch:
			t.swept = time.Time{}
		}
	}
	if c.Retention < 0 || !t.pruned.IsZero() && hyperlocal.Since(t.pruned) < pruneGap {
		return
	}
	n, err := c.Queue.Prune(ctx, now.Add(-c.Retention), pruneBatch)
	if err != nil && ctx.Err() == nil {
		c.Logger.ErrorContext(ctx, "published events cannot be removed", "error", err)
	}
	if n < pruneBatch { // else go on in the next step
		t.pruned = hyperlocal.Stopwatch()
	}
}

// dispatch claims events of the shards that nobody is at and has them published. again tells
// that a shard's round has come to its end, so that there may be more at its beginning.
func (t *tour) dispatch(ctx context.Context, now time.Time) (again bool, err error) {
	c := &t.r.c
	windows := make([]queue.Window, 0, len(t.held))
	for _, shard := range t.held {
		if !t.busy[shard] {
			windows = append(windows, queue.Window{Shard: shard, After: t.after[shard]})
		}
	}
	if len(windows) == 0 {
		return false, nil
	}
	t.looked = hyperlocal.Stopwatch()
	rows, err := c.Queue.Pending(ctx, now, c.Batch, windows...)
	if err != nil {
		if ctx.Err() != nil {
			return false, nil //nolint:nilerr // the relay is being stopped: there is nothing to report
		}
		return false, err
	}
	t.found = len(rows)
	byShard := make(map[int][]queue.Pending, len(windows))
	for _, row := range rows {
		shard := queue.Shard(row.Envelope.PartitionKey())
		byShard[shard] = append(byShard[shard], row)
	}
	for _, w := range windows {
		rows := byShard[w.Shard]
		if len(rows) < c.Batch { // the end was reached: the next round starts at the beginning
			delete(t.after, w.Shard)
			again = again || w.After != queue.Aggregate{}
		} else {
			t.after[w.Shard] = queue.PlaceOf(rows[len(rows)-1].Envelope).Aggregate
		}
		if len(rows) == 0 {
			continue
		}
		t.busy[w.Shard] = true
		t.r.alive.Go(func() { t.results <- t.r.publish(ctx, w.Shard, rows) })
	}
	return again, nil
}

// mark records the outcomes that have come in. What cannot be recorded is kept for the next
// step, and its shards with it.
func (t *tour) mark(ctx context.Context) {
	if len(t.unmarked) == 0 {
		return
	}
	c := &t.r.c
	now := c.Clock.Now()
	var published []queue.Place
	var failed []queue.Failure
	var down error
	for i := range t.unmarked {
		o := &t.unmarked[i]
		published = append(published, o.published...)
		for _, f := range o.failed {
			failed = append(failed, t.failure(now, f))
		}
		for _, f := range o.suspects {
			// The broker refused this one, and then took another: it is at fault itself.
			if t.r.lastGood.Load() >= f.number {
				failed = append(failed, t.failure(now, f))
				continue
			}
			down = f.err
		}
	}
	if len(published)+len(failed) > 0 {
		err := c.Hook(ctx, "relay.before_mark")
		if err == nil {
			err = c.Queue.Mark(ctx, now, published, failed)
		} else {
			c.Logger.WarnContext(ctx, "a hook kept published events from being marked", "error", err)
			err = nil
		}
		if err != nil {
			if ctx.Err() == nil { // else they are kept for the last look, see finish
				c.Logger.ErrorContext(ctx, "published events cannot be marked", "error", err)
			}
			return
		}
	}
	for _, f := range failed {
		c.Logger.WarnContext(ctx, "an event cannot be published", "aggregate", f.Place.Ref.String(), "tenant", f.Place.Tenant,
			"version", f.Place.Version, "attempts", f.Attempts, "error", f.Error)
		if f.Attempts >= queue.MaxAttempts {
			c.Alert(ctx, Alert{Kind: AlertEventStuck, Tenant: f.Place.Tenant, Aggregate: f.Place.Ref, Version: f.Place.Version, Error: f.Error})
		}
	}
	t.judge(ctx, down, len(published) > 0)
	for _, o := range t.unmarked {
		delete(t.busy, o.shard)
	}
	t.unmarked = t.unmarked[:0]
}

// judge decides whether the broker can be reached.
func (t *tour) judge(ctx context.Context, down error, took bool) {
	c := &t.r.c
	switch {
	case t.finishing:
	case down != nil:
		t.pause = min(max(2*t.pause, c.Poll/2), c.MaxPause)
		t.resumeAt = hyperlocal.Stopwatch().Add(t.pause)
		if !t.down {
			t.down = true
			c.Logger.ErrorContext(ctx, "the broker does not take messages", "error", down)
			c.Alert(ctx, Alert{Kind: AlertBrokerDown, Error: down.Error()})
		}
	case took:
		t.pause = 0
		if t.down {
			t.down = false
			c.Logger.InfoContext(ctx, "the broker takes messages again")
			c.Alert(ctx, Alert{Kind: AlertBrokerUp})
		}
	}
}

func (t *tour) failure(now time.Time, f refused) queue.Failure {
	attempts := f.row.Attempts + 1
	next := now
	if gap, ok := t.r.c.Retry.Next(attempts, hyperlocal.RandomUint64()); ok {
		next = now.Add(gap)
	}
	return queue.Failure{Place: queue.PlaceOf(f.row.Envelope), Attempts: attempts, NextTry: next, Error: queue.Bound(f.err.Error())}
}

// finish waits for what is being published, marks it and gives the shards back.
func (t *tour) finish(ctx context.Context) {
	c := &t.r.c
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.StopWait)
	defer cancel()
	idle := make(chan struct{})
	go func() { t.r.alive.Wait(); close(idle) }()
	select {
	case <-idle:
	case <-patience.Done():
		c.Logger.WarnContext(ctx, "the relay stops while messages are being published; they will be published again")
	}
	t.finishing = true
	t.wait(patience, 0)
	marking, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.StopWait)
	defer cancel()
	t.mark(marking)
	if err := c.Queue.Release(marking, c.Name); err != nil {
		c.Logger.WarnContext(ctx, "the relay cannot give its shards back; they are free when the lease runs out", "error", err)
	}
}
