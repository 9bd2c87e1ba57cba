package ledger

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Intake commits the single postings of concurrent callers of [Service.Post] together: each is
// answered after the commit with its own result, and they count in the order in which they
// came. Calls inside a transaction, and those of several postings, are not gathered. The zero
// value is good.
type Intake struct {
	// Gather bounds batches and queue. Set OneTenant for a database with row-level security.
	Gather hyperlocal.GatherConfig
}

// openIntake opens the intake, if there is to be one.
func (s *Service) openIntake(in *Intake) (err error) {
	if in == nil {
		return nil
	}
	s.gather, err = hyperlocal.NewGather(in.Gather, func(p *hyperlocal.Posting) hyperlocal.TenantID { return p.Tenant },
		func(ctx context.Context, calls []*hyperlocal.Posting) ([]Result, error) {
			postings := make([]hyperlocal.Posting, len(calls))
			for i, p := range calls {
				postings[i] = *p
			}
			return s.PostMany(ctx, postings)
		})
	return err
}

// Close takes no more calls into the intake, and waits until those inside are answered, or
// until ctx ends (code deadline). Without an intake it does nothing.
func (s *Service) Close(ctx context.Context) error {
	if s.gather == nil {
		return nil
	}
	return s.gather.Close(ctx)
}

// postGathered is Post of one posting through the intake. What is wrong with it by itself is
// found before it is taken in.
func (s *Service) postGathered(ctx context.Context, p *hyperlocal.Posting) error {
	if c := newCandidate(*p); c.err != nil {
		return named(c.err, p.Reference)
	}
	result, err := s.gather.Do(ctx, p)
	if err == nil {
		err = result.Err
	}
	return err
}
