package inventory

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// SetItemsCommand makes items known at locations, or changes how they are kept: all of them
// or none. Each (item, location) occurs once.
type SetItemsCommand struct {
	Tenant hyperlocal.TenantID
	Actor  hyperlocal.Actor
	Items  []Item // 1 to MaxLines
}

// SetItems adds what is new, with nothing on hand, and changes the settings of what is
// known; numbers are left alone. Settings that are as they should be leave no trace, so it
// can be repeated. It returns the levels in the order of the items.
//
// Errors: code invalid; ErrUnitMismatch, because an item keeps its unit for ever and at
// every location; ErrBelowReserved if the numbers do not allow the new mode or backorder
// limit (needed is the least backorder limit that they allow); ErrContended in a
// transaction of the caller's only.
func (s *Service) SetItems(ctx context.Context, c SetItemsCommand) ([]Level, error) {
	by, err := s.by(c.Tenant, c.Actor, "", s.clock.Now())
	if err != nil {
		return nil, err
	}
	if err := count("items", len(c.Items)); err != nil {
		return nil, err
	}
	keys := make([]Key, len(c.Items))
	seen := make(map[Key]bool, len(c.Items))
	units := make(map[hyperlocal.ItemID]hyperlocal.Unit, len(c.Items))
	for i, it := range c.Items {
		if err := it.validate(c.Tenant); err != nil {
			return nil, err
		}
		k := Key{Tenant: c.Tenant, Item: it.ID, Location: it.Location}
		if seen[k] {
			return nil, k.in(invalid("items", "an item is set once per location in a command"))
		}
		if u, ok := units[it.ID]; ok && u != it.Unit {
			return nil, k.in(ErrUnitMismatch).With("unit", u)
		}
		keys[i], seen[k], units[it.ID] = k, true, it.Unit
	}
	var levels []Level
	err = s.run(ctx, func(ctx context.Context) error {
		d, err := s.lock(ctx, keys, nil)
		if err != nil {
			return err
		}
		var added, saved []Level
		for i, it := range c.Items {
			sh, isNew, changed, err := d.set(keys[i], it)
			if err != nil {
				return err
			}
			switch {
			case isNew:
				added = append(added, sh.Level)
			case changed:
				saved = append(saved, sh.now(d.now))
			default:
				continue
			}
			d.tell(sh, by, func(c LevelChanged) hyperlocal.Event {
				return StockItemSet{LevelChanged: c, Mode: sh.Mode, BackorderLimit: sh.BackorderLimit, LowAt: sh.LowAt}
			})
			if !isNew { // what begins with nothing on hand has not fallen
				sh.actor, sh.at = by.actor, by.at
				d.warn(sh)
			}
		}
		levels = d.levels(keys)
		if len(added) > 0 {
			if err := s.store.AddItems(ctx, added); err != nil {
				return err
			}
		}
		if len(saved) > 0 {
			if err := s.store.SaveItems(ctx, saved); err != nil {
				return err
			}
		}
		return d.write(ctx)
	})
	if err != nil {
		return nil, err
	}
	return levels, nil
}

// set brings a shelf's settings to those of the item, adding the shelf if there is none.
func (d *draft) set(k Key, it Item) (sh *shelf, isNew, changed bool, err error) {
	zero, err := hyperlocal.NewQuantity(0, it.Unit)
	if err != nil {
		return nil, false, false, err
	}
	backorder := it.BackorderLimit
	if !backorder.IsValid() {
		backorder = zero
	}
	sh = d.shelves[k]
	if sh == nil {
		sh = &shelf{key: k, Level: Level{
			Tenant: k.Tenant, Item: k.Item, Location: k.Location, Mode: it.Mode, OnHand: zero, Reserved: zero,
			BackorderLimit: backorder, LowAt: it.LowAt, Version: 1, UpdatedAt: d.now,
		}}
		d.shelves[k] = sh
		return sh, true, true, nil
	}
	if it.Unit != sh.Unit() {
		return nil, false, false, k.in(ErrUnitMismatch).With("unit", sh.Unit())
	}
	if it.Mode == sh.Mode && backorder == sh.BackorderLimit && it.LowAt == sh.LowAt {
		return sh, false, false, nil
	}
	if needed := sh.reserved - sh.onHand; it.Mode.Guarded() && needed > backorder.Value() {
		return nil, false, false, k.in(ErrBelowReserved).With("needed", needed)
	}
	sh.Mode, sh.BackorderLimit, sh.LowAt, sh.set = it.Mode, backorder, it.LowAt, true
	return sh, false, true, nil
}
