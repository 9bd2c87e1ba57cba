package bunstore

import (
	"context"
	"encoding/json"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
)

// Catalog is the [catalog.Store] of a database.
type Catalog struct{ s *Store }

var (
	_ catalog.Store     = (*Catalog)(nil)
	_ hyperlocal.Scoped = (*Catalog)(nil)
)

// Catalog returns the store of shops and products.
func (s *Store) Catalog() *Catalog { return &Catalog{s: s} }

// TxScope implements [hyperlocal.Scoped].
func (c *Catalog) TxScope() hyperlocal.Scope { return c.s.TxScope() }

func catalogConstraints() map[string]*hyperlocal.Error {
	return map[string]*hyperlocal.Error{
		"hc_shops_pkey":                    catalog.ErrShopExists,
		"hc_shops(tenant,merchant)":        catalog.ErrShopExists,
		"hc_variants_sku_key":              catalog.ErrSKUTaken,
		"hc_variants(tenant,merchant,sku)": catalog.ErrSKUTaken,
	}
}

const insertShop = `INSERT INTO hc_shops (tenant, merchant, name, name_key, currency, location, is_open, version,
 created_at, updated_at) SELECT k.tenant, k.merchant, k.name, k.name_key, k.currency, k.location, k.is_open, k.version,
 k.created_at, k.updated_at FROM {k} k`

// InsertShop implements [catalog.Store].
func (c *Catalog) InsertShop(ctx context.Context, shop catalog.Shop) error {
	return c.s.enqueue(ctx, write{table: "hc_shops", text: insertShop, rows: 1, rel: shopRel(shop)})
}

const saveShop = `UPDATE hc_shops AS s SET name = k.name, name_key = k.name_key, location = k.location,
 is_open = k.is_open, version = k.version, updated_at = k.updated_at
 FROM {k} k WHERE s.tenant = k.tenant AND s.merchant = k.merchant AND s.version = k.version - 1`

// SaveShop implements [catalog.Store].
func (c *Catalog) SaveShop(ctx context.Context, shop catalog.Shop) error {
	return c.s.enqueue(ctx, write{table: "hc_shops", text: saveShop, rows: 1, rel: shopRel(shop), failed: catalog.ErrStale})
}

func shopRel(s catalog.Shop) *rel {
	return newRel(1).text("tenant", []string{string(s.Tenant)}).text("merchant", []string{s.Merchant.String()}).
		text("name", []string{s.Name}).text("name_key", []string{catalog.TitleKey(s.Name)}).
		text("currency", []string{string(s.Currency)}).text("location", []string{string(s.Location)}).
		bool("is_open", []bool{s.Open}).int("version", []int64{s.Version}).
		at("created_at", []time.Time{s.CreatedAt}).at("updated_at", []time.Time{s.UpdatedAt})
}

const shopColumns = `s.tenant, s.merchant, s.name, s.currency, s.location, s.is_open, s.version, s.created_at, s.updated_at`

func scanShop(rows row, to *[]catalog.Shop) error {
	var v catalog.Shop
	var merchant string
	if err := rows.Scan(&v.Tenant, &merchant, &v.Name, &v.Currency, &v.Location, &v.Open, &v.Version,
		instant{&v.CreatedAt}, instant{&v.UpdatedAt}); err != nil {
		return err
	}
	var err error
	v.Merchant, err = hyperlocal.ParseRef(merchant)
	*to = append(*to, v)
	return err
}

const lockShop = `SELECT ` + shopColumns + ` FROM hc_shops AS s WHERE s.tenant = $1 AND s.merchant = $2 {for update of s}`

// LockShop implements [catalog.Store]. A shop has no rank: nothing else is locked while a
// catalogue is changed.
func (c *Catalog) LockShop(ctx context.Context, tenant hyperlocal.TenantID, merchant hyperlocal.Ref) (catalog.Shop, bool, error) {
	if err := c.s.inTx(ctx); err != nil {
		return catalog.Shop{}, false, err
	}
	var found []catalog.Shop
	err := c.s.query(ctx, lockShop, nil, []any{string(tenant), merchant.String()},
		func(rows row) error { return scanShop(rows, &found) })
	if err != nil || len(found) == 0 {
		return catalog.Shop{}, false, err
	}
	return found[0], true, nil
}

const insertProducts = `INSERT INTO hc_products (tenant, id, merchant, title, title_key, description, kind, state,
 version, created_at, updated_at) SELECT k.tenant, k.id, k.merchant, k.title, k.title_key, k.description, k.kind,
 k.state, k.version, k.created_at, k.updated_at FROM {k} k`

// InsertProducts implements [catalog.Store].
func (c *Catalog) InsertProducts(ctx context.Context, products []catalog.Product) error {
	if err := c.s.enqueue(ctx, write{
		table: "hc_products", text: insertProducts, rows: int64(len(products)), rel: productRel(products),
	}); err != nil {
		return err
	}
	return c.writeVariants(ctx, products, false)
}

const saveProducts = `UPDATE hc_products AS p SET title = k.title, title_key = k.title_key, description = k.description,
 kind = k.kind, state = k.state, version = k.version, updated_at = k.updated_at
 FROM {k} k WHERE p.tenant = k.tenant AND p.id = k.id AND p.version = k.version - 1`

// SaveProducts implements [catalog.Store].
func (c *Catalog) SaveProducts(ctx context.Context, products []catalog.Product) error {
	if err := c.s.enqueue(ctx, write{
		table: "hc_products", text: saveProducts, rows: int64(len(products)), rel: productRel(products), failed: catalog.ErrStale,
	}); err != nil {
		return err
	}
	return c.writeVariants(ctx, products, true)
}

func productRel(products []catalog.Product) *rel {
	type p = catalog.Product
	return newRel(len(products)).
		text("tenant", each1(products, func(v *p) string { return string(v.Tenant) })).
		uuid("id", each1(products, func(v *p) string { return string(v.ID) })).
		text("merchant", each1(products, func(v *p) string { return v.Merchant.String() })).
		text("title", each1(products, func(v *p) string { return v.Title })).
		text("title_key", each1(products, func(v *p) string { return catalog.TitleKey(v.Title) })).
		text("description", each1(products, func(v *p) string { return v.Description })).
		text("kind", each1(products, func(v *p) string { return string(v.Kind) })).
		text("state", each1(products, func(v *p) string { return string(v.State) })).
		int("version", each1(products, func(v *p) int64 { return v.Version })).
		at("created_at", each1(products, func(v *p) time.Time { return v.CreatedAt })).
		at("updated_at", each1(products, func(v *p) time.Time { return v.UpdatedAt }))
}

// variantRow is a variant with what it takes from its product, and priceRow a price.
type variantRow struct {
	product *catalog.Product
	n       int
	options json.RawMessage
	*catalog.Variant
}

type priceRow struct {
	tenant, variant string
	price           hyperlocal.Money
}

const insertVariants = `INSERT INTO hc_variants (tenant, id, product_id, n, merchant, sku, title, options, stocked,
 item, location, price_quantity, unit) SELECT k.tenant, k.id, k.product_id, k.n, k.merchant, k.sku, k.title, k.options,
 k.stocked, k.item, k.location, k.price_quantity, k.unit FROM {k} k`

const upsertVariants = insertVariants + ` WHERE true ON CONFLICT (tenant, id) DO UPDATE SET title = excluded.title,
 options = excluded.options, stocked = excluded.stocked, item = excluded.item, location = excluded.location,
 price_quantity = excluded.price_quantity, unit = excluded.unit`

const insertPrices = `INSERT INTO hc_prices (tenant, variant_id, currency, amount)
 SELECT k.tenant, k.variant_id, k.currency, k.amount FROM {k} k`

const upsertPrices = insertPrices + ` WHERE true ON CONFLICT (tenant, variant_id, currency) DO UPDATE SET amount = excluded.amount`

// A price that is not among the variant's any more goes; {k} holds the variants with their
// currencies in one text, "CNY EUR ". CROSS JOIN has SQLite look the prices up by their key,
// instead of going through all of them.
const deletePrices = `DELETE FROM hc_prices WHERE (tenant, variant_id, currency) IN
 (SELECT p.tenant, p.variant_id, p.currency FROM {k} k CROSS JOIN hc_prices AS p WHERE p.tenant = k.tenant
 AND p.variant_id = k.id AND {pg strpos}{sqlite instr}(k.currencies, p.currency) = 0)`

// writeVariants queues the variants and prices of products, which are new unless known.
func (c *Catalog) writeVariants(ctx context.Context, products []catalog.Product, known bool) error {
	var variants []variantRow
	var prices []priceRow
	for i := range products {
		p := &products[i]
		for j := range p.Variants {
			row := variantRow{product: p, n: j + 1, Variant: &p.Variants[j]}
			if len(row.Options) > 0 {
				text, err := json.Marshal(row.Options)
				if err != nil {
					return internal("store/encode", "options cannot be encoded").WithCause(err)
				}
				row.options = text
			}
			variants = append(variants, row)
			for _, m := range row.Prices {
				prices = append(prices, priceRow{string(p.Tenant), string(row.ID), m})
			}
		}
	}
	type v = variantRow
	variantText, priceText := insertVariants, insertPrices
	if known {
		variantText, priceText = upsertVariants, upsertPrices
	}
	if err := c.s.enqueue(ctx, write{table: "hc_variants", text: variantText, rows: int64(len(variants)), rel: newRel(len(variants)).
		text("tenant", each1(variants, func(r *v) string { return string(r.product.Tenant) })).
		uuid("id", each1(variants, func(r *v) string { return string(r.ID) })).
		uuid("product_id", each1(variants, func(r *v) string { return string(r.product.ID) })).
		int("n", each1(variants, func(r *v) int64 { return int64(r.n) })).
		text("merchant", each1(variants, func(r *v) string { return r.product.Merchant.String() })).
		text("sku", each1(variants, func(r *v) string { return r.SKU })).
		text("title", each1(variants, func(r *v) string { return r.Title })).
		json("options", each1(variants, func(r *v) json.RawMessage { return r.options })).
		bool("stocked", each1(variants, func(r *v) bool { return r.Stocked })).
		text("item", each1(variants, func(r *v) string { return string(r.Item) })).
		text("location", each1(variants, func(r *v) string { return string(r.Location) })).
		int("price_quantity", each1(variants, func(r *v) int64 { return r.PriceQuantity.Value() })).
		text("unit", each1(variants, func(r *v) string { return string(r.PriceQuantity.Unit()) }))}); err != nil {
		return err
	}
	if known {
		if err := c.s.enqueue(ctx, write{table: "hc_prices", text: deletePrices, rows: -1, rel: newRel(len(variants)).
			text("tenant", each1(variants, func(r *v) string { return string(r.product.Tenant) })).
			uuid("id", each1(variants, func(r *v) string { return string(r.ID) })).
			text("currencies", each1(variants, func(r *v) string { return currencies(r.Prices) }))}); err != nil {
			return err
		}
	}
	type m = priceRow
	return c.s.enqueue(ctx, write{table: "hc_prices", text: priceText, rows: int64(len(prices)), rel: newRel(len(prices)).
		text("tenant", each1(prices, func(r *m) string { return r.tenant })).
		uuid("variant_id", each1(prices, func(r *m) string { return r.variant })).
		text("currency", each1(prices, func(r *m) string { return string(r.price.Currency()) })).
		int("amount", each1(prices, func(r *m) int64 { return r.price.Amount() }))})
}

// currencies returns their codes in one text, parted so that none is found across a border.
func currencies(prices []hyperlocal.Money) string {
	var b []byte
	for _, m := range prices {
		b = append(append(b, m.Currency()...), ' ')
	}
	return string(b)
}
