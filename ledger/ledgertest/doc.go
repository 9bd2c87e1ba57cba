// Package ledgertest checks implementations of ledger.Store, together with the service on
// top of them.
//
// An adapter's test hands it a [Harness]:
//
//	func TestLedger(t *testing.T) {
//		ledgertest.Run(t, func(t *testing.T) ledgertest.Harness {
//			db := memstore.New(memstore.WithRankCheck())
//			return ledgertest.Harness{Store: db.Ledger(), Tx: db}
//		})
//	}
//
// [Play] posts at random and compares every answer with a [Model], an independent ledger of a
// few dozen lines; a test of the adapter feeds it from a property-testing library.
//
// It uses nothing but testing, the root package and the ledger itself.
package ledgertest
