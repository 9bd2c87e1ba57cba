package bunstore

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// write is a change whose answer nobody needs before the transaction's next read or its end.
type write struct {
	table string // the table that text changes
	text  string // see text.go; {k} stands for rel
	rel   *rel   // nil if text has no {k}
	args  []any  // for $1, $2, ...
	// rows is how many rows must be affected; -1 for any number.
	rows int64
	// failed is returned when another number was affected. nil means an internal error.
	failed error
	// after sends the write in a statement of its own order: after everything queued before
	// it. Needed when a trigger or foreign key action of this write must see those changes;
	// a write that changes or mentions a table changed before is ordered anyway.
	after bool
	// claims marks a write that fails if something was presumed that is not so. A closure that
	// takes it back leaves that open.
	claims bool
}

type queued struct {
	write
	st *statement
	n  int // place in the transaction, from 1
}

var errAffected = internal("store/affected_rows", "a write did not change the rows that it should have")

// enqueue queues a write in the transaction of ctx. It is sent with the next flush: before
// the next read through this store, on demand, and at the latest before the commit. In a
// host's transaction, outside any closure of ours, it is sent at once. Elsewhere it fails
// with code internal, reason "tx/required". A relation without rows is nothing to do.
func (s *Store) enqueue(ctx context.Context, w write) error {
	t := s.txn(ctx)
	if t == nil {
		if s.hostTx(ctx) == nil {
			return errTxRequired
		}
		return s.WithinTx(ctx, func(ctx context.Context) error { return s.enqueue(ctx, w) })
	}
	if w.rel != nil && w.rel.n == 0 && w.rel.err == nil {
		return nil
	}
	st, err := s.statement(w.text, w.rel, len(w.args))
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.usable(ctx); err != nil {
		return err
	}
	t.queued++
	if w.claims {
		t.claimed = t.queued
	}
	t.queue = append(t.queue, queued{write: w, st: st, n: t.queued})
	return nil
}

// flush sends everything queued in the transaction of ctx. Without a transaction there is
// nothing to do.
func (s *Store) flush(ctx context.Context) error {
	t := s.txn(ctx)
	if t == nil {
		return nil
	}
	return t.flush(ctx)
}

func (t *txn) flush(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.usable(ctx); err != nil {
		return err
	}
	return t.flushLocked(ctx)
}

// flushLocked is called with mu held.
func (t *txn) flushLocked(ctx context.Context) error {
	if len(t.queue) == 0 {
		return nil
	}
	queue := t.queue
	t.queue = nil
	t.sent = t.queued
	if t.s.dialect == SQLite {
		t.s.sentTogether(false, queue, nil, false)
		for i := range queue {
			if err := t.sendSQLite(ctx, &queue[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if own, ok := t.on.(*ownSession); ok && own.native() {
		return t.pipeline(ctx, own, queue, nil, false)
	}
	for _, run := range groups(queue) {
		if err := t.sendRun(ctx, run); err != nil {
			return err
		}
	}
	return nil
}

func (t *txn) sendRun(ctx context.Context, run []queued) error {
	if len(run) == 1 {
		return t.send(ctx, &run[0])
	}
	return t.sendAll(ctx, run)
}

// groups splits a queue into runs that may be sent as one statement. The parts of one
// statement all see the same snapshot, so a write that changes or mentions a table which the
// run already changes starts a new run. Plain inserts of one form become one insert.
func groups(queue []queued) [][]queued {
	var out [][]queued
	var run []queued
	var changed []string
	for _, w := range queue {
		if w.st.append && !w.after && len(w.args) == 0 && w.rel != nil && (w.rows < 0 || w.rows == int64(w.rel.n)) {
			i := slices.IndexFunc(run, func(o queued) bool { return o.st == w.st && !o.after && (o.rows < 0) == (w.rows < 0) })
			if i >= 0 && !slices.ContainsFunc(changed, func(t string) bool { return t != w.table && slices.Contains(w.st.tables, t) }) {
				run[i].rel = run[i].rel.join(w.rel)
				if w.rows >= 0 {
					run[i].rows += w.rows
				}
				continue
			}
		}
		if w.after || slices.ContainsFunc(changed, func(t string) bool { return t == w.table || slices.Contains(w.st.tables, t) }) {
			out = append(out, run)
			run, changed = nil, nil
		}
		run = append(run, w)
		changed = append(changed, w.table)
	}
	out = append(out, run)
	return slices.DeleteFunc(out, func(r []queued) bool { return len(r) == 0 })
}

// send sends one write on its own.
func (t *txn) send(ctx context.Context, w *queued) error {
	t.count++
	exec := t.on.exec
	if t.s.dialect == SQLite { // the hook has been told
		exec = t.on.again
	}
	n, err := exec(ctx, w.st.text, w.values(t.s.dialect))
	if err != nil {
		return t.fail(t.s.classify(err))
	}
	return t.check(w, n)
}

func (t *txn) check(w *queued, n int64) error {
	if w.rows < 0 || n == w.rows {
		return nil
	}
	err := w.failed
	if err == nil {
		err = errAffected.With("table", w.table).With("expected", w.rows).With("affected", n)
	}
	return t.fail(err)
}

func (w *queued) values(d Dialect) []any { return w.st.values(w.args, w.rel, d) }

// values puts the plain arguments and those of the relation together.
func (st *statement) values(plain []any, r *rel, d Dialect) []any {
	args := plain
	switch {
	case r == nil:
	case d == Postgres:
		args = r.arrays(append(make([]any, 0, len(plain)+len(r.cols)), plain...))
	case r.n == 1:
		args = r.row(append(make([]any, 0, len(plain)+len(r.cols)), plain...), 0)
	default:
		args = append(slices.Clip(plain), r.document())
	}
	if d == Postgres {
		return args
	}
	return st.arrange(args)
}

// sendAll sends a run of writes as one data-modifying CTE that counts what each changed.
func (t *txn) sendAll(ctx context.Context, run []queued) error {
	text, args := t.together(run)
	counts := make([]int64, len(run))
	into := make([]any, len(run))
	for i := range counts {
		into[i] = &counts[i]
	}
	t.count++
	if err := t.on.start(ctx); err != nil {
		return t.fail(t.s.classify(err))
	}
	t.s.sent(text)
	rows, err := t.on.query(ctx, text, args)
	if err == nil {
		err = scanOne(rows, into)
	}
	if err != nil {
		return t.fail(t.s.classify(err))
	}
	for i := range run {
		if err := t.check(&run[i], counts[i]); err != nil {
			return err
		}
	}
	return nil
}

// together returns the text of a run and its arguments.
func (t *txn) together(run []queued) (text string, args []any) {
	var key strings.Builder
	for i := range run {
		key.WriteString(run[i].st.text)
		key.WriteByte(0)
		args = append(args, run[i].values(Postgres)...)
	}
	known, _ := t.s.combined.Load(key.String())
	text, ok := known.(string)
	if !ok {
		text = combine(run)
		t.s.combined.Store(key.String(), text)
	}
	return text, args
}

// combine writes a run as one statement that counts what each part changed.
func combine(run []queued) string {
	var b strings.Builder
	base := 0
	b.WriteString("WITH ")
	for i := range run {
		comma(&b, i)
		b.WriteString("w" + strconv.Itoa(i) + " AS (")
		run[i].st.at(&b, base)
		b.WriteString(" RETURNING 1)")
		base += len(run[i].args)
		if run[i].rel != nil {
			base += len(run[i].rel.cols)
		}
	}
	b.WriteString(" SELECT ")
	for i := range run {
		comma(&b, i)
		b.WriteString("(SELECT count(*) FROM w" + strconv.Itoa(i) + ")")
	}
	return b.String()
}

// finish sends what is still queued and commits.
func (t *txn) finish(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.usable(ctx); err != nil {
		return err
	}
	if t.unverified {
		return hyperlocal.ErrTxRetry
	}
	own, ok := t.on.(*ownSession)
	if t.s.dialect == Postgres && ok && len(t.queue) > 0 && own.native() {
		queue := t.queue
		t.queue, t.sent = nil, t.queued
		return t.pipeline(ctx, own, queue, nil, true)
	}
	if err := t.flushLocked(ctx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return cancelled(err)
	}
	return t.on.commit(ctx)
}

func scanOne(rows *sql.Rows, into []any) error {
	defer func() { _ = rows.Close() }()
	if rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
	}
	return rows.Err()
}

// change runs a changing statement at once, in the transaction of ctx or in one of its own,
// and returns how many rows it affected. For housekeeping; hot writes are queued.
func (s *Store) change(ctx context.Context, text string, args ...any) (n int64, err error) {
	st, err := s.statement(text, nil, len(args))
	if err != nil {
		return 0, err
	}
	err = s.WithinTx(ctx, func(ctx context.Context) error {
		t := s.txn(ctx)
		t.mu.Lock()
		defer t.mu.Unlock()
		if err := t.usable(ctx); err != nil {
			return err
		}
		if err := t.flushLocked(ctx); err != nil {
			return err
		}
		t.queued++
		t.sent = t.queued
		t.count++
		var err error
		if n, err = t.on.exec(ctx, st.text, st.values(args, nil, t.s.dialect)); err != nil {
			return t.fail(t.s.classify(err))
		}
		return nil
	})
	return n, err
}

// query runs a statement and calls scan for every row. Inside a transaction everything
// queued is sent first, and text may change things (INSERT ... RETURNING). Outside one it
// reads what is committed. scan must not call the store. An error of scan ends the query;
// one of ours is returned as it is, another one wrapped as internal. r may be nil.
func (s *Store) query(ctx context.Context, text string, r *rel, args []any, scan func(rows row) error) error {
	if r != nil && r.n == 0 && r.err == nil {
		return nil
	}
	t := s.txn(ctx)
	if t != nil && s.dialect == Postgres {
		if own, ok := t.on.(*ownSession); ok && own.native() {
			return t.read(ctx, own, text, r, args, scan)
		}
	}
	st, err := s.statementFor(text, r, len(args))
	if err != nil {
		return err
	}
	all := st.values(args, r, s.dialect)
	if s.dialect == Postgres && r != nil && r.n <= int(formRows) {
		all = r.scalars(append(make([]any, 0, len(args)+r.n*len(r.cols)), args...))
	}
	if t != nil {
		return t.query(ctx, st, all, scan)
	}
	if h := s.hostTx(ctx); h != nil {
		return s.queryHost(ctx, h, st, all, scan)
	}
	if st.modifies {
		return errTxRequired
	}
	return s.queryPool(ctx, st, all, scan)
}

// statementFor is statement for what is sent at once, with as many rows as r has now.
func (s *Store) statementFor(text string, r *rel, args int) (*statement, error) {
	if s.dialect == Postgres && r != nil && r.n <= int(formRows) {
		return s.statementIn(text, r, args, form(r.n))
	}
	return s.statement(text, r, args)
}

// read sends everything queued and the query together.
func (t *txn) read(ctx context.Context, own *ownSession, text string, r *rel, args []any, scan func(row) error) error {
	f := formWhole
	if r != nil {
		f = wireForm(r)
	}
	st, err := t.s.statementIn(text, r, len(args), f)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.usable(ctx); err != nil {
		return err
	}
	queue := t.queue
	t.queue = nil
	if st.modifies {
		t.queued++
	}
	t.sent = t.queued
	return t.pipeline(ctx, own, queue, &answer{st: st, w: &queued{write: write{args: args, rel: r, rows: -1}}, scan: scan}, false)
}

func (t *txn) query(ctx context.Context, st *statement, args []any, scan func(rows row) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.ready(ctx, st); err != nil {
		return err
	}
	t.s.sent(st.text)
	return t.answer(ctx, st.text, args, scan)
}

// ready sends what is queued before a statement with an answer. It is called with mu held.
func (t *txn) ready(ctx context.Context, st *statement) error {
	if err := t.usable(ctx); err != nil {
		return err
	}
	if err := t.flushLocked(ctx); err != nil {
		return err
	}
	if err := t.on.start(ctx); err != nil {
		return t.fail(t.s.classify(err))
	}
	if st.modifies {
		t.queued++
		t.sent = t.queued
	}
	return nil
}

// answer calls scan for every row of an answer. It is called with mu held, after the hook.
func (t *txn) answer(ctx context.Context, text string, args []any, scan func(rows row) error) error {
	t.count++
	var err error
	ours := true
	if on, ok := t.on.(*fileSession); ok {
		err, ours = on.s.pinned.query(ctx, text, args, scan)
	} else {
		var rows *sql.Rows
		if rows, err = t.on.query(ctx, text, args); err == nil { //nolint:sqlclosecheck // each closes them
			err, ours = each(rows, scan)
		}
	}
	if err != nil && ours {
		return t.fail(t.s.classify(err))
	}
	return err
}

// each calls scan for every row; ours tells that an error came from the database.
//
//nolint:revive // err is the result; ours only says where it came from
func each(rows *sql.Rows, scan func(rows row) error) (err error, ours bool) {
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return unread(err), false
		}
	}
	if err := rows.Err(); err != nil {
		return err, true
	}
	return rows.Close(), true
}

// unread is what an error of scan becomes.
func unread(err error) error {
	if hyperlocal.ReasonOf(err) != "" {
		return err
	}
	return internal("store/scan", "a row cannot be read").WithCause(err)
}
