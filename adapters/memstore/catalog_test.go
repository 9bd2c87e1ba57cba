package memstore_test

import (
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/catalog/catalogtest"
)

func TestCatalog(t *testing.T) {
	t.Parallel()
	catalogtest.Run(t, func(*testing.T) catalogtest.Harness {
		db := memstore.New(memstore.WithRankCheck())
		return catalogtest.Harness{Store: db.Catalog(), Tx: db, Outbox: db.Outbox(), Pending: db.Outbox().Pending}
	})
}
