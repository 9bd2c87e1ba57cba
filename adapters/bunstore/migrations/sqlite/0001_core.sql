-- Events on their way out. A row is written in the transaction of the change it tells of and
-- published by a relay. Within an aggregate the order is (aggregate_version, n).
CREATE TABLE hc_outbox (
    tenant            TEXT    NOT NULL,
    aggregate_kind    TEXT    NOT NULL,
    aggregate_id      TEXT    NOT NULL,
    aggregate_version INTEGER NOT NULL,
    n                 INTEGER NOT NULL,
    id                TEXT    NOT NULL,
    shard             INTEGER NOT NULL, -- hash of the partition key, 0 to 31
    name              TEXT    NOT NULL,
    version           INTEGER NOT NULL,
    occurred_at       INTEGER NOT NULL, -- microseconds since 1970, as all instants
    correlation       TEXT    NOT NULL,
    causation         TEXT    NOT NULL,
    actor_kind        TEXT    NOT NULL,
    actor_id          TEXT    NOT NULL,
    trace_parent      TEXT    NOT NULL,
    payload           TEXT    NOT NULL, -- JSON, byte for byte as it was encoded
    next_try_at       INTEGER NOT NULL,
    attempts          INTEGER NOT NULL DEFAULT 0,
    last_error        TEXT,
    published_at      INTEGER,
    PRIMARY KEY (tenant, aggregate_kind, aggregate_id, aggregate_version, n)
) WITHOUT ROWID, STRICT;
--split
-- Which events a consumer has handled.
CREATE TABLE hc_inbox (
    tenant   TEXT    NOT NULL,
    consumer TEXT    NOT NULL,
    event_id TEXT    NOT NULL,
    seen_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant, consumer, event_id)
) WITHOUT ROWID, STRICT;
--split
-- Events for later.
CREATE TABLE hc_schedules (
    tenant   TEXT    NOT NULL,
    key      TEXT    NOT NULL,
    due      INTEGER NOT NULL,
    envelope TEXT    NOT NULL, -- JSON
    PRIMARY KEY (tenant, key)
) WITHOUT ROWID, STRICT;
--split
CREATE INDEX hc_schedules_due ON hc_schedules (due);
--split
-- Results of commands under their callers' keys.
CREATE TABLE hc_idempotency (
    tenant      TEXT    NOT NULL,
    caller      TEXT    NOT NULL,
    route       TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    result      TEXT, -- JSON; NULL until the command has succeeded
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant, caller, route, key)
) WITHOUT ROWID, STRICT;
--split
CREATE INDEX hc_idempotency_created ON hc_idempotency (created_at);
