package memstore

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/audit"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

// Audit is the [audit.Source] of a database.
type Audit struct{ db *DB }

var _ audit.Source = (*Audit)(nil)

// Audit returns what checks the invariants of the database.
func (db *DB) Audit() *Audit { return &Audit{db: db} }

// Snapshot implements [audit.Source]. Nobody writes until fn has returned.
func (a *Audit) Snapshot(ctx context.Context, fn func(ctx context.Context, t audit.Tables) error) error {
	return a.db.read(ctx, func() error {
		t := audit.Tables{}
		auditOrders(part(a.db, newOrderTables), &t)
		auditStock(part(a.db, newStockTables), &t)
		auditPayments(part(a.db, newPaymentTables), &t)
		auditSandbox(part(a.db, newSandboxTables), &t)
		auditLedger(part(a.db, newLedgerTables), &t)
		auditLoyalty(part(a.db, newLoyaltyTables), &t)
		auditEvents(part(a.db, newOutboxTables), &t)
		return fn(ctx, t)
	})
}

// scan makes a stream that calls each for every row of a table.
func scan[K comparable, V, T any](t *table[K, V], each func(k K, v V, yield func(T) error) error) audit.Stream[T] {
	return func(ctx context.Context, yield func(T) error) error {
		for k, v := range t.all() {
			if err := ctx.Err(); err != nil {
				return cancelled(err)
			}
			if err := each(k, v, yield); err != nil {
				return err
			}
		}
		return nil
	}
}

// concat makes one stream of two.
func concat[T any](first, second audit.Stream[T]) audit.Stream[T] {
	return func(ctx context.Context, yield func(T) error) error {
		if err := first(ctx, yield); err != nil {
			return err
		}
		return second(ctx, yield)
	}
}

func auditID[T ~string](tenant hyperlocal.TenantID, id T) audit.ID {
	return audit.ID{Tenant: string(tenant), ID: string(id)}
}

func auditLevel(k inventory.Key) audit.Level {
	return audit.Level{Tenant: string(k.Tenant), Item: string(k.Item), Location: string(k.Location)}
}

func auditStock(s *stockTables, t *audit.Tables) {
	t.StockLevels = scan(s.levels, func(k inventory.Key, l inventory.Level, yield func(audit.StockLevel) error) error {
		return yield(audit.StockLevel{
			Level: auditLevel(k), Guarded: l.Mode.Guarded(), OnHand: l.OnHand.Value(), Reserved: l.Reserved.Value(),
			BackorderLimit: l.BackorderLimit.Value(),
		})
	})
	t.StockMovements = scan(s.ofLevel, func(k inventory.Key, all []*inventory.Movement, yield func(audit.StockMovement) error) error {
		for _, m := range all {
			if err := yield(audit.StockMovement{Level: auditLevel(k), OnHand: m.OnHand.Value(), Reserved: m.Reserved.Value()}); err != nil {
				return err
			}
		}
		return nil
	})
	t.StockReservations = scan(s.open, func(o hyperlocal.TenantRef, all []inventory.Reservation, yield func(audit.StockReservation) error) error {
		for _, r := range all {
			if err := yield(audit.StockReservation{Level: auditLevel(r.Key()), Owner: o.Ref.String(), Quantity: r.Quantity.Value()}); err != nil {
				return err
			}
		}
		return nil
	})
}

func auditEvents(o *outboxTables, t *audit.Tables) {
	t.Events = scan(o.rows, func(p place, r outboxRow, yield func(audit.Event) error) error {
		return yield(audit.Event{
			Tenant: string(p.tenant), Aggregate: p.aggregate.String(), Version: p.version, N: p.n, Published: r.published,
		})
	})
}

func auditSandbox(s *sandboxTables, t *audit.Tables) {
	t.SandboxRecords = scan(s.records, func(k sandboxKey, r sandbox.Record, yield func(audit.SandboxRecord) error) error {
		return yield(audit.SandboxRecord{
			Tenant: string(k.tenant), Key: k.key, Operation: r.Operation, Verb: string(r.Verb), Outcome: string(r.Outcome),
			Currency: string(r.Amount.Currency()), Amount: r.Amount.Amount(),
		})
	})
}
