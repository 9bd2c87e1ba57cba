// Package sandbox is a payment gateway that moves no money: deterministic, scriptable by the
// token of the payment method, with a charge log of its own that outlives crashes of the
// host. It is what demos, tests and fault runs pay through, and the model that other
// gateways are measured against.
//
//	gw, err := sandbox.New(sandbox.Config{Log: store.SandboxLog()})
//	payments, err := payment.New(payment.Config{Gateways: []payment.Gateway{gw}, ...})
//	...
//	order.Pay(ctx, order.PayCommand{Method: "decline:soft:2", ...})
//
// A method is a list of steps separated by commas. A step is for the charge or authorization
// unless a verb stands before it, as in "ok,refund=timeout:after":
//
//	ok                      succeeds; also what an empty method means
//	decline:hard            is declined; also soft and invalid
//	decline:soft:2          the first two attempts of the intent are declined
//	rate_limited, provider_down    declined before anything is processed or logged;
//	                        with a number, only that many attempts, or tries of one attempt
//	timeout:after           is processed, and the answer is lost
//	timeout:before          is lost on its way in, once; timeout:before:3 three times
//	delay:50ms              the answer takes that long
//	action                  the shopper has to do something; see Gateway.Complete
//	pending, pending:1h     the outcome comes later, by Gateway.Complete or by itself
//	webhook:duplicate       the webhook is sent twice
//	webhook:reorder         a late "pending" follows the final webhook
//	webhook:contradict      a webhook that claims the opposite follows
//	webhook:late            is sent only by Gateway.Flush
//	webhook:never           is not sent
//
// Anything else is declined as invalid. Faults strike a request once it is new; the same
// idempotency key is always answered with what the log holds.
//
// It never opens a connection, and it is no place for card numbers.
package sandbox
