-- Instants are microseconds since 1970 (UTC), truth values 0 and 1.
-- What the sandbox gateway has processed: the memory of an invented provider. It belongs to
-- no context and refers to nothing.
CREATE TABLE hc_sandbox_log (
    tenant          TEXT    NOT NULL,
    idempotency_key TEXT    NOT NULL,
    intent          TEXT    NOT NULL,
    operation       TEXT    NOT NULL,
    attempt         INTEGER NOT NULL,
    verb            TEXT    NOT NULL,
    amount          INTEGER NOT NULL,
    currency        TEXT    NOT NULL,
    method          TEXT    NOT NULL,
    payment         TEXT    NOT NULL,
    provider        TEXT    NOT NULL,
    outcome         TEXT    NOT NULL,
    class           TEXT    NOT NULL,
    code            TEXT    NOT NULL,
    fee             INTEGER,
    fee_currency    TEXT,
    ready_at        INTEGER,
    at              INTEGER NOT NULL,
    CONSTRAINT hc_sandbox_log_pkey PRIMARY KEY (tenant, idempotency_key),
    CONSTRAINT hc_sandbox_log_check CHECK (amount > 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX hc_sandbox_log_intent ON hc_sandbox_log (tenant, intent, at, idempotency_key);
