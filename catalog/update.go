package catalog

import (
	"context"
	"slices"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// UpdateProductCommand says how a product shall be; nil fields stay as they are.
type UpdateProductCommand struct {
	Tenant      hyperlocal.TenantID
	Actor       hyperlocal.Actor
	Merchant    hyperlocal.Ref
	Product     ProductID
	Version     int64 // the one that was read; 0 for any
	Title       *string
	Description *string
	State       *State
}

// UpdateProduct changes a product and returns it. What is as it should be leaves no trace.
// Errors: code invalid, ErrShopNotFound, ErrProductNotFound, ErrStale.
func (s *Service) UpdateProduct(ctx context.Context, c UpdateProductCommand) (Product, error) {
	return s.change(ctx, c.Tenant, c.Actor, c.Merchant, c.Product, c.Version,
		func(_ context.Context, _ Shop, p *Product) error {
			set(&p.Title, c.Title)
			set(&p.Description, c.Description)
			set(&p.State, c.State)
			return p.validate()
		})
}

// UpdateVariantCommand says how a variant shall be; zero fields stay as they are. What is
// counted, and where, is fixed: a variant that orders refer to does not change its shelf.
type UpdateVariantCommand struct {
	Tenant        hyperlocal.TenantID
	Actor         hyperlocal.Actor
	Merchant      hyperlocal.Ref
	Product       ProductID
	Variant       VariantID
	Version       int64 // the product's that was read; 0 for any
	Title         *string
	Options       *[]Option
	PriceQuantity hyperlocal.Quantity
	Prices        []hyperlocal.Money // all of them: a currency that is not named goes
}

// UpdateVariant changes a variant, such as its price, and returns the product. What is as it
// should be leaves no trace. Errors: code invalid, ErrShopNotFound, ErrProductNotFound,
// ErrVariantNotFound, ErrStale.
func (s *Service) UpdateVariant(ctx context.Context, c UpdateVariantCommand) (Product, error) {
	return s.change(ctx, c.Tenant, c.Actor, c.Merchant, c.Product, c.Version,
		func(_ context.Context, _ Shop, p *Product) error {
			i := slices.IndexFunc(p.Variants, func(v Variant) bool { return v.ID == c.Variant })
			if i < 0 {
				return ErrVariantNotFound.With("variant", c.Variant)
			}
			v := &p.Variants[i]
			set(&v.Title, c.Title)
			if c.Options != nil {
				v.Options = slices.Clone(*c.Options)
			}
			if c.PriceQuantity != (hyperlocal.Quantity{}) {
				v.PriceQuantity = c.PriceQuantity
			}
			if len(c.Prices) > 0 {
				v.Prices = sortedPrices(c.Prices)
			}
			return p.validate()
		})
}

// ArchiveCommand takes a product off sale.
type ArchiveCommand struct {
	Tenant   hyperlocal.TenantID
	Actor    hyperlocal.Actor
	Merchant hyperlocal.Ref
	Product  ProductID
	Version  int64 // the one that was read; 0 for any
}

// Archive takes a product off sale and returns it; one that is archived stays as it is.
// Errors: code invalid, ErrShopNotFound, ErrProductNotFound, ErrStale.
func (s *Service) Archive(ctx context.Context, c ArchiveCommand) (Product, error) {
	return s.change(ctx, c.Tenant, c.Actor, c.Merchant, c.Product, c.Version,
		func(_ context.Context, _ Shop, p *Product) error {
			p.State = Archived
			return nil
		})
}
