// Package inventorytest is the suite that every implementation of [inventory.Store] passes.
//
//	func TestStock(t *testing.T) {
//		inventorytest.Run(t, func(t *testing.T) inventorytest.Harness {
//			db := memstore.New()
//			return inventorytest.Harness{Store: db.Stock(), Tx: db, Outbox: db.Outbox(), ...}
//		})
//	}
//
// Called by the tests of the adapters. It talks to the store through the service where the
// service's contract depends on the store, and directly where a guard has to hold for
// callers that break the rules. [Oversell] and [Crossing] are exported so that a store which
// was broken on purpose can be shown to fail them.
package inventorytest
