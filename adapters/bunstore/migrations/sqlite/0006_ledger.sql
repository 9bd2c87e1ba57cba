-- Instants are microseconds since 1970 (UTC).
-- Ledger. Keys lead with the tenant; accounts and references are compared byte by byte.

-- What was posted. The primary key is the order of the journal.
CREATE TABLE hc_ledger_transactions (
    tenant       TEXT    NOT NULL,
    effective_at INTEGER NOT NULL,
    id           TEXT    NOT NULL,
    reference    TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    subject_kind TEXT    NOT NULL, -- '' for none
    subject_id   TEXT    NOT NULL,
    reverses     TEXT, -- reference of the posting that this one corrects
    actor_kind   TEXT    NOT NULL,
    actor_id     TEXT    NOT NULL,
    recorded_at  INTEGER NOT NULL,
    fingerprint  BLOB    NOT NULL,
    CONSTRAINT hc_ledger_transactions_pkey PRIMARY KEY (tenant, effective_at, id),
    CONSTRAINT hc_ledger_transactions_reference_key UNIQUE (tenant, reference),
    CONSTRAINT hc_ledger_transactions_check CHECK (reference <> '' AND kind <> '' AND actor_kind <> '')
) STRICT, WITHOUT ROWID;
-- Everything that was posted about an order or a payment.
CREATE INDEX hc_ledger_transactions_subject ON hc_ledger_transactions (tenant, subject_kind, subject_id, effective_at, id)
    WHERE subject_kind <> '';

-- Positive is a debit, negative a credit. Times are repeated here, because statements and
-- balances as of a day read entries alone.
CREATE TABLE hc_ledger_entries (
    tenant         TEXT    NOT NULL,
    effective_at   INTEGER NOT NULL,
    transaction_id TEXT    NOT NULL,
    n              INTEGER NOT NULL,
    account        TEXT    NOT NULL,
    asset          TEXT    NOT NULL,
    amount         INTEGER NOT NULL,
    recorded_at    INTEGER NOT NULL,
    CONSTRAINT hc_ledger_entries_pkey PRIMARY KEY (tenant, effective_at, transaction_id, n),
    CONSTRAINT hc_ledger_entries_transaction_fkey FOREIGN KEY (tenant, effective_at, transaction_id)
        REFERENCES hc_ledger_transactions (tenant, effective_at, id),
    CONSTRAINT hc_ledger_entries_check CHECK (amount <> 0 AND account <> '' AND asset <> '')
) STRICT, WITHOUT ROWID;
-- The statement of an account.
CREATE INDEX hc_ledger_entries_account ON hc_ledger_entries (tenant, account, effective_at, transaction_id);

-- What has been posted to unbounded accounts since their last fold: inserted beside the
-- entries, deleted by the fold, never updated.
CREATE TABLE hc_ledger_tail (
    tenant  TEXT    NOT NULL,
    account TEXT    NOT NULL,
    asset   TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    amount  INTEGER NOT NULL,
    CONSTRAINT hc_ledger_tail_pkey PRIMARY KEY (tenant, account, asset, id),
    CONSTRAINT hc_ledger_tail_check CHECK (amount <> 0)
) STRICT, WITHOUT ROWID;

-- Balance of a bounded account; snapshot of any other: balance = this + tail.
CREATE TABLE hc_ledger_balances (
    tenant  TEXT    NOT NULL,
    account TEXT    NOT NULL,
    asset   TEXT    NOT NULL,
    balance INTEGER NOT NULL,
    CONSTRAINT hc_ledger_balances_pkey PRIMARY KEY (tenant, account, asset)
) STRICT, WITHOUT ROWID;

-- What was posted stays as it is; corrections are postings of their own. The triggers before
-- an insert catch INSERT OR REPLACE, which deletes without asking the others.
CREATE TRIGGER hc_ledger_transactions_keep_update BEFORE UPDATE ON hc_ledger_transactions
BEGIN
    SELECT RAISE(ABORT, 'hc_ledger_keep');
END;
CREATE TRIGGER hc_ledger_transactions_keep_delete BEFORE DELETE ON hc_ledger_transactions
BEGIN
    SELECT RAISE(ABORT, 'hc_ledger_keep');
END;
CREATE TRIGGER hc_ledger_transactions_keep_insert BEFORE INSERT ON hc_ledger_transactions
WHEN EXISTS (SELECT 1 FROM hc_ledger_transactions AS t WHERE t.tenant = NEW.tenant AND t.reference = NEW.reference)
  OR EXISTS (SELECT 1 FROM hc_ledger_transactions AS t
             WHERE t.tenant = NEW.tenant AND t.effective_at = NEW.effective_at AND t.id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'hc_ledger_transactions_reference_key');
END;
CREATE TRIGGER hc_ledger_entries_keep_update BEFORE UPDATE ON hc_ledger_entries
BEGIN
    SELECT RAISE(ABORT, 'hc_ledger_keep');
END;
CREATE TRIGGER hc_ledger_entries_keep_delete BEFORE DELETE ON hc_ledger_entries
BEGIN
    SELECT RAISE(ABORT, 'hc_ledger_keep');
END;
CREATE TRIGGER hc_ledger_entries_keep_insert BEFORE INSERT ON hc_ledger_entries
WHEN EXISTS (SELECT 1 FROM hc_ledger_entries AS e WHERE e.tenant = NEW.tenant AND e.effective_at = NEW.effective_at
             AND e.transaction_id = NEW.transaction_id AND e.n = NEW.n)
BEGIN
    SELECT RAISE(ABORT, 'hc_ledger_keep');
END;
