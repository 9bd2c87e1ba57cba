package payment

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Owner is what money is for: orders, as far as payment can see. *order.Service satisfies it.
type Owner interface {
	// LockOwners locks the owners in the transaction of ctx, sorted by key. It is called
	// before any row of payment is locked.
	LockOwners(ctx context.Context, owners ...hyperlocal.TenantRef) error
	// ApplyPayment tells what became known, in the same transaction. A fact that is repeated
	// or older than what the owner knows is a no-op. It may call Begin for the same owners,
	// for example to give a late payment back.
	ApplyPayment(ctx context.Context, facts ...hyperlocal.PaymentFact) error
}

// Journal is what payment needs of ledger. *ledger.Service satisfies it.
type Journal interface {
	// Post writes all postings or none. A reference that exists with equal content is a no-op.
	Post(ctx context.Context, postings ...hyperlocal.Posting) error
}

// Router chooses the gateway of a charge or authorization that names none. An adapter is
// adapters/routing.
type Router interface {
	// Route is called within a transaction, which may be run again: it does not block, and
	// talks to nobody. A decision without a gateway leaves it to the default gateway.
	Route(r RouteRequest) RouteDecision
}

// RouteRequest is what is known of a payment that is to be routed.
type RouteRequest struct {
	Tenant   hyperlocal.TenantID
	Owner    hyperlocal.Ref // of the first share, as is Merchant
	Merchant hyperlocal.Ref
	Customer hyperlocal.Ref // zero for a guest
	Verb     hyperlocal.PaymentVerb
	Method   string
	Amount   hyperlocal.Money // of all shares
}

// RouteDecision is a gateway and how it came to be chosen.
type RouteDecision struct {
	Gateway string
	Rule    string // that matched; "" for none
	Steps   []RouteStep
}

// RouteStep is what was thought of one gateway, in the order in which they were looked at.
type RouteStep struct {
	Gateway string
	Chosen  bool
	Why     string // such as "cheapest: 1.23 EUR", "circuit open until ...", "cannot authorize"
}

// Store keeps intents, operations, movements and webhooks. Writes join the transaction of
// ctx and fail with code internal outside one; they may be queued, and are sent before the
// next read of the transaction that could see them. Reads outside a transaction see
// committed data. What does not exist is left out of a result, never an error.
type Store interface {
	// Lock locks every intent that has an allocation for one of the owners, sorted by
	// (tenant, id), and returns them with all their allocations.
	Lock(ctx context.Context, owners ...hyperlocal.TenantRef) ([]Intent, error)
	// SaveIntents queues intents with their allocations. Version 1 is inserted; for a higher
	// one the row must have the version below, else the transaction fails with ErrStale.
	SaveIntents(ctx context.Context, intents []Intent) error
	// InsertOperations queues new operations. A (tenant, owner, verb, reference) that
	// another transaction took a moment ago fails the transaction with
	// hyperlocal.ErrTxRetry; run again, the caller finds that operation.
	InsertOperations(ctx context.Context, operations []Operation) error
	// SaveOperations queues changed operations. The row must have version Version-1, else
	// the transaction fails with ErrStale.
	SaveOperations(ctx context.Context, operations []Operation) error
	// AppendMovements queues movements. There is one per (operation, owner).
	AppendMovements(ctx context.Context, movements []Movement) error

	// Lease gives the caller the right to execute one operation until the given time, if it
	// is still processing and its NextAt is not after now: NextAt becomes until, Sent becomes
	// true, the version stays. It returns the operation as it was before, or false.
	Lease(ctx context.Context, tenant hyperlocal.TenantID, id string, now, until time.Time) (Operation, bool, error)
	// LeaseDue does so for at most limit operations of any outcome whose NextAt is not after
	// now, oldest first, passing over those that another worker holds. next is the earliest
	// NextAt of the others, zero if there is none.
	LeaseDue(ctx context.Context, now, until time.Time, limit int) (due []Operation, next time.Time, err error)

	Reader
	MovedReader
	WebhookStore
}

// ReferenceKey is what an operation is found by.
type ReferenceKey struct {
	Tenant    hyperlocal.TenantID
	Owner     hyperlocal.Ref
	Verb      hyperlocal.PaymentVerb
	Reference string
}

// Reader is the reading part of Store.
type Reader interface {
	// Operations returns operations by id, in any order.
	Operations(ctx context.Context, tenant hyperlocal.TenantID, ids ...string) ([]Operation, error)
	// ByReference returns the operations with these references, in any order.
	ByReference(ctx context.Context, keys ...ReferenceKey) ([]Operation, error)
	// ByKey returns the operation that a gateway knows under the idempotency key.
	ByKey(ctx context.Context, tenant hyperlocal.TenantID, gateway, key string) (Operation, bool, error)
	// Intents returns the intents with an allocation for one of the owners, oldest first.
	Intents(ctx context.Context, owners ...hyperlocal.TenantRef) ([]Intent, error)
	// ListOperations returns operations newest first by (CreatedAt, ID).
	ListOperations(ctx context.Context, tenant hyperlocal.TenantID, f OperationFilter, p hyperlocal.PageRequest) (hyperlocal.Page[Operation], error)
	// Movements returns the movements of an intent, in the order of (At, Operation, Owner).
	Movements(ctx context.Context, tenant hyperlocal.TenantID, intent string) ([]Movement, error)
}

// OperationFilter selects operations; zero fields do not restrict.
type OperationFilter struct {
	Owner     hyperlocal.Ref // only operations whose first share is this owner's
	Intent    string
	Outcome   hyperlocal.PaymentOutcome
	Attention bool // only those that a person has to look at
}

// WebhookStore is the part of Store that keeps what providers sent.
type WebhookStore interface {
	// InsertWebhook stores a webhook and reports whether it was new; the same (tenant,
	// gateway, event) is stored once.
	InsertWebhook(ctx context.Context, w Webhook) (bool, error)
	// DueWebhooks returns at most limit pending webhooks whose NextAt is not after now,
	// oldest first by (ReceivedAt, tenant, gateway, event). next is the earliest NextAt of
	// the other pending ones, zero if there is none.
	DueWebhooks(ctx context.Context, now time.Time, limit int) (due []Webhook, next time.Time, err error)
	// SaveWebhook queues a changed webhook: everything but the body, the notice and the
	// time of receipt. The row must still be pending, else the transaction fails with ErrStale.
	SaveWebhook(ctx context.Context, w Webhook) error
	// CountWebhooks returns how many webhooks of a tenant are in the state.
	CountWebhooks(ctx context.Context, tenant hyperlocal.TenantID, state WebhookState) (int, error)
	// ListWebhooks returns webhooks newest first by (ReceivedAt, gateway, event); state ""
	// does not restrict.
	ListWebhooks(ctx context.Context, tenant hyperlocal.TenantID, state WebhookState, p hyperlocal.PageRequest) (hyperlocal.Page[Webhook], error)
}
