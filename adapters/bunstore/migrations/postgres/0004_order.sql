-- Orders. Keys lead with the tenant. References to other contexts are text ("kind/id")
-- without a foreign key: contexts share a database by choice, not by schema.

CREATE TABLE hc_orders (
    tenant             text        COLLATE "C" NOT NULL,
    id                 uuid        NOT NULL,
    number             text        COLLATE "C" NOT NULL,
    merchant           text        COLLATE "C" NOT NULL,
    channel            text        NOT NULL,
    group_id           text        COLLATE "C" NOT NULL,
    external_source    text        COLLATE "C",
    external_reference text        COLLATE "C",
    customer           text        COLLATE "C", -- NULL for a guest
    currency           char(3)     NOT NULL,
    fulfilment         text        NOT NULL,
    state              text        NOT NULL,
    payment_status     text        NOT NULL,
    version            bigint      NOT NULL,
    lines_total        bigint      NOT NULL,
    total              bigint      NOT NULL,
    authorized         bigint      NOT NULL,
    captured           bigint      NOT NULL,
    refunded           bigint      NOT NULL,
    requested_from     timestamptz,
    requested_to       timestamptz,
    time_zone          text        NOT NULL,
    locale             text        NOT NULL,
    custom             jsonb,
    placed_at          timestamptz NOT NULL,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    next_action        text        NOT NULL,
    next_action_at     timestamptz,
    attempts           integer     NOT NULL,
    resume_state       text        NOT NULL,
    fingerprint        text        NOT NULL,
    pay_gateway        text        NOT NULL, -- how the shopper last chose to pay; cleared by erasure
    pay_method         text        NOT NULL,
    pay_authorize      boolean     NOT NULL,
    adjustment_count   integer     NOT NULL, -- spares the read of adjustments that most orders do not have
    spent              jsonb, -- [{kind, ref, amount}], read and written whole; NULL for nothing
    CONSTRAINT hc_orders_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT hc_orders_number_key UNIQUE (tenant, number),
    CONSTRAINT hc_orders_version_check CHECK (version > 0),
    CONSTRAINT hc_orders_state_check CHECK (state <> '' AND payment_status <> ''), -- hosts add states of their own
    CONSTRAINT hc_orders_money_check CHECK (total >= 0 AND lines_total >= 0 AND authorized >= 0
        AND captured >= 0 AND refunded >= 0 AND refunded <= captured)
) WITH (fillfactor = 80); -- an order changes half a dozen times

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
    tenant         text    COLLATE "C" NOT NULL,
    order_id       uuid    NOT NULL,
    n              integer NOT NULL,
    kind           text    NOT NULL,
    parent         integer NOT NULL, -- n of the parent line, 0 for none
    group_id       text    NOT NULL,
    variant        text    COLLATE "C" NOT NULL,
    code           text    COLLATE "C" NOT NULL,
    item           text    COLLATE "C" NOT NULL, -- '' when not stocked
    location       text    COLLATE "C" NOT NULL,
    title          text    NOT NULL,
    options        jsonb,
    quantity       bigint  NOT NULL,
    unit           text    NOT NULL,
    unit_price     bigint  NOT NULL,
    price_quantity bigint  NOT NULL,
    amount         bigint  NOT NULL,
    returned       bigint  NOT NULL,
    custom         jsonb,
    CONSTRAINT hc_order_lines_pkey PRIMARY KEY (tenant, order_id, n),
    CONSTRAINT hc_order_lines_check CHECK (n > 0 AND quantity > 0 AND price_quantity > 0 AND unit_price >= 0
        AND amount >= 0 AND returned >= 0 AND returned <= quantity)
);

CREATE TABLE hc_order_adjustments (
    tenant   text    COLLATE "C" NOT NULL,
    order_id uuid    NOT NULL,
    n        integer NOT NULL,
    line     integer NOT NULL, -- 0 for the whole order
    kind     text    NOT NULL,
    amount   bigint  NOT NULL,
    included boolean NOT NULL,
    source   text    NOT NULL,
    title    text    NOT NULL,
    funding  jsonb, -- [{party, amount}], read and written whole
    CONSTRAINT hc_order_adjustments_pkey PRIMARY KEY (tenant, order_id, n),
    CONSTRAINT hc_order_adjustments_order_fkey FOREIGN KEY (tenant, order_id) REFERENCES hc_orders (tenant, id) ON DELETE CASCADE
);

-- All that is personal about an order, so that one DELETE erases it.
CREATE TABLE hc_order_contacts (
    tenant   text COLLATE "C" NOT NULL,
    order_id uuid NOT NULL,
    note     text NOT NULL,
    contact  jsonb, -- NULL when only a note was given
    CONSTRAINT hc_order_contacts_pkey PRIMARY KEY (tenant, order_id),
    CONSTRAINT hc_order_contacts_order_fkey FOREIGN KEY (tenant, order_id) REFERENCES hc_orders (tenant, id) ON DELETE CASCADE
);

CREATE TABLE hc_order_history (
    tenant     text        COLLATE "C" NOT NULL,
    order_id   uuid        NOT NULL,
    version    bigint      NOT NULL,
    n          integer     NOT NULL,
    id         uuid        NOT NULL,
    machine    text        COLLATE "C" NOT NULL,
    trigger    text        NOT NULL,
    from_state text        NOT NULL,
    to_state   text        NOT NULL,
    reason     text        NOT NULL,
    actor_kind text        NOT NULL,
    actor_id   text        NOT NULL,
    at         timestamptz NOT NULL,
    CONSTRAINT hc_order_history_pkey PRIMARY KEY (tenant, order_id, version, n)
);

CREATE TABLE hc_credits (
    tenant             text        COLLATE "C" NOT NULL,
    id                 uuid        NOT NULL,
    external_source    text        COLLATE "C",
    external_reference text        COLLATE "C",
    merchant           text        COLLATE "C" NOT NULL,
    customer           text        COLLATE "C",
    currency           char(3)     NOT NULL,
    note_amount        bigint      NOT NULL,
    total              bigint      NOT NULL,
    reason             text        NOT NULL,
    effective_at       timestamptz NOT NULL,
    created_at         timestamptz NOT NULL,
    fingerprint        text        NOT NULL,
    CONSTRAINT hc_credits_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT hc_credits_money_check CHECK (note_amount >= 0 AND total >= note_amount)
);
CREATE UNIQUE INDEX hc_credits_external_key ON hc_credits (tenant, external_source, external_reference)
    WHERE external_reference IS NOT NULL;

CREATE TABLE hc_refunds (
    tenant         text        COLLATE "C" NOT NULL,
    id             uuid        NOT NULL,
    order_id       uuid        NOT NULL,
    credit_id      uuid,
    currency       char(3)     NOT NULL,
    amount         bigint      NOT NULL,
    state          text        NOT NULL,
    reason         text        NOT NULL,
    items          jsonb, -- [{line, quantity, restock}], read and written whole
    operation      uuid,
    version        bigint      NOT NULL,
    attempts       integer     NOT NULL,
    next_action_at timestamptz,
    created_at     timestamptz NOT NULL,
    effective_at   timestamptz NOT NULL,
    CONSTRAINT hc_refunds_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT hc_refunds_order_fkey FOREIGN KEY (tenant, order_id) REFERENCES hc_orders (tenant, id),
    CONSTRAINT hc_refunds_check CHECK (amount >= 0 AND version > 0 AND state <> '')
);
CREATE INDEX hc_refunds_order ON hc_refunds (tenant, order_id);
CREATE INDEX hc_refunds_credit ON hc_refunds (tenant, credit_id) WHERE credit_id IS NOT NULL;
CREATE INDEX hc_refunds_due ON hc_refunds (next_action_at) WHERE next_action_at IS NOT NULL;
