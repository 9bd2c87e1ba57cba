-- Payments. Keys lead with the tenant. References to other contexts are text without a
-- foreign key; owners have kind and id apart, because they are looked up by them.

CREATE TABLE hc_payment_intents (
    tenant     text        COLLATE "C" NOT NULL,
    id         uuid        NOT NULL,
    customer   text        COLLATE "C" NOT NULL, -- '' for a guest
    gateway    text        COLLATE "C" NOT NULL,
    currency   char(3)     NOT NULL,
    attempts   integer     NOT NULL,
    payment    text        NOT NULL, -- the gateway's reference, '' before there is one
    version    bigint      NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT hc_payment_intents_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT hc_payment_intents_version_check CHECK (version > 0 AND attempts >= 0)
) WITH (fillfactor = 80); -- an intent changes with every operation

-- Which part of an intent is meant for which owner, and what became of it. One intent may
-- pay for several owners, and one owner may be paid by several intents.
CREATE TABLE hc_payment_allocations (
    tenant     text    COLLATE "C" NOT NULL,
    intent     uuid    NOT NULL,
    n          integer NOT NULL,
    owner_kind text    COLLATE "C" NOT NULL,
    owner_id   text    COLLATE "C" NOT NULL,
    merchant   text    COLLATE "C" NOT NULL,
    amount     bigint  NOT NULL,
    charging   bigint  NOT NULL,
    authorized bigint  NOT NULL,
    claimed    bigint  NOT NULL,
    captured   bigint  NOT NULL,
    refunding  bigint  NOT NULL,
    refunded   bigint  NOT NULL,
    CONSTRAINT hc_payment_allocations_pkey PRIMARY KEY (tenant, intent, owner_kind, owner_id),
    CONSTRAINT hc_payment_allocations_intent_fkey FOREIGN KEY (tenant, intent) REFERENCES hc_payment_intents (tenant, id),
    CONSTRAINT hc_payment_allocations_amounts_check CHECK (charging >= 0 AND authorized >= 0 AND claimed >= 0
        AND captured >= 0 AND refunding >= 0 AND refunded >= 0 AND charging + authorized + captured <= amount
        AND claimed <= authorized AND refunding + refunded <= captured)
) WITH (fillfactor = 80);

-- The intents of an owner.
CREATE INDEX hc_payment_allocations_owner ON hc_payment_allocations (tenant, owner_kind, owner_id);

CREATE TABLE hc_payment_operations (
    tenant          text        COLLATE "C" NOT NULL,
    id              uuid        NOT NULL,
    intent          uuid        NOT NULL,
    owner_kind      text        COLLATE "C" NOT NULL, -- of the first share
    owner_id        text        COLLATE "C" NOT NULL,
    shares          jsonb       NOT NULL,
    verb            text        COLLATE "C" NOT NULL,
    amount          bigint      NOT NULL,
    currency        char(3)     NOT NULL,
    reference       text        COLLATE "C" NOT NULL,
    gateway         text        COLLATE "C" NOT NULL,
    method          text        NOT NULL, -- a token, never a card number
    attempt         integer     NOT NULL,
    idempotency_key text        COLLATE "C" NOT NULL,
    outcome         text        COLLATE "C" NOT NULL,
    sent            boolean     NOT NULL,
    payment         text        NOT NULL,
    provider        text        NOT NULL,
    class           text        NOT NULL,
    code            text        NOT NULL,
    retry_after     bigint      NOT NULL, -- nanoseconds
    action          text        NOT NULL,
    fee             bigint,               -- NULL: not told
    fee_currency    char(3),
    next_at         timestamptz,          -- end of the lease, or the next lookup; NULL: nothing left to do
    lookups         integer     NOT NULL,
    attention       text        NOT NULL, -- why a person has to look at it, '' for no
    actor_kind      text        NOT NULL,
    actor_id        text        NOT NULL,
    at              timestamptz NOT NULL,
    created_at      timestamptz NOT NULL,
    begun_at        timestamptz NOT NULL, -- when the present key was made
    updated_at      timestamptz NOT NULL,
    version         bigint      NOT NULL,
    CONSTRAINT hc_payment_operations_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT hc_payment_operations_reference_key UNIQUE (tenant, owner_kind, owner_id, verb, reference),
    CONSTRAINT hc_payment_operations_gateway_key UNIQUE (tenant, gateway, idempotency_key),
    CONSTRAINT hc_payment_operations_intent_fkey FOREIGN KEY (tenant, intent) REFERENCES hc_payment_intents (tenant, id),
    CONSTRAINT hc_payment_operations_check CHECK (amount > 0 AND version > 0 AND outcome <> '' AND verb <> ''
        AND (fee IS NULL) = (fee_currency IS NULL) AND fee >= 0)
) WITH (fillfactor = 80); -- begun, then settled

-- The janitor takes what is due; settled operations are not in it.
CREATE INDEX hc_payment_operations_due ON hc_payment_operations (next_at) WHERE next_at IS NOT NULL;
-- Lists: of the tenant, of an intent; what a person has to look at.
CREATE INDEX hc_payment_operations_created ON hc_payment_operations (tenant, created_at, id);
CREATE INDEX hc_payment_operations_intent ON hc_payment_operations (tenant, intent);
CREATE INDEX hc_payment_operations_attention ON hc_payment_operations (tenant, created_at, id) WHERE attention <> '';

-- Money that came in and went back, by operation and owner. Rows are never changed; the
-- totals of the allocations are their sums.
CREATE TABLE hc_payment_captures (
    tenant     text        COLLATE "C" NOT NULL,
    operation  uuid        NOT NULL,
    owner_kind text        COLLATE "C" NOT NULL,
    owner_id   text        COLLATE "C" NOT NULL,
    intent     uuid        NOT NULL,
    amount     bigint      NOT NULL,
    currency   char(3)     NOT NULL,
    provider   text        NOT NULL,
    at         timestamptz NOT NULL,
    CONSTRAINT hc_payment_captures_pkey PRIMARY KEY (tenant, operation, owner_kind, owner_id),
    CONSTRAINT hc_payment_captures_operation_fkey FOREIGN KEY (tenant, operation) REFERENCES hc_payment_operations (tenant, id),
    CONSTRAINT hc_payment_captures_amount_check CHECK (amount > 0)
);
CREATE INDEX hc_payment_captures_intent ON hc_payment_captures (tenant, intent);

CREATE TABLE hc_payment_refunds (
    tenant     text        COLLATE "C" NOT NULL,
    operation  uuid        NOT NULL,
    owner_kind text        COLLATE "C" NOT NULL,
    owner_id   text        COLLATE "C" NOT NULL,
    intent     uuid        NOT NULL,
    amount     bigint      NOT NULL,
    currency   char(3)     NOT NULL,
    provider   text        NOT NULL,
    at         timestamptz NOT NULL,
    CONSTRAINT hc_payment_refunds_pkey PRIMARY KEY (tenant, operation, owner_kind, owner_id),
    CONSTRAINT hc_payment_refunds_operation_fkey FOREIGN KEY (tenant, operation) REFERENCES hc_payment_operations (tenant, id),
    CONSTRAINT hc_payment_refunds_amount_check CHECK (amount > 0)
);
CREATE INDEX hc_payment_refunds_intent ON hc_payment_refunds (tenant, intent);

-- What providers sent, as they sent it.
CREATE TABLE hc_payment_webhooks (
    tenant       text        COLLATE "C" NOT NULL,
    gateway      text        COLLATE "C" NOT NULL,
    event        text        COLLATE "C" NOT NULL, -- the provider's id
    body         bytea       NOT NULL,
    notice       jsonb       NOT NULL, -- what the body says, read once it was proved genuine
    state        text        COLLATE "C" NOT NULL,
    reason       text        NOT NULL,
    operation    uuid,
    attempts     integer     NOT NULL,
    next_at      timestamptz,
    received_at  timestamptz NOT NULL,
    processed_at timestamptz,
    CONSTRAINT hc_payment_webhooks_pkey PRIMARY KEY (tenant, gateway, event),
    CONSTRAINT hc_payment_webhooks_check CHECK (state <> '' AND attempts >= 0)
);
-- What is to be processed; what is to be shown.
CREATE INDEX hc_payment_webhooks_due ON hc_payment_webhooks (next_at) WHERE state = 'pending';
CREATE INDEX hc_payment_webhooks_received ON hc_payment_webhooks (tenant, received_at, gateway, event);
CREATE INDEX hc_payment_webhooks_state ON hc_payment_webhooks (tenant, state) WHERE state IN ('pending', 'mismatch', 'failed');
