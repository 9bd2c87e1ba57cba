package memstore_test

import (
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/storetest"
)

func shop() storetest.ShopHarness {
	return storetest.ShopHarness{Open: func(testing.TB) storetest.Database {
		db := memstore.New(memstore.WithRankCheck())
		return storetest.Database{
			TxRunner: db, Catalog: db.Catalog(), Orders: db.Orders(), Stock: db.Stock(), Payments: db.Payments(),
			Ledger: db.Ledger(), Loyalty: db.Loyalty(), Outbox: db.Outbox(), Inbox: db.Inbox(),
			Idempotency: db.Idempotency(), SandboxLog: db.SandboxLog(), Audit: db.Audit(),
		}
	}}
}

func TestShopPlacement(t *testing.T) {
	t.Parallel()
	storetest.RunPlacement(t, shop())
}

func TestShopOrders(t *testing.T) {
	t.Parallel()
	storetest.RunOrders(t, shop())
}

func TestShopStorm(t *testing.T) {
	t.Parallel()
	storetest.RunStorm(t, shop())
}

func TestShopCrowd(t *testing.T) {
	t.Parallel()
	storetest.RunCrowd(t, shop())
}

func TestFlashSale(t *testing.T) {
	t.Parallel()
	storetest.RunFlashSale(t, shop())
}
