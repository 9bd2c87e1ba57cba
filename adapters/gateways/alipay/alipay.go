package alipay

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// The methods: how the shopper pays.
const (
	Page = "page" // alipay.trade.page.pay; Action is a URL for a browser
	App  = "app"  // alipay.trade.app.pay; Action is the order string for Alipay's app SDK
	QR   = "qr"   // alipay.trade.precreate; Action is the text of a QR code
)

// Name is the name of the gateway.
const Name = "alipay"

// Defaults of [Config].
const (
	DefaultBaseURL   = "https://openapi.alipay.com/gateway.do"
	DefaultTimeout   = 10 * time.Second
	DefaultMaxAnswer = 1 << 20
	DefaultMaxBill   = 64 << 20
	DefaultPayWithin = 15 * time.Minute
	DefaultSubject   = "Order"
	DefaultBillHost  = "dwbillcenter.alipay.com"
)

// Config is what a [Gateway] is built from. Only Accounts is needed.
type Config struct {
	// Accounts returns the account of a tenant. It is called with every request and
	// notification, from many goroutines, and must not block.
	Accounts func(tenant hyperlocal.TenantID) (Account, bool)
	// BaseURL is the address of gateway.do: https, or http on this machine.
	BaseURL string
	// HTTPClient sends the requests; nil for one of our own. Its TLS settings and transport
	// are used; redirects are never followed.
	HTTPClient *http.Client
	Clock      hyperlocal.Clock // nil: the system's
	Timeout    time.Duration    // of one call to Alipay, a bill's download included
	// PayWithin is how long after the operation was begun its link can be paid: at least two
	// minutes, at most a day. The operation's id, a UUIDv7, tells when that was. Whatever is
	// said here, Alipay lets a QR code die after two hours.
	PayWithin time.Duration
	// Tolerance is how far the time in a notification may lie from now, either way; at most
	// half an hour, zero for payment.DefaultTolerance.
	Tolerance time.Duration
	MaxAnswer int64 // bytes read of an answer
	MaxBill   int64 // bytes read of a bill
	// BillHosts are the hosts, with a port if it is not the usual one, that bills are fetched from.
	BillHosts []string
	// Subject is what the shopper reads in Alipay's app: fixed text of letters, digits and
	// spaces, at most 64.
	Subject string
	// NotifyFields are names of further fields that Alipay has begun to send in notifications.
	// A field that is not known is a reason to refuse the notification.
	NotifyFields []string
}

// Gateway implements [payment.Gateway] and [payment.WebhookParser]. It is safe for concurrent
// use and keeps no state.
type Gateway struct {
	accounts  func(tenant hyperlocal.TenantID) (Account, bool)
	base      string
	client    *http.Client
	clock     hyperlocal.Clock
	timeout   time.Duration
	payWithin time.Duration
	tolerance time.Duration
	maxAnswer int64
	maxBill   int64
	billHosts []string
	subject   string
	fields    map[string]bool
	classes   map[string]hyperlocal.DeclineClass
}

var (
	_ payment.Gateway       = (*Gateway)(nil)
	_ payment.WebhookParser = (*Gateway)(nil)
)

// zone is the one that Alipay writes times in, whatever the place: UTC+8, without daylight saving.
func zone() *time.Location { return time.FixedZone("UTC+8", 8*60*60) }

// timeLayout is how Alipay writes times.
const timeLayout = time.DateTime

// New builds a Gateway. Every problem is reported at once, with code invalid.
func New(c Config) (*Gateway, error) {
	g := &Gateway{
		accounts: c.Accounts, base: orElse(c.BaseURL, DefaultBaseURL), clock: c.Clock,
		timeout: orElse(c.Timeout, DefaultTimeout), payWithin: orElse(c.PayWithin, DefaultPayWithin),
		tolerance: orElse(c.Tolerance, payment.DefaultTolerance), maxAnswer: orElse(c.MaxAnswer, DefaultMaxAnswer),
		maxBill: orElse(c.MaxBill, DefaultMaxBill), billHosts: slices.Clone(c.BillHosts), subject: orElse(c.Subject, DefaultSubject),
		fields: notifyFields(c.NotifyFields), classes: classes(),
	}
	if g.clock == nil {
		g.clock = hyperlocal.SystemClock{}
	}
	if len(g.billHosts) == 0 {
		g.billHosts = []string{DefaultBillHost}
	}
	client := http.Client{}
	if c.HTTPClient != nil {
		client = *c.HTTPClient
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	g.client = &client
	if err := g.check(c.NotifyFields); err != nil {
		return nil, err
	}
	return g, nil
}

func (g *Gateway) check(more []string) error {
	var errs []error
	wrong := func(field, message string) { errs = append(errs, hyperlocal.Invalid("alipay", field, message)) }
	if g.accounts == nil {
		wrong("accounts", "Accounts is needed: it tells the account of a tenant")
	}
	u, err := url.Parse(g.base)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		wrong("base_url", "BaseURL is an https address without a query, or http on this machine")
	}
	if g.timeout < 0 || g.timeout > 5*time.Minute {
		wrong("timeout", "Timeout is at most five minutes")
	}
	if g.payWithin < 2*time.Minute || g.payWithin > 24*time.Hour {
		wrong("pay_within", "PayWithin is two minutes to a day")
	}
	if g.tolerance < 0 || g.tolerance > 30*time.Minute {
		wrong("tolerance", "Tolerance is at most half an hour")
	}
	if g.maxAnswer < 0 || g.maxBill < 0 {
		wrong("max", "MaxAnswer and MaxBill are not negative")
	}
	for _, host := range g.billHosts {
		if u, err := url.Parse("https://" + host + "/"); err != nil || host == "" || u.Host != host || u.User != nil {
			wrong("bill_hosts", "BillHosts are host names, with a port or without, and nothing else")
		}
	}
	if len(g.subject) > 64 || strings.Trim(g.subject, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ") != "" {
		wrong("subject", "Subject is at most 64 letters, digits and spaces")
	}
	for _, name := range more {
		if name == "" || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
			wrong("notify_fields", "NotifyFields are names of lower-case letters, digits and underscores")
		}
	}
	return errors.Join(errs...)
}

func orElse[T comparable](v, otherwise T) T {
	if v == *new(T) {
		return otherwise
	}
	return v
}

// Name implements [payment.Gateway].
func (g *Gateway) Name() string { return Name }

// Capabilities implements [payment.Gateway]. Nothing is held at Alipay by these products, so
// there is nothing to authorize, capture or void; what is not paid yet is let go of with
// [Gateway.CloseUnpaid]. Alipay knows a trade's number as long as the trade.
func (g *Gateway) Capabilities() payment.Capabilities {
	return payment.Capabilities{
		Verbs:         []hyperlocal.PaymentVerb{hyperlocal.VerbCharge, hyperlocal.VerbRefund},
		PartialRefund: true,
		Methods:       []string{Page, App, QR},
	}
}

func (g *Gateway) account(tenant hyperlocal.TenantID) (*account, error) {
	a, ok := g.accounts(tenant)
	if !ok || a.account == nil {
		return nil, ErrUnknownTenant
	}
	return a.account, nil
}
