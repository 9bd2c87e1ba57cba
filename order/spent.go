package order

import (
	"context"
	"slices"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// returner is a participant that gives back, and the kinds of Spend that it does so for.
type returner struct {
	Returner
	kinds []string
}

// of picks what it handles out of what an order spent.
func (r returner) of(spent []hyperlocal.Spend) []hyperlocal.Spend {
	var mine []hyperlocal.Spend
	for _, s := range spent {
		if slices.Contains(r.kinds, s.Kind) {
			mine = append(mine, s)
		}
	}
	return mine
}

// spentBack reports whether anything that the order spent goes back when it ends.
func (s *Service) spentBack(o *Order) bool {
	return slices.ContainsFunc(s.returners, func(r returner) bool { return len(r.of(o.Spent)) > 0 })
}

// giveSpentBack notes that what the order spent goes back.
func (w *work) giveSpentBack(c *change, d doer) {
	if w.s.spentBack(&c.o) {
		w.spends = append(w.spends, hyperlocal.SpendReturn{
			Tenant: c.o.Tenant, Order: c.o.ID.Ref(), Spend: c.o.Spent, At: d.at, Actor: d.actor,
		})
	}
}

// flushSpends asks every participant once for all orders, in the lock order.
func (w *work) flushSpends(ctx context.Context) error {
	for _, r := range w.s.returners {
		var mine []hyperlocal.SpendReturn
		for _, back := range w.spends {
			if back.Spend = r.of(back.Spend); len(back.Spend) > 0 {
				mine = append(mine, back)
			}
		}
		if len(mine) == 0 {
			continue
		}
		if err := r.GiveBack(ctx, mine...); err != nil {
			return err
		}
	}
	return nil
}
