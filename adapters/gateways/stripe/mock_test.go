package stripe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/stripe"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

const mockImage = "stripe/stripe-mock:v0.203.0"

// mock starts Stripe's own checker of parameters, or skips the test where there is no engine.
func mock(t *testing.T) string {
	t.Helper()
	url, err := startMock(t)
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("HYPERLOCAL_REQUIRE"), ","), "stripe-mock") {
			t.Fatalf("HYPERLOCAL_REQUIRE names stripe-mock: %v", err)
		}
		t.Skipf("SKIPPED, NOT TESTED: no container engine for %s (%v); the double knows no schema; set HYPERLOCAL_REQUIRE=stripe-mock to make this a failure",
			mockImage, err)
	}
	return url
}

func startMock(t *testing.T) (url string, err error) {
	t.Helper()
	defer func() { // the library panics where it finds no socket at all
		if v := recover(); v != nil {
			err = errors.New("there is no engine")
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, err := testcontainers.Run(ctx, mockImage, testcontainers.WithExposedPorts("12111/tcp"),

		testcontainers.WithWaitStrategy(wait.ForHTTP("/").WithPort("12111/tcp").WithStatusCodeMatcher(func(int) bool { return true })), testcontainers.WithLogger(log.NewNoopLogger()))
	t.Cleanup(func() { _ = testcontainers.TerminateContainer(c) })
	if err != nil {
		return "", err
	}
	return c.PortEndpoint(ctx, "12111/tcp", "http")
}

// recorder keeps what the checker said to each request.
type recorder struct {
	mu   sync.Mutex
	said []string
}

func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(strings.NewReader(string(body)))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, fmt.Sprintf("%d %s %s", resp.StatusCode, q.Method, q.URL.Path))
	if resp.StatusCode != http.StatusOK {
		r.said[len(r.said)-1] += " " + string(body)
	}
	return resp, err
}

func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	said := r.said
	r.said = nil
	return said
}

// TestShapes has Stripe's checker look at every request that the gateway can make. It knows the
// schema and no state: what it answers is about some other payment, so the gateway refuses it.
func TestShapes(t *testing.T) {
	t.Parallel()
	url := mock(t)
	heard := &recorder{}
	account := stripe.Account{SecretKey: "sk_test_0123456789abcdef"}
	gw, err := stripe.New(stripe.Config{
		BaseURL: url, HTTPClient: &http.Client{Transport: heard},
		Accounts: func(hyperlocal.TenantID) (stripe.Account, bool) { return account, true },
	})
	if err != nil {
		t.Fatal(err)
	}
	request := func(verb hyperlocal.PaymentVerb) payment.Request {
		op := hyperlocal.RandomIDs{}.NewID()
		return payment.Request{Tenant: "shop", Key: string(verb) + "/" + op, Intent: op, Operation: op, Attempt: 1, Amount: amount(t, 1000, "GBP")}
	}
	check := func(what string, wants ...string) {
		t.Helper()
		said := heard.take()
		if len(said) != len(wants) {
			t.Errorf("%s: heard %q, want %q", what, said, wants)
			return
		}
		for i, want := range wants {
			if said[i] != want {
				t.Errorf("%s: heard %q, want %q", what, said[i], want)
			}
		}
	}
	for _, back := range []string{"", "https://shop.example/back"} {
		account.ReturnURL = back
		for _, method := range []string{"", "pm_card_visa", "ctoken_123"} {
			for _, now := range []bool{true, false} {
				res, err := gw.Authorize(t.Context(), payment.AuthorizeRequest{Request: request("charge"), CaptureNow: now, Method: method})
				if !errors.Is(err, stripe.ErrMismatch) {
					t.Errorf("another payment's answer: %+v, %v", res, err)
				}
				check("create with "+method, "200 POST /v1/payment_intents")
			}
		}
	}
	// The checker tells of no tenant, so what needs a payment is sent by a transport that adds ours.
	mine := request("capture")
	gw, err = stripe.New(stripe.Config{
		BaseURL: url, HTTPClient: &http.Client{Transport: adopt{heard, mine}},
		Accounts: func(hyperlocal.TenantID) (stripe.Account, bool) { return account, true },
	})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = gw.Capture(t.Context(), payment.CaptureRequest{Request: mine, Payment: "pi_123"})
	check("capture", "200 GET /v1/payment_intents/pi_123", "200 POST /v1/payment_intents/pi_123/capture")
	_, _ = gw.Void(t.Context(), payment.VoidRequest{Request: mine, Payment: "pi_123"})
	check("void", "200 GET /v1/payment_intents/pi_123", "200 POST /v1/payment_intents/pi_123/cancel")
	_, _ = gw.Refund(t.Context(), payment.RefundRequest{Request: mine, Payment: "pi_123"})
	check("refund", "200 GET /v1/payment_intents/pi_123", "200 POST /v1/refunds")
	_, _ = gw.Abandon(t.Context(), payment.LookupRequest{Request: mine, Verb: hyperlocal.VerbCharge, Provider: "pi_123"})
	check("abandon", "200 GET /v1/payment_intents/pi_123", "200 POST /v1/payment_intents/pi_123/cancel", "200 GET /v1/payment_intents/pi_123")
	for _, verb := range []hyperlocal.PaymentVerb{hyperlocal.VerbCharge, hyperlocal.VerbCapture, hyperlocal.VerbRefund} {
		if _, err := gw.Lookup(t.Context(), payment.LookupRequest{Request: request(verb), Verb: verb, Payment: "pi_123"}); err != nil && !errors.Is(err, stripe.ErrMismatch) {
			t.Errorf("lookup of %s: %v", verb, err)
		}
	}
	check("lookups", "200 GET /v1/payment_intents", "200 GET /v1/payment_intents", "200 GET /v1/payment_intents/pi_123", "200 GET /v1/refunds")

	// The checker does check.
	bad, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/payment_intents", strings.NewReader("amount=1000&currency=gbp&colour=red"))
	if err != nil {
		t.Fatal(err)
	}
	bad.Header.Set("Authorization", "Bearer "+account.SecretKey)
	bad.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(bad)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		t.Error("the checker takes a parameter that Stripe does not know")
	}
}

// adopt makes the checker's one payment ours.
type adopt struct {
	next http.RoundTripper
	r    payment.Request
}

func (a adopt) RoundTrip(q *http.Request) (*http.Response, error) {
	resp, err := a.next.RoundTrip(q)
	if err != nil || !strings.HasPrefix(q.URL.Path, "/v1/payment_intents/") {
		return resp, err
	}
	defer func() { _ = resp.Body.Close() }()
	var object map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&object); err != nil {
		return nil, err
	}
	object["metadata"] = map[string]string{"hl_tenant": string(a.r.Tenant), "hl_intent": a.r.Intent, "hl_key": a.r.Key, "hl_verb": "charge"}
	object["currency"], object["amount"] = "gbp", 1000
	text, err := json.Marshal(object)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return resp, err
}
