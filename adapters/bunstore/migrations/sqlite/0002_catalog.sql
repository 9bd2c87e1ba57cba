-- Instants are microseconds since 1970 (UTC), truth values 0 and 1.
-- Shops, products, variants and prices. Keys lead with the tenant; whoever changes products
-- holds the lock on the row of their shop.

CREATE TABLE hc_shops (
    tenant     TEXT    NOT NULL,
    merchant   TEXT    NOT NULL, -- "merchant/<id>"
    name       TEXT    NOT NULL,
    name_key   TEXT    NOT NULL, -- name, case folded
    currency   TEXT    NOT NULL,
    location   TEXT    NOT NULL,
    is_open    INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CONSTRAINT hc_shops_pkey PRIMARY KEY (tenant, merchant),
    CONSTRAINT hc_shops_check CHECK (version > 0 AND name <> '' AND location <> '')
) STRICT, WITHOUT ROWID;

CREATE INDEX hc_shops_name ON hc_shops (tenant, name_key, merchant);

CREATE TABLE hc_products (
    tenant      TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    merchant    TEXT    NOT NULL,
    title       TEXT    NOT NULL,
    title_key   TEXT    NOT NULL, -- title, case folded and cut
    description TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    CONSTRAINT hc_products_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT hc_products_check CHECK (version > 0 AND title <> '' AND kind <> ''
        AND state IN ('draft', 'active', 'archived'))
) STRICT, WITHOUT ROWID;

-- Lists by title: of the tenant, of a merchant.
CREATE INDEX hc_products_title ON hc_products (tenant, title_key, id);
CREATE INDEX hc_products_merchant ON hc_products (tenant, merchant, title_key, id);

CREATE TABLE hc_variants (
    tenant         TEXT    NOT NULL,
    id             TEXT    NOT NULL,
    product_id     TEXT    NOT NULL,
    n              INTEGER NOT NULL, -- place within the product
    merchant       TEXT    NOT NULL, -- the product's, for the SKU
    sku            TEXT    NOT NULL,
    title          TEXT    NOT NULL,
    options        TEXT,
    stocked        INTEGER NOT NULL,
    item           TEXT    NOT NULL,
    location       TEXT    NOT NULL,
    price_quantity INTEGER NOT NULL,
    unit           TEXT    NOT NULL,
    CONSTRAINT hc_variants_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT hc_variants_product_fkey FOREIGN KEY (tenant, product_id) REFERENCES hc_products (tenant, id) ON DELETE CASCADE,
    CONSTRAINT hc_variants_check CHECK (n > 0 AND sku <> '' AND price_quantity > 0
        AND stocked = (item <> '') AND stocked = (location <> ''))
) STRICT, WITHOUT ROWID;

-- Constraints on PostgreSQL; here indexes, whose names a statement can ask for.
CREATE UNIQUE INDEX hc_variants_place ON hc_variants (tenant, product_id, n);
CREATE UNIQUE INDEX hc_variants_sku ON hc_variants (tenant, merchant, sku);

CREATE TABLE hc_prices (
    tenant     TEXT    NOT NULL,
    variant_id TEXT    NOT NULL,
    currency   TEXT    NOT NULL,
    amount     INTEGER NOT NULL, -- minor units, for the variant's price quantity
    CONSTRAINT hc_prices_pkey PRIMARY KEY (tenant, variant_id, currency),
    CONSTRAINT hc_prices_variant_fkey FOREIGN KEY (tenant, variant_id) REFERENCES hc_variants (tenant, id) ON DELETE CASCADE,
    CONSTRAINT hc_prices_check CHECK (amount >= 0)
) STRICT, WITHOUT ROWID;
