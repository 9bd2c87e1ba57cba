package bunstore

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Open connects to a database by its DSN and checks that it answers:
//
//	postgres://user:password@host:5432/name   PostgreSQL 13 or newer, also postgresql://
//	sqlite:PATH                               a SQLite file, made if it does not exist
//	sqlite::memory:                           a SQLite database that lives as long as the Store
//
// On PostgreSQL, unless the DSN says otherwise: waiting for a lock ends after 10 s (code
// conflict, reason "store/lock_timeout"), and enable_seqscan and jit are off but for a store that
// is read-only, because plans are kept while tables grow. Behind a pooler that cannot keep
// prepared statements, add default_query_exec_mode=exec to the DSN.
//
// It creates no tables; call [Store.Migrate]. Errors: invalid for a DSN that cannot be read,
// unavailable if nothing answers; none of them shows the password.
func Open(ctx context.Context, dsn string, opts ...Option) (*Store, error) {
	var s *Store
	var err error
	switch {
	case strings.HasPrefix(dsn, "postgres://"), strings.HasPrefix(dsn, "postgresql://"):
		s, err = openPostgres(dsn, opts)
	case strings.HasPrefix(dsn, "sqlite:"):
		s, err = openSQLite(ctx, strings.TrimPrefix(dsn, "sqlite:"), opts)
	default:
		return nil, errDSN.WithMessage("start the DSN with postgres://, postgresql:// or sqlite:")
	}
	if err != nil {
		return nil, err
	}
	s.owned = true
	if err := s.Ping(ctx); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

var errDSN = hyperlocal.NewError(hyperlocal.CodeInvalid, "store/dsn", "the DSN cannot be read")

func openPostgres(dsn string, opts []Option) (*Store, error) {
	s, err := newStore(Postgres, opts)
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil { // the error of pgx may repeat the DSN, so it is not passed on
		return nil, errDSN.WithMessage("the PostgreSQL DSN cannot be read; write postgres://user:password@host:port/database " +
			"and percent-encode special characters in the password")
	}
	defaults := map[string]string{"application_name": "hyperlocal", "timezone": "UTC"}
	for k, v := range defaults {
		if _, ok := config.RuntimeParams[k]; !ok {
			config.RuntimeParams[k] = v
		}
	}
	if s.readOnly {
		config.RuntimeParams["default_transaction_read_only"] = "on"
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	settings := map[string]string{"lock_timeout": "10s"} // connection poolers refuse them as parameters
	if !s.readOnly {
		// Statements are prepared, and their plans kept while tables grow. A plan that reads a
		// table of ten rows whole is right that day and ruinous a minute later; one that looks
		// rows up by their keys stays right.
		// A table without a fitting index is still read whole, at a cost that would have the
		// statement compiled first, which takes longer than any statement of ours.
		settings["enable_seqscan"], settings["jit"] = "off", "off"
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if _, ok := config.RuntimeParams[name]; !ok {
			text.WriteString("SET " + name + " = '" + settings[name] + "';")
		}
	}
	var connected []stdlib.OptionOpenDB
	if text.Len() > 0 {
		connected = append(connected, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
			_, err := c.Exec(ctx, text.String(), pgx.QueryExecModeSimpleProtocol)
			return err
		}))
	}
	db := stdlib.OpenDB(*config, connected...)
	if s.size <= 0 {
		s.size = 16
	}
	db.SetMaxOpenConns(s.size)
	db.SetMaxIdleConns(s.size)
	s.attach(db, nil)
	return s, nil
}

func openSQLite(ctx context.Context, path string, opts []Option) (*Store, error) {
	s, err := newStore(SQLite, opts)
	if err != nil {
		return nil, err
	}
	if path == "" || strings.ContainsAny(path, "?#\x00") {
		return nil, errDSN.WithMessage("write sqlite:PATH with a path that holds no ? or #, or sqlite::memory:")
	}
	pragmas := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(" + strconv.FormatInt(s.busyTimeout.Milliseconds(), 10) + ")",
		"foreign_keys(1)", "synchronous(FULL)", "cell_size_check(1)", "trusted_schema(0)",
	}}
	if path == ":memory:" {
		db, err := sql.Open("sqlite", "file::memory:?"+pragmas.Encode())
		if err != nil {
			return nil, errDSN.WithCause(err)
		}
		db.SetMaxOpenConns(1)
		db.SetMaxIdleConns(1)
		s.single = true
		s.attach(db, nil)
		return s, nil
	}
	file := "file:" + (&url.URL{Path: path}).EscapedPath()
	if s.readOnly {
		return openReadOnly(ctx, s, path, file, pragmas)
	}
	pragmas.Add("_pragma", "journal_mode(WAL)")
	pragmas["_pragma"] = append(pragmas["_pragma"], writerMemory...)
	writer, err := sql.Open("sqlite", file+"?"+pragmas.Encode())
	if err != nil {
		return nil, errDSN.WithCause(err)
	}
	writer.SetMaxOpenConns(1)
	writer.SetMaxIdleConns(1)
	pragmas.Set("_txlock", "deferred")
	pragmas["_pragma"] = slices.DeleteFunc(pragmas["_pragma"], func(p string) bool { return slices.Contains(writerMemory, p) })
	pragmas.Add("_pragma", "query_only(1)")
	readers, err := sql.Open("sqlite", file+"?"+pragmas.Encode())
	if err != nil {
		_ = writer.Close()
		return nil, errDSN.WithCause(err)
	}
	s.limit(readers)
	s.attach(readers, writer)
	return s, nil
}

// writerMemory lets the writer keep four times the pages that it does by default: those which
// every order touches, the levels of some ten thousand items among them. Many more would not
// pay: after splitting a page SQLite goes through all it keeps. The log is copied into the file
// every 16 MiB, so a page that many transactions change in the meantime is copied once; one that
// a long read has made longer is cut back to 64 MiB.
var writerMemory = []string{ //nolint:gochecknoglobals // a table
	"cache_size(-8192)", "wal_autocheckpoint(4000)", "journal_size_limit(67108864)",
}

// limit sets the size of the pool of readers.
func (s *Store) limit(readers *sql.DB) {
	if s.size <= 0 {
		s.size = max(4, runtime.GOMAXPROCS(0))
	}
	readers.SetMaxOpenConns(s.size)
	readers.SetMaxIdleConns(s.size)
}

// verify checks once that the database is one to be trusted with money.
func (s *Store) verify(ctx context.Context) error {
	if s.verified.Load() {
		return nil
	}
	check := s.verifyPostgres
	if s.dialect == SQLite {
		check = s.verifySQLite
	}
	if err := check(ctx); err != nil {
		return err
	}
	s.verified.Store(true)
	return nil
}

const oldestPostgres = 130000

func (s *Store) verifyPostgres(ctx context.Context) error {
	var number int
	err := s.pool.QueryRowContext(ctx, "SELECT current_setting('server_version_num')::int").Scan(&number)
	if err != nil {
		return s.unreachable(err)
	}
	if number < oldestPostgres {
		return errVersion.WithMessage("PostgreSQL %d.%d is too old; use 13 or newer", number/10000, number%10000)
	}
	return nil
}

// unreachable says what to check when the first contact fails. The texts of pgx leave the
// password out.
func (s *Store) unreachable(err error) error {
	e := s.classify(err)
	if hyperlocal.ReasonOf(e) == errUnavailable.Reason {
		return errUnavailable.WithMessage("no database answers; check host, port, user, password, " +
			"database name and TLS settings in the DSN, and that the server runs").WithCause(err)
	}
	return e
}

var errVersion = hyperlocal.NewError(hyperlocal.CodePrecondition, "store/version", "the database's version is not supported")

func (s *Store) verifySQLite(ctx context.Context) error {
	db := s.pool
	if s.writer != nil {
		db = s.writer // it creates the file; the readers may not
	}
	if s.single && s.misplaced() {
		return errNested
	}
	var version string
	if err := db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		if s.readOnly {
			return s.unreadable(err)
		}
		if e := s.classify(err); hyperlocal.ReasonOf(e) == errUnavailable.Reason {
			return errUnavailable.WithMessage("the SQLite file cannot be opened; " +
				"check that its directory exists and that this process may write there").WithCause(err)
		}
		return s.classify(err)
	}
	return trustedSQLite(version)
}

// trustedSQLite refuses versions that can corrupt a database in WAL mode: those before
// 3.51.3, and 3.52.0, which was withdrawn.
func trustedSQLite(version string) error {
	var major, minor, patch int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); err != nil {
		return errVersion.WithMessage("SQLite reports the version %q, which cannot be read", version)
	}
	n := major*1_000_000 + minor*1_000 + patch
	if n < 3_051_003 || n == 3_052_000 {
		return errVersion.WithMessage("SQLite %s can corrupt a database; link 3.51.3 or newer, but not 3.52.0", version)
	}
	return nil
}
