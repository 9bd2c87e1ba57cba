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

// hold authorizes what is due of an order.
func (k *kit) hold(id order.ID) {
	k.t.Helper()
	_, err := k.s.Pay(k.t.Context(), order.PayCommand{Tenant: tenant, Actor: shopper, Order: id, Authorize: true})
	noError(k.t, err)
	k.want(id, order.Confirmed, order.PaymentAuthorized)
}

var errRefused = hyperlocal.NewError(hyperlocal.CodePrecondition, "ordertest/refused", "no")

// testTrouble has the other contexts refuse, fail and forget: what one order meets is no
// other's, nothing is waited for in vain, and in the end a person is asked.
func testTrouble(t *testing.T, newHarness func(*testing.T) Harness) {
	t.Run("refusals in a batch", func(t *testing.T) { testRefusedBatch(t, newHarness) })
	t.Run("a capture that is asked for again", func(t *testing.T) { testCaptureAgain(t, newKit(t, newHarness)) })
	t.Run("a completed order whose money is held", func(t *testing.T) { testHeldForever(t, newKit(t, newHarness)) })
	t.Run("a hold that comes when all is paid", func(t *testing.T) { testLateHold(t, newHarness) })
	t.Run("an attempt of the clock is refused", func(t *testing.T) { testRefusedRetry(t, newKit(t, newHarness)) })
	t.Run("an order that cannot be handled", func(t *testing.T) { testPutOff(t, newKit(t, newHarness)) })
	t.Run("a refund that cannot be begun", func(t *testing.T) { testPutOffRefund(t, newKit(t, newHarness)) })
	t.Run("word of a refund is lost", func(t *testing.T) { testLostRefund(t, newKit(t, newHarness)) })
	t.Run("an erased shopper is not charged", func(t *testing.T) { testErasedRetry(t, newKit(t, newHarness)) })
	t.Run("money for several expired orders", func(t *testing.T) { testRevivals(t, newKit(t, newHarness)) })
	t.Run("facts ask nobody", func(t *testing.T) { testFactsAskNobody(t, newHarness) })
	t.Run("stock is locked in one pass", func(t *testing.T) { testOnePass(t, newHarness) })
	t.Run("stock leaves with the placement", func(t *testing.T) { testLeaves(t, newHarness) })
}

func testRefusedBatch(t *testing.T, newHarness func(*testing.T) Harness) {
	for _, hosts := range []bool{false, true} {
		k := newKit(t, newHarness)
		good, kept, lost := k.place(apples(1)), k.place(apples(1)), k.place(apples(1))
		for _, id := range []order.ID{good, kept, lost} {
			k.hold(id)
		}
		k.payments.Refuse = func(c hyperlocal.PaymentCommand) error {
			if c.Owner != good.Ref() {
				return errRefused
			}
			return nil
		}
		var results []order.CommandResult
		all := func(ctx context.Context) (err error) {
			command := func(id order.ID, trigger order.Trigger) order.Command {
				return order.Command{Tenant: tenant, Actor: merchant, Order: id, Trigger: trigger}
			}
			results, err = k.s.Do(ctx, command(kept, order.TriggerCancel), command(good, order.TriggerAccept), command(lost, order.TriggerAccept))
			return err
		}
		if hosts {
			within(t, k.Tx, all)
		} else {
			noError(t, all(t.Context()))
		}
		for _, r := range results {
			noError(t, r.Err)
		}
		k.executeAll()
		k.want(good, order.Accepted, order.PaymentPaid)
		if o := k.want(kept, order.Cancelled, order.PaymentAuthorized); o.NextAction != string(order.TimerVoid) {
			t.Fatalf("next is %q", o.NextAction)
		}
		if o := k.want(lost, order.NeedsAttention, order.PaymentAuthorized); o.ResumeState != order.Accepted || results[2].Order.State != o.State {
			t.Fatalf("came from %s, was told %s", o.ResumeState, results[2].Order.State)
		}
		k.wantStock(98, 0)
		k.payments.Refuse = nil
		k.due()
		k.want(kept, order.Cancelled, order.PaymentDue)
	}
}

// executeAll is the payment context's worker.
func (k *kit) executeAll() {
	k.t.Helper()
	for op := range k.payments.Operations() {
		_, err := k.payments.Execute(k.t.Context(), tenant, op.ID)
		noError(k.t, err)
	}
}

func captures(ops []hyperlocal.PaymentOperation) (n int) {
	for _, op := range ops {
		if op.Verb == hyperlocal.VerbCapture {
			n++
		}
	}
	return n
}

func testCaptureAgain(t *testing.T, k *kit) {
	id := k.place(apples(1))
	k.hold(id)
	k.payments.SayAlways(declined(hyperlocal.DeclineHard))
	k.fire(id, order.TriggerAccept)
	k.want(id, order.NeedsAttention, order.PaymentAuthorized)
	k.payments.SayAlways(Succeeded)
	k.fire(id, order.TriggerResolve)
	k.want(id, order.Accepted, order.PaymentPaid)
	if n := captures(k.payments.Asked()); n != 2 {
		t.Fatalf("%d captures", n)
	}

	// Resolved for another reason while the capture takes its time, which claims the money.
	id = k.place(apples(1))
	k.hold(id)
	k.payments.SayAlways(Answer{Outcome: hyperlocal.OutcomePending})
	k.fire(id, order.TriggerAccept, order.TriggerAttend, order.TriggerResolve)
	k.want(id, order.Accepted, order.PaymentAuthorized)
	if n := captures(k.payments.Asked()); n != 3 {
		t.Fatalf("%d captures", n)
	}
}

func testHeldForever(t *testing.T, k *kit) {
	id := k.place(apples(1))
	k.hold(id)
	k.payments.SayAlways(Answer{Outcome: hyperlocal.OutcomePending})
	k.fire(id, order.TriggerAccept, order.TriggerReady, order.TriggerDeliver, order.TriggerComplete)
	if o := k.want(id, order.Completed, order.PaymentAuthorized); o.NextAction != string(order.TimerUncaptured) {
		t.Fatalf("next is %q", o.NextAction)
	}
	r, err := k.s.Attend(t.Context(), order.Command{Tenant: tenant, Actor: merchant, Order: id})
	if err == nil {
		t.Fatalf("a merchant reopened what was completed: %+v", r)
	}
	k.pass(25 * time.Hour)
	if o := k.want(id, order.NeedsAttention, order.PaymentAuthorized); o.ResumeState != order.Completed {
		t.Fatalf("came from %s", o.ResumeState)
	}
	done, err := k.s.Do(t.Context(), order.Command{Tenant: tenant, Actor: merchant, Order: id, Trigger: order.TriggerCancel})
	noError(t, err)
	wantReason(t, done[0].Err, order.ErrNotAllowed) // the goods are the customer's
	for op := range k.payments.Operations() {
		if op.Verb == hyperlocal.VerbCapture {
			k.settle(op.ID, Succeeded)
		}
	}
	k.fire(id, order.TriggerResolve)
	if o := k.want(id, order.Completed, order.PaymentPaid); o.NextAction != "" {
		t.Fatalf("next is %q", o.NextAction)
	}
	k.wantStock(99, 0)
}

// testLateHold: the first attempt, an authorization that was declined, succeeds after all when
// the second one has paid.
func testLateHold(t *testing.T, newHarness func(*testing.T) Harness) {
	late := func(k *kit, before ...order.Trigger) order.ID {
		id := k.place(apples(1))
		k.payments.SayAlways(declined(hyperlocal.DeclineHard))
		_, err := k.s.Pay(t.Context(), order.PayCommand{Tenant: tenant, Actor: shopper, Order: id, Authorize: true})
		noError(t, err)
		var first string
		for op := range k.payments.Operations() {
			first = op.ID
		}
		k.payments.SayAlways(Succeeded)
		k.pay(id)
		k.fire(id, before...)
		k.settle(first, Succeeded)
		return id
	}
	once := func(k *kit, id order.ID) {
		t.Helper()
		k.due()
		if o := k.get(id); o.Captured != o.Total || o.Refunded.Sign() != 0 {
			t.Errorf("%s: captured %s of %s, refunded %s", o.State, o.Captured, o.Total, o.Refunded)
		}
	}
	k := newKit(t, newHarness)
	id := late(k, order.TriggerAccept, order.TriggerReady, order.TriggerDeliver, order.TriggerComplete)
	k.pass(48 * time.Hour)
	if o := k.want(id, order.Completed, order.PaymentPaid); o.Authorized.Sign() != 0 {
		t.Errorf("%s are still held", o.Authorized)
	}
	once(k, id)
	k = newKit(t, newHarness)
	id = late(k, order.TriggerAccept)
	k.fire(id, order.TriggerAttend, order.TriggerResolve)
	once(k, id)
	k = newKit(t, newHarness)
	id = late(k)
	k.fire(id, order.TriggerAccept)
	once(k, id)
}

func testRefusedRetry(t *testing.T, k *kit) {
	id := k.place(apples(1))
	k.payments.SayAlways(declined(hyperlocal.DeclineSoft))
	k.pay(id)
	k.payments.Refuse = func(hyperlocal.PaymentCommand) error { return errRefused }
	k.pass(6 * time.Minute)
	k.want(id, order.AwaitingPayment, order.PaymentDue)
	k.payments.Refuse = nil
	k.payments.SayAlways(Succeeded)
	k.pay(id)
	k.want(id, order.Confirmed, order.PaymentPaid)
}

func testPutOff(t *testing.T, k *kit) {
	k.place(apples(1))
	broken := errors.New("the shelf fell over")
	k.stock.Fail = func(string) error { return broken }
	k.clock.Advance(31 * time.Minute)
	_, next, err := k.s.RunDue(t.Context(), 0)
	if !errors.Is(err, broken) || !next.Equal(k.clock.Now().Add(10*time.Minute)) {
		t.Fatalf("next at %s, error %v", next, err)
	}
}

func testPutOffRefund(t *testing.T, k *kit) {
	bad, good := k.accepted(1), k.accepted(1)
	for _, id := range []order.ID{bad, good} {
		within(t, k.Tx, func(ctx context.Context) error { // so that the worker has to see to it
			_, err := k.s.Refund(ctx, order.RefundCommand{Tenant: tenant, Actor: merchant, Order: id, Amount: gbp(100)})
			return err
		})
		k.clock.Advance(time.Microsecond)
	}
	broken := errors.New("the bank is on fire")
	k.payments.Refuse = func(c hyperlocal.PaymentCommand) error {
		if c.Owner == bad.Ref() {
			return broken
		}
		return nil
	}
	k.clock.Advance(2 * time.Minute)
	_, next, err := k.s.RunDue(t.Context(), 1)
	r := k.refunds(bad)[0]
	if !errors.Is(err, broken) || r.Attempts != 1 || !r.NextActionAt.After(k.clock.Now()) || next.IsZero() {
		t.Fatalf("next at %s, error %v, the refund is %+v", next, err, r)
	}
	_, _, err = k.s.RunDue(t.Context(), 1)
	noError(t, err)
	if r := k.refunds(good)[0]; r.State != order.RefundSucceeded {
		t.Fatalf("the other one is %+v", r)
	}
	k.payments.Refuse = func(hyperlocal.PaymentCommand) error { return broken }
	for range 100 {
		_, next, err := k.s.RunDue(t.Context(), 1)
		if r = k.refunds(bad)[0]; r.State == order.RefundNeedsAttention {
			break
		}
		if next.IsZero() {
			t.Fatalf("nothing is waited for, the refund is %+v, error %v", r, err)
		}
		if next.After(k.clock.Now()) {
			k.clock.Set(next)
		}
	}
	if r.State != order.RefundNeedsAttention || r.Attempts != 24 {
		t.Fatalf("the refund is %+v", r)
	}
}

func testLostRefund(t *testing.T, k *kit) {
	for _, answer := range []Answer{Succeeded, declined(hyperlocal.DeclineHard)} {
		id := k.accepted(1)
		k.payments.Deaf = true // the order learns of nothing
		k.payments.SayAlways(answer)
		_, err := k.refund(order.RefundCommand{Order: id})
		noError(t, err)
		k.payments.Deaf = false
		k.payments.SayAlways(Succeeded)
		if r := k.refunds(id)[0]; r.State != order.RefundRequested || r.Operation == "" {
			t.Fatalf("the refund is %+v", r)
		}
		k.pass(3 * time.Minute)
		want := order.RefundSucceeded
		if answer != Succeeded {
			want = order.RefundFailed
		}
		if r := k.refunds(id)[0]; r.State != want {
			t.Fatalf("the refund is %+v, want %s", r, want)
		}
	}
}

func testErasedRetry(t *testing.T, k *kit) {
	if _, ok := k.Store.(order.Eraser); !ok {
		t.Skip("capability gap: the store is no order.Eraser")
	}
	before, during := k.place(apples(1)), k.place(apples(1))
	k.payments.SayAlways(declined(hyperlocal.DeclineSoft))
	_, err := k.s.Pay(t.Context(), order.PayCommand{Tenant: tenant, Actor: shopper, Order: before, Method: "tok_1"})
	noError(t, err)
	k.payments.SayAlways(Answer{Outcome: hyperlocal.OutcomePending})
	pending := k.pay(during)
	theirs := apples(1)
	theirs.Customer = hyperlocal.NewRef("customer", "bob")
	other := k.place(theirs)
	k.payments.SayAlways(declined(hyperlocal.DeclineSoft))
	k.pay(other)
	_, err = k.s.Erase(t.Context(), tenant, ann)
	noError(t, err)
	if o := k.want(before, order.AwaitingPayment, order.PaymentDue); o.NextAction != string(order.TimerPaymentDeadline) {
		t.Fatalf("next is %s", o.NextAction)
	}
	k.want(other, order.AwaitingPayment, order.PaymentRetry)
	k.settle(pending.Operation, declined(hyperlocal.DeclineSoft))
	k.want(during, order.AwaitingPayment, order.PaymentDue)
	k.payments.SayAlways(Succeeded)
	k.pass(20 * time.Minute)
	k.want(other, order.Confirmed, order.PaymentPaid)
	if n := len(k.payments.Asked()); n != 4 {
		t.Fatalf("the gateway was asked %d times", n)
	}
}

// testRevivals has one transaction bring late money for two orders and goods for one.
func testRevivals(t *testing.T, k *kit) {
	k.stock.Put(tenant, "apple", "shop", 5)
	a, b := k.place(apples(2)), k.place(apples(3))
	k.pass(time.Hour)
	k.stock.Put(tenant, "apple", "shop", 4)
	fact := func(id order.ID, amount int64) hyperlocal.PaymentFact {
		return hyperlocal.PaymentFact{
			Tenant: tenant, Owner: id.Ref(), Operation: hyperlocal.RandomIDs{}.NewID(), Verb: hyperlocal.VerbCharge,
			Outcome: hyperlocal.OutcomeSucceeded, Reference: "checkout/1", Amount: gbp(amount), Captured: gbp(amount),
		}
	}
	noError(t, k.tell(fact(a, 300), fact(b, 450)))
	k.want(a, order.Confirmed, order.PaymentPaid)
	k.want(b, order.Expired, order.PaymentPaid)
	k.wantStock(4, 2)
	if r := k.refunds(b); len(r) != 1 || r[0].State != order.RefundRequested || r[0].Amount != gbp(450) {
		t.Fatalf("the refunds are %+v", r)
	}
}

// testFactsAskNobody: a fact is recorded whatever the payment context thinks of what follows.
func testFactsAskNobody(t *testing.T, newHarness func(*testing.T) Harness) {
	woken := 0
	k := newKit(t, newHarness, func(c *order.Config) {
		c.Policy.CaptureOn = order.TriggerConfirm
		c.Wake = func() { woken++ }
	})
	pending := func(hold bool) (order.ID, string) {
		id := k.place(apples(1))
		k.payments.SayAlways(Answer{Outcome: hyperlocal.OutcomePending})
		r, err := k.s.Pay(t.Context(), order.PayCommand{Tenant: tenant, Actor: shopper, Order: id, Authorize: hold})
		noError(t, err)
		k.payments.SayAlways(Succeeded)
		return id, r.Operation
	}
	paid, charge := pending(false)
	held, hold := pending(true)
	sold, capture := pending(true)
	quick, again := pending(true)
	k.fire(paid, order.TriggerCancel)
	k.fire(held, order.TriggerCancel)
	k.payments.Refuse = func(hyperlocal.PaymentCommand) error { return errRefused }
	for _, op := range []string{charge, hold, capture, again} {
		woken = 0
		k.settle(op, Succeeded)
		if woken == 0 {
			t.Fatal("nobody was woken for what follows")
		}
	}
	k.want(paid, order.Cancelled, order.PaymentPaid)
	if o := k.want(held, order.Cancelled, order.PaymentAuthorized); o.NextAction != string(order.TimerVoid) || o.NextActionAt.After(k.clock.Now()) {
		t.Fatalf("next is %s at %s", o.NextAction, o.NextActionAt)
	}
	for _, id := range []order.ID{sold, quick} {
		if o := k.want(id, order.Confirmed, order.PaymentAuthorized); o.NextAction != string(order.TimerCapture) || o.NextActionAt.After(k.clock.Now()) {
			t.Fatalf("next is %s at %s", o.NextAction, o.NextActionAt)
		}
	}
	k.payments.Refuse = nil
	k.fire(quick, order.TriggerAccept) // faster than the worker
	k.want(quick, order.Accepted, order.PaymentPaid)
	k.payments.Refuse = func(hyperlocal.PaymentCommand) error { return errRefused }
	k.due()
	k.want(sold, order.NeedsAttention, order.PaymentAuthorized)
	k.want(held, order.Cancelled, order.PaymentAuthorized)
	k.pass(48 * time.Hour)
	if r := k.refunds(paid)[0]; r.State != order.RefundNeedsAttention {
		t.Fatalf("the refund is %+v", r)
	}
	k.payments.Refuse = nil
	k.fire(sold, order.TriggerResolve)
	o := k.want(sold, order.Confirmed, order.PaymentPaid)
	if o.NextAction != string(order.TimerAccept) {
		t.Fatalf("next is %s", o.NextAction)
	}
}

// watchedStock notes in which order levels are locked.
type watchedStock struct {
	*Stock
	calls []string
	items [][]hyperlocal.ItemID
}

func (s *watchedStock) Decide(ctx context.Context, batch []hyperlocal.Placement) (hyperlocal.Decision, error) {
	var items []hyperlocal.ItemID
	for _, p := range batch {
		for _, it := range p.Items {
			items = append(items, it.Item)
		}
	}
	slices.Sort(items)
	s.calls, s.items = append(s.calls, "decide"), append(s.items, items)
	return s.Stock.Decide(ctx, batch)
}

func (s *watchedStock) CommitReserved(ctx context.Context, at time.Time, actor hyperlocal.Actor, owners ...hyperlocal.TenantRef) error {
	s.calls = append(s.calls, "commit")
	return s.Stock.CommitReserved(ctx, at, actor, owners...)
}

func (s *watchedStock) ReleaseReserved(ctx context.Context, at time.Time, actor hyperlocal.Actor, reason string, owners ...hyperlocal.TenantRef) error {
	s.calls = append(s.calls, "release")
	return s.Stock.ReleaseReserved(ctx, at, actor, reason, owners...)
}

func testOnePass(t *testing.T, newHarness func(*testing.T) Harness) {
	watched := &watchedStock{}
	k := newKit(t, newHarness, func(c *order.Config) {
		stock, _ := c.Stock.(*Stock)
		watched.Stock, c.Stock = stock, watched
	})
	k.stock.Put(tenant, "zucchini", "shop", 10)
	command := func(item hyperlocal.ItemID, trigger order.Trigger) order.Command {
		c := apples(1)
		c.Lines[0].Item, c.PayLater = item, true
		return order.Command{Tenant: tenant, Actor: merchant, Order: k.place(c), Trigger: trigger}
	}
	batch := []order.Command{command("zucchini", order.TriggerAccept), command("apple", order.TriggerCancel)}
	watched.calls, watched.items = nil, nil
	_, err := k.s.Do(t.Context(), batch...)
	noError(t, err)
	if want := []string{"decide", "commit", "release"}; !slices.Equal(watched.calls, want) ||
		!slices.Equal(watched.items[0], []hyperlocal.ItemID{"apple", "zucchini"}) {
		t.Fatalf("%v with %v, want %v", watched.calls, watched.items, want)
	}
	k.wantStock(100, 0)
	alone := command("apple", order.TriggerAccept)
	watched.calls = nil
	_, err = k.s.Do(t.Context(), alone)
	noError(t, err)
	if want := []string{"commit"}; !slices.Equal(watched.calls, want) {
		t.Fatalf("%v, want %v", watched.calls, want)
	}
}

func testLeaves(t *testing.T, newHarness func(*testing.T) Harness) {
	k := newKit(t, newHarness, func(c *order.Config) { c.Policy.CommitOn = order.TriggerConfirm })
	later, free := apples(1), apples(1)
	later.PayLater = true
	free.Adjustments = []order.Adjustment{{Kind: order.AdjustDiscount, Amount: gbp(-150), Title: "On the house"}}
	much := later
	much.Lines = apples(1000).Lines
	r, err := k.s.PlaceMany(t.Context(), []order.PlaceCommand{later, apples(1), much, free})
	noError(t, err)
	wantReason(t, r[2].Err, ErrNoStock)
	k.wantStock(98, 1)
	k.fire(r[0].Order.ID, order.TriggerCancel)
	k.wantStock(99, 1)
	k.fire(r[3].Order.ID, order.TriggerAccept, order.TriggerReady, order.TriggerDeliver, order.TriggerComplete)
	k.wantStock(99, 1)
}
