package bunstore

import (
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/order"
	"github.com/hyperlocal-sdk/hyperlocal/order/ordertest"
)

func TestOrderStore(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) { ordertest.Run(t, orderHarness(t, d)) })
}

func TestOrderService(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) { ordertest.RunService(t, orderHarness(t, d)) })
}

// orderHarness empties one database for every test of a kit, whose tests run one after the
// other: to make a hundred databases on PostgreSQL takes minutes.
func orderHarness(t *testing.T, d Dialect) func(t *testing.T) ordertest.Harness {
	s := openStore(t, d)
	return func(t *testing.T) ordertest.Harness {
		t.Helper()
		for _, table := range []string{"hc_refunds", "hc_credits", "hc_orders", "hc_outbox", "hc_idempotency"} {
			if _, err := s.change(t.Context(), "DELETE FROM "+table); err != nil {
				t.Fatal(err)
			}
		}
		return ordertest.Harness{Store: s.Orders(), Tx: s, Outbox: s.Outbox(), Idempotency: s.Idempotency()}
	}
}

func TestOrderServiceGathered(t *testing.T) {
	t.Parallel()
	open := orderHarness(t, SQLite) // what differs on PostgreSQL is none of the intake's business
	ordertest.RunService(t, func(t *testing.T) ordertest.Harness {
		h := open(t)
		h.Intake = &order.Intake{}
		return h
	})
}
