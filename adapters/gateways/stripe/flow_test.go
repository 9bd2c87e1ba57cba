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

// The Payment Element, with Apple Pay and Google Pay in it: the intent is made here, and the
// shopper pays in the browser, at the second try.
func TestPaymentElement(t *testing.T) {
	t.Parallel()
	for _, now := range []bool{true, false} {
		s := newShop(t)
		r := s.hold(t, "", amount(t, 1999, "GBP"))
		r.CaptureNow = now
		res := s.must(t, "action_required", r)
		if !strings.Contains(res.Action, "_secret_") || res.Amount != r.Amount || len(s.server.Moves()) != 0 {
			t.Fatalf("%+v", res)
		}
		form := s.server.Requests()[0].Form
		if form.Get("confirm") != "" || form.Get("automatic_payment_methods[enabled]") != "true" {
			t.Errorf("sent %v", form)
		}
		if err := s.server.Finish(res.Provider, false); err != nil {
			t.Fatal(err)
		}
		for _, provider := range []string{"", res.Provider} {
			// The first card failed; with the same secret the next one can still pay.
			if found := s.lookup(t, r.Verb(), r.Request, "", provider); found.Outcome != hyperlocal.OutcomeAction || found.Action != res.Action {
				t.Errorf("after a failure: %+v", found)
			}
		}
		if err := s.server.Finish(res.Provider, true); err != nil {
			t.Fatal(err)
		}
		if found := s.lookup(t, r.Verb(), r.Request, "", res.Provider); found.Outcome != hyperlocal.OutcomeSucceeded || found.Amount != r.Amount {
			t.Errorf("paid: %+v", found)
		}
		if n := s.moved(string(r.Verb())); n != 1 {
			t.Errorf("%d of %s moved", n, r.Verb())
		}
	}
}

// The hole: the shopper fails the bank's check, we call that a decline and charge again, and
// he, who still has the first secret, pays with it, too.
func TestAnOpenSecretIsNoDecline(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.charge(t, "pm_card_threeDSecure2Required", amount(t, 1999, "GBP"))
	res := s.must(t, "action_required", r)
	if !strings.Contains(res.Action, "_secret_") {
		t.Errorf("action %q", res.Action)
	}
	if err := s.server.Finish(res.Provider, false); err != nil {
		t.Fatal(err)
	}
	found := s.lookup(t, hyperlocal.VerbCharge, r.Request, "", res.Provider)
	if found.Outcome != hyperlocal.OutcomeAction {
		t.Fatalf("with the secret in the shopper's hands: %+v", found)
	}
	ended, err := s.gw.Abandon(t.Context(), payment.LookupRequest{Request: r.Request, Verb: hyperlocal.VerbCharge, Provider: res.Provider})
	if err != nil || !ended.Known || ended.Outcome != hyperlocal.OutcomeDeclined {
		t.Fatalf("abandoned: %+v, %v", ended, err)
	}
	if err := s.server.Finish(res.Provider, true); err == nil {
		t.Error("an abandoned payment was paid")
	}
	if found := s.lookup(t, hyperlocal.VerbCharge, r.Request, "", res.Provider); found.Outcome != hyperlocal.OutcomeDeclined {
		t.Errorf("afterwards: %+v", found)
	}
	// An answer that never arrived gave nothing away: then the failure is final.
	lost := s.charge(t, "pm_card_visa_chargeDeclined", amount(t, 1999, "GBP"))
	if res := s.must(t, "declined", lost); res.Provider != s.server.Find("hl_key", lost.Key).ID {
		t.Errorf("the decline names %q", res.Provider)
	}
	if found := s.lookup(t, hyperlocal.VerbCharge, lost.Request, "", ""); found.Outcome != hyperlocal.OutcomeDeclined || found.Code != "generic_decline" {
		t.Errorf("declined at once: %+v", found)
	}
}

func TestAbandon(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	abandon := func(r payment.AuthorizeRequest) payment.LookupResult {
		t.Helper()
		found, err := s.gw.Abandon(t.Context(), payment.LookupRequest{Request: r.Request, Verb: r.Verb()})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	ten := amount(t, 1000, "GBP")
	if found := abandon(s.charge(t, "", ten)); found.Known {
		t.Errorf("never sent: %+v", found)
	}
	for method, want := range map[string]hyperlocal.PaymentOutcome{
		"": "declined", "pm_card_threeDSecure2Required": "declined", "pm_card_visa_chargeDeclined": "declined",
		"pm_card_visa": "succeeded", "pm_usBankAccount_success": "pending",
	} {
		for _, r := range []payment.AuthorizeRequest{s.charge(t, method, ten), s.hold(t, method, ten)} {
			if _, err := s.gw.Authorize(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			before := len(s.server.Moves())
			for range 2 {
				if found := abandon(r); !found.Known || found.Outcome != want {
					t.Errorf("%s of %q: %+v, want %s", r.Verb(), method, found, want)
				}
			}
			if len(s.server.Moves()) != before {
				t.Errorf("%s of %q: money was let go", r.Verb(), method)
			}
		}
	}
}

func TestReturnURLAndConfirmationToken(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(c *stripe.Config) {
		c.Accounts = func(hyperlocal.TenantID) (stripe.Account, bool) {
			return stripe.Account{SecretKey: stripetest.TestKey, ReturnURL: "https://shop.example/back"}, true
		}
	})
	res := s.must(t, "action_required", s.charge(t, "pm_card_threeDSecure2Required", amount(t, 100, "GBP")))
	if !strings.HasPrefix(res.Action, "https://hooks.stripe.invalid/") {
		t.Errorf("action %q", res.Action)
	}
	s.must(t, "succeeded", s.charge(t, "ctoken_123", amount(t, 100, "GBP")))
	requests := s.server.Requests()
	if form := requests[len(requests)-1].Form; form.Get("confirmation_token") != "ctoken_123" || form.Has("payment_method") {
		t.Errorf("sent %v", form)
	}
}

// What goes out: ids and amounts, the pinned version, the key, the account.
func TestWhatIsSent(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(c *stripe.Config) {
		c.Accounts = func(hyperlocal.TenantID) (stripe.Account, bool) {
			return stripe.Account{SecretKey: stripetest.TestKey, Connected: "acct_2"}, true
		}
	})
	r := s.charge(t, "pm_card_visa", amount(t, 1000, "GBP"))
	res := s.must(t, "succeeded", r)
	back := s.refund(t, res.Provider, amount(t, 1000, "GBP"))
	s.must(t, "succeeded", back)
	posts := map[string]payment.Request{"create": r.Request, "refund": back.Request}
	for _, got := range s.server.Requests() {
		if got.Account != "acct_2" || got.Header.Get("Stripe-Version") != stripe.APIVersion {
			t.Errorf("%s: account %q, version %q", got.Kind, got.Account, got.Header.Get("Stripe-Version"))
		}
		want, ok := posts[got.Kind]
		if !ok {
			if got.Key != "" {
				t.Errorf("%s carries the key %s", got.Kind, got.Key)
			}
			continue
		}
		if got.Key != "shop:"+want.Key {
			t.Errorf("%s: key %s", got.Kind, got.Key)
		}
		for name, v := range map[string]string{"hl_tenant": "shop", "hl_intent": want.Intent, "hl_operation": want.Operation, "hl_key": want.Key} {
			if got.Form.Get("metadata["+name+"]") != v {
				t.Errorf("%s: %s is %q", got.Kind, name, got.Form.Get("metadata["+name+"]"))
			}
		}
		for name := range got.Form {
			for _, words := range []string{"description", "email", "name", "statement", "shipping", "phone"} {
				if strings.Contains(name, words) {
					t.Errorf("%s sends %s", got.Kind, name)
				}
			}
		}
	}
}

// A program of another version, or an account with another return URL, sends other parameters
// under the same key. That is not other content: the first answer holds, and it is no decline.
func TestKeyOfAnotherVersion(t *testing.T) {
	t.Parallel()
	back := ""
	s := newShop(t, func(c *stripe.Config) {
		c.Accounts = func(hyperlocal.TenantID) (stripe.Account, bool) {
			return stripe.Account{SecretKey: stripetest.TestKey, ReturnURL: back}, true
		}
	})
	r := s.charge(t, "pm_card_visa", amount(t, 1000, "GBP"))
	first := s.must(t, "succeeded", r)
	back = "https://shop.example/back"
	if again := s.must(t, "succeeded", r); again != first {
		t.Errorf("%+v, want %+v", again, first)
	}
	for name, other := range map[string]func(*payment.AuthorizeRequest){
		"amount": func(r *payment.AuthorizeRequest) { r.Amount = amount(t, 999, "GBP") },
		"method": func(r *payment.AuthorizeRequest) { r.Method = "pm_card_threeDSecure2Required" },
		"verb":   func(r *payment.AuthorizeRequest) { r.CaptureNow = false },
	} {
		changed := r
		other(&changed)
		if res := s.must(t, "declined", changed); res.Code != stripe.CodeKeyReused || res.Class != hyperlocal.DeclineInvalid {
			t.Errorf("another %s: %+v", name, res)
		}
	}
	refund := s.refund(t, first.Provider, amount(t, 400, "GBP"))
	s.must(t, "succeeded", refund)
	refund.Amount = amount(t, 500, "GBP")
	if res := s.must(t, "declined", refund); res.Code != stripe.CodeKeyReused {
		t.Errorf("another amount of a refund: %+v", res)
	}
	if s.moved("charge") != 1 || s.moved("refund") != 1 {
		t.Errorf("moved %v", s.server.Moves())
	}
}

func TestLookupAmongOthers(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	r := s.charge(t, "pm_fault_create_hang_after", amount(t, 1000, "GBP"))
	if _, err := s.gw.Authorize(t.Context(), r); err == nil {
		t.Fatal("answered")
	}
	s.server.Clutter(350, time.Now().Add(time.Second))
	if found := s.lookup(t, hyperlocal.VerbCharge, r.Request, "", ""); !found.Known || found.Outcome != hyperlocal.OutcomeSucceeded || !found.Fee.IsValid() {
		t.Errorf("%+v", found)
	}
	never := s.charge(t, "pm_card_visa", amount(t, 1000, "GBP"))
	if found := s.lookup(t, hyperlocal.VerbCharge, never.Request, "", ""); found.Known {
		t.Errorf("never sent: %+v", found)
	}
	// An id that tells no time is looked for through all that a key may have made.
	odd := s.charge(t, "pm_card_visa", amount(t, 1000, "GBP"))
	odd.Operation = "by-hand"
	s.must(t, "succeeded", odd)
	if found := s.lookup(t, hyperlocal.VerbCharge, odd.Request, "", ""); !found.Known {
		t.Errorf("without a time: %+v", found)
	}
}

// An operation that lay about for hours before it was sent is found, too.
func TestLookupOfALateRequest(t *testing.T) {
	t.Parallel()
	clock := &movable{}
	server := stripetest.Start(t, stripetest.Config{Now: clock.Now})
	s := &shop{server: server, gw: open(t, server, func(c *stripe.Config) { c.Clock = clock }), intent: "i"}
	r := s.charge(t, "pm_fault_create_hang_after", amount(t, 1000, "GBP"))
	clock.forward(clock.Now().Add(5 * time.Hour))
	if _, err := s.gw.Authorize(t.Context(), r); err == nil {
		t.Fatal("answered")
	}
	clock.forward(clock.Now().Add(18 * time.Hour))
	if found := s.lookup(t, hyperlocal.VerbCharge, r.Request, "", ""); !found.Known || found.Outcome != hyperlocal.OutcomeSucceeded {
		t.Errorf("%+v", found)
	}
}

// A list that was not read to its end proves nothing.
func TestLookupThatCannotBeSure(t *testing.T) {
	t.Parallel()
	few := newShop(t, func(c *stripe.Config) { c.MaxPages = 2 })
	never := few.charge(t, "pm_card_visa", amount(t, 1000, "GBP"))
	few.server.Clutter(300, time.Now())
	if found, err := few.gw.Lookup(t.Context(), payment.LookupRequest{Request: never.Request, Verb: hyperlocal.VerbCharge}); !errors.Is(err, stripe.ErrTooMany) {
		t.Errorf("300 payments in 2 pages: %+v, %v", found, err)
	}
	for _, fault := range []stripetest.Fault{stripetest.HangBefore, stripetest.Limited, stripetest.Unheard, stripetest.HTMLAfter,
		stripetest.Unavailable, stripetest.Redirect, stripetest.ResetAfter} {
		s := newShop(t)
		of := s.must(t, "succeeded", s.hold(t, "pm_card_visa", amount(t, 1000, "GBP"))).Provider
		s.server.Script(func(stripetest.Request) stripetest.Fault { return fault })
		for _, verb := range []hyperlocal.PaymentVerb{hyperlocal.VerbCharge, hyperlocal.VerbCapture, hyperlocal.VerbVoid, hyperlocal.VerbRefund} {
			found, err := s.gw.Lookup(t.Context(), payment.LookupRequest{Request: s.request(verb, amount(t, 1000, "GBP")), Verb: verb, Payment: of})
			if err == nil {
				t.Errorf("%s of a lookup of %s: %+v", fault, verb, found)
			}
			clean(t, err)
		}
	}
	// A payment that was there and is not: the account was changed, and nothing follows.
	s := newShop(t)
	for _, verb := range []hyperlocal.PaymentVerb{hyperlocal.VerbCharge, hyperlocal.VerbCapture, hyperlocal.VerbVoid} {
		if found, err := s.gw.Lookup(t.Context(), payment.LookupRequest{Request: s.request(verb, amount(t, 1000, "GBP")), Verb: verb,
			Payment: "pi_gone", Provider: "pi_gone"}); !errors.Is(err, stripe.ErrMismatch) {
			t.Errorf("%s: %+v, %v", verb, found, err)
		}
	}
}

// With a clock that is off, a payment lies outside the time that is looked through: that it is
// not found there proves nothing.
func TestLookupByAWrongClock(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{-2 * time.Hour, -6 * time.Minute, 6 * time.Minute, 2 * time.Hour} {
		s := newShop(t, func(c *stripe.Config) {
			c.Clock = hyperlocal.ClockFunc(func() time.Time { return time.Now().Add(off) })
		})
		r := s.charge(t, "pm_fault_create_hang_after", amount(t, 1000, "GBP"))
		if _, err := s.gw.Authorize(t.Context(), r); err == nil {
			t.Fatal("answered")
		}
		if found, err := s.gw.Lookup(t.Context(), payment.LookupRequest{Request: r.Request, Verb: hyperlocal.VerbCharge}); !errors.Is(err, stripe.ErrClock) {
			t.Errorf("%v: %+v, %v", off, found, err)
		}
	}
}

// Two tenants of one account, and of two connected ones: neither touches the other's money.
func TestTenants(t *testing.T) {
	t.Parallel()
	for name, connected := range map[string]map[hyperlocal.TenantID]string{
		"one account": {}, "connected accounts": {"shop": "acct_1", "mall": "acct_2"},
	} {
		s := newShop(t, func(c *stripe.Config) {
			c.Accounts = func(tenant hyperlocal.TenantID) (stripe.Account, bool) {
				return stripe.Account{SecretKey: stripetest.TestKey, Connected: connected[tenant], WebhookSecrets: []string{stripetest.TestSecret}}, true
			}
		})
		ten := amount(t, 1000, "GBP")
		held := s.hold(t, "pm_card_visa", ten)
		of := s.must(t, "succeeded", held).Provider
		for _, verb := range []hyperlocal.PaymentVerb{hyperlocal.VerbCapture, hyperlocal.VerbVoid, hyperlocal.VerbRefund} {
			r := s.request(verb, ten)
			r.Tenant = "mall"
			for _, request := range map[hyperlocal.PaymentVerb]any{
				hyperlocal.VerbCapture: payment.CaptureRequest{Request: r, Payment: of}, hyperlocal.VerbVoid: payment.VoidRequest{Request: r, Payment: of},
				hyperlocal.VerbRefund: payment.RefundRequest{Request: r, Payment: of},
			} {
				if res, err := s.send(t, request); err != nil || res.Outcome != hyperlocal.OutcomeDeclined {
					t.Errorf("%s: another tenant's %s: %+v, %v", name, verb, res, err)
				}
			}
		}
		theirs := held.Request
		theirs.Tenant = "mall"
		if found := s.lookup(t, hyperlocal.VerbAuthorize, theirs, "", ""); found.Known {
			t.Errorf("%s: another tenant's lookup: %+v", name, found)
		}
		other := s.request(hyperlocal.VerbCapture, ten)
		other.Intent = hyperlocal.RandomIDs{}.NewID()
		if res, err := s.gw.Capture(t.Context(), payment.CaptureRequest{Request: other, Payment: of}); err != nil || res.Code != stripe.CodeNoPayment {
			t.Errorf("%s: another intent's capture: %+v, %v", name, res, err)
		}
		e, _ := s.server.Last(of)
		if _, err := s.gw.ParseWebhook("shop", time.Now(), s.server.Sign(time.Now(), e.Body), e.Body); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n, err := s.gw.ParseWebhook("mall", time.Now(), s.server.Sign(time.Now(), e.Body), e.Body); !errors.Is(err, payment.ErrWebhookSignature) {
			t.Errorf("%s: another tenant's event: %+v, %v", name, n, err)
		}
		if len(s.server.Moves()) != 1 {
			t.Errorf("%s: moved %v", name, s.server.Moves())
		}
	}
}

func TestVoidIsWhole(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	of := s.must(t, "succeeded", s.hold(t, "pm_card_visa", amount(t, 1000, "GBP"))).Provider
	if res, err := s.gw.Void(t.Context(), payment.VoidRequest{Request: s.request(hyperlocal.VerbVoid, amount(t, 400, "GBP")), Payment: of}); err != nil || res.Code != stripe.CodeWholeOnly {
		t.Errorf("%+v, %v", res, err)
	}
	if s.moved("void") != 0 {
		t.Error("let go of all for a part")
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	good := stripe.Account{SecretKey: stripetest.TestKey, WebhookSecrets: []string{stripetest.TestSecret}, ReturnURL: "https://shop.example/x"}
	accounts := func(a stripe.Account) func(hyperlocal.TenantID) (stripe.Account, bool) {
		return func(tenant hyperlocal.TenantID) (stripe.Account, bool) { return a, tenant == "shop" }
	}
	with := func(change func(*stripe.Account)) stripe.Config {
		a := good
		change(&a)
		return stripe.Config{Accounts: accounts(a), Tenants: []hyperlocal.TenantID{"shop"}}
	}
	if _, err := stripe.New(with(func(*stripe.Account) {})); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		config stripe.Config
		want   string
	}{
		"nothing":        {stripe.Config{}, "stripe/invalid_accounts"},
		"odd name":       {stripe.Config{Accounts: accounts(good), Name: "Stripe!"}, "stripe/invalid_name"},
		"plain http":     {stripe.Config{Accounts: accounts(good), BaseURL: "http://api.example"}, "stripe/invalid_base_url"},
		"user in URL":    {stripe.Config{Accounts: accounts(good), BaseURL: "https://a:b@api.example"}, "stripe/invalid_base_url"},
		"no URL":         {stripe.Config{Accounts: accounts(good), BaseURL: "::"}, "stripe/invalid_base_url"},
		"bounds":         {stripe.Config{Accounts: accounts(good), Timeout: -1}, "stripe/invalid_bounds"},
		"unknown tenant": {stripe.Config{Accounts: accounts(good), Tenants: []hyperlocal.TenantID{"mall"}}, "stripe/unknown_account"},
		"empty secret":   {with(func(a *stripe.Account) { a.WebhookSecrets = []string{""} }), "payment/weak_secret"},
		"short secret":   {with(func(a *stripe.Account) { a.WebhookSecrets = []string{stripetest.TestSecret, "whsec_0123456789abcdef"} }), "payment/weak_secret"},
		"blank":          {with(func(a *stripe.Account) { a.WebhookSecrets = []string{stripetest.TestSecret + "\n"} }), "payment/weak_secret"},
		"publishable":    {with(func(a *stripe.Account) { a.SecretKey = "pk_test_0123456789abcdef" }), "stripe/invalid_secret_key"},
		"connected":      {with(func(a *stripe.Account) { a.Connected = "1" }), "stripe/invalid_connected"},
		"return":         {with(func(a *stripe.Account) { a.ReturnURL = "http://shop.example/x" }), "stripe/invalid_return_url"},
	} {
		_, err := stripe.New(c.config)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "0123456789abcdef") {
			t.Errorf("%s: the error says a secret: %v", name, err)
		}
	}
}

func TestAccountPrintsNoSecret(t *testing.T) {
	t.Parallel()
	a := stripe.Account{SecretKey: stripetest.TestKey, Connected: "acct_1", WebhookSecrets: []string{stripetest.TestSecret}}
	text, err := a.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{fmt.Sprintf("%v %+v %#v %v", a, a, a, &a), a.String(), a.LogValue().String(), string(text)} {
		if strings.Contains(printed, "stripetest") {
			t.Errorf("printed %s", printed)
		}
	}
	if a.Live() || !(stripe.Account{SecretKey: "rk_live_x"}).Live() {
		t.Error("the mode of a key")
	}
}
