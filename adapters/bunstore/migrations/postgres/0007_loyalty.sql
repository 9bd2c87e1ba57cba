-- Loyalty. Keys lead with the tenant; kinds and ids of members and sources are compared byte
-- by byte.

CREATE TABLE hc_loyalty_members (
    tenant      text        COLLATE "C" NOT NULL,
    member_kind text        COLLATE "C" NOT NULL,
    member_id   text        COLLATE "C" NOT NULL,
    joined_at   timestamptz NOT NULL,
    CONSTRAINT hc_loyalty_members_pkey PRIMARY KEY (tenant, member_kind, member_id)
);

CREATE TABLE hc_loyalty_lots (
    tenant         text        COLLATE "C" NOT NULL,
    id             uuid        NOT NULL,
    member_kind    text        COLLATE "C" NOT NULL,
    member_id      text        COLLATE "C" NOT NULL,
    source_kind    text        COLLATE "C" NOT NULL,
    source_id      text        COLLATE "C" NOT NULL,
    source_version bigint      NOT NULL,
    earned         bigint      NOT NULL,
    remaining      bigint      NOT NULL,
    expired        bigint      NOT NULL,
    shortfall      bigint      NOT NULL,
    active_from    timestamptz NOT NULL,
    expires_at     timestamptz, -- NULL: never
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    version        bigint      NOT NULL,
    CONSTRAINT hc_loyalty_lots_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT hc_loyalty_lots_source_key UNIQUE (tenant, source_kind, source_id),
    CONSTRAINT hc_loyalty_lots_points_check CHECK (earned >= 0 AND remaining >= 0 AND expired >= 0 AND shortfall >= 0),
    CONSTRAINT hc_loyalty_lots_version_check CHECK (version > 0 AND source_version > 0)
);
-- The list of a member's lots.
CREATE INDEX hc_loyalty_lots_member ON hc_loyalty_lots (tenant, member_kind, member_id, id);
-- What is spent from and what is owed, however many used-up lots lie behind a member.
CREATE INDEX hc_loyalty_lots_open ON hc_loyalty_lots (tenant, member_kind, member_id) WHERE remaining > 0;
CREATE INDEX hc_loyalty_lots_owing ON hc_loyalty_lots (tenant, member_kind, member_id) WHERE shortfall > 0;
-- What the worker expires next.
CREATE INDEX hc_loyalty_lots_due ON hc_loyalty_lots (expires_at) WHERE remaining > 0 AND expires_at IS NOT NULL;

CREATE TABLE hc_loyalty_spendings (
    tenant       text        COLLATE "C" NOT NULL,
    reference    text        COLLATE "C" NOT NULL,
    member_kind  text        COLLATE "C" NOT NULL,
    member_id    text        COLLATE "C" NOT NULL,
    subject_kind text        COLLATE "C" NOT NULL,
    subject_id   text        COLLATE "C" NOT NULL,
    points       bigint      NOT NULL,
    uses         jsonb       NOT NULL, -- [{"lot": ..., "points": ...}] in the order of use
    spent_at     timestamptz NOT NULL,
    restored_at  timestamptz, -- NULL unless it was taken back
    CONSTRAINT hc_loyalty_spendings_pkey PRIMARY KEY (tenant, reference),
    CONSTRAINT hc_loyalty_spendings_check CHECK (points > 0)
);

-- Every change of what is left in a lot; the movements of a lot add up to its remaining.
CREATE TABLE hc_loyalty_movements (
    tenant       text        COLLATE "C" NOT NULL,
    member_kind  text        COLLATE "C" NOT NULL,
    member_id    text        COLLATE "C" NOT NULL,
    id           uuid        NOT NULL,
    lot          uuid        NOT NULL,
    kind         text        NOT NULL,
    points       bigint      NOT NULL,
    reference    text        COLLATE "C" NOT NULL, -- of the ledger's posting
    subject_kind text        COLLATE "C" NOT NULL,
    subject_id   text        COLLATE "C" NOT NULL,
    at           timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    actor_kind   text        NOT NULL,
    actor_id     text        NOT NULL,
    CONSTRAINT hc_loyalty_movements_pkey PRIMARY KEY (tenant, member_kind, member_id, id),
    CONSTRAINT hc_loyalty_movements_lot_fkey FOREIGN KEY (tenant, lot) REFERENCES hc_loyalty_lots (tenant, id),
    CONSTRAINT hc_loyalty_movements_check CHECK (points <> 0)
);

-- What has been recorded stays as it is.
CREATE FUNCTION hc_loyalty_movements_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'movements of points are only ever appended' USING ERRCODE = '23001', CONSTRAINT = 'hc_loyalty_movements_keep';
END
$$;
CREATE TRIGGER hc_loyalty_movements_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON hc_loyalty_movements
    FOR EACH STATEMENT EXECUTE FUNCTION hc_loyalty_movements_keep();
