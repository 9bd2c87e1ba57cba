package alipay_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/alipay"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/alipay/alipaytest"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// bookings stands for whatever is paid for.
type bookings struct {
	mu   sync.Mutex
	last map[string]hyperlocal.PaymentFact
}

func (*bookings) LockOwners(context.Context, ...hyperlocal.TenantRef) error { return nil }

func (b *bookings) ApplyPayment(_ context.Context, facts ...hyperlocal.PaymentFact) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range facts {
		b.last[f.Owner.ID] = f
	}
	return nil
}

type world struct {
	*testing.T
	*payment.Service
	clock  *clock
	double *alipaytest.Double
	owners *bookings
	rng    *rand.Rand
}

// openWorld is the payment service over memory, this gateway and the double, with one clock.
func openWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	w := &world{T: t, clock: &clock{at: time.Now().Add(time.Second)}, owners: &bookings{last: make(map[string]hyperlocal.PaymentFact)},
		rng: rand.New(rand.NewPCG(seed, seed))}
	w.double = open(t, alipaytest.Config{Now: w.clock.Now})
	g := gateway(t, w.double, account(t, accountConfig()), func(c *alipay.Config) { c.Clock, c.Timeout = w.clock, 100*time.Millisecond })
	db := memstore.New()
	s, err := payment.New(payment.Config{Store: db.Payments(), Tx: db, Outbox: db.Outbox(), Clock: w.clock, Gateways: []payment.Gateway{g}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AttachOwner("booking", w.owners); err != nil {
		t.Fatal(err)
	}
	w.Service = s
	return w
}

// run begins and executes an operation.
func (w *world) run(verb hyperlocal.PaymentVerb, owner string, minor int64, reference, method string) string {
	w.Helper()
	ops, err := w.Begin(w.Context(), hyperlocal.PaymentCommand{
		Tenant: "shop", Owner: hyperlocal.NewRef("booking", owner), Merchant: hyperlocal.NewRef("merchant", "m1"), Verb: verb,
		Amount: fen(w, minor), Reference: reference, Method: method, Actor: hyperlocal.Actor{Kind: "shopper", ID: "s1"},
	})
	if err != nil {
		w.Fatal(err)
	}
	if verb == hyperlocal.VerbCharge {
		op := w.op(ops[0].ID)
		w.trouble(alipay.TradeNumber("shop", op.Key), "alipay.trade.query", "alipay.trade.precreate")
	}
	if _, err := w.Execute(w.Context(), "shop", ops[0].ID); err != nil {
		w.Fatal(err)
	}
	return ops[0].ID
}

func (w *world) op(id string) payment.Operation {
	w.Helper()
	op, err := w.Operation(w.Context(), "shop", id)
	if err != nil {
		w.Fatal(err)
	}
	return op
}

// trouble makes calls about a trade go wrong, mostly once.
func (w *world) trouble(number string, methods ...string) {
	faults := []alipaytest.Fault{{LoseRequest: true}, {LoseAnswer: true}, {Cut: true}, {Status: 500}, {Status: 429}, {Unreachable: true},
		{Code: "40004", SubCode: "ACQ.SYSTEM_ERROR"}, {Code: "20000", SubCode: "aop.unknow-error"}, {Hang: true},
		{Forge: func(b []byte) []byte { return bytes.Replace(b, []byte("10000"), []byte("10001"), 1) }}}
	for _, method := range methods {
		for w.rng.IntN(3) == 0 {
			f := faults[w.rng.IntN(len(faults))]
			f.Times = 1
			w.double.Script(number, method, f)
		}
	}
}

// webhooks delivers what Alipay says about a trade one to five times, among forgeries.
func (w *world) webhooks(number string) {
	w.Helper()
	f, err := w.double.Fields(number, w.clock.Now())
	if err != nil {
		return
	}
	body := keys().SignForm(f)
	for range 1 + w.rng.IntN(5) {
		if err := w.Receive(w.Context(), "shop", alipay.Name, alipaytest.Headers(), body); err != nil {
			w.Errorf("a genuine notification: %v", err)
		}
		forged := bytes.Replace(body, []byte("TRADE_SUCCESS"), []byte("TRADE_FINISHED"), 1)
		if err := w.Receive(w.Context(), "shop", alipay.Name, alipaytest.Headers(), forged); err == nil && !bytes.Equal(forged, body) {
			w.Error("a forgery is stored")
		}
	}
}

// janitor lets time pass until nothing is due any more.
func (w *world) janitor(meanwhile func()) {
	w.Helper()
	for range 2000 {
		if _, _, err := w.ProcessWebhooks(w.Context(), 0); err != nil {
			w.Fatal(err)
		}
		_, next, err := w.RunDue(w.Context(), 0)
		if err != nil {
			w.Fatal(err)
		}
		meanwhile()
		if next.IsZero() {
			n, _, err := w.ProcessWebhooks(w.Context(), 0) // what has come in meanwhile
			if err != nil {
				w.Fatal(err)
			}
			if n == 0 {
				return
			}
			continue
		}
		if wait := next.Sub(w.clock.Now()); wait > 0 {
			w.clock.add(wait)
		}
	}
	w.Fatal("it never ends")
}

// TestService takes payments through the payment service while calls are lost, cut, refused
// and repeated, shoppers come late or never, and notifications come several times or not at
// all. What the double says has moved is the truth.
func TestService(t *testing.T) {
	t.Parallel()
	const orders = 120
	w := openWorld(t, 7)
	methods := []string{alipay.Page, alipay.App, alipay.QR}
	attempts := make(map[string]string) // owner by operation
	links := make(map[string]string)    // by operation: whatever was shown to a shopper
	kind := make(map[string]int)        // of shopper, by operation
	paidOnce := make(map[string]bool)   // by trade
	const pays, comesLate = 0, 2        // and 1 follows the link and pays too late
	shop := func() {                    // shoppers at work
		for _, id := range slices.Sorted(maps.Keys(attempts)) { // in one order, for the seed's sake
			op := w.op(id)
			if op.Action != "" {
				links[id] = op.Action
			}
			number := alipay.TradeNumber("shop", op.Key)
			if _, ok := kind[id]; !ok {
				kind[id] = w.rng.IntN(3)
			}
			gone := op.Outcome == hyperlocal.OutcomeDeclined // but the link is still in a browser
			if links[id] == "" || !gone && (kind[id] == comesLate || w.rng.IntN(3) != 0) {
				continue
			}
			if _, err := w.double.Follow(links[id]); err == nil && (gone || kind[id] == pays) && w.double.Pay(number) {
				if !paidOnce[number] { // who pays again changes nothing
					w.trouble(number, "alipay.trade.query")
				}
				paidOnce[number] = true
				if w.rng.IntN(2) == 0 {
					w.webhooks(number)
				}
			}
		}
	}
	for i := range orders {
		owner := fmt.Sprint("b", i)
		attempts[w.run(hyperlocal.VerbCharge, owner, int64(100+i), "pay/1", methods[i%3])] = owner
	}
	w.janitor(shop)
	// Who was declined tries again, as an order would; the old links stay in their browsers.
	for _, id := range slices.Sorted(maps.Keys(attempts)) {
		owner := attempts[id]
		if w.op(id).Outcome == hyperlocal.OutcomeDeclined {
			attempts[w.run(hyperlocal.VerbCharge, owner, 100, "pay/2", alipay.QR)] = owner
		}
	}
	w.janitor(shop)
	for id, action := range links {
		number := alipay.TradeNumber("shop", w.op(id).Key)
		if _, err := w.double.Follow(action); err == nil {
			w.double.Pay(number)
		}
	}

	moved := make(map[string]int) // payments by owner, as Alipay has them
	paid, declined := 0, 0
	for id, owner := range attempts {
		op := w.op(id)
		trade := w.double.Trade(alipay.TradeNumber("shop", op.Key))
		moved[owner] += trade.Paid
		switch {
		case op.Attention != "":
			t.Errorf("%s is left to a person: %s", op.Key, op.Attention)
		case op.Outcome == hyperlocal.OutcomeSucceeded && trade.Paid == 1:
			paid++
		case op.Outcome == hyperlocal.OutcomeDeclined && trade.Paid == 0:
			declined++
		default:
			t.Errorf("%s is %s, and Alipay has %+v", op.Key, op.Outcome, trade)
		}
	}
	for owner, n := range moved {
		if n > 1 {
			t.Errorf("%s paid %d times", owner, n)
		}
	}
	if paid < orders/10 || declined < orders/10 {
		t.Errorf("%d paid and %d declined show too little", paid, declined)
	}

	// Refunds in parts, in the same weather.
	refunds := make(map[string]string)
	for _, id := range slices.Sorted(maps.Keys(attempts)) {
		op, owner := w.op(id), attempts[id]
		if op.Outcome != hyperlocal.OutcomeSucceeded {
			continue
		}
		number := alipay.TradeNumber("shop", op.Key)
		half := op.Amount.Amount() / 2
		w.trouble(number, "alipay.trade.refund", "alipay.trade.fastpay.refund.query")
		w.double.HideRefunds(number, w.rng.IntN(3))
		refunds[w.run(hyperlocal.VerbRefund, owner, half, "refund/1", "")] = number
		refunds[w.run(hyperlocal.VerbRefund, owner, op.Amount.Amount()-half, "refund/2", "")] = number
	}
	w.janitor(func() {})
	for id, number := range refunds {
		op := w.op(id)
		trade := w.double.Trade(number)
		if op.Outcome != hyperlocal.OutcomeSucceeded || trade.Refunds[alipay.TradeNumber("shop", op.Key)] != op.Amount.Amount() ||
			trade.Refunded != trade.Fen || trade.RefundedOf != 2 {
			t.Errorf("%s of %v is %s (%s), and Alipay has %+v", op.Key, op.Amount, op.Outcome, op.Attention, trade)
		}
	}
	t.Logf("%d paid, %d declined, %d refunds, %d calls", paid, declined, len(refunds), w.double.Calls(""))
}
