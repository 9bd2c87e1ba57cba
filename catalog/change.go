package catalog

import (
	"context"
	"errors"
	"slices"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// changed is a product before and after a change.
type changed struct{ before, after Product }

// events returns what happened, in the order in which it is told; nothing if nothing did.
func (c changed) events() []hyperlocal.Event {
	var out []hyperlocal.Event
	b, a := c.before, c.after
	switch {
	case a.State == Archived && b.State != Archived:
		out = append(out, ProductArchived{productChanged(a)})
	case a.State != b.State, a.Title != b.Title, a.Description != b.Description, a.Kind != b.Kind,
		!slices.EqualFunc(a.Variants, b.Variants, Variant.sameText):
		out = append(out, ProductUpdated{productChanged(a)})
	}
	for i, v := range b.Variants { // variants are only ever added, behind the others
		if !a.Variants[i].samePrice(v) {
			out = append(out, priceChanged(a, a.Variants[i]))
		}
	}
	return out
}

// save queues new and changed products with their events, and returns the changed ones under
// their new versions. What did not change leaves no trace.
func (s *Service) save(ctx context.Context, actor hyperlocal.Actor, added []Product, changes []changed) ([]Product, error) {
	var envelopes []hyperlocal.Envelope
	tell := func(p Product, events []hyperlocal.Event) error {
		es, err := s.envelopes(ctx, actor, p, events)
		envelopes = append(envelopes, es...)
		return err
	}
	for _, p := range added {
		if err := tell(p, []hyperlocal.Event{ProductCreated{productChanged(p)}}); err != nil {
			return nil, err
		}
	}
	now := s.clock.Now()
	after := make([]Product, len(changes))
	saved := make([]Product, 0, len(changes))
	for i, c := range changes {
		after[i] = c.before
		if len(c.events()) == 0 {
			continue
		}
		c.after.Version, c.after.UpdatedAt = c.before.Version+1, now
		after[i] = c.after
		saved = append(saved, c.after)
		if err := tell(c.after, c.events()); err != nil {
			return nil, err
		}
	}
	if len(added) > 0 {
		if err := s.store.InsertProducts(ctx, added); err != nil {
			return nil, err
		}
	}
	if len(saved) > 0 {
		if err := s.store.SaveProducts(ctx, saved); err != nil {
			return nil, err
		}
	}
	if len(envelopes) == 0 {
		return after, nil
	}
	return after, s.outbox.Append(ctx, envelopes...)
}

// change runs fn on a copy of the merchant's product and saves what it made of it.
func (s *Service) change(ctx context.Context, tenant hyperlocal.TenantID, actor hyperlocal.Actor, merchant hyperlocal.Ref,
	id ProductID, version int64, fn func(ctx context.Context, shop Shop, p *Product) error,
) (Product, error) {
	if err := check(tenant, actor, merchant); err != nil {
		return Product{}, err
	}
	missing := ErrProductNotFound.With("product", id)
	if !hyperlocal.ValidID(string(id)) {
		return Product{}, missing
	}
	var out Product
	err := s.inShop(ctx, tenant, merchant, func(ctx context.Context, shop Shop) error {
		found, err := s.store.Products(ctx, tenant, id)
		if err != nil {
			return err
		}
		if len(found) == 0 || found[0].Merchant != merchant {
			return missing
		}
		if err := current(version, found[0].Version); err != nil {
			return err
		}
		p := found[0].Clone()
		if err := fn(ctx, shop, &p); err != nil {
			return err
		}
		after, err := s.save(ctx, actor, nil, []changed{{before: found[0], after: p}})
		if err != nil {
			return err
		}
		out = after[0]
		return nil
	})
	if err != nil {
		return Product{}, err
	}
	return out, nil
}

func asError(err error) (*hyperlocal.Error, bool) { return errors.AsType[*hyperlocal.Error](err) }
