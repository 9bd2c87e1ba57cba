package bunstore

import (
	"context"
)

// rowByRow returns the statement that does for one row of r what st does for all of them, if
// that comes to the same: it touches no table but the given one, and one row at a time. Where a
// statement costs no round trip, that is several times as fast as unpacking the rows from one
// argument.
func (s *Store) rowByRow(st *statement, text string, table string, r *rel, args int) (*statement, error) {
	if r == nil || !st.modifies || len(st.tables) != 1 || st.tables[0] != table {
		return nil, nil
	}
	one, err := s.statement(text, r.one(), args)
	if err != nil || !one.single {
		return nil, err
	}
	return one, nil
}

// sendSQLite sends one write; the hook has been told.
func (t *txn) sendSQLite(ctx context.Context, w *queued) error {
	if w.rel == nil || w.rel.n == 1 {
		return t.send(ctx, w)
	}
	one, err := t.s.rowByRow(w.st, w.text, w.table, w.rel, len(w.args))
	if err != nil {
		return t.fail(err)
	}
	if one == nil {
		return t.send(ctx, w)
	}
	var sum int64
	args := make([]any, 0, len(w.args)+len(w.rel.cols))
	for i := range w.rel.n {
		if err := ctx.Err(); err != nil {
			return t.fail(cancelled(err))
		}
		t.count++
		args = w.rel.row(append(args[:0], w.args...), i)
		n, err := t.on.again(ctx, one.text, one.arrange(args))
		if err != nil {
			return t.fail(t.s.classify(err))
		}
		sum += n
	}
	return t.check(w, sum)
}

// queryEach is [Store.query] for a text whose answer to many rows is its answers to each of
// them, one after the other. On SQLite it is asked for row by row, which costs less than to
// unpack the rows from one argument.
func (s *Store) queryEach(ctx context.Context, text string, r *rel, scan func(rows row) error) error {
	t := s.txn(ctx)
	if s.dialect != SQLite || t == nil || r.n <= 1 {
		return s.query(ctx, text, r, nil, scan)
	}
	one, err := s.statement(text, r.one(), 0)
	if err != nil {
		return err
	}
	if !one.single {
		return s.query(ctx, text, r, nil, scan)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.ready(ctx, one); err != nil {
		return err
	}
	s.sent(one.text)
	args := make([]any, 0, len(r.cols))
	for i := range r.n {
		if err := ctx.Err(); err != nil {
			return t.fail(cancelled(err))
		}
		args = r.row(args[:0], i)
		if err := t.answer(context.WithoutCancel(ctx), one.text, one.arrange(args), scan); err != nil {
			return err
		}
	}
	return nil
}
