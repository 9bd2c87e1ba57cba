// Package ordertest holds the conformance kits of the order context. Whoever implements
// order.Store runs both:
//
//	func TestOrders(t *testing.T) {
//		ordertest.Run(t, newHarness)        // the store by itself
//		ordertest.RunService(t, newHarness) // the behaviour of order.Service on top of it
//	}
//
// The service is run with small in-memory stand-ins for stock, payments, journal and
// catalogue, which a host may use for its own tests: [Stock], [Payments], [Journal],
// [Offers], [Clock]. They keep what a committed transaction told them and forget what a
// rolled-back one did, and they fail loudly when a port is used against its contract, such as
// a gateway call inside a transaction.
//
// The kit uses only testing, the root package and the order context.
package ordertest
