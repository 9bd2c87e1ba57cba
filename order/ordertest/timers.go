package ordertest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

func testTimers(t *testing.T, newHarness func(*testing.T) Harness) {
	later := func(n int64, f order.Fulfilment) order.PlaceCommand {
		c := apples(n)
		c.PayLater, c.Fulfilment = true, f
		return c
	}
	t.Run("not paid in time", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(1))
		k.pass(30*time.Minute - time.Microsecond)
		k.want(id, order.AwaitingPayment, order.PaymentDue)
		k.pass(time.Microsecond)
		k.due()
		k.want(id, order.Expired, order.PaymentDue)
		k.wantStock(100, 0)
	})
	t.Run("not accepted in time", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(1))
		k.pay(id)
		k.pass(25 * time.Hour)
		k.want(id, order.Cancelled, order.PaymentRefunded)
		h := k.history(id)
		found := false
		for _, e := range h {
			found = found || e.Trigger == "cancel" && e.Reason == order.ReasonAcceptTimeout && e.Actor == hyperlocal.System("order")
		}
		if !found {
			t.Fatalf("history %+v", h)
		}
	})
	t.Run("a person is asked, and reminded", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(later(1, order.FulfilmentDelivery))
		k.fire(id, order.TriggerAccept)
		k.pass(24*time.Hour + time.Minute)
		if o := k.want(id, order.NeedsAttention, order.PaymentNoneDue); o.ResumeState != order.Accepted {
			t.Fatalf("came from %s", o.ResumeState)
		}
		k.pass(72 * time.Hour)
		k.wantTriggers(id, "state", "confirm accept attend"+strings.Repeat(" remind", 3))
		k.fire(id, order.TriggerResolve)
		k.want(id, order.Accepted, order.PaymentNoneDue)
		k.fire(id, order.TriggerReady, order.TriggerDispatch)
		k.pass(25 * time.Hour)
		k.want(id, order.NeedsAttention, order.PaymentNoneDue)
		k.fire(id, order.TriggerCancel)
		k.want(id, order.Cancelled, order.PaymentNoneDue)
	})
	t.Run("handed over", func(t *testing.T) {
		k := newKit(t, newHarness)
		for fulfilment, want := range map[order.Fulfilment]order.State{
			order.FulfilmentPickup: order.NeedsAttention, order.FulfilmentDelivery: order.NeedsAttention,
			order.FulfilmentDigital: order.Completed, order.FulfilmentService: order.Completed, order.FulfilmentOnTheSpot: order.Completed,
		} {
			k.clock = NewClock()
			k := newKit(t, newHarness)
			id := k.place(later(1, fulfilment))
			k.fire(id, order.TriggerAccept, order.TriggerReady)
			k.pass(97 * time.Hour)
			k.want(id, want, order.PaymentNoneDue)
		}
	})
	t.Run("delivered completes", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(later(1, order.FulfilmentPickup))
		k.fire(id, order.TriggerAccept, order.TriggerReady, order.TriggerDeliver)
		k.pass(23 * time.Hour)
		k.want(id, order.Delivered, order.PaymentNoneDue)
		k.pass(2 * time.Hour)
		k.want(id, order.Completed, order.PaymentNoneDue)
	})
	t.Run("a refund does not move a timer", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.accepted(2)
		before := k.get(id)
		k.clock.Advance(time.Hour)
		_, err := k.refund(order.RefundCommand{Order: id, Amount: gbp(0), Items: pieces(1, 1, false)})
		noError(t, err)
		if o := k.get(id); o.NextActionAt != before.NextActionAt || o.Version == before.Version {
			t.Fatalf("due at %s, was %s", o.NextActionAt, before.NextActionAt)
		}
	})
	t.Run("several at once, and when to come again", func(t *testing.T) {
		k := newKit(t, newHarness)
		for range 5 {
			k.place(apples(1))
		}
		n, next, err := k.s.RunDue(t.Context(), 0)
		noError(t, err)
		if n != 0 || !next.Equal(k.clock.Now().Add(30*time.Minute)) {
			t.Fatalf("%d done, next at %s", n, next)
		}
		k.clock.Set(next)
		n, next, err = k.s.RunDue(t.Context(), 3)
		noError(t, err)
		if n != 3 || next.After(k.clock.Now()) || next.IsZero() {
			t.Fatalf("%d done, next at %s", n, next)
		}
		n, next, err = k.s.RunDue(t.Context(), 3)
		noError(t, err)
		if n != 2 || !next.IsZero() {
			t.Fatalf("%d done, next at %s", n, next)
		}
	})
	t.Run("one that fails does not hold up the others", func(t *testing.T) {
		k := newKit(t, newHarness)
		k.stock.Put(tenant, "pear", "shop", 10)
		first := k.place(apples(1))
		loose := apples(1)
		loose.Lines[0].Item, loose.Lines[0].Location = "", ""
		second := k.place(loose)
		broken := errors.New("the shelf fell over")
		k.stock.Fail = func(string) error { return broken }
		k.clock.Advance(31 * time.Minute)
		n, _, err := k.s.RunDue(t.Context(), 0)
		if n != 1 || !errors.Is(err, broken) {
			t.Fatalf("%d done, error %v", n, err)
		}
		k.want(second, order.Expired, order.PaymentDue)
		if o := k.want(first, order.AwaitingPayment, order.PaymentDue); !o.NextActionAt.After(k.clock.Now()) {
			t.Fatal("it was not put off")
		}
		k.stock.Fail = nil
		k.pass(time.Hour)
		k.want(first, order.Expired, order.PaymentDue)
		k.wantStock(100, 0)
	})
	t.Run("not inside a transaction", func(t *testing.T) {
		k := newKit(t, newHarness)
		ctx := hyperlocal.ContextWithTx(t.Context(), someTx{})
		_, _, err := k.s.RunDue(ctx, 0)
		wantReason(t, err, hyperlocal.ErrNetworkInTx)
	})
	t.Run("the worker is woken", func(t *testing.T) {
		woken := 0
		k := newKit(t, newHarness, func(c *order.Config) { c.Wake = func() { woken++ } })
		id := k.place(apples(1))
		if woken == 0 {
			t.Fatal("a new order woke nobody")
		}
		k.payments.SayAlways(declined(hyperlocal.DeclineSoft))
		woken = 0
		k.pay(id)
		if woken == 0 {
			t.Fatal("a retry woke nobody")
		}
	})
}

type someTx struct{}

func (someTx) AfterCommit(func()) bool { return false }
