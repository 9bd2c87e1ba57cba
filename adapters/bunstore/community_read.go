package bunstore

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/community"
)

const getCircles = `SELECT ` + circleColumns + ` FROM hc_circles AS c JOIN {k} k ON c.tenant = k.tenant AND c.id = k.id`

// Circles implements [community.Reader].
func (c *Community) Circles(ctx context.Context, tenant hyperlocal.TenantID, ids ...community.CircleID) ([]community.Circle, error) {
	var out []community.Circle
	err := c.s.query(ctx, getCircles, circleIDs(tenant, unique(ids)...), nil,
		func(rows row) error { return scanCircle(rows, &out) })
	return out, err
}

const circleBySlug = `SELECT ` + circleColumns + ` FROM hc_circles AS c WHERE c.tenant = $1 AND c.slug = $2`

// CircleBySlug implements [community.Reader].
func (c *Community) CircleBySlug(ctx context.Context, tenant hyperlocal.TenantID, slug string) (community.Circle, bool, error) {
	var found []community.Circle
	err := c.s.query(ctx, circleBySlug, nil, []any{string(tenant), slug},
		func(rows row) error { return scanCircle(rows, &found) })
	if err != nil || len(found) == 0 {
		return community.Circle{}, false, err
	}
	return found[0], true, nil
}

// ListCircles implements [community.Reader].
func (c *Community) ListCircles(ctx context.Context, tenant hyperlocal.TenantID, f community.CircleFilter, p hyperlocal.PageRequest) (hyperlocal.Page[community.Circle], error) {
	var q conditions
	q.add(`SELECT `+circleColumns+` FROM hc_circles AS c WHERE c.tenant = %s AND c.visibility <> 'secret'`, string(tenant))
	if f.Visibility != "" {
		q.add(` AND c.visibility = %s`, string(f.Visibility))
	}
	return listOf(ctx, c.s, []any{"circles", tenant, f}, p, q,
		paged[community.Circle]{column: "c.slug", scan: scanCircle, key: func(v *community.Circle) string { return v.Slug }})
}

// paged says how a list is read and where a page ends.
type paged[T any] struct {
	column string // unique within the list, in whose order it is
	cast   string // its type on PostgreSQL, "" for text
	scan   func(rows row, to *[]T) error
	key    func(*T) string // the column's value
}

// listOf reads one page of a list whose order is that of one column, in one statement.
func listOf[T any](ctx context.Context, s *Store, filter any, p hyperlocal.PageRequest, q conditions, how paged[T]) (hyperlocal.Page[T], error) {
	var page hyperlocal.Page[T]
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	after, err := hyperlocal.DecodeCursor(filter, p.Cursor, 1)
	if err != nil {
		return page, err
	}
	if after != nil {
		if how.cast == "uuid" && !hyperlocal.ValidID(after[0]) {
			return page, hyperlocal.ErrCursor
		}
		if how.cast == "" {
			how.cast = "text"
		}
		q.add(` AND `+how.column+` > {pg CAST(}%s{pg  AS `+how.cast+`)}`, after[0])
	}
	q.add(` ORDER BY `+how.column+` LIMIT %s`, int64(size+1))
	var items []T
	if err := s.query(ctx, q.text, nil, q.args, func(rows row) error { return how.scan(rows, &items) }); err != nil {
		return page, err
	}
	if len(items) > size {
		items = items[:size]
		if page.Next, err = hyperlocal.EncodeCursor(filter, how.key(&items[size-1])); err != nil {
			return page, err
		}
	}
	page.Items = items
	return page, nil
}

const memberColumns = `m.tenant, m.circle_id, m.member, m.role, m.status, m.since, m.joined_at`

func scanMember(rows row, v *community.Member, more ...any) error {
	var member string
	into := []any{&v.Tenant, &v.Circle, &member, &v.Role, &v.Status, instant{&v.Since}, nullInstant{&v.JoinedAt}}
	if err := rows.Scan(append(into, more...)...); err != nil {
		return err
	}
	var err error
	v.Member, err = hyperlocal.ParseRef(member)
	return err
}

func scanMembers(rows row, to *[]community.Member) error {
	var v community.Member
	err := scanMember(rows, &v)
	*to = append(*to, v)
	return err
}

const getMembers = `SELECT ` + memberColumns + ` FROM {k} k CROSS JOIN hc_members AS m WHERE m.tenant = k.tenant
 AND m.circle_id = k.circle_id AND m.member = k.member`

// Members implements [community.Reader].
func (c *Community) Members(ctx context.Context, tenant hyperlocal.TenantID, circle community.CircleID, members ...hyperlocal.Ref) ([]community.Member, error) {
	members = unique(members)
	n := len(members)
	var out []community.Member
	err := c.s.query(ctx, getMembers, newRel(n).text("tenant", repeat(string(tenant), n)).
		uuid("circle_id", repeat(string(circle), n)).
		text("member", each1(members, func(m *hyperlocal.Ref) string { return m.String() })), nil,
		func(rows row) error { return scanMembers(rows, &out) })
	return out, err
}

// ListMembers implements [community.Reader].
func (c *Community) ListMembers(ctx context.Context, tenant hyperlocal.TenantID, circle community.CircleID, f community.MemberFilter, p hyperlocal.PageRequest) (hyperlocal.Page[community.Member], error) {
	if !hyperlocal.ValidID(string(circle)) {
		return hyperlocal.Page[community.Member]{}, nil
	}
	if f.Status == "" {
		f.Status = community.Active
	}
	var q conditions
	q.add(`SELECT `+memberColumns+` FROM hc_members AS m {sqlite INDEXED BY hc_members_status} WHERE m.tenant = %s AND m.circle_id = {pg CAST(}%s{pg  AS uuid)} AND m.status = %s`,
		string(tenant), string(circle), string(f.Status))
	if f.Role != "" {
		q.add(` AND m.role = %s`, string(f.Role))
	}
	return listOf(ctx, c.s, []any{"members", tenant, circle, f}, p, q, paged[community.Member]{
		column: "m.member", scan: scanMembers, key: func(v *community.Member) string { return v.Member.String() },
	})
}

// ListMemberships implements [community.Reader].
func (c *Community) ListMemberships(ctx context.Context, tenant hyperlocal.TenantID, member hyperlocal.Ref, f community.MembershipFilter, p hyperlocal.PageRequest) (hyperlocal.Page[community.Membership], error) {
	var q conditions
	q.add(`SELECT `+memberColumns+`, `+circleColumns+` FROM hc_members AS m {sqlite INDEXED BY hc_members_member}
 CROSS JOIN hc_circles AS c WHERE c.tenant = m.tenant AND c.id = m.circle_id AND m.tenant = %s AND m.member = %s`,
		string(tenant), member.String())
	if f.Status != "" {
		q.add(` AND m.status = %s`, string(f.Status))
	}
	return listOf(ctx, c.s, []any{"memberships", tenant, member, f}, p, q, paged[community.Membership]{
		column: "m.circle_id", cast: "uuid",
		scan: func(rows row, to *[]community.Membership) error {
			var v community.Membership
			err := scanMember(rows, &v.Member, circleInto(&v.Circle)...)
			*to = append(*to, v)
			return err
		},
		key: func(v *community.Membership) string { return string(v.Circle.ID) },
	})
}

const successor = `SELECT ` + memberColumns + ` FROM hc_members AS m JOIN {k} k ON m.tenant = k.tenant
 AND m.circle_id = k.circle_id WHERE m.status = 'active' AND m.member <> k.member
 ORDER BY CASE m.role WHEN 'owner' THEN 1 WHEN 'moderator' THEN 2 ELSE 3 END, m.joined_at, m.member LIMIT 1`

// Successor implements [community.Reader].
func (c *Community) Successor(ctx context.Context, tenant hyperlocal.TenantID, circle community.CircleID, except hyperlocal.Ref) (community.Member, bool, error) {
	var found []community.Member
	err := c.s.query(ctx, successor, newRel(1).text("tenant", []string{string(tenant)}).
		uuid("circle_id", []string{string(circle)}).text("member", []string{except.String()}), nil,
		func(rows row) error { return scanMembers(rows, &found) })
	if err != nil || len(found) == 0 {
		return community.Member{}, false, err
	}
	return found[0], true, nil
}
