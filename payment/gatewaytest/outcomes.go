package gatewaytest

import (
	"context"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

const (
	charge    = hyperlocal.VerbCharge
	authorize = hyperlocal.VerbAuthorize
	capture   = hyperlocal.VerbCapture
	void      = hyperlocal.VerbVoid
	refund    = hyperlocal.VerbRefund

	succeeded = hyperlocal.OutcomeSucceeded
	declined  = hyperlocal.OutcomeDeclined
)

func contractCases() []testCase {
	return []testCase{
		{"name and capabilities", nameAndCapabilities},
		{"refuses the network inside a transaction", insideTx},
		{"ends with its context", endsWithContext},
		{"lookup of what was never sent", lookupUnknown},
	}
}

func nameAndCapabilities(r *run) {
	g := r.h.Gateway
	if g.Name() == "" || len(g.Name()) > payment.MaxGateway || g.Name() != g.Name() {
		r.Errorf("name %q", g.Name())
	}
	can := g.Capabilities()
	if !can.Can(charge) && !can.Can(authorize) {
		r.Error("a gateway charges or authorizes")
	}
	if can.Can(authorize) && !can.Can(capture) {
		r.Error("a gateway that authorizes can capture")
	}
	if can.MultiCapture && !can.PartialCapture {
		r.Error("several captures are partial captures")
	}
	if can.Can("steal") {
		r.Error("it claims a verb that does not exist")
	}
}

type openTx struct{}

func (openTx) AfterCommit(func()) bool { return false }

func insideTx(r *run) {
	s := r.session(r.method(Succeeds))
	verb := charge
	if !r.h.Gateway.Capabilities().Can(charge) {
		verb = authorize
	}
	req := s.request(verb, r.gbp(100))
	ctx := hyperlocal.ContextWithTx(r.Context(), openTx{})
	if res, err := s.send(ctx, verb, req); err == nil {
		r.Errorf("%s inside a transaction: %+v", verb, res)
	}
	if _, err := r.h.Gateway.Lookup(ctx, payment.LookupRequest{Request: req, Verb: verb}); err == nil {
		r.Error("lookup inside a transaction")
	}
	s.wantMoved(verb, 0)
}

func endsWithContext(r *run) {
	r.needs(charge)
	s := r.session(r.method(Succeeds))
	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	start := hyperlocal.Stopwatch()
	req := s.request(charge, r.gbp(100))
	if res, err := s.send(ctx, charge, req); err == nil && res.Outcome != hyperlocal.OutcomeUnknown {
		// Whoever did answer in time must stand by it.
		if found := s.lookup(charge, req); found.Known && found.Outcome != res.Outcome {
			r.Errorf("answered %s, looked up %s", res.Outcome, found.Outcome)
		}
	}
	if took := hyperlocal.Since(start); took > 5*time.Second {
		r.Errorf("a cancelled call took %v", took)
	}
}

func lookupUnknown(r *run) {
	s := r.session(r.method(Succeeds))
	for _, verb := range []hyperlocal.PaymentVerb{charge, authorize, refund} {
		if found := s.lookup(verb, s.request(verb, r.gbp(100))); found.Known {
			r.Errorf("%s: knows what was never sent: %+v", verb, found)
		}
	}
}

func outcomeCases() []testCase {
	cases := []testCase{
		{"charge", happyCharge},
		{"hold", happyHold},
		{"currencies with 0, 2 and 3 decimals", exponents},
		{"answer lost", answerLost},
		{"request lost", requestLost},
		{"refund's answer lost", refundAnswerLost},
		{"shopper acts", waits(NeedsAction, hyperlocal.OutcomeAction)},
		{"pending", waits(Pends, hyperlocal.OutcomePending)},
	}
	for _, d := range []struct {
		scenario Scenario
		class    hyperlocal.DeclineClass
	}{
		{DeclinedHard, hyperlocal.DeclineHard}, {DeclinedSoft, hyperlocal.DeclineSoft}, {Invalid, hyperlocal.DeclineInvalid},
		{RateLimited, hyperlocal.DeclineRateLimited}, {ProviderDown, hyperlocal.DeclineProviderDown},
	} {
		cases = append(cases, testCase{string(d.scenario), func(r *run) {
			r.needs(charge)
			s := r.session(r.method(d.scenario))
			_, res := s.must(declined, charge, r.gbp(1999))
			if res.Class != d.class {
				r.Errorf("class %q, want %q", res.Class, d.class)
			}
			if res.RetryAfter < 0 {
				r.Errorf("retry after %v", res.RetryAfter)
			}
			s.wantMoved(charge, 0)
		}})
	}
	return cases
}

func happyCharge(r *run) {
	r.needs(charge)
	s := r.session(r.method(Succeeds))
	req, res := s.must(succeeded, charge, r.gbp(1999))
	found := s.lookup(charge, req)
	if !found.Known || found.Outcome != succeeded || found.Provider != res.Provider || found.Amount != req.Amount {
		r.Errorf("looked up %+v, answered %+v", found, res)
	}
	s.wantMoved(charge, 1)
}

func happyHold(r *run) {
	r.needs(authorize, capture)
	s := r.session(r.method(Succeeds))
	s.must(succeeded, authorize, r.gbp(1999))
	s.wantMoved(capture, 0)
	req, _ := s.must(succeeded, capture, r.gbp(1999))
	if found := s.lookup(capture, req); !found.Known || found.Outcome != succeeded {
		r.Errorf("looked up %+v", found)
	}
	s.wantMoved(capture, 1)
}

func exponents(r *run) {
	r.needs(charge)
	for _, c := range []hyperlocal.Currency{"JPY", "GBP", "KWD"} {
		r.Run(string(c), func(t *testing.T) {
			sub := &run{T: t, h: r.h}
			s := sub.session(sub.method(Succeeds))
			_, res := s.must(succeeded, charge, money(sub, 12340, c)) // a multiple of ten: some networks ask that of three decimals
			if res.Amount.Currency() != c || res.Amount.Amount() != 12340 {
				t.Errorf("12340 minor units of %s came back as %v", c, res.Amount)
			}
		})
	}
}

func answerLost(r *run) {
	r.needs(charge)
	s := r.session(r.method(LosesAnswer))
	req := s.request(charge, r.gbp(1999))
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	if res, err := s.send(ctx, charge, req); err == nil && res.Outcome != hyperlocal.OutcomeUnknown {
		r.Fatalf("a lost answer came back as %+v", res)
	}
	found := s.lookup(charge, req)
	if !found.Known || found.Outcome != succeeded || found.Amount != req.Amount || found.Provider == "" {
		r.Errorf("looked up %+v", found)
	}
	// Sending it again answers with what happened, and charges nothing.
	res, err := s.send(r.Context(), charge, req)
	if err != nil {
		r.Fatal(err)
	}
	s.check(res, succeeded, charge, req.Amount)
	s.wantMoved(charge, 1)
}

func requestLost(r *run) {
	r.needs(charge)
	s := r.session(r.method(LosesRequest))
	req := s.request(charge, r.gbp(1999))
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	if res, err := s.send(ctx, charge, req); err == nil && res.Outcome != hyperlocal.OutcomeUnknown {
		r.Fatalf("a lost request came back as %+v", res)
	}
	if found := s.lookup(charge, req); found.Known {
		r.Errorf("knows what never arrived: %+v", found)
	}
	s.wantMoved(charge, 0)
	res, err := s.send(r.Context(), charge, req)
	if err != nil {
		r.Fatal(err)
	}
	s.check(res, succeeded, charge, req.Amount)
	s.wantMoved(charge, 1)
}

func refundAnswerLost(r *run) {
	r.needs(charge, refund)
	s := r.session(r.method(RefundLosesAnswer))
	s.must(succeeded, charge, r.gbp(1999))
	req := s.request(refund, r.gbp(1999))
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	if res, err := s.send(ctx, refund, req); err == nil && res.Outcome != hyperlocal.OutcomeUnknown {
		r.Fatalf("a lost answer came back as %+v", res)
	}
	if found := s.lookup(refund, req); !found.Known || found.Outcome != succeeded {
		r.Errorf("looked up %+v", found)
	}
	if res, err := s.send(r.Context(), refund, req); err != nil || res.Outcome != succeeded {
		r.Errorf("again: %+v, %v", res, err)
	}
	s.wantMoved(refund, 1)
}

func waits(scenario Scenario, outcome hyperlocal.PaymentOutcome) func(*run) {
	return func(r *run) {
		r.needs(charge)
		method := r.method(scenario)
		if r.h.Complete == nil {
			r.gap("requests that wait cannot be completed")
		}
		for _, success := range []bool{true, false} {
			s := r.session(method)
			req, res := s.must(outcome, charge, r.gbp(1999))
			if outcome == hyperlocal.OutcomeAction && res.Action == "" {
				r.Error("the shopper is not told what to do")
			}
			if found := s.lookup(charge, req); !found.Known || found.Outcome != outcome {
				r.Errorf("looked up %+v, want %s", found, outcome)
			}
			s.wantMoved(charge, 0)
			if err := r.h.Complete(r.Context(), tenant, req.Key, success); err != nil {
				r.Fatal(err)
			}
			want, moved := succeeded, 1
			if !success {
				want, moved = declined, 0
			}
			if found := s.lookup(charge, req); !found.Known || found.Outcome != want {
				r.Errorf("looked up %+v, want %s", found, want)
			}
			s.wantMoved(charge, moved)
		}
	}
}
