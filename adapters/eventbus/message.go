package eventbus

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Metadata of a message. The payload repeats all of it; the metadata serves brokers, filters
// and people who look at a queue.
const (
	MetadataName         = "name"
	MetadataTenant       = "tenant"
	MetadataPartitionKey = "partition_key" // give it to a broker as the key that keeps order
	MetadataCorrelation  = "correlation_id"
	MetadataTraceParent  = "traceparent"
)

// NewMessage returns the message that carries an event: its UUID is the event's id, its
// payload the envelope as JSON. An envelope that nobody could publish or handle fails with
// [ErrUnpublishable].
func NewMessage(e hyperlocal.Envelope) (*message.Message, error) {
	if err := checkEnvelope(e); err != nil {
		return nil, ErrUnpublishable.WithCause(err)
	}
	payload, err := json.Marshal(e)
	if err != nil {
		return nil, ErrUnpublishable.WithCause(err)
	}
	m := message.NewMessage(e.ID, payload)
	if len(e.Payload) > 0 { // else it is null when it arrives
		m.SetContext(context.WithValue(m.Context(), carriedKey{}, &carried{e, payload}))
	}
	m.Metadata.Set(MetadataName, e.Name)
	m.Metadata.Set(MetadataTenant, string(e.Tenant))
	m.Metadata.Set(MetadataPartitionKey, e.PartitionKey())
	if e.Correlation != "" {
		m.Metadata.Set(MetadataCorrelation, e.Correlation)
	}
	if e.TraceParent != "" {
		m.Metadata.Set(MetadataTraceParent, e.TraceParent)
	}
	return m, nil
}

// ReadMessage is the inverse of [NewMessage]: code invalid, [ErrUndecodable], if the message
// carries no event.
func ReadMessage(m *message.Message) (hyperlocal.Envelope, error) {
	if c, ok := m.Context().Value(carriedKey{}).(*carried); ok && c.in(m) {
		e := c.envelope
		e.Payload = slices.Clone(e.Payload) // consumers share nothing
		return e, nil
	}
	var e hyperlocal.Envelope
	if err := json.Unmarshal(m.Payload, &e); err != nil {
		return hyperlocal.Envelope{}, ErrUndecodable.WithCause(err)
	}
	if err := checkEnvelope(e); err != nil {
		return hyperlocal.Envelope{}, ErrUndecodable.WithCause(err)
	}
	return e, nil
}

// carried is the envelope that a message was made of. It travels in the message's context
// within a process, where it saves every consumer from decoding the same bytes.
type carried struct {
	envelope hyperlocal.Envelope
	payload  []byte // what the envelope became
}

type carriedKey struct{}

// in reports whether the message still has the payload that was made of the envelope.
func (c *carried) in(m *message.Message) bool {
	return len(c.payload) == len(m.Payload) && len(c.payload) > 0 && &c.payload[0] == &m.Payload[0]
}

// withEnvelopeOf returns ctx with what m carries.
func withEnvelopeOf(ctx context.Context, m *message.Message) context.Context {
	if c, ok := m.Context().Value(carriedKey{}).(*carried); ok {
		return context.WithValue(ctx, carriedKey{}, c)
	}
	return ctx
}

func checkEnvelope(e hyperlocal.Envelope) error {
	if !hyperlocal.ValidID(e.ID) {
		return hyperlocal.Invalid("event", "id", "the id of an event is a UUID")
	}
	if err := e.Tenant.Validate(); err != nil {
		return err
	}
	if e.Aggregate.IsZero() {
		return hyperlocal.Invalid("event", "aggregate", "an event names its aggregate")
	}
	if err := e.Aggregate.Validate(); err != nil {
		return err
	}
	context, fact, ok := strings.Cut(e.Name, ".")
	if !ok || !validName(context) || fact == "" {
		return hyperlocal.Invalid("event", "name", `an event is named "<context>.<past participle>"`)
	}
	if len(e.Payload) > 0 && !json.Valid(e.Payload) {
		return hyperlocal.Invalid("event", "payload", "the payload of an event is JSON")
	}
	return hyperlocal.CheckText("event", "name", e.Name, 100)
}

// validName reports whether name is safe in topics and consumer groups of every broker.
func validName(name string) bool {
	if name == "" || len(name) > 64 {
		return false
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// namesFact reports whether an event's name has its second half.
func namesFact(name string) bool {
	_, fact, ok := strings.Cut(name, ".")
	return ok && validName(strings.ReplaceAll(fact, ".", "_"))
}

// jsonString quotes arbitrary bytes; what is not UTF-8 is replaced.
func jsonString(b []byte) []byte {
	const most = 64 << 10
	text, err := json.Marshal(strings.ToValidUTF8(string(b[:min(len(b), most)]), "\uFFFD"))
	if err != nil {
		return []byte(`""`)
	}
	return text
}
