package payment

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// RunDue is the janitor. It executes at most limit operations that were begun and never
// sent (0 means 100), and looks up those whose executor did not come back or whose outcome is
// unknown or pending; a request is sent again only if the gateway is sure that it never
// arrived. It returns how many it worked on and when the next one is due (zero if none is).
// Several processes may call it at once.
//
// What one operation runs into does not stop the others; the errors are joined. A negative
// limit is invalid.
func (s *Service) RunDue(ctx context.Context, limit int) (n int, next time.Time, err error) {
	if hyperlocal.InTx(ctx) {
		return 0, time.Time{}, hyperlocal.ErrNetworkInTx
	}
	if limit, err = dueLimit(limit); err != nil {
		return 0, time.Time{}, err
	}
	var errs []error
	for n < limit && ctx.Err() == nil {
		due, _, err := s.leaseDue(ctx, min(limit-n, s.policy.Parallel))
		if err != nil {
			errs = append(errs, err)
			break
		}
		if len(due) == 0 {
			break
		}
		n += len(due)
		errs = append(errs, s.each(ctx, due)...)
	}
	_, next, err = s.leaseDue(ctx, 0)
	return n, next, errors.Join(append(errs, err)...)
}

// dueLimit reads the limit of a worker's call.
func dueLimit(limit int) (int, error) {
	switch {
	case limit < 0:
		return 0, hyperlocal.Invalid("payment", "limit", "a limit is positive, or 0 for the default")
	case limit == 0:
		return defaultDue, nil
	}
	return limit, nil
}

func (s *Service) leaseDue(ctx context.Context, limit int) (due []Operation, next time.Time, err error) {
	err = s.tx.WithinTx(ctx, func(ctx context.Context) error {
		now := s.clock.Now()
		var err error
		due, next, err = s.store.LeaseDue(ctx, now, now.Add(s.policy.Lease), limit)
		return err
	})
	return due, next, err
}

// each works on leased operations side by side and returns when all are done.
func (s *Service) each(ctx context.Context, due []Operation) []error {
	errs := make([]error, len(due))
	if len(due) == 1 {
		errs[0] = s.attend(ctx, &due[0])
		return errs
	}
	var wg sync.WaitGroup
	for i := range due {
		wg.Go(func() { errs[i] = s.attend(ctx, &due[i]) })
	}
	wg.Wait()
	return errs
}

func (s *Service) attend(ctx context.Context, op *Operation) error {
	s.begun.take(op.Tenant, op.ID, s.clock.Now()) // its lease is over
	_, err := s.resume(ctx, op)
	if err == nil {
		return nil
	}
	return errors.Join(err, s.putOff(ctx, op))
}

// putOff spreads the retries of an operation whose answer cannot be recorded, and hands it
// to a person when they are used up, without the owner, who may be the reason.
func (s *Service) putOff(ctx context.Context, seen *Operation) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.policy.Timeout)
	defer cancel()
	return s.tx.WithinTx(ctx, func(ctx context.Context) error {
		u, err := s.lock(ctx, seen.tenantRefs())
		if err != nil {
			return err
		}
		op, err := s.load(ctx, seen.Tenant, seen.ID)
		if err != nil {
			return err
		}
		in := u.intents[Key{op.Tenant, op.Intent}]
		if in == nil || op.Version != seen.Version {
			return nil // it was settled after all
		}
		op.Lookups++
		gap, ok := s.policy.gap(op.Outcome, op.Lookups)
		if !ok {
			err = s.raise(ctx, u, in, &op, op.Actor, ReasonNotRecordable)
		} else {
			op.NextAt = u.now.Add(gap)
			u.save(&op)
		}
		if err != nil {
			return err
		}
		return u.flush(ctx, s)
	})
}

// ResolveCommand is a person's decision about an operation that nobody else could clear up.
type ResolveCommand struct {
	Tenant    hyperlocal.TenantID
	Actor     hyperlocal.Actor
	Operation string
	// Outcome is Succeeded or Declined, as the person saw it at the provider.
	Outcome  hyperlocal.PaymentOutcome
	Provider string // the provider's reference; "" keeps the one we have
}

// Resolve settles an open operation by hand, with everything that a gateway's answer brings
// about. One that waits to be sent, for the first time or again, is not sent any more.
//
// Errors: invalid, payment/not_found, payment/not_open; payment/under_way while a call to the
// gateway may be running.
func (s *Service) Resolve(ctx context.Context, c ResolveCommand) (hyperlocal.PaymentFact, error) {
	none := hyperlocal.PaymentFact{}
	if err := c.Actor.Validate(); err != nil {
		return none, err
	}
	if err := checkIDs(c.Tenant, []string{c.Operation}); err != nil {
		return none, err
	}
	if err := hyperlocal.CheckText("payment", "provider", c.Provider, MaxProvider); err != nil {
		return none, err
	}
	if c.Outcome != hyperlocal.OutcomeSucceeded && c.Outcome != hyperlocal.OutcomeDeclined {
		return none, hyperlocal.Invalid("payment", "outcome", "a person decides for succeeded or declined")
	}
	var fact hyperlocal.PaymentFact
	err := s.tx.WithinTx(ctx, func(ctx context.Context) error {
		op, err := s.load(ctx, c.Tenant, c.Operation)
		if err != nil {
			return err
		}
		if op.underWay(s.clock.Now()) {
			return ErrUnderWay
		}
		if !op.Open() {
			return ErrNotOpen
		}
		claimed := claim{from: fromPerson, Result: Result{Outcome: c.Outcome, Provider: c.Provider, Amount: op.Amount}}
		if c.Outcome == hyperlocal.OutcomeDeclined {
			claimed.Class, claimed.Code = hyperlocal.DeclineHard, CodeByHand
		}
		var v verdict
		fact, v, err = s.settle(ctx, &op, &claimed, "", c.Actor, nil)
		if err == nil && v != advance {
			return ErrNotOpen
		}
		return err
	})
	if err != nil {
		return none, err
	}
	return fact, nil
}

// Recheck gives an operation back to the janitor: at the next RunDue the gateway is asked
// again, or asked for the first time, however far that was put off, and with all lookups
// before it. What is settled is only asked about, never sent.
//
// Errors: payment/not_found; payment/not_open for one that succeeded; payment/under_way while
// a call to the gateway may be running.
func (s *Service) Recheck(ctx context.Context, tenant hyperlocal.TenantID, operation string) error {
	if err := checkIDs(tenant, []string{operation}); err != nil {
		return err
	}
	return s.tx.WithinTx(ctx, func(ctx context.Context) error {
		seen, err := s.load(ctx, tenant, operation)
		if err != nil {
			return err
		}
		u, err := s.lock(ctx, seen.tenantRefs())
		if err != nil {
			return err
		}
		op, err := s.load(ctx, tenant, operation)
		if err != nil {
			return err
		}
		switch {
		case op.Outcome == hyperlocal.OutcomeSucceeded:
			return ErrNotOpen
		case op.underWay(u.now):
			return ErrUnderWay
		}
		op.Attention, op.Lookups, op.NextAt = "", 0, u.now
		u.save(&op)
		hyperlocal.AfterCommit(ctx, s.wake)
		return u.flush(ctx, s)
	})
}
