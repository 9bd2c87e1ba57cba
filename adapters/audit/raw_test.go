package audit_test

import (
	"database/sql"
	"net/url"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// raw writes past everything that protects the data.
type raw struct {
	t        *testing.T
	db       *sql.DB
	postgres bool
}

// kept is what corruptions touch and restore puts back, parents last.
const kept = `hc_order_lines hc_order_adjustments hc_order_history hc_order_contacts hc_refunds hc_credits hc_orders
 hc_stock_movements hc_stock_reservations hc_stock_levels
 hc_payment_captures hc_payment_refunds hc_payment_allocations hc_payment_operations hc_sandbox_log
 hc_ledger_tail hc_ledger_balances hc_ledger_entries hc_ledger_transactions hc_loyalty_movements hc_loyalty_lots hc_outbox`

func openRaw(t *testing.T, dsn string) *raw {
	t.Helper()
	r := &raw{t: t}
	driver, source := "sqlite", ""
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		source = "file:" + path + "?" + url.Values{"_pragma": {
			"busy_timeout(5000)", "foreign_keys(0)", "ignore_check_constraints(1)", "synchronous(0)",
		}}.Encode()
	} else {
		u, err := url.Parse(dsn)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		q.Set("default_query_exec_mode", "simple_protocol") // several statements at once
		u.RawQuery = q.Encode()
		driver, source, r.postgres = "pgx", u.String(), true
	}
	var err error
	if r.db, err = sql.Open(driver, source); err != nil {
		t.Fatal(err)
	}
	r.db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = r.db.Close() })
	return r
}

func (r *raw) exec(t *testing.T, text string) {
	t.Helper()
	if _, err := r.db.ExecContext(t.Context(), "BEGIN; "+text+"; COMMIT"); err != nil {
		_, _ = r.db.ExecContext(t.Context(), "ROLLBACK")
		t.Fatalf("%s: %v", text, err)
	}
}

// disarm drops the triggers and the constraints that refuse what corruptions do.
func (r *raw) disarm() {
	r.t.Helper()
	find := `SELECT 'DROP TRIGGER ' || name FROM sqlite_master WHERE type = 'trigger'`
	if r.postgres {
		find = `SELECT 'DROP TRIGGER ' || tgname || ' ON ' || tgrelid::regclass FROM pg_trigger WHERE NOT tgisinternal
 UNION ALL SELECT 'ALTER TABLE ' || conrelid::regclass || ' DROP CONSTRAINT ' || conname FROM pg_constraint
 WHERE contype IN ('c', 'f') AND conrelid::regclass::text LIKE 'hc\_%'`
	}
	rows, err := r.db.QueryContext(r.t.Context(), find)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var drops []string
	for rows.Next() {
		var drop string
		if err := rows.Scan(&drop); err != nil {
			r.t.Fatal(err)
		}
		drops = append(drops, drop)
	}
	if err := rows.Err(); err != nil || len(drops) == 0 {
		r.t.Fatalf("%d things to drop: %v", len(drops), err)
	}
	_ = rows.Close()
	r.exec(r.t, strings.Join(drops, "; "))
}

// keep copies what may be touched.
func (r *raw) keep() {
	r.t.Helper()
	var b strings.Builder
	for table := range strings.FieldsSeq(kept) {
		b.WriteString("CREATE TABLE kept_" + table + " AS SELECT * FROM " + table + "; ")
	}
	r.exec(r.t, strings.TrimSuffix(b.String(), "; "))
}

// restore puts the copies of the tables back that the text names.
func (r *raw) restore(t *testing.T, text string) {
	t.Helper()
	var b strings.Builder
	for table := range strings.FieldsSeq(kept) {
		if !strings.Contains(text, table) {
			continue
		}
		b.WriteString("DELETE FROM " + table + "; INSERT INTO " + table + " SELECT * FROM kept_" + table + "; ")
	}
	r.exec(t, strings.TrimSuffix(b.String(), "; "))
}

// names adds what the services do not tell.
func (r *raw) names(w *world) {
	r.t.Helper()
	w.names["fresh"] = hyperlocal.RandomIDs{}.NewID()
	fill := w.filler()
	for name, query := range map[string]string{
		"posting": `SELECT id FROM hc_ledger_transactions WHERE tenant = 'acme' AND reference = 'capture/{op-paid}'`,
		"points":  `SELECT id FROM hc_ledger_transactions WHERE tenant = 'acme' AND reference LIKE 'points/%' ORDER BY id LIMIT 1`,
		"lot":     `SELECT id FROM hc_loyalty_lots WHERE tenant = 'acme' AND source_id = '{paid}'`,
		"intent":  `SELECT intent FROM hc_payment_operations WHERE tenant = 'acme' AND id = '{op-paid}'`,
	} {
		var id string
		if err := r.db.QueryRowContext(r.t.Context(), fill.Replace(query)).Scan(&id); err != nil {
			r.t.Fatalf("%s: %v", name, err)
		}
		w.names[name] = id
	}
}
