package catalog

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// The events. They tell names and numbers of goods, and nothing of people.
type (
	// ShopCreated: a merchant has a shop.
	ShopCreated struct{ ShopChanged }
	// ShopUpdated: name, location or opening changed.
	ShopUpdated struct{ ShopChanged }
	// ProductCreated: a product exists.
	ProductCreated struct{ ProductChanged }
	// ProductUpdated: something other than a price changed, or variants were added.
	ProductUpdated struct{ ProductChanged }
	// ProductArchived: a product is no longer for sale.
	ProductArchived struct{ ProductChanged }
	// PriceChanged: a variant costs something else.
	PriceChanged struct {
		Product       ProductID           `json:"product"`
		Merchant      hyperlocal.Ref      `json:"merchant"`
		Variant       VariantID           `json:"variant"`
		SKU           string              `json:"sku"`
		Version       int64               `json:"version"` // the product's
		PriceQuantity hyperlocal.Quantity `json:"price_quantity"`
		Prices        []hyperlocal.Money  `json:"prices"`
		At            time.Time           `json:"at"`
	}
)

// ShopChanged is what every event of a shop tells.
type ShopChanged struct {
	Merchant hyperlocal.Ref        `json:"merchant"`
	Name     string                `json:"name"`
	Currency hyperlocal.Currency   `json:"currency"`
	Location hyperlocal.LocationID `json:"location"`
	Open     bool                  `json:"open"`
	Version  int64                 `json:"version"`
	At       time.Time             `json:"at"`
}

// ProductChanged is what every event of a product tells: how it is after the change.
type ProductChanged struct {
	Product  ProductID      `json:"product"`
	Merchant hyperlocal.Ref `json:"merchant"`
	Title    string         `json:"title"`
	Kind     Kind           `json:"kind"`
	State    State          `json:"state"`
	Version  int64          `json:"version"`
	Variants []EventVariant `json:"variants"`
	At       time.Time      `json:"at"`
}

// EventVariant is a variant as events tell it.
type EventVariant struct {
	Variant  VariantID             `json:"variant"`
	SKU      string                `json:"sku"`
	Item     hyperlocal.ItemID     `json:"item,omitempty"`
	Location hyperlocal.LocationID `json:"location,omitempty"`
	Prices   []hyperlocal.Money    `json:"prices"`
}

// Event names, "<context>.<past participle>"; every version is 1.
func (ShopCreated) EventName() string     { return "catalog.shop_created" }
func (ShopUpdated) EventName() string     { return "catalog.shop_updated" }
func (ProductCreated) EventName() string  { return "catalog.product_created" }
func (ProductUpdated) EventName() string  { return "catalog.product_updated" }
func (ProductArchived) EventName() string { return "catalog.product_archived" }
func (PriceChanged) EventName() string    { return "catalog.price_changed" }

// EventVersion of every event of a shop.
func (ShopChanged) EventVersion() int { return 1 }

// EventVersion of every event of a product.
func (ProductChanged) EventVersion() int { return 1 }

// EventVersion of a price.
func (PriceChanged) EventVersion() int { return 1 }

// Events lists one value of every event of this context, for catalogues and decoders.
func Events() []hyperlocal.Event {
	return []hyperlocal.Event{
		ShopCreated{}, ShopUpdated{}, ProductCreated{}, ProductUpdated{}, ProductArchived{}, PriceChanged{},
	}
}

func shopChanged(s Shop) ShopChanged {
	return ShopChanged{
		Merchant: s.Merchant, Name: s.Name, Currency: s.Currency, Location: s.Location, Open: s.Open,
		Version: s.Version, At: s.UpdatedAt,
	}
}

func productChanged(p Product) ProductChanged {
	c := ProductChanged{
		Product: p.ID, Merchant: p.Merchant, Title: p.Title, Kind: p.Kind, State: p.State, Version: p.Version,
		Variants: make([]EventVariant, len(p.Variants)), At: p.UpdatedAt,
	}
	for i, v := range p.Variants {
		c.Variants[i] = EventVariant{Variant: v.ID, SKU: v.SKU, Item: v.Item, Location: v.Location, Prices: v.Prices}
	}
	return c
}

func priceChanged(p Product, v Variant) PriceChanged {
	return PriceChanged{
		Product: p.ID, Merchant: p.Merchant, Variant: v.ID, SKU: v.SKU, Version: p.Version,
		PriceQuantity: v.PriceQuantity, Prices: v.Prices, At: p.UpdatedAt,
	}
}

// envelopes wraps the events that a product's new version consists of.
func (s *Service) envelopes(ctx context.Context, actor hyperlocal.Actor, p Product, events []hyperlocal.Event) ([]hyperlocal.Envelope, error) {
	out := make([]hyperlocal.Envelope, len(events))
	for n, ev := range events {
		e, err := hyperlocal.NewEnvelope(ctx, s.ids, p.UpdatedAt, p.Tenant, actor, p.ID.Ref(), p.Version, n, ev)
		if err != nil {
			return nil, err
		}
		out[n] = e
	}
	return out, nil
}
