package stripe_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/stripe"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/stripe/stripetest"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// TestServiceThroughFaults pays through everything that can go wrong, with webhooks before the
// answer, twice, late and out of order, and lets the janitor clear up. The double's own list of
// what moved is the judge.
func TestServiceThroughFaults(t *testing.T) {
	t.Parallel()
	const n = 160
	fates := []struct{ method, want string }{
		{"pm_card_visa", "succeeded"},
		{"pm_fault_create_hang_after", "succeeded"},
		{"pm_fault_create_hang_before", "succeeded"},
		{"pm_fault_create_error_after", "succeeded"},
		{"pm_fault_create_reset_after", "succeeded"},
		{"pm_fault_create_html_after", "succeeded"},
		{"pm_fault_create_unavailable", "succeeded"},
		{"pm_fault_refund_hang_after", "succeeded"},
		{"pm_fault_refund_reset_after", "succeeded"},
		{"pm_fault_refund_hang_before", "succeeded"},
		{"pm_card_visa_chargeDeclined", "declined"},
		{"pm_fault_create_limited", "declined"},
		{"pm_usBankAccount_success", "succeeded"},
		{"pm_card_threeDSecure2Required", "succeeded"},
		{"", "succeeded"},
		{"pm_fault_create_error_before", "declined"}, // Stripe keeps the 500 under the key, and surely has no payment
	}
	clock := &movable{}
	server := stripetest.Start(t, stripetest.Config{Now: clock.Now})
	gw := open(t, server, func(c *stripe.Config) { c.Clock = clock })
	db := memstore.New()
	service, err := payment.New(payment.Config{Store: db.Payments(), Tx: db, Outbox: db.Outbox(), Gateways: []payment.Gateway{gw}, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	if err := service.AttachOwner("order", owners{}); err != nil {
		t.Fatal(err)
	}
	deliver := func(e stripetest.Event) {
		if err := service.Receive(t.Context(), "shop", "stripe", server.Sign(clock.Now(), e.Body), e.Body); err != nil {
			t.Errorf("%s: %v", e.Type, err)
		}
	}
	var mu sync.Mutex
	var late []stripetest.Event
	rng := rand.New(rand.NewPCG(4, 4))
	server.Deliver(func(e stripetest.Event) {
		mu.Lock()
		times, later := 1+rng.IntN(3), rng.IntN(3) == 0
		if later {
			late = append(late, e, e)
		}
		mu.Unlock()
		for range times {
			if !later {
				deliver(e)
			}
		}
	})
	settle := func() {
		t.Helper()
		for range 200 {
			_, next, err := service.RunDue(t.Context(), 1000)
			if err != nil {
				t.Fatal(err)
			}
			_, hook, err := service.ProcessWebhooks(t.Context(), 1000)
			switch {
			case err != nil:
				t.Fatal(err)
			case next.IsZero() && hook.IsZero():
				return
			}
			if next.IsZero() || !hook.IsZero() && hook.Before(next) {
				next = hook
			}
			clock.forward(next)
		}
		t.Fatal("it never ends")
	}

	ids := make([]string, n)
	each := func(do func(i int)) {
		var wg sync.WaitGroup
		jobs := make(chan int)
		for range 16 {
			wg.Go(func() {
				for i := range jobs {
					do(i)
				}
			})
		}
		for i := range n {
			jobs <- i
		}
		close(jobs)
		wg.Wait()
	}
	each(func(i int) {
		ops, err := service.Begin(t.Context(), hyperlocal.PaymentCommand{Tenant: "shop", Owner: order(i), Merchant: hyperlocal.NewRef("merchant", "m"),
			Verb: hyperlocal.VerbCharge, Amount: amount(t, int64(1000+i), "GBP"), Reference: "pay", Method: fates[i%len(fates)].method,
			Actor: hyperlocal.System("test"), At: clock.Now()})
		if err != nil {
			t.Errorf("Begin: %v", err)
			return
		}
		ids[i] = ops[0].ID
		for range 2 { // an impatient caller
			if _, err := service.Execute(t.Context(), "shop", ops[0].ID); err != nil {
				t.Errorf("Execute: %v", err)
			}
		}
	})
	for i := range n { // the shoppers and the banks do their part
		if m := fates[i%len(fates)].method; m == "" || m == "pm_usBankAccount_success" || m == "pm_card_threeDSecure2Required" {
			if err := server.Finish(server.Find("hl_operation", ids[i]).ID, true); err != nil {
				t.Fatal(err)
			}
		}
	}
	rng.Shuffle(len(late), func(i, j int) { late[i], late[j] = late[j], late[i] })
	for _, e := range late[:len(late)/2] {
		deliver(e)
	}
	settle()
	each(func(i int) {
		if fates[i%len(fates)].want != "succeeded" {
			return
		}
		ops, err := service.Begin(t.Context(), hyperlocal.PaymentCommand{Tenant: "shop", Owner: order(i), Merchant: hyperlocal.NewRef("merchant", "m"),
			Verb: hyperlocal.VerbRefund, Amount: amount(t, 400, "GBP"), Reference: "back", Actor: hyperlocal.System("test"), At: clock.Now()})
		if err != nil {
			t.Errorf("refund of order %d (%s): %v", i, fates[i%len(fates)].method, err)
			return
		}
		if _, err := service.Execute(t.Context(), "shop", ops[0].ID); err != nil {
			t.Errorf("Execute: %v", err)
		}
	})
	for _, e := range late[len(late)/2:] {
		deliver(e)
	}
	settle()

	charges, refunds := map[string]int64{}, map[string]int64{}
	for _, m := range server.Moves() {
		switch m.Kind {
		case "charge":
			charges[m.Metadata["hl_intent"]] += m.Amount
		case "refund":
			refunds[m.Metadata["hl_intent"]] += m.Amount
		}
	}
	for i := range n {
		fate := fates[i%len(fates)]
		facts, err := service.Status(t.Context(), "shop", ids[i])
		if err != nil {
			t.Fatal(err)
		}
		f := facts[0]
		if string(f.Outcome) != fate.want {
			t.Errorf("order %d (%s) is %s, want %s", i, fate.method, f.Outcome, fate.want)
		}
		want, back := int64(0), int64(0)
		if fate.want == "succeeded" {
			want, back = int64(1000+i), 400
		}
		if charges[f.Intent] != want || f.Captured.Amount() != want {
			t.Errorf("order %d (%s): %d charged at Stripe, %v captured here, want %d", i, fate.method, charges[f.Intent], f.Captured, want)
		}
		if refunds[f.Intent] != back || fate.method != "pm_usBankAccount_success" && f.Refunded.Amount() != back {
			t.Errorf("order %d (%s): %d refunded at Stripe, %v here, want %d", i, fate.method, refunds[f.Intent], f.Refunded, back)
		}
	}
	if wrong, err := db.Payments().CountWebhooks(t.Context(), "shop", payment.WebhookMismatch); err != nil || wrong != 0 {
		t.Errorf("%d webhooks contradict: %v", wrong, err)
	}
	if applied, err := db.Payments().CountWebhooks(t.Context(), "shop", payment.WebhookApplied); err != nil || applied == 0 {
		t.Errorf("no webhook did anything: %v", err)
	}
}

func order(i int) hyperlocal.Ref { return hyperlocal.NewRef("order", fmt.Sprint("o", i)) }

// owners take every fact as it comes.
type owners struct{}

func (owners) LockOwners(context.Context, ...hyperlocal.TenantRef) error     { return nil }
func (owners) ApplyPayment(context.Context, ...hyperlocal.PaymentFact) error { return nil }

// movable is a clock that goes on by itself and can be moved on.
type movable struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *movable) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return hyperlocal.Instant(time.Now().Add(c.ahead))
}

func (c *movable) forward(to time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if gap := to.Sub(time.Now().Add(c.ahead)); gap > 0 {
		c.ahead += gap + time.Millisecond
	}
}
