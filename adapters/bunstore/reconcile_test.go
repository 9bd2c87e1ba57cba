package bunstore

import (
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/payment/reconcile/reconciletest"
)

func TestReconciliation(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		reconciletest.Run(t, func(t *testing.T) reconciletest.Harness {
			s := openStore(t, d)
			return reconciletest.Harness{Store: s.Reconciliation(), Payments: s.Payments(), Tx: s}
		})
	})
}
