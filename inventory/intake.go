package inventory

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Intake commits the single Hold calls of concurrent carts together, as order.Intake does for
// placements: each is answered after the commit with its own result. Holds of one cart never
// share a transaction, and happen in the order in which they came. Calls inside a transaction
// are not gathered. The zero value is good.
//
// With an Intake the service also refuses what it has just seen to run out: see
// [Service.Refuse], which the intake of orders asks.
type Intake struct {
	// Gather bounds batches and queue. Set OneTenant for a database with row-level security.
	Gather hyperlocal.GatherConfig
}

// openIntake opens the intake, if there is to be one.
func (s *Service) openIntake(in *Intake) (err error) {
	if in == nil {
		return nil
	}
	s.holds, err = hyperlocal.NewGather(in.Gather, func(a *ask) hyperlocal.TenantID { return a.by.tenant }, s.grantGathered)
	return err
}

// Close takes no more calls into the intake, and waits until those inside are answered, or
// until ctx ends (code deadline). Without an intake it does nothing.
func (s *Service) Close(ctx context.Context) error {
	if s.holds == nil {
		return nil
	}
	return s.holds.Close(ctx)
}

// grantGathered grants holds of several callers: the first of each cart together, then the
// second of each, and so on. The error of the first round is for all of them, since nothing
// was changed; that of a later one is the answer to its own.
func (s *Service) grantGathered(ctx context.Context, asks []*ask) ([]ReserveResult, error) {
	results := make([]ReserveResult, len(asks))
	left := make([]int, len(asks))
	for i := range left {
		left[i] = i
	}
	for first := true; len(left) > 0; first = false {
		var now, later []int
		var round []ask
		carts := make(map[hyperlocal.TenantRef]bool, len(left))
		for _, i := range left {
			cart := hyperlocal.TenantRef{Tenant: asks[i].by.tenant, Ref: asks[i].owner}
			if carts[cart] {
				later = append(later, i)
				continue
			}
			carts[cart] = true
			now, round = append(now, i), append(round, *asks[i])
		}
		granted, err := s.grant(ctx, round)
		if err != nil && first {
			return nil, err
		}
		for k, i := range now {
			if results[i].Err = err; err == nil {
				results[i] = granted[k]
			}
		}
		left = later
	}
	return results, nil
}
