package reconcile

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Report tells how a run went. The gross, fee and net of all totals of a currency sum up to
// those of the file's lines, exactly.
type Report struct {
	Run    Run     `json:"run"`
	Totals []Total `json:"totals"`
	Open   []Aged  `json:"open"` // differences that are open, by age
}

// ageBounds are the ages, in days, at which Aged.Age rises.
var ageBounds = [3]int{1, 7, 30}

// Report sums up a run, in three reads. While the run goes on they may not be of one moment.
// Errors: code invalid, ErrNotFound.
func (s *Service) Report(ctx context.Context, tenant hyperlocal.TenantID, id string) (Report, error) {
	run, err := s.Run(ctx, tenant, id)
	if err != nil {
		return Report{}, err
	}
	r := Report{Run: run}
	if r.Totals, err = s.Store.Totals(ctx, tenant, id); err != nil {
		return Report{}, err
	}
	now := s.Clock.Now()
	var bounds [3]time.Time
	for i, days := range ageBounds {
		bounds[i] = now.Add(-time.Duration(days) * 24 * time.Hour)
	}
	r.Open, err = s.Store.Ages(ctx, tenant, id, bounds)
	return r, err
}

// Run returns a run. Errors: code invalid, ErrNotFound.
func (s *Service) Run(ctx context.Context, tenant hyperlocal.TenantID, id string) (Run, error) {
	if err := tenant.Validate(); err != nil {
		return Run{}, err
	}
	run, ok, err := s.Store.Run(ctx, tenant, id)
	if err == nil && !ok {
		err = ErrNotFound.With("run", id)
	}
	return run, err
}

// ListRuns returns runs newest first; source "" does not restrict. One read.
func (s *Service) ListRuns(ctx context.Context, tenant hyperlocal.TenantID, source string, p hyperlocal.PageRequest) (hyperlocal.Page[Run], error) {
	if err := tenant.Validate(); err != nil {
		return hyperlocal.Page[Run]{}, err
	}
	return s.Store.ListRuns(ctx, tenant, source, p)
}

// ListLines returns the lines of a run with what became of them, by number. One read.
func (s *Service) ListLines(ctx context.Context, tenant hyperlocal.TenantID, run string, outcome Outcome, p hyperlocal.PageRequest) (hyperlocal.Page[Decided], error) {
	if err := tenant.Validate(); err != nil {
		return hyperlocal.Page[Decided]{}, err
	}
	return s.Store.ListLines(ctx, tenant, run, outcome, p)
}

// ListDifferences returns differences oldest first by when the money moved. One read.
func (s *Service) ListDifferences(ctx context.Context, tenant hyperlocal.TenantID, f Filter, p hyperlocal.PageRequest) (hyperlocal.Page[Difference], error) {
	if err := tenant.Validate(); err != nil {
		return hyperlocal.Page[Difference]{}, err
	}
	return s.Store.ListDifferences(ctx, tenant, f, p)
}

// Difference returns one. Errors: code invalid, ErrNotFound.
func (s *Service) Difference(ctx context.Context, tenant hyperlocal.TenantID, id string) (Difference, error) {
	if err := tenant.Validate(); err != nil {
		return Difference{}, err
	}
	d, ok, err := s.Store.Difference(ctx, tenant, id)
	if err == nil && !ok {
		err = ErrNotFound.With("difference", id)
	}
	return d, err
}
