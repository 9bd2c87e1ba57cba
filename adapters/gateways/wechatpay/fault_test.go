package wechatpay_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/wechatpay"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/wechatpay/wechatpaytest"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// faults are what may go wrong, and whether the request has been processed then.
var faults = map[wechatpaytest.Fault]bool{
	wechatpaytest.Reset: false, wechatpaytest.Refuse503: false, wechatpaytest.Redirect: false,
	wechatpaytest.Lose: true, wechatpaytest.Hang: true, wechatpaytest.Truncate: true, wechatpaytest.Answer500: true,
	wechatpaytest.Huge: true, wechatpaytest.Unsigned: true, wechatpaytest.BadSignature: true, wechatpaytest.Probe: true,
	wechatpaytest.OtherSerial: true, wechatpaytest.OldSig: true, wechatpaytest.Garbage: true,
}

// hangs is how long a call may take in tests that hold an answer back: long enough for a busy
// machine to give the others.
const hangs = 3 * time.Second

// doubtful checks an error that leaves the outcome open, and that it holds nothing of the
// request and no secret.
func (w *world) doubtful(what string, res payment.Result, err error) {
	w.t.Helper()
	if err == nil || res != (payment.Result{}) {
		w.t.Errorf("%s: %+v, %v; want an error", what, res, err)
		return
	}
	if errors.Is(err, payment.ErrNotSent) {
		w.t.Errorf("%s reads as if nothing was sent: %v", what, err)
	}
	w.silent(what, err)
}

// silent checks that an error says nothing of what was sent, and no secret.
func (w *world) silent(what string, err error) {
	w.t.Helper()
	for _, secret := range []string{"mchid", w.account.MerchantID, w.account.Serial, wechatpaytest.APIv3Key, "out-trade-no", "nonce_str", "\"nonce",
		"signature=", "token=", "openid", "intent/", "\"ciphertext", "attempt/", "WECHATPAY/SIGNTEST/"} {
		if strings.Contains(err.Error(), secret) {
			w.t.Errorf("%s: the error holds %q: %v", what, secret, err)
		}
	}
}

// Whatever goes wrong with placing an order, it is never a success and never a decline, and a
// lookup tells the truth.
func TestOrderFaults(t *testing.T) {
	t.Parallel()
	for fault, processed := range faults {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(w *world) { w.config.Timeout = hangs })
			r := chargeOf(t, 1999, "native")
			w.server.FailNext("/native", fault)
			res, err := w.gw.Authorize(t.Context(), r)
			w.doubtful("placing", res, err)
			if found := w.lookup(r.Request, hyperlocal.VerbCharge); found.Known != processed {
				t.Errorf("looked up %+v, processed %v", found, processed)
			}
			if res := w.charge(r); res.Outcome != hyperlocal.OutcomeAction || res.Action == "" {
				t.Errorf("placed again: %+v", res)
			}
		})
	}
}

// The same for a refund, where an order's money could leave twice.
func TestRefundFaults(t *testing.T) {
	t.Parallel()
	for fault, processed := range faults {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(w *world) { w.config.Timeout = hangs })
			_, paid := w.paid(1999)
			r := refundOf(t, 1999, paid)
			w.server.FailNext("/refunds", fault)
			res, err := w.gw.Refund(t.Context(), r)
			w.doubtful("refunding", res, err)
			found, err := w.gw.Lookup(t.Context(), payment.LookupRequest{Request: r.Request, Verb: hyperlocal.VerbRefund, Payment: paid})
			if err != nil || found.Known != processed {
				t.Errorf("looked up %+v, %v, processed %v", found, err, processed)
			}
			if res := w.refund(r); res.Outcome != hyperlocal.OutcomeSucceeded || res.Amount != r.Amount {
				t.Errorf("refunded again: %+v", res)
			}
			if moved := w.server.Refunds(""); len(moved) != 1 {
				t.Errorf("%d refunds", len(moved))
			}
		})
	}
}

// A refund asks for its order first; when that fails nothing has been sent.
func TestRefundNotSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, paid := w.paid(1999)
	w.server.FailNext("/out-trade-no/", wechatpaytest.Answer500)
	_, err := w.gw.Refund(t.Context(), refundOf(t, 100, paid))
	if !errors.Is(err, payment.ErrNotSent) || len(w.server.Refunds("")) != 0 {
		t.Errorf("%v, %v", err, w.server.Refunds(""))
	}
	w.silent("asking first", err)
}

// A lookup that did not get through never says that nothing is known; one about somebody
// else's order is no answer.
func TestLookupFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.config.Timeout = hangs })
	r, paid := w.paid(1999)
	back := refundOf(t, 100, paid)
	w.refund(back)
	all := []wechatpaytest.Fault{wechatpaytest.OtherOrder, wechatpaytest.OtherRefund, wechatpaytest.OtherMerchant, wechatpaytest.Limit}
	for fault := range faults {
		all = append(all, fault)
	}
	for _, fault := range all {
		w.server.Fail(func(*http.Request) wechatpaytest.Fault { return fault })
		if fault != wechatpaytest.OtherRefund {
			found, err := w.gw.Lookup(t.Context(), payment.LookupRequest{Request: r.Request, Verb: hyperlocal.VerbCharge})
			if err == nil || found != (payment.LookupResult{}) {
				t.Errorf("%s: %+v, %v", fault, found, err)
			}
		}
		if fault != wechatpaytest.OtherMerchant && fault != wechatpaytest.Hang { // a refund does not name its merchant
			found, err := w.gw.Lookup(t.Context(), payment.LookupRequest{Request: back.Request, Verb: hyperlocal.VerbRefund, Payment: paid})
			if err == nil || found != (payment.LookupResult{}) {
				t.Errorf("%s: refund %+v, %v", fault, found, err)
			}
		}
	}
	w.server.Fail(nil)
	other := payment.LookupRequest{Request: back.Request, Verb: hyperlocal.VerbRefund, Payment: "hlsomebodyelses"}
	if found, err := w.gw.Lookup(t.Context(), other); err == nil {
		t.Errorf("a refund of another order: %+v", found)
	}
}

// A refusal that is signed wrongly is no refusal.
func TestForgedRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, fault := range []wechatpaytest.Fault{wechatpaytest.BadSignature, wechatpaytest.Probe, wechatpaytest.OtherSerial, wechatpaytest.OldSig} {
		w.server.Fail(func(*http.Request) wechatpaytest.Fault { return fault })
		r := chargeOf(t, 1, "jsapi:"+wechatpaytest.DeclinedHard)
		res, err := w.gw.Authorize(t.Context(), r)
		w.doubtful(string(fault), res, err)
		for _, verb := range []hyperlocal.PaymentVerb{hyperlocal.VerbCharge, hyperlocal.VerbRefund} {
			if found, err := w.gw.Lookup(t.Context(), payment.LookupRequest{Request: r.Request, Verb: verb}); err == nil {
				t.Errorf("%s: a lookup is sure of %+v", fault, found)
			}
		}
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.server.FailNext("/native", wechatpaytest.Limit)
	res := w.charge(chargeOf(t, 1, "native"))
	if res.Outcome != hyperlocal.OutcomeDeclined || res.Class != hyperlocal.DeclineRateLimited || res.RetryAfter != 7*time.Second {
		t.Errorf("%+v", res)
	}
}

// Answers that no double of ours gives: unsigned pages of somebody in between, odd codes, dates
// in Retry-After.
func TestForeignAnswers(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		status     int
		body       string
		retry      string
		class      hyperlocal.DeclineClass
		retryAfter time.Duration
	}{
		"a page of a proxy":       {status: 404, body: "<html>not found</html>"},
		"a code that is unknown":  {status: 400, body: `{"code":"SOMETHING_NEW","message":"..."}`},
		"a code that is no code":  {status: 400, body: `{"code":"mchid=1900000109 nonce"}`},
		"forbidden without code":  {status: 403, body: `{}`},
		"see other":               {status: 303, body: `{"code":"PARAM_ERROR"}`},
		"a number that is free":   {status: 400, body: `{"code":"INVALID_REQUEST"}`, class: hyperlocal.DeclineInvalid},
		"a refusal":               {status: 403, body: `{"code":"NO_AUTH"}`, class: hyperlocal.DeclineInvalid},
		"too many, by whoever":    {status: 429, body: `slow down`, class: hyperlocal.DeclineRateLimited},
		"too many, until a date":  {status: 429, body: `{}`, retry: "Sat, 21 Nov 2026 12:01:00 GMT", class: hyperlocal.DeclineRateLimited, retryAfter: time.Minute},
		"too many, nonsense time": {status: 429, body: `{}`, retry: "-5", class: hyperlocal.DeclineRateLimited},
		"success without a proof": {status: 200, body: `{"code_url":"weixin://wxpay/bizpayurl?pr=1"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					rw.WriteHeader(http.StatusNotFound)
					_, _ = rw.Write([]byte(`{"code":"ORDER_NOT_EXIST"}`))
					return
				}
				rw.Header().Set("Retry-After", c.retry)
				rw.WriteHeader(c.status)
				_, _ = rw.Write([]byte(c.body))
			}))
			t.Cleanup(h.Close)
			w := newWorld(t, func(w *world) {
				w.config.BaseURL, w.config.Clock = h.URL, hyperlocal.ClockFunc(func() time.Time { return now })
			})
			res, err := w.gw.Authorize(t.Context(), chargeOf(t, 1, "native"))
			if c.class == "" {
				w.doubtful(name, res, err)
				return
			}
			if err != nil || res.Class != c.class || res.RetryAfter != c.retryAfter {
				t.Errorf("%+v, %v", res, err)
			}
		})
	}
}

func TestNotSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.config.BaseURL = "http://127.0.0.1:1" })
	_, err := w.gw.Authorize(t.Context(), chargeOf(t, 1, "native"))
	if !errors.Is(err, payment.ErrNotSent) {
		t.Errorf("nobody listens: %v", err)
	}
	w.silent("nobody listens", err)

	w = newWorld(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.gw.Authorize(ctx, chargeOf(t, 1, "native")); !errors.Is(err, payment.ErrNotSent) {
		t.Errorf("cancelled: %v", err)
	}
	r := chargeOf(t, 1, "native")
	r.Tenant = "nobody"
	_, err = w.gw.Authorize(t.Context(), r)
	if !errors.Is(err, payment.ErrNotSent) || !errors.Is(err, wechatpay.ErrNoAccount) || hyperlocal.ReasonOf(err) != wechatpay.ErrNoAccount.Reason {
		t.Errorf("no account: %v", err)
	}
	w.account.APIv3Keys = nil
	_, err = w.gw.Authorize(t.Context(), chargeOf(t, 1, "native"))
	if !errors.Is(err, payment.ErrNotSent) || !errors.Is(err, wechatpay.ErrAccount) {
		t.Errorf("a broken account: %v", err)
	}
	if n := len(w.server.Requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// A transport that tells nothing about connections leaves the outcome open.
func TestUnknownTransport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) {
		w.config.HTTPClient = &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) { return nil, errors.New("went away") })}
	})
	res, err := w.gw.Authorize(t.Context(), chargeOf(t, 1, "native"))
	w.doubtful("an opaque transport", res, err)
}

// The number is taken, and nobody can be reached who knows by whom: that the question was not
// sent must not read as if the order was not.
func TestTakenAndNobodyToAsk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) {
		w.config.HTTPClient = &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodGet {
				return nil, &net.OpError{Op: "dial", Err: errors.New("nobody there")}
			}
			return http.DefaultTransport.RoundTrip(r)
		})}
	})
	r := chargeOf(t, 1, "jsapi:"+wechatpaytest.Pays)
	w.charge(r)
	res, err := w.gw.Authorize(t.Context(), r)
	w.doubtful("placing again", res, err)
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
