package order

import "github.com/hyperlocal-sdk/hyperlocal"

// Errors of this context.
var (
	ErrNotFound      = hyperlocal.NewError(hyperlocal.CodeNotFound, "order/not_found", "there is no such order")
	ErrNotAllowed    = hyperlocal.NewError(hyperlocal.CodePrecondition, "order/not_allowed", "the order is not in a state that allows this")
	ErrStale         = hyperlocal.NewError(hyperlocal.CodeConflict, "order/stale", "the order has changed; read it again")
	ErrNumberTaken   = hyperlocal.NewError(hyperlocal.CodeConflict, "order/number_taken", "the order number is taken; try again")
	ErrExternalTaken = hyperlocal.NewError(hyperlocal.CodeConflict, "order/external_taken",
		"the external reference was taken a moment ago; try again")
	ErrExternalConflict = hyperlocal.NewError(hyperlocal.CodeAlreadyExists, "order/external_conflict",
		"the external reference belongs to something with other content")
	ErrNothingDue      = hyperlocal.NewError(hyperlocal.CodePrecondition, "order/nothing_due", "nothing is due on this order")
	ErrPaymentUnderWay = hyperlocal.NewError(hyperlocal.CodeConflict, "order/payment_under_way",
		"a payment for this order is under way; wait for its outcome")
	ErrNotReadBack = hyperlocal.NewError(hyperlocal.CodeUnknownOutcome, "order/not_read_back",
		"what the gateway said is recorded, but the order could not be read back; ask again under the same key")
	ErrRefundTooMuch = hyperlocal.NewError(hyperlocal.CodePrecondition, "order/refund_exceeds",
		"the refund is more than what is left refundable")
	ErrRefundDeclined = hyperlocal.NewError(hyperlocal.CodePrecondition, "order/refund_declined",
		"the gateway has declined this refund for good; close it and make another")
	ErrReturnTooMuch = hyperlocal.NewError(hyperlocal.CodePrecondition, "order/return_exceeds",
		"more units are given back than were sold and not yet returned")
	ErrNotConfigured = hyperlocal.NewError(hyperlocal.CodePrecondition, "order/not_configured",
		"the service was built without the part that this needs")
	ErrActor = hyperlocal.NewError(hyperlocal.CodePermission, "order/actor_not_allowed",
		"an actor of this kind may not do this to an order")
	ErrTooManyAttempts = hyperlocal.NewError(hyperlocal.CodeExhausted, "order/too_many_attempts",
		"too many payments of this order have failed; place it again")
	ErrRefundNotFound = hyperlocal.NewError(hyperlocal.CodeNotFound, "order/refund_not_found", "there is no such refund")
	ErrNotErasable    = hyperlocal.NewError(hyperlocal.CodePrecondition, "order/not_erasable", "this store cannot erase personal data")
)

// Defects of a table or of the program around it.
var (
	errAmbiguous = hyperlocal.NewError(hyperlocal.CodeInternal, "order/ambiguous", "two rows of the transition table fit at once")
	errMachine   = hyperlocal.NewError(hyperlocal.CodeInternal, "order/machine", "the transition table could not be interpreted")
)
