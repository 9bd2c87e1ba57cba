package bunstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
	"time"
)

// fileSession is a transaction on the writing connection of a SQLite file, which the gate has
// given to its caller. Every statement is prepared once in the connection's life, and changes
// go to the driver without the detour of database/sql, which costs more than a small change.
type fileSession struct {
	s      *Store
	conn   *sql.Conn
	broken bool
}

// pinned is the writing connection of a SQLite file. It is used by whoever has the gate's turn.
type pinned struct {
	mu      sync.Mutex
	conn    *sql.Conn
	queries map[string]*sql.Stmt
	changes map[string]driver.StmtExecContext
	args    []driver.NamedValue // of the statement under way
}

func (p *pinned) get(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == nil {
		conn, err := db.Conn(ctx)
		if err != nil {
			return nil, err
		}
		p.conn, p.queries, p.changes = conn, make(map[string]*sql.Stmt), make(map[string]driver.StmtExecContext)
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
	for _, st := range p.queries {
		_ = st.Close()
	}
	_ = p.conn.Raw(func(any) error {
		for _, st := range p.changes {
			if st, ok := st.(driver.Stmt); ok {
				_ = st.Close()
			}
		}
		return nil
	})
	discard(p.conn, true)
	p.conn, p.queries, p.changes = nil, nil, nil
}

// exec runs a change. It is called by whoever has the gate's turn.
func (p *pinned) exec(ctx context.Context, text string, args []any) (n int64, err error) {
	err = p.conn.Raw(func(dc any) error {
		st, err := p.change(ctx, dc, text)
		if err != nil {
			return err
		}
		p.args = p.args[:0]
		for i, v := range args {
			if !driver.IsValue(v) {
				if v, err = driver.DefaultParameterConverter.ConvertValue(v); err != nil {
					return err
				}
			}
			p.args = append(p.args, driver.NamedValue{Ordinal: i + 1, Value: v})
		}
		res, err := st.ExecContext(ctx, p.args)
		clear(p.args)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	return n, err
}

var errDriver = internal("store/driver", "the SQLite driver does not prepare statements as this store needs it")

func (p *pinned) change(ctx context.Context, dc any, text string) (driver.StmtExecContext, error) {
	if st := p.changes[text]; st != nil {
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
	st, ok := prepared.(driver.StmtExecContext)
	if !ok {
		return nil, errors.Join(errDriver, prepared.Close())
	}
	p.changes[text] = st
	return st, nil
}

// query returns the prepared statement for a text that has an answer.
func (p *pinned) query(ctx context.Context, text string) (*sql.Stmt, error) {
	if st, ok := p.queries[text]; ok {
		return st, nil
	}
	st, err := p.conn.PrepareContext(ctx, text)
	if err == nil {
		p.queries[text] = st
	}
	return st, err
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
	o.s.sent(text)
	return o.ask(ctx, text, args)
}

func (o *fileSession) ask(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	st, err := o.s.pinned.query(ctx, text) //nolint:sqlclosecheck // prepared for the connection's life
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args...)
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
