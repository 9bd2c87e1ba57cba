package eventbus

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/components/cqrs"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
)

// quickTries is how often a handler is tried before its message is parked, all within a second.
const quickTries = 3

// chain returns the middleware of all consumers, outermost first.
func (b *Bus) chain() []message.HandlerMiddleware {
	retry := middleware.Retry{
		MaxRetries: quickTries - 1, InitialInterval: 100 * time.Millisecond, MaxInterval: 400 * time.Millisecond,
		Multiplier: 2, MaxElapsedTime: time.Second,
		ShouldRetry:         func(p middleware.RetryParams) bool { return worthRetrying(p.Err) },
		ResetContextOnRetry: true, // else a second try would inherit the first one's end
	}
	return []message.HandlerMiddleware{
		middleware.Recoverer, // a handler's own panic has become an error long before
		b.trace,
		b.observe,
		b.park, // outside of Retry: inside, the first failure would park
		retry.Middleware,
		b.bound,
		b.tenant,
	}
}

// worthRetrying reports whether an error may go away by itself within a second.
func worthRetrying(err error) bool {
	if errors.Is(err, hyperlocal.ErrNewerEvent) {
		return false // a deployment takes longer
	}
	switch hyperlocal.CodeOf(err) {
	case hyperlocal.CodeInvalid, hyperlocal.CodePermission, hyperlocal.CodeUnauthenticated:
		return false
	}
	return true
}

// delivery is what the middleware knows about a message under way.
type delivery struct {
	consumer string
	envelope hyperlocal.Envelope
	unclear  error // the message is not an envelope
	unknown  bool  // the consumer does not handle such events
	tries    int
	parked   bool
}

type deliveryKey struct{}

func deliveryOf(m *message.Message) *delivery {
	d, _ := m.Context().Value(deliveryKey{}).(*delivery)
	return d
}

// trace reads the message once for all that follows, and links its effects to it.
func (b *Bus) trace(h message.HandlerFunc) message.HandlerFunc {
	return func(m *message.Message) ([]*message.Message, error) {
		name, _, _ := strings.Cut(message.HandlerNameFromCtx(m.Context()), groupSeparator)
		d := &delivery{consumer: name}
		d.envelope, d.unclear = ReadMessage(m)
		ctx := context.WithValue(m.Context(), deliveryKey{}, d)
		if d.unclear == nil {
			_, known := b.consumers[name].reactions[d.envelope.Name]
			d.unknown = !known
			ctx = ContextWithCause(ctx, d.envelope)
		}
		m.SetContext(ctx)
		b.inFlight.Add(1)
		defer b.inFlight.Add(-1)
		return h(m)
	}
}

// Observation is what became of one delivery, for metrics.
type Observation struct {
	Consumer string
	Event    string // name
	Tenant   hyperlocal.TenantID
	Outcome  Outcome
	Tries    int
	Took     time.Duration
	Err      error // the last one, if it was parked or returned to the broker
}

// Outcome of a delivery.
type Outcome string

// The outcomes.
const (
	OutcomeHandled  Outcome = "handled" // now or before, or put behind a parked one
	OutcomeIgnored  Outcome = "ignored" // not an event that the consumer handles
	OutcomeParked   Outcome = "parked"
	OutcomeReturned Outcome = "returned" // to the broker, which delivers it again
	OutcomeDead     Outcome = "dead"
)

func (b *Bus) observe(h message.HandlerFunc) message.HandlerFunc {
	return func(m *message.Message) ([]*message.Message, error) {
		d, began := deliveryOf(m), hyperlocal.Stopwatch()
		out, err := h(m)
		o := Observation{
			Consumer: d.consumer, Event: d.envelope.Name, Tenant: d.envelope.Tenant,
			Outcome: OutcomeHandled, Tries: d.tries, Took: hyperlocal.Since(began), Err: err,
		}
		switch {
		case err != nil:
			o.Outcome = OutcomeReturned
		case d.parked:
			o.Outcome = OutcomeParked
		case d.unknown:
			o.Outcome = OutcomeIgnored
		}
		b.c.Observe(o)
		return out, err
	}
}

// park keeps a message that could not be handled in the database, so that the broker can go on.
func (b *Bus) park(h message.HandlerFunc) message.HandlerFunc {
	return func(m *message.Message) ([]*message.Message, error) {
		ctx := m.Context()
		out, err := h(m)
		m.SetContext(ctx)
		if err == nil || ctx.Err() != nil { // a bus that stops hands the message back
			return out, err
		}
		d := deliveryOf(m)
		if e := b.parkMessage(ctx, d, m, err); e != nil {
			b.c.Logger.ErrorContext(ctx, "a message can neither be handled nor parked", "consumer", d.consumer,
				"event", d.envelope.Name, "id", m.UUID, "error", errors.Join(err, e))
			sleep(ctx, b.c.Relay.Poll) // brokers may deliver again at once
			return nil, err
		}
		d.parked = true
		return nil, nil
	}
}

func (b *Bus) parkMessage(ctx context.Context, d *delivery, m *message.Message, cause error) error {
	now := b.c.Clock.Now()
	p := queue.Parked{
		Consumer: d.consumer, Envelope: d.envelope, Attempts: max(d.tries, 1), At: now,
		LastError: queue.Bound(cause.Error()),
	}
	if d.unclear != nil {
		p.Envelope, p.Dead, p.Attempts, p.Due = unclearEnvelope(m, now), true, queue.MaxAttempts, now
	} else {
		p.Due, p.Dead = b.nextTry(now, p.Attempts)
	}
	b.c.Logger.WarnContext(ctx, "a message is parked", "consumer", p.Consumer, "event", p.Envelope.Name,
		"id", p.Envelope.ID, "tenant", p.Envelope.Tenant, "attempts", p.Attempts, "due", p.Due, "error", cause)
	if err := b.c.Queue.Park(ctx, p); err != nil {
		return err
	}
	if p.Dead {
		b.buried(ctx, p)
	}
	return nil
}

// nextTry says when a message is due after so many failed tries, or that it is given up.
func (b *Bus) nextTry(now time.Time, attempts int) (due time.Time, dead bool) {
	gap, ok := b.c.Retry.Next(max(attempts-quickTries+1, 1), hyperlocal.RandomUint64())
	if attempts >= queue.MaxAttempts || !ok {
		return now, true
	}
	return now.Add(gap), false
}

// buried raises the alert for a dead letter.
func (b *Bus) buried(ctx context.Context, p queue.Parked) {
	e := p.Envelope
	b.c.Logger.ErrorContext(ctx, "a message is given up", "consumer", p.Consumer, "event", e.Name, "id", e.ID,
		"tenant", e.Tenant, "aggregate", e.Aggregate.String(), "error", p.LastError)
	b.c.Alert(ctx, Alert{
		Kind: AlertDeadLetter, Tenant: e.Tenant, Aggregate: e.Aggregate, Version: e.AggregateVersion,
		Consumer: p.Consumer, EventID: e.ID, EventName: e.Name, Error: p.LastError,
	})
}

// Messages that are no envelopes are kept as dead letters under these names.
const (
	UnknownTenant = hyperlocal.TenantID("unknown")
	UnknownEvent  = "unknown.undecodable"
)

// unclearEnvelope wraps what cannot be read. Its payload is the message's, as a JSON string.
func unclearEnvelope(m *message.Message, now time.Time) hyperlocal.Envelope {
	text := jsonString(m.Payload)
	id := m.UUID
	if id == "" || len(id) > 100 || hyperlocal.CheckText("event", "id", id, 100) != nil {
		id = "unreadable-" + now.UTC().Format("20060102T150405.000000")
	}
	return hyperlocal.Envelope{
		ID: id, Name: UnknownEvent, Version: 1, Tenant: UnknownTenant, Aggregate: hyperlocal.NewRef("message", id),
		Time: now, Actor: hyperlocal.System("eventbus"), Payload: text,
	}
}

// bound gives a single event its turn, and bounds the time of its try from then on. Batches
// have their own time, see [consumer.handle].
func (b *Bus) bound(h message.HandlerFunc) message.HandlerFunc {
	timed := middleware.Timeout(b.c.Timeout)(h)
	return func(m *message.Message) ([]*message.Message, error) {
		d := deliveryOf(m)
		c := b.consumers[d.consumer]
		r := c.reactions[d.envelope.Name]
		switch {
		case r == nil:
			return timed(m)
		case r.gather != nil:
			return h(m)
		}
		select {
		case c.singles <- struct{}{}:
			defer func() { <-c.singles }()
			return timed(m)
		case <-m.Context().Done():
			return nil, ErrStopped.WithMessage("the bus stopped before it was the event's turn")
		}
	}
}

// tenant lets the host have its say.
func (b *Bus) tenant(h message.HandlerFunc) message.HandlerFunc {
	return func(m *message.Message) ([]*message.Message, error) {
		d := deliveryOf(m)
		d.tries++
		if d.unclear != nil {
			return nil, d.unclear
		}
		if d.unknown {
			return h(m)
		}
		ctx, err := b.c.Tenant(m.Context(), d.envelope.Tenant)
		if err != nil {
			return nil, err
		}
		m.SetContext(ctx)
		return h(m)
	}
}

// envelopes is Watermill's marshaler for events that are envelopes.
type envelopes struct{}

// incoming is what Watermill's processor makes of a message.
type incoming struct {
	name     string
	envelope hyperlocal.Envelope
}

var _ cqrs.CommandEventMarshaler = envelopes{}

// Marshal implements [cqrs.CommandEventMarshaler].
func (envelopes) Marshal(v any) (*message.Message, error) {
	e, ok := v.(hyperlocal.Envelope)
	if !ok {
		return nil, ErrUnpublishable
	}
	return NewMessage(e)
}

// Unmarshal implements [cqrs.CommandEventMarshaler].
func (envelopes) Unmarshal(m *message.Message, v any) error {
	in, ok := v.(*incoming)
	if !ok {
		return ErrUndecodable
	}
	in.envelope = deliveryOf(m).envelope
	return nil
}

// Name implements [cqrs.CommandEventMarshaler].
func (envelopes) Name(v any) string {
	switch v := v.(type) {
	case *incoming:
		return v.name
	case hyperlocal.Envelope:
		return v.Name
	}
	return ""
}

// NameFromMessage implements [cqrs.CommandEventMarshaler]. The envelope decides, and not the
// metadata, which a broker may lose.
func (envelopes) NameFromMessage(m *message.Message) string { return deliveryOf(m).envelope.Name }

// groupSeparator stands between consumer and topic in the name of a handler group.
const groupSeparator = "@"

// groupHandler is one event of a consumer, as Watermill's processor wants it.
type groupHandler struct {
	consumer *consumer
	name     string
}

var _ cqrs.GroupEventHandler = groupHandler{}

// NewEvent implements [cqrs.GroupEventHandler].
func (g groupHandler) NewEvent() any { return &incoming{name: g.name} }

// Handle implements [cqrs.GroupEventHandler].
func (g groupHandler) Handle(ctx context.Context, v any) error {
	in, ok := v.(*incoming)
	if !ok {
		return ErrUndecodable
	}
	return g.consumer.handle(ctx, in.envelope)
}

// logAdapter passes on what Watermill says; what it calls information is of use when something
// is looked for, and not at every start.
func (b *Bus) logAdapter() watermill.LoggerAdapter {
	return watermill.NewSlogLoggerWithLevelMapping(b.c.Logger, map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug})
}
