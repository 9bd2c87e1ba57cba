package gatewaytest

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

func webhookCases() []testCase {
	return []testCase{
		{"genuine", webhookGenuine},
		{"stale and future", webhookStale},
		{"tampered", webhookTampered},
		{"ten thousand mutations", webhookMutations},
		{"duplicate and disorder", webhookDuplicate},
		{"garbage", webhookGarbage},
	}
}

// hooked makes a processed request and returns the parser and its webhook.
func hooked(r *run) (payment.WebhookParser, payment.Request, map[string][]string, []byte) {
	r.Helper()
	p, ok := r.h.Gateway.(payment.WebhookParser)
	if !ok {
		r.Skip("the gateway has no webhooks")
	}
	if r.h.Webhook == nil {
		r.gap("no way to make a webhook")
	}
	r.needs(charge)
	s := r.session(r.method(Succeeds))
	req, _ := s.must(succeeded, charge, r.gbp(1999))
	headers, body := webhookAt(r, req, r.h.Now())
	return p, req, headers, body
}

func webhookAt(r *run, req payment.Request, at time.Time) (map[string][]string, []byte) {
	r.Helper()
	headers, body, err := r.h.Webhook(r.Context(), tenant, req.Key, at)
	if err != nil {
		r.Fatal(err)
	}
	return headers, body
}

func webhookGenuine(r *run) {
	p, req, headers, body := hooked(r)
	n, err := p.ParseWebhook(tenant, r.h.Now(), headers, body)
	if err != nil {
		r.Fatal(err)
	}
	if n.Event == "" || n.Key != req.Key || n.Outcome != succeeded || n.Amount != req.Amount {
		r.Errorf("read %+v, sent %+v", n, req)
	}
	if n.Intent != "" && n.Intent != req.Intent {
		r.Errorf("intent %q, want %q", n.Intent, req.Intent)
	}
	for _, fold := range []func(string) string{strings.ToLower, strings.ToUpper} {
		folded := make(map[string][]string)
		for name, v := range headers {
			folded[fold(name)] = v
		}
		if _, err := p.ParseWebhook(tenant, r.h.Now(), folded, body); err != nil {
			r.Errorf("headers in another case: %v", err)
		}
	}
	if _, err := p.ParseWebhook("somebody-else", r.h.Now(), headers, body); err == nil {
		r.Log("the gateway does not tell tenants apart by their webhooks; their accounts must be separate")
	}
}

func webhookStale(r *run) {
	p, req, headers, body := hooked(r)
	now := r.h.Now()
	for _, off := range []time.Duration{-10 * 365 * 24 * time.Hour, -24 * time.Hour, -time.Hour, time.Hour, 24 * time.Hour, 10 * 365 * 24 * time.Hour} {
		h, b := webhookAt(r, req, now.Add(off))
		if _, err := p.ParseWebhook(tenant, now, h, b); hyperlocal.ReasonOf(err) != payment.ErrWebhookStale.Reason {
			r.Errorf("signed %v from now: %v", off, err)
		}
	}
	if _, err := p.ParseWebhook(tenant, now.Add(time.Hour), headers, body); err == nil {
		r.Error("a replay an hour later is accepted")
	}
}

func webhookTampered(r *run) {
	p, req, headers, body := hooked(r)
	now := r.h.Now()
	refused := func(what string, h map[string][]string, b []byte) {
		r.Helper()
		if n, err := p.ParseWebhook(tenant, now, h, b); err == nil {
			r.Errorf("%s is accepted: %+v", what, n)
		}
	}
	for i := range body {
		bent := bytes.Clone(body)
		bent[i] ^= 0x01
		refused("a body with one bit changed", headers, bent)
	}
	for i := range len(body) {
		refused("a shortened body", headers, body[:i])
	}
	refused("a longer body", headers, append(bytes.Clone(body), ' '))
	refused("no headers", nil, body)
	refused("no signature", map[string][]string{"Content-Type": {"application/json"}}, body)
	other, _ := hookOf(r)
	refused("another webhook's signature", other, body)
	for name := range headers {
		empty := make(map[string][]string)
		for k, v := range headers {
			empty[k] = v
		}
		empty[name] = []string{""}
		if n, err := p.ParseWebhook(tenant, now, empty, body); err == nil && n.Key != req.Key {
			r.Errorf("without %s: %+v", name, n)
		}
	}
}

func hookOf(r *run) (map[string][]string, []byte) {
	s := r.session(r.method(Succeeds))
	req, _ := s.must(succeeded, charge, r.gbp(1))
	return webhookAt(r, req, r.h.Now())
}

// webhookMutations changes headers and body at random; nothing that differs gets through.
func webhookMutations(r *run) {
	p, _, headers, body := hooked(r)
	want, err := p.ParseWebhook(tenant, r.h.Now(), headers, body)
	if err != nil {
		r.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 10_000 {
		bent := bytes.Clone(body)
		h := make(map[string][]string)
		for k, v := range headers {
			h[k] = append([]string(nil), v...)
		}
		for range 1 + rng.IntN(3) {
			switch rng.IntN(4) {
			case 0:
				if len(bent) > 0 {
					bent[rng.IntN(len(bent))] = byte(rng.IntN(256))
				}
			case 1:
				i, j := rng.IntN(len(bent)+1), rng.IntN(len(bent)+1)
				bent = append(bytes.Clone(bent[:min(i, j)]), bent[max(i, j):]...)
			case 2:
				i := rng.IntN(len(bent) + 1)
				bent = append(bytes.Clone(bent[:i]), append([]byte{byte(rng.IntN(256))}, bent[i:]...)...)
			default:
				for k, v := range h {
					if len(v) > 0 && len(v[0]) > 0 {
						b := []byte(v[0])
						b[rng.IntN(len(b))] = byte(rng.IntN(256))
						h[k] = []string{string(b)}
					}
					break
				}
			}
		}
		n, err := p.ParseWebhook(tenant, r.h.Now(), h, bent)
		if err == nil && n != want {
			r.Fatalf("a mutation got through as %+v", n)
		}
		if err == nil && !bytes.Equal(bent, body) {
			r.Fatalf("another body got through: %q", bent)
		}
	}
}

func webhookDuplicate(r *run) {
	p, req, headers, body := hooked(r)
	first, err := p.ParseWebhook(tenant, r.h.Now(), headers, body)
	if err != nil {
		r.Fatal(err)
	}
	for range 3 { // parsing keeps no state; the event id tells a duplicate
		again, err := p.ParseWebhook(tenant, r.h.Now(), headers, body)
		if err != nil || again != first {
			r.Errorf("again: %+v, %v; want %+v", again, err, first)
		}
	}
	otherHeaders, otherBody := hookOf(r)
	other, err := p.ParseWebhook(tenant, r.h.Now(), otherHeaders, otherBody)
	if err != nil || other.Event == first.Event || other.Key == req.Key {
		r.Errorf("another event: %+v, %v", other, err)
	}
	if r.h.Complete == nil || r.h.Methods[Pends] == "" {
		return
	}
	s := r.session(r.method(Pends))
	waiting, _ := s.must(hyperlocal.OutcomePending, charge, r.gbp(5))
	h1, b1 := webhookAt(r, waiting, r.h.Now())
	if err := r.h.Complete(r.Context(), tenant, waiting.Key, true); err != nil {
		r.Fatal(err)
	}
	h2, b2 := webhookAt(r, waiting, r.h.Now())
	late, err2 := p.ParseWebhook(tenant, r.h.Now(), h2, b2)
	early, err1 := p.ParseWebhook(tenant, r.h.Now(), h1, b1) // the other way round
	if err1 != nil || err2 != nil || early.Event == late.Event || early.Outcome != hyperlocal.OutcomePending || late.Outcome != succeeded {
		r.Errorf("%+v, %v, then %+v, %v", early, err1, late, err2)
	}
}

func webhookGarbage(r *run) {
	p, _, headers, _ := hooked(r)
	for _, body := range [][]byte{nil, {}, []byte("null"), []byte("{}"), []byte("[]"), []byte("\xff\xfe"), bytes.Repeat([]byte("["), 100_000)} {
		if n, err := p.ParseWebhook(tenant, r.h.Now(), headers, body); err == nil {
			r.Errorf("%.20q is accepted: %+v", body, n)
		}
	}
}
