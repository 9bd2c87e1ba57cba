-- Instants are microseconds since 1970 (UTC), truth values 0 and 1.
-- Payments. Keys lead with the tenant. References to other contexts are text without a
-- foreign key; owners have kind and id apart, because they are looked up by them.

CREATE TABLE hc_payment_intents (
    tenant          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    customer        TEXT    NOT NULL, -- '' for a guest
    gateway         TEXT    NOT NULL,
    currency        TEXT    NOT NULL,
    attempts        INTEGER NOT NULL,
    payment         TEXT    NOT NULL, -- the gateway's reference, '' before there is one
    version         INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    CONSTRAINT hc_payment_intents_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT hc_payment_intents_version_check CHECK (version > 0 AND attempts >= 0)
) STRICT, WITHOUT ROWID; -- an intent changes with every operation

-- Which part of an intent is meant for which owner, and what became of it. One intent may
-- pay for several owners, and one owner may be paid by several intents.
CREATE TABLE hc_payment_allocations (
    tenant          TEXT    NOT NULL,
    intent          TEXT    NOT NULL,
    n               INTEGER NOT NULL,
    owner_kind      TEXT    NOT NULL,
    owner_id        TEXT    NOT NULL,
    merchant        TEXT    NOT NULL,
    amount          INTEGER NOT NULL,
    charging        INTEGER NOT NULL,
    authorized      INTEGER NOT NULL,
    claimed         INTEGER NOT NULL,
    captured        INTEGER NOT NULL,
    refunding       INTEGER NOT NULL,
    refunded        INTEGER NOT NULL,
    CONSTRAINT hc_payment_allocations_pkey PRIMARY KEY (tenant, intent, owner_kind, owner_id),
    CONSTRAINT hc_payment_allocations_intent_fkey FOREIGN KEY (tenant, intent) REFERENCES hc_payment_intents (tenant, id),
    CONSTRAINT hc_payment_allocations_amounts_check CHECK (charging >= 0 AND authorized >= 0 AND claimed >= 0
        AND captured >= 0 AND refunding >= 0 AND refunded >= 0 AND charging + authorized + captured <= amount
        AND claimed <= authorized AND refunding + refunded <= captured)
) STRICT, WITHOUT ROWID;

-- The intents of an owner.
CREATE INDEX hc_payment_allocations_owner ON hc_payment_allocations (tenant, owner_kind, owner_id);

CREATE TABLE hc_payment_operations (
    tenant          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    intent          TEXT    NOT NULL,
    owner_kind      TEXT    NOT NULL, -- of the first share
    owner_id        TEXT    NOT NULL,
    shares          TEXT    NOT NULL,
    verb            TEXT    NOT NULL,
    amount          INTEGER NOT NULL,
    currency        TEXT    NOT NULL,
    reference       TEXT    NOT NULL,
    gateway         TEXT    NOT NULL,
    method          TEXT    NOT NULL, -- a token, never a card number
    attempt         INTEGER NOT NULL,
    idempotency_key TEXT    NOT NULL,
    outcome         TEXT    NOT NULL,
    sent            INTEGER NOT NULL,
    payment         TEXT    NOT NULL,
    provider        TEXT    NOT NULL,
    class           TEXT    NOT NULL,
    code            TEXT    NOT NULL,
    retry_after     INTEGER NOT NULL, -- nanoseconds
    action          TEXT    NOT NULL,
    fee             INTEGER, -- NULL: not told
    fee_currency    TEXT,
    next_at         INTEGER, -- end of the lease, or the next lookup; NULL: nothing left to do
    lookups         INTEGER NOT NULL,
    attention       TEXT    NOT NULL, -- why a person has to look at it, '' for no
    actor_kind      TEXT    NOT NULL,
    actor_id        TEXT    NOT NULL,
    at              INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    begun_at        INTEGER NOT NULL, -- when the present key was made
    updated_at      INTEGER NOT NULL,
    version         INTEGER NOT NULL,
    CONSTRAINT hc_payment_operations_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT hc_payment_operations_reference_key UNIQUE (tenant, owner_kind, owner_id, verb, reference),
    CONSTRAINT hc_payment_operations_gateway_key UNIQUE (tenant, gateway, idempotency_key),
    CONSTRAINT hc_payment_operations_intent_fkey FOREIGN KEY (tenant, intent) REFERENCES hc_payment_intents (tenant, id),
    CONSTRAINT hc_payment_operations_check CHECK (amount > 0 AND version > 0 AND outcome <> '' AND verb <> ''
        AND (fee IS NULL) = (fee_currency IS NULL) AND fee >= 0)
) STRICT, WITHOUT ROWID; -- begun, then settled

-- The janitor takes what is due; settled operations are not in it.
CREATE INDEX hc_payment_operations_due ON hc_payment_operations (next_at) WHERE next_at IS NOT NULL;
-- Lists: of the tenant, of an intent; what a person has to look at.
CREATE INDEX hc_payment_operations_created ON hc_payment_operations (tenant, created_at, id);
CREATE INDEX hc_payment_operations_intent ON hc_payment_operations (tenant, intent);
CREATE INDEX hc_payment_operations_attention ON hc_payment_operations (tenant, created_at, id) WHERE attention <> '';

-- Money that came in and went back, by operation and owner. Rows are never changed; the
-- totals of the allocations are their sums.
CREATE TABLE hc_payment_captures (
    tenant          TEXT    NOT NULL,
    operation       TEXT    NOT NULL,
    owner_kind      TEXT    NOT NULL,
    owner_id        TEXT    NOT NULL,
    intent          TEXT    NOT NULL,
    amount          INTEGER NOT NULL,
    currency        TEXT    NOT NULL,
    provider        TEXT    NOT NULL,
    at              INTEGER NOT NULL,
    CONSTRAINT hc_payment_captures_pkey PRIMARY KEY (tenant, operation, owner_kind, owner_id),
    CONSTRAINT hc_payment_captures_operation_fkey FOREIGN KEY (tenant, operation) REFERENCES hc_payment_operations (tenant, id),
    CONSTRAINT hc_payment_captures_amount_check CHECK (amount > 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX hc_payment_captures_intent ON hc_payment_captures (tenant, intent);

CREATE TABLE hc_payment_refunds (
    tenant          TEXT    NOT NULL,
    operation       TEXT    NOT NULL,
    owner_kind      TEXT    NOT NULL,
    owner_id        TEXT    NOT NULL,
    intent          TEXT    NOT NULL,
    amount          INTEGER NOT NULL,
    currency        TEXT    NOT NULL,
    provider        TEXT    NOT NULL,
    at              INTEGER NOT NULL,
    CONSTRAINT hc_payment_refunds_pkey PRIMARY KEY (tenant, operation, owner_kind, owner_id),
    CONSTRAINT hc_payment_refunds_operation_fkey FOREIGN KEY (tenant, operation) REFERENCES hc_payment_operations (tenant, id),
    CONSTRAINT hc_payment_refunds_amount_check CHECK (amount > 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX hc_payment_refunds_intent ON hc_payment_refunds (tenant, intent);

-- What providers sent, as they sent it.
CREATE TABLE hc_payment_webhooks (
    tenant          TEXT    NOT NULL,
    gateway         TEXT    NOT NULL,
    event           TEXT    NOT NULL, -- the provider's id
    body            BLOB    NOT NULL,
    notice          TEXT    NOT NULL, -- what the body says, read once it was proved genuine
    state           TEXT    NOT NULL,
    reason          TEXT    NOT NULL,
    operation       TEXT,
    attempts        INTEGER NOT NULL,
    next_at         INTEGER,
    received_at     INTEGER NOT NULL,
    processed_at    INTEGER,
    CONSTRAINT hc_payment_webhooks_pkey PRIMARY KEY (tenant, gateway, event),
    CONSTRAINT hc_payment_webhooks_check CHECK (state <> '' AND attempts >= 0)
) STRICT;
-- What is to be processed; what is to be shown.
CREATE INDEX hc_payment_webhooks_due ON hc_payment_webhooks (next_at) WHERE state = 'pending';
CREATE INDEX hc_payment_webhooks_received ON hc_payment_webhooks (tenant, received_at, gateway, event);
CREATE INDEX hc_payment_webhooks_state ON hc_payment_webhooks (tenant, state) WHERE state IN ('pending', 'mismatch', 'failed');
