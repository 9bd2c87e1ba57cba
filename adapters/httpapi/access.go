package httpapi

import (
	"context"
	"slices"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// CustomerKind is the kind of the reference under which a shopper is known as a customer; its
// ID is that of the principal's actor.
const CustomerKind = "customer"

// MerchantKind is the kind of the reference of a principal's merchant.
const MerchantKind = "merchant"

// caller is who is asking, and what that means here. It is the only source of the tenant.
type caller struct{ hyperlocal.Principal }

type callerKey struct{}

// callerFrom returns the caller that the operation's middleware let in.
func callerFrom(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

func (c caller) admin() bool { return c.Has(hyperlocal.ScopeAdmin) }

// works reports whether the caller works for a merchant. A merchant's scope without a
// merchant is worth nothing.
func (c caller) works() bool { return c.Has(hyperlocal.ScopeMerchant) && c.Merchant != "" }

func (c caller) shops() bool { return c.Has(hyperlocal.ScopeShop) }

// merchant is whom the caller works for; zero if for nobody.
func (c caller) merchant() hyperlocal.Ref {
	if !c.works() {
		return hyperlocal.Ref{}
	}
	return hyperlocal.NewRef(MerchantKind, c.Principal.Merchant)
}

// customer is who the caller is when it buys.
func (c caller) customer() hyperlocal.Ref { return hyperlocal.NewRef(CustomerKind, c.Actor.ID) }

// allowed reports whether the caller has one of the scopes; no scopes means that everybody
// who is known is let in.
func (c caller) allowed(scopes []string) error {
	if len(scopes) == 0 {
		return nil
	}
	for _, s := range scopes {
		if s == hyperlocal.ScopeMerchant && !c.works() {
			continue
		}
		if c.Has(s) {
			return nil
		}
	}
	return ErrScope.With("scopes", strings.Join(scopes, " "))
}

// sees reports whether the caller may know that an order exists.
func (c caller) sees(o *order.Order) bool {
	return c.admin() || c.works() && o.Merchant == c.merchant() || c.shops() && o.Customer == c.customer()
}

// inside reports whether the caller sees an order from the side of those who work on it.
func (c caller) inside(o *order.Order) bool {
	return c.admin() || c.works() && o.Merchant == c.merchant()
}

// order returns an order that the caller may see, else order.ErrNotFound.
func (a *api) order(ctx context.Context, c caller, id string) (order.Order, error) {
	o, err := a.Orders.Get(ctx, c.Tenant, order.ID(id))
	if err != nil {
		return order.Order{}, err
	}
	if !c.sees(&o) {
		return order.Order{}, order.ErrNotFound
	}
	return o, nil
}

// tends reports whether the caller may work on the stock of a location.
func (a *api) tends(ctx context.Context, c caller, location hyperlocal.LocationID) (bool, error) {
	if c.admin() {
		return true, nil
	}
	own, err := a.Locations(ctx, c.Tenant, c.merchant())
	return err == nil && slices.Contains(own, location), err
}
