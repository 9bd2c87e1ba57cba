// Package wechatpaytest is a double of WeChat Pay's API v3 for tests: it checks the signatures
// of requests, signs its answers and notifications with keys made in the test, keeps orders and
// refunds with the provider's rules about money, counts what really moved, and can be made to
// lose, spoil or hold back what it says. It shares no code with the adapter.
//
//	keys, err := wechatpaytest.NewKeys()
//	server := wechatpaytest.New(t, keys)
//	... an account with server.URL, keys.Merchant, keys.Certificate ...
//	server.Pay(number)
//
// What a shopper does may be told by the openid; see the constants. Others wait for Pay.
package wechatpaytest
