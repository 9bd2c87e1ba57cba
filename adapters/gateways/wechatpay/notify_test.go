package wechatpay_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/wechatpay"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/wechatpay/wechatpaytest"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// refusedAs checks why a notification is refused, and that the error tells nothing of it.
func (w *world) refusedAs(what string, want *hyperlocal.Error, headers map[string][]string, body []byte) error {
	w.t.Helper()
	n, err := w.gw.ParseWebhook(shop, time.Now(), headers, body)
	if hyperlocal.ReasonOf(err) != want.Reason || n != (payment.Notice{}) {
		w.t.Errorf("%s: %+v, %v; want %s", what, n, err, want.Reason)
		return nil
	}
	w.silent(what, err)
	for _, v := range headers {
		if len(v) > 0 && len(v[0]) > 8 && v[0] != "WECHATPAY2-SHA256-RSA2048" && strings.Contains(err.Error(), v[0]) {
			w.t.Errorf("%s: the error holds a header: %v", what, err)
		}
	}
	if len(body) > 40 && strings.Contains(err.Error(), string(body[10:40])) {
		w.t.Errorf("%s: the error holds the body: %v", what, err)
	}
	return err
}

func TestPlatformCertificateDates(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, dates := range map[string][2]time.Time{
		"expired":   {now.Add(-48 * time.Hour), now.Add(-time.Minute)},
		"not valid": {now.Add(time.Minute), now.Add(48 * time.Hour)},
	} {
		w := newWorld(t, nil)
		_, number := w.paid(100)
		headers, body := w.notification(number, now)
		if _, err := w.gw.ParseWebhook(shop, now, headers, body); err != nil {
			t.Fatal(err)
		}
		w.account.Platform[0].NotBefore, w.account.Platform[0].NotAfter = dates[0], dates[1]
		w.refusedAs(name, payment.ErrWebhookSignature, headers, body)
		r := chargeOf(t, 1, "native")
		res, err := w.gw.Authorize(t.Context(), r)
		w.doubtful(name, res, err)
	}
}

// A message that is signed rightly and sealed with a nonce of another length is refused, and
// nothing panics.
func TestNonceLength(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	sealed := base64.StdEncoding.EncodeToString(make([]byte, 64))
	for _, nonce := range []string{"", "x", strings.Repeat("x", 11), strings.Repeat("x", 13), strings.Repeat("x", 16), strings.Repeat("键", 12),
		strings.Repeat("x", 10_000), strings.Repeat("x", 12)} {
		headers, body, err := w.server.Envelope(time.Now(), "TRANSACTION.SUCCESS", map[string]string{
			"algorithm": "AEAD_AES_256_GCM", "ciphertext": sealed, "associated_data": "transaction", "nonce": nonce})
		if err != nil {
			t.Fatal(err)
		}
		w.refusedAs("a nonce of "+nonce[:min(len(nonce), 3)], payment.ErrWebhookMalformed, headers, body)
	}
	for name, change := range map[string]map[string]string{
		"another algorithm": {"algorithm": "AEAD_SM4_GCM"},
		"no base64":         {"ciphertext": "!"},
		"too short":         {"ciphertext": "AAAA"},
		"empty":             {"ciphertext": ""},
	} {
		resource := map[string]string{"algorithm": "AEAD_AES_256_GCM", "ciphertext": sealed, "associated_data": "", "nonce": strings.Repeat("x", 12)}
		for k, v := range change {
			resource[k] = v
		}
		headers, body, err := w.server.Envelope(time.Now(), "TRANSACTION.SUCCESS", resource)
		if err != nil {
			t.Fatal(err)
		}
		w.refusedAs(name, payment.ErrWebhookMalformed, headers, body)
	}
}

// WeChat Pay signs wrongly on purpose now and then: it wants to be refused.
func TestProbe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, number := w.paid(100)
	headers, body := w.notification(number, time.Now())
	signature := headers["Wechatpay-Signature"][0]
	for _, probe := range []string{"WECHATPAY/SIGNTEST/", "WECHATPAY/SIGNTEST/" + signature, "WECHATPAY/SIGNTEST/" + signature[19:]} {
		err := w.refusedAs("a probe", payment.ErrWebhookSignature, with(headers, "Wechatpay-Signature", probe), body)
		e, ok := errors.AsType[*hyperlocal.Error](err)
		if !ok || e.Fields["probe"] != "true" || e.Code != hyperlocal.CodeUnauthenticated {
			t.Errorf("%q: %v", probe, err)
		}
	}
}

// Forged posts with serials that nobody knows cost nothing but a comparison: no call, no lock.
func TestForgedSerials(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, number := w.paid(100)
	headers, body := w.notification(number, time.Now())
	before := len(w.server.Requests())
	start := hyperlocal.Stopwatch()
	for range 200 {
		serial := strings.ToUpper(strings.ReplaceAll(hyperlocal.RandomIDs{}.NewID(), "-", ""))
		w.refusedAs("an unknown serial", payment.ErrWebhookSignature, with(headers, "Wechatpay-Serial", serial), body)
	}
	if n, err := w.gw.ParseWebhook(shop, time.Now(), headers, body); err != nil || n.Outcome != hyperlocal.OutcomeSucceeded {
		t.Errorf("%+v, %v", n, err)
	}
	if took := hyperlocal.Since(start); took > time.Second {
		t.Errorf("took %v", took)
	}
	if after := len(w.server.Requests()); after != before {
		t.Errorf("%d calls went out", after-before)
	}
}

func TestOddHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, number := w.paid(100)
	headers, body := w.notification(number, time.Now())
	genuine := headers["Wechatpay-Signature"][0]
	thousand := make([]string, 1000)
	for i := range thousand {
		thousand[i] = genuine
	}
	for name, h := range map[string]map[string][]string{
		"a thousand signatures":     with(headers, "Wechatpay-Signature", thousand...),
		"two names for one header":  with(headers, "WECHATPAY-SIGNATURE", genuine),
		"a long signature":          with(headers, "Wechatpay-Signature", strings.Repeat("A", 2000)),
		"line ends in a signature":  with(headers, "Wechatpay-Signature", genuine[:10]+"\n"+genuine[10:]),
		"another signature type":    with(headers, "Wechatpay-Signature-Type", "WECHATPAY2-SM2-WITH-SM3"),
		"a time with a sign":        with(headers, "Wechatpay-Timestamp", "+"+headers["Wechatpay-Timestamp"][0]),
		"a time with a leading nil": with(headers, "Wechatpay-Timestamp", "0"+headers["Wechatpay-Timestamp"][0]),
		"no serial":                 with(headers, "Wechatpay-Serial"),
		"zeros for a serial":        with(headers, "Wechatpay-Serial", "0000"),
		"a line end in a nonce":     with(headers, "Wechatpay-Nonce", "a\nb"),
	} {
		w.refusedAs(name, payment.ErrWebhookSignature, h, body)
	}
	w.refusedAs("a body of 2 MB", payment.ErrWebhookTooLarge, headers, bytes.Repeat([]byte(" "), 2<<20))
	untyped := with(headers, "Wechatpay-Signature-Type")
	if _, err := w.gw.ParseWebhook(shop, time.Now(), untyped, body); err != nil {
		t.Errorf("without a type: %v", err)
	}
}

// Old and new keys are valid side by side, and an exchange takes effect at once.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	_, number := w.paid(100)
	headers, body := w.notification(number, time.Now())
	parses := func(what string) {
		t.Helper()
		if n, err := w.gw.ParseWebhook(shop, time.Now(), headers, body); err != nil || n.Outcome != hyperlocal.OutcomeSucceeded {
			t.Errorf("%s: %+v, %v", what, n, err)
		}
	}
	old := w.account.Platform[0]
	next := wechatpay.PlatformKey{Serial: "PUB_KEY_ID_0119000001092026112100112233445566", Key: &w.keys.Merchant.PublicKey}
	w.account.Platform = []wechatpay.PlatformKey{next, old}
	w.account.APIv3Keys = [][]byte{[]byte(strings.Repeat("n", 32)), []byte(wechatpaytest.APIv3Key)}
	parses("while both are in use")
	w.account.Platform[1].Serial = "00" + strings.ToLower(old.Serial)
	parses("a serial written differently")
	w.account.Platform = []wechatpay.PlatformKey{next}
	w.refusedAs("after the old key is gone", payment.ErrWebhookSignature, headers, body)
	w.account.Platform = []wechatpay.PlatformKey{old}
	w.account.APIv3Keys = w.account.APIv3Keys[:1]
	w.refusedAs("after the old APIv3 key is gone", payment.ErrWebhookMalformed, headers, body)
}

// What is genuinely signed is still only for the tenant, merchant and app that it is about.
func TestForSomebodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	r, number := w.paid(100)
	back := w.refund(refundOf(t, 10, number))
	for _, n := range []string{number, back.Provider} {
		headers, body := w.notification(n, time.Now())
		for _, tenant := range []hyperlocal.TenantID{"other", "nobody"} {
			if n, err := w.gw.ParseWebhook(tenant, time.Now(), headers, body); hyperlocal.ReasonOf(err) != payment.ErrWebhookSignature.Reason {
				t.Errorf("%s: %+v, %v", tenant, n, err)
			}
		}
		mine := w.account.MerchantID
		w.account.MerchantID = "1900000999"
		w.refusedAs("another merchant", payment.ErrWebhookSignature, headers, body)
		w.account.MerchantID = mine
	}
	headers, body := w.notification(number, time.Now())
	w.account.AppID = "wxanother"
	w.refusedAs("another app", payment.ErrWebhookSignature, headers, body)
	w.account.AppID = wechatpaytest.AppID

	order := map[string]any{
		"appid": wechatpaytest.AppID, "mchid": wechatpaytest.MerchantID, "out_trade_no": "till-7-0042", "attach": r.Key,
		"trade_state": "SUCCESS", "amount": map[string]any{"total": 100, "currency": "CNY"},
	}
	seal := func(event string) (map[string][]string, []byte) {
		t.Helper()
		headers, body, err := w.server.Seal(time.Now(), event, "x", order)
		if err != nil {
			t.Fatal(err)
		}
		return headers, body
	}
	headers, body = seal("TRANSACTION.SUCCESS")
	if n, err := w.gw.ParseWebhook(shop, time.Now(), headers, body); err != nil || n.Key != "" || n.Event == "" || n.Outcome != "" {
		t.Errorf("an order of another till: %+v, %v", n, err)
	}
	headers, body = seal("PAYSCORE.USER_PAID")
	if n, err := w.gw.ParseWebhook(shop, time.Now(), headers, body); err != nil || n.Key != "" || n.Event == "" {
		t.Errorf("another product: %+v, %v", n, err)
	}
	order["out_trade_no"] = number
	order["attach"] = "intent/of-another"
	headers, body = seal("TRANSACTION.SUCCESS")
	w.refusedAs("an attach that the number was not made from", payment.ErrWebhookSignature, headers, body)
	order["attach"] = r.Key
	for name, amount := range map[string]any{
		"no amount": nil, "nothing": map[string]any{"total": 0, "currency": "CNY"}, "a fraction": map[string]any{"total": 1.5, "currency": "CNY"},
		"negative": map[string]any{"total": -1, "currency": "CNY"}, "text": map[string]any{"total": "100", "currency": "CNY"},
		"a currency that is none": map[string]any{"total": 100, "currency": "zzz"}, "too much": map[string]any{"total": 1e30, "currency": "CNY"},
	} {
		order["amount"] = amount
		headers, body = seal("TRANSACTION.SUCCESS")
		w.refusedAs(name, payment.ErrWebhookMalformed, headers, body)
	}
	order["amount"] = map[string]any{"total": 100, "currency": "USD"} // told as it is, for whoever compares
	headers, body = seal("TRANSACTION.SUCCESS")
	if n, err := w.gw.ParseWebhook(shop, time.Now(), headers, body); err != nil || n.Amount.Currency() != "USD" {
		t.Errorf("another currency: %+v, %v", n, err)
	}
}

func TestRefundNotifications(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	paid := w.charge(chargeOf(t, 1000, "jsapi:"+wechatpaytest.RefundPends)).Provider
	back := refundOf(t, 300, paid)
	number := w.refund(back).Provider
	for _, c := range []struct {
		status  string
		outcome hyperlocal.PaymentOutcome
	}{{"SUCCESS", hyperlocal.OutcomeSucceeded}, {"ABNORMAL", hyperlocal.OutcomePending}, {"CLOSED", hyperlocal.OutcomeDeclined}} {
		w.server.SetRefund(number, c.status)
		headers, body := w.notification(number, time.Now())
		n, err := w.gw.ParseWebhook(shop, time.Now(), headers, body)
		if err != nil || n.Key != back.Key || n.Verb != hyperlocal.VerbRefund || n.Outcome != c.outcome || n.Amount != back.Amount || n.Provider != number {
			t.Errorf("%s: %+v, %v", c.status, n, err)
		}
	}
	again := back
	again.Key += "/12" // a refund that was armed again
	number = w.refund(again).Provider
	headers, body := w.notification(number, time.Now())
	if n, err := w.gw.ParseWebhook(shop, time.Now(), headers, body); err != nil || n.Key != again.Key {
		t.Errorf("%+v, %v", n, err)
	}
	again.Key += strings.Repeat("/long", 10)
	number = w.refund(again).Provider
	headers, body = w.notification(number, time.Now())
	if n, err := w.gw.ParseWebhook(shop, time.Now(), headers, body); err != nil || n.Key != "" || n.Event == "" {
		t.Errorf("a key that does not fit a number: %+v, %v", n, err)
	}
	if found := w.lookup(again.Request, hyperlocal.VerbRefund); !found.Known {
		t.Errorf("a key that does not fit a number is not found")
	}
}

// Whatever a genuine key signs and seals, reading it ends in an answer.
func FuzzParseWebhook(f *testing.F) {
	f.Add("TRANSACTION.SUCCESS", `{"mchid":"1900000109"}`, "wCq51qZv4Yfg", true)
	f.Add("REFUND.SUCCESS", `{"mchid":"1900000109","out_refund_no":"refund_x_aaaaaaaaaaaaaaaa","amount":null}`, "", true)
	f.Add("REFUND.", `[]`, "1234567890123", false)
	f.Add("", "\xff", "", false)
	f.Fuzz(func(t *testing.T, event, content, nonce string, sealed bool) {
		w := newWorld(t, nil)
		var headers map[string][]string
		var body []byte
		var err error
		if sealed {
			headers, body, err = w.server.Seal(time.Now(), event, "x", json.RawMessage(content))
		} else {
			headers, body, err = w.server.Envelope(time.Now(), event, map[string]string{
				"algorithm": "AEAD_AES_256_GCM", "ciphertext": base64.StdEncoding.EncodeToString([]byte(content)), "nonce": nonce})
		}
		if err != nil {
			return
		}
		n, err := w.gw.ParseWebhook(shop, time.Now(), headers, body)
		if err != nil && hyperlocal.CodeOf(err) == hyperlocal.CodeInternal {
			t.Errorf("an error without a reason: %v", err)
		}
		if n.Key != "" {
			t.Errorf("read %+v out of %q", n, content)
		}
		body2 := []byte(content)
		if _, err := w.gw.ParseWebhook(shop, time.Now(), w.server.Sign(time.Now(), body2), body2); err != nil && hyperlocal.ReasonOf(err) == "" {
			t.Errorf("an error without a reason: %v", err)
		}
	})
}
