package ordertest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// tell applies facts as the payment context would.
func (k *kit) tell(facts ...hyperlocal.PaymentFact) error {
	return k.Tx.WithinTx(k.t.Context(), func(ctx context.Context) error {
		owners := make([]hyperlocal.TenantRef, len(facts))
		for i, f := range facts {
			owners[i] = hyperlocal.TenantRef{Tenant: f.Tenant, Ref: f.Owner}
		}
		if err := k.s.LockOwners(ctx, owners...); err != nil {
			return err
		}
		return k.s.ApplyPayment(ctx, facts...)
	})
}

func (k *kit) settle(op string, a Answer) {
	k.t.Helper()
	_, err := k.payments.Settle(k.t.Context(), tenant, op, a)
	noError(k.t, err)
}

func testFacts(t *testing.T, newHarness func(*testing.T) Harness) {
	pending := func(k *kit, id order.ID) string {
		t.Helper()
		k.payments.SayAlways(Answer{Outcome: hyperlocal.OutcomePending})
		op := k.pay(id).Operation
		k.payments.SayAlways(Succeeded)
		return op
	}
	t.Run("duplicates", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(1))
		r := k.pay(id)
		before := k.get(id)
		for range 3 {
			k.settle(r.Operation, Succeeded)
		}
		o := k.want(id, order.Confirmed, order.PaymentPaid)
		if o.Captured != before.Captured || o.NextActionAt != before.NextActionAt {
			t.Fatalf("a repeated fact changed the order: %+v", o)
		}
		k.wantTriggers(id, "fact", strings.TrimSpace(strings.Repeat("charge/succeeded ", 3)))
		if n := len(k.payments.Operations()); n != 1 {
			t.Fatalf("%d operations", n)
		}
	})
	t.Run("an echo of an earlier attempt", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(1))
		k.payments.SayAlways(declined(hyperlocal.DeclineHard))
		first := k.pay(id)
		second := pending(k, id)
		for _, late := range []Answer{declined(hyperlocal.DeclineSoft), {Outcome: hyperlocal.OutcomeUnknown}, {Outcome: hyperlocal.OutcomePending}} {
			k.settle(first.Operation, late)
			k.want(id, order.AwaitingPayment, order.PaymentProcessing)
		}
		k.settle(second, Succeeded)
		k.want(id, order.Confirmed, order.PaymentPaid)
	})
	t.Run("late totals", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(2))
		r := k.pay(id)
		k.fire(id, order.TriggerAccept)
		_, err := k.s.Refund(t.Context(), order.RefundCommand{Tenant: tenant, Actor: merchant, Order: id, Amount: gbp(100)})
		noError(t, err)
		before := k.want(id, order.Accepted, order.PaymentPartRefunded)
		noError(t, k.tell(hyperlocal.PaymentFact{
			Tenant: tenant, Owner: id.Ref(), Operation: r.Operation, Verb: hyperlocal.VerbCharge, Outcome: hyperlocal.OutcomeSucceeded,
			Reference: "attempt/1", Amount: gbp(300), Captured: gbp(300), Refunded: gbp(0), Authorized: gbp(0),
		}))
		if o := k.want(id, order.Accepted, order.PaymentPartRefunded); o.Refunded != before.Refunded {
			t.Fatalf("refunded fell to %s", o.Refunded)
		}
	})
	t.Run("defects", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(1))
		eur, err := hyperlocal.NewMoney(150, "EUR")
		noError(t, err)
		fact := hyperlocal.PaymentFact{
			Tenant: tenant, Owner: id.Ref(), Verb: hyperlocal.VerbCharge, Outcome: hyperlocal.OutcomeSucceeded, Captured: eur,
		}
		wantCode(t, k.tell(fact), hyperlocal.CodeInvalid)
		fact.Captured, fact.Refunded = gbp(1), gbp(2)
		wantCode(t, k.tell(fact), hyperlocal.CodeInvalid)
		fact.Captured, fact.Refunded = gbp(-1), gbp(0)
		wantCode(t, k.tell(fact), hyperlocal.CodeInvalid)
		fact.Tenant, fact.Captured = other, gbp(150)
		wantReason(t, k.tell(fact), order.ErrNotFound)
		fact.Tenant, fact.Owner = tenant, hyperlocal.NewRef("invoice", string(id))
		wantReason(t, k.tell(fact), order.ErrNotFound)
		if o := k.want(id, order.AwaitingPayment, order.PaymentDue); o.Version != 1 {
			t.Fatalf("version %d", o.Version)
		}
	})
	t.Run("a part of the money", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(2))
		noError(t, k.tell(hyperlocal.PaymentFact{
			Tenant: tenant, Owner: id.Ref(), Verb: hyperlocal.VerbCharge, Outcome: hyperlocal.OutcomeSucceeded, Amount: gbp(100), Captured: gbp(100),
			Operation: hyperlocal.RandomIDs{}.NewID(),
		}))
		if o := k.want(id, order.AwaitingPayment, order.PaymentDue); o.Captured != gbp(100) {
			t.Fatalf("captured %s", o.Captured)
		}
		k.payments.SayAlways(Answer{Outcome: hyperlocal.OutcomePending})
		k.pay(id)
		asked := k.payments.Asked()
		if asked[0].Amount != gbp(200) {
			t.Fatalf("asked for %s", asked[0].Amount)
		}
	})
	t.Run("late capture with stock", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(3))
		k.payments.SayAlways(declined(hyperlocal.DeclineHard))
		op := k.pay(id).Operation
		k.payments.SayAlways(Succeeded)
		k.pass(time.Hour)
		k.want(id, order.Expired, order.PaymentDue)
		k.wantStock(100, 0)
		k.settle(op, Succeeded)
		k.want(id, order.Confirmed, order.PaymentPaid)
		k.wantStock(100, 3)
		k.settle(op, Succeeded)
		k.fire(id, order.TriggerAccept)
		k.wantStock(97, 0)
	})
	t.Run("late capture without stock", func(t *testing.T) {
		k := newKit(t, newHarness)
		k.stock.Put(tenant, "apple", "shop", 3)
		id := k.place(apples(3))
		k.payments.SayAlways(declined(hyperlocal.DeclineHard))
		op := k.pay(id).Operation
		k.payments.SayAlways(Succeeded)
		k.pass(time.Hour)
		faster := k.place(apples(2))
		k.settle(op, Succeeded)
		k.want(id, order.Expired, order.PaymentPaid)
		k.settle(op, Succeeded)
		k.due()
		if n := len(k.payments.Operations()); n != 2 {
			t.Fatalf("%d operations", n)
		}
		o := k.want(id, order.Expired, order.PaymentRefunded)
		if o.Refunded != gbp(450) {
			t.Fatalf("refunded %s", o.Refunded)
		}
		k.want(faster, order.AwaitingPayment, order.PaymentDue)
		k.wantStock(3, 2)
	})
	t.Run("late capture of a cancelled order", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(3))
		op := pending(k, id)
		k.fire(id, order.TriggerCancel)
		k.want(id, order.Cancelled, order.PaymentProcessing)
		k.settle(op, Succeeded)
		k.want(id, order.Cancelled, order.PaymentPaid)
		k.due()
		k.want(id, order.Cancelled, order.PaymentRefunded)
		k.wantStock(100, 0)
	})
	t.Run("late authorization of a cancelled order", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(3))
		k.payments.SayAlways(Answer{Outcome: hyperlocal.OutcomePending})
		r, err := k.s.Pay(t.Context(), order.PayCommand{Tenant: tenant, Actor: shopper, Order: id, Authorize: true})
		noError(t, err)
		k.fire(id, order.TriggerCancel)
		k.settle(r.Operation, Succeeded)
		if o := k.want(id, order.Cancelled, order.PaymentAuthorized); o.NextAction != string(order.TimerVoid) {
			t.Fatalf("next is %q", o.NextAction)
		}
		// The gateway does not answer for a while; the void is asked for again.
		k.payments.SayAlways(Answer{Outcome: hyperlocal.OutcomeProcessing})
		k.pass(time.Hour)
		k.want(id, order.Cancelled, order.PaymentAuthorized)
		k.payments.SayAlways(Succeeded)
		k.pass(12 * time.Hour)
		if o := k.want(id, order.Cancelled, order.PaymentDue); o.NextAction != "" || !o.Authorized.IsZero() {
			t.Fatalf("got %+v", o)
		}
	})
	t.Run("a void that is declined lapses", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(1))
		_, err := k.s.Pay(t.Context(), order.PayCommand{Tenant: tenant, Actor: shopper, Order: id, Authorize: true})
		noError(t, err)
		k.payments.SayAlways(declined(hyperlocal.DeclineHard))
		k.fire(id, order.TriggerCancel)
		if o := k.want(id, order.Cancelled, order.PaymentAuthorized); o.NextAction != "" {
			t.Fatalf("next is %s", o.NextAction)
		}
	})
	t.Run("captured twice", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(1))
		k.payments.SayAlways(declined(hyperlocal.DeclineHard))
		first := k.pay(id) // declined, or so the gateway says
		k.payments.SayAlways(Succeeded)
		k.pay(id)
		k.want(id, order.Confirmed, order.PaymentPaid)
		k.settle(first.Operation, Succeeded)
		if o := k.want(id, order.Confirmed, order.PaymentPaid); o.Captured != gbp(300) {
			t.Fatalf("captured %s", o.Captured)
		}
		k.settle(first.Operation, Succeeded)
		k.due()
		o := k.want(id, order.Confirmed, order.PaymentPaid)
		if o.Captured != gbp(300) || o.Refunded != gbp(150) {
			t.Fatalf("captured %s, refunded %s", o.Captured, o.Refunded)
		}
		k.wantTriggers(id, "refund", "request succeed")
	})
	t.Run("the provider gives money back", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(2))
		k.pay(id)
		noError(t, k.tell(hyperlocal.PaymentFact{
			Tenant: tenant, Owner: id.Ref(), Operation: "chargeback-1", Verb: hyperlocal.VerbRefund, Outcome: hyperlocal.OutcomeSucceeded,
			Amount: gbp(100), Authorized: gbp(0), Captured: gbp(300), Refunded: gbp(100),
		}))
		k.want(id, order.Confirmed, order.PaymentPartRefunded)
		_, err := k.s.Refund(t.Context(), order.RefundCommand{Tenant: tenant, Actor: merchant, Order: id, Amount: gbp(201)})
		wantReason(t, err, order.ErrRefundTooMuch)
	})
	t.Run("several orders", func(t *testing.T) {
		k := newKit(t, newHarness)
		a, b := k.place(apples(1)), k.place(apples(2))
		fact := func(id order.ID, amount int64) hyperlocal.PaymentFact {
			return hyperlocal.PaymentFact{
				Tenant: tenant, Owner: id.Ref(), Operation: hyperlocal.RandomIDs{}.NewID(), Verb: hyperlocal.VerbCharge,
				Outcome: hyperlocal.OutcomeSucceeded, Reference: "checkout/1", Amount: gbp(amount), Captured: gbp(amount),
			}
		}
		noError(t, k.tell(fact(a, 150), fact(b, 300)))
		k.want(a, order.Confirmed, order.PaymentPaid)
		k.want(b, order.Confirmed, order.PaymentPaid)
	})
}
