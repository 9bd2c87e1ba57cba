package alipay_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/alipay"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/alipay/alipaytest"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

func fen(t testing.TB, n int64) hyperlocal.Money {
	t.Helper()
	m, err := hyperlocal.NewMoney(n, alipay.Currency)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// charge returns a request with an intent and an operation of its own.
func charge(t testing.TB, method string, n int64) payment.AuthorizeRequest {
	t.Helper()
	intent := hyperlocal.RandomIDs{}.NewID()
	return payment.AuthorizeRequest{CaptureNow: true, Method: method, Request: payment.Request{
		Tenant: "shop", Key: "intent/" + intent + "/attempt/1/charge", Intent: intent,
		Operation: hyperlocal.RandomIDs{}.NewID(), Attempt: 1, Amount: fen(t, n),
	}}
}

func lookup(r payment.AuthorizeRequest, provider string) payment.LookupRequest {
	return payment.LookupRequest{Request: r.Request, Verb: hyperlocal.VerbCharge, Provider: provider}
}

func wantErr(t testing.TB, err error, targets ...error) {
	t.Helper()
	for _, target := range targets {
		if !errors.Is(err, target) {
			t.Errorf("error %v; want %v", err, target)
		}
	}
}

// clock is a clock that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func TestLinks(t *testing.T) {
	t.Parallel()
	d := open(t, alipaytest.Config{})
	g := gateway(t, d, account(t, accountConfig()))
	for method, prefix := range map[string]string{alipay.Page: d.URL() + "?", alipay.App: "alipay_", alipay.QR: "https://qr.alipay.com/"} {
		r := charge(t, method, 1999)
		res, err := g.Authorize(t.Context(), r)
		if err != nil || res.Outcome != hyperlocal.OutcomeAction || len(res.Action) > payment.MaxAction {
			t.Fatalf("%s: %+v, %v", method, res, err)
		}
		if method != alipay.App && !strings.HasPrefix(res.Action, prefix) {
			t.Errorf("%s: action %q", method, res.Action)
		}
		if method != alipay.QR {
			values, err := url.ParseQuery(strings.TrimPrefix(res.Action, prefix))
			if err != nil || values.Get("notify_url") != "https://shop.example/webhooks/alipay" ||
				(values.Get("return_url") == "") != (method == alipay.App) {
				t.Errorf("%s: %v, %v", method, values, err)
			}
		}
		number, err := d.Follow(res.Action)
		if err != nil || number != res.Provider || number != alipay.TradeNumber("shop", r.Key) {
			t.Fatalf("%s: the shopper comes to %q, %v", method, number, err)
		}
		trade := d.Trade(number)
		born := time.Now() // the operation is some milliseconds old
		if trade.Fen != 1999 || trade.Expires.Before(born.Add(14*time.Minute)) || trade.Expires.After(born.Add(15*time.Minute)) {
			t.Errorf("%s: Alipay read %+v", method, trade)
		}
	}
}

// No request carries anything but ids, amounts and fixed words.
func TestRequestsCarryNoText(t *testing.T) {
	t.Parallel()
	d := open(t, alipaytest.Config{})
	g := gateway(t, d, account(t, accountConfig()))
	r := charge(t, alipay.QR, 500)
	res, err := g.Authorize(t.Context(), r)
	if err != nil || !d.Pay(res.Provider) {
		t.Fatal(res, err)
	}
	_, err = g.Refund(t.Context(), payment.RefundRequest{Request: payment.Request{Tenant: "shop", Key: "refund/" + r.Operation,
		Operation: r.Operation, Amount: fen(t, 500)}, Payment: res.Provider})
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{"out_trade_no": true, "total_amount": true, "subject": true, "product_code": true, "time_expire": true,
		"refund_amount": true, "out_request_no": true}
	for _, values := range d.Requests() {
		biz := make(map[string]string)
		if err := json.Unmarshal([]byte(values.Get("biz_content")), &biz); err != nil {
			t.Fatal(err)
		}
		for name, v := range biz {
			if !allowed[name] || strings.ContainsAny(v, "&=") || name == "subject" && v != alipay.DefaultSubject {
				t.Errorf("%s sends %s %q", values.Get("method"), name, v)
			}
		}
	}
}

func TestRefusedBeforeSending(t *testing.T) {
	t.Parallel()
	d := open(t, alipaytest.Config{})
	g := gateway(t, d, account(t, accountConfig()))
	for name, change := range map[string]func(*payment.AuthorizeRequest){
		"a hold":            func(r *payment.AuthorizeRequest) { r.CaptureNow = false },
		"no method":         func(r *payment.AuthorizeRequest) { r.Method = "" },
		"an unknown method": func(r *payment.AuthorizeRequest) { r.Method = "wap" },
		"no key":            func(r *payment.AuthorizeRequest) { r.Key = "" },
		"yen":               func(r *payment.AuthorizeRequest) { r.Amount, _ = hyperlocal.NewMoney(100, "JPY") },
		"dinars":            func(r *payment.AuthorizeRequest) { r.Amount, _ = hyperlocal.NewMoney(100, "KWD") },
		"nothing":           func(r *payment.AuthorizeRequest) { r.Amount = fen(t, 0) },
		"less than nothing": func(r *payment.AuthorizeRequest) { r.Amount = fen(t, -1) },
		"too much":          func(r *payment.AuthorizeRequest) { r.Amount = fen(t, 10_000_000_001) },
	} {
		r := charge(t, alipay.QR, 100)
		change(&r)
		res, err := g.Authorize(t.Context(), r)
		if err != nil || res.Outcome != hyperlocal.OutcomeDeclined || res.Class != hyperlocal.DeclineInvalid || res.Code == "" {
			t.Errorf("%s: %+v, %v", name, res, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := g.Authorize(ended, charge(t, alipay.QR, 100))
	wantErr(t, err, payment.ErrNotSent, context.Canceled)
	if d.Calls("") != 0 {
		t.Errorf("%d calls", d.Calls(""))
	}
}

// The life of a link, from the shopper who never comes to the one who comes too late.
func TestLinkExpires(t *testing.T) {
	t.Parallel()
	for _, method := range []string{alipay.Page, alipay.App, alipay.QR} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			c := &clock{at: time.Now().Add(time.Second)}
			d := open(t, alipaytest.Config{Now: c.Now})
			g := gateway(t, d, account(t, accountConfig()), func(config *alipay.Config) { config.Clock = c })
			r := charge(t, method, 100)

			if found, err := g.Lookup(t.Context(), lookup(r, "")); err != nil || found.Known {
				t.Fatalf("before it is sent: %+v, %v", found, err)
			}
			res, err := g.Authorize(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			found, err := g.Lookup(t.Context(), lookup(r, res.Provider))
			if err != nil || !found.Known || found.Outcome != hyperlocal.OutcomeAction {
				t.Fatalf("while the link is out: %+v, %v", found, err)
			}
			c.add(10 * time.Minute)
			again, err := g.Authorize(t.Context(), r)
			if err != nil || again.Outcome != hyperlocal.OutcomeAction {
				t.Fatalf("made again: %+v, %v", again, err)
			}
			c.add(6 * time.Minute)
			for name, action := range map[string]string{"the first link": res.Action, "the second link": again.Action} {
				if number, err := d.Follow(action); err == nil {
					t.Errorf("%s still leads to %s after its time", name, number)
				}
			}
			if late, err := g.Authorize(t.Context(), r); err != nil || late.Outcome != hyperlocal.OutcomeDeclined || late.Code != alipay.CodeExpired {
				t.Errorf("made after its time: %+v, %v", late, err)
			}
			c.add(2 * time.Minute)
			found, err = g.Lookup(t.Context(), lookup(r, res.Provider))
			if err != nil || !found.Known || found.Outcome != hyperlocal.OutcomeDeclined || found.Code != alipay.CodeExpired {
				t.Errorf("after its time: %+v, %v", found, err)
			}
		})
	}
}

// A shopper who is typing the password when the time is nearly up is not declined.
func TestWaitingAtTheLastMinute(t *testing.T) {
	t.Parallel()
	c := &clock{at: time.Now().Add(time.Second)}
	d := open(t, alipaytest.Config{Now: c.Now})
	g := gateway(t, d, account(t, accountConfig()), func(config *alipay.Config) { config.Clock = c })
	r := charge(t, alipay.QR, 100)
	res, err := g.Authorize(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Follow(res.Action); err != nil {
		t.Fatal(err)
	}
	c.add(14*time.Minute + 30*time.Second)
	if again, err := g.Authorize(t.Context(), r); err != nil || again.Outcome != hyperlocal.OutcomePending {
		t.Errorf("%+v, %v; want pending", again, err)
	}
	c.add(time.Minute)
	if found, err := g.Lookup(t.Context(), lookup(r, res.Provider)); err != nil || found.Outcome != hyperlocal.OutcomeDeclined || found.Code != alipay.CodeClosed {
		t.Errorf("%+v, %v; want it closed", found, err)
	}
}

// A trade that was given back in full is closed at Alipay like one that was never paid.
func TestClosedAfterRefundWasPaid(t *testing.T) {
	t.Parallel()
	d := open(t, alipaytest.Config{})
	g := gateway(t, d, account(t, accountConfig()))
	paid, unpaid := charge(t, alipay.QR, 100), charge(t, alipay.QR, 100)
	for _, r := range []payment.AuthorizeRequest{paid, unpaid} {
		res, err := g.Authorize(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Follow(res.Action); err != nil {
			t.Fatal(err)
		}
	}
	number := alipay.TradeNumber("shop", paid.Key)
	if !d.Pay(number) || !d.Give(alipay.TradeNumber("shop", unpaid.Key)) {
		t.Fatal("cannot pay or close")
	}
	back := payment.Request{Tenant: "shop", Key: "refund/" + paid.Operation, Operation: paid.Operation, Amount: fen(t, 100)}
	if res, err := g.Refund(t.Context(), payment.RefundRequest{Request: back, Payment: number}); err != nil || res.Outcome != hyperlocal.OutcomeSucceeded {
		t.Fatal(res, err)
	}
	if state := d.Trade(number).State; state != alipaytest.Closed {
		t.Fatalf("the trade is %s", state)
	}
	if found, err := g.Lookup(t.Context(), lookup(paid, "")); err != nil || found.Outcome != hyperlocal.OutcomeSucceeded || found.Amount != fen(t, 100) {
		t.Errorf("paid and given back: %+v, %v", found, err)
	}
	if found, err := g.Lookup(t.Context(), lookup(unpaid, "")); err != nil || found.Outcome != hyperlocal.OutcomeDeclined || found.Code != alipay.CodeClosed {
		t.Errorf("never paid: %+v, %v", found, err)
	}
}

func TestCloseUnpaid(t *testing.T) {
	t.Parallel()
	d := open(t, alipaytest.Config{})
	g := gateway(t, d, account(t, accountConfig()))
	waiting, paid, unseen := charge(t, alipay.QR, 100), charge(t, alipay.Page, 100), charge(t, alipay.QR, 100)
	for _, r := range []payment.AuthorizeRequest{waiting, paid, unseen} {
		res, err := g.Authorize(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if r.Key == unseen.Key {
			continue
		}
		if _, err := d.Follow(res.Action); err != nil {
			t.Fatal(err)
		}
	}
	number := alipay.TradeNumber("shop", paid.Key)
	if !d.Pay(number) {
		t.Fatal("cannot pay")
	}
	for name, c := range map[string]struct {
		r    payment.AuthorizeRequest
		want hyperlocal.PaymentOutcome
	}{
		"waiting": {waiting, hyperlocal.OutcomeDeclined}, "paid": {paid, hyperlocal.OutcomeSucceeded}, "unseen": {unseen, hyperlocal.OutcomeAction},
	} {
		for range 2 {
			found, err := g.CloseUnpaid(t.Context(), lookup(c.r, alipay.TradeNumber("shop", c.r.Key)))
			if err != nil || !found.Known || found.Outcome != c.want {
				t.Errorf("%s: %+v, %v; want %s", name, found, err, c.want)
			}
		}
	}
	if d.Pay(alipay.TradeNumber("shop", waiting.Key)) {
		t.Error("a closed trade can be paid")
	}
	if trade := d.Trade(number); trade.State != alipaytest.Paid || trade.Refunded != 0 {
		t.Errorf("closing has changed a paid trade: %+v", trade)
	}
}

func TestRefundSeenLate(t *testing.T) {
	t.Parallel()
	c := &clock{at: time.Now().Add(time.Second)}
	d := open(t, alipaytest.Config{Now: c.Now})
	g := gateway(t, d, account(t, accountConfig()), func(config *alipay.Config) { config.Clock = c })
	r := charge(t, alipay.QR, 1000)
	res, err := g.Authorize(t.Context(), r)
	if err != nil || !d.Pay(res.Provider) {
		t.Fatal(res, err)
	}
	d.HideRefunds(res.Provider, 2)
	op := hyperlocal.RandomIDs{}.NewID()
	back := payment.RefundRequest{Payment: res.Provider,
		Request: payment.Request{Tenant: "shop", Key: "refund/" + op, Operation: op, Amount: fen(t, 400)}}
	first, err := g.Refund(t.Context(), back)
	if err != nil || first.Outcome != hyperlocal.OutcomePending {
		t.Fatalf("%+v, %v; want pending", first, err)
	}
	_, err = g.Lookup(t.Context(), payment.LookupRequest{Request: back.Request, Verb: hyperlocal.VerbRefund, Payment: res.Provider})
	wantErr(t, err, alipay.ErrTooEarly) // and not "was never sent"
	c.add(time.Minute)
	found, err := g.Lookup(t.Context(), payment.LookupRequest{Request: back.Request, Verb: hyperlocal.VerbRefund, Payment: res.Provider})
	if err != nil || !found.Known || found.Outcome != hyperlocal.OutcomeSucceeded || found.Amount != fen(t, 400) {
		t.Errorf("%+v, %v", found, err)
	}
	// The second refund's answer speaks of 700 in all; 300 is what moved.
	op = hyperlocal.RandomIDs{}.NewID()
	back.Key, back.Operation, back.Amount = "refund/"+op, op, fen(t, 300)
	if second, err := g.Refund(t.Context(), back); err != nil || second.Amount != fen(t, 300) {
		t.Errorf("%+v, %v; want 300 fen", second, err)
	}
	back.Amount = fen(t, 299)
	if other, err := g.Refund(t.Context(), back); err != nil || other.Class != hyperlocal.DeclineInvalid {
		t.Errorf("other content under the key: %+v, %v", other, err)
	}
	if trade := d.Trade(res.Provider); trade.Refunded != 700 || trade.RefundedOf != 2 {
		t.Errorf("%+v", trade)
	}
}

// A refusal of a refund that was made already is no refusal.
func TestRefundRefusedAfterwards(t *testing.T) {
	t.Parallel()
	d := open(t, alipaytest.Config{})
	g := gateway(t, d, account(t, accountConfig()))
	r := charge(t, alipay.QR, 1000)
	res, err := g.Authorize(t.Context(), r)
	if err != nil || !d.Pay(res.Provider) {
		t.Fatal(res, err)
	}
	const method = "alipay.trade.refund"
	op := hyperlocal.RandomIDs{}.NewID()
	back := payment.RefundRequest{Payment: res.Provider,
		Request: payment.Request{Tenant: "shop", Key: "refund/" + op, Operation: op, Amount: fen(t, 1000)}}
	d.Script(res.Provider, method, alipaytest.Fault{Times: 1, LoseAnswer: true})
	_, err = g.Refund(t.Context(), back)
	wantErr(t, err, alipay.ErrNoAnswer)
	d.Script(res.Provider, method, alipaytest.Fault{Code: "40004", SubCode: "ACQ.TRADE_HAS_CLOSE"})
	if again, err := g.Refund(t.Context(), back); err != nil || again.Outcome != hyperlocal.OutcomeSucceeded || again.Amount != fen(t, 1000) {
		t.Errorf("it was made, and the answer is %+v, %v", again, err)
	}
	op = hyperlocal.RandomIDs{}.NewID()
	back.Key, back.Operation = "refund/"+op, op
	if other, err := g.Refund(t.Context(), back); err != nil || other.Outcome != hyperlocal.OutcomeDeclined || other.Class != hyperlocal.DeclineHard {
		t.Errorf("another one: %+v, %v", other, err)
	}
	d.Script(res.Provider, "alipay.trade.fastpay.refund.query", alipaytest.Fault{Status: 500})
	if unsure, err := g.Refund(t.Context(), back); err == nil {
		t.Errorf("a refusal that nobody confirms: %+v", unsure)
	}
}

// Whatever may have been processed is an error, never a decline; what was not sent says so.
func TestTrouble(t *testing.T) {
	t.Parallel()
	const query, create = "alipay.trade.query", "alipay.trade.precreate"
	replace := func(from, to string) func([]byte) []byte {
		return func(b []byte) []byte {
			out := strings.Replace(string(b), from, to, 1)
			if out == string(b) {
				t.Errorf("the answer has no %q: %s", from, b)
			}
			return []byte(out)
		}
	}
	for name, c := range map[string]struct {
		method string
		fault  alipaytest.Fault
		want   error
		retry  time.Duration
	}{
		"lost on the way in":   {create, alipaytest.Fault{LoseRequest: true}, alipay.ErrNoAnswer, 0},
		"lost on the way back": {create, alipaytest.Fault{LoseAnswer: true}, alipay.ErrNoAnswer, 0},
		"cut off":              {create, alipaytest.Fault{Cut: true}, alipay.ErrNoAnswer, 0},
		"hangs":                {create, alipaytest.Fault{Hang: true}, alipay.ErrNoAnswer, 0},
		"500":                  {create, alipaytest.Fault{Status: 500}, alipay.ErrNoAnswer, 0},
		"503 with a wish":      {create, alipaytest.Fault{Status: 503, RetryAfter: "7"}, alipay.ErrNoAnswer, 7 * time.Second},
		"a redirect":           {create, alipaytest.Fault{Status: 302}, alipay.ErrNoAnswer, 0},
		"404":                  {create, alipaytest.Fault{Status: 404}, alipay.ErrNoAnswer, 0},
		"nobody listens":       {create, alipaytest.Fault{Unreachable: true}, payment.ErrNotSent, 0},
		"system error":         {create, alipaytest.Fault{Code: "40004", SubCode: "ACQ.SYSTEM_ERROR"}, alipay.ErrUncertain, 0},
		"service unavailable":  {create, alipaytest.Fault{Code: "20000", SubCode: "isp.unknow-error"}, alipay.ErrUncertain, 0},
		"a new code":           {create, alipaytest.Fault{Code: "40004", SubCode: "ACQ.NEW_IN_2030"}, alipay.ErrUncertain, 0},
		"no code":              {create, alipaytest.Fault{Code: " "}, alipay.ErrUncertain, 0},
		"query, system error":  {query, alipaytest.Fault{Code: "40004", SubCode: "ACQ.SYSTEM_ERROR"}, alipay.ErrUncertain, 0},
		"no JSON":              {create, alipaytest.Fault{Forge: func([]byte) []byte { return []byte("<html>") }}, alipay.ErrBadAnswer, 0},
		"an empty answer":      {create, alipaytest.Fault{Forge: func([]byte) []byte { return nil }}, alipay.ErrBadAnswer, 0},
		"too large": {create, alipaytest.Fault{Forge: func(b []byte) []byte { return append(b, strings.Repeat(" ", 1<<20)...) }},
			alipay.ErrBadAnswer, 0},
		"more behind it": {create, alipaytest.Fault{Forge: func(b []byte) []byte { return append(b, "{}"...) }}, alipay.ErrBadAnswer, 0},
		"no signature":   {create, alipaytest.Fault{Forge: replace(`"sign":`, `"sing":`)}, alipay.ErrBadAnswer, 0},
		"an unsigned refusal": {create, alipaytest.Fault{Forge: func([]byte) []byte {
			return []byte(`{"alipay_trade_precreate_response":{"code":"40004","sub_code":"ACQ.TOTAL_FEE_EXCEED"}}`)
		}}, alipay.ErrBadAnswer, 0},
		"another code, not signed":     {create, alipaytest.Fault{Forge: replace(`https:\/\/qr.alipay.com`, `https:\/\/evil.example`)}, alipay.ErrBadAnswer, 0},
		"a second node in front":       {create, alipaytest.Fault{Forge: replace(`{"alipay`, `{"alipay_trade_precreate_response":{"code":"10000"},"alipay`)}, alipay.ErrBadAnswer, 0},
		"the answer to something else": {create, alipaytest.Fault{Forge: replace(`alipay_trade_precreate`, `alipay_trade_close`)}, alipay.ErrBadAnswer, 0},
		"a certificate in key mode":    {create, alipaytest.Fault{Forge: replace(`"sign"`, `"alipay_cert_sn":"00","sign"`)}, alipay.ErrBadAnswer, 0},
		"the signature as a number":    {create, alipaytest.Fault{Forge: replace(`"sign":"`, `"sign":1,"x":"`)}, alipay.ErrBadAnswer, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, alipaytest.Config{})
			g := gateway(t, d, account(t, accountConfig()), func(config *alipay.Config) {
				if c.fault.Hang {
					config.Timeout = 50 * time.Millisecond
				}
			})
			r := charge(t, alipay.QR, 100)
			number := alipay.TradeNumber("shop", r.Key)
			d.Script(number, c.method, c.fault)
			res, err := g.Authorize(t.Context(), r)
			wantErr(t, err, c.want)
			if res != (payment.Result{}) {
				t.Errorf("a result beside the error: %+v", res)
			}
			if sent := errors.Is(err, payment.ErrNotSent); sent != c.fault.Unreachable {
				t.Errorf("not sent: %t", sent)
			}
			if e, ok := errors.AsType[*hyperlocal.Error](err); ok && e.RetryAfter != c.retry {
				t.Errorf("retry after %v, want %v", e.RetryAfter, c.retry)
			}
			if err != nil && (strings.Contains(err.Error(), "sign=") || len(err.Error()) > 500) {
				t.Errorf("the error tells too much: %v", err)
			}
		})
	}
}

// A genuine answer about another trade, which somebody in between might play back.
func TestAnswerAboutAnotherTrade(t *testing.T) {
	t.Parallel()
	d := open(t, alipaytest.Config{})
	g := gateway(t, d, account(t, accountConfig()))
	paid, unpaid := charge(t, alipay.QR, 100), charge(t, alipay.QR, 100)
	var recorded []byte
	d.Script(alipay.TradeNumber("shop", paid.Key), "alipay.trade.query", alipaytest.Fault{Forge: func(b []byte) []byte {
		recorded = append([]byte(nil), b...)
		return b
	}})
	if res, err := g.Authorize(t.Context(), paid); err != nil || !d.Pay(res.Provider) {
		t.Fatal(res, err)
	}
	if found, err := g.Lookup(t.Context(), lookup(paid, "")); err != nil || found.Outcome != hyperlocal.OutcomeSucceeded {
		t.Fatal(found, err)
	}
	d.Script(alipay.TradeNumber("shop", unpaid.Key), "alipay.trade.query", alipaytest.Fault{Forge: func([]byte) []byte { return recorded }})
	found, err := g.Lookup(t.Context(), lookup(unpaid, ""))
	wantErr(t, err, alipay.ErrBadAnswer)
	if found.Known {
		t.Errorf("%+v", found)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	c := &clock{at: time.Now()}
	d := open(t, alipaytest.Config{Now: c.Now})
	g := gateway(t, d, account(t, accountConfig()), func(config *alipay.Config) { config.Clock = c })
	for header, want := range map[string]time.Duration{
		"30": 30 * time.Second, "": 0, "-1": 0, "soon": 0, "999999999": 24 * time.Hour,
		c.at.Add(90*time.Second + time.Second - time.Duration(c.at.Nanosecond())).UTC().Format(http.TimeFormat): 90 * time.Second,
	} {
		r := charge(t, alipay.QR, 100)
		d.Script(alipay.TradeNumber("shop", r.Key), "alipay.trade.precreate", alipaytest.Fault{Status: 429, RetryAfter: header})
		res, err := g.Authorize(t.Context(), r)
		if err != nil || res.Class != hyperlocal.DeclineRateLimited || res.RetryAfter.Truncate(time.Second) != want {
			t.Errorf("%q: %+v, %v; want %v", header, res, err, want)
		}
	}
}

// A lookup that was not answered properly is an error, never a word about the payment.
func TestLookupIsNeverGuessed(t *testing.T) {
	t.Parallel()
	d := open(t, alipaytest.Config{})
	g := gateway(t, d, account(t, accountConfig()))
	for _, f := range []alipaytest.Fault{
		{Status: 429}, {Status: 500}, {LoseAnswer: true}, {Code: "40005", SubCode: "isv.app-call-limited"}, {Code: "40004", SubCode: "ACQ.SYSTEM_ERROR"},
		{Code: "40004", SubCode: "ACQ.INVALID_PARAMETER"}, {Code: "40002", SubCode: "isv.invalid-signature"}, {Code: "40002", SubCode: "ACQ.TRADE_NOT_EXIST"},
	} {
		r := charge(t, alipay.QR, 100)
		number := alipay.TradeNumber("shop", r.Key)
		d.Script(number, "alipay.trade.query", f)
		d.Script(number, "alipay.trade.fastpay.refund.query", f)
		d.Script(number, "alipay.trade.close", f)
		if found, err := g.Lookup(t.Context(), lookup(r, "")); err == nil {
			t.Errorf("%+v: charge: %+v", f, found)
		}
		back := payment.LookupRequest{Request: r.Request, Verb: hyperlocal.VerbRefund, Payment: number}
		if found, err := g.Lookup(t.Context(), back); err == nil {
			t.Errorf("%+v: refund: %+v", f, found)
		}
		if found, err := g.CloseUnpaid(t.Context(), lookup(r, "")); err == nil {
			t.Errorf("%+v: close: %+v", f, found)
		}
	}
}
