package catalog

import (
	"context"
	"slices"
	"unicode/utf8"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// MaxRead bounds how many products or SKUs one read names.
const MaxRead = 1000

// GetShop returns the merchant's shop. Errors: code invalid, ErrShopNotFound.
func (s *Service) GetShop(ctx context.Context, tenant hyperlocal.TenantID, merchant hyperlocal.Ref) (Shop, error) {
	if err := tenant.Validate(); err != nil {
		return Shop{}, err
	}
	if err := checkMerchant(merchant); err != nil {
		return Shop{}, err
	}
	found, err := s.store.Shops(ctx, tenant, merchant)
	if err != nil {
		return Shop{}, err
	}
	if len(found) == 0 {
		return Shop{}, ErrShopNotFound.With("merchant", merchant.ID)
	}
	return found[0], nil
}

// ListShops lists shops by name without regard to case. Errors: code invalid,
// hyperlocal.ErrCursor.
func (s *Service) ListShops(ctx context.Context, tenant hyperlocal.TenantID, f ShopFilter, p hyperlocal.PageRequest) (hyperlocal.Page[Shop], error) {
	if err := tenant.Validate(); err != nil {
		return hyperlocal.Page[Shop]{}, err
	}
	return s.store.ListShops(ctx, tenant, f, p)
}

// GetProduct returns a product with its variants and prices. Errors: code invalid,
// ErrProductNotFound.
func (s *Service) GetProduct(ctx context.Context, tenant hyperlocal.TenantID, id ProductID) (Product, error) {
	found, err := s.GetProducts(ctx, tenant, id)
	if err != nil {
		return Product{}, err
	}
	if len(found) == 0 {
		return Product{}, ErrProductNotFound.With("product", id)
	}
	return found[0], nil
}

// GetProducts is GetProduct for up to MaxRead, in the order of ids; missing ones are left out
// and one that is named twice is returned once. Error: code invalid.
func (s *Service) GetProducts(ctx context.Context, tenant hyperlocal.TenantID, ids ...ProductID) ([]Product, error) {
	if err := tenant.Validate(); err != nil {
		return nil, err
	}
	if len(ids) > MaxRead {
		return nil, invalid("products", "at most 1000 products are read at once")
	}
	known := make([]ProductID, 0, len(ids))
	place := make(map[ProductID]int, len(ids))
	for i, id := range ids {
		if _, twice := place[id]; !twice && hyperlocal.ValidID(string(id)) {
			place[id] = i
			known = append(known, id)
		}
	}
	if len(known) == 0 {
		return nil, nil
	}
	found, err := s.store.Products(ctx, tenant, known...)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b Product) int { return place[a.ID] - place[b.ID] })
	return found, nil
}

// VariantsBySKU returns the merchant's variants with these SKUs, in the order of skus;
// missing ones are left out and one that is named twice is returned once. Error: code
// invalid.
func (s *Service) VariantsBySKU(ctx context.Context, tenant hyperlocal.TenantID, merchant hyperlocal.Ref, skus ...string) ([]Variant, error) {
	if err := tenant.Validate(); err != nil {
		return nil, err
	}
	if err := checkMerchant(merchant); err != nil {
		return nil, err
	}
	if len(skus) > MaxRead {
		return nil, invalid("skus", "at most 1000 SKUs are read at once")
	}
	place := make(map[string]int, len(skus))
	for i, sku := range skus {
		if err := required("sku", sku, MaxSKU); err != nil {
			return nil, err
		}
		if _, twice := place[sku]; !twice {
			place[sku] = i
		}
	}
	if len(skus) == 0 {
		return nil, nil
	}
	found, err := s.store.ProductsBySKU(ctx, tenant, merchant, skus...)
	if err != nil {
		return nil, err
	}
	out := make([]Variant, 0, len(skus))
	for _, p := range found {
		for _, v := range p.Variants {
			if _, wanted := place[v.SKU]; wanted {
				out = append(out, v)
			}
		}
	}
	slices.SortFunc(out, func(a, b Variant) int { return place[a.SKU] - place[b.SKU] })
	return out, nil
}

// ListProducts lists products with their variants and prices by title without regard to
// case. A product that is renamed while somebody pages may be met twice or not at all; others
// are not affected. Errors: code invalid, hyperlocal.ErrCursor.
func (s *Service) ListProducts(ctx context.Context, tenant hyperlocal.TenantID, f Filter, p hyperlocal.PageRequest) (hyperlocal.Page[Product], error) {
	var none hyperlocal.Page[Product]
	if err := tenant.Validate(); err != nil {
		return none, err
	}
	if !f.Merchant.IsZero() {
		if err := checkMerchant(f.Merchant); err != nil {
			return none, err
		}
	}
	if f.State != "" && !f.State.Valid() {
		return none, invalid("state", "a product is draft, active or archived")
	}
	if err := hyperlocal.CheckText("catalog", "title_prefix", f.TitlePrefix, MaxTitle); err != nil {
		return none, err
	}
	if utf8.RuneCountInString(f.TitlePrefix) > maxTitleKey/2 {
		return none, invalid("title_prefix", "a title is searched by at most 100 characters")
	}
	return s.store.ListProducts(ctx, tenant, f, p)
}
