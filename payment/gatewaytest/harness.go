package gatewaytest

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Scenario is something that a provider can be made to do.
type Scenario string

// The scenarios. Each is for a charge or an authorization.
const (
	Succeeds     Scenario = "succeeds"
	DeclinedHard Scenario = "declined_hard"
	DeclinedSoft Scenario = "declined_soft"
	Invalid      Scenario = "invalid"
	RateLimited  Scenario = "rate_limited"
	ProviderDown Scenario = "provider_down"
	LosesAnswer  Scenario = "loses_answer"  // processed, and the answer does not arrive
	LosesRequest Scenario = "loses_request" // the first request does not arrive
	NeedsAction  Scenario = "needs_action"
	Pends        Scenario = "pends"
	// RefundLosesAnswer succeeds, and the answer to its refund does not arrive.
	RefundLosesAnswer Scenario = "refund_loses_answer"
)

// Harness is a gateway to test. Cases use tenants, intents and keys of their own, so one
// gateway may serve all of them.
type Harness struct {
	Gateway payment.Gateway
	// Methods holds the method token for every scenario that the provider can be made to do.
	Methods map[Scenario]string
	// Moved counts what really happened at the provider for an intent: requests of the verb
	// that succeeded. nil if it cannot be looked into.
	Moved func(ctx context.Context, tenant hyperlocal.TenantID, intent string, verb hyperlocal.PaymentVerb) (int, error)
	// Complete ends a pending request, or one that needs action; nil if it cannot be.
	Complete func(ctx context.Context, tenant hyperlocal.TenantID, key string, success bool) error
	// Webhook returns the provider's webhook about a processed request, signed at the given
	// time; nil if the gateway has none.
	Webhook func(ctx context.Context, tenant hyperlocal.TenantID, key string, at time.Time) (headers map[string][]string, body []byte, err error)
	// Now is the gateway's clock; nil for the system's.
	Now func() time.Time
}

// Run runs the whole kit. newHarness is called once per case.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	t.Helper()
	for _, group := range []struct {
		name  string
		cases []testCase
	}{
		{"contract", contractCases()},
		{"outcomes", outcomeCases()},
		{"idempotency", idempotencyCases()},
		{"holds and refunds", moneyCases()},
		{"webhooks", webhookCases()},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, c := range group.cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					h := newHarness(t)
					if h.Now == nil {
						h.Now = hyperlocal.SystemClock{}.Now
					}
					c.run(&run{T: t, h: h})
				})
			}
		})
	}
}

type testCase struct {
	name string
	run  func(r *run)
}

type run struct {
	*testing.T
	h Harness
}

const tenant = hyperlocal.TenantID("gatewaytest")

// gap skips the case, loudly.
func (r *run) gap(what string) {
	r.Helper()
	if slices.Contains(strings.Split(os.Getenv("HYPERLOCAL_REQUIRE"), ","), "gateway") {
		r.Fatalf("gap: %s", what)
	}
	r.Skipf("gap: %s", what)
}

func (r *run) method(s Scenario) string {
	r.Helper()
	m, ok := r.h.Methods[s]
	if !ok {
		r.gap("no method for the scenario " + string(s))
	}
	return m
}

func (r *run) needs(verbs ...hyperlocal.PaymentVerb) {
	r.Helper()
	can := r.h.Gateway.Capabilities()
	for _, v := range verbs {
		if !can.Can(v) {
			r.Skipf("the gateway does not claim the verb %s", v)
		}
	}
}

// session is one intent with its attempts.
type session struct {
	r       *run
	intent  string
	method  string
	n       int
	payment string
}

func (r *run) session(method string) *session {
	return &session{r: r, intent: hyperlocal.RandomIDs{}.NewID(), method: method}
}

func money(r *run, minor int64, c hyperlocal.Currency) hyperlocal.Money {
	r.Helper()
	m, err := hyperlocal.NewMoney(minor, c)
	if err != nil {
		r.Fatal(err)
	}
	return m
}

func (r *run) gbp(minor int64) hyperlocal.Money { return money(r, minor, "GBP") }

func (s *session) request(verb hyperlocal.PaymentVerb, amount hyperlocal.Money) payment.Request {
	op := hyperlocal.RandomIDs{}.NewID()
	if verb == hyperlocal.VerbRefund {
		return payment.Request{Tenant: tenant, Key: "refund/" + op, Intent: s.intent, Operation: op, Attempt: 1, Amount: amount}
	}
	s.n++
	return payment.Request{Tenant: tenant, Key: "intent/" + s.intent + "/attempt/" + string(rune('0'+s.n)) + "/" + string(verb),
		Intent: s.intent, Operation: op, Attempt: s.n, Amount: amount}
}

// send makes a request of any verb.
func (s *session) send(ctx context.Context, verb hyperlocal.PaymentVerb, req payment.Request) (payment.Result, error) {
	g := s.r.h.Gateway
	switch verb {
	case hyperlocal.VerbCharge, hyperlocal.VerbAuthorize:
		return g.Authorize(ctx, payment.AuthorizeRequest{Request: req, CaptureNow: verb == hyperlocal.VerbCharge, Method: s.method})
	case hyperlocal.VerbCapture:
		return g.Capture(ctx, payment.CaptureRequest{Request: req, Payment: s.payment})
	case hyperlocal.VerbVoid:
		return g.Void(ctx, payment.VoidRequest{Request: req, Payment: s.payment})
	default:
		return g.Refund(ctx, payment.RefundRequest{Request: req, Payment: s.payment})
	}
}

// must sends a new request and wants an outcome.
func (s *session) must(want hyperlocal.PaymentOutcome, verb hyperlocal.PaymentVerb, amount hyperlocal.Money) (payment.Request, payment.Result) {
	s.r.Helper()
	req := s.request(verb, amount)
	res, err := s.send(s.r.Context(), verb, req)
	if err != nil {
		s.r.Fatalf("%s of %v: %v", verb, amount, err)
	}
	s.check(res, want, verb, amount)
	if s.payment == "" && (verb == hyperlocal.VerbCharge || verb == hyperlocal.VerbAuthorize) {
		s.payment = res.Provider
	}
	return req, res
}

func (s *session) check(res payment.Result, want hyperlocal.PaymentOutcome, verb hyperlocal.PaymentVerb, amount hyperlocal.Money) {
	s.r.Helper()
	if res.Outcome != want {
		s.r.Fatalf("%s of %v is %s (%s %s), want %s", verb, amount, res.Outcome, res.Class, res.Code, want)
	}
	switch want {
	case hyperlocal.OutcomeSucceeded:
		if res.Provider == "" || res.Amount != amount {
			s.r.Errorf("%s of %v: reference %q, amount %v", verb, amount, res.Provider, res.Amount)
		}
		if res.Fee.IsValid() && res.Fee.Sign() < 0 {
			s.r.Errorf("%s of %v: a negative fee of %v", verb, amount, res.Fee)
		}
	case hyperlocal.OutcomeDeclined:
		if res.Class == "" || res.Code == "" {
			s.r.Errorf("declined with class %q and code %q; both are needed", res.Class, res.Code)
		}
	}
}

func (s *session) lookup(verb hyperlocal.PaymentVerb, req payment.Request) payment.LookupResult {
	s.r.Helper()
	root := s.payment
	if verb == hyperlocal.VerbCharge || verb == hyperlocal.VerbAuthorize {
		root = ""
	}
	found, err := s.r.h.Gateway.Lookup(s.r.Context(), payment.LookupRequest{Request: req, Verb: verb, Payment: root})
	if err != nil {
		s.r.Fatalf("lookup of %s: %v", req.Key, err)
	}
	return found
}

// wantMoved asks the provider's own log.
func (s *session) wantMoved(verb hyperlocal.PaymentVerb, want int) {
	s.r.Helper()
	if s.r.h.Moved == nil {
		return
	}
	n, err := s.r.h.Moved(s.r.Context(), tenant, s.intent, verb)
	if err != nil {
		s.r.Fatal(err)
	}
	if n != want {
		s.r.Errorf("the provider made %d of %s, want %d", n, verb, want)
	}
}
