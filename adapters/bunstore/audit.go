package bunstore

import (
	"context"
	"database/sql"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/audit"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

// Audit is the [audit.Source] of a database.
type Audit struct{ s *Store }

var _ audit.Source = (*Audit)(nil)

// Audit returns what checks the invariants of the database.
func (s *Store) Audit() *Audit { return &Audit{s: s} }

// Snapshot implements [audit.Source]: REPEATABLE READ, READ ONLY on PostgreSQL; one read
// transaction on SQLite, which sees the moment of its first read.
func (a *Audit) Snapshot(ctx context.Context, fn func(ctx context.Context, t audit.Tables) error) error {
	s := a.s
	if err := s.verify(ctx); err != nil {
		return err
	}
	if err := s.readable(ctx); err != nil {
		return err
	}
	conn, err := s.pool.Conn(ctx)
	if err != nil {
		return s.classify(err)
	}
	defer conn.Close()
	begin := "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	if s.dialect == SQLite {
		begin = "BEGIN DEFERRED"
	}
	s.sent(begin)
	if _, err := conn.ExecContext(ctx, begin); err != nil {
		return s.classify(err)
	}
	defer func() {
		s.sent("ROLLBACK")
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	}()
	return fn(ctx, auditTables(&auditReader{s: s, conn: conn}))
}

// auditReader reads tables over one connection.
type auditReader struct {
	s    *Store
	conn *sql.Conn
}

// read calls row for every row of a query.
func (r *auditReader) read(ctx context.Context, text string, row func(rows row) error) error {
	st, err := r.s.statement(text, nil, 0)
	if err != nil {
		return err
	}
	r.s.sent(st.text)
	rows, err := r.conn.QueryContext(ctx, st.text)
	if err != nil {
		return r.s.classify(err)
	}
	err, ours := each(rows, row)
	if err != nil && ours {
		return r.s.classify(err)
	}
	return err
}

// stream makes a stream of a query; into tells where the columns of a row go.
func stream[T any](r *auditReader, text string, into func(*T) []any) audit.Stream[T] {
	return func(ctx context.Context, yield func(T) error) error {
		return r.read(ctx, text, func(rows row) error {
			var v T
			if err := rows.Scan(into(&v)...); err != nil {
				return err
			}
			return yield(v)
		})
	}
}

func auditTables(r *auditReader) audit.Tables {
	t := audit.Tables{}
	auditOrders(r, &t)
	auditStock(r, &t)
	auditMoney(r, &t)
	auditPoints(r, &t)
	return t
}

func auditOrders(r *auditReader, t *audit.Tables) {
	t.Orders = stream(r, `SELECT tenant, id, merchant, currency, state, payment_status, version, lines_total, total,
 authorized, captured, refunded, next_action, next_action_at FROM hc_orders`, func(v *audit.Order) []any {
		return []any{
			&v.ID.Tenant, &v.ID.ID, &v.Merchant, &v.Currency, &v.State, &v.PaymentStatus, &v.Version, &v.LinesTotal, &v.Total,
			&v.Authorized, &v.Captured, &v.Refunded, &v.NextAction, nullInstant{&v.NextActionAt},
		}
	})
	t.OrderLines = stream(r, `SELECT tenant, order_id, n, quantity, unit_price, price_quantity, amount, returned
 FROM hc_order_lines`, func(v *audit.OrderLine) []any {
		return []any{&v.Order.Tenant, &v.Order.ID, &v.N, &v.Quantity, &v.UnitPrice, &v.PriceQuantity, &v.Amount, &v.Returned}
	})
	t.OrderAdjustments = stream(r, `SELECT tenant, order_id, amount, included FROM hc_order_adjustments`,
		func(v *audit.OrderAdjustment) []any {
			return []any{&v.Order.Tenant, &v.Order.ID, &v.Amount, &v.Included}
		})
	t.OrderHistory = stream(r, `SELECT tenant, order_id, version, n, machine, trigger, from_state, to_state
 FROM hc_order_history ORDER BY tenant, order_id, version, n`, func(v *audit.OrderHistory) []any {
		return []any{&v.Order.Tenant, &v.Order.ID, &v.Version, &v.N, &v.Machine, &v.Trigger, &v.From, &v.To}
	})
	t.Contacts = stream(r, `SELECT tenant, order_id FROM hc_order_contacts`,
		func(v *audit.Child) []any { return []any{&v.Of.Tenant, &v.Of.ID} })
	t.Refunds = stream(r, `SELECT tenant, id, order_id, credit_id, currency, amount, state, operation FROM hc_refunds`,
		func(v *audit.Refund) []any {
			return []any{
				&v.ID.Tenant, &v.ID.ID, pair{&v.Order, &v.ID}, nullText[string]{&v.Credit}, &v.Currency, &v.Amount, &v.State,
				nullText[string]{&v.Operation},
			}
		})
	t.Credits = stream(r, `SELECT tenant, id, merchant, currency, note_amount, total FROM hc_credits`,
		func(v *audit.Credit) []any {
			return []any{&v.ID.Tenant, &v.ID.ID, &v.Merchant, &v.Currency, &v.Note, &v.Total}
		})
	t.Events = stream(r, `SELECT tenant, aggregate_kind || '/' || aggregate_id, aggregate_version, n,
 published_at IS NOT NULL FROM hc_outbox`, func(v *audit.Event) []any {
		return []any{&v.Tenant, &v.Aggregate, &v.Version, &v.N, &v.Published}
	})
}

// pair reads an id that lives in the tenant of another one, which was read before.
type pair struct{ to, beside *audit.ID }

// Scan implements sql.Scanner.
func (p pair) Scan(src any) error {
	p.to.Tenant = p.beside.Tenant
	return nullText[string]{&p.to.ID}.Scan(src)
}

func auditStock(r *auditReader, t *audit.Tables) {
	t.StockLevels = stream(r, `SELECT tenant, item, location, mode, on_hand, reserved, backorder_limit FROM hc_stock_levels`,
		func(v *audit.StockLevel) []any {
			return []any{&v.Level.Tenant, &v.Level.Item, &v.Level.Location, guarded{&v.Guarded}, &v.OnHand, &v.Reserved, &v.BackorderLimit}
		})
	t.StockMovements = stream(r, `SELECT tenant, item, location, on_hand, reserved FROM hc_stock_movements`,
		func(v *audit.StockMovement) []any {
			return []any{&v.Level.Tenant, &v.Level.Item, &v.Level.Location, &v.OnHand, &v.Reserved}
		})
	t.StockReservations = stream(r, `SELECT tenant, item, location, owner_kind || '/' || owner_id, quantity
 FROM hc_stock_reservations`, func(v *audit.StockReservation) []any {
		return []any{&v.Level.Tenant, &v.Level.Item, &v.Level.Location, &v.Owner, &v.Quantity}
	})
}

// guarded reads a mode of inventory.
type guarded struct{ to *bool }

// Scan implements sql.Scanner.
func (g guarded) Scan(src any) error {
	var mode inventory.Mode
	err := nullText[inventory.Mode]{&mode}.Scan(src)
	*g.to = mode.Guarded()
	return err
}

func auditMoney(r *auditReader, t *audit.Tables) {
	t.Postings = stream(r, `SELECT tenant, id, reference, kind, subject_kind || '/' || subject_id FROM hc_ledger_transactions`,
		func(v *audit.Posting) []any {
			return []any{&v.ID.Tenant, &v.ID.ID, &v.Reference, &v.Kind, &v.Subject}
		})
	t.Entries = stream(r, `SELECT tenant, transaction_id, tenant, account, asset, amount FROM hc_ledger_entries`,
		func(v *audit.Entry) []any {
			return []any{&v.Posting.Tenant, &v.Posting.ID, &v.Account.Tenant, &v.Account.Path, &v.Account.Asset, &v.Amount}
		})
	t.Balances = stream(r, `SELECT tenant, account, asset, balance FROM hc_ledger_balances
 UNION ALL SELECT tenant, account, asset, amount FROM hc_ledger_tail`, func(v *audit.Balance) []any {
		return []any{&v.Account.Tenant, &v.Account.Path, &v.Account.Asset, &v.Amount}
	})
	auditPayments(r, t)
}

func auditPoints(r *auditReader, t *audit.Tables) {
	t.Lots = stream(r, `SELECT tenant, id, member_kind || '/' || member_id, source_kind || '/' || source_id, earned, remaining
 FROM hc_loyalty_lots`, func(v *audit.Lot) []any {
		return []any{&v.ID.Tenant, &v.ID.ID, &v.Member, &v.Source, &v.Earned, &v.Remaining}
	})
	t.LotMovements = stream(r, `SELECT tenant, lot, points FROM hc_loyalty_movements`, func(v *audit.LotMovement) []any {
		return []any{&v.Lot.Tenant, &v.Lot.ID, &v.Points}
	})
}
