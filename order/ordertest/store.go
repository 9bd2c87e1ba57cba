package ordertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// Run checks an order.Store against its contract. newHarness is called for every test and
// returns an empty database.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	for _, group := range []struct {
		name string
		run  func(*testing.T, Harness)
	}{
		{"everything is kept", storeWhole},
		{"nothing is kept of nothing", storeBare},
		{"what was placed stays", storeSave},
		{"taken names", storeTaken},
		{"versions", storeVersions},
		{"parallel update", storeParallel},
		{"locking", storeLock},
		{"rollback", storeRollback},
		{"joining", storeJoin},
		{"outside a transaction", storeOutside},
		{"cancellation", storeCancelled},
		{"tenants", storeTenants},
		{"batches", storeBatches},
		{"lists", storeList},
		{"pages stay put", storePages},
		{"cursors", storeCursors},
		{"history", storeHistory},
		{"due", storeDue},
		{"credits and refunds", storeCredits},
		{"due refunds", storeDueRefunds},
		{"erasure", storeErase},
	} {
		t.Run(group.name, func(t *testing.T) { group.run(t, newHarness(t)) })
	}
}

var ids = hyperlocal.RandomIDs{}

func newID() order.ID { return order.ID(ids.NewID()) }

var epoch = time.Date(2026, 3, 14, 9, 26, 53, 589793000, time.UTC)

// whole is an order with every field set, and all values different.
func whole(t *testing.T, tenant hyperlocal.TenantID) order.Order {
	t.Helper()
	var o order.Order
	var n int64
	populate(t, reflect.ValueOf(&o).Elem(), &n)
	o.ID, o.Tenant, o.Currency, o.Version = newID(), tenant, "GBP", 1
	o.Number, o.External.Reference = ids.Letters(14, hyperlocal.UnambiguousAlphabet), string(o.ID)
	o.Captured = gbp(2 * o.Refunded.Amount()) // no more is refunded than captured
	for i := range o.Lines {
		o.Lines[i].N, o.Adjustments[i].N = i+1, i+1
	}
	return o
}

// populate sets every field below v to something else than its zero value.
func populate(t *testing.T, v reflect.Value, n *int64) {
	t.Helper()
	*n++
	switch v.Interface().(type) {
	case hyperlocal.Money:
		v.Set(reflect.ValueOf(gbp(*n)))
		return
	case hyperlocal.Quantity:
		v.Set(reflect.ValueOf(hyperlocal.Pieces(1000 + *n)))
		return
	case time.Time:
		v.Set(reflect.ValueOf(epoch.Add(time.Duration(*n) * time.Microsecond)))
		return
	case json.RawMessage:
		v.Set(reflect.ValueOf(json.RawMessage(fmt.Sprintf(`{"n":%d,"text":"žluťoučký 🐎"}`, *n))))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("té×t-%d", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(*n)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		populate(t, v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			populate(t, v.Index(i), n)
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			populate(t, field, n)
		}
	default:
		t.Fatalf("an order has a field of type %s, which the kit cannot set", v.Type())
	}
}

// plain is a small order of a tenant.
func plain(tenant hyperlocal.TenantID) order.Order {
	return order.Order{
		ID: newID(), Tenant: tenant, Number: ids.Letters(14, hyperlocal.UnambiguousAlphabet), Merchant: shop, Currency: "GBP",
		Fulfilment: order.FulfilmentPickup, State: order.Confirmed, PaymentStatus: order.PaymentNoneDue, Version: 1,
		LinesTotal: gbp(100), Total: gbp(100), Authorized: gbp(0), Captured: gbp(0), Refunded: gbp(0),
		PlacedAt: epoch, CreatedAt: epoch, UpdatedAt: epoch, NextAction: "accept", NextActionAt: epoch.Add(time.Hour), Fingerprint: "f",
		Lines: []order.Line{{
			N: 1, Kind: order.LineGoods, Title: "Thing", Quantity: hyperlocal.Pieces(5), UnitPrice: gbp(20),
			PriceQuantity: hyperlocal.Pieces(1), Amount: gbp(100),
		}},
	}
}

func (h Harness) insert(t *testing.T, orders ...order.Order) {
	t.Helper()
	within(t, h.Tx, func(ctx context.Context) error { return h.Store.Insert(ctx, orders) })
}

func (h Harness) get(t *testing.T, tenant hyperlocal.TenantID, all ...order.ID) []order.Order {
	t.Helper()
	found, err := h.Store.Get(t.Context(), tenant, all...)
	noError(t, err)
	return found
}

// lock locks one order and calls fn with it.
func (h Harness) lock(t *testing.T, o order.Order, fn func(ctx context.Context, o order.Order) error) error {
	t.Helper()
	return h.Tx.WithinTx(t.Context(), func(ctx context.Context) error {
		locked, err := h.Store.Lock(ctx, []order.Key{{Tenant: o.Tenant, ID: o.ID}})
		if err != nil {
			return err
		}
		return fn(ctx, locked[0])
	})
}

// impersonal is what a reader that leaves out personal data sees.
func impersonal(o order.Order) order.Order {
	o.Contact, o.Note = nil, ""
	return o
}

func storeWhole(t *testing.T, h Harness) {
	o := whole(t, tenant)
	h.insert(t, o)
	equal(t, h.get(t, tenant, o.ID), []order.Order{o})
	found, err := h.Store.ByExternal(t.Context(), tenant, o.External)
	noError(t, err)
	equal(t, found, []order.Order{o})
	noError(t, h.lock(t, o, func(_ context.Context, got order.Order) error {
		equal(t, got, impersonal(o))
		return nil
	}))
	page, err := h.Store.List(t.Context(), tenant, order.Filter{}, hyperlocal.PageRequest{})
	noError(t, err)
	equal(t, page.Items, []order.Order{impersonal(o)})
	// What the caller does with it later is nobody's business.
	o.Lines[0].Title, o.Contact.Name = "changed", "changed"
	got := h.get(t, tenant, o.ID)[0]
	got.Lines[0].Options[0].Value, got.Adjustments[0].Funding[0].Party.ID = "changed", "changed"
	if again := h.get(t, tenant, o.ID)[0]; again.Lines[0].Title == "changed" || again.Contact.Name == "changed" ||
		again.Lines[0].Options[0].Value == "changed" || again.Adjustments[0].Funding[0].Party.ID == "changed" {
		t.Fatal("the store shares its memory with its callers")
	}
}

func storeBare(t *testing.T, h Harness) {
	o := plain(tenant)
	o.NextAction, o.NextActionAt = "", time.Time{}
	h.insert(t, o)
	got := h.get(t, tenant, o.ID)
	equal(t, got, []order.Order{o})
	if got[0].Contact != nil || !got[0].NextActionAt.IsZero() || !got[0].RequestedFrom.IsZero() || got[0].Custom != nil {
		t.Fatalf("got %+v", got[0])
	}
	noError(t, h.Tx.WithinTx(t.Context(), func(ctx context.Context) error {
		return errors.Join(h.Store.Insert(ctx, nil), h.Store.Save(ctx, nil), h.Store.AppendHistory(ctx, nil),
			h.Store.InsertCredit(ctx), h.Store.SaveRefunds(ctx, nil))
	}))
	if len(h.get(t, tenant)) != 0 || len(h.get(t, tenant, newID())) != 0 {
		t.Fatal("found what was not asked for, or what does not exist")
	}
	found, err := h.Store.ByExternal(t.Context(), tenant)
	noError(t, err)
	refunds, err := h.Store.Refunds(t.Context(), tenant)
	noError(t, err)
	if len(found)+len(refunds) != 0 {
		t.Fatal("found what was not asked for")
	}
}

func storeSave(t *testing.T, h Harness) {
	o, bystander := whole(t, tenant), whole(t, tenant)
	h.insert(t, o, bystander)
	next := o
	next.State, next.PaymentStatus, next.Version = order.Ready, order.PaymentPaid, 2
	next.Authorized, next.Captured, next.Refunded = gbp(1), gbp(9), gbp(8)
	next.UpdatedAt, next.NextAction, next.NextActionAt = epoch.Add(time.Hour), "ready", epoch.Add(2*time.Hour)
	next.Attempts, next.ResumeState, next.PaidWith = 7, "", order.PaymentChoice{Gateway: "g", Method: "m"}
	next.Lines = slices.Clone(o.Lines)
	next.Lines[1].Returned = next.Lines[1].Quantity.Value()
	noError(t, h.lock(t, o, func(ctx context.Context, got order.Order) error {
		changed := next
		changed.Contact, changed.Note = nil, "" // as Lock returns it
		return h.Store.Save(ctx, []order.Order{changed})
	}))
	equal(t, h.get(t, tenant, o.ID), []order.Order{next})
	equal(t, h.get(t, tenant, bystander.ID), []order.Order{bystander})
	noError(t, h.lock(t, o, func(ctx context.Context, got order.Order) error {
		next.Version, next.NextAction, next.NextActionAt = 3, "", time.Time{}
		changed := got
		changed.Version, changed.NextAction, changed.NextActionAt = 3, "", time.Time{}
		return h.Store.Save(ctx, []order.Order{changed})
	}))
	equal(t, h.get(t, tenant, o.ID), []order.Order{next})
}

func storeTaken(t *testing.T, h Harness) {
	o := plain(tenant)
	o.External = hyperlocal.External{Source: "till", Reference: "1"}
	h.insert(t, o)
	insert := func(orders ...order.Order) error {
		return h.Tx.WithinTx(t.Context(), func(ctx context.Context) error { return h.Store.Insert(ctx, orders) })
	}
	number, external, innocent := plain(tenant), plain(tenant), plain(tenant)
	number.Number, external.External = o.Number, o.External
	wantReason(t, insert(innocent, number), order.ErrNumberTaken)
	wantReason(t, insert(innocent, external), order.ErrExternalTaken)
	if len(h.get(t, tenant, innocent.ID, number.ID, external.ID)) != 0 {
		t.Fatal("a refused batch left something behind")
	}
	twin := plain(tenant)
	twin.Number = innocent.Number
	wantReason(t, insert(innocent, twin), order.ErrNumberTaken)
	// Case and source matter, and so does the tenant.
	loud, source, theirs := plain(tenant), plain(tenant), plain(other)
	loud.External = hyperlocal.External{Source: "TILL", Reference: "1"}
	source.External = hyperlocal.External{Source: "web", Reference: "1"}
	theirs.Number, theirs.External = o.Number, o.External
	noError(t, insert(loud, source, theirs))
}

func storeVersions(t *testing.T, h Harness) {
	o := plain(tenant)
	h.insert(t, o)
	for _, version := range []int64{0, 1, 3} {
		err := h.lock(t, o, func(ctx context.Context, got order.Order) error {
			got.Version, got.State = version, order.Cancelled
			return h.Store.Save(ctx, []order.Order{got})
		})
		wantCode(t, err, hyperlocal.CodeConflict)
	}
	missing := plain(tenant)
	missing.Version = 2
	err := h.Tx.WithinTx(t.Context(), func(ctx context.Context) error { return h.Store.Save(ctx, []order.Order{missing}) })
	wantCode(t, err, hyperlocal.CodeConflict)
	equal(t, h.get(t, tenant, o.ID), []order.Order{o})
}

// storeParallel: everybody reads, adds one and writes; nothing is lost.
func storeParallel(t *testing.T, h Harness) {
	o := plain(tenant)
	h.insert(t, o)
	const writers = 16
	var failed atomic.Int32
	together(writers, func(int) {
		err := h.lock(t, o, func(ctx context.Context, got order.Order) error {
			got.Version++
			got.Attempts++
			return h.Store.Save(ctx, []order.Order{got})
		})
		if err != nil {
			t.Error(err)
			failed.Add(1)
		}
	})
	if got := h.get(t, tenant, o.ID)[0]; got.Attempts != writers-int(failed.Load()) || got.Version != 1+int64(got.Attempts) {
		t.Fatalf("%d attempts at version %d", got.Attempts, got.Version)
	}
}

func storeLock(t *testing.T, h Harness) {
	a, b, c := plain(tenant), plain(other), plain(tenant)
	h.insert(t, a, b, c)
	keys := []order.Key{
		{Tenant: tenant, ID: c.ID}, {Tenant: tenant, ID: newID()}, {Tenant: other, ID: b.ID}, {Tenant: tenant, ID: a.ID},
		{Tenant: other, ID: a.ID}, {Tenant: tenant, ID: c.ID},
	}
	within(t, h.Tx, func(ctx context.Context) error {
		locked, err := h.Store.Lock(ctx, keys)
		noError(t, err)
		equal(t, locked, []order.Order{c, {}, b, a, {}, c})
		return nil
	})
	// Locks in opposite order do not deadlock.
	together(8, func(i int) {
		mine := slices.Clone(keys)
		if i%2 == 0 {
			slices.Reverse(mine)
		}
		for range 5 {
			if err := h.Tx.WithinTx(t.Context(), func(ctx context.Context) error {
				_, err := h.Store.Lock(ctx, mine)
				return err
			}); err != nil {
				t.Error(err)
			}
		}
	})
}

func storeRollback(t *testing.T, h Harness) {
	kept, o := plain(tenant), plain(tenant)
	h.insert(t, kept)
	broken := errors.New("the host changed its mind")
	credit := newCredit(tenant, kept.ID)
	err := h.Tx.WithinTx(t.Context(), func(ctx context.Context) error {
		locked, err := h.Store.Lock(ctx, []order.Key{{Tenant: tenant, ID: kept.ID}})
		noError(t, err)
		locked[0].Version, locked[0].State, locked[0].NextActionAt = 2, order.Cancelled, epoch
		noError(t, h.Store.Insert(ctx, []order.Order{o}))
		noError(t, h.Store.Save(ctx, locked))
		noError(t, h.Store.AppendHistory(ctx, []order.HistoryEntry{entry(kept, 2, 1)}))
		noError(t, h.Store.InsertCredit(ctx, credit))
		if got := h.mustGet(ctx, t, o.ID); got.ID != o.ID {
			t.Fatal("a transaction does not see its own order")
		}
		if got := h.mustGet(ctx, t, kept.ID); got.State != order.Cancelled {
			t.Fatal("a transaction does not see its own change")
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
	equal(t, h.get(t, tenant, kept.ID, o.ID), []order.Order{kept})
	page, err := h.Store.History(t.Context(), tenant, kept.ID, hyperlocal.PageRequest{})
	noError(t, err)
	_, found, err := h.Store.GetCredit(t.Context(), tenant, credit.ID)
	noError(t, err)
	list, err := h.Store.List(t.Context(), tenant, order.Filter{}, hyperlocal.PageRequest{})
	noError(t, err)
	if len(page.Items) != 0 || found || len(list.Items) != 1 {
		t.Fatal("something was left behind")
	}
	within(t, h.Tx, func(ctx context.Context) error {
		due, _, err := h.Store.Due(ctx, epoch.Add(time.Minute), 10)
		if len(due) != 0 {
			t.Error("something became due")
		}
		return err
	})
	h.insert(t, o) // its number is free again
}

func (h Harness) mustGet(ctx context.Context, t *testing.T, id order.ID) order.Order {
	t.Helper()
	found, err := h.Store.Get(ctx, tenant, id)
	noError(t, err)
	if len(found) == 0 {
		return order.Order{}
	}
	return found[0]
}

// storeJoin: a closure inside a closure belongs to it.
func storeJoin(t *testing.T, h Harness) {
	a, b := plain(tenant), plain(tenant)
	broken := errors.New("the outer one fails")
	err := h.Tx.WithinTx(t.Context(), func(ctx context.Context) error {
		noError(t, h.Tx.WithinTx(ctx, func(ctx context.Context) error { return h.Store.Insert(ctx, []order.Order{a}) }))
		return broken
	})
	if !errors.Is(err, broken) || len(h.get(t, tenant, a.ID)) != 0 {
		t.Fatalf("got %v, and the inner one stayed", err)
	}
	within(t, h.Tx, func(ctx context.Context) error {
		noError(t, h.Store.Insert(ctx, []order.Order{a}))
		return h.Tx.WithinTx(ctx, func(ctx context.Context) error { return h.Store.Insert(ctx, []order.Order{b}) })
	})
	if len(h.get(t, tenant, a.ID, b.ID)) != 2 {
		t.Fatal("something was lost")
	}
}

func storeOutside(t *testing.T, h Harness) {
	ctx, o := t.Context(), plain(tenant)
	_, lockErr := h.Store.Lock(ctx, []order.Key{{Tenant: tenant, ID: o.ID}})
	_, _, dueErr := h.Store.Due(ctx, epoch, 1)
	_, refundErr := h.Store.LockRefunds(ctx, tenant, []string{ids.NewID()})
	for what, err := range map[string]error{
		"Insert": h.Store.Insert(ctx, []order.Order{o}), "Save": h.Store.Save(ctx, []order.Order{o}),
		"AppendHistory": h.Store.AppendHistory(ctx, []order.HistoryEntry{entry(o, 1, 1)}),
		"InsertCredit":  h.Store.InsertCredit(ctx, newCredit(tenant, o.ID)), "Lock": lockErr, "Due": dueErr, "LockRefunds": refundErr,
		"SaveRefunds": h.Store.SaveRefunds(ctx, newCredit(tenant, o.ID).Refunds),
	} {
		if !hyperlocal.IsCode(err, hyperlocal.CodeInternal) {
			t.Errorf("%s outside a transaction: %v", what, err)
		}
	}
	if len(h.get(t, tenant, o.ID)) != 0 {
		t.Fatal("it was written all the same")
	}
}

func storeCancelled(t *testing.T, h Harness) {
	o := plain(tenant)
	ctx, cancel := context.WithCancel(t.Context())
	err := h.Tx.WithinTx(ctx, func(ctx context.Context) error {
		noError(t, h.Store.Insert(ctx, []order.Order{o}))
		cancel()
		return nil
	})
	if err == nil {
		t.Fatal("a transaction whose context had ended was committed")
	}
	if len(h.get(t, tenant, o.ID)) != 0 {
		t.Fatal("it was written all the same")
	}
	if _, err := h.Store.Get(ctx, tenant, o.ID); err == nil {
		t.Fatal("read with a context that had ended")
	}
}

func storeTenants(t *testing.T, h Harness) {
	mine, theirs := whole(t, tenant), whole(t, other)
	theirs.External = mine.External
	h.insert(t, mine, theirs)
	within(t, h.Tx, func(ctx context.Context) error {
		return errors.Join(
			h.Store.AppendHistory(ctx, []order.HistoryEntry{entry(mine, 1, 1)}),
			h.Store.InsertCredit(ctx, newCredit(tenant, mine.ID)),
		)
	})
	if len(h.get(t, other, mine.ID)) != 0 {
		t.Fatal("another tenant's order was found")
	}
	found, err := h.Store.ByExternal(t.Context(), other, mine.External)
	noError(t, err)
	if len(found) != 1 || found[0].ID != theirs.ID {
		t.Fatalf("got %+v", found)
	}
	page, err := h.Store.List(t.Context(), other, order.Filter{}, hyperlocal.PageRequest{})
	noError(t, err)
	if len(page.Items) != 1 || page.Items[0].ID != theirs.ID {
		t.Fatalf("got %+v", page)
	}
	history, err := h.Store.History(t.Context(), other, mine.ID, hyperlocal.PageRequest{})
	noError(t, err)
	refunds, err := h.Store.Refunds(t.Context(), other, mine.ID)
	noError(t, err)
	if len(history.Items)+len(refunds) != 0 {
		t.Fatal("another tenant's history was found")
	}
}

// storeBatches: a large batch, several tenants, whole.
func storeBatches(t *testing.T, h Harness) {
	var all []order.Order
	var keys []order.Key
	for i := range 200 {
		o := plain(hyperlocal.TenantID([]string{"acme", "other"}[i%2]))
		if i%10 == 0 {
			o = whole(t, o.Tenant)
		}
		all = append(all, o)
		keys = append(keys, order.Key{Tenant: o.Tenant, ID: o.ID})
	}
	h.insert(t, all...)
	within(t, h.Tx, func(ctx context.Context) error {
		locked, err := h.Store.Lock(ctx, keys)
		noError(t, err)
		var history []order.HistoryEntry
		for i := range locked {
			equal(t, locked[i], impersonal(all[i]))
			locked[i].Version, locked[i].State = 2, order.Ready
			history = append(history, entry(locked[i], 2, 1), entry(locked[i], 2, 2))
		}
		return errors.Join(h.Store.Save(ctx, locked), h.Store.AppendHistory(ctx, history))
	})
	for i := range all {
		all[i].Version, all[i].State = 2, order.Ready
		if i%37 == 0 {
			equal(t, h.get(t, all[i].Tenant, all[i].ID), []order.Order{all[i]})
			page, err := h.Store.History(t.Context(), all[i].Tenant, all[i].ID, hyperlocal.PageRequest{})
			noError(t, err)
			if len(page.Items) != 2 {
				t.Fatalf("history %+v", page)
			}
		}
	}
}

func storeErase(t *testing.T, h Harness) {
	eraser, ok := h.Store.(order.Eraser)
	if !ok {
		t.Skip("capability gap: the store is no order.Eraser")
	}
	mine, second, theirs := whole(t, tenant), plain(tenant), whole(t, tenant)
	second.Customer = mine.Customer
	theirs.Customer = hyperlocal.NewRef("customer", "somebody else")
	elsewhere := whole(t, other)
	elsewhere.Customer = mine.Customer
	h.insert(t, mine, second, theirs, elsewhere)
	for _, want := range []int{1, 0} { // the second order holds nothing personal
		within(t, h.Tx, func(ctx context.Context) error {
			n, err := eraser.Erase(ctx, tenant, mine.Customer)
			if n != want {
				t.Errorf("%d erased, want %d", n, want)
			}
			return err
		})
	}
	got := h.get(t, tenant, mine.ID)[0]
	if raw, err := json.Marshal(got); err != nil || got.Contact != nil || got.Note != "" || got.PaidWith.Method != "" ||
		strings.Contains(string(raw), mine.Contact.Name) {
		t.Fatalf("%+v is left", got)
	}
	equal(t, impersonal(got), func() order.Order {
		o := impersonal(mine)
		o.PaidWith.Gateway, o.PaidWith.Method = "", ""
		return o
	}())
	equal(t, h.get(t, tenant, theirs.ID), []order.Order{theirs})
	equal(t, h.get(t, other, elsewhere.ID), []order.Order{elsewhere})
}
