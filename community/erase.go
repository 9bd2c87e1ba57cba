package community

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Erase forgets somebody: their memberships, requests, invitations and bans, in all circles
// of the tenant, in one transaction. A circle whose last owner they were passes to the next
// in line, by role and then by the length of membership; one that nobody is left in goes
// with them. It returns in how many circles there was something to forget; the second time
// none. Error: code invalid.
func (s *Service) Erase(ctx context.Context, tenant hyperlocal.TenantID, subject hyperlocal.Ref) (int, error) {
	if err := tenant.Validate(); err != nil {
		return 0, err
	}
	if subject.IsZero() {
		return 0, invalid("subject", "the subject is empty")
	}
	if err := subject.Validate(); err != nil {
		return 0, err
	}
	erased := 0
	err := s.tx.WithinTx(ctx, func(ctx context.Context) error {
		erased = 0
		page := hyperlocal.PageRequest{Limit: hyperlocal.MaxPageLimit}
		for {
			// By circle id, which is the order in which their rows are locked.
			list, err := s.store.ListMemberships(ctx, tenant, subject, MembershipFilter{}, page)
			if err != nil {
				return err
			}
			for _, m := range list.Items {
				if err := s.forget(ctx, m.Circle, subject); err != nil {
					return err
				}
				erased++
			}
			if page.Cursor = list.Next; page.Cursor == "" {
				return nil
			}
		}
	})
	if err != nil {
		return 0, err
	}
	return erased, nil
}

// forget removes every trace of the subject from one circle.
func (s *Service) forget(ctx context.Context, seen Circle, subject hyperlocal.Ref) error {
	circle, ok, err := s.store.LockCircle(ctx, seen.Tenant, seen.ID)
	if err != nil || !ok {
		return err
	}
	found, err := s.store.Members(ctx, circle.Tenant, circle.ID, subject)
	if err != nil || len(found) == 0 {
		return err
	}
	actor := hyperlocal.System("erase")
	d := &draft{s: s, actor: actor, before: circle, circle: circle}
	gone := found[0]
	if gone.active() == Owner && circle.Owners == 1 {
		heir, ok, err := s.store.Successor(ctx, circle.Tenant, circle.ID, subject)
		if err != nil {
			return err
		}
		if !ok {
			circle.Sequence, circle.UpdatedAt, circle.Members = circle.Sequence+1, s.clock.Now(), 0
			if err := s.store.DeleteCircle(ctx, circle.Tenant, circle.ID); err != nil {
				return err
			}
			return s.publish(ctx, actor, circle, CircleClosed{circleChanged(circle)})
		}
		owner := heir
		owner.Role = Owner
		if err := d.put(heir, owner); err != nil {
			return err
		}
		d.tell(func() hyperlocal.Event { return RoleChanged{memberChanged(d.circle, owner), heir.Role} })
	}
	if _, err := d.end(gone, Removed); err != nil {
		return err
	}
	d.members = d.members[:len(d.members)-1] // the row goes, instead of being changed
	if err := d.write(ctx); err != nil {
		return err
	}
	return s.store.DeleteMember(ctx, circle.Tenant, circle.ID, subject)
}
