package bunstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Errors that any store of this package may return, besides those of its context.
var (
	errUnavailable = hyperlocal.NewError(hyperlocal.CodeUnavailable, "store/unavailable",
		"the database cannot be reached; try again").WithRetryAfter(time.Second)
	errFull = hyperlocal.NewError(hyperlocal.CodeUnavailable, "store/full",
		"the database's disk is full; reading still works").WithRetryAfter(30 * time.Second)
	errReadOnly = hyperlocal.NewError(hyperlocal.CodeUnavailable, "store/read_only",
		"the database accepts no changes at present").WithRetryAfter(5 * time.Second)
	errLockTimeout = hyperlocal.NewError(hyperlocal.CodeConflict, "store/lock_timeout",
		"somebody else is changing the same rows for too long; try again").WithRetryAfter(time.Second)
	errStatementTimeout = hyperlocal.NewError(hyperlocal.CodeDeadline, "store/statement_timeout",
		"the database gave up on a statement that took too long")
	errNotMigrated = internal("store/not_migrated", "a table is missing; run Migrate before the first use")
	errCorrupt     = internal("store/corrupt", "the database file is damaged or no database; restore a backup")
	errDuplicate   = hyperlocal.NewError(hyperlocal.CodeAlreadyExists, "store/duplicate", "this already exists")
	errReference   = hyperlocal.NewError(hyperlocal.CodePrecondition, "store/missing_reference",
		"something that this refers to does not exist")
	errCheck     = internal("store/check", "a value breaks a rule of the database")
	errRange     = hyperlocal.NewError(hyperlocal.CodeInvalid, "store/out_of_range", "a number is too large to be stored")
	errInvalidID = hyperlocal.NewError(hyperlocal.CodeInvalid, "store/invalid_id", "an identifier is not a UUID in lower case")
	errFailed    = internal("store/failed", "the database refused a statement")
	errAborted   = internal("tx/aborted", "a statement of this transaction failed, so it was rolled back")
	errClosed    = hyperlocal.NewError(hyperlocal.CodeUnavailable, "store/closed", "the store has been closed")
)

// classify turns an error of the driver into one of ours. Errors that are ours already, and
// nil, pass.
func (s *Store) classify(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*hyperlocal.Error](err); ok {
		return err
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return s.classifyPostgres(e)
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return s.classifySQLite(e)
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return cancelled(err)
	case errors.Is(err, sql.ErrTxDone):
		return errTxFinished.WithCause(err)
	case isNetwork(err):
		return errUnavailable.WithCause(err)
	}
	return errFailed.WithCause(err)
}

func isNetwork(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		pgconn.SafeToRetry(err) || strings.Contains(err.Error(), "conn closed") ||
		strings.Contains(err.Error(), "database is closed")
}

// classifyPostgres goes by SQLSTATE, https://www.postgresql.org/docs/15/errcodes-appendix.html
func (s *Store) classifyPostgres(e *pgconn.PgError) error {
	switch e.Code {
	case "40001", "40P01":
		return hyperlocal.ErrTxRetry.WithCause(e)
	case "55P03":
		return errLockTimeout.WithCause(e)
	case "57014":
		return errStatementTimeout.WithCause(e)
	case "53100":
		return errFull.WithCause(e)
	case "25006":
		return errReadOnly.WithCause(e)
	case "25P02":
		return errAborted.WithCause(e)
	case "57P01", "57P02", "57P03", "57P05", "53300", "25P03", "28000", "28P01", "3D000":
		return errUnavailable.WithCause(e)
	case "42P01", "3F000":
		return errNotMigrated.WithCause(e)
	case "22003":
		return errRange.WithCause(e)
	case "22P02":
		return errInvalidID.WithCause(e)
	}
	if strings.HasPrefix(e.Code, "08") {
		return errUnavailable.WithCause(e)
	}
	if e.ConstraintName != "" {
		if known := s.constraint(e.ConstraintName, e.TableName+columnsOf(e.Detail)); known != nil {
			return known.WithCause(e)
		}
	}
	switch e.Code {
	case "23505":
		return errDuplicate.WithCause(e)
	case "23503":
		return errReference.WithCause(e)
	case "23514":
		return errCheck.WithCause(e)
	}
	return errFailed.WithCause(e)
}

// columnsOf finds "(tenant, id)" in a detail such as "Key (tenant, id)=(a, b) already
// exists." and returns it without spaces. The words around it depend on the server's
// language, the parentheses do not.
func columnsOf(detail string) string {
	start := strings.IndexByte(detail, '(')
	end := strings.Index(detail, ")=(")
	if start < 0 || end < start {
		return ""
	}
	return strings.ReplaceAll(detail[start:end+1], " ", "")
}

// constraint looks a violated constraint up by any of its names.
func (s *Store) constraint(names ...string) *hyperlocal.Error {
	for _, n := range names {
		if e := s.constraints[n]; e != nil {
			return e
		}
	}
	return nil
}

// classifySQLite goes by result code, https://www.sqlite.org/rescode.html
func (s *Store) classifySQLite(e *sqlite.Error) error {
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return hyperlocal.ErrTxRetry.WithCause(e)
	case sqlite3.SQLITE_FULL:
		return errFull.WithCause(e)
	case sqlite3.SQLITE_READONLY:
		return errReadOnly.WithCause(e)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return errCorrupt.WithCause(e)
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM:
		return errUnavailable.WithCause(e)
	case sqlite3.SQLITE_INTERRUPT:
		return cancelled(e)
	case sqlite3.SQLITE_CONSTRAINT:
		return s.classifyViolation(e)
	}
	switch text := e.Error(); {
	case strings.Contains(text, "no such table"):
		return errNotMigrated.WithCause(e)
	case strings.Contains(text, "integer overflow"):
		return errRange.WithCause(e)
	}
	return errFailed.WithCause(e)
}

// classifyViolation reads SQLite's message, which is the only place that names the
// constraint: "constraint failed: UNIQUE constraint failed: t.a, t.b (2067)".
func (s *Store) classifyViolation(e *sqlite.Error) error {
	text := e.Error()
	if i := strings.LastIndex(text, " ("); i > 0 {
		text = text[:i]
	}
	text = strings.TrimPrefix(text, "constraint failed: ")
	kind, what, _ := strings.Cut(text, " constraint failed: ")
	names := []string{text, what}
	if kind == "UNIQUE" {
		if table, ok := strings.CutPrefix(what, "index '"); ok {
			names = append(names, strings.TrimSuffix(table, "'"))
		} else if table, _, ok := strings.Cut(what, "."); ok {
			names = append(names, table+"("+strings.ReplaceAll(strings.ReplaceAll(what, table+".", ""), " ", "")+")")
		}
	}
	if known := s.constraint(names...); known != nil {
		return known.WithCause(e)
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return errDuplicate.WithCause(e)
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return errReference.WithCause(e)
	case sqlite3.SQLITE_CONSTRAINT_CHECK:
		return errCheck.WithCause(e)
	}
	return errFailed.WithCause(e)
}

func isBusy(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == sqlite3.SQLITE_BUSY
}

// isNoTransaction tells that SQLite had rolled back by itself, as it does on a full disk.
func isNoTransaction(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && strings.Contains(e.Error(), "no transaction is active")
}
