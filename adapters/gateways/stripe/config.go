package stripe

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// APIVersion is the version of Stripe's API that every request asks for. Webhook endpoints
// should be made with the same one.
const APIVersion = "2026-08-26.dahlia"

// KeyLifetime is how long Stripe keeps an idempotency key at least.
const KeyLifetime = 24 * time.Hour

// DefaultBaseURL is where Stripe's API is.
const DefaultBaseURL = "https://api.stripe.com"

// Defaults of Config.
const (
	DefaultTimeout   = 20 * time.Second
	DefaultMaxAnswer = 4 << 20
	DefaultMaxPages  = 20
)

// ErrUnknownAccount: the tenant has no account, or one that Account.Validate refuses. Nothing
// was sent.
var ErrUnknownAccount = hyperlocal.NewError(hyperlocal.CodePrecondition, "stripe/unknown_account",
	"there is no usable Stripe account for the tenant; see what Config.Accounts returns for it")

// Config is what a Gateway is built from. Accounts is required.
type Config struct {
	Name string // "" means "stripe"
	// Accounts returns the account of a tenant, false if it has none. It is asked with every
	// call, by many goroutines at once, so that keys can be exchanged while the program runs.
	// A tenant must keep its account while payments of it are open: another account knows
	// nothing of them.
	Accounts func(tenant hyperlocal.TenantID) (Account, bool)
	// Tenants are those whose accounts New checks. Those of others are checked when they are used.
	Tenants []hyperlocal.TenantID
	// BaseURL is https, or http on this machine; "" means DefaultBaseURL.
	BaseURL string
	// HTTPClient carries connections, proxies and TLS settings; nil means one of its own. Its
	// CheckRedirect and Jar are not used, and its Timeout counts if it is shorter.
	HTTPClient *http.Client
	Clock      hyperlocal.Clock // nil: the system's
	Timeout    time.Duration    // of one request; 0 means DefaultTimeout
	MaxAnswer  int64            // bytes of an answer that are read; 0 means DefaultMaxAnswer
	// MaxPages bounds a lookup that does not know the id, in pages of 100 payments of the
	// account; 0 means DefaultMaxPages. A lookup that needs more is an error.
	MaxPages int
	// Tolerance is how far a webhook's time may lie from now, either way; 0 means
	// payment.DefaultTolerance.
	Tolerance time.Duration
}

// Account is how a tenant is known to Stripe. It prints without its secrets.
type Account struct {
	// SecretKey is the API key: sk_test_, sk_live_, rk_test_ or rk_live_ and at least 16 letters
	// and digits. Whether the account is live is read from it.
	SecretKey string
	// Connected is the account (acct_...) on whose behalf the key's owner acts; "" for the
	// key's own account.
	Connected string
	// WebhookSecrets are the signing secrets (whsec_...) of the tenant's endpoint, of at least
	// payment.MinSecret bytes. A webhook signed with any of them is genuine, so that they can
	// be exchanged without a gap. Without one every webhook is refused.
	WebhookSecrets []string
	// ReturnURL is where the shopper's browser comes back to after leaving for its bank; https.
	// Without one, methods that leave the page are not offered.
	ReturnURL string
}

// Live reports whether the account moves real money.
func (a Account) Live() bool {
	return len(a.SecretKey) > 3 && strings.HasPrefix(a.SecretKey[3:], "live_")
}

// String implements fmt.Stringer, without secrets.
func (a Account) String() string {
	mode := "test"
	if a.Live() {
		mode = "live"
	}
	if a.Connected == "" {
		return "stripe account (" + mode + ")"
	}
	return "stripe account " + a.Connected + " (" + mode + ")"
}

// GoString implements fmt.GoStringer, without secrets.
func (a Account) GoString() string { return a.String() }

// LogValue implements slog.LogValuer, without secrets.
func (a Account) LogValue() slog.Value { return slog.StringValue(a.String()) }

// MarshalText implements encoding.TextMarshaler, without secrets.
func (a Account) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// maxSecrets bounds the secrets that a webhook is checked against.
const maxSecrets = 8

// Validate reports what is wrong with the account, without saying any secret. Errors: code
// invalid with the field; payment/weak_secret.
func (a Account) Validate() error {
	var errs []error
	if !validKey(a.SecretKey) {
		errs = append(errs, hyperlocal.Invalid("stripe", "secret_key",
			"an API key is sk_test_, sk_live_, rk_test_ or rk_live_ and 16 to 200 letters, digits and _; "+
				"see Developers, API keys in Stripe's dashboard"))
	}
	if a.Connected != "" && !reference(a.Connected, "acct_") {
		errs = append(errs, hyperlocal.Invalid("stripe", "connected", "a connected account is acct_ and letters and digits"))
	}
	if len(a.WebhookSecrets) > maxSecrets {
		errs = append(errs, hyperlocal.Invalid("stripe", "webhook_secrets", "at most 8 secrets: take out the ones that are no longer used"))
	}
	for _, secret := range a.WebhookSecrets {
		if len(secret) < payment.MinSecret || strings.TrimSpace(secret) != secret {
			errs = append(errs, payment.ErrWeakSecret.WithMessage(
				"a webhook secret is the whole text, whsec_ included, that Stripe shows for the endpoint: at least %d bytes, no blanks around it",
				payment.MinSecret))
			break
		}
	}
	if a.ReturnURL != "" {
		u, err := url.Parse(a.ReturnURL)
		if err != nil || u.Host == "" || len(a.ReturnURL) > 2048 || u.Scheme != "https" && !loopback(u) {
			errs = append(errs, hyperlocal.Invalid("stripe", "return_url", "a return URL is an absolute https URL of at most 2048 bytes"))
		}
	}
	return errors.Join(errs...)
}

func validKey(key string) bool {
	for _, prefix := range []string{"sk_test_", "sk_live_", "rk_test_", "rk_live_"} {
		rest, ok := strings.CutPrefix(key, prefix)
		if ok {
			return len(rest) >= 16 && len(rest) <= 200 && word(rest)
		}
	}
	return false
}

// reference reports whether text is an id of Stripe's with that prefix. It goes into paths.
func reference(text, prefix string) bool {
	rest, ok := strings.CutPrefix(text, prefix)
	return ok && rest != "" && len(text) <= payment.MaxProvider && word(rest)
}

// word reports whether text has ASCII letters, digits and _ only.
func word(text string) bool {
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

// Gateway implements [payment.Gateway] and [payment.WebhookParser]. It is safe for concurrent
// use and keeps no state but connections.
type Gateway struct {
	name      string
	accounts  func(hyperlocal.TenantID) (Account, bool)
	base      string
	client    *http.Client
	clock     hyperlocal.Clock
	timeout   time.Duration
	maxAnswer int64
	maxPages  int
	tolerance time.Duration
}

var (
	_ payment.Gateway       = (*Gateway)(nil)
	_ payment.WebhookParser = (*Gateway)(nil)
)

// New builds a Gateway. Everything that is wrong is reported together, with code invalid and
// the field; the errors of an account are those of Account.Validate.
func New(c Config) (*Gateway, error) {
	g := &Gateway{name: c.Name, accounts: c.Accounts, clock: c.Clock, timeout: c.Timeout, maxAnswer: c.MaxAnswer,
		maxPages: c.MaxPages, tolerance: c.Tolerance}
	var errs []error
	refuse := func(field, message string) { errs = append(errs, hyperlocal.Invalid("stripe", field, message)) }
	if g.name == "" {
		g.name = "stripe"
	}
	if len(g.name) > payment.MaxGateway || strings.Trim(g.name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
		refuse("name", "a gateway's name is 1 to 32 characters of [a-z0-9_-]")
	}
	if c.Accounts == nil {
		refuse("accounts", "Accounts is required: it returns the Stripe account of a tenant")
	}
	if c.BaseURL == "" {
		c.BaseURL = DefaultBaseURL
	}
	u, err := url.Parse(c.BaseURL)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && !loopback(u) {
		refuse("base_url", "the base URL is https, or http on this machine, without user, query and fragment")
	}
	g.base = strings.TrimRight(c.BaseURL, "/")
	if c.Timeout < 0 || c.MaxAnswer < 0 || c.MaxPages < 0 || c.Tolerance < 0 {
		refuse("bounds", "timeout, answer size, pages and tolerance are not negative; 0 means the default")
	}
	if g.timeout == 0 {
		g.timeout = DefaultTimeout
	}
	if g.maxAnswer == 0 {
		g.maxAnswer = DefaultMaxAnswer
	}
	if g.maxPages == 0 {
		g.maxPages = DefaultMaxPages
	}
	if g.clock == nil {
		g.clock = hyperlocal.SystemClock{}
	}
	client := http.Client{}
	if c.HTTPClient != nil {
		client = *c.HTTPClient
	}
	// A redirect would send the key to somebody else.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client.Jar = nil
	g.client = &client
	if c.Accounts != nil {
		for _, tenant := range c.Tenants {
			if _, err := g.account(tenant); err != nil {
				errs = append(errs, err)
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return g, nil
}

func loopback(u *url.URL) bool {
	if u.Scheme != "http" {
		return false
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// account returns the tenant's account if it can be used.
func (g *Gateway) account(tenant hyperlocal.TenantID) (Account, error) {
	if err := tenant.Validate(); err != nil {
		return Account{}, ErrUnknownAccount.WithCause(err)
	}
	a, ok := g.accounts(tenant)
	if !ok {
		return Account{}, ErrUnknownAccount.With("tenant", tenant)
	}
	if err := a.Validate(); err != nil {
		return Account{}, ErrUnknownAccount.With("tenant", tenant).WithCause(err)
	}
	return a, nil
}

// Name implements [payment.Gateway].
func (g *Gateway) Name() string { return g.name }

// Capabilities implements [payment.Gateway].
func (g *Gateway) Capabilities() payment.Capabilities {
	return payment.Capabilities{
		Verbs: []hyperlocal.PaymentVerb{hyperlocal.VerbCharge, hyperlocal.VerbAuthorize, hyperlocal.VerbCapture,
			hyperlocal.VerbVoid, hyperlocal.VerbRefund},
		PartialCapture: true,
		// Several captures of one card payment depend on the card's network, on the price plan
		// and on the account, so the rest is let go of with the first one.
		MultiCapture:  false,
		PartialRefund: true,
		Methods:       []string{"card", "apple_pay", "google_pay"},
		KeyLifetime:   KeyLifetime,
	}
}

// ready says whether a call may be made at all: outside any transaction, within its time, for
// a tenant with an account. Its errors wrap payment.ErrNotSent, except the one inside a
// transaction, which is a defect of the caller.
func (g *Gateway) ready(ctx context.Context, tenant hyperlocal.TenantID) (Account, error) {
	if hyperlocal.InTx(ctx) {
		return Account{}, hyperlocal.ErrNetworkInTx
	}
	if err := ctx.Err(); err != nil {
		return Account{}, payment.ErrNotSent.WithCause(err)
	}
	a, err := g.account(tenant)
	if err != nil {
		return Account{}, errors.Join(err, payment.ErrNotSent)
	}
	return a, nil
}
