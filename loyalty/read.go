package loyalty

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// MaxRead bounds how many members or spendings one read names.
const MaxRead = 1000

// Balance returns what a member holds now; all zero for somebody unknown. Error: code invalid.
func (s *Service) Balance(ctx context.Context, tenant hyperlocal.TenantID, member hyperlocal.Ref) (Balance, error) {
	all, err := s.Balances(ctx, tenant, member)
	if err != nil {
		return Balance{}, err
	}
	return all[0], nil
}

// Balances is Balance for many members, in the order given, in one statement.
func (s *Service) Balances(ctx context.Context, tenant hyperlocal.TenantID, members ...hyperlocal.Ref) ([]Balance, error) {
	if err := tenant.Validate(); err != nil {
		return nil, err
	}
	if len(members) > MaxRead {
		return nil, hyperlocal.Invalid("loyalty", "members", "at most 1000 members are read at once")
	}
	for _, m := range members {
		if err := checkMember(m); err != nil {
			return nil, err
		}
	}
	if len(members) == 0 {
		return nil, nil
	}
	return s.store.Balances(ctx, tenant, s.clock.Now(), members)
}

// Lots lists the lots of a member, newest first. Errors: code invalid, hyperlocal.ErrCursor.
func (s *Service) Lots(ctx context.Context, tenant hyperlocal.TenantID, member hyperlocal.Ref, f LotFilter, p hyperlocal.PageRequest) (hyperlocal.Page[Lot], error) {
	if err := tenant.Validate(); err != nil {
		return hyperlocal.Page[Lot]{}, err
	}
	if err := checkMember(member); err != nil {
		return hyperlocal.Page[Lot]{}, err
	}
	return s.store.MemberLots(ctx, tenant, member, f, p)
}

// History lists what happened to a member's points, newest first. Errors: code invalid,
// hyperlocal.ErrCursor.
func (s *Service) History(ctx context.Context, tenant hyperlocal.TenantID, member hyperlocal.Ref, p hyperlocal.PageRequest) (hyperlocal.Page[Movement], error) {
	if err := tenant.Validate(); err != nil {
		return hyperlocal.Page[Movement]{}, err
	}
	if err := checkMember(member); err != nil {
		return hyperlocal.Page[Movement]{}, err
	}
	return s.store.History(ctx, tenant, member, p)
}

// Members lists everybody who has a lot, by (kind, id). Errors: code invalid,
// hyperlocal.ErrCursor.
func (s *Service) Members(ctx context.Context, tenant hyperlocal.TenantID, p hyperlocal.PageRequest) (hyperlocal.Page[Member], error) {
	if err := tenant.Validate(); err != nil {
		return hyperlocal.Page[Member]{}, err
	}
	return s.store.Members(ctx, tenant, p)
}

// Spendings returns the spendings with these references, in any order; unknown ones are left
// out. Error: code invalid.
func (s *Service) Spendings(ctx context.Context, tenant hyperlocal.TenantID, references ...string) ([]Spending, error) {
	if err := tenant.Validate(); err != nil {
		return nil, err
	}
	if len(references) > MaxRead {
		return nil, hyperlocal.Invalid("loyalty", "references", "at most 1000 spendings are read at once")
	}
	for _, r := range references {
		if err := checkReference(r); err != nil {
			return nil, err
		}
	}
	if len(references) == 0 {
		return nil, nil
	}
	return s.store.Spendings(ctx, tenant, references...)
}

func checkMember(m hyperlocal.Ref) error {
	if m.IsZero() {
		return hyperlocal.Invalid("loyalty", "member", "name the member: kind and id")
	}
	return m.Validate()
}
