package memstore_test

import (
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/order"
	"github.com/hyperlocal-sdk/hyperlocal/order/ordertest"
)

func TestOrders(t *testing.T) {
	t.Parallel()
	ordertest.Run(t, newOrderHarness)
}

func TestOrderService(t *testing.T) {
	t.Parallel()
	ordertest.RunService(t, newOrderHarness)
}

func TestOrderServiceGathered(t *testing.T) {
	t.Parallel()
	ordertest.RunService(t, func(t *testing.T) ordertest.Harness {
		h := newOrderHarness(t)
		h.Intake = &order.Intake{}
		return h
	})
}

func newOrderHarness(*testing.T) ordertest.Harness {
	db := memstore.New(memstore.WithRankCheck())
	return ordertest.Harness{Store: db.Orders(), Tx: db, Outbox: db.Outbox(), Idempotency: db.Idempotency()}
}
