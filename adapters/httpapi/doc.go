// Package httpapi is the HTTP edge of the SDK: JSON operations under /v1 over the services of
// the contexts, described by OpenAPI 3.1. It holds no business rule.
//
//	handler, err := httpapi.New(httpapi.Config{
//		Orders: orders, Stock: stock, Catalog: shops, Payments: payments, Loyalty: points, Ledger: books,
//		Authenticate: func(r *http.Request) (hyperlocal.Principal, error) { ... },
//	})
//	...
//	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second}
//
// The host says who is asking; everything else follows from the principal. The tenant is the
// principal's and never the request's. What belongs to another tenant, merchant or customer
// is not found, in the very words in which a thing is not found that does not exist. A caller
// without the scope for an operation is refused before its request is looked at.
//
// # Scopes
//
// hyperlocal.ScopeShop reads the catalogue and places, pays, reads and cancels its own orders,
// as the customer with the actor's id, whatever the actor's kind. hyperlocal.ScopeMerchant works the orders and the stock
// of the principal's merchant. hyperlocal.ScopeAdmin does everything within the tenant. A
// caller with several has the rights of all; lists show what the strongest one sees.
//
// # Refusals
//
// Every refusal is a [Problem] (RFC 9457) with a stable code and reason:
//
//	invalid            422; 400 if it cannot even be read: body, cursor, If-Match, missing key;
//	                   413, 415 and 405 where HTTP has a word for it
//	unauthenticated    401 with WWW-Authenticate
//	permission         403
//	not_found          404
//	already_exists, conflict, precondition, exhausted
//	                   409; 412 if the caller's If-Match is out of date; 429 if asked too often
//	unavailable        503
//	deadline, unknown_outcome
//	                   504: repeat it under the same idempotency key
//	internal           500, and no word about why
//
// Retry-After is set when it is known how long to wait.
//
// # Idempotency
//
// Placing, paying, refunding and adjusting stock need an Idempotency-Key header; every other
// change accepts one. A repetition is answered with what the first request achieved and the
// header Idempotency-Replayed; the same key with another request is refused with 422.
//
// # Answers that many ask for
//
// Shops and products are answered with a strong ETag made of the bytes, with 304 for an
// If-None-Match that knows them, and with a Cache-Control as Config.Freshness says: for the
// caller alone unless the host says that its catalogue is public. Config.Cache keeps such
// answers (package adapters/cache); who is asking is found out and checked for every request
// all the same. What is kept is computed for a caller without rights. Those who manage shops
// read products past it, and none of their answers is used without asking again.
//
// How old an answer can be is what the cache states, 5 s without Redis and less when events
// come in, plus Freshness.MaxAge in the caller's hands, plus StaleWhileRevalidate in a CDN's.
// Prices are taken from the database when an order is placed, whatever the caller has read.
//
// What a shopper can have of a product (getAvailability) is kept for a second, whatever the cache
// says, and for as much longer as the clocks of processes differ that share one. Stock levels are never cached: whoever reads them is about to change them and states the
// version that was read.
//
// # Time zones
//
// The time zone of an order must be in the IANA database. Import time/tzdata where the machine
// may lack it.
//
// # What it never does
//
// It takes no price, tenant or actor from a request. It takes no card number: any text that
// looks like one is refused before it is stored, but for fields that hold codes by their type
// and for signed webhooks, whose content is the provider's. It logs no address, query, body,
// name or credential. Its documentation page loads nothing from elsewhere and runs no script.
package httpapi
