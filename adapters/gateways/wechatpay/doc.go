// Package wechatpay takes payments through WeChat Pay, API v3, for merchants of the mainland
// with an account of their own: in a page inside WeChat or a mini program (JSAPI), by a QR code
// (native), and in an app. It knows refunds and the daily trade bill, and uses nothing but the
// standard library for HTTP and cryptography.
//
//	gw, err := wechatpay.New(wechatpay.Config{Accounts: func(t hyperlocal.TenantID) (wechatpay.Account, bool) {
//		a, ok := accounts[t]
//		return a, ok
//	}})
//	payments, err := payment.New(payment.Config{Gateways: []payment.Gateway{gw}, ...})
//	...
//	order.Pay(ctx, order.PayCommand{Gateway: "wechatpay", Method: "native", ...})
//
// The method says how the shopper pays:
//
//	native          Action is the text of a QR code
//	jsapi:OPENID    Action is the JSON for the page's or mini program's payment call; OPENID is
//	                who WeChat's login says the shopper is to the account's AppID
//	app             Action is the JSON for the WeChat SDK in the merchant's app
//
// Every charge starts as action_required and succeeds when the shopper has paid: the
// notification tells, or a lookup does. There is no holding of money. An order that nobody pays
// ends after Config.PayWithin, or by [Gateway.Close].
//
// The provider's reference of a charge is the merchant's order number (out_trade_no). It is
// derived from tenant and idempotency key, so that a lookup needs nothing that could get lost,
// and it is the reference in every state.
//
// The package keeps no state, never sends text of people, never follows a redirect, downloads
// no certificate, and makes no call while it reads a webhook.
//
// Protocol: https://pay.weixin.qq.com/doc/v3/merchant/4012081606 and the pages below it.
package wechatpay
