package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// SignatureHeader carries the signature of a webhook; see [payment.Signer].
const SignatureHeader = "Sandbox-Signature"

// Webhook is a call that the sandbox wants made.
type Webhook struct {
	Tenant  hyperlocal.TenantID
	Gateway string
	Headers map[string][]string
	Body    []byte
}

// body is the wire form.
type body struct {
	ID      string              `json:"id"`
	Tenant  hyperlocal.TenantID `json:"tenant"`
	Created time.Time           `json:"created"`
	Data    payment.Notice      `json:"data"`
}

// announce sends the webhooks about a record as the steps want them.
func (g *Gateway) announce(ctx context.Context, rec Record, steps plan) {
	if g.deliver == nil || steps.never {
		return
	}
	final := g.webhook(rec)
	queue := []Webhook{final}
	if steps.duplicate {
		queue = append(queue, final)
	}
	if steps.reorder && (rec.Outcome == hyperlocal.OutcomeSucceeded || rec.Outcome == hyperlocal.OutcomeDeclined) {
		before := rec
		before.Outcome, before.Class, before.Code = hyperlocal.OutcomePending, "", ""
		queue = append(queue, g.webhook(before))
	}
	if steps.contradict {
		lie := rec
		if lie.Outcome == hyperlocal.OutcomeDeclined {
			lie.Outcome, lie.Class, lie.Code = hyperlocal.OutcomeSucceeded, "", ""
		} else {
			lie.Outcome, lie.Class, lie.Code = hyperlocal.OutcomeDeclined, hyperlocal.DeclineHard, "contradiction"
		}
		queue = append(queue, g.webhook(lie))
	}
	for _, w := range queue {
		if steps.late || g.deliver(ctx, w) != nil {
			g.hold(w)
		}
	}
}

const maxHeld = 10_000

func (g *Gateway) hold(w Webhook) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.held) < maxHeld { // a provider gives up, too
		g.held = append(g.held, w)
	}
}

// Flush sends the webhooks that were kept back or not taken, signed anew, oldest first. Those
// that are refused again stay; their errors are joined.
func (g *Gateway) Flush(ctx context.Context) error {
	if g.deliver == nil {
		return nil
	}
	g.mu.Lock()
	queue := g.held
	g.held = nil
	g.mu.Unlock()
	var errs []error
	for _, w := range queue {
		w.Headers = g.headers(w.Body)
		if err := g.deliver(ctx, w); err != nil {
			errs = append(errs, err)
			g.hold(w)
		}
	}
	return errors.Join(errs...)
}

// Webhook returns the signed webhook about a processed request, for tests that deliver it
// themselves; false if the key is unknown.
func (g *Gateway) Webhook(ctx context.Context, tenant hyperlocal.TenantID, key string) (Webhook, bool, error) {
	rec, ok, err := g.log.Find(ctx, tenant, key)
	if err != nil || !ok || g.signer == nil {
		return Webhook{}, false, err
	}
	return g.webhook(g.settled(rec)), true, nil
}

// webhook makes the webhook for a record. Its id depends on what it says and on nothing
// else, so that saying it twice is a duplicate.
func (g *Gateway) webhook(rec Record) Webhook {
	r := g.result(rec)
	b := body{
		ID:     "evt_" + digest(string(rec.Tenant), rec.Key, string(rec.Outcome)),
		Tenant: rec.Tenant, Created: g.clock.Now(),
		Data: payment.Notice{
			Key: rec.Key, Intent: rec.Intent, Verb: rec.Verb, Outcome: r.Outcome, Amount: rec.Amount, Fee: r.Fee,
			Provider: rec.Provider, Class: r.Class, Code: r.Code, Action: r.Action,
		},
	}
	text, err := json.Marshal(b)
	if err != nil {
		text = []byte("{}") // ids and checked amounts always encode
	}
	return Webhook{Tenant: rec.Tenant, Gateway: g.name, Headers: g.headers(text), Body: text}
}

func (g *Gateway) headers(text []byte) map[string][]string {
	return map[string][]string{
		SignatureHeader: {g.signer.Sign(g.clock.Now(), text)},
		"Content-Type":  {"application/json"},
	}
}

// Sign returns the headers for a body as the sandbox would send it at the given time, for
// tests that forge webhooks. Without a secret there are none.
func (g *Gateway) Sign(at time.Time, text []byte) map[string][]string {
	if g.signer == nil {
		return nil
	}
	return map[string][]string{SignatureHeader: {g.signer.Sign(at, text)}}
}

// ParseWebhook implements [payment.WebhookParser].
func (g *Gateway) ParseWebhook(tenant hyperlocal.TenantID, now time.Time, headers map[string][]string, text []byte) (payment.Notice, error) {
	if g.signer == nil {
		return payment.Notice{}, payment.ErrWebhookSignature
	}
	var given []string
	for name, values := range headers {
		if strings.EqualFold(name, SignatureHeader) {
			given = append(given, values...)
		}
	}
	if len(given) != 1 {
		return payment.Notice{}, payment.ErrWebhookSignature
	}
	if err := g.signer.Verify(now, given[0], text); err != nil {
		return payment.Notice{}, err
	}
	var b body
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil {
		return payment.Notice{}, payment.ErrWebhookMalformed.WithCause(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return payment.Notice{}, payment.ErrWebhookMalformed
	}
	if b.Tenant != tenant { // genuine, and not for this tenant
		return payment.Notice{}, payment.ErrWebhookSignature
	}
	b.Data.Event = b.ID
	return b.Data, nil
}
