-- Events on their way out. A row is written in the transaction of the change it tells of and
-- published by a relay. Within an aggregate the order is (aggregate_version, n).
CREATE TABLE hc_outbox (
    tenant            text COLLATE "C" NOT NULL,
    aggregate_kind    text COLLATE "C" NOT NULL,
    aggregate_id      text COLLATE "C" NOT NULL,
    aggregate_version bigint      NOT NULL,
    n                 integer     NOT NULL,
    id                uuid        NOT NULL,
    shard             smallint    NOT NULL, -- hash of the partition key, 0 to 31
    name              text        NOT NULL,
    version           integer     NOT NULL,
    occurred_at       timestamptz NOT NULL,
    correlation       text        NOT NULL,
    causation         text        NOT NULL,
    actor_kind        text        NOT NULL,
    actor_id          text        NOT NULL,
    trace_parent      text        NOT NULL,
    payload           text        NOT NULL, -- JSON, byte for byte as it was encoded
    next_try_at       timestamptz NOT NULL,
    attempts          integer     NOT NULL DEFAULT 0,
    last_error        text,
    published_at      timestamptz,
    PRIMARY KEY (tenant, aggregate_kind, aggregate_id, aggregate_version, n)
);
--split
-- Which events a consumer has handled.
CREATE TABLE hc_inbox (
    tenant   text COLLATE "C" NOT NULL,
    consumer text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    seen_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, consumer, event_id)
);
--split
-- Events for later.
CREATE TABLE hc_schedules (
    tenant   text COLLATE "C" NOT NULL,
    key      text COLLATE "C" NOT NULL,
    due      timestamptz NOT NULL,
    envelope text        NOT NULL, -- JSON
    PRIMARY KEY (tenant, key)
);
--split
CREATE INDEX hc_schedules_due ON hc_schedules (due);
--split
-- Results of commands under their callers' keys.
CREATE TABLE hc_idempotency (
    tenant      text COLLATE "C" NOT NULL,
    caller      text COLLATE "C" NOT NULL,
    route       text COLLATE "C" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    fingerprint text        NOT NULL,
    result      json, -- NULL until the command has succeeded
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, caller, route, key)
);
--split
CREATE INDEX hc_idempotency_created ON hc_idempotency (created_at);
