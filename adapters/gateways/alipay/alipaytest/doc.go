// Package alipaytest is a double of Alipay's open API that keeps the rules of money: a trade's
// number is paid once, a number with other content is refused, refunds never exceed what was
// paid, and it counts what really moved. It checks every request's signature and signs its
// answers with a few lines of its own, so that a mistake in the gateway's is not made twice.
//
//	keys, err := alipaytest.NewKeys()
//	double := alipaytest.Open(alipaytest.Config{Keys: keys})
//	defer double.Close()
//
// Shoppers follow links with [Double.Follow] and pay with [Double.Pay]; [Shopper] is a gateway
// whose shopper does so at once. Answers can be lost, delayed, refused and forged with
// [Double.Script].
//
// It is for tests: it panics where a test would fail, and opens a port on this machine.
package alipaytest
