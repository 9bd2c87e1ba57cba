package memstore

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
)

type shopKey struct {
	tenant   hyperlocal.TenantID
	merchant hyperlocal.Ref
}

type productKey struct {
	tenant hyperlocal.TenantID
	id     catalog.ProductID
}

type skuKey struct {
	shopKey
	sku string
}

type variantKey struct {
	tenant hyperlocal.TenantID
	id     catalog.VariantID
}

type catalogTables struct {
	shops    *table[shopKey, catalog.Shop]
	products *table[productKey, catalog.Product]
	skus     *table[skuKey, catalog.ProductID]
	variants *table[variantKey, catalog.ProductID]
}

func newCatalogTables() *catalogTables {
	return &catalogTables{
		shops:    newTable[shopKey, catalog.Shop](),
		products: newTable[productKey, catalog.Product](),
		skus:     newTable[skuKey, catalog.ProductID](),
		variants: newTable[variantKey, catalog.ProductID](),
	}
}

// Catalog implements [catalog.Store].
type Catalog struct {
	db *DB
	t  *catalogTables
}

var (
	_ catalog.Store     = (*Catalog)(nil)
	_ hyperlocal.Scoped = (*Catalog)(nil)
)

// Catalog returns the store of the catalog context.
func (db *DB) Catalog() *Catalog { return &Catalog{db: db, t: part(db, newCatalogTables)} }

// TxScope implements [hyperlocal.Scoped].
func (c *Catalog) TxScope() hyperlocal.Scope { return c.db.TxScope() }

// InsertShop implements [catalog.Store].
func (c *Catalog) InsertShop(ctx context.Context, shop catalog.Shop) error {
	t, err := c.db.must(ctx)
	if err != nil {
		return err
	}
	key := shopKey{shop.Tenant, shop.Merchant}
	if _, taken := c.t.shops.get(key); taken {
		return catalog.ErrShopExists
	}
	c.t.shops.put(t, key, kept(shop))
	return nil
}

// kept is the shop as a database keeps it.
func kept(shop catalog.Shop) catalog.Shop {
	shop.CreatedAt, shop.UpdatedAt = hyperlocal.Instant(shop.CreatedAt), hyperlocal.Instant(shop.UpdatedAt)
	return shop
}

// LockShop implements [catalog.Store].
func (c *Catalog) LockShop(ctx context.Context, tenant hyperlocal.TenantID, merchant hyperlocal.Ref) (catalog.Shop, bool, error) {
	if _, err := c.db.must(ctx); err != nil {
		return catalog.Shop{}, false, err
	}
	shop, ok := c.t.shops.get(shopKey{tenant, merchant})
	return shop, ok, nil
}

// SaveShop implements [catalog.Store].
func (c *Catalog) SaveShop(ctx context.Context, shop catalog.Shop) error {
	t, err := c.db.must(ctx)
	if err != nil {
		return err
	}
	key := shopKey{shop.Tenant, shop.Merchant}
	old, ok := c.t.shops.get(key)
	if !ok || old.Version != shop.Version-1 {
		return catalog.ErrStale
	}
	shop.CreatedAt, shop.Currency = old.CreatedAt, old.Currency
	c.t.shops.put(t, key, kept(shop))
	return nil
}

// InsertProducts implements [catalog.Store].
func (c *Catalog) InsertProducts(ctx context.Context, products []catalog.Product) error {
	if _, err := c.db.must(ctx); err != nil {
		return err
	}
	return c.db.write(ctx, func(t *tx) error {
		for _, p := range products {
			if _, taken := c.t.products.get(productKey{p.Tenant, p.ID}); taken {
				return hyperlocal.NewError(hyperlocal.CodeAlreadyExists, "store/duplicate", "this already exists")
			}
			if err := c.put(t, p); err != nil {
				return err
			}
		}
		return nil
	})
}

// SaveProducts implements [catalog.Store].
func (c *Catalog) SaveProducts(ctx context.Context, products []catalog.Product) error {
	if _, err := c.db.must(ctx); err != nil {
		return err
	}
	return c.db.write(ctx, func(t *tx) error {
		for _, p := range products {
			old, ok := c.t.products.get(productKey{p.Tenant, p.ID})
			if !ok || old.Version != p.Version-1 {
				return catalog.ErrStale
			}
			p.CreatedAt, p.Merchant = old.CreatedAt, old.Merchant
			if err := c.put(t, p); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *Catalog) put(t *tx, p catalog.Product) error {
	p = p.Clone()
	p.CreatedAt, p.UpdatedAt = hyperlocal.Instant(p.CreatedAt), hyperlocal.Instant(p.UpdatedAt)
	for _, v := range p.Variants {
		key := skuKey{shopKey{p.Tenant, p.Merchant}, v.SKU}
		owner, taken := c.t.skus.get(key)
		if taken && owner != p.ID {
			return catalog.ErrSKUTaken
		}
		c.t.skus.put(t, key, p.ID)
		c.t.variants.put(t, variantKey{p.Tenant, v.ID}, p.ID)
	}
	c.t.products.put(t, productKey{p.Tenant, p.ID}, p)
	return nil
}

// Shops implements [catalog.Reader].
func (c *Catalog) Shops(ctx context.Context, tenant hyperlocal.TenantID, merchants ...hyperlocal.Ref) ([]catalog.Shop, error) {
	var out []catalog.Shop
	err := c.db.read(ctx, func() error {
		for _, m := range distinct(merchants) {
			if shop, ok := c.t.shops.get(shopKey{tenant, m}); ok {
				out = append(out, shop)
			}
		}
		return nil
	})
	return out, err
}

func distinct[T comparable](in []T) []T {
	seen := make(map[T]bool, len(in))
	out := make([]T, 0, len(in))
	for _, v := range in {
		if !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}

// ListShops implements [catalog.Reader].
func (c *Catalog) ListShops(ctx context.Context, tenant hyperlocal.TenantID, f catalog.ShopFilter, p hyperlocal.PageRequest) (hyperlocal.Page[catalog.Shop], error) {
	return listByKey(ctx, c.db, []any{"shops", tenant, f}, p, func() []catalog.Shop {
		var all []catalog.Shop
		for key, shop := range c.t.shops.all() {
			if key.tenant == tenant && (shop.Open || !f.OnlyOpen) {
				all = append(all, shop)
			}
		}
		return all
	}, func(s *catalog.Shop) [2]string { return [2]string{catalog.TitleKey(s.Name), s.Merchant.String()} })
}

// listByKey pages through rows in the order of a key of two texts.
func listByKey[T any](ctx context.Context, db *DB, filter any, p hyperlocal.PageRequest, all func() []T,
	key func(*T) [2]string,
) (hyperlocal.Page[T], error) {
	var page hyperlocal.Page[T]
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	after, err := hyperlocal.DecodeCursor(filter, p.Cursor, 2)
	if err != nil {
		return page, err
	}
	var rows []T
	if err := db.read(ctx, func() error {
		rows = all()
		return nil
	}); err != nil {
		return page, err
	}
	compare := func(a, b [2]string) int { return cmp.Or(strings.Compare(a[0], b[0]), strings.Compare(a[1], b[1])) }
	if after != nil {
		rows = slices.DeleteFunc(rows, func(r T) bool { return compare(key(&r), [2]string{after[0], after[1]}) <= 0 })
	}
	slices.SortFunc(rows, func(a, b T) int { return compare(key(&a), key(&b)) })
	if len(rows) > size {
		rows = rows[:size]
		last := key(&rows[size-1])
		if page.Next, err = hyperlocal.EncodeCursor(filter, last[0], last[1]); err != nil {
			return page, err
		}
	}
	page.Items = rows
	return page, nil
}

// Products implements [catalog.Reader].
func (c *Catalog) Products(ctx context.Context, tenant hyperlocal.TenantID, ids ...catalog.ProductID) ([]catalog.Product, error) {
	var out []catalog.Product
	err := c.db.read(ctx, func() error {
		out = c.whole(tenant, ids)
		return nil
	})
	return out, err
}

func (c *Catalog) whole(tenant hyperlocal.TenantID, ids []catalog.ProductID) []catalog.Product {
	var out []catalog.Product
	for _, id := range distinct(ids) {
		if p, ok := c.t.products.get(productKey{tenant, id}); ok {
			out = append(out, p.Clone())
		}
	}
	return out
}

// ProductsBySKU implements [catalog.Reader].
func (c *Catalog) ProductsBySKU(ctx context.Context, tenant hyperlocal.TenantID, merchant hyperlocal.Ref, skus ...string) ([]catalog.Product, error) {
	var out []catalog.Product
	err := c.db.read(ctx, func() error {
		var ids []catalog.ProductID
		for _, sku := range skus {
			if id, ok := c.t.skus.get(skuKey{shopKey{tenant, merchant}, sku}); ok {
				ids = append(ids, id)
			}
		}
		out = c.whole(tenant, ids)
		return nil
	})
	return out, err
}

// ListProducts implements [catalog.Reader].
func (c *Catalog) ListProducts(ctx context.Context, tenant hyperlocal.TenantID, f catalog.Filter, p hyperlocal.PageRequest) (hyperlocal.Page[catalog.Product], error) {
	prefix := catalog.TitleKey(f.TitlePrefix)
	return listByKey(ctx, c.db, []any{"products", tenant, f}, p, func() []catalog.Product {
		var all []catalog.Product
		for key, p := range c.t.products.all() {
			if key.tenant == tenant && (f.Merchant.IsZero() || p.Merchant == f.Merchant) &&
				(f.State == "" || p.State == f.State) && strings.HasPrefix(catalog.TitleKey(p.Title), prefix) {
				all = append(all, p.Clone())
			}
		}
		return all
	}, func(p *catalog.Product) [2]string { return [2]string{catalog.TitleKey(p.Title), string(p.ID)} })
}

// Sellables implements [catalog.Reader].
func (c *Catalog) Sellables(ctx context.Context, tenant hyperlocal.TenantID, merchant hyperlocal.Ref, variants ...catalog.VariantID) ([]catalog.Sellable, error) {
	var out []catalog.Sellable
	err := c.db.read(ctx, func() error {
		out = nil
		shop, ok := c.t.shops.get(shopKey{tenant, merchant})
		if !ok {
			return nil
		}
		for _, id := range distinct(variants) {
			owner, _ := c.t.variants.get(variantKey{tenant, id})
			p, ok := c.t.products.get(productKey{tenant, owner})
			if !ok || p.Merchant != merchant {
				continue
			}
			v, _ := p.Variant(id)
			s := catalog.Sellable{Title: p.Title, Kind: p.Kind, State: p.State, Open: shop.Open, Currency: shop.Currency}
			s.Price, s.Priced = v.Price(shop.Currency)
			s.Variant = v.Clone()
			s.Variant.Prices = nil
			out = append(out, s)
		}
		return nil
	})
	return out, err
}
