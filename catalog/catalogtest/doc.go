// Package catalogtest checks a [catalog.Store], alone and underneath a [catalog.Service].
//
// An adapter's test hands it a way to make an empty database:
//
//	func TestCatalog(t *testing.T) {
//		catalogtest.Run(t, func(t *testing.T) catalogtest.Harness {
//			db := memstore.New()
//			return catalogtest.Harness{Store: db.Catalog(), Tx: db, Outbox: db.Outbox(), Pending: db.Outbox().Pending}
//		})
//	}
//
// It uses nothing but testing, the root package and catalog.
package catalogtest
