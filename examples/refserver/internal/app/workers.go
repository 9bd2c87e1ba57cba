package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/cache"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/httpapi"
)

// batch is how many due things a worker takes at a time.
const batch = 100

// How long what nobody asks for any more is kept. An event is known to its consumers for twice
// as long as it could be published again.
const (
	keepPublished = 7 * 24 * time.Hour
	keepHandled   = 2 * keepPublished
	keepKeys      = 72 * time.Hour
	pruneGap      = 10 * time.Minute
	pruneBatch    = 1000
)

// job is what a worker does over and over.
type job struct {
	name string
	idle time.Duration // longest sleep: what a wake-up misses is found after it
	// due does at most batch things and returns how many it did and when the next is due,
	// zero for none known.
	due   func(ctx context.Context) (n int, next time.Time, err error)
	batch int
	poke  chan struct{}
}

// workers run the jobs of an App.
type workers struct {
	app  *App
	jobs []*job
	wg   sync.WaitGroup
}

func (w *workers) init(a *App) {
	w.app = a
	add := func(name string, idle time.Duration, due func(ctx context.Context) (int, time.Time, error)) {
		w.jobs = append(w.jobs, &job{name: name, idle: idle, due: due, batch: batch, poke: make(chan struct{}, 1)})
	}
	sweep := func(f func(ctx context.Context, limit int) (int, error)) func(ctx context.Context) (int, time.Time, error) {
		return func(ctx context.Context) (int, time.Time, error) {
			n, err := f(ctx, batch)
			return n, time.Time{}, err
		}
	}
	add("orders", time.Second, func(ctx context.Context) (int, time.Time, error) { return a.Orders.RunDue(ctx, batch) })
	add("payments", time.Second, func(ctx context.Context) (int, time.Time, error) { return a.Payments.RunDue(ctx, batch) })
	add("webhooks", time.Second, func(ctx context.Context) (int, time.Time, error) { return a.Payments.ProcessWebhooks(ctx, batch) })
	add("holds", 5*time.Second, sweep(func(ctx context.Context, n int) (int, error) { return a.Stock.ExpireHolds(ctx, n) }))
	add("points", time.Minute, sweep(func(ctx context.Context, n int) (int, error) { return a.Loyalty.Expire(ctx, n) }))
	add("ledger", 5*time.Second, sweep(func(ctx context.Context, n int) (int, error) { return a.Ledger.Fold(ctx, n) }))
	if a.config.Addr != "" { // a server runs for long; a tool that comes and goes leaves everything as it is
		add("prune", pruneGap, a.prune)
		w.jobs[len(w.jobs)-1].batch = pruneBatch
	}
}

// prune forgets old idempotency keys and old entries of the inbox.
func (a *App) prune(ctx context.Context) (n int, next time.Time, err error) {
	now := a.clock.Now()
	keys, err := a.DB.Idempotency.Prune(ctx, now.Add(-a.config.KeepKeys), pruneBatch)
	if err != nil {
		return 0, time.Time{}, err
	}
	handled, err := a.DB.Inbox.Prune(ctx, now.Add(-keepHandled), pruneBatch)
	return int(max(keys, handled)), time.Time{}, err
}

// wake makes a worker look at once. It never blocks.
func (w *workers) wake(name string) {
	for _, j := range w.jobs {
		if j.name == name {
			select {
			case j.poke <- struct{}{}:
			default: // it will look anyway
			}
		}
	}
}

// run starts the event bus and every job, calls started, and returns when the bus has ended.
func (w *workers) run(ctx context.Context, started func()) error {
	for _, j := range w.jobs {
		w.wg.Go(func() { w.loop(ctx, j) })
	}
	if w.app.server != nil {
		// It hears of changes until the transport is closed, after the relay: see Close.
		topics := cache.Topics(httpapi.CachedEvents()...)
		if err := eventbus.Listen(context.WithoutCancel(ctx), w.app.transport, topics, w.app.log, w.app.Answers.Drop); err != nil {
			return err
		}
	}
	w.wg.Add(1)
	defer w.wg.Done()
	go func() {
		select {
		case <-w.app.Bus.Running():
			started()
		case <-ctx.Done():
		}
	}()
	return w.app.Bus.Run(ctx)
}

func (w *workers) wait() { w.wg.Wait() }

// loop runs one job until ctx ends. Failures are logged and retried with growing gaps.
func (w *workers) loop(ctx context.Context, j *job) {
	backoff := hyperlocal.Backoff{MaxAttempts: 1 << 30, Base: 100 * time.Millisecond, Max: 30 * time.Second, Jitter: 20}
	failures := 0
	for ctx.Err() == nil {
		n, next, err := j.due(ctx)
		gap := j.idle
		switch {
		case err != nil && ctx.Err() != nil:
			return
		case err != nil:
			if n > 0 { // what failed stopped nobody else
				failures = 0
			}
			failures++
			gap, _ = backoff.Next(failures, hyperlocal.RandomUint64())
			w.app.log.LogAttrs(ctx, slog.LevelError, "a worker failed and will try again",
				slog.String("worker", j.name), slog.Duration("in", gap), slog.Any("error", err))
		case n >= j.batch:
			failures = 0
			continue
		default:
			failures = 0
			if !next.IsZero() {
				gap = max(min(gap, next.Sub(w.app.clock.Now())), time.Millisecond)
			}
		}
		timer := time.NewTimer(gap)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-j.poke:
		}
		timer.Stop()
	}
}

// Drain returns when nothing is left to do now: no event to publish or handle, no timer that
// is due, no payment to execute or look up, no webhook to process, no schedule that is due.
// The App must be running.
func (a *App) Drain(ctx context.Context) error {
	for {
		did := 0
		for _, j := range a.workers.jobs {
			if j.name != "orders" && j.name != "payments" && j.name != "webhooks" {
				continue
			}
			n, _, err := j.due(ctx)
			if err != nil {
				return err
			}
			did += n
		}
		a.Bus.Wake()
		idle, err := a.Bus.Idle(ctx)
		if err != nil {
			return err
		}
		if idle && did == 0 {
			return nil
		}
		if did > 0 {
			continue
		}
		timer := time.NewTimer(5 * time.Millisecond)
		select {
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ctx.Err(), errStillBusy)
		case <-timer.C:
		}
	}
}

var errStillBusy = hyperlocal.NewError(hyperlocal.CodeDeadline, "server/still_busy", "work was left when the time was over")
