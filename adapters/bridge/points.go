package bridge

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// Points makes completed orders earn points for their customers, and keeps them right when
// money is given back later: an order is worth what the rule says of its total less what was
// given back of it. Money that was taken beyond the total and went back was never part of the
// price, so it takes no points. Guests earn nothing. A nil rule is loyalty.WholeUnits.
func Points(bus *eventbus.Bus, members *loyalty.Service, rule loyalty.Rule) error {
	if bus == nil || members == nil {
		return hyperlocal.Invalid("bridge", "points", "points need an event bus and a loyalty service")
	}
	earn := func(ctx context.Context, events []hyperlocal.Envelope) error {
		var earned []loyalty.Earned
		for _, e := range events {
			// Every event of an order tells where it stands; the latest of a batch says it all.
			var c order.Changed
			if err := e.Decode(&c); err != nil {
				return err
			}
			if c.State != order.Completed || c.Customer.IsZero() {
				continue
			}
			left, err := worth(&c)
			if err != nil {
				return err
			}
			earned = append(earned, loyalty.Earned{
				Tenant: e.Tenant, Member: c.Customer, Source: c.Order.Ref(), SourceVersion: c.Version,
				Points: loyalty.Points(left, rule), At: c.At, Actor: e.Actor,
			})
		}
		if len(earned) == 0 {
			return nil
		}
		return members.SetEarned(ctx, earned...)
	}
	return bus.HandleMany("loyalty-points", []string{
		order.OrderCompleted{}.EventName(), order.OrderRefunded{}.EventName(),
		order.OrderResolved{}.EventName(), // back to completed, after a refund while a person looked at it
	}, earn, eventbus.Knows(order.OrderCompleted{}, order.OrderRefunded{}, order.OrderResolved{}))
}

// worth returns what an order has cost in the end, never less than nothing. Of what went back,
// the part that had been taken beyond the total comes first.
func worth(c *order.Changed) (hyperlocal.Money, error) {
	for _, m := range []hyperlocal.Money{c.Captured, c.Refunded} {
		if m != (hyperlocal.Money{}) && m.Currency() != c.Total.Currency() {
			return hyperlocal.Money{}, hyperlocal.ErrCurrencyMismatch.With("order", c.Order)
		}
	}
	excess := max(c.Captured.Amount()-c.Total.Amount(), 0) // no amount of an order is negative
	back := max(c.Refunded.Amount()-excess, 0)
	return hyperlocal.NewMoney(max(c.Total.Amount()-back, 0), c.Total.Currency())
}
