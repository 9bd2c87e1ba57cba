package payment

import (
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Changed is what every event about an operation tells: ids, amounts and states, never a
// method or anything about a person. The totals are those of the intent after the change.
type Changed struct {
	Operation  string                    `json:"operation"`
	Intent     string                    `json:"intent"`
	Owners     []hyperlocal.Ref          `json:"owners"`
	Gateway    string                    `json:"gateway"`
	Verb       hyperlocal.PaymentVerb    `json:"verb"`
	Reference  string                    `json:"reference"`
	Outcome    hyperlocal.PaymentOutcome `json:"outcome"`
	Amount     hyperlocal.Money          `json:"amount"`
	Authorized hyperlocal.Money          `json:"authorized"`
	Captured   hyperlocal.Money          `json:"captured"`
	Refunded   hyperlocal.Money          `json:"refunded"`
	At         time.Time                 `json:"at"` // effective time of the change
}

// The events.
type (
	// PaymentAuthorized: money is held.
	PaymentAuthorized struct{ Changed }
	// PaymentCaptured: money was taken, by a charge or a capture.
	PaymentCaptured struct {
		Changed
		Fee hyperlocal.Money `json:"fee,omitzero"`
	}
	// PaymentVoided: held money was let go.
	PaymentVoided struct{ Changed }
	// PaymentRefunded: money was given back.
	PaymentRefunded struct {
		Changed
		Fee hyperlocal.Money `json:"fee,omitzero"`
	}
	// PaymentFailed: the operation surely did not happen.
	PaymentFailed struct {
		Changed
		Class hyperlocal.DeclineClass `json:"class"`
		Code  string                  `json:"code,omitempty"`
	}
	// PaymentNeedsAttention: nothing automatic is left to try; a person has to decide.
	PaymentNeedsAttention struct {
		Changed
		Reason string `json:"reason"` // a slug
	}
	// PaymentMismatch: a gateway claims something that contradicts our rows. It was recorded
	// and not applied.
	PaymentMismatch struct {
		Operation string                    `json:"operation,omitempty"` // "" when no operation of ours is meant
		Intent    string                    `json:"intent,omitempty"`
		Gateway   string                    `json:"gateway"`
		Event     string                    `json:"event,omitempty"` // of the webhook; "" when it was an answer
		Reason    string                    `json:"reason"`          // a slug
		Claimed   hyperlocal.Money          `json:"claimed,omitzero"`
		Ours      hyperlocal.Money          `json:"ours,omitzero"`
		Outcome   hyperlocal.PaymentOutcome `json:"outcome"` // claimed
		At        time.Time                 `json:"at"`
	}
)

// Event names, "<context>.<past participle>"; every version is 1.
func (PaymentAuthorized) EventName() string     { return "payment.authorized" }
func (PaymentCaptured) EventName() string       { return "payment.captured" }
func (PaymentVoided) EventName() string         { return "payment.voided" }
func (PaymentRefunded) EventName() string       { return "payment.refunded" }
func (PaymentFailed) EventName() string         { return "payment.failed" }
func (PaymentNeedsAttention) EventName() string { return "payment.needs_attention" }
func (PaymentMismatch) EventName() string       { return "payment.mismatch" }

// EventVersion of everything that embeds Changed.
func (Changed) EventVersion() int         { return 1 }
func (PaymentMismatch) EventVersion() int { return 1 }

// Events lists one value of every event of this context, for catalogues and decoders.
func Events() []hyperlocal.Event {
	return []hyperlocal.Event{
		PaymentAuthorized{}, PaymentCaptured{}, PaymentVoided{}, PaymentRefunded{}, PaymentFailed{},
		PaymentNeedsAttention{}, PaymentMismatch{},
	}
}

// Reasons that an operation needs attention, or that a claim does not match.
const (
	ReasonLookupsUsedUp  = "lookups_used_up"     // the gateway could not tell what happened
	ReasonPendingTooLong = "pending_too_long"    // the provider or the shopper never finished
	ReasonKeyForgotten   = "key_forgotten"       // the gateway no longer remembers the key, so its "not known" proves nothing
	ReasonNotRecordable  = "not_recordable"      // the answer cannot be applied; see the log
	ReasonAmount         = "amount_differs"      // another amount or currency than ours
	ReasonNoAmount       = "amount_missing"      // money moved, and the gateway does not say how much
	ReasonIntent         = "intent_differs"      // another intent than ours
	ReasonVerb           = "verb_differs"        // another verb than ours
	ReasonContradiction  = "contradicts_success" // it succeeded, and now it should not have
	ReasonForeign        = "no_such_operation"   // money moved that nobody here asked for
	ReasonNoRoom         = "exceeds_intent"      // a decline turned into a success after the money was taken otherwise
	ReasonGatewayGone    = "gateway_not_configured"
)
