// Package paymenttest is the conformance kit of the payment context: the contract of
// [payment.Store], and the use cases of [payment.Service] on top of it, faults included.
//
// An adapter's test hands it a function that makes a fresh database, and a gateway to pay
// through:
//
//	func TestPayments(t *testing.T) {
//		paymenttest.Run(t, func(t *testing.T) paymenttest.Harness {
//			db := memstore.New(memstore.WithRankCheck())
//			return paymenttest.Harness{Store: db.Payments(), Tx: db, Outbox: db.Outbox(), OpenBank: openBank}
//		})
//	}
//
// The gateway understands the method tokens of the sandbox and keeps a log of its own; that
// log, never our rows, is what decides whether anybody was charged twice.
//
// It uses nothing but testing, the root package and the context.
package paymenttest
