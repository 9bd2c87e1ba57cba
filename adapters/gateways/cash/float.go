package cash

import (
	"context"
	"maps"
	"slices"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Float returns what a holder holds, one amount per currency, sorted by currency: what he took
// less what he gave back since he last settled that currency. It is negative for who gave out
// more than he took. Nothing held is an empty list.
func (g *Gateway) Float(ctx context.Context, tenant hyperlocal.TenantID, holder string) ([]hyperlocal.Money, error) {
	if err := tenant.Validate(); err != nil {
		return nil, err
	}
	held, err := g.log.Held(ctx, tenant, holder)
	if err != nil {
		return nil, err
	}
	sums := make(map[hyperlocal.Currency]hyperlocal.Money)
	for i := range held {
		c := held[i].Amount.Currency()
		if sums[c], _, err = sum(held, c); err != nil {
			return nil, err
		}
	}
	out := make([]hyperlocal.Money, 0, len(sums))
	for _, c := range slices.Sorted(maps.Keys(sums)) {
		out = append(out, sums[c])
	}
	return out, nil
}

// sum adds up what is held in a currency, and counts its records.
func sum(held []Record, c hyperlocal.Currency) (total hyperlocal.Money, n int, err error) {
	if total, err = hyperlocal.NewMoney(0, c); err != nil {
		return total, 0, err
	}
	for i := range held {
		if held[i].Amount.Currency() != c {
			continue
		}
		n++
		if held[i].Verb == hyperlocal.VerbRefund {
			total, err = total.Sub(held[i].Amount)
		} else {
			total, err = total.Add(held[i].Amount)
		}
		if err != nil {
			return total, 0, err
		}
	}
	return total, n, nil
}

// SettleCommand says that a holder has handed his money in.
type SettleCommand struct {
	Tenant    hyperlocal.TenantID
	Holder    string
	Reference string           // unique per (tenant, holder), 1 to 128 bytes: handing in again under it does nothing
	Counted   hyperlocal.Money // what was counted, not negative; its currency is the one that is settled
	Actor     hyperlocal.Actor // who took it and counted
}

// Settle records that everything a holder held in one currency was counted and handed in, and
// what was missing or too much; his float in that currency is empty then. Whether a difference
// is his to make good is not decided here.
//
// Errors: code invalid; ErrReferenceConflict for a reference that was used with another amount.
func (g *Gateway) Settle(ctx context.Context, c SettleCommand) (Settlement, error) {
	if err := checkHolder(c.Tenant, c.Holder, c.Actor); err != nil {
		return Settlement{}, err
	}
	if c.Reference == "" {
		return Settlement{}, hyperlocal.Invalid("cash", "reference", "is required")
	}
	if err := hyperlocal.CheckText("cash", "reference", c.Reference, maxReference); err != nil {
		return Settlement{}, err
	}
	if !c.Counted.IsValid() || c.Counted.Sign() < 0 {
		return Settlement{}, hyperlocal.Invalid("cash", "counted", "has a currency and is not negative")
	}
	s, err := g.log.Settle(ctx, c.Tenant, c.Holder, c.Reference, func(held []Record) (Settlement, error) {
		expected, n, err := sum(held, c.Counted.Currency())
		if err != nil {
			return Settlement{}, err
		}
		difference, err := c.Counted.Sub(expected)
		return Settlement{
			Tenant: c.Tenant, Holder: c.Holder, Reference: c.Reference, Expected: expected, Counted: c.Counted,
			Difference: difference, Records: n, Actor: c.Actor, At: g.clock.Now(),
		}, err
	})
	if err == nil && s.Counted != c.Counted {
		return Settlement{}, ErrReferenceConflict
	}
	return s, err
}

// Settlements returns what a holder has handed in, oldest first.
func (g *Gateway) Settlements(ctx context.Context, tenant hyperlocal.TenantID, holder string) ([]Settlement, error) {
	if err := tenant.Validate(); err != nil {
		return nil, err
	}
	return g.log.Settlements(ctx, tenant, holder)
}
