package memstore_test

import (
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
	"github.com/hyperlocal-sdk/hyperlocal/order"
	"github.com/hyperlocal-sdk/hyperlocal/order/ordertest"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// together is the order service with its real neighbours, in one database that checks the
// lock order.
type together struct {
	t        *testing.T
	clock    *ordertest.Clock
	orders   *order.Service
	payments *payment.Service
	stock    *inventory.Service
	says     string
}

func newTogether(t *testing.T) *together {
	t.Helper()
	db, w := memstore.New(memstore.WithRankCheck()), &together{t: t, clock: ordertest.NewClock()}
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	gateway, err := sandbox.New(sandbox.Config{Clock: w.clock, Script: func(sandbox.Call) string { return w.says }})
	ok(err)
	books, err := ledger.New(ledger.Config{Store: db.Ledger(), Tx: db, Clock: w.clock})
	ok(err)
	w.payments, err = payment.New(payment.Config{
		Store: db.Payments(), Tx: db, Outbox: db.Outbox(), Gateways: []payment.Gateway{gateway}, Journal: books, Clock: w.clock,
	})
	ok(err)
	w.stock, err = inventory.New(inventory.Config{
		Store: db.Stock(), Tx: db, Outbox: db.Outbox(), Idempotency: db.Idempotency(), Clock: w.clock,
	})
	ok(err)
	w.orders, err = order.New(order.Config{
		Store: db.Orders(), Tx: db, Outbox: db.Outbox(), Idempotency: db.Idempotency(), Clock: w.clock,
		Stock: w.stock, Payments: w.payments, Journal: books,
	})
	ok(err)
	ok(w.payments.AttachOwner(order.OwnerKind, w.orders))
	_, err = w.stock.SetItems(t.Context(), inventory.SetItemsCommand{
		Tenant: "acme", Actor: hyperlocal.System("test"),
		Items: []inventory.Item{{ID: "apple", Location: "shop", Unit: hyperlocal.Piece, Mode: inventory.ModeReserveOnOrder}},
	})
	ok(err)
	_, err = w.stock.Receive(t.Context(), inventory.StockCommand{
		Tenant: "acme", Actor: hyperlocal.System("test"), Lines: []inventory.StockLine{{Item: "apple", Location: "shop", Quantity: hyperlocal.Pieces(10)}},
	})
	ok(err)
	return w
}

func (w *together) place(n int64) order.ID {
	w.t.Helper()
	price, err := hyperlocal.NewMoney(150, "GBP")
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := w.orders.Place(w.t.Context(), order.PlaceCommand{
		Tenant: "acme", Actor: hyperlocal.Actor{Kind: "shopper", ID: "ann"}, Merchant: hyperlocal.NewRef("merchant", "m"), Currency: "GBP",
		Lines: []order.PlaceLine{{Title: "Apple", Item: "apple", Location: "shop", Quantity: hyperlocal.Pieces(n), UnitPrice: price}},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.Order.ID
}

func (w *together) pay(id order.ID, authorize bool, says string) {
	w.t.Helper()
	w.says = says
	_, err := w.orders.Pay(w.t.Context(), order.PayCommand{
		Tenant: "acme", Actor: hyperlocal.Actor{Kind: "shopper", ID: "ann"}, Order: id, Authorize: authorize,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.says = ""
}

func (w *together) do(id order.ID, triggers ...order.Trigger) {
	w.t.Helper()
	for _, trigger := range triggers {
		r, err := w.orders.Do(w.t.Context(), order.Command{Tenant: "acme", Actor: hyperlocal.System("test"), Order: id, Trigger: trigger})
		if err != nil || r[0].Err != nil {
			w.t.Fatal(trigger, err, r)
		}
	}
}

// pass lets time pass with all workers at work.
func (w *together) pass(d time.Duration) {
	w.t.Helper()
	end := w.clock.Now().Add(d)
	for range 10_000 {
		// Payments first: what becomes known there may be due for the orders at once.
		_, b, err := w.payments.RunDue(w.t.Context(), 100)
		if err != nil {
			w.t.Fatal(err)
		}
		_, a, err := w.orders.RunDue(w.t.Context(), 0)
		if err != nil {
			w.t.Fatal(err)
		}
		if a.IsZero() || !b.IsZero() && b.Before(a) {
			a = b
		}
		if a.IsZero() || a.After(end) {
			w.clock.Set(end)
			return
		}
		if a.After(w.clock.Now()) {
			w.clock.Set(a)
		}
	}
	w.t.Fatal("something is due for ever")
}

func (w *together) want(id order.ID, state order.State, status order.PaymentStatus, onHand, reserved int64) {
	w.t.Helper()
	o, err := w.orders.Get(w.t.Context(), "acme", id)
	if err != nil {
		w.t.Fatal(err)
	}
	levels, err := w.stock.Levels(w.t.Context(), inventory.Key{Tenant: "acme", Item: "apple", Location: "shop"})
	if err != nil {
		w.t.Fatal(err)
	}
	if o.State != state || o.PaymentStatus != status || levels[0].OnHand.Value() != onHand || levels[0].Reserved.Value() != reserved {
		w.t.Fatalf("%s and %s, %s on hand, %s reserved; want %s and %s, %d, %d",
			o.State, o.PaymentStatus, levels[0].OnHand, levels[0].Reserved, state, status, onHand, reserved)
	}
}

func TestOrderTogether(t *testing.T) {
	t.Parallel()
	t.Run("charged", func(t *testing.T) {
		t.Parallel()
		w := newTogether(t)
		id := w.place(4)
		w.want(id, order.AwaitingPayment, order.PaymentDue, 10, 4)
		w.pay(id, false, "")
		w.want(id, order.Confirmed, order.PaymentPaid, 10, 4)
		w.do(id, order.TriggerAccept, order.TriggerReady, order.TriggerDeliver, order.TriggerComplete)
		w.want(id, order.Completed, order.PaymentPaid, 6, 0)
		_, err := w.orders.Refund(t.Context(), order.RefundCommand{
			Tenant: "acme", Actor: hyperlocal.System("test"), Order: id,
			Items: []order.RefundItem{{Line: 1, Quantity: hyperlocal.Pieces(1), Restock: true}},
		})
		if err != nil {
			t.Fatal(err)
		}
		w.want(id, order.Completed, order.PaymentRefunded, 7, 0)
	})
	t.Run("authorized", func(t *testing.T) {
		t.Parallel()
		w := newTogether(t)
		id := w.place(4)
		w.pay(id, true, "")
		w.want(id, order.Confirmed, order.PaymentAuthorized, 10, 4)
		w.do(id, order.TriggerAccept)
		w.want(id, order.Accepted, order.PaymentPaid, 6, 0)
		w.do(id, order.TriggerCancel)
		w.want(id, order.Cancelled, order.PaymentRefunded, 10, 0)
		second := w.place(1)
		w.pay(second, true, "")
		w.do(second, order.TriggerCancel)
		w.want(second, order.Cancelled, order.PaymentDue, 10, 0)
	})
	t.Run("an answer that was lost", func(t *testing.T) {
		t.Parallel()
		w := newTogether(t)
		id := w.place(4)
		w.pay(id, false, "timeout:after")
		w.want(id, order.AwaitingPayment, order.PaymentUnknown, 10, 4)
		w.pass(time.Hour)
		w.want(id, order.Confirmed, order.PaymentPaid, 10, 4)
	})
	t.Run("a soft decline", func(t *testing.T) {
		t.Parallel()
		w := newTogether(t)
		id := w.place(4)
		w.pay(id, false, "decline:soft")
		w.want(id, order.AwaitingPayment, order.PaymentRetry, 10, 4)
		w.pass(10 * time.Minute)
		w.want(id, order.Confirmed, order.PaymentPaid, 10, 4)
	})
	t.Run("cancelled while pending", func(t *testing.T) {
		t.Parallel()
		for name, authorize := range map[string]bool{"charge": false, "authorization": true} {
			w := newTogether(t)
			id := w.place(4)
			w.pay(id, authorize, "pending:45m")
			w.says = "pending:45m"
			w.do(id, order.TriggerCancel)
			w.want(id, order.Cancelled, order.PaymentProcessing, 10, 0)
			w.says = ""
			w.pass(26 * time.Hour)
			want := order.PaymentRefunded
			if authorize {
				want = order.PaymentDue
			}
			o, err := w.orders.Get(t.Context(), "acme", id)
			if err != nil || o.PaymentStatus != want {
				t.Fatalf("%s: %s, %v", name, o.PaymentStatus, err)
			}
			w.want(id, order.Cancelled, want, 10, 0)
		}
	})
	t.Run("pending past the deadline", func(t *testing.T) {
		t.Parallel()
		w := newTogether(t)
		id := w.place(4)
		w.pay(id, false, "pending:45m")
		w.says = "pending:45m"
		w.pass(40 * time.Minute)
		w.want(id, order.AwaitingPayment, order.PaymentProcessing, 10, 4)
		w.pass(24 * time.Hour)
		w.want(id, order.Confirmed, order.PaymentPaid, 10, 4)
	})
}
