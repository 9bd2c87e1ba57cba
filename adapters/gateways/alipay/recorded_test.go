package alipay_test

import (
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/alipay"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/alipay/alipaytest"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// A notification of Alipay's sandbox, and the certificate it is signed with, as the tests of
// github.com/yansongda/pay publish them (CallbackPluginTest, tests/Cert). The app is in
// certificate mode, and the notification names no certificate. It shows what the double cannot:
// that Alipay signs what we think it signs, and writes what we take.
func TestRecordedNotification(t *testing.T) {
	t.Parallel()
	own, err := os.ReadFile("testdata/alipayCertSandbox2023.crt")
	if err != nil {
		t.Fatal(err)
	}
	sent := time.Date(2023, 12, 21, 16, 26, 45, 0, time.FixedZone("", 8*3600))
	app := alipaytest.Certificate(keys().App, "app", 1, sent, sent.Add(time.Hour))
	g := gateway(t, open(t, alipaytest.Config{}), account(t, alipay.AccountConfig{
		AppID: "9021000122682882", SellerID: "2088721003899159", PrivateKey: keys().AppKey(),
		AppCertificate: app, RootCertificates: app, AlipayCertificates: [][]byte{app, own},
	}))
	f := url.Values{}
	for name, v := range map[string]string{
		"gmt_create": "2023-12-21 16:26:32", "charset": "utf-8", "gmt_payment": "2023-12-21 16:26:43", "notify_time": "2023-12-21 16:26:45",
		"subject": "yansongda+测试 - 1", "buyer_id": "2088722003899169", "invoice_amount": "0.01", "version": "1.0",
		"notify_id": "2023122101222162644199160501632046", "fund_bill_list": `[{"amount":"0.01","fundChannel":"ALIPAYACCOUNT"}]`,
		"notify_type": "trade_status_sync", "out_trade_no": "1703147160", "total_amount": "0.01", "trade_status": "TRADE_SUCCESS",
		"trade_no": "2023122122001499160501589436", "auth_app_id": "9021000122682882", "receipt_amount": "0.01", "point_amount": "0.00",
		"app_id": "9021000122682882", "buyer_pay_amount": "0.01", "sign_type": "RSA2", "seller_id": "2088721003899159",
		"sign": "Rs7SszD15WqbdJsGZPN+HpCBcQzBCkJx0ccNeg1rpUxyTVA1ps2vJ4sLhaa7O+lliTj6N1MSGqc8cK6JSs7nPg731RAOfneirtrqrlW2u0m15kWAKrVjgPGLUMtK" +
			"/eT15e/6NcxsWra/bsZaan+nFDzO8xceOwy96W+qVUtTPfBRBp9Zjryi5oIONOifGMALD284YbNC3qq2eyqVysF+zgk+/MtuHk2Eh/fL7UbClHQXQ2hD686Dt8bR949TN" +
			"MbkWCYXstmjVBO55qF8xhaoF/b5zAe5/O/13g/QlwDXBcF3XwJpbFWrBehoFFCnJhR/xXZ0E+D2Vsw1oAQ3l+R2dQ==",
	} {
		f.Set(name, v)
	}
	n, err := g.ParseWebhook("shop", sent.Add(time.Minute), alipaytest.Headers(), []byte(f.Encode()))
	if err != nil || n != (payment.Notice{Event: "2023122101222162644199160501632046"}) {
		t.Errorf("%+v, %v; want an event about nothing of ours", n, err)
	}
	f.Set("total_amount", "0.02")
	_, err = g.ParseWebhook("shop", sent.Add(time.Minute), alipaytest.Headers(), []byte(f.Encode()))
	wantErr(t, err, payment.ErrWebhookSignature)
}
