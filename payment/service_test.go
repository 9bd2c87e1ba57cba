package payment_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

func TestNewReportsEverything(t *testing.T) {
	t.Parallel()
	_, err := payment.New(payment.Config{Policy: payment.Policy{Timeout: time.Hour, Lease: time.Minute}})
	for _, want := range []string{"payment/invalid_store", "payment/invalid_tx", "payment/invalid_outbox",
		"payment/invalid_gateways", "payment/invalid_lease"} {
		if !errors.Is(err, &hyperlocal.Error{Reason: want}) {
			t.Errorf("%s is not reported in: %v", want, err)
		}
	}
	db, elsewhere := memstore.New(), memstore.New()
	gw, err := sandbox.New(sandbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	odd, err := sandbox.New(sandbox.Config{Name: "Odd Name"})
	if err != nil {
		t.Fatal(err)
	}
	good := payment.Config{Store: db.Payments(), Tx: db, Outbox: db.Outbox(), Gateways: []payment.Gateway{gw}}
	for name, change := range map[string]func(c *payment.Config){
		"two databases":    func(c *payment.Config) { c.Outbox = elsewhere.Outbox() },
		"no such default":  func(c *payment.Config) { c.DefaultGateway = "nowhere" },
		"same gateway":     func(c *payment.Config) { c.Gateways = append(c.Gateways, gw) },
		"nil gateway":      func(c *payment.Config) { c.Gateways = []payment.Gateway{nil} },
		"oddly named":      func(c *payment.Config) { c.Gateways = []payment.Gateway{odd} },
		"lookups at once":  func(c *payment.Config) { c.Policy.Lookups = []time.Duration{0} },
		"negative timeout": func(c *payment.Config) { c.Policy.Timeout = -1 },
	} {
		bad := good
		bad.Gateways = append([]payment.Gateway(nil), good.Gateways...)
		change(&bad)
		if _, err := payment.New(bad); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	s, err := payment.New(good)
	if err != nil {
		t.Fatal(err)
	}
	if s.TxScope() != db.TxScope() || len(s.Gateways()) != 1 {
		t.Errorf("scope %v, gateways %v", s.TxScope(), s.Gateways())
	}
	for name, err := range map[string]error{
		"nil owner": s.AttachOwner("booking", nil),
		"no kind":   s.AttachOwner("", bookings{}),
		"odd kind":  s.AttachOwner("a/b", bookings{}),
	} {
		if hyperlocal.CodeOf(err) != hyperlocal.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.AttachOwner("booking", bookings{}); err != nil {
		t.Fatal(err)
	}
	if err := s.AttachOwner("booking", bookings{}); hyperlocal.ReasonOf(err) != payment.ErrOwnerAttached.Reason {
		t.Errorf("attached twice: %v", err)
	}
}

// rogue is a gateway that misbehaves as real ones have been seen to.
type rogue struct {
	answer func() (payment.Result, error)
	lookup func() (payment.LookupResult, error)
	parse  func() (payment.Notice, error)
}

func (rogue) Name() string { return "rogue" }
func (rogue) Capabilities() payment.Capabilities {
	return payment.Capabilities{Verbs: []hyperlocal.PaymentVerb{hyperlocal.VerbCharge}}
}
func (g rogue) Authorize(context.Context, payment.AuthorizeRequest) (payment.Result, error) {
	return g.answer()
}
func (g rogue) Capture(context.Context, payment.CaptureRequest) (payment.Result, error) {
	return g.answer()
}
func (g rogue) Void(context.Context, payment.VoidRequest) (payment.Result, error) { return g.answer() }
func (g rogue) Refund(context.Context, payment.RefundRequest) (payment.Result, error) {
	return g.answer()
}
func (g rogue) Lookup(context.Context, payment.LookupRequest) (payment.LookupResult, error) {
	return g.lookup()
}
func (g rogue) ParseWebhook(hyperlocal.TenantID, time.Time, map[string][]string, []byte) (payment.Notice, error) {
	return g.parse()
}

// quiet is an owner that says nothing.
type quiet struct{}

func (quiet) LockOwners(context.Context, ...hyperlocal.TenantRef) error     { return nil }
func (quiet) ApplyPayment(context.Context, ...hyperlocal.PaymentFact) error { return nil }

func TestRogueGateways(t *testing.T) {
	t.Parallel()
	gbp := func(n int64) hyperlocal.Money {
		m, err := hyperlocal.NewMoney(n, "GBP")
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for name, c := range map[string]struct {
		answer    func() (payment.Result, error)
		outcome   hyperlocal.PaymentOutcome
		attention string
	}{
		"panics":       {func() (payment.Result, error) { panic("nonce has 11 bytes") }, hyperlocal.OutcomeUnknown, ""},
		"says nothing": {func() (payment.Result, error) { return payment.Result{}, nil }, hyperlocal.OutcomeUnknown, ""},
		"invents an outcome": {func() (payment.Result, error) {
			return payment.Result{Outcome: "maybe", Amount: gbp(100)}, nil
		}, hyperlocal.OutcomeUnknown, ""},
		"5xx": {func() (payment.Result, error) { return payment.Result{}, errors.New("502 bad gateway") }, hyperlocal.OutcomeUnknown, ""},
		"answers and fails": {func() (payment.Result, error) {
			return payment.Result{Outcome: hyperlocal.OutcomeDeclined}, errors.New("broken pipe")
		}, hyperlocal.OutcomeUnknown, ""},
		"not sent": {func() (payment.Result, error) {
			return payment.Result{}, payment.ErrNotSent.WithCause(errors.New("no route to host"))
		}, hyperlocal.OutcomeDeclined, ""},
		"declines nothing": {func() (payment.Result, error) {
			return payment.Result{Outcome: hyperlocal.OutcomeDeclined, Class: hyperlocal.DeclineHard, Amount: gbp(0)}, nil
		}, hyperlocal.OutcomeDeclined, ""},
		"does not know how much": {func() (payment.Result, error) {
			return payment.Result{Outcome: hyperlocal.OutcomeUnknown, Amount: gbp(0)}, nil
		}, hyperlocal.OutcomeUnknown, ""},
		"takes less": {func() (payment.Result, error) {
			return payment.Result{Outcome: hyperlocal.OutcomeSucceeded, Provider: "p", Amount: gbp(99)}, nil
		}, hyperlocal.OutcomeUnknown, payment.ReasonAmount},
		"does not say how much": {func() (payment.Result, error) {
			return payment.Result{Outcome: hyperlocal.OutcomeSucceeded, Provider: "p"}, nil
		}, hyperlocal.OutcomeUnknown, payment.ReasonNoAmount},
	} {
		db := memstore.New()
		s, err := payment.New(payment.Config{Store: db.Payments(), Tx: db, Outbox: db.Outbox(), Gateways: []payment.Gateway{
			rogue{answer: c.answer, parse: func() (payment.Notice, error) { panic("index out of range") }}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.AttachOwner("booking", quiet{}); err != nil {
			t.Fatal(err)
		}
		ops, err := s.Begin(t.Context(), command(hyperlocal.VerbCharge, "b1", 100, "pay/1", "tok"))
		if err != nil {
			t.Fatal(err)
		}
		f, err := s.Execute(t.Context(), "shop", ops[0].ID)
		if err != nil || f.Outcome != c.outcome {
			t.Errorf("%s: %+v, %v; want %s", name, f, err, c.outcome)
		}
		op, err := s.Operation(t.Context(), "shop", ops[0].ID)
		if err != nil || op.Attention != c.attention {
			t.Errorf("%s: attention %q, %v; want %q", name, op.Attention, err, c.attention)
		}
		if in, err := s.Intents(t.Context(), "shop", op.Owner); err != nil || !in[0].Captured().IsZero() {
			t.Errorf("%s: captured %v, %v", name, in[0].Captured(), err)
		}
		if err := s.Receive(t.Context(), "shop", "rogue", nil, []byte("{}")); hyperlocal.ReasonOf(err) != payment.ErrWebhookMalformed.Reason {
			t.Errorf("%s: a parser that panics: %v", name, err)
		}
	}
}

// A decline that turns out to have been a success is applied if there is room, and raised if
// the money was taken otherwise meanwhile.
func TestDeclineTurnsIntoSuccess(t *testing.T) {
	t.Parallel()
	amount, err := hyperlocal.NewMoney(100, "GBP")
	if err != nil {
		t.Fatal(err)
	}
	success := payment.Result{Outcome: hyperlocal.OutcomeSucceeded, Provider: "p", Amount: amount}
	for _, paidMeanwhile := range []bool{false, true} {
		answers := []payment.Result{{Outcome: hyperlocal.OutcomeDeclined, Class: hyperlocal.DeclineSoft, Code: "no"}, success}
		db := memstore.New()
		s, err := payment.New(payment.Config{Store: db.Payments(), Tx: db, Outbox: db.Outbox(), Gateways: []payment.Gateway{rogue{
			answer: func() (payment.Result, error) {
				r := answers[0]
				answers = answers[1:]
				return r, nil
			},
			lookup: func() (payment.LookupResult, error) { return payment.LookupResult{Known: true, Result: success}, nil },
		}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.AttachOwner("booking", quiet{}); err != nil {
			t.Fatal(err)
		}
		pay := func(reference string) hyperlocal.PaymentFact {
			ops, err := s.Begin(t.Context(), command(hyperlocal.VerbCharge, "b1", 100, reference, "tok"))
			if err != nil {
				t.Fatal(err)
			}
			f, err := s.Execute(t.Context(), "shop", ops[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		first := pay("pay/1")
		if paidMeanwhile {
			pay("pay/2")
		}
		if err := s.Recheck(t.Context(), "shop", first.Operation); err != nil {
			t.Fatal(err)
		}
		if n, next, err := s.RunDue(t.Context(), 10); n != 1 || !next.IsZero() || err != nil {
			t.Errorf("%d, %v, %v", n, next, err)
		}
		facts, err := s.Status(t.Context(), "shop", first.Operation)
		if err != nil {
			t.Fatal(err)
		}
		op, err := s.Operation(t.Context(), "shop", first.Operation)
		if err != nil {
			t.Fatal(err)
		}
		if facts[0].Captured != amount {
			t.Errorf("captured %v, want %v once", facts[0].Captured, amount)
		}
		if paidMeanwhile && (op.Outcome != hyperlocal.OutcomeDeclined || op.Attention != payment.ReasonNoRoom) {
			t.Errorf("paid twice at the provider, and yet %s %q", op.Outcome, op.Attention)
		}
		if !paidMeanwhile && (op.Outcome != hyperlocal.OutcomeSucceeded || op.Attention != "") {
			t.Errorf("late success: %s %q", op.Outcome, op.Attention)
		}
	}
}
