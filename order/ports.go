package order

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Store keeps orders, their history, refunds and credits. Writes join the transaction of
// ctx and fail with code internal outside one. Reads outside a transaction see committed
// data. A missing order is left out of a result, never an error, unless stated.
type Store interface {
	// Insert queues new orders with lines, adjustments and contact. A number or external
	// reference that is taken fails the transaction with ErrNumberTaken or
	// ErrExternalTaken; the caller runs it again.
	Insert(ctx context.Context, orders []Order) error
	// Lock locks the orders in sorted order and returns them with lines and adjustments
	// but without contact and note, in the order of refs; a missing one is a zero Order.
	Lock(ctx context.Context, refs []Key) ([]Order, error)
	// Save queues the changed orders: head fields and the Returned count of lines. The row
	// must still have version Version-1, else the transaction fails with code conflict. What
	// was placed stays as it is, contact and note among it.
	Save(ctx context.Context, orders []Order) error
	// AppendHistory queues history entries.
	AppendHistory(ctx context.Context, entries []HistoryEntry) error
	// Due locks at most limit orders whose next action is due at now, skipping those that
	// another worker holds, oldest first, and returns them as Lock does. next is when the
	// earliest other order becomes due, zero if none.
	Due(ctx context.Context, now time.Time, limit int) (due []Order, next time.Time, err error)

	// InsertCredit queues credits with their refunds; ErrExternalTaken as for Insert.
	InsertCredit(ctx context.Context, credits ...Credit) error
	// LockRefunds locks refunds after their orders were locked.
	LockRefunds(ctx context.Context, tenant hyperlocal.TenantID, ids []string) ([]Refund, error)
	SaveRefunds(ctx context.Context, refunds []Refund) error // version check as for Save
	// DueRefunds returns at most limit refunds whose next action is due, without locking.
	DueRefunds(ctx context.Context, now time.Time, limit int) (due []Refund, next time.Time, err error)

	Reader
}

// Reader is the reading part of Store.
type Reader interface {
	Get(ctx context.Context, tenant hyperlocal.TenantID, ids ...ID) ([]Order, error) // whole, in the order of ids, missing ones left out
	// ByExternal finds the orders with these external references, whole, in any order.
	ByExternal(ctx context.Context, tenant hyperlocal.TenantID, refs ...hyperlocal.External) ([]Order, error)
	// List returns orders newest first by (PlacedAt, ID), with lines and adjustments but
	// without contact and note, in at most three statements whatever the page size.
	List(ctx context.Context, tenant hyperlocal.TenantID, f Filter, p hyperlocal.PageRequest) (hyperlocal.Page[Order], error)
	History(ctx context.Context, tenant hyperlocal.TenantID, id ID, p hyperlocal.PageRequest) (hyperlocal.Page[HistoryEntry], error)
	Refunds(ctx context.Context, tenant hyperlocal.TenantID, ids ...ID) ([]Refund, error) // of these orders, oldest first by (CreatedAt, ID), in one statement
	CreditByExternal(ctx context.Context, tenant hyperlocal.TenantID, ref hyperlocal.External) (Credit, bool, error)
	GetCredit(ctx context.Context, tenant hyperlocal.TenantID, id string) (Credit, bool, error)
}

// Eraser is an optional ability of a Store: it removes the personal data of a customer's
// orders (contact rows, notes, gateway and method of the payment choice) and returns how many
// orders had any.
type Eraser interface {
	Erase(ctx context.Context, tenant hyperlocal.TenantID, customer hyperlocal.Ref) (int, error)
}

// Key names an order across tenants.
type Key struct {
	Tenant hyperlocal.TenantID
	ID     ID
}

// Stock is what an order needs of inventory. *inventory.Service satisfies it.
type Stock interface {
	hyperlocal.Participant
	// CommitReserved turns the reservations of the owners into goods that have left:
	// on_hand and reserved fall. Owners without open reservations are ignored.
	CommitReserved(ctx context.Context, at time.Time, actor hyperlocal.Actor, owners ...hyperlocal.TenantRef) error
	// ReleaseReserved gives the open reservations of the owners back. Owners without are ignored.
	ReleaseReserved(ctx context.Context, at time.Time, actor hyperlocal.Actor, reason string, owners ...hyperlocal.TenantRef) error
	// Return puts committed units back. A reference that was seen before does nothing.
	Return(ctx context.Context, returns ...hyperlocal.StockReturn) error
}

// Leaver is an optional ability of what a Stock decides, for a policy that commits on confirm:
// what was taken for item i leaves the shelf with the placement, because its order needs no
// payment. It is called right after Take(i). Without it CommitReserved is called after Apply,
// when participants of a higher rank hold their locks already, so the stock may lock nothing
// that it has not locked in Decide.
type Leaver interface {
	Leave(i int)
}

// Spender is an optional ability of a participant: it names the kinds of Spend that it
// handles, so that a placement that would spend something nobody looks at is refused. A
// participant without it may handle any kind.
type Spender interface {
	SpendKinds() []string
}

// Returner is an optional ability of a [Spender]: what a placement spent with it goes back
// when the order ends without being served, cancelled or expired for whatever reason. A
// completed order, and one that only had money refunded, keeps what it spent. With a
// participant that has no such ability, what was spent stays spent.
type Returner interface {
	Spender
	// GiveBack gives back what the placements of the orders spent, in the transaction that
	// ends them, after everything of a lower rank was locked. It is called once in a
	// transaction, for all of its orders, so that it can lock in sorted order. Orders that
	// spent nothing are ignored, and what was given back before is not given back again. An
	// error undoes the transition.
	GiveBack(ctx context.Context, returns ...hyperlocal.SpendReturn) error
}

// Payments is what an order needs of payment. *payment.Service satisfies it.
type Payments interface {
	// Begin stores operations in the transaction of ctx, to be executed by Execute or, if
	// nobody does so in time, by the payment worker. A reference that exists is answered with
	// its operation. If one command is refused none is stored, and the transaction can go on:
	// codes invalid, not_found, already_exists, precondition, exhausted, and conflict but for
	// tx/retry.
	Begin(ctx context.Context, commands ...hyperlocal.PaymentCommand) ([]hyperlocal.PaymentOperation, error)
	// Execute asks the gateway, outside any transaction, and records the fact in a
	// transaction of its own, which calls back into the order (see Service.ApplyPayment).
	// An operation that is settled, or that another worker is executing, is reported as it stands.
	Execute(ctx context.Context, tenant hyperlocal.TenantID, operation string) (hyperlocal.PaymentFact, error)
	// Status reports operations as they stand, in the order of ids.
	Status(ctx context.Context, tenant hyperlocal.TenantID, operations ...string) ([]hyperlocal.PaymentFact, error)
}

// Journal is what an order needs of ledger. *ledger.Service satisfies it.
type Journal interface {
	// Post writes all postings or none. A reference that exists with equal content is a no-op.
	Post(ctx context.Context, postings ...hyperlocal.Posting) error
}

// Offers is what an order needs of the catalogue to price a line that states no price.
type Offers interface {
	// Offers answers in the order of variants. A variant that cannot be bought now carries an error.
	Offers(ctx context.Context, tenant hyperlocal.TenantID, merchant hyperlocal.Ref, variants []hyperlocal.Ref) ([]Offer, error)
}

// Offer is what the catalogue says about a variant now.
type Offer = hyperlocal.Offer
