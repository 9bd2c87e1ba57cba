package bunstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// commitPatience bounds how long a commit may take once it has been sent; the caller's
// context no longer matters then, because leaving would only make the outcome unknown.
const commitPatience = 30 * time.Second

var errCommitUnknown = hyperlocal.NewError(hyperlocal.CodeUnknownOutcome, "store/commit_unknown",
	"the connection broke during the commit, so it may or may not have happened; ask again under the same key")

// ownSession is a transaction on a connection of this store's.
type ownSession struct {
	s      *Store
	conn   *sql.Conn
	broken bool
	leave  func()

	pgx *pgx.Conn // what is below conn, once asked for; see native
	// pending says that BEGIN is still to be sent.
	pending bool
}

// discard gives a connection back to its pool, or closes it if it is not to be used again.
func discard(conn *sql.Conn, broken bool) {
	if broken {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	_ = conn.Close()
}

// begin opens a transaction on a connection of the store's own.
func (s *Store) begin(ctx context.Context) (session, error) { //nolint:ireturn // a SQLite file has its own
	if s.dialect == SQLite {
		return s.beginSQLite(ctx)
	}
	conn, err := s.pool.Conn(ctx)
	if err != nil {
		return nil, s.classify(err)
	}
	o := &ownSession{s: s, conn: conn, pending: true}
	if o.native() { // BEGIN goes along with the first statement
		return o, nil
	}
	if err := o.start(ctx); err != nil {
		o.release()
		return nil, err
	}
	return o, nil
}

// beginSQLite waits for the gate's turn and opens a transaction.
func (s *Store) beginSQLite(ctx context.Context) (session, error) { //nolint:ireturn // as begin
	if err := s.gate.enter(ctx); err != nil {
		return nil, err
	}
	if s.writer != nil {
		o, err := s.beginFile(ctx)
		if err != nil {
			return nil, err
		}
		return o, nil
	}
	conn, err := s.pool.Conn(ctx)
	if err != nil {
		s.gate.exit()
		return nil, s.classify(err)
	}
	o := &ownSession{s: s, conn: conn, leave: s.gate.exit}
	if err := o.control(ctx, "BEGIN IMMEDIATE"); err != nil {
		o.broken = !isBusy(err)
		o.release()
		return nil, s.notBegun(err, o.broken)
	}
	return o, nil
}

// notBegun tells why SQLite refused to begin.
func (s *Store) notBegun(err error, broken bool) error {
	if !broken { // another process has had the file for the whole busy_timeout
		return errBusy.WithCause(err)
	}
	return s.classify(err)
}

// sent reports a statement to the hook.
func (s *Store) sent(text string) {
	if s.hook != nil {
		s.hook(text)
	}
}

// quiet is the context for a statement of a SQLite transaction. Those are short, and a
// context that can end makes the driver start a goroutine for each; the end of the caller's
// context is checked between statements instead.
func quiet(ctx context.Context, d Dialect) context.Context {
	if d == SQLite {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

func (o *ownSession) exec(ctx context.Context, text string, args []any) (int64, error) {
	o.s.sent(text)
	return o.again(ctx, text, args)
}

func (o *ownSession) again(ctx context.Context, text string, args []any) (int64, error) {
	if err := o.start(ctx); err != nil {
		return 0, err
	}
	res, err := o.conn.ExecContext(quiet(ctx, o.s.dialect), text, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (o *ownSession) query(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	if err := o.start(ctx); err != nil {
		return nil, err
	}
	return o.conn.QueryContext(ctx, text, args...)
}

// start sends the BEGIN that is still to be sent. A connection that died while it was idle
// shows it now; nothing has happened on it yet, so another one is tried.
func (o *ownSession) start(ctx context.Context) error {
	for tries := o.s.pool.Stats().Idle + 1; o.pending; tries-- {
		o.s.sent("BEGIN")
		_, err := o.conn.ExecContext(ctx, "BEGIN")
		if err == nil {
			o.pending = false
			return nil
		}
		if e := o.s.classify(err); tries <= 0 || ctx.Err() != nil || !errors.Is(e, errUnavailable) {
			o.broken = true
			return e
		}
		if err := o.replace(ctx); err != nil {
			return err
		}
	}
	return nil
}

// replace goes on with another connection.
func (o *ownSession) replace(ctx context.Context) error {
	o.broken = true
	discard(o.conn, true) // first: its place may be the only one
	conn, err := o.s.pool.Conn(ctx)
	if err != nil {
		return o.s.classify(err)
	}
	o.conn, o.pgx, o.broken = conn, nil, false
	o.native()
	return nil
}

func (o *ownSession) control(ctx context.Context, text string) error {
	if err := o.start(ctx); err != nil {
		return err
	}
	o.s.sent(text)
	_, err := o.conn.ExecContext(quiet(ctx, o.s.dialect), text)
	return err
}

func (o *ownSession) reset(ctx context.Context) bool {
	o.rollback(ctx)
	if o.broken {
		return false
	}
	if o.s.dialect == SQLite {
		return o.control(ctx, "BEGIN IMMEDIATE") == nil
	}
	o.pending = true
	return true
}

func (o *ownSession) raw() rawConn { //nolint:ireturn // the interface is what *sql.Tx and *sql.Conn share
	return o.conn
}

// native reports whether the connection is pgx's own, not wrapped by a tracing driver of the
// host's, and one that keeps prepared statements.
func (o *ownSession) native() bool {
	if o.pgx == nil && !o.s.foreign.Load() {
		_ = o.conn.Raw(func(dc any) error {
			if c, ok := dc.(*stdlib.Conn); ok && o.s.keepsStatements(c.Conn()) {
				o.pgx = c.Conn()
			}
			return nil
		})
		if o.pgx == nil {
			o.s.foreign.Store(true) // as all connections of the pool
		}
	}
	return o.pgx != nil
}

// keepsStatements tells whether connections of the pool may prepare statements: not behind
// some poolers, and then the DSN says so.
func (s *Store) keepsStatements(c *pgx.Conn) bool {
	if !s.keeps.Load() {
		s.keeps.Store(c.Config().DefaultQueryExecMode == pgx.QueryExecModeCacheStatement)
	}
	return s.keeps.Load()
}

// commit sends COMMIT. Any error means that nothing was committed, except
// "store/commit_unknown".
func (o *ownSession) commit(ctx context.Context) error {
	if o.pending {
		return nil // nothing was begun
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitPatience)
	defer cancel()
	o.s.sent("COMMIT")
	if o.s.dialect == SQLite {
		_, err := o.conn.ExecContext(context.WithoutCancel(ctx), "COMMIT")
		return o.s.classify(err)
	}
	if !o.native() { // then an aborted transaction is known by its failed statement only
		_, err := o.conn.ExecContext(ctx, "COMMIT")
		return o.outcome(err)
	}
	tag, err := o.pgx.Exec(ctx, "COMMIT")
	if err == nil && tag.String() != "COMMIT" { // an aborted transaction answers ROLLBACK
		return errAborted
	}
	o.broken = o.broken || o.pgx.IsClosed()
	return o.outcome(err)
}

// outcome tells what an error during a commit means.
func (o *ownSession) outcome(err error) error {
	if err == nil || hyperlocal.ReasonOf(err) != "" {
		return err
	}
	e := o.s.classify(err)
	if errors.Is(e, errUnavailable) || hyperlocal.IsCode(e, hyperlocal.CodeDeadline) {
		return errCommitUnknown.WithCause(err)
	}
	return e
}

func (o *ownSession) rollback(ctx context.Context) {
	if o.pending {
		return // nothing was begun
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	o.s.sent("ROLLBACK")
	if _, err := o.conn.ExecContext(ctx, "ROLLBACK"); err != nil && !isNoTransaction(err) {
		o.broken = true
	}
}

// release gives the connection back, or throws it away when its state is not known.
func (o *ownSession) release() {
	discard(o.conn, o.broken)
	if o.leave != nil {
		o.leave()
	}
}

// queryPool reads what is committed, on any connection.
func (s *Store) queryPool(ctx context.Context, st *statement, args []any, scan func(rows row) error) error {
	if err := s.verify(ctx); err != nil {
		return err
	}
	if err := s.readable(ctx); err != nil {
		return err
	}
	s.sent(st.text)
	rows, err := s.poolRows(ctx, st.text, args)
	if err != nil {
		return s.classify(err)
	}
	err, ours := each(rows, scan)
	if err != nil && ours {
		return s.classify(err)
	}
	return err
}

// readable refuses a read outside the transaction that the caller is in the closure of:
// always where it would wait for itself, else with WithRankCheck.
func (s *Store) readable(ctx context.Context) error {
	if (s.single || s.rankCheck) && s.misplaced() {
		return errNested
	}
	if err := ctx.Err(); err != nil {
		return cancelled(err)
	}
	return nil
}

func (s *Store) poolRows(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	if s.dialect != SQLite || !s.owned {
		return s.pool.QueryContext(ctx, text, args...)
	}
	known, _ := s.prepared.Load(text)
	if st, ok := known.(*sql.Stmt); ok {
		return st.QueryContext(ctx, args...)
	}
	st, err := s.pool.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if twin, loaded := s.prepared.LoadOrStore(text, st); loaded {
		_ = st.Close() //nolint:sqlclosecheck // another goroutine was faster; its statement stays open
		if first, ok := twin.(*sql.Stmt); ok {
			st = first
		}
	}
	return st.QueryContext(ctx, args...)
}
