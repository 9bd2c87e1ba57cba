package memstore_test

import (
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/payment/reconcile/reconciletest"
)

func TestReconciliation(t *testing.T) {
	t.Parallel()
	reconciletest.Run(t, func(*testing.T) reconciletest.Harness {
		db := memstore.New(memstore.WithRankCheck())
		return reconciletest.Harness{Store: db.Reconciliation(), Payments: db.Payments(), Tx: db}
	})
}
