package bunstore

import (
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/catalog/catalogtest"
)

func TestCatalog(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		catalogtest.Run(t, func(t *testing.T) catalogtest.Harness {
			s := openStore(t, d)
			return catalogtest.Harness{Store: s.Catalog(), Tx: s, Outbox: s.Outbox(), Pending: s.Outbox().Pending}
		})
	})
}
