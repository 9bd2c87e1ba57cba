package alipay_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/alipay"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/alipay/alipaytest"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

func TestNewAccountRefuses(t *testing.T) {
	t.Parallel()
	now := time.Now()
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	certificate := alipaytest.Certificate(keys().App, "app", 1, now, now.Add(time.Hour))
	for name, c := range map[string]struct {
		change func(*alipay.AccountConfig)
		field  string
	}{
		"no app id":          {func(c *alipay.AccountConfig) { c.AppID = "" }, "app_id"},
		"an odd app id":      {func(c *alipay.AccountConfig) { c.AppID = "2021&app_id=1" }, "app_id"},
		"no seller":          {func(c *alipay.AccountConfig) { c.SellerID = "" }, "seller_id"},
		"an email as seller": {func(c *alipay.AccountConfig) { c.SellerID = "seller@example.com" }, "seller_id"},
		"no private key":     {func(c *alipay.AccountConfig) { c.PrivateKey = nil }, "private_key"},
		"not a private key":  {func(c *alipay.AccountConfig) { c.PrivateKey = []byte("secret text") }, "private_key"},
		"a short private key": {func(c *alipay.AccountConfig) {
			c.PrivateKey = pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(short)})
		}, "private_key"},
		"a short public key": {func(c *alipay.AccountConfig) {
			c.AlipayKeys = [][]byte{pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&short.PublicKey)})}
		}, "alipay_keys"},
		"no key of Alipay's":   {func(c *alipay.AccountConfig) { c.AlipayKeys = nil }, "alipay_keys"},
		"an empty key":         {func(c *alipay.AccountConfig) { c.AlipayKeys = [][]byte{{}} }, "alipay_keys"},
		"nine keys":            {func(c *alipay.AccountConfig) { c.AlipayKeys = slicesOf(keys().AlipayKey(), 9) }, "alipay_keys"},
		"the app's own key":    {func(c *alipay.AccountConfig) { c.AlipayKeys = [][]byte{appPublicKey(t)} }, "alipay_keys"},
		"both modes":           {func(c *alipay.AccountConfig) { c.AppCertificate = certificate }, "mode"},
		"a relative address":   {func(c *alipay.AccountConfig) { c.NotifyURL = "/webhooks" }, "url"},
		"a very long address":  {func(c *alipay.AccountConfig) { c.ReturnURL = "https://a.example/" + strings.Repeat("x", 256) }, "url"},
		"one certificate only": {func(c *alipay.AccountConfig) { c.AlipayKeys, c.AppCertificate = nil, certificate }, "root_certificates"},
		"another's certificate": {func(c *alipay.AccountConfig) {
			c.AlipayKeys, c.RootCertificates, c.AlipayCertificates = nil, certificate, [][]byte{certificate}
			c.AppCertificate = alipaytest.Certificate(keys().Alipay, "x", 1, now, now.Add(time.Hour))
		}, "app_certificate"},
		"no PEM": {func(c *alipay.AccountConfig) {
			c.AlipayKeys, c.RootCertificates, c.AppCertificate = nil, certificate, certificate
			c.AlipayCertificates = [][]byte{[]byte("text")}
		}, "alipay_certificates"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := accountConfig()
			c.change(&config)
			_, err := alipay.NewAccount(config)
			if !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) || !strings.Contains(err.Error(), "alipay/invalid_"+c.field+":") {
				t.Errorf("%v; want a problem of %s", err, c.field)
			}
			if err != nil && strings.Contains(err.Error(), "secret text") {
				t.Error("the error tells the key")
			}
		})
	}
}

func slicesOf(b []byte, n int) [][]byte {
	var list [][]byte
	for range n {
		list = append(list, b)
	}
	return list
}

func appPublicKey(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&keys().App.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(base64.StdEncoding.EncodeToString(der))
}

// Keys are taken in every form that Alipay's tools write.
func TestNewAccountReadsEveryForm(t *testing.T) {
	t.Parallel()
	pkcs1 := x509.MarshalPKCS1PrivateKey(keys().App)
	public, _ := base64.StdEncoding.DecodeString(string(keys().AlipayKey()))
	wrapped := base64.StdEncoding.EncodeToString(pkcs1)
	for i := 64; i < len(wrapped); i += 65 {
		wrapped = wrapped[:i] + "\n" + wrapped[i:]
	}
	for name, private := range map[string][]byte{
		"PKCS #8 in base64": keys().AppKey(),
		"PKCS #1 in lines":  []byte(wrapped),
		"PKCS #1 in PEM":    pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: pkcs1}),
	} {
		for kind, own := range map[string][]byte{
			"base64": keys().AlipayKey(),
			"PEM":    pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
			"PKCS 1": pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&keys().Alipay.PublicKey)}),
		} {
			c := accountConfig()
			c.PrivateKey, c.AlipayKeys = private, [][]byte{own}
			if _, err := alipay.NewAccount(c); err != nil {
				t.Errorf("%s, %s: %v", name, kind, err)
			}
		}
	}
}

// Nothing that prints an account prints its key.
func TestAccountKeepsItsKey(t *testing.T) {
	t.Parallel()
	c := accountConfig()
	a := account(t, c)
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("x", "config", c, "account", a, "both", []any{c, a})
	text, err := json.Marshal([]any{c, a})
	if err != nil {
		t.Fatal(err)
	}
	printed := log.String() + string(text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		printed += fmt.Sprintf(verb, c) + fmt.Sprintf(verb, a) + fmt.Sprintf(verb, []any{c, a})
	}
	raw := string(c.PrivateKey)
	for _, secret := range []string{raw[100:140], base64.StdEncoding.EncodeToString([]byte(raw))[100:140], keys().App.D.String()[:40],
		fmt.Sprint(c.PrivateKey)[20:60], fmt.Sprintf("%#v", c.PrivateKey)[50:90], keys().App.Primes[0].String()[:40]} {
		if strings.Contains(printed, secret) {
			t.Errorf("the key is printed: %.200s", printed)
		}
	}
	if !strings.Contains(printed, "alipay account "+alipaytest.DefaultAppID) {
		t.Error("nothing tells which account it is")
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	none := func(hyperlocal.TenantID) (alipay.Account, bool) { return alipay.Account{}, false }
	for name, c := range map[string]struct {
		config alipay.Config
		field  string
	}{
		"no accounts":         {alipay.Config{}, "accounts"},
		"http":                {alipay.Config{Accounts: none, BaseURL: "http://openapi.alipay.com/gateway.do"}, "base_url"},
		"no address":          {alipay.Config{Accounts: none, BaseURL: "openapi.alipay.com"}, "base_url"},
		"with a query":        {alipay.Config{Accounts: none, BaseURL: "https://openapi.alipay.com/gateway.do?a=b"}, "base_url"},
		"negative timeout":    {alipay.Config{Accounts: none, Timeout: -1}, "timeout"},
		"a short life":        {alipay.Config{Accounts: none, PayWithin: time.Second}, "pay_within"},
		"a year of tolerance": {alipay.Config{Accounts: none, Tolerance: 365 * 24 * time.Hour}, "tolerance"},
		"text of people":      {alipay.Config{Accounts: none, Subject: "Tea & cake"}, "subject"},
		"a path as host":      {alipay.Config{Accounts: none, BillHosts: []string{"a.example/b"}}, "bill_hosts"},
		"user as host":        {alipay.Config{Accounts: none, BillHosts: []string{"u@a.example"}}, "bill_hosts"},
		"negative bound":      {alipay.Config{Accounts: none, MaxBill: -1}, "max"},
		"an odd field":        {alipay.Config{Accounts: none, NotifyFields: []string{"a&b"}}, "notify_fields"},
	} {
		if _, err := alipay.New(c.config); !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) || !strings.Contains(err.Error(), "alipay/invalid_"+c.field+":") {
			t.Errorf("%s: %v; want a problem of %s", name, err, c.field)
		}
	}
	if _, err := alipay.New(alipay.Config{Accounts: none}); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}

// The HTTP client that a host hands over is not changed.
func TestClientIsLeftAlone(t *testing.T) {
	t.Parallel()
	client := &http.Client{}
	if _, err := alipay.New(alipay.Config{HTTPClient: client, Accounts: func(hyperlocal.TenantID) (alipay.Account, bool) {
		return alipay.Account{}, false
	}}); err != nil || client.CheckRedirect != nil {
		t.Errorf("%v, or the client was changed", err)
	}
}

func TestUnknownTenant(t *testing.T) {
	t.Parallel()
	d := open(t, alipaytest.Config{})
	for name, ok := range map[string]bool{"no account": false, "an account that nobody made": true} {
		g := gateway(t, d, alipay.Account{}, func(c *alipay.Config) {
			c.Accounts = func(hyperlocal.TenantID) (alipay.Account, bool) { return alipay.Account{}, ok }
		})
		r := charge(t, alipay.QR, 100)
		_, err := g.Authorize(t.Context(), r)
		wantErr(t, err, alipay.ErrUnknownTenant, payment.ErrNotSent)
		_, err = g.Refund(t.Context(), payment.RefundRequest{Request: r.Request, Payment: "x"})
		wantErr(t, err, alipay.ErrUnknownTenant, payment.ErrNotSent)
		_, err = g.Lookup(t.Context(), payment.LookupRequest{Request: r.Request, Verb: hyperlocal.VerbCharge})
		wantErr(t, err, alipay.ErrUnknownTenant, payment.ErrNotSent)
		_, err = g.Bill(t.Context(), "shop", alipay.BillRequest{Kind: alipay.BillTrade, Date: "2026-11-21"})
		wantErr(t, err, alipay.ErrUnknownTenant, payment.ErrNotSent)
		_, err = g.ParseWebhook("shop", time.Now(), alipaytest.Headers(), []byte("sign_type=RSA2"))
		wantErr(t, err, payment.ErrWebhookSignature)
		if d.Calls("") != 0 {
			t.Errorf("%s: %d calls", name, d.Calls(""))
		}
	}
}

// The root certificates as Alipay hands them out to every merchant, with a key that Go does
// not know and one that is not RSA among them, and the serial number that Alipay expects for them.
func TestRootSerial(t *testing.T) {
	t.Parallel()
	roots, err := os.ReadFile("testdata/alipayRootCert.crt")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	c := accountConfig()
	c.AlipayKeys, c.RootCertificates = nil, roots
	c.AppCertificate = alipaytest.Certificate(keys().App, "app", 1, now, now.Add(time.Hour))
	c.AlipayCertificates = [][]byte{alipaytest.Certificate(keys().Alipay, "Alipay", 2, now.Add(-time.Hour), now.Add(time.Hour))}
	d := open(t, alipaytest.Config{Serial: serial(t, c.AlipayCertificates[0])})
	if _, err := gateway(t, d, account(t, c)).Authorize(t.Context(), charge(t, alipay.QR, 1)); err != nil {
		t.Fatal(err)
	}
	for _, values := range d.Requests() {
		if got := values.Get("alipay_root_cert_sn"); got != "687b59193f3f462dd5336e5abf83c5d8_02941eef3187dddf3d3b83462e1dfcf6" {
			t.Errorf("%s names the roots %s", values.Get("method"), got)
		}
		if got := values.Get("app_cert_sn"); got != serial(t, c.AppCertificate) {
			t.Errorf("%s names the app %s", values.Get("method"), got)
		}
	}
}
