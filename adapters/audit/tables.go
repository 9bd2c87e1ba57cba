package audit

import (
	"context"
	"time"
)

// Source gives a consistent look at a database.
type Source interface {
	// Snapshot calls fn with streams over one snapshot of the database that nobody's writes
	// change. The streams are valid until fn returns. Nothing may be written.
	Snapshot(ctx context.Context, fn func(ctx context.Context, t Tables) error) error
}

// Stream calls yield with every row, in any order, and stops at the first error.
type Stream[T any] func(ctx context.Context, yield func(T) error) error

// Tables are the streams that the checks read. All of them are required.
type Tables struct {
	Orders            Stream[Order]
	OrderLines        Stream[OrderLine]
	OrderAdjustments  Stream[OrderAdjustment]
	OrderHistory      Stream[OrderHistory] // of one order in the order of (Version, N); orders in any order
	Refunds           Stream[Refund]
	Credits           Stream[Credit]
	StockLevels       Stream[StockLevel]
	StockMovements    Stream[StockMovement]
	StockReservations Stream[StockReservation]
	Allocations       Stream[Allocation]
	Operations        Stream[Operation]
	PaymentMovements  Stream[PaymentMovement]
	SandboxRecords    Stream[SandboxRecord]
	Entries           Stream[Entry]
	Postings          Stream[Posting]
	Balances          Stream[Balance]
	Lots              Stream[Lot]
	LotMovements      Stream[LotMovement]
	Events            Stream[Event]
	Contacts          Stream[Child]
}

// ID names a row within its tenant.
type ID struct{ Tenant, ID string }

// Child is a row that belongs to another one.
type Child struct{ Of ID }

// Order is an order's head. Amounts are in minor units of Currency.
type Order struct {
	ID                                                ID
	Merchant, Currency, State, PaymentStatus          string
	Version                                           int64
	LinesTotal, Total, Authorized, Captured, Refunded int64
	NextAction                                        string
	NextActionAt                                      time.Time
}

// OrderLine is a line.
type OrderLine struct {
	Order                                                ID
	N                                                    int
	Quantity, UnitPrice, PriceQuantity, Amount, Returned int64
}

// OrderAdjustment is an adjustment.
type OrderAdjustment struct {
	Order    ID
	Amount   int64
	Included bool
}

// OrderHistory is an entry of an order's history.
type OrderHistory struct {
	Order                      ID
	Version                    int64
	N                          int
	Machine, Trigger, From, To string
}

// Refund is a refund of an order.
type Refund struct {
	ID, Order ID
	Credit    string
	Currency  string
	Amount    int64
	State     string
	Operation string
}

// Credit is a credit document.
type Credit struct {
	ID                 ID
	Merchant, Currency string
	Note, Total        int64
}

// Level names a stock level.
type Level struct{ Tenant, Item, Location string }

// StockLevel is how much there is.
type StockLevel struct {
	Level            Level
	Guarded          bool
	OnHand, Reserved int64
	BackorderLimit   int64
}

// StockMovement is one change of a level.
type StockMovement struct {
	Level            Level
	OnHand, Reserved int64
}

// StockReservation is an open reservation. Owner is "kind/id".
type StockReservation struct {
	Level    Level
	Owner    string
	Quantity int64
}

// Allocation is an owner's share of a payment intent.
type Allocation struct {
	Tenant, Intent, Owner, Currency        string
	Amount, Authorized, Captured, Refunded int64
}

// Operation is what a gateway was asked to do.
type Operation struct {
	ID                                         ID
	Intent, Owner, Verb, Gateway, Key, Outcome string
	Currency                                   string
	Amount                                     int64
	Sent                                       bool
}

// PaymentMovement is captured or refunded money of one owner.
type PaymentMovement struct {
	Tenant, Kind, Operation, Owner, Currency string
	Amount                                   int64
}

// SandboxRecord is what the sandbox gateway did.
type SandboxRecord struct {
	Tenant, Key, Operation, Verb, Outcome, Currency string
	Amount                                          int64
}

// Account names an account of the ledger.
type Account struct{ Tenant, Path, Asset string }

// Posting is a transaction of the ledger. Subject is "kind/id".
type Posting struct {
	ID                       ID
	Reference, Kind, Subject string
}

// Entry is one leg of a posting; positive is a debit.
type Entry struct {
	Posting ID
	Account Account
	Amount  int64
}

// Balance is what the ledger says an account holds: bounded balance, or snapshot plus tail.
// An account may come in parts, which add up.
type Balance struct {
	Account Account
	Amount  int64
}

// Lot is a lot of points. Member and Source are "kind/id".
type Lot struct {
	ID                ID
	Member, Source    string
	Earned, Remaining int64
}

// LotMovement is one change of a lot.
type LotMovement struct {
	Lot    ID
	Points int64
}

// Event is a row of the outbox. Aggregate is "kind/id".
type Event struct {
	Tenant, Aggregate string
	Version           int64
	N                 int
	Published         bool
}
