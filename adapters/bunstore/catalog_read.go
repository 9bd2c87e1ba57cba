package bunstore

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
)

const getShops = `SELECT ` + shopColumns + ` FROM hc_shops AS s JOIN {k} k ON s.tenant = k.tenant AND s.merchant = k.merchant`

// Shops implements [catalog.Reader].
func (c *Catalog) Shops(ctx context.Context, tenant hyperlocal.TenantID, merchants ...hyperlocal.Ref) ([]catalog.Shop, error) {
	merchants = unique(merchants)
	var out []catalog.Shop
	err := c.s.query(ctx, getShops, newRel(len(merchants)).text("tenant", repeat(string(tenant), len(merchants))).
		text("merchant", each1(merchants, func(m *hyperlocal.Ref) string { return m.String() })), nil,
		func(rows row) error { return scanShop(rows, &out) })
	return out, err
}

// unique returns the values once each, in the order in which they first occur.
func unique[T comparable](in []T) []T {
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

// ListShops implements [catalog.Reader]. It takes one statement.
func (c *Catalog) ListShops(ctx context.Context, tenant hyperlocal.TenantID, f catalog.ShopFilter, p hyperlocal.PageRequest) (hyperlocal.Page[catalog.Shop], error) {
	var page hyperlocal.Page[catalog.Shop]
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	filter := []any{"shops", tenant, f}
	key, err := hyperlocal.DecodeCursor(filter, p.Cursor, 2)
	if err != nil {
		return page, err
	}
	var q conditions
	q.add(`SELECT `+shopColumns+` FROM hc_shops AS s WHERE s.tenant = %s`, string(tenant))
	if f.OnlyOpen {
		q.add(` AND s.is_open = %s`, c.s.flag(true))
	}
	if key != nil {
		q.add(` AND (s.name_key, s.merchant) > (%s, %s)`, key[0], key[1])
	}
	q.add(` ORDER BY s.name_key, s.merchant LIMIT %s`, int64(size+1))
	err = c.s.query(ctx, q.text, nil, q.args, func(rows row) error { return scanShop(rows, &page.Items) })
	if err != nil {
		return hyperlocal.Page[catalog.Shop]{}, err
	}
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		last := &page.Items[size-1]
		page.Next, err = hyperlocal.EncodeCursor(filter, catalog.TitleKey(last.Name), last.Merchant.String())
	}
	return page, err
}

const productColumns = `p.tenant, p.id, p.merchant, p.title, p.description, p.kind, p.state, p.version, p.created_at, p.updated_at`

func scanProduct(rows row, to *[]catalog.Product) error {
	var v catalog.Product
	var merchant string
	if err := rows.Scan(&v.Tenant, &v.ID, &merchant, &v.Title, &v.Description, &v.Kind, &v.State, &v.Version,
		instant{&v.CreatedAt}, instant{&v.UpdatedAt}); err != nil {
		return err
	}
	var err error
	v.Merchant, err = hyperlocal.ParseRef(merchant)
	*to = append(*to, v)
	return err
}

const getProducts = `SELECT ` + productColumns + ` FROM {k} k CROSS JOIN hc_products AS p
 WHERE p.tenant = k.tenant AND p.id = k.id`

// Products implements [catalog.Reader].
func (c *Catalog) Products(ctx context.Context, tenant hyperlocal.TenantID, ids ...catalog.ProductID) ([]catalog.Product, error) {
	ids = unique(ids)
	return c.products(ctx, getProducts, newRel(len(ids)).text("tenant", repeat(string(tenant), len(ids))).
		uuid("id", each1(ids, func(id *catalog.ProductID) string { return string(*id) })), nil)
}

// SQLite knows nothing of how rows spread and takes every index that leads with the tenant
// for a good one, so the statements of this file that read a batch tell it how: CROSS JOIN
// keeps the order of the tables, and INDEXED BY names the index.

const productsBySKU = `SELECT ` + productColumns + ` FROM hc_products AS p WHERE p.tenant = $1 AND p.id IN
 (SELECT v.product_id FROM {k} k CROSS JOIN hc_variants AS v {sqlite INDEXED BY hc_variants_sku}
 WHERE v.tenant = $1 AND v.merchant = $2 AND v.sku = k.sku)`

// ProductsBySKU implements [catalog.Reader].
func (c *Catalog) ProductsBySKU(ctx context.Context, tenant hyperlocal.TenantID, merchant hyperlocal.Ref, skus ...string) ([]catalog.Product, error) {
	return c.products(ctx, productsBySKU, newRel(len(skus)).text("sku", skus), []any{string(tenant), merchant.String()})
}

// products reads heads, and then their variants and prices.
func (c *Catalog) products(ctx context.Context, text string, r *rel, args []any) ([]catalog.Product, error) {
	var out []catalog.Product
	err := c.s.query(ctx, text, r, args, func(rows row) error { return scanProduct(rows, &out) })
	if err != nil {
		return nil, err
	}
	if err := c.fill(ctx, out); err != nil {
		return nil, err
	}
	return out, nil
}

const variantColumns = `v.id, v.product_id, v.sku, v.title, v.options, v.stocked, v.item, v.location, v.price_quantity, v.unit`

func scanVariant(rows row, v *catalog.Variant, more ...any) error {
	var options json.RawMessage
	var price int64
	var unit string
	into := []any{&v.ID, &v.Product, &v.SKU, &v.Title, document{&options}, &v.Stocked, &v.Item, &v.Location, &price, &unit}
	if err := rows.Scan(append(into, more...)...); err != nil {
		return err
	}
	if options != nil {
		if err := json.Unmarshal(options, &v.Options); err != nil {
			return internal("store/decode", "stored options cannot be decoded").WithCause(err)
		}
	}
	var err error
	v.PriceQuantity, err = hyperlocal.NewQuantity(price, hyperlocal.Unit(unit))
	return err
}

const variantsOf = `SELECT ` + variantColumns + ` FROM {k} k CROSS JOIN hc_variants AS v {sqlite INDEXED BY hc_variants_place}
 WHERE v.tenant = k.tenant AND v.product_id = k.id ORDER BY v.product_id, v.n`

const pricesOf = `SELECT v.product_id, m.variant_id, m.currency, m.amount FROM {k} k
 CROSS JOIN hc_variants AS v {sqlite INDEXED BY hc_variants_place} CROSS JOIN hc_prices AS m
 WHERE v.tenant = k.tenant AND v.product_id = k.id AND m.tenant = v.tenant AND m.variant_id = v.id ORDER BY m.variant_id, m.currency`

// fill reads the variants and prices of products, in two statements.
func (c *Catalog) fill(ctx context.Context, products []catalog.Product) error {
	at := make(map[catalog.ProductID]*catalog.Product, len(products))
	for i := range products {
		at[products[i].ID] = &products[i]
	}
	r := newRel(len(products)).
		text("tenant", each1(products, func(p *catalog.Product) string { return string(p.Tenant) })).
		uuid("id", each1(products, func(p *catalog.Product) string { return string(p.ID) }))
	err := c.s.query(ctx, variantsOf, r, nil, func(rows row) error {
		var v catalog.Variant
		if err := scanVariant(rows, &v); err != nil {
			return err
		}
		p := at[v.Product]
		p.Variants = append(p.Variants, v)
		return nil
	})
	if err != nil {
		return err
	}
	return c.s.query(ctx, pricesOf, r, nil, func(rows row) error {
		var product catalog.ProductID
		var variant catalog.VariantID
		var currency hyperlocal.Currency
		var amount int64
		if err := rows.Scan(&product, &variant, &currency, &amount); err != nil {
			return err
		}
		m, err := hyperlocal.NewMoney(amount, currency)
		if err != nil {
			return err
		}
		for i := range at[product].Variants {
			if v := &at[product].Variants[i]; v.ID == variant {
				v.Prices = append(v.Prices, m)
			}
		}
		return nil
	})
}

// ListProducts implements [catalog.Reader]. It takes three statements.
func (c *Catalog) ListProducts(ctx context.Context, tenant hyperlocal.TenantID, f catalog.Filter, p hyperlocal.PageRequest) (hyperlocal.Page[catalog.Product], error) {
	var page hyperlocal.Page[catalog.Product]
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	filter := []any{"products", tenant, f}
	key, err := hyperlocal.DecodeCursor(filter, p.Cursor, 2)
	if err != nil {
		return page, err
	}
	var q conditions
	q.add(`SELECT `+productColumns+` FROM hc_products AS p WHERE p.tenant = %s`, string(tenant))
	if !f.Merchant.IsZero() {
		q.add(` AND p.merchant = %s`, f.Merchant.String())
	}
	if f.State != "" {
		q.add(` AND p.state = %s`, string(f.State))
	}
	if prefix := catalog.TitleKey(f.TitlePrefix); prefix != "" {
		q.add(` AND p.title_key >= %s AND p.title_key < %s`, prefix, catalog.TitleKeyEnd(prefix))
	}
	if key != nil {
		if !hyperlocal.ValidID(key[1]) {
			return page, hyperlocal.ErrCursor
		}
		q.add(` AND (p.title_key, p.id) > (%s, {pg CAST(}%s{pg  AS uuid)})`, key[0], key[1])
	}
	q.add(` ORDER BY p.title_key, p.id LIMIT %s`, int64(size+1))
	var items []catalog.Product
	err = c.s.query(ctx, q.text, nil, q.args, func(rows row) error { return scanProduct(rows, &items) })
	if err != nil {
		return page, err
	}
	if len(items) > size {
		items = items[:size]
		last := &items[size-1]
		if page.Next, err = hyperlocal.EncodeCursor(filter, catalog.TitleKey(last.Title), string(last.ID)); err != nil {
			return hyperlocal.Page[catalog.Product]{}, err
		}
	}
	if err := c.fill(ctx, items); err != nil {
		return hyperlocal.Page[catalog.Product]{}, err
	}
	page.Items = items
	return page, nil
}

// The product is found by its id; by its merchant, the planner could find all that he has first.
const sellables = `SELECT ` + variantColumns + `, p.title, p.kind, p.state, s.is_open, s.currency, m.amount
 FROM {k} k CROSS JOIN hc_variants AS v CROSS JOIN hc_products AS p CROSS JOIN hc_shops AS s
 LEFT JOIN hc_prices AS m ON m.tenant = v.tenant AND m.variant_id = v.id AND m.currency = s.currency
 WHERE v.tenant = $1 AND v.id = k.id AND p.tenant = $1 AND p.id = v.product_id AND p.merchant || '' = $2
 AND s.tenant = $1 AND s.merchant = $2`

// Sellables implements [catalog.Reader].
func (c *Catalog) Sellables(ctx context.Context, tenant hyperlocal.TenantID, merchant hyperlocal.Ref, variants ...catalog.VariantID) ([]catalog.Sellable, error) {
	variants = unique(variants)
	var out []catalog.Sellable
	err := c.s.query(ctx, sellables, newRel(len(variants)).
		uuid("id", each1(variants, func(id *catalog.VariantID) string { return string(*id) })),
		[]any{string(tenant), merchant.String()},
		func(rows row) error {
			var s catalog.Sellable
			var amount sql.NullInt64
			err := scanVariant(rows, &s.Variant, &s.Title, &s.Kind, &s.State, &s.Open, &s.Currency, &amount)
			if err != nil {
				return err
			}
			if s.Priced = amount.Valid; s.Priced {
				if s.Price, err = hyperlocal.NewMoney(amount.Int64, s.Currency); err != nil {
					return err
				}
			}
			out = append(out, s)
			return nil
		})
	return out, err
}
