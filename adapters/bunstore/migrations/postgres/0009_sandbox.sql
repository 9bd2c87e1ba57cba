-- What the sandbox gateway has processed: the memory of an invented provider. It belongs to
-- no context and refers to nothing.
CREATE TABLE hc_sandbox_log (
    tenant          text        COLLATE "C" NOT NULL,
    idempotency_key text        COLLATE "C" NOT NULL,
    intent          text        COLLATE "C" NOT NULL,
    operation       text        COLLATE "C" NOT NULL,
    attempt         integer     NOT NULL,
    verb            text        COLLATE "C" NOT NULL,
    amount          bigint      NOT NULL,
    currency        char(3)     NOT NULL,
    method          text        NOT NULL,
    payment         text        COLLATE "C" NOT NULL,
    provider        text        COLLATE "C" NOT NULL,
    outcome         text        COLLATE "C" NOT NULL,
    class           text        NOT NULL,
    code            text        NOT NULL,
    fee             bigint,
    fee_currency    char(3),
    ready_at        timestamptz,
    at              timestamptz NOT NULL,
    CONSTRAINT hc_sandbox_log_pkey PRIMARY KEY (tenant, idempotency_key),
    CONSTRAINT hc_sandbox_log_check CHECK (amount > 0)
);
CREATE INDEX hc_sandbox_log_intent ON hc_sandbox_log (tenant, intent, at, idempotency_key);
