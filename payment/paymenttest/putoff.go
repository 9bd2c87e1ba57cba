package paymenttest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

func putOffCases() []testCase {
	return []testCase{
		{"a gateway's wish to wait is bounded", waitsBounded},
		{"what is put off is decided by hand", putOffByHand},
		{"a worker is faster than a person", workerIsFaster},
		{"a settled operation is never sent", settledNotSent},
		{"a key is as old as itself", keyOfItsOwnAge},
		{"workers without a limit", noLimit},
		{"what a thousand orders ask for", beginMany},
	}
}

// gate stands in front of the bank's gateway and answers refunds as it likes.
type gate struct {
	payment.Gateway
	refund func(ctx context.Context, r payment.RefundRequest) (payment.Result, error)
}

func (g *gate) Refund(ctx context.Context, r payment.RefundRequest) (payment.Result, error) {
	if g.refund != nil {
		return g.refund(ctx, r)
	}
	return g.Gateway.Refund(ctx, r)
}

func openGated(t *testing.T, h Harness, opts ...option) (*world, *gate) {
	t.Helper()
	g, openBank := &gate{}, h.OpenBank
	h.OpenBank = func(t *testing.T, clock hyperlocal.Clock, deliver Deliver, without Without) Bank {
		t.Helper()
		b := openBank(t, clock, deliver, without)
		g.Gateway, b.Gateway = b.Gateway, g
		return b
	}
	return open(t, h, opts...), g
}

const century = 100 * 365 * 24 * time.Hour

// busy asks for a century of patience.
func busy(context.Context, payment.RefundRequest) (payment.Result, error) {
	return payment.Result{Outcome: declined, Class: hyperlocal.DeclineRateLimited, RetryAfter: century}, nil
}

// unreachable does so in the error of a request that never left.
func unreachable(context.Context, payment.RefundRequest) (payment.Result, error) {
	return payment.Result{}, payment.ErrNotSent.WithRetryAfter(century)
}

// putOff returns a refund that the gateway has asked to be put off.
func (w *world) putOff(g *gate, how func(context.Context, payment.RefundRequest) (payment.Result, error)) (hyperlocal.Ref, hyperlocal.PaymentFact) {
	w.t.Helper()
	order := newOrder()
	w.run(command(charge, order, gbp(1000), "pay/1", "ok"))
	g.refund = how
	f := w.run(command(refund, order, gbp(400), "r/1", ""))
	g.refund = nil
	wantOutcome(w.t, f, processing)
	return order, f
}

func waitsBounded(t *testing.T, h Harness) {
	w, g := openGated(t, h)
	var orders []hyperlocal.Ref
	for name, how := range map[string]func(context.Context, payment.RefundRequest) (payment.Result, error){
		"answered": busy, "not sent": unreachable,
	} {
		order, f := w.putOff(g, how)
		if op := w.operation(f.Operation); f.RetryAfter != payment.MaxRetryAfter || !op.NextAt.Equal(w.clock.Now().Add(payment.MaxRetryAfter)) {
			t.Errorf("%s: put off by %v until %v, now is %v", name, f.RetryAfter, op.NextAt, w.clock.Now())
		}
		w.clock.Advance(payment.MaxRetryAfter)
		if n := w.due(); n != 1 {
			t.Errorf("%s: the janitor worked on %d", name, n)
		}
		wantOutcome(t, w.status(f.Operation), succeeded)
		orders = append(orders, order)
	}
	w.audit(true, orders...)
}

// putOffByHand: an operation that waits to be sent again is in nobody's hands, so a person may
// have it sent now or decide about it.
func putOffByHand(t *testing.T, h Harness) {
	w, g := openGated(t, h)
	admin := hyperlocal.Actor{Kind: "admin", ID: "a1"}
	order, f := w.putOff(g, busy)
	if err := w.pay.Recheck(t.Context(), tenant, f.Operation); err != nil {
		t.Fatal(err)
	}
	w.due()
	wantOutcome(t, w.status(f.Operation), succeeded)
	w.audit(true, order)
	for _, outcome := range []hyperlocal.PaymentOutcome{succeeded, declined} {
		order, f := w.putOff(g, busy)
		c := payment.ResolveCommand{Tenant: tenant, Actor: admin, Operation: f.Operation, Outcome: outcome}
		got, err := w.pay.Resolve(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		wantOutcome(t, got, outcome)
		w.wantTold(order, "charge succeeded", "refund "+string(outcome))
		if op := w.operation(f.Operation); !op.NextAt.IsZero() {
			t.Errorf("%s by hand, and due at %v", outcome, op.NextAt)
		}
	}
	// The lease of whoever sends it for the first time is still respected.
	w.run(command(charge, order, gbp(500), "pay/2", "ok"))
	op := w.begin(command(refund, order, gbp(500), "r/2", ""))
	wantReason(t, w.pay.Recheck(t.Context(), tenant, op.ID), payment.ErrUnderWay)
	_, err := w.pay.Resolve(t.Context(), payment.ResolveCommand{Tenant: tenant, Actor: admin, Operation: op.ID, Outcome: declined})
	wantReason(t, err, payment.ErrUnderWay)
}

// workerIsFaster: a worker may take an operation while a person's decision about it waits for
// the owners.
func workerIsFaster(t *testing.T, h Harness) {
	w, g := openGated(t, h)
	_, f := w.putOff(g, busy)
	w.clock.Set(w.operation(f.Operation).NextAt)
	w.shop.waited = func(ctx context.Context) error {
		_, mine, err := h.Store.Lease(ctx, tenant, f.Operation, w.clock.Now(), w.clock.Now().Add(time.Minute))
		if !mine {
			t.Error("the lease was not given")
		}
		return err
	}
	_, err := w.pay.Resolve(t.Context(), payment.ResolveCommand{Tenant: tenant, Actor: shopper, Operation: f.Operation, Outcome: declined})
	w.shop.waited = nil
	wantReason(t, err, payment.ErrUnderWay)
	wantOutcome(t, w.status(f.Operation), processing)
}

// settledNotSent: asking about an operation that a person declined before it was sent asks, and
// sends nothing.
func settledNotSent(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	w.run(command(charge, order, gbp(1000), "pay/1", "ok"))
	var back hyperlocal.PaymentOperation
	w.shop.on(func(ctx context.Context, _ hyperlocal.PaymentFact) error {
		ops, err := w.pay.Begin(ctx, command(refund, order, gbp(400), "r/1", "")) // sent by nobody yet
		if err == nil {
			back = ops[0]
		}
		return err
	})
	w.run(command(charge, order, gbp(100), "pay/2", "ok"))
	w.shop.on(nil)
	if op := w.operation(back.ID); op.Sent {
		t.Fatalf("operation %+v", op)
	}
	c := payment.ResolveCommand{Tenant: tenant, Actor: shopper, Operation: back.ID, Outcome: declined}
	if _, err := w.pay.Resolve(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := w.pay.Recheck(t.Context(), tenant, back.ID); err != nil {
		t.Fatal(err)
	}
	w.due()
	wantOutcome(t, w.status(back.ID), declined)
	if n := len(w.moved()); n != 2 {
		t.Errorf("the bank moved %v", w.moved())
	}
	w.audit(true, order)
}

// keyOfItsOwnAge: an operation that is armed again has a new key, which the gateway remembers
// for a lifetime of its own.
func keyOfItsOwnAge(t *testing.T, h Harness) {
	w, g := openGated(t, h, lacking(Without{KeyLifetime: time.Hour}))
	order := newOrder()
	w.run(command(charge, order, gbp(1000), "pay/1", "ok"))
	c := command(refund, order, gbp(400), "r/1", "")
	g.refund = func(context.Context, payment.RefundRequest) (payment.Result, error) {
		return payment.Result{Outcome: declined, Class: hyperlocal.DeclineSoft}, nil
	}
	first := w.run(c)
	wantOutcome(t, first, declined)
	made := w.operation(first.Operation)
	w.clock.Advance(3 * time.Hour)
	g.refund = func(context.Context, payment.RefundRequest) (payment.Result, error) {
		return payment.Result{}, fmt.Errorf("lost on the way")
	}
	wantOutcome(t, w.run(c), unknown)
	again := w.operation(first.Operation)
	if again.Key == made.Key || !made.BegunAt.Equal(made.CreatedAt) || !again.BegunAt.Equal(w.clock.Now()) || !again.CreatedAt.Equal(made.CreatedAt) {
		t.Errorf("made %+v\nagain %+v", made, again)
	}
	g.refund = nil
	w.clock.Advance(5 * time.Second)
	w.due()
	wantOutcome(t, w.status(first.Operation), succeeded)
	if op := w.operation(first.Operation); op.Attention != "" || !op.BegunAt.Equal(again.BegunAt) {
		t.Errorf("operation %+v", op)
	}
	w.audit(true, order)
}

// noLimit: 0 is a default, not nothing; less than that is refused.
func noLimit(t *testing.T, h Harness) {
	w := open(t, h)
	var commands []hyperlocal.PaymentCommand
	for range 101 {
		commands = append(commands, command(charge, newOrder(), gbp(100), "pay/1", "ok,webhook:later"))
	}
	if _, err := w.pay.Begin(t.Context(), commands...); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(2 * time.Minute)
	if n, next, err := w.pay.RunDue(t.Context(), 0); n != 100 || next.IsZero() || err != nil {
		t.Errorf("operations: %d, %v, %v; want 100 and more to come", n, next, err)
	}
	if n, next, err := w.pay.RunDue(t.Context(), 0); n != 1 || !next.IsZero() || err != nil {
		t.Errorf("operations: %d, %v, %v; want the last", n, next, err)
	}
	if err := w.bank.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	waiting, err := w.pay.PendingWebhooks(t.Context(), tenant)
	if err != nil {
		t.Fatal(err)
	}
	for want := waiting; want > 0; want -= 100 {
		if n, _, err := w.pay.ProcessWebhooks(t.Context(), 0); n != min(want, 100) || err != nil {
			t.Fatalf("webhooks: %d, %v, want %d", n, err, min(want, 100))
		}
	}
	if waiting == 0 {
		t.Error("no webhook came")
	}
	_, _, err = w.pay.RunDue(t.Context(), -1)
	wantCode(t, err, hyperlocal.CodeInvalid)
	_, _, err = w.pay.ProcessWebhooks(t.Context(), -1)
	wantCode(t, err, hyperlocal.CodeInvalid)
}

// beginMany: a batch of orders may ask for more than one thing each.
func beginMany(t *testing.T, h Harness) {
	w := open(t, h)
	var commands []hyperlocal.PaymentCommand
	for range 1000 {
		order := newOrder()
		commands = append(commands, command(charge, order, gbp(100), "pay/1", "ok"), command(authorize, order, gbp(50), "pay/2", "ok"))
	}
	ops, err := w.pay.Begin(t.Context(), commands...)
	if err != nil || len(ops) != len(commands) {
		t.Fatalf("%d operations, %v", len(ops), err)
	}
	ids := make([]string, len(ops))
	for i, op := range ops {
		if op.Owner != commands[i].Owner || op.Verb != commands[i].Verb || op.Amount != commands[i].Amount {
			t.Fatalf("operation %d is %+v", i, op)
		}
		ids[i] = op.ID
	}
	if facts, err := w.pay.Status(t.Context(), tenant, ids...); err != nil || len(facts) != len(ids) {
		t.Errorf("%d facts, %v", len(facts), err)
	}
	for len(commands) <= payment.MaxBatch {
		commands = append(commands, commands[0])
	}
	_, err = w.pay.Begin(t.Context(), commands...)
	wantCode(t, err, hyperlocal.CodeInvalid)
}
