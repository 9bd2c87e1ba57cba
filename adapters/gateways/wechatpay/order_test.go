package wechatpay_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/wechatpay"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/wechatpay/wechatpaytest"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// signedByMerchant checks a payment call with a few lines of its own.
func (w *world) signedByMerchant(message, signature string) {
	w.t.Helper()
	raw, err := base64.StdEncoding.DecodeString(signature)
	sum := sha256.Sum256([]byte(message))
	if err != nil || rsa.VerifyPKCS1v15(&w.keys.Merchant.PublicKey, crypto.SHA256, sum[:], raw) != nil {
		w.t.Errorf("the payment call is not signed: %q", message)
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)

	native := w.charge(chargeOf(t, 100, "native"))
	if native.Outcome != hyperlocal.OutcomeAction || !strings.HasPrefix(native.Action, "weixin://wxpay/") {
		t.Errorf("native: %+v", native)
	}

	var page map[string]string
	jsapi := w.charge(chargeOf(t, 100, "jsapi:waits-o_1"))
	if err := json.Unmarshal([]byte(jsapi.Action), &page); err != nil || page["appId"] != wechatpaytest.AppID || page["signType"] != "RSA" ||
		page["package"] != "prepay_id=wx"+jsapi.Provider {
		t.Errorf("jsapi: %+v", jsapi)
	}
	w.signedByMerchant(page["appId"]+"\n"+page["timeStamp"]+"\n"+page["nonceStr"]+"\n"+page["package"]+"\n", page["paySign"])

	var app map[string]string
	inApp := w.charge(chargeOf(t, 100, "app"))
	if err := json.Unmarshal([]byte(inApp.Action), &app); err != nil || app["appid"] != wechatpaytest.MobileAppID ||
		app["partnerid"] != wechatpaytest.MerchantID || app["package"] != "Sign=WXPay" || app["prepayid"] != "wx"+inApp.Provider {
		t.Errorf("app: %+v", inApp)
	}
	w.signedByMerchant(app["appid"]+"\n"+app["timestamp"]+"\n"+app["noncestr"]+"\n"+app["prepayid"]+"\n", app["sign"])

	for _, res := range []payment.Result{native, jsapi, inApp} {
		if len(res.Action) > payment.MaxAction {
			t.Errorf("an action of %d bytes", len(res.Action))
		}
		if o, _ := w.server.Order(res.Provider); o.Description != "Order" || o.NotifyURL != w.account.NotifyURL {
			t.Errorf("%+v", o)
		}
	}
}

// What cannot be sent is refused before anything is.
func TestRefusedHere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, paid := w.paid(1000)
	before := len(w.server.Requests())
	for _, method := range []string{"", "card", "jsapi", "jsapi:", "jsapi:o p", "jsapi:" + strings.Repeat("o", 129), "jsapi:张三", "native:x",
		"app:x", "JSAPI:o", "jsapi:o\n"} {
		if res := w.charge(chargeOf(t, 1, method)); res.Class != hyperlocal.DeclineInvalid || res.Code != "unknown_method" {
			t.Errorf("%q: %+v", method, res)
		}
	}
	for _, c := range []struct {
		currency hyperlocal.Currency
		minor    int64
	}{{"JPY", 100}, {"KWD", 1000}, {"USD", 100}, {"HKD", 100}, {"CNY", 0}, {"CNY", -1}} {
		m, err := hyperlocal.NewMoney(c.minor, c.currency)
		if err != nil {
			t.Fatal(err)
		}
		r, back := chargeOf(t, 1, "native"), refundOf(t, 1, paid)
		r.Amount, back.Amount = m, m
		if res := w.charge(r); res.Class != hyperlocal.DeclineInvalid {
			t.Errorf("%v: %+v", m, res)
		}
		if res := w.refund(back); res.Class != hyperlocal.DeclineInvalid {
			t.Errorf("refund of %v: %+v", m, res)
		}
	}
	for _, key := range []string{"", "a b", "键", strings.Repeat("k", 129), "a\nb"} {
		r := chargeOf(t, 1, "native")
		r.Key = key
		if res := w.charge(r); res.Class != hyperlocal.DeclineInvalid {
			t.Errorf("key %q: %+v", key, res)
		}
	}
	hold := chargeOf(t, 1, "native")
	hold.CaptureNow = false
	if res := w.charge(hold); res.Class != hyperlocal.DeclineInvalid {
		t.Errorf("a hold: %+v", res)
	}
	for _, of := range []string{"", "x", "../../x", strings.Repeat("x", 33), "a/b/c/d"} {
		if res := w.refund(refundOf(t, 1, of)); res.Class != hyperlocal.DeclineInvalid {
			t.Errorf("a refund of %q: %+v", of, res)
		}
	}
	if after := len(w.server.Requests()); after != before {
		t.Errorf("%d requests were sent", after-before)
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r := chargeOf(t, 500, "native")
	number := w.charge(r).Provider
	for state, want := range map[string]hyperlocal.PaymentOutcome{
		"SUCCESS": hyperlocal.OutcomeSucceeded, "REFUND": hyperlocal.OutcomeSucceeded, "NOTPAY": hyperlocal.OutcomeAction,
		"USERPAYING": hyperlocal.OutcomePending, "PAYERROR": hyperlocal.OutcomePending, "CLOSED": hyperlocal.OutcomeDeclined,
		"REVOKED": hyperlocal.OutcomeDeclined,
	} {
		w.server.SetState(number, state)
		found := w.lookup(r.Request, hyperlocal.VerbCharge)
		if !found.Known || found.Outcome != want || found.Provider != number || found.Amount != r.Amount {
			t.Errorf("%s: %+v", state, found)
		}
	}
	w.server.SetState(number, "ACCEPT")
	if found, err := w.gw.Lookup(t.Context(), payment.LookupRequest{Request: r.Request, Verb: hyperlocal.VerbCharge}); err == nil {
		t.Errorf("a state that is not known: %+v", found)
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r := chargeOf(t, 500, "native")
	w.charge(r)
	for range 2 {
		if err := w.gw.Close(t.Context(), shop, r.Key); err != nil {
			t.Fatal(err)
		}
	}
	if found := w.lookup(r.Request, hyperlocal.VerbCharge); found.Outcome != hyperlocal.OutcomeDeclined || found.Code != "CLOSED" {
		t.Errorf("%+v", found)
	}
	if res := w.charge(r); res.Outcome != hyperlocal.OutcomeDeclined {
		t.Errorf("placed again after it was closed: %+v", res)
	}
	paid, _ := w.paid(100)
	if err := w.gw.Close(t.Context(), shop, paid.Key); hyperlocal.ReasonOf(err) != wechatpay.ErrPaid.Reason {
		t.Errorf("closing what is paid: %v", err)
	}
	if err := w.gw.Close(t.Context(), shop, "intent/none"); hyperlocal.ReasonOf(err) != wechatpay.ErrNotFound.Reason {
		t.Errorf("closing nothing: %v", err)
	}
	w.server.FailNext("/close", wechatpaytest.Limit)
	if err := w.gw.Close(t.Context(), shop, r.Key); hyperlocal.ReasonOf(err) != wechatpay.ErrRefused.Reason {
		t.Errorf("too often: %v", err)
	}
}

// An order ends a while after its operation was made, so that it is the same whenever it is
// sent.
func TestExpiry(t *testing.T) {
	t.Parallel()
	now := time.Now()
	w := newWorld(t, func(w *world) {
		w.server.Now = func() time.Time { return now }
		w.config.Clock = hyperlocal.ClockFunc(w.server.Now)
		w.config.PayWithin = 20 * time.Minute
	})
	r := chargeOf(t, 1, "native")
	w.charge(r)
	first, _ := w.server.ByAttach(r.Key)
	end, err := time.Parse(time.RFC3339, first.Expires)
	if err != nil || end.Sub(now).Abs() > 21*time.Minute || end.Sub(now) < 19*time.Minute || !strings.HasSuffix(first.Expires, "+08:00") {
		t.Errorf("%s, now %s", first.Expires, now)
	}
	now = now.Add(3 * time.Minute)
	if res := w.charge(r); res.Action == "" {
		t.Errorf("the same order, later: %+v", res)
	}
	r = chargeOf(t, 1, "native")
	now = now.Add(-12 * time.Hour) // clocks that have nothing to do with the ids
	w.charge(r)
	if o, _ := w.server.ByAttach(r.Key); !strings.HasPrefix(o.Expires, now.Add(20*time.Minute).In(time.FixedZone("", 8*3600)).Format("2006-01-02T15:04")) {
		t.Errorf("%s, now %s", o.Expires, now)
	}
}

// An order that nobody paid in time does not wait for ever, and one that was paid in the last
// moment stays paid.
func TestOver(t *testing.T) {
	t.Parallel()
	for name, paid := range map[string]bool{"nobody paid": false, "paid in the last moment": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Now()
			w := newWorld(t, func(w *world) {
				w.server.Now = func() time.Time { return now }
				w.config.Clock = hyperlocal.ClockFunc(w.server.Now)
			})
			r := chargeOf(t, 1, "native")
			number := w.charge(r).Provider
			now = now.Add(44 * time.Minute)
			if found := w.lookup(r.Request, hyperlocal.VerbCharge); found.Outcome != hyperlocal.OutcomeAction {
				t.Errorf("before its time is over: %+v", found)
			}
			now = now.Add(2 * time.Minute)
			w.server.FailNext("/close", wechatpaytest.Answer500)
			if !paid {
				if found, err := w.gw.Lookup(t.Context(), payment.LookupRequest{Request: r.Request, Verb: hyperlocal.VerbCharge}); err == nil {
					t.Errorf("closing went wrong: %+v", found)
				}
				w.server.SetState(number, "NOTPAY")
			}
			w.server.Fail(func(r *http.Request) wechatpaytest.Fault {
				if paid && strings.HasSuffix(r.URL.Path, "/close") {
					w.server.End(number, true)
				}
				return ""
			})
			want := map[bool]hyperlocal.PaymentOutcome{true: hyperlocal.OutcomeSucceeded, false: hyperlocal.OutcomeDeclined}[paid]
			if found := w.lookup(r.Request, hyperlocal.VerbCharge); found.Outcome != want {
				t.Errorf("%+v, want %s", found, want)
			}
		})
	}
}

// Tenants that share an account do not see each other's payments.
func TestTenantsApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r, paid := w.paid(1000)
	back := refundOf(t, 10, paid)
	w.refund(back)
	other := r.Request
	other.Tenant = "other"
	if found := w.lookup(other, hyperlocal.VerbCharge); found.Known {
		t.Errorf("another tenant finds %+v", found)
	}
	other = back.Request
	other.Tenant = "other"
	if found := w.lookup(other, hyperlocal.VerbRefund); found.Known {
		t.Errorf("another tenant finds %+v", found)
	}
}

func TestRefunds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r := chargeOf(t, 1000, "jsapi:"+wechatpaytest.RefundPends)
	paid := w.charge(r).Provider
	back := refundOf(t, 300, paid)
	res := w.refund(back)
	if res.Outcome != hyperlocal.OutcomePending || res.Provider == "" {
		t.Fatalf("%+v", res)
	}
	for status, want := range map[string]hyperlocal.PaymentOutcome{
		"SUCCESS": hyperlocal.OutcomeSucceeded, "PROCESSING": hyperlocal.OutcomePending, "ABNORMAL": hyperlocal.OutcomePending,
		"CLOSED": hyperlocal.OutcomeDeclined,
	} {
		w.server.SetRefund(res.Provider, status)
		found := w.lookup(back.Request, hyperlocal.VerbRefund)
		if !found.Known || found.Outcome != want || found.Amount != back.Amount {
			t.Errorf("%s: %+v", status, found)
		}
	}
	other := back
	other.Amount = yuan(t, 301)
	if res := w.refund(other); res.Class != hyperlocal.DeclineInvalid {
		t.Errorf("another amount under the same key: %+v", res)
	}
	if res := w.refund(refundOf(t, 1001, paid)); res.Class != hyperlocal.DeclineInvalid || res.Code != "refund_exceeds_payment" {
		t.Errorf("one fen too much: %+v", res)
	}
	waits := w.charge(chargeOf(t, 1000, "native")).Provider
	if res := w.refund(refundOf(t, 1, waits)); res.Class != hyperlocal.DeclineInvalid || res.Code != "not_paid" {
		t.Errorf("a refund of what is not paid: %+v", res)
	}
	if n := slices.IndexFunc(w.server.Complaints(), func(string) bool { return true }); n >= 0 {
		t.Errorf("the provider complains: %q", w.server.Complaints())
	}
}
