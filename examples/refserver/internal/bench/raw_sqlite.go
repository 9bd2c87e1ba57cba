package bench

import (
	"context"
	"database/sql"
	"time"

	_ "modernc.org/sqlite" // the driver, named "sqlite"

	"github.com/hyperlocal-sdk/hyperlocal"
)

const rawSQLiteTables = `
CREATE TABLE raw_stock (item INTEGER PRIMARY KEY, on_hand INTEGER NOT NULL, reserved INTEGER NOT NULL DEFAULT 0, version INTEGER NOT NULL DEFAULT 0);
CREATE TABLE raw_orders (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL, state TEXT NOT NULL, currency TEXT NOT NULL, total INTEGER NOT NULL, placed_at INTEGER NOT NULL);
CREATE TABLE raw_lines (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES raw_orders (id), item INTEGER NOT NULL, quantity INTEGER NOT NULL, price INTEGER NOT NULL);
CREATE INDEX raw_lines_order ON raw_lines (order_id);
CREATE TABLE raw_outbox (id INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload TEXT NOT NULL, created_at INTEGER NOT NULL);
WITH RECURSIVE c (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < 9999) INSERT INTO raw_stock (item, on_hand) SELECT i, 1000000000 FROM c;
`

// rawSQLite measures one order per transaction by the one writer that SQLite has, with
// prepared statements, WAL and synchronous=FULL.
func rawSQLite(ctx context.Context, path string, items int, warm, length time.Duration) (s Sample, err error) {
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return s, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(ctx)
	if err != nil {
		return s, err
	}
	defer conn.Close()
	for _, text := range []string{
		"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON",
		"PRAGMA cache_size = -65536", rawSQLiteTables,
	} {
		if _, err := conn.ExecContext(ctx, text); err != nil {
			return s, err
		}
	}
	texts := [...]string{
		"BEGIN IMMEDIATE", "COMMIT", "ROLLBACK",
		"INSERT INTO raw_orders (customer, state, currency, total, placed_at) VALUES (?, 'placed', 'EUR', 200, ?)",
		"INSERT INTO raw_lines (order_id, item, quantity, price) VALUES (?, ?, 1, 100)",
		"UPDATE raw_stock SET reserved = reserved + 1, version = version + 1 WHERE item = ? AND on_hand - reserved >= 1",
		"INSERT INTO raw_outbox (topic, payload, created_at) VALUES ('order.placed', ?, ?)",
	}
	var st [len(texts)]*sql.Stmt
	for i, text := range texts {
		if st[i], err = conn.PrepareContext(ctx, text); err != nil { //nolint:sqlclosecheck // the deferred call below closes it
			return s, err
		}
		defer st[i].Close()
	}
	begin, commit, rollback, order, line, stock, outbox := st[0], st[1], st[2], st[3], st[4], st[5], st[6]
	clock := hyperlocal.SystemClock{}
	return run(ctx, 1, warm, length, nil, func(ctx context.Context, _ int, pick func(int) int) (err error) {
		if _, err = begin.ExecContext(ctx); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				_, _ = rollback.ExecContext(context.WithoutCancel(ctx))
			}
		}()
		now := clock.Now().UnixMicro()
		res, err := order.ExecContext(ctx, pick(1_000_000), now)
		if err != nil {
			return err
		}
		id, err := res.LastInsertId()
		if err != nil {
			return err
		}
		first, last := pair(pick, items)
		for _, item := range [2]int{first, last} {
			if _, err = line.ExecContext(ctx, id, item); err != nil {
				return err
			}
			res, err := stock.ExecContext(ctx, item)
			if err != nil {
				return err
			}
			if n, err := res.RowsAffected(); err != nil || n != 1 {
				return errSoldOut
			}
		}
		if _, err = outbox.ExecContext(ctx, event, now); err != nil {
			return err
		}
		_, err = commit.ExecContext(ctx)
		return err
	})
}
