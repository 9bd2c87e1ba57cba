package community

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// CreateCircleCommand makes a circle.
type CreateCircleCommand struct {
	Tenant     hyperlocal.TenantID
	Actor      hyperlocal.Actor
	Owner      hyperlocal.Ref // zero means the actor; somebody else takes an admin
	Name       string
	Slug       string
	About      string
	Visibility Visibility // "" means Open
}

// CreateCircle makes a circle with its first owner. Errors: code invalid, ErrNotAllowed,
// ErrSlugTaken.
func (s *Service) CreateCircle(ctx context.Context, c CreateCircleCommand) (Circle, error) {
	if err := c.Tenant.Validate(); err != nil {
		return Circle{}, err
	}
	if err := c.Actor.Validate(); err != nil {
		return Circle{}, err
	}
	self := MemberOf(c.Actor)
	if c.Owner.IsZero() {
		c.Owner = self
	}
	if err := c.Owner.Validate(); err != nil {
		return Circle{}, err
	}
	if c.Owner != self && !isStaff(c.Actor) {
		return Circle{}, ErrNotAllowed
	}
	if c.Visibility == "" {
		c.Visibility = Open
	}
	var circle Circle
	err := s.tx.WithinTx(ctx, func(ctx context.Context) error {
		now := s.clock.Now()
		circle = Circle{
			ID: CircleID(s.ids.NewID()), Tenant: c.Tenant, Name: c.Name, Slug: c.Slug, About: c.About, Visibility: c.Visibility,
			Members: 1, Owners: 1, Version: 1, Sequence: 1, CreatedAt: now, UpdatedAt: now,
		}
		if err := circle.validate(); err != nil {
			return err
		}
		_, taken, err := s.store.CircleBySlug(ctx, c.Tenant, c.Slug)
		if err != nil {
			return err
		}
		if taken {
			return ErrSlugTaken
		}
		owner := Member{
			Tenant: c.Tenant, Circle: circle.ID, Member: c.Owner, Role: Owner, Status: Active, Since: now, JoinedAt: now,
		}
		if err := s.store.InsertCircle(ctx, circle); err != nil {
			return err
		}
		if err := s.store.PutMembers(ctx, owner); err != nil {
			return err
		}
		return s.publish(ctx, c.Actor, circle, CircleCreated{circleChanged(circle)}, MemberJoined{memberChanged(circle, owner)})
	})
	if err != nil {
		return Circle{}, err
	}
	return circle, nil
}

// UpdateCircleCommand says how a circle shall be; nil fields stay as they are.
type UpdateCircleCommand struct {
	Tenant     hyperlocal.TenantID
	Actor      hyperlocal.Actor
	Circle     CircleID
	Version    int64 // the one that was read; 0 for any
	Name       *string
	About      *string
	Visibility *Visibility // requests that are open stay requests
}

// UpdateCircle changes a circle and returns it; only owners may. What is as it should be
// leaves no trace. Errors: code invalid, ErrCircleNotFound, ErrNotAllowed, ErrStale.
func (s *Service) UpdateCircle(ctx context.Context, c UpdateCircleCommand) (Circle, error) {
	return s.inCircle(ctx, c.Tenant, c.Actor, c.Circle, func(ctx context.Context, d *draft) error {
		if _, err := d.relation(ctx, MemberOf(c.Actor)); err != nil {
			return err
		}
		if err := d.needs(Owner); err != nil {
			return err
		}
		if c.Version != 0 && c.Version != d.circle.Version {
			return ErrStale.With("version", d.circle.Version)
		}
		set(&d.circle.Name, c.Name)
		set(&d.circle.About, c.About)
		set(&d.circle.Visibility, c.Visibility)
		if d.circle == d.before {
			return nil
		}
		if err := d.circle.validate(); err != nil {
			return err
		}
		d.circle.Version++
		d.tell(func() hyperlocal.Event { return CircleUpdated{circleChanged(d.circle)} })
		return nil
	})
}

// set overwrites what is there when there is something to overwrite it with.
func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}
