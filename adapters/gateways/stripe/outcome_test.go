package stripe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/stripe"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/stripe/stripetest"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// TestFaults strikes every request with every fault. What was processed is unknown, then looked
// up; sent again under the same key it moves nothing a second time.
func TestFaults(t *testing.T) {
	t.Parallel()
	after := []stripetest.Fault{stripetest.HangAfter, stripetest.ErrorAfter, stripetest.ResetAfter, stripetest.HTMLAfter, stripetest.LongAfter}
	before := []stripetest.Fault{stripetest.HangBefore, stripetest.ErrorBefore, stripetest.Redirect, stripetest.Unavailable}
	for _, verb := range []hyperlocal.PaymentVerb{hyperlocal.VerbCharge, hyperlocal.VerbAuthorize, hyperlocal.VerbCapture, hyperlocal.VerbVoid, hyperlocal.VerbRefund} {
		for i, fault := range append(after, before...) {
			processed := i < len(after)
			t.Run(fmt.Sprint(verb, " ", fault), func(t *testing.T) {
				t.Parallel()
				s := newShop(t)
				request, plain, of := s.about(t, verb, fault)
				res, err := s.send(t, request)
				if err == nil || errors.Is(err, payment.ErrNotSent) || !hyperlocal.IsCode(err, hyperlocal.CodeUnknownOutcome) {
					t.Fatalf("answered %+v, %v; want an error that says nothing", res, err)
				}
				clean(t, err)
				if n := s.moved(string(verb)); n != map[bool]int{true: 1, false: 0}[processed] {
					t.Fatalf("%d moved", n)
				}
				found := s.lookup(t, verb, plain, of, "")
				if found.Known != processed || processed && (found.Outcome != hyperlocal.OutcomeSucceeded || found.Amount != plain.Amount || found.Provider == "") {
					t.Fatalf("looked up %+v", found)
				}
				again, err := s.send(t, request)
				kept := fault == stripetest.ErrorAfter || fault == stripetest.ErrorBefore // under the key, by Stripe
				if kept != (err != nil) || err == nil && (again.Outcome != hyperlocal.OutcomeSucceeded || again.Amount != plain.Amount) {
					t.Errorf("again: %+v, %v", again, err)
				}
				want := 1
				if fault == stripetest.ErrorBefore {
					want = 0
				}
				if n := s.moved(string(verb)); n != want {
					t.Errorf("%d moved in the end, want %d", n, want)
				}
				for _, r := range s.server.Requests() {
					if r.Path == "/elsewhere" {
						t.Error("a redirect was followed")
					}
				}
			})
		}
	}
}

// about prepares a request of the verb that a fault will strike.
func (s *shop) about(t *testing.T, verb hyperlocal.PaymentVerb, fault stripetest.Fault) (request any, plain payment.Request, of string) {
	t.Helper()
	ten := amount(t, 1000, "GBP")
	method := func(kind string) string { return "pm_fault_" + kind + "_" + string(fault) }
	switch verb {
	case hyperlocal.VerbCharge:
		r := s.charge(t, method("create"), ten)
		return r, r.Request, ""
	case hyperlocal.VerbAuthorize:
		r := s.hold(t, method("create"), ten)
		return r, r.Request, ""
	case hyperlocal.VerbCapture:
		of = s.must(t, "succeeded", s.hold(t, method("capture"), ten)).Provider
		r := payment.CaptureRequest{Request: s.request(verb, amount(t, 600, "GBP")), Payment: of}
		return r, r.Request, of
	case hyperlocal.VerbVoid:
		of = s.must(t, "succeeded", s.hold(t, method("cancel"), ten)).Provider
		r := payment.VoidRequest{Request: s.request(verb, ten), Payment: of}
		return r, r.Request, of
	}
	of = s.must(t, "succeeded", s.charge(t, method("refund"), ten)).Provider
	r := s.refund(t, of, amount(t, 600, "GBP"))
	return r, r.Request, of
}

// clean fails if an error says a secret.
func clean(t testing.TB, err error) {
	t.Helper()
	for _, text := range []string{fmt.Sprint(err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
		if strings.Contains(text, stripetest.TestKey) || strings.Contains(text, stripetest.TestSecret) || strings.Contains(text, "_secret_") {
			t.Errorf("the error says a secret: %s", text)
		}
	}
}

// What Stripe surely did not process is a decline that may be tried again.
func TestSurelyNotProcessed(t *testing.T) {
	t.Parallel()
	for fault, class := range map[stripetest.Fault]hyperlocal.DeclineClass{
		stripetest.Limited: hyperlocal.DeclineRateLimited, stripetest.Unheard: hyperlocal.DeclineProviderDown,
	} {
		for _, verb := range []hyperlocal.PaymentVerb{hyperlocal.VerbCharge, hyperlocal.VerbCapture, hyperlocal.VerbVoid, hyperlocal.VerbRefund} {
			s := newShop(t)
			request, _, _ := s.about(t, verb, fault)
			res := s.must(t, "declined", request)
			if res.Class != class || fault == stripetest.Limited && res.RetryAfter != 7*time.Second {
				t.Errorf("%s of %s: %+v", fault, verb, res)
			}
			if s.moved(string(verb)) != 0 {
				t.Errorf("%s of %s moved", fault, verb)
			}
		}
	}
}

// A capture, void or refund that cannot read its payment first was surely not sent.
func TestNothingSentWithoutThePayment(t *testing.T) {
	t.Parallel()
	for _, fault := range []stripetest.Fault{stripetest.HangBefore, stripetest.Unavailable, stripetest.HTMLAfter, stripetest.Redirect} {
		s := newShop(t)
		ten := amount(t, 1000, "GBP")
		held := s.must(t, "succeeded", s.hold(t, "pm_card_visa", ten)).Provider
		s.server.Script(func(r stripetest.Request) stripetest.Fault {
			if r.Kind == "get" {
				return fault
			}
			return stripetest.None
		})
		for _, request := range []any{
			payment.CaptureRequest{Request: s.request(hyperlocal.VerbCapture, ten), Payment: held},
			payment.VoidRequest{Request: s.request(hyperlocal.VerbVoid, ten), Payment: held}, s.refund(t, held, ten),
		} {
			if res, err := s.send(t, request); !errors.Is(err, payment.ErrNotSent) {
				t.Errorf("%s: %+v, %v", fault, res, err)
			}
		}
		if n := len(s.server.Moves()); n != 1 {
			t.Errorf("%s: %d moved", fault, n)
		}
	}
}

func TestNotSent(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	nobody := newShop(t, func(c *stripe.Config) { c.BaseURL = "http://" + address })
	res, err := nobody.gw.Authorize(t.Context(), nobody.charge(t, "pm_card_visa", amount(t, 100, "GBP")))
	if !errors.Is(err, payment.ErrNotSent) {
		t.Errorf("nobody listens: %+v, %v", res, err)
	}
	clean(t, err)

	ended := newShop(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ended.gw.Authorize(ctx, ended.charge(t, "pm_card_visa", amount(t, 100, "GBP"))); !errors.Is(err, payment.ErrNotSent) || !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}

	for name, account := range map[string]stripe.Account{
		"no account": {}, "publishable key": {SecretKey: "pk_test_0123456789abcdef0123"}, "short key": {SecretKey: "sk_test_1"},
		"key with a line": {SecretKey: "sk_test_0123456789abcdef\r\nX: y"},
		"bad connected":   {SecretKey: stripetest.TestKey, Connected: "acct_1\r\n"},
	} {
		s := newShop(t, func(c *stripe.Config) {
			c.Accounts = func(hyperlocal.TenantID) (stripe.Account, bool) { return account, account.SecretKey != "" }
		})
		_, err := s.gw.Authorize(t.Context(), s.charge(t, "pm_card_visa", amount(t, 100, "GBP")))
		if !errors.Is(err, payment.ErrNotSent) || !errors.Is(err, stripe.ErrUnknownAccount) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && account.SecretKey != "" && strings.Contains(err.Error(), account.SecretKey) {
			t.Errorf("%s: the error says the key: %v", name, err)
		}
		if len(s.server.Requests()) != 0 {
			t.Errorf("%s: sent", name)
		}
	}
}

// A transport that tried before is not believed when it says that it could not connect; nor is
// one that reports no connections and breaks in another way.
func TestNotSentNeedsBothWitnesses(t *testing.T) {
	t.Parallel()
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("refused")}
	s := newShop(t, func(c *stripe.Config) {
		c.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err == nil {
				_ = resp.Body.Close()
			}
			return nil, dial // of its second try
		})}
	})
	_, err := s.gw.Authorize(t.Context(), s.charge(t, "pm_card_visa", amount(t, 100, "GBP")))
	if err == nil || errors.Is(err, payment.ErrNotSent) {
		t.Errorf("after a first try: %v", err)
	}
	if s.moved("charge") != 1 {
		t.Fatal("the first try did not arrive")
	}
	mute := newShop(t, func(c *stripe.Config) {
		c.HTTPClient = &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF })}
	})
	if _, err := mute.gw.Authorize(t.Context(), mute.charge(t, "pm_card_visa", amount(t, 100, "GBP"))); err == nil || errors.Is(err, payment.ErrNotSent) {
		t.Errorf("a transport that reports nothing: %v", err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestWrongAnswers bends answers of status 200: none of them is a success.
func TestWrongAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, from, to string }{
		{"another mode", `"livemode":false`, `"livemode":true`},
		{"another tenant", `"hl_tenant":"shop"`, `"hl_tenant":"mall"`},
		{"another key", `"hl_key":"`, `"hl_key":"x`},
		{"another intent", `"hl_intent":"`, `"hl_intent":"x`},
		{"another verb", `"hl_verb":"charge"`, `"hl_verb":"authorize"`},
		{"another object", `"object":"payment_intent"`, `"object":"setup_intent"`},
		{"another id", `"id":"pi_`, `"id":"../`},
		{"a state nobody knows", `"status":"succeeded"`, `"status":"sublimated"`},
		{"held instead of taken", `"status":"succeeded"`, `"status":"requires_capture"`},
		{"a currency nobody knows", `"currency":"gbp"`, `"currency":"zzz"`},
		{"half an answer", `"status":"succeeded"`, `"status":`},
		{"text for a number", `"amount_received":1000`, `"amount_received":"1000"`},
		{"a fraction", `"amount_received":1000`, `"amount_received":1000.5`},
	} {
		bent := 0
		s := newShop(t, func(cfg *stripe.Config) { cfg.HTTPClient = bend(c.from, c.to, &bent) })
		res, err := s.gw.Authorize(t.Context(), s.charge(t, "pm_card_visa", amount(t, 1000, "GBP")))
		if err == nil || errors.Is(err, payment.ErrNotSent) || res != (payment.Result{}) || bent == 0 {
			t.Errorf("%s: %+v, %v, bent %d", c.name, res, err, bent)
		}
	}
	// Another amount or currency is told as it is: the service raises it.
	for _, c := range []struct{ from, to string }{
		{`"amount_received":1000`, `"amount_received":999`}, {`"currency":"gbp"`, `"currency":"eur"`},
	} {
		bent := 0
		s := newShop(t, func(cfg *stripe.Config) { cfg.HTTPClient = bend(c.from, c.to, &bent) })
		r := s.charge(t, "pm_card_visa", amount(t, 1000, "GBP"))
		if res, err := s.gw.Authorize(t.Context(), r); err != nil || res.Amount == r.Amount || bent == 0 {
			t.Errorf("%s: %+v, %v", c.to, res, err)
		}
	}
}

// bend replaces text in the answers to POSTs.
func bend(from, to string, bent *int) *http.Client {
	return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil || r.Method != http.MethodPost {
			return resp, err
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		*bent += strings.Count(string(text), from)
		resp.Body = io.NopCloser(strings.NewReader(strings.ReplaceAll(string(text), from, to)))
		return resp, err
	})}
}

// A decline whose intent is not declined is no decline.
func TestContradictoryDecline(t *testing.T) {
	t.Parallel()
	bent := 0
	s := newShop(t, func(c *stripe.Config) {
		c.HTTPClient = bend(`"status":"requires_payment_method"`, `"status":"succeeded"`, &bent)
	})
	res, err := s.gw.Authorize(t.Context(), s.charge(t, "pm_card_visa_chargeDeclined", amount(t, 1000, "GBP")))
	if err == nil || bent == 0 {
		t.Errorf("%+v, %v", res, err)
	}
}

// However long an answer is, no more than the bound is read of it.
func TestAnswersAreReadUpToABound(t *testing.T) {
	t.Parallel()
	const bound = 1 << 16
	var read atomic.Int64
	s := newShop(t, func(c *stripe.Config) {
		c.MaxAnswer = bound
		c.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			resp, err := http.DefaultTransport.RoundTrip(r)
			if err == nil {
				resp.Body = counted{resp.Body, &read}
			}
			return resp, err
		})}
	})
	res, err := s.gw.Authorize(t.Context(), s.charge(t, "pm_fault_create_long_after", amount(t, 1000, "GBP")))
	if !errors.Is(err, stripe.ErrNoAnswer) || read.Load() > bound+1 {
		t.Errorf("%+v, %v after %d bytes", res, err, read.Load())
	}
}

type counted struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// Retry-After is heard as seconds and as a date, and within reason.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "30": 30 * time.Second, "0": 0, "-5": 0, "soon": 0, "1.5": 0, "99999999999999999999": 0,
		"2000000000": payment.MaxRetryAfter, "Mon, 04 May 2026 12:01:00 GMT": time.Minute,
		"Mon, 04 May 2026 11:00:00 GMT": 0, "Fri, 04 May 2035 12:01:00 GMT": payment.MaxRetryAfter,
	} {
		s := newShop(t, func(c *stripe.Config) {
			c.Clock = hyperlocal.ClockFunc(func() time.Time { return now })
			c.HTTPClient = answering(429, `{"error":{"type":"invalid_request_error","code":"lock_timeout"}}`, "Retry-After", header)
		})
		res := s.must(t, "declined", s.charge(t, "pm_card_visa", amount(t, 1000, "GBP")))
		if res.RetryAfter != want || res.Class != hyperlocal.DeclineRateLimited || res.Code != "lock_timeout" {
			t.Errorf("%q: %+v, want %v", header, res, want)
		}
	}
}

// answering gives every request the same answer.
func answering(status int, body, name, value string) *http.Client {
	return &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: http.Header{name: {value}}, Body: io.NopCloser(strings.NewReader(body))}, nil
	})}
}

// TestErrorAnswers: which errors are declines, and which say nothing.
func TestErrorAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string
		class  hyperlocal.DeclineClass // "" for an error
		code   string
	}{
		{402, `{"error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds"}}`, "soft", "insufficient_funds"},
		{402, `{"error":{"type":"card_error","code":"card_declined","decline_code":"stolen_card"}}`, "hard", "stolen_card"},
		{402, `{"error":{"type":"card_error","code":"expired_card"}}`, "hard", "expired_card"},
		{402, `{"error":{"type":"card_error","code":"card_declined","decline_code":"invented_tomorrow"}}`, "hard", "invented_tomorrow"},
		{402, `{"error":{"type":"card_error"}}`, "hard", "card_error"},
		{402, `{"error":{"type":"card_error","decline_code":"<b>"}}`, "hard", "card_error"},
		{400, `{"error":{"type":"invalid_request_error","code":"parameter_unknown"}}`, "invalid", "parameter_unknown"},
		{404, `{"error":{"type":"invalid_request_error","code":"resource_missing"}}`, "invalid", "resource_missing"},
		{401, `{"error":{"type":"invalid_request_error","code":"api_key_expired"}}`, "provider_down", "api_key_expired"},
		{403, `{"error":{"type":"invalid_request_error"}}`, "provider_down", "invalid_request_error"},
		{429, `{"error":{"type":"invalid_request_error","code":"rate_limit"}}`, "rate_limited", "rate_limit"},
		{402, `{"error":{"type":"card_error","payment_intent":{"status":"succeeded"}}}`, "", ""},
		{402, `{"error":{"type":"card_error","payment_intent":{"status":"processing"}}}`, "", ""},
		{402, `{"error":{"type":"card_error","payment_intent":{"status":"requires_capture"}}}`, "", ""},
		{400, `{"error":{"type":"a_type_of_tomorrow"}}`, "", ""},
		{409, `{"error":{"type":"idempotency_error","code":"idempotency_key_in_use"}}`, "", ""},
		{409, `{"error":{"type":"invalid_request_error"}}`, "", ""},
		{424, `{"error":{"type":"invalid_request_error"}}`, "", ""},
		{500, `{"error":{"type":"api_error"}}`, "", ""},
		{503, `{"error":{"type":"card_error","code":"card_declined"}}`, "", ""},
		{400, `bad request`, "", ""},
		{402, `{"error":null}`, "", ""},
		{402, `{}`, "", ""},
		{429, `<html>`, "", ""},
		{200, `null`, "", ""},
		{200, `{}`, "", ""},
		{200, ``, "", ""},
		{201, `{"object":"payment_intent"}`, "", ""},
		{204, ``, "", ""},
		{302, ``, "", ""},
	} {
		s := newShop(t, func(cfg *stripe.Config) { cfg.HTTPClient = answering(c.status, c.body, "X", "") })
		res, err := s.gw.Authorize(t.Context(), s.charge(t, "pm_card_visa", amount(t, 1000, "GBP")))
		switch {
		case c.class == "" && (err == nil || errors.Is(err, payment.ErrNotSent) || res != (payment.Result{})):
			t.Errorf("%d %s: %+v, %v; want an error that says nothing", c.status, c.body, res, err)
		case c.class != "" && (err != nil || res.Outcome != hyperlocal.OutcomeDeclined || res.Class != c.class || res.Code != c.code):
			t.Errorf("%d %s: %+v, %v; want %s %s", c.status, c.body, res, err, c.class, c.code)
		}
	}
}

// FuzzAnswer gives every request whatever comes for an answer: nothing panics, and what is
// taken for a success names the tenant.
func FuzzAnswer(f *testing.F) {
	r := payment.Request{Tenant: "shop", Key: "the-key", Intent: "i", Operation: "o", Attempt: 1, Amount: amount(f, 1000, "GBP")}
	meta := `"metadata":{"hl_tenant":"shop","hl_intent":"i","hl_key":"the-key","hl_verb":"charge","hl_capture_key":"the-key"}`
	object := `{"object":"payment_intent","id":"pi_1","amount":1000,"amount_received":1000,"currency":"gbp","status":"succeeded",` + meta + `,"latest_charge":`
	for _, seed := range []string{
		object + `"ch_1"}`, object + `{"id":"ch_1","balance_transaction":{"fee":30,"currency":"gbp"}}}`, object + `{"balance_transaction":"txn"}}`,
		`{"object":"refund","id":"re_1","payment_intent":"pi_1","amount":1000,"currency":"gbp","status":"succeeded",` + meta + `}`,
		`{"object":"list","data":[` + object + `null},null,{}],"has_more":false}`, `{"object":"list","data":null,"has_more":true}`,
		`{"error":{"type":"card_error","payment_intent":{}}}`, `{"error":{"type":"idempotency_error"}}`, `null`, `[]`, `{"latest_charge":7}`,
	} {
		for _, status := range []int{200, 400, 402} {
			f.Add(status, seed)
		}
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		s := &shop{gw: func() *stripe.Gateway {
			gw, err := stripe.New(stripe.Config{HTTPClient: answering(status, body, "X", ""), MaxPages: 3,
				Accounts: func(hyperlocal.TenantID) (stripe.Account, bool) {
					return stripe.Account{SecretKey: stripetest.TestKey}, true
				}})
			if err != nil {
				t.Fatal(err)
			}
			return gw
		}()}
		succeeded := func(res payment.Result, err error) {
			if err != nil || res.Outcome != hyperlocal.OutcomeSucceeded {
				return
			}
			named := strings.Contains(body, "shop") || strings.Contains(body, `\u`)
			if !named || status != http.StatusOK || res.Provider == "" || !res.Amount.IsValid() || res.Fee.IsValid() && res.Fee.Sign() < 0 {
				t.Errorf("%d %q: %+v", status, body, res)
			}
		}
		for _, request := range []any{
			payment.AuthorizeRequest{Request: r, CaptureNow: true, Method: "pm_card_visa"}, payment.CaptureRequest{Request: r, Payment: "pi_1"},
			payment.VoidRequest{Request: r, Payment: "pi_1"}, payment.RefundRequest{Request: r, Payment: "pi_1"},
		} {
			succeeded(s.send(t, request))
		}
		for _, verb := range []hyperlocal.PaymentVerb{hyperlocal.VerbCharge, hyperlocal.VerbCapture, hyperlocal.VerbRefund} {
			for _, provider := range []string{"", "pi_1"} {
				found, err := s.gw.Lookup(t.Context(), payment.LookupRequest{Request: r, Verb: verb, Payment: "pi_1", Provider: provider})
				if found.Known {
					succeeded(found.Result, err)
				}
			}
		}
	})
}
