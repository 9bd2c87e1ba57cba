// Package stripetest is a double of the part of Stripe's API that takes and returns money: an
// HTTP server with a memory, for tests of programs that pay through Stripe.
//
//	server := stripetest.Start(t, stripetest.Config{})
//	gateway, err := stripe.New(stripe.Config{BaseURL: server.URL, Accounts: ...})
//
// It keeps the rules that a checker of parameters cannot: the same idempotency key is answered
// with the first answer, statuses of 500 included, and refused with other parameters; capture
// never exceeds what is held, nor refund what was captured; accounts do not see each other. What
// really moved is in [Server.Moves], whatever the caller was told.
//
// The payment method decides what happens. Some of Stripe's own test methods do what they do
// there:
//
//	pm_card_visa                                  succeeds
//	pm_card_visa_chargeDeclined                   is declined, generic_decline
//	pm_card_visa_chargeDeclinedInsufficientFunds  is declined, insufficient_funds
//	pm_card_visa_chargeDeclinedLostCard           is declined, lost_card
//	pm_card_chargeDeclinedProcessingError         is declined, processing_error
//	pm_card_threeDSecure2Required                 asks for the shopper; see Server.Finish
//	pm_usBankAccount_success                      is being processed; see Server.Finish
//
// and pm_fault_<request>_<fault> succeeds, while the first request of that kind (create,
// capture, cancel, refund) under a key is struck by a [Fault]: pm_fault_refund_hang_after.
// [Server.Script] strikes by other rules.
//
// It shares no code with the adapter, so that both can be wrong in different ways only.
package stripetest
