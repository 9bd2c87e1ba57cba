package paymenttest

import (
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

func holdCases() []testCase {
	return []testCase{
		{"capture in parts", captureInParts},
		{"void", voidHold},
		{"capture and void at once", captureAndVoid},
		{"single capture lets go of the rest", singleCapture},
		{"whole capture only", wholeCaptureOnly},
		{"declined capture gives the claim back", declinedCapture},
	}
}

func captureInParts(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	f := w.run(command(authorize, order, gbp(1000), "hold/1", "ok"))
	wantOutcome(t, f, succeeded)
	w.wantTotals(f, 1000, 0, 0)
	if w.books.balance("sales/m1") != 0 {
		t.Error("a hold was posted; it is no sale")
	}
	_, err := w.pay.Begin(t.Context(), command(refund, order, gbp(1), "r/1", ""))
	wantReason(t, err, payment.ErrRefundTooMuch)
	_, err = w.pay.Begin(t.Context(), command(capture, order, gbp(1001), "cap/1", ""))
	wantReason(t, err, payment.ErrNothingHeld)
	f = w.run(command(capture, order, gbp(300), "cap/1", ""))
	wantOutcome(t, f, succeeded)
	w.wantTotals(f, 700, 300, 0)
	_, err = w.pay.Begin(t.Context(), command(void, order, gbp(100), "void/1", ""))
	wantReason(t, err, payment.ErrUnsupported)
	f = w.run(command(capture, order, gbp(700), "cap/2", ""))
	w.wantTotals(f, 0, 1000, 0)
	_, err = w.pay.Begin(t.Context(), command(capture, order, gbp(1), "cap/3", ""))
	wantReason(t, err, payment.ErrNothingHeld)
	w.wantTold(order, "authorize succeeded", "capture succeeded", "capture succeeded")
	if w.events.count("payment.authorized") != 1 || w.events.count("payment.captured") != 2 {
		t.Errorf("events %v", w.events.names())
	}
	w.audit(true, order)
}

func voidHold(t *testing.T, h Harness) {
	w := open(t, h)
	order := newOrder()
	w.run(command(authorize, order, gbp(1000), "hold/1", "ok"))
	c := command(void, order, hyperlocal.Money{}, "void/1", "")
	f := w.run(c)
	wantOutcome(t, f, succeeded)
	w.wantTotals(f, 0, 0, 0)
	if f.Amount != gbp(1000) {
		t.Errorf("voided %v, want everything that was held", f.Amount)
	}
	w.run(c) // once more under the same reference
	_, err := w.pay.Begin(t.Context(), command(void, order, gbp(1000), "void/2", ""))
	wantReason(t, err, payment.ErrNothingHeld)
	w.wantTold(order, "authorize succeeded", "void succeeded")
	if w.events.count("payment.voided") != 1 {
		t.Errorf("events %v", w.events.names())
	}
	w.audit(true, order)
}

func captureAndVoid(t *testing.T, h Harness) {
	w := open(t, h)
	for range 8 {
		order := newOrder()
		w.run(command(authorize, order, gbp(1000), "hold/1", "ok"))
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				c := command(capture, order, gbp(1000), "cap/"+string(rune('a'+i)), "")
				if i%2 == 1 {
					c = command(void, order, gbp(1000), "void/"+string(rune('a'+i)), "")
				}
				ops, err := w.pay.Begin(t.Context(), c)
				if err != nil {
					if r := hyperlocal.ReasonOf(err); r != payment.ErrNothingHeld.Reason && r != payment.ErrUnderWay.Reason {
						t.Errorf("%s: %v", c.Verb, err)
					}
					return
				}
				if _, err := w.pay.Execute(t.Context(), tenant, ops[0].ID); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := w.shop.told(order); len(got) != 2 {
			t.Errorf("the owner was told %v, want one authorization and one end of it", got)
		}
		a := w.intents(order)[0].Allocations[0]
		if a.Authorized != 0 || a.Claimed != 0 || (a.Captured != 0 && a.Captured != 1000) {
			t.Errorf("allocation %+v", a)
		}
	}
}

func singleCapture(t *testing.T, h Harness) {
	w := open(t, h, lacking(Without{MultiCapture: true}))
	order := newOrder()
	w.run(command(authorize, order, gbp(1000), "hold/1", "ok"))
	f := w.run(command(capture, order, gbp(300), "cap/1", ""))
	wantOutcome(t, f, succeeded)
	w.wantTotals(f, 0, 300, 0)
	_, err := w.pay.Begin(t.Context(), command(capture, order, gbp(1), "cap/2", ""))
	wantReason(t, err, payment.ErrNothingHeld)
	w.audit(true, order)
}

func wholeCaptureOnly(t *testing.T, h Harness) {
	w := open(t, h, lacking(Without{PartialCapture: true, MultiCapture: true, PartialRefund: true}))
	order := newOrder()
	w.run(command(authorize, order, gbp(1000), "hold/1", "ok"))
	_, err := w.pay.Begin(t.Context(), command(capture, order, gbp(300), "cap/1", ""))
	wantReason(t, err, payment.ErrUnsupported)
	w.wantTotals(w.run(command(capture, order, gbp(1000), "cap/1", "")), 0, 1000, 0)
	_, err = w.pay.Begin(t.Context(), command(refund, order, gbp(300), "r/1", ""))
	wantReason(t, err, payment.ErrUnsupported)
	w.wantTotals(w.run(command(refund, order, gbp(1000), "r/1", "")), 0, 1000, 1000)
	w.audit(true, order)
}

func declinedCapture(t *testing.T, h Harness) {
	w := open(t, h, policy(payment.Policy{Timeout: 10 * time.Second, Lease: time.Minute, Owed: []time.Duration{}}))
	order := newOrder()
	w.run(command(authorize, order, gbp(1000), "hold/1", "ok,capture=provider_down:2"))
	c := command(capture, order, gbp(1000), "cap/1", "")
	f := w.run(c)
	wantOutcome(t, f, declined)
	w.wantTotals(f, 1000, 0, 0)
	if a := w.intents(order)[0].Allocations[0]; a.Claimed != 0 {
		t.Errorf("allocation %+v still claims", a)
	}
	first := w.operation(f.Operation)
	f = w.run(c) // the decline may pass: the same reference arms the operation again
	wantOutcome(t, f, succeeded)
	w.wantTotals(f, 0, 1000, 0)
	again := w.operation(f.Operation)
	if first.ID != again.ID || first.Key == again.Key {
		t.Errorf("operations %+v and %+v: want one operation under a new key", first, again)
	}
	w.audit(true, order)
}
