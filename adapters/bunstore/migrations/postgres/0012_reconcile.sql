-- What moved through a gateway, as its statements name it, and by time.
CREATE INDEX hc_payment_operations_provider ON hc_payment_operations (tenant, gateway, provider)
    WHERE outcome = 'succeeded' AND provider <> '';

CREATE INDEX hc_payment_operations_moved ON hc_payment_operations (tenant, gateway, at, id) WHERE outcome = 'succeeded';

-- Statements of providers that were imported, each told by the digest of its bytes.
CREATE TABLE hc_reconcile_runs (
    tenant             text COLLATE "C" NOT NULL,
    id                 uuid             NOT NULL,
    source             text COLLATE "C" NOT NULL, -- the gateway
    account            text COLLATE "C" NOT NULL, -- at the provider
    digest             text COLLATE "C" NOT NULL, -- SHA-256, hexadecimal
    size               bigint           NOT NULL, -- bytes
    from_at            timestamptz,          -- NULL: the statement does not claim to be complete
    until_at           timestamptz,
    phase              text COLLATE "C" NOT NULL,
    lines              bigint           NOT NULL, -- loaded
    place              bigint           NOT NULL, -- last line that the phase has dealt with
    swept_at           timestamptz,          -- key of the last of our rows that was looked for
    swept              text COLLATE "C" NOT NULL,
    problem            text             NOT NULL, -- why it stopped, '' for no
    actor_kind         text             NOT NULL,
    actor_id           text             NOT NULL,
    created_at         timestamptz      NOT NULL,
    updated_at         timestamptz      NOT NULL,
    finished_at        timestamptz,
    version            bigint           NOT NULL,
    CONSTRAINT hc_reconcile_runs_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT hc_reconcile_runs_file_key UNIQUE (tenant, source, account, digest),
    CONSTRAINT hc_reconcile_runs_check CHECK (version > 0 AND lines >= 0 AND place >= 0 AND size >= 0 AND phase <> '')
);

CREATE INDEX hc_reconcile_runs_created ON hc_reconcile_runs (tenant, created_at, id);

CREATE TABLE hc_reconcile_lines (
    tenant             text COLLATE "C" NOT NULL,
    run                uuid             NOT NULL,
    n                  bigint           NOT NULL, -- line in the file, from 1
    line_id            text COLLATE "C" NOT NULL, -- the provider's
    kind               text COLLATE "C" NOT NULL,
    payment            text COLLATE "C" NOT NULL, -- what binds lines together, '' for nothing
    refs               jsonb            NOT NULL, -- a JSON array, most specific first
    gross              bigint           NOT NULL,
    fee                bigint           NOT NULL,
    net                bigint           NOT NULL,
    currency           char(3)          NOT NULL,
    presented          bigint, -- what the shopper paid, in another currency
    presented_currency char(3),
    at                 timestamptz      NOT NULL,
    outcome            text COLLATE "C" NOT NULL, -- '' before it is decided
    strategy           text             NOT NULL,
    reason             text COLLATE "C" NOT NULL,
    set_of             bigint           NOT NULL, -- first line of those that were matched together
    operation          uuid,
    CONSTRAINT hc_reconcile_lines_pkey PRIMARY KEY (tenant, run, n),
    CONSTRAINT hc_reconcile_lines_run_fkey FOREIGN KEY (tenant, run) REFERENCES hc_reconcile_runs (tenant, id),
    CONSTRAINT hc_reconcile_lines_check CHECK (gross - fee = net AND n > 0
        AND (presented IS NULL) = (presented_currency IS NULL))
);

-- The lines of one payment; those that were seen before.
CREATE INDEX hc_reconcile_lines_payment ON hc_reconcile_lines (tenant, run, payment, n);

CREATE INDEX hc_reconcile_lines_id ON hc_reconcile_lines (tenant, line_id, run, n);

-- Which operation of ours is settled by which line. Once, whatever the run.
CREATE TABLE hc_reconcile_claims (
    tenant             text COLLATE "C" NOT NULL,
    operation          uuid             NOT NULL,
    run                uuid             NOT NULL,
    line               bigint           NOT NULL, -- 0: a person settled it
    CONSTRAINT hc_reconcile_claims_pkey PRIMARY KEY (tenant, operation),
    CONSTRAINT hc_reconcile_claims_run_fkey FOREIGN KEY (tenant, run) REFERENCES hc_reconcile_runs (tenant, id)
);

-- What does not match, and what became of it.
CREATE TABLE hc_reconcile_differences (
    tenant             text COLLATE "C" NOT NULL,
    id                 uuid             NOT NULL,
    run                uuid             NOT NULL,
    source             text COLLATE "C" NOT NULL,
    account            text COLLATE "C" NOT NULL,
    reason             text COLLATE "C" NOT NULL,
    line               bigint           NOT NULL, -- 0: none
    kind               text COLLATE "C" NOT NULL,
    reference          text             NOT NULL, -- by which a person finds it at the provider
    operation          uuid,
    theirs             bigint,
    theirs_currency    char(3),
    ours               bigint,
    ours_currency      char(3),
    entries            jsonb            NOT NULL, -- what was posted, a JSON array
    since              timestamptz      NOT NULL, -- when the money moved
    opened_at          timestamptz      NOT NULL,
    resolved_at        timestamptz,
    resolved_kind      text             NOT NULL, -- of the actor, '' while it is open
    resolved_by        text             NOT NULL,
    resolved_to        text             NOT NULL, -- account that the money was moved to, '' for a reversal
    note               text             NOT NULL,
    CONSTRAINT hc_reconcile_differences_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT hc_reconcile_differences_run_fkey FOREIGN KEY (tenant, run) REFERENCES hc_reconcile_runs (tenant, id),
    CONSTRAINT hc_reconcile_differences_check CHECK ((theirs IS NULL) = (theirs_currency IS NULL)
        AND (ours IS NULL) = (ours_currency IS NULL) AND (theirs IS NOT NULL OR ours IS NOT NULL)
        AND (resolved_at IS NULL) = (resolved_kind = ''))
);

-- An operation is found to be missing once.
CREATE UNIQUE INDEX hc_reconcile_differences_missing ON hc_reconcile_differences (tenant, operation)
    WHERE reason = 'missing_at_provider';

CREATE INDEX hc_reconcile_differences_run ON hc_reconcile_differences (tenant, run, since, id);

CREATE INDEX hc_reconcile_differences_since ON hc_reconcile_differences (tenant, since, id);

CREATE INDEX hc_reconcile_differences_open ON hc_reconcile_differences (tenant, since, id) WHERE resolved_at IS NULL;
