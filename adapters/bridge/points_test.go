package bridge_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/bridge"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

const (
	tenant  = hyperlocal.TenantID("shop")
	orderID = order.ID("0197f3c2-7a61-7b3e-9c55-1f2e3d4c5b6a")
)

func pounds(t *testing.T, pence int64) hyperlocal.Money {
	t.Helper()
	m, err := hyperlocal.NewMoney(pence, "GBP")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestPoints follows an order from its completion through two refunds, with each event
// delivered twice and the last one overtaken by nothing.
func TestPoints(t *testing.T) {
	t.Parallel()
	db := memstore.New(memstore.WithRankCheck())
	books, err := ledger.New(ledger.Config{Store: db.Ledger(), Tx: db})
	if err != nil {
		t.Fatal(err)
	}
	members, err := loyalty.New(loyalty.Config{Store: db.Loyalty(), Tx: db, Journal: books})
	if err != nil {
		t.Fatal(err)
	}
	transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
	bus, err := eventbus.New(eventbus.Config{Tx: db, Inbox: db.Inbox(), Queue: db.Queue(), Publisher: transport, Subscriber: transport})
	if err != nil {
		t.Fatal(err)
	}
	if err := bridge.Points(bus, members, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- bus.Run(ctx) }()
	<-bus.Running()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = transport.Close()
	}()

	customer := hyperlocal.NewRef("customer", "7")
	sold := func(id order.ID, state order.State, version, total, captured, refunded int64, who hyperlocal.Ref) order.Changed {
		return order.Changed{
			Order: id, Merchant: hyperlocal.NewRef("merchant", "m"), Customer: who, State: state, PaymentStatus: order.PaymentPaid,
			Version: version, Total: pounds(t, total), Captured: pounds(t, captured), Refunded: pounds(t, refunded), At: time.Now(),
		}
	}
	changed := func(state order.State, version, refunded int64, who hyperlocal.Ref) order.Changed {
		return sold(orderID, state, version, 2599, 2599, refunded, who)
	}
	want := func(what string, points int64) {
		t.Helper()
		if err := bus.Drain(ctx); err != nil {
			t.Fatal(err)
		}
		if left, err := bus.Parked(ctx, queue.Filter{Tenant: tenant, Limit: 10}); err != nil || len(left) > 0 {
			t.Fatalf("%s: parked %+v, %v", what, left, err)
		}
		b, err := members.Balance(ctx, tenant, customer)
		if err != nil || b.Points != points {
			t.Errorf("%s: %d points, %v; want %d", what, b.Points, err, points)
		}
	}
	emit := func(aggregate order.ID, version int64, events ...hyperlocal.Event) {
		t.Helper()
		err := db.WithinTx(ctx, func(ctx context.Context) error {
			for n, ev := range events {
				e, err := hyperlocal.NewEnvelope(ctx, hyperlocal.RandomIDs{}, time.Now(), tenant, hyperlocal.System("test"), aggregate.Ref(), version, n, ev)
				if err != nil {
					return err
				}
				if err := bus.Outbox(db.Outbox()).Append(ctx, e); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	emit(orderID, 3, order.OrderRefunded{Changed: changed(order.Confirmed, 3, 100, customer), Refund: "r0", Amount: pounds(t, 100)})
	want("a refund before completion", 0)
	emit(orderID, 7, order.OrderCompleted{Changed: changed(order.Completed, 7, 100, customer)})
	want("completed", 24) // 25.99 - 1.00
	emit(orderID, 8, order.OrderRefunded{Changed: changed(order.Completed, 8, 600, customer), Refund: "r1", Amount: pounds(t, 500)})
	emit(orderID, 9, order.OrderRefunded{Changed: changed(order.Completed, 9, 2599, customer), Refund: "r2", Amount: pounds(t, 1999)})
	want("all given back", 0)
	emit(orderID, 10, order.OrderCompleted{Changed: changed(order.Completed, 7, 100, customer)})
	want("a stale version", 0)

	guest := order.ID("0197f3c2-7a61-7b3e-9c55-1f2e3d4c5b6b")
	c := changed(order.Completed, 7, 0, hyperlocal.Ref{})
	c.Order = guest
	emit(guest, 7, order.OrderCompleted{Changed: c})
	want("a guest", 0)

	// What was taken beyond the total and went back was never earned, so nothing is taken for
	// it; each case is an order of its own, and what it earns comes on top.
	earned := int64(0)
	for i, c := range []struct {
		what                      string
		total, captured, refunded int64
		points                    int64
	}{
		{"paid", 2599, 2599, 0, 25},
		{"given back in part: whole pounds of what is left", 2599, 2599, 600, 19},
		{"given back to the penny below a pound", 2599, 2599, 1600, 9},
		{"given back in whole", 350, 350, 350, 0},
		{"paid twice, once too much", 350, 700, 350, 3},
		{"paid twice, nothing given back yet", 350, 700, 0, 3},
		{"paid twice, part of what was too much given back", 350, 700, 100, 3},
		{"paid twice, more than what was too much given back", 350, 700, 500, 2},
		{"paid twice, all given back", 350, 700, 700, 0},
		{"trimmed from 7.00 to 3.50", 350, 700, 350, 3},
		{"on delivery, nothing taken", 1000, 0, 0, 10},
		{"captured in part", 1000, 400, 0, 10},
		{"captured in part and given back", 1000, 400, 400, 6},
		{"more given back than there was", 1000, 1000, 1500, 0},
		{"for nothing", 0, 0, 0, 0},
		{"for nothing after all, all given back", 0, 500, 500, 0},
	} {
		id := order.ID(fmt.Sprintf("0197f3c2-7a61-7b3e-9c55-%012d", i))
		emit(id, 7, order.OrderCompleted{Changed: sold(id, order.Completed, 7, c.total, c.captured, c.refunded, customer)})
		earned += c.points
		want(c.what, earned)
	}

	if err := bridge.Points(nil, nil, nil); !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
		t.Errorf("without parts: %v", err)
	}
}
