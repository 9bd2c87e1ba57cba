package bunstore

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/internal/goroutine"
)

var (
	errTxRequired = internal("tx/required",
		"this method must be called inside WithinTx, with the ctx that it gave to its closure")
	errTxFinished = internal("tx/finished",
		"the transaction in this context has ended; its ctx must not leave the closure")
	errLockOrder = internal("tx/lock_order",
		"locks are taken against the one lock order, which can deadlock; see hyperlocal.Rank")
	errNested = internal("tx/nested_without_ctx",
		"the store was called inside a transaction's closure with a context that lacks the transaction; "+
			"pass on the ctx that WithinTx gave to the closure")
	errPartial = internal("tx/partly_sent",
		"a joined closure failed after some of its writes had been sent, so the whole transaction can only roll back; "+
			"return the error instead of going on")
)

// errLeft stands for the error of a closure that was left without one.
var errLeft error = internal("tx/left", "a closure panicked")

// txn is an open transaction of ours: on a connection of our own, or a savepoint in a
// host's transaction.
type txn struct {
	s    *Store
	on   session
	host bool

	mu     sync.Mutex // one statement at a time; guards what follows
	queue  []queued
	queued int   // writes enqueued so far
	sent   int   // of these, how many have been sent; direct changes count as both
	count  int   // statements sent
	doom   error // a statement failed: nothing more is sent, nothing commits
	retry  bool  // the failure is one that running everything again can cure
	after  []func()
	rank   hyperlocal.Rank
	// notes is what stores remember about the transaction; it is forgotten when part of the
	// transaction is taken back.
	notes    map[any]any
	finished bool

	mayPresume bool // see [hyperlocal.Presume]
	presumed   bool
	claimed    int  // place of the last write that shows whether it was right
	unverified bool // such a write has been taken back
	hurried    bool // the server has been told not to wait for others for long
}

// txKey finds the transaction of one store in a context, also below another store's.
type txKey struct{ s *Store }

func (s *Store) txn(ctx context.Context) *txn {
	t, _ := ctx.Value(txKey{s}).(*txn)
	return t
}

// WithinTx implements [hyperlocal.TxRunner].
//
// It joins the transaction of this store in ctx. Else, in a host's transaction (see
// [Store.WithTx]), fn runs in a savepoint: its writes are sent before WithinTx returns, and
// on an error the host's transaction is as it was before. Else it runs in a transaction of
// its own, again from the start when it lost to another one, at most ten times (see [WithRetries]);
// a first run that presumed what is not so (see [hyperlocal.Presume]) is not counted.
//
// If fn fails or panics, or ctx ends before the commit, everything is rolled back. A joined
// closure that fails takes back what it had queued; if some of that had been sent already,
// the whole transaction can only roll back (reason "tx/partly_sent"). After a failed
// statement nothing else is accepted.
//
// Errors: those of fn as they are; "tx/retry" (conflict) when the attempts are used up, or
// in a host's transaction at once; "store/unavailable"; "store/busy" (unavailable) when
// SQLite's writer was not free in time; "tx/cancelled" (deadline) when ctx ended;
// "store/commit_unknown" (unknown_outcome) when the connection broke during the commit;
// "tx/nested_without_ctx" (internal) inside another closure with a ctx that lacks it.
func (s *Store) WithinTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if t := s.txn(ctx); t != nil {
		return t.join(ctx, fn)
	}
	if h := s.hostTx(ctx); h != nil {
		return s.withinHost(ctx, h, fn)
	}
	if err := s.verify(ctx); err != nil {
		return err
	}
	me := goroutine.ID()
	if s.open.has(me) {
		return errNested
	}
	lost := 0 // since it was our turn
	leave := func() {}
	defer func() { leave() }() //nolint:gocritic // leave is set further down
	presume := s.doubts.confident()
	for attempt := 1; ; attempt++ {
		again, err := s.attempt(ctx, me, presume, fn)
		if again == surely { // at once, and it was no attempt
			s.doubts.raise()
			presume = false
			attempt--
			continue
		}
		if again == never || attempt == s.retries {
			return err
		}
		presume = false
		lost++
		if e := s.pause(ctx, lost); e != nil {
			return e
		}
		if attempt == freeTries {
			leave = s.turn(ctx)
			lost = 0
		}
	}
}

// again tells whether a transaction that failed is worth another run.
type again uint8

const (
	never  again = iota
	maybe        // it lost to another one
	surely       // it went by something that was perhaps not so
)

func againIf(err error) again {
	if errors.Is(err, hyperlocal.ErrTxRetry) {
		return maybe
	}
	return never
}

// doubts keeps those who presume wrongly from running everything twice: after one failure the
// next transactions ask first.
type doubts struct{ left atomic.Int32 }

const doubtful = 16 // transactions

func (d *doubts) raise() { d.left.Store(doubtful) }

func (d *doubts) confident() bool { return d.left.Load() <= 0 || d.left.Add(-1) < 0 }

// Presume lets [hyperlocal.Presume] know.
func (t *txn) Presume(scope hyperlocal.Scope) bool {
	if scope != t.s.TxScope() {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.presumed = t.presumed || t.mayPresume
	return t.mayPresume
}

// freeTries is how often a transaction is run regardless of others that lose. Those that lost
// so often take turns: else, on rows that everybody wants, all would lose to each other until
// their attempts are used up. turnPatience bounds the wait, so that a turn held for long, in
// another process's way or around a transaction of another store, only slows things down.
const (
	freeTries    = 2
	turnPatience = time.Second
)

// turn waits until no other loser is running, and returns what ends the turn.
func (s *Store) turn(ctx context.Context) (leave func()) {
	timer := time.NewTimer(turnPatience)
	defer timer.Stop()
	select {
	case s.losers <- struct{}{}:
		return func() { <-s.losers }
	case <-timer.C:
	case <-ctx.Done(): // the next attempt says so
	}
	return func() {}
}

// pause waits before the next attempt: at most 8, 16, 32, 64 and then 128 ms, three quarters of
// it random, so that those who got in each other's way come back one by one.
func (s *Store) pause(ctx context.Context, attempt int) error {
	gap := 4 * time.Millisecond << min(attempt, 5)
	gap = gap/4 + time.Duration(hyperlocal.RandomUint64()%uint64(gap*3/4))
	timer := time.NewTimer(gap)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return cancelled(ctx.Err())
	}
}

// attempt runs fn once in a transaction of its own.
func (s *Store) attempt(ctx context.Context, me uint64, presume bool, fn func(ctx context.Context) error) (again, error) {
	on, err := s.begin(ctx)
	if err != nil {
		return againIf(err), err
	}
	t := &txn{s: s, on: on, mayPresume: presume}
	committed := false
	s.open.add(me)
	defer func() { // also on panic and runtime.Goexit
		s.open.remove(me)
		t.mu.Lock()
		t.finished = true
		t.mu.Unlock()
		if !committed {
			on.rollback(ctx)
		}
		on.release()
		if committed {
			for _, f := range t.after {
				f()
			}
		}
	}()
	if err := fn(s.inside(ctx, t)); err != nil {
		return t.verdict(ctx, err)
	}
	if err := t.finish(ctx); err != nil {
		return t.verdict(ctx, err)
	}
	committed = true
	return never, nil
}

// verdict decides what a failed closure means for the whole transaction.
func (t *txn) verdict(ctx context.Context, err error) (again, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.presumed {
		switch right, sure := t.verify(ctx, err); {
		case !sure && t.doom != nil:
			return never, t.doom
		case !sure:
			return never, cancelled(ctx.Err())
		case !right:
			return surely, err
		}
	}
	if t.retry {
		if errors.Is(err, hyperlocal.ErrTxRetry) {
			return maybe, err
		}
		return maybe, t.doom
	}
	return againIf(err), err
}

// verify finds out whether the transaction failed without regard to what it presumed: if the
// closure refused, its reasons may rest on that, so what it had queued is sent, to be rolled
// back. If even that cannot be found out, it is not sure. It is called with mu held.
func (t *txn) verify(ctx context.Context, err error) (right, sure bool) {
	elsewhere := func(err error) bool { // it has nothing to do with what is stored
		return hyperlocal.IsCode(err, hyperlocal.CodeUnknownOutcome) || hyperlocal.IsCode(err, hyperlocal.CodeUnavailable) ||
			hyperlocal.IsCode(err, hyperlocal.CodeDeadline)
	}
	switch {
	case t.doom != nil: // a statement failed, the last ones included
		return elsewhere(t.doom), true
	case t.unverified, errors.Is(err, hyperlocal.ErrTxRetry):
		return false, true
	case ctx.Err() != nil:
		return true, errors.Is(err, ctx.Err()) || hyperlocal.IsCode(err, hyperlocal.CodeDeadline)
	case t.flushLocked(ctx) == nil:
		return true, true
	}
	return false, !elsewhere(t.doom)
}

func (s *Store) inside(ctx context.Context, t *txn) context.Context {
	return hyperlocal.ContextWithTx(context.WithValue(ctx, txKey{s}, t), t)
}

// join runs a closure inside the open transaction.
func (t *txn) join(ctx context.Context, fn func(ctx context.Context) error) error {
	t.mu.Lock()
	if t.finished {
		t.mu.Unlock()
		return errTxFinished
	}
	mark, wakes := t.queued, len(t.after)
	t.mu.Unlock()
	cause := errLeft // by panic or runtime.Goexit, which somebody above may yet stop
	defer func() {
		if cause != nil {
			t.takeBack(mark, wakes, cause)
		}
	}()
	cause = fn(ctx)
	return cause
}

// takeBack undoes what a joined closure queued, or dooms the transaction if it is too late
// for that.
func (t *txn) takeBack(mark, wakes int, cause error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.after = t.after[:min(wakes, len(t.after))]
	t.unverified = t.unverified || t.claimed > mark
	switch {
	case t.doom != nil:
	case t.sent > mark:
		t.doom = errPartial.WithCause(cause)
	default:
		t.notes = nil // they may tell of what is taken back
		for len(t.queue) > 0 && t.queue[len(t.queue)-1].n > mark {
			t.queue = t.queue[:len(t.queue)-1]
		}
		t.queued = mark
	}
}

// AfterCommit implements [hyperlocal.TxState].
func (t *txn) AfterCommit(fn func()) bool {
	if t.host {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.after = append(t.after, fn)
	return true
}

// fail notes that a statement failed, which ends the transaction. It is called with mu held.
func (t *txn) fail(err error) error {
	if t.doom == nil {
		t.doom = err
		t.retry = errors.Is(err, hyperlocal.ErrTxRetry)
	}
	return err
}

// usable is called with mu held.
func (t *txn) usable(ctx context.Context) error {
	switch {
	case t.finished:
		return errTxFinished
	case t.doom != nil:
		return t.doom
	}
	if err := ctx.Err(); err != nil {
		return cancelled(err)
	}
	return nil
}

// lock records that rows of the given rank are about to be locked. Call it before every
// locking read and every claim. With [WithRankCheck] a descent fails. Outside a transaction
// it fails with "tx/required": a lock without one protects nothing.
func (s *Store) lock(ctx context.Context, rank hyperlocal.Rank) error {
	t := s.txn(ctx)
	if t == nil {
		if s.hostTx(ctx) != nil {
			return nil
		}
		return errTxRequired
	}
	if !s.rankCheck {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if rank < t.rank {
		return errLockOrder.With("held", t.rank).With("wanted", rank)
	}
	t.rank = rank
	return nil
}

// inTx reports "tx/required" outside a transaction.
func (s *Store) inTx(ctx context.Context) error {
	if s.txn(ctx) == nil && s.hostTx(ctx) == nil {
		return errTxRequired
	}
	return nil
}

// restart begins the transaction anew after its first statement failed, when nothing is lost
// by it.
func (t *txn) restart(ctx context.Context) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count != 1 || t.finished || !t.on.reset(ctx) {
		return false
	}
	t.count, t.doom, t.retry, t.notes = 0, nil, false, nil
	return true
}

// attempt runs fn behind a savepoint; an error takes back what fn sent and leaves the
// transaction usable. fn must not queue writes.
func (t *txn) attempt(ctx context.Context, fn func() error) error {
	if err := t.control(ctx, "SAVEPOINT hc_part"); err != nil {
		return err
	}
	err := fn()
	if err == nil {
		return t.control(ctx, "RELEASE SAVEPOINT hc_part")
	}
	t.mu.Lock()
	t.doom, t.retry = nil, false
	t.mu.Unlock()
	if e := t.control(ctx, "ROLLBACK TO SAVEPOINT hc_part; RELEASE SAVEPOINT hc_part"); e != nil {
		return e
	}
	return err
}

func (t *txn) control(ctx context.Context, text string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.usable(ctx); err != nil {
		return err
	}
	t.count++
	if err := t.on.control(ctx, text); err != nil {
		return t.fail(t.s.classify(err))
	}
	return nil
}

func cancelled(err error) error {
	return hyperlocal.NewError(hyperlocal.CodeDeadline, "tx/cancelled",
		"the caller's context ended; nothing was changed").WithCause(err)
}

// openTransactions knows which goroutines are inside a closure.
type openTransactions struct{ m sync.Map }

func (o *openTransactions) add(id uint64) {
	if id != 0 {
		o.m.Store(id, struct{}{})
	}
}

func (o *openTransactions) remove(id uint64) { o.m.Delete(id) }

func (o *openTransactions) has(id uint64) bool {
	if id == 0 {
		return false
	}
	_, ok := o.m.Load(id)
	return ok
}

// session is what a transaction's statements are sent through: all that differs between a
// connection of our own and a host's transaction.
type session interface {
	// start begins what has only been promised so far.
	start(ctx context.Context) error
	exec(ctx context.Context, text string, args []any) (int64, error)
	// again is exec without a word to the hook.
	again(ctx context.Context, text string, args []any) (int64, error)
	// control sends a statement that is never prepared: SAVEPOINT and its like.
	control(ctx context.Context, text string) error
	// query says nothing to the hook either.
	query(ctx context.Context, text string, args []any) (*sql.Rows, error)
	commit(ctx context.Context) error
	rollback(ctx context.Context)
	release()
	// reset undoes everything and begins anew; it reports whether that was possible.
	reset(ctx context.Context) bool
	raw() rawConn
}
