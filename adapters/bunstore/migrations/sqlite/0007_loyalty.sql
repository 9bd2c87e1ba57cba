-- Instants are microseconds since 1970 (UTC).
-- Loyalty. Keys lead with the tenant; kinds and ids of members and sources are compared byte
-- by byte.

CREATE TABLE hc_loyalty_members (
    tenant      TEXT    NOT NULL,
    member_kind TEXT    NOT NULL,
    member_id   TEXT    NOT NULL,
    joined_at   INTEGER NOT NULL,
    CONSTRAINT hc_loyalty_members_pkey PRIMARY KEY (tenant, member_kind, member_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE hc_loyalty_lots (
    tenant         TEXT    NOT NULL,
    id             TEXT    NOT NULL,
    member_kind    TEXT    NOT NULL,
    member_id      TEXT    NOT NULL,
    source_kind    TEXT    NOT NULL,
    source_id      TEXT    NOT NULL,
    source_version INTEGER NOT NULL,
    earned         INTEGER NOT NULL,
    remaining      INTEGER NOT NULL,
    expired        INTEGER NOT NULL,
    shortfall      INTEGER NOT NULL,
    active_from    INTEGER NOT NULL,
    expires_at     INTEGER, -- NULL: never
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    version        INTEGER NOT NULL,
    CONSTRAINT hc_loyalty_lots_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT hc_loyalty_lots_source_key UNIQUE (tenant, source_kind, source_id),
    CONSTRAINT hc_loyalty_lots_points_check CHECK (earned >= 0 AND remaining >= 0 AND expired >= 0 AND shortfall >= 0),
    CONSTRAINT hc_loyalty_lots_version_check CHECK (version > 0 AND source_version > 0)
) STRICT, WITHOUT ROWID;
-- The list of a member's lots.
CREATE INDEX hc_loyalty_lots_member ON hc_loyalty_lots (tenant, member_kind, member_id, id);
-- What is spent from and what is owed, however many used-up lots lie behind a member.
CREATE INDEX hc_loyalty_lots_open ON hc_loyalty_lots (tenant, member_kind, member_id) WHERE remaining > 0;
CREATE INDEX hc_loyalty_lots_owing ON hc_loyalty_lots (tenant, member_kind, member_id) WHERE shortfall > 0;
-- What the worker expires next.
CREATE INDEX hc_loyalty_lots_due ON hc_loyalty_lots (expires_at) WHERE remaining > 0 AND expires_at IS NOT NULL;

CREATE TABLE hc_loyalty_spendings (
    tenant       TEXT    NOT NULL,
    reference    TEXT    NOT NULL,
    member_kind  TEXT    NOT NULL,
    member_id    TEXT    NOT NULL,
    subject_kind TEXT    NOT NULL,
    subject_id   TEXT    NOT NULL,
    points       INTEGER NOT NULL,
    uses         TEXT    NOT NULL, -- [{"lot": ..., "points": ...}] in the order of use
    spent_at     INTEGER NOT NULL,
    restored_at  INTEGER, -- NULL unless it was taken back
    CONSTRAINT hc_loyalty_spendings_pkey PRIMARY KEY (tenant, reference),
    CONSTRAINT hc_loyalty_spendings_check CHECK (points > 0)
) STRICT, WITHOUT ROWID;

-- Every change of what is left in a lot; the movements of a lot add up to its remaining.
CREATE TABLE hc_loyalty_movements (
    tenant       TEXT    NOT NULL,
    member_kind  TEXT    NOT NULL,
    member_id    TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    lot          TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    points       INTEGER NOT NULL,
    reference    TEXT    NOT NULL, -- of the ledger's posting
    subject_kind TEXT    NOT NULL,
    subject_id   TEXT    NOT NULL,
    at           INTEGER NOT NULL,
    recorded_at  INTEGER NOT NULL,
    actor_kind   TEXT    NOT NULL,
    actor_id     TEXT    NOT NULL,
    CONSTRAINT hc_loyalty_movements_pkey PRIMARY KEY (tenant, member_kind, member_id, id),
    CONSTRAINT hc_loyalty_movements_lot_fkey FOREIGN KEY (tenant, lot) REFERENCES hc_loyalty_lots (tenant, id),
    CONSTRAINT hc_loyalty_movements_check CHECK (points <> 0)
) STRICT, WITHOUT ROWID;

-- What has been recorded stays as it is.
CREATE TRIGGER hc_loyalty_movements_keep_update BEFORE UPDATE ON hc_loyalty_movements
BEGIN
    SELECT RAISE(ABORT, 'hc_loyalty_movements_keep');
END;
CREATE TRIGGER hc_loyalty_movements_keep_delete BEFORE DELETE ON hc_loyalty_movements
BEGIN
    SELECT RAISE(ABORT, 'hc_loyalty_movements_keep');
END;
