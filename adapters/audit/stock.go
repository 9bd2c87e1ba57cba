package audit

import (
	"context"
	"strings"
)

// levelSums is a level with what its movements and reservations add up to.
type levelSums struct {
	StockLevel
	known                  bool
	onHand, reserved, open int64
}

func (a *auditor) level(l Level) *levelSums {
	s := a.levels[l]
	if s == nil {
		s = &levelSums{StockLevel: StockLevel{Level: l}}
		a.levels[l] = s
	}
	return s
}

func (a *auditor) readStock(ctx context.Context, t Tables) error {
	if err := t.StockLevels(ctx, func(l StockLevel) error {
		a.levels[l.Level] = &levelSums{StockLevel: l, known: true}
		return nil
	}); err != nil {
		return err
	}
	if err := t.StockMovements(ctx, func(m StockMovement) error {
		a.movements++
		s := a.level(m.Level)
		s.onHand += m.OnHand
		s.reserved += m.Reserved
		return nil
	}); err != nil {
		return err
	}
	return t.StockReservations(ctx, func(r StockReservation) error {
		a.level(r.Level).open += r.Quantity
		if id, ok := strings.CutPrefix(r.Owner, "order/"); ok {
			o := a.orders[ID{r.Level.Tenant, id}]
			if o == nil {
				a.missing("a reservation", ID{r.Level.Tenant, id})
				return nil
			}
			o.reserved = true
		}
		return nil
	})
}

func (a *auditor) compareStock() {
	for l, s := range a.levels {
		if !s.known {
			a.violate(NoOrphans, "tenant %s has movements or reservations of item %s at %s, but no level", l.Tenant, l.Item, l.Location)
			continue
		}
		if s.OnHand != s.onHand || s.Reserved != s.reserved {
			a.violate(StockLevelIsSum, "tenant %s item %s at %s: on hand %d and reserved %d, movements say %d and %d",
				l.Tenant, l.Item, l.Location, s.OnHand, s.Reserved, s.onHand, s.reserved)
		}
		if s.Reserved != s.open {
			a.violate(StockReservedIsOpen, "tenant %s item %s at %s: reserved %d, open reservations %d",
				l.Tenant, l.Item, l.Location, s.Reserved, s.open)
		}
		if s.Reserved < 0 || s.Guarded && s.OnHand-s.Reserved+s.BackorderLimit < 0 {
			a.violate(StockNotNegative, "tenant %s item %s at %s: on hand %d, reserved %d, backorder limit %d",
				l.Tenant, l.Item, l.Location, s.OnHand, s.Reserved, s.BackorderLimit)
		}
	}
}
