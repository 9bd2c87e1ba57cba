package hyperlocal

import "time"

// PaymentVerb is what a gateway is asked to do.
type PaymentVerb string

// The verbs.
const (
	VerbCharge    PaymentVerb = "charge"    // authorize and capture in one step
	VerbAuthorize PaymentVerb = "authorize" // hold the money
	VerbCapture   PaymentVerb = "capture"   // take money that is held
	VerbVoid      PaymentVerb = "void"      // let go of money that is held
	VerbRefund    PaymentVerb = "refund"    // give captured money back
)

// PaymentCommand asks the payment context for one operation on behalf of an owner (an order).
type PaymentCommand struct {
	Tenant   TenantID
	Owner    Ref // what the money is for
	Merchant Ref
	Customer Ref // zero for a guest
	Verb     PaymentVerb
	Amount   Money
	// Reference is unique per (tenant, owner, verb): asking again with the same reference
	// returns the operation that exists. For a refund it names the refund.
	Reference string
	Gateway   string // which gateway; "" for the default of the payment service. Ignored for capture, void and refund
	Method    string // the gateway's token for how the shopper pays; never a card number
	Actor     Actor
	At        time.Time // effective time
}

// PaymentOperation is a stored operation: it exists, and the gateway may or may not have
// been asked yet.
type PaymentOperation struct {
	Tenant    TenantID
	ID        string // UUIDv7
	Intent    string // UUIDv7 of the intent it belongs to
	Owner     Ref
	Verb      PaymentVerb
	Amount    Money
	Reference string
}

// PaymentOutcome is how an operation stands.
type PaymentOutcome string

// The outcomes.
const (
	OutcomeProcessing PaymentOutcome = "processing"      // the call is under way, or a worker will make it
	OutcomeSucceeded  PaymentOutcome = "succeeded"       // the money moved
	OutcomePending    PaymentOutcome = "pending"         // the provider will tell later
	OutcomeAction     PaymentOutcome = "action_required" // the shopper has to do something
	OutcomeDeclined   PaymentOutcome = "declined"        // surely did not happen
	OutcomeUnknown    PaymentOutcome = "unknown"         // may have happened: looked up, never repeated blindly
)

// DeclineClass says what a decline means for a retry.
type DeclineClass string

// The classes of a decline.
const (
	DeclineNone         DeclineClass = ""
	DeclineHard         DeclineClass = "hard"          // never retried: stolen, closed, invalid
	DeclineSoft         DeclineClass = "soft"          // may succeed later: no funds, limit
	DeclineRateLimited  DeclineClass = "rate_limited"  // asked too often; surely not processed
	DeclineProviderDown DeclineClass = "provider_down" // surely not processed
	DeclineInvalid      DeclineClass = "invalid"       // the request was wrong; a defect on our side
)

// PaymentFact is what became known about an operation. The payment context records it and
// tells the owner in the same transaction. Captured and Refunded are the owner's totals
// after the fact, so that a repeated or late fact can be recognised.
type PaymentFact struct {
	Tenant     TenantID
	Owner      Ref
	Intent     string
	Operation  string
	Verb       PaymentVerb
	Reference  string
	Outcome    PaymentOutcome
	Amount     Money // of the operation
	Class      DeclineClass
	Code       string        // the provider's code for a decline, for people
	RetryAfter time.Duration // the provider's wish, zero if none
	Action     string        // what the shopper has to do: a URL or a client token
	Authorized Money         // held and not yet captured or voided, all intents of the owner
	Captured   Money         // captured in all for the owner
	Refunded   Money         // refunded in all for the owner
	At         time.Time
	Actor      Actor
	Cause      Cause // for events about this fact; zero: that of the context
}

// StockReturn puts units back on the shelf.
type StockReturn struct {
	Tenant TenantID
	Owner  Ref // the order the units were sold in
	// Reference is unique per (tenant, owner): returning again under it does nothing.
	Reference string
	Reason    string
	Items     []ItemQuantity
	At        time.Time
	Actor     Actor
}
