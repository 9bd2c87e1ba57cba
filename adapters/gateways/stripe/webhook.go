package stripe

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// SignatureHeader carries the signature of a webhook: HMAC-SHA256 over "<unix seconds>.<body>"
// under the whole text of the endpoint's secret. Source: docs.stripe.com/webhooks, "Verify
// webhook signatures manually".
const SignatureHeader = "Stripe-Signature"

// event is Stripe's envelope. The payload is what the object looked like when it happened.
type event struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Type    string `json:"type"`
	Account string `json:"account"` // of a connected account, else ""
	Live    *bool  `json:"livemode"`
	Data    struct {
		Object json.RawMessage `json:"object"`
	} `json:"data"`
}

// ParseWebhook implements [payment.WebhookParser].
//
// What concerns no operation of ours comes back with its event id alone: payments that others
// made in the account, events that have no verb (disputes: see ParseDispute), and events of the
// other mode, which endpoints of platforms do get. Events of another account or tenant are
// refused with payment/webhook_signature, however genuine.
//
// Where an amount was captured in the dashboard, the notice has a key that no operation has,
// so that the service raises it.
func (g *Gateway) ParseWebhook(tenant hyperlocal.TenantID, now time.Time, headers map[string][]string, body []byte) (payment.Notice, error) {
	ev, ours, err := g.open(tenant, now, headers, body)
	if err != nil {
		return payment.Notice{}, err
	}
	plain := payment.Notice{Event: ev.ID}
	if !ours {
		return plain, nil
	}
	switch {
	case strings.HasPrefix(ev.Type, "payment_intent."):
		return ev.aboutIntent(tenant, plain)
	case strings.HasPrefix(ev.Type, "refund."), ev.Type == "charge.refund.updated":
		return ev.aboutRefund(tenant, plain)
	}
	return plain, nil
}

var (
	errOtherTenant = payment.ErrWebhookSignature.WithMessage(
		"the webhook is about another tenant's payment; give every tenant an account of its own")
	errNoObject = payment.ErrWebhookMalformed.WithMessage(
		"the event carries no object that can be read; the endpoint must send snapshot events")
)

// open verifies a webhook and reads its envelope. ours is false for an event of the other mode.
func (g *Gateway) open(tenant hyperlocal.TenantID, now time.Time, headers map[string][]string, body []byte) (
	ev *event, ours bool, err error,
) {
	if len(body) > payment.MaxWebhookBody {
		return nil, false, payment.ErrWebhookTooLarge
	}
	a, err := g.account(tenant)
	if err != nil {
		return nil, false, payment.ErrWebhookSignature.WithCause(err)
	}
	var given []string
	for name, values := range headers {
		if strings.EqualFold(name, SignatureHeader) {
			given = append(given, values...)
		}
	}
	if len(given) != 1 || len(a.WebhookSecrets) == 0 {
		return nil, false, payment.ErrWebhookSignature
	}
	secrets := make([][]byte, len(a.WebhookSecrets))
	for i, s := range a.WebhookSecrets {
		secrets[i] = []byte(s)
	}
	signer, err := payment.NewSigner(g.tolerance, secrets...)
	if err != nil {
		return nil, false, payment.ErrWebhookSignature.WithCause(err)
	}
	if err := signer.Verify(now, given[0], body); err != nil {
		return nil, false, err
	}
	if err := json.Unmarshal(body, &ev); err != nil || ev == nil || ev.Object != "event" || ev.Live == nil || !reference(ev.ID, "evt_") {
		return nil, false, payment.ErrWebhookMalformed.WithMessage("the body is no snapshot event of Stripe's")
	}
	if ev.Account != a.Connected {
		return nil, false, payment.ErrWebhookSignature.WithMessage("the webhook is about another account than the tenant's")
	}
	return ev, *ev.Live == a.Live(), nil
}

// aboutIntent reads an event about an intent. Which operation it is about is told by the kind
// of event, and not by the state alone: the same intent is authorized and later captured.
func (ev *event) aboutIntent(tenant hyperlocal.TenantID, n payment.Notice) (payment.Notice, error) {
	var in intent
	if json.Unmarshal(ev.Data.Object, &in) != nil || in.Object != objectIntent || !reference(in.ID, "pi_") {
		return payment.Notice{}, errNoObject
	}
	if in.Metadata[metaKey] == "" {
		return n, nil
	}
	if in.Metadata[metaTenant] != string(tenant) {
		return payment.Notice{}, errOtherTenant
	}
	if in.Live != *ev.Live {
		return payment.Notice{}, errNoObject
	}
	var result payment.Result
	var err error
	key, verb := in.Metadata[metaKey], hyperlocal.PaymentVerb(in.Metadata[metaVerb])
	switch ev.Type {
	case "payment_intent.succeeded":
		if in.Status != statusSucceeded {
			return n, nil
		}
		if in.CaptureMethod == captureManual {
			verb = hyperlocal.VerbCapture
			if key = in.Metadata[metaCaptureKey]; key == "" {
				key = "capture/" + in.ID // not ours: nobody has this key
			}
			result, err = in.captured()
		} else {
			result, err = in.opened(false)
		}
	case "payment_intent.amount_capturable_updated", "payment_intent.created", "payment_intent.processing",
		"payment_intent.requires_action", "payment_intent.payment_failed":
		result, err = in.opened(false)
	case "payment_intent.canceled":
		if in.CaptureMethod == captureManual && (in.LatestCharge.id != "" || !in.LatestCharge.told) {
			// It may have been authorized before: then this is the end of a hold, and a void has
			// no key in it. The janitor asks.
			return n, nil
		}
		result, err = in.opened(false)
	default:
		return n, nil
	}
	if err != nil {
		return payment.Notice{}, payment.ErrWebhookMalformed.WithCause(err)
	}
	n.Intent = in.Metadata[metaIntent]
	return about(n, key, verb, result), nil
}

func (ev *event) aboutRefund(tenant hyperlocal.TenantID, n payment.Notice) (payment.Notice, error) {
	var re refund
	if json.Unmarshal(ev.Data.Object, &re) != nil || re.Object != "refund" {
		return payment.Notice{}, errNoObject
	}
	if re.Metadata[metaKey] == "" {
		return n, nil
	}
	if re.Metadata[metaTenant] != string(tenant) {
		return payment.Notice{}, errOtherTenant
	}
	result, err := re.result()
	if err != nil {
		return payment.Notice{}, payment.ErrWebhookMalformed.WithCause(err)
	}
	n.Intent = re.Metadata[metaIntent]
	return about(n, re.Metadata[metaKey], hyperlocal.VerbRefund, result), nil
}

// about completes a notice. A state from which nothing follows leaves the event id alone.
func about(n payment.Notice, key string, verb hyperlocal.PaymentVerb, r payment.Result) payment.Notice {
	if r.Outcome == hyperlocal.OutcomeUnknown {
		return payment.Notice{Event: n.Event}
	}
	n.Key, n.Verb, n.Outcome = key, verb, r.Outcome
	n.Amount, n.Fee, n.Provider, n.Class, n.Code, n.Action = r.Amount, r.Fee, r.Provider, r.Class, r.Code, r.Action
	return n
}
