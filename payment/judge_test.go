package payment

import (
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	gbp := func(n int64) hyperlocal.Money {
		m, err := hyperlocal.NewMoney(n, "GBP")
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	const (
		processing = hyperlocal.OutcomeProcessing
		succeeded  = hyperlocal.OutcomeSucceeded
		pending    = hyperlocal.OutcomePending
		action     = hyperlocal.OutcomeAction
		declined   = hyperlocal.OutcomeDeclined
		unknown    = hyperlocal.OutcomeUnknown
	)
	states := []hyperlocal.PaymentOutcome{processing, unknown, pending, action, succeeded, declined}
	names := map[verdict]string{keep: "keep", advance: "advance", heal: "heal", wait: "wait", inquire: "inquire", mismatch: "mismatch"}
	// A webhook that is only a hint moves nothing by itself.
	for _, outcome := range []hyperlocal.PaymentOutcome{succeeded, pending, action} {
		for i, want := range []verdict{inquire, inquire, inquire, inquire, keep, keep} {
			if states[i] == declined && outcome == succeeded {
				want = inquire
			}
			op := Operation{Outcome: states[i], Amount: gbp(100)}
			cl := claim{from: fromWebhook, hint: true, Result: Result{Outcome: outcome, Amount: gbp(100)}}
			if got, _ := judge(&op, &cl); got != want {
				t.Errorf("operation %s, a hint of %s: %s, want %s", states[i], outcome, names[got], names[want])
			}
			cl.Amount = gbp(99)
			if got, _ := judge(&op, &cl); got != mismatch {
				t.Errorf("operation %s, a hint of another amount: %s", states[i], names[got])
			}
		}
	}
	// One row per claim and source; one word per state of the operation, in the order of states.
	for _, c := range []struct {
		outcome hyperlocal.PaymentOutcome
		from    source
		want    [6]verdict
	}{
		{succeeded, fromAnswer, [6]verdict{advance, advance, advance, advance, keep, heal}},
		{succeeded, fromLookup, [6]verdict{advance, advance, advance, advance, keep, heal}},
		{succeeded, fromPerson, [6]verdict{advance, advance, advance, advance, keep, heal}},
		{succeeded, fromWebhook, [6]verdict{advance, advance, advance, advance, keep, inquire}},
		{declined, fromAnswer, [6]verdict{advance, advance, advance, advance, mismatch, keep}},
		{declined, fromLookup, [6]verdict{advance, advance, advance, advance, mismatch, keep}},
		{declined, fromPerson, [6]verdict{advance, advance, advance, advance, mismatch, keep}},
		{declined, fromWebhook, [6]verdict{keep, inquire, inquire, inquire, mismatch, keep}},
		{unknown, fromAnswer, [6]verdict{advance, wait, wait, wait, keep, keep}},
		{unknown, fromLookup, [6]verdict{advance, wait, wait, wait, keep, keep}},
		{unknown, fromWebhook, [6]verdict{keep, keep, keep, keep, keep, keep}},
		{pending, fromAnswer, [6]verdict{advance, advance, wait, advance, keep, keep}},
		{pending, fromLookup, [6]verdict{advance, advance, wait, advance, keep, keep}},
		{pending, fromWebhook, [6]verdict{advance, advance, keep, advance, keep, keep}},
		{action, fromAnswer, [6]verdict{advance, advance, advance, wait, keep, keep}},
		{action, fromLookup, [6]verdict{advance, advance, advance, wait, keep, keep}},
		{action, fromWebhook, [6]verdict{advance, advance, advance, keep, keep, keep}},
	} {
		for i, state := range states {
			op := Operation{Outcome: state, Amount: gbp(100)}
			cl := claim{from: c.from, Result: Result{Outcome: c.outcome, Amount: gbp(100)}}
			if got, _ := judge(&op, &cl); got != c.want[i] {
				t.Errorf("operation %s, source %d claims %s: %s, want %s", state, c.from, c.outcome, names[got], names[c.want[i]])
			}
			// Another amount is never applied, whoever claims it and whatever it is about. What
			// did not move has no amount, whatever is said of it.
			for _, other := range []int64{0, 99, 101} {
				cl.Amount = gbp(other)
				got, reason := judge(&op, &cl)
				switch c.outcome {
				case declined, unknown:
					if got != c.want[i] || reason == ReasonAmount {
						t.Errorf("operation %s, source %d claims %s of %d: %s %s", state, c.from, c.outcome, other, names[got], reason)
					}
				default:
					if got != mismatch || reason != ReasonAmount {
						t.Errorf("operation %s, claim of another amount: %s %s", state, names[got], reason)
					}
				}
			}
			cl.Amount = hyperlocal.Money{}
			if got, reason := judge(&op, &cl); c.outcome == succeeded && (got != mismatch || reason != ReasonNoAmount) {
				t.Errorf("operation %s, success without an amount: %s %s", state, names[got], reason)
			}
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	op := Operation{ID: "op", Intent: "in", Verb: hyperlocal.VerbCharge, Attempt: 3}
	for want, change := range map[string]func(){
		"intent/in/attempt/3/charge": func() {},
		"refund/op":                  func() { op.Verb, op.Attempt = hyperlocal.VerbRefund, 1 },
		"refund/op/2":                func() { op.Verb, op.Attempt = hyperlocal.VerbRefund, 2 },
		"intent/in/attempt/1/void":   func() { op.Verb, op.Attempt = hyperlocal.VerbVoid, 1 },
	} {
		op.Verb, op.Attempt = hyperlocal.VerbCharge, 3
		change()
		if got := op.key(); got != want {
			t.Errorf("key %q, want %q", got, want)
		}
	}
}

func TestDefaultPolicy(t *testing.T) {
	t.Parallel()
	p := DefaultPolicy()
	if err := p.validate(); err != nil {
		t.Fatal(err)
	}
	var sum, last time.Duration
	for n := 0; ; n++ {
		gap, ok := p.gap(hyperlocal.OutcomeUnknown, n)
		if !ok {
			break
		}
		if gap < last {
			t.Errorf("gap %d is %v after %v", n, gap, last)
		}
		sum, last = sum+gap, gap
	}
	if sum == 0 || sum > 26*time.Hour {
		t.Errorf("an unknown outcome is with a person after %v, want within 26h", sum)
	}
	for _, bad := range []Policy{
		{Timeout: time.Minute, Lease: time.Minute}, {Timeout: -1}, {SendWithin: -1}, {Parallel: -1},
		{Lookups: []time.Duration{0}}, {Pending: []time.Duration{-time.Second}},
	} {
		bad.setDefaults()
		if bad.validate() == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

func TestLooksLikeCard(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"4242424242424242": true, "4242 4242-4242 4242": true, "378282246310005": true, "6304000000000000": true,
		"4242424242424241": false, "tok_4242424242424242": false, "ok": false, "": false, "12345": false,
		"00000000000": false, "４２４２４２４２４２４２４２４２": false,
	} {
		if got := looksLikeCard(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestTidy(t *testing.T) {
	t.Parallel()
	long := make([]byte, 5000)
	for i := range long {
		long[i] = 0xff
	}
	r := tidy(Result{Outcome: "odd", Provider: string(long), Code: "a\x00b", Action: string(long), Class: "odd", RetryAfter: -1})
	if r.Outcome != hyperlocal.OutcomeUnknown || r.Class != "" || r.RetryAfter != 0 {
		t.Errorf("%+v", r)
	}
	for what, text := range map[string]string{"provider": r.Provider, "code": r.Code, "action": r.Action} {
		if err := hyperlocal.CheckText("payment", what, text, MaxAction); err != nil || text == "" {
			t.Errorf("%s %q cannot be stored: %v", what, text, err)
		}
	}
	if len(r.Provider) > MaxProvider || len(r.Code) > MaxProvider || len(r.Action) > MaxAction {
		t.Errorf("too long: %d %d %d", len(r.Provider), len(r.Code), len(r.Action))
	}
	if r := tidy(Result{Outcome: hyperlocal.OutcomeDeclined}); r.Class != hyperlocal.DeclineHard {
		t.Errorf("a decline without a class is %q; only hard is never retried", r.Class)
	}
}
