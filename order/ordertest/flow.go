package ordertest

import (
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

func testFlow(t *testing.T, newHarness func(*testing.T) Harness) {
	t.Run("from placement to completion", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(3))
		o := k.want(id, order.AwaitingPayment, order.PaymentDue)
		if o.Total != gbp(450) || o.Version != 1 || o.NextAction != string(order.TimerPaymentDeadline) {
			t.Fatalf("placed %+v", o)
		}
		k.wantStock(100, 3)
		r := k.pay(id)
		if r.Outcome != hyperlocal.OutcomeSucceeded || r.Order.State != order.Confirmed || r.Order.Captured != gbp(450) {
			t.Fatalf("paid %+v", r)
		}
		k.want(id, order.Confirmed, order.PaymentPaid)
		k.fire(id, order.TriggerAccept)
		k.wantStock(97, 0)
		k.fire(id, order.TriggerPrepare, order.TriggerReady, order.TriggerDispatch, order.TriggerDeliverFailed,
			order.TriggerDispatch, order.TriggerDeliver, order.TriggerComplete)
		k.want(id, order.Completed, order.PaymentPaid)
		k.wantTriggers(id, "state", "await_payment confirm accept prepare ready dispatch deliver_failed dispatch deliver complete")
		k.wantTriggers(id, "payment", "begin captured")
	})
	t.Run("conveniences", func(t *testing.T) {
		k := newKit(t, newHarness)
		c := order.Command{Tenant: tenant, Actor: merchant, Merchant: shop}
		for _, step := range []struct {
			do   func(order.Command) (order.CommandResult, error)
			want order.State
		}{
			{func(c order.Command) (order.CommandResult, error) { return k.s.Accept(t.Context(), c) }, order.Accepted},
			{func(c order.Command) (order.CommandResult, error) { return k.s.Prepare(t.Context(), c) }, order.Preparing},
			{func(c order.Command) (order.CommandResult, error) { return k.s.Ready(t.Context(), c) }, order.Ready},
			{func(c order.Command) (order.CommandResult, error) { return k.s.Dispatch(t.Context(), c) }, order.Dispatched},
			{func(c order.Command) (order.CommandResult, error) { return k.s.FailDelivery(t.Context(), c) }, order.DeliveryFailed},
			{func(c order.Command) (order.CommandResult, error) { return k.s.Attend(t.Context(), c) }, order.NeedsAttention},
			{func(c order.Command) (order.CommandResult, error) { return k.s.Resolve(t.Context(), c) }, order.DeliveryFailed},
			{func(c order.Command) (order.CommandResult, error) { return k.s.Dispatch(t.Context(), c) }, order.Dispatched},
			{func(c order.Command) (order.CommandResult, error) { return k.s.Deliver(t.Context(), c) }, order.Delivered},
			{func(c order.Command) (order.CommandResult, error) { return k.s.Complete(t.Context(), c) }, order.Completed},
		} {
			if c.Order == "" {
				later := apples(1)
				later.PayLater = true
				c.Order = k.place(later)
			}
			r, err := step.do(c)
			noError(t, err)
			if r.Order.State != step.want {
				t.Fatalf("got %s, want %s", r.Order.State, step.want)
			}
		}
	})
	t.Run("nothing due", func(t *testing.T) {
		k := newKit(t, newHarness)
		free := apples(1)
		free.Adjustments = []order.Adjustment{{Kind: order.AdjustDiscount, Amount: gbp(-150), Title: "On the house"}}
		later := apples(1)
		later.PayLater = true
		for _, c := range []order.PlaceCommand{free, later} {
			id := k.place(c)
			k.want(id, order.Confirmed, order.PaymentNoneDue)
			_, err := k.s.Pay(t.Context(), order.PayCommand{Tenant: tenant, Actor: shopper, Order: id})
			wantReason(t, err, order.ErrNothingDue)
			k.wantTriggers(id, "state", "confirm")
		}
	})
	t.Run("batch", func(t *testing.T) {
		k := newKit(t, newHarness)
		later := apples(1)
		later.PayLater = true
		var batch []order.Command
		for range 4 {
			batch = append(batch, order.Command{Tenant: tenant, Actor: merchant, Order: k.place(later), Trigger: order.TriggerAccept})
		}
		batch[1].Trigger = order.TriggerDeliver // not from confirmed
		batch[2].Version = 7                    // not the order's
		batch[3].Order = order.ID(hyperlocal.RandomIDs{}.NewID())
		// Twice in a batch: one after the other, one version.
		batch = append(batch, batch[0], batch[0])
		batch[4].Trigger, batch[5].Trigger = order.TriggerPrepare, order.TriggerPrepare
		r, err := k.s.Do(t.Context(), batch...)
		noError(t, err)
		noError(t, r[0].Err)
		wantReason(t, r[1].Err, order.ErrNotAllowed)
		wantReason(t, r[2].Err, order.ErrStale)
		wantReason(t, r[3].Err, order.ErrNotFound)
		noError(t, r[4].Err)
		wantReason(t, r[5].Err, order.ErrNotAllowed)
		if o := k.want(batch[0].Order, order.Preparing, order.PaymentNoneDue); o.Version != 2 {
			t.Fatalf("version %d", o.Version)
		}
		if o := k.want(batch[1].Order, order.Confirmed, order.PaymentNoneDue); o.Version != 1 {
			t.Fatalf("version %d", o.Version)
		}
	})
	t.Run("who may", func(t *testing.T) {
		k := newKit(t, newHarness)
		c := apples(1)
		c.PayLater = true
		id := k.place(c)
		do := func(a hyperlocal.Actor, trigger order.Trigger) error {
			r, err := k.s.Do(t.Context(), order.Command{Tenant: tenant, Actor: a, Order: id, Trigger: trigger})
			noError(t, err)
			return r[0].Err
		}
		wantReason(t, do(shopper, order.TriggerAccept), order.ErrActor)
		wantReason(t, do(merchant, order.TriggerConfirm), order.ErrActor)
		wantReason(t, do(merchant, "teleport"), order.ErrNotAllowed)
		noError(t, do(merchant, order.TriggerAccept))
		wantReason(t, do(shopper, order.TriggerCancel), order.ErrNotAllowed)
		noError(t, do(merchant, order.TriggerCancel))
	})
	t.Run("whose", func(t *testing.T) {
		k := newKit(t, newHarness)
		c := apples(1)
		c.PayLater = true
		id := k.place(c)
		for _, alien := range []order.Command{
			{Tenant: other, Order: id},
			{Tenant: tenant, Order: id, Merchant: hyperlocal.NewRef("merchant", "butcher")},
			{Tenant: tenant, Order: id, Customer: hyperlocal.NewRef("customer", "eve")},
			{Tenant: tenant, Order: "no id at all"},
		} {
			alien.Actor = merchant
			_, err := k.s.Accept(t.Context(), alien)
			wantReason(t, err, order.ErrNotFound)
		}
		_, err := k.s.Get(t.Context(), other, id)
		wantReason(t, err, order.ErrNotFound)
		k.want(id, order.Confirmed, order.PaymentNoneDue)
	})
	t.Run("repeated key", func(t *testing.T) {
		k := newKit(t, newHarness)
		c := apples(1)
		c.PayLater = true
		id := k.place(c)
		command := order.Command{Tenant: tenant, Actor: merchant, Order: id, Key: "k1"}
		first, err := k.s.Accept(t.Context(), command)
		noError(t, err)
		k.fire(id, order.TriggerPrepare)
		again, err := k.s.Accept(t.Context(), command)
		noError(t, err)
		if !again.Replayed || again.Order != first.Order {
			t.Fatalf("got %+v, want a replay of %+v", again, first)
		}
		command.Reason = "something else"
		_, err = k.s.Accept(t.Context(), command)
		wantReason(t, err, hyperlocal.ErrKeyReused)
		// A refusal frees its key.
		refused := order.Command{Tenant: tenant, Actor: merchant, Order: id, Key: "k2"}
		_, err = k.s.Deliver(t.Context(), refused)
		wantReason(t, err, order.ErrNotAllowed)
		k.fire(id, order.TriggerReady)
		r, err := k.s.Deliver(t.Context(), refused)
		noError(t, err)
		if r.Replayed {
			t.Fatal("a refusal was stored")
		}
		// Twins in one batch share the answer.
		twin := order.Command{Tenant: tenant, Actor: merchant, Order: id, Key: "k3", Trigger: order.TriggerComplete}
		both, err := k.s.Do(t.Context(), twin, twin)
		noError(t, err)
		if both[0].Err != nil || both[0].Replayed || !both[1].Replayed || both[1].Order != both[0].Order {
			t.Fatalf("got %+v", both)
		}
	})
	t.Run("effective time", func(t *testing.T) {
		k := newKit(t, newHarness)
		past := time.Date(2025, 12, 24, 18, 0, 0, 123456789, time.UTC)
		c := apples(1)
		c.At, c.PayLater = past, true
		id := k.place(c)
		_, err := k.s.Accept(t.Context(), order.Command{Tenant: tenant, Actor: merchant, Order: id, At: past.Add(time.Hour)})
		noError(t, err)
		o := k.get(id)
		if !o.PlacedAt.Equal(hyperlocal.Instant(past)) || !o.CreatedAt.Equal(k.clock.Now()) || o.Number[:6] != "251224" {
			t.Fatalf("placed at %s, created at %s, number %s", o.PlacedAt, o.CreatedAt, o.Number)
		}
		if h := k.history(id); !h[1].At.Equal(hyperlocal.Instant(past.Add(time.Hour))) {
			t.Fatalf("history at %s", h[1].At)
		}
	})
}
