package memstore

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
)

var (
	errTxRequired = hyperlocal.NewError(hyperlocal.CodeInternal, "tx/required",
		"this method must be called inside WithinTx, with the ctx that it gave to its closure")
	errTxFinished = hyperlocal.NewError(hyperlocal.CodeInternal, "tx/finished",
		"the transaction in this context has ended; its ctx must not leave the closure")
	errLockOrder = hyperlocal.NewError(hyperlocal.CodeInternal, "tx/lock_order",
		"locks are taken against the one lock order, which can deadlock; see hyperlocal.Rank")
)

// tx is an open transaction. Changes are made in place at once; undo takes them back.
type tx struct {
	db       *DB
	undo     []func()
	after    []func()
	rank     hyperlocal.Rank
	finished bool
}

// txKey finds the transaction of one database in a context, also below another store's.
type txKey struct{ db *DB }

func (db *DB) txFrom(ctx context.Context) *tx {
	t, _ := ctx.Value(txKey{db}).(*tx)
	return t
}

// run executes the outermost closure with the gate held, and opens the gate again.
func (t *tx) run(ctx context.Context, fn func(ctx context.Context) error) (after []func(), err error) {
	committed := false
	defer func() { // also on panic and runtime.Goexit
		if !committed {
			t.revert(0)
		}
		t.finished = true
		t.db.gate.unlock(true)
	}()
	inner := hyperlocal.ContextWithTx(context.WithValue(ctx, txKey{t.db}, t), t)
	if err := fn(inner); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, cancelled(err)
	}
	committed = true
	return t.after, nil
}

// join executes a closure inside the open transaction and undoes it alone if it fails.
func (t *tx) join(ctx context.Context, fn func(ctx context.Context) error) error {
	if t.finished {
		return errTxFinished
	}
	changes, wakes := len(t.undo), len(t.after)
	done := false
	defer func() { // also on a panic, which somebody above may yet stop
		if !done {
			t.revert(changes)
			t.after = t.after[:wakes]
		}
	}()
	if err := fn(ctx); err != nil {
		return err
	}
	done = true
	return nil
}

// revert takes back every change after the first n, latest first.
func (t *tx) revert(n int) {
	for i := len(t.undo) - 1; i >= n; i-- {
		t.undo[i]()
	}
	clear(t.undo[n:])
	t.undo = t.undo[:n]
}

// AfterCommit implements [hyperlocal.TxState].
func (t *tx) AfterCommit(fn func()) bool {
	t.after = append(t.after, fn)
	return true
}

// lock records that rows of the given rank are about to be locked. With [WithRankCheck] a
// descent fails. Call it where the same store on PostgreSQL would lock rows.
func (t *tx) lock(rank hyperlocal.Rank) error {
	if !t.db.rankCheck {
		return nil
	}
	if rank < t.rank {
		return errLockOrder.With("held", t.rank).With("wanted", rank)
	}
	t.rank = rank
	return nil
}
