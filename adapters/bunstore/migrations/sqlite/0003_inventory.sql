-- Instants are microseconds since 1970 (UTC).
-- Inventory. Keys lead with the tenant; names of items, locations and owners are compared
-- byte by byte.

-- The unit of an item is the same at every location and never changes.
CREATE TABLE hc_stock_items (
    tenant             TEXT    NOT NULL,
    item               TEXT    NOT NULL,
    unit               TEXT    NOT NULL,
    CONSTRAINT hc_stock_items_pkey PRIMARY KEY (tenant, item),
    CONSTRAINT hc_stock_items_unit_key UNIQUE (tenant, item, unit)
) STRICT, WITHOUT ROWID;

CREATE TABLE hc_stock_levels (
    tenant             TEXT    NOT NULL,
    item               TEXT    NOT NULL,
    location           TEXT    NOT NULL,
    unit               TEXT    NOT NULL,
    mode               TEXT    NOT NULL,
    on_hand            INTEGER NOT NULL, -- negative is what is owed
    reserved           INTEGER NOT NULL,
    backorder_limit    INTEGER NOT NULL,
    low_at             INTEGER, -- NULL: no threshold
    version            INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    CONSTRAINT hc_stock_levels_pkey PRIMARY KEY (tenant, item, location),
    CONSTRAINT hc_stock_levels_unit_fkey FOREIGN KEY (tenant, item, unit) REFERENCES hc_stock_items (tenant, item, unit),
    CONSTRAINT hc_stock_levels_mode_check CHECK (mode IN ('none', 'track_only', 'reserve_on_order', 'reserve_on_cart')),
    CONSTRAINT hc_stock_levels_reserved_check CHECK (reserved >= 0),
    CONSTRAINT hc_stock_levels_cover_check CHECK (mode IN ('none', 'track_only') OR on_hand - reserved + backorder_limit >= 0),
    CONSTRAINT hc_stock_levels_range_check CHECK (on_hand BETWEEN -1000000000000000 AND 1000000000000000
        AND reserved <= 1000000000000000 AND backorder_limit BETWEEN 0 AND 1000000000000000),
    CONSTRAINT hc_stock_levels_version_check CHECK (version > 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX hc_stock_levels_location ON hc_stock_levels (tenant, location, item);

-- Open reservations only: what was committed, released or has expired is deleted, and its
-- movements tell the story.
CREATE TABLE hc_stock_reservations (
    tenant             TEXT    NOT NULL,
    owner_kind         TEXT    NOT NULL,
    owner_id           TEXT    NOT NULL,
    id                 TEXT    NOT NULL,
    item               TEXT    NOT NULL,
    location           TEXT    NOT NULL,
    unit               TEXT    NOT NULL,
    quantity           INTEGER NOT NULL,
    expires_at         INTEGER, -- NULL: ends only by command
    created_at         INTEGER NOT NULL,
    CONSTRAINT hc_stock_reservations_pkey PRIMARY KEY (tenant, owner_kind, owner_id, id),
    CONSTRAINT hc_stock_reservations_check CHECK (quantity > 0 AND owner_kind <> '' AND owner_id <> '')
) STRICT, WITHOUT ROWID;
CREATE INDEX hc_stock_reservations_due ON hc_stock_reservations (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE hc_stock_movements (
    tenant             TEXT    NOT NULL,
    id                 TEXT    NOT NULL,
    item               TEXT    NOT NULL,
    location           TEXT    NOT NULL,
    kind               TEXT    NOT NULL,
    unit               TEXT    NOT NULL,
    on_hand            INTEGER NOT NULL,
    reserved           INTEGER NOT NULL,
    owner_kind         TEXT    NOT NULL, -- '' for none
    owner_id           TEXT    NOT NULL,
    external_source    TEXT,
    external_reference TEXT,
    return_reference   TEXT,
    n                  INTEGER NOT NULL,
    reason             TEXT    NOT NULL,
    actor_kind         TEXT    NOT NULL,
    actor_id           TEXT    NOT NULL,
    at                 INTEGER NOT NULL,
    recorded_at        INTEGER NOT NULL,
    CONSTRAINT hc_stock_movements_pkey PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX hc_stock_movements_level ON hc_stock_movements (tenant, item, location, id);
-- Imports find what they have recorded before; kept for ever.
CREATE UNIQUE INDEX hc_stock_movements_external_key ON hc_stock_movements (tenant, external_source, external_reference, n)
    WHERE external_reference IS NOT NULL;
CREATE UNIQUE INDEX hc_stock_movements_return_key ON hc_stock_movements (tenant, owner_kind, owner_id, return_reference, n)
    WHERE return_reference IS NOT NULL;

-- What has been recorded stays as it is.
CREATE TRIGGER hc_stock_movements_keep_update BEFORE UPDATE ON hc_stock_movements
BEGIN
    SELECT RAISE(ABORT, 'hc_stock_movements_keep');
END;
CREATE TRIGGER hc_stock_movements_keep_delete BEFORE DELETE ON hc_stock_movements
BEGIN
    SELECT RAISE(ABORT, 'hc_stock_movements_keep');
END;
