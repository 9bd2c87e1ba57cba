package eventbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
)

// Config configures a [Bus]. Tx, Inbox and Queue are required and belong to one database;
// without a Publisher the bus only consumes, without a Subscriber it only publishes.
type Config struct {
	Tx        hyperlocal.TxRunner
	Inbox     hyperlocal.Inbox
	Queue     queue.Queue
	Publisher message.Publisher
	// Subscriber delivers every message to each subscription. For a transport with consumer
	// groups give SubscriberFor instead, which is asked once per consumer and topic and whose
	// subscribers deliver the messages of a group in the order of their partition key. The
	// host closes subscribers itself, after Run.
	Subscriber    message.Subscriber
	SubscriberFor func(consumer string) (message.Subscriber, error)

	Clock   hyperlocal.Clock  // default: the system's
	Logger  *slog.Logger      // default: silent
	Alert   AlertFunc         // told what a person has to look at; default: nobody
	Observe func(Observation) // called after every delivery; default: nothing. It must not block.

	// Upcasters lift events of older versions before a handler sees them; default: none, all
	// events have version 1.
	Upcasters *hyperlocal.Upcasters

	// Timeout bounds one try of a handler; default 10 s.
	Timeout time.Duration
	// Retry is the schedule for parked messages. Its MaxAttempts is what is left of
	// [queue.MaxAttempts] after the first quick tries. The default spreads ten tries in all
	// over less than five minutes.
	Retry hyperlocal.Backoff
	// Relay holds what only concerns the relay; what it shares with this Config is taken from here.
	Relay RelayConfig
	// Background marks the context of relay and parked messages as work nobody waits for,
	// such as bunstore.Background; default: as it is.
	Background func(context.Context) context.Context
	// Tenant may refuse a tenant's messages, which are then parked, or prepare the context
	// for it; default: nothing.
	Tenant func(ctx context.Context, tenant hyperlocal.TenantID) (context.Context, error)
	// Hook is called at "inbox.before_commit" inside the transaction of a handler, and by the
	// relay; an error fails what is going on. For tests.
	Hook func(ctx context.Context, name string) error
}

// Handler reacts to one event. It runs in a transaction in which the inbox has claimed the
// event: what it writes commits with the claim, or not at all. It uses the ctx it is given and
// no other, does not talk to the network, and may be run again after an error. Events it emits
// carry the handled one as their cause.
//
// An error makes the bus try again, unless its code is invalid, permission or
// unauthenticated, where quick tries are skipped. A handler that finds the event out of date
// returns nil.
type Handler func(ctx context.Context, e hyperlocal.Envelope) error

// BatchHandler reacts to several events in one transaction: those that arrived while the
// batch before was being handled. There is at least one, each is there once, and they are
// ordered by tenant, aggregate, version and n. If it fails, the bus calls it again for each
// event alone.
type BatchHandler func(ctx context.Context, events []hyperlocal.Envelope) error

// Bus connects the outbox to handlers. Make it with New, add handlers, then Run it. Its
// methods are safe for concurrent use.
type Bus struct {
	c     Config
	relay *Relay     // nil without a publisher
	bell  queue.Bell // nil if the queue has none
	ring  chan struct{}

	mu        sync.Mutex
	consumers map[string]*consumer
	started   bool
	ready     chan struct{}

	running  atomic.Bool
	inFlight atomic.Int64
	wake     chan struct{} // for the parked messages
}

// New returns a bus without handlers. Errors: [ErrConfig], hyperlocal.ErrMixedScopes.
func New(c Config) (*Bus, error) {
	var problems []error
	missing := func(is bool, what string) {
		if is {
			problems = append(problems, ErrConfig.WithMessage("an event bus needs %s", what))
		}
	}
	missing(c.Tx == nil, "a Tx")
	missing(c.Inbox == nil, "an Inbox")
	missing(c.Queue == nil, "a Queue")
	missing(c.Publisher == nil && c.Subscriber == nil && c.SubscriberFor == nil, "a Publisher or a Subscriber")
	missing(c.Subscriber != nil && c.SubscriberFor != nil, "either Subscriber or SubscriberFor, not both")
	problems = append(problems, hyperlocal.SameScope(c.Tx, c.Inbox, c.Queue))
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	c.setDefaults()
	b := &Bus{c: c, consumers: make(map[string]*consumer), ready: make(chan struct{}), wake: make(chan struct{}, 1), ring: make(chan struct{}, 1)}
	b.bell, _ = c.Queue.(queue.Bell)
	if c.Publisher != nil {
		r := c.Relay
		r.Queue, r.Publisher, r.Clock, r.Logger, r.Alert, r.Hook = c.Queue, c.Publisher, c.Clock, c.Logger, c.Alert, c.Hook
		var err error
		if b.relay, err = NewRelay(r); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (c *Config) setDefaults() {
	setDefault(&c.Timeout, 10*time.Second)
	setDefault(&c.Relay.Poll, 200*time.Millisecond)
	setDefault(&c.Relay.IdlePoll, 5*c.Relay.Poll)
	if c.Clock == nil {
		c.Clock = hyperlocal.SystemClock{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Alert == nil {
		c.Alert = func(context.Context, Alert) {}
	}
	if c.Observe == nil {
		c.Observe = func(Observation) {}
	}
	if c.Retry == (hyperlocal.Backoff{}) {
		// After 3 quick tries: 2, 4, 8, ..., 128 s, which is 254 s in all.
		c.Retry = hyperlocal.Backoff{Base: 2 * time.Second, Max: 128 * time.Second}
	}
	c.Retry.MaxAttempts = queue.MaxAttempts - quickTries + 1
	if c.Background == nil {
		c.Background = func(ctx context.Context) context.Context { return ctx }
	}
	if c.Tenant == nil {
		c.Tenant = func(ctx context.Context, _ hyperlocal.TenantID) (context.Context, error) { return ctx, nil }
	}
	if c.Hook == nil {
		c.Hook = func(context.Context, string) error { return nil }
	}
}

// Handle has fn called for every event of the name that is published from now on. A consumer
// is a name under which events are handled once, such as "loyalty"; it may handle several
// events, each with one handler. Names consist of a-z, 0-9, _ and -. Keep them: events handled
// under another name are handled again. Errors: [ErrConfig], [ErrRunning].
//
// The handler sees the event in one version: that of [Knows], else the latest that
// Config.Upcasters lead to, which is 1 if there are none for it.
func (b *Bus) Handle(consumer, eventName string, fn Handler, opts ...HandleOption) error {
	if fn == nil {
		return ErrConfig.WithMessage("the handler of %s in %s is nil", eventName, consumer)
	}
	single := func(ctx context.Context, events []hyperlocal.Envelope) error {
		for _, e := range events { // always one, see consumer.single
			if err := fn(ctx, e); err != nil {
				return err
			}
		}
		return nil
	}
	return b.add(consumer, []string{eventName}, &reaction{fn: single}, opts)
}

// HandleMany has fn called with batches of the named events, which it handles in one
// transaction each. A consumer either handles single events or batches, and batches with one
// handler. Otherwise it is as Handle.
func (b *Bus) HandleMany(consumer string, eventNames []string, fn BatchHandler, opts ...HandleOption) error {
	if fn == nil || len(eventNames) == 0 {
		return ErrConfig.WithMessage("the handler of %v in %s is nil, or handles nothing", eventNames, consumer)
	}
	return b.add(consumer, eventNames, &reaction{fn: fn, gather: &gatherer{}}, opts)
}

func (b *Bus) add(consumer string, eventNames []string, r *reaction, opts []HandleOption) error {
	versions, err := b.versions(consumer, eventNames, opts)
	if err != nil {
		return err
	}
	r.versions = versions
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range eventNames {
		if err := b.addOne(consumer, name, r); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bus) addOne(name, eventName string, r *reaction) error {
	if b.started {
		return ErrRunning.WithMessage("add handlers before Run")
	}
	if b.c.Subscriber == nil && b.c.SubscriberFor == nil {
		return ErrConfig.WithMessage("a bus without a Subscriber has no handlers")
	}
	probe := hyperlocal.Envelope{Name: eventName}
	if !validName(name) || !validName(probe.Topic()) || len(eventName) > 100 || !namesFact(eventName) {
		return ErrConfig.WithMessage("%q cannot handle %q: use a-z, 0-9, _ and - in a consumer's name, "+
			"and <context>.<past participle> for the event", name, eventName)
	}
	c := b.consumers[name]
	if c == nil {
		c = &consumer{bus: b, name: name, reactions: make(map[string]*reaction), singles: make(chan struct{}, singlesAtOnce)}
		b.consumers[name] = c
	}
	for other, known := range c.reactions {
		if other == eventName {
			return ErrConfig.WithMessage("%s handles %s twice", name, eventName)
		}
		if known != r && (known.gather != nil || r.gather != nil) {
			return ErrConfig.WithMessage("%s handles batches with one handler, or single events; use another consumer for %s", name, eventName)
		}
	}
	c.reactions[eventName] = r
	return nil
}

// Running is closed once every consumer has subscribed and the relay publishes.
func (b *Bus) Running() <-chan struct{} { return b.ready }

// Wake makes the bus look for work at once, and the relays of other processes too where the
// queue is a [queue.Bell]. It never blocks. The relay also looks by itself.
func (b *Bus) Wake() {
	b.committed()
	b.wakeHere()
}

// wakeHere is Wake within this process.
func (b *Bus) wakeHere() {
	b.wakeRelay()
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

func (b *Bus) wakeRelay() {
	if b.relay != nil {
		b.relay.Wake()
	}
}

// committed tells all relays that there may be events. One that holds all shards is told alone.
func (b *Bus) committed() {
	b.wakeRelay()
	if b.bell == nil || b.relay != nil && b.relay.alone.Load() {
		return
	}
	select {
	case b.ring <- struct{}{}:
	default:
	}
}

// ringGap is the least time between two rings. A relay that hears one reads all there is.
const ringGap = 50 * time.Millisecond

// announce rings the bell for what is committed here, until ctx ends.
func (b *Bus) announce(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-b.ring:
		case <-ctx.Done():
			return
		}
		if err := b.bell.Ring(ctx); err != nil && ctx.Err() == nil {
			b.c.Logger.WarnContext(ctx, "other relays cannot be told of events, and have to find them", "error", err)
		}
		sleep(ctx, ringGap)
	}
}

// Outbox returns the outbox as services should use it: with every commit the relay is woken.
func (b *Bus) Outbox(o hyperlocal.Outbox) hyperlocal.Outbox { return wakingOutbox{o, b} }

type wakingOutbox struct {
	hyperlocal.Outbox

	bus *Bus
}

// Append implements [hyperlocal.Outbox].
func (o wakingOutbox) Append(ctx context.Context, envelopes ...hyperlocal.Envelope) error {
	if err := o.Outbox.Append(ctx, envelopes...); err != nil {
		return err
	}
	hyperlocal.AfterCommit(ctx, o.bus.committed)
	return nil
}

// TxScope implements [hyperlocal.Scoped].
func (o wakingOutbox) TxScope() hyperlocal.Scope {
	return hyperlocal.ScopeOf(o.Outbox)
}

// Drain returns once nothing is left to publish, no schedule is due, and no message is being
// handled or due for another try; messages parked for later stay. Run must be running.
func (b *Bus) Drain(ctx context.Context) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		b.wakeHere()
		s, err := b.c.Queue.Statistics(ctx, b.c.Clock.Now())
		if err != nil {
			return err
		}
		if s.Pending == 0 && s.DueSchedules == 0 && s.ParkedDue == 0 && b.inFlight.Load() == 0 {
			return nil
		}
		if !b.running.Load() {
			return ErrStopped.WithMessage("the event bus is not running")
		}
		if !sleep(ctx, pause) {
			return ErrStopped.WithMessage("the time for draining is over").WithCause(context.Cause(ctx))
		}
	}
}

// Idle reports whether nothing is left to do: no event unpublished but for those that wait for
// a person, no schedule due, no message in the hands of this process's handlers, and none
// parked that has tries left. What a broker holds and has not delivered is not seen.
func (b *Bus) Idle(ctx context.Context) (bool, error) {
	// A message in flight is unpublished or parked or at least counted here, before and after.
	if b.inFlight.Load() > 0 {
		return false, nil
	}
	s, err := b.c.Queue.Statistics(ctx, b.c.Clock.Now())
	if err != nil {
		return false, err
	}
	return s.Pending == 0 && s.DueSchedules == 0 && s.Parked == 0 && b.inFlight.Load() == 0, nil
}

// Statistics counts what is left to do.
func (b *Bus) Statistics(ctx context.Context) (queue.Statistics, error) {
	return b.c.Queue.Statistics(ctx, b.c.Clock.Now())
}

// Parked lists the messages of a tenant that wait for another try, or for a person.
func (b *Bus) Parked(ctx context.Context, f queue.Filter) ([]queue.Parked, error) {
	if err := f.Tenant.Validate(); err != nil {
		return nil, err
	}
	f.Limit = min(max(f.Limit, 1), hyperlocal.MaxPageLimit)
	return b.c.Queue.Parked(ctx, f)
}

// Retry has parked messages tried again at once, dead ones included, and returns how many it
// found. Handling one that has been handled meanwhile does nothing.
func (b *Bus) Retry(ctx context.Context, ids ...queue.Consumed) (int64, error) {
	n, err := b.c.Queue.Retry(ctx, b.c.Clock.Now(), ids...)
	b.Wake()
	return n, err
}

// Stuck lists events that could not be published.
func (b *Bus) Stuck(ctx context.Context, limit int) ([]queue.Pending, error) {
	return b.c.Queue.Stuck(ctx, min(max(limit, 1), hyperlocal.MaxPageLimit))
}

// Revive has stuck events published again, and returns how many it found.
func (b *Bus) Revive(ctx context.Context, places ...queue.Place) (int64, error) {
	n, err := b.c.Queue.Revive(ctx, places...)
	b.Wake()
	return n, err
}

// consumersSorted returns the consumers by name.
func (b *Bus) consumersSorted() []*consumer {
	out := make([]*consumer, 0, len(b.consumers))
	for _, c := range b.consumers {
		out = append(out, c)
	}
	slices.SortFunc(out, func(x, y *consumer) int {
		if x.name < y.name {
			return -1
		}
		return 1
	})
	return out
}

func (b *Bus) guarded(what string, run func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = ErrPanic.WithMessage("%s panicked", what).WithCause(fmt.Errorf("%v", v))
		}
	}()
	return run()
}
