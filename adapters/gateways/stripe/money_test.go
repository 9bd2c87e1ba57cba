package stripe_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/stripe"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/stripe/stripetest"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

func amount(t testing.TB, minor int64, c hyperlocal.Currency) hyperlocal.Money {
	t.Helper()
	m, err := hyperlocal.NewMoney(minor, c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// What goes over the wire, and what comes back, for one currency of each kind.
func TestExponents(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		currency hyperlocal.Currency
		minor    int64
		wire     string
	}{
		{"GBP", 1999, "1999"},
		{"JPY", 500, "500"},
		{"KWD", 12340, "12340"},
		{"MGA", 50000, "500"}, // ISO has two decimals, Stripe none
		{"ISK", 5, "500"},     // ISO has none, Stripe two
		{"HUF", 1045, "1045"}, // without decimals for payouts alone
		{"TWD", 80045, "80045"},
		{"XPF", 7, "7"},
		{"IDR", 100, "100"},
	} {
		t.Run(string(c.currency), func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			res := s.must(t, "succeeded", s.charge(t, "pm_card_visa", amount(t, c.minor, c.currency)))
			if res.Amount != amount(t, c.minor, c.currency) {
				t.Errorf("came back as %v", res.Amount)
			}
			if got := s.server.Requests()[0].Form.Get("amount"); got != c.wire {
				t.Errorf("sent %s, want %s", got, c.wire)
			}
			back := s.must(t, "succeeded", s.refund(t, res.Provider, amount(t, c.minor, c.currency)))
			if back.Amount != res.Amount {
				t.Errorf("refunded %v", back.Amount)
			}
		})
	}
}

func TestRefusedBeforeSending(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	for name, c := range map[string]struct {
		amount hyperlocal.Money
		code   string
	}{
		"zero":                           {amount(t, 0, "GBP"), stripe.CodeBadRequest},
		"negative":                       {amount(t, -1, "GBP"), stripe.CodeBadRequest},
		"no money at all":                {hyperlocal.Money{}, stripe.CodeBadRequest},
		"the last digit of a thousandth": {amount(t, 12345, "KWD"), stripe.CodeBadAmount},
		"a fifth of an ariary":           {amount(t, 50020, "MGA"), stripe.CodeBadAmount},
		"beyond all bounds":              {amount(t, 1<<62, "ISK"), stripe.CodeBadAmount},
		"LYD":                            {amount(t, 1000, "LYD"), stripe.CodeBadCurrency},
		"UGX":                            {amount(t, 1000, "UGX"), stripe.CodeBadCurrency},
		"withdrawn":                      {amount(t, 1000, "CLF"), stripe.CodeBadCurrency},
	} {
		res, err := s.gw.Authorize(t.Context(), s.charge(t, "pm_card_visa", c.amount))
		if err != nil || res.Outcome != hyperlocal.OutcomeDeclined || res.Class != hyperlocal.DeclineInvalid || res.Code != c.code {
			t.Errorf("%s: %+v, %v; want %s", name, res, err, c.code)
		}
		if back, err := s.gw.Refund(t.Context(), s.refund(t, "pi_1", c.amount)); err != nil || back.Code != c.code {
			t.Errorf("refund of %s: %+v, %v; want %s", name, back, err, c.code)
		}
	}
	for _, method := range []string{"4242424242424242", "tok visa", "pm_", "pm_a/../b", "pm_a\r\nX: y", "pm_" + strings.Repeat("a", 300)} {
		if res, err := s.gw.Authorize(t.Context(), s.charge(t, method, amount(t, 100, "GBP"))); err != nil || res.Code != stripe.CodeBadMethod {
			t.Errorf("method %.20q: %+v, %v", method, res, err)
		}
	}
	for _, id := range []string{"", "ch_1", "pi_", "pi_1/capture", "pi_1?x=y", "../refunds"} {
		r := s.refund(t, id, amount(t, 100, "GBP"))
		if res, err := s.gw.Refund(t.Context(), r); err != nil || res.Code != stripe.CodeNoPayment {
			t.Errorf("refund of %q: %+v, %v", id, res, err)
		}
		if res, err := s.gw.Capture(t.Context(), payment.CaptureRequest(r)); err != nil || res.Code != stripe.CodeNoPayment {
			t.Errorf("capture of %q: %+v, %v", id, res, err)
		}
		if res, err := s.gw.Void(t.Context(), payment.VoidRequest(r)); err != nil || res.Code != stripe.CodeNoPayment {
			t.Errorf("void of %q: %+v, %v", id, res, err)
		}
	}
	for _, key := range []string{"", "a\nb", "a b", "ä", strings.Repeat("k", 129)} {
		r := s.charge(t, "pm_card_visa", amount(t, 100, "GBP"))
		r.Key = key
		if res, err := s.gw.Authorize(t.Context(), r); err != nil || res.Code != stripe.CodeBadRequest {
			t.Errorf("key %.10q: %+v, %v", key, res, err)
		}
	}
	if n := len(s.server.Requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

// TestCurrencyTable compares the table with the lists of Stripe's page, written down once more.
func TestCurrencyTable(t *testing.T) {
	t.Parallel()
	zero := strings.Fields("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF")
	three := strings.Fields("BHD JOD KWD OMR TND")
	s := newShop(t)
	all := stripe.Currencies()
	if !slices.IsSorted(all) || len(all) < 130 {
		t.Fatalf("%d currencies, sorted %v", len(all), slices.IsSorted(all))
	}
	for _, c := range all {
		iso, ok := c.Decimals()
		if !ok {
			t.Errorf("%s is no currency", c)
			continue
		}
		want := 2
		switch {
		case slices.Contains(zero, string(c)):
			want = 0
		case slices.Contains(three, string(c)):
			want = 3
		}
		// Ten thousand of the whole unit, written with so many decimals.
		units := int64(10_000)
		minor, wire := units, "10000"
		for range iso {
			minor *= 10
		}
		wire += strings.Repeat("0", want)
		if len(wire) > 8 {
			continue
		}
		s.must(t, "succeeded", s.charge(t, "pm_card_visa", amount(t, minor, c)))
		requests := s.server.Requests()
		if got := requests[len(requests)-1].Form.Get("amount"); got != wire {
			t.Errorf("10000 %s is sent as %s, want %s", c, got, wire)
		}
	}
	for _, r := range stripe.Rules() {
		if !slices.Contains(all, r.Currency) {
			t.Errorf("a rule for %s, which is not taken", r.Currency)
		}
	}
}

// shop is a gateway with a double and one tenant.
type shop struct {
	server *stripetest.Server
	gw     *stripe.Gateway
	intent string
}

func newShop(t testing.TB, change ...func(*stripe.Config)) *shop {
	t.Helper()
	server := stripetest.Start(t, stripetest.Config{Connected: []string{"acct_1", "acct_2"}})
	return &shop{server: server, gw: open(t, server, change...), intent: hyperlocal.RandomIDs{}.NewID()}
}

func (s *shop) request(verb hyperlocal.PaymentVerb, m hyperlocal.Money) payment.Request {
	op := hyperlocal.RandomIDs{}.NewID()
	return payment.Request{Tenant: "shop", Key: string(verb) + "/" + op, Intent: s.intent, Operation: op, Attempt: 1, Amount: m}
}

func (s *shop) charge(_ testing.TB, method string, m hyperlocal.Money) payment.AuthorizeRequest {
	return payment.AuthorizeRequest{Request: s.request(hyperlocal.VerbCharge, m), CaptureNow: true, Method: method}
}

func (s *shop) hold(_ testing.TB, method string, m hyperlocal.Money) payment.AuthorizeRequest {
	return payment.AuthorizeRequest{Request: s.request(hyperlocal.VerbAuthorize, m), Method: method}
}

func (s *shop) refund(_ testing.TB, of string, m hyperlocal.Money) payment.RefundRequest {
	return payment.RefundRequest{Request: s.request(hyperlocal.VerbRefund, m), Payment: of}
}

func (s *shop) send(t testing.TB, r any) (payment.Result, error) {
	t.Helper()
	switch r := r.(type) {
	case payment.AuthorizeRequest:
		return s.gw.Authorize(t.Context(), r)
	case payment.CaptureRequest:
		return s.gw.Capture(t.Context(), r)
	case payment.VoidRequest:
		return s.gw.Void(t.Context(), r)
	case payment.RefundRequest:
		return s.gw.Refund(t.Context(), r)
	}
	t.Fatalf("a request of type %T", r)
	return payment.Result{}, nil
}

func (s *shop) must(t testing.TB, want hyperlocal.PaymentOutcome, r any) payment.Result {
	t.Helper()
	res, err := s.send(t, r)
	if err != nil || res.Outcome != want {
		t.Fatalf("%+v, %v; want %s", res, err, want)
	}
	return res
}

func (s *shop) lookup(t testing.TB, verb hyperlocal.PaymentVerb, r payment.Request, of, provider string) payment.LookupResult {
	t.Helper()
	found, err := s.gw.Lookup(t.Context(), payment.LookupRequest{Request: r, Verb: verb, Payment: of, Provider: provider})
	if err != nil {
		t.Fatalf("lookup: %v", err)
	}
	return found
}

// moved counts what really moved at the double.
func (s *shop) moved(kind string) int {
	n := 0
	for _, m := range s.server.Moves() {
		if m.Kind == kind {
			n++
		}
	}
	return n
}
