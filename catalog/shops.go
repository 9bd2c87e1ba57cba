package catalog

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// CreateShopCommand gives a merchant a shop.
type CreateShopCommand struct {
	Tenant   hyperlocal.TenantID
	Actor    hyperlocal.Actor
	Merchant hyperlocal.Ref // the host's own, kind "merchant"; zero makes a new one
	Name     string
	Currency hyperlocal.Currency
	Location hyperlocal.LocationID // "" means the id of the merchant
	Open     bool
}

// CreateShop makes a shop. Errors: code invalid, ErrShopExists.
func (s *Service) CreateShop(ctx context.Context, c CreateShopCommand) (Shop, error) {
	if c.Merchant.IsZero() {
		c.Merchant = Merchant(s.ids.NewID())
	}
	if err := check(c.Tenant, c.Actor, c.Merchant); err != nil {
		return Shop{}, err
	}
	if c.Location == "" {
		c.Location = hyperlocal.LocationID(c.Merchant.ID)
	}
	now := s.clock.Now()
	shop := Shop{
		Tenant: c.Tenant, Merchant: c.Merchant, Name: c.Name, Currency: c.Currency, Location: c.Location, Open: c.Open,
		Version: 1, CreatedAt: now, UpdatedAt: now,
	}
	if err := shop.validate(); err != nil {
		return Shop{}, err
	}
	err := s.tx.WithinTx(ctx, func(ctx context.Context) error {
		known, err := s.store.Shops(ctx, c.Tenant, c.Merchant)
		if err != nil {
			return err
		}
		if len(known) > 0 {
			return ErrShopExists
		}
		if err := s.store.InsertShop(ctx, shop); err != nil {
			return err
		}
		return s.tellShop(ctx, c.Actor, shop, ShopCreated{shopChanged(shop)})
	})
	if err != nil {
		return Shop{}, err
	}
	return shop, nil
}

// UpdateShopCommand says how a shop shall be; nil fields stay as they are.
type UpdateShopCommand struct {
	Tenant   hyperlocal.TenantID
	Actor    hyperlocal.Actor
	Merchant hyperlocal.Ref
	Version  int64 // the one that was read; 0 for any
	Name     *string
	Location *hyperlocal.LocationID // of variants that are added from now on
	Open     *bool
}

// UpdateShop changes a shop and returns it. What is as it should be leaves no trace.
// Errors: code invalid, ErrShopNotFound, ErrStale.
func (s *Service) UpdateShop(ctx context.Context, c UpdateShopCommand) (Shop, error) {
	if err := check(c.Tenant, c.Actor, c.Merchant); err != nil {
		return Shop{}, err
	}
	var shop Shop
	err := s.inShop(ctx, c.Tenant, c.Merchant, func(ctx context.Context, present Shop) error {
		shop = present
		if err := current(c.Version, shop.Version); err != nil {
			return err
		}
		set(&shop.Name, c.Name)
		set(&shop.Location, c.Location)
		set(&shop.Open, c.Open)
		if err := shop.validate(); err != nil {
			return err
		}
		if shop == present {
			return nil
		}
		shop.Version, shop.UpdatedAt = shop.Version+1, s.clock.Now()
		if err := s.store.SaveShop(ctx, shop); err != nil {
			return err
		}
		return s.tellShop(ctx, c.Actor, shop, ShopUpdated{shopChanged(shop)})
	})
	if err != nil {
		return Shop{}, err
	}
	return shop, nil
}

// set overwrites what is there when there is something to overwrite it with.
func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func (s *Service) tellShop(ctx context.Context, actor hyperlocal.Actor, shop Shop, ev hyperlocal.Event) error {
	e, err := hyperlocal.NewEnvelope(ctx, s.ids, shop.UpdatedAt, shop.Tenant, actor, shop.Merchant, shop.Version, 0, ev)
	if err != nil {
		return err
	}
	return s.outbox.Append(ctx, e)
}
