package ordertest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// newCredit is a credit with two refunds of an order.
func newCredit(tenant hyperlocal.TenantID, of order.ID) order.Credit {
	c := order.Credit{
		ID: ids.NewID(), Tenant: tenant, Merchant: shop, Customer: ann, NoteAmount: gbp(5), Total: gbp(8),
		Reason: "brüchig", EffectiveAt: epoch, CreatedAt: epoch.Add(time.Microsecond), Fingerprint: "f",
	}
	for i := range 2 {
		c.Refunds = append(c.Refunds, order.Refund{
			ID: ids.NewID(), Tenant: tenant, Order: of, Credit: c.ID, Amount: gbp(int64(i + 1)), State: order.RefundRequested,
			Reason: "brüchig", Version: 1, NextActionAt: epoch.Add(time.Duration(i+1) * time.Minute),
			CreatedAt: epoch.Add(time.Duration(i) * time.Microsecond), EffectiveAt: epoch,
		})
	}
	c.Refunds[0].Items = []order.RefundItem{{Line: 1, Quantity: hyperlocal.Pieces(2), Restock: true}}
	c.Refunds[0].Operation = ids.NewID()
	return c
}

// sorted brings refunds into one order, because a credit lists them in any.
func sorted(c order.Credit) order.Credit {
	c.Refunds = slices.Clone(c.Refunds)
	slices.SortFunc(c.Refunds, func(a, b order.Refund) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return c
}

func storeCredits(t *testing.T, h Harness) {
	a, b := plain(tenant), plain(tenant)
	h.insert(t, a, b)
	first, second, note := newCredit(tenant, a.ID), newCredit(tenant, b.ID), newCredit(tenant, a.ID)
	first.External = hyperlocal.External{Source: "till", Reference: "1"}
	note.Refunds, note.Customer, note.Total = nil, hyperlocal.Ref{}, note.NoteAmount
	within(t, h.Tx, func(ctx context.Context) error { return h.Store.InsertCredit(ctx, first, second, note) })
	for _, want := range []order.Credit{first, second, note} {
		got, ok, err := h.Store.GetCredit(t.Context(), tenant, want.ID)
		noError(t, err)
		if !ok {
			t.Fatal("a credit was lost")
		}
		equal(t, sorted(got), want)
	}
	got, ok, err := h.Store.CreditByExternal(t.Context(), tenant, first.External)
	noError(t, err)
	if !ok {
		t.Fatal("a credit was not found by its external reference")
	}
	equal(t, sorted(got), first)
	for _, missing := range []func() (order.Credit, bool, error){
		func() (order.Credit, bool, error) { return h.Store.GetCredit(t.Context(), tenant, ids.NewID()) },
		func() (order.Credit, bool, error) { return h.Store.GetCredit(t.Context(), other, first.ID) },
		func() (order.Credit, bool, error) {
			return h.Store.CreditByExternal(t.Context(), other, first.External)
		},
		func() (order.Credit, bool, error) {
			return h.Store.CreditByExternal(t.Context(), tenant, hyperlocal.External{Source: "till", Reference: "2"})
		},
	} {
		if _, ok, err := missing(); ok || err != nil {
			t.Fatalf("found what does not exist, or %v", err)
		}
	}
	refunds, err := h.Store.Refunds(t.Context(), tenant, a.ID)
	noError(t, err)
	equal(t, refunds, first.Refunds)
	refunds, err = h.Store.Refunds(t.Context(), tenant, a.ID, b.ID, newID())
	noError(t, err)
	if len(refunds) != 4 || refunds[0].CreatedAt.After(refunds[1].CreatedAt) || refunds[1].CreatedAt.After(refunds[2].CreatedAt) {
		t.Fatalf("got %+v", refunds)
	}
	taken := newCredit(tenant, a.ID)
	taken.External = first.External
	err = h.Tx.WithinTx(t.Context(), func(ctx context.Context) error { return h.Store.InsertCredit(ctx, taken) })
	wantReason(t, err, order.ErrExternalTaken)

	// Changing refunds.
	within(t, h.Tx, func(ctx context.Context) error {
		locked, err := h.Store.LockRefunds(ctx, tenant, []string{first.Refunds[1].ID, first.Refunds[0].ID, ids.NewID()})
		noError(t, err)
		if len(locked) != 2 {
			t.Errorf("%d refunds were locked", len(locked))
		}
		changed := first.Refunds[1]
		changed.Version, changed.State, changed.Operation, changed.Attempts, changed.NextActionAt = 2, order.RefundPending, ids.NewID(), 3, time.Time{}
		first.Refunds[1] = changed
		return h.Store.SaveRefunds(ctx, []order.Refund{changed})
	})
	refunds, err = h.Store.Refunds(t.Context(), tenant, a.ID)
	noError(t, err)
	equal(t, refunds, first.Refunds)
	for _, version := range []int64{1, 2, 4} {
		stale := first.Refunds[1]
		stale.Version, stale.State = version, order.RefundFailed
		err := h.Tx.WithinTx(t.Context(), func(ctx context.Context) error { return h.Store.SaveRefunds(ctx, []order.Refund{stale}) })
		wantCode(t, err, hyperlocal.CodeConflict)
	}
	broken := errors.New("the host changed its mind")
	err = h.Tx.WithinTx(t.Context(), func(ctx context.Context) error {
		changed := first.Refunds[0]
		changed.Version, changed.State = 2, order.RefundFailed
		noError(t, h.Store.SaveRefunds(ctx, []order.Refund{changed}))
		seen, err := h.Store.Refunds(ctx, tenant, a.ID)
		noError(t, err)
		if seen[0].State != order.RefundFailed {
			t.Error("a transaction does not see its own change")
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
	refunds, err = h.Store.Refunds(t.Context(), tenant, a.ID)
	noError(t, err)
	equal(t, refunds, first.Refunds)
}

func storeDueRefunds(t *testing.T, h Harness) {
	a, b := plain(tenant), plain(other)
	h.insert(t, a, b)
	first, second := newCredit(tenant, a.ID), newCredit(other, b.ID)
	second.Refunds[0].NextActionAt = epoch.Add(90 * time.Second)
	second.Refunds[1].NextActionAt = time.Time{}
	within(t, h.Tx, func(ctx context.Context) error { return h.Store.InsertCredit(ctx, first, second) })
	for _, c := range []struct {
		at    time.Duration
		limit int
		want  []string
		next  time.Duration
	}{
		{59 * time.Second, 10, nil, time.Minute},
		{time.Minute, 10, []string{first.Refunds[0].ID}, 90 * time.Second},
		{time.Hour, 10, []string{first.Refunds[0].ID, second.Refunds[0].ID, first.Refunds[1].ID}, -1},
		{time.Hour, 2, []string{first.Refunds[0].ID, second.Refunds[0].ID}, 2 * time.Minute},
	} {
		due, next, err := h.Store.DueRefunds(t.Context(), epoch.Add(c.at), c.limit)
		noError(t, err)
		var found []string
		for _, r := range due {
			found = append(found, r.ID)
		}
		want := epoch.Add(c.next)
		if c.next < 0 {
			want = time.Time{}
		}
		if !slices.Equal(found, c.want) || !next.Equal(want) {
			t.Fatalf("after %s: %v are due, want %v; next at %s", c.at, found, c.want, next)
		}
	}
}
