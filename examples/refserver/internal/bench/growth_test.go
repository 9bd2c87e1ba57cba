package bench

import (
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/audit"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/storetest/dbtest"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }

// TestStoredOrdersAreRealOnes: every invariant of the database holds beside multiplied orders,
// each of which has all of its rows, and more can be placed.
func TestStoredOrdersAreRealOnes(t *testing.T) {
	t.Parallel()
	o := Options{DSN: dbtest.Postgres(t), Clients: 2, Items: 100, Duration: time.Second}
	res, err := within(t.Context(), &o, func(own *room) (*Result, error) {
		s, err := own.open(t.Context(), &o)
		if err != nil {
			return nil, err
		}
		defer s.close()
		const n = 200
		if err := s.store(t.Context(), &o, n); err != nil {
			return nil, err
		}
		if err := s.place(t.Context(), 20); err != nil {
			return nil, err
		}
		report, err := audit.Run(t.Context(), s.db.Audit)
		if err != nil {
			return nil, err
		}
		for _, inv := range report.Invariants {
			if inv.Violations > 0 {
				t.Errorf("%s: %d violations: %v", inv.Name, inv.Violations, inv.Samples)
			}
		}
		if report.Orders != n+20 {
			t.Errorf("%d orders are stored", report.Orders)
		}
		return &Result{}, own.ask(t.Context(), func(c *pgx.Conn) error {
			for table, each := range map[string]int{
				"hc_orders": 1, "hc_order_lines": 2, "hc_order_history": 1, "hc_stock_reservations": 2,
				"hc_stock_movements WHERE owner_kind = 'order'": 2, "hc_outbox WHERE aggregate_kind = 'order'": 1, "hc_idempotency": 1,
			} {
				var rows int
				if err := c.QueryRow(t.Context(), `SELECT count(*) FROM `+table).Scan(&rows); err != nil {
					return err
				}
				if rows != each*(n+20) {
					t.Errorf("%s: %d rows, want %d", table, rows, each*(n+20))
				}
			}
			var pending, strangers int
			if err := c.QueryRow(t.Context(), `SELECT count(*) FROM hc_outbox WHERE published_at IS NULL`).Scan(&pending); err != nil {
				return err
			}
			if err := c.QueryRow(t.Context(), `SELECT count(*) -
				(SELECT count(DISTINCT o.id) FROM hc_idempotency k JOIN hc_orders o ON o.id::text = k.result ->> 'id') FROM hc_idempotency`).Scan(&strangers); err != nil {
				return err
			}
			if pending != 20 || strangers != 0 {
				t.Errorf("%d events are unpublished, %d keys stand for no order of their own", pending, strangers)
			}
			return nil
		})
	})
	if err != nil || res == nil {
		t.Fatal(err)
	}
}

// TestRawWorkloadsOfPostgres: what is measured as the limit does its work.
func TestRawWorkloadsOfPostgres(t *testing.T) {
	t.Parallel()
	o := Options{DSN: dbtest.Postgres(t), Clients: 2, Items: 100, Duration: 100 * time.Millisecond, Batch: 10}
	_, err := within(t.Context(), &o, func(own *room) (*Result, error) {
		orders, batch, err := own.rawOrders(t.Context(), &o)
		if err != nil {
			return nil, err
		}
		many, err := own.rawTransfers(t.Context(), &o)
		if err != nil {
			return nil, err
		}
		return nil, own.ask(t.Context(), func(c *pgx.Conn) error {
			var placed, lines, events, reserved, transfers, entries, balance int
			if err := c.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM raw_orders), (SELECT count(*) FROM raw_lines), (SELECT count(*) FROM raw_outbox),
				(SELECT sum(reserved) FROM raw_stock), (SELECT count(*) FROM raw_tx), (SELECT count(*) FROM raw_entries), (SELECT sum(balance) FROM raw_accounts)`).
				Scan(&placed, &lines, &events, &reserved, &transfers, &entries, &balance); err != nil {
				return err
			}
			if placed < orders.Calls+batch.Calls || lines != 2*placed || events != placed || reserved != lines {
				t.Errorf("%d orders, %d lines, %d events, %d reserved; %d and %d were counted", placed, lines, events, reserved, orders.Calls, batch.Calls)
			}
			if transfers < 10*many.Calls || entries != 2*transfers || balance != 0 {
				t.Errorf("%d transfers, %d entries, balance %d; %d batches were counted", transfers, entries, balance, many.Calls)
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}
