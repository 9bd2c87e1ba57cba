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
-- Which relay publishes which shard. One row per shard, for ever; they are locked together
-- while relays divide them. No tenant: a relay serves all of them.
CREATE TABLE hc_relay_shards (
    shard smallint    NOT NULL PRIMARY KEY,
    owner text        NOT NULL DEFAULT '',
    until timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00'
);
--split
INSERT INTO hc_relay_shards (shard) SELECT generate_series(0, 31);
--split
-- The relays that run, by what they last said of themselves.
CREATE TABLE hc_relays (
    name  text COLLATE "C" NOT NULL PRIMARY KEY,
    until timestamptz NOT NULL
);
--split
-- Messages that a consumer could not handle yet, and those that wait behind them.
CREATE TABLE hc_parked (
    tenant            text COLLATE "C" NOT NULL,
    consumer          text COLLATE "C" NOT NULL,
    event_id          text COLLATE "C" NOT NULL,
    aggregate_kind    text COLLATE "C" NOT NULL,
    aggregate_id      text COLLATE "C" NOT NULL,
    aggregate_version bigint      NOT NULL,
    n                 integer     NOT NULL,
    envelope          text        NOT NULL, -- JSON
    attempts          integer     NOT NULL,
    due               timestamptz NOT NULL,
    last_error        text        NOT NULL,
    dead              boolean     NOT NULL,
    parked_at         timestamptz NOT NULL,
    PRIMARY KEY (tenant, consumer, event_id),
    CONSTRAINT hc_parked_attempts CHECK (attempts >= 0)
);
--split
CREATE INDEX hc_parked_waiting ON hc_parked (tenant, consumer, aggregate_kind, aggregate_id, aggregate_version, n)
    WHERE NOT dead;
--split
CREATE INDEX hc_parked_due ON hc_parked (due) WHERE NOT dead;
