package paymenttest

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

func refundCases() []testCase {
	return []testCase{
		{"in parts", refundInParts},
		{"ten at once of sixty percent", refundsAtOnce},
		{"soft decline is tried again under its reference", refundAgain},
		{"hard decline stays", refundHard},
		{"provider is down for a while", refundWaits},
		{"late payment is given back", latePayment},
	}
}

func refundInParts(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	w.run(command(charge, order, gbp(1000), "pay/1", "ok"))
	f := w.run(command(refund, order, gbp(250), "r/1", ""))
	wantOutcome(t, f, succeeded)
	w.wantTotals(f, 0, 1000, 250)
	if key := w.operation(f.Operation).Key; key != "refund/"+f.Operation {
		t.Errorf("key %s", key)
	}
	open := w.begin(command(refund, order, gbp(600), "r/2", ""))
	_, err := w.pay.Begin(t.Context(), command(refund, order, gbp(151), "r/3", ""))
	wantReason(t, err, payment.ErrRefundTooMuch) // an open refund counts
	if f, err = w.pay.Execute(t.Context(), tenant, open.ID); err != nil {
		t.Fatal(err)
	}
	w.wantTotals(f, 0, 1000, 850)
	f = w.run(command(refund, order, gbp(150), "r/3", ""))
	w.wantTotals(f, 0, 1000, 1000)
	_, err = w.pay.Begin(t.Context(), command(refund, order, gbp(1), "r/4", ""))
	wantReason(t, err, payment.ErrRefundTooMuch)
	if w.books.balance("sales/m1") != 0 {
		t.Errorf("sales account is %d after everything was given back", w.books.balance("sales/m1"))
	}
	w.audit(true, order)
}

func refundsAtOnce(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	w.run(command(charge, order, gbp(1000), "pay/1", "ok"))
	var wg sync.WaitGroup
	var mu sync.Mutex
	won, lost := 0, 0
	for i := range 10 {
		wg.Go(func() {
			ops, err := w.pay.Begin(t.Context(), command(refund, order, gbp(600), "r/"+strconv.Itoa(i), ""))
			mu.Lock()
			switch {
			case err == nil:
				won++
			case hyperlocal.ReasonOf(err) == payment.ErrRefundTooMuch.Reason:
				lost++
			default:
				t.Error(err)
			}
			mu.Unlock()
			if err == nil {
				if f, err := w.pay.Execute(t.Context(), tenant, ops[0].ID); err != nil || f.Outcome != succeeded {
					t.Errorf("%+v, %v", f, err)
				}
			}
		})
	}
	wg.Wait()
	if won != 1 || lost != 9 {
		t.Errorf("%d refunds were let through and %d refused, want 1 and 9", won, lost)
	}
	w.audit(true, order)
}

func refundAgain(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	w.run(command(charge, order, gbp(1000), "pay/1", "ok,refund=decline:soft:1"))
	c := command(refund, order, gbp(400), "r/1", "")
	f := w.run(c)
	wantOutcome(t, f, declined)
	w.wantTotals(f, 0, 1000, 0)
	f = w.run(c)
	wantOutcome(t, f, succeeded)
	w.wantTotals(f, 0, 1000, 400)
	w.run(c)
	w.wantTold(order, "charge succeeded", "refund declined", "refund succeeded")
	w.audit(true, order)
}

func refundHard(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	w.run(command(charge, order, gbp(1000), "pay/1", "ok,refund=decline:hard"))
	c := command(refund, order, gbp(400), "r/1", "")
	wantOutcome(t, w.run(c), declined)
	wantOutcome(t, w.run(c), declined)
	w.wantTold(order, "charge succeeded", "refund declined")
	w.audit(true, order)
}

// refundWaits: what is owed does not fail because the provider was down for a minute.
func refundWaits(t *testing.T, h Harness) {
	w := open(t, h)
	for down, want := range map[string]string{"2": "refund succeeded", "1000": "refund declined"} {
		order := newOrder()
		w.run(command(charge, order, gbp(1000), "pay/1", "ok,refund=provider_down:"+down))
		c := command(refund, order, gbp(400), "r/1", "")
		first := w.run(c)
		if first.Outcome != processing || first.Class != hyperlocal.DeclineProviderDown || first.RetryAfter <= 0 {
			t.Errorf("first try: %+v", first)
		}
		key := w.operation(first.Operation).Key
		if again := w.run(c); again != first { // asking again does not hurry it
			t.Errorf("again: %+v, want %+v", again, first)
		}
		_, err := w.pay.Begin(t.Context(), command(refund, order, gbp(601), "r/2", ""))
		wantReason(t, err, payment.ErrRefundTooMuch) // it still counts
		for range 60 {
			w.clock.Advance(10 * time.Minute)
			w.due()
		}
		w.wantTold(order, "charge succeeded", want) // once, when it is decided
		if op := w.operation(first.Operation); op.Key != key || !op.NextAt.IsZero() {
			t.Errorf("operation %+v", op)
		}
	}
}

// latePayment: the owner, told of a capture that it no longer wants, begins the refund in the
// same transaction, and the janitor executes it after the commit.
func latePayment(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	var back hyperlocal.PaymentOperation
	w.shop.on(func(ctx context.Context, f hyperlocal.PaymentFact) error {
		if f.Verb != charge || f.Outcome != succeeded {
			return nil
		}
		c := command(refund, f.Owner, f.Captured, "late/"+f.Operation, "")
		c.Actor = hyperlocal.System("order")
		ops, err := w.pay.Begin(ctx, c)
		if err != nil {
			return err
		}
		twice, err := w.pay.Begin(ctx, c)
		if err == nil && twice[0] != ops[0] {
			t.Errorf("one reference, two operations: %+v %+v", ops, twice)
		}
		back = ops[0]
		return err
	})
	f := w.run(command(charge, order, gbp(1000), "pay/1", "ok"))
	w.wantTotals(f, 0, 1000, 0)
	if in := w.intents(order); len(in) != 1 || in[0].Allocations[0].Refunding != 1000 {
		t.Errorf("intents %+v", in)
	}
	if n := w.due(); n != 1 { // at once: nobody else is going to execute it
		t.Errorf("the janitor worked on %d", n)
	}
	f = w.status(back.ID)
	wantOutcome(t, f, succeeded)
	w.wantTotals(f, 0, 1000, 1000)
	w.wantTold(order, "charge succeeded", "refund succeeded")
	w.audit(true, order)

	// A refund that is refused inside leaves nothing of the fact, not even if the owner
	// swallows the refusal.
	second := newOrder()
	w.shop.on(func(ctx context.Context, f hyperlocal.PaymentFact) error {
		more, err := f.Captured.Add(gbp(1))
		if err != nil {
			return err
		}
		_, err = w.pay.Begin(ctx, command(refund, f.Owner, more, "late/"+f.Operation, ""))
		wantReason(t, err, payment.ErrRefundTooMuch)
		return nil
	})
	op := w.begin(command(charge, second, gbp(1000), "pay/1", "ok"))
	_, err := w.pay.Execute(t.Context(), tenant, op.ID)
	wantReason(t, err, payment.ErrNotRecorded)
	wantOutcome(t, w.status(op.ID), processing)
}
