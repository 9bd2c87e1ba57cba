package main

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver, named "pgx"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	_ "modernc.org/sqlite" // the driver, named "sqlite"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/bunstore"
)

// host is what a service has before it embeds the SDK: a pool, bun, a table.
type host struct {
	db      *sql.DB
	bun     *bun.DB
	dialect bunstore.Dialect
	close   func()
}

// openHost opens the host's database and makes its table. "" is a temporary SQLite file.
func openHost(ctx context.Context, dsn string) (*host, error) {
	h := &host{dialect: bunstore.Postgres}
	var err error
	if dsn != "" {
		if h.db, err = sql.Open("pgx", dsn); err != nil {
			return nil, err
		}
		h.bun = bun.NewDB(h.db, pgdialect.New())
		h.close = func() { _ = h.db.Close() }
	} else {
		dir, err := os.MkdirTemp("", "host_tx-")
		if err != nil {
			return nil, err
		}
		// What the SDK would set if it opened the file itself; see bunstore.New.
		h.db, err = sql.Open("sqlite", "file:"+filepath.Join(dir, "host.db")+"?_txlock=immediate&_pragma=busy_timeout(5000)"+
			"&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)")
		if err != nil {
			return nil, err
		}
		h.dialect, h.bun = bunstore.SQLite, bun.NewDB(h.db, sqlitedialect.New())
		h.close = func() { _ = h.db.Close(); _ = os.RemoveAll(dir) }
	}
	if _, err := h.db.ExecContext(ctx, "CREATE TABLE host_visits (name text NOT NULL)"); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}
