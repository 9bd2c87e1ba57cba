package ordertest

import (
	"errors"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

func testCancel(t *testing.T, newHarness func(*testing.T) Harness) {
	cancel := func(k *kit, id order.ID, by hyperlocal.Actor) {
		t.Helper()
		_, err := k.s.Cancel(k.t.Context(), order.Command{Tenant: tenant, Actor: by, Order: id, Reason: "out_of_order"})
		noError(k.t, err)
	}
	t.Run("before payment", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(4))
		cancel(k, id, shopper)
		k.want(id, order.Cancelled, order.PaymentDue)
		k.wantStock(100, 0)
		if len(k.payments.Asked()) != 0 {
			t.Fatal("a gateway was asked")
		}
		if o := k.get(id); o.NextAction != "" || !o.NextActionAt.IsZero() {
			t.Fatalf("a cancelled order waits for %s", o.NextAction)
		}
	})
	t.Run("paid", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(4))
		k.pay(id)
		cancel(k, id, shopper)
		o := k.want(id, order.Cancelled, order.PaymentRefunded)
		if o.Refunded != gbp(600) {
			t.Fatalf("refunded %s", o.Refunded)
		}
		k.wantStock(100, 0)
		k.wantTriggers(id, "refund", "request succeed")
	})
	t.Run("authorized", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(4))
		_, err := k.s.Pay(t.Context(), order.PayCommand{Tenant: tenant, Actor: shopper, Order: id, Authorize: true})
		noError(t, err)
		if o := k.want(id, order.Confirmed, order.PaymentAuthorized); o.Authorized != gbp(600) || !o.Captured.IsZero() {
			t.Fatalf("got %+v", o)
		}
		cancel(k, id, shopper)
		k.want(id, order.Cancelled, order.PaymentDue)
		asked := k.payments.Asked()
		if len(asked) != 2 || asked[1].Verb != hyperlocal.VerbVoid || asked[1].Amount != gbp(600) {
			t.Fatalf("asked %+v", asked)
		}
	})
	t.Run("accepted", func(t *testing.T) {
		for keep, onHand := range map[bool]int64{false: 100, true: 96} {
			k := newKit(t, newHarness, func(c *order.Config) { c.Policy.KeepStock = keep })
			id := k.place(apples(4))
			k.pay(id)
			k.fire(id, order.TriggerAccept)
			k.wantStock(96, 0)
			cancel(k, id, merchant)
			k.wantStock(onHand, 0)
			k.want(id, order.Cancelled, order.PaymentRefunded)
		}
	})
	t.Run("rejected", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(4))
		k.pay(id)
		_, err := k.s.Reject(t.Context(), order.Command{Tenant: tenant, Actor: merchant, Order: id, Merchant: shop})
		noError(t, err)
		k.want(id, order.Cancelled, order.PaymentRefunded)
		k.wantStock(100, 0)
	})
	t.Run("after a part was refunded", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(4))
		k.pay(id)
		k.fire(id, order.TriggerAccept)
		_, err := k.s.Refund(t.Context(), order.RefundCommand{
			Tenant: tenant, Actor: merchant, Order: id, Amount: gbp(150),
			Items: []order.RefundItem{{Line: 1, Quantity: hyperlocal.Pieces(1), Restock: true}},
		})
		noError(t, err)
		k.want(id, order.Accepted, order.PaymentPartRefunded)
		k.wantStock(97, 0)
		cancel(k, id, merchant)
		o := k.want(id, order.Cancelled, order.PaymentRefunded)
		if o.Refunded != gbp(600) || o.Lines[0].Returned != 4 {
			t.Fatalf("refunded %s, returned %d", o.Refunded, o.Lines[0].Returned)
		}
		k.wantStock(100, 0)
	})
	t.Run("a batch leaves the gateways to the worker", func(t *testing.T) {
		k := newKit(t, newHarness)
		var batch []order.Command
		for range 3 {
			id := k.place(apples(1))
			k.pay(id)
			batch = append(batch, order.Command{Tenant: tenant, Actor: merchant, Order: id, Trigger: order.TriggerCancel})
		}
		asked := len(k.payments.Asked())
		results, err := k.s.Do(t.Context(), batch...)
		noError(t, err)
		for i, r := range results {
			noError(t, r.Err)
			k.want(batch[i].Order, order.Cancelled, order.PaymentPaid)
		}
		if len(k.payments.Asked()) != asked || len(k.payments.Operations()) != 6 {
			t.Fatal("the gateways were asked, or nothing was begun")
		}
		k.due()
		for _, c := range batch {
			k.want(c.Order, order.Cancelled, order.PaymentRefunded)
		}
	})
	t.Run("payment context refuses", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(1))
		k.pay(id)
		k.payments.Refuse = func(c hyperlocal.PaymentCommand) error {
			return hyperlocal.NewError(hyperlocal.CodePrecondition, "ordertest/refused", "no")
		}
		cancel(k, id, merchant) // the order is cancelled all the same
		k.want(id, order.Cancelled, order.PaymentPaid)
		k.wantStock(100, 0)
		k.pass(time.Hour)
		k.payments.Refuse = nil
		k.pass(12 * time.Hour)
		k.want(id, order.Cancelled, order.PaymentRefunded)
	})
	t.Run("stock fails", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(1))
		broken := errors.New("the shelf fell over")
		k.stock.Fail = func(string) error { return broken }
		_, err := k.s.Cancel(t.Context(), order.Command{Tenant: tenant, Actor: shopper, Order: id})
		if !errors.Is(err, broken) {
			t.Fatalf("got %v", err)
		}
		k.want(id, order.AwaitingPayment, order.PaymentDue)
		k.wantTriggers(id, "state", "await_payment")
	})
	t.Run("free text stays out of events", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(1))
		_, err := k.s.Cancel(t.Context(), order.Command{Tenant: tenant, Actor: shopper, Order: id, Reason: "Ann changed her mind"})
		noError(t, err)
		h := k.history(id)
		if got := h[len(h)-1].Reason; got != "Ann changed her mind" {
			t.Fatalf("the history says %q", got)
		}
	})
}
