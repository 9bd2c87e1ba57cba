package alipaytest

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/alipay"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
	"github.com/hyperlocal-sdk/hyperlocal/payment/gatewaytest"
)

// Shopper is a gateway with a shopper behind it who follows every link and pays at once, so
// that a kit that wants an answer to a charge gets one. The method of a charge is a
// [gatewaytest.Scenario]. The kit counts in pounds, yen and dinars: they are paid in as many
// fen, and the answer is told in the kit's currency; euros stay euros and are refused.
//
// The kit expects signatures beside the body. The sign field of a notification travels in
// [SignHeader] and is put back before the gateway sees it.
type Shopper struct {
	gateway *alipay.Gateway
	double  *Double
	method  string // alipay.Page, alipay.App or alipay.QR

	mu         sync.Mutex
	currencies map[string]hyperlocal.Currency // by key
	scripted   map[string]bool
}

// SignHeader stands for the sign field.
const SignHeader = "Test-Sign"

var (
	_ payment.Gateway       = (*Shopper)(nil)
	_ payment.WebhookParser = (*Shopper)(nil)
)

// NewShopper returns a gateway whose shopper pays by the method.
func NewShopper(g *alipay.Gateway, d *Double, method string) *Shopper {
	return &Shopper{gateway: g, double: d, method: method, currencies: make(map[string]hyperlocal.Currency), scripted: make(map[string]bool)}
}

// Name implements [payment.Gateway].
func (s *Shopper) Name() string { return s.gateway.Name() }

// Capabilities implements [payment.Gateway].
func (s *Shopper) Capabilities() payment.Capabilities { return s.gateway.Capabilities() }

func swap(m hyperlocal.Money, from, to hyperlocal.Currency) hyperlocal.Money {
	if m.Currency() != from || from == "EUR" {
		return m
	}
	out, err := hyperlocal.NewMoney(m.Amount(), to)
	if err != nil {
		panic(err)
	}
	return out
}

func (s *Shopper) pay(r *payment.Request) hyperlocal.Currency {
	own := r.Amount.Currency()
	r.Amount = swap(r.Amount, own, alipay.Currency)
	if own != "EUR" {
		s.mu.Lock()
		s.currencies[r.Key] = own
		s.mu.Unlock()
	}
	return own
}

// notSent reads ErrNotSent the way the payment service does.
func notSent(res payment.Result, err error) (payment.Result, error) {
	if errors.Is(err, payment.ErrNotSent) && !errors.Is(err, context.Canceled) {
		return payment.Result{Outcome: hyperlocal.OutcomeDeclined, Class: hyperlocal.DeclineProviderDown, Code: "not_sent"}, nil
	}
	return res, err
}

func (s *Shopper) script(scenario gatewaytest.Scenario, number string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.scripted[number] {
		return
	}
	s.scripted[number] = true
	create := "alipay.trade.precreate"
	if s.method != alipay.QR {
		create = "alipay.trade.query" // the only call there is
	}
	switch scenario {
	case gatewaytest.DeclinedHard:
		s.double.Script(number, create, Fault{Code: "40004", SubCode: "ACQ.SELLER_BEEN_BLOCKED"})
	case gatewaytest.DeclinedSoft:
		s.double.Script(number, create, Fault{Code: "40004", SubCode: "ACQ.BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR"})
	case gatewaytest.Invalid:
		s.double.Script(number, create, Fault{Code: "40004", SubCode: "ACQ.TOTAL_FEE_EXCEED"})
	case gatewaytest.RateLimited:
		s.double.Script(number, create, Fault{Code: "40005", SubCode: "isv.app-call-limited"})
	case gatewaytest.ProviderDown:
		s.double.Script(number, create, Fault{Unreachable: true})
	case gatewaytest.LosesAnswer:
		s.double.Script(number, create, Fault{Times: 1, LoseAnswer: true})
	case gatewaytest.LosesRequest:
		s.double.Script(number, create, Fault{Times: 1, LoseRequest: true})
	case gatewaytest.RefundLosesAnswer:
		s.double.Script(number, "alipay.trade.refund", Fault{Times: 1, LoseAnswer: true})
	}
}

// Authorize implements [payment.Gateway].
func (s *Shopper) Authorize(ctx context.Context, r payment.AuthorizeRequest) (payment.Result, error) {
	own := s.pay(&r.Request)
	scenario := gatewaytest.Scenario(r.Method)
	number := alipay.TradeNumber(r.Tenant, r.Key)
	r.Method = s.method
	s.script(scenario, number)
	res, err := notSent(s.gateway.Authorize(ctx, r))
	if err != nil && scenario == gatewaytest.LosesAnswer {
		s.double.Pay(number) // the code was made, and somebody scans it
	}
	if err != nil || res.Outcome != hyperlocal.OutcomeAction {
		res.Amount = swap(res.Amount, alipay.Currency, own)
		return res, err
	}
	_, err = s.double.Follow(res.Action)
	if err == nil && scenario == gatewaytest.NeedsAction {
		return res, nil
	}
	if err == nil { // else Alipay told the shopper why not, for example that it is paid already
		s.double.Pay(number)
	}
	found, err := s.gateway.Lookup(ctx, payment.LookupRequest{Request: r.Request, Verb: hyperlocal.VerbCharge, Provider: res.Provider})
	found.Amount = swap(found.Amount, alipay.Currency, own)
	return found.Result, err
}

// Capture implements [payment.Gateway].
func (s *Shopper) Capture(ctx context.Context, r payment.CaptureRequest) (payment.Result, error) {
	return s.gateway.Capture(ctx, r)
}

// Void implements [payment.Gateway].
func (s *Shopper) Void(ctx context.Context, r payment.VoidRequest) (payment.Result, error) {
	return s.gateway.Void(ctx, r)
}

// Refund implements [payment.Gateway].
func (s *Shopper) Refund(ctx context.Context, r payment.RefundRequest) (payment.Result, error) {
	own := s.pay(&r.Request)
	res, err := notSent(s.gateway.Refund(ctx, r))
	res.Amount = swap(res.Amount, alipay.Currency, own)
	return res, err
}

// Lookup implements [payment.Gateway].
func (s *Shopper) Lookup(ctx context.Context, r payment.LookupRequest) (payment.LookupResult, error) {
	own := s.pay(&r.Request)
	found, err := s.gateway.Lookup(ctx, r)
	found.Amount = swap(found.Amount, alipay.Currency, own)
	return found, err
}

// ParseWebhook implements [payment.WebhookParser].
func (s *Shopper) ParseWebhook(tenant hyperlocal.TenantID, now time.Time, headers map[string][]string, body []byte) (payment.Notice, error) {
	sign, rest := "", make(map[string][]string)
	for name, values := range headers {
		if strings.EqualFold(name, SignHeader) && len(values) > 0 {
			sign = values[0]
			continue
		}
		rest[name] = values
	}
	n, err := s.gateway.ParseWebhook(tenant, now, rest, append(append([]byte(nil), body...), "&sign="+url.QueryEscape(sign)...))
	s.mu.Lock()
	defer s.mu.Unlock()
	if own, ok := s.currencies[n.Key]; ok {
		n.Amount = swap(n.Amount, alipay.Currency, own)
	}
	return n, err
}

// Complete pays what waits, or lets it go.
func (s *Shopper) Complete(_ context.Context, tenant hyperlocal.TenantID, key string, success bool) error {
	number := alipay.TradeNumber(tenant, key)
	if success && s.double.Pay(number) || !success && s.double.Give(number) {
		return nil
	}
	return errors.New("the trade does not wait")
}

// Moved counts what really happened for an intent.
func (s *Shopper) Moved(_ context.Context, tenant hyperlocal.TenantID, intent string, verb hyperlocal.PaymentVerb) (int, error) {
	n := 0
	for _, t := range s.double.Trades() {
		key, ok := alipay.ParseTradeNumber(tenant, t.Number)
		switch {
		case !ok || !strings.HasPrefix(key, "intent/"+intent+"/"):
		case verb == hyperlocal.VerbCharge:
			n += t.Paid
		case verb == hyperlocal.VerbRefund:
			n += t.RefundedOf
		}
	}
	return n, nil
}

// Webhook returns the notification about a trade.
func (s *Shopper) Webhook(_ context.Context, tenant hyperlocal.TenantID, key string, at time.Time) (map[string][]string, []byte, error) {
	fields, err := s.double.Fields(alipay.TradeNumber(tenant, key), at)
	if err != nil {
		return nil, nil, err
	}
	signed, err := url.ParseQuery(string(s.double.c.Keys.SignForm(fields)))
	if err != nil {
		return nil, nil, err
	}
	headers := Headers()
	headers[SignHeader] = []string{signed.Get("sign")}
	signed.Del("sign")
	return headers, []byte(signed.Encode()), nil
}
