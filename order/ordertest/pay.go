package ordertest

import (
	"context"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

func declined(class hyperlocal.DeclineClass) Answer {
	return Answer{Outcome: hyperlocal.OutcomeDeclined, Class: class}
}

func testPay(t *testing.T, newHarness func(*testing.T) Harness) {
	t.Run("refusals", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(1))
		pay := func(change func(*order.PayCommand)) error {
			c := order.PayCommand{Tenant: tenant, Actor: shopper, Order: id}
			change(&c)
			_, err := k.s.Pay(t.Context(), c)
			return err
		}
		wantReason(t, pay(func(c *order.PayCommand) { c.Tenant = other }), order.ErrNotFound)
		wantReason(t, pay(func(c *order.PayCommand) { c.Order = "nonsense" }), order.ErrNotFound)
		wantReason(t, pay(func(c *order.PayCommand) { c.Customer = hyperlocal.NewRef("customer", "eve") }), order.ErrNotFound)
		wantCode(t, pay(func(c *order.PayCommand) { c.Actor = hyperlocal.Actor{} }), hyperlocal.CodeInvalid)
		k.payments.SayAlways(Answer{Outcome: hyperlocal.OutcomePending})
		noError(t, pay(func(*order.PayCommand) {}))
		wantReason(t, pay(func(*order.PayCommand) {}), order.ErrPaymentUnderWay)
		k.want(id, order.AwaitingPayment, order.PaymentProcessing)
		k.fire(id, order.TriggerCancel)
		wantReason(t, pay(func(*order.PayCommand) {}), order.ErrPaymentUnderWay)
		second := k.place(apples(1))
		k.fire(second, order.TriggerCancel)
		wantReason(t, pay(func(c *order.PayCommand) { c.Order = second }), order.ErrNotAllowed)
	})
	t.Run("the caller gives up while the gateway is asked", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(1))
		ctx, giveUp := context.WithCancel(t.Context())
		k.payments.Say(func(hyperlocal.PaymentOperation) Answer {
			giveUp()
			return Succeeded
		})
		r, err := k.s.Pay(ctx, order.PayCommand{Tenant: tenant, Actor: shopper, Order: id})
		if err != nil || r.Outcome != hyperlocal.OutcomeSucceeded || r.Order.PaymentStatus != order.PaymentPaid {
			t.Errorf("got %+v, %v; the money has moved", r, err)
		}
		k.want(id, order.Confirmed, order.PaymentPaid)
	})
	t.Run("keys", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(1))
		c := order.PayCommand{Tenant: tenant, Actor: shopper, Order: id, Key: "k1"}
		k.payments.SayAlways(Answer{Outcome: hyperlocal.OutcomeAction, Action: "https://bank.example/3ds"})
		first, err := k.s.Pay(t.Context(), c)
		noError(t, err)
		if first.Outcome != hyperlocal.OutcomeAction || first.Action == "" || first.Order.PaymentStatus != order.PaymentProcessing {
			t.Fatalf("got %+v", first)
		}
		again, err := k.s.Pay(t.Context(), c)
		noError(t, err)
		if !again.Replayed || again.Operation != first.Operation || again.Outcome != first.Outcome || again.Action != first.Action {
			t.Fatalf("got %+v, want a replay of %+v", again, first)
		}
		_, err = k.payments.Settle(t.Context(), tenant, first.Operation, Succeeded)
		noError(t, err)
		again, err = k.s.Pay(t.Context(), c)
		noError(t, err)
		if again.Outcome != hyperlocal.OutcomeSucceeded || again.Order.State != order.Confirmed {
			t.Fatalf("got %+v", again)
		}
		c.Method = "another card"
		_, err = k.s.Pay(t.Context(), c)
		wantReason(t, err, hyperlocal.ErrKeyReused)
		if n := len(k.payments.Asked()); n != 1 {
			t.Fatalf("the gateway was asked %d times", n)
		}
	})
	t.Run("in the host's transaction", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(1))
		var r order.PayResult
		within(t, k.Tx, func(ctx context.Context) (err error) {
			r, err = k.s.Pay(ctx, order.PayCommand{Tenant: tenant, Actor: shopper, Order: id})
			return err
		})
		if r.Outcome != hyperlocal.OutcomeProcessing || len(k.payments.Asked()) != 0 {
			t.Fatalf("got %+v", r)
		}
		k.want(id, order.AwaitingPayment, order.PaymentProcessing)
		_, err := k.payments.Execute(t.Context(), tenant, r.Operation) // the worker
		noError(t, err)
		k.want(id, order.Confirmed, order.PaymentPaid)
	})
	t.Run("hard decline", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(1))
		k.payments.SayAlways(declined(hyperlocal.DeclineHard))
		r := k.pay(id)
		if r.Outcome != hyperlocal.OutcomeDeclined || r.Class != hyperlocal.DeclineHard {
			t.Fatalf("got %+v", r)
		}
		o := k.want(id, order.AwaitingPayment, order.PaymentDue)
		if o.NextAction != string(order.TimerPaymentDeadline) || !o.NextActionAt.Equal(o.CreatedAt.Add(30*time.Minute)) {
			t.Fatalf("next is %s at %s", o.NextAction, o.NextActionAt)
		}
		k.pass(31 * time.Minute)
		k.want(id, order.Expired, order.PaymentDue)
		k.wantStock(100, 0)
		if n := len(k.payments.Asked()); n != 1 {
			t.Fatalf("the gateway was asked %d times", n)
		}
	})
	t.Run("soft decline", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(1))
		k.payments.SayAlways(declined(hyperlocal.DeclineSoft))
		_, err := k.s.Pay(t.Context(), order.PayCommand{Tenant: tenant, Actor: shopper, Order: id, Gateway: "g", Method: "tok_1"})
		noError(t, err)
		o := k.want(id, order.AwaitingPayment, order.PaymentRetry)
		if o.NextAction != string(order.TimerPaymentRetry) || o.NextActionAt.After(k.clock.Now().Add(5*time.Minute)) ||
			o.NextActionAt.Before(k.clock.Now().Add(4*time.Minute)) {
			t.Fatalf("next is %s at %s", o.NextAction, o.NextActionAt)
		}
		k.pass(6 * time.Minute)
		k.want(id, order.AwaitingPayment, order.PaymentRetry)
		k.payments.SayAlways(Succeeded)
		k.pass(15 * time.Minute)
		o = k.want(id, order.Confirmed, order.PaymentPaid)
		if o.Attempts != 3 || o.PaidWith != (order.PaymentChoice{Gateway: "g", Method: "tok_1"}) {
			t.Fatalf("%d attempts with %+v", o.Attempts, o.PaidWith)
		}
		k.wantTriggers(id, "payment", "begin soft begin soft begin captured")
	})
	t.Run("soft for ever", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(1))
		k.payments.SayAlways(declined(hyperlocal.DeclineSoft))
		k.pay(id)
		k.pass(time.Hour)
		k.want(id, order.Expired, order.PaymentDue)
		if n := len(k.payments.Asked()); n < 2 || n > 4 {
			t.Fatalf("the gateway was asked %d times", n)
		}
	})
	t.Run("the shopper is faster than the retry", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(1))
		k.payments.SayAlways(declined(hyperlocal.DeclineSoft))
		k.pay(id)
		k.payments.SayAlways(Succeeded)
		k.pay(id)
		k.want(id, order.Confirmed, order.PaymentPaid)
		k.pass(time.Hour)
		if n := len(k.payments.Asked()); n != 2 {
			t.Fatalf("the gateway was asked %d times", n)
		}
	})
	t.Run("bounded attempts", func(t *testing.T) {
		k := newKit(t, newHarness, func(c *order.Config) { c.Policy.MaxAttempts = 3 })
		id := k.place(apples(1))
		k.payments.SayAlways(declined(hyperlocal.DeclineHard))
		for range 3 {
			k.pay(id)
		}
		_, err := k.s.Pay(t.Context(), order.PayCommand{Tenant: tenant, Actor: shopper, Order: id})
		wantReason(t, err, order.ErrTooManyAttempts)
	})
	t.Run("unknown", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(1))
		k.payments.SayAlways(Answer{Outcome: hyperlocal.OutcomeUnknown})
		r := k.pay(id)
		k.want(id, order.AwaitingPayment, order.PaymentUnknown)
		k.pass(2 * time.Hour) // past the deadline: it may have been paid
		k.want(id, order.AwaitingPayment, order.PaymentUnknown)
		k.wantStock(100, 1)
		_, err := k.payments.Settle(t.Context(), tenant, r.Operation, Succeeded)
		noError(t, err)
		k.want(id, order.Confirmed, order.PaymentPaid)
	})
	t.Run("unknown turns out declined after the deadline", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(1))
		k.payments.SayAlways(Answer{Outcome: hyperlocal.OutcomeUnknown})
		r := k.pay(id)
		k.pass(2 * time.Hour)
		_, err := k.payments.Settle(t.Context(), tenant, r.Operation, declined(hyperlocal.DeclineSoft))
		noError(t, err)
		k.want(id, order.AwaitingPayment, order.PaymentDue)
		k.due()
		k.want(id, order.Expired, order.PaymentDue)
	})
	t.Run("unknown for ever", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(1))
		k.payments.SayAlways(Answer{Outcome: hyperlocal.OutcomeUnknown})
		r := k.pay(id)
		k.pass(26 * time.Hour)
		k.want(id, order.NeedsAttention, order.PaymentUnknown)
		_, err := k.payments.Settle(t.Context(), tenant, r.Operation, Succeeded)
		noError(t, err)
		k.want(id, order.NeedsAttention, order.PaymentPaid) // a person has it
		k.fire(id, order.TriggerResolve)
		k.want(id, order.Confirmed, order.PaymentPaid)
	})
	t.Run("authorized and captured", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(2))
		_, err := k.s.Pay(t.Context(), order.PayCommand{Tenant: tenant, Actor: shopper, Order: id, Authorize: true})
		noError(t, err)
		k.fire(id, order.TriggerAccept)
		o := k.want(id, order.Accepted, order.PaymentPaid)
		if o.Captured != gbp(300) || !o.Authorized.IsZero() {
			t.Fatalf("captured %s, authorized %s", o.Captured, o.Authorized)
		}
	})
	t.Run("capture on", func(t *testing.T) {
		k := newKit(t, newHarness, func(c *order.Config) {
			c.Policy.CaptureOn, c.Policy.CommitOn = order.TriggerPrepare, order.TriggerDispatch
		})
		id := k.place(apples(2))
		_, err := k.s.Pay(t.Context(), order.PayCommand{Tenant: tenant, Actor: shopper, Order: id, Authorize: true})
		noError(t, err)
		k.fire(id, order.TriggerAccept)
		k.want(id, order.Accepted, order.PaymentAuthorized)
		k.fire(id, order.TriggerReady) // skips preparing
		k.want(id, order.Ready, order.PaymentPaid)
		k.wantStock(100, 2)
		k.fire(id, order.TriggerDeliver) // skips dispatched
		k.wantStock(98, 0)
	})
	t.Run("capture fails", func(t *testing.T) {
		k := newKit(t, newHarness)
		k.payments.Say(func(op hyperlocal.PaymentOperation) Answer {
			if op.Verb == hyperlocal.VerbCapture {
				return declined(hyperlocal.DeclineHard)
			}
			return Succeeded
		})
		id := k.place(apples(2))
		_, err := k.s.Pay(t.Context(), order.PayCommand{Tenant: tenant, Actor: shopper, Order: id, Authorize: true})
		noError(t, err)
		k.fire(id, order.TriggerAccept)
		if o := k.want(id, order.NeedsAttention, order.PaymentAuthorized); o.ResumeState != order.Accepted {
			t.Fatalf("came from %s", o.ResumeState)
		}
	})
}
