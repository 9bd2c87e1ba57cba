package ordertest

import (
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// accepted is a paid order of n apples that the merchant has accepted.
func (k *kit) accepted(n int64) order.ID {
	k.t.Helper()
	id := k.place(apples(n))
	k.pay(id)
	k.fire(id, order.TriggerAccept)
	return id
}

func (k *kit) refund(c order.RefundCommand) (order.CreditResult, error) {
	c.Tenant, c.Actor = tenant, merchant
	return k.s.Refund(k.t.Context(), c)
}

func (k *kit) refunds(id order.ID) []order.Refund {
	k.t.Helper()
	all, err := k.s.Refunds(k.t.Context(), tenant, id)
	noError(k.t, err)
	return all
}

func pieces(line int, n int64, restock bool) []order.RefundItem {
	return []order.RefundItem{{Line: line, Quantity: hyperlocal.Pieces(n), Restock: restock}}
}

func testRefunds(t *testing.T, newHarness func(*testing.T) Harness) {
	t.Run("part by part", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.accepted(4)
		r, err := k.refund(order.RefundCommand{Order: id, Amount: gbp(200), Items: pieces(1, 1, true), Reason: "bruised"})
		noError(t, err)
		got := r.Credit.Refunds[0]
		if r.Credit.Total != gbp(200) || got.State != order.RefundSucceeded || got.Operation == "" || r.Credit.Merchant != shop || r.Credit.Customer != ann {
			t.Fatalf("got %+v", r)
		}
		o := k.want(id, order.Accepted, order.PaymentPartRefunded)
		if o.Refunded != gbp(200) || o.Lines[0].Returned != 1 {
			t.Fatalf("got %+v", o)
		}
		k.wantStock(97, 0)
		_, err = k.refund(order.RefundCommand{Order: id, Items: pieces(1, 2, false)}) // the rest
		noError(t, err)
		o = k.want(id, order.Accepted, order.PaymentRefunded)
		if o.Refunded != gbp(600) || o.Lines[0].Returned != 3 {
			t.Fatalf("got %+v", o)
		}
		k.wantStock(97, 0)
		k.wantTriggers(id, "refund", "request succeed request succeed")
		_, err = k.refund(order.RefundCommand{Order: id})
		wantReason(t, err, order.ErrRefundTooMuch)
	})
	t.Run("refusals", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.accepted(4)
		before := k.get(id)
		eur, err := hyperlocal.NewMoney(100, "EUR")
		noError(t, err)
		for name, c := range map[string]struct {
			command order.RefundCommand
			want    string
		}{
			"another currency":    {order.RefundCommand{Amount: eur}, hyperlocal.ErrCurrencyMismatch.Reason},
			"zero":                {order.RefundCommand{Amount: gbp(0)}, "order/invalid_amount"},
			"negative":            {order.RefundCommand{Amount: gbp(-1)}, "order/invalid_amount"},
			"too much":            {order.RefundCommand{Amount: gbp(601)}, order.ErrRefundTooMuch.Reason},
			"too many units":      {order.RefundCommand{Amount: gbp(1), Items: pieces(1, 5, false)}, order.ErrReturnTooMuch.Reason},
			"too many units by 2": {order.RefundCommand{Amount: gbp(1), Items: append(pieces(1, 3, false), pieces(1, 2, false)...)}, order.ErrReturnTooMuch.Reason},
			"no units":            {order.RefundCommand{Amount: gbp(1), Items: pieces(1, 0, false)}, "order/invalid_items"},
			"no such line":        {order.RefundCommand{Amount: gbp(1), Items: pieces(2, 1, false)}, "order/invalid_items"},
			"line zero":           {order.RefundCommand{Amount: gbp(1), Items: pieces(0, 1, false)}, "order/invalid_items"},
			"another unit":        {order.RefundCommand{Amount: gbp(1), Items: []order.RefundItem{{Line: 1, Quantity: grams(t, 1)}}}, "order/invalid_items"},
			"another merchant":    {order.RefundCommand{Amount: gbp(1), Merchant: hyperlocal.NewRef("merchant", "butcher")}, order.ErrNotFound.Reason},
		} {
			c.command.Order = id
			_, err := k.refund(c.command)
			if hyperlocal.ReasonOf(err) != c.want {
				t.Errorf("%s: got %v, want %s", name, err, c.want)
			}
		}
		equal(t, k.get(id), before)
		if len(k.refunds(id)) != 0 {
			t.Fatal("a refund was recorded")
		}
		unpaid := k.place(apples(1))
		_, err = k.refund(order.RefundCommand{Order: unpaid, Amount: gbp(1)})
		wantReason(t, err, order.ErrRefundTooMuch)
		k.pay(unpaid)
		_, err = k.refund(order.RefundCommand{Order: unpaid, Amount: gbp(1), Items: pieces(1, 1, true)})
		wantReason(t, err, order.ErrNotAllowed) // still on the shelf
	})
	t.Run("units without money", func(t *testing.T) {
		k := newKit(t, newHarness)
		c := apples(2)
		c.PayLater = true
		id := k.place(c)
		k.fire(id, order.TriggerAccept)
		r, err := k.refund(order.RefundCommand{Order: id, Amount: gbp(0), Items: pieces(1, 2, true)})
		noError(t, err)
		if got := r.Credit.Refunds[0]; got.State != order.RefundSucceeded || !got.Amount.IsZero() {
			t.Fatalf("got %+v", got)
		}
		k.want(id, order.Accepted, order.PaymentNoneDue)
		k.wantStock(100, 0)
		if len(k.payments.Asked()) != 0 {
			t.Fatal("a gateway was asked for nothing")
		}
		_, err = k.refund(order.RefundCommand{Order: id, Amount: gbp(0), Items: pieces(1, 1, true)})
		wantReason(t, err, order.ErrReturnTooMuch)
	})
	t.Run("keys and external references", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.accepted(4)
		c := order.RefundCommand{Order: id, Amount: gbp(100), Key: "k1", External: hyperlocal.External{Source: "till", Reference: "r1"}}
		first, err := k.refund(c)
		noError(t, err)
		for _, key := range []string{"k1", "k2", ""} {
			c.Key = key
			again, err := k.refund(c)
			noError(t, err)
			if !again.Replayed || again.Credit.ID != first.Credit.ID {
				t.Fatalf("got %+v", again)
			}
		}
		c.Key, c.Amount = "k1", gbp(101)
		_, err = k.refund(c)
		wantReason(t, err, hyperlocal.ErrKeyReused)
		c.Key = ""
		_, err = k.refund(c)
		wantReason(t, err, order.ErrExternalConflict)
		if o := k.get(id); o.Refunded != gbp(100) {
			t.Fatalf("refunded %s", o.Refunded)
		}
		got, err := k.s.GetCredit(t.Context(), tenant, first.Credit.ID)
		noError(t, err)
		equal(t, got, first.Credit)
	})
	t.Run("declined frees the amount", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.accepted(4)
		k.payments.SayAlways(declined(hyperlocal.DeclineHard))
		r, err := k.refund(order.RefundCommand{Order: id, Amount: gbp(600)})
		noError(t, err)
		if r.Credit.Refunds[0].State != order.RefundFailed {
			t.Fatalf("got %+v", r)
		}
		k.want(id, order.Accepted, order.PaymentPaid)
		k.payments.SayAlways(Succeeded)
		_, err = k.refund(order.RefundCommand{Order: id, Amount: gbp(600)})
		noError(t, err)
		k.want(id, order.Accepted, order.PaymentRefunded)
		_, err = k.s.ResolveRefund(t.Context(), order.RefundDecision{
			Tenant: tenant, Actor: merchant, Order: id, Refund: r.Credit.Refunds[0].ID, Retry: true,
		})
		wantReason(t, err, order.ErrRefundTooMuch)
	})
	t.Run("unknown holds the amount", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.accepted(4)
		k.payments.SayAlways(Answer{Outcome: hyperlocal.OutcomeUnknown})
		r, err := k.refund(order.RefundCommand{Order: id, Amount: gbp(400)})
		noError(t, err)
		_, err = k.refund(order.RefundCommand{Order: id, Amount: gbp(201)})
		wantReason(t, err, order.ErrRefundTooMuch)
		k.pass(time.Hour)
		k.settle(r.Credit.Refunds[0].Operation, Answer{Outcome: hyperlocal.OutcomePending})
		k.pass(time.Hour)
		if got := k.refunds(id)[0]; got.State != order.RefundPending || got.NextActionAt.IsZero() {
			t.Fatalf("got %+v", got)
		}
		k.settle(r.Credit.Refunds[0].Operation, Succeeded)
		k.want(id, order.Accepted, order.PaymentPartRefunded)
		k.wantTriggers(id, "refund", "request lose pend succeed")
	})
	t.Run("unknown for ever", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.accepted(4)
		k.payments.SayAlways(Answer{Outcome: hyperlocal.OutcomeUnknown})
		r, err := k.refund(order.RefundCommand{Order: id, Amount: gbp(400)})
		noError(t, err)
		k.fire(id, order.TriggerReady, order.TriggerDeliver, order.TriggerComplete)
		k.pass(48 * time.Hour)
		got := k.refunds(id)[0]
		if got.State != order.RefundNeedsAttention || got.NextActionAt.IsZero() {
			t.Fatalf("got %+v", got)
		}
		decide := order.RefundDecision{Tenant: tenant, Actor: merchant, Order: id, Refund: got.ID}
		shoppers := decide
		shoppers.Actor = shopper
		_, err = k.s.ResolveRefund(t.Context(), shoppers)
		wantReason(t, err, order.ErrActor)
		closed, err := k.s.ResolveRefund(t.Context(), decide)
		noError(t, err)
		if closed.State != order.RefundFailed {
			t.Fatalf("got %+v", closed)
		}
		_, err = k.s.ResolveRefund(t.Context(), decide)
		wantReason(t, err, order.ErrNotAllowed)
		decide.Refund = "none"
		_, err = k.s.ResolveRefund(t.Context(), decide)
		wantReason(t, err, order.ErrRefundNotFound)
		// And yet it moved.
		k.settle(r.Credit.Refunds[0].Operation, Succeeded)
		k.want(id, order.Completed, order.PaymentPartRefunded)
	})
	t.Run("a decline of what is owed asks a person", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.accepted(4)
		k.payments.SayAlways(declined(hyperlocal.DeclineHard))
		k.fire(id, order.TriggerCancel)
		k.payments.SayAlways(Succeeded)
		got := k.refunds(id)[0]
		if got.State != order.RefundNeedsAttention {
			t.Fatalf("got %+v", got)
		}
		retry := order.RefundDecision{Tenant: tenant, Actor: merchant, Order: id, Refund: got.ID, Retry: true}
		none, err := k.s.ResolveRefund(t.Context(), retry) // it will never be made
		wantReason(t, err, order.ErrRefundDeclined)
		if none.ID != "" {
			t.Fatalf("a refusal came with %+v", none)
		}
		equal(t, k.refunds(id)[0], got)

		id = k.accepted(4) // paid, before all goes wrong again
		k.payments.SayAlways(declined(hyperlocal.DeclineSoft))
		k.fire(id, order.TriggerCancel)
		retry.Order, retry.Refund = id, k.refunds(id)[0].ID
		k.payments.SayAlways(Answer{Outcome: hyperlocal.OutcomePending})
		retried, err := k.s.ResolveRefund(t.Context(), retry)
		noError(t, err)
		if retried.State != order.RefundPending {
			t.Fatalf("got %+v", retried)
		}
	})
	t.Run("credit", func(t *testing.T) { testCredit(t, newKit(t, newHarness)) })
}

func testCredit(t *testing.T, k *kit) {
	a, b := k.accepted(2), k.accepted(4)
	c := order.CreditCommand{
		Tenant: tenant, Actor: merchant, Merchant: shop, Customer: ann, Key: "c1", Reason: "goodwill", NoteAmount: gbp(250),
		Parts: []order.CreditPart{
			{Order: a, Amount: gbp(300), Items: pieces(1, 2, true)},
			{Order: b, Amount: gbp(100)},
			{Order: b, Amount: gbp(50), Items: pieces(1, 1, false)},
		},
	}
	for name, change := range map[string]func(*order.CreditCommand){
		"order/refund_exceeds":   func(c *order.CreditCommand) { c.Parts[1].Amount = gbp(551) },
		"order/return_exceeds":   func(c *order.CreditCommand) { c.Parts[2].Items = pieces(1, 5, false) },
		"order/not_found":        func(c *order.CreditCommand) { c.Merchant = hyperlocal.NewRef("merchant", "butcher") },
		"order/invalid_merchant": func(c *order.CreditCommand) { c.Merchant = hyperlocal.Ref{} },
		"order/invalid_parts":    func(c *order.CreditCommand) { c.Parts[0] = order.CreditPart{Order: a} },
	} {
		bad := c
		bad.Key, bad.Parts = "", append([]order.CreditPart(nil), c.Parts...)
		change(&bad)
		_, err := k.s.Credit(t.Context(), bad)
		if hyperlocal.ReasonOf(err) != name {
			t.Errorf("got %v, want %s", err, name)
		}
	}
	k.wantStock(94, 0)
	if len(k.refunds(a))+len(k.refunds(b)) != 0 || len(k.journal.Postings()) != 0 {
		t.Fatal("a refused credit left something behind")
	}
	r, err := k.s.Credit(t.Context(), c)
	noError(t, err)
	if r.Credit.Total != gbp(700) || len(r.Credit.Refunds) != 3 || r.Credit.NoteAmount != gbp(250) {
		t.Fatalf("got %+v", r)
	}
	k.want(a, order.Accepted, order.PaymentRefunded)
	if o := k.want(b, order.Accepted, order.PaymentPartRefunded); o.Refunded != gbp(150) {
		t.Fatalf("refunded %s", o.Refunded)
	}
	k.wantStock(96, 0)
	postings := k.journal.Postings()
	if len(postings) != 1 || postings[0].Reference != "credit_note/"+r.Credit.ID ||
		postings[0].Entries[0] != hyperlocal.Debit("sales/greengrocer", gbp(250)) ||
		postings[0].Entries[1] != hyperlocal.Credit("credit_notes/greengrocer", gbp(250)) {
		t.Fatalf("posted %+v", postings)
	}
	again, err := k.s.Credit(t.Context(), c)
	noError(t, err)
	if !again.Replayed || again.Credit.ID != r.Credit.ID || len(k.journal.Postings()) != 1 {
		t.Fatalf("got %+v", again)
	}
	// A note alone belongs to no order.
	note, err := k.s.Credit(t.Context(), order.CreditCommand{Tenant: tenant, Actor: merchant, Merchant: shop, NoteAmount: gbp(1)})
	noError(t, err)
	if note.Credit.Total != gbp(1) || len(note.Credit.Refunds) != 0 {
		t.Fatalf("got %+v", note)
	}
}
