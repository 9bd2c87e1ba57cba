package bench

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver, named "sqlite"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// rawSQLite is the one writer that SQLite has, on a file of its own: prepared statements, WAL
// and synchronous=FULL.
type rawSQLite struct {
	db   *sql.DB
	conn *sql.Conn
	st   []*sql.Stmt
}

// openRawSQLite makes the tables and prepares the statements, BEGIN, COMMIT and ROLLBACK first.
func (own *room) openRawSQLite(ctx context.Context, tables string, texts ...string) (w *rawSQLite, err error) {
	w = &rawSQLite{}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.db, err = sql.Open("sqlite", "file:"+filepath.Join(own.dir, "raw.db")); err != nil {
		return nil, err
	}
	w.db.SetMaxOpenConns(1)
	if w.conn, err = w.db.Conn(ctx); err != nil {
		return nil, err
	}
	for _, text := range []string{
		"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON", "PRAGMA cache_size = -65536", tables,
	} {
		if _, err := w.conn.ExecContext(ctx, text); err != nil {
			return nil, err
		}
	}
	for _, text := range append([]string{"BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"}, texts...) {
		st, err := w.conn.PrepareContext(ctx, text) //nolint:sqlclosecheck // close closes it
		if err != nil {
			return nil, err
		}
		w.st = append(w.st, st)
	}
	return w, nil
}

func (w *rawSQLite) close() {
	for _, st := range w.st {
		_ = st.Close()
	}
	if w.conn != nil {
		_ = w.conn.Close()
	}
	if w.db != nil {
		_ = w.db.Close()
	}
}

// do runs the nth of the statements.
func (w *rawSQLite) do(ctx context.Context, n int, args ...any) (sql.Result, error) {
	return w.st[3+n].ExecContext(ctx, args...)
}

// insert runs an INSERT and returns the id of the row.
func (w *rawSQLite) insert(ctx context.Context, n int, args ...any) (int64, error) {
	res, err := w.do(ctx, n, args...)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// commit runs f in a transaction.
func (w *rawSQLite) commit(ctx context.Context, f func() error) error {
	if _, err := w.st[0].ExecContext(ctx); err != nil {
		return err
	}
	err := f()
	if err == nil {
		_, err = w.st[1].ExecContext(ctx)
	}
	if err != nil {
		_, undo := w.st[2].ExecContext(context.WithoutCancel(ctx))
		return errors.Join(err, undo)
	}
	return nil
}

const rawOrderTablesSQLite = `
CREATE TABLE raw_stock (item INTEGER PRIMARY KEY, on_hand INTEGER NOT NULL, reserved INTEGER NOT NULL DEFAULT 0, version INTEGER NOT NULL DEFAULT 0);
CREATE TABLE raw_orders (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL, state TEXT NOT NULL, currency TEXT NOT NULL, total INTEGER NOT NULL, placed_at INTEGER NOT NULL);
CREATE TABLE raw_lines (id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES raw_orders (id), item INTEGER NOT NULL, quantity INTEGER NOT NULL, price INTEGER NOT NULL);
CREATE INDEX raw_lines_order ON raw_lines (order_id);
CREATE TABLE raw_outbox (id INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload TEXT NOT NULL, created_at INTEGER NOT NULL);
WITH RECURSIVE c (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < 9999) INSERT INTO raw_stock (item, on_hand) SELECT i, 1000000000 FROM c;
`

// rawOrderSQLite measures one order per transaction.
func (own *room) rawOrderSQLite(ctx context.Context, o *Options) (*Sample, error) {
	w, err := own.openRawSQLite(ctx, rawOrderTablesSQLite,
		"INSERT INTO raw_orders (customer, state, currency, total, placed_at) VALUES (?, 'placed', 'EUR', ?, ?)",
		"INSERT INTO raw_lines (order_id, item, quantity, price) VALUES (?, ?, ?, 100)",
		"UPDATE raw_stock SET reserved = reserved + ?1, version = version + 1 WHERE item = ?2 AND on_hand - reserved >= ?1",
		"INSERT INTO raw_outbox (topic, payload, created_at) VALUES ('order.placed', ?, ?)")
	if err != nil {
		return nil, err
	}
	defer w.close()
	const order, line, stock, outbox = 0, 1, 2, 3
	clock := hyperlocal.SystemClock{}
	l := o.load()
	l.clients = 1
	return l.run(ctx, func(ctx context.Context, _ int, pick func(int) int) error {
		return w.commit(ctx, func() error {
			now := clock.Now().UnixMicro()
			id, err := w.insert(ctx, order, pick(1_000_000), 200, now)
			if err != nil {
				return err
			}
			first, last := pair(pick, o.Items)
			for _, item := range [2]int{first, last} {
				if _, err := w.do(ctx, line, id, item, 1); err != nil {
					return err
				}
				res, err := w.do(ctx, stock, 1, item)
				if err != nil {
					return err
				}
				if n, err := res.RowsAffected(); err != nil || n != 1 {
					return errors.Join(err, errSoldOut)
				}
			}
			_, err = w.do(ctx, outbox, event, now)
			return err
		})
	})
}

const rawLedgerTablesSQLite = `
CREATE TABLE raw_accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL DEFAULT 0, version INTEGER NOT NULL DEFAULT 0);
CREATE TABLE raw_tx (id INTEGER PRIMARY KEY, ref TEXT NOT NULL, created_at INTEGER NOT NULL);
CREATE TABLE raw_entries (id INTEGER PRIMARY KEY, tx_id INTEGER NOT NULL REFERENCES raw_tx (id), account INTEGER NOT NULL, amount INTEGER NOT NULL);
CREATE INDEX raw_entries_account ON raw_entries (account, id);
WITH RECURSIVE c (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < 9999) INSERT INTO raw_accounts (id) SELECT i FROM c;
`

// rawLedgerSQLite measures o.Batch transfers per transaction: the rows that the transfers of
// PostgreSQL write, one statement each, because nothing travels.
func (own *room) rawLedgerSQLite(ctx context.Context, o *Options) (*Sample, error) {
	w, err := own.openRawSQLite(ctx, rawLedgerTablesSQLite,
		"INSERT INTO raw_tx (ref, created_at) VALUES ('ref', ?)",
		"INSERT INTO raw_entries (tx_id, account, amount) VALUES (?, ?, ?)",
		"UPDATE raw_accounts SET balance = balance + ?, version = version + 1 WHERE id = ?")
	if err != nil {
		return nil, err
	}
	defer w.close()
	const transfer, entry, balance = 0, 1, 2
	clock := hyperlocal.SystemClock{}
	l := o.load()
	l.clients = 1
	return l.run(ctx, func(ctx context.Context, _ int, pick func(int) int) error {
		return w.commit(ctx, func() error {
			for range o.Batch {
				id, err := w.insert(ctx, transfer, clock.Now().UnixMicro())
				if err != nil {
					return err
				}
				from, to := pair(pick, o.Items)
				for account, amount := range map[int]int{from: -10, to: 10} {
					if _, err := w.do(ctx, entry, id, account, amount); err != nil {
						return err
					}
					if _, err := w.do(ctx, balance, amount, account); err != nil {
						return err
					}
				}
			}
			return nil
		})
	})
}

// rawSelectSQLite reads one row by its key, from as many connections as ours reads with.
func (own *room) rawSelectSQLite(ctx context.Context, o *Options) (*Sample, error) {
	w, err := own.openRawSQLite(ctx, rawOrderTablesSQLite)
	if err != nil {
		return nil, err
	}
	w.close()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(own.dir, "raw.db"))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	db.SetMaxOpenConns(readers)
	db.SetMaxIdleConns(readers)
	st, err := db.PrepareContext(ctx, `SELECT on_hand FROM raw_stock WHERE item = ?`) //nolint:sqlclosecheck // in the next lines
	if err != nil {
		return nil, err
	}
	defer st.Close()
	return o.load().run(ctx, func(ctx context.Context, _ int, pick func(int) int) error {
		var onHand int64
		return st.QueryRowContext(ctx, pick(o.Items)).Scan(&onHand)
	})
}

// readers is how many connections ours reads a SQLite file with, see bunstore.WithPool.
const readers = 4
