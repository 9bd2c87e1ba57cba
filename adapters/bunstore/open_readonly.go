package bunstore

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// openReadOnly opens readers only, in mode "ro": SQLite then neither writes the file nor
// empties or removes its log (PATH-wal) when the last connection closes.
//
// Even a reader of a database in WAL mode needs the index of its log (PATH-shm), and makes it
// if it is not there. Where it may not, because the directory is read-only or belongs to
// somebody else, nobody has the database open: whoever had would have made the index. If there
// is no log either, the file is complete in itself and nobody is changing it, which is what
// SQLite calls immutable. With a log there is no way: it holds commits that the file lacks.
func openReadOnly(ctx context.Context, s *Store, path, file string, settings url.Values) (*Store, error) {
	settings.Set("_txlock", "deferred")
	settings.Set("mode", "ro")
	settings.Add("_pragma", "query_only(1)")
	readers, err := sql.Open("sqlite", file+"?"+settings.Encode())
	if err != nil {
		return nil, errDSN.WithCause(err)
	}
	err = readHeader(ctx, readers)
	if needsIndex(err) && isFile(path) && !holdsLog(path) {
		_ = readers.Close()
		settings.Set("immutable", "1")
		if readers, err = sql.Open("sqlite", file+"?"+settings.Encode()); err != nil {
			return nil, errDSN.WithCause(err)
		}
		err = readHeader(ctx, readers)
	}
	if err != nil {
		_ = readers.Close()
		if needsIndex(err) && holdsLog(path) {
			return nil, errNeedsRecovery.WithCause(err)
		}
		return nil, s.unreadable(err)
	}
	s.limit(readers)
	s.attach(readers, nil)
	return s, nil
}

var errNeedsRecovery = errUnavailable.WithMessage("the database has a write-ahead log beside it that only somebody who " +
	"may write in its directory can read; run this as the user of the server, or copy the file together with its -wal " +
	"into a directory of your own")

// readHeader makes SQLite look into the file, which it does not do before the first query.
func readHeader(ctx context.Context, db *sql.DB) error {
	var n int
	return db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&n)
}

// needsIndex reports that a file can be opened but not read without writing beside it:
// https://www.sqlite.org/rescode.html#readonly_directory
func needsIndex(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code() == sqlite3.SQLITE_READONLY_DIRECTORY || e.Code()&0xff == sqlite3.SQLITE_CANTOPEN)
}

// holdsLog reports whether there is a log with something in it beside a SQLite file.
func holdsLog(path string) bool {
	info, err := os.Stat(path + "-wal") //nolint:gosec // the path is the DSN's
	return err == nil && info.Size() > 0
}

func isFile(path string) bool {
	f, err := os.Open(path) //nolint:gosec // the path is the DSN's
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

// unreadable says what to check when a file that is only to be read cannot be.
func (s *Store) unreadable(err error) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	switch {
	case !ok:
	case e.Code()&0xff == sqlite3.SQLITE_CANTOPEN, e.Code()&0xff == sqlite3.SQLITE_IOERR: // such as a directory
		return errUnavailable.WithMessage("the SQLite file cannot be opened; check that it exists and " +
			"that this process may read it").WithCause(err)
	case e.Code()&0xff == sqlite3.SQLITE_READONLY: // a rollback journal that was left by a crash
		return errUnavailable.WithMessage("the database was left in the middle of a transaction, and a reader may not " +
			"finish or undo it; open it once with the program that writes it").WithCause(err)
	}
	return s.classify(err)
}
