package eventbus

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
)

// RelayConfig configures a [Relay]. Queue and Publisher are required.
type RelayConfig struct {
	Queue     RelayQueue
	Publisher message.Publisher

	Clock  hyperlocal.Clock // default: the system's
	Logger *slog.Logger     // default: silent
	Alert  AlertFunc        // told what a person has to look at; default: nobody

	// Name tells relays apart that share a database; default: a random one. With a fixed
	// name a relay that was killed takes its shards back at once when it comes back, instead
	// of after Lease; two that run at once must not share it.
	Name string
	// Poll is how often a relay that was busy lately looks for work nobody woke it for; default
	// 200 ms.
	Poll time.Duration
	// IdlePoll is how far Poll backs off while there is nothing to do: an idle relay asks two
	// short questions in that time. It bounds how late a due schedule is moved, and how late
	// an event leaves whose commit wakes nobody (in a host's transaction, or in another
	// process where the queue is no [queue.Bell]); default five times Poll. Both are at most a
	// third of Lease.
	IdlePoll time.Duration
	// Lease is how long a relay that died keeps its shards; default 15 s.
	Lease time.Duration
	// Batch is how many events of a shard are claimed at a time; default 64.
	Batch int
	// Retention is how long published events are kept; default 7 days. Negative: for ever.
	Retention time.Duration
	// Retry is the schedule for an event that cannot be published for its own sake. Its
	// MaxAttempts is always [queue.MaxAttempts].
	Retry hyperlocal.Backoff
	// MaxPause is the longest pause between two tries when the broker does not answer; default 1 s.
	MaxPause time.Duration
	// StopWait is how long Run waits, once its context has ended, for what is being
	// published; default 10 s.
	StopWait time.Duration
	// Permanent tells that an error of the publisher is about the message and not about the
	// broker. The default recognises errors of this module with code invalid. Other errors
	// are judged by whether the broker takes other messages.
	Permanent func(error) bool
	// Hook is called at "relay.after_publish" and "relay.before_mark"; an error makes the
	// relay act as if it had died there. For tests.
	Hook func(ctx context.Context, name string) error
}

// RelayQueue is what a relay needs of a store.
type RelayQueue interface {
	queue.Outgoing
	queue.Leases
}

func (c *RelayConfig) setDefaults() {
	setDefault(&c.Poll, 200*time.Millisecond)
	setDefault(&c.IdlePoll, 5*c.Poll)
	setDefault(&c.Lease, 15*time.Second)
	c.Poll = min(c.Poll, c.Lease/3) // when leases are renewed
	c.IdlePoll = max(min(c.IdlePoll, c.Lease/3), c.Poll)
	setDefault(&c.Retention, 7*24*time.Hour)
	setDefault(&c.MaxPause, time.Second)
	setDefault(&c.StopWait, 10*time.Second)
	if c.Batch <= 0 {
		c.Batch = 64
	}
	if c.Clock == nil {
		c.Clock = hyperlocal.SystemClock{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Alert == nil {
		c.Alert = func(context.Context, Alert) {}
	}
	if c.Name == "" {
		c.Name = "relay-" + hyperlocal.RandomIDs{}.NewID()
	}
	if c.Retry == (hyperlocal.Backoff{}) {
		c.Retry = hyperlocal.Backoff{Base: time.Second, Max: 5 * time.Minute, Jitter: 20}
	}
	c.Retry.MaxAttempts = queue.MaxAttempts
	if c.Permanent == nil {
		c.Permanent = func(err error) bool { return hyperlocal.IsCode(err, hyperlocal.CodeInvalid) }
	}
	if c.Hook == nil {
		c.Hook = func(context.Context, string) error { return nil }
	}
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// Relay publishes what the outbox holds. Several relays may share a database, in one process
// or in many: they divide the shards among themselves.
type Relay struct {
	c RelayConfig

	wake     chan struct{}
	running  atomic.Bool
	alone    atomic.Bool  // it holds all shards, so there is nobody else to tell about events
	refusals atomic.Int64 // of the broker, so far
	lastGood atomic.Int64 // the number of refusals before the sending of a message that it took
	alive    sync.WaitGroup
}

// NewRelay returns a relay that does nothing until Run.
func NewRelay(c RelayConfig) (*Relay, error) {
	var problems []error
	if c.Queue == nil {
		problems = append(problems, ErrConfig.WithMessage("a relay needs a Queue"))
	}
	if c.Publisher == nil {
		problems = append(problems, ErrConfig.WithMessage("a relay needs a Publisher"))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	c.setDefaults()
	return &Relay{c: c, wake: make(chan struct{}, 1)}, nil
}

// Wake makes the relay look for work at once. It never blocks, and costs nothing when the
// relay is awake or not running. Call it after a commit, see [Bus.Outbox].
func (r *Relay) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run publishes until ctx ends, and then returns nil once everything that was being
// published has been marked and the shards are given back, at most StopWait later. A database
// or a broker that does not answer is waited for and never ends Run. While Run is running,
// another call fails with [ErrRunning].
func (r *Relay) Run(ctx context.Context) error {
	if !r.running.CompareAndSwap(false, true) {
		return ErrRunning
	}
	defer r.running.Store(false)
	t := &tour{
		r: r, results: make(chan outcome, queue.Shards), busy: make(map[int]bool),
		after: make(map[int]queue.Aggregate), poll: r.c.Poll,
	}
	var listening sync.WaitGroup
	if bell, ok := r.c.Queue.(queue.Bell); ok {
		listening.Go(func() { bell.Listen(ctx, r.Wake, r.deaf(ctx)) })
	}
	for ctx.Err() == nil {
		t.step(ctx)
	}
	r.alone.Store(false)
	t.finish(ctx)
	listening.Wait()
	return nil
}

// deaf reports that rings are not heard for the time being.
func (r *Relay) deaf(ctx context.Context) func(error) {
	return func(err error) {
		r.c.Logger.WarnContext(ctx, "the relay does not hear of other processes' events, and polls for them", "error", err)
	}
}

// Drain publishes until nothing is left that a relay will get to and no schedule is due, or
// until ctx ends. It works whether Run is running or not.
func (r *Relay) Drain(ctx context.Context) error {
	return r.until(ctx, func(ctx context.Context) (bool, error) {
		s, err := r.c.Queue.Statistics(ctx, r.c.Clock.Now())
		return s.Pending == 0 && s.DueSchedules == 0, err
	})
}

// until wakes the relay, which it runs if nobody does, until done says so.
func (r *Relay) until(ctx context.Context, done func(context.Context) (bool, error)) error {
	if !r.running.Load() {
		inner, cancel := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = r.Run(inner) // ErrRunning: somebody else has just begun, which will do
		}()
		defer func() { cancel(); <-ended }()
	}
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		r.Wake()
		ok, err := done(ctx)
		if ok || err != nil {
			return err
		}
		if !sleep(ctx, pause) {
			return ErrStopped.WithMessage("the time for draining is over").WithCause(context.Cause(ctx))
		}
	}
}

// sleep reports whether the time passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
