package app

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// ownSecret is the secret of a database that ends with its process.
type ownSecret struct {
	mu   sync.Mutex
	text string
}

// secret returns the one secret of a database, which is the candidate of whoever asks first. It
// lives in a table of this program's own, because nothing that the SDK keeps is kept for ever.
func (d *Database) secret(ctx context.Context, candidate string) (string, error) {
	path, file := strings.CutPrefix(d.dsn, "sqlite:")
	switch {
	case d.dsn == "" || path == ":memory:": // nobody else can see it
		d.known.mu.Lock()
		defer d.known.mu.Unlock()
		if d.known.text == "" {
			d.known.text = candidate
		}
		return d.known.text, nil
	case file:
		db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+
			"?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=synchronous(FULL)")
		if err != nil {
			return "", err
		}
		return firstSecret(ctx, db, "", "refserver_secret", candidate)
	}
	config, err := pgx.ParseConfig(d.dsn)
	if err != nil { // the error may repeat the DSN
		return "", errDSN
	}
	// Two servers that start at once must not both create the table.
	return firstSecret(ctx, stdlib.OpenDB(*config), "SELECT pg_advisory_xact_lock(8471203556)", "public.refserver_secret", candidate)
}

var errDSN = errors.New("the DSN cannot be read")

// firstSecret reads the secret in the table, which it fills if it is empty, and closes db.
func firstSecret(ctx context.Context, db *sql.DB, lock, table, candidate string) (secret string, err error) {
	defer func() { err = errors.Join(err, db.Close()) }()
	var options *sql.TxOptions
	if lock != "" { // whoever waited for the lock must see what the other one wrote
		options = &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	}
	tx, err := db.BeginTx(ctx, options)
	if err != nil {
		return "", err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	for _, text := range []string{
		lock,
		"CREATE TABLE IF NOT EXISTS " + table + " (id integer PRIMARY KEY CHECK (id = 1), secret text NOT NULL)",
	} {
		if text == "" {
			continue
		}
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return "", err
		}
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO "+table+" (id, secret) VALUES (1, $1) ON CONFLICT DO NOTHING", //nolint:gosec // a constant's name
		candidate); err != nil {
		return "", err
	}
	if err := tx.QueryRowContext(ctx, "SELECT secret FROM "+table).Scan(&secret); err != nil {
		return "", err
	}
	return secret, tx.Commit()
}
