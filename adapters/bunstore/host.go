package bunstore

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"sync"

	"github.com/uptrace/bun"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/internal/goroutine"
)

// HostOption changes how calls behave in a host's transaction.
type HostOption func(*hostTx)

// WithoutSavepoint saves the two round trips of a savepoint per call. In return an error of
// any call means that the host must roll its transaction back; later calls refuse to work
// in it (reason "tx/host_must_roll_back").
func WithoutSavepoint() HostOption { return func(h *hostTx) { h.bare = true } }

// WithTx returns a context in which everything that goes through this store happens in the
// host's transaction: it commits and rolls back with the host's own rows.
//
//	err := db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
//		if _, err := tx.NewInsert().Model(&mine).Exec(ctx); err != nil {
//			return err
//		}
//		_, err := orders.Place(store.WithTx(ctx, tx), command)
//		return err
//	})
//
// Each outermost service call runs in a savepoint and has sent all its writes when it
// returns; on an error the transaction is as it was before the call, so a host may handle
// the error and go on. A conflict that only running everything again can solve comes back as
// [hyperlocal.ErrTxRetry]. What is registered with [hyperlocal.AfterCommit] never runs.
// Calls with the same context take turns.
//
// The transaction must be one on this store's database, by the same driver.
func (s *Store) WithTx(ctx context.Context, tx bun.Tx, opts ...HostOption) context.Context {
	return s.WithSQLTx(ctx, tx.Tx, opts...)
}

// WithSQLTx is [Store.WithTx] for a transaction of database/sql.
func (s *Store) WithSQLTx(ctx context.Context, tx *sql.Tx, opts ...HostOption) context.Context {
	h := &hostTx{s: s, tx: tx, turn: make(chan struct{}, 1)}
	for _, o := range opts {
		o(h)
	}
	return hyperlocal.ContextWithTx(context.WithValue(ctx, hostKey{s}, h), h)
}

type hostKey struct{ s *Store }

// hostTx is a host's transaction that this store works in.
type hostTx struct {
	s    *Store
	tx   *sql.Tx
	bare bool

	turn  chan struct{} // holds one element while a call is under way
	calls int           // guarded by turn

	mu     sync.Mutex
	owner  uint64 // goroutine of the call under way
	failed error  // set when the host can only roll back
}

var errHostFailed = hyperlocal.NewError(hyperlocal.CodePrecondition, "tx/host_must_roll_back",
	"an earlier call in this transaction failed; roll it back")

func (s *Store) hostTx(ctx context.Context) *hostTx {
	h, _ := ctx.Value(hostKey{s}).(*hostTx)
	return h
}

// AfterCommit implements [hyperlocal.TxState]: the store does not see the host's commit.
func (h *hostTx) AfterCommit(func()) bool { return false }

// enter waits for the call before and refuses a call from inside it.
func (h *hostTx) enter(ctx context.Context) error {
	me := goroutine.ID()
	h.mu.Lock()
	nested := me != 0 && h.owner == me
	h.mu.Unlock()
	if nested {
		return errNested
	}
	select {
	case h.turn <- struct{}{}:
	case <-ctx.Done():
		return cancelled(ctx.Err())
	}
	h.mu.Lock()
	h.owner = me
	h.mu.Unlock()
	if err := h.err(); err != nil {
		h.leave()
		return err
	}
	return nil
}

func (h *hostTx) leave() {
	h.mu.Lock()
	h.owner = 0
	h.mu.Unlock()
	<-h.turn
}

// err tells whether the host can only roll back.
func (h *hostTx) err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failed
}

func (h *hostTx) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed = err
}

func (s *Store) withinHost(ctx context.Context, h *hostTx, fn func(ctx context.Context) error) error {
	if err := h.enter(ctx); err != nil {
		return err
	}
	defer h.leave()
	if err := ctx.Err(); err != nil {
		return cancelled(err)
	}
	on := &hostSession{h: h}
	if !h.bare {
		h.calls++
		on.name = "hc_" + strconv.Itoa(h.calls)
		if err := on.control(ctx, "SAVEPOINT "+on.name); err != nil {
			if err = s.classify(err); errors.Is(err, errAborted) {
				return errHostFailed.WithCause(err) // a statement of the host's own
			}
			return err
		}
	}
	t := &txn{s: s, on: on, host: true}
	kept := false
	defer func() { // also on panic and runtime.Goexit
		t.mu.Lock()
		t.finished = true
		t.mu.Unlock()
		if !kept {
			on.rollback(ctx)
		}
	}()
	if err := fn(s.inside(ctx, t)); err != nil {
		_, err = t.verdict(ctx, err)
		return err
	}
	if err := t.flush(ctx); err != nil {
		_, err = t.verdict(ctx, err)
		return err
	}
	if err := ctx.Err(); err != nil {
		return cancelled(err)
	}
	if err := on.commit(ctx); err != nil {
		return err
	}
	kept = true
	return nil
}

// queryHost reads in the host's transaction, outside any call.
func (s *Store) queryHost(ctx context.Context, h *hostTx, st *statement, args []any, scan func(rows row) error) error {
	if st.modifies {
		return s.WithinTx(ctx, func(ctx context.Context) error {
			return s.txn(ctx).query(ctx, st, args, scan)
		})
	}
	if err := h.enter(ctx); err != nil {
		return err
	}
	defer h.leave()
	s.sent(st.text)
	rows, err := (&hostSession{h: h}).query(ctx, st.text, args)
	if err != nil {
		return s.classify(err)
	}
	err, ours := each(rows, scan)
	if err != nil && ours {
		return s.classify(err)
	}
	return err
}

// hostSession is one call in a host's transaction: a savepoint, unless the host does without.
type hostSession struct {
	h    *hostTx
	name string
}

func (o *hostSession) exec(ctx context.Context, text string, args []any) (int64, error) {
	o.h.s.sent(text)
	return o.again(ctx, text, args)
}

func (o *hostSession) again(ctx context.Context, text string, args []any) (int64, error) {
	res, err := o.h.tx.ExecContext(quiet(ctx, o.h.s.dialect), text, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (o *hostSession) query(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	return o.h.tx.QueryContext(ctx, text, args...)
}

func (o *hostSession) control(ctx context.Context, text string) error {
	_, err := o.exec(ctx, text, nil)
	return err
}

func (o *hostSession) reset(ctx context.Context) bool {
	return o.name != "" && o.control(ctx, "ROLLBACK TO SAVEPOINT "+o.name) == nil
}

func (o *hostSession) raw() rawConn { //nolint:ireturn // the interface is what *sql.Tx and *sql.Conn share
	return o.h.tx
}

// commit keeps what was done since the savepoint.
func (o *hostSession) commit(ctx context.Context) error {
	if o.name == "" {
		return nil
	}
	return o.h.s.classify(o.control(ctx, "RELEASE SAVEPOINT "+o.name))
}

// rollback brings the host's transaction back to the savepoint.
func (o *hostSession) rollback(ctx context.Context) {
	if o.name == "" {
		o.h.fail(errHostFailed)
		return
	}
	err := o.control(context.WithoutCancel(ctx), "ROLLBACK TO SAVEPOINT "+o.name+"; RELEASE SAVEPOINT "+o.name)
	if err != nil && !errors.Is(err, sql.ErrTxDone) {
		o.h.fail(errHostFailed.WithCause(err))
	}
}

func (o *hostSession) release() {}

func (o *hostSession) start(context.Context) error { return nil }
