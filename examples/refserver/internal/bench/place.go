package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib" // also registers the driver "pgx"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/bunstore"
	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/app"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// Options of a run.
type Options struct {
	DSN      string        // sqlite:PATH (only its folder is used), sqlite: for a temporary folder, or postgres://...
	Clients  int           // 1 to 200
	Items    int           // how many items are drawn from, 1 to Items; 1 is one hot item
	Duration time.Duration // of each of the two measurements, after a fifth of it to warm up
}

// Result of a run. Times are those of ours, in milliseconds.
type Result struct {
	OursPerSecond int64  `json:"ours_per_second"`
	RawPerSecond  int64  `json:"raw_per_second"`
	Ratio         string `json:"-"`
	P50           string `json:"-"`
	P95           string `json:"-"`
	P99           string `json:"-"`
	RSS           int64  `json:"rss_mb"` // of this process at the end; the database's own is not in it
}

// ErrOptions refuses options that make no sense.
var ErrOptions = errors.New("bench takes 1 to 200 clients, 1 to 10000 items and at least 100 ms; see --help")

func (o Options) validate() error {
	if o.Clients < 1 || o.Clients > 200 || o.Items < 1 || o.Items > Items || o.Duration < 100*time.Millisecond {
		return ErrOptions
	}
	return nil
}

// Place measures placements beside the raw limit. It works in a schema, or a file, of its
// own and removes it, also when ctx ends early.
func Place(ctx context.Context, o Options) (res Result, err error) {
	if err := o.validate(); err != nil {
		return res, err
	}
	own, err := makeRoom(ctx, o)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, own.remove(context.WithoutCancel(ctx))) }()
	warm := o.Duration / 5
	raw, err := own.raw(ctx, o, warm)
	if err != nil {
		return res, fmt.Errorf("the raw workload: %w", err)
	}
	ours, err := place(ctx, own, o, warm)
	if err != nil {
		return res, err
	}
	return result(ours, raw), nil
}

// room is the schema or file that a run works in.
type room struct {
	dsn     string
	options []bunstore.Option
	raw     func(ctx context.Context, o Options, warm time.Duration) (Sample, error)
	settle  func(ctx context.Context) error // between warming up and measuring; may be nil
	remove  func(ctx context.Context) error
}

func makeRoom(ctx context.Context, o Options) (*room, error) {
	if path, ok := strings.CutPrefix(o.DSN, "sqlite:"); ok {
		parent := ""
		if path != "" && path != ":memory:" {
			parent = filepath.Dir(path) // measured on the disk that the database would live on
		}
		dir, err := os.MkdirTemp(parent, ".hyperlocal-bench-")
		if err != nil {
			return nil, err
		}
		return &room{
			dsn: "sqlite:" + filepath.Join(dir, "ours.db"),
			raw: func(ctx context.Context, o Options, warm time.Duration) (Sample, error) {
				return rawSQLite(ctx, filepath.Join(dir, "raw.db"), o.Items, warm, o.Duration)
			},
			remove: func(context.Context) error { return os.RemoveAll(dir) },
		}, nil
	}
	schema := "hc_bench_" + strconv.FormatUint(hyperlocal.RandomUint64()>>1, 36)
	if err := execute(ctx, o.DSN, `CREATE SCHEMA `+schema); err != nil {
		return nil, err
	}
	return &room{
		dsn:     o.DSN,
		options: []bunstore.Option{bunstore.WithSchema(schema), bunstore.WithPool(o.Clients)},
		raw: func(ctx context.Context, o Options, warm time.Duration) (Sample, error) {
			return rawPostgres(ctx, o.DSN, schema, o.Clients, o.Items, warm, o.Duration)
		},
		settle: analyze(o.DSN, schema),
		remove: func(ctx context.Context) error { return execute(ctx, o.DSN, `DROP SCHEMA `+schema+` CASCADE`) },
	}, nil
}

var errDSN = errors.New("the DSN cannot be read; write sqlite:PATH, sqlite: or postgres://user:password@host:port/database")

func execute(ctx context.Context, dsn, text string) error {
	config, err := pgx.ParseConfig(dsn)
	if err != nil { // the error may repeat the DSN, and with it the password
		return errDSN
	}
	db := stdlib.OpenDB(*config)
	defer db.Close()
	_, err = db.ExecContext(ctx, text)
	return err
}

const (
	tenant   hyperlocal.TenantID   = "bench"
	location hyperlocal.LocationID = "shop"
)

// place measures order.Service.Place with everything a real order has: idempotency key,
// head, two lines, reservations, movements, history, event.
func place(ctx context.Context, own *room, o Options, warm time.Duration) (Sample, error) {
	db, err := app.OpenDatabase(ctx, own.dsn, own.options...)
	if err != nil {
		return Sample{}, err
	}
	defer db.Close()
	if err := db.Migrate(ctx); err != nil {
		return Sample{}, err
	}
	s, err := app.Wire(db, app.Wiring{})
	if err != nil {
		return Sample{}, err
	}
	defer s.Close()
	if err := stock(ctx, s); err != nil {
		return Sample{}, err
	}
	price, err := hyperlocal.NewMoney(100, "EUR")
	if err != nil {
		return Sample{}, err
	}
	ids := hyperlocal.RandomIDs{}
	line := func(n int) order.PlaceLine {
		return order.PlaceLine{
			Variant: hyperlocal.NewRef("variant", item(n)), Code: item(n), Item: hyperlocal.ItemID(item(n)), Location: location,
			Title: "Item " + strconv.Itoa(n), Quantity: hyperlocal.Pieces(1), UnitPrice: price,
		}
	}
	return run(ctx, o.Clients, warm, o.Duration, own.settle, func(ctx context.Context, _ int, pick func(int) int) error {
		first, last := pair(pick, o.Items)
		shopper := "shopper-" + strconv.Itoa(pick(1_000_000))
		_, err := s.Orders.Place(ctx, order.PlaceCommand{
			Tenant: tenant, Actor: hyperlocal.Actor{Kind: "shopper", ID: shopper}, Key: ids.NewID(),
			Merchant: hyperlocal.NewRef("merchant", "shop"), Customer: hyperlocal.NewRef("customer", shopper),
			Currency: "EUR", Fulfilment: order.FulfilmentPickup, Lines: []order.PlaceLine{line(first), line(last)},
		})
		return err
	})
}

func item(n int) string { return "item-" + strconv.Itoa(n) }

// stock fills the shelves with more than any run can sell.
func stock(ctx context.Context, s *app.Services) error {
	by := hyperlocal.System("bench")
	const part = 1000
	for from := 0; from < Items; from += part {
		items, lines := make([]inventory.Item, part), make([]inventory.StockLine, part)
		for i := range part {
			id := hyperlocal.ItemID(item(from + i))
			items[i] = inventory.Item{ID: id, Location: location, Unit: hyperlocal.Piece, Mode: inventory.ModeReserveOnOrder}
			lines[i] = inventory.StockLine{Item: id, Location: location, Quantity: hyperlocal.Pieces(1_000_000_000)}
		}
		if _, err := s.Stock.SetItems(ctx, inventory.SetItemsCommand{Tenant: tenant, Actor: by, Items: items}); err != nil {
			return err
		}
		if _, err := s.Stock.Receive(ctx, inventory.StockCommand{Tenant: tenant, Actor: by, Lines: lines, Reason: "opening"}); err != nil {
			return err
		}
	}
	return nil
}
