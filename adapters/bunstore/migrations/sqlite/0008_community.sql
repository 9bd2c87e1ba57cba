-- Instants are microseconds since 1970 (UTC), truth values 0 and 1.
-- Circles and their members. Keys lead with the tenant; whoever changes members holds the
-- lock on the row of their circle, which also counts them.

CREATE TABLE hc_circles (
    tenant     TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    slug       TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    about      TEXT    NOT NULL,
    visibility TEXT    NOT NULL,
    members    INTEGER NOT NULL, -- active ones
    owners     INTEGER NOT NULL, -- active ones
    version    INTEGER NOT NULL,
    sequence   INTEGER NOT NULL, -- of the events
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CONSTRAINT hc_circles_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT hc_circles_slug_key UNIQUE (tenant, slug),
    CONSTRAINT hc_circles_check CHECK (version > 0 AND sequence > 0 AND name <> '' AND slug <> ''
        AND visibility IN ('open', 'closed', 'secret')),
    CONSTRAINT hc_circles_owner_check CHECK (owners >= 1 AND members >= owners)
) STRICT, WITHOUT ROWID;

CREATE TABLE hc_members (
    tenant    TEXT    NOT NULL,
    circle_id TEXT    NOT NULL,
    member    TEXT    NOT NULL, -- "kind/id"
    role      TEXT    NOT NULL,
    status    TEXT    NOT NULL,
    since     INTEGER NOT NULL,
    joined_at INTEGER,
    CONSTRAINT hc_members_pkey PRIMARY KEY (tenant, circle_id, member),
    CONSTRAINT hc_members_circle_fkey FOREIGN KEY (tenant, circle_id) REFERENCES hc_circles (tenant, id) ON DELETE CASCADE,
    CONSTRAINT hc_members_check CHECK (role IN ('owner', 'moderator', 'member')
        AND status IN ('invited', 'requested', 'active', 'left', 'removed', 'banned')
        AND (status = 'active' OR role = 'member') AND (status <> 'active' OR joined_at IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- Somebody's circles, and all that is to be forgotten of them.
CREATE INDEX hc_members_member ON hc_members (tenant, member, circle_id);
-- Lists of a circle by status, without wading through those who left.
CREATE INDEX hc_members_status ON hc_members (tenant, circle_id, status, member);
