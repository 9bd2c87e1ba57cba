package paymenttest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

func janitorCases() []testCase {
	return []testCase{
		{"answer lost after the charge", answerLost},
		{"request lost before the charge", requestLost},
		{"crash between answer and record", crashAfterGateway},
		{"lease holds others off", leaseHolds},
		{"creator comes after its lease", creatorLate},
		{"begun and never sent", neverSent},
		{"begun and too old", tooOld},
		{"lookups used up", lookupsUsedUp},
		{"key forgotten", keyForgotten},
		{"pending settles by itself", pendingSettles},
		{"pending for ever", pendingForEver},
		{"action of the shopper", shopperActs},
		{"resolve by hand", resolveByHand},
		{"two janitors", twoJanitors},
		{"next tells when to come again", nextTime},
	}
}

func answerLost(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	f := w.run(command(charge, order, gbp(1000), "pay/1", "timeout:after"))
	wantOutcome(t, f, unknown) // never failed
	w.wantTotals(f, 0, 0, 0)
	if n := w.due(); n != 0 {
		t.Errorf("looked up %d at once; the first gap has not passed", n)
	}
	w.clock.Advance(5 * time.Second)
	if n := w.due(); n != 1 {
		t.Errorf("looked up %d", n)
	}
	f = w.status(f.Operation)
	wantOutcome(t, f, succeeded)
	w.wantTotals(f, 0, 1000, 0)
	w.wantTold(order, "charge unknown", "charge succeeded")
	if len(w.moved()) != 1 {
		t.Errorf("the bank moved %v", w.moved())
	}
	w.audit(true, order)
}

func requestLost(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	f := w.run(command(charge, order, gbp(1000), "pay/1", "timeout:before"))
	wantOutcome(t, f, unknown)
	key := w.operation(f.Operation).Key
	w.clock.Advance(5 * time.Second)
	w.due() // not known there: sent again, under the same key
	f = w.status(f.Operation)
	wantOutcome(t, f, succeeded)
	if moved := w.moved(); len(moved) != 1 || moved[0].Key != key {
		t.Errorf("the bank moved %v, want one under %s", moved, key)
	}
	w.wantTold(order, "charge unknown", "charge succeeded")
	w.audit(true, order)
}

func crashAfterGateway(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	op := w.begin(command(charge, order, gbp(1000), "pay/1", "ok"))
	w.crashWith(func(name string) error {
		if name != "pay.after_gateway" {
			t.Errorf("hook %q", name)
		}
		return errCrash
	})
	_, err := w.pay.Execute(t.Context(), tenant, op.ID)
	wantReason(t, err, payment.ErrNotRecorded)
	wantCode(t, err, hyperlocal.CodeUnknownOutcome)
	w.crashWith(nil)
	wantOutcome(t, w.status(op.ID), processing)
	restarted := w.again()
	// Before the lease ends nobody touches it, not even by asking for it.
	if f, err := restarted.Execute(t.Context(), tenant, op.ID); err != nil || f.Outcome != processing {
		t.Errorf("%+v, %v", f, err)
	}
	w.clock.Advance(time.Minute)
	f, err := restarted.Execute(t.Context(), tenant, op.ID)
	if err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, f, succeeded)
	if len(w.moved()) != 1 {
		t.Errorf("the bank moved %v", w.moved())
	}
	w.wantTold(order, "charge succeeded")
	w.audit(true, order)
}

func leaseHolds(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	op := w.begin(command(charge, order, gbp(1000), "pay/1", "ok"))
	elsewhere := w.again()
	f, err := elsewhere.Execute(t.Context(), tenant, op.ID)
	if err != nil || f.Outcome != processing {
		t.Errorf("another process executed it under the creator's lease: %+v, %v", f, err)
	}
	if n, next, err := elsewhere.RunDue(t.Context(), 10); n != 0 || err != nil || !next.Equal(w.clock.Now().Add(time.Minute)) {
		t.Errorf("RunDue: %d, %v, %v", n, next, err)
	}
	if len(w.moved()) != 0 {
		t.Errorf("the bank moved %v", w.moved())
	}
	if f, err = w.pay.Execute(t.Context(), tenant, op.ID); err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, f, succeeded)
}

// creatorLate: the memory of one's own lease ends with the lease.
func creatorLate(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	op := w.begin(command(charge, order, gbp(1000), "pay/1", "timeout:before"))
	w.clock.Advance(time.Minute)
	if _, _, err := w.again().RunDue(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	f, err := w.pay.Execute(t.Context(), tenant, op.ID)
	if err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, f, unknown) // as it stands: another request may be on its way
	w.clock.Advance(time.Minute)
	w.due()
	wantOutcome(t, w.status(op.ID), succeeded)
	w.audit(true, order)
}

func neverSent(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	op := w.begin(command(charge, order, gbp(1000), "pay/1", "ok"))
	w.clock.Advance(2 * time.Minute)
	n, next, err := w.again().RunDue(t.Context(), 10)
	if n != 1 || err != nil || !next.IsZero() {
		t.Errorf("RunDue: %d, %v, %v", n, next, err)
	}
	wantOutcome(t, w.status(op.ID), succeeded)
	w.audit(true, order)
}

func tooOld(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	op := w.begin(command(charge, order, gbp(1000), "pay/1", "ok"))
	paid := newOrder()
	w.run(command(charge, paid, gbp(300), "pay/1", "ok"))
	back := w.begin(command(refund, paid, gbp(300), "r/1", ""))
	w.clock.Advance(48 * time.Hour)
	w.due()
	f := w.status(op.ID)
	wantOutcome(t, f, declined) // nobody expects to be charged two days later
	if f.Code != payment.CodeNeverSent {
		t.Errorf("code %q", f.Code)
	}
	wantOutcome(t, w.status(back.ID), succeeded) // what is owed is paid at any age
	w.audit(true, order, paid)
}

func lookupsUsedUp(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	f := w.run(command(charge, order, gbp(1000), "pay/1", "timeout:after,lookup=provider_down:50"))
	wantOutcome(t, f, unknown)
	asked := 0
	start := w.clock.Now()
	var gaps []time.Duration
	for range 50 {
		_, next, err := w.pay.RunDue(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		if next.IsZero() {
			break
		}
		gaps = append(gaps, next.Sub(w.clock.Now()))
		w.clock.Set(next)
		asked++
	}
	if took := w.clock.Now().Sub(start); took > 26*time.Hour {
		t.Errorf("a person was called after %v, want within 26h", took)
	}
	for i := 1; i < len(gaps); i++ {
		if gaps[i] < gaps[i-1] {
			t.Errorf("the gaps do not grow: %v", gaps)
		}
	}
	op := w.operation(f.Operation)
	if op.Attention != payment.ReasonLookupsUsedUp || op.Outcome != unknown || asked < 3 {
		t.Errorf("after %d lookups: %+v", asked, op)
	}
	if n := w.events.count("payment.needs_attention"); n != 1 {
		t.Errorf("a person was called %d times", n)
	}
	page, err := w.pay.Operations(t.Context(), tenant, payment.OperationFilter{Attention: true}, hyperlocal.PageRequest{})
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != op.ID {
		t.Errorf("worklist %+v, %v", page.Items, err)
	}
	// The provider is back: the person has it asked again.
	for range 60 {
		if err := w.pay.Recheck(t.Context(), tenant, op.ID); err != nil {
			break
		}
		w.due()
	}
	f = w.status(op.ID)
	wantOutcome(t, f, succeeded)
	if got := w.operation(op.ID); got.Attention != "" {
		t.Errorf("settled, and still %q", got.Attention)
	}
	w.audit(true, order)
}

func keyForgotten(t *testing.T, h Harness) {
	w := open(t, h, lacking(Without{KeyLifetime: time.Hour}), policy(payment.Policy{
		Timeout: 10 * time.Second, Lease: time.Minute, Lookups: []time.Duration{2 * time.Hour, time.Hour},
	}))
	order := newOrder()
	f := w.run(command(charge, order, gbp(1000), "pay/1", "timeout:before"))
	wantOutcome(t, f, unknown)
	w.clock.Advance(2 * time.Hour)
	w.due() // "never heard of it" proves nothing any more
	op := w.operation(f.Operation)
	if op.Attention != payment.ReasonKeyForgotten || op.Outcome != unknown {
		t.Errorf("operation %+v", op)
	}
	if len(w.moved()) != 0 {
		t.Errorf("the bank moved %v", w.moved())
	}
}

func pendingSettles(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	f := w.run(command(charge, order, gbp(1000), "pay/1", "pending:30m,webhook:never"))
	wantOutcome(t, f, pending)
	for range 10 {
		w.clock.Advance(20 * time.Minute)
		w.due()
	}
	f = w.status(f.Operation)
	wantOutcome(t, f, succeeded)
	if !f.At.After(monday) {
		t.Errorf("effective at %v: it was finished later than it was asked for", f.At)
	}
	w.wantTold(order, "charge pending", "charge succeeded")
	w.audit(true, order)
}

func pendingForEver(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	f := w.run(command(charge, order, gbp(1000), "pay/1", "pending,webhook:never"))
	for range 40 {
		w.clock.Advance(24 * time.Hour)
		w.due()
	}
	op := w.operation(f.Operation)
	if op.Attention != payment.ReasonPendingTooLong || op.Outcome != pending {
		t.Errorf("operation %+v", op)
	}
	w.wantTold(order, "charge pending") // it hears nothing when there is nothing new
}

func shopperActs(t *testing.T, h Harness) {
	w := open(t, h)
	for _, success := range []bool{true, false} {
		order := newOrder()
		f := w.run(command(charge, order, gbp(1000), "pay/1", "action,webhook:never"))
		wantOutcome(t, f, action)
		if f.Action == "" {
			t.Error("the shopper is not told what to do")
		}
		if err := w.bank.Complete(t.Context(), tenant, w.operation(f.Operation).Key, success); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(time.Minute)
		w.due()
		want := succeeded
		if !success {
			want = declined
		}
		f = w.status(f.Operation)
		wantOutcome(t, f, want)
		if f.Action != "" {
			t.Errorf("nothing is left to do, and yet %q", f.Action)
		}
		w.wantTold(order, "charge action_required", "charge "+string(want))
	}
}

func resolveByHand(t *testing.T, h Harness) {
	w := open(t, h)
	admin := hyperlocal.Actor{Kind: "admin", ID: "a1"}
	for _, outcome := range []hyperlocal.PaymentOutcome{succeeded, declined} {
		order := newOrder()
		f := w.run(command(charge, order, gbp(1000), "pay/1", "timeout:after,lookup=provider_down"))
		c := payment.ResolveCommand{Tenant: tenant, Actor: admin, Operation: f.Operation, Outcome: outcome, Provider: "seen-on-statement"}
		f, err := w.pay.Resolve(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		wantOutcome(t, f, outcome)
		if f.Actor != admin {
			t.Errorf("actor %+v", f.Actor)
		}
		w.wantTold(order, "charge unknown", "charge "+string(outcome))
		_, err = w.pay.Resolve(t.Context(), c)
		wantReason(t, err, payment.ErrNotOpen)
	}
	op := w.begin(command(charge, newOrder(), gbp(1), "pay/1", "ok"))
	_, err := w.pay.Resolve(t.Context(), payment.ResolveCommand{Tenant: tenant, Actor: admin, Operation: op.ID, Outcome: declined})
	wantReason(t, err, payment.ErrUnderWay)
	_, err = w.pay.Resolve(t.Context(), payment.ResolveCommand{Tenant: tenant, Actor: admin, Operation: op.ID, Outcome: pending})
	wantCode(t, err, hyperlocal.CodeInvalid)
	_, err = w.pay.Resolve(t.Context(), payment.ResolveCommand{Tenant: tenant, Operation: op.ID, Outcome: declined})
	wantCode(t, err, hyperlocal.CodeInvalid)
}

func twoJanitors(t *testing.T, h Harness) {
	w := open(t, h)
	var owners []hyperlocal.Ref
	for range 30 {
		o := newOrder()
		owners = append(owners, o)
		w.begin(command(charge, o, gbp(100), "pay/1", "ok"))
	}
	w.clock.Advance(2 * time.Minute)
	services := []*payment.Service{w.again(), w.again(), w.again()}
	var wg sync.WaitGroup
	var mu sync.Mutex
	total := 0
	for _, s := range services {
		wg.Go(func() {
			n, _, err := s.RunDue(context.WithoutCancel(t.Context()), 1000)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			total += n
			mu.Unlock()
		})
	}
	wg.Wait()
	if total != len(owners) {
		t.Errorf("three janitors worked on %d operations, want %d", total, len(owners))
	}
	if n := len(w.moved()); n != len(owners) {
		t.Errorf("the bank moved %d times", n)
	}
	w.audit(true, owners...)
}

func nextTime(t *testing.T, h Harness) {
	w := open(t, h)
	if n, next, err := w.pay.RunDue(t.Context(), 10); n != 0 || !next.IsZero() || err != nil {
		t.Errorf("nothing to do: %d, %v, %v", n, next, err)
	}
	w.run(command(charge, newOrder(), gbp(100), "pay/1", "timeout:after"))
	_, next, err := w.pay.RunDue(t.Context(), 10)
	if err != nil || !next.Equal(w.clock.Now().Add(5*time.Second)) {
		t.Errorf("next %v, %v", next, err)
	}
	w.run(command(charge, newOrder(), gbp(100), "pay/1", "ok"))
	for range 3 {
		w.run(command(charge, newOrder(), gbp(100), "pay/1", "timeout:after"))
	}
	w.clock.Advance(5 * time.Second)
	if n, next, err := w.pay.RunDue(t.Context(), 2); n != 2 || next.After(w.clock.Now()) || next.IsZero() || err != nil {
		t.Errorf("two of four: %d, %v, %v", n, next, err)
	}
	if n, next, err := w.pay.RunDue(t.Context(), 10); n != 2 || !next.IsZero() || err != nil {
		t.Errorf("the rest: %d, %v, %v", n, next, err)
	}
}
