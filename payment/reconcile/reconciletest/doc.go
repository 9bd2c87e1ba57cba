// Package reconciletest is the conformance kit of package reconcile: the contract of
// [reconcile.Store], and the use cases of [reconcile.Service] on top of it, crashes included.
//
// An adapter's test hands it a function that makes a fresh database:
//
//	func TestReconciliation(t *testing.T) {
//		reconciletest.Run(t, func(*testing.T) reconciletest.Harness {
//			db := memstore.New(memstore.WithRankCheck())
//			return reconciletest.Harness{Store: db.Reconciliation(), Payments: db.Payments(), Tx: db}
//		})
//	}
//
// It uses nothing but testing, the root package, payment and reconcile.
package reconciletest
