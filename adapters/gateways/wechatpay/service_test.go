package wechatpay_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/wechatpay/wechatpaytest"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// owners are told of payments and do not mind.
type owners struct{}

func (owners) LockOwners(context.Context, ...hyperlocal.TenantRef) error     { return nil }
func (owners) ApplyPayment(context.Context, ...hyperlocal.PaymentFact) error { return nil }

// stallClock is the clock of service, gateway and provider.
type stallClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *stallClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return hyperlocal.Instant(c.now)
}

func (c *stallClock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// stall is a payment service in front of the provider's double.
type stall struct {
	*world
	*payment.Service
	clock *stallClock
}

func newStall(t *testing.T) *stall {
	t.Helper()
	s := &stall{clock: &stallClock{now: time.Now()}}
	s.world = newWorld(t, func(w *world) {
		w.server.Now = s.clock.Now
		w.config.Clock, w.config.Timeout = s.clock, hangs
		w.config.PayWithin = 7 * 24 * time.Hour
	})
	db := memstore.New()
	var err error
	s.Service, err = payment.New(payment.Config{
		Store: db.Payments(), Tx: db, Outbox: db.Outbox(), Clock: s.clock, Gateways: []payment.Gateway{s.gw},
		Policy: payment.Policy{Parallel: 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AttachOwner("order", owners{}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stall) begin(verb hyperlocal.PaymentVerb, owner string, fen int64, method string) string {
	s.t.Helper()
	ops, err := s.Begin(s.t.Context(), hyperlocal.PaymentCommand{
		Tenant: shop, Owner: hyperlocal.NewRef("order", owner), Merchant: hyperlocal.NewRef("merchant", "m1"), Verb: verb,
		Amount: yuan(s.t, fen), Reference: string(verb) + "/1", Method: method, Actor: hyperlocal.System("test"),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return ops[0].ID
}

func (s *stall) execute(op string) hyperlocal.PaymentFact {
	s.t.Helper()
	fact, err := s.Execute(s.t.Context(), shop, op)
	if err != nil {
		s.t.Fatal(err)
	}
	return fact
}

func (s *stall) deliver(number string) {
	s.t.Helper()
	headers, body := s.notification(number, s.clock.Now())
	for range 1 + len(body)%3 { // at least once
		if err := s.Receive(s.t.Context(), shop, "wechatpay", headers, body); err != nil {
			s.t.Fatal(err)
		}
	}
}

// The shopper pays, the notification says so, and the payment is captured.
func TestPaidByNotification(t *testing.T) {
	t.Parallel()
	s := newStall(t)
	op := s.begin(hyperlocal.VerbCharge, "o1", 1999, "native")
	fact := s.execute(op)
	if fact.Outcome != hyperlocal.OutcomeAction || fact.Action == "" {
		t.Fatalf("%+v", fact)
	}
	row, err := s.Operation(t.Context(), shop, op)
	if err != nil {
		t.Fatal(err)
	}
	s.server.End(row.Provider, true)
	s.deliver(row.Provider)
	if _, _, err := s.ProcessWebhooks(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if facts, err := s.Status(t.Context(), shop, op); err != nil || facts[0].Outcome != hyperlocal.OutcomeSucceeded || facts[0].Captured != yuan(t, 1999) {
		t.Errorf("%+v, %v", facts, err)
	}
}

// A genuine notification with another amount or currency than ours moves nothing.
func TestMismatchIsNotApplied(t *testing.T) {
	t.Parallel()
	s := newStall(t)
	op := s.begin(hyperlocal.VerbCharge, "o1", 1999, "native")
	s.execute(op)
	row, err := s.Operation(t.Context(), shop, op)
	if err != nil {
		t.Fatal(err)
	}
	for _, amount := range []map[string]any{{"total": 1, "currency": "CNY"}, {"total": 1999, "currency": "HKD"}} {
		headers, body, err := s.server.Seal(s.clock.Now(), "TRANSACTION.SUCCESS", "transaction", map[string]any{
			"appid": wechatpaytest.AppID, "mchid": wechatpaytest.MerchantID, "out_trade_no": row.Provider, "attach": row.Key,
			"trade_state": "SUCCESS", "amount": amount})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Receive(t.Context(), shop, "wechatpay", headers, body); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := s.ProcessWebhooks(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	stored, err := s.Webhooks(t.Context(), shop, payment.WebhookMismatch, hyperlocal.PageRequest{})
	if err != nil || len(stored.Items) != 2 {
		t.Errorf("%+v, %v", stored, err)
	}
	if facts, err := s.Status(t.Context(), shop, op); err != nil || facts[0].Outcome != hyperlocal.OutcomeAction || facts[0].Captured.Sign() != 0 {
		t.Errorf("%+v, %v", facts, err)
	}
}

// Payments and refunds through a line that loses and spoils a third of what goes over it: in the
// end the books say what the provider's do, and nothing was charged or refunded twice.
func TestStorm(t *testing.T) {
	t.Parallel()
	const payments = 100
	s := newStall(t)
	ctx := t.Context()
	rng := rand.New(rand.NewPCG(7, 11))
	var some []wechatpaytest.Fault
	for _, f := range []wechatpaytest.Fault{wechatpaytest.Reset, wechatpaytest.Refuse503, wechatpaytest.Redirect, wechatpaytest.Lose,
		wechatpaytest.Truncate, wechatpaytest.Answer500, wechatpaytest.Unsigned, wechatpaytest.BadSignature, wechatpaytest.Garbage,
		wechatpaytest.Limit, wechatpaytest.OtherOrder} {
		some = append(some, f)
	}
	var mu sync.Mutex
	s.server.Fail(func(*http.Request) wechatpaytest.Fault {
		mu.Lock()
		defer mu.Unlock()
		if rng.IntN(3) > 0 {
			return ""
		}
		return some[rng.IntN(len(some))]
	})
	at := s.clock.Now()
	due := func(until time.Duration) {
		for end := s.clock.Now().Add(until); ; {
			_, next, err := s.RunDue(ctx, 0)
			if err != nil {
				t.Fatal(err)
			}
			if next.IsZero() || next.After(end) {
				return
			}
			if next.After(s.clock.Now()) {
				s.clock.set(next)
			}
		}
	}
	charges, refunds := make([]string, payments), make(map[int]string)
	for i := range payments {
		owner := hyperlocal.RandomIDs{}.NewID()
		charges[i] = s.begin(hyperlocal.VerbCharge, owner, int64(100+i), "jsapi:"+wechatpaytest.Pays)
		s.execute(charges[i])
		row, err := s.Operation(ctx, shop, charges[i])
		if err != nil {
			t.Fatal(err)
		}
		if o, ok := s.server.ByAttach(row.Key); ok && i%4 > 0 {
			s.deliver(o.Number)
		}
		if _, _, err := s.ProcessWebhooks(ctx, 0); err != nil {
			t.Fatal(err)
		}
		if facts, err := s.Status(ctx, shop, charges[i]); err == nil && facts[0].Captured.Sign() > 0 {
			refunds[i] = s.begin(hyperlocal.VerbRefund, owner, int64(50+i), "")
			s.execute(refunds[i])
		}
	}
	due(10 * time.Minute)
	s.server.Fail(nil)
	due(26 * time.Hour)
	if len(refunds) < payments/3 {
		t.Errorf("%d refunds are too few to prove anything", len(refunds))
	}
	captured, refunded := 0, 0
	for i := range payments {
		row, err := s.Operation(ctx, shop, charges[i])
		if err != nil {
			t.Fatal(err)
		}
		paid := s.server.Paid(row.Intent)
		if paid > 1 || (row.Outcome == hyperlocal.OutcomeSucceeded) != (paid == 1) || row.Open() {
			t.Errorf("charge %d is %s, the provider has %d", i, row.Outcome, paid)
		}
		captured += paid
		back := s.server.Refunds(row.Intent)
		refunded += len(back)
		if len(back) > 1 {
			t.Errorf("charge %d was refunded %d times", i, len(back))
		}
		if refunds[i] == "" {
			continue
		}
		if row, err = s.Operation(ctx, shop, refunds[i]); err != nil || row.Open() || (row.Outcome == hyperlocal.OutcomeSucceeded) != (len(back) == 1) {
			t.Errorf("refund %d is %s (%s), the provider has %d, %v", i, row.Outcome, row.Code, len(back), err)
		}
	}
	t.Logf("%d of %d paid, %d of %d refunded, %d requests, %v of simulated time", captured, payments, refunded, len(refunds),
		len(s.server.Requests()), s.clock.Now().Sub(at))
}
