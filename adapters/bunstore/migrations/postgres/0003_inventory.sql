-- Inventory. Keys lead with the tenant; names of items, locations and owners are compared
-- byte by byte.

-- The unit of an item is the same at every location and never changes.
CREATE TABLE hc_stock_items (
    tenant text COLLATE "C" NOT NULL,
    item   text COLLATE "C" NOT NULL,
    unit   text COLLATE "C" NOT NULL,
    CONSTRAINT hc_stock_items_pkey PRIMARY KEY (tenant, item),
    CONSTRAINT hc_stock_items_unit_key UNIQUE (tenant, item, unit)
);

CREATE TABLE hc_stock_levels (
    tenant          text        COLLATE "C" NOT NULL,
    item            text        COLLATE "C" NOT NULL,
    location        text        COLLATE "C" NOT NULL,
    unit            text        COLLATE "C" NOT NULL,
    mode            text        NOT NULL,
    on_hand         bigint      NOT NULL, -- negative is what is owed
    reserved        bigint      NOT NULL,
    backorder_limit bigint      NOT NULL,
    low_at          bigint, -- NULL: no threshold
    version         bigint      NOT NULL,
    updated_at      timestamptz NOT NULL,
    CONSTRAINT hc_stock_levels_pkey PRIMARY KEY (tenant, item, location),
    CONSTRAINT hc_stock_levels_unit_fkey FOREIGN KEY (tenant, item, unit) REFERENCES hc_stock_items (tenant, item, unit),
    CONSTRAINT hc_stock_levels_mode_check CHECK (mode IN ('none', 'track_only', 'reserve_on_order', 'reserve_on_cart')),
    CONSTRAINT hc_stock_levels_reserved_check CHECK (reserved >= 0),
    CONSTRAINT hc_stock_levels_cover_check CHECK (mode IN ('none', 'track_only') OR on_hand - reserved + backorder_limit >= 0),
    CONSTRAINT hc_stock_levels_range_check CHECK (on_hand BETWEEN -1000000000000000 AND 1000000000000000
        AND reserved <= 1000000000000000 AND backorder_limit BETWEEN 0 AND 1000000000000000),
    CONSTRAINT hc_stock_levels_version_check CHECK (version > 0)
) WITH (fillfactor = 50); -- few rows that change all the time; no index holds what changes
CREATE INDEX hc_stock_levels_location ON hc_stock_levels (tenant, location, item);

-- Open reservations only: what was committed, released or has expired is deleted, and its
-- movements tell the story.
CREATE TABLE hc_stock_reservations (
    tenant     text        COLLATE "C" NOT NULL,
    owner_kind text        COLLATE "C" NOT NULL,
    owner_id   text        COLLATE "C" NOT NULL,
    id         uuid        NOT NULL,
    item       text        COLLATE "C" NOT NULL,
    location   text        COLLATE "C" NOT NULL,
    unit       text        NOT NULL,
    quantity   bigint      NOT NULL,
    expires_at timestamptz, -- NULL: ends only by command
    created_at timestamptz NOT NULL,
    CONSTRAINT hc_stock_reservations_pkey PRIMARY KEY (tenant, owner_kind, owner_id, id),
    CONSTRAINT hc_stock_reservations_check CHECK (quantity > 0 AND owner_kind <> '' AND owner_id <> '')
);
CREATE INDEX hc_stock_reservations_due ON hc_stock_reservations (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE hc_stock_movements (
    tenant             text        COLLATE "C" NOT NULL,
    id                 uuid        NOT NULL,
    item               text        COLLATE "C" NOT NULL,
    location           text        COLLATE "C" NOT NULL,
    kind               text        NOT NULL,
    unit               text        NOT NULL,
    on_hand            bigint      NOT NULL,
    reserved           bigint      NOT NULL,
    owner_kind         text        COLLATE "C" NOT NULL, -- '' for none
    owner_id           text        COLLATE "C" NOT NULL,
    external_source    text        COLLATE "C",
    external_reference text        COLLATE "C",
    return_reference   text        COLLATE "C",
    n                  integer     NOT NULL,
    reason             text        NOT NULL,
    actor_kind         text        NOT NULL,
    actor_id           text        NOT NULL,
    at                 timestamptz NOT NULL,
    recorded_at        timestamptz NOT NULL,
    CONSTRAINT hc_stock_movements_pkey PRIMARY KEY (tenant, id)
);
CREATE INDEX hc_stock_movements_level ON hc_stock_movements (tenant, item, location, id);
-- Imports find what they have recorded before; kept for ever.
CREATE UNIQUE INDEX hc_stock_movements_external_key ON hc_stock_movements (tenant, external_source, external_reference, n)
    WHERE external_reference IS NOT NULL;
CREATE UNIQUE INDEX hc_stock_movements_return_key ON hc_stock_movements (tenant, owner_kind, owner_id, return_reference, n)
    WHERE return_reference IS NOT NULL;

-- What has been recorded stays as it is.
CREATE FUNCTION hc_stock_movements_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'stock movements are only ever appended' USING ERRCODE = '23001', CONSTRAINT = 'hc_stock_movements_keep';
END
$$;
CREATE TRIGGER hc_stock_movements_keep BEFORE UPDATE OR DELETE ON hc_stock_movements
    FOR EACH ROW EXECUTE FUNCTION hc_stock_movements_keep();
