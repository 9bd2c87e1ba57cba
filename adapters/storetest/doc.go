// Package storetest checks databases: that transactions are what architecture section 2
// promises, that outbox, inbox, schedules and idempotency keys live in them, and that what
// the bounded contexts do together on one database happens whole or not at all.
//
// An adapter's test hands it a [Harness] for the transactions alone, a [ShopHarness] for the
// contexts together:
//
//	func TestTx(t *testing.T) {
//		storetest.RunTx(t, storetest.Harness{Open: open, ManyWriters: true})
//	}
//
//	func TestPlacement(t *testing.T) {
//		storetest.RunPlacement(t, storetest.ShopHarness{Open: openShop})
//	}
//
// It drives real services and never looks behind the ports.
package storetest
