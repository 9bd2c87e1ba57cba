-- Instants are microseconds since 1970 (UTC), truth values 0 and 1.
-- Orders. Keys lead with the tenant. References to other contexts are text ("kind/id")
-- without a foreign key: contexts share a database by choice, not by schema.

CREATE TABLE hc_orders (
    tenant              TEXT    NOT NULL,
    id                  TEXT    NOT NULL,
    number              TEXT    NOT NULL,
    merchant            TEXT    NOT NULL,
    channel             TEXT    NOT NULL,
    group_id            TEXT    NOT NULL,
    external_source     TEXT,
    external_reference  TEXT,
    customer            TEXT, -- NULL for a guest
    currency            TEXT    NOT NULL,
    fulfilment          TEXT    NOT NULL,
    state               TEXT    NOT NULL,
    payment_status      TEXT    NOT NULL,
    version             INTEGER NOT NULL,
    lines_total         INTEGER NOT NULL,
    total               INTEGER NOT NULL,
    authorized          INTEGER NOT NULL,
    captured            INTEGER NOT NULL,
    refunded            INTEGER NOT NULL,
    requested_from      INTEGER,
    requested_to        INTEGER,
    time_zone           TEXT    NOT NULL,
    locale              TEXT    NOT NULL,
    custom              TEXT,
    placed_at           INTEGER NOT NULL,
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL,
    next_action         TEXT    NOT NULL,
    next_action_at      INTEGER,
    attempts            INTEGER NOT NULL,
    resume_state        TEXT    NOT NULL,
    fingerprint         TEXT    NOT NULL,
    pay_gateway         TEXT    NOT NULL, -- how the shopper last chose to pay; cleared by erasure
    pay_method          TEXT    NOT NULL,
    pay_authorize       INTEGER NOT NULL,
    adjustment_count    INTEGER NOT NULL, -- spares the read of adjustments that most orders do not have
    spent               TEXT, -- [{kind, ref, amount}], read and written whole; NULL for nothing
    CONSTRAINT hc_orders_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT hc_orders_number_key UNIQUE (tenant, number),
    CONSTRAINT hc_orders_version_check CHECK (version > 0),
    CONSTRAINT hc_orders_state_check CHECK (state <> '' AND payment_status <> ''), -- hosts add states of their own
    CONSTRAINT hc_orders_money_check CHECK (total >= 0 AND lines_total >= 0 AND authorized >= 0
        AND captured >= 0 AND refunded >= 0 AND refunded <= captured)
) STRICT, WITHOUT ROWID;

-- An import finds what it has placed before.
CREATE UNIQUE INDEX hc_orders_external_key ON hc_orders (tenant, external_source, external_reference)
    WHERE external_reference IS NOT NULL;
-- The worker claims what is due; orders that are over are not in it.
CREATE INDEX hc_orders_due ON hc_orders (next_action_at) WHERE next_action_at IS NOT NULL;
-- Lists, newest first: of the tenant, of a merchant, of a customer.
CREATE INDEX hc_orders_placed ON hc_orders (tenant, placed_at, id);
CREATE INDEX hc_orders_merchant ON hc_orders (tenant, merchant, placed_at, id);
CREATE INDEX hc_orders_customer ON hc_orders (tenant, customer, placed_at, id) WHERE customer IS NOT NULL;

-- Lines and history are only ever written in the transaction of their order, and orders are not
-- deleted: a foreign key would look every row up again. The audit does so instead.
CREATE TABLE hc_order_lines (
    tenant              TEXT    NOT NULL,
    order_id            TEXT    NOT NULL,
    n                   INTEGER NOT NULL,
    kind                TEXT    NOT NULL,
    parent              INTEGER NOT NULL, -- n of the parent line, 0 for none
    group_id            TEXT    NOT NULL,
    variant             TEXT    NOT NULL,
    code                TEXT    NOT NULL,
    item                TEXT    NOT NULL, -- '' when not stocked
    location            TEXT    NOT NULL,
    title               TEXT    NOT NULL,
    options             TEXT,
    quantity            INTEGER NOT NULL,
    unit                TEXT    NOT NULL,
    unit_price          INTEGER NOT NULL,
    price_quantity      INTEGER NOT NULL,
    amount              INTEGER NOT NULL,
    returned            INTEGER NOT NULL,
    custom              TEXT,
    CONSTRAINT hc_order_lines_pkey PRIMARY KEY (tenant, order_id, n),
    CONSTRAINT hc_order_lines_check CHECK (n > 0 AND quantity > 0 AND price_quantity > 0 AND unit_price >= 0
        AND amount >= 0 AND returned >= 0 AND returned <= quantity)
) STRICT, WITHOUT ROWID;

CREATE TABLE hc_order_adjustments (
    tenant              TEXT    NOT NULL,
    order_id            TEXT    NOT NULL,
    n                   INTEGER NOT NULL,
    line                INTEGER NOT NULL, -- 0 for the whole order
    kind                TEXT    NOT NULL,
    amount              INTEGER NOT NULL,
    included            INTEGER NOT NULL,
    source              TEXT    NOT NULL,
    title               TEXT    NOT NULL,
    funding             TEXT, -- [{party, amount}], read and written whole
    CONSTRAINT hc_order_adjustments_pkey PRIMARY KEY (tenant, order_id, n),
    CONSTRAINT hc_order_adjustments_order_fkey FOREIGN KEY (tenant, order_id) REFERENCES hc_orders (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- All that is personal about an order, so that one DELETE erases it.
CREATE TABLE hc_order_contacts (
    tenant              TEXT    NOT NULL,
    order_id            TEXT    NOT NULL,
    note                TEXT    NOT NULL,
    contact             TEXT, -- NULL when only a note was given
    CONSTRAINT hc_order_contacts_pkey PRIMARY KEY (tenant, order_id),
    CONSTRAINT hc_order_contacts_order_fkey FOREIGN KEY (tenant, order_id) REFERENCES hc_orders (tenant, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE hc_order_history (
    tenant              TEXT    NOT NULL,
    order_id            TEXT    NOT NULL,
    version             INTEGER NOT NULL,
    n                   INTEGER NOT NULL,
    id                  TEXT    NOT NULL,
    machine             TEXT    NOT NULL,
    trigger             TEXT    NOT NULL,
    from_state          TEXT    NOT NULL,
    to_state            TEXT    NOT NULL,
    reason              TEXT    NOT NULL,
    actor_kind          TEXT    NOT NULL,
    actor_id            TEXT    NOT NULL,
    at                  INTEGER NOT NULL,
    CONSTRAINT hc_order_history_pkey PRIMARY KEY (tenant, order_id, version, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE hc_credits (
    tenant              TEXT    NOT NULL,
    id                  TEXT    NOT NULL,
    external_source     TEXT,
    external_reference  TEXT,
    merchant            TEXT    NOT NULL,
    customer            TEXT,
    currency            TEXT    NOT NULL,
    note_amount         INTEGER NOT NULL,
    total               INTEGER NOT NULL,
    reason              TEXT    NOT NULL,
    effective_at        INTEGER NOT NULL,
    created_at          INTEGER NOT NULL,
    fingerprint         TEXT    NOT NULL,
    CONSTRAINT hc_credits_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT hc_credits_money_check CHECK (note_amount >= 0 AND total >= note_amount)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX hc_credits_external_key ON hc_credits (tenant, external_source, external_reference)
    WHERE external_reference IS NOT NULL;

CREATE TABLE hc_refunds (
    tenant              TEXT    NOT NULL,
    id                  TEXT    NOT NULL,
    order_id            TEXT    NOT NULL,
    credit_id           TEXT,
    currency            TEXT    NOT NULL,
    amount              INTEGER NOT NULL,
    state               TEXT    NOT NULL,
    reason              TEXT    NOT NULL,
    items               TEXT, -- [{line, quantity, restock}], read and written whole
    operation           TEXT,
    version             INTEGER NOT NULL,
    attempts            INTEGER NOT NULL,
    next_action_at      INTEGER,
    created_at          INTEGER NOT NULL,
    effective_at        INTEGER NOT NULL,
    CONSTRAINT hc_refunds_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT hc_refunds_order_fkey FOREIGN KEY (tenant, order_id) REFERENCES hc_orders (tenant, id),
    CONSTRAINT hc_refunds_check CHECK (amount >= 0 AND version > 0 AND state <> '')
) STRICT, WITHOUT ROWID;
CREATE INDEX hc_refunds_order ON hc_refunds (tenant, order_id);
CREATE INDEX hc_refunds_credit ON hc_refunds (tenant, credit_id) WHERE credit_id IS NOT NULL;
CREATE INDEX hc_refunds_due ON hc_refunds (next_action_at) WHERE next_action_at IS NOT NULL;
