package alipay_test

import (
	"context"
	"fmt"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/alipay"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/alipay/alipaytest"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// A shopper pays by QR code and gets a part of it back. The double stands for Alipay; against
// Alipay itself BaseURL stays empty, and the keys come from its site.
func Example() {
	ctx := context.Background()
	keys, err := alipaytest.NewKeys()
	if err != nil {
		panic(err)
	}
	double := alipaytest.Open(alipaytest.Config{Keys: keys})
	defer double.Close()

	account, err := alipay.NewAccount(alipay.AccountConfig{
		AppID: alipaytest.DefaultAppID, SellerID: alipaytest.DefaultSellerID,
		PrivateKey: keys.AppKey(), AlipayKeys: [][]byte{keys.AlipayKey()},
		NotifyURL: "https://shop.example/webhooks/alipay",
	})
	if err != nil {
		panic(err)
	}
	gateway, err := alipay.New(alipay.Config{
		Accounts: func(tenant hyperlocal.TenantID) (alipay.Account, bool) { return account, tenant == "shop" },
		BaseURL:  double.URL(),
	})
	if err != nil {
		panic(err)
	}

	amount, _ := hyperlocal.NewMoney(1999, "CNY")
	request := payment.Request{Tenant: "shop", Key: "intent/0193/attempt/1/charge", Attempt: 1, Amount: amount}
	result, err := gateway.Authorize(ctx, payment.AuthorizeRequest{Request: request, CaptureNow: true, Method: alipay.QR})
	if err != nil {
		panic(err)
	}
	fmt.Println(result.Outcome)

	double.Pay(result.Provider) // the shopper scans result.Action and pays

	found, err := gateway.Lookup(ctx, payment.LookupRequest{Request: request, Verb: hyperlocal.VerbCharge, Provider: result.Provider})
	if err != nil {
		panic(err)
	}
	fmt.Println(found.Outcome, found.Amount)

	back, _ := hyperlocal.NewMoney(500, "CNY")
	refund, err := gateway.Refund(ctx, payment.RefundRequest{Payment: result.Provider,
		Request: payment.Request{Tenant: "shop", Key: "refund/0194", Amount: back}})
	if err != nil {
		panic(err)
	}
	fmt.Println(refund.Outcome, refund.Amount)

	_, err = gateway.ParseWebhook("shop", time.Now(), alipaytest.Headers(), []byte("trade_status=TRADE_SUCCESS&sign_type=RSA2"))
	fmt.Println(hyperlocal.ReasonOf(err))
	// Output:
	// action_required
	// succeeded 19.99 CNY
	// succeeded 5.00 CNY
	// payment/webhook_signature
}
