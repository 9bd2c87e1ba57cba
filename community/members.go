package community

import (
	"context"
	"slices"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// MemberCommand does something with a member of a circle.
type MemberCommand struct {
	Tenant hyperlocal.TenantID
	Actor  hyperlocal.Actor
	Circle CircleID
	Member hyperlocal.Ref // zero means the actor
}

// Join makes somebody a member: active at once in an open circle or with an invitation; in a
// closed one it is a request. What has been done already is not done again. Others than
// oneself are added by admins only, who need no approval. Errors: code invalid,
// ErrCircleNotFound, also of a secret circle without an invitation; ErrBanned; ErrNotAllowed.
func (s *Service) Join(ctx context.Context, c MemberCommand) (Member, error) {
	return s.member(ctx, c, func(d *draft, m Member) (Member, error) {
		self := m.Member == MemberOf(d.actor)
		if !self && !isStaff(d.actor) {
			return m, ErrNotAllowed
		}
		switch {
		case m.Status == Banned:
			return m, ErrBanned
		case m.Status == Active:
			return m, nil
		case d.circle.Visibility == Open, m.Status == Invited, isStaff(d.actor):
			return d.join(m)
		case m.Status == Requested:
			return m, nil
		case d.circle.Visibility == Secret:
			return m, d.missing()
		}
		return d.turn(m, Requested, func(c MemberChanged) hyperlocal.Event { return MemberRequested{c} })
	})
}

// Invite lets somebody join; who has asked already becomes active. Moderators and owners may.
// What has been done already is not done again. Errors: code invalid, ErrCircleNotFound,
// ErrNotAllowed, ErrBanned.
func (s *Service) Invite(ctx context.Context, c MemberCommand) (Member, error) {
	return s.member(ctx, c, func(d *draft, m Member) (Member, error) {
		if err := d.needs(Moderator); err != nil {
			return m, err
		}
		switch m.Status {
		case Banned:
			return m, ErrBanned
		case Active, Invited:
			return m, nil
		case Requested:
			return d.join(m)
		case Left, Removed:
		}
		return d.turn(m, Invited, func(c MemberChanged) hyperlocal.Event { return MemberInvited{c} })
	})
}

// Approve makes a request an active membership. Moderators and owners may. Who is active
// stays so. Errors: code invalid, ErrCircleNotFound, ErrNotAllowed, ErrNotRequested.
func (s *Service) Approve(ctx context.Context, c MemberCommand) (Member, error) {
	return s.member(ctx, c, func(d *draft, m Member) (Member, error) {
		if err := d.needs(Moderator); err != nil {
			return m, err
		}
		switch m.Status {
		case Active:
			return m, nil
		case Requested:
			return d.join(m)
		default:
			return m, ErrNotRequested
		}
	})
}

// Leave ends one's own membership, request or invitation; one that has ended stays as it is.
// Errors: code invalid, ErrCircleNotFound, ErrMemberNotFound, ErrNotAllowed for somebody
// else's, ErrLastOwner.
func (s *Service) Leave(ctx context.Context, c MemberCommand) (Member, error) {
	return s.member(ctx, c, func(d *draft, m Member) (Member, error) {
		if m.Member != MemberOf(d.actor) && !isStaff(d.actor) {
			return m, ErrNotAllowed
		}
		switch m.Status {
		case "":
			return m, d.noMember(m)
		case Left, Removed, Banned:
			return m, nil
		case Active, Invited, Requested:
		}
		return d.end(m, Left)
	})
}

// Remove ends somebody's membership, request or invitation; they may join again. Moderators
// remove plain members, owners everyone. Who is gone stays so. Errors: code invalid,
// ErrCircleNotFound, ErrMemberNotFound, ErrNotAllowed, ErrLastOwner.
func (s *Service) Remove(ctx context.Context, c MemberCommand) (Member, error) {
	return s.member(ctx, c, func(d *draft, m Member) (Member, error) {
		if err := d.rules(m); err != nil {
			return m, err
		}
		switch m.Status {
		case "":
			return m, d.noMember(m)
		case Left, Removed, Banned:
			return m, nil
		case Active, Invited, Requested:
		}
		return d.end(m, Removed)
	})
}

// Ban is Remove for good: who is banned cannot join, whether they were members or not. Errors
// as for Remove, but for ErrMemberNotFound.
func (s *Service) Ban(ctx context.Context, c MemberCommand) (Member, error) {
	return s.member(ctx, c, func(d *draft, m Member) (Member, error) {
		if err := d.rules(m); err != nil {
			return m, err
		}
		if m.Status == Banned {
			return m, nil
		}
		after, err := d.end(m, Banned)
		if err != nil {
			return m, err
		}
		d.tell(func() hyperlocal.Event { return MemberBanned{memberChanged(d.circle, after)} })
		return after, nil
	})
}

// Unban lifts a ban, after which they stand as removed. Moderators and owners may. Errors:
// code invalid, ErrCircleNotFound, ErrNotAllowed, ErrNotBanned.
func (s *Service) Unban(ctx context.Context, c MemberCommand) (Member, error) {
	return s.member(ctx, c, func(d *draft, m Member) (Member, error) {
		if err := d.needs(Moderator); err != nil {
			return m, err
		}
		if m.Status != Banned {
			return m, ErrNotBanned
		}
		return d.end(m, Removed)
	})
}

// SetRoleCommand gives a member a role.
type SetRoleCommand struct {
	Tenant hyperlocal.TenantID
	Actor  hyperlocal.Actor
	Circle CircleID
	Member hyperlocal.Ref // zero means the actor
	Role   Role
}

// SetRole gives an active member a role; only owners may. Errors: code invalid,
// ErrCircleNotFound, ErrMemberNotFound, ErrNotAllowed, ErrNotActive, ErrLastOwner.
func (s *Service) SetRole(ctx context.Context, c SetRoleCommand) (Member, error) {
	if !c.Role.Valid() {
		return Member{}, invalid("role", "a role is owner, moderator or member")
	}
	command := MemberCommand{Tenant: c.Tenant, Actor: c.Actor, Circle: c.Circle, Member: c.Member}
	return s.member(ctx, command, func(d *draft, m Member) (Member, error) {
		if err := d.needs(Owner); err != nil {
			return m, err
		}
		switch {
		case m.Status == "":
			return m, d.noMember(m)
		case m.Status != Active:
			return m, ErrNotActive
		case m.Role == c.Role:
			return m, nil
		}
		after := m
		after.Role = c.Role
		if err := d.put(m, after); err != nil {
			return m, err
		}
		d.tell(func() hyperlocal.Event { return RoleChanged{memberChanged(d.circle, after), m.Role} })
		return after, nil
	})
}

// member runs do with the member's present standing, whose Status is "" if there is none, and
// returns the new one.
func (s *Service) member(ctx context.Context, c MemberCommand, do func(d *draft, m Member) (Member, error)) (Member, error) {
	if c.Member.IsZero() {
		c.Member = MemberOf(c.Actor)
	}
	if err := c.Member.Validate(); err != nil {
		return Member{}, err
	}
	var out Member
	_, err := s.inCircle(ctx, c.Tenant, c.Actor, c.Circle, func(ctx context.Context, d *draft) error {
		m, err := d.relation(ctx, c.Member)
		if err != nil {
			return err
		}
		out, err = do(d, m)
		return err
	})
	if err != nil {
		return Member{}, err
	}
	return out, nil
}

// relation reads the actor's standing into the draft, and returns that of a member.
func (d *draft) relation(ctx context.Context, member hyperlocal.Ref) (Member, error) {
	self := MemberOf(d.actor)
	found, err := d.s.store.Members(ctx, d.circle.Tenant, d.circle.ID, slices.Compact([]hyperlocal.Ref{self, member})...)
	if err != nil {
		return Member{}, err
	}
	out := Member{Tenant: d.circle.Tenant, Circle: d.circle.ID, Member: member, Role: Plain}
	for _, m := range found {
		if m.Member == self {
			d.doer = m
		}
		if m.Member == member {
			out = m
		}
	}
	return out, nil
}

// needs refuses an actor below a role. Who may not even know of the circle learns nothing.
func (d *draft) needs(role Role) error {
	if isStaff(d.actor) || d.doer.active().level() >= role.level() {
		return nil
	}
	if !d.circle.seenBy(d.actor, d.doer) {
		return d.missing()
	}
	return ErrNotAllowed
}

// rules refuses an actor who may not decide over the member.
func (d *draft) rules(m Member) error {
	if err := d.needs(Moderator); err != nil {
		return err
	}
	if !isStaff(d.actor) && d.doer.Role != Owner && m.active().level() >= d.doer.Role.level() {
		return ErrNotAllowed
	}
	return nil
}

func (d *draft) missing() error { return ErrCircleNotFound.With("circle", d.circle.ID) }

// noMember says that there is no such member, or to outsiders no such circle.
func (d *draft) noMember(m Member) error {
	if !d.circle.seenBy(d.actor, d.doer) {
		return d.missing()
	}
	return ErrMemberNotFound.With("member", m.Member)
}

// join makes the member active.
func (d *draft) join(m Member) (Member, error) {
	return d.turn(m, Active, func(c MemberChanged) hyperlocal.Event { return MemberJoined{c} })
}

// end makes the member inactive, without a role.
func (d *draft) end(m Member, status Status) (Member, error) {
	if m.Status != Active {
		return d.turn(m, status, nil)
	}
	return d.turn(m, status, func(c MemberChanged) hyperlocal.Event { return MemberLeft{c} })
}

// turn gives the member another status.
func (d *draft) turn(m Member, status Status, ev func(MemberChanged) hyperlocal.Event) (Member, error) {
	after := m
	after.Role, after.Status, after.Since = Plain, status, d.s.clock.Now()
	if status == Active {
		after.JoinedAt = after.Since
	}
	if err := d.put(m, after); err != nil {
		return m, err
	}
	if ev != nil {
		d.tell(func() hyperlocal.Event { return ev(memberChanged(d.circle, after)) })
	}
	return after, nil
}
