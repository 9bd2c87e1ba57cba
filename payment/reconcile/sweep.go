package reconcile

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// sweepBatch looks for what moved by our books in the time of the statement and stands in no
// statement. What was found to be missing once is not found again.
func (s *Service) sweepBatch(ctx context.Context, run Run) (Run, error) {
	return s.step(ctx, run, func(ctx context.Context, run *Run) error {
		var moved []payment.Moved
		if !run.From.IsZero() {
			var err error
			moved, err = s.Books.MovedBetween(ctx, payment.MovedRange{
				Tenant: run.Tenant, Gateway: run.Source, From: run.From.Add(-s.Lag), Until: run.Until.Add(-s.Lag),
				AfterAt: run.SweptAt, AfterOperation: run.Swept,
			}, s.Batch)
			if err != nil {
				return err
			}
		}
		if len(moved) == 0 {
			run.Phase, run.FinishedAt = PhaseDone, s.Clock.Now()
			return nil
		}
		end := &moved[len(moved)-1]
		run.SweptAt, run.Swept = end.At, end.Operation
		operations := make(map[string]*operation, len(moved))
		ids := make([]string, len(moved))
		for i := range moved {
			o, err := newOperation(moved[i])
			if err != nil {
				return err
			}
			operations[o.Operation], ids[i] = o, o.Operation
		}
		if err := s.markClaimed(ctx, run.Tenant, operations); err != nil {
			return err
		}
		missing, err := s.Store.Missing(ctx, run.Tenant, ids)
		if err != nil {
			return err
		}
		for i := range missing {
			operations[missing[i].Operation].used = true
		}
		var sets []set
		for _, id := range ids {
			if o := operations[id]; !o.used {
				sets = append(sets, set{outcome: Suspended, reason: MissingAtProvider, operations: []*operation{o}})
			}
		}
		return s.book(ctx, run, sets)
	})
}
