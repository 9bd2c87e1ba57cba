package stripetest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/stripe/stripetest"
)

// post speaks to the double as any client would.
func post(t *testing.T, s *stripetest.Server, path, key string, form url.Values) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+stripetest.TestKey)
	r.Header.Set("Stripe-Version", "any")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Idempotency-Key", key)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return resp.StatusCode, object
}

func form(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func paying(method, capture string) url.Values {
	return form("amount", "1000", "currency", "gbp", "capture_method", capture, "payment_method", method, "confirm", "true",
		"automatic_payment_methods[enabled]", "true", "automatic_payment_methods[allow_redirects]", "never")
}

// TestMoneyRules: what a checker of parameters answers 200 to is refused here.
func TestMoneyRules(t *testing.T) {
	t.Parallel()
	s := stripetest.Start(t, stripetest.Config{})
	status := func(want int, path, key string, f url.Values) map[string]any {
		t.Helper()
		got, object := post(t, s, path, key, f)
		if got != want {
			t.Errorf("%s %v: status %d, want %d: %v", path, f, got, want, object)
		}
		return object
	}
	for name, v := range map[string]string{"amount": "-5", "currency": "zz"} {
		f := paying("pm_card_visa", "automatic")
		f.Set(name, v)
		status(400, "/v1/payment_intents", "bad "+name, f)
	}
	status(402, "/v1/payment_intents", "declined", paying("pm_card_visa_chargeDeclined", "automatic"))
	status(400, "/v1/payment_intents", "", paying("pm_card_visa", "automatic"))
	if n := len(s.Moves()); n != 0 {
		t.Fatalf("%d moved", n)
	}

	id, _ := status(200, "/v1/payment_intents", "a", paying("pm_card_visa", "automatic"))["id"].(string)
	if again := status(200, "/v1/payment_intents", "a", paying("pm_card_visa", "automatic")); again["id"] != id {
		t.Errorf("the same key made %v and %v", id, again["id"])
	}
	status(400, "/v1/payment_intents", "a", paying("pm_card_visa", "manual"))
	status(400, "/v1/refunds", "a", form("payment_intent", id, "amount", "1"))
	status(400, "/v1/refunds", "b", form("payment_intent", id, "amount", "1001"))
	status(400, "/v1/refunds", "c", form("payment_intent", id, "amount", "0"))
	status(404, "/v1/refunds", "d", form("payment_intent", "pi_none", "amount", "1"))
	status(200, "/v1/refunds", "e", form("payment_intent", id, "amount", "600"))
	status(400, "/v1/refunds", "f", form("payment_intent", id, "amount", "401"))
	status(400, "/v1/payment_intents/"+id+"/cancel", "g", nil)
	status(400, "/v1/payment_intents/"+id+"/capture", "h", form("amount_to_capture", "1"))

	held, _ := status(200, "/v1/payment_intents", "i", paying("pm_card_visa", "manual"))["id"].(string)
	status(400, "/v1/refunds", "j", form("payment_intent", held, "amount", "1"))
	status(400, "/v1/payment_intents/"+held+"/capture", "k", form("amount_to_capture", "1001"))
	status(200, "/v1/payment_intents/"+held+"/capture", "l", form("amount_to_capture", "400"))
	status(400, "/v1/payment_intents/"+held+"/capture", "m", form("amount_to_capture", "1"))
	status(400, "/v1/refunds", "n", form("payment_intent", held, "amount", "401"))

	var kinds []string
	for _, m := range s.Moves() {
		kinds = append(kinds, m.Kind)
	}
	if got := strings.Join(kinds, " "); got != "charge refund authorize capture" {
		t.Errorf("moved %s", got)
	}
}

// TestErrorsAreKept: an answer of status 500 comes again under its key, whether or not the
// request was processed.
func TestErrorsAreKept(t *testing.T) {
	t.Parallel()
	for method, moved := range map[string]int{"pm_fault_create_error_before": 0, "pm_fault_create_error_after": 1} {
		s := stripetest.Start(t, stripetest.Config{})
		for range 3 {
			if got, _ := post(t, s, "/v1/payment_intents", "k", paying(method, "automatic")); got != 500 {
				t.Errorf("%s: status %d", method, got)
			}
		}
		if n := len(s.Moves()); n != moved {
			t.Errorf("%s: %d moved", method, n)
		}
	}
}

func TestRefundsAtOnce(t *testing.T) {
	t.Parallel()
	s := stripetest.Start(t, stripetest.Config{})
	_, object := post(t, s, "/v1/payment_intents", "a", paying("pm_card_visa", "automatic"))
	id, _ := object["id"].(string)
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() { post(t, s, "/v1/refunds", string(rune('b'+i)), form("payment_intent", id, "amount", "600")) })
	}
	wg.Wait()
	if n := len(s.Moves()); n != 2 {
		t.Errorf("%d moved, want the charge and one refund", n)
	}
}
