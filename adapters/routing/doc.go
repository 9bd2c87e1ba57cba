// Package routing chooses the payment gateway of a charge or authorization that names none, and
// keeps away from gateways that are down.
//
//	router, err := routing.New(routing.Config{
//		Gateways: []payment.Gateway{stripe, alipay},
//		Rules: []routing.Rule{
//			{Name: "yuan", Currencies: []hyperlocal.Currency{"CNY"}, Routes: []routing.Route{{Gateway: "alipay"}, {Gateway: "stripe"}}},
//			{Name: "cheap", Prefer: routing.Cheapest, Routes: []routing.Route{
//				{Gateway: "stripe", Cost: routing.Cost{BasisPoints: 150, Fixed: cents}}, {Gateway: "alipay", Cost: routing.Cost{BasisPoints: 60}},
//			}},
//		},
//	})
//	payments, err := payment.New(payment.Config{Gateways: router.Gateways(), Router: router, ...})
//
// The first rule that matches a payment decides; its routes are ordered by what it prefers, and
// the first one wins that can do what is wanted and whose circuit is closed. A payment that
// nothing matches goes to the service's default gateway. Every decision says why each route was
// taken or passed over: Config.Decided hears it, [Router.Explain] answers without deciding.
//
// # What is watched
//
// Router.Gateways are the given gateways, watched: how charges and authorizations end is counted
// in a sliding window, and after Config.Trip calls in a row that were not processed or whose
// outcome is unknown, the circuit opens: for Config.Cool nothing is sent, and a charge is
// answered as declined with class provider_down, which is surely not processed, and a
// RetryAfter. Then one call is let through to try. Captures, voids, refunds and lookups always
// go through: what is owed is owed, and the payment service has its own patience with them.
//
// A gateway that declines is not down: declines count for the success rate and not for the
// circuit. What is retried, when and how often, is the order's policy; a later attempt without a
// gateway of its own is routed anew, and so falls back to another one.
//
// Success is succeeded / ended, with one imagined success and one imagined failure so that a
// new gateway is neither best nor worst. Costs are in the currency of the payment, rounded up.
// A weight decides by a hash of the owner: the same order goes the same way as long as the
// circuits are closed. A Router is safe for concurrent use; its memory belongs to the process.
package routing
