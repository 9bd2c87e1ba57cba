package gatewaytest

import (
	"sync"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

func idempotencyCases() []testCase {
	return []testCase{
		{"same key, same answer", sameKey},
		{"same key, other content", otherContent},
		{"a decline is repeated", declineRepeated},
		{"fifty at once under one key", manyAtOnce},
		{"another key is another charge", anotherKey},
	}
}

func sameKey(r *run) {
	r.needs(charge, refund)
	s := r.session(r.method(Succeeds))
	req, first := s.must(succeeded, charge, r.gbp(1999))
	back, refunded := s.must(succeeded, refund, r.gbp(1999))
	for range 3 {
		if res, err := s.send(r.Context(), charge, req); err != nil || res != first {
			r.Errorf("charge again: %+v, %v; want %+v", res, err, first)
		}
		if res, err := s.send(r.Context(), refund, back); err != nil || res != refunded {
			r.Errorf("refund again: %+v, %v; want %+v", res, err, refunded)
		}
	}
	s.wantMoved(charge, 1)
	s.wantMoved(refund, 1)
}

func otherContent(r *run) {
	r.needs(charge)
	s := r.session(r.method(Succeeds))
	req, first := s.must(succeeded, charge, r.gbp(1999))
	for name, amount := range map[string]hyperlocal.Money{"more": r.gbp(2999), "less": r.gbp(1), "another currency": money(r, 1999, "EUR")} {
		other := req
		other.Amount = amount
		res, err := s.send(r.Context(), charge, other)
		if err != nil || res.Outcome != declined || res.Class != hyperlocal.DeclineInvalid {
			r.Errorf("%s under the same key: %+v, %v; want a decline of class invalid", name, res, err)
		}
	}
	if r.h.Gateway.Capabilities().Can(authorize) {
		if res, err := s.send(r.Context(), authorize, req); err != nil || res.Outcome != declined {
			r.Errorf("another verb under the same key: %+v, %v", res, err)
		}
	}
	if res, err := s.send(r.Context(), charge, req); err != nil || res != first {
		r.Errorf("the first content: %+v, %v; want %+v", res, err, first)
	}
	s.wantMoved(charge, 1)
}

func declineRepeated(r *run) {
	r.needs(charge)
	s := r.session(r.method(DeclinedSoft))
	req, first := s.must(declined, charge, r.gbp(1999))
	if res, err := s.send(r.Context(), charge, req); err != nil || res != first {
		r.Errorf("again: %+v, %v; want %+v", res, err, first)
	}
}

func manyAtOnce(r *run) {
	r.needs(charge)
	s := r.session(r.method(Succeeds))
	req := s.request(charge, r.gbp(1999))
	const n = 50
	results := make([]payment.Result, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			res, err := s.send(r.Context(), charge, req)
			if err != nil {
				// "Being worked on" is an honest answer; a lookup tells the rest.
				res = payment.Result{Outcome: hyperlocal.OutcomeUnknown}
			}
			results[i] = res
		})
	}
	wg.Wait()
	found := s.lookup(charge, req)
	if !found.Known || found.Outcome != succeeded {
		r.Fatalf("looked up %+v", found)
	}
	for _, res := range results {
		if res.Outcome == hyperlocal.OutcomeUnknown {
			continue
		}
		if res.Outcome != succeeded || res.Provider != found.Provider {
			r.Errorf("answered %+v, looked up %+v", res, found)
		}
	}
	s.wantMoved(charge, 1)
}

func anotherKey(r *run) {
	r.needs(charge)
	s := r.session(r.method(Succeeds))
	_, first := s.must(succeeded, charge, r.gbp(100))
	_, second := s.must(succeeded, charge, r.gbp(100))
	if first.Provider == second.Provider {
		r.Errorf("two charges share the reference %s", first.Provider)
	}
	s.wantMoved(charge, 2)
}
