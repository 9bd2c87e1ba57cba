package paymenttest

import (
	"slices"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

func sharedCases() []testCase {
	return []testCase{
		{"one payment for three owners", sharedCharge},
		{"a shared hold is captured owner by owner", sharedHold},
		{"bad shares", badShares},
	}
}

func sharedCommand(verb hyperlocal.PaymentVerb, owners []hyperlocal.Ref, amounts ...int64) payment.SharedCommand {
	c := payment.SharedCommand{Tenant: tenant, Verb: verb, Reference: "checkout/1", Method: "ok", Actor: shopper}
	for i, o := range owners {
		c.Shares = append(c.Shares, payment.Share{Owner: o, Merchant: merchant("m" + string(rune('1'+i))), Amount: gbp(amounts[i])})
	}
	return c
}

func sharedCharge(t *testing.T, h Harness) {
	w := open(t, h)
	owners := []hyperlocal.Ref{newOrder(), newOrder(), newOrder()}
	slices.Reverse(owners) // the order of the shares is the caller's
	c := sharedCommand(charge, owners, 100, 250, 650)
	op, err := w.pay.BeginShared(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if op.Amount != gbp(1000) || op.Owner != owners[0] {
		t.Errorf("operation %+v", op)
	}
	again, err := w.pay.BeginShared(t.Context(), c)
	if err != nil || again != op {
		t.Errorf("again: %+v, %v", again, err)
	}
	c.Shares[1].Amount, c.Shares[2].Amount = gbp(251), gbp(649)
	_, err = w.pay.BeginShared(t.Context(), c)
	wantReason(t, err, payment.ErrReferenceConflict)
	f, err := w.pay.Execute(t.Context(), tenant, op.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.wantTotals(f, 0, 100, 0)
	for i, o := range owners {
		w.wantTold(o, "charge succeeded")
		if got := w.books.balance("sales/m" + string(rune('1'+i))); got != -[]int64{100, 250, 650}[i] {
			t.Errorf("sales of merchant %d: %d", i+1, got)
		}
	}
	if moved := w.moved(); len(moved) != 1 || moved[0].Amount != gbp(1000) {
		t.Errorf("the bank moved %v", moved)
	}
	_, err = w.pay.Begin(t.Context(), command(refund, owners[0], gbp(101), "r/1", ""))
	wantReason(t, err, payment.ErrRefundTooMuch) // the others' money is not this owner's
	f = w.run(command(refund, owners[1], gbp(250), "r/1", ""))
	w.wantTotals(f, 0, 250, 250)
	if got := w.books.balance("sales/m2"); got != 0 {
		t.Errorf("sales of merchant 2: %d", got)
	}
	w.audit(true, owners...)
	if n := w.events.count("payment.captured"); n != 1 {
		t.Errorf("%d captures were told, want 1", n)
	}
}

func sharedHold(t *testing.T, h Harness) {
	w := open(t, h)
	owners := []hyperlocal.Ref{newOrder(), newOrder()}
	op, err := w.pay.BeginShared(t.Context(), sharedCommand(authorize, owners, 400, 600))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.pay.Execute(t.Context(), tenant, op.ID); err != nil {
		t.Fatal(err)
	}
	_, err = w.pay.Begin(t.Context(), command(capture, owners[0], gbp(401), "cap/1", ""))
	wantReason(t, err, payment.ErrNothingHeld)
	_, err = w.pay.Begin(t.Context(), command(void, owners[0], gbp(400), "void/1", ""))
	wantReason(t, err, payment.ErrSharedHold)
	w.wantTotals(w.run(command(capture, owners[0], gbp(400), "cap/1", "")), 0, 400, 0)
	w.wantTotals(w.run(command(void, owners[1], gbp(600), "void/1", "")), 0, 0, 0)
	w.audit(true, owners...)
}

func badShares(t *testing.T, h Harness) {
	w := open(t, h)
	owners := []hyperlocal.Ref{newOrder(), newOrder()}
	for name, change := range map[string]func(c *payment.SharedCommand){
		"none":           func(c *payment.SharedCommand) { c.Shares = nil },
		"twice":          func(c *payment.SharedCommand) { c.Shares[1].Owner = c.Shares[0].Owner },
		"zero":           func(c *payment.SharedCommand) { c.Shares[1].Amount = gbp(0) },
		"two currencies": func(c *payment.SharedCommand) { c.Shares[1].Amount, _ = hyperlocal.NewMoney(5, "JPY") },
		"overflow": func(c *payment.SharedCommand) {
			c.Shares[0].Amount, c.Shares[1].Amount = gbp(1<<62), gbp(1<<62)
		},
		"capture":     func(c *payment.SharedCommand) { c.Verb = capture },
		"no merchant": func(c *payment.SharedCommand) { c.Shares[0].Merchant = hyperlocal.Ref{} },
		"too many": func(c *payment.SharedCommand) {
			for len(c.Shares) <= payment.MaxShares {
				c.Shares = append(c.Shares, payment.Share{Owner: newOrder(), Merchant: merchant("m"), Amount: gbp(1)})
			}
		},
	} {
		c := sharedCommand(charge, owners, 1, 2)
		change(&c)
		_, err := w.pay.BeginShared(t.Context(), c)
		if hyperlocal.CodeOf(err) != hyperlocal.CodeInvalid {
			t.Errorf("%s: %v, want code invalid", name, err)
		}
	}
	if in := w.intents(owners[0]); len(in) != 0 {
		t.Errorf("intents %+v", in)
	}
}
