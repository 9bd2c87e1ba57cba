package catalog

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// MaxBatch bounds how many products one CreateProducts makes.
const MaxBatch = 1000

// NewProduct describes a product to be made.
type NewProduct struct {
	Title       string
	Description string
	Kind        Kind  // "" means KindGoods
	State       State // "" means Active
	Variants    []NewVariant
}

// NewVariant describes a variant to be made.
type NewVariant struct {
	SKU     string
	Title   string
	Options []Option
	Stocked bool
	// Item is what inventory counts, "" for an item of its own, named by the variant's id.
	// Variants may share one.
	Item          hyperlocal.ItemID
	Location      hyperlocal.LocationID // "" means the shop's
	PriceQuantity hyperlocal.Quantity   // zero means one piece
	Prices        []hyperlocal.Money    // one per currency
}

// CreateProductsCommand makes products of a merchant.
type CreateProductsCommand struct {
	Tenant   hyperlocal.TenantID
	Actor    hyperlocal.Actor
	Merchant hyperlocal.Ref
	Products []NewProduct // 1 to MaxBatch
}

// CreateProducts makes all products or none and returns them in the order given, in a
// constant number of statements. Errors: code invalid with the position in the field
// "product"; ErrShopNotFound; ErrSKUTaken with the field "sku".
func (s *Service) CreateProducts(ctx context.Context, c CreateProductsCommand) ([]Product, error) {
	if err := check(c.Tenant, c.Actor, c.Merchant); err != nil {
		return nil, err
	}
	if n := len(c.Products); n == 0 || n > MaxBatch {
		return nil, invalid("products", "a command makes 1 to 1000 products")
	}
	var made []Product
	err := s.inShop(ctx, c.Tenant, c.Merchant, func(ctx context.Context, shop Shop) error {
		made = make([]Product, len(c.Products))
		taken := make(map[string]bool)
		var skus []string
		for i, np := range c.Products {
			p := s.product(shop, np)
			if err := p.validate(); err != nil {
				return at(err, "product", i+1)
			}
			for _, v := range p.Variants {
				if taken[v.SKU] {
					return ErrSKUTaken.With("sku", v.SKU)
				}
				taken[v.SKU] = true
				skus = append(skus, v.SKU)
			}
			made[i] = p
		}
		if err := s.free(ctx, shop, skus); err != nil {
			return err
		}
		_, err := s.save(ctx, c.Actor, made, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	return made, nil
}

// AddVariantsCommand adds variants to a product.
type AddVariantsCommand struct {
	Tenant   hyperlocal.TenantID
	Actor    hyperlocal.Actor
	Merchant hyperlocal.Ref
	Product  ProductID
	Version  int64 // the one that was read; 0 for any
	Variants []NewVariant
}

// AddVariants adds variants behind those that the product has, and returns it. Errors: code
// invalid, ErrShopNotFound, ErrProductNotFound, ErrStale, ErrSKUTaken.
func (s *Service) AddVariants(ctx context.Context, c AddVariantsCommand) (Product, error) {
	if len(c.Variants) == 0 || len(c.Variants) > MaxVariants {
		return Product{}, invalid("variants", "a command adds 1 to 200 variants")
	}
	return s.change(ctx, c.Tenant, c.Actor, c.Merchant, c.Product, c.Version,
		func(ctx context.Context, shop Shop, p *Product) error {
			skus := make([]string, len(c.Variants))
			taken := make(map[string]bool)
			for i, nv := range c.Variants {
				if taken[nv.SKU] {
					return ErrSKUTaken.With("sku", nv.SKU)
				}
				taken[nv.SKU], skus[i] = true, nv.SKU
				p.Variants = append(p.Variants, s.variant(shop, p.ID, nv))
			}
			if err := p.validate(); err != nil {
				return err
			}
			return s.free(ctx, shop, skus)
		})
}

// free refuses SKUs that the merchant's products have.
func (s *Service) free(ctx context.Context, shop Shop, skus []string) error {
	wanted := make(map[string]bool, len(skus))
	for _, sku := range skus {
		wanted[sku] = true
	}
	known, err := s.store.ProductsBySKU(ctx, shop.Tenant, shop.Merchant, skus...)
	if err != nil {
		return err
	}
	for _, p := range known {
		for _, v := range p.Variants {
			if wanted[v.SKU] {
				return ErrSKUTaken.With("sku", v.SKU)
			}
		}
	}
	return nil
}

func (s *Service) product(shop Shop, np NewProduct) Product {
	now := s.clock.Now()
	p := Product{
		ID: ProductID(s.ids.NewID()), Tenant: shop.Tenant, Merchant: shop.Merchant, Title: np.Title,
		Description: np.Description, Kind: np.Kind, State: np.State, Version: 1, CreatedAt: now, UpdatedAt: now,
		Variants: make([]Variant, len(np.Variants)),
	}
	if p.Kind == "" {
		p.Kind = KindGoods
	}
	if p.State == "" {
		p.State = Active
	}
	for i, nv := range np.Variants {
		p.Variants[i] = s.variant(shop, p.ID, nv)
	}
	return p
}

func (s *Service) variant(shop Shop, product ProductID, nv NewVariant) Variant {
	v := Variant{
		ID: VariantID(s.ids.NewID()), Product: product, SKU: nv.SKU, Title: nv.Title, Stocked: nv.Stocked,
		Item: nv.Item, Location: nv.Location, PriceQuantity: nv.PriceQuantity, Prices: sortedPrices(nv.Prices),
		Options: append([]Option(nil), nv.Options...),
	}
	if v.PriceQuantity == (hyperlocal.Quantity{}) {
		v.PriceQuantity = hyperlocal.Pieces(1)
	}
	if v.Stocked && v.Item == "" {
		v.Item = hyperlocal.ItemID(v.ID)
	}
	if v.Stocked && v.Location == "" {
		v.Location = shop.Location
	}
	return v
}

// at adds a position to an error of ours.
func at(err error, field string, n int) error {
	if e, ok := asError(err); ok {
		return e.With(field, n)
	}
	return err
}
