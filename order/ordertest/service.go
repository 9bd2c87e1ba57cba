package ordertest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// RunService runs the behaviour of order.Service on the stores of a harness, with stand-ins
// for the other contexts. newHarness is called for every test and returns an empty database.
func RunService(t *testing.T, newHarness func(t *testing.T) Harness) {
	for _, group := range []struct {
		name string
		run  func(*testing.T, func(*testing.T) Harness)
	}{
		{"Place", testPlace},
		{"Flow", testFlow},
		{"Cancel", testCancel},
		{"Spent", testSpent},
		{"Pay", testPay},
		{"Facts", testFacts},
		{"Refunds", testRefunds},
		{"Timers", testTimers},
		{"Trouble", testTrouble},
		{"Records", testRecords},
		{"Product", testProduct},
		{"Concurrent", testConcurrent},
		{"Intake", testIntake},
	} {
		t.Run(group.name, func(t *testing.T) { group.run(t, newHarness) })
	}
}

// kit is a service with everything around it.
type kit struct {
	Harness
	t        *testing.T
	s        *order.Service
	clock    *Clock
	stock    *Stock
	payments *Payments
	journal  *Journal
	offers   Offers
}

// newKit builds a service; change may alter its configuration.
func newKit(t *testing.T, newHarness func(*testing.T) Harness, change ...func(*order.Config)) *kit {
	t.Helper()
	k := &kit{
		Harness: newHarness(t), t: t, clock: NewClock(), stock: NewStock(), journal: NewJournal(), offers: Offers{},
	}
	k.payments = NewPayments(k.Tx, k.clock)
	c := order.Config{
		Store: k.Store, Tx: k.Tx, Outbox: k.Outbox, Idempotency: k.Idempotency,
		Stock: k.stock, Payments: k.payments, Journal: k.journal, Offers: k.offers, Clock: k.clock,
		Intake: k.Intake,
	}
	for _, f := range change {
		f(&c)
	}
	s, err := order.New(c)
	noError(t, err)
	k.s = s
	t.Cleanup(func() { noError(t, s.Close(context.WithoutCancel(t.Context()))) })
	k.payments.Attach(s)
	k.stock.Put(tenant, "apple", "shop", 100)
	return k
}

var (
	shopper  = hyperlocal.Actor{Kind: order.ActorShopper, ID: "ann"}
	merchant = hyperlocal.Actor{Kind: order.ActorMerchant, ID: "bob"}
	system   = hyperlocal.System("test")
	shop     = hyperlocal.NewRef("merchant", "greengrocer")
	ann      = hyperlocal.NewRef("customer", "ann")
)

// apples asks for n apples at 1.50 each.
func apples(n int64) order.PlaceCommand {
	return order.PlaceCommand{
		Tenant: tenant, Actor: shopper, Merchant: shop, Customer: ann, Currency: "GBP",
		Lines: []order.PlaceLine{{
			Title: "Apple", Item: "apple", Location: "shop", Quantity: hyperlocal.Pieces(n), UnitPrice: gbp(150),
		}},
	}
}

func (k *kit) place(c order.PlaceCommand) order.ID {
	k.t.Helper()
	r, err := k.s.Place(k.t.Context(), c)
	noError(k.t, err)
	return r.Order.ID
}

func (k *kit) pay(id order.ID) order.PayResult {
	k.t.Helper()
	r, err := k.s.Pay(k.t.Context(), order.PayCommand{Tenant: tenant, Actor: shopper, Order: id})
	noError(k.t, err)
	return r
}

// fire fires a trigger as the system, who may do everything that anybody may.
func (k *kit) fire(id order.ID, triggers ...order.Trigger) {
	k.t.Helper()
	for _, trigger := range triggers {
		r, err := k.s.Do(k.t.Context(), order.Command{Tenant: tenant, Actor: system, Order: id, Trigger: trigger})
		noError(k.t, err)
		noError(k.t, r[0].Err)
	}
}

func (k *kit) get(id order.ID) order.Order {
	k.t.Helper()
	o, err := k.s.Get(k.t.Context(), tenant, id)
	noError(k.t, err)
	return o
}

func (k *kit) history(id order.ID) []order.HistoryEntry {
	k.t.Helper()
	var all []order.HistoryEntry
	var p hyperlocal.PageRequest
	for {
		page, err := k.s.History(k.t.Context(), tenant, id, p)
		noError(k.t, err)
		all = append(all, page.Items...)
		if p.Cursor = page.Next; p.Cursor == "" {
			return all
		}
	}
}

// due runs everything that is due, until nothing is.
func (k *kit) due() int {
	k.t.Helper()
	done := 0
	for range 1000 {
		n, next, err := k.s.RunDue(k.t.Context(), 0)
		noError(k.t, err)
		done += n
		if next.IsZero() || next.After(k.clock.Now()) {
			return done
		}
	}
	k.t.Fatal("something is due for ever")
	return done
}

// pass lets time pass, and runs everything when it becomes due.
func (k *kit) pass(d time.Duration) {
	k.t.Helper()
	end := k.clock.Now().Add(d)
	for range 10_000 {
		_, next, err := k.s.RunDue(k.t.Context(), 0)
		noError(k.t, err)
		if next.IsZero() || next.After(end) {
			k.clock.Set(end)
			return
		}
		if next.After(k.clock.Now()) {
			k.clock.Set(next)
		}
	}
	k.t.Fatal("something is due for ever")
}

func (k *kit) want(id order.ID, state order.State, status order.PaymentStatus) order.Order {
	k.t.Helper()
	o := k.get(id)
	if o.State != state || o.PaymentStatus != status {
		k.t.Fatalf("the order is %s and %s, want %s and %s", o.State, o.PaymentStatus, state, status)
	}
	k.consistent(&o)
	return o
}

func (k *kit) wantStock(onHand, reserved int64) {
	k.t.Helper()
	if h, r := k.stock.Level(tenant, "apple", "shop"); h != onHand || r != reserved {
		k.t.Fatalf("%d on hand and %d reserved, want %d and %d", h, r, onHand, reserved)
	}
}

// consistent checks what must hold of every order at every moment.
func (k *kit) consistent(o *order.Order) {
	k.t.Helper()
	var lines, total int64
	for _, l := range o.Lines {
		lines += l.Amount.Amount()
	}
	total = lines
	for _, a := range o.Adjustments {
		if !a.Included {
			total += a.Amount.Amount()
		}
	}
	if o.LinesTotal.Amount() != lines || o.Total.Amount() != total || total < 0 {
		k.t.Fatalf("lines %d, total %d; stored %s and %s", lines, total, o.LinesTotal, o.Total)
	}
	if o.Refunded.Amount() > o.Captured.Amount() {
		k.t.Fatalf("refunded %s of %s", o.Refunded, o.Captured)
	}
	terminal := o.State == order.Completed || o.State == order.Cancelled || o.State == order.Expired
	if !terminal && (o.NextAction == "" || o.NextActionAt.IsZero()) {
		k.t.Fatalf("an order that is %s and %s has no next action", o.State, o.PaymentStatus)
	}
	chain := map[string]string{}
	for _, h := range k.history(o.ID) {
		if h.Machine == "fact" {
			continue
		}
		if before, ok := chain[h.Machine]; ok && before != h.From {
			k.t.Fatalf("history of %s: %s follows %s", h.Machine, h.From, before)
		}
		chain[h.Machine] = h.To
	}
	if s := chain["state"]; s != "" && s != string(o.State) {
		k.t.Fatalf("the history ends with %s, the order is %s", s, o.State)
	}
	if s := chain["payment"]; s != "" && s != string(o.PaymentStatus) {
		k.t.Fatalf("the history ends with %s, the payment is %s", s, o.PaymentStatus)
	}
}

// triggers lists the triggers of one machine in an order's history.
func (k *kit) triggers(id order.ID, machine string) string {
	k.t.Helper()
	var all []string
	for _, h := range k.history(id) {
		if h.Machine == machine || strings.HasPrefix(h.Machine, machine+"/") {
			all = append(all, h.Trigger)
		}
	}
	return strings.Join(all, " ")
}

func (k *kit) wantTriggers(id order.ID, machine, want string) {
	k.t.Helper()
	if got := k.triggers(id, machine); got != want {
		k.t.Fatalf("the history of %s says %q, want %q", machine, got, want)
	}
}
