-- Shops, products, variants and prices. Keys lead with the tenant; whoever changes products
-- holds the lock on the row of their shop.

CREATE TABLE hc_shops (
    tenant     text        COLLATE "C" NOT NULL,
    merchant   text        COLLATE "C" NOT NULL, -- "merchant/<id>"
    name       text        NOT NULL,
    name_key   text        COLLATE "C" NOT NULL, -- name, case folded
    currency   char(3)     NOT NULL,
    location   text        COLLATE "C" NOT NULL,
    is_open    boolean     NOT NULL,
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT hc_shops_pkey PRIMARY KEY (tenant, merchant),
    CONSTRAINT hc_shops_check CHECK (version > 0 AND name <> '' AND location <> '')
);

CREATE INDEX hc_shops_name ON hc_shops (tenant, name_key, merchant);

CREATE TABLE hc_products (
    tenant      text        COLLATE "C" NOT NULL,
    id          uuid        NOT NULL,
    merchant    text        COLLATE "C" NOT NULL,
    title       text        NOT NULL,
    title_key   text        COLLATE "C" NOT NULL, -- title, case folded and cut
    description text        NOT NULL,
    kind        text        NOT NULL,
    state       text        NOT NULL,
    version     bigint      NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    CONSTRAINT hc_products_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT hc_products_check CHECK (version > 0 AND title <> '' AND kind <> ''
        AND state IN ('draft', 'active', 'archived'))
);

-- Lists by title: of the tenant, of a merchant.
CREATE INDEX hc_products_title ON hc_products (tenant, title_key, id);
CREATE INDEX hc_products_merchant ON hc_products (tenant, merchant, title_key, id);

CREATE TABLE hc_variants (
    tenant         text    COLLATE "C" NOT NULL,
    id             uuid    NOT NULL,
    product_id     uuid    NOT NULL,
    n              integer NOT NULL, -- place within the product
    merchant       text    COLLATE "C" NOT NULL, -- the product's, for the SKU
    sku            text    COLLATE "C" NOT NULL,
    title          text    NOT NULL,
    options        jsonb,
    stocked        boolean NOT NULL,
    item           text    COLLATE "C" NOT NULL,
    location       text    COLLATE "C" NOT NULL,
    price_quantity bigint  NOT NULL,
    unit           text    NOT NULL,
    CONSTRAINT hc_variants_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT hc_variants_place_key UNIQUE (tenant, product_id, n),
    CONSTRAINT hc_variants_sku_key UNIQUE (tenant, merchant, sku),
    CONSTRAINT hc_variants_product_fkey FOREIGN KEY (tenant, product_id) REFERENCES hc_products (tenant, id) ON DELETE CASCADE,
    CONSTRAINT hc_variants_check CHECK (n > 0 AND sku <> '' AND price_quantity > 0
        AND stocked = (item <> '') AND stocked = (location <> ''))
);

CREATE TABLE hc_prices (
    tenant     text    COLLATE "C" NOT NULL,
    variant_id uuid    NOT NULL,
    currency   char(3) NOT NULL,
    amount     bigint  NOT NULL, -- minor units, for the variant's price quantity
    CONSTRAINT hc_prices_pkey PRIMARY KEY (tenant, variant_id, currency),
    CONSTRAINT hc_prices_variant_fkey FOREIGN KEY (tenant, variant_id) REFERENCES hc_variants (tenant, id) ON DELETE CASCADE,
    CONSTRAINT hc_prices_check CHECK (amount >= 0)
);
