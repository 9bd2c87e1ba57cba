package alipay

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// reply holds the fields of all answers that this package reads.
type reply struct {
	Code    string `json:"code"`
	SubCode string `json:"sub_code"`

	OutTradeNo     string          `json:"out_trade_no"`
	TradeStatus    string          `json:"trade_status"`
	TotalAmount    decimal         `json:"total_amount"`
	TransCurrency  string          `json:"trans_currency"`
	PayCurrency    string          `json:"pay_currency"`
	SendPayDate    string          `json:"send_pay_date"`
	ReceiptAmount  decimal         `json:"receipt_amount"`
	BuyerPayAmount decimal         `json:"buyer_pay_amount"`
	FundBillList   json.RawMessage `json:"fund_bill_list"`

	QRCode string `json:"qr_code"`

	OutRequestNo string  `json:"out_request_no"`
	RefundStatus string  `json:"refund_status"`
	RefundAmount decimal `json:"refund_amount"`

	BillDownloadURL string `json:"bill_download_url"`

	retryAfter time.Duration
}

// done reports whether Alipay did what it was asked.
func (r *reply) done() bool { return r.Code == codeDone }

// notExist reports whether Alipay says that it has no such trade.
func (r *reply) notExist() bool { return r.Code == codeRefused && r.SubCode == subNotExist }

// request returns the signed parameters of a request.
func (g *Gateway) request(a *account, method string, content map[string]string, more map[string]string) (url.Values, error) {
	text, err := json.Marshal(content) // sorted by name
	if err != nil {
		return nil, err
	}
	fields := map[string]string{
		"app_id": a.appID, "method": method, "format": "JSON", "charset": "utf-8", "sign_type": "RSA2", "version": "1.0",
		"timestamp": g.clock.Now().In(zone()).Format(timeLayout), "biz_content": string(text),
	}
	if a.appSerial != "" {
		fields["app_cert_sn"], fields["alipay_root_cert_sn"] = a.appSerial, a.rootSerial
	}
	for name, value := range more {
		if value != "" { // what is empty is neither sent nor signed
			fields[name] = value
		}
	}
	signature, err := a.sign(joined(fields))
	if err != nil {
		return nil, err
	}
	values := url.Values{"sign": {signature}}
	for name, value := range fields {
		values.Set(name, value)
	}
	return values, nil
}

// call asks Alipay and checks who answered. A nil error says that the answer is Alipay's, and
// not that it is a good one.
func (g *Gateway) call(ctx context.Context, a *account, method string, content, more map[string]string) (*reply, error) {
	if err := ctx.Err(); err != nil {
		return nil, notSent(err)
	}
	values, err := g.request(a, method, content, more)
	if err != nil {
		return nil, notSent(err)
	}
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.base, strings.NewReader(values.Encode()))
	if err != nil {
		return nil, notSent(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=utf-8")
	req.Header.Set("Accept", "application/json")
	resp, err := g.client.Do(req)
	if err != nil {
		return nil, failed(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusTooManyRequests {
		return &reply{Code: codeBusy, retryAfter: g.retryAfter(resp.Header)}, nil
	}
	if resp.StatusCode != http.StatusOK {
		return nil, ErrNoAnswer.With("status", resp.StatusCode).WithRetryAfter(g.retryAfter(resp.Header))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, g.maxAnswer+1))
	switch {
	case err != nil:
		return nil, ErrNoAnswer.WithCause(err)
	case int64(len(body)) > g.maxAnswer:
		return nil, ErrBadAnswer.WithMessage("the answer is larger than Config.MaxAnswer")
	}
	return g.open(a, method, body)
}

// failed tells what surely did not leave this process from what may have. The address is taken
// out of the error: that of a bill is a secret.
func failed(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return notSent(err)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return notSent(err)
	}
	return ErrNoAnswer.WithCause(err)
}

// maxRetryAfter bounds a wish to be left alone; the payment service has a bound of its own.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads the header in both of its forms (RFC 9110, section 10.2.3).
func (g *Gateway) retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(g.clock.Now()), 0), maxRetryAfter)
}

// open takes the answer out of its envelope, {"<method>_response": {...}, "sign": "..."}. The
// signature is over the bytes of the inner object as they came. What is not signed is believed
// in nothing, a refusal included: a false refusal costs a second charge.
func (g *Gateway) open(a *account, method string, body []byte) (*reply, error) {
	members, err := membersOf(body)
	if err != nil {
		return nil, ErrBadAnswer.WithCause(err)
	}
	node, ok := members[strings.ReplaceAll(method, ".", "_")+"_response"]
	if !ok {
		node, ok = members["error_response"]
	}
	var signature, serial string
	if !ok || json.Unmarshal(orNull(members["sign"]), &signature) != nil ||
		json.Unmarshal(orNull(members["alipay_cert_sn"]), &serial) != nil {
		return nil, ErrBadAnswer
	}
	r := &reply{}
	if err := json.Unmarshal(node, r); err != nil {
		return nil, ErrBadAnswer
	}
	if !a.verify(g.clock.Now(), serial, node, signature) {
		// The code goes along: with a wrong key on file Alipay answers unsigned, and says so.
		return nil, ErrBadAnswer.With("code", plain(r.Code)).With("sub_code", plain(r.SubCode))
	}
	return r, nil
}

func orNull(text json.RawMessage) json.RawMessage {
	if text == nil {
		return json.RawMessage("null")
	}
	return text
}

// membersOf returns the members of a JSON object with the bytes of their values. A name that
// comes twice is an error: which of the two was signed?
func membersOf(body []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	members := make(map[string]json.RawMessage)
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, errors.New("not a JSON object")
		}
		name, _ := t.(string)
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, errors.New("not a JSON object")
		}
		if _, twice := members[name]; twice || len(members) == 16 {
			return nil, errors.New("a JSON object with a member twice, or with too many")
		}
		members[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, errors.New("not a JSON object")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than a JSON object")
	}
	return members, nil
}

// outside refuses to call while a transaction is open.
func outside(ctx context.Context) error {
	if hyperlocal.InTx(ctx) {
		return hyperlocal.ErrNetworkInTx
	}
	return nil
}
