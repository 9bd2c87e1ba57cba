package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// RunPlacement lets every call that a placement, a payment, a cancellation and a credit make
// of the database go wrong, one at a time and in every way, and checks that each of their
// transactions leaves all or nothing, and that what was begun comes to its end; and that the
// points of an order that ends unserved go back.
func RunPlacement(t *testing.T, h ShopHarness) {
	t.Helper()
	cases := []struct {
		name string
		run  func(w *shop, p plan)
	}{
		{"place", (*shop).placeFaults},
		{"pay", (*shop).payFaults},
		{"cancel unpaid", (*shop).cancelFaults},
		{"cancel paid", (*shop).cancelPaidFaults},
		{"credit", (*shop).creditFaults},
	}
	plans := map[string]plan{"every fault in turn": {faultBefore, faultAfter, faultPanic, faultCancel}}
	if !h.Slow {
		plans = map[string]plan{
			string(faultBefore): {faultBefore}, string(faultAfter): {faultAfter}, string(faultPanic): {faultPanic}, string(faultCancel): {faultCancel},
		}
	}
	for _, c := range cases {
		for name, p := range plans {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				w := newShop(t, h.Open(t), 10_000)
				c.run(w, p)
				w.settle()
				w.sound("at the end")
			})
		}
	}
	t.Run("points", func(t *testing.T) {
		t.Parallel()
		runPoints(t, h)
	})
}

// plan says how the calls go wrong: call k in the way k, and over again.
type plan []fault

// attempt runs f with the call number k going wrong, and tells where that was ("" if there
// are fewer calls) and what f returned.
func (w *shop) attempt(kind fault, k int, f func(ctx context.Context) error) (place string, err error) {
	w.Helper()
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	w.faults.arm(kind, k, cancel)
	err = func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				if kind != faultPanic || p != any(errFault) {
					panic(p)
				}
				err = errFault
			}
		}()
		return f(ctx)
	}()
	return w.faults.disarm(), err
}

// maxCalls bounds how many calls one command may make.
const maxCalls = 100

// each calls step with k = 1, 2, ... until it reports that nothing went wrong.
func (w *shop) each(p plan, step func(kind fault, k int) (place string)) {
	w.Helper()
	for k := 1; k <= maxCalls; k++ {
		place := step(p[k%len(p)], k)
		if w.Failed() {
			return
		}
		if place == "" {
			w.Logf("%d calls went wrong", k-1)
			if k <= 5 {
				w.Errorf("only %d calls can go wrong; the kit looks past the command", k-1)
			}
			return
		}
	}
	w.Errorf("more than %d calls for one command", maxCalls)
}

// unchanged reports whether the database is as it was.
func (w *shop) unchanged(before []string) bool {
	w.Helper()
	return slices.Equal(before, w.rows())
}

// blames checks that a failure is the one that was injected.
func (w *shop) blames(kind fault, place string, err error) {
	w.Helper()
	if kind == faultCancel && !errors.Is(err, context.Canceled) || kind != faultCancel && !errors.Is(err, errFault) {
		w.Errorf("%s %s: got error %v", place, kind, err)
	}
}

func (w *shop) placeFaults(p plan) {
	w.Helper()
	command := w.full()
	before := w.rows()
	w.each(p, func(kind fault, k int) string {
		var r order.PlaceResult
		place, err := w.attempt(kind, k, func(ctx context.Context) (err error) {
			r, err = w.orders.Place(ctx, command)
			return err
		})
		if place == "" { // the key and the external reference are still free
			mustOK(w.T, err)
			if o := w.get(r.Order.ID); r.Replayed || len(o.Lines) != 3 || o.Contact == nil || len(o.Adjustments) != 1 {
				w.Errorf("placed after the faults: %+v, replayed: %v", o, r.Replayed)
			}
			return place
		}
		w.blames(kind, place, err)
		if after := w.rows(); !slices.Equal(before, after) {
			w.Errorf("%s %s: the placement left\n%s", place, kind, differ(before, after))
		}
		w.sound(place)
		return place
	})
}

// pay pays an order, with the call number k going wrong.
func (w *shop) pay(kind fault, k int, id order.ID) (place string, err error) {
	w.Helper()
	return w.attempt(kind, k, func(ctx context.Context) error {
		_, err := w.orders.Pay(ctx, order.PayCommand{
			Tenant: kitTenant, Actor: hyperlocal.Actor{Kind: "customer", ID: "ann"}, Order: id, Method: "ok",
		})
		return err
	})
}

func (w *shop) payFaults(p plan) {
	w.Helper()
	w.each(p, func(kind fault, k int) string {
		id := w.place()
		before := w.rows()
		place, err := w.pay(kind, k, id)
		if place == "" {
			mustOK(w.T, err)
		}
		after := w.rows()
		w.sound(place)
		if slices.Equal(before, after) { // the first transaction failed
			w.blames(kind, place, err)
			if _, err = w.pay("", 0, id); err != nil {
				w.Errorf("%s %s: paying afterwards: %v", place, kind, err)
			}
		} else if count(after, "operation") != count(before, "operation")+1 {
			w.Errorf("%s %s: the payment left\n%s", place, kind, differ(before, after))
		}
		w.settle()
		if o := w.get(id); o.Captured != o.Total || o.State != order.Confirmed {
			w.Errorf("%s %s: %s of %s captured in the end, state %s", place, kind, o.Captured, o.Total, o.State)
		}
		w.sound(place + ", settled")
		return place
	})
}

func (w *shop) cancelFaults(p plan) {
	w.Helper()
	id := w.place()
	before := w.rows()
	w.each(p, func(kind fault, k int) string {
		place, err := w.cancel(kind, k, id)
		if place != "" {
			w.blames(kind, place, err)
			if after := w.rows(); !slices.Equal(before, after) {
				w.Errorf("%s %s: the cancellation left\n%s", place, kind, differ(before, after))
			}
			w.sound(place)
			return place
		}
		mustOK(w.T, err)
		if o, l := w.get(id), w.level(shopItems[0]); o.State != order.Cancelled || l.Reserved.Value() != 0 {
			w.Errorf("cancelled after the faults: state %s, %s reserved", o.State, l.Reserved)
		}
		w.holds(shopMembers[0], 0)
		return place
	})
}

func (w *shop) cancel(kind fault, k int, id order.ID) (place string, err error) {
	w.Helper()
	return w.attempt(kind, k, func(ctx context.Context) error {
		_, err := w.orders.Cancel(ctx, order.Command{
			Tenant: kitTenant, Actor: hyperlocal.System("kit"), Order: id, Key: "cancel-" + string(id), Reason: "kit",
		})
		return err
	})
}

func (w *shop) cancelPaidFaults(p plan) {
	w.Helper()
	w.each(p, func(kind fault, k int) string {
		id := w.place()
		_, err := w.pay("", 0, id)
		mustOK(w.T, err)
		before := w.rows()
		place, err := w.cancel(kind, k, id)
		after := w.rows()
		w.sound(place)
		if slices.Equal(before, after) {
			w.blames(kind, place, err)
			if _, err = w.cancel("", 0, id); err != nil {
				w.Errorf("%s %s: cancelling afterwards: %v", place, kind, err)
			}
		} else if o := w.get(id); o.State != order.Cancelled || count(after, "reservation") == count(before, "reservation") ||
			count(after, "operation") != count(before, "operation")+1 {
			w.Errorf("%s %s: the cancellation left\n%s", place, kind, differ(before, after))
		}
		w.settle()
		if o, l := w.get(id), w.level(shopItems[0]); o.Refunded != o.Captured || o.Captured != o.Total || l.Reserved.Value() != 0 {
			w.Errorf("%s %s: %s of %s refunded, %s reserved in the end", place, kind, o.Refunded, o.Captured, l.Reserved)
		}
		w.holds(shopMembers[0], 0)
		w.sound(place + ", settled")
		return place
	})
}

func (w *shop) creditFaults(p plan) {
	w.Helper()
	w.each(p, func(kind fault, k int) string {
		id := w.place()
		_, err := w.pay("", 0, id)
		mustOK(w.T, err)
		_, err = w.orders.Accept(w.ctx, order.Command{Tenant: kitTenant, Actor: hyperlocal.System("kit"), Order: id})
		mustOK(w.T, err)
		before, shelf := w.rows(), w.level(shopItems[1]).OnHand.Value()
		credit := func(ctx context.Context) (r order.CreditResult, err error) {
			return w.orders.Credit(ctx, order.CreditCommand{
				Tenant: kitTenant, Actor: hyperlocal.System("kit"), Key: "credit-" + string(id), Merchant: catalog.Merchant(shopSeller),
				Customer: shopMembers[0], NoteAmount: w.money(120), Reason: "stale",
				Parts: []order.CreditPart{{
					Order: id, Amount: w.money(shopPrice), Items: []order.RefundItem{{Line: 1, Quantity: hyperlocal.Pieces(1), Restock: true}},
				}},
			})
		}
		place, err := w.attempt(kind, k, func(ctx context.Context) error {
			_, err := credit(ctx)
			return err
		})
		after := w.rows()
		w.sound(place)
		nothing := slices.Equal(before, after)
		if nothing {
			w.blames(kind, place, err)
		} else if got := fmt.Sprint(
			count(after, "credit")-count(before, "credit"), count(after, "refund")-count(before, "refund"),
			count(after, "operation")-count(before, "operation"), w.level(shopItems[1]).OnHand.Value()-shelf,
		); got != "1 1 1 1" {
			w.Errorf("%s %s: the credit left\n%s", place, kind, differ(before, after))
		}
		// The caller asks again with its key.
		if r, err := credit(w.ctx); err != nil || r.Replayed == nothing {
			w.Errorf("%s %s: asking again: replayed: %v, error: %v", place, kind, r.Replayed, err)
		}
		w.settle()
		if o := w.get(id); o.Refunded != w.money(shopPrice) || w.level(shopItems[1]).OnHand.Value() != shelf+1 {
			w.Errorf("%s %s: %s refunded, %d back on the shelf in the end", place, kind, o.Refunded, w.level(shopItems[1]).OnHand.Value()-shelf)
		}
		w.sound(place + ", settled")
		return place
	})
}
