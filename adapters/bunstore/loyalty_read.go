package bunstore

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
)

// A lot without points and shortfall counts for nothing, so used-up lots are not read. Each
// part is joined by itself, because each has its own index.
const memberBalances = `SELECT x.n, CAST(sum(x.points) AS bigint), CAST(sum(x.spendable) AS bigint), CAST(sum(x.pending) AS bigint),
 CAST(sum(x.lapsed) AS bigint), CAST(sum(x.shortfall) AS bigint), min(x.expires_at)
 FROM (
  SELECT k.n, l.remaining AS points,
   CASE WHEN l.active_from <= $1 AND (l.expires_at IS NULL OR l.expires_at > $1) THEN l.remaining ELSE 0 END AS spendable,
   CASE WHEN l.active_from > $1 AND (l.expires_at IS NULL OR l.expires_at > $1) THEN l.remaining ELSE 0 END AS pending,
   CASE WHEN l.expires_at <= $1 THEN l.remaining ELSE 0 END AS lapsed, 0 AS shortfall,
   CASE WHEN l.expires_at > $1 THEN l.expires_at END AS expires_at
  FROM {k} k ` + openLots + `
  UNION ALL
  SELECT k.n, 0, 0, 0, 0, l.shortfall, NULL
  FROM {k} k ` + owingLots + `
 ) AS x GROUP BY x.n`

// Balances implements [loyalty.Reader].
func (l *Loyalty) Balances(ctx context.Context, tenant hyperlocal.TenantID, now time.Time, members []hyperlocal.Ref) ([]loyalty.Balance, error) {
	out := make([]loyalty.Balance, len(members))
	n := make([]int64, len(members))
	for i := range n {
		n[i] = int64(i)
	}
	r := newRel(len(members)).
		text("tenant", each1(members, func(*hyperlocal.Ref) string { return string(tenant) })).
		text("kind", each1(members, func(m *hyperlocal.Ref) string { return m.Kind })).
		text("id", each1(members, func(m *hyperlocal.Ref) string { return m.ID })).
		int("n", n)
	err := l.s.query(ctx, memberBalances, r, []any{l.s.at(now)}, func(rows row) error {
		var i int
		var b loyalty.Balance
		err := rows.Scan(&i, &b.Points, &b.Spendable, &b.Pending, &b.Lapsed, &b.Shortfall, nullInstant{&b.NextExpiry})
		out[i] = b
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// MemberLots implements [loyalty.Reader].
func (l *Loyalty) MemberLots(ctx context.Context, tenant hyperlocal.TenantID, member hyperlocal.Ref, f loyalty.LotFilter, p hyperlocal.PageRequest) (hyperlocal.Page[loyalty.Lot], error) {
	list := idList{filter: []any{"loyalty/lots", tenant, member, f}, request: p}
	list.add(`SELECT `+lotColumns+` FROM hc_loyalty_lots AS l {sqlite INDEXED BY hc_loyalty_lots_member}
 WHERE l.tenant = %s AND l.member_kind = %s AND l.member_id = %s`, string(tenant), member.Kind, member.ID)
	if f.Open {
		list.text += ` AND l.remaining > 0`
	}
	return pageByID(ctx, l.s, &list, "l.id", scanLot, func(l *loyalty.Lot) string { return l.ID })
}

// History implements [loyalty.Reader].
func (l *Loyalty) History(ctx context.Context, tenant hyperlocal.TenantID, member hyperlocal.Ref, p hyperlocal.PageRequest) (hyperlocal.Page[loyalty.Movement], error) {
	list := idList{filter: []any{"loyalty/history", tenant, member}, request: p}
	list.add(`SELECT m.tenant, m.member_kind, m.member_id, m.id, m.lot, m.kind, m.points, m.reference, m.subject_kind, m.subject_id,
 m.at, m.recorded_at, m.actor_kind, m.actor_id FROM hc_loyalty_movements AS m
 WHERE m.tenant = %s AND m.member_kind = %s AND m.member_id = %s`, string(tenant), member.Kind, member.ID)
	return pageByID(ctx, l.s, &list, "m.id", scanPointMovement, func(m *loyalty.Movement) string { return m.ID })
}

func scanPointMovement(rows row, to *[]loyalty.Movement) error {
	var m loyalty.Movement
	err := rows.Scan(&m.Tenant, &m.Member.Kind, &m.Member.ID, &m.ID, &m.Lot, &m.Kind, &m.Points, &m.Reference,
		&m.Subject.Kind, &m.Subject.ID, instant{&m.At}, instant{&m.Recorded}, &m.Actor.Kind, &m.Actor.ID)
	*to = append(*to, m)
	return err
}

// idList is a list by UUID, newest first.
type idList struct {
	conditions
	filter  any
	request hyperlocal.PageRequest
}

func pageByID[T any](ctx context.Context, s *Store, list *idList, id string, scan func(row, *[]T) error, key func(*T) string) (hyperlocal.Page[T], error) {
	var page hyperlocal.Page[T]
	size, err := list.request.Size()
	if err != nil {
		return page, err
	}
	after, err := hyperlocal.DecodeCursor(list.filter, list.request.Cursor, 1)
	if err != nil {
		return page, err
	}
	if after != nil {
		if !hyperlocal.ValidID(after[0]) {
			return page, hyperlocal.ErrCursor
		}
		list.add(` AND `+id+` < %s{pg ::uuid}`, after[0])
	}
	list.add(` ORDER BY `+id+` DESC LIMIT %s`, size+1)
	err = s.query(ctx, list.text, nil, list.args, func(rows row) error { return scan(rows, &page.Items) })
	if err != nil {
		return hyperlocal.Page[T]{}, err
	}
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		page.Next, err = hyperlocal.EncodeCursor(list.filter, key(&page.Items[size-1]))
	}
	return page, err
}

// Members implements [loyalty.Reader].
func (l *Loyalty) Members(ctx context.Context, tenant hyperlocal.TenantID, p hyperlocal.PageRequest) (hyperlocal.Page[loyalty.Member], error) {
	var page hyperlocal.Page[loyalty.Member]
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	filter := []any{"loyalty/members", tenant}
	after, err := hyperlocal.DecodeCursor(filter, p.Cursor, 2)
	if err != nil {
		return page, err
	}
	if after == nil {
		after = []string{"", ""}
	}
	const text = `SELECT m.tenant, m.member_kind, m.member_id, m.joined_at FROM hc_loyalty_members AS m
 WHERE m.tenant = $1 AND (m.member_kind, m.member_id) > ($2, $3) ORDER BY m.member_kind, m.member_id LIMIT $4`
	err = l.s.query(ctx, text, nil, []any{string(tenant), after[0], after[1], size + 1}, func(rows row) error {
		var m loyalty.Member
		err := rows.Scan(&m.Tenant, &m.Ref.Kind, &m.Ref.ID, instant{&m.JoinedAt})
		page.Items = append(page.Items, m)
		return err
	})
	if err != nil {
		return hyperlocal.Page[loyalty.Member]{}, err
	}
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		last := page.Items[size-1].Ref
		page.Next, err = hyperlocal.EncodeCursor(filter, last.Kind, last.ID)
	}
	return page, err
}
