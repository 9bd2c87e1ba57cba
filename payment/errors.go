package payment

import (
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Errors of this context.
var (
	ErrNotFound = hyperlocal.NewError(hyperlocal.CodeNotFound, "payment/not_found",
		"there is no such payment")
	ErrUnknownGateway = hyperlocal.NewError(hyperlocal.CodeNotFound, "payment/unknown_gateway",
		"no gateway of that name is configured")
	ErrUnknownOwner = hyperlocal.NewError(hyperlocal.CodePrecondition, "payment/unknown_owner_kind",
		"nobody is attached for this kind of owner, so nobody would learn that the money moved; call AttachOwner first")
	ErrOwnerAttached = hyperlocal.NewError(hyperlocal.CodeAlreadyExists, "payment/owner_attached",
		"somebody is attached for this kind of owner already")
	ErrReferenceConflict = hyperlocal.NewError(hyperlocal.CodeAlreadyExists, "payment/reference_conflict",
		"the reference belongs to an operation with other content; choose a new reference")
	ErrUnsupported = hyperlocal.NewError(hyperlocal.CodePrecondition, "payment/unsupported",
		"the gateway cannot do this")
	ErrNothingHeld = hyperlocal.NewError(hyperlocal.CodePrecondition, "payment/exceeds_authorized",
		"this is more than what is held for the owner and not claimed by another operation")
	ErrRefundTooMuch = hyperlocal.NewError(hyperlocal.CodePrecondition, "payment/exceeds_captured",
		"this is more than what was captured for the owner and is neither refunded nor being refunded")
	ErrSpansIntents = hyperlocal.NewError(hyperlocal.CodePrecondition, "payment/spans_intents",
		"no single payment of the owner covers this amount; ask for parts, each under a reference of its own")
	ErrSharedHold = hyperlocal.NewError(hyperlocal.CodePrecondition, "payment/shared_hold",
		"the hold is shared with other owners and the gateway would let go of their part too")
	ErrStale = hyperlocal.NewError(hyperlocal.CodeConflict, "payment/stale",
		"the payment has changed; read it again")
	ErrNotOpen = hyperlocal.NewError(hyperlocal.CodePrecondition, "payment/not_open",
		"the operation is settled; there is nothing to decide")
	ErrUnderWay = hyperlocal.NewError(hyperlocal.CodeConflict, "payment/under_way",
		"the operation is being executed; wait for its outcome").WithRetryAfter(time.Second)
	// ErrNotRecorded: the gateway answered and its answer could not be stored. The janitor
	// asks the gateway again, so nothing is lost.
	ErrNotRecorded = hyperlocal.NewError(hyperlocal.CodeUnknownOutcome, "payment/not_recorded",
		"the gateway was asked and its answer could not be stored; it will be looked up")
	// ErrNotSent is for gateways: wrapped in the error of a call it says that the request
	// surely did not leave the process.
	ErrNotSent = hyperlocal.NewError(hyperlocal.CodeUnavailable, "payment/not_sent",
		"the request did not reach the gateway")
	ErrMethodLooksLikeCard = hyperlocal.NewError(hyperlocal.CodeInvalid, "payment/card_number",
		"this looks like a card number; only the gateway's token for it may be given")

	ErrWebhookSignature = hyperlocal.NewError(hyperlocal.CodeUnauthenticated, "payment/webhook_signature",
		"the webhook is not signed by the gateway")
	ErrWebhookStale = hyperlocal.NewError(hyperlocal.CodeUnauthenticated, "payment/webhook_stale",
		"the webhook was signed too long ago or too far in the future")
	ErrWebhookTooLarge = hyperlocal.NewError(hyperlocal.CodeInvalid, "payment/webhook_too_large",
		"a webhook has at most 1 MiB")
	ErrWebhookMalformed = hyperlocal.NewError(hyperlocal.CodeInvalid, "payment/webhook_malformed",
		"the webhook cannot be read")
	ErrWeakSecret = hyperlocal.NewError(hyperlocal.CodeInvalid, "payment/weak_secret",
		"a webhook secret has at least 24 bytes")
)
