package hyperlocal

import (
	"context"
	"time"
)

// Rank is a place in the one lock order of the whole module. A transaction takes row locks
// in ascending rank, and within one rank sorted by key. Stores check it in tests.
type Rank uint8

// The lock order.
const (
	RankIdempotency Rank = iota + 1
	RankOrder
	RankIntent
	RankStock
	RankAccount
	RankLot
	RankVoucher
)

// Placement is one order of a batch as the participants of a placement see it.
type Placement struct {
	Tenant   TenantID
	Order    Ref
	Merchant Ref
	Customer Ref // zero for a guest
	Total    Money
	At       time.Time
	Actor    Actor
	Items    []ItemQuantity // stock and capacity, demand not yet summed
	Spend    []Spend        // points, wallet, coupon uses
	Cause    Cause          // for events about this placement; zero: that of the context
}

// Spend is a claim on something bounded that is not stock.
type Spend struct {
	Kind   string `json:"kind"`   // names the participant that handles it, such as "points"
	Ref    Ref    `json:"ref"`    // whose
	Amount int64  `json:"amount"` // in the smallest unit of the asset
}

// SpendReturn gives back what the placement of an order spent.
type SpendReturn struct {
	Tenant TenantID
	Order  Ref
	Spend  []Spend // as in the placement, the kinds of the one participant that is asked
	At     time.Time
	Actor  Actor
}

// Participant takes part in the placement of orders: stock, points, coupons. The order
// service calls its participants in the order of their ranks and owns none of their rules.
type Participant interface {
	// Rank is the participant's place in the lock order.
	Rank() Rank
	// Decide locks and reads whatever the batch needs, in a constant number of statements,
	// and writes nothing. It must be called inside a transaction.
	Decide(ctx context.Context, batch []Placement) (Decision, error)
}

// Refuser is an optional ability of a [Participant]: it refuses from memory what it has just
// seen to be gone, so that the crowd in front of an empty shelf does not queue at its lock.
type Refuser interface {
	// Refuse returns the error that Check would give the placement if it were decided now and
	// came first, or nil if the participant does not know that for sure: then Decide is asked.
	// It needs no transaction, does not wait, and changes nothing. What it knows may be a tenth
	// of a second old. It is asked only about a placement that cannot be a repetition.
	Refuse(p *Placement) error
}

// Decision is what a participant knows after it has locked and read. Check and Take are
// called item by item in the order of the batch, so the first come is the first served and
// an item that another participant refuses holds nothing back from those behind it.
type Decision interface {
	// Check reports whether item i can be granted after all that was taken so far; nil
	// means yes. It works in memory and changes nothing.
	Check(i int) error
	// Take grants item i in memory. It is called only after Check(i) returned nil.
	Take(i int)
	// Apply queues the writes for everything that was taken, in a constant number of
	// statements whatever the number of items.
	Apply(ctx context.Context) error
}
