package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

const tenant = hyperlocal.TenantID("shop")

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// bench is a sandbox with a clock that stands still and webhooks that are collected.
type bench struct {
	*sandbox.Gateway
	t     *testing.T
	mu    sync.Mutex
	now   time.Time
	got   []payment.Notice
	slept time.Duration
	deny  bool
}

func newBench(t *testing.T, c sandbox.Config) *bench {
	t.Helper()
	b := &bench{t: t, now: noon}
	c.Clock = hyperlocal.ClockFunc(func() time.Time { return b.now })
	c.Secret = secret
	c.Sleep = func(_ context.Context, d time.Duration) error { b.slept += d; return nil }
	c.Deliver = func(_ context.Context, w sandbox.Webhook) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.deny {
			return errors.New("not now")
		}
		n, err := b.ParseWebhook(w.Tenant, b.now, w.Headers, w.Body)
		if err != nil {
			t.Errorf("webhook: %v", err)
		}
		b.got = append(b.got, n)
		return nil
	}
	gw, err := sandbox.New(c)
	if err != nil {
		t.Fatal(err)
	}
	b.Gateway = gw
	return b
}

func (b *bench) charge(key string, attempt int, method string) (payment.Result, error) {
	return b.Authorize(b.t.Context(), payment.AuthorizeRequest{CaptureNow: true, Method: method, Request: payment.Request{
		Tenant: tenant, Key: key, Intent: "i-" + key, Operation: "o", Attempt: attempt, Amount: gbp(b.t, 1000)}})
}

func gbp(t testing.TB, minor int64) hyperlocal.Money {
	t.Helper()
	m, err := hyperlocal.NewMoney(minor, "GBP")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (b *bench) outcomes() string {
	var out []string
	for _, n := range b.got {
		out = append(out, string(n.Outcome))
	}
	return strings.Join(out, " ")
}

func TestMethods(t *testing.T) {
	t.Parallel()
	for method, want := range map[string][]string{ // by attempt: outcome, or class of the decline, or "lost"
		"":                             {"succeeded", "succeeded"},
		"ok":                           {"succeeded", "succeeded"},
		"decline:hard":                 {"hard", "hard"},
		"decline:soft:2":               {"soft", "soft", "succeeded"},
		"rate_limited:1":               {"rate_limited", "succeeded"},
		"provider_down":                {"provider_down", "provider_down"},
		"timeout:after":                {"lost", "lost"},
		"timeout:before:2":             {"lost", "lost"}, // per key
		"action":                       {"action_required"},
		"pending":                      {"pending"},
		"delay:50ms":                   {"succeeded"},
		"charge=decline:hard":          {"hard"},
		"authorize=decline:hard":       {"succeeded"},
		"refund=decline:hard":          {"succeeded"},
		"decline:soft:1,timeout:after": {"lost", "lost"},

		"what":                {"invalid"},
		"decline":             {"invalid"},
		"decline:maybe":       {"invalid"},
		"decline:soft:0":      {"invalid"},
		"decline:soft:x":      {"invalid"},
		"decline:soft:1:2":    {"invalid"},
		"ok:now":              {"invalid"},
		"timeout":             {"invalid"},
		"timeout:sometimes":   {"invalid"},
		"delay:x":             {"invalid"},
		"delay:-5s":           {"invalid"},
		"delay:48h":           {"invalid"},
		"pending:soon":        {"invalid"},
		"webhook:maybe":       {"invalid"},
		"steal=ok":            {"invalid"},
		"ok,":                 {"invalid"},
		"refund=decline:what": {"invalid"},
		"rate_limited:-1":     {"invalid"},
	} {
		b := newBench(t, sandbox.Config{})
		for i, w := range want {
			res, err := b.charge(method+string(rune('a'+i)), i+1, method)
			got := string(res.Outcome)
			if res.Outcome == hyperlocal.OutcomeDeclined {
				got = string(res.Class)
			}
			if err != nil {
				got = "lost"
			}
			if got != w {
				t.Errorf("%q attempt %d: %s %s, want %s", method, i+1, got, res.Code, w)
			}
		}
	}
}

func TestLostRequestsArePerKey(t *testing.T) {
	t.Parallel()
	b := newBench(t, sandbox.Config{})
	for i, want := range []bool{true, true, false, false} {
		_, err := b.charge("k", 1, "timeout:before:2")
		if lost := err != nil; lost != want {
			t.Errorf("send %d: lost is %v", i+1, lost)
		}
	}
	done, err := b.Statement(t.Context(), tenant, "")
	if err != nil || len(done) != 1 {
		t.Errorf("%d charges, %v", len(done), err)
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	b := newBench(t, sandbox.Config{})
	if _, err := b.charge("k", 1, "delay:1500ms"); err != nil || b.slept != 1500*time.Millisecond {
		t.Errorf("slept %v, %v", b.slept, err)
	}
	gw, err := sandbox.New(sandbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	req := payment.AuthorizeRequest{CaptureNow: true, Method: "delay:1h",
		Request: payment.Request{Tenant: tenant, Key: "k", Intent: "i", Attempt: 1, Amount: gbp(t, 1)}}
	if _, err := gw.Authorize(ctx, req); err == nil {
		t.Error("the answer came before its time")
	}
	// It was processed; only the answer was late.
	if found, err := gw.Lookup(t.Context(), payment.LookupRequest{Request: req.Request, Verb: hyperlocal.VerbCharge}); err != nil ||
		found.Outcome != hyperlocal.OutcomeSucceeded {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestPendingEndsByItself(t *testing.T) {
	t.Parallel()
	b := newBench(t, sandbox.Config{Fee: sandbox.Fee{Fixed: 5}})
	if _, err := b.charge("k", 1, "pending:1h"); err != nil {
		t.Fatal(err)
	}
	look := func() payment.LookupResult {
		found, err := b.Lookup(t.Context(), payment.LookupRequest{Request: payment.Request{Tenant: tenant, Key: "k", Intent: "i-k"}, Verb: hyperlocal.VerbCharge})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	refund := payment.RefundRequest{Payment: look().Provider, Request: payment.Request{
		Tenant: tenant, Key: "refund/1", Intent: "i-k", Attempt: 1, Amount: gbp(t, 1000)}}
	if found := look(); found.Outcome != hyperlocal.OutcomePending || found.Fee.IsValid() {
		t.Errorf("%+v", found)
	}
	if res, err := b.Refund(t.Context(), refund); err != nil || res.Code != "no_such_payment" {
		t.Errorf("refunded what is not paid: %+v, %v", res, err)
	}
	b.now = noon.Add(time.Hour)
	if found := look(); found.Outcome != hyperlocal.OutcomeSucceeded || found.Fee != gbp(t, 5) {
		t.Errorf("%+v", found)
	}
	refund.Key = "refund/2"
	if res, err := b.Refund(t.Context(), refund); err != nil || res.Outcome != hyperlocal.OutcomeSucceeded {
		t.Errorf("%+v, %v", res, err)
	}
}

func TestScript(t *testing.T) {
	t.Parallel()
	var calls []sandbox.Call
	b := newBench(t, sandbox.Config{Script: func(c sandbox.Call) string {
		calls = append(calls, c)
		if c.Verb == hyperlocal.VerbCharge && c.N < 3 {
			return "timeout:before:9"
		}
		if c.Verb == sandbox.VerbLookup && c.N == 1 {
			return "lookup=provider_down"
		}
		return "ok"
	}})
	for i, want := range []bool{true, true, false} {
		if _, err := b.charge("k", 1, "decline:hard"); (err != nil) != want {
			t.Errorf("call %d: %v", i+1, err)
		}
	}
	look := payment.LookupRequest{Request: payment.Request{Tenant: tenant, Key: "k", Intent: "i-k"}, Verb: hyperlocal.VerbCharge}
	if _, err := b.Lookup(t.Context(), look); err == nil {
		t.Error("the first lookup got through")
	}
	if found, err := b.Lookup(t.Context(), look); err != nil || found.Outcome != hyperlocal.OutcomeSucceeded {
		t.Errorf("%+v, %v", found, err)
	}
	if len(calls) != 5 || calls[0].Method != "decline:hard" || calls[0].Amount != gbp(t, 1000) || calls[2].N != 3 {
		t.Errorf("calls %+v", calls)
	}
}

func TestWebhooks(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]string{
		"ok":                                "succeeded",
		"webhook:never":                     "",
		"webhook:late":                      "",
		"webhook:duplicate":                 "succeeded succeeded",
		"webhook:reorder":                   "succeeded pending",
		"webhook:contradict":                "succeeded declined",
		"decline:hard,webhook:contradict":   "declined succeeded",
		"timeout:after,webhook:duplicate":   "succeeded succeeded",
		"pending":                           "pending",
		"rate_limited":                      "",
		"webhook:duplicate,webhook:reorder": "succeeded succeeded pending",
		"refund=webhook:never":              "succeeded",
	} {
		b := newBench(t, sandbox.Config{})
		_, _ = b.charge("k", 1, method)
		if got := b.outcomes(); got != want {
			t.Errorf("%q: sent %q, want %q", method, got, want)
		}
		ids := make(map[string]hyperlocal.PaymentOutcome)
		for _, n := range b.got {
			if before, ok := ids[n.Event]; ok && before != n.Outcome {
				t.Errorf("%q: event %s says %s and %s", method, n.Event, before, n.Outcome)
			}
			ids[n.Event] = n.Outcome
		}
	}
}

func TestFlush(t *testing.T) {
	t.Parallel()
	b := newBench(t, sandbox.Config{})
	_, _ = b.charge("a", 1, "webhook:late")
	b.deny = true
	_, _ = b.charge("b", 1, "ok")
	if err := b.Flush(t.Context()); err == nil {
		t.Error("refused deliveries go unnoticed")
	}
	b.deny, b.now = false, noon.Add(24*time.Hour) // a day later they are signed anew
	if err := b.Flush(t.Context()); err != nil || b.outcomes() != "succeeded succeeded" {
		t.Errorf("sent %q, %v", b.outcomes(), err)
	}
	if err := b.Flush(t.Context()); err != nil || len(b.got) != 2 {
		t.Errorf("sent %d, %v", len(b.got), err)
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	b := newBench(t, sandbox.Config{})
	_, _ = b.charge("k", 1, "action")
	if err := b.Complete(t.Context(), tenant, "k", false); err != nil {
		t.Fatal(err)
	}
	if b.outcomes() != "action_required declined" || b.got[1].Code == "" {
		t.Errorf("sent %+v", b.got)
	}
	if err := b.Complete(t.Context(), tenant, "k", true); hyperlocal.ReasonOf(err) != payment.ErrNotOpen.Reason {
		t.Errorf("completed twice: %v", err)
	}
	if err := b.Complete(t.Context(), tenant, "x", true); hyperlocal.ReasonOf(err) != payment.ErrNotFound.Reason {
		t.Errorf("completed what is not there: %v", err)
	}
}

func TestFees(t *testing.T) {
	t.Parallel()
	b := newBench(t, sandbox.Config{Fee: sandbox.Fee{BasisPoints: 145, Fixed: 20}})
	for key, c := range map[string]struct{ amount, fee int64 }{"a": {1000, 34}, "b": {1, 20}, "c": {10_000_000, 145_020}} { // 14.5 rounds to even
		res, err := b.Authorize(t.Context(), payment.AuthorizeRequest{CaptureNow: true, Request: payment.Request{
			Tenant: tenant, Key: key, Intent: "i" + key, Attempt: 1, Amount: gbp(t, c.amount)}})
		if err != nil || res.Fee != gbp(t, c.fee) {
			t.Errorf("fee of %d: %v, want %d (%v)", c.amount, res.Fee, c.fee, err)
		}
	}
	res, err := b.Authorize(t.Context(), payment.AuthorizeRequest{Request: payment.Request{
		Tenant: tenant, Key: "h", Intent: "ih", Attempt: 1, Amount: gbp(t, 1000)}})
	if err != nil || res.Fee.IsValid() {
		t.Errorf("a hold costs %v (%v)", res.Fee, err)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]sandbox.Config{
		"webhooks without a secret": {Deliver: func(context.Context, sandbox.Webhook) error { return nil }},
		"empty secret":              {Secret: []byte{}},
		"short secret":              {Secret: make([]byte, 23)},
		"negative fee":              {Fee: sandbox.Fee{Fixed: -1}},
		"fee above everything":      {Fee: sandbox.Fee{BasisPoints: 10_001}},
	} {
		if _, err := sandbox.New(c); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	gw, err := sandbox.New(sandbox.Config{})
	if err != nil {
		t.Fatal(err)
	}
	// Without a secret nothing is genuine, not even what is signed with an empty one.
	if _, err := gw.ParseWebhook(tenant, noon, map[string][]string{sandbox.SignatureHeader: {"t=1,v1=00"}}, nil); hyperlocal.ReasonOf(err) != payment.ErrWebhookSignature.Reason {
		t.Errorf("%v", err)
	}
	if _, ok, err := gw.Webhook(t.Context(), tenant, "k"); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

func FuzzMethod(f *testing.F) {
	for _, s := range []string{"ok", "decline:soft:2", "pending:1h,webhook:late", "refund=timeout:after", "delay:1ms", "a=b=c", ",", ":::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, method string) {
		gw, err := sandbox.New(sandbox.Config{Sleep: func(context.Context, time.Duration) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		res, err := gw.Authorize(t.Context(), payment.AuthorizeRequest{CaptureNow: true, Method: method,
			Request: payment.Request{Tenant: tenant, Key: "k", Intent: "i", Attempt: 1, Amount: gbp(t, 5)}})
		if err == nil && res.Outcome == "" {
			t.Errorf("%q: no outcome", method)
		}
	})
}

func FuzzWebhook(f *testing.F) {
	gw, err := sandbox.New(sandbox.Config{Secret: secret, Clock: hyperlocal.ClockFunc(func() time.Time { return noon })})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"id":"e","tenant":"shop","data":{"key":"k","outcome":"succeeded","amount":{"amount":5,"currency":"GBP"}}}`))
	f.Add([]byte(`{}`))
	f.Add([]byte("\xff"))
	f.Fuzz(func(t *testing.T, body []byte) {
		// What the provider signs is still read with care: it never panics, and an amount has a currency.
		n, err := gw.ParseWebhook(tenant, noon, gw.Sign(noon, body), body)
		if err == nil && !n.Amount.IsValid() && n.Amount.Amount() != 0 {
			t.Errorf("%q: %+v", body, n)
		}
		if _, err := gw.ParseWebhook(tenant, noon, gw.Sign(noon, append(bytes.Clone(body), '.')), body); err == nil {
			t.Errorf("%q passes with another body's signature", body)
		}
	})
}
