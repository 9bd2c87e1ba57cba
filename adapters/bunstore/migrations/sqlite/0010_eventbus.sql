-- The order in which a relay reads its shards: by aggregate, and within one as the events
-- have to leave.
CREATE INDEX hc_outbox_waiting ON hc_outbox (shard, tenant, aggregate_kind, aggregate_id, aggregate_version, n)
    WHERE published_at IS NULL;
--split
-- The few events that keep their aggregate waiting.
CREATE INDEX hc_outbox_held ON hc_outbox (tenant, aggregate_kind, aggregate_id, aggregate_version, n)
    WHERE published_at IS NULL AND attempts > 0;
--split
CREATE INDEX hc_outbox_published ON hc_outbox (published_at) WHERE published_at IS NOT NULL;
--split
-- Which relay publishes which shard. One row per shard, for ever. No tenant: a relay serves
-- all of them.
CREATE TABLE hc_relay_shards (
    shard INTEGER NOT NULL PRIMARY KEY,
    owner TEXT    NOT NULL DEFAULT '',
    until INTEGER NOT NULL DEFAULT 0
) STRICT;
--split
WITH RECURSIVE s (shard) AS (SELECT 0 UNION ALL SELECT shard + 1 FROM s WHERE shard < 31)
INSERT INTO hc_relay_shards (shard) SELECT shard FROM s;
--split
-- The relays that run, by what they last said of themselves.
CREATE TABLE hc_relays (
    name  TEXT    NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
--split
-- Messages that a consumer could not handle yet, and those that wait behind them.
CREATE TABLE hc_parked (
    tenant            TEXT    NOT NULL,
    consumer          TEXT    NOT NULL,
    event_id          TEXT    NOT NULL,
    aggregate_kind    TEXT    NOT NULL,
    aggregate_id      TEXT    NOT NULL,
    aggregate_version INTEGER NOT NULL,
    n                 INTEGER NOT NULL,
    envelope          TEXT    NOT NULL, -- JSON
    attempts          INTEGER NOT NULL,
    due               INTEGER NOT NULL,
    last_error        TEXT    NOT NULL,
    dead              INTEGER NOT NULL,
    parked_at         INTEGER NOT NULL,
    PRIMARY KEY (tenant, consumer, event_id),
    CONSTRAINT hc_parked_attempts CHECK (attempts >= 0 AND dead IN (0, 1))
) WITHOUT ROWID, STRICT;
--split
CREATE INDEX hc_parked_waiting ON hc_parked (tenant, consumer, aggregate_kind, aggregate_id, aggregate_version, n)
    WHERE NOT dead;
--split
CREATE INDEX hc_parked_due ON hc_parked (due) WHERE NOT dead;
