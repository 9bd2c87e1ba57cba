package bunstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"sync"
	"time"
)

// fileSession is a transaction on the writing connection of a SQLite file, which the gate has
// given to its caller. Every statement is prepared once in the connection's life and goes to
// the driver without the detour of database/sql, which costs more than a small change.
type fileSession struct {
	s      *Store
	conn   *sql.Conn
	broken bool
}

// pinned is the writing connection of a SQLite file. It is used by whoever has the gate's turn.
type pinned struct {
	mu         sync.Mutex
	conn       *sql.Conn
	statements map[string]fileStatement
	args       []driver.NamedValue // of the statement under way
}

func (p *pinned) get(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == nil {
		conn, err := db.Conn(ctx)
		if err != nil {
			return nil, err
		}
		p.conn, p.statements = conn, make(map[string]fileStatement)
	}
	return p.conn, nil
}

// drop closes the connection, its statements first: database/sql does not track those of a
// single connection, and closing one later would touch freed memory.
func (p *pinned) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == nil {
		return
	}
	_ = p.conn.Raw(func(any) error {
		for _, st := range p.statements {
			_ = st.Close()
		}
		return nil
	})
	discard(p.conn, true)
	p.conn, p.statements = nil, nil
}

// exec runs a change. It is called by whoever has the gate's turn.
func (p *pinned) exec(ctx context.Context, text string, args []any) (n int64, err error) {
	err = p.conn.Raw(func(dc any) error {
		st, err := p.prepare(ctx, dc, text)
		if err != nil {
			return err
		}
		if err := p.bind(args); err != nil {
			return err
		}
		defer clear(p.args)
		res, err := st.ExecContext(ctx, p.args)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	return n, err
}

// query calls scan for every row of an answer; ours tells that an error came from the database.
// It is called by whoever has the gate's turn.
//
//nolint:revive // err is the result; ours only says where it came from
func (p *pinned) query(ctx context.Context, text string, args []any, scan func(rows row) error) (err error, ours bool) {
	err = p.conn.Raw(func(dc any) error {
		st, err := p.prepare(ctx, dc, text)
		if err == nil {
			err = p.bind(args)
		}
		if err != nil {
			ours = true
			return err
		}
		defer clear(p.args)
		rows, err := st.QueryContext(ctx, p.args)
		if err != nil {
			ours = true
			return err
		}
		err, ours = eachFile(ctx, rows, scan)
		return err
	})
	return err, ours
}

//nolint:revive // as query
func eachFile(ctx context.Context, rows driver.Rows, scan func(rows row) error) (err error, ours bool) {
	defer func() {
		if e := rows.Close(); err == nil && e != nil {
			err, ours = e, true
		}
	}()
	r := fileRow{values: make([]driver.Value, len(rows.Columns()))}
	for {
		if err := ctx.Err(); err != nil {
			return err, true
		}
		switch err := rows.Next(r.values); {
		case errors.Is(err, io.EOF):
			return nil, false
		case err != nil:
			return err, true
		}
		if err := scan(&r); err != nil {
			return unread(err), false
		}
	}
}

// fileRow is a row as the driver of SQLite reads it.
type fileRow struct{ values []driver.Value }

// Scan implements row.
func (r *fileRow) Scan(into ...any) error {
	if len(into) != len(r.values) {
		return errColumns
	}
	for i, to := range into {
		if err := scanFile(to, r.values[i]); err != nil {
			return err
		}
	}
	return nil
}

// scanFile stores one value. The common cases come first and take no detour.
func scanFile(to any, v driver.Value) error {
	switch to := to.(type) {
	case sql.Scanner:
		return to.Scan(v)
	case *string:
		if s, ok := v.(string); ok {
			*to = s
			return nil
		}
	case *int64:
		if n, ok := v.(int64); ok {
			*to = n
			return nil
		}
	case *bool:
		if n, ok := v.(int64); ok {
			*to = n != 0
			return nil
		}
	}
	return assign(to, v)
}

// bind makes args those of the statement under way.
func (p *pinned) bind(args []any) error {
	p.args = p.args[:0]
	for i, v := range args {
		if !driver.IsValue(v) {
			var err error
			if v, err = driver.DefaultParameterConverter.ConvertValue(v); err != nil {
				return err
			}
		}
		p.args = append(p.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return nil
}

// fileStatement is what a prepared statement of the SQLite driver can do.
type fileStatement interface {
	driver.StmtExecContext
	driver.StmtQueryContext
	Close() error
}

var errDriver = internal("store/driver", "the SQLite driver does not prepare statements as this store needs it")

// prepare returns the prepared statement for a text, which lives as long as the connection.
func (p *pinned) prepare(ctx context.Context, dc any, text string) (fileStatement, error) { //nolint:ireturn // the driver's
	if st := p.statements[text]; st != nil {
		return st, nil
	}
	c, ok := dc.(driver.ConnPrepareContext)
	if !ok {
		return nil, errDriver
	}
	prepared, err := c.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	st, ok := prepared.(fileStatement)
	if !ok {
		return nil, errors.Join(errDriver, prepared.Close())
	}
	p.statements[text] = st
	return st, nil
}

const (
	beginFile = "BEGIN IMMEDIATE"
	// fileRollback bounds a rollback, which no caller waits for any more.
	fileRollback = 5 * time.Second
)

// beginFile opens a transaction on the writing connection; the caller has the gate's turn.
func (s *Store) beginFile(ctx context.Context) (*fileSession, error) {
	conn, err := s.pinned.get(ctx, s.writer)
	if err != nil {
		s.gate.exit()
		return nil, s.classify(err)
	}
	o := &fileSession{s: s, conn: conn}
	if err := o.control(ctx, beginFile); err != nil {
		o.broken = !isBusy(err)
		o.release()
		return nil, s.notBegun(err, o.broken)
	}
	return o, nil
}

// start implements session: it has begun already.
func (*fileSession) start(context.Context) error { return nil }

func (o *fileSession) exec(ctx context.Context, text string, args []any) (int64, error) {
	o.s.sent(text)
	return o.again(ctx, text, args)
}

func (o *fileSession) again(ctx context.Context, text string, args []any) (int64, error) {
	return o.s.pinned.exec(context.WithoutCancel(ctx), text, args)
}

func (o *fileSession) query(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	return o.conn.QueryContext(ctx, text, args...)
}

// control sends BEGIN, COMMIT and SAVEPOINT.
func (o *fileSession) control(ctx context.Context, text string) error {
	_, err := o.exec(ctx, text, nil)
	return err
}

func (o *fileSession) reset(ctx context.Context) bool {
	o.rollback(ctx)
	return !o.broken && o.control(ctx, beginFile) == nil
}

func (o *fileSession) raw() rawConn { //nolint:ireturn // the interface is what *sql.Tx and *sql.Conn share
	return o.conn
}

func (o *fileSession) commit(ctx context.Context) error {
	return o.s.classify(o.control(ctx, "COMMIT"))
}

func (o *fileSession) rollback(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fileRollback)
	defer cancel()
	o.s.sent("ROLLBACK")
	if _, err := o.conn.ExecContext(ctx, "ROLLBACK"); err != nil && !isNoTransaction(err) {
		o.broken = true
	}
}

// release gives the turn to the next, on a new connection when the state of this one is not
// known.
func (o *fileSession) release() {
	if o.broken {
		o.s.pinned.drop()
	}
	o.s.gate.exit()
}
