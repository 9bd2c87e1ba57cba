package eventbus

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/components/cqrs"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
)

// closeWait is how long handlers may finish when the bus stops.
const closeWait = 15 * time.Second

// Run subscribes the consumers, then publishes and handles until ctx ends, and then stops in
// the order that loses nothing: relay, parked messages, consumers. It returns nil after an
// orderly end. It may be called once.
func (b *Bus) Run(ctx context.Context) error {
	b.mu.Lock()
	if b.started {
		b.mu.Unlock()
		return ErrRunning.WithMessage("Run is called once; make a new bus to start again")
	}
	b.started = true
	b.mu.Unlock()

	stopRouter, routed, err := b.route(ctx)
	if err != nil {
		return err
	}
	work, stop := context.WithCancel(b.c.Background(context.WithoutCancel(ctx)))
	defer stop()
	var workers sync.WaitGroup
	if b.relay != nil {
		workers.Go(func() { _ = b.relay.Run(work) }) // nobody else has it
	}
	if len(b.consumers) > 0 {
		workers.Go(func() { b.retryParked(work) })
	}
	if b.bell != nil {
		workers.Go(func() { b.announce(work) })
	}
	b.running.Store(true)
	close(b.ready)

	var broken error
	select {
	case <-ctx.Done():
	case broken = <-routed:
		if broken == nil {
			broken = ErrStopped.WithMessage("the subscriptions ended by themselves")
		}
	}
	b.running.Store(false)
	stop()
	workers.Wait()
	return errors.Join(broken, stopRouter())
}

// route subscribes every consumer. The returned channel tells when the subscriptions end;
// stop ends them and waits for the handlers.
func (b *Bus) route(ctx context.Context) (stop func() error, ended <-chan error, err error) {
	if len(b.consumers) == 0 {
		return func() error { return nil }, nil, nil
	}
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: closeWait}, b.logAdapter())
	if err != nil {
		return nil, nil, ErrConfig.WithCause(err)
	}
	router.AddMiddleware(b.chain()...)
	processor, err := cqrs.NewEventGroupProcessorWithConfig(router, cqrs.EventGroupProcessorConfig{
		GenerateSubscribeTopic: func(p cqrs.EventGroupProcessorGenerateSubscribeTopicParams) (string, error) {
			return p.EventGroupHandlers[0].(groupHandler).topic(), nil
		},
		SubscriberConstructor: func(p cqrs.EventGroupProcessorSubscriberConstructorParams) (message.Subscriber, error) {
			return b.subscriber(p.EventGroupHandlers[0].(groupHandler).consumer.name)
		},
		AckOnUnknownEvent: true,
		Marshaler:         envelopes{},
		Logger:            b.logAdapter(),
	})
	if err != nil {
		return nil, nil, ErrConfig.WithCause(err)
	}
	for _, c := range b.consumersSorted() {
		for topic, handlers := range c.groups() {
			if err := processor.AddHandlersGroup(c.name+groupSeparator+topic, handlers...); err != nil {
				return nil, nil, ErrConfig.WithMessage("%s cannot subscribe to %s", c.name, topic).WithCause(err)
			}
		}
	}
	done := make(chan error, 1)
	go func() { done <- router.Run(context.WithoutCancel(ctx)) }()
	stop = func() error {
		if err := router.Close(); err != nil {
			return ErrStopped.WithMessage("handlers were still at work when their time was over").WithCause(err)
		}
		return nil
	}
	select {
	case <-router.Running():
		return stop, done, nil
	case err := <-done:
		// Subscriptions that were made have ended with Run. Closing a router that never ran
		// would only wait for handlers that never started.
		return nil, nil, ErrStopped.WithMessage("a consumer cannot subscribe").WithCause(err)
	}
}

func (g groupHandler) topic() string { return hyperlocal.Envelope{Name: g.name}.Topic() }

// groups returns the consumer's handlers by topic.
func (c *consumer) groups() map[string][]cqrs.GroupEventHandler {
	out := make(map[string][]cqrs.GroupEventHandler)
	for name := range c.reactions {
		g := groupHandler{consumer: c, name: name}
		out[g.topic()] = append(out[g.topic()], g)
	}
	return out
}

func (b *Bus) subscriber(consumer string) (message.Subscriber, error) {
	sub := b.c.Subscriber
	if b.c.SubscriberFor != nil {
		var err error
		if sub, err = b.c.SubscriberFor(consumer); err != nil {
			return nil, err
		}
	}
	if sub == nil {
		return nil, ErrConfig.WithMessage("no subscriber for %s", consumer)
	}
	return hostsSubscriber{sub}, nil
}

// hostsSubscriber keeps Watermill's router from closing what the host has made; subscriptions
// end with their context.
type hostsSubscriber struct{ message.Subscriber }

// Close implements [message.Subscriber].
func (hostsSubscriber) Close() error { return nil }

// parkedBatch is how many parked messages are looked at, parkedAtOnce how many are handled, at
// a time.
const (
	parkedBatch  = 64
	parkedAtOnce = 4
)

// retryParked handles parked messages that are due until ctx ends.
func (b *Bus) retryParked(ctx context.Context) {
	names := make([]string, 0, len(b.consumers))
	for name := range b.consumers {
		names = append(names, name)
	}
	slices.Sort(names)
	for poll := b.c.Relay.Poll; ctx.Err() == nil; {
		due, err := b.c.Queue.Due(ctx, b.c.Clock.Now(), parkedBatch, names...)
		if err != nil && ctx.Err() == nil {
			b.c.Logger.ErrorContext(ctx, "parked messages cannot be read", "error", err)
		}
		b.retryAll(ctx, due)
		if len(due) > 0 && err == nil {
			poll = b.c.Relay.Poll
			continue
		}
		timer := time.NewTimer(poll)
		select {
		case <-b.wake:
			poll = b.c.Relay.Poll
		case <-timer.C:
			poll = min(2*poll, max(b.c.Relay.IdlePoll, b.c.Relay.Poll))
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// retryAll handles the messages, which are of different aggregates.
func (b *Bus) retryAll(ctx context.Context, due []queue.Parked) {
	var workers sync.WaitGroup
	places := make(chan struct{}, parkedAtOnce)
	for _, p := range due {
		places <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		workers.Go(func() {
			defer func() { <-places }()
			b.inFlight.Add(1)
			defer b.inFlight.Add(-1)
			b.retryOne(ctx, p)
		})
	}
	workers.Wait()
}

func (b *Bus) retryOne(ctx context.Context, p queue.Parked) {
	began := hyperlocal.Stopwatch()
	err := b.again(ctx, p)
	o := Observation{
		Consumer: p.Consumer, Event: p.Envelope.Name, Tenant: p.Envelope.Tenant, Outcome: OutcomeHandled,
		Tries: p.Attempts + 1, Took: hyperlocal.Since(began), Err: err,
	}
	if err != nil {
		if ctx.Err() != nil {
			return // stopping is nobody's failure
		}
		o.Outcome = OutcomeParked
		p.Attempts++
		p.LastError = queue.Bound(err.Error())
		if p.Due, p.Dead = b.nextTry(b.c.Clock.Now(), p.Attempts); p.Dead {
			o.Outcome = OutcomeDead
		}
		if e := b.c.Queue.Postpone(ctx, p); e != nil {
			b.c.Logger.ErrorContext(ctx, "a failed try cannot be recorded", "consumer", p.Consumer, "id", p.Envelope.ID, "error", e)
			sleep(ctx, b.c.Relay.Poll) // it is still due
		} else if p.Dead {
			b.buried(ctx, p)
		}
	}
	b.c.Observe(o)
}

// again gives a parked message to its handler once more.
func (b *Bus) again(ctx context.Context, p queue.Parked) error {
	c := b.consumers[p.Consumer]
	r := c.reactions[p.Envelope.Name]
	if r == nil {
		return ErrConfig.WithMessage("%s does not handle %s any more", p.Consumer, p.Envelope.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, b.c.Timeout)
	defer cancel()
	ctx, err := b.c.Tenant(ctx, p.Envelope.Tenant)
	if err != nil {
		return err
	}
	return c.apply(ctx, r, []hyperlocal.Envelope{p.Envelope}, parked)
}
