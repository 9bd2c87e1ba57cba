package bunstore

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
)

// Loyalty keeps members, lots, spendings and movements. It implements [loyalty.Store].
type Loyalty struct{ s *Store }

// Loyalty returns the store of the loyalty context.
func (s *Store) Loyalty() *Loyalty { return &Loyalty{s: s} }

var (
	_ loyalty.Store     = (*Loyalty)(nil)
	_ hyperlocal.Scoped = (*Loyalty)(nil)
)

// TxScope implements [hyperlocal.Scoped].
func (l *Loyalty) TxScope() hyperlocal.Scope { return l.s.TxScope() }

// What is new to a transaction that holds the member's account is new to everybody, unless
// somebody works without that lock; the next run finds what they did.
func loyaltyConstraints() map[string]*hyperlocal.Error {
	return map[string]*hyperlocal.Error{
		"hc_loyalty_lots(tenant,source_kind,source_id)": hyperlocal.ErrTxRetry,
		"hc_loyalty_spendings(tenant,reference)":        hyperlocal.ErrTxRetry,
	}
}

const lotColumns = `l.tenant, l.id, l.member_kind, l.member_id, l.source_kind, l.source_id, l.source_version,
 l.earned, l.remaining, l.expired, l.shortfall, l.active_from, l.expires_at, l.created_at, l.updated_at, l.version`

func scanLot(rows row, to *[]loyalty.Lot) error {
	var l loyalty.Lot
	err := rows.Scan(&l.Tenant, &l.ID, &l.Member.Kind, &l.Member.ID, &l.Source.Kind, &l.Source.ID, &l.SourceVersion,
		&l.Earned, &l.Remaining, &l.Expired, &l.Shortfall, instant{&l.ActiveFrom}, nullInstant{&l.ExpiresAt},
		instant{&l.CreatedAt}, instant{&l.UpdatedAt}, &l.Version)
	*to = append(*to, l)
	return err
}

// The four ways in which a query names lots, each with its own index. SQLite has no statistics
// and would rather read all lots of a tenant in the order of their key than go through an
// index that leaves a handful, so it is told which.
var lotBranches = [...]string{
	`JOIN hc_loyalty_lots AS l ON l.tenant = k.tenant AND l.id = k.lot`,
	`JOIN hc_loyalty_lots AS l ON l.tenant = k.tenant AND l.source_kind = k.kind AND l.source_id = k.id`,
	owingLots,
	openLots,
}

const (
	owingLots = `JOIN hc_loyalty_lots AS l {sqlite INDEXED BY hc_loyalty_lots_owing}
 ON l.tenant = k.tenant AND l.member_kind = k.kind AND l.member_id = k.id AND l.shortfall > 0`
	openLots = `JOIN hc_loyalty_lots AS l {sqlite INDEXED BY hc_loyalty_lots_open}
 ON l.tenant = k.tenant AND l.member_kind = k.kind AND l.member_id = k.id AND l.remaining > 0`
)

// Lots implements [loyalty.Store]. The rows are not locked one by one: whoever changes lots
// of a member holds the member's account, and Save compares versions in case somebody did not.
func (l *Loyalty) Lots(ctx context.Context, q loyalty.LotQuery) ([]loyalty.Lot, error) {
	if l.s.txn(ctx) != nil {
		if err := l.s.lock(ctx, hyperlocal.RankLot); err != nil {
			return nil, err
		}
	}
	type name struct {
		branch         int
		tenant         hyperlocal.TenantID
		lot, kind, ref string
	}
	var names []name
	for _, k := range q.IDs {
		names = append(names, name{branch: 0, tenant: k.Tenant, lot: k.ID})
	}
	for i, refs := range [][]hyperlocal.TenantRef{q.Sources, q.Owing, q.Open} {
		for _, r := range refs {
			names = append(names, name{branch: i + 1, tenant: r.Tenant, kind: r.Ref.Kind, ref: r.Ref.ID})
		}
	}
	r := newRel(len(names)).
		int("branch", each1(names, func(n *name) int64 { return int64(n.branch) })).
		text("tenant", each1(names, func(n *name) string { return string(n.tenant) })).
		uuidNull("lot", each1(names, func(n *name) string { return n.lot })).
		text("kind", each1(names, func(n *name) string { return n.kind })).
		text("id", each1(names, func(n *name) string { return n.ref }))
	asked := [...]int{len(q.IDs), len(q.Sources), len(q.Owing), len(q.Open)}
	var parts []string
	for i, join := range lotBranches {
		if asked[i] > 0 {
			parts = append(parts, `SELECT `+lotColumns+` FROM {k} k `+join+` WHERE k.branch = `+strconv.Itoa(i))
		}
	}
	// A lot that fits twice is one row: UNION leaves no twins, DISTINCT does so for one part.
	text := strings.Replace(strings.Join(parts, ` UNION `), `SELECT `, `SELECT DISTINCT `, 1)
	var out []loyalty.Lot
	err := l.s.query(ctx, text, r, nil, func(rows row) error { return scanLot(rows, &out) })
	return out, err
}

const spendingsByReference = `SELECT s.tenant, s.reference, s.member_kind, s.member_id, s.subject_kind, s.subject_id,
 s.points, s.uses, s.spent_at, s.restored_at FROM hc_loyalty_spendings AS s
 WHERE s.tenant = $1 AND s.reference IN (SELECT k.reference FROM {k} k)`

// Spendings implements [loyalty.Store].
func (l *Loyalty) Spendings(ctx context.Context, tenant hyperlocal.TenantID, references ...string) ([]loyalty.Spending, error) {
	r := newRel(len(references)).text("reference", references)
	var out []loyalty.Spending
	err := l.s.query(ctx, spendingsByReference, r, []any{string(tenant)}, func(rows row) error {
		var v loyalty.Spending
		var uses json.RawMessage
		err := rows.Scan(&v.Tenant, &v.Reference, &v.Member.Kind, &v.Member.ID, &v.Subject.Kind, &v.Subject.ID,
			&v.Points, document{&uses}, instant{&v.SpentAt}, nullInstant{&v.RestoredAt})
		if err != nil {
			return err
		}
		if err := json.Unmarshal(uses, &v.Uses); err != nil {
			return internal("store/decode", "a stored spending cannot be decoded").WithCause(err)
		}
		out = append(out, v)
		return nil
	})
	return out, err
}

const dueLots = `SELECT ` + lotColumns + ` FROM hc_loyalty_lots AS l
 WHERE l.remaining > 0 AND l.expires_at IS NOT NULL AND l.expires_at <= $1 ORDER BY l.expires_at, l.tenant, l.id LIMIT $2`

// DueLots implements [loyalty.Store].
func (l *Loyalty) DueLots(ctx context.Context, now time.Time, limit int) ([]loyalty.Lot, error) {
	var out []loyalty.Lot
	err := l.s.query(ctx, dueLots, nil, []any{l.s.at(now), limit}, func(rows row) error { return scanLot(rows, &out) })
	return out, err
}

const insertMembers = `INSERT INTO hc_loyalty_members (tenant, member_kind, member_id, joined_at)
 SELECT k.tenant, k.kind, k.id, k.joined_at FROM {k} k WHERE true
 ON CONFLICT (tenant, member_kind, member_id) DO NOTHING`

const insertLots = `INSERT INTO hc_loyalty_lots (tenant, id, member_kind, member_id, source_kind, source_id, source_version,
  earned, remaining, expired, shortfall, active_from, expires_at, created_at, updated_at, version)
 SELECT k.tenant, k.id, k.member_kind, k.member_id, k.source_kind, k.source_id, k.source_version,
  k.earned, k.remaining, k.expired, k.shortfall, k.active_from, k.expires_at, k.created_at, k.updated_at, k.version FROM {k} k`

const updateLots = `UPDATE hc_loyalty_lots AS l SET source_version = k.source_version, earned = k.earned,
  remaining = k.remaining, expired = k.expired, shortfall = k.shortfall, updated_at = k.updated_at, version = k.version
 FROM {k} k WHERE l.tenant = k.tenant AND l.id = k.id AND l.version = k.version - 1`

const insertSpendings = `INSERT INTO hc_loyalty_spendings (tenant, reference, member_kind, member_id, subject_kind, subject_id,
  points, uses, spent_at, restored_at)
 SELECT k.tenant, k.reference, k.member_kind, k.member_id, k.subject_kind, k.subject_id,
  k.points, k.uses, k.spent_at, k.restored_at FROM {k} k`

const restoreSpendings = `UPDATE hc_loyalty_spendings AS s SET restored_at = k.restored_at FROM {k} k
 WHERE s.tenant = k.tenant AND s.reference = k.reference AND s.restored_at IS NULL`

const insertMovements = `INSERT INTO hc_loyalty_movements (tenant, member_kind, member_id, id, lot, kind, points,
  reference, subject_kind, subject_id, at, recorded_at, actor_kind, actor_id)
 SELECT k.tenant, k.member_kind, k.member_id, k.id, k.lot, k.kind, k.points,
  k.reference, k.subject_kind, k.subject_id, k.at, k.recorded_at, k.actor_kind, k.actor_id FROM {k} k`

// Save implements [loyalty.Store].
func (l *Loyalty) Save(ctx context.Context, c loyalty.Changes) error {
	joined := newRel(len(c.Joined)).
		text("tenant", each1(c.Joined, func(m *loyalty.Member) string { return string(m.Tenant) })).
		text("kind", each1(c.Joined, func(m *loyalty.Member) string { return m.Ref.Kind })).
		text("id", each1(c.Joined, func(m *loyalty.Member) string { return m.Ref.ID })).
		at("joined_at", each1(c.Joined, func(m *loyalty.Member) time.Time { return m.JoinedAt }))
	spent, err := spendingRel(c.Spent)
	if err != nil {
		return err
	}
	restored := newRel(len(c.Restored)).
		text("tenant", each1(c.Restored, func(v *loyalty.Spending) string { return string(v.Tenant) })).
		text("reference", each1(c.Restored, func(v *loyalty.Spending) string { return v.Reference })).
		at("restored_at", each1(c.Restored, func(v *loyalty.Spending) time.Time { return v.RestoredAt }))
	for _, w := range []write{
		{table: "hc_loyalty_members", text: insertMembers, rel: joined, rows: -1},
		{table: "hc_loyalty_lots", text: insertLots, rel: lotRel(c.New), rows: int64(len(c.New))},
		{table: "hc_loyalty_lots", text: updateLots, rel: lotRel(c.Changed), rows: int64(len(c.Changed)), failed: hyperlocal.ErrTxRetry},
		{table: "hc_loyalty_spendings", text: insertSpendings, rel: spent, rows: int64(len(c.Spent))},
		{table: "hc_loyalty_spendings", text: restoreSpendings, rel: restored, rows: int64(len(c.Restored)), failed: hyperlocal.ErrTxRetry},
		{table: "hc_loyalty_movements", text: insertMovements, rel: movementRel(c.Movements), rows: int64(len(c.Movements))},
	} {
		if err := l.s.enqueue(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

func lotRel(lots []loyalty.Lot) *rel {
	type row = loyalty.Lot
	return newRel(len(lots)).
		text("tenant", each1(lots, func(l *row) string { return string(l.Tenant) })).
		uuid("id", each1(lots, func(l *row) string { return l.ID })).
		text("member_kind", each1(lots, func(l *row) string { return l.Member.Kind })).
		text("member_id", each1(lots, func(l *row) string { return l.Member.ID })).
		text("source_kind", each1(lots, func(l *row) string { return l.Source.Kind })).
		text("source_id", each1(lots, func(l *row) string { return l.Source.ID })).
		int("source_version", each1(lots, func(l *row) int64 { return l.SourceVersion })).
		int("earned", each1(lots, func(l *row) int64 { return l.Earned })).
		int("remaining", each1(lots, func(l *row) int64 { return l.Remaining })).
		int("expired", each1(lots, func(l *row) int64 { return l.Expired })).
		int("shortfall", each1(lots, func(l *row) int64 { return l.Shortfall })).
		at("active_from", each1(lots, func(l *row) time.Time { return l.ActiveFrom })).
		atNull("expires_at", each1(lots, func(l *row) time.Time { return l.ExpiresAt })).
		at("created_at", each1(lots, func(l *row) time.Time { return l.CreatedAt })).
		at("updated_at", each1(lots, func(l *row) time.Time { return l.UpdatedAt })).
		int("version", each1(lots, func(l *row) int64 { return l.Version }))
}

func spendingRel(spendings []loyalty.Spending) (*rel, error) {
	type row = loyalty.Spending
	uses := make([]json.RawMessage, len(spendings))
	for i := range spendings {
		var err error
		if uses[i], err = json.Marshal(spendings[i].Uses); err != nil {
			return nil, internal("store/encode", "a spending cannot be encoded").WithCause(err)
		}
	}
	return newRel(len(spendings)).
		text("tenant", each1(spendings, func(v *row) string { return string(v.Tenant) })).
		text("reference", each1(spendings, func(v *row) string { return v.Reference })).
		text("member_kind", each1(spendings, func(v *row) string { return v.Member.Kind })).
		text("member_id", each1(spendings, func(v *row) string { return v.Member.ID })).
		text("subject_kind", each1(spendings, func(v *row) string { return v.Subject.Kind })).
		text("subject_id", each1(spendings, func(v *row) string { return v.Subject.ID })).
		int("points", each1(spendings, func(v *row) int64 { return v.Points })).
		json("uses", uses).
		at("spent_at", each1(spendings, func(v *row) time.Time { return v.SpentAt })).
		atNull("restored_at", each1(spendings, func(v *row) time.Time { return v.RestoredAt })), nil
}

func movementRel(movements []loyalty.Movement) *rel {
	type row = loyalty.Movement
	return newRel(len(movements)).
		text("tenant", each1(movements, func(m *row) string { return string(m.Tenant) })).
		text("member_kind", each1(movements, func(m *row) string { return m.Member.Kind })).
		text("member_id", each1(movements, func(m *row) string { return m.Member.ID })).
		uuid("id", each1(movements, func(m *row) string { return m.ID })).
		uuid("lot", each1(movements, func(m *row) string { return m.Lot })).
		text("kind", each1(movements, func(m *row) string { return string(m.Kind) })).
		int("points", each1(movements, func(m *row) int64 { return m.Points })).
		text("reference", each1(movements, func(m *row) string { return m.Reference })).
		text("subject_kind", each1(movements, func(m *row) string { return m.Subject.Kind })).
		text("subject_id", each1(movements, func(m *row) string { return m.Subject.ID })).
		at("at", each1(movements, func(m *row) time.Time { return m.At })).
		at("recorded_at", each1(movements, func(m *row) time.Time { return m.Recorded })).
		text("actor_kind", each1(movements, func(m *row) string { return m.Actor.Kind })).
		text("actor_id", each1(movements, func(m *row) string { return m.Actor.ID }))
}
