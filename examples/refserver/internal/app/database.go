package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/audit"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/bunstore"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
	"github.com/hyperlocal-sdk/hyperlocal/community"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
	"github.com/hyperlocal-sdk/hyperlocal/order"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Database is everything that the services need of one database.
type Database struct {
	hyperlocal.TxRunner
	Catalog     catalog.Store
	Orders      order.Store
	Stock       inventory.Store
	Payments    payment.Store
	Ledger      ledger.Store
	Loyalty     loyalty.Store
	Community   community.Store
	Outbox      hyperlocal.Outbox
	Inbox       Inbox
	Schedules   hyperlocal.Schedules
	Idempotency Idempotency
	Queue       queue.Queue
	SandboxLog  sandbox.Log
	Audit       audit.Source

	SQL *bunstore.Store // nil in memory

	dsn   string // "" in memory
	known ownSecret
}

// Inbox is the inbox of a database. Prune forgets at most limit of the events that were handled
// before the given time.
type Inbox interface {
	hyperlocal.Inbox
	Prune(ctx context.Context, before time.Time, limit int) (int64, error)
}

// Idempotency holds the idempotency keys of a database. Prune forgets at most limit of those
// that were claimed before the given time.
type Idempotency interface {
	hyperlocal.Idempotency
	Prune(ctx context.Context, before time.Time, limit int) (int64, error)
}

// Memory is the DSN of a database that lives and dies with the process.
const Memory = "memory:"

// OpenDatabase opens what dsn names: "memory:", "sqlite::memory:", "sqlite:PATH" or
// "postgres://...". It does not migrate.
func OpenDatabase(ctx context.Context, dsn string, opts ...bunstore.Option) (*Database, error) {
	if dsn == Memory {
		return inMemory(memstore.New()), nil
	}
	s, err := bunstore.Open(ctx, dsn, opts...)
	if err != nil {
		return nil, err
	}
	db := onSQL(s)
	db.dsn = dsn
	return db, nil
}

func inMemory(db *memstore.DB) *Database {
	return &Database{
		TxRunner: db, Catalog: db.Catalog(), Orders: db.Orders(), Stock: db.Stock(), Payments: db.Payments(),
		Ledger: db.Ledger(), Loyalty: db.Loyalty(), Community: db.Community(), Outbox: db.Outbox(), Inbox: db.Inbox(),
		Schedules: db.Schedules(), Idempotency: db.Idempotency(), Queue: db.Queue(), SandboxLog: db.SandboxLog(),
		Audit: db.Audit(),
	}
}

func onSQL(s *bunstore.Store) *Database {
	return &Database{
		TxRunner: s, Catalog: s.Catalog(), Orders: s.Orders(), Stock: s.Stock(), Payments: s.Payments(),
		Ledger: s.Ledger(), Loyalty: s.Loyalty(), Community: s.Community(), Outbox: s.Outbox(), Inbox: s.Inbox(),
		Schedules: s.Schedules(), Idempotency: s.Idempotency(), Queue: s.Queue(), SandboxLog: s.SandboxLog(),
		Audit: s.Audit(), SQL: s,
	}
}

// Migrate brings the database to the schema of this binary.
func (d *Database) Migrate(ctx context.Context) error {
	if d.SQL == nil {
		return nil
	}
	return d.SQL.Migrate(ctx)
}

// Ping reports whether the database answers.
func (d *Database) Ping(ctx context.Context) error {
	if d.SQL == nil {
		return nil
	}
	return d.SQL.Ping(ctx)
}

// Close closes the database.
func (d *Database) Close() error {
	if d.SQL == nil {
		return nil
	}
	return d.SQL.Close()
}

// InMemory tells whether dsn names a database that ends with its process.
func InMemory(dsn string) bool { return dsn == Memory || dsn == "sqlite::memory:" }

// Inspect opens a database that exists, for commands that only look: nothing can be written
// to it.
func Inspect(ctx context.Context, dsn string) (*Database, error) {
	if InMemory(dsn) {
		return nil, errors.New("a database in memory ends with its process; name a file or a server")
	}
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok && !strings.ContainsAny(path, "?#") {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			abs, _ := filepath.Abs(path)
			return nil, fmt.Errorf("there is no database at %s; check --db", abs)
		}
	}
	return OpenDatabase(ctx, dsn, bunstore.WithReadOnly())
}
