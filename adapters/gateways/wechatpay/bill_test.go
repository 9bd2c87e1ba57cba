package wechatpay_test

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/wechatpay"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/wechatpay/wechatpaytest"
)

func TestTradeBill(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.config.MaxBill = 1 << 20 })
	var got bytes.Buffer
	bill := func() error {
		got.Reset()
		return w.gw.TradeBill(t.Context(), shop, "2026-11-20", &got)
	}
	want := func(what string, err error, sentinel *hyperlocal.Error) {
		t.Helper()
		if hyperlocal.ReasonOf(err) != sentinel.Reason {
			t.Errorf("%s: %v, want %s", what, err, sentinel.Reason)
			return
		}
		w.silent(what, err)
	}
	want("no trade", bill(), wechatpay.ErrNoBill)
	text := []byte(strings.Repeat("`2026-11-20 10:00:00,`wx,`1900000109\r\n", 1000))
	w.server.SetBill(text, "", "")
	if err := bill(); err != nil || !bytes.Equal(got.Bytes(), text) {
		t.Errorf("%d bytes, %v", got.Len(), err)
	}
	w.server.SetBill(text, strings.Repeat("0", 40), "")
	want("another digest", bill(), wechatpay.ErrBill)
	w.server.SetBill(text, "", "https://bills.example")
	want("another host", bill(), wechatpay.ErrAnswer)
	w.server.SetBill(text, "", "http://api.mch.weixin.qq.com")
	want("in clear text", bill(), wechatpay.ErrAnswer)
	w.server.SetBill(bytes.Repeat([]byte("x"), 3<<20), "", "")
	want("too long", bill(), wechatpay.ErrBill)
	if got.Len() > 1<<20+1 {
		t.Errorf("%d bytes were written", got.Len())
	}
	w.server.SetBill(text, "", "")
	for _, fault := range []wechatpaytest.Fault{wechatpaytest.Truncate, wechatpaytest.Refuse503} {
		w.server.FailNext("/billdownload", fault)
		want(string(fault), bill(), wechatpay.ErrBill)
	}
	w.server.Fail(func(r *http.Request) wechatpaytest.Fault { // a broken question is asked again by net/http
		if strings.Contains(r.URL.Path, "/billdownload") {
			return wechatpaytest.Reset
		}
		return ""
	})
	want("reset", bill(), wechatpay.ErrNoAnswer)
	w.server.FailNext("/tradebill", wechatpaytest.BadSignature)
	want("an announcement that is not signed", bill(), wechatpay.ErrAnswer)
	w.server.Fail(func(*http.Request) wechatpaytest.Fault { return wechatpaytest.Limit })
	want("too often", bill(), wechatpay.ErrRefused)
	w.server.Fail(nil)
	if err := w.gw.TradeBill(t.Context(), shop, "2026-11-20", full{}); !errors.Is(err, errFull) {
		t.Errorf("a writer that is full: %v", err)
	}
	for _, day := range []string{"", "20261120", "2026-02-30", "2026-11-20&bill_type=X"} {
		if err := w.gw.TradeBill(t.Context(), shop, day, &got); !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
			t.Errorf("%q: %v", day, err)
		}
	}
}

var errFull = errors.New("full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
