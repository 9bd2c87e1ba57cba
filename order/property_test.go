package order_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/order"
	"github.com/hyperlocal-sdk/hyperlocal/order/ordertest"
)

// world is a service on a database in memory.
type world struct {
	s        *order.Service
	clock    *ordertest.Clock
	payments *ordertest.Payments
	stock    *ordertest.Stock
}

func newWorld(fatal func(...any)) *world {
	db := memstore.New(memstore.WithRankCheck())
	w := &world{clock: ordertest.NewClock(), stock: ordertest.NewStock()}
	w.payments = ordertest.NewPayments(db, w.clock)
	s, err := order.New(order.Config{
		Store: db.Orders(), Tx: db, Outbox: db.Outbox(), Idempotency: db.Idempotency(), Clock: w.clock,
		Stock: w.stock, Payments: w.payments, Journal: ordertest.NewJournal(),
	})
	if err != nil {
		fatal(err)
	}
	w.s = s
	w.payments.Attach(s)
	return w
}

var (
	tester  = hyperlocal.System("test")
	grocer  = hyperlocal.NewRef("merchant", "grocer")
	yen     = hyperlocal.Currency("JPY")
	tenant  = hyperlocal.TenantID("acme")
	refuses = []error{
		order.ErrNotAllowed, order.ErrNothingDue, order.ErrPaymentUnderWay, order.ErrRefundTooMuch, order.ErrReturnTooMuch,
		order.ErrTooManyAttempts,
	}
)

func jpy(n int64) hyperlocal.Money {
	m, err := hyperlocal.NewMoney(n, yen)
	if err != nil {
		panic(err) // JPY is a currency
	}
	return m
}

// The total is the lines and the adjustments, for every order that is accepted; what is
// refused is refused for a reason.
func TestTotalIsLinesAndAdjustments(t *testing.T) {
	t.Parallel()
	w := newWorld(t.Fatal)
	rapid.Check(t, func(t *rapid.T) {
		c := order.PlaceCommand{Tenant: tenant, Actor: tester, Merchant: grocer, Currency: yen, PayLater: true}
		for range rapid.IntRange(1, 5).Draw(t, "lines") {
			c.Lines = append(c.Lines, order.PlaceLine{
				Title: "x", Quantity: hyperlocal.Pieces(rapid.Int64Range(1, 1000).Draw(t, "quantity")),
				UnitPrice:     jpy(rapid.Int64Range(0, 1_000_000).Draw(t, "price")),
				PriceQuantity: hyperlocal.Pieces(rapid.Int64Range(1, 12).Draw(t, "per")),
			})
		}
		kinds := []order.AdjustmentKind{order.AdjustDiscount, order.AdjustTax, order.AdjustDelivery, order.AdjustRounding}
		for range rapid.IntRange(0, 4).Draw(t, "adjustments") {
			a := order.Adjustment{Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Included: rapid.Bool().Draw(t, "included")}
			amount := rapid.Int64Range(0, 2_000_000).Draw(t, "amount")
			if a.Kind == order.AdjustDiscount {
				amount = -amount
			}
			a.Amount = jpy(amount)
			c.Adjustments = append(c.Adjustments, a)
		}
		r, err := w.s.Place(t.Context(), c)
		if err != nil {
			if hyperlocal.ReasonOf(err) != "order/invalid_total" {
				t.Fatal(err)
			}
			return
		}
		o, err := w.s.Get(t.Context(), tenant, r.Order.ID)
		if err != nil {
			t.Fatal(err)
		}
		var sum int64
		for _, l := range o.Lines {
			// Twice the amount differs from twice the exact price by at most one.
			if d := 2*l.Amount.Amount()*l.PriceQuantity.Value() - 2*l.UnitPrice.Amount()*l.Quantity.Value(); d > l.PriceQuantity.Value() || -d > l.PriceQuantity.Value() {
				t.Fatalf("line %+v", l)
			}
			sum += l.Amount.Amount()
		}
		if o.LinesTotal != jpy(sum) {
			t.Fatalf("lines total %s, want %d", o.LinesTotal, sum)
		}
		for _, a := range o.Adjustments {
			if !a.Included {
				sum += a.Amount.Amount()
			}
		}
		if o.Total != jpy(sum) || sum < 0 || r.Order.Total != o.Total {
			t.Fatalf("total %s, want %d", o.Total, sum)
		}
	})
}

// dice rolls evenly. The generators of rapid prefer what is small, so that most of their
// walks would not leave the first states.
type dice struct{ state uint64 }

func (d *dice) roll(n int) int {
	d.state += 0x9e3779b97f4a7c15 // SplitMix64
	z := d.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return int((z ^ z>>31) % uint64(n))
}

func one[T any](d *dice, of ...T) T { return of[d.roll(len(of))] }

// Whatever is done in whatever order, with a gateway that says anything: refunds never exceed
// what was captured, stock and reservations add up, and an order always has a next action.
func TestNothingIsGivenAwayTwice(t *testing.T) {
	t.Parallel()
	reached := make(map[order.State]int)
	rapid.Check(t, func(t *rapid.T) {
		d := &dice{rapid.Uint64().Draw(t, "seed")}
		w := newWorld(t.Fatal)
		const onHand = 20
		w.stock.Put(tenant, "tea", "shop", onHand)
		x := &walk{world: w, t: t, dice: d, onHand: onHand}
		answer := func() ordertest.Answer {
			return one(d, ordertest.Succeeded, ordertest.Succeeded, ordertest.Succeeded,
				ordertest.Answer{Outcome: hyperlocal.OutcomePending}, ordertest.Answer{Outcome: hyperlocal.OutcomeUnknown},
				ordertest.Answer{Outcome: hyperlocal.OutcomeDeclined, Class: hyperlocal.DeclineHard},
				ordertest.Answer{Outcome: hyperlocal.OutcomeDeclined, Class: hyperlocal.DeclineSoft})
		}
		w.payments.Say(func(hyperlocal.PaymentOperation) ordertest.Answer { return answer() })
		x.place()
		for range 60 {
			one(d, x.place, x.pay, x.pay, x.pay, x.do, x.do, x.do, x.do, x.do, x.do, x.refund, x.wait, func() { x.news(answer()) })()
			x.check(t, x.ids, onHand, reached)
		}
	})
	if t.Failed() {
		return
	}
	for _, s := range []order.State{order.Completed, order.Cancelled, order.Expired, order.NeedsAttention, order.Accepted, order.Ready} {
		if reached[s] == 0 {
			t.Errorf("no walk came to %s: %v", s, reached)
		}
	}
}

// walk is a random walk over a few orders.
type walk struct {
	*world
	*dice
	t      *rapid.T
	onHand int64
	ids    []order.ID
}

// allowed accepts a refusal, and nothing else, as an answer.
func (w *walk) allowed(err error) {
	for _, want := range refuses {
		if errors.Is(err, want) {
			return
		}
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *walk) place() {
	if len(w.ids) == 4 {
		return
	}
	r, err := w.s.Place(w.t.Context(), order.PlaceCommand{
		Tenant: tenant, Actor: tester, Merchant: grocer, Currency: yen, Lines: []order.PlaceLine{{
			Title: "Tea", Item: "tea", Location: "shop", Quantity: hyperlocal.Pieces(int64(1 + w.roll(3))), UnitPrice: jpy(100),
		}},
	})
	if err == nil {
		w.ids = append(w.ids, r.Order.ID)
	} else if !errors.Is(err, ordertest.ErrNoStock) {
		w.t.Fatal(err)
	}
}

func (w *walk) pay() {
	_, err := w.s.Pay(w.t.Context(), order.PayCommand{Tenant: tenant, Actor: tester, Order: one(w.dice, w.ids...), Authorize: w.roll(2) == 0})
	w.allowed(err)
}

func (w *walk) do() {
	r, err := w.s.Do(w.t.Context(), order.Command{
		Tenant: tenant, Actor: tester, Order: one(w.dice, w.ids...),
		Trigger: one(w.dice, order.TriggerAccept, order.TriggerAccept, order.TriggerReady, order.TriggerReady, order.TriggerDeliver,
			order.TriggerDeliver, order.TriggerComplete, order.TriggerComplete, order.TriggerCancel, order.TriggerAttend,
			order.TriggerResolve, order.TriggerResolve, order.TriggerExpire),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.allowed(r[0].Err)
}

func (w *walk) refund() {
	c := order.RefundCommand{Tenant: tenant, Actor: tester, Order: one(w.dice, w.ids...)}
	if w.roll(3) > 0 {
		c.Amount = jpy(int64(1 + w.roll(200)))
	}
	if w.roll(2) == 0 {
		c.Items = []order.RefundItem{{Line: 1, Quantity: hyperlocal.Pieces(1), Restock: true}}
	}
	_, err := w.s.Refund(w.t.Context(), c)
	w.allowed(err)
}

func (w *walk) wait() {
	w.clock.Advance(time.Duration(1+w.roll(20)) * one(w.dice, time.Minute, time.Minute, time.Hour))
	if _, _, err := w.s.RunDue(w.t.Context(), 0); err != nil {
		w.t.Fatal(err)
	}
}

// news arrive of any operation that has not succeeded, however late.
func (w *walk) news(answer ordertest.Answer) {
	asked := w.payments.Asked()
	if len(asked) == 0 {
		return
	}
	op := one(w.dice, asked...)
	if w.payments.Operations()[op].Outcome == hyperlocal.OutcomeSucceeded {
		return
	}
	if _, err := w.payments.Settle(w.t.Context(), tenant, op.ID, answer); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) check(t *rapid.T, ids []order.ID, onHand int64, reached map[order.State]int) {
	var reserved, gone int64
	for _, id := range ids {
		o, err := w.s.Get(t.Context(), tenant, id)
		if err != nil {
			t.Fatal(err)
		}
		refunds, err := w.s.Refunds(t.Context(), tenant, id)
		if err != nil {
			t.Fatal(err)
		}
		var promised int64
		for _, r := range refunds {
			if r.State != order.RefundFailed {
				promised += r.Amount.Amount()
			}
			open := r.State != order.RefundFailed && r.State != order.RefundSucceeded
			if open && r.NextActionAt.IsZero() {
				t.Fatalf("a refund that is %s has no next action", r.State)
			}
		}
		if o.Refunded.Amount() > o.Captured.Amount() || promised > o.Captured.Amount() {
			t.Fatalf("captured %s, refunded %s, promised %d", o.Captured, o.Refunded, promised)
		}
		reached[o.State]++
		over := o.State == order.Completed || o.State == order.Cancelled || o.State == order.Expired
		if !over && o.NextAction == "" {
			t.Fatalf("an order that is %s and %s has no next action", o.State, o.PaymentStatus)
		}
		state := o.State
		if state == order.NeedsAttention {
			state = o.ResumeState
		}
		switch state {
		case order.AwaitingPayment, order.Confirmed:
			reserved += o.Lines[0].Quantity.Value()
		case order.Cancelled, order.Expired:
		default:
			gone += o.Lines[0].Quantity.Value() - o.Lines[0].Returned
		}
	}
	if h, r := w.stock.Level(tenant, "tea", "shop"); h != onHand-gone || r != reserved {
		t.Fatalf("%d on hand and %d reserved, want %d and %d", h, r, onHand-gone, reserved)
	}
}
