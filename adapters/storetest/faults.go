package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
	"github.com/hyperlocal-sdk/hyperlocal/order"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// errFault is what a failing call reports, and the value of a panic.
var errFault = errors.New("a fault was injected here")

// fault is a way in which a call goes wrong.
type fault string

const (
	faultBefore fault = "fails"             // the call does nothing and reports an error
	faultAfter  fault = "fails when done"   // the call does its work and reports an error
	faultPanic  fault = "panics"            // a programming error
	faultCancel fault = "cancelled context" // the caller goes away just then
)

// faults makes one call of a database go wrong.
type faults struct {
	mu     sync.Mutex
	kind   fault // "" while nothing is to go wrong
	at, n  int
	place  string // where it did
	cancel context.CancelFunc
}

// arm makes the call number at go wrong.
func (f *faults) arm(kind fault, at int, cancel context.CancelFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kind, f.at, f.n, f.place, f.cancel = kind, at, 0, "", cancel
}

// disarm returns where something went wrong, "" for nowhere.
func (f *faults) disarm() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kind = ""
	return f.place
}

// around makes a call, or makes it go wrong.
func (f *faults) around(place string, call func() error) error {
	f.mu.Lock()
	kind, cancel := f.kind, f.cancel
	f.n++
	if f.n != f.at {
		kind = ""
	}
	if kind != "" {
		f.place = place
	}
	f.mu.Unlock()
	switch kind {
	case faultBefore:
		return errFault
	case faultAfter:
		return errors.Join(errFault, call())
	case faultPanic:
		panic(errFault)
	case faultCancel:
		cancel()
	}
	return call()
}

// ask is around for a call that answers.
func ask[T any](f *faults, place string, call func() (T, error)) (T, error) {
	var out T
	err := f.around(place, func() (err error) {
		out, err = call()
		return err
	})
	return out, err
}

// faulty is the database with f around the calls that make up a transaction.
func faulty(db Database, f *faults) Database {
	db.TxRunner = faultyTx{db.TxRunner, f}
	db.Orders = faultyOrders{db.Orders, f}
	db.Stock = faultyStock{db.Stock, f}
	db.Payments = faultyPayments{db.Payments, f}
	db.Ledger = faultyLedger{db.Ledger, f}
	db.Loyalty = faultyLoyalty{db.Loyalty, f}
	db.Outbox = faultyOutbox{db.Outbox, f}
	db.Idempotency = faultyIdempotency{db.Idempotency, f}
	return db
}

type faultyTx struct {
	hyperlocal.TxRunner
	f *faults
}

// WithinTx has a place of its own between the last call and the commit.
func (r faultyTx) WithinTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return r.TxRunner.WithinTx(ctx, func(ctx context.Context) error {
		if err := fn(ctx); err != nil {
			return err
		}
		return r.f.around("before the end of a transaction", func() error { return nil })
	})
}

type faultyOutbox struct {
	hyperlocal.Outbox
	f *faults
}

func (o faultyOutbox) Append(ctx context.Context, events ...hyperlocal.Envelope) error {
	return o.f.around("Outbox.Append", func() error { return o.Outbox.Append(ctx, events...) })
}

type faultyIdempotency struct {
	hyperlocal.Idempotency
	f *faults
}

func (i faultyIdempotency) Claim(ctx context.Context, keys []hyperlocal.IdempotencyKey) ([]hyperlocal.Claim, error) {
	return ask(i.f, "Idempotency.Claim", func() ([]hyperlocal.Claim, error) { return i.Idempotency.Claim(ctx, keys) })
}

func (i faultyIdempotency) Complete(ctx context.Context, keys []hyperlocal.IdempotencyKey, results []json.RawMessage) error {
	return i.f.around("Idempotency.Complete", func() error { return i.Idempotency.Complete(ctx, keys, results) })
}

func (i faultyIdempotency) Free(ctx context.Context, keys []hyperlocal.IdempotencyKey) error {
	return i.f.around("Idempotency.Free", func() error { return i.Idempotency.Free(ctx, keys) })
}

type faultyOrders struct {
	order.Store
	f *faults
}

func (s faultyOrders) Insert(ctx context.Context, orders []order.Order) error {
	return s.f.around("order.Store.Insert", func() error { return s.Store.Insert(ctx, orders) })
}

func (s faultyOrders) Lock(ctx context.Context, refs []order.Key) ([]order.Order, error) {
	return ask(s.f, "order.Store.Lock", func() ([]order.Order, error) { return s.Store.Lock(ctx, refs) })
}

func (s faultyOrders) Save(ctx context.Context, orders []order.Order) error {
	return s.f.around("order.Store.Save", func() error { return s.Store.Save(ctx, orders) })
}

func (s faultyOrders) AppendHistory(ctx context.Context, entries []order.HistoryEntry) error {
	return s.f.around("order.Store.AppendHistory", func() error { return s.Store.AppendHistory(ctx, entries) })
}

func (s faultyOrders) InsertCredit(ctx context.Context, credits ...order.Credit) error {
	return s.f.around("order.Store.InsertCredit", func() error { return s.Store.InsertCredit(ctx, credits...) })
}

func (s faultyOrders) LockRefunds(ctx context.Context, tenant hyperlocal.TenantID, ids []string) ([]order.Refund, error) {
	return ask(s.f, "order.Store.LockRefunds", func() ([]order.Refund, error) { return s.Store.LockRefunds(ctx, tenant, ids) })
}

func (s faultyOrders) SaveRefunds(ctx context.Context, refunds []order.Refund) error {
	return s.f.around("order.Store.SaveRefunds", func() error { return s.Store.SaveRefunds(ctx, refunds) })
}

func (s faultyOrders) ByExternal(ctx context.Context, tenant hyperlocal.TenantID, refs ...hyperlocal.External) ([]order.Order, error) {
	return ask(s.f, "order.Store.ByExternal", func() ([]order.Order, error) { return s.Store.ByExternal(ctx, tenant, refs...) })
}

type faultyStock struct {
	inventory.Store
	f *faults
}

func (s faultyStock) Lock(ctx context.Context, keys []inventory.Key, owners []hyperlocal.TenantRef) (inventory.Locked, error) {
	return ask(s.f, "inventory.Store.Lock", func() (inventory.Locked, error) { return s.Store.Lock(ctx, keys, owners) })
}

func (s faultyStock) Write(ctx context.Context, w inventory.Writes) error {
	return s.f.around("inventory.Store.Write", func() error { return s.Store.Write(ctx, w) })
}

func (s faultyStock) Returned(ctx context.Context, keys []inventory.ReturnKey) ([]bool, error) {
	return ask(s.f, "inventory.Store.Returned", func() ([]bool, error) { return s.Store.Returned(ctx, keys) })
}

type faultyPayments struct {
	payment.Store
	f *faults
}

func (s faultyPayments) Lock(ctx context.Context, owners ...hyperlocal.TenantRef) ([]payment.Intent, error) {
	return ask(s.f, "payment.Store.Lock", func() ([]payment.Intent, error) { return s.Store.Lock(ctx, owners...) })
}

func (s faultyPayments) SaveIntents(ctx context.Context, intents []payment.Intent) error {
	return s.f.around("payment.Store.SaveIntents", func() error { return s.Store.SaveIntents(ctx, intents) })
}

func (s faultyPayments) InsertOperations(ctx context.Context, operations []payment.Operation) error {
	return s.f.around("payment.Store.InsertOperations", func() error { return s.Store.InsertOperations(ctx, operations) })
}

func (s faultyPayments) SaveOperations(ctx context.Context, operations []payment.Operation) error {
	return s.f.around("payment.Store.SaveOperations", func() error { return s.Store.SaveOperations(ctx, operations) })
}

func (s faultyPayments) AppendMovements(ctx context.Context, movements []payment.Movement) error {
	return s.f.around("payment.Store.AppendMovements", func() error { return s.Store.AppendMovements(ctx, movements) })
}

func (s faultyPayments) ByReference(ctx context.Context, keys ...payment.ReferenceKey) ([]payment.Operation, error) {
	return ask(s.f, "payment.Store.ByReference", func() ([]payment.Operation, error) { return s.Store.ByReference(ctx, keys...) })
}

func (s faultyPayments) Lease(ctx context.Context, tenant hyperlocal.TenantID, id string, now, until time.Time) (payment.Operation, bool, error) {
	ok := false
	op, err := ask(s.f, "payment.Store.Lease", func() (op payment.Operation, err error) {
		op, ok, err = s.Store.Lease(ctx, tenant, id, now, until)
		return op, err
	})
	return op, ok, err
}

type faultyLedger struct {
	ledger.Store
	f *faults
}

func (s faultyLedger) LockBalances(ctx context.Context, keys []ledger.Key) ([]int64, error) {
	return ask(s.f, "ledger.Store.LockBalances", func() ([]int64, error) { return s.Store.LockBalances(ctx, keys) })
}

func (s faultyLedger) Recorded(ctx context.Context, refs []ledger.Reference) ([]ledger.Recorded, error) {
	return ask(s.f, "ledger.Store.Recorded", func() ([]ledger.Recorded, error) { return s.Store.Recorded(ctx, refs) })
}

func (s faultyLedger) Insert(ctx context.Context, transactions []ledger.Transaction, changes []ledger.Change) error {
	return s.f.around("ledger.Store.Insert", func() error { return s.Store.Insert(ctx, transactions, changes) })
}

type faultyLoyalty struct {
	loyalty.Store
	f *faults
}

func (s faultyLoyalty) Lots(ctx context.Context, q loyalty.LotQuery) ([]loyalty.Lot, error) {
	return ask(s.f, "loyalty.Store.Lots", func() ([]loyalty.Lot, error) { return s.Store.Lots(ctx, q) })
}

func (s faultyLoyalty) Save(ctx context.Context, c loyalty.Changes) error {
	return s.f.around("loyalty.Store.Save", func() error { return s.Store.Save(ctx, c) })
}
