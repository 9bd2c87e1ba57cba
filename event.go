package hyperlocal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Event is a fact that a context emits: a plain struct with a stable name and version.
// Within a version only additions are made. It carries ids, amounts and states, never
// personal data.
type Event interface {
	EventName() string // "<context>.<past participle>", such as "order.placed"
	EventVersion() int // 1, 2, ...
}

// JSONAppender is an optional ability of an [Event]: it appends its own JSON to b, byte for
// byte what encoding/json writes, at a fraction of the cost. Whoever embeds such an event
// inherits the method, as with json.Marshaler, and needs one of its own to tell its fields.
type JSONAppender interface {
	AppendJSON(b []byte) ([]byte, error)
}

// Envelope is an event on its way. Its JSON form is what travels.
type Envelope struct {
	ID      string   `json:"id"` // UUIDv7, the identity for deduplication
	Name    string   `json:"name"`
	Version int      `json:"version"`
	Tenant  TenantID `json:"tenant"`
	// Aggregate is what the event happened to; events of one aggregate are delivered in the
	// order of (AggregateVersion, N).
	Aggregate        Ref             `json:"aggregate"`
	AggregateVersion int64           `json:"aggregate_version"`
	N                int             `json:"n"` // position among the events of that version
	Time             time.Time       `json:"time"`
	Correlation      string          `json:"correlation,omitempty"` // what started it all
	Causation        string          `json:"causation,omitempty"`   // id of the event that caused it
	Actor            Actor           `json:"actor"`
	TraceParent      string          `json:"traceparent,omitempty"` // W3C trace context
	Payload          json.RawMessage `json:"payload"`
}

// Topic returns the topic of the event: "hc-" and its context, "hc-order" for "order.placed".
func (e Envelope) Topic() string {
	context, _, _ := strings.Cut(e.Name, ".")
	return "hc-" + context
}

// PartitionKey returns the key that keeps the events of one aggregate together.
func (e Envelope) PartitionKey() string { return string(e.Tenant) + ":" + e.Aggregate.String() }

// Decode reads the payload into dst.
func (e Envelope) Decode(dst any) error {
	if err := json.Unmarshal(e.Payload, dst); err != nil {
		return NewError(CodeInvalid, "event/undecodable",
			fmt.Sprintf("event %s v%d cannot be decoded", e.Name, e.Version)).WithCause(err)
	}
	return nil
}

// NewEnvelope wraps an event. Correlation and causation are taken from ctx when an event is
// being handled there (see [ContextWithCause]).
func NewEnvelope(ctx context.Context, ids IDSource, at time.Time, tenant TenantID, actor Actor,
	aggregate Ref, version int64, n int, ev Event,
) (Envelope, error) {
	payload, err := encodeEvent(ev)
	if err != nil {
		return Envelope{}, NewError(CodeInternal, "event/unencodable", "event cannot be encoded").WithCause(err)
	}
	e := Envelope{
		ID: ids.NewID(), Name: ev.EventName(), Version: ev.EventVersion(), Tenant: tenant,
		Aggregate: aggregate, AggregateVersion: version, N: n, Time: Instant(at), Actor: actor, Payload: payload,
	}
	if c, ok := CauseFrom(ctx); ok {
		e.Correlation, e.Causation, e.TraceParent = c.Correlation, c.Causation, c.TraceParent
	}
	return e, nil
}

// scratch holds buffers in which events are written before they are cut to length.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

func encodeEvent(ev Event) ([]byte, error) {
	a, ok := ev.(JSONAppender)
	if !ok {
		return json.Marshal(ev)
	}
	buffer, ok := scratch.Get().(*[]byte)
	if !ok {
		return json.Marshal(ev)
	}
	written, err := a.AppendJSON((*buffer)[:0])
	if err != nil {
		return nil, err
	}
	payload := bytes.Clone(written)
	if cap(written) <= 64<<10 { // the largest are rare, and not worth keeping
		*buffer = written
		scratch.Put(buffer)
	}
	return payload, nil
}

// Cause links what is done now to what led to it.
//
// Whatever works on things of several callers under one context, such as a batch, carries the
// cause of each beside it.
type Cause struct{ Correlation, Causation, TraceParent string }

type causeKey struct{}

// ContextWithCause makes events created under ctx carry the cause. The zero Cause leaves ctx
// as it is.
func ContextWithCause(ctx context.Context, c Cause) context.Context {
	if c == (Cause{}) {
		return ctx
	}
	return context.WithValue(ctx, causeKey{}, c)
}

// CauseFrom returns the cause in ctx.
func CauseFrom(ctx context.Context) (Cause, bool) {
	c, ok := ctx.Value(causeKey{}).(Cause)
	return c, ok
}

// Outbox keeps events in the transaction of the change that they tell of. A relay publishes
// them later, at least once.
type Outbox interface {
	// Append queues the envelopes in the transaction of ctx, in a constant number of
	// statements. Outside a transaction it fails with code internal.
	Append(ctx context.Context, envelopes ...Envelope) error
}

// Inbox makes the effects of events happen once per consumer.
type Inbox interface {
	// Claim records in the transaction of ctx that the consumer handles the events, and
	// returns the ids it had not seen before, in the order given. If the transaction rolls
	// back, so does the claim.
	Claim(ctx context.Context, consumer string, tenant TenantID, ids ...string) ([]string, error)
}

// Scheduled is an event for later. A relay moves it to the outbox when it is due; the
// handler drops it when the world has moved on.
type Scheduled struct {
	Key      string // unique per tenant; scheduling a key again replaces it
	Due      time.Time
	Envelope Envelope
}

// Schedules keeps due times of things that have no row of their own to carry one.
type Schedules interface {
	// Schedule adds or replaces entries in the transaction of ctx.
	Schedule(ctx context.Context, entries ...Scheduled) error
	// Unschedule removes entries; unknown keys are ignored.
	Unschedule(ctx context.Context, tenant TenantID, keys ...string) error
}
