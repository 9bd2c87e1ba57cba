package bunstore

import (
	"cmp"
	"context"
	"database/sql"
	"slices"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

// counted builds quantities of one unit and keeps the first error.
type counted struct {
	unit hyperlocal.Unit
	err  error
}

func (c *counted) of(value int64) hyperlocal.Quantity {
	q, err := hyperlocal.NewQuantity(value, c.unit)
	if err != nil && c.err == nil {
		c.err = err
	}
	return q
}

// scanLevel appends the level in the current row, which starts with levelHead.
func scanLevel(rows row, to *[]inventory.Level, more ...any) error {
	var l inventory.Level
	var u counted
	var onHand, reserved, backorder int64
	var low sql.NullInt64
	into := append(make([]any, 0, 16), &l.Tenant, &l.Item, &l.Location, &u.unit, &l.Mode, &onHand, &reserved, &backorder, &low,
		&l.Version, instant{&l.UpdatedAt})
	if err := rows.Scan(append(into, more...)...); err != nil {
		return err
	}
	l.OnHand, l.Reserved, l.BackorderLimit = u.of(onHand), u.of(reserved), u.of(backorder)
	if low.Valid {
		l.LowAt = u.of(low.Int64)
	}
	*to = append(*to, l)
	return u.err
}

// scanReservation appends the reservation in the current row, which is reservationHead.
func scanReservation(rows row, to *[]inventory.Reservation) error {
	var r inventory.Reservation
	var u counted
	var quantity int64
	err := rows.Scan(&r.Tenant, &r.Owner.Kind, &r.Owner.ID, &r.ID, &r.Item, &r.Location, &u.unit, &quantity,
		nullInstant{&r.ExpiresAt}, instant{&r.CreatedAt})
	if err != nil {
		return err
	}
	r.Quantity = u.of(quantity)
	*to = append(*to, r)
	return u.err
}

const movementHead = `m.tenant, m.id, m.item, m.location, m.kind, m.unit, m.on_hand, m.reserved, m.owner_kind, m.owner_id,
 m.external_source, m.external_reference, m.return_reference, m.n, m.reason, m.actor_kind, m.actor_id, m.at, m.recorded_at`

func scanMovement(rows row, to *[]inventory.Movement) error {
	var m inventory.Movement
	var u counted
	var onHand, reserved int64
	err := rows.Scan(&m.Tenant, &m.ID, &m.Item, &m.Location, &m.Kind, &u.unit, &onHand, &reserved, &m.Owner.Kind, &m.Owner.ID,
		nullText[string]{&m.External.Source}, nullText[string]{&m.External.Reference}, nullText[string]{&m.Return}, &m.N,
		&m.Reason, &m.Actor.Kind, &m.Actor.ID, instant{&m.At}, instant{&m.RecordedAt})
	if err != nil {
		return err
	}
	m.OnHand, m.Reserved = u.of(onHand), u.of(reserved)
	*to = append(*to, m)
	return u.err
}

const getLevels = `SELECT ` + levelHead + ` FROM {k} k CROSS JOIN hc_stock_levels AS l
 WHERE l.tenant = k.tenant AND l.item = k.item AND l.location = k.location`

// Levels implements [inventory.Reader].
func (o *Stock) Levels(ctx context.Context, keys []inventory.Key) ([]inventory.Level, error) {
	var found []inventory.Level
	err := o.s.query(ctx, getLevels, stockKeys(sortedKeys(keys)), nil, func(rows row) error { return scanLevel(rows, &found) })
	if err != nil {
		return nil, err
	}
	at := make(map[inventory.Key]int, len(found))
	for i := range found {
		at[found[i].Key()] = i
	}
	out := make([]inventory.Level, 0, len(keys))
	for _, k := range keys {
		if i, ok := at[k]; ok {
			out = append(out, found[i])
		}
	}
	return out, nil
}

// ListLevels implements [inventory.Reader].
func (o *Stock) ListLevels(ctx context.Context, tenant hyperlocal.TenantID, f inventory.LevelFilter, p hyperlocal.PageRequest,
) (hyperlocal.Page[inventory.Level], error) {
	var page hyperlocal.Page[inventory.Level]
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	filter := []any{"levels", tenant, f}
	after, err := hyperlocal.DecodeCursor(filter, p.Cursor, 2)
	if err != nil {
		return page, err
	}
	var c conditions
	c.add(`SELECT `+levelHead+` FROM hc_stock_levels AS l WHERE l.tenant = %s`, string(tenant))
	if f.Item != "" {
		c.add(` AND l.item = %s`, string(f.Item))
	}
	if f.Location != "" {
		c.add(` AND l.location = %s`, string(f.Location))
	}
	if f.Low {
		c.add(` AND l.mode <> 'none' AND l.on_hand - l.reserved <= l.low_at`)
	}
	if after != nil {
		c.add(` AND (l.item, l.location) > (%s, %s)`, after[0], after[1])
	}
	c.add(` ORDER BY l.item, l.location LIMIT %s`, int64(size+1))
	err = o.s.query(ctx, c.text, nil, c.args, func(rows row) error { return scanLevel(rows, &page.Items) })
	if err != nil || len(page.Items) <= size {
		return page, err
	}
	page.Items = page.Items[:size]
	last := page.Items[size-1]
	page.Next, err = hyperlocal.EncodeCursor(filter, string(last.Item), string(last.Location))
	return page, err
}

// Movements implements [inventory.Reader].
func (o *Stock) Movements(ctx context.Context, tenant hyperlocal.TenantID, f inventory.MovementFilter, p hyperlocal.PageRequest,
) (hyperlocal.Page[inventory.Movement], error) {
	var page hyperlocal.Page[inventory.Movement]
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	filter := []any{"movements", tenant, f}
	after, err := hyperlocal.DecodeCursor(filter, p.Cursor, 1)
	if err != nil {
		return page, err
	}
	var c conditions
	c.add(`SELECT `+movementHead+` FROM hc_stock_movements AS m WHERE m.tenant = %s`, string(tenant))
	if f.Item != "" {
		c.add(` AND m.item = %s AND m.location = %s`, string(f.Item), string(f.Location))
	}
	if after != nil {
		if !hyperlocal.ValidID(after[0]) {
			return page, hyperlocal.ErrCursor
		}
		c.add(` AND m.id < {pg CAST(}%s{pg  AS uuid)}`, after[0])
	}
	c.add(` ORDER BY m.id DESC LIMIT %s`, int64(size+1))
	err = o.s.query(ctx, c.text, nil, c.args, func(rows row) error { return scanMovement(rows, &page.Items) })
	if err != nil || len(page.Items) <= size {
		return page, err
	}
	page.Items = page.Items[:size]
	page.Next, err = hyperlocal.EncodeCursor(filter, page.Items[size-1].ID)
	return page, err
}

// Reservations implements [inventory.Reader].
func (o *Stock) Reservations(ctx context.Context, tenant hyperlocal.TenantID, owners []hyperlocal.Ref) ([]inventory.Reservation, error) {
	named := sortedOwners(each1(owners, func(r *hyperlocal.Ref) hyperlocal.TenantRef {
		return hyperlocal.TenantRef{Tenant: tenant, Ref: *r}
	}))
	var out []inventory.Reservation
	err := o.s.query(ctx, ownedReservations, stockOwners(named), nil, func(rows row) error { return scanReservation(rows, &out) })
	return out, err
}

// SQLite, which keeps no statistics, would take an index for its column tenant alone.
const movementsByReference = `SELECT ` + movementHead + ` FROM {k} k
 CROSS JOIN hc_stock_movements AS m {sqlite INDEXED BY hc_stock_movements_external_key}
 WHERE m.tenant = k.tenant AND m.external_source = k.source AND m.external_reference = k.reference
 ORDER BY m.external_source, m.external_reference, m.n`

// References implements [inventory.Reader].
func (o *Stock) References(ctx context.Context, tenant hyperlocal.TenantID, refs []hyperlocal.External) ([]inventory.Movement, error) {
	refs = slices.Clone(refs)
	slices.SortFunc(refs, func(a, b hyperlocal.External) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Reference, b.Reference))
	})
	refs = slices.Compact(refs)
	var out []inventory.Movement
	err := o.s.query(ctx, movementsByReference, newRel(len(refs)).
		text("tenant", each1(refs, func(*hyperlocal.External) string { return string(tenant) })).
		text("source", each1(refs, func(e *hyperlocal.External) string { return e.Source })).
		text("reference", each1(refs, func(e *hyperlocal.External) string { return e.Reference })),
		nil, func(rows row) error { return scanMovement(rows, &out) })
	return out, err
}

const recordedReturns = `SELECT k.i FROM {k} k JOIN hc_stock_movements AS m
 ON m.tenant = k.tenant AND m.owner_kind = k.owner_kind AND m.owner_id = k.owner_id AND m.return_reference = k.reference AND m.n = 0`

// Returned implements [inventory.Reader].
func (o *Stock) Returned(ctx context.Context, keys []inventory.ReturnKey) ([]bool, error) {
	out := make([]bool, len(keys))
	places := make([]int64, len(keys))
	for i := range places {
		places[i] = int64(i)
	}
	type k = inventory.ReturnKey
	err := o.s.query(ctx, recordedReturns, newRel(len(keys)).int("i", places).
		text("tenant", each1(keys, func(v *k) string { return string(v.Tenant) })).
		text("owner_kind", each1(keys, func(v *k) string { return v.Owner.Kind })).
		text("owner_id", each1(keys, func(v *k) string { return v.Owner.ID })).
		text("reference", each1(keys, func(v *k) string { return v.Reference })),
		nil, func(rows row) error {
			var i int
			if err := rows.Scan(&i); err != nil {
				return err
			}
			out[i] = true
			return nil
		})
	return out, err
}

// One statement, so that level and sums are of one moment. Reservations have no index by
// their level, which every placement would pay for: all open ones of the tenant are read once.
const countLevels = `SELECT ` + levelHead + `,
  CAST(COALESCE(m.on_hand, 0) AS bigint), CAST(COALESCE(m.reserved, 0) AS bigint), CAST(COALESCE(r.quantity, 0) AS bigint)
 FROM {k} k
 JOIN hc_stock_levels AS l ON l.tenant = k.tenant AND l.item = k.item AND l.location = k.location
 LEFT JOIN (SELECT v.tenant, v.item, v.location, SUM(v.on_hand) AS on_hand, SUM(v.reserved) AS reserved
  FROM {k} k CROSS JOIN hc_stock_movements AS v {sqlite INDEXED BY hc_stock_movements_level}
  WHERE v.tenant = k.tenant AND v.item = k.item AND v.location = k.location
  GROUP BY v.tenant, v.item, v.location) AS m ON m.tenant = l.tenant AND m.item = l.item AND m.location = l.location
 LEFT JOIN (SELECT o.tenant, o.item, o.location, SUM(o.quantity) AS quantity FROM hc_stock_reservations AS o
  WHERE (o.tenant, o.item, o.location) IN (SELECT k.tenant, k.item, k.location FROM {k} k)
  GROUP BY o.tenant, o.item, o.location) AS r ON r.tenant = l.tenant AND r.item = l.item AND r.location = l.location`

// Count implements [inventory.Reader].
func (o *Stock) Count(ctx context.Context, keys []inventory.Key) ([]inventory.Count, error) {
	found := make(map[inventory.Key]inventory.Count, len(keys))
	err := o.s.query(ctx, countLevels, stockKeys(sortedKeys(keys)), nil, func(rows row) error {
		var level []inventory.Level
		var onHand, reserved, open int64
		if err := scanLevel(rows, &level, &onHand, &reserved, &open); err != nil {
			return err
		}
		u := counted{unit: level[0].Unit()}
		found[level[0].Key()] = inventory.Count{
			Level: level[0], MovedOnHand: u.of(onHand), MovedReserved: u.of(reserved), OpenReserved: u.of(open),
		}
		return u.err
	})
	if err != nil {
		return nil, err
	}
	out := make([]inventory.Count, 0, len(keys))
	for _, k := range keys {
		if c, ok := found[k]; ok {
			out = append(out, c)
		}
	}
	return out, nil
}
