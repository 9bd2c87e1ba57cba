package stripe_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/stripe"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/stripe/stripetest"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// paid is a shop with one payment and the event about it.
func paid(t *testing.T, change ...func(*stripe.Config)) (*shop, payment.Request, stripetest.Event) {
	t.Helper()
	s := newShop(t, change...)
	r := s.charge(t, "pm_card_visa", amount(t, 1999, "GBP"))
	e, ok := s.server.Last(s.must(t, "succeeded", r).Provider)
	if !ok {
		t.Fatal("no event")
	}
	return s, r.Request, e
}

// plainSDK is how Stripe's SDK for Go (webhook/client.go of v85) judges a signature that fits:
// it looks for too old, and at no secret's length.
func plainSDK(secret string, signed, now time.Time, body []byte, header string) bool {
	return stripetest.Sign(secret, signed, body)["Stripe-Signature"][0] == header && now.Sub(signed) <= 5*time.Minute
}

// TestHolesOfTheSDK: what a plain SDK lets through is refused here.
func TestHolesOfTheSDK(t *testing.T) {
	t.Parallel()
	now := time.Now()
	t.Run("signed in the future", func(t *testing.T) {
		t.Parallel()
		s, _, e := paid(t)
		for _, ahead := range []time.Duration{6 * time.Minute, 24 * time.Hour, 10 * 365 * 24 * time.Hour} {
			headers := s.server.Sign(now.Add(ahead), e.Body)
			if !plainSDK(stripetest.TestSecret, now.Add(ahead), now, e.Body, headers["Stripe-Signature"][0]) {
				t.Errorf("%v ahead: the plain rule refuses it, too", ahead)
			}
			if n, err := s.gw.ParseWebhook("shop", now, headers, e.Body); !errors.Is(err, payment.ErrWebhookStale) {
				t.Errorf("%v ahead: %+v, %v", ahead, n, err)
			}
		}
	})
	t.Run("signed with nothing", func(t *testing.T) {
		t.Parallel()
		for _, secrets := range [][]string{nil, {}, {""}, {stripetest.TestSecret, ""}, {"whsec_short"}} {
			s, _, e := paid(t, func(c *stripe.Config) {
				c.Accounts = func(hyperlocal.TenantID) (stripe.Account, bool) {
					return stripe.Account{SecretKey: stripetest.TestKey}, true
				}
			})
			empty := open(t, s.server, func(c *stripe.Config) {
				c.Accounts = func(hyperlocal.TenantID) (stripe.Account, bool) {
					return stripe.Account{SecretKey: stripetest.TestKey, WebhookSecrets: secrets}, true
				}
			})
			for _, secret := range append([]string{""}, secrets...) {
				headers := stripetest.Sign(secret, now, e.Body)
				if !plainSDK(secret, now, now, e.Body, headers["Stripe-Signature"][0]) {
					t.Error("the plain rule refuses it, too")
				}
				if n, err := empty.ParseWebhook("shop", now, headers, e.Body); !errors.Is(err, payment.ErrWebhookSignature) {
					t.Errorf("secrets %q signed with %q: %+v, %v", secrets, secret, n, err)
				}
			}
		}
	})
}

// A vector that openssl made: printf '%s.%s' TIME BODY | openssl dgst -sha256 -hmac SECRET.
func TestSignatureVector(t *testing.T) {
	t.Parallel()
	const (
		body   = `{"id":"evt_1vector","object":"event","livemode":false,"type":"ping","data":{"object":{}}}`
		header = "t=1780000000,v1=11720fadb227b538f9c2fe11924e7361ba50933e5026091ce0f63f2e52ebdf04,v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39"
	)
	s := newShop(t, func(c *stripe.Config) {
		c.Accounts = func(hyperlocal.TenantID) (stripe.Account, bool) {
			return stripe.Account{SecretKey: stripetest.TestKey,
				WebhookSecrets: []string{"whsec_another_one_0123456789", "whsec_vector0123456789abcdef"}}, true
		}
	})
	n, err := s.gw.ParseWebhook("shop", time.Unix(1780000000, 0).Add(4*time.Minute), map[string][]string{"stripe-signature": {header}}, []byte(body))
	if err != nil || n != (payment.Notice{Event: "evt_1vector"}) {
		t.Errorf("%+v, %v", n, err)
	}
}

func TestWebhookHeaders(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s, _, e := paid(t)
	genuine := s.server.Sign(now, e.Body)["Stripe-Signature"][0]
	stamp, mac, _ := strings.Cut(genuine, ",")
	other := "v1=" + strings.Repeat("ab", 32)
	if _, err := s.gw.ParseWebhook("shop", now, map[string][]string{"Stripe-Signature": {stamp + "," + other + "," + mac}}, e.Body); err != nil {
		t.Errorf("two signatures while a secret is exchanged: %v", err)
	}
	for name, headers := range map[string]map[string][]string{
		"none":                 nil,
		"twice":                {"Stripe-Signature": {genuine, genuine}},
		"twice in two cases":   {"Stripe-Signature": {genuine}, "stripe-signature": {genuine}},
		"a thousand":           {"Stripe-Signature": {stamp + strings.Repeat(","+other, 1000) + "," + mac}},
		"v0 alone":             {"Stripe-Signature": {stamp + "," + strings.Replace(mac, "v1", "v0", 1)}},
		"no time":              {"Stripe-Signature": {mac}},
		"two times":            {"Stripe-Signature": {stamp + "," + genuine}},
		"time with a plus":     {"Stripe-Signature": {strings.Replace(genuine, "t=", "t=+", 1)}},
		"upper case algorithm": {"Stripe-Signature": {strings.Replace(genuine, "v1=", "V1=", 1)}},
	} {
		if n, err := s.gw.ParseWebhook("shop", now, headers, e.Body); !errors.Is(err, payment.ErrWebhookSignature) {
			t.Errorf("%s: %+v, %v", name, n, err)
		}
	}
	if n, err := s.gw.ParseWebhook("nobody's tenant", now, s.server.Sign(now, e.Body), e.Body); !errors.Is(err, payment.ErrWebhookSignature) {
		t.Errorf("no account: %+v, %v", n, err)
	}
	long := make([]byte, payment.MaxWebhookBody+1)
	if n, err := s.gw.ParseWebhook("shop", now, s.server.Sign(now, long), long); !errors.Is(err, payment.ErrWebhookTooLarge) {
		t.Errorf("too long: %+v, %v", n, err)
	}
}

// Genuine bodies that are not what they should be. None panics, none says that money moved.
func TestWebhookBodies(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s, _, e := paid(t)
	body := string(e.Body)
	for name, c := range map[string]struct {
		body string
		want error // nil: taken with its event id alone
	}{
		"null":              {"null", payment.ErrWebhookMalformed},
		"list":              {"[]", payment.ErrWebhookMalformed},
		"two":               {body + body, payment.ErrWebhookMalformed},
		"thin event":        {`{"id":"evt_1","object":"v2.core.event","livemode":false,"type":"v1.charge.failed"}`, payment.ErrWebhookMalformed},
		"no mode":           {strings.ReplaceAll(body, `"livemode":false`, `"x":false`), payment.ErrWebhookMalformed},
		"odd id":            {strings.Replace(body, `"id":"evt_`, `"id":"evt `, 1), payment.ErrWebhookMalformed},
		"no object":         {strings.Replace(body, `"object":{`, `"thing":{`, 1), payment.ErrWebhookMalformed},
		"refund for intent": {strings.Replace(body, "payment_intent.succeeded", "refund.created", 1), payment.ErrWebhookMalformed},
		"unknown state":     {strings.Replace(body, `"status":"succeeded"`, `"status":"gone"`, 1), nil},
		"unknown currency":  {strings.Replace(body, `"currency":"gbp"`, `"currency":"zzz"`, 1), payment.ErrWebhookMalformed},
		"other mode":        {strings.Replace(body, `"livemode":false,"object":"event"`, `"livemode":true,"object":"event"`, 1), nil},
		"mixed modes":       {strings.Replace(body, `"livemode":false,"metadata"`, `"livemode":true,"metadata"`, 1), payment.ErrWebhookMalformed},
		"another account":   {strings.Replace(body, `{"api_version"`, `{"account":"acct_9","api_version"`, 1), payment.ErrWebhookSignature},
		"another tenant":    {strings.Replace(body, `"hl_tenant":"shop"`, `"hl_tenant":"mall"`, 1), payment.ErrWebhookSignature},
		"somebody else's":   {strings.Replace(body, `"hl_key"`, `"their_key"`, 1), nil},
		"other kind":        {strings.Replace(body, "payment_intent.succeeded", "payout.paid", 1), nil},
		"unknown kind":      {strings.Replace(body, "payment_intent.succeeded", "payment_intent.levitated", 1), nil},
	} {
		n, err := s.gw.ParseWebhook("shop", now, s.server.Sign(now, []byte(c.body)), []byte(c.body))
		switch {
		case c.body == body:
			t.Errorf("%s: nothing was changed", name)
		case c.want != nil && !errors.Is(err, c.want):
			t.Errorf("%s: %+v, %v; want %v", name, n, err, c.want)
		case c.want == nil && (err != nil || n != (payment.Notice{Event: e.ID})):
			t.Errorf("%s: %+v, %v; want the event id alone", name, n, err)
		}
		if err != nil && strings.Contains(err.Error(), "_secret_") {
			t.Errorf("%s: the error says a secret: %v", name, err)
		}
	}
}

// The life of a hold, told by its events.
func TestWebhooksOfAHold(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	read := func(e stripetest.Event) payment.Notice {
		t.Helper()
		n, err := s.gw.ParseWebhook("shop", time.Now(), s.server.Sign(time.Now(), e.Body), e.Body)
		if err != nil {
			t.Fatalf("%s: %v", e.Type, err)
		}
		if n.Event != e.ID {
			t.Errorf("%s: event %q", e.Type, n.Event)
		}
		return n
	}
	last := func(id string) payment.Notice {
		t.Helper()
		e, ok := s.server.Last(id)
		if !ok {
			t.Fatal("no event")
		}
		return read(e)
	}
	want := func(n payment.Notice, key string, verb hyperlocal.PaymentVerb, outcome hyperlocal.PaymentOutcome, minor int64) {
		t.Helper()
		if n.Key != key || n.Verb != verb || n.Outcome != outcome || n.Amount != amount(t, minor, "GBP") || n.Intent != s.intent {
			t.Errorf("%+v; want %s of %d %s for %s", n, verb, minor, outcome, key)
		}
	}
	ten := amount(t, 1000, "GBP")

	hold := s.hold(t, "", ten)
	id := s.must(t, "action_required", hold).Provider
	want(last(id), hold.Key, "authorize", "action_required", 1000)
	_ = s.server.Finish(id, false)
	want(last(id), hold.Key, "authorize", "action_required", 1000)
	_ = s.server.Finish(id, true)
	want(last(id), hold.Key, "authorize", "succeeded", 1000)
	capture := payment.CaptureRequest{Request: s.request("capture", amount(t, 600, "GBP")), Payment: id}
	s.must(t, "succeeded", capture)
	want(last(id), capture.Key, "capture", "succeeded", 600)
	back := s.refund(t, id, amount(t, 100, "GBP"))
	res := s.must(t, "succeeded", back)
	n := last(id)
	want(n, back.Key, "refund", "succeeded", 100)
	if n.Provider != res.Provider {
		t.Errorf("refund %s, told of %s", res.Provider, n.Provider)
	}

	// Captured by somebody in the dashboard: told under a key that no operation has.
	id = s.must(t, "succeeded", s.hold(t, "pm_card_visa", ten)).Provider
	s.server.Capture(id, 700)
	want(last(id), "capture/"+id, "capture", "succeeded", 700)

	// A hold that ends says nothing about which void ended it; an intent that never was one does.
	id = s.must(t, "succeeded", s.hold(t, "pm_card_visa", ten)).Provider
	s.server.Cancel(id)
	if n := last(id); n.Key != "" || n.Outcome != "" {
		t.Errorf("a hold was cancelled: %+v", n)
	}
	open := s.hold(t, "", ten)
	id = s.must(t, "action_required", open).Provider
	s.server.Cancel(id)
	want(last(id), open.Key, "authorize", "declined", 1000)

	declined := s.charge(t, "pm_card_visa_chargeDeclinedInsufficientFunds", ten)
	s.must(t, "declined", declined)
	n = last(s.server.Find("hl_key", declined.Key).ID)
	want(n, declined.Key, "charge", "declined", 1000)
	if n.Class != hyperlocal.DeclineSoft || n.Code != "insufficient_funds" {
		t.Errorf("class %s, code %s", n.Class, n.Code)
	}
}

func TestOtherMode(t *testing.T) {
	t.Parallel()
	_, _, e := paid(t) // in test mode
	live := newShop(t, func(c *stripe.Config) {
		c.Accounts = func(hyperlocal.TenantID) (stripe.Account, bool) {
			return stripe.Account{SecretKey: "sk_live_0123456789abcdef", WebhookSecrets: []string{stripetest.TestSecret}}, true
		}
	})
	n, err := live.gw.ParseWebhook("shop", time.Now(), live.server.Sign(time.Now(), e.Body), e.Body)
	if err != nil || n != (payment.Notice{Event: e.ID}) {
		t.Errorf("a test event at a live account: %+v, %v", n, err)
	}
}

func TestDisputes(t *testing.T) {
	t.Parallel()
	s, _, e := paid(t)
	id := e.About
	for _, c := range []struct {
		kind, status string
		want         stripe.DisputeStep
	}{
		{"created", "needs_response", stripe.DisputeOpened}, {"updated", "under_review", stripe.DisputeUpdated},
		{"funds_withdrawn", "needs_response", stripe.DisputeWithdrawn}, {"funds_reinstated", "won", stripe.DisputeReinstated},
		{"closed", "won", stripe.DisputeWon}, {"closed", "lost", stripe.DisputeLost}, {"closed", "warning_closed", stripe.DisputeClosed},
	} {
		e := s.server.Dispute(id, c.kind, c.status)
		headers := s.server.Sign(time.Now(), e.Body)
		d, ok, err := s.gw.ParseDispute("shop", time.Now(), headers, e.Body)
		if err != nil || !ok || d.Step != c.want || d.Payment != id || d.Amount != amount(t, 1999, "GBP") || d.Due.IsZero() || d.Event != e.ID || d.Charge == "" {
			t.Errorf("%s %s: %+v, %v, %v", c.kind, c.status, d, ok, err)
		}
		// The service stores it and ignores it.
		if n, err := s.gw.ParseWebhook("shop", time.Now(), headers, e.Body); err != nil || n != (payment.Notice{Event: e.ID}) {
			t.Errorf("%s as a notice: %+v, %v", c.kind, n, err)
		}
		if _, _, err := s.gw.ParseDispute("shop", time.Now(), s.server.Sign(time.Now().Add(time.Hour), e.Body), e.Body); !errors.Is(err, payment.ErrWebhookStale) {
			t.Errorf("from the future: %v", err)
		}
	}
	if d, ok, err := s.gw.ParseDispute("shop", time.Now(), s.server.Sign(time.Now(), e.Body), e.Body); ok || err != nil {
		t.Errorf("an event about something else: %+v, %v", d, err)
	}
}

// FuzzWebhook signs whatever comes: no body makes the parser panic, and none that is not about
// the payment says that money moved.
func FuzzWebhook(f *testing.F) {
	server := stripetest.Start(f, stripetest.Config{})
	gw := open(f, server)
	s := &shop{server: server, gw: gw, intent: "i"}
	r := s.charge(f, "pm_card_visa", amount(f, 1999, "GBP"))
	id := s.must(f, "succeeded", r).Provider
	s.must(f, "succeeded", s.refund(f, id, amount(f, 100, "GBP")))
	for _, e := range append(server.Events(), server.Dispute(id, "closed", "won")) {
		f.Add(e.Body)
	}
	f.Add([]byte(`{"id":"evt_1","object":"event","livemode":false,"type":"payment_intent.succeeded","data":{"object":null}}`))
	f.Add([]byte(`{"id":"evt_1","object":"event","livemode":false,"type":"payment_intent.canceled","data":{"object":{"object":"payment_intent","id":"pi_1","metadata":{"hl_key":"k","hl_tenant":"shop"},"latest_charge":{},"status":"canceled","currency":"isk","amount":1}}}`))
	now := time.Unix(1780000000, 0)
	f.Fuzz(func(t *testing.T, body []byte) {
		headers := server.Sign(now, body)
		n, err := gw.ParseWebhook("shop", now, headers, body)
		if err == nil && (n.Event == "" || n.Outcome != "" && (n.Key == "" || n.Verb == "" || !n.Amount.IsValid() && n.Outcome == "succeeded")) {
			t.Errorf("%q: %+v", body, n)
		}
		if err == nil && n.Outcome != "" && !strings.Contains(fmt.Sprintf("%q", body), "shop") && !strings.Contains(string(body), `\u`) {
			t.Errorf("%q is about nobody: %+v", body, n)
		}
		_, _, _ = gw.ParseDispute("shop", now, headers, body)
	})
}
