package loyalty

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Journal is what loyalty needs of the ledger. *ledger.Service satisfies it.
type Journal interface {
	// Post writes all postings or none. A reference that exists with equal content is a no-op.
	Post(ctx context.Context, postings ...hyperlocal.Posting) error
	// LockAccounts locks accounts that may not fall below a minimum until the end of the
	// transaction of ctx, so that Post takes no further lock on them.
	LockAccounts(ctx context.Context, accounts ...hyperlocal.AccountRef) error
}

// Store keeps members, lots, spendings and movements. Writes join the transaction of ctx and
// fail with code internal outside one. Reads outside a transaction see committed data. What
// is missing is left out of a result, never an error.
type Store interface {
	// Lots returns each lot that the query names once, in any order, in one statement. Inside
	// a transaction, call it after the accounts of the members were locked.
	Lots(ctx context.Context, q LotQuery) ([]Lot, error)
	// Spendings finds spendings by reference, in any order.
	Spendings(ctx context.Context, tenant hyperlocal.TenantID, references ...string) ([]Spending, error)
	// DueLots returns at most limit lots of any tenants that have points left and have
	// reached their expiry at now, earliest first, without locking.
	DueLots(ctx context.Context, now time.Time, limit int) ([]Lot, error)
	// Save queues changes. If a lot is not at the version before its own, a source or
	// reference of something new exists, or a spending is restored already, somebody got in
	// between without the account's lock: the transaction fails with hyperlocal.ErrTxRetry.
	Save(ctx context.Context, c Changes) error

	Reader
}

// Reader is the reading part of Store.
type Reader interface {
	// Balances returns what members hold at now, in the order given, in one statement.
	Balances(ctx context.Context, tenant hyperlocal.TenantID, now time.Time, members []hyperlocal.Ref) ([]Balance, error)
	// MemberLots returns the lots of a member, newest first by ID.
	MemberLots(ctx context.Context, tenant hyperlocal.TenantID, member hyperlocal.Ref, f LotFilter, p hyperlocal.PageRequest) (hyperlocal.Page[Lot], error)
	// History returns the movements of a member, newest first by ID.
	History(ctx context.Context, tenant hyperlocal.TenantID, member hyperlocal.Ref, p hyperlocal.PageRequest) (hyperlocal.Page[Movement], error)
	// Members returns the members by (kind, id).
	Members(ctx context.Context, tenant hyperlocal.TenantID, p hyperlocal.PageRequest) (hyperlocal.Page[Member], error)
}

// LotQuery names lots in four ways; a lot that fits any of them is meant. The lists may
// repeat themselves.
type LotQuery struct {
	IDs     []LotKey
	Sources []hyperlocal.TenantRef // the lot of each source
	Owing   []hyperlocal.TenantRef // members: their lots with a shortfall
	Open    []hyperlocal.TenantRef // members: their lots with points left
}

// LotKey names a lot across tenants.
type LotKey struct {
	Tenant hyperlocal.TenantID
	ID     string
}

// LotFilter selects lots of a member; the zero value selects all.
type LotFilter struct {
	Open bool // only those with points left
}

// Changes is what one transaction does.
type Changes struct {
	Joined    []Member // those who are members already stay as they are
	New       []Lot
	Changed   []Lot // Version is the one after the change
	Spent     []Spending
	Restored  []Spending
	Movements []Movement
}
