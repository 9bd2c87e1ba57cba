// Package loyaltytest checks implementations of loyalty.Store, together with the service on
// top of them and the journal below.
//
// An adapter's test hands it a [Harness] with a real ledger on the same database:
//
//	func TestLoyalty(t *testing.T) {
//		loyaltytest.Run(t, func(t *testing.T) loyaltytest.Harness {
//			db := memstore.New(memstore.WithRankCheck())
//			books, err := ledger.New(ledger.Config{Store: db.Ledger(), Tx: db})
//			if err != nil {
//				t.Fatal(err)
//			}
//			return loyaltytest.Harness{Store: db.Loyalty(), Tx: db, Journal: books, Balance: ...}
//		})
//	}
//
// [Play] earns, refunds, spends, restores and expires at random and checks after every step
// that points are conserved, that no balance is negative, and that lots and ledger agree; a
// test of the adapter feeds it from a property-testing library.
//
// It uses nothing but testing, the root package and the context itself.
package loyaltytest
