package bunstore

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/community"
)

// Community is the [community.Store] of a database.
type Community struct{ s *Store }

var (
	_ community.Store   = (*Community)(nil)
	_ hyperlocal.Scoped = (*Community)(nil)
)

// Community returns the store of circles and members.
func (s *Store) Community() *Community { return &Community{s: s} }

// TxScope implements [hyperlocal.Scoped].
func (c *Community) TxScope() hyperlocal.Scope { return c.s.TxScope() }

func communityConstraints() map[string]*hyperlocal.Error {
	return map[string]*hyperlocal.Error{
		"hc_circles_slug_key":     community.ErrSlugTaken,
		"hc_circles(tenant,slug)": community.ErrSlugTaken,
	}
}

const insertCircle = `INSERT INTO hc_circles (tenant, id, slug, name, about, visibility, members, owners, version,
 sequence, created_at, updated_at) SELECT k.tenant, k.id, k.slug, k.name, k.about, k.visibility, k.members, k.owners,
 k.version, k.sequence, k.created_at, k.updated_at FROM {k} k`

// InsertCircle implements [community.Store].
func (c *Community) InsertCircle(ctx context.Context, circle community.Circle) error {
	return c.s.enqueue(ctx, write{table: "hc_circles", text: insertCircle, rows: 1, rel: circleRel(circle)})
}

const saveCircle = `UPDATE hc_circles AS c SET name = k.name, about = k.about, visibility = k.visibility,
 members = k.members, owners = k.owners, version = k.version, sequence = k.sequence, updated_at = k.updated_at
 FROM {k} k WHERE c.tenant = k.tenant AND c.id = k.id AND c.sequence = k.sequence - 1`

// SaveCircle implements [community.Store].
func (c *Community) SaveCircle(ctx context.Context, circle community.Circle) error {
	return c.s.enqueue(ctx, write{
		table: "hc_circles", text: saveCircle, rows: 1, rel: circleRel(circle), failed: community.ErrStale,
	})
}

func circleRel(c community.Circle) *rel {
	return newRel(1).text("tenant", []string{string(c.Tenant)}).uuid("id", []string{string(c.ID)}).
		text("slug", []string{c.Slug}).text("name", []string{c.Name}).text("about", []string{c.About}).
		text("visibility", []string{string(c.Visibility)}).int("members", []int64{c.Members}).
		int("owners", []int64{c.Owners}).int("version", []int64{c.Version}).int("sequence", []int64{c.Sequence}).
		at("created_at", []time.Time{c.CreatedAt}).at("updated_at", []time.Time{c.UpdatedAt})
}

const deleteCircle = `DELETE FROM hc_circles WHERE tenant = $1 AND id = {pg CAST(}$2{pg  AS uuid)}`

// DeleteCircle implements [community.Store]. The foreign key takes the members along.
func (c *Community) DeleteCircle(ctx context.Context, tenant hyperlocal.TenantID, id community.CircleID) error {
	return c.s.enqueue(ctx, write{
		table: "hc_circles", text: deleteCircle, args: []any{string(tenant), string(id)}, rows: -1, after: true,
	})
}

const putMembers = `INSERT INTO hc_members (tenant, circle_id, member, role, status, since, joined_at)
 SELECT k.tenant, k.circle_id, k.member, k.role, k.status, k.since, k.joined_at FROM {k} k WHERE true
 ON CONFLICT (tenant, circle_id, member) DO UPDATE SET role = excluded.role, status = excluded.status,
 since = excluded.since, joined_at = excluded.joined_at`

// PutMembers implements [community.Store].
func (c *Community) PutMembers(ctx context.Context, members ...community.Member) error {
	type m = community.Member
	return c.s.enqueue(ctx, write{table: "hc_members", text: putMembers, rows: int64(len(members)), rel: newRel(len(members)).
		text("tenant", each1(members, func(v *m) string { return string(v.Tenant) })).
		uuid("circle_id", each1(members, func(v *m) string { return string(v.Circle) })).
		text("member", each1(members, func(v *m) string { return v.Member.String() })).
		text("role", each1(members, func(v *m) string { return string(v.Role) })).
		text("status", each1(members, func(v *m) string { return string(v.Status) })).
		at("since", each1(members, func(v *m) time.Time { return v.Since })).
		atNull("joined_at", each1(members, func(v *m) time.Time { return v.JoinedAt }))})
}

const deleteMember = `DELETE FROM hc_members WHERE tenant = $1 AND circle_id = {pg CAST(}$2{pg  AS uuid)} AND member = $3`

// DeleteMember implements [community.Store].
func (c *Community) DeleteMember(ctx context.Context, tenant hyperlocal.TenantID, circle community.CircleID, member hyperlocal.Ref) error {
	return c.s.enqueue(ctx, write{
		table: "hc_members", text: deleteMember, args: []any{string(tenant), string(circle), member.String()}, rows: -1,
	})
}

const circleColumns = `c.tenant, c.id, c.slug, c.name, c.about, c.visibility, c.members, c.owners, c.version, c.sequence,
 c.created_at, c.updated_at`

func circleInto(v *community.Circle) []any {
	return []any{
		&v.Tenant, &v.ID, &v.Slug, &v.Name, &v.About, &v.Visibility, &v.Members, &v.Owners, &v.Version, &v.Sequence,
		instant{&v.CreatedAt}, instant{&v.UpdatedAt},
	}
}

func scanCircle(rows row, to *[]community.Circle) error {
	var v community.Circle
	err := rows.Scan(circleInto(&v)...)
	*to = append(*to, v)
	return err
}

const lockCircle = `SELECT ` + circleColumns + ` FROM hc_circles AS c JOIN {k} k ON c.tenant = k.tenant AND c.id = k.id {for update of c}`

// LockCircle implements [community.Store]. A circle has no rank: nothing but circles is
// locked together with one, by id.
func (c *Community) LockCircle(ctx context.Context, tenant hyperlocal.TenantID, id community.CircleID) (community.Circle, bool, error) {
	if err := c.s.inTx(ctx); err != nil {
		return community.Circle{}, false, err
	}
	var found []community.Circle
	err := c.s.query(ctx, lockCircle, circleIDs(tenant, id), nil, func(rows row) error { return scanCircle(rows, &found) })
	if err != nil || len(found) == 0 {
		return community.Circle{}, false, err
	}
	return found[0], true, nil
}

func circleIDs(tenant hyperlocal.TenantID, ids ...community.CircleID) *rel {
	return newRel(len(ids)).text("tenant", repeat(string(tenant), len(ids))).
		uuid("id", each1(ids, func(id *community.CircleID) string { return string(*id) }))
}
