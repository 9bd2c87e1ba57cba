-- What moved through a gateway, as its statements name it, and by time.
CREATE INDEX hc_payment_operations_provider ON hc_payment_operations (tenant, gateway, provider)
    WHERE outcome = 'succeeded' AND provider <> '';

CREATE INDEX hc_payment_operations_moved ON hc_payment_operations (tenant, gateway, at, id) WHERE outcome = 'succeeded';

-- Statements of providers that were imported, each told by the digest of its bytes.
CREATE TABLE hc_reconcile_runs (
    tenant          TEXT    NOT NULL,
    id              TEXT    NOT NULL,
    source          TEXT    NOT NULL, -- the gateway
    account         TEXT    NOT NULL, -- at the provider
    digest          TEXT    NOT NULL, -- SHA-256, hexadecimal
    size            INTEGER NOT NULL, -- bytes
    from_at         INTEGER,          -- NULL: the statement does not claim to be complete
    until_at        INTEGER,
    phase           TEXT    NOT NULL,
    lines           INTEGER NOT NULL, -- loaded
    place           INTEGER NOT NULL, -- last line that the phase has dealt with
    swept_at        INTEGER,          -- key of the last of our rows that was looked for
    swept           TEXT    NOT NULL,
    problem         TEXT    NOT NULL, -- why it stopped, '' for no
    actor_kind      TEXT    NOT NULL,
    actor_id        TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    finished_at     INTEGER,
    version         INTEGER NOT NULL,
    CONSTRAINT hc_reconcile_runs_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT hc_reconcile_runs_file_key UNIQUE (tenant, source, account, digest),
    CONSTRAINT hc_reconcile_runs_check CHECK (version > 0 AND lines >= 0 AND place >= 0 AND size >= 0 AND phase <> '')
) STRICT, WITHOUT ROWID;

CREATE INDEX hc_reconcile_runs_created ON hc_reconcile_runs (tenant, created_at, id);

CREATE TABLE hc_reconcile_lines (
    tenant             TEXT    NOT NULL,
    run                TEXT    NOT NULL,
    n                  INTEGER NOT NULL, -- line in the file, from 1
    line_id            TEXT    NOT NULL, -- the provider's
    kind               TEXT    NOT NULL,
    payment            TEXT    NOT NULL, -- what binds lines together, '' for nothing
    refs               TEXT    NOT NULL, -- a JSON array, most specific first
    gross              INTEGER NOT NULL,
    fee                INTEGER NOT NULL,
    net                INTEGER NOT NULL,
    currency           TEXT    NOT NULL,
    presented          INTEGER, -- what the shopper paid, in another currency
    presented_currency TEXT,
    at                 INTEGER NOT NULL,
    outcome            TEXT    NOT NULL, -- '' before it is decided
    strategy           TEXT    NOT NULL,
    reason             TEXT    NOT NULL,
    set_of             INTEGER NOT NULL, -- first line of those that were matched together
    operation          TEXT,
    CONSTRAINT hc_reconcile_lines_pkey PRIMARY KEY (tenant, run, n),
    CONSTRAINT hc_reconcile_lines_run_fkey FOREIGN KEY (tenant, run) REFERENCES hc_reconcile_runs (tenant, id),
    CONSTRAINT hc_reconcile_lines_check CHECK (gross - fee = net AND n > 0
        AND (presented IS NULL) = (presented_currency IS NULL))
) STRICT, WITHOUT ROWID;

-- The lines of one payment; those that were seen before.
CREATE INDEX hc_reconcile_lines_payment ON hc_reconcile_lines (tenant, run, payment, n);

CREATE INDEX hc_reconcile_lines_id ON hc_reconcile_lines (tenant, line_id, run, n);

-- Which operation of ours is settled by which line. Once, whatever the run.
CREATE TABLE hc_reconcile_claims (
    tenant          TEXT    NOT NULL,
    operation       TEXT    NOT NULL,
    run             TEXT    NOT NULL,
    line            INTEGER NOT NULL, -- 0: a person settled it
    CONSTRAINT hc_reconcile_claims_pkey PRIMARY KEY (tenant, operation),
    CONSTRAINT hc_reconcile_claims_run_fkey FOREIGN KEY (tenant, run) REFERENCES hc_reconcile_runs (tenant, id)
) STRICT, WITHOUT ROWID;

-- What does not match, and what became of it.
CREATE TABLE hc_reconcile_differences (
    tenant           TEXT    NOT NULL,
    id               TEXT    NOT NULL,
    run              TEXT    NOT NULL,
    source           TEXT    NOT NULL,
    account          TEXT    NOT NULL,
    reason           TEXT    NOT NULL,
    line             INTEGER NOT NULL, -- 0: none
    kind             TEXT    NOT NULL,
    reference        TEXT    NOT NULL, -- by which a person finds it at the provider
    operation        TEXT,
    theirs           INTEGER,
    theirs_currency  TEXT,
    ours             INTEGER,
    ours_currency    TEXT,
    entries          TEXT    NOT NULL, -- what was posted, a JSON array
    since            INTEGER NOT NULL, -- when the money moved
    opened_at        INTEGER NOT NULL,
    resolved_at      INTEGER,
    resolved_kind    TEXT    NOT NULL, -- of the actor, '' while it is open
    resolved_by      TEXT    NOT NULL,
    resolved_to      TEXT    NOT NULL, -- account that the money was moved to, '' for a reversal
    note             TEXT    NOT NULL,
    CONSTRAINT hc_reconcile_differences_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT hc_reconcile_differences_run_fkey FOREIGN KEY (tenant, run) REFERENCES hc_reconcile_runs (tenant, id),
    CONSTRAINT hc_reconcile_differences_check CHECK ((theirs IS NULL) = (theirs_currency IS NULL)
        AND (ours IS NULL) = (ours_currency IS NULL) AND (theirs IS NOT NULL OR ours IS NOT NULL)
        AND (resolved_at IS NULL) = (resolved_kind = ''))
) STRICT;

-- An operation is found to be missing once.
CREATE UNIQUE INDEX hc_reconcile_differences_missing ON hc_reconcile_differences (tenant, operation)
    WHERE reason = 'missing_at_provider';

CREATE INDEX hc_reconcile_differences_run ON hc_reconcile_differences (tenant, run, since, id);

CREATE INDEX hc_reconcile_differences_since ON hc_reconcile_differences (tenant, since, id);

CREATE INDEX hc_reconcile_differences_open ON hc_reconcile_differences (tenant, since, id) WHERE resolved_at IS NULL;
