package ledger

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Store keeps postings and balances. Writes join the transaction of ctx and fail with code
// internal outside one. Reads outside a transaction see committed data. What is missing is
// left out of a result or counts as zero, never an error.
type Store interface {
	// LockBalances locks the balance rows of bounded accounts, making those that are
	// missing, and returns the balances in the order of keys, which are sorted and distinct.
	// Accounts that this transaction has locked already are not locked again, and their
	// balances include what it has queued since, so that a caller may go on to locks of a
	// higher rank and still post.
	LockBalances(ctx context.Context, keys []Key) ([]int64, error)
	// Recorded finds the postings with these references, in any order.
	Recorded(ctx context.Context, refs []Reference) ([]Recorded, error)
	// Insert queues transactions and the changes of balances that they cause. A reference
	// that another transaction has written meanwhile fails the whole transaction with
	// hyperlocal.ErrTxRetry.
	Insert(ctx context.Context, transactions []Transaction, changes []Change) error
	// Fold moves at most limit tail rows of any tenants into the snapshots of their
	// accounts and returns how many it moved.
	Fold(ctx context.Context, limit int) (int, error)

	Reader
}

// Reader is the reading part of Store.
type Reader interface {
	// Balances returns snapshot plus tail of each account, in the order given, from one
	// statement. ErrOverflow if one does not fit.
	Balances(ctx context.Context, tenant hyperlocal.TenantID, accounts []Account) ([]int64, error)
	// Sums adds the entries themselves up, in the order of accounts.
	Sums(ctx context.Context, tenant hyperlocal.TenantID, accounts []Account, at AsOf) ([]int64, error)
	// Transactions finds postings with their entries by reference, in any order.
	Transactions(ctx context.Context, tenant hyperlocal.TenantID, references ...string) ([]Transaction, error)
	// Journal returns postings with all their entries, newest first by (Effective, ID), in
	// at most two statements whatever the page size.
	Journal(ctx context.Context, tenant hyperlocal.TenantID, f Filter, p hyperlocal.PageRequest) (hyperlocal.Page[Transaction], error)
	// Accounts returns the accounts whose path begins with prefix and their balances, by
	// (path, asset).
	Accounts(ctx context.Context, tenant hyperlocal.TenantID, prefix string, p hyperlocal.PageRequest) (hyperlocal.Page[Balance], error)
	// Totals adds the balances of all accounts up per asset, sorted by asset.
	Totals(ctx context.Context, tenant hyperlocal.TenantID) ([]Total, error)
	// Unbalanced returns at most limit references of postings whose entries do not sum to
	// zero for each asset. There is none unless somebody wrote past this package.
	Unbalanced(ctx context.Context, tenant hyperlocal.TenantID, limit int) ([]string, error)
}

// Reference names a posting across tenants.
type Reference struct {
	Tenant    hyperlocal.TenantID
	Reference string
}

// Recorded is what a store tells about a reference that exists.
type Recorded struct {
	Reference
	Transaction string // id
	Fingerprint []byte
}

// Change is what a batch of postings does to one account.
type Change struct {
	Key
	ID     string // UUIDv7, names the tail row; unused for bounded accounts
	Amount int64  // not zero
	// Bounded: the balance row is locked and takes the change itself. Else it becomes a
	// tail row.
	Bounded bool
}
