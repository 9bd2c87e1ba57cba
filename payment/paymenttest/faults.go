package paymenttest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

func faultCases() []testCase {
	return []testCase{
		{"two hundred payments through a faulty bank", faultyBank},
		{"five hundred hidden outcomes", hiddenOutcomes},
	}
}

// faultyBank pays, crashes, asks again and refunds with everything that can go wrong at
// once, and then lets the janitor clear up. The bank's own log is the judge.
func faultyBank(t *testing.T, h Harness) {
	w := open(t, h)
	rng := rand.New(rand.NewPCG(7, 7))
	methods := []string{
		"ok", "timeout:after", "timeout:before", "timeout:before:2", "webhook:duplicate",
		"timeout:after,webhook:duplicate", "timeout:after,webhook:reorder", "timeout:before,webhook:late",
		"timeout:after,lookup=provider_down:2", "pending:2m", "decline:hard", "provider_down",
		"ok,refund=timeout:after", "ok,refund=timeout:before", "timeout:after,refund=timeout:after,webhook:duplicate",
	}
	const n = 200
	var crashes atomic.Int64
	w.crashWith(func(string) error {
		if crashes.Add(1)%5 == 0 { // every fifth answer dies with the process
			return errCrash
		}
		return nil
	})
	owners := make([]hyperlocal.Ref, n)
	for i := range owners {
		owners[i] = newOrder()
	}
	order := rng.Perm(n)
	var wg sync.WaitGroup
	next := make(chan int)
	for range 4 {
		wg.Go(func() {
			for i := range next {
				c := command(charge, owners[i], gbp(int64(1000+i)), "pay/1", methods[i%len(methods)])
				ops, err := w.pay.Begin(t.Context(), c)
				if err != nil {
					t.Errorf("Begin: %v", err)
					continue
				}
				for range 2 { // an impatient caller
					_, err = w.pay.Execute(t.Context(), tenant, ops[0].ID)
					if err != nil && hyperlocal.ReasonOf(err) != payment.ErrNotRecorded.Reason {
						t.Errorf("Execute: %v", err)
					}
				}
			}
		})
	}
	for _, i := range order {
		next <- i
	}
	close(next)
	wg.Wait()
	w.settleAll(t)
	for i, o := range owners {
		if i%3 != 0 {
			continue
		}
		in := w.intents(o)[0]
		if in.Captured().IsZero() {
			continue
		}
		ops, err := w.pay.Begin(t.Context(), command(refund, o, in.Captured(), "r/1", ""))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.pay.Execute(t.Context(), tenant, ops[0].ID)
	}
	w.crashWith(nil)
	w.settleAll(t)

	charges := make(map[string]int)
	refunds := make(map[string]int)
	for _, m := range w.moved() {
		switch m.Verb {
		case charge:
			charges[m.Intent]++
		case refund:
			refunds[m.Intent]++
		}
	}
	paid, declines := 0, 0
	for i, o := range owners {
		in := w.intents(o)[0]
		if charges[in.ID] > 1 || refunds[in.ID] > 1 {
			t.Errorf("order %d (%s): charged %d times, refunded %d times", i, methods[i%len(methods)], charges[in.ID], refunds[in.ID])
		}
		switch told := w.shop.told(o); told[len(told)-1] {
		case "charge succeeded", "refund succeeded":
			paid++
		case "charge declined":
			declines++
		default:
			t.Errorf("order %d (%s) was told %v", i, methods[i%len(methods)], told)
		}
	}
	if paid == 0 || declines == 0 || paid+declines != n {
		t.Errorf("%d paid and %d declined of %d", paid, declines, n)
	}
	if crashes.Load() < n {
		t.Errorf("the hook was passed only %d times", crashes.Load())
	}
	w.audit(true, owners...)
}

// settleAll lets time pass until nothing is due any more: 26 hours, see DefaultPolicy.
func (w *world) settleAll(t *testing.T) {
	t.Helper()
	start := w.clock.Now()
	for range 300 {
		if err := w.bank.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, later, err := w.pay.ProcessWebhooks(t.Context(), 1000)
		if err != nil {
			t.Fatal(err)
		}
		_, next, err := w.pay.RunDue(t.Context(), 1000)
		if err != nil && hyperlocal.ReasonOf(err) != payment.ErrNotRecorded.Reason {
			t.Fatal(err)
		}
		if next.IsZero() && later.IsZero() {
			if took := w.clock.Now().Sub(start); took > 26*time.Hour {
				t.Errorf("it took %v of the clock, want at most 26h", took)
			}
			return
		}
		if next.IsZero() || (!later.IsZero() && later.Before(next)) {
			next = later
		}
		if next.After(w.clock.Now()) {
			w.clock.Set(next)
		}
	}
	t.Fatal("it never comes to rest")
}

// hiddenOutcomes: nobody ever learns what happened. Within 26 hours every operation is in a
// person's hands, and none is without a next action before.
func hiddenOutcomes(t *testing.T, h Harness) {
	w := open(t, h)
	n := 500
	if h.Slow {
		n = 25
	}
	var commands []hyperlocal.PaymentCommand
	for i := range n {
		commands = append(commands, command(charge, newOrder(), gbp(100), fmt.Sprint("pay/", i),
			"timeout:after,lookup=provider_down:1000,webhook:never"))
	}
	if _, err := w.pay.Begin(t.Context(), commands...); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Minute)
	start := w.clock.Now()
	for {
		_, next, err := w.pay.RunDue(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		if next.IsZero() {
			break
		}
		if next.After(w.clock.Now()) {
			w.clock.Set(next)
		}
	}
	if took := w.clock.Now().Sub(start); took > 26*time.Hour {
		t.Errorf("it took %v", took)
	}
	seen, cursor := 0, ""
	for {
		page, err := w.pay.Operations(t.Context(), tenant, payment.OperationFilter{Attention: true}, hyperlocal.PageRequest{Limit: 200, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		seen += len(page.Items)
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if seen != n {
		t.Errorf("%d of %d are in a person's hands", seen, n)
	}
}
