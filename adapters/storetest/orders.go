package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
	"github.com/hyperlocal-sdk/hyperlocal/order"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// RunOrders checks orders from the placement to their end, with stock and money that really
// move: what one context decides must be something that the others can carry out.
func RunOrders(t *testing.T, h ShopHarness) {
	for _, c := range []struct {
		name string
		run  func(*shop)
	}{
		{"stock leaves at its stage", (*shop).testStages},
		{"stock leaves when a late payment confirms", (*shop).testLateStage},
		{"a refused capture is its own order's", (*shop).testRefusedNeighbour},
		{"a failed capture is asked for again", (*shop).testCaptureAgain},
		{"a hold is captured by whoever is confirmed", (*shop).testCaptureOnConfirm},
		{"late money for two, stock for one", (*shop).testSharedRevival},
		{"late money that cannot go back", (*shop).testUnrefundable},
		{"a refund that was declined for good", (*shop).testDeclinedRefund},
		{"an erased shopper is not charged", (*shop).testErasedRetry},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newShop(t, h.Open(t), 10)
			c.run(w)
			w.sound("at the end")
		})
	}
	if h.Counted != nil {
		t.Run("statements", func(t *testing.T) {
			db, sent := h.Counted(t)
			newShop(t, db, 1000).testStatements(sent)
		})
	}
}

// testStatements counts what batches cost whose stock moves in more ways than one.
func (w *shop) testStatements(sent func() int) {
	w.reopen(order.Policy{CommitOn: order.TriggerConfirm}, sandbox.Without{})
	both := func(n int) []order.PlaceCommand {
		var c []order.PlaceCommand
		for range n {
			later := w.plain("apple")
			later.PayLater = true
			c = append(c, later, w.plain("bread"))
		}
		return c
	}
	place := func(n int) (ids []order.ID, cost int) {
		before := sent()
		results, err := w.orders.PlaceMany(w.ctx, both(n))
		cost = sent() - before
		mustOK(w.T, err)
		for _, r := range results {
			mustOK(w.T, r.Err)
			ids = append(ids, r.Order.ID)
		}
		return ids, cost
	}
	_, small := place(1)
	_, large := place(50)
	if small != large || small == 0 {
		w.Errorf("2 placements cost %d round trips, 100 cost %d", small, large)
	}
	w.reopen(order.Policy{}, sandbox.Without{})
	move := func(ids []order.ID) int {
		commands := make([]order.Command, len(ids))
		for i, id := range ids { // some sell what they reserve, the others give it up
			commands[i] = on(id, order.TriggerCancel)
		}
		for i := 0; i < len(ids); i += 4 {
			commands[i].Trigger = order.TriggerAccept
		}
		before := sent()
		w.do(commands...)
		return sent() - before
	}
	few, _ := place(2)
	many, _ := place(50)
	if small, large := move(few), move(many); small != large || small == 0 {
		w.Errorf("4 transitions cost %d round trips, 100 cost %d", small, large)
	}
}

var (
	kitShopper  = hyperlocal.Actor{Kind: order.ActorShopper, ID: "ann"}
	kitMerchant = hyperlocal.Actor{Kind: order.ActorMerchant, ID: "mia"}
)

// reopen builds the services of orders and payments again: with a policy, and with the
// sandbox lacking something.
func (w *shop) reopen(p order.Policy, without sandbox.Without) {
	w.Helper()
	clock := hyperlocal.ClockFunc(w.now)
	plain, err := sandbox.New(sandbox.Config{Log: w.db.SandboxLog, Clock: clock, Without: without})
	mustOK(w.T, err)
	w.gateway = &denier{Gateway: plain}
	w.payments, err = payment.New(payment.Config{
		Store: w.db.Payments, Tx: w.db, Outbox: w.db.Outbox, Journal: w.ledger, Gateways: []payment.Gateway{w.gateway}, Clock: clock,
	})
	mustOK(w.T, err)
	w.orders, err = order.New(order.Config{
		Store: w.db.Orders, Tx: w.db, Outbox: w.db.Outbox, Idempotency: w.db.Idempotency, Stock: w.stock,
		Participants: []hyperlocal.Participant{w.loyalty.Participant()}, Payments: w.payments, Journal: w.ledger,
		Offers: w.catalog, Clock: clock, Policy: p,
	})
	mustOK(w.T, err)
	mustOK(w.T, w.payments.AttachOwner(order.OwnerKind, w.orders))
}

// put places an order, without faults.
func (w *shop) put(c order.PlaceCommand) order.ID {
	w.Helper()
	r, err := w.orders.Place(w.ctx, c)
	mustOK(w.T, err)
	return r.Order.ID
}

// payWith pays with a script for the sandbox.
func (w *shop) payWith(id order.ID, method string, hold bool) order.PayResult {
	w.Helper()
	r, err := w.orders.Pay(w.ctx, order.PayCommand{Tenant: kitTenant, Actor: kitShopper, Order: id, Method: method, Authorize: hold})
	mustOK(w.T, err)
	return r
}

func on(id order.ID, trigger order.Trigger) order.Command {
	return order.Command{Tenant: kitTenant, Actor: kitMerchant, Order: id, Trigger: trigger}
}

// fire fires triggers one after the other, all of which are taken.
func (w *shop) fire(id order.ID, triggers ...order.Trigger) {
	w.Helper()
	for _, trigger := range triggers {
		r, err := w.orders.Do(w.ctx, on(id, trigger))
		mustOK(w.T, err)
		mustOK(w.T, r[0].Err)
	}
}

// due has the orders do what is due now, as often as it takes.
func (w *shop) due() {
	w.Helper()
	for range 20 {
		n, _, err := w.orders.RunDue(w.ctx, 0)
		mustOK(w.T, err)
		if n == 0 {
			return
		}
	}
	w.Error("something is due for ever")
}

func (w *shop) wantOrder(id order.ID, state order.State, status order.PaymentStatus) order.Order {
	w.Helper()
	o := w.get(id)
	if o.State != state || o.PaymentStatus != status {
		w.Fatalf("the order is %s and %s, want %s and %s", o.State, o.PaymentStatus, state, status)
	}
	return o
}

func (w *shop) wantLevel(what string, onHand, reserved int64) {
	w.Helper()
	if l := w.level("apple"); l.OnHand.Value() != onHand || l.Reserved.Value() != reserved {
		w.Fatalf("%s: %d on hand and %d reserved, want %d and %d", what, l.OnHand.Value(), l.Reserved.Value(), onHand, reserved)
	}
}

// complete has the gateway finish what it left pending, and the payment context ask about it.
func (w *shop) complete(operation string, success bool) {
	w.Helper()
	op, err := w.payments.Operation(w.ctx, kitTenant, operation)
	mustOK(w.T, err)
	mustOK(w.T, w.gateway.Complete(w.ctx, kitTenant, op.Key, success))
	mustOK(w.T, w.payments.Recheck(w.ctx, kitTenant, operation))
	w.work()
}

// work has the workers of payments and orders do what is due in the next minutes.
func (w *shop) work() {
	w.Helper()
	w.ahead.Add(int64(3 * time.Minute / time.Microsecond))
	_, _, err := w.payments.RunDue(w.ctx, 1000)
	mustOK(w.T, err)
	w.due()
}

// testStages follows every kind of order past every stage at which stock may leave the shelf.
func (w *shop) testStages() {
	way := []order.Trigger{
		order.TriggerConfirm, order.TriggerAccept, order.TriggerPrepare, order.TriggerReady, order.TriggerDispatch, order.TriggerDeliver,
	}
	later, free, dear := w.plain("apple"), w.plain("apple"), w.plain("apple")
	later.PayLater = true
	free.Adjustments = []order.Adjustment{{Kind: order.AdjustDiscount, Amount: w.money(-shopPrice), Source: "spring"}}
	left := int64(10)
	for stage, commit := range way {
		w.reopen(order.Policy{CommitOn: commit, CaptureOn: commit}, sandbox.Without{})
		for name, c := range map[string]order.PlaceCommand{"later": later, "free": free, "paid": dear} {
			begin := func() order.ID {
				id := w.put(c)
				if name == "paid" {
					w.payWith(id, "", true)
					w.settle()
				}
				return id
			}
			id := begin()
			for at, trigger := range way {
				what := fmt.Sprintf("%s, stock leaves on %s, at %s", name, commit, trigger)
				if at > 0 {
					w.fire(id, trigger)
				}
				if at < stage {
					w.wantLevel(what, left, 1)
				} else {
					w.wantLevel(what, left-1, 0)
				}
				if trigger == order.TriggerDispatch || trigger == order.TriggerDeliver {
					continue // too late to cancel
				}
				gone := begin() // another one gets as far, and is cancelled
				w.fire(gone, way[1:at+1]...)
				w.fire(gone, order.TriggerCancel)
				w.settle()
				if at < stage {
					w.wantLevel(what+", after a cancellation", left, 1)
				} else {
					w.wantLevel(what+", after a cancellation", left-1, 0)
				}
			}
			w.fire(id, order.TriggerComplete)
			w.settle()
			left--
			w.wantLevel(name+" is completed", left, 0)
			w.sound(name + " with stock that leaves on " + string(commit))
			w.refill(1)
			left++
		}
	}
	// A batch of both kinds, one of them refused.
	w.reopen(order.Policy{CommitOn: order.TriggerConfirm}, sandbox.Without{})
	much := later
	much.Lines = []order.PlaceLine{w.line("apple", left)}
	r, err := w.orders.PlaceMany(w.ctx, []order.PlaceCommand{later, dear, much, free})
	mustOK(w.T, err)
	if r[0].Err != nil || r[1].Err != nil || r[2].Err == nil || r[3].Err != nil {
		w.Fatalf("got %+v", r)
	}
	w.wantLevel("a batch", left-2, 1)
}

// refill brings apples.
func (w *shop) refill(n int64) {
	w.Helper()
	_, err := w.stock.Receive(w.ctx, inventory.StockCommand{
		Tenant: kitTenant, Actor: kitMerchant,
		Lines: []inventory.StockLine{{Item: "apple", Location: shopShelf, Quantity: hyperlocal.Pieces(n)}},
	})
	mustOK(w.T, err)
}

func (w *shop) testLateStage() {
	w.reopen(order.Policy{CommitOn: order.TriggerConfirm}, sandbox.Without{})
	id := w.put(w.plain("apple"))
	r := w.payWith(id, "pending", false)
	w.fire(id, order.TriggerCancel)
	w.wantLevel("cancelled", 10, 0)
	w.complete(r.Operation, true)
	w.settle()
	w.wantOrder(id, order.Cancelled, order.PaymentRefunded)
	w.wantLevel("paid late", 10, 0)
}

// testRefusedNeighbour has the payment context refuse what follows from one command of a batch.
func (w *shop) testRefusedNeighbour() {
	for _, within := range []bool{false, true} {
		good, bad := w.put(w.plain("apple")), w.put(w.plain("bread"))
		w.payWith(good, "", true)
		w.payWith(bad, "capture=pending", true)
		w.fire(bad, order.TriggerAccept) // its hold is claimed by a capture that takes long
		w.wantOrder(bad, order.Accepted, order.PaymentAuthorized)
		var r []order.CommandResult
		both := func(ctx context.Context) (err error) {
			r, err = w.orders.Do(ctx, on(good, order.TriggerAccept), on(bad, order.TriggerCancel))
			return err
		}
		if within {
			mustOK(w.T, w.db.WithinTx(w.ctx, both))
		} else {
			mustOK(w.T, both(w.ctx))
		}
		for _, one := range r {
			mustOK(w.T, one.Err)
		}
		w.work()
		w.wantOrder(good, order.Accepted, order.PaymentPaid)
		if o := w.get(bad); o.State != order.Cancelled {
			w.Fatalf("the neighbour is %s", o.State)
		}
	}
}

// testCaptureAgain has captures declined until the customer's bank changes its mind.
func (w *shop) testCaptureAgain() {
	id := w.put(w.plain("apple"))
	w.payWith(id, "capture=decline:hard", true)
	w.fire(id, order.TriggerAccept)
	w.wantOrder(id, order.NeedsAttention, order.PaymentAuthorized)
	w.fire(id, order.TriggerResolve) // asked again, declined again
	w.settle()
	w.wantOrder(id, order.NeedsAttention, order.PaymentAuthorized)
	captures := 0
	for _, op := range w.operations(id) {
		if op.Verb == hyperlocal.VerbCapture {
			captures++
		}
	}
	if captures != 2 {
		w.Fatalf("%d captures were asked for", captures)
	}
	w.fire(id, order.TriggerCancel)
	w.settle()
	if o := w.wantOrder(id, order.Cancelled, order.PaymentDue); !o.Authorized.IsZero() {
		w.Fatalf("%s is still held", o.Authorized)
	}

	// Completed while the capture takes its time: then it fails, and a person is asked.
	id = w.put(w.plain("apple"))
	w.payWith(id, "capture=pending", true)
	w.fire(id, order.TriggerAccept, order.TriggerReady, order.TriggerDeliver, order.TriggerComplete)
	if o := w.wantOrder(id, order.Completed, order.PaymentAuthorized); o.NextAction == "" || o.NextActionAt.IsZero() {
		w.Fatal("held money of a completed order waits for nothing")
	}
	w.sound("with a capture under way")
	for _, c := range w.operations(id) {
		if c.Verb == hyperlocal.VerbCapture {
			w.complete(c.ID, false)
		}
	}
	w.wantOrder(id, order.NeedsAttention, order.PaymentAuthorized)
	w.fire(id, order.TriggerResolve)
	w.wantOrder(id, order.Completed, order.PaymentAuthorized)
}

func (w *shop) operations(id order.ID) []payment.Operation {
	w.Helper()
	page, err := w.payments.Operations(w.ctx, kitTenant, payment.OperationFilter{Owner: id.Ref()}, hyperlocal.PageRequest{})
	mustOK(w.T, err)
	return page.Items
}

// testCaptureOnConfirm has one authorization for two orders, of which the gateway captures
// only one part: the fact is recorded all the same.
func (w *shop) testCaptureOnConfirm() {
	w.reopen(order.Policy{CaptureOn: order.TriggerConfirm}, sandbox.Without{MultiCapture: true})
	id := w.put(w.plain("apple"))
	w.payWith(id, "", true)
	w.due()
	w.wantOrder(id, order.Confirmed, order.PaymentPaid)
	a, b := w.put(w.plain("apple")), w.put(w.plain("bread"))
	op := w.share(hyperlocal.VerbAuthorize, "", a, b)
	_, err := w.payments.Execute(w.ctx, kitTenant, op.ID)
	mustOK(w.T, err)
	w.due()
	for _, id := range []order.ID{a, b} {
		w.wantOrder(id, order.NeedsAttention, order.PaymentAuthorized)
	}
}

// share begins one payment for several orders.
func (w *shop) share(verb hyperlocal.PaymentVerb, method string, ids ...order.ID) hyperlocal.PaymentOperation {
	w.Helper()
	c := payment.SharedCommand{
		Tenant: kitTenant, Customer: shopMembers[0], Verb: verb, Reference: "checkout/" + w.key(), Method: method, Actor: kitShopper,
	}
	for _, id := range ids {
		c.Shares = append(c.Shares, payment.Share{Owner: id.Ref(), Merchant: catalog.Merchant(shopSeller), Amount: w.get(id).Total})
	}
	op, err := w.payments.BeginShared(w.ctx, c)
	mustOK(w.T, err)
	return op
}

// testSharedRevival has one late payment for two expired orders, and goods for one of them.
func (w *shop) testSharedRevival() {
	a, b := w.put(w.plain("apple")), w.put(w.plain("apple"))
	op := w.share(hyperlocal.VerbCharge, "pending", a, b)
	_, err := w.payments.Execute(w.ctx, kitTenant, op.ID)
	mustOK(w.T, err)
	w.pass(31 * time.Minute)
	w.due()
	w.wantOrder(a, order.Expired, order.PaymentDue)
	w.wantOrder(b, order.Expired, order.PaymentDue)
	rest := w.plain("apple")
	rest.Lines[0].Quantity = hyperlocal.Pieces(9)
	w.put(rest)
	w.complete(op.ID, true)
	states := []order.State{w.get(a).State, w.get(b).State}
	if slices.Sort(states); !slices.Equal(states, []order.State{order.Confirmed, order.Expired}) {
		w.Fatalf("the orders are %s", states)
	}
	w.wantLevel("one of them has the last apple", 10, 10)
	w.settle()
	for _, id := range []order.ID{a, b} {
		if o := w.get(id); o.State == order.Expired {
			w.wantOrder(id, order.Expired, order.PaymentRefunded)
		}
	}
}

// testUnrefundable has money come for a cancelled order through a gateway that gives none back.
func (w *shop) testUnrefundable() {
	w.reopen(order.Policy{}, sandbox.Without{Verbs: []hyperlocal.PaymentVerb{hyperlocal.VerbRefund, hyperlocal.VerbVoid}})
	for _, hold := range []bool{false, true} {
		id := w.put(w.plain("apple"))
		r := w.payWith(id, "pending", hold)
		w.fire(id, order.TriggerCancel)
		w.complete(r.Operation, true) // it is known, whatever can be done about it
		if hold {
			w.wantOrder(id, order.Cancelled, order.PaymentAuthorized)
			w.due()
			continue
		}
		w.wantOrder(id, order.Cancelled, order.PaymentPaid)
		for range 100 {
			w.due()
			w.pass(time.Hour)
		}
		all, err := w.orders.Refunds(w.ctx, kitTenant, id)
		mustOK(w.T, err)
		if len(all) != 1 || all[0].State != order.RefundNeedsAttention {
			w.Fatalf("the refund is %+v", all)
		}
	}
}

// testDeclinedRefund retries a refund that the gateway will never make.
func (w *shop) testDeclinedRefund() {
	id := w.put(w.plain("apple"))
	w.payWith(id, "refund=decline:hard", false)
	refund := func(amount int64) (order.CreditResult, error) {
		return w.orders.Refund(w.ctx, order.RefundCommand{
			Tenant: kitTenant, Actor: kitMerchant, Order: id, Amount: w.money(amount), Reason: "bruised",
		})
	}
	r, err := refund(100)
	mustOK(w.T, err)
	_, err = w.orders.ResolveRefund(w.ctx, order.RefundDecision{
		Tenant: kitTenant, Actor: kitMerchant, Order: id, Refund: r.Credit.Refunds[0].ID, Retry: true,
	})
	if hyperlocal.ReasonOf(err) != order.ErrRefundDeclined.Reason {
		w.Fatalf("got %v", err)
	}
	all, err := w.orders.Refunds(w.ctx, kitTenant, id)
	mustOK(w.T, err)
	if all[0].State != order.RefundFailed {
		w.Fatalf("the refund is %s", all[0].State)
	}
	_, err = refund(shopPrice) // its amount is free
	mustOK(w.T, err)
}

// testErasedRetry erases a shopper between a soft decline and the next attempt.
func (w *shop) testErasedRetry() {
	w.reopen(order.Policy{}, sandbox.Without{})
	before, during := w.put(w.plain("apple")), w.put(w.plain("apple"))
	w.payWith(before, "decline:soft", false)
	w.wantOrder(before, order.AwaitingPayment, order.PaymentRetry)
	r := w.payWith(during, "pending", false)
	_, err := w.orders.Erase(w.ctx, kitTenant, shopMembers[0])
	mustOK(w.T, err)
	w.wantOrder(before, order.AwaitingPayment, order.PaymentDue)
	w.complete(r.Operation, false)
	w.pass(6 * time.Minute)
	w.due()
	for _, id := range []order.ID{before, during} {
		if n := len(w.operations(id)); n != 1 {
			w.Fatalf("an erased shopper was charged %d times", n)
		}
	}
	w.pass(30 * time.Minute)
	w.due()
	w.wantOrder(before, order.Expired, order.PaymentDue)
}
