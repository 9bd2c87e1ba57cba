package payment

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// unit is what one transaction works on: the locked intents of its owners as they are being
// changed, and the rows to write. While an owner is told a fact, the unit travels in ctx, so
// that a Begin from there works on the same intents and takes no lock again.
type unit struct {
	now     time.Time
	intents map[Key]*Intent
	byOwner map[hyperlocal.TenantRef][]*Intent

	dirty     []*Intent
	fresh     []*Operation // to insert
	changed   []*Operation // to save
	moved     []Movement
	postings  []hyperlocal.Posting
	envelopes []hyperlocal.Envelope
	// broken is set when a Begin from within failed halfway; the unit must not be written then.
	broken error
}

type unitKey struct{ s *Service }

func (s *Service) unitFrom(ctx context.Context) *unit {
	u, _ := ctx.Value(unitKey{s}).(*unit)
	return u
}

func (s *Service) unitOf(intents []Intent) *unit {
	u := &unit{
		now:     s.clock.Now(),
		intents: make(map[Key]*Intent, len(intents)),
		byOwner: make(map[hyperlocal.TenantRef][]*Intent),
	}
	for i := range intents {
		u.include(&intents[i])
	}
	for _, list := range u.byOwner {
		slices.SortFunc(list, func(a, b *Intent) int { return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID)) })
	}
	return u
}

func (u *unit) include(in *Intent) {
	u.intents[Key{in.Tenant, in.ID}] = in
	for _, a := range in.Allocations {
		ref := hyperlocal.TenantRef{Tenant: in.Tenant, Ref: a.Owner}
		u.byOwner[ref] = append(u.byOwner[ref], in)
	}
}

// lock locks the intents of the owners and returns a unit over them.
func (s *Service) lock(ctx context.Context, owners []hyperlocal.TenantRef) (*unit, error) {
	intents, err := s.store.Lock(ctx, sortedOwners(owners)...)
	if err != nil {
		return nil, err
	}
	u := s.unitOf(intents)
	for _, o := range owners { // an owner without intents is covered all the same
		if _, ok := u.byOwner[o]; !ok {
			u.byOwner[o] = nil
		}
	}
	return u, nil
}

// covers reports whether the intents of all owners are locked in this unit.
func (u *unit) covers(owners []hyperlocal.TenantRef) bool {
	for _, o := range owners {
		if _, ok := u.byOwner[o]; !ok {
			return false
		}
	}
	return true
}

// touch marks an intent as changed; it gets one new version however often it is touched.
func (u *unit) touch(in *Intent) {
	if slices.Contains(u.dirty, in) {
		return
	}
	in.Version++
	in.UpdatedAt = u.now
	u.dirty = append(u.dirty, in)
}

func (u *unit) insert(op *Operation) { u.fresh = append(u.fresh, op) }

// save marks an operation as changed; once per unit.
func (u *unit) save(op *Operation) {
	if slices.Contains(u.changed, op) || slices.Contains(u.fresh, op) {
		return
	}
	op.Version++
	op.UpdatedAt = u.now
	u.changed = append(u.changed, op)
}

// rest takes an operation out of the janitor's hands.
func (u *unit) rest(op *Operation) {
	if op.NextAt.IsZero() {
		return
	}
	op.NextAt = time.Time{}
	u.save(op)
}

// emit adds an event about an intent. The intent must have been touched, so that its version
// orders the events.
func (u *unit) emit(ctx context.Context, s *Service, in *Intent, actor hyperlocal.Actor, ev hyperlocal.Event) error {
	n := 0
	for _, e := range u.envelopes {
		if e.Aggregate == in.Ref() && e.Tenant == in.Tenant {
			n++
		}
	}
	e, err := hyperlocal.NewEnvelope(ctx, s.ids, u.now, in.Tenant, actor, in.Ref(), in.Version, n, ev)
	if err != nil {
		return err
	}
	u.envelopes = append(u.envelopes, e)
	return nil
}

// flush queues the rows, parents first.
func (u *unit) flush(ctx context.Context, s *Service) error {
	if u.broken != nil {
		return u.broken
	}
	if len(u.dirty) > 0 {
		intents := make([]Intent, len(u.dirty))
		for i, in := range u.dirty {
			for j := range in.Allocations {
				if !in.Allocations[j].Valid() {
					return hyperlocal.NewError(hyperlocal.CodeInternal, "payment/broken_invariant",
						"the amounts of an intent contradict each other").With("intent", in.ID)
				}
			}
			intents[i] = *in
		}
		if err := s.store.SaveIntents(ctx, intents); err != nil {
			return err
		}
	}
	if len(u.fresh) > 0 {
		if err := s.store.InsertOperations(ctx, values(u.fresh)); err != nil {
			return err
		}
	}
	if len(u.changed) > 0 {
		if err := s.store.SaveOperations(ctx, values(u.changed)); err != nil {
			return err
		}
	}
	if len(u.moved) > 0 {
		if err := s.store.AppendMovements(ctx, u.moved); err != nil {
			return err
		}
	}
	if len(u.postings) > 0 && s.journal != nil {
		if err := s.journal.Post(ctx, u.postings...); err != nil {
			return err
		}
	}
	if len(u.envelopes) > 0 {
		return s.outbox.Append(ctx, u.envelopes...)
	}
	return nil
}

func values(ops []*Operation) []Operation {
	out := make([]Operation, len(ops))
	for i, op := range ops {
		out[i] = *op
	}
	return out
}

// fact tells how an operation stands for one of its owners.
func (u *unit) fact(op *Operation, share Share) (hyperlocal.PaymentFact, error) {
	f := hyperlocal.PaymentFact{
		Tenant: op.Tenant, Owner: share.Owner, Intent: op.Intent, Operation: op.ID, Verb: op.Verb,
		Reference: op.Reference, Outcome: op.Outcome, Amount: share.Amount, Class: op.Class, Code: op.Code,
		RetryAfter: op.RetryAfter, Action: op.Action, At: op.At, Actor: op.Actor,
	}
	currency := op.Amount.Currency()
	var authorized, captured, refunded []hyperlocal.Money
	for _, in := range u.byOwner[hyperlocal.TenantRef{Tenant: op.Tenant, Ref: share.Owner}] {
		if in.Currency != currency {
			continue
		}
		a := in.For(share.Owner)
		for _, part := range []struct {
			to     *[]hyperlocal.Money
			amount int64
		}{{&authorized, a.Authorized}, {&captured, a.Captured}, {&refunded, a.Refunded}} {
			m, err := hyperlocal.NewMoney(part.amount, currency)
			if err != nil {
				return f, err
			}
			*part.to = append(*part.to, m)
		}
	}
	var err error
	if f.Authorized, err = hyperlocal.Sum(currency, authorized...); err != nil {
		return f, err
	}
	if f.Captured, err = hyperlocal.Sum(currency, captured...); err != nil {
		return f, err
	}
	f.Refunded, err = hyperlocal.Sum(currency, refunded...)
	return f, err
}

// share returns the part of an operation that concerns the owner.
func (o *Operation) share(owner hyperlocal.Ref) Share {
	for _, s := range o.Shares {
		if s.Owner == owner {
			return s
		}
	}
	return Share{Owner: owner, Amount: o.Amount}
}

func compareOwners(a, b hyperlocal.TenantRef) int {
	return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Ref.Kind, b.Ref.Kind), cmp.Compare(a.Ref.ID, b.Ref.ID))
}
