package community

import (
	"context"
	"errors"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Config is what a Service is made of. Store, Tx and Outbox are required and share one
// database.
type Config struct {
	Store  Store
	Tx     hyperlocal.TxRunner
	Outbox hyperlocal.Outbox
	Clock  hyperlocal.Clock    // nil: the machine's
	IDs    hyperlocal.IDSource // nil: random
}

// Service is the use cases of this context. It is safe for concurrent use. Every command
// joins the transaction of its ctx or runs in one of its own; on an error nothing of the
// command is changed. See the package comment for who may do what.
type Service struct {
	store  Store
	tx     hyperlocal.TxRunner
	outbox hyperlocal.Outbox
	clock  hyperlocal.Clock
	ids    hyperlocal.IDSource
}

// New builds a Service. It reports all missing parts together, and ErrMixedScopes for parts
// that cannot commit together.
func New(c Config) (*Service, error) {
	var problems []error
	for _, part := range []struct {
		name    string
		missing bool
	}{{"store", c.Store == nil}, {"tx", c.Tx == nil}, {"outbox", c.Outbox == nil}} {
		if part.missing {
			problems = append(problems, invalid(part.name, "the service needs a "+part.name))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	if err := hyperlocal.SameScope(c.Tx, c.Store, c.Outbox); err != nil {
		return nil, err
	}
	s := &Service{store: c.Store, tx: c.Tx, outbox: c.Outbox, clock: c.Clock, ids: c.IDs}
	if s.clock == nil {
		s.clock = hyperlocal.SystemClock{}
	}
	if s.ids == nil {
		s.ids = hyperlocal.RandomIDs{}
	}
	return s, nil
}

// TxScope implements [hyperlocal.Scoped].
func (s *Service) TxScope() hyperlocal.Scope {
	return hyperlocal.ScopeOf(s.tx)
}

// draft is a circle that is being changed under its lock.
type draft struct {
	s       *Service
	actor   hyperlocal.Actor
	before  Circle
	circle  Circle
	doer    Member // the actor's own relation to the circle, zero if none
	members []Member
	events  []func() hyperlocal.Event // made when the circle is final
}

// inCircle runs fn in a transaction that holds the circle, and writes what fn changed.
func (s *Service) inCircle(ctx context.Context, tenant hyperlocal.TenantID, actor hyperlocal.Actor, id CircleID,
	fn func(ctx context.Context, d *draft) error,
) (Circle, error) {
	if err := tenant.Validate(); err != nil {
		return Circle{}, err
	}
	if err := actor.Validate(); err != nil {
		return Circle{}, err
	}
	missing := ErrCircleNotFound.With("circle", id)
	if !hyperlocal.ValidID(string(id)) {
		return Circle{}, missing
	}
	var out Circle
	err := s.tx.WithinTx(ctx, func(ctx context.Context) error {
		circle, ok, err := s.store.LockCircle(ctx, tenant, id)
		if err != nil {
			return err
		}
		if !ok {
			return missing
		}
		d := &draft{s: s, actor: actor, before: circle, circle: circle}
		if err := fn(ctx, d); err != nil {
			return err
		}
		if err := d.write(ctx); err != nil {
			return err
		}
		out = d.circle
		return nil
	})
	if err != nil {
		return Circle{}, err
	}
	return out, nil
}

// put notes a member's new standing and counts it.
func (d *draft) put(before, after Member) error {
	d.circle.Members += count(after.Status == Active) - count(before.Status == Active)
	d.circle.Owners += count(after.active() == Owner) - count(before.active() == Owner)
	if d.circle.Owners < 1 {
		return ErrLastOwner
	}
	d.members = append(d.members, after)
	return nil
}

func count(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

func (d *draft) tell(ev func() hyperlocal.Event) { d.events = append(d.events, ev) }

// write queues what was changed; nothing if nothing was.
func (d *draft) write(ctx context.Context) error {
	if d.circle == d.before && len(d.members) == 0 && len(d.events) == 0 {
		return nil
	}
	d.circle.Sequence++
	d.circle.UpdatedAt = d.s.clock.Now()
	if err := d.s.store.SaveCircle(ctx, d.circle); err != nil {
		return err
	}
	if len(d.members) > 0 {
		if err := d.s.store.PutMembers(ctx, d.members...); err != nil {
			return err
		}
	}
	events := make([]hyperlocal.Event, len(d.events))
	for i, ev := range d.events {
		events[i] = ev()
	}
	return d.s.publish(ctx, d.actor, d.circle, events...)
}

func (s *Service) publish(ctx context.Context, actor hyperlocal.Actor, c Circle, events ...hyperlocal.Event) error {
	if len(events) == 0 {
		return nil
	}
	envelopes := make([]hyperlocal.Envelope, len(events))
	for n, ev := range events {
		e, err := hyperlocal.NewEnvelope(ctx, s.ids, c.UpdatedAt, c.Tenant, actor, c.ID.Ref(), c.Sequence, n, ev)
		if err != nil {
			return err
		}
		envelopes[n] = e
	}
	return s.outbox.Append(ctx, envelopes...)
}
