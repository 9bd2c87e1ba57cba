package queue

import (
	"cmp"
	"hash/fnv"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Shards is the number of shards that aggregates are spread over. A relay leases whole shards.
const Shards = 32

// MaxAttempts is how often an event is published, or a message handled, before a person has
// to look at it.
const MaxAttempts = 10

// Shard returns the shard of a partition key (see [hyperlocal.Envelope.PartitionKey]).
func Shard(partitionKey string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(partitionKey))
	return int(h.Sum32() % Shards)
}

// Aggregate names an aggregate across tenants. The zero value is "before all of them".
type Aggregate struct {
	Tenant hyperlocal.TenantID
	Ref    hyperlocal.Ref
}

// Place is where an event stands among those of its aggregate. It identifies the event in the
// outbox.
type Place struct {
	Aggregate

	Version int64
	N       int
}

// PlaceOf returns the place of an event.
func PlaceOf(e hyperlocal.Envelope) Place {
	return Place{Aggregate{e.Tenant, e.Aggregate}, e.AggregateVersion, e.N}
}

// Before reports whether p comes before o in the same aggregate.
func (p Place) Before(o Place) bool {
	return p.Aggregate == o.Aggregate && (p.Version < o.Version || p.Version == o.Version && p.N < o.N)
}

// Compare orders by tenant, aggregate, version and n, all bytewise.
func (p Place) Compare(o Place) int {
	return cmp.Or(p.Aggregate.Compare(o.Aggregate), cmp.Compare(p.Version, o.Version), cmp.Compare(p.N, o.N))
}

// Compare orders by tenant, kind and id, bytewise.
func (a Aggregate) Compare(o Aggregate) int {
	return cmp.Or(cmp.Compare(a.Tenant, o.Tenant), cmp.Compare(a.Ref.Kind, o.Ref.Kind), cmp.Compare(a.Ref.ID, o.Ref.ID))
}

// Pending is an event that waits to be published.
type Pending struct {
	Envelope  hyperlocal.Envelope
	Attempts  int       // that have failed
	NextTry   time.Time // zero before the first failure
	LastError string
}

// Failure is the outcome of an attempt to publish an event that failed for its own sake. An
// unreachable broker is no failure.
type Failure struct {
	Place    Place
	Attempts int // in all, this one included; from [MaxAttempts] on the event is stuck
	NextTry  time.Time
	Error    string // at most MaxError bytes are kept
}

// MaxError bounds the text of an error that is kept with an event.
const MaxError = 1000

// Consumed names an event in the hands of one consumer.
type Consumed struct {
	Consumer string
	Tenant   hyperlocal.TenantID
	EventID  string
}

// Parked is a message that a consumer could not handle yet, or that waits behind one.
type Parked struct {
	Consumer  string
	Envelope  hyperlocal.Envelope
	Attempts  int       // that have failed; 0 for one that waits behind another
	Due       time.Time // of the next attempt
	LastError string
	Dead      bool // given up: nothing happens until a person asks for a retry
	At        time.Time
}

// ID returns the identity of the parked message.
func (p Parked) ID() Consumed { return Consumed{p.Consumer, p.Envelope.Tenant, p.Envelope.ID} }

// Statistics tells what is left to do.
type Statistics struct {
	Pending      int64     // unpublished events that a relay will get to
	Stuck        int64     // unpublished events that have used up their attempts, or wait behind one that has
	Oldest       time.Time // when the oldest unpublished event happened; zero without one
	DueSchedules int64     // scheduled events whose time has come
	Parked       int64     // messages with tries left
	ParkedDue    int64     // of these, those whose next try is due and that wait behind no other
	Dead         int64     // messages without tries left
}

// Bound cuts the text of an error to MaxError bytes, at a character's border.
func Bound(text string) string {
	if len(text) <= MaxError {
		return text
	}
	n := MaxError
	for n > 0 && text[n]&0xc0 == 0x80 {
		n--
	}
	return text[:n]
}
