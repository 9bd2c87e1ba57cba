package payment

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// MaxMoved bounds how many references one call names and how many rows one page has.
const MaxMoved = 10_000

// Moved is money that one operation moved, for all its owners together: what a statement of
// the gateway is compared with. It is the sum of the operation's movements, and never changes.
type Moved struct {
	Tenant    hyperlocal.TenantID
	Operation string
	Intent    string
	Gateway   string
	Kind      MovementKind
	Amount    hyperlocal.Money // positive, whichever way the money went
	Fee       hyperlocal.Money // that the journal has booked already; zero Money for none
	Key       string           // the idempotency key that the gateway knows
	Provider  string           // the gateway's reference, "" if it told none
	At        time.Time        // effective time
}

// MovedReader reads in bulk what moved. A [Store] is one.
type MovedReader interface {
	// MovedByReference returns what moved through a gateway under one of the references: an
	// idempotency key, a gateway's reference of an operation, or the id of an intent. At most
	// MaxMoved references; the rows come in any order, each once.
	MovedByReference(ctx context.Context, tenant hyperlocal.TenantID, gateway string, references ...string) ([]Moved, error)
	// MovedBetween returns at most limit rows with From <= At < Until, in the order of
	// (At, Operation), behind the given key.
	MovedBetween(ctx context.Context, r MovedRange, limit int) ([]Moved, error)
}

// MovedRange is a stretch of what moved through a gateway.
type MovedRange struct {
	Tenant      hyperlocal.TenantID
	Gateway     string
	From, Until time.Time
	// AfterAt and AfterOperation are the key of the last row that is known; zero to begin.
	AfterAt        time.Time
	AfterOperation string
}

// Moved returns what an operation that succeeded has moved, false if it moves nothing.
func (o *Operation) Moved() (Moved, bool) {
	kind := MovementKind("")
	switch o.Verb {
	case hyperlocal.VerbCharge, hyperlocal.VerbCapture:
		kind = MovedCapture
	case hyperlocal.VerbRefund:
		kind = MovedRefund
	}
	if kind == "" || o.Outcome != hyperlocal.OutcomeSucceeded {
		return Moved{}, false
	}
	return Moved{
		Tenant: o.Tenant, Operation: o.ID, Intent: o.Intent, Gateway: o.Gateway, Kind: kind, Amount: o.Amount, Fee: o.Fee,
		Key: o.Key, Provider: o.Provider, At: o.At,
	}, true
}
