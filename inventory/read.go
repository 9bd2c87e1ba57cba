package inventory

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Levels returns the levels in the order of keys; unknown ones are left out. At most
// MaxLines keys.
func (s *Service) Levels(ctx context.Context, keys ...Key) ([]Level, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	if err := count("keys", len(keys)); err != nil {
		return nil, err
	}
	for _, k := range keys {
		if err := k.Validate(); err != nil {
			return nil, err
		}
	}
	return s.store.Levels(ctx, keys)
}

// ListLevels returns one page of the tenant's levels by (item, location).
func (s *Service) ListLevels(ctx context.Context, tenant hyperlocal.TenantID, f LevelFilter, p hyperlocal.PageRequest) (hyperlocal.Page[Level], error) {
	if err := checkFilter(tenant, f.Item, f.Location); err != nil {
		return hyperlocal.Page[Level]{}, err
	}
	if _, err := p.Size(); err != nil {
		return hyperlocal.Page[Level]{}, err
	}
	return s.store.ListLevels(ctx, tenant, f, p)
}

// Movements returns one page of movements, newest first.
func (s *Service) Movements(ctx context.Context, tenant hyperlocal.TenantID, f MovementFilter, p hyperlocal.PageRequest) (hyperlocal.Page[Movement], error) {
	if err := checkFilter(tenant, f.Item, f.Location); err != nil {
		return hyperlocal.Page[Movement]{}, err
	}
	if (f.Item == "") != (f.Location == "") {
		return hyperlocal.Page[Movement]{}, invalid("filter", "movements are listed for an item at a location, or for the whole tenant")
	}
	if _, err := p.Size(); err != nil {
		return hyperlocal.Page[Movement]{}, err
	}
	return s.store.Movements(ctx, tenant, f, p)
}

// Reservations returns the open reservations of the owners, by (owner, id).
func (s *Service) Reservations(ctx context.Context, tenant hyperlocal.TenantID, owners ...hyperlocal.Ref) ([]Reservation, error) {
	if len(owners) == 0 {
		return nil, nil
	}
	named := make([]hyperlocal.TenantRef, len(owners))
	for i, o := range owners {
		named[i] = hyperlocal.TenantRef{Tenant: tenant, Ref: o}
	}
	if err := checkOwners(named); err != nil {
		return nil, err
	}
	return s.store.Reservations(ctx, tenant, owners)
}

// ByExternal returns the movements that carry one of the external references, by (source,
// reference, N): what an import asks to learn what it did before.
func (s *Service) ByExternal(ctx context.Context, tenant hyperlocal.TenantID, refs ...hyperlocal.External) ([]Movement, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	if err := tenant.Validate(); err != nil {
		return nil, err
	}
	if err := count("references", len(refs)); err != nil {
		return nil, err
	}
	for _, r := range refs {
		if r.IsZero() {
			return nil, invalid("references", "a reference is empty")
		}
		if err := r.Validate(); err != nil {
			return nil, err
		}
	}
	return s.store.References(ctx, tenant, refs)
}

func checkFilter(tenant hyperlocal.TenantID, item hyperlocal.ItemID, location hyperlocal.LocationID) error {
	if err := tenant.Validate(); err != nil {
		return err
	}
	if err := hyperlocal.CheckText("inventory", "item", string(item), MaxText); err != nil {
		return err
	}
	return hyperlocal.CheckText("inventory", "location", string(location), MaxText)
}
