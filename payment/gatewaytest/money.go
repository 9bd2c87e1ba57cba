package gatewaytest

import (
	"sync"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func moneyCases() []testCase {
	return []testCase{
		{"capture in parts", captureInParts},
		{"capture more than is held", captureTooMuch},
		{"void", voidHold},
		{"refund in parts", refundInParts},
		{"refund too much", refundTooMuch},
		{"refunds at once", refundsAtOnce},
		{"nothing to refer to", nothingToReferTo},
	}
}

func captureInParts(r *run) {
	r.needs(authorize, capture)
	can := r.h.Gateway.Capabilities()
	s := r.session(r.method(Succeeds))
	s.must(succeeded, authorize, r.gbp(1000))
	switch {
	case !can.PartialCapture:
		s.must(declined, capture, r.gbp(400))
		s.must(succeeded, capture, r.gbp(1000))
	case !can.MultiCapture:
		s.must(succeeded, capture, r.gbp(400))
		s.must(declined, capture, r.gbp(1))
	default:
		s.must(succeeded, capture, r.gbp(400))
		s.must(succeeded, capture, r.gbp(600))
		s.must(declined, capture, r.gbp(1))
	}
}

func captureTooMuch(r *run) {
	r.needs(authorize, capture)
	s := r.session(r.method(Succeeds))
	s.must(succeeded, authorize, r.gbp(1000))
	s.must(declined, capture, r.gbp(1001))
	s.must(declined, capture, money(r, 1000, "EUR"))
	s.must(succeeded, capture, r.gbp(1000))
	s.wantMoved(capture, 1)
}

func voidHold(r *run) {
	r.needs(authorize, void, capture)
	s := r.session(r.method(Succeeds))
	s.must(succeeded, authorize, r.gbp(1000))
	req, first := s.must(succeeded, void, r.gbp(1000))
	if res, err := s.send(r.Context(), void, req); err != nil || res != first {
		r.Errorf("again: %+v, %v; want %+v", res, err, first)
	}
	s.must(declined, capture, r.gbp(1000))
	s.must(declined, void, r.gbp(1000))
	s.wantMoved(capture, 0)
}

func refundInParts(r *run) {
	r.needs(charge, refund)
	s := r.session(r.method(Succeeds))
	s.must(succeeded, charge, r.gbp(1000))
	if !r.h.Gateway.Capabilities().PartialRefund {
		s.must(declined, refund, r.gbp(400))
		s.must(succeeded, refund, r.gbp(1000))
		s.wantMoved(refund, 1)
		return
	}
	s.must(succeeded, refund, r.gbp(400))
	s.must(succeeded, refund, r.gbp(600))
	s.must(declined, refund, r.gbp(1))
	s.wantMoved(refund, 2)
}

func refundTooMuch(r *run) {
	r.needs(charge, refund)
	s := r.session(r.method(Succeeds))
	s.must(succeeded, charge, r.gbp(1000))
	s.must(declined, refund, r.gbp(1001))
	s.must(declined, refund, money(r, 10, "EUR"))
	s.wantMoved(refund, 0)
	s.must(succeeded, refund, r.gbp(1000))
}

func refundsAtOnce(r *run) {
	r.needs(charge, refund)
	if !r.h.Gateway.Capabilities().PartialRefund {
		r.Skip("the gateway does not claim partial refunds")
	}
	s := r.session(r.method(Succeeds))
	s.must(succeeded, charge, r.gbp(1000))
	var wg sync.WaitGroup
	for range 10 {
		req := s.request(refund, r.gbp(600))
		wg.Go(func() { _, _ = s.send(r.Context(), refund, req) })
	}
	wg.Wait()
	s.wantMoved(refund, 1)
}

func nothingToReferTo(r *run) {
	for _, verb := range []hyperlocal.PaymentVerb{capture, void, refund} {
		if !r.h.Gateway.Capabilities().Can(verb) {
			continue
		}
		s := r.session(r.method(Succeeds))
		s.payment = "no-such-payment"
		s.must(declined, verb, r.gbp(100))
	}
}
