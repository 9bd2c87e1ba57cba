package bunstore

import (
	"context"
	"database/sql"
	"sync/atomic"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/storetest"
)

// shopOn returns the harness for what the contexts do together. Our tables are in a schema of
// their own where there are schemas.
func shopOn(d Dialect) storetest.ShopHarness {
	return storetest.ShopHarness{
		Slow: true,
		// Nothing travels on SQLite, where the COMMIT is counted apart from the last writes.
		RoundTrips: map[Dialect]int{Postgres: 7, SQLite: 10}[d],
		Open: func(tb testing.TB) storetest.Database { //nolint:thelper // it opens, it asserts nothing
			return shopParts(openStore(tb, d, WithSchema("shop")))
		},
		Counted: func(tb testing.TB) (storetest.Database, func() int) { //nolint:thelper // as above
			var sent atomic.Int64
			s := openStore(tb, d, WithSchema("shop"), WithQueryHook(func(string) { sent.Add(1) }))
			return shopParts(s), func() int { return int(sent.Load()) }
		},
		Host: func(t *testing.T) storetest.Host { return shopHost(t, d) }, //nolint:thelper // as above
	}
}

func shopParts(s *Store) storetest.Database {
	return storetest.Database{
		TxRunner: s, Catalog: s.Catalog(), Orders: s.Orders(), Stock: s.Stock(), Payments: s.Payments(),
		Ledger: s.Ledger(), Loyalty: s.Loyalty(), Outbox: s.Outbox(), Inbox: s.Inbox(),
		Idempotency: s.Idempotency(), SandboxLog: s.SandboxLog(), Audit: s.Audit(),
	}
}

// shopHost is a host in schema public and a shop in schema shop of one database.
func shopHost(t *testing.T, d Dialect) storetest.Host {
	t.Helper()
	h := openHost(t, d)
	host := storetest.Host{
		Database: shopParts(h.store), DB: h.DB, Table: "host_rows", Orders: "hc_orders",
		Forms: []storetest.HostForm{
			{Name: "bun", Begin: func(ctx context.Context) (context.Context, *sql.Tx, error) {
				tx, err := h.bun.BeginTx(ctx, nil)
				return h.store.WithTx(ctx, tx), tx.Tx, err
			}},
			{Name: "sql", Begin: func(ctx context.Context) (context.Context, *sql.Tx, error) {
				tx, err := h.BeginTx(ctx, nil)
				return h.store.WithSQLTx(ctx, tx), tx, err
			}},
		},
	}
	if d == Postgres {
		host.Table, host.Orders = "public.host_rows", "shop.hc_orders"
	}
	return host
}

func TestShopPlacement(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) { storetest.RunPlacement(t, shopOn(d)) })
}

func TestShopHostTx(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) { storetest.RunHostTx(t, shopOn(d)) })
}

func TestShopOrders(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) { storetest.RunOrders(t, shopOn(d)) })
}

func TestShopStorm(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) { storetest.RunStorm(t, shopOn(d)) })
}

func TestShopCrowd(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) { storetest.RunCrowd(t, shopOn(d)) })
}

func TestFlashSale(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) { storetest.RunFlashSale(t, shopOn(d)) })
}
