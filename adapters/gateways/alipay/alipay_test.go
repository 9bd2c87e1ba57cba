package alipay_test

import (
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/alipay"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/alipay/alipaytest"
	"github.com/hyperlocal-sdk/hyperlocal/payment/gatewaytest"
)

// keysOf makes two pairs of keys once per process: making them is the slowest part of a test.
var keysOf = sync.OnceValue(func() [2]*alipaytest.Keys {
	var pairs [2]*alipaytest.Keys
	for i := range pairs {
		k, err := alipaytest.NewKeys()
		if err != nil {
			panic(err)
		}
		pairs[i] = k
	}
	return pairs
})

func keys() *alipaytest.Keys { return keysOf()[0] }

func accountConfig() alipay.AccountConfig {
	return alipay.AccountConfig{
		AppID: alipaytest.DefaultAppID, SellerID: alipaytest.DefaultSellerID, PrivateKey: keys().AppKey(),
		AlipayKeys: [][]byte{keys().AlipayKey()}, NotifyURL: "https://shop.example/webhooks/alipay", ReturnURL: "https://shop.example/back",
	}
}

func account(t testing.TB, c alipay.AccountConfig) alipay.Account {
	t.Helper()
	a, err := alipay.NewAccount(c)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// certificateAccount returns an account in certificate mode, and the serial number that its
// one certificate of Alipay's has.
func certificateAccount(t testing.TB, from, until time.Time) (alipay.Account, string) {
	t.Helper()
	own := alipaytest.Certificate(keys().Alipay, "Alipay", 4711, from, until)
	c := accountConfig()
	c.AlipayKeys = nil
	c.AppCertificate = alipaytest.Certificate(keys().App, "app", 1, from, until)
	c.RootCertificates = append(alipaytest.Certificate(keysOf()[1].Alipay, "root 1", 2, from, until),
		alipaytest.Certificate(keysOf()[1].App, "root 2", 3, from, until)...)
	c.AlipayCertificates = [][]byte{own}
	return account(t, c), serial(t, own)
}

func gateway(t testing.TB, d *alipaytest.Double, a alipay.Account, change ...func(*alipay.Config)) *alipay.Gateway {
	t.Helper()
	c := alipay.Config{
		Accounts: func(hyperlocal.TenantID) (alipay.Account, bool) { return a, true },
		BaseURL:  d.URL(), HTTPClient: d.Client(), BillHosts: []string{d.Host()}, Timeout: 5 * time.Second,
	}
	for _, f := range change {
		f(&c)
	}
	g, err := alipay.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func open(t testing.TB, c alipaytest.Config) *alipaytest.Double {
	t.Helper()
	c.Keys = keys()
	d := alipaytest.Open(c)
	t.Cleanup(d.Close)
	return d
}

func TestGateway(t *testing.T) {
	t.Parallel()
	all := []gatewaytest.Scenario{gatewaytest.Succeeds, gatewaytest.DeclinedHard, gatewaytest.DeclinedSoft, gatewaytest.Invalid,
		gatewaytest.RateLimited, gatewaytest.ProviderDown, gatewaytest.LosesRequest, gatewaytest.NeedsAction, gatewaytest.RefundLosesAnswer}
	for name, c := range map[string]struct {
		method       string
		certificates bool
		scenarios    []gatewaytest.Scenario
	}{
		// A link is made without a call, so that only a QR code has an answer to lose.
		"qr":                    {alipay.QR, false, append([]gatewaytest.Scenario{gatewaytest.LosesAnswer}, all...)},
		"qr, certificates":      {alipay.QR, true, append([]gatewaytest.Scenario{gatewaytest.LosesAnswer}, all...)},
		"page":                  {alipay.Page, false, all},
		"app, and certificates": {alipay.App, true, all},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gatewaytest.Run(t, func(t *testing.T) gatewaytest.Harness {
				a, config := account(t, accountConfig()), alipaytest.Config{}
				if c.certificates {
					now := time.Now()
					a, config.Serial = certificateAccount(t, now.Add(-time.Hour), now.Add(time.Hour))
				}
				d := open(t, config)
				s := alipaytest.NewShopper(gateway(t, d, a), d, c.method)
				methods := make(map[gatewaytest.Scenario]string)
				for _, scenario := range c.scenarios {
					methods[scenario] = string(scenario)
				}
				return gatewaytest.Harness{Gateway: s, Methods: methods, Moved: s.Moved, Complete: s.Complete, Webhook: s.Webhook}
			})
		})
	}
}
