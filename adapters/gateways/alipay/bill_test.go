package alipay_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/alipay"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/alipay/alipaytest"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

func TestBill(t *testing.T) {
	t.Parallel()
	d := open(t, alipaytest.Config{})
	g := gateway(t, d, account(t, accountConfig()))
	file := bytes.Repeat([]byte("PK\x03\x04\x00\xff"), 1000)
	d.SetBill(alipay.BillTrade, "2026-11-20", file)
	got, err := g.Bill(t.Context(), "shop", alipay.BillRequest{Kind: alipay.BillTrade, Date: "2026-11-20"})
	if err != nil || !bytes.Equal(got, file) {
		t.Fatalf("%d bytes, %v; want %d", len(got), err, len(file))
	}
	_, err = g.Bill(t.Context(), "shop", alipay.BillRequest{Kind: alipay.BillAccounts, Date: "2026-11"})
	wantErr(t, err, alipay.ErrNoBill)

	exact := gateway(t, d, account(t, accountConfig()), func(c *alipay.Config) { c.MaxBill = int64(len(file)) })
	if _, err := exact.Bill(t.Context(), "shop", alipay.BillRequest{Kind: alipay.BillTrade, Date: "2026-11-20"}); err != nil {
		t.Error(err)
	}
	small := gateway(t, d, account(t, accountConfig()), func(c *alipay.Config) { c.MaxBill = int64(len(file)) - 1 })
	_, err = small.Bill(t.Context(), "shop", alipay.BillRequest{Kind: alipay.BillTrade, Date: "2026-11-20"})
	wantErr(t, err, alipay.ErrBillTooLarge)

	calls := d.Calls("")
	for _, r := range []alipay.BillRequest{{}, {Kind: "trade"}, {Kind: "salary", Date: "2026-11"}, {Kind: "trade", Date: "2026-11-20&x=y"},
		{Kind: "trade", Date: "20261120"}, {Kind: "trade", Date: "２０２６-11"}} {
		if _, err := g.Bill(t.Context(), "shop", r); !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if d.Calls("") != calls {
		t.Error("a bad request was sent")
	}
}

// An address from outside is called at known hosts alone, and never told.
func TestBillHost(t *testing.T) {
	t.Parallel()
	var visits atomic.Int64
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		visits.Add(1)
		_, _ = w.Write([]byte("gotcha"))
	}))
	defer foreign.Close()
	host := strings.TrimPrefix(foreign.URL, "http://")
	for address, want := range map[string]error{
		foreign.URL + "/bill?token=secret":                            alipay.ErrBillHost,
		"http://dwbillcenter.alipay.com@" + host + "/?token=secret":   alipay.ErrBadAnswer,
		"http://dwbillcenter.alipay.com.evil.example/?token=secret":   alipay.ErrBillHost,
		"http://169.254.169.254/latest/meta-data?token=secret":        alipay.ErrBillHost,
		"file:///etc/passwd?token=secret":                             alipay.ErrBadAnswer,
		"//" + host + "/?token=secret":                                alipay.ErrBadAnswer,
		"":                                                            alipay.ErrBadAnswer,
		"http://[::1":                                                 alipay.ErrBadAnswer,
		"http://dwbillcenter.alipay.com\\@" + host + "/?token=secret": alipay.ErrBadAnswer,
	} {
		d := open(t, alipaytest.Config{})
		g := gateway(t, d, account(t, accountConfig()))
		d.OfferBillAt(address)
		_, err := g.Bill(t.Context(), "shop", alipay.BillRequest{Kind: alipay.BillTrade, Date: "2026-11-20"})
		if address != "" {
			wantErr(t, err, want)
		}
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", address, err)
		}
	}
	// Nobody listens at an allowed host: the error does not tell the address.
	d := open(t, alipaytest.Config{})
	g := gateway(t, d, account(t, accountConfig()), func(c *alipay.Config) { c.BillHosts = []string{"127.0.0.1:1"} })
	d.OfferBillAt("http://127.0.0.1:1/?token=secret")
	_, err := g.Bill(t.Context(), "shop", alipay.BillRequest{Kind: alipay.BillTrade, Date: "2026-11-20"})
	wantErr(t, err, payment.ErrNotSent)
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error tells the address: %v", err)
	}
	if visits.Load() != 0 {
		t.Errorf("%d visits to a foreign host", visits.Load())
	}
}

// A redirect is not followed, neither from the gateway nor from the bill's host.
func TestRedirects(t *testing.T) {
	t.Parallel()
	var visits atomic.Int64
	foreign := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	defer foreign.Close()
	away := httptest.NewServer(http.RedirectHandler(foreign.URL, http.StatusFound))
	defer away.Close()
	d := open(t, alipaytest.Config{})
	g := gateway(t, d, account(t, accountConfig()), func(c *alipay.Config) {
		c.BillHosts = []string{strings.TrimPrefix(away.URL, "http://")}
	})
	d.OfferBillAt(away.URL)
	_, err := g.Bill(t.Context(), "shop", alipay.BillRequest{Kind: alipay.BillTrade, Date: "2026-11-20"})
	wantErr(t, err, alipay.ErrNoAnswer)
	for _, status := range []int{301, 302, 303, 307, 308} {
		r := charge(t, alipay.QR, 1)
		d.Script(alipay.TradeNumber("shop", r.Key), "alipay.trade.query", alipaytest.Fault{Status: status, Location: foreign.URL})
		_, err := g.Authorize(t.Context(), r)
		wantErr(t, err, alipay.ErrNoAnswer)
	}
	if visits.Load() != 0 {
		t.Errorf("%d redirects were followed", visits.Load())
	}
}
