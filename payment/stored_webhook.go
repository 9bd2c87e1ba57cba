package payment

import (
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// MaxWebhookBody bounds the body of a webhook, in bytes.
const MaxWebhookBody = 1 << 20

// Webhook is what a provider sent, as it is stored: the proven original and how far we are
// with it. (Tenant, Gateway, Event) is its key.
type Webhook struct {
	Tenant      hyperlocal.TenantID `json:"tenant"`
	Gateway     string              `json:"gateway"`
	Event       string              `json:"event"` // the provider's id
	Body        []byte              `json:"-"`     // as received; it may hold what the provider knows of a person
	Notice      Notice              `json:"notice"`
	State       WebhookState        `json:"state"`
	Reason      string              `json:"reason,omitempty"` // a slug, for ignored, mismatch and failed
	Operation   string              `json:"operation,omitempty"`
	Attempts    int                 `json:"attempts"`
	NextAt      time.Time           `json:"next_at,omitzero"` // zero unless pending
	ReceivedAt  time.Time           `json:"received_at"`
	ProcessedAt time.Time           `json:"processed_at,omitzero"`
}

// WebhookState is how far we are with a webhook.
type WebhookState string

// The states.
const (
	WebhookPending  WebhookState = "pending"
	WebhookApplied  WebhookState = "applied"  // it told something new
	WebhookIgnored  WebhookState = "ignored"  // known already, late, or not about us
	WebhookMismatch WebhookState = "mismatch" // contradicts our rows; raised and not applied
	WebhookFailed   WebhookState = "failed"   // could not be applied after all tries
)

func (w *Webhook) finish(state WebhookState, reason, operation string, at time.Time) {
	w.State, w.Reason, w.Operation, w.ProcessedAt, w.NextAt = state, reason, operation, at, time.Time{}
}
