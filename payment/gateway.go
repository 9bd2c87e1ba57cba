package payment

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Gateway is one way to move money: a payment provider behind its own protocol.
//
// Every call is made outside any transaction, with a deadline, and carries an idempotency
// key: the same key with the same content is answered with the first answer, whatever
// happened in between; the same key with other content is refused as Declined with class
// invalid. Calls are made from many goroutines at once.
//
// How an answer is read:
//   - a nil error: the Result holds;
//   - an error that wraps [ErrNotSent]: surely not processed;
//   - any other error, a timeout and a cancelled context included: it may have happened.
//     The operation becomes unknown and is looked up; it is never taken for a failure.
type Gateway interface {
	// Name is constant: 1 to 32 characters of [a-z0-9_-]. It is stored with every intent and
	// is part of account names.
	Name() string
	Capabilities() Capabilities
	// Authorize holds money, or takes it at once if CaptureNow is set.
	Authorize(ctx context.Context, r AuthorizeRequest) (Result, error)
	// Capture takes held money, in whole or, where the gateway can, in part.
	Capture(ctx context.Context, r CaptureRequest) (Result, error)
	// Void lets go of what is still held.
	Void(ctx context.Context, r VoidRequest) (Result, error)
	// Refund gives captured money back.
	Refund(ctx context.Context, r RefundRequest) (Result, error)
	// Lookup tells what became of the request that was sent under a key. It changes nothing.
	Lookup(ctx context.Context, r LookupRequest) (LookupResult, error)
}

// Capabilities tells what a gateway can do, so that the service refuses the rest before
// anything is stored.
type Capabilities struct {
	Verbs          []hyperlocal.PaymentVerb
	PartialCapture bool // capture less than what is held
	// MultiCapture: what is left after a partial capture stays held. Without it a capture
	// lets go of the rest.
	MultiCapture  bool
	PartialRefund bool
	Methods       []string // kinds of payment method, for display
	// KeyLifetime is how long the gateway remembers an idempotency key; zero for as long as
	// it remembers the payment. A lookup that finds nothing proves nothing once a key is older
	// than that, counted from when we made it, and a person decides.
	KeyLifetime time.Duration
}

// Can reports whether the gateway knows the verb.
func (c Capabilities) Can(verb hyperlocal.PaymentVerb) bool {
	for _, v := range c.Verbs {
		if v == verb {
			return true
		}
	}
	return false
}

// Request is what every request carries. It holds ids and amounts only: text of people
// never reaches a gateway.
type Request struct {
	Tenant    hyperlocal.TenantID
	Key       string // idempotency key, at most 128 printable ASCII characters
	Intent    string
	Operation string
	Attempt   int // number of the attempt within the intent, from 1
	Amount    hyperlocal.Money
}

// AuthorizeRequest asks to hold money or, with CaptureNow, to charge it.
type AuthorizeRequest struct {
	Request
	CaptureNow bool
	Method     string // the gateway's token for how the shopper pays
}

// Verb is charge or authorize.
func (r AuthorizeRequest) Verb() hyperlocal.PaymentVerb {
	if r.CaptureNow {
		return hyperlocal.VerbCharge
	}
	return hyperlocal.VerbAuthorize
}

// CaptureRequest asks to take held money.
type CaptureRequest struct {
	Request
	Payment string // the gateway's reference of the authorization
}

// VoidRequest asks to let go of held money.
type VoidRequest struct {
	Request
	Payment string // the gateway's reference of the authorization
}

// RefundRequest asks to give captured money back.
type RefundRequest struct {
	Request
	Payment string // the gateway's reference of the charge or authorization
}

// LookupRequest asks what became of an earlier request with the same Request.
type LookupRequest struct {
	Request
	Verb     hyperlocal.PaymentVerb
	Payment  string // as in the request that is looked up; "" for an authorization
	Provider string // the gateway's reference of the operation, "" if it is not known
}

// Result is a gateway's answer.
type Result struct {
	// Outcome is Succeeded, Pending, ActionRequired, Declined or Unknown.
	Outcome  hyperlocal.PaymentOutcome
	Provider string // the gateway's reference of this operation
	// Amount is what the gateway says it moved; required when it succeeded. Another amount
	// than the one asked for is never applied but raised to a person.
	Amount     hyperlocal.Money
	Fee        hyperlocal.Money // what the gateway keeps of it; zero Money if not told
	Class      hyperlocal.DeclineClass
	Code       string        // the gateway's code for a decline
	RetryAfter time.Duration // the gateway's wish, zero if none; it is heard up to MaxRetryAfter
	Action     string        // for ActionRequired: a URL or a client token
}

// LookupResult is the answer to a lookup. Known is false when the gateway is sure that no
// request with that key has arrived; then it is safe to send it again under the same key.
type LookupResult struct {
	Known bool
	Result
}

// WebhookParser is an optional ability of a Gateway: the provider calls us. It is found by
// [AbilityOf].
type WebhookParser interface {
	// ParseWebhook checks that the gateway has signed the body for the tenant at about now,
	// in both directions of clock skew, and reads it. The case of header names does not
	// matter. It keeps no state: that a webhook was seen before is noticed by its event id.
	//
	// Errors: ErrWebhookSignature, ErrWebhookStale, ErrWebhookMalformed.
	ParseWebhook(tenant hyperlocal.TenantID, now time.Time, headers map[string][]string, body []byte) (Notice, error)
}

// WebhookConfirmer is an optional ability of a WebhookParser, for a provider whose signature does
// not prove every word: if it reports true, a webhook that says that money moved is a hint, and
// the gateway is asked before it is believed.
type WebhookConfirmer interface{ ConfirmsWebhooks() bool }

// WebhookAnswerer is an optional ability of a WebhookParser, for a provider that wants to read
// something of its own. err is what [Service.Receive] returned.
type WebhookAnswerer interface {
	WebhookAnswer(err error) (status int, contentType string, body []byte)
}

// AbilityOf returns an optional ability of a gateway: of itself, or of the one that it wraps and
// returns from a method Unwrap() Gateway.
func AbilityOf[T any](g Gateway) (ability T, ok bool) {
	for g != nil {
		if ability, ok = g.(T); ok {
			return ability, true
		}
		w, wraps := g.(interface{ Unwrap() Gateway })
		if !wraps {
			break
		}
		g = w.Unwrap()
	}
	return ability, false
}

// Notice is what a webhook says. It is a claim that is compared with our own rows, never an
// instruction.
type Notice struct {
	Event string `json:"event"` // the provider's id of the event, for deduplication
	// Key is the idempotency key of the operation; "" when the webhook is about nothing of
	// ours, such as a test event, which is stored and ignored.
	Key      string                    `json:"key,omitempty"`
	Intent   string                    `json:"intent,omitempty"` // compared when given
	Verb     hyperlocal.PaymentVerb    `json:"verb,omitempty"`   // compared when given
	Outcome  hyperlocal.PaymentOutcome `json:"outcome,omitempty"`
	Amount   hyperlocal.Money          `json:"amount,omitzero"`
	Fee      hyperlocal.Money          `json:"fee,omitzero"`
	Provider string                    `json:"provider,omitempty"`
	Class    hyperlocal.DeclineClass   `json:"class,omitempty"`
	Code     string                    `json:"code,omitempty"`
	Action   string                    `json:"action,omitempty"`
}
