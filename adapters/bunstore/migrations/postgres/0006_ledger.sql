-- Ledger. Keys lead with the tenant; accounts and references are compared byte by byte.

-- What was posted. The primary key is the order of the journal.
CREATE TABLE hc_ledger_transactions (
    tenant       text        COLLATE "C" NOT NULL,
    effective_at timestamptz NOT NULL,
    id           uuid        NOT NULL,
    reference    text        COLLATE "C" NOT NULL,
    kind         text        NOT NULL,
    subject_kind text        COLLATE "C" NOT NULL, -- '' for none
    subject_id   text        COLLATE "C" NOT NULL,
    reverses     text        COLLATE "C", -- reference of the posting that this one corrects
    actor_kind   text        NOT NULL,
    actor_id     text        NOT NULL,
    recorded_at  timestamptz NOT NULL,
    fingerprint  bytea       NOT NULL,
    CONSTRAINT hc_ledger_transactions_pkey PRIMARY KEY (tenant, effective_at, id),
    CONSTRAINT hc_ledger_transactions_reference_key UNIQUE (tenant, reference),
    CONSTRAINT hc_ledger_transactions_check CHECK (reference <> '' AND kind <> '' AND actor_kind <> '')
);
-- Everything that was posted about an order or a payment.
CREATE INDEX hc_ledger_transactions_subject ON hc_ledger_transactions (tenant, subject_kind, subject_id, effective_at, id)
    WHERE subject_kind <> '';

-- Positive is a debit, negative a credit. Times are repeated here, because statements and
-- balances as of a day read entries alone.
CREATE TABLE hc_ledger_entries (
    tenant         text        COLLATE "C" NOT NULL,
    effective_at   timestamptz NOT NULL,
    transaction_id uuid        NOT NULL,
    n              smallint    NOT NULL,
    account        text        COLLATE "C" NOT NULL,
    asset          text        COLLATE "C" NOT NULL,
    amount         bigint      NOT NULL,
    recorded_at    timestamptz NOT NULL,
    CONSTRAINT hc_ledger_entries_pkey PRIMARY KEY (tenant, effective_at, transaction_id, n),
    CONSTRAINT hc_ledger_entries_transaction_fkey FOREIGN KEY (tenant, effective_at, transaction_id)
        REFERENCES hc_ledger_transactions (tenant, effective_at, id),
    CONSTRAINT hc_ledger_entries_check CHECK (amount <> 0 AND account <> '' AND asset <> '')
);
-- The statement of an account.
CREATE INDEX hc_ledger_entries_account ON hc_ledger_entries (tenant, account, effective_at, transaction_id);

-- What has been posted to unbounded accounts since their last fold: inserted beside the
-- entries, deleted by the fold, never updated. So posting to a busy account waits for nobody.
CREATE TABLE hc_ledger_tail (
    tenant  text   COLLATE "C" NOT NULL,
    account text   COLLATE "C" NOT NULL,
    asset   text   COLLATE "C" NOT NULL,
    id      uuid   NOT NULL,
    amount  bigint NOT NULL,
    CONSTRAINT hc_ledger_tail_pkey PRIMARY KEY (tenant, account, asset, id),
    CONSTRAINT hc_ledger_tail_check CHECK (amount <> 0)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

-- Balance of a bounded account, kept under lock; snapshot of any other: balance = this + tail.
CREATE TABLE hc_ledger_balances (
    tenant  text   COLLATE "C" NOT NULL,
    account text   COLLATE "C" NOT NULL,
    asset   text   COLLATE "C" NOT NULL,
    balance bigint NOT NULL,
    CONSTRAINT hc_ledger_balances_pkey PRIMARY KEY (tenant, account, asset)
) WITH (fillfactor = 50); -- no index holds what changes, so updates stay within the page

-- What was posted stays as it is; corrections are postings of their own.
CREATE FUNCTION hc_ledger_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what was posted to the ledger is never changed; correct it with a reversing posting'
        USING ERRCODE = '23001', CONSTRAINT = 'hc_ledger_keep';
END
$$;
CREATE TRIGGER hc_ledger_transactions_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON hc_ledger_transactions
    FOR EACH STATEMENT EXECUTE FUNCTION hc_ledger_keep();
CREATE TRIGGER hc_ledger_entries_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON hc_ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION hc_ledger_keep();
