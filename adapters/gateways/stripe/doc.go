// Package stripe takes payments through Stripe: PaymentIntents that are captured at once or
// later, cards, Apple Pay and Google Pay through the Payment Element, and refunds.
//
//	gateway, err := stripe.New(stripe.Config{
//		Accounts: func(tenant hyperlocal.TenantID) (stripe.Account, bool) { ... },
//	})
//	payments, err := payment.New(payment.Config{Gateways: []payment.Gateway{gateway}, ...})
//
// It is called by the payment service and by nobody else, but for [Gateway.Abandon] and
// [Gateway.ParseDispute]. The README beside this file tells how to get keys, what is supported,
// and how Stripe's currencies and error codes are read.
//
// # How a shopper pays
//
// A method is a token that Stripe's own scripts made in the browser; no card number gets here.
//
//	""            the intent is made and not confirmed; the answer is ActionRequired, and its
//	              Action is the client secret that the Payment Element asks for
//	pm_...        a payment method: confirmed here and now
//	ctoken_...    a confirmation token: the same
//
// Where a card wants its holder to be authenticated the answer is ActionRequired, too: Action
// is a URL if the account has a ReturnURL and Stripe a page for it, and otherwise the client
// secret, for handleNextAction of Stripe's scripts.
//
// Whoever holds a client secret can pay, and after a failure can try again with another card.
// So a payment whose secret may have been given out stays ActionRequired until it is paid or
// cancelled; only then is it surely not going to be paid. [Gateway.Abandon] cancels it.
//
// # What is sure
//
// Every POST carries the operation's key as Idempotency-Key, and in the metadata of what it
// makes. Stripe keeps keys for at least 24 hours, answers of status 500 included. [Gateway.Lookup]
// retrieves by id where one is known and otherwise reads the list of intents since the operation
// began, which is consistent, and not the search, which lags. It says that nothing is known only
// when it has read that list to its end.
//
// A timeout, a broken connection, a status of 500 and above, a redirect, and an answer that
// cannot be read are errors: it may have happened. What failed before a connection was there
// wraps [payment.ErrNotSent]. Captures, voids and refunds read the payment first and compare
// tenant, intent, currency and mode, because Stripe takes no currency for them.
//
// It speaks HTTP through net/http: the part of the API that it needs is seven form-encoded
// requests, while Stripe's SDK is large to compile, retries by itself and holds its keys and
// connections in variables of a package.
//
// It never sees a card number, sends no text of people, retries nothing by itself, follows no
// redirect and stores nothing.
package stripe
