package payment

import (
	"strconv"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Limits. More is refused with code invalid.
const (
	MaxBatch     = 4000 // commands in one Begin, ids in one Status: what 1000 orders may ask for in one go
	MaxShares    = 100  // owners of one operation
	MaxReference = 128
	MaxMethod    = 255
	MaxGateway   = 32
	MaxProvider  = 255 // bytes kept of a gateway's reference or decline code
	MaxAction    = 2048
)

// MaxRetryAfter bounds how long a gateway may make us wait. A longer wish is a mistake of its
// own, and what is owed to somebody must not wait for it.
const MaxRetryAfter = 24 * time.Hour

// defaultDue is how much RunDue and ProcessWebhooks do at a time unless told otherwise.
const defaultDue = 100

// Operation is one thing that a gateway is asked to do, and how it stands. It is stored
// before the gateway is asked, and never asked for blindly a second time.
type Operation struct {
	ID        string                    `json:"id"` // UUIDv7
	Tenant    hyperlocal.TenantID       `json:"tenant"`
	Intent    string                    `json:"intent"`
	Owner     hyperlocal.Ref            `json:"owner"`  // the first of the shares
	Shares    []Share                   `json:"shares"` // at least one; sum to Amount
	Verb      hyperlocal.PaymentVerb    `json:"verb"`
	Amount    hyperlocal.Money          `json:"amount"`
	Reference string                    `json:"reference"` // unique per (tenant, owner, verb)
	Gateway   string                    `json:"gateway"`
	Method    string                    `json:"method,omitempty"`
	Attempt   int                       `json:"attempt"` // number within the intent, part of the key
	Key       string                    `json:"key"`     // the idempotency key that the gateway sees
	Outcome   hyperlocal.PaymentOutcome `json:"outcome"`
	// Sent: the gateway may have been asked. Only an operation that is surely unsent may be
	// sent without a lookup.
	Sent       bool                    `json:"sent"`
	Payment    string                  `json:"payment,omitempty"`  // of the intent, for verbs that refer to it
	Provider   string                  `json:"provider,omitempty"` // the gateway's reference
	Class      hyperlocal.DeclineClass `json:"class,omitempty"`
	Code       string                  `json:"code,omitempty"` // the gateway's code for a decline
	RetryAfter time.Duration           `json:"retry_after,omitempty"`
	Action     string                  `json:"action,omitempty"`
	Fee        hyperlocal.Money        `json:"fee,omitzero"`
	// NextAt is when the janitor will look at the operation: the end of the lease while
	// somebody executes it, the next lookup afterwards; zero when nothing is left to do.
	NextAt    time.Time        `json:"next_at,omitzero"`
	Lookups   int              `json:"lookups"`             // tries in vain since the outcome last changed
	Attention string           `json:"attention,omitempty"` // why a person has to look at it; "" for no
	Actor     hyperlocal.Actor `json:"actor"`
	At        time.Time        `json:"at"` // effective time
	CreatedAt time.Time        `json:"created_at"`
	BegunAt   time.Time        `json:"begun_at"` // when the present key was made: CreatedAt, or armed again since
	UpdatedAt time.Time        `json:"updated_at"`
	Version   int64            `json:"version"`
}

// Share is the part of an operation that concerns one owner.
type Share struct {
	Owner    hyperlocal.Ref   `json:"owner"`
	Merchant hyperlocal.Ref   `json:"merchant"`
	Amount   hyperlocal.Money `json:"amount"`
}

// Public returns what callers of Begin get.
func (o *Operation) Public() hyperlocal.PaymentOperation {
	return hyperlocal.PaymentOperation{
		Tenant: o.Tenant, ID: o.ID, Intent: o.Intent, Owner: o.Owner, Verb: o.Verb, Amount: o.Amount, Reference: o.Reference,
	}
}

// underWay reports whether a call to the gateway may be running: somebody holds the lease. An
// operation that was put off or never sent waits for its time just so, in nobody's hands.
func (o *Operation) underWay(now time.Time) bool {
	return o.Outcome == hyperlocal.OutcomeProcessing && o.Sent && o.NextAt.After(now)
}

// Open reports whether the outcome is not final.
func (o *Operation) Open() bool {
	return o.Outcome != hyperlocal.OutcomeSucceeded && o.Outcome != hyperlocal.OutcomeDeclined
}

func (o *Operation) tenantRefs() []hyperlocal.TenantRef {
	refs := make([]hyperlocal.TenantRef, len(o.Shares))
	for i, s := range o.Shares {
		refs[i] = hyperlocal.TenantRef{Tenant: o.Tenant, Ref: s.Owner}
	}
	return refs
}

// key derives the idempotency key from our own rows, so that it survives a crash and is the
// same whoever sends the request again. Both forms stay below every provider's limit.
func (o *Operation) key() string {
	if o.Verb == hyperlocal.VerbRefund {
		if o.Attempt <= 1 {
			return "refund/" + o.ID
		}
		return "refund/" + o.ID + "/" + strconv.Itoa(o.Attempt)
	}
	return "intent/" + o.Intent + "/attempt/" + strconv.Itoa(o.Attempt) + "/" + string(o.Verb)
}

// retryable reports whether asking the gateway again under a new key makes sense after a
// decline that surely moved nothing.
func retryable(class hyperlocal.DeclineClass) bool {
	switch class {
	case hyperlocal.DeclineSoft, hyperlocal.DeclineRateLimited, hyperlocal.DeclineProviderDown:
		return true
	}
	return false
}

// ownersMoney reports whether the verb gives back or takes what is already secured, so that
// asking again after a soft decline surprises no shopper.
func ownersMoney(verb hyperlocal.PaymentVerb) bool {
	switch verb {
	case hyperlocal.VerbCapture, hyperlocal.VerbVoid, hyperlocal.VerbRefund:
		return true
	}
	return false
}
