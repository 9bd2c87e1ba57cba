package bunstore

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Dialect names a kind of database.
type Dialect string

// The dialects.
const (
	Postgres Dialect = "postgres"
	SQLite   Dialect = "sqlite"
)

// Store is a database: a [hyperlocal.TxRunner] that the stores of all contexts hang off. It
// is safe for concurrent use.
type Store struct {
	dialect Dialect
	schema  string // PostgreSQL only
	clock   hyperlocal.Clock

	pool   *sql.DB // readers, and writers too unless writer is set
	writer *sql.DB // the one writing connection of a SQLite file
	single bool    // SQLite through one connection for everything
	owned  bool    // Close closes the pools
	gate   *gate   // the queue before SQLite's writer; nil on PostgreSQL
	pinned pinned  // the writing connection with its prepared statements

	bun *bun.DB // for its query builder only

	statements sync.Map // statementKey -> *statement
	combined   sync.Map // string -> string, texts of combined writes
	prepared   sync.Map // string -> *sql.Stmt, on pool, SQLite only

	verified atomic.Bool
	keeps    atomic.Bool // PostgreSQL: connections are pgx's own and keep prepared statements
	foreign  atomic.Bool // PostgreSQL: they are not
	closing  sync.Mutex

	bell     sync.Once // before bellName, which this store rings under
	bellName string

	rankCheck   bool
	readOnly    bool
	hook        func(text string)
	retries     int
	losers      chan struct{} // holds one element while a transaction that lost has its turn
	doubts      doubts
	size        int
	busyTimeout time.Duration
	open        openTransactions
	constraints map[string]*hyperlocal.Error
}

// Option changes how a Store is made.
type Option func(*Store)

// WithSchema puts every table into the given PostgreSQL schema, which Migrate creates. The
// default is "public". Names are qualified in every statement, so the search_path does not
// matter. SQLite has no schemas and ignores it.
func WithSchema(name string) Option { return func(s *Store) { s.schema = name } }

// WithClock sets the clock for what the store itself stamps: created and seen times, and
// the journal of migrations. The default is the system's.
func WithClock(c hyperlocal.Clock) Option { return func(s *Store) { s.clock = c } }

// WithPool sets how many connections Open may use: all of them on PostgreSQL (default 16),
// the readers on SQLite (default 4), which has one writer besides.
func WithPool(n int) Option { return func(s *Store) { s.size = n } }

// WithRankCheck makes a transaction fail that locks rows against the order of
// [hyperlocal.Rank] (code internal, reason "tx/lock_order"), and a read fail that is made
// inside a closure with a context that lacks its transaction. For tests.
func WithRankCheck() Option { return func(s *Store) { s.rankCheck = true } }

// WithQueryHook has f called with the text of every statement before it is sent, BEGIN,
// COMMIT and SAVEPOINT included: one call per round trip. What a transaction has queued is
// sent in one go and makes one call: on PostgreSQL with one combined statement, on SQLite,
// which has no round trips, with the texts of all. f must be safe for concurrent use.
func WithQueryHook(f func(text string)) Option { return func(s *Store) { s.hook = f } }

// WithReadOnly opens a database that nothing is to be written to: a SQLite file is opened in
// mode "ro" and must exist, PostgreSQL refuses every write of the connections. WithinTx and
// Migrate fail. A reader of a WAL database that nobody has open makes an empty log and its
// index beside the file, as every SQLite reader does; in a directory that it may not write in
// it reads the file as it is.
func WithReadOnly() Option { return func(s *Store) { s.readOnly = true } }

// WithRetries sets how often a transaction is run in all when it loses to another one
// (serialization failure, deadlock, busy database). The default is 10, with pauses that grow
// to an eighth of a second. Those of this Store that have lost twice take turns.
func WithRetries(n int) Option { return func(s *Store) { s.retries = max(n, 1) } }

// defaultRetries is enough for a crowd of 16 on one row under SERIALIZABLE.
const defaultRetries = 10

// WithBusyTimeout sets how long a writer waits for its turn on SQLite, within this process
// and for other processes. The default is 5 s.
func WithBusyTimeout(d time.Duration) Option { return func(s *Store) { s.busyTimeout = d } }

var (
	_ hyperlocal.TxRunner = (*Store)(nil)
	_ hyperlocal.Scoped   = (*Store)(nil)
)

// New returns a Store over a pool that the host owns and closes. For PostgreSQL the pool's
// driver must be jackc/pgx/v5/stdlib, for SQLite modernc.org/sqlite; set WAL,
// synchronous=FULL, foreign_keys and busy_timeout yourself there, or use [Open].
func New(db *sql.DB, dialect Dialect, opts ...Option) (*Store, error) {
	if db == nil {
		return nil, hyperlocal.NewError(hyperlocal.CodeInvalid, "store/config", "give New an open *sql.DB")
	}
	s, err := newStore(dialect, opts)
	if err != nil {
		return nil, err
	}
	s.attach(db, nil)
	s.single = dialect == SQLite && db.Stats().MaxOpenConnections == 1
	return s, nil
}

func newStore(dialect Dialect, opts []Option) (*Store, error) {
	s := &Store{
		dialect: dialect, schema: "public", clock: hyperlocal.SystemClock{},
		retries: defaultRetries, losers: make(chan struct{}, 1), busyTimeout: 5 * time.Second, constraints: make(map[string]*hyperlocal.Error),
	}
	for _, o := range opts {
		o(s)
	}
	switch dialect {
	case Postgres:
		if !validSchema(s.schema) {
			return nil, hyperlocal.NewError(hyperlocal.CodeInvalid, "store/config",
				"a schema name consists of a-z, 0-9 and _, starts with a letter and has at most 63 characters")
		}
	case SQLite:
		s.schema = ""
		s.gate = newGate(s.busyTimeout)
	default:
		return nil, hyperlocal.NewError(hyperlocal.CodeInvalid, "store/config",
			fmt.Sprintf("unknown dialect %q; use bunstore.Postgres or bunstore.SQLite", dialect))
	}
	for _, m := range constraints() {
		maps.Copy(s.constraints, m)
	}
	return s, nil
}

func (s *Store) attach(pool, writer *sql.DB) {
	s.pool, s.writer = pool, writer
	var d schema.Dialect = pgdialect.New()
	if s.dialect == SQLite {
		d = sqlitedialect.New()
	}
	s.bun = bun.NewDB(pool, d, bun.WithDiscardUnknownColumns())
}

func validSchema(name string) bool {
	if name == "" || len(name) > 63 || name[0] < 'a' || name[0] > 'z' || strings.HasPrefix(name, "pg_") {
		return false
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

// TxScope implements [hyperlocal.Scoped]: everything in one Store commits together.
func (s *Store) TxScope() hyperlocal.Scope { return s }

// Dialect returns the kind of database.
func (s *Store) Dialect() Dialect { return s.dialect }

// Ping checks that the database answers and is one that this package trusts. Code
// unavailable if it does not answer.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.verify(ctx); err != nil {
		return err
	}
	if err := s.pool.PingContext(ctx); err != nil {
		return s.classify(err)
	}
	return nil
}

// Close closes the connections that [Open] made; after that every call fails with code
// unavailable. On SQLite it waits for the transaction under way, and on both databases for
// running queries. A Store made by [New] leaves its pool open.
func (s *Store) Close() error {
	s.closing.Lock()
	defer s.closing.Unlock()
	if !s.owned {
		return nil
	}
	if s.gate != nil {
		s.gate.close()
	}
	s.prepared.Range(func(_, st any) bool {
		if st, ok := st.(*sql.Stmt); ok {
			_ = st.Close()
		}
		return true
	})
	s.prepared.Clear()
	s.pinned.drop()
	err := s.pool.Close()
	if s.writer != nil && s.writer != s.pool {
		if e := s.writer.Close(); err == nil {
			err = e
		}
	}
	return err
}

func internal(reason, message string) *hyperlocal.Error {
	return hyperlocal.NewError(hyperlocal.CodeInternal, reason, message)
}
