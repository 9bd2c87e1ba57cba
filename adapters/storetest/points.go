package storetest

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
	"github.com/hyperlocal-sdk/hyperlocal/order"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

const (
	shopPoints = 100_000 // of every member, to begin with
	fullPoints = 5       // that a full order spends
)

// denier is a gateway that says no and takes the money all the same, when told to.
type denier struct {
	*sandbox.Gateway

	denies atomic.Bool
}

// Authorize implements [payment.Gateway].
func (g *denier) Authorize(ctx context.Context, r payment.AuthorizeRequest) (payment.Result, error) {
	result, err := g.Gateway.Authorize(ctx, r)
	if err != nil || !g.denies.Load() {
		return result, err
	}
	return payment.Result{Outcome: hyperlocal.OutcomeDeclined, Class: hyperlocal.DeclineHard, Code: "denied"}, nil
}

var pointsCases = []struct {
	name string
	run  func(w *shop)
}{
	{"cancelled by the shopper", (*shop).pointsCancelled},
	{"rejected by the merchant", (*shop).pointsRejected},
	{"not paid in time", (*shop).pointsExpired},
	{"not accepted in time", (*shop).pointsNotAccepted},
	{"paid too late", (*shop).pointsLate},
	{"completed", (*shop).pointsKept},
	{"a batch", (*shop).pointsBatch},
}

// runPoints checks that what a placement spent goes back when its order ends unserved, once
// and in the transaction of the transition.
func runPoints(t *testing.T, h ShopHarness) {
	t.Helper()
	for _, c := range pointsCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newShop(t, h.Open(t), 1000)
			c.run(w)
			w.settle()
			w.sound("at the end")
		})
	}
	if h.Counted != nil {
		t.Run("statements", func(t *testing.T) {
			t.Parallel()
			db, sent := h.Counted(t)
			w := newShop(t, db, 1000)
			cost := func(n int) int {
				t.Helper()
				commands := w.cancellations(n)
				before := sent()
				w.do(commands...)
				return sent() - before
			}
			if two, twenty := cost(2), cost(20); two != twenty || two == 0 {
				t.Errorf("cancelling 2 orders costs %d round trips, cancelling 20 costs %d", two, twenty)
			}
			w.holds(shopMembers[0], 0)
		})
	}
}

// holds checks that a member has all points but those.
func (w *shop) holds(member hyperlocal.Ref, less int64) {
	w.Helper()
	b, err := w.loyalty.Balance(w.ctx, kitTenant, member)
	mustOK(w.T, err)
	if b.Points != shopPoints-less || b.Spendable != b.Points {
		w.Fatalf("%s has %d points, %d to spend, want %d", member, b.Points, b.Spendable, shopPoints-less)
	}
}

func (w *shop) do(commands ...order.Command) {
	w.Helper()
	results, err := w.orders.Do(w.ctx, commands...)
	mustOK(w.T, err)
	for _, r := range results {
		mustOK(w.T, r.Err)
	}
}

// pass lets time pass and wakes the clock of the orders.
func (w *shop) pass(d time.Duration) {
	w.Helper()
	w.ahead.Add(int64(d / time.Microsecond))
	_, _, err := w.orders.RunDue(w.ctx, 1000)
	mustOK(w.T, err)
}

func (w *shop) state(id order.ID, want order.State) order.Order {
	w.Helper()
	o := w.get(id)
	if o.State != want {
		w.Fatalf("the order is %s, want %s", o.State, want)
	}
	return o
}

func (w *shop) pointsCancelled() {
	w.Helper()
	id := w.place()
	w.holds(shopMembers[0], fullPoints)
	want := []hyperlocal.Spend{{Kind: loyalty.SpendKind, Ref: shopMembers[0], Amount: fullPoints}}
	if o := w.get(id); !slices.Equal(o.Spent, want) {
		w.Errorf("the order spent %+v", o.Spent)
	}
	cancel := order.Command{
		Tenant: kitTenant, Actor: hyperlocal.Actor{Kind: order.ActorShopper, ID: "ann"}, Order: id, Trigger: order.TriggerCancel, Key: w.key(),
	}
	w.do(cancel)
	if o := w.state(id, order.Cancelled); !slices.Equal(o.Spent, want) {
		w.Errorf("the cancelled order spent %+v", o.Spent)
	}
	w.holds(shopMembers[0], 0)
	before := w.rows()
	w.do(cancel) // the same again
	cancel.Key = ""
	if r, err := w.orders.Do(w.ctx, cancel); err != nil || r[0].Err == nil {
		w.Errorf("cancelled twice: %+v, %v", r, err)
	}
	if !w.unchanged(before) {
		w.Errorf("the second cancellation left\n%s", differ(before, w.rows()))
	}
	spent, err := w.loyalty.Spendings(w.ctx, kitTenant, loyalty.OrderReference(id.Ref()))
	mustOK(w.T, err)
	if len(spent) != 1 || spent[0].RestoredAt.IsZero() {
		w.Errorf("spendings %+v", spent)
	}
}

func (w *shop) pointsRejected() {
	w.Helper()
	id := w.place()
	_, err := w.pay("", 0, id)
	mustOK(w.T, err)
	w.holds(shopMembers[0], fullPoints)
	_, err = w.orders.Reject(w.ctx, order.Command{
		Tenant: kitTenant, Actor: hyperlocal.Actor{Kind: order.ActorMerchant, ID: "bea"}, Merchant: catalog.Merchant(shopSeller), Order: id,
	})
	mustOK(w.T, err)
	w.state(id, order.Cancelled)
	w.holds(shopMembers[0], 0)
}

func (w *shop) pointsExpired() {
	w.Helper()
	first, second := w.place(), w.place()
	plain, err := w.orders.Place(w.ctx, w.plain(shopItems[0]))
	mustOK(w.T, err)
	w.holds(shopMembers[0], 2*fullPoints)
	w.pass(time.Hour)
	for _, id := range []order.ID{first, second, plain.Order.ID} {
		w.state(id, order.Expired)
	}
	w.holds(shopMembers[0], 0)
}

func (w *shop) pointsNotAccepted() {
	w.Helper()
	id := w.place()
	_, err := w.pay("", 0, id)
	mustOK(w.T, err)
	w.pass(72 * time.Hour)
	w.state(id, order.Cancelled)
	w.holds(shopMembers[0], 0)
}

// pointsLate has the money of an expired order turn up.
func (w *shop) pointsLate() {
	w.Helper()
	id := w.place()
	plain, err := w.orders.Place(w.ctx, w.plain(shopItems[0]))
	mustOK(w.T, err)
	w.gateway.denies.Store(true)
	var operations []string
	for _, o := range []order.ID{id, plain.Order.ID} {
		r, err := w.orders.Pay(w.ctx, order.PayCommand{Tenant: kitTenant, Actor: hyperlocal.System("kit"), Order: o, Method: "ok"})
		mustOK(w.T, err)
		operations = append(operations, r.Operation)
	}
	w.gateway.denies.Store(false)
	w.pass(time.Hour)
	w.state(id, order.Expired)
	w.holds(shopMembers[0], 0)
	for _, op := range operations {
		mustOK(w.T, w.payments.Recheck(w.ctx, kitTenant, op))
	}
	w.settle()
	if o := w.state(id, order.Expired); o.Captured != o.Total || o.Refunded != o.Captured {
		w.Errorf("%s of %s captured, %s refunded", o.Captured, o.Total, o.Refunded)
	}
	if o := w.state(plain.Order.ID, order.Confirmed); o.Captured != o.Total || !o.Refunded.IsZero() { // nothing was spent on it
		w.Errorf("without points: %s of %s captured, %s refunded", o.Captured, o.Total, o.Refunded)
	}
	w.holds(shopMembers[0], 0)
	if l := w.level(shopItems[1]); l.Reserved.Value() != 0 {
		w.Errorf("%s reserved for an order that has expired", l.Reserved)
	}
}

func (w *shop) pointsKept() {
	w.Helper()
	id := w.place()
	_, err := w.pay("", 0, id)
	mustOK(w.T, err)
	for _, trigger := range []order.Trigger{order.TriggerAccept, order.TriggerReady, order.TriggerDeliver, order.TriggerComplete} {
		w.do(order.Command{Tenant: kitTenant, Actor: hyperlocal.System("kit"), Order: id, Trigger: trigger})
	}
	_, err = w.orders.Refund(w.ctx, order.RefundCommand{Tenant: kitTenant, Actor: hyperlocal.System("kit"), Order: id})
	mustOK(w.T, err)
	w.state(id, order.Completed)
	w.holds(shopMembers[0], fullPoints)
}

// cancellations places orders of all members in turn, and returns what cancels them, by
// actors of their own.
func (w *shop) cancellations(n int) []order.Command {
	w.Helper()
	commands := make([]order.Command, n)
	for i := range commands {
		member := shopMembers[i%len(shopMembers)]
		c := w.full()
		c.Customer, c.Spend = member, []hyperlocal.Spend{{Kind: loyalty.SpendKind, Ref: member, Amount: fullPoints}}
		r, err := w.orders.Place(w.ctx, c)
		mustOK(w.T, err)
		commands[i] = order.Command{
			Tenant: kitTenant, Actor: hyperlocal.Actor{Kind: order.ActorShopper, ID: member.ID}, Order: r.Order.ID, Trigger: order.TriggerCancel,
		}
	}
	return commands
}

func (w *shop) pointsBatch() {
	w.Helper()
	commands := w.cancellations(7)
	w.holds(shopMembers[0], 4*fullPoints)
	w.holds(shopMembers[1], 3*fullPoints)
	slices.Reverse(commands)
	w.do(commands...)
	w.holds(shopMembers[0], 0)
	w.holds(shopMembers[1], 0)
}
