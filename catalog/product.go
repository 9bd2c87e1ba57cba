package catalog

import (
	"cmp"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Limits of one product. More is refused with code invalid. Texts are measured in bytes.
const (
	MaxTitle        = 300
	MaxVariantTitle = 150
	MaxDescription  = 8000
	MaxSKU          = 100
	MaxVariants     = 200 // of a product
	MaxOptions      = 20  // of a variant
	MaxOption       = 100 // name, and value
	MaxPrices       = 50  // of a variant
)

// ProductID identifies a product: a UUIDv7 in canonical form.
type ProductID string

// Ref returns the reference under which other contexts know the product.
func (id ProductID) Ref() hyperlocal.Ref { return hyperlocal.NewRef("product", string(id)) }

// VariantID identifies a variant: a UUIDv7 in canonical form.
type VariantID string

// VariantKind is the kind of every variant's reference.
const VariantKind = "variant"

// Ref returns the reference under which other contexts know the variant.
func (id VariantID) Ref() hyperlocal.Ref { return hyperlocal.NewRef(VariantKind, string(id)) }

// Kind says what is sold.
type Kind string

// The kinds.
const (
	KindGoods    Kind = "goods"
	KindService  Kind = "service"
	KindBooking  Kind = "booking"  // a service at a time
	KindTicket   Kind = "ticket"   // a place at an event
	KindDeal     Kind = "deal"     // bought now, redeemed later
	KindModifier Kind = "modifier" // only together with something else: extra cheese
)

// Line returns the kind that an order's line of this product has.
func (k Kind) Line() string {
	switch k {
	case KindBooking, KindTicket:
		return "service"
	case KindDeal:
		return "voucher"
	default:
		return string(k)
	}
}

// Valid reports whether k is one of the kinds.
func (k Kind) Valid() bool {
	switch k {
	case KindGoods, KindService, KindBooking, KindTicket, KindDeal, KindModifier:
		return true
	default:
		return false
	}
}

// State says whether a product can be bought.
type State string

// The states. Any may follow any other.
const (
	Draft    State = "draft"    // not yet for sale
	Active   State = "active"   // for sale
	Archived State = "archived" // no longer for sale; orders still refer to it
)

// Valid reports whether s is one of the states.
func (s State) Valid() bool { return s == Draft || s == Active || s == Archived }

// Product is something that a merchant sells in one or more variants. It is one aggregate:
// every change to it, a variant or a price raises Version by one.
type Product struct {
	ID          ProductID           `json:"id"`
	Tenant      hyperlocal.TenantID `json:"tenant"`
	Merchant    hyperlocal.Ref      `json:"merchant"`
	Title       string              `json:"title"`
	Description string              `json:"description,omitempty"`
	Kind        Kind                `json:"kind"`
	State       State               `json:"state"`
	Version     int64               `json:"version"`
	CreatedAt   time.Time           `json:"created_at"`
	UpdatedAt   time.Time           `json:"updated_at"`
	Variants    []Variant           `json:"variants"` // at least one, in the order they were added
}

// Variant is what is bought: one size, one colour.
type Variant struct {
	ID       VariantID             `json:"id"`
	Product  ProductID             `json:"product"`
	SKU      string                `json:"sku"` // unique per merchant; compared byte by byte
	Title    string                `json:"title,omitempty"`
	Options  []Option              `json:"options,omitempty"`
	Stocked  bool                  `json:"stocked"`            // inventory counts it
	Item     hyperlocal.ItemID     `json:"item,omitempty"`     // "" unless stocked
	Location hyperlocal.LocationID `json:"location,omitempty"` // "" unless stocked
	// PriceQuantity is what a price is for: 1 piece, 100 g.
	PriceQuantity hyperlocal.Quantity `json:"price_quantity"`
	Prices        []hyperlocal.Money  `json:"prices"` // one per currency, sorted by currency
}

// Option is a choice that makes the variant what it is: size, "XL".
type Option struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Price returns the price in a currency; false if there is none.
func (v Variant) Price(c hyperlocal.Currency) (hyperlocal.Money, bool) {
	for _, m := range v.Prices {
		if m.Currency() == c {
			return m, true
		}
	}
	return hyperlocal.Money{}, false
}

// Variant returns a variant by its id; false if the product has no such variant.
func (p Product) Variant(id VariantID) (Variant, bool) {
	i := slices.IndexFunc(p.Variants, func(v Variant) bool { return v.ID == id })
	if i < 0 {
		return Variant{}, false
	}
	return p.Variants[i], true
}

// Clone returns a copy that shares no memory with p.
func (p Product) Clone() Product {
	p.Variants = slices.Clone(p.Variants)
	for i := range p.Variants {
		p.Variants[i] = p.Variants[i].Clone()
	}
	return p
}

// Clone returns a copy that shares no memory with v.
func (v Variant) Clone() Variant {
	v.Options = slices.Clone(v.Options)
	v.Prices = slices.Clone(v.Prices)
	return v
}

// sameText reports whether two variants agree in everything but their prices.
func (v Variant) sameText(o Variant) bool {
	return v.ID == o.ID && v.SKU == o.SKU && v.Title == o.Title && slices.Equal(v.Options, o.Options) &&
		v.Stocked == o.Stocked && v.Item == o.Item && v.Location == o.Location
}

// samePrice reports whether two variants cost the same.
func (v Variant) samePrice(o Variant) bool {
	return v.PriceQuantity == o.PriceQuantity && slices.Equal(v.Prices, o.Prices)
}

func (p Product) validate() error {
	if err := required("title", p.Title, MaxTitle); err != nil {
		return err
	}
	if err := hyperlocal.CheckText("catalog", "description", p.Description, MaxDescription); err != nil {
		return err
	}
	if !p.Kind.Valid() {
		return invalid("kind", "there is no such kind of product")
	}
	if !p.State.Valid() {
		return invalid("state", "a product is draft, active or archived")
	}
	if n := len(p.Variants); n == 0 || n > MaxVariants {
		return invalid("variants", "a product has 1 to 200 variants")
	}
	for _, v := range p.Variants {
		if err := v.validate(); err != nil {
			return err
		}
	}
	return nil
}

func (v Variant) validate() error {
	if err := required("sku", v.SKU, MaxSKU); err != nil {
		return err
	}
	if v.Title != "" {
		if err := required("variant_title", v.Title, MaxVariantTitle); err != nil {
			return err
		}
	}
	if len(v.Options) > MaxOptions {
		return invalid("options", "a variant has at most 20 options")
	}
	for i, o := range v.Options {
		if err := required("options", o.Name, MaxOption); err != nil {
			return err
		}
		if err := required("options", o.Value, MaxOption); err != nil {
			return err
		}
		if slices.ContainsFunc(v.Options[:i], func(earlier Option) bool { return earlier.Name == o.Name }) {
			return invalid("options", "an option is named once")
		}
	}
	if v.Stocked {
		if err := required("item", string(v.Item), hyperlocal.MaxRefID); err != nil {
			return err
		}
		if err := required("location", string(v.Location), hyperlocal.MaxRefID); err != nil {
			return err
		}
	} else if v.Item != "" || v.Location != "" {
		return invalid("item", "only a stocked variant has an item and a location")
	}
	if !v.PriceQuantity.IsValid() || v.PriceQuantity.Sign() <= 0 {
		return invalid("price_quantity", "a price is for a positive quantity")
	}
	if len(v.Prices) > MaxPrices {
		return invalid("prices", "a variant has at most 50 prices")
	}
	for i, m := range v.Prices {
		if !m.IsValid() || m.Sign() < 0 {
			return invalid("prices", "a price has a currency and is not negative")
		}
		if i > 0 && v.Prices[i-1].Currency() >= m.Currency() {
			return invalid("prices", "a variant has one price per currency")
		}
	}
	return nil
}

// sortedPrices returns a copy in the order that Variant.Prices has.
func sortedPrices(prices []hyperlocal.Money) []hyperlocal.Money {
	out := slices.Clone(prices)
	slices.SortFunc(out, func(a, b hyperlocal.Money) int { return cmp.Compare(a.Currency(), b.Currency()) })
	return out
}
