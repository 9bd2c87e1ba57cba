package cash_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/cash"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
	"github.com/hyperlocal-sdk/hyperlocal/payment/gatewaytest"
)

const tenant = hyperlocal.TenantID("shop")

var courier = hyperlocal.Actor{Kind: "courier", ID: "c7"}

// withCourier is the gateway together with somebody who confirms at once what is to be paid on
// delivery, as the kit wants it.
type withCourier struct{ *cash.Gateway }

func (g withCourier) confirm(ctx context.Context, r payment.Request, verb hyperlocal.PaymentVerb, res payment.Result, err error) (payment.Result, error) {
	if err != nil || (res.Outcome != hyperlocal.OutcomePending && res.Outcome != hyperlocal.OutcomeAction) {
		return res, err
	}
	if _, err := g.Confirm(ctx, cash.ConfirmCommand{Tenant: r.Tenant, Key: r.Key, Holder: "c7", Actor: courier}); err != nil {
		return payment.Result{}, err
	}
	found, err := g.Lookup(ctx, payment.LookupRequest{Request: r, Verb: verb})
	return found.Result, err
}

func (g withCourier) Authorize(ctx context.Context, r payment.AuthorizeRequest) (payment.Result, error) {
	res, err := g.Gateway.Authorize(ctx, r)
	if r.Method != cash.MethodDelivery {
		return res, err
	}
	return g.confirm(ctx, r.Request, r.Verb(), res, err)
}

func (g withCourier) Capture(ctx context.Context, r payment.CaptureRequest) (payment.Result, error) {
	res, err := g.Gateway.Capture(ctx, r)
	return g.confirm(ctx, r.Request, hyperlocal.VerbCapture, res, err)
}

func (g withCourier) Refund(ctx context.Context, r payment.RefundRequest) (payment.Result, error) {
	res, err := g.Gateway.Refund(ctx, r)
	return g.confirm(ctx, r.Request, hyperlocal.VerbRefund, res, err)
}

func TestGateway(t *testing.T) {
	t.Parallel()
	gatewaytest.Run(t, func(t *testing.T) gatewaytest.Harness {
		log := &cash.MemoryLog{}
		gw, err := cash.New(cash.Config{Log: log})
		if err != nil {
			t.Fatal(err)
		}
		return gatewaytest.Harness{
			Gateway: withCourier{gw},
			// Nothing is declined but by a person, and there is no line that an answer could be lost on.
			Methods: map[gatewaytest.Scenario]string{
				gatewaytest.Succeeds: cash.MethodDelivery, gatewaytest.Invalid: "card", gatewaytest.NeedsAction: cash.MethodCounter,
			},
			Moved: func(ctx context.Context, tenant hyperlocal.TenantID, intent string, verb hyperlocal.PaymentVerb) (int, error) {
				records, err := log.Records(ctx, tenant, intent)
				n := 0
				for _, r := range records {
					if r.Verb == verb && r.Outcome == hyperlocal.OutcomeSucceeded {
						n++
					}
				}
				return n, err
			},
			Complete: func(ctx context.Context, tenant hyperlocal.TenantID, key string, success bool) error {
				if !success {
					_, err := gw.Decline(ctx, tenant, key, courier)
					return err
				}
				_, err := gw.Confirm(ctx, cash.ConfirmCommand{Tenant: tenant, Key: key, Holder: "till-1", Actor: courier})
				return err
			},
		}
	})
}

// till is a gateway with a purse of requests.
type till struct {
	*cash.Gateway
	t *testing.T
	n int
}

func newTill(t *testing.T) *till {
	t.Helper()
	gw, err := cash.New(cash.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return &till{Gateway: gw, t: t}
}

func (w *till) money(minor int64, c hyperlocal.Currency) hyperlocal.Money {
	w.t.Helper()
	m, err := hyperlocal.NewMoney(minor, c)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *till) request(intent string, amount hyperlocal.Money) payment.Request {
	w.n++
	key := intent + "/" + string(rune('a'+w.n))
	return payment.Request{Tenant: tenant, Key: key, Intent: intent, Operation: "op/" + key, Attempt: 1, Amount: amount}
}

func (w *till) ok(res payment.Result, err error) payment.Result {
	w.t.Helper()
	if err != nil || res.Outcome == hyperlocal.OutcomeDeclined {
		w.t.Fatalf("%+v, %v", res, err)
	}
	return res
}

func (w *till) charge(intent string, amount hyperlocal.Money, holder string) payment.Result {
	w.t.Helper()
	r := w.request(intent, amount)
	res := w.ok(w.Authorize(w.t.Context(), payment.AuthorizeRequest{Request: r, CaptureNow: true}))
	w.take(r.Key, holder)
	return res
}

func (w *till) take(key, holder string) {
	w.t.Helper()
	if _, err := w.Confirm(w.t.Context(), cash.ConfirmCommand{Tenant: tenant, Key: key, Holder: holder, Actor: courier}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *till) float(holder string, want ...hyperlocal.Money) {
	w.t.Helper()
	got, err := w.Float(w.t.Context(), tenant, holder)
	if err != nil || len(got) != len(want) {
		w.t.Fatalf("%s holds %v, %v; want %v", holder, got, err, want)
	}
	for i := range got {
		if got[i] != want[i] {
			w.t.Errorf("%s holds %v, want %v", holder, got, want)
		}
	}
}

func (w *till) outcome(r payment.Request, verb hyperlocal.PaymentVerb, want hyperlocal.PaymentOutcome) {
	w.t.Helper()
	found, err := w.Lookup(w.t.Context(), payment.LookupRequest{Request: r, Verb: verb})
	if err != nil || !found.Known || found.Outcome != want {
		w.t.Errorf("%s of %s is %+v, %v; want %s", verb, r.Key, found, err, want)
	}
}

// The promise holds while the courier is on his way; at the door it is kept or not.
func TestOnDelivery(t *testing.T) {
	t.Parallel()
	w := newTill(t)
	ctx := t.Context()
	amount := w.money(2500, "GBP")
	hold := w.ok(w.Authorize(ctx, payment.AuthorizeRequest{Request: w.request("i1", amount), Method: cash.MethodDelivery}))
	if hold.Outcome != hyperlocal.OutcomeSucceeded {
		t.Fatalf("%+v", hold)
	}
	if waiting, err := w.Waiting(ctx, tenant, "i1"); err != nil || len(waiting) != 0 {
		t.Errorf("a promise waits for nobody: %v, %v", waiting, err)
	}
	first := w.request("i1", amount)
	w.ok(w.Capture(ctx, payment.CaptureRequest{Request: first, Payment: hold.Provider}))
	w.outcome(first, hyperlocal.VerbCapture, hyperlocal.OutcomePending)
	void := payment.VoidRequest{Request: w.request("i1", amount), Payment: hold.Provider}
	if res, err := w.Void(ctx, void); err != nil || res.Outcome != hyperlocal.OutcomeDeclined {
		t.Errorf("voided while the courier is at the door: %+v, %v", res, err)
	}
	for range 2 {
		if _, err := w.Decline(ctx, tenant, first.Key, courier); err != nil { // nobody was in
			t.Fatal(err)
		}
	}
	w.outcome(first, hyperlocal.VerbCapture, hyperlocal.OutcomeDeclined)
	w.float("c7")

	second := w.request("i1", w.money(2000, "GBP")) // something was missing from the bag
	w.ok(w.Capture(ctx, payment.CaptureRequest{Request: second, Payment: hold.Provider}))
	waiting, err := w.Waiting(ctx, tenant, "")
	if err != nil || len(waiting) != 1 || waiting[0].Key != second.Key || waiting[0].Operation != second.Operation {
		t.Fatalf("%v, %v", waiting, err)
	}
	w.take(second.Key, "c7")
	w.outcome(second, hyperlocal.VerbCapture, hyperlocal.OutcomeSucceeded)
	w.float("c7", w.money(2000, "GBP"))

	if _, err := w.Decline(ctx, tenant, second.Key, courier); hyperlocal.ReasonOf(err) != cash.ErrNotWaiting.Reason {
		t.Errorf("declined after it was paid: %v", err)
	}
	if _, err := w.Confirm(ctx, cash.ConfirmCommand{Tenant: tenant, Key: first.Key, Holder: "c7", Actor: courier}); hyperlocal.ReasonOf(err) != cash.ErrNotWaiting.Reason {
		t.Errorf("confirmed after it was declined: %v", err)
	}
	if _, err := w.Confirm(ctx, cash.ConfirmCommand{Tenant: "other", Key: second.Key, Holder: "c7", Actor: courier}); hyperlocal.ReasonOf(err) != cash.ErrNotFound.Reason {
		t.Errorf("confirmed by another tenant: %v", err)
	}
}

// A refund of what nobody has paid is refused, and one that waits counts as given.
func TestRefunds(t *testing.T) {
	t.Parallel()
	w := newTill(t)
	ctx := t.Context()
	r := w.request("i1", w.money(1000, "EUR"))
	paid := w.ok(w.Authorize(ctx, payment.AuthorizeRequest{Request: r, CaptureNow: true, Method: cash.MethodCounter}))
	refund := func(minor int64) (payment.Request, payment.Result) {
		t.Helper()
		r := w.request("i1", w.money(minor, "EUR"))
		res, err := w.Refund(ctx, payment.RefundRequest{Request: r, Payment: paid.Provider})
		if err != nil {
			t.Fatal(err)
		}
		return r, res
	}
	if _, res := refund(1); res.Code != "refund_exceeds_captured" {
		t.Errorf("refunded before it was paid: %+v", res)
	}
	w.take(r.Key, "till-1")
	back, res := refund(600)
	if res.Outcome != hyperlocal.OutcomePending {
		t.Fatalf("%+v", res)
	}
	if _, res := refund(401); res.Code != "refund_exceeds_captured" {
		t.Errorf("promised twice: %+v", res)
	}
	w.float("till-1", w.money(1000, "EUR"))
	w.take(back.Key, "till-2") // another till hands it out
	w.float("till-1", w.money(1000, "EUR"))
	w.float("till-2", w.money(-600, "EUR"))
}

func TestSettle(t *testing.T) {
	t.Parallel()
	w := newTill(t)
	ctx := t.Context()
	w.charge("i1", w.money(1000, "GBP"), "c7")
	w.charge("i2", w.money(250, "GBP"), "c7")
	w.charge("i3", w.money(900, "JPY"), "c7")
	w.charge("i4", w.money(5000, "GBP"), "c8")
	w.float("c7", w.money(1250, "GBP"), w.money(900, "JPY"))

	in := cash.SettleCommand{Tenant: tenant, Holder: "c7", Reference: "2026-11-21", Counted: w.money(1240, "GBP"), Actor: courier}
	first, err := w.Settle(ctx, in)
	if err != nil || first.Expected != w.money(1250, "GBP") || first.Difference != w.money(-10, "GBP") || first.Records != 2 {
		t.Fatalf("%+v, %v", first, err)
	}
	w.float("c7", w.money(900, "JPY"))
	w.float("c8", w.money(5000, "GBP"))
	w.charge("i5", w.money(300, "GBP"), "c7")
	if again, err := w.Settle(ctx, in); err != nil || again != first {
		t.Errorf("again: %+v, %v", again, err)
	}
	w.float("c7", w.money(300, "GBP"), w.money(900, "JPY"))
	other := in
	other.Counted = w.money(1, "GBP")
	if _, err := w.Settle(ctx, other); hyperlocal.ReasonOf(err) != cash.ErrReferenceConflict.Reason {
		t.Errorf("another amount under the reference: %v", err)
	}
	in.Reference, in.Counted = "2026-11-22", w.money(300, "GBP")
	if s, err := w.Settle(ctx, in); err != nil || !s.Difference.IsZero() {
		t.Errorf("%+v, %v", s, err)
	}
	if all, err := w.Settlements(ctx, tenant, "c7"); err != nil || len(all) != 2 || all[0] != first {
		t.Errorf("%+v, %v", all, err)
	}
	if all, err := w.Settlements(ctx, "other", "c7"); err != nil || len(all) != 0 {
		t.Errorf("another tenant sees %+v, %v", all, err)
	}
}

// Whatever is confirmed and settled at the same time: every record is settled once, and the sum
// of the settlements and the float is the sum of the receipts.
func TestConfirmAndSettleAtOnce(t *testing.T) {
	t.Parallel()
	w := newTill(t)
	ctx := t.Context()
	const n = 50
	requests := make([]payment.Request, n)
	for i := range requests {
		requests[i] = payment.Request{Tenant: tenant, Key: hyperlocal.RandomIDs{}.NewID(), Intent: hyperlocal.RandomIDs{}.NewID(), Amount: w.money(100, "GBP")}
		w.ok(w.Authorize(ctx, payment.AuthorizeRequest{Request: requests[i], CaptureNow: true}))
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	confirmed := 0
	for i := range n {
		for _, holder := range []string{"c7", "c8"} { // two say they have it: one is believed
			wg.Go(func() {
				_, err := w.Confirm(ctx, cash.ConfirmCommand{Tenant: tenant, Key: requests[i].Key, Holder: holder, Actor: courier})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					confirmed++
				} else if !errors.Is(err, cash.ErrNotWaiting) {
					t.Errorf("%v", err)
				}
			})
		}
		if i%10 == 0 {
			wg.Go(func() {
				_, err := w.Settle(ctx, cash.SettleCommand{Tenant: tenant, Holder: "c7", Reference: requests[i].Key, Counted: w.money(0, "GBP"), Actor: courier})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	total, settled := int64(0), 0
	for _, holder := range []string{"c7", "c8"} {
		all, err := w.Settlements(ctx, tenant, holder)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			total, settled = total+s.Expected.Amount(), settled+s.Records
		}
		float, err := w.Float(ctx, tenant, holder)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range float {
			total += m.Amount()
		}
	}
	if confirmed != n || total != n*100 {
		t.Errorf("%d confirmed, %d held and settled, %d records settled", confirmed, total, settled)
	}
}

func TestRefusedCommands(t *testing.T) {
	t.Parallel()
	w := newTill(t)
	ctx := t.Context()
	for name, c := range map[string]cash.ConfirmCommand{
		"no tenant": {Key: "k", Holder: "c7", Actor: courier}, "no holder": {Tenant: tenant, Key: "k", Actor: courier},
		"no actor":    {Tenant: tenant, Key: "k", Holder: "c7"},
		"long holder": {Tenant: tenant, Key: "k", Holder: strings.Repeat("c", 65), Actor: courier},
	} {
		if _, err := w.Confirm(ctx, c); !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := cash.SettleCommand{Tenant: tenant, Holder: "c7", Reference: "r", Counted: w.money(1, "GBP"), Actor: courier}
	for name, change := range map[string]func(c *cash.SettleCommand){
		"no reference": func(c *cash.SettleCommand) { c.Reference = "" }, "no money": func(c *cash.SettleCommand) { c.Counted = hyperlocal.Money{} },
		"negative": func(c *cash.SettleCommand) { c.Counted = w.money(-1, "GBP") }, "no holder": func(c *cash.SettleCommand) { c.Holder = "" },
	} {
		c := good
		change(&c)
		if _, err := w.Settle(ctx, c); !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := cash.New(cash.Config{Name: strings.Repeat("n", 33)}); !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
		t.Errorf("%v", err)
	}
}
