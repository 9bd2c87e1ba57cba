package memstore

import (
	"context"
	"reflect"
	"sync"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// DB is an in-memory database: a [hyperlocal.TxRunner] that the stores of all contexts hang
// off. It is safe for concurrent use.
type DB struct {
	gate      gate
	rankCheck bool
	clock     hyperlocal.Clock

	mu    sync.Mutex
	parts map[reflect.Type]any
}

// Option changes how a DB is made.
type Option func(*DB)

// WithRankCheck makes a transaction fail that locks against the order of
// [hyperlocal.Rank]: code internal, reason "tx/lock_order". For tests. Nothing can deadlock
// here, but what passes is then known not to deadlock on PostgreSQL either.
func WithRankCheck() Option { return func(db *DB) { db.rankCheck = true } }

// WithClock sets the clock for what the store itself stamps: created and seen times. The
// default is the system's.
func WithClock(c hyperlocal.Clock) Option { return func(db *DB) { db.clock = c } }

// New returns an empty database.
func New(opts ...Option) *DB {
	db := &DB{parts: make(map[reflect.Type]any), clock: hyperlocal.SystemClock{}}
	for _, o := range opts {
		o(db)
	}
	return db
}

var (
	_ hyperlocal.TxRunner = (*DB)(nil)
	_ hyperlocal.Scoped   = (*DB)(nil)
)

// TxScope implements [hyperlocal.Scoped]: everything in one DB commits together.
func (db *DB) TxScope() hyperlocal.Scope { return db }

// WithinTx implements [hyperlocal.TxRunner]. One transaction runs at a time. If fn fails,
// panics, or the context ends before the commit, everything it did is undone. A joined
// closure that fails undoes its own changes, so an outer closure may handle the error and go
// on. Nothing is ever run twice.
//
// Called inside a closure with a context that lacks the transaction, it fails at once with
// code internal, reason "tx/nested_without_ctx".
func (db *DB) WithinTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if t := db.txFrom(ctx); t != nil {
		return t.join(ctx, fn)
	}
	if err := db.gate.lock(ctx, true); err != nil {
		return err
	}
	t := &tx{db: db}
	after, err := t.run(ctx, fn)
	if err != nil {
		return err
	}
	for _, f := range after {
		f()
	}
	return nil
}

// part returns the part of the database that belongs to one context's file, made on first
// use. Its type is its key, so each file declares its own struct.
func part[T any](db *DB, create func() *T) *T {
	key := reflect.TypeFor[T]()
	db.mu.Lock()
	defer db.mu.Unlock()
	if p, ok := db.parts[key].(*T); ok {
		return p
	}
	p := create()
	db.parts[key] = p
	return p
}

// write runs fn in the transaction of ctx, or in one of its own. An error of fn undoes what
// fn did.
func (db *DB) write(ctx context.Context, fn func(tx *tx) error) error {
	return db.WithinTx(ctx, func(ctx context.Context) error {
		t, err := db.must(ctx)
		if err != nil {
			return err
		}
		return fn(t)
	})
}

// must returns the transaction in ctx; code internal, reason "tx/required" without one.
func (db *DB) must(ctx context.Context) (*tx, error) {
	t := db.txFrom(ctx)
	if t == nil {
		return nil, errTxRequired
	}
	if t.finished {
		return nil, errTxFinished
	}
	return t, nil
}

// read runs fn while nobody else writes: inside a transaction it sees that transaction's
// own writes, elsewhere only what was committed. fn must not call the database again.
func (db *DB) read(ctx context.Context, fn func() error) error {
	if t := db.txFrom(ctx); t != nil {
		if t.finished {
			return errTxFinished
		}
		if err := ctx.Err(); err != nil {
			return cancelled(err)
		}
		return fn()
	}
	if err := db.gate.lock(ctx, false); err != nil {
		return err
	}
	defer db.gate.unlock(false)
	return fn()
}
