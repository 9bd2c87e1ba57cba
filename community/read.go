package community

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// seenBy reports whether the viewer may know that the circle exists.
func (c Circle) seenBy(viewer hyperlocal.Actor, relation Member) bool {
	switch {
	case c.Visibility != Secret, isStaff(viewer):
		return true
	default:
		return relation.Status == Active || relation.Status == Invited || relation.Status == Requested
	}
}

// GetCircle returns a circle as far as the viewer may see it. The zero viewer is a stranger.
// Errors: code invalid, ErrCircleNotFound.
func (s *Service) GetCircle(ctx context.Context, tenant hyperlocal.TenantID, viewer hyperlocal.Actor, id CircleID) (Circle, error) {
	c, _, err := s.see(ctx, tenant, viewer, id)
	return c, err
}

// GetCircleBySlug is GetCircle by its name in addresses.
func (s *Service) GetCircleBySlug(ctx context.Context, tenant hyperlocal.TenantID, viewer hyperlocal.Actor, slug string) (Circle, error) {
	if err := tenant.Validate(); err != nil {
		return Circle{}, err
	}
	if err := checkSlug(slug); err != nil {
		return Circle{}, err
	}
	c, ok, err := s.store.CircleBySlug(ctx, tenant, slug)
	if err != nil {
		return Circle{}, err
	}
	if ok {
		relation, err := s.relation(ctx, c, viewer)
		if err != nil {
			return Circle{}, err
		}
		ok = c.seenBy(viewer, relation)
	}
	if !ok {
		return Circle{}, ErrCircleNotFound.With("slug", slug)
	}
	return c, nil
}

// see returns a circle and the viewer's relation to it.
func (s *Service) see(ctx context.Context, tenant hyperlocal.TenantID, viewer hyperlocal.Actor, id CircleID) (Circle, Member, error) {
	if err := tenant.Validate(); err != nil {
		return Circle{}, Member{}, err
	}
	missing := ErrCircleNotFound.With("circle", id)
	if !hyperlocal.ValidID(string(id)) {
		return Circle{}, Member{}, missing
	}
	found, err := s.store.Circles(ctx, tenant, id)
	if err != nil {
		return Circle{}, Member{}, err
	}
	if len(found) == 0 {
		return Circle{}, Member{}, missing
	}
	relation, err := s.relation(ctx, found[0], viewer)
	if err != nil {
		return Circle{}, Member{}, err
	}
	if !found[0].seenBy(viewer, relation) {
		return Circle{}, Member{}, missing
	}
	return found[0], relation, nil
}

func (s *Service) relation(ctx context.Context, c Circle, viewer hyperlocal.Actor) (Member, error) {
	self := MemberOf(viewer)
	if self.IsZero() || isStaff(viewer) {
		return Member{}, nil
	}
	if err := self.Validate(); err != nil {
		return Member{}, err
	}
	found, err := s.store.Members(ctx, c.Tenant, c.ID, self)
	if err != nil || len(found) == 0 {
		return Member{}, err
	}
	return found[0], nil
}

// ListCircles lists the circles that are not secret, by slug. Errors: code invalid,
// hyperlocal.ErrCursor.
func (s *Service) ListCircles(ctx context.Context, tenant hyperlocal.TenantID, f CircleFilter, p hyperlocal.PageRequest) (hyperlocal.Page[Circle], error) {
	if err := tenant.Validate(); err != nil {
		return hyperlocal.Page[Circle]{}, err
	}
	if f.Visibility != "" && f.Visibility != Open && f.Visibility != Closed {
		return hyperlocal.Page[Circle]{}, invalid("visibility", "open and closed circles are listed")
	}
	return s.store.ListCircles(ctx, tenant, f, p)
}

// ListMembers lists members by reference. Active members of an open circle are seen by all,
// those of others by their members only; the other statuses by moderators and owners.
// Errors: code invalid, ErrCircleNotFound, ErrNotAllowed, hyperlocal.ErrCursor.
func (s *Service) ListMembers(ctx context.Context, tenant hyperlocal.TenantID, viewer hyperlocal.Actor, circle CircleID,
	f MemberFilter, p hyperlocal.PageRequest,
) (hyperlocal.Page[Member], error) {
	var none hyperlocal.Page[Member]
	if f.Status == "" {
		f.Status = Active
	}
	if !f.Status.Valid() {
		return none, invalid("status", "there is no such status")
	}
	if f.Role != "" && !f.Role.Valid() {
		return none, invalid("role", "a role is owner, moderator or member")
	}
	c, relation, err := s.see(ctx, tenant, viewer, circle)
	if err != nil {
		return none, err
	}
	least := Plain
	switch {
	case f.Status != Active:
		least = Moderator
	case c.Visibility == Open:
		least = ""
	}
	if !isStaff(viewer) && relation.active().level() < least.level() {
		return none, ErrNotAllowed
	}
	return s.store.ListMembers(ctx, tenant, circle, f, p)
}

// ListMemberships lists somebody's circles, secret ones included, oldest circle first; of
// themselves, or for an admin. Errors: code invalid, ErrNotAllowed, hyperlocal.ErrCursor.
func (s *Service) ListMemberships(ctx context.Context, tenant hyperlocal.TenantID, viewer hyperlocal.Actor, member hyperlocal.Ref,
	f MembershipFilter, p hyperlocal.PageRequest,
) (hyperlocal.Page[Membership], error) {
	var none hyperlocal.Page[Membership]
	if err := tenant.Validate(); err != nil {
		return none, err
	}
	if err := viewer.Validate(); err != nil {
		return none, err
	}
	if member.IsZero() {
		member = MemberOf(viewer)
	}
	if err := member.Validate(); err != nil {
		return none, err
	}
	if f.Status != "" && !f.Status.Valid() {
		return none, invalid("status", "there is no such status")
	}
	if member != MemberOf(viewer) && !isStaff(viewer) {
		return none, ErrNotAllowed
	}
	return s.store.ListMemberships(ctx, tenant, member, f, p)
}
