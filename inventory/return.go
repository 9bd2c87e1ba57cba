package inventory

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Return puts committed units back on the shelf, all of the returns or none. A reference
// that was seen before for the same tenant and owner does nothing, whatever it names now.
// Items in ModeNone are passed over. How much of what was sold may come back is the owner's
// to know.
//
// Errors: code invalid for bad input, ErrUnknownItem, ErrUnitMismatch, ErrOutOfRange;
// ErrReferenceTaken in a transaction of the caller's only.
func (s *Service) Return(ctx context.Context, returns ...hyperlocal.StockReturn) error {
	if len(returns) == 0 {
		return nil
	}
	if len(returns) > MaxBatch {
		return invalid("returns", "the list is too long").With("limit", MaxBatch)
	}
	backs := make([]giveBack, 0, len(returns))
	var keys []Key
	for _, r := range returns {
		b, err := s.giveBack(r)
		if err != nil {
			return err
		}
		for _, w := range b.wants {
			keys = append(keys, w.key)
		}
		backs = append(backs, b)
	}
	return s.run(ctx, func(ctx context.Context) error {
		d, err := s.lock(ctx, keys, nil)
		if err != nil {
			return err
		}
		names := make([]ReturnKey, len(backs))
		for i := range backs {
			names[i] = backs[i].name
		}
		// Asked after the levels are locked, so that a twin has either committed or waits.
		done, err := s.store.Returned(ctx, names)
		if err != nil {
			return err
		}
		seen := make(map[ReturnKey]bool, len(names))
		for i := range backs {
			if done[i] || seen[names[i]] {
				continue
			}
			seen[names[i]] = true
			if err := d.giveBack(backs[i]); err != nil {
				return err
			}
		}
		return d.write(ctx)
	})
}

// giveBack is a return, checked and added up.
type giveBack struct {
	by    doer
	name  ReturnKey
	wants []want
}

func (s *Service) giveBack(r hyperlocal.StockReturn) (giveBack, error) {
	by, err := s.by(r.Tenant, r.Actor, r.Reason, r.At)
	if err != nil {
		return giveBack{}, err
	}
	if err := checkOwner(r.Owner); err != nil {
		return giveBack{}, err
	}
	if r.Reference == "" {
		return giveBack{}, invalid("reference", "a return has a reference")
	}
	if err := hyperlocal.CheckText("inventory", "reference", r.Reference, MaxText); err != nil {
		return giveBack{}, err
	}
	if err := count("items", len(r.Items)); err != nil {
		return giveBack{}, err
	}
	wants, err := sum(nil, r.Tenant, r.Items)
	return giveBack{by: by, name: ReturnKey{Tenant: r.Tenant, Owner: r.Owner, Reference: r.Reference}, wants: wants}, err
}

func (d *draft) giveBack(b giveBack) error {
	n := 0
	for _, w := range b.wants {
		sh, err := d.known(w.key, w.quantity)
		if err != nil {
			return err
		}
		if sh.Mode == ModeNone {
			continue
		}
		units := w.quantity.Value()
		if err := sh.fits(units, 0); err != nil {
			return err
		}
		d.move(sh, b.by, Movement{Kind: MoveReturn, Owner: b.name.Owner, Return: b.name.Reference, N: n}, GuardNone, units, 0)
		n++
		d.tell(sh, b.by, func(c LevelChanged) hyperlocal.Event {
			return StockReturned{LevelChanged: c, Quantity: w.quantity, Owner: b.name.Owner}
		})
	}
	return nil
}
