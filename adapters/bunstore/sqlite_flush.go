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
