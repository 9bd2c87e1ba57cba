// Package alipay is a payment gateway for Alipay's open API (gateway.do, RSA2): web page, app
// and QR code payments in yuan, refunds, lookups, notifications and bills.
//
//	account, err := alipay.NewAccount(alipay.AccountConfig{
//		AppID: "2021000000000000", SellerID: "2088000000000000",
//		PrivateKey: appKey, AlipayKeys: [][]byte{alipayKey},
//		NotifyURL: "https://shop.example/webhooks/alipay",
//	})
//	gateway, err := alipay.New(alipay.Config{
//		Accounts: func(t hyperlocal.TenantID) (alipay.Account, bool) { return account, t == "shop" },
//	})
//	payments, err := payment.New(payment.Config{Gateways: []payment.Gateway{gateway}, ...})
//
// The method of a charge is [Page], [App] or [QR]. Its answer is "action required" with a URL,
// an order string for Alipay's app SDK, or the text of a QR code. That it was paid becomes
// known by a lookup, which a notification hastens. A link dies after Config.PayWithin, so that
// nobody pays an order that was given up.
//
// # How far a notification is trusted
//
// Alipay signs the sorted fields of a notification joined as key=value with "&", and escapes
// nothing. Where a value may hold "&" and "=", one signed text can be cut into fields in
// several ways, and all of them verify. [Gateway.ParseWebhook] therefore takes known fields
// only, each once, and none with "&" or "=" in it, which leaves one way to cut; and no request
// carries text of people. Even so a notification is only a hint:
// [Gateway.ConfirmsWebhooks] tells the host to ask Alipay before money is believed to have
// moved.
//
// It never downloads a certificate or a key, never sends text of people, never calls
// trade.cancel (which would give back money that is paid) and keeps no state.
package alipay
