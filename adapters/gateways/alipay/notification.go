package alipay

import (
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// notifyFields are the fields that Alipay documents for notifications about trades, and those
// that a host adds. https://opendocs.alipay.com/open/270/105902
func notifyFields(more []string) map[string]bool {
	fields := make(map[string]bool)
	for _, list := range [][]string{more, {
		"notify_time", "notify_type", "notify_id", "app_id", "auth_app_id", "charset", "version", "sign_type", "sign",
		"alipay_cert_sn", "trade_no", fieldNumber, "out_biz_no", "buyer_id", "buyer_open_id", "buyer_logon_id", "seller_id",
		"seller_email", "trade_status", "total_amount", "receipt_amount", "invoice_amount", "buyer_pay_amount", "point_amount",
		"mdiscount_amount", "discount_amount", "refund_fee", "send_back_fee", "subject", "body", "gmt_create", "gmt_payment",
		"gmt_refund", "gmt_close", "fund_bill_list", "voucher_detail_list", "passback_params", "trans_currency", "pay_currency",
	}} {
		for _, name := range list {
			fields[name] = true
		}
	}
	return fields
}

const (
	maxNotification = 64 << 10 // bytes; Alipay's have about two thousand
	maxFields       = 64
)

// ConfirmsWebhooks reports that a notification of this gateway is a hint: before money is
// believed to have moved, Alipay is to be asked with [Gateway.Lookup]. See the package comment
// for the reason.
func (g *Gateway) ConfirmsWebhooks() bool { return true }

// WebhookAnswer is what Alipay wants to read after a notification, given the error of storing
// it: the word success and nothing else, or it sends the notification again, eight times in
// about 25 hours.
func (g *Gateway) WebhookAnswer(err error) (status int, contentType string, body []byte) {
	const plainText = "text/plain; charset=utf-8"
	switch {
	case err == nil:
		return http.StatusOK, plainText, []byte("success")
	case hyperlocal.IsCode(err, hyperlocal.CodeUnauthenticated) || hyperlocal.IsCode(err, hyperlocal.CodeInvalid):
		return http.StatusBadRequest, plainText, []byte("fail")
	}
	return http.StatusServiceUnavailable, plainText, []byte("fail")
}

// ParseWebhook implements [payment.WebhookParser]. It makes no call, whatever the notification
// says about its certificate.
//
// A notification about a refund is of no operation: it tells the sum of all refunds and not
// which amount one of them moved, and our refund was answered anyway.
func (g *Gateway) ParseWebhook(tenant hyperlocal.TenantID, now time.Time, headers map[string][]string, body []byte) (payment.Notice, error) {
	none := payment.Notice{}
	a, err := g.account(tenant)
	if err != nil {
		return none, payment.ErrWebhookSignature.WithCause(err)
	}
	if len(body) > maxNotification || !isForm(headers) {
		return none, payment.ErrWebhookMalformed
	}
	fields, err := g.read(body)
	if err != nil {
		return none, err
	}
	if fields["sign_type"] != "RSA2" { // it is not signed itself
		return none, payment.ErrWebhookSignature.WithMessage("sign_type is not RSA2")
	}
	signature, serial := fields["sign"], fields["alipay_cert_sn"]
	delete(fields, "sign")
	delete(fields, "sign_type")
	delete(fields, "alipay_cert_sn")
	if !a.verify(now, serial, []byte(joined(fields)), signature) {
		return none, payment.ErrWebhookSignature
	}
	if err := a.check(fields); err != nil {
		return none, err
	}
	if ofAnotherTenant(tenant, fields[fieldNumber]) {
		return none, payment.ErrWebhookSignature.WithMessage("the notification is about another tenant's trade")
	}
	sent, err := time.ParseInLocation(timeLayout, fields["notify_time"], zone())
	if err != nil {
		return none, payment.ErrWebhookMalformed
	}
	if sent.Before(now.Add(-g.tolerance)) || sent.After(now.Add(g.tolerance)) {
		return none, payment.ErrWebhookStale
	}
	return notice(tenant, fields)
}

// isForm reports whether the headers announce a form in UTF-8.
func isForm(headers map[string][]string) bool {
	var given []string
	for name, values := range headers {
		if strings.EqualFold(name, "Content-Type") {
			given = append(given, values...)
		}
	}
	if len(given) != 1 || len(given[0]) > 128 {
		return false
	}
	kind, parameters, err := mime.ParseMediaType(given[0])
	charset, named := parameters["charset"]
	return err == nil && kind == "application/x-www-form-urlencoded" && (!named || strings.EqualFold(charset, "utf-8"))
}

// read takes a form apart, and only one that can be taken apart in one way: known names, each
// once, and no "&" or "=" in a value other than the signature's.
func (g *Gateway) read(body []byte) (map[string]string, error) {
	fields := make(map[string]string)
	for pair := range strings.SplitSeq(string(body), "&") {
		name, text, ok := strings.Cut(pair, "=")
		if !ok || !g.fields[name] || len(fields) == maxFields {
			return nil, payment.ErrWebhookMalformed.WithMessage("a field that Alipay does not document")
		}
		if _, twice := fields[name]; twice {
			return nil, payment.ErrWebhookMalformed.WithMessage("a field comes twice")
		}
		value, ok := unescape(text)
		if !ok || !utf8.ValidString(value) {
			return nil, payment.ErrWebhookMalformed.WithMessage("a field is not encoded as a form")
		}
		if name != "sign" && strings.ContainsAny(value, "&=") {
			return nil, payment.ErrWebhookMalformed.WithMessage("a field could be cut in another way than Alipay has signed it")
		}
		fields[name] = value
	}
	return fields, nil
}

// unescape decodes a value of a form. It takes one spelling of every value, so that no second
// body says the same: upper-case hex, and nothing escaped that is always written as it is.
func unescape(text string) (string, bool) {
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '+':
			b = append(b, ' ')
		case isUnreserved(c) || strings.IndexByte("~*!'()", c) >= 0:
			b = append(b, c)
		case c == '%' && i+2 < len(text):
			high, low := strings.IndexByte(upperHex, text[i+1]), strings.IndexByte(upperHex, text[i+2])
			if high < 0 || low < 0 {
				return "", false
			}
			d := byte(high<<4 | low)
			if isUnreserved(d) || d == ' ' {
				return "", false
			}
			b = append(b, d)
			i += 2
		default:
			return "", false
		}
	}
	return string(b), true
}

const upperHex = "0123456789ABCDEF"

// isUnreserved reports what every encoder of forms leaves as it is.
func isUnreserved(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-' || c == '_' || c == '.'
}

// check compares what the signature does not: whom the notification is for.
func (a *account) check(fields map[string]string) error {
	auth, given := fields["auth_app_id"]
	charset, named := fields["charset"]
	switch {
	case fields["app_id"] != a.appID || given && auth != a.appID:
		return payment.ErrWebhookSignature.WithMessage("the notification is for another app")
	case fields["seller_id"] != a.sellerID:
		return payment.ErrWebhookSignature.WithMessage("the notification is for another seller")
	case named && !strings.EqualFold(charset, "utf-8"):
		return payment.ErrWebhookMalformed.WithMessage("the notification is not in UTF-8")
	}
	return nil
}

// notice says what verified fields mean.
func notice(tenant hyperlocal.TenantID, fields map[string]string) (payment.Notice, error) {
	n := payment.Notice{Event: fields["notify_id"]}
	if n.Event == "" || len(n.Event) > payment.MaxReference || strings.IndexFunc(n.Event, func(r rune) bool {
		return r > 0x7f || !isUnreserved(byte(r))
	}) >= 0 {
		return payment.Notice{}, payment.ErrWebhookMalformed.WithMessage("the notification has no usable notify_id")
	}
	number := fields[fieldNumber]
	key, ours := ParseTradeNumber(tenant, number)
	about := fields["gmt_refund"] + fields["out_biz_no"]
	if fields["notify_type"] != "trade_status_sync" || !ours || about != "" {
		return n, nil // stored and ignored
	}
	res, err := settled(&reply{
		OutTradeNo: number, TradeStatus: fields["trade_status"], TotalAmount: decimal(fields["total_amount"]),
		TransCurrency: fields["trans_currency"], PayCurrency: fields["pay_currency"], SendPayDate: fields["gmt_payment"],
	})
	if err != nil {
		return payment.Notice{}, payment.ErrWebhookMalformed.WithCause(err)
	}
	n.Key, n.Verb, n.Provider = key, hyperlocal.VerbCharge, number
	n.Outcome, n.Amount, n.Class, n.Code = res.Outcome, res.Amount, res.Class, res.Code
	return n, nil
}
