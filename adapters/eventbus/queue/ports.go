package queue

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Queue is everything that the event bus needs of a store.
type Queue interface {
	Outgoing
	Leases
	Parking
}

// Outgoing is the way out of the outbox. Called outside a transaction, each method has one of
// its own. A relay reads the shards that it leases; nothing else keeps two relays apart, and
// an event that both publish is handled once all the same.
type Outgoing interface {
	// Pending returns unpublished events: for each window at most limit, in the order of the
	// store by aggregate and within an aggregate by (version, n), so that what is returned of
	// an aggregate is a complete prefix of what it has. Windows are answered one after the
	// other. An event is left out, and with it all later ones of its aggregate, while its
	// next try is not due or its attempts are used up.
	Pending(ctx context.Context, now time.Time, limit int, windows ...Window) ([]Pending, error)
	// Mark records outcomes in one transaction: events that were published, which must not be
	// published again, and events whose attempt failed. Unknown places are ignored.
	Mark(ctx context.Context, at time.Time, published []Place, failed []Failure) error
	// MoveDue moves at most limit scheduled events whose time has come to the outbox and
	// returns how many. They leave outside the order of their aggregate's own events: the
	// store gives each an AggregateVersion made of the present time, which is larger than
	// any real one. limit is at most 1000.
	MoveDue(ctx context.Context, now time.Time, limit int) (int, error)
	// Prune removes at most limit events that were published before the given time, and
	// returns how many.
	Prune(ctx context.Context, before time.Time, limit int) (int64, error)
	// Stuck returns at most limit events whose attempts are used up, in the store's order.
	Stuck(ctx context.Context, limit int) ([]Pending, error)
	// Revive gives stuck events their attempts back; others are left alone. It returns how
	// many it found.
	Revive(ctx context.Context, places ...Place) (int64, error)
	// Statistics counts what is left to do at now.
	Statistics(ctx context.Context, now time.Time) (Statistics, error)
}

// Window is the part of a shard that a relay asks for: the aggregates after the given one.
// Going on after the last aggregate that it got, and from the start when the end was reached,
// a relay serves all of them in turn, however many events a single one has.
type Window struct {
	Shard int
	After Aggregate
}

// Leases divides the shards among the relays that run.
type Leases interface {
	// Lease renews what owner holds until the given time, makes it hold its fair share of
	// the shards as far as they are free or their lease has run out, and gives back what is
	// beyond the share and not busy. It returns the shards that owner holds now, ascending.
	Lease(ctx context.Context, owner string, now, until time.Time, busy []int) ([]int, error)
	// Release gives all shards of owner back.
	Release(ctx context.Context, owner string) error
}

// Parking keeps messages that a consumer could not handle. Methods join the transaction of
// ctx, or have one of their own.
type Parking interface {
	// Park adds messages. One that is there already stays as it is.
	Park(ctx context.Context, messages ...Parked) error
	// Blocked tells for each event whether the consumer has to park it: because an earlier
	// one of its aggregate is parked with tries left, or because it is parked itself, dead
	// or not.
	Blocked(ctx context.Context, consumer string, events ...hyperlocal.Envelope) ([]bool, error)
	// Due returns at most limit parked messages of the consumers that are due, earliest
	// first, leaving out dead ones and those that wait behind another.
	Due(ctx context.Context, now time.Time, limit int, consumers ...string) ([]Parked, error)
	// Settle removes messages, because they were handled. Unknown ones are ignored.
	Settle(ctx context.Context, ids ...Consumed) error
	// Postpone records a failed attempt: Attempts, Due, LastError and Dead of the message
	// take effect if its Attempts were one fewer so far, else nothing happens.
	Postpone(ctx context.Context, message Parked) error
	// Parked lists messages of a tenant ordered by (Consumer, At, event id): at most limit,
	// after the given one if it is not zero. An empty consumer means all consumers.
	Parked(ctx context.Context, f Filter) ([]Parked, error)
	// Retry makes messages due at once, dead or not, with all attempts given back, and
	// returns how many it found.
	Retry(ctx context.Context, now time.Time, ids ...Consumed) (int64, error)
}

// Filter chooses among the parked messages of a tenant.
type Filter struct {
	Tenant   hyperlocal.TenantID
	Consumer string // "" for all
	DeadOnly bool
	After    Parked // the last one of the page before; only Consumer, At and Envelope.ID count
	Limit    int
}
