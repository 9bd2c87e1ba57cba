package paymenttest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

func webhookCases() []testCase {
	return []testCase{
		{"settles what is unknown", webhookSettles},
		{"duplicates, disorder and contradiction", webhookDisorder},
		{"before the answer", webhookBeforeAnswer},
		{"a decline is asked for, not believed", webhookDecline},
		{"a lie about a decline changes nothing", webhookLie},
		{"mismatches are raised and not applied", webhookMismatch},
		{"forged, stale and damaged", webhookForged},
		{"cannot be applied now", webhookRetries},
		{"another tenant's", webhookTenants},
		{"shuffled and repeated", webhookStorm},
		{"two processors", webhookProcessors},
	}
}

// gone makes the answer get lost, so that only the webhook can tell.
const gone = "timeout:after"

func webhookSettles(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	f := w.run(command(charge, order, gbp(1000), "pay/1", gone))
	wantOutcome(t, f, unknown)
	if n, err := w.pay.PendingWebhooks(t.Context(), tenant); err != nil || n != 1 {
		t.Errorf("%d webhooks are pending, %v; want 1", n, err)
	}
	if n := w.webhooks(); n != 1 {
		t.Errorf("processed %d", n)
	}
	f = w.status(f.Operation)
	wantOutcome(t, f, succeeded)
	w.wantTotals(f, 0, 1000, 0)
	if n, err := w.pay.PendingWebhooks(t.Context(), tenant); err != nil || n != 0 {
		t.Errorf("%d webhooks are pending, %v; want 0", n, err)
	}
	w.wantTold(order, "charge unknown", "charge succeeded")
	w.clock.Advance(time.Hour)
	if n := w.due(); n != 0 {
		t.Errorf("the janitor still looked at %d", n)
	}
	w.audit(true, order)
}

func webhookDisorder(t *testing.T, h Harness) {
	w := open(t, h)
	var owners []hyperlocal.Ref
	for _, method := range []string{"webhook:duplicate", "webhook:reorder", "webhook:contradict",
		gone + ",webhook:duplicate,webhook:reorder", gone + ",webhook:contradict"} {
		order := newOrder()
		owners = append(owners, order)
		f := w.run(command(charge, order, gbp(1000), "pay/1", method))
		w.webhooks()
		f = w.status(f.Operation)
		wantOutcome(t, f, succeeded)
		w.wantTotals(f, 0, 1000, 0)
	}
	if n := w.events.count("payment.captured"); n != len(owners) {
		t.Errorf("%d captures were told, want %d", n, len(owners))
	}
	// The contradiction of a known success is raised; the other one may come before the
	// success is known, and then the gateway is asked.
	raised := w.events.count("payment.mismatch")
	if raised != 1 && raised != 2 {
		t.Errorf("%d contradictions were raised, want 1 or 2", raised)
	}
	page, err := w.pay.Webhooks(t.Context(), tenant, payment.WebhookMismatch, hyperlocal.PageRequest{})
	if err != nil || len(page.Items) != raised || page.Items[0].Reason != payment.ReasonContradiction {
		t.Errorf("mismatches %+v, %v", page.Items, err)
	}
	if len(page.Items) > 0 && (len(page.Items[0].Body) == 0 || page.Items[0].Operation == "" || page.Items[0].ProcessedAt.IsZero()) {
		t.Errorf("webhook %+v", page.Items[0])
	}
	w.audit(true, owners...)
}

func webhookBeforeAnswer(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	op := w.begin(command(charge, order, gbp(1000), "pay/1", "ok"))
	w.crashWith(func(string) error { // between the gateway's answer and our record
		w.webhooks()
		return nil
	})
	f, err := w.pay.Execute(t.Context(), tenant, op.ID)
	if err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, f, succeeded)
	w.wantTotals(f, 0, 1000, 0)
	w.wantTold(order, "charge succeeded")
	w.audit(true, order)
}

func webhookDecline(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	f := w.run(command(charge, order, gbp(1000), "pay/1", "pending"))
	wantOutcome(t, f, pending)
	w.webhooks()
	if err := w.bank.Complete(t.Context(), tenant, w.operation(f.Operation).Key, false); err != nil {
		t.Fatal(err)
	}
	w.webhooks()
	wantOutcome(t, w.status(f.Operation), pending)
	if n := w.due(); n != 1 { // the webhook made it due now
		t.Errorf("the janitor looked at %d", n)
	}
	wantOutcome(t, w.status(f.Operation), declined)
	w.wantTold(order, "charge pending", "charge declined")
	w.audit(true, order)
}

func webhookLie(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	f := w.run(command(charge, order, gbp(1000), "pay/1", "decline:hard,webhook:contradict"))
	wantOutcome(t, f, declined)
	w.webhooks() // claims success
	w.due()      // the gateway itself says otherwise
	wantOutcome(t, w.status(f.Operation), declined)
	w.clock.Advance(24 * time.Hour)
	if n := w.due(); n != 0 {
		t.Errorf("the janitor looked again at %d", n)
	}
	w.wantTold(order, "charge declined")
	w.audit(true, order)
}

// notice writes a webhook as the bank would, with one thing changed.
func (w *world) deliver(at time.Time, id hyperlocal.TenantID, event, key, rest string) error {
	body := fmt.Sprintf(`{"id":%q,"tenant":%q,"created":"2026-03-02T09:30:00Z","data":{"event":"","key":%q%s}}`, event, id, key, rest)
	return w.pay.Receive(w.t.Context(), tenant, w.bank.Gateway.Name(), w.bank.Sign(at, []byte(body)), []byte(body))
}

func webhookMismatch(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	f := w.run(command(charge, order, gbp(1000), "pay/1", gone+",webhook:never"))
	key := w.operation(f.Operation).Key
	for i, c := range []struct{ rest, reason string }{
		{`,"outcome":"succeeded","amount":{"amount":999,"currency":"GBP"}`, payment.ReasonAmount},
		{`,"outcome":"succeeded","amount":{"amount":1000,"currency":"EUR"}`, payment.ReasonAmount},
		{`,"outcome":"succeeded"`, payment.ReasonNoAmount},
		{`,"outcome":"pending","amount":{"amount":1,"currency":"GBP"}`, payment.ReasonAmount},
		{`,"intent":"` + f.Operation + `","outcome":"succeeded","amount":{"amount":1000,"currency":"GBP"}`, payment.ReasonIntent},
		{`,"verb":"refund","outcome":"succeeded","amount":{"amount":1000,"currency":"GBP"}`, payment.ReasonVerb},
	} {
		if err := w.deliver(w.clock.Now(), tenant, fmt.Sprintf("evt_%d", i), key, c.rest); err != nil {
			t.Fatal(err)
		}
		if n := w.webhooks(); n != 1 {
			t.Errorf("processed %d", n)
		}
		var ev payment.PaymentMismatch
		w.events.last(t, "payment.mismatch", &ev)
		if ev.Reason != c.reason || ev.Event != fmt.Sprintf("evt_%d", i) || ev.Operation != f.Operation {
			t.Errorf("event %+v, want reason %s", ev, c.reason)
		}
		wantOutcome(t, w.status(f.Operation), unknown)
	}
	// Money that nobody here asked for.
	if err := w.deliver(w.clock.Now(), tenant, "evt_foreign", "intent/x/attempt/1/charge",
		`,"outcome":"succeeded","amount":{"amount":1000,"currency":"GBP"}`); err != nil {
		t.Fatal(err)
	}
	// An event that is not about a payment.
	if err := w.deliver(w.clock.Now(), tenant, "evt_test", "", ""); err != nil {
		t.Fatal(err)
	}
	w.webhooks()
	if n := w.events.count("payment.mismatch"); n != 7 {
		t.Errorf("%d mismatches were raised, want 7", n)
	}
	page, err := w.pay.Webhooks(t.Context(), tenant, payment.WebhookIgnored, hyperlocal.PageRequest{})
	if err != nil || len(page.Items) != 1 || page.Items[0].Event != "evt_test" {
		t.Errorf("ignored %+v, %v", page.Items, err)
	}
	w.wantTold(order, "charge unknown")
	w.clock.Advance(time.Minute)
	w.due()
	wantOutcome(t, w.status(f.Operation), succeeded)
	w.audit(true, order)
}

func webhookForged(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	f := w.run(command(charge, order, gbp(1000), "pay/1", gone+",webhook:never"))
	key := w.operation(f.Operation).Key
	good := `,"outcome":"succeeded","amount":{"amount":1000,"currency":"GBP"}`
	now := w.clock.Now()
	wantReason(t, w.deliver(now.Add(-6*time.Minute), tenant, "e1", key, good), payment.ErrWebhookStale)
	wantReason(t, w.deliver(now.Add(6*time.Minute), tenant, "e2", key, good), payment.ErrWebhookStale)
	wantReason(t, w.deliver(now.Add(10*365*24*time.Hour), tenant, "e3", key, good), payment.ErrWebhookStale)
	name := w.bank.Gateway.Name()
	body := []byte(fmt.Sprintf(`{"id":"e4","tenant":%q,"data":{"key":%q%s}}`, tenant, key, good))
	headers := w.bank.Sign(now, body)
	for i := range body {
		bent := append([]byte(nil), body...)
		bent[i] ^= 1
		if err := w.pay.Receive(t.Context(), tenant, name, headers, bent); hyperlocal.ReasonOf(err) != payment.ErrWebhookSignature.Reason {
			t.Fatalf("one bit at %d changed: %v", i, err)
		}
	}
	wantReason(t, w.pay.Receive(t.Context(), tenant, name, nil, body), payment.ErrWebhookSignature)
	wantReason(t, w.pay.Receive(t.Context(), tenant, name, map[string][]string{}, nil), payment.ErrWebhookSignature)
	wantReason(t, w.pay.Receive(t.Context(), tenant, "nowhere", headers, body), payment.ErrUnknownGateway)
	wantCode(t, w.pay.Receive(t.Context(), "", name, headers, body), hyperlocal.CodeInvalid)
	huge := []byte(strings.Repeat("x", payment.MaxWebhookBody+1))
	wantReason(t, w.pay.Receive(t.Context(), tenant, name, w.bank.Sign(now, huge), huge), payment.ErrWebhookTooLarge)
	for _, odd := range []string{`{`, `[]`, `{"id":"","tenant":"shop","data":{}}`, `{"id":"a\u0000b","tenant":"shop","data":{}}`,
		`{"id":"` + strings.Repeat("e", 500) + `","tenant":"shop","data":{}}`, `{"id":"e","tenant":"shop","data":{}}{}`,
		`{"id":"e","tenant":"shop","data":{"amount":{"amount":1.5,"currency":"GBP"}}}`} {
		err := w.pay.Receive(t.Context(), tenant, name, w.bank.Sign(now, []byte(odd)), []byte(odd))
		if hyperlocal.ReasonOf(err) != payment.ErrWebhookMalformed.Reason {
			t.Errorf("%.60s: %v", odd, err)
		}
	}
	if n, err := w.pay.PendingWebhooks(t.Context(), tenant); err != nil || n != 0 {
		t.Errorf("%d refused webhooks were stored, %v", n, err)
	}
	if err := w.pay.Receive(t.Context(), tenant, name, headers, body); err != nil {
		t.Errorf("the genuine one: %v", err)
	}
	w.webhooks()
	wantOutcome(t, w.status(f.Operation), succeeded)
}

func webhookRetries(t *testing.T, h Harness) {
	w := open(t, h, policy(payment.Policy{Timeout: 10 * time.Second, Lease: time.Minute,
		Webhooks: hyperlocal.Backoff{MaxAttempts: 3, Base: time.Minute, Max: time.Hour}}))
	order, second := newOrder(), newOrder()
	first := w.run(command(charge, order, gbp(1000), "pay/1", gone))
	w.shop.on(func(_ context.Context, f hyperlocal.PaymentFact) error {
		if f.Owner == order {
			return errCrash
		}
		return nil
	})
	w.clock.Advance(time.Second)
	later := w.run(command(charge, second, gbp(500), "pay/1", gone))
	n, next, err := w.pay.ProcessWebhooks(t.Context(), 10)
	if n != 2 || err == nil || !next.After(w.clock.Now()) {
		t.Errorf("processed %d, next %v, %v", n, next, err)
	}
	wantOutcome(t, w.status(later.Operation), succeeded) // one does not hold up the others
	w.shop.on(nil)
	if n, _, err := w.pay.ProcessWebhooks(t.Context(), 10); n != 0 || err != nil {
		t.Errorf("processed %d before its time, %v", n, err)
	}
	w.clock.Set(next)
	if n := w.webhooks(); n != 1 {
		t.Errorf("processed %d", n)
	}
	wantOutcome(t, w.status(first.Operation), succeeded)
	w.audit(true, order, second)

	third := newOrder()
	w.run(command(charge, third, gbp(1000), "pay/1", gone))
	w.shop.on(func(context.Context, hyperlocal.PaymentFact) error { return errCrash })
	for range 5 {
		_, _, _ = w.pay.ProcessWebhooks(t.Context(), 10)
		w.clock.Advance(2 * time.Hour)
	}
	page, err := w.pay.Webhooks(t.Context(), tenant, payment.WebhookFailed, hyperlocal.PageRequest{})
	if err != nil || len(page.Items) != 1 || page.Items[0].Attempts != 3 {
		t.Errorf("failed %+v, %v", page.Items, err)
	}
	if n := w.events.count("payment.mismatch"); n != 1 {
		t.Errorf("raised %d times", n)
	}
}

func webhookTenants(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	f := w.run(command(charge, order, gbp(1000), "pay/1", gone+",webhook:never"))
	err := w.deliver(w.clock.Now(), other, "e1", w.operation(f.Operation).Key,
		`,"outcome":"succeeded","amount":{"amount":1000,"currency":"GBP"}`)
	wantReason(t, err, payment.ErrWebhookSignature)
	if n, err := w.pay.PendingWebhooks(t.Context(), other); err != nil || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
	wantOutcome(t, w.status(f.Operation), unknown)
}

// webhookStorm delivers every webhook up to five times, shuffled, and compares with what an
// orderly world would look like.
func webhookStorm(t *testing.T, h Harness) {
	w := open(t, h)
	rng := rand.New(rand.NewPCG(1, 2))
	type delivery struct {
		headers map[string][]string
		body    []byte
	}
	var owners []hyperlocal.Ref
	var deliveries []delivery
	var facts []hyperlocal.PaymentFact
	for i := range 40 {
		order := newOrder()
		owners = append(owners, order)
		f := w.run(command(charge, order, gbp(int64(100+i)), "pay/1", gone+",webhook:never"))
		facts = append(facts, f)
		for _, step := range []string{"pending", "succeeded"} {
			body := []byte(fmt.Sprintf(`{"id":"evt-%d-%s","tenant":%q,"data":{"key":%q,"outcome":%q,"amount":{"amount":%d,"currency":"GBP"}}}`,
				i, step, tenant, w.operation(f.Operation).Key, step, 100+i))
			for range 1 + rng.IntN(5) {
				deliveries = append(deliveries, delivery{w.bank.Sign(w.clock.Now(), body), body})
			}
		}
	}
	rng.Shuffle(len(deliveries), func(i, j int) { deliveries[i], deliveries[j] = deliveries[j], deliveries[i] })
	for i, d := range deliveries {
		if err := w.pay.Receive(t.Context(), tenant, w.bank.Gateway.Name(), d.headers, d.body); err != nil {
			t.Fatal(err)
		}
		if i%25 == 0 {
			w.webhooks()
		}
	}
	w.webhooks()
	for i, f := range facts {
		f = w.status(f.Operation)
		wantOutcome(t, f, succeeded)
		w.wantTotals(f, 0, int64(100+i), 0)
	}
	if n := w.events.count("payment.captured"); n != len(owners) {
		t.Errorf("%d captures were told, want %d", n, len(owners))
	}
	if n := w.events.count("payment.mismatch"); n != 0 {
		t.Errorf("%d mismatches were raised", n)
	}
	w.audit(true, owners...)
}

func webhookProcessors(t *testing.T, h Harness) {
	w := open(t, h)
	var owners []hyperlocal.Ref
	for range 20 {
		order := newOrder()
		owners = append(owners, order)
		w.run(command(charge, order, gbp(100), "pay/1", gone))
	}
	var wg sync.WaitGroup
	for _, s := range []*payment.Service{w.again(), w.again(), w.again()} {
		wg.Go(func() {
			if _, _, err := s.ProcessWebhooks(t.Context(), 100); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, o := range owners {
		w.wantTold(o, "charge unknown", "charge succeeded")
	}
	if n, err := w.pay.PendingWebhooks(t.Context(), tenant); err != nil || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
	w.audit(true, owners...)
}
