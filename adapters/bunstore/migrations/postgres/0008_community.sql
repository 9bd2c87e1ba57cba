-- Circles and their members. Keys lead with the tenant; whoever changes members holds the
-- lock on the row of their circle, which also counts them.

CREATE TABLE hc_circles (
    tenant     text        COLLATE "C" NOT NULL,
    id         uuid        NOT NULL,
    slug       text        COLLATE "C" NOT NULL,
    name       text        NOT NULL,
    about      text        NOT NULL,
    visibility text        NOT NULL,
    members    bigint      NOT NULL, -- active ones
    owners     bigint      NOT NULL, -- active ones
    version    bigint      NOT NULL,
    sequence   bigint      NOT NULL, -- of the events
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT hc_circles_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT hc_circles_slug_key UNIQUE (tenant, slug),
    CONSTRAINT hc_circles_check CHECK (version > 0 AND sequence > 0 AND name <> '' AND slug <> ''
        AND visibility IN ('open', 'closed', 'secret')),
    CONSTRAINT hc_circles_owner_check CHECK (owners >= 1 AND members >= owners)
) WITH (fillfactor = 80); -- changes with every member

CREATE TABLE hc_members (
    tenant    text        COLLATE "C" NOT NULL,
    circle_id uuid        NOT NULL,
    member    text        COLLATE "C" NOT NULL, -- "kind/id"
    role      text        NOT NULL,
    status    text        NOT NULL,
    since     timestamptz NOT NULL,
    joined_at timestamptz,
    CONSTRAINT hc_members_pkey PRIMARY KEY (tenant, circle_id, member),
    CONSTRAINT hc_members_circle_fkey FOREIGN KEY (tenant, circle_id) REFERENCES hc_circles (tenant, id) ON DELETE CASCADE,
    CONSTRAINT hc_members_check CHECK (role IN ('owner', 'moderator', 'member')
        AND status IN ('invited', 'requested', 'active', 'left', 'removed', 'banned')
        AND (status = 'active' OR role = 'member') AND (status <> 'active' OR joined_at IS NOT NULL))
);

-- Somebody's circles, and all that is to be forgotten of them.
CREATE INDEX hc_members_member ON hc_members (tenant, member, circle_id);
-- Lists of a circle by status, without wading through those who left.
CREATE INDEX hc_members_status ON hc_members (tenant, circle_id, status, member);
