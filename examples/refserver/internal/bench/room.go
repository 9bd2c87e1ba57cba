package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/bunstore"
	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/app"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

// room is the schema or folder that a run works in and that nobody else uses.
type room struct {
	dsn    string // of ours
	dir    string // on SQLite
	schema string // on PostgreSQL
}

// within measures in a room of its own and removes it, also when ctx ends early.
func within(ctx context.Context, o *Options, measure func(own *room) (*Result, error)) (res *Result, err error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	own, err := makeRoom(ctx, o.DSN)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, own.remove(context.WithoutCancel(ctx))) }()
	return measure(own)
}

func makeRoom(ctx context.Context, dsn string) (*room, error) {
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		parent := ""
		if path != "" && path != ":memory:" {
			parent = filepath.Dir(path) // measured on the disk that the database would live on
		}
		dir, err := os.MkdirTemp(parent, ".hyperlocal-bench-")
		if err != nil {
			return nil, err
		}
		return &room{dsn: "sqlite:" + filepath.Join(dir, "ours.db"), dir: dir}, nil
	}
	own := &room{dsn: dsn, schema: "hc_bench_" + strconv.FormatUint(hyperlocal.RandomUint64()>>1, 36)}
	return own, own.execute(ctx, `CREATE SCHEMA `+own.schema)
}

func (own *room) postgres() bool { return own.schema != "" }

func (own *room) remove(ctx context.Context) error {
	if own.postgres() {
		return own.execute(ctx, `DROP SCHEMA `+own.schema+` CASCADE`)
	}
	return os.RemoveAll(own.dir)
}

var errDSN = errors.New("the DSN cannot be read; write sqlite:PATH, sqlite: or postgres://user:password@host:port/database")

// connect opens n connections that see the schema of the run before any other. close closes
// them.
func (own *room) connect(ctx context.Context, n int) (conns []*pgx.Conn, closeAll func(), err error) {
	config, err := pgx.ParseConfig(own.dsn)
	if err != nil { // the error may repeat the DSN, and with it the password
		return nil, nil, errDSN
	}
	config.RuntimeParams["search_path"] = own.schema
	closeAll = func() {
		for _, c := range conns {
			_ = c.Close(context.WithoutCancel(ctx))
		}
	}
	for range n {
		c, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		conns = append(conns, c)
	}
	return conns, closeAll, nil
}

// ask gives f a connection.
func (own *room) ask(ctx context.Context, f func(c *pgx.Conn) error) error {
	conns, closeAll, err := own.connect(ctx, 1)
	if err != nil {
		return err
	}
	defer closeAll()
	return f(conns[0])
}

// execute runs statements that answer nothing.
func (own *room) execute(ctx context.Context, text string) error {
	return own.ask(ctx, func(c *pgx.Conn) error {
		_, err := c.PgConn().Exec(ctx, text).ReadAll()
		return err
	})
}

// settle has PostgreSQL look at the tables. The plans of prepared statements that were made
// while the tables were empty, and are kept, go through all orders of the tenant; a server that
// runs for a minute is spared them by autovacuum.
func (own *room) settle(ctx context.Context) error {
	if !own.postgres() {
		return nil
	}
	return own.execute(ctx, `DO $$ DECLARE t record; BEGIN
		FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = '`+own.schema+`' LOOP
			EXECUTE format('ANALYZE %I.%I', '`+own.schema+`', t.tablename);
		END LOOP; END $$`)
}

// shop is ours, open for business.
type shop struct {
	*app.Services
	db    *app.Database
	meter *meter
}

const (
	tenant   hyperlocal.TenantID   = "bench"
	location hyperlocal.LocationID = "shop"
)

// database opens and migrates the database of ours.
func (own *room) database(ctx context.Context, o *Options, more ...bunstore.Option) (*app.Database, *meter, error) {
	m := &meter{room: own, profile: o.Profile}
	more = append(more, bunstore.WithQueryHook(m.hook))
	if own.postgres() {
		more = append(more, bunstore.WithSchema(own.schema))
	}
	db, err := app.OpenDatabase(ctx, own.dsn, more...)
	if err != nil {
		return nil, nil, err
	}
	if err := db.Migrate(ctx); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, m, nil
}

// open opens the services of ours.
func (own *room) open(ctx context.Context, o *Options) (*shop, error) {
	var opts []bunstore.Option
	if own.postgres() { // as many connections as the raw workload has
		opts = append(opts, bunstore.WithPool(o.Clients))
	}
	db, m, err := own.database(ctx, o, opts...)
	if err != nil {
		return nil, err
	}
	s, err := app.Wire(db, app.Wiring{Intake: o.Intake, Logger: o.Logger})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &shop{Services: s, db: db, meter: m}, nil
}

func (s *shop) close() {
	s.meter.stopProfile()
	_ = s.Services.Close()
	_ = s.db.Close()
}

func item(n int) string { return "item-" + strconv.Itoa(n) }

// plenty is more than any run can sell.
const plenty = 1_000_000_000

// stock fills the shelves.
func (s *shop) stock(ctx context.Context) error { return stock(ctx, s.Services, tenant, plenty) }

// stock fills the shelves of a tenant: units of the first item, plenty of the others.
func stock(ctx context.Context, s *app.Services, of hyperlocal.TenantID, units int64) error {
	by := hyperlocal.System("bench")
	const part = 1000
	for from := 0; from < Items; from += part {
		items, lines := make([]inventory.Item, part), make([]inventory.StockLine, part)
		for i := range part {
			id := hyperlocal.ItemID(item(from + i))
			items[i] = inventory.Item{ID: id, Location: location, Unit: hyperlocal.Piece, Mode: inventory.ModeReserveOnOrder}
			lines[i] = inventory.StockLine{Item: id, Location: location, Quantity: hyperlocal.Pieces(plenty)}
			if from+i == 0 {
				lines[i].Quantity = hyperlocal.Pieces(units)
			}
		}
		if _, err := s.Stock.SetItems(ctx, inventory.SetItemsCommand{Tenant: of, Actor: by, Items: items}); err != nil {
			return err
		}
		if _, err := s.Stock.Receive(ctx, inventory.StockCommand{Tenant: of, Actor: by, Lines: lines, Reason: "opening"}); err != nil {
			return err
		}
	}
	return nil
}
