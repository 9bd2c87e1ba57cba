package ordertest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// listed reads all pages of a list.
func (h Harness) listed(t *testing.T, f order.Filter, limit int) []order.ID {
	t.Helper()
	var found []order.ID
	p := hyperlocal.PageRequest{Limit: limit}
	for range 1000 {
		page, err := h.Store.List(t.Context(), tenant, f, p)
		noError(t, err)
		if len(page.Items) > limit || page.Next != "" && len(page.Items) != limit {
			t.Fatalf("a page of %d has %d orders", limit, len(page.Items))
		}
		for _, o := range page.Items {
			found = append(found, o.ID)
		}
		if p.Cursor = page.Next; p.Cursor == "" {
			return found
		}
	}
	t.Fatal("a list without end")
	return nil
}

func newest(orders []order.Order, keep func(order.Order) bool) []order.ID {
	sorted := slices.Clone(orders)
	slices.SortFunc(sorted, func(a, b order.Order) int {
		if c := b.PlacedAt.Compare(a.PlacedAt); c != 0 {
			return c
		}
		if a.ID > b.ID {
			return -1
		}
		return 1
	})
	var found []order.ID
	for _, o := range sorted {
		if keep(o) {
			found = append(found, o.ID)
		}
	}
	return found
}

func storeList(t *testing.T, h Harness) {
	butcher, bob := hyperlocal.NewRef("merchant", "butcher"), hyperlocal.NewRef("customer", "bob")
	states := []order.State{order.Confirmed, order.Ready, order.Cancelled}
	statuses := []order.PaymentStatus{order.PaymentPaid, order.PaymentNoneDue}
	var all []order.Order
	for i := range 36 {
		o := plain(tenant)
		o.State, o.PaymentStatus = states[i%3], statuses[i%2]
		o.PlacedAt = epoch.Add(time.Duration(i*7%11) * time.Microsecond) // several at one instant, none in order
		if i%4 == 0 {
			o.Merchant = butcher
		}
		switch i % 5 {
		case 0:
			o.Customer = bob
		case 1:
			o.Customer = ann
		}
		o.External = hyperlocal.External{Source: "till", Reference: fmt.Sprint(i)}
		all = append(all, o)
	}
	h.insert(t, all...)
	for name, c := range map[string]struct {
		filter order.Filter
		keep   func(order.Order) bool
	}{
		"all":         {order.Filter{}, func(order.Order) bool { return true }},
		"of merchant": {order.Filter{Merchant: butcher}, func(o order.Order) bool { return o.Merchant == butcher }},
		"of customer": {order.Filter{Customer: bob}, func(o order.Order) bool { return o.Customer == bob }},
		"of both": {
			order.Filter{Merchant: butcher, Customer: bob}, func(o order.Order) bool { return o.Merchant == butcher && o.Customer == bob },
		},
		"in a state": {order.Filter{States: states[:1]}, func(o order.Order) bool { return o.State == states[0] }},
		"in two":     {order.Filter{States: states[:2]}, func(o order.Order) bool { return o.State != states[2] }},
		"in none":    {order.Filter{States: []order.State{"elsewhere"}}, func(order.Order) bool { return false }},
		"paid":       {order.Filter{PaymentStatus: statuses[0]}, func(o order.Order) bool { return o.PaymentStatus == statuses[0] }},
		"external":   {order.Filter{External: all[5].External}, func(o order.Order) bool { return o.ID == all[5].ID }},
		"from": {
			order.Filter{PlacedFrom: epoch.Add(4 * time.Microsecond)},
			func(o order.Order) bool { return !o.PlacedAt.Before(epoch.Add(4 * time.Microsecond)) },
		},
		"to": {
			order.Filter{PlacedTo: epoch.Add(4 * time.Microsecond)},
			func(o order.Order) bool { return o.PlacedAt.Before(epoch.Add(4 * time.Microsecond)) },
		},
		"everything at once": {
			order.Filter{
				Merchant: shop, Customer: ann, States: states[1:], PaymentStatus: statuses[1], PlacedFrom: epoch, PlacedTo: epoch.Add(time.Second),
			},
			func(o order.Order) bool {
				return o.Merchant == shop && o.Customer == ann && o.State != states[0] && o.PaymentStatus == statuses[1]
			},
		},
	} {
		for _, limit := range []int{1, 5, 36, 200} {
			if got, want := h.listed(t, c.filter, limit), newest(all, c.keep); !slices.Equal(got, want) {
				t.Fatalf("%s, %d a page: got %v, want %v", name, limit, got, want)
			}
		}
	}
	for _, limit := range []int{-1, hyperlocal.MaxPageLimit + 1} {
		_, err := h.Store.List(t.Context(), tenant, order.Filter{}, hyperlocal.PageRequest{Limit: limit})
		wantCode(t, err, hyperlocal.CodeInvalid)
	}
}

// storePages: orders placed while somebody turns pages appear once or not at all, and move
// nothing.
func storePages(t *testing.T, h Harness) {
	var all []order.Order
	for i := range 20 {
		o := plain(tenant)
		o.PlacedAt = epoch.Add(time.Duration(i) * time.Second)
		all = append(all, o)
	}
	h.insert(t, all...)
	var found []order.ID
	p := hyperlocal.PageRequest{Limit: 4}
	for {
		page, err := h.Store.List(t.Context(), tenant, order.Filter{}, p)
		noError(t, err)
		for _, o := range page.Items {
			found = append(found, o.ID)
		}
		if p.Cursor = page.Next; p.Cursor == "" {
			break
		}
		newer := plain(tenant)
		newer.PlacedAt = epoch.Add(time.Hour)
		h.insert(t, newer)
	}
	if want := newest(all, func(order.Order) bool { return true }); !slices.Equal(found, want) {
		t.Fatalf("got %v, want %v", found, want)
	}
}

func storeCursors(t *testing.T, h Harness) {
	var all []order.Order
	for range 3 {
		all = append(all, plain(tenant))
	}
	h.insert(t, all...)
	page, err := h.Store.List(t.Context(), tenant, order.Filter{}, hyperlocal.PageRequest{Limit: 1})
	noError(t, err)
	for name, bad := range map[string]struct {
		tenant hyperlocal.TenantID
		filter order.Filter
		cursor string
	}{
		"another filter": {tenant, order.Filter{Merchant: shop}, page.Next},
		"another tenant": {other, order.Filter{}, page.Next},
		"damaged":        {tenant, order.Filter{}, page.Next[1:]},
		"nonsense":       {tenant, order.Filter{}, "nonsense!"},
	} {
		_, err := h.Store.List(t.Context(), bad.tenant, bad.filter, hyperlocal.PageRequest{Cursor: bad.cursor})
		if !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
			t.Errorf("a cursor that is %s: %v", name, err)
		}
	}
	_, err = h.Store.History(t.Context(), tenant, all[0].ID, hyperlocal.PageRequest{Cursor: page.Next})
	wantCode(t, err, hyperlocal.CodeInvalid)
}

func entry(o order.Order, version int64, n int) order.HistoryEntry {
	return order.HistoryEntry{
		ID: ids.NewID(), Tenant: o.Tenant, Order: o.ID, Version: version, N: n, Machine: "state", Trigger: "accept", From: "a", To: "b",
		Reason: "weil's so ist", Actor: hyperlocal.Actor{Kind: "merchant", ID: "bob"}, At: epoch.Add(time.Duration(n) * time.Microsecond),
	}
}

func storeHistory(t *testing.T, h Harness) {
	o, bystander := plain(tenant), plain(tenant)
	h.insert(t, o, bystander)
	var all []order.HistoryEntry
	for version := int64(1); version <= 12; version++ {
		for n := 1; n <= 2; n++ {
			all = append(all, entry(o, version, n))
		}
	}
	shuffled := []order.HistoryEntry{entry(bystander, 1, 1)}
	for i := range all {
		shuffled = append(shuffled, all[(i*7)%len(all)])
	}
	within(t, h.Tx, func(ctx context.Context) error { return h.Store.AppendHistory(ctx, shuffled) })
	for _, limit := range []int{1, 5, 24, 100} {
		var found []order.HistoryEntry
		p := hyperlocal.PageRequest{Limit: limit}
		for {
			page, err := h.Store.History(t.Context(), tenant, o.ID, p)
			noError(t, err)
			found = append(found, page.Items...)
			if p.Cursor = page.Next; p.Cursor == "" {
				break
			}
		}
		equal(t, found, all)
	}
	_, err := h.Store.History(t.Context(), tenant, o.ID, hyperlocal.PageRequest{Limit: -1})
	wantCode(t, err, hyperlocal.CodeInvalid)
}

func storeDue(t *testing.T, h Harness) {
	var all []order.Order
	for i := range 6 {
		o := plain([]hyperlocal.TenantID{tenant, other}[i%2])
		o.NextActionAt = epoch.Add(time.Duration((i*5)%6) * time.Minute) // 0 5 4 3 2 1
		all = append(all, o)
	}
	over := plain(tenant)
	over.NextAction, over.NextActionAt = "", time.Time{}
	h.insert(t, append(slices.Clone(all), over)...)
	due := func(now time.Time, limit int) (found []order.ID, next time.Time) {
		t.Helper()
		within(t, h.Tx, func(ctx context.Context) error {
			found = nil
			orders, at, err := h.Store.Due(ctx, now, limit)
			for _, o := range orders {
				found = append(found, o.ID)
				if len(o.Lines) != 1 {
					t.Error("an order came without its lines")
				}
			}
			next = at
			return err
		})
		return found, next
	}
	found, next := due(epoch.Add(-time.Microsecond), 10)
	if len(found) != 0 || !next.Equal(epoch) {
		t.Fatalf("%v are due, next at %s", found, next)
	}
	found, next = due(epoch.Add(2*time.Minute), 10)
	if want := []order.ID{all[0].ID, all[5].ID, all[4].ID}; !slices.Equal(found, want) || !next.Equal(epoch.Add(3*time.Minute)) {
		t.Fatalf("%v are due, want %v, next at %s", found, want, next)
	}
	found, next = due(epoch.Add(2*time.Minute), 2)
	if want := []order.ID{all[0].ID, all[5].ID}; !slices.Equal(found, want) || !next.Equal(epoch.Add(2*time.Minute)) {
		t.Fatalf("%v are due, want %v, next at %s", found, want, next)
	}
	found, next = due(epoch.Add(time.Hour), 10)
	if len(found) != 6 || !next.IsZero() {
		t.Fatalf("%v are due, next at %s", found, next)
	}
	noError(t, h.lock(t, all[0], func(ctx context.Context, o order.Order) error {
		o.Version, o.NextAction, o.NextActionAt = 2, "", time.Time{}
		return h.Store.Save(ctx, []order.Order{o})
	}))
	if found, _ = due(epoch, 10); len(found) != 0 {
		t.Fatalf("%v are due", found)
	}
}
