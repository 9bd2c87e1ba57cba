package stripe

import (
	"encoding/json"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// The names of our metadata. Their values are ids; none is longer than Stripe's limit of 500.
const (
	metaTenant    = "hl_tenant"
	metaIntent    = "hl_intent"
	metaOperation = "hl_operation"
	metaKey       = "hl_key"
	metaVerb      = "hl_verb"
	metaMethod    = "hl_method" // set if the intent was confirmed by us
	// A capture adds these to the intent that was authorized.
	metaCaptureKey       = "hl_capture_key"
	metaCaptureOperation = "hl_capture_operation"
)

// objectIntent is what a PaymentIntent says it is, and the name of the field that refers to one.
const objectIntent = "payment_intent"

// The states of a PaymentIntent.
const (
	statusNeedsMethod  = "requires_payment_method"
	statusNeedsConfirm = "requires_confirmation"
	statusNeedsAction  = "requires_action"
	statusProcessing   = "processing"
	statusHeld         = "requires_capture"
	statusSucceeded    = "succeeded"
	statusCanceled     = "canceled"
)

const captureManual = "manual"

// intent is what we read of Stripe's PaymentIntent. Amounts are Stripe's integers.
type intent struct {
	ID            string            `json:"id"`
	Object        string            `json:"object"`
	Amount        int64             `json:"amount"`
	Capturable    int64             `json:"amount_capturable"`
	Received      int64             `json:"amount_received"`
	Currency      string            `json:"currency"`
	Status        string            `json:"status"`
	CaptureMethod string            `json:"capture_method"`
	ClientSecret  string            `json:"client_secret"`
	Live          bool              `json:"livemode"`
	Created       int64             `json:"created"` // Unix seconds
	Metadata      map[string]string `json:"metadata"`
	LastError     *problem          `json:"last_payment_error"`
	NextAction    *nextAction       `json:"next_action"`
	LatestCharge  charge            `json:"latest_charge"`
}

type nextAction struct {
	Redirect *struct {
		URL string `json:"url"`
	} `json:"redirect_to_url"`
}

// charge is the latest charge of an intent: absent, null, an id, or the object itself where it
// was asked for.
type charge struct {
	told bool // the intent had the field
	id   string
	fee  *balance
}

type balance struct {
	Fee      int64  `json:"fee"`
	Currency string `json:"currency"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *charge) UnmarshalJSON(text []byte) error {
	*c = charge{told: true}
	if string(text) == "null" {
		return nil
	}
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, &c.id)
	}
	var object struct {
		ID      string          `json:"id"`
		Balance json.RawMessage `json:"balance_transaction"`
	}
	if err := json.Unmarshal(text, &object); err != nil {
		return err
	}
	c.id = object.ID
	if len(object.Balance) > 0 && object.Balance[0] == '{' {
		return json.Unmarshal(object.Balance, &c.fee)
	}
	return nil
}

// refund is what we read of Stripe's Refund.
type refund struct {
	ID       string            `json:"id"`
	Object   string            `json:"object"`
	Amount   int64             `json:"amount"`
	Currency string            `json:"currency"`
	Status   string            `json:"status"`
	Intent   string            `json:"payment_intent"`
	Failure  string            `json:"failure_reason"`
	Metadata map[string]string `json:"metadata"`
}

// page is one page of a list.
type page[T any] struct {
	Object string `json:"object"`
	Data   []T    `json:"data"`
	More   bool   `json:"has_more"`
}

// belongs reports whether the intent is the one that was made under the request's key.
func (in *intent) belongs(a Account, r payment.Request) bool {
	return in.Object == objectIntent && reference(in.ID, "pi_") && in.Live == a.Live() &&
		in.Metadata[metaTenant] == string(r.Tenant) && in.Metadata[metaKey] == r.Key && in.Metadata[metaIntent] == r.Intent
}

// action is what the shopper, or the page he looks at, needs to go on.
func (in *intent) action() string {
	if in.NextAction != nil && in.NextAction.Redirect != nil && strings.HasPrefix(in.NextAction.Redirect.URL, "https://") {
		return in.NextAction.Redirect.URL
	}
	return in.ClientSecret
}

// opened tells what became of the request that made the intent. secretOut: the client secret
// may have been given to the shopper, who can then pay with it as long as the intent is open.
func (in *intent) opened(secretOut bool) (payment.Result, error) {
	result := payment.Result{Outcome: hyperlocal.OutcomeUnknown, Provider: in.ID}
	amount, byUs := in.Amount, in.Metadata[metaMethod] != ""
	switch in.Status {
	case statusSucceeded:
		result.Outcome = hyperlocal.OutcomeSucceeded
		if in.CaptureMethod == captureManual {
			in.LatestCharge.fee = nil // the fee is that of the capture
			break
		}
		amount = in.Received
	case statusHeld:
		if in.CaptureMethod != captureManual {
			return payment.Result{}, ErrMismatch.WithMessage("money is held where it was to be taken").With("payment", in.ID)
		}
		result.Outcome, amount = hyperlocal.OutcomeSucceeded, in.Capturable
	case statusProcessing:
		result.Outcome = hyperlocal.OutcomePending
	case statusNeedsAction:
		result.Outcome, result.Action = hyperlocal.OutcomeAction, in.action()
	case statusNeedsMethod:
		switch {
		case !byUs || secretOut:
			result.Outcome, result.Action = hyperlocal.OutcomeAction, in.ClientSecret
		case in.LastError != nil:
			result.Outcome, result.Code = hyperlocal.OutcomeDeclined, in.LastError.name()
			result.Class = classOf(result.Code, hard)
		}
	case statusNeedsConfirm:
		// We confirm in the same request that makes the intent, so that one is under way or
		// has failed half-way: not known.
	case statusCanceled:
		result.Outcome, result.Class, result.Code = hyperlocal.OutcomeDeclined, hard, statusCanceled
	default:
		return payment.Result{}, ErrNoAnswer.WithMessage("Stripe reports a state that is not known here; look the payment up in the dashboard").
			With("payment", in.ID)
	}
	return in.priced(result, amount)
}

// captured tells what became of a capture of the whole or a part of the intent.
func (in *intent) captured() (payment.Result, error) {
	result := payment.Result{Outcome: hyperlocal.OutcomeUnknown, Provider: in.LatestCharge.id}
	if result.Provider == "" {
		result.Provider = in.ID
	}
	switch in.Status {
	case statusSucceeded:
		result.Outcome = hyperlocal.OutcomeSucceeded
		return in.priced(result, in.Received)
	case statusProcessing:
		result.Outcome = hyperlocal.OutcomePending
	}
	return result, nil
}

// priced adds amount and fee. The fee is told only in the currency of the payment: an account
// that settles in another one learns it from its statement.
func (in *intent) priced(r payment.Result, amount int64) (payment.Result, error) {
	var err error
	if r.Amount, err = fromStripe(amount, in.Currency); err != nil {
		return payment.Result{}, ErrMismatch.With("payment", in.ID).WithCause(err)
	}
	if fee := in.LatestCharge.fee; fee != nil && r.Outcome == hyperlocal.OutcomeSucceeded && fee.Currency == in.Currency {
		if m, err := fromStripe(fee.Fee, fee.Currency); err == nil && m.Sign() > 0 {
			r.Fee = m
		}
	}
	return r, nil
}

// result tells how the refund stands.
func (re *refund) result() (payment.Result, error) {
	r := payment.Result{Provider: re.ID}
	switch re.Status {
	case "succeeded":
		r.Outcome = hyperlocal.OutcomeSucceeded
	case "pending", "requires_action":
		r.Outcome = hyperlocal.OutcomePending
	case "failed", "canceled":
		r.Outcome, r.Code = hyperlocal.OutcomeDeclined, re.Status
		if re.Failure != "" && word(re.Failure) {
			r.Code = re.Failure
		}
		r.Class = classOf(r.Code, hard)
	default:
		return payment.Result{}, ErrNoAnswer.WithMessage("Stripe reports a state of a refund that is not known here; look it up in the dashboard").
			With("refund", re.ID)
	}
	var err error
	if r.Amount, err = fromStripe(re.Amount, re.Currency); err != nil {
		return payment.Result{}, ErrMismatch.With("refund", re.ID).WithCause(err)
	}
	return r, nil
}
