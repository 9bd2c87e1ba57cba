package stripe

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// DisputeStep is what happened to a dispute.
type DisputeStep string

// The steps. Stripe promises no order among events.
const (
	DisputeOpened     DisputeStep = "opened"
	DisputeUpdated    DisputeStep = "updated"
	DisputeWithdrawn  DisputeStep = "withdrawn"  // the amount was taken from the account
	DisputeReinstated DisputeStep = "reinstated" // and was given back
	DisputeWon        DisputeStep = "won"
	DisputeLost       DisputeStep = "lost"
	DisputeClosed     DisputeStep = "closed" // an inquiry that never became a dispute
)

// Dispute is what a webhook says about a dispute. Like every webhook it is a claim.
type Dispute struct {
	Event   string // Stripe's id of the event, for deduplication
	Step    DisputeStep
	ID      string
	Payment string // the PaymentIntent: the Payment of our intent
	Charge  string
	Amount  hyperlocal.Money
	Reason  string    // Stripe's word, such as fraudulent or product_not_received
	Status  string    // Stripe's word
	Due     time.Time // until when evidence is taken; zero if none is
}

// ParseDispute reads a webhook about a dispute, with all the checks of ParseWebhook; false if it
// is about something else. Its errors are those of ParseWebhook. The port has no verb for
// disputes yet: ParseWebhook hands them on with their event id alone, so that they are stored
// and ignored, and a host that wants to act on them calls this beside it.
func (g *Gateway) ParseDispute(tenant hyperlocal.TenantID, now time.Time, headers map[string][]string, body []byte) (Dispute, bool, error) {
	ev, ours, err := g.open(tenant, now, headers, body)
	if err != nil || !ours || !strings.HasPrefix(ev.Type, "charge.dispute.") {
		return Dispute{}, false, err
	}
	var object struct {
		ID       string          `json:"id"`
		Object   string          `json:"object"`
		Amount   int64           `json:"amount"`
		Currency string          `json:"currency"`
		Charge   json.RawMessage `json:"charge"`
		Intent   json.RawMessage `json:"payment_intent"`
		Reason   string          `json:"reason"`
		Status   string          `json:"status"`
		Live     bool            `json:"livemode"`
		Evidence struct {
			Due int64 `json:"due_by"`
		} `json:"evidence_details"`
	}
	if json.Unmarshal(ev.Data.Object, &object) != nil || object.Object != "dispute" || object.Live != *ev.Live ||
		len(object.ID) > payment.MaxProvider || !word(object.ID) || object.ID == "" || !word(object.Reason) || !word(object.Status) {
		return Dispute{}, false, errNoObject
	}
	d := Dispute{Event: ev.ID, ID: object.ID, Reason: object.Reason, Status: object.Status}
	_ = json.Unmarshal(object.Charge, &d.Charge) // null, or expanded by the endpoint's settings
	_ = json.Unmarshal(object.Intent, &d.Payment)
	if d.Amount, err = fromStripe(object.Amount, object.Currency); err != nil {
		return Dispute{}, false, payment.ErrWebhookMalformed.WithCause(err)
	}
	if object.Evidence.Due > 0 {
		d.Due = hyperlocal.Instant(time.Unix(object.Evidence.Due, 0))
	}
	switch ev.Type {
	case "charge.dispute.created":
		d.Step = DisputeOpened
	case "charge.dispute.funds_withdrawn":
		d.Step = DisputeWithdrawn
	case "charge.dispute.funds_reinstated":
		d.Step = DisputeReinstated
	case "charge.dispute.closed":
		switch d.Status {
		case "won":
			d.Step = DisputeWon
		case "lost":
			d.Step = DisputeLost
		default:
			d.Step = DisputeClosed
		}
	default:
		d.Step = DisputeUpdated
	}
	return d, true, nil
}
