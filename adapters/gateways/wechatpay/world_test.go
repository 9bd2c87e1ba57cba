package wechatpay_test

import (
	"context"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/wechatpay"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/wechatpay/wechatpaytest"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Keys take a second to make, so the tests share theirs.
var makeKeys = sync.OnceValues(wechatpaytest.NewKeys)

const shop = hyperlocal.TenantID("shop")

// world is a gateway in front of a double of the provider.
type world struct {
	t       *testing.T
	keys    wechatpaytest.Keys
	server  *wechatpaytest.Server
	account wechatpay.Account
	config  wechatpay.Config
	gw      *wechatpay.Gateway
}

// newWorld opens a world; change, if not nil, adjusts its configuration. Every tenant but
// "nobody" has the same account.
func newWorld(t *testing.T, change func(w *world)) *world {
	t.Helper()
	keys, err := makeKeys()
	if err != nil {
		t.Fatal(err)
	}
	platform, err := wechatpay.ParsePlatformCertificate(keys.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, keys: keys, server: wechatpaytest.New(t, keys)}
	w.account = wechatpay.Account{
		MerchantID: wechatpaytest.MerchantID, AppID: wechatpaytest.AppID, MobileAppID: wechatpaytest.MobileAppID,
		NotifyURL: "https://shop.example/v1/webhooks/shop/wechatpay", Serial: wechatpaytest.MerchantSerial, PrivateKey: keys.Merchant,
		APIv3Keys: [][]byte{[]byte(wechatpaytest.APIv3Key)}, Platform: []wechatpay.PlatformKey{platform},
	}
	w.config = wechatpay.Config{BaseURL: w.server.URL, Timeout: 5 * time.Second, Accounts: func(tenant hyperlocal.TenantID) (wechatpay.Account, bool) {
		return w.account, tenant != "nobody"
	}}
	if change != nil {
		change(w)
	}
	if w.gw, err = wechatpay.New(w.config); err != nil {
		t.Fatal(err)
	}
	return w
}

func yuan(t *testing.T, fen int64) hyperlocal.Money {
	t.Helper()
	m, err := hyperlocal.NewMoney(fen, "CNY")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func chargeOf(t *testing.T, fen int64, method string) payment.AuthorizeRequest {
	t.Helper()
	intent := hyperlocal.RandomIDs{}.NewID()
	return payment.AuthorizeRequest{CaptureNow: true, Method: method, Request: payment.Request{
		Tenant: shop, Key: "intent/" + intent + "/attempt/1/charge", Intent: intent, Operation: hyperlocal.RandomIDs{}.NewID(),
		Attempt: 1, Amount: yuan(t, fen)}}
}

func refundOf(t *testing.T, fen int64, of string) payment.RefundRequest {
	t.Helper()
	op := hyperlocal.RandomIDs{}.NewID()
	return payment.RefundRequest{Payment: of, Request: payment.Request{
		Tenant: shop, Key: "refund/" + op, Intent: hyperlocal.RandomIDs{}.NewID(), Operation: op, Attempt: 1, Amount: yuan(t, fen)}}
}

func (w *world) charge(r payment.AuthorizeRequest) payment.Result {
	w.t.Helper()
	res, err := w.gw.Authorize(w.t.Context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return res
}

func (w *world) refund(r payment.RefundRequest) payment.Result {
	w.t.Helper()
	res, err := w.gw.Refund(w.t.Context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return res
}

func (w *world) lookup(r payment.Request, verb hyperlocal.PaymentVerb) payment.LookupResult {
	w.t.Helper()
	found, err := w.gw.Lookup(w.t.Context(), payment.LookupRequest{Request: r, Verb: verb})
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

// paid makes a charge that the shopper has paid, and returns it with its reference.
func (w *world) paid(fen int64) (payment.AuthorizeRequest, string) {
	w.t.Helper()
	r := chargeOf(w.t, fen, "jsapi:pays")
	res := w.charge(r)
	if found := w.lookup(r.Request, hyperlocal.VerbCharge); found.Outcome != hyperlocal.OutcomeSucceeded {
		w.t.Fatalf("not paid: %+v", found)
	}
	return r, res.Provider
}

// notification is the genuine one about an order or refund.
func (w *world) notification(number string, at time.Time) (map[string][]string, []byte) {
	w.t.Helper()
	headers, body, err := w.server.Notification(number, at)
	if err != nil {
		w.t.Fatal(err)
	}
	return headers, body
}

func with(headers map[string][]string, name string, values ...string) map[string][]string {
	other := maps.Clone(headers)
	other[name] = values
	return other
}

// withShopper is the gateway together with a shopper who pays at once, as the kit wants it. The
// kit counts in pounds, yen and dinars, which stand for yuan here, unit for unit: a euro stays
// one, and is refused.
type withShopper struct {
	*wechatpay.Gateway
	server *wechatpaytest.Server
}

var kitCurrencies = map[hyperlocal.Currency]bool{"GBP": true, "JPY": true, "KWD": true}

func exchange(m hyperlocal.Money) (hyperlocal.Money, hyperlocal.Currency) {
	if !kitCurrencies[m.Currency()] {
		return m, m.Currency()
	}
	cny, err := hyperlocal.NewMoney(m.Amount(), "CNY")
	if err != nil {
		panic(err)
	}
	return cny, m.Currency()
}

func back(m *hyperlocal.Money, c hyperlocal.Currency) {
	if m.Currency() == "CNY" {
		*m, _ = hyperlocal.NewMoney(m.Amount(), c)
	}
}

func (s withShopper) Authorize(ctx context.Context, r payment.AuthorizeRequest) (payment.Result, error) {
	asked := r.Request
	var c hyperlocal.Currency
	r.Amount, c = exchange(r.Amount)
	res, err := s.Gateway.Authorize(ctx, r)
	if err == nil && res.Outcome == hyperlocal.OutcomeAction && s.server.Paid(r.Key) > 0 {
		var found payment.LookupResult
		found, err = s.Lookup(ctx, payment.LookupRequest{Request: asked, Verb: r.Verb()})
		return found.Result, err
	}
	back(&res.Amount, c)
	return res, err
}

func (s withShopper) Refund(ctx context.Context, r payment.RefundRequest) (payment.Result, error) {
	var c hyperlocal.Currency
	r.Amount, c = exchange(r.Amount)
	res, err := s.Gateway.Refund(ctx, r)
	back(&res.Amount, c)
	return res, err
}

func (s withShopper) Lookup(ctx context.Context, r payment.LookupRequest) (payment.LookupResult, error) {
	var c hyperlocal.Currency
	r.Amount, c = exchange(r.Amount)
	res, err := s.Gateway.Lookup(ctx, r)
	back(&res.Amount, c)
	return res, err
}

func (s withShopper) ParseWebhook(tenant hyperlocal.TenantID, now time.Time, headers map[string][]string, body []byte) (payment.Notice, error) {
	n, err := s.Gateway.ParseWebhook(tenant, now, headers, body)
	back(&n.Amount, "GBP")
	return n, err
}
