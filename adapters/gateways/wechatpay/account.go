package wechatpay

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Account is a merchant's account at WeChat Pay. It prints without its secrets.
type Account struct {
	MerchantID  string // mchid: digits, at most 32
	AppID       string // of the official account or mini program; also for native
	MobileAppID string // of the merchant's app, for the method app; "" means AppID
	// NotifyURL is where WeChat sends notifications: https, without a query, a path of this
	// tenant alone (see httpapi's receiveWebhook).
	NotifyURL string
	// Description is what the shopper sees as the subject: letters, digits, spaces, dots and
	// hyphens, at most 40; "" means "Order". It is the same for every order.
	Description string

	Serial     string          // serial number of the merchant's API certificate, in hex
	PrivateKey *rsa.PrivateKey `json:"-"` // of that certificate, at least 2048 bits
	// APIv3Keys open notifications, 32 bytes each: the present one, and the one before it for as
	// long as notifications under it may come. At most 4.
	APIv3Keys [][]byte `json:"-"`
	// Platform is the allow-list of keys that WeChat signs with, at most 8. The first is the one
	// that WeChat is asked to answer with. An answer or notification under another serial is
	// refused; nothing is ever downloaded.
	Platform []PlatformKey
}

// PlatformKey is a key that WeChat Pay signs with.
type PlatformKey struct {
	Serial string // the certificate's serial in hex, or the public key's id, "PUB_KEY_ID_..."
	Key    *rsa.PublicKey
	// NotBefore and NotAfter bound its use; a zero time does not. Those of a certificate are
	// honoured: an expired one proves nothing any more.
	NotBefore, NotAfter time.Time
}

// String returns the account's ids and none of its keys.
func (a Account) String() string {
	return "wechatpay account " + a.MerchantID + " of " + a.AppID
}

// GoString is String.
func (a Account) GoString() string { return a.String() }

// Errors of this package. No error text holds a request, an answer or a key.
var (
	ErrNoAccount = hyperlocal.NewError(hyperlocal.CodeNotFound, "wechatpay/no_account",
		"the tenant has no account at WeChat Pay; add it to Config.Accounts")
	ErrAccount = hyperlocal.NewError(hyperlocal.CodeInvalid, "wechatpay/invalid_account",
		"the tenant's account cannot be used; see the field")
	ErrKey = hyperlocal.NewError(hyperlocal.CodeInvalid, "wechatpay/invalid_key",
		"a key is PEM: PRIVATE KEY (PKCS 8), PUBLIC KEY or CERTIFICATE, RSA, of at least 2048 bits")
	// ErrAnswer: an answer came that proves nothing: not signed by WeChat, unreadable, or about
	// another order. The request may have been processed.
	ErrAnswer = hyperlocal.NewError(hyperlocal.CodeUnknownOutcome, "wechatpay/answer",
		"the answer does not prove what became of the request; look it up")
	// ErrNoAnswer: the request was sent and no answer came, or one that WeChat itself calls an
	// accident.
	ErrNoAnswer = hyperlocal.NewError(hyperlocal.CodeUnknownOutcome, "wechatpay/no_answer",
		"it is not known what became of the request; look it up")
	ErrNotFound = hyperlocal.NewError(hyperlocal.CodeNotFound, "wechatpay/not_found",
		"WeChat Pay knows no such order")
	ErrPaid = hyperlocal.NewError(hyperlocal.CodePrecondition, "wechatpay/paid",
		"the order is paid and cannot be closed; refund it")
	ErrRefused = hyperlocal.NewError(hyperlocal.CodePrecondition, "wechatpay/refused",
		"WeChat Pay refused the request; see its code")
	ErrNoBill = hyperlocal.NewError(hyperlocal.CodeNotFound, "wechatpay/no_bill",
		"there is no trade bill for that day: nothing was traded")
	ErrBillNotReady = hyperlocal.NewError(hyperlocal.CodeUnavailable, "wechatpay/bill_not_ready",
		"the bill is made from 10:00 of the next day, China time; ask again later").WithRetryAfter(30 * time.Minute)
	ErrBill = hyperlocal.NewError(hyperlocal.CodeUnavailable, "wechatpay/bill",
		"the bill did not arrive as WeChat Pay announced it; throw away what was written and ask again")
)

const (
	maxAPIv3Keys    = 4
	maxPlatformKeys = 8
	minRSABits      = 2048
	apiV3KeyBytes   = 32
)

// account returns the tenant's account; an error says that nothing was sent.
func (g *Gateway) account(tenant hyperlocal.TenantID) (*Account, error) {
	a, ok := g.accounts(tenant)
	if !ok {
		return nil, ErrNoAccount.WithCause(payment.ErrNotSent)
	}
	if err := a.Validate(); err != nil {
		return nil, ErrAccount.WithCause(errors.Join(payment.ErrNotSent, err))
	}
	return &a, nil
}

// Validate reports everything that is wrong with an account, each with code invalid.
func (a Account) Validate() error {
	var errs []error
	bad := func(wrong bool, field, message string) {
		if wrong {
			errs = append(errs, hyperlocal.Invalid("wechatpay", field, message))
		}
	}
	bad(!consistsOf(a.MerchantID, 1, 32, digits), "merchant_id", "has 1 to 32 digits")
	bad(!consistsOf(a.AppID, 1, 32, letters+digits), "app_id", "has 1 to 32 letters and digits")
	bad(!consistsOf(a.MobileAppID, 0, 32, letters+digits), "mobile_app_id", "has at most 32 letters and digits")
	bad(!consistsOf(a.Description, 0, 40, letters+digits+" .-"), "description",
		"has at most 40 letters, digits, spaces, dots and hyphens")
	bad(!consistsOf(a.Serial, 1, 64, digits+"abcdefABCDEF"), "serial", "is the API certificate's serial number in hex")
	bad(a.PrivateKey == nil || a.PrivateKey.N == nil || a.PrivateKey.N.BitLen() < minRSABits, "private_key",
		"is an RSA key of at least 2048 bits")
	u, err := url.Parse(a.NotifyURL)
	bad(err != nil || !safeURL(u) || u.RawQuery != "" || len(a.NotifyURL) > 255, "notify_url",
		"is https, without a query, of at most 255 bytes")
	bad(len(a.APIv3Keys) == 0 || len(a.APIv3Keys) > maxAPIv3Keys, "api_v3_keys", "are 1 to 4")
	for _, k := range a.APIv3Keys {
		bad(len(k) != apiV3KeyBytes, "api_v3_keys", "have 32 bytes each")
	}
	bad(len(a.Platform) == 0 || len(a.Platform) > maxPlatformKeys, "platform", "are 1 to 8 keys")
	for _, k := range a.Platform {
		bad(!consistsOf(k.Serial, 1, 64, letters+digits+"_"), "platform", "each has a serial number or public key id")
		bad(k.Key == nil || k.Key.N == nil || k.Key.N.BitLen() < minRSABits, "platform", "each is an RSA key of at least 2048 bits")
	}
	return errors.Join(errs...)
}

const (
	digits  = "0123456789"
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

func consistsOf(text string, least, most int, alphabet string) bool {
	return len(text) >= least && len(text) <= most && !hasOther(text, alphabet)
}

func hasOther(text, alphabet string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune(alphabet, r) })
}

// ours reports whether an order under the app id can be of this account.
func (a *Account) ours(appID string) bool {
	return appID == a.AppID || (a.MobileAppID != "" && appID == a.MobileAppID)
}

func (a *Account) mobileAppID() string {
	if a.MobileAppID != "" {
		return a.MobileAppID
	}
	return a.AppID
}

func (a *Account) description() string {
	if a.Description != "" {
		return a.Description
	}
	return "Order"
}

// ParsePrivateKey reads the merchant's API key (apiclient_key.pem). Errors: ErrKey.
func ParsePrivateKey(text []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, ErrKey
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, ErrKey
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok || key.N.BitLen() < minRSABits {
		return nil, ErrKey
	}
	return key, nil
}

// ParsePlatformCertificate reads a platform certificate, with its serial and its dates.
// Errors: ErrKey.
func ParsePlatformCertificate(text []byte) (PlatformKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return PlatformKey{}, ErrKey
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return PlatformKey{}, ErrKey
	}
	key, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < minRSABits {
		return PlatformKey{}, ErrKey
	}
	return PlatformKey{Serial: strings.ToUpper(c.SerialNumber.Text(16)), Key: key, NotBefore: c.NotBefore, NotAfter: c.NotAfter}, nil
}

// ParsePlatformPublicKey reads the public key that WeChat Pay has for the merchant
// (pub_key.pem); id is its "PUB_KEY_ID_...". Errors: ErrKey.
func ParsePlatformPublicKey(id string, text []byte) (PlatformKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" {
		return PlatformKey{}, ErrKey
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return PlatformKey{}, ErrKey
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < minRSABits || !strings.HasPrefix(id, "PUB_KEY_ID_") {
		return PlatformKey{}, ErrKey
	}
	return PlatformKey{Serial: id, Key: key}, nil
}
