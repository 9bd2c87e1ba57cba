package bunstore

import (
	"context"
	"database/sql"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"
)

// rawConn is what *sql.DB, *sql.Conn and *sql.Tx have in common.
type rawConn interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// db returns bun's query builder over the transaction in ctx, after a flush, or else over
// the pool, for what is not hot. Tables are named without a schema; it is added here. Times
// in models are of type [stamp]. An error of bun passes through wrapped, see [Store.classify].
// It takes ctx to read like the other methods; the queries are given it again when they run.
func (s *Store) db(_ context.Context) bun.IDB { //nolint:ireturn // bun's own interface for what builds queries
	return builder{DB: s.bun, conn: via{s}}
}

// builder is bun's DB with every query sent through the store.
type builder struct {
	*bun.DB

	conn via
}

var _ bun.IDB = builder{}

func (b builder) NewValues(model any) *bun.ValuesQuery { return b.DB.NewValues(model).Conn(b.conn) }
func (b builder) NewSelect() *bun.SelectQuery          { return b.DB.NewSelect().Conn(b.conn) }
func (b builder) NewInsert() *bun.InsertQuery          { return b.DB.NewInsert().Conn(b.conn) }
func (b builder) NewUpdate() *bun.UpdateQuery          { return b.DB.NewUpdate().Conn(b.conn) }
func (b builder) NewDelete() *bun.DeleteQuery          { return b.DB.NewDelete().Conn(b.conn) }
func (b builder) NewMerge() *bun.MergeQuery            { return b.DB.NewMerge().Conn(b.conn) }
func (b builder) NewRaw(query string, args ...any) *bun.RawQuery {
	return b.DB.NewRaw(query, args...).Conn(b.conn)
}

func (b builder) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return b.conn.ExecContext(ctx, b.format(query, args))
}

func (b builder) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return b.conn.QueryContext(ctx, b.format(query, args))
}

func (b builder) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return b.conn.QueryRowContext(ctx, b.format(query, args))
}

func (b builder) format(query string, args []any) string {
	return b.DB.QueryGen().FormatQuery(query, args...)
}

// BeginTx refuses: transactions are opened with WithinTx.
func (b builder) BeginTx(context.Context, *sql.TxOptions) (bun.Tx, error) {
	return bun.Tx{}, internal("store/begin", "open transactions with WithinTx")
}

// RunInTx refuses: transactions are opened with WithinTx.
func (b builder) RunInTx(context.Context, *sql.TxOptions, func(context.Context, bun.Tx) error) error {
	return internal("store/begin", "open transactions with WithinTx")
}

// Dialect implements bun.IDB.
func (b builder) Dialect() schema.Dialect { //nolint:ireturn // bun's interface asks for it
	return b.DB.Dialect()
}

// via sends what bun built through the executor of the context.
type via struct{ s *Store }

// route finds the executor and readies it; done notes the outcome.
//
//nolint:ireturn // one of *sql.DB, *sql.Conn and *sql.Tx
func (v via) route(ctx context.Context, modifies bool) (on rawConn, done func(error) error, err error) {
	s := v.s
	if t := s.txn(ctx); t != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		if err := t.usable(ctx); err != nil {
			return nil, nil, err
		}
		if err := t.flushLocked(ctx); err != nil {
			return nil, nil, err
		}
		if err := t.on.start(ctx); err != nil {
			return nil, nil, t.fail(err)
		}
		if modifies {
			t.queued++
			t.sent = t.queued
		}
		t.count++
		return t.on.raw(), func(err error) error {
			if err == nil {
				return nil
			}
			t.mu.Lock()
			defer t.mu.Unlock()
			return t.fail(s.classify(err))
		}, nil
	}
	if h := s.hostTx(ctx); h != nil {
		if err := h.err(); err != nil {
			return nil, nil, err
		}
		return h.tx, s.classify, nil
	}
	if modifies {
		return nil, nil, errTxRequired
	}
	if err := s.readable(ctx); err != nil {
		return nil, nil, err
	}
	return s.pool, s.classify, nil
}

func (v via) prepare(text string) (string, bool) {
	var words []string
	for i := 0; i < len(text); {
		tok := next(text, i)
		i += len(tok)
		if isWord(tok) {
			words = append(words, strings.ToUpper(tok))
		}
	}
	return qualify(text, v.s.schema), !isRead(words)
}

func (v via) ExecContext(ctx context.Context, text string, _ ...any) (sql.Result, error) {
	text, modifies := v.prepare(text)
	on, done, err := v.route(ctx, modifies)
	if err != nil {
		return nil, err
	}
	v.s.sent(text)
	res, err := on.ExecContext(ctx, text)
	return res, done(err)
}

func (v via) QueryContext(ctx context.Context, text string, _ ...any) (*sql.Rows, error) {
	text, modifies := v.prepare(text)
	on, done, err := v.route(ctx, modifies)
	if err != nil {
		return nil, err
	}
	v.s.sent(text)
	rows, err := on.QueryContext(ctx, text)
	return rows, done(err)
}

// QueryRowContext is here because bun's interface has it; its builders do not call it. An
// error before the query shows as a cancelled row.
func (v via) QueryRowContext(ctx context.Context, text string, _ ...any) *sql.Row {
	text, modifies := v.prepare(text)
	on, _, err := v.route(ctx, modifies)
	if err != nil {
		ended, cancel := context.WithCancelCause(ctx)
		cancel(err)
		return v.s.pool.QueryRowContext(ended, text) //nolint:gosec // never sent: the context has ended
	}
	v.s.sent(text)
	return on.QueryRowContext(ctx, text)
}
