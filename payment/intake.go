package payment

import (
	"context"
	"errors"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Intake records what gateways answered to concurrent callers of Execute together: facts,
// journal, owners and outbox of many operations in one transaction and in a constant number of
// statements. Every caller is answered after the commit with its own fact. Operations of one
// owner never share a transaction. The zero value is good.
type Intake struct {
	// Gather bounds batches and queue. Set OneTenant for a database with row-level security.
	Gather hyperlocal.GatherConfig
}

// record is what became known about one operation, on its way into the books.
type record struct {
	op      *Operation // as it was seen
	claim   *claim
	trouble string
	cause   hyperlocal.Cause
}

// recorded is the answer to a record.
type recorded struct {
	fact hyperlocal.PaymentFact
	err  error
}

// openIntake opens the intake, if there is to be one.
func (s *Service) openIntake(in *Intake) (err error) {
	if in == nil {
		return nil
	}
	s.records, err = hyperlocal.NewGather(in.Gather, func(r *record) hyperlocal.TenantID { return r.op.Tenant }, s.recordAll)
	return err
}

// Close takes no more into the intake, and waits until what is inside is recorded, or until
// ctx ends (code deadline). What becomes known later is recorded all the same, each on its
// own. Without an intake Close does nothing.
func (s *Service) Close(ctx context.Context) error {
	if s.records == nil {
		return nil
	}
	return s.records.Close(ctx)
}

// recordGathered is record through the intake; not done if it is for the caller to do on its
// own. A gateway that has answered is never told to come again.
func (s *Service) recordGathered(ctx context.Context, op *Operation, c *claim, trouble string) (fact hyperlocal.PaymentFact, done bool, err error) {
	if s.records == nil {
		return fact, false, nil
	}
	r := &record{op: op, claim: c, trouble: trouble}
	r.cause, _ = hyperlocal.CauseFrom(ctx)
	answer, err := s.records.Do(ctx, r)
	if errors.Is(err, hyperlocal.ErrOverloaded) || errors.Is(err, hyperlocal.ErrGatherClosed) {
		return fact, false, nil
	}
	if err = errors.Join(err, answer.err); err != nil {
		return fact, true, ErrNotRecorded.WithCause(err)
	}
	return answer.fact, true, nil
}

// recordAll records what became known about operations of several callers: the first of each
// owner together, what is left one by one.
func (s *Service) recordAll(ctx context.Context, records []*record) ([]recorded, error) {
	ctx, cancel := context.WithTimeout(ctx, s.policy.Timeout)
	defer cancel()
	answers := make([]recorded, len(records))
	taken := make(map[hyperlocal.TenantRef]bool, len(records))
	var first []*record
	var at, later []int
	for i, r := range records {
		refs := r.op.tenantRefs()
		free := true
		for _, ref := range refs {
			free = free && !taken[ref]
		}
		if !free {
			later = append(later, i)
			continue
		}
		for _, ref := range refs {
			taken[ref] = true
		}
		first, at = append(first, r), append(at, i)
	}
	var together []hyperlocal.PaymentFact
	err := s.tx.WithinTx(ctx, func(ctx context.Context) (err error) {
		together, err = s.settleAll(ctx, first)
		return err
	})
	if err != nil {
		return nil, err
	}
	for k, i := range at {
		answers[i].fact = together[k]
	}
	for _, i := range later {
		r := records[i]
		ctx := hyperlocal.ContextWithCause(ctx, r.cause)
		answers[i].err = s.tx.WithinTx(ctx, func(ctx context.Context) (err error) {
			answers[i].fact, _, err = s.settle(ctx, r.op, r.claim, r.trouble, hyperlocal.Actor{}, nil)
			return err
		})
	}
	return answers, nil
}

// settleAll is settle for operations that share no owner.
func (s *Service) settleAll(ctx context.Context, records []*record) ([]hyperlocal.PaymentFact, error) {
	seen := make([]*Operation, len(records))
	var refs []hyperlocal.TenantRef
	for i, r := range records {
		seen[i] = r.op
		refs = append(refs, r.op.tenantRefs()...)
	}
	if err := s.lockOwners(ctx, seen); err != nil {
		return nil, err
	}
	u, err := s.lock(ctx, refs)
	if err != nil {
		return nil, err
	}
	ops, err := s.loadAll(ctx, seen)
	if err != nil {
		return nil, err
	}
	var facts []hyperlocal.PaymentFact
	for i, r := range records {
		op := ops[i]
		ctx := hyperlocal.ContextWithCause(ctx, r.cause)
		_, tell, err := s.decide(ctx, u, op, r.claim, r.trouble, op.Actor, nil)
		if err != nil {
			return nil, err
		}
		if !tell {
			continue
		}
		own, err := u.factsOf(op, op.Actor)
		if err != nil {
			return nil, err
		}
		for k := range own {
			own[k].Cause = r.cause
		}
		facts = append(facts, own...)
	}
	if err := s.tell(context.WithValue(ctx, unitKey{s}, u), facts); err != nil {
		return nil, err
	}
	if err := u.flush(ctx, s); err != nil {
		return nil, err
	}
	out := make([]hyperlocal.PaymentFact, len(records))
	for i, op := range ops {
		if out[i], err = u.fact(op, op.share(op.Owner)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// loadAll reads operations afresh, in one statement a tenant.
func (s *Service) loadAll(ctx context.Context, seen []*Operation) ([]*Operation, error) {
	ids := make(map[hyperlocal.TenantID][]string)
	var tenants []hyperlocal.TenantID
	for _, op := range seen {
		if ids[op.Tenant] == nil {
			tenants = append(tenants, op.Tenant)
		}
		ids[op.Tenant] = append(ids[op.Tenant], op.ID)
	}
	byKey := make(map[Key]*Operation, len(seen))
	for _, t := range tenants {
		found, err := s.store.Operations(ctx, t, ids[t]...)
		if err != nil {
			return nil, err
		}
		for i := range found {
			byKey[Key{t, found[i].ID}] = &found[i]
		}
	}
	ops := make([]*Operation, len(seen))
	for i, op := range seen {
		if ops[i] = byKey[Key{op.Tenant, op.ID}]; ops[i] == nil {
			return nil, ErrNotFound.With("operation", op.ID)
		}
	}
	return ops, nil
}
