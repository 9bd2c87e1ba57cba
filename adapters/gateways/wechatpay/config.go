package wechatpay

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Defaults and bounds.
const (
	DefaultBaseURL   = "https://api.mch.weixin.qq.com"
	DefaultTimeout   = 15 * time.Second
	DefaultPayWithin = 15 * time.Minute
	DefaultMaxBill   = 256 << 20

	maxAnswer = 256 << 10 // bytes of an answer that is no bill
)

// Config is what a Gateway is built from. Only Accounts is required.
type Config struct {
	Name string // "" means "wechatpay"
	// Accounts returns the account of a tenant. It is called with every request and webhook, from
	// many goroutines at once, so a key that is exchanged there is used from then on.
	Accounts   func(tenant hyperlocal.TenantID) (Account, bool)
	BaseURL    string       // "" means DefaultBaseURL; https, or http on the loopback interface
	HTTPClient *http.Client // nil: one with the standard library's settings; redirects are never followed
	Clock      hyperlocal.Clock
	IDs        hyperlocal.IDSource // nonces; nil: random
	Timeout    time.Duration       // of one call, but for a bill's download; 0 means DefaultTimeout
	// PayWithin is how long the shopper has to pay: 1 minute to 7 days, 0 means DefaultPayWithin.
	PayWithin time.Duration
	MaxBill   int64 // bytes of one trade bill; 0 means DefaultMaxBill
}

// Gateway implements [payment.Gateway] and [payment.WebhookParser]. It is safe for concurrent use.
type Gateway struct {
	name      string
	accounts  func(tenant hyperlocal.TenantID) (Account, bool)
	base      *url.URL
	client    *http.Client
	clock     hyperlocal.Clock
	ids       hyperlocal.IDSource
	timeout   time.Duration
	payWithin time.Duration
	maxBill   int64
}

var (
	_ payment.Gateway       = (*Gateway)(nil)
	_ payment.WebhookParser = (*Gateway)(nil)
)

// New builds a Gateway, or reports everything that is missing or wrong at once, with code
// invalid. Accounts are checked when they are used.
func New(c Config) (*Gateway, error) {
	g := &Gateway{
		name: c.Name, accounts: c.Accounts, clock: c.Clock, ids: c.IDs,
		timeout: c.Timeout, payWithin: c.PayWithin, maxBill: c.MaxBill,
	}
	var errs []error
	bad := func(wrong bool, field, message string) {
		if wrong {
			errs = append(errs, hyperlocal.Invalid("wechatpay", field, message))
		}
	}
	bad(c.Accounts == nil, "accounts", "is required")
	if g.name == "" {
		g.name = "wechatpay"
	}
	if g.clock == nil {
		g.clock = hyperlocal.SystemClock{}
	}
	if g.ids == nil {
		g.ids = hyperlocal.RandomIDs{}
	}
	if g.timeout == 0 {
		g.timeout = DefaultTimeout
	}
	if g.payWithin == 0 {
		g.payWithin = DefaultPayWithin
	}
	if g.maxBill == 0 {
		g.maxBill = DefaultMaxBill
	}
	bad(g.timeout < 0, "timeout", "is not negative")
	bad(g.payWithin < time.Minute || g.payWithin > 7*24*time.Hour, "pay_within", "is 1 minute to 7 days")
	bad(g.maxBill < 0, "max_bill", "is not negative")
	if c.BaseURL == "" {
		c.BaseURL = DefaultBaseURL
	}
	base, err := url.Parse(c.BaseURL)
	bad(err != nil || !safeURL(base) || (base.Path != "" && base.Path != "/") || base.RawQuery != "",
		"base_url", "is https://host without a path; http is for the loopback interface alone")
	g.base = base
	client := http.Client{}
	if c.HTTPClient != nil {
		client = *c.HTTPClient
	} else if t, ok := http.DefaultTransport.(*http.Transport); ok {
		client.Transport = t.Clone()
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	g.client = &client
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return g, nil
}

// safeURL reports whether a URL may carry what is between us and the provider.
func safeURL(u *url.URL) bool {
	if u.Host == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	if u.Scheme == "https" {
		return true
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || (ip != nil && ip.IsLoopback()))
}

// Name implements [payment.Gateway].
func (g *Gateway) Name() string { return g.name }

// Capabilities implements [payment.Gateway]. Charges and refunds, in whole or in parts; orders
// are remembered for as long as a payment is.
func (g *Gateway) Capabilities() payment.Capabilities {
	return payment.Capabilities{
		Verbs:         []hyperlocal.PaymentVerb{hyperlocal.VerbCharge, hyperlocal.VerbRefund},
		PartialRefund: true,
		Methods:       []string{methodJSAPI, methodNative, methodApp},
	}
}
