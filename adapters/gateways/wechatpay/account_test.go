package wechatpay_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/wechatpay"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/wechatpay/wechatpaytest"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	accounts := func(hyperlocal.TenantID) (wechatpay.Account, bool) { return wechatpay.Account{}, false }
	for name, c := range map[string]wechatpay.Config{
		"no accounts":           {},
		"clear text":            {Accounts: accounts, BaseURL: "http://api.mch.weixin.qq.com"},
		"a path":                {Accounts: accounts, BaseURL: "https://api.mch.weixin.qq.com/v3"},
		"a user":                {Accounts: accounts, BaseURL: "https://a@api.mch.weixin.qq.com"},
		"no URL":                {Accounts: accounts, BaseURL: "https://%zz"},
		"no time":               {Accounts: accounts, Timeout: -1},
		"too little time":       {Accounts: accounts, PayWithin: time.Second},
		"too much time":         {Accounts: accounts, PayWithin: 8 * 24 * time.Hour},
		"a bill of less than 0": {Accounts: accounts, MaxBill: -1},
	} {
		if _, err := wechatpay.New(c); !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if gw, err := wechatpay.New(wechatpay.Config{Accounts: accounts}); err != nil || gw.Name() != "wechatpay" {
		t.Errorf("%v, %v", gw, err)
	}
}

func TestAccountValidate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if err := w.account.Validate(); err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(a *wechatpay.Account){
		"merchant_id":   func(a *wechatpay.Account) { a.MerchantID = "19000001x" },
		"app_id":        func(a *wechatpay.Account) { a.AppID = "" },
		"mobile_app_id": func(a *wechatpay.Account) { a.MobileAppID = "wx-1" },
		"notify_url":    func(a *wechatpay.Account) { a.NotifyURL = "https://shop.example/hook?tenant=1" },
		"description":   func(a *wechatpay.Account) { a.Description = "a&b=c" },
		"serial":        func(a *wechatpay.Account) { a.Serial = `1D"` },
		"private_key":   func(a *wechatpay.Account) { a.PrivateKey = weak },
		"api_v3_keys":   func(a *wechatpay.Account) { a.APIv3Keys = [][]byte{[]byte("short")} },
		"platform":      func(a *wechatpay.Account) { a.Platform = []wechatpay.PlatformKey{{Serial: "1", Key: &weak.PublicKey}} },
	} {
		a := w.account
		change(&a)
		if err := a.Validate(); hyperlocal.ReasonOf(err) != "wechatpay/invalid_"+field {
			t.Errorf("%s: %v", field, err)
		}
	}
	a := wechatpay.Account{APIv3Keys: make([][]byte, 9), Platform: make([]wechatpay.PlatformKey, 9)}
	if err := a.Validate(); err == nil || strings.Count(err.Error(), "\n") < 8 {
		t.Errorf("not all at once: %v", err)
	}
}

// An account that ends up in a log or an answer does not give its keys away.
func TestAccountPrintsNoSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	exponent := w.keys.Merchant.D.String()
	encoded, err := json.Marshal(w.account)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprintf("account: %v", w.account), fmt.Sprintf("%+v", &w.account), fmt.Sprintf("%#v", w.account), string(encoded)} {
		if strings.Contains(text, wechatpaytest.APIv3Key) || strings.Contains(text, exponent) || strings.Contains(text, fmt.Sprint([]byte(wechatpaytest.APIv3Key))) ||
			strings.Contains(text, "MDEyMzQ1Njc4OWFi") {
			t.Errorf("%s", text)
		}
	}
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	encode := func(kind string, key any) []byte {
		t.Helper()
		var der []byte
		var err error
		if kind == "PUBLIC KEY" {
			der, err = x509.MarshalPKIXPublicKey(key)
		} else {
			der, err = x509.MarshalPKCS8PrivateKey(key)
		}
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	private, public := encode("PRIVATE KEY", w.keys.Merchant), encode("PUBLIC KEY", &w.keys.Platform.PublicKey)
	if key, err := wechatpay.ParsePrivateKey(private); err != nil || !key.Equal(w.keys.Merchant) {
		t.Errorf("%v", err)
	}
	if key, err := wechatpay.ParsePlatformPublicKey("PUB_KEY_ID_1", public); err != nil || !key.Key.Equal(&w.keys.Platform.PublicKey) || !key.NotAfter.IsZero() {
		t.Errorf("%v", err)
	}
	if key, err := wechatpay.ParsePlatformCertificate(w.keys.Certificate); err != nil || key.Serial != w.keys.Serial || key.NotAfter.IsZero() {
		t.Errorf("%+v, %v", key, err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	garbage := []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
	for _, text := range [][]byte{nil, garbage, public, w.keys.Certificate, encode("PRIVATE KEY", curve)} {
		if _, err := wechatpay.ParsePrivateKey(text); hyperlocal.ReasonOf(err) != wechatpay.ErrKey.Reason || strings.Contains(err.Error(), "AAAA") {
			t.Errorf("%v", err)
		}
	}
	for _, text := range [][]byte{nil, garbage, private, w.keys.Certificate, encode("PUBLIC KEY", &curve.PublicKey)} {
		if _, err := wechatpay.ParsePlatformPublicKey("PUB_KEY_ID_1", text); hyperlocal.ReasonOf(err) != wechatpay.ErrKey.Reason {
			t.Errorf("%v", err)
		}
	}
	if _, err := wechatpay.ParsePlatformPublicKey("5157F09E", public); err == nil {
		t.Error("a certificate's serial for a public key")
	}
	for _, text := range [][]byte{nil, garbage, private, public} {
		if _, err := wechatpay.ParsePlatformCertificate(text); hyperlocal.ReasonOf(err) != wechatpay.ErrKey.Reason {
			t.Errorf("%v", err)
		}
	}
}
