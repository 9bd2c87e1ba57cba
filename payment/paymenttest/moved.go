package paymenttest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

func movedCases() []testCase {
	return []testCase{
		{"by reference", movedByReference},
		{"in the order of time", movedBetween},
	}
}

// spread stores one operation of every verb and outcome, an hour apart, and returns what of
// it moved, by time.
func spread(t *testing.T, h Harness) []payment.Moved {
	t.Helper()
	in := fullIntent(newOrder())
	var ops []payment.Operation
	for i, c := range []struct {
		verb    hyperlocal.PaymentVerb
		outcome hyperlocal.PaymentOutcome
	}{
		{refund, succeeded}, {charge, succeeded}, {authorize, succeeded}, {capture, succeeded}, {charge, declined},
		{capture, unknown}, {refund, hyperlocal.OutcomePending}, {void, succeeded},
	} {
		op := fullOperation(in)
		op.ID, op.Verb, op.Outcome, op.Reference, op.Key = id(), c.verb, c.outcome, id(), "key/"+id()
		op.Provider, op.At = "prov_"+op.ID, monday.Add(-time.Duration(i)*time.Hour)
		if c.verb == refund {
			op.Provider, op.Fee = "", hyperlocal.Money{}
		}
		ops = append(ops, op)
	}
	twin := ops[1] // at the same time, known under the same reference, without a fee
	twin.ID, twin.Reference, twin.Key, twin.Fee = id(), id(), "key/"+id(), hyperlocal.Money{}
	ops = append(ops, twin)
	tx(t, h, func(ctx context.Context) error {
		return errors.Join(h.Store.SaveIntents(ctx, []payment.Intent{in}), h.Store.InsertOperations(ctx, ops))
	})
	var moved []payment.Moved
	for i := range ops {
		if m, ok := ops[i].Moved(); ok {
			moved = append(moved, m)
		}
	}
	slices.SortFunc(moved, compareMoved)
	if len(moved) != 4 {
		t.Fatalf("%d operations are said to have moved money: %+v", len(moved), moved)
	}
	return moved
}

func compareMoved(a, b payment.Moved) int {
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Operation, b.Operation))
}

func movedByReference(t *testing.T, h Harness) {
	moved := spread(t, h)
	byKey := func(m payment.Moved) string { return m.Key }
	for _, c := range []struct {
		name       string
		references []string
		want       []payment.Moved
	}{
		{"none", nil, nil},
		{"nothing", []string{"", "prov_", "é", id()}, nil},
		{"a key", []string{byKey(moved[0]), byKey(moved[0])}, moved[:1]},
		{"a provider's reference of two", []string{moved[2].Provider, "x"}, nil}, // filled in below
		{"an intent, a key of it as well", []string{moved[0].Intent, byKey(moved[1])}, moved},
	} {
		if c.name == "a provider's reference of two" {
			for _, m := range moved {
				if m.Provider == moved[2].Provider {
					c.want = append(c.want, m)
				}
			}
		}
		got, err := h.Store.MovedByReference(t.Context(), tenant, "sandbox", c.references...)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		slices.SortFunc(got, compareMoved)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", c.name, got, c.want)
		}
	}
	for _, foreign := range []struct {
		tenant  hyperlocal.TenantID
		gateway string
	}{{other, "sandbox"}, {tenant, "another"}} {
		got, err := h.Store.MovedByReference(t.Context(), foreign.tenant, foreign.gateway, byKey(moved[0]), moved[1].Provider, moved[0].Intent)
		if err != nil || len(got) != 0 {
			t.Errorf("%v sees %v, %v", foreign, got, err)
		}
	}
	_, err := h.Store.MovedByReference(t.Context(), tenant, "sandbox", make([]string, payment.MaxMoved+1)...)
	if hyperlocal.CodeOf(err) != hyperlocal.CodeInvalid {
		t.Errorf("more references than allowed: %v", err)
	}
}

func movedBetween(t *testing.T, h Harness) {
	moved := spread(t, h)
	last := moved[len(moved)-1].At
	whole := payment.MovedRange{Tenant: tenant, Gateway: "sandbox", From: moved[0].At, Until: last.Add(time.Microsecond)}
	for _, limit := range []int{1, 2, 100} {
		r, got := whole, []payment.Moved(nil)
		for {
			page, err := h.Store.MovedBetween(t.Context(), r, limit)
			if err != nil || len(page) > limit {
				t.Fatalf("%d rows on a page of %d: %v", len(page), limit, err)
			}
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
			r.AfterAt, r.AfterOperation = page[len(page)-1].At, page[len(page)-1].Operation
		}
		if !slices.Equal(got, moved) {
			t.Errorf("in pages of %d: got\n%+v\nwant\n%+v", limit, got, moved)
		}
	}
	inner := whole
	inner.From, inner.Until = moved[0].At.Add(time.Microsecond), last // both ends fall away
	got, err := h.Store.MovedBetween(t.Context(), inner, 10)
	if err != nil || !slices.Equal(got, moved[1:len(moved)-1]) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, foreign := range []payment.MovedRange{
		{Tenant: other, Gateway: "sandbox", From: whole.From, Until: whole.Until},
		{Tenant: tenant, Gateway: "another", From: whole.From, Until: whole.Until},
	} {
		if got, err := h.Store.MovedBetween(t.Context(), foreign, 10); err != nil || len(got) != 0 {
			t.Errorf("%s %s sees %v, %v", foreign.Tenant, foreign.Gateway, got, err)
		}
	}
	for _, limit := range []int{0, -1, payment.MaxMoved + 1} {
		if _, err := h.Store.MovedBetween(t.Context(), whole, limit); hyperlocal.CodeOf(err) != hyperlocal.CodeInvalid {
			t.Errorf("a page of %d: %v", limit, err)
		}
	}
}
