package ordertest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// forged makes an order that stands anywhere: only a store can be told so.
func (k *kit) forged(s order.State, p order.PaymentStatus, resume order.State) order.Order {
	now := k.clock.Now()
	ids := hyperlocal.RandomIDs{}
	o := order.Order{
		ID: order.ID(ids.NewID()), Tenant: tenant, Number: ids.Letters(14, hyperlocal.UnambiguousAlphabet), Merchant: shop,
		Customer: ann, Currency: "GBP", Fulfilment: order.FulfilmentPickup, State: s, PaymentStatus: p, Version: 1,
		LinesTotal: gbp(100), Total: gbp(100), Authorized: gbp(0), Captured: gbp(0), Refunded: gbp(0),
		PlacedAt: now, CreatedAt: now, UpdatedAt: now, Attempts: 1, ResumeState: resume, Fingerprint: "f",
		Lines: []order.Line{{
			N: 1, Kind: order.LineGoods, Title: "Thing", Quantity: hyperlocal.Pieces(1), UnitPrice: gbp(100),
			PriceQuantity: hyperlocal.Pieces(1), Amount: gbp(100),
		}},
	}
	switch p {
	case order.PaymentAuthorized:
		o.Authorized = gbp(100)
	case order.PaymentPaid:
		o.Captured = gbp(100)
	case order.PaymentPartRefunded:
		o.Captured, o.Refunded = gbp(100), gbp(40)
	case order.PaymentRefunded:
		o.Captured, o.Refunded = gbp(100), gbp(100)
	}
	timer, at := order.NextAction(o, order.Policy{})
	o.NextAction, o.NextActionAt = string(timer), at
	return o
}

// everywhere makes an order for every state, payment status and state to return to.
func (k *kit) everywhere() []order.Order {
	k.t.Helper()
	var all []order.Order
	for _, s := range order.DefaultTable().States() {
		resume := []order.State{""}
		if s == order.NeedsAttention {
			resume = nil
			for _, r := range order.DefaultTable().Rows {
				if r.Trigger == order.TriggerResolve {
					resume = append(resume, r.To)
				}
			}
		}
		for _, p := range order.DefaultPaymentTable().States() {
			for _, r := range resume {
				all = append(all, k.forged(s, p, r))
			}
		}
	}
	return all
}

func (k *kit) insert(orders []order.Order) {
	k.t.Helper()
	for part := range slices.Chunk(orders, order.MaxBatch) {
		within(k.t, k.Tx, func(ctx context.Context) error { return k.Store.Insert(ctx, part) })
	}
}

// read returns orders by id, whole.
func (k *kit) read(orders []order.Order) map[order.ID]order.Order {
	k.t.Helper()
	found := make(map[order.ID]order.Order)
	for part := range slices.Chunk(orders, 500) {
		ids := make([]order.ID, len(part))
		for i := range part {
			ids[i] = part[i].ID
		}
		read, err := k.Store.Get(k.t.Context(), tenant, ids...)
		noError(k.t, err)
		for _, o := range read {
			found[o.ID] = o
		}
	}
	return found
}

func testProduct(t *testing.T, newHarness func(*testing.T) Harness) {
	t.Run("every command in every state", func(t *testing.T) { testEveryCommand(t, newKit(t, newHarness)) })
	t.Run("every fact in every state", func(t *testing.T) { testEveryFact(t, newKit(t, newHarness)) })
	t.Run("the clock in every state", func(t *testing.T) { testEveryTimer(t, newKit(t, newHarness)) })
}

// testEveryCommand fires every trigger at an order in every state and payment status. What
// the table does not have is refused, and not a byte of the order changes.
func testEveryCommand(t *testing.T, k *kit) {
	table := order.DefaultTable()
	var orders []order.Order
	var commands []order.Command
	var rows []*order.Row[order.State]
	for _, trigger := range table.Triggers() {
		for _, o := range k.everywhere() {
			orders = append(orders, o)
			commands = append(commands, order.Command{Tenant: tenant, Actor: system, Order: o.ID, Trigger: trigger})
			rows = append(rows, theRow(t, table, &o, trigger, order.ActorSystem))
		}
	}
	k.insert(orders)
	before := k.read(orders)
	var results []order.CommandResult
	for part := range slices.Chunk(commands, order.MaxBatch) {
		r, err := k.s.Do(t.Context(), part...)
		noError(t, err)
		results = append(results, r...)
	}
	after := k.read(orders)
	allowed := 0
	for i, c := range commands {
		was, is := before[c.Order], after[c.Order]
		what := fmt.Sprintf("%s of an order that is %s (%s) and %s", c.Trigger, was.State, was.ResumeState, was.PaymentStatus)
		if rows[i] == nil {
			e, ok := results[i].Err.(*hyperlocal.Error) //nolint:errorlint // the answer itself, not a cause
			if !ok || e.Code != hyperlocal.CodePrecondition && e.Code != hyperlocal.CodePermission {
				t.Fatalf("%s: got %v, want a refusal", what, results[i].Err)
			}
			if e.Fields["state"] != string(was.State) || e.Fields["trigger"] != string(c.Trigger) {
				t.Fatalf("%s: the refusal names neither: %v", what, e)
			}
			if !reflect.DeepEqual(was, is) {
				t.Fatalf("%s was refused, and changed it to\n%+v\nfrom\n%+v", what, is, was)
			}
			continue
		}
		allowed++
		if results[i].Err != nil {
			t.Fatalf("%s: %v", what, results[i].Err)
		}
		want := rows[i].To
		if want == order.AwaitingPayment && theRow(t, table, &is, order.TriggerConfirm, "") != nil {
			t.Fatalf("%s: it waits for a payment that it does not need", what)
		}
		if is.State != want && (want != order.AwaitingPayment || is.State != order.Confirmed) {
			t.Fatalf("%s: it is %s, want %s", what, is.State, want)
		}
		if is.Version != 2 || results[i].Order.Version != 2 {
			t.Fatalf("%s: version %d", what, is.Version)
		}
		if timer, at := order.NextAction(is, order.Policy{}); string(timer) != is.NextAction || !at.Equal(is.NextActionAt) {
			t.Fatalf("%s: next is %s at %s, want %s at %s", what, is.NextAction, is.NextActionAt, timer, at)
		}
	}
	if allowed == 0 || allowed == len(commands) {
		t.Fatalf("%d of %d were allowed", allowed, len(commands))
	}
	k.sample(orders, 40)
}

// sample checks some orders with everything around them.
func (k *kit) sample(orders []order.Order, n int) {
	k.t.Helper()
	for i := 0; i < len(orders); i += max(len(orders)/n, 1) {
		o := k.get(orders[i].ID)
		k.consistent(&o)
	}
}

// theRow is the one row that a trigger takes, nil for none.
func theRow(t *testing.T, table order.StateTable, o *order.Order, trigger order.Trigger, kind string) *order.Row[order.State] {
	t.Helper()
	var found *order.Row[order.State]
	for i := range table.Rows {
		r := &table.Rows[i]
		if r.Trigger != trigger || !slices.Contains(r.From, o.State) || r.Guard != "" && !table.Guards[r.Guard](o) ||
			kind != "" && !slices.Contains(r.Actors, kind) {
			continue
		}
		if found != nil {
			t.Fatalf("two rows take %s from %s", trigger, o.State)
		}
		found = r
	}
	return found
}

// testEveryFact tells an order in every state and payment status every fact that there is.
// All of it is success: what the tables do not have is recorded and changes nothing.
func testEveryFact(t *testing.T, k *kit) {
	var orders []order.Order
	var facts []hyperlocal.PaymentFact
	for _, verb := range []hyperlocal.PaymentVerb{
		hyperlocal.VerbCharge, hyperlocal.VerbAuthorize, hyperlocal.VerbCapture, hyperlocal.VerbVoid, hyperlocal.VerbRefund,
	} {
		for _, answer := range []Answer{
			{Outcome: hyperlocal.OutcomeProcessing}, Succeeded, {Outcome: hyperlocal.OutcomePending}, {Outcome: hyperlocal.OutcomeAction},
			{Outcome: hyperlocal.OutcomeUnknown}, declined(hyperlocal.DeclineHard), declined(hyperlocal.DeclineSoft),
		} {
			for _, o := range k.everywhere() {
				orders = append(orders, o)
				facts = append(facts, k.factOf(&o, verb, answer))
			}
		}
	}
	k.insert(orders)
	before := k.read(orders)
	for part := range slices.Chunk(facts, 500) {
		noError(t, k.tell(part...))
	}
	after := k.read(orders)
	table, payments := order.DefaultTable(), order.DefaultPaymentTable()
	idle, woke := 0, make(map[order.ID]bool)
	for i, f := range facts {
		was, is := before[order.ID(f.Owner.ID)], after[order.ID(f.Owner.ID)]
		what := fmt.Sprintf("%s %s %s to an order that is %s and %s", f.Verb, f.Outcome, f.Class, was.State, was.PaymentStatus)
		if is.Version != 2 {
			t.Fatalf("%s: version %d", what, is.Version)
		}
		if is.Refunded.Amount() > is.Captured.Amount() || is.Captured.Amount() < was.Captured.Amount() || is.Refunded.Amount() < was.Refunded.Amount() {
			t.Fatalf("%s: captured %s, refunded %s", what, is.Captured, is.Refunded)
		}
		if !leads(table, was.State, is.State) || !leads(payments, was.PaymentStatus, is.PaymentStatus) {
			t.Fatalf("%s: it is %s and %s", what, is.State, is.PaymentStatus)
		}
		if !slices.Contains(table.Terminal, is.State) && is.NextAction == "" {
			t.Fatalf("%s: it has no next action", what)
		}
		// An order that waits for what it has goes on as soon as anybody looks at it.
		stuck := was.State == order.AwaitingPayment && theRow(t, table, &was, order.TriggerConfirm, "") != nil
		woke[was.ID] = stuck
		if f.Outcome == hyperlocal.OutcomeProcessing && !stuck {
			idle++
			is.Version, is.UpdatedAt = was.Version, was.UpdatedAt
			if !reflect.DeepEqual(was, is) {
				t.Fatalf("%s changed it to\n%+v\nfrom\n%+v", what, is, was)
			}
			if i%50 == 0 {
				k.wantTriggers(is.ID, "fact", string(f.Verb)+"/processing")
			}
		}
	}
	if idle == 0 {
		t.Fatal("no fact was idle")
	}
	// Once more, a little later: nothing new.
	k.clock.Advance(time.Second)
	for part := range slices.Chunk(facts, 500) {
		noError(t, k.tell(part...))
	}
	for id, is := range k.read(orders) {
		was := after[id]
		is.Version, is.UpdatedAt = was.Version, was.UpdatedAt
		if !woke[id] && !reflect.DeepEqual(was, is) {
			t.Fatalf("a repeated fact changed an order to\n%+v\nfrom\n%+v", is, was)
		}
	}
	k.sample(orders, 40)
}

// factOf is a fact as the payment context would tell it of the order's last attempt.
func (k *kit) factOf(o *order.Order, verb hyperlocal.PaymentVerb, a Answer) hyperlocal.PaymentFact {
	authorized, captured, refunded := o.Authorized.Amount(), o.Captured.Amount(), o.Refunded.Amount()
	amount := int64(100)
	if a.Outcome == hyperlocal.OutcomeSucceeded {
		switch verb {
		case hyperlocal.VerbCharge:
			captured += amount
		case hyperlocal.VerbAuthorize:
			authorized += amount
		case hyperlocal.VerbCapture:
			amount = max(authorized, 1)
			captured, authorized = captured+amount, max(authorized-amount, 0)
		case hyperlocal.VerbVoid:
			amount, authorized = max(authorized, 1), 0
		case hyperlocal.VerbRefund:
			amount = max(captured-refunded, 1)
			refunded = captured
		}
	}
	id := hyperlocal.RandomIDs{}.NewID()
	return hyperlocal.PaymentFact{
		Tenant: tenant, Owner: o.ID.Ref(), Intent: id, Operation: id, Verb: verb, Reference: "attempt/1", Outcome: a.Outcome,
		Class: a.Class, Amount: gbp(amount), Authorized: gbp(authorized), Captured: gbp(captured), Refunded: gbp(refunded),
		At: k.clock.Now(), Actor: hyperlocal.System("payment"),
	}
}

// leads reports whether a table leads from one state to another in at most two rows.
func leads[S ~string, V any](table order.Table[S, V], from, to S) bool {
	if from == to {
		return true
	}
	for _, r := range table.Rows {
		if !slices.Contains(r.From, from) {
			continue
		}
		if r.To == to {
			return true
		}
		for _, next := range table.Rows {
			if next.To == to && slices.Contains(next.From, r.To) {
				return true
			}
		}
	}
	return false
}

// testEveryTimer lets a month pass over an order in every state and payment status: whatever
// is not over by then waits for a person, and nothing is stuck.
func testEveryTimer(t *testing.T, k *kit) {
	orders := k.everywhere()
	k.insert(orders)
	k.pass(30 * 24 * time.Hour)
	for _, is := range k.read(orders) {
		switch is.State {
		case order.Completed, order.Cancelled, order.Expired:
		case order.NeedsAttention:
			if is.NextActionAt.Before(k.clock.Now()) || is.NextAction != string(order.TimerRemind) {
				t.Fatalf("nobody is reminded of an order from %s: %s at %s", is.ResumeState, is.NextAction, is.NextActionAt)
			}
		default:
			t.Fatalf("an order is still %s and %s", is.State, is.PaymentStatus)
		}
	}
	k.sample(orders, 40)
}
