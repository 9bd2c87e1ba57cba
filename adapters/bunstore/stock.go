package bunstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

// Stock is the [inventory.Store] of a database.
type Stock struct{ s *Store }

var (
	_ inventory.Store   = (*Stock)(nil)
	_ hyperlocal.Scoped = (*Stock)(nil)
)

// Stock returns the store of levels, reservations and movements.
func (s *Store) Stock() *Stock { return &Stock{s: s} }

// TxScope implements [hyperlocal.Scoped].
func (o *Stock) TxScope() hyperlocal.Scope { return o.s.TxScope() }

func stockConstraints() map[string]*hyperlocal.Error {
	return map[string]*hyperlocal.Error{
		"hc_stock_levels(tenant,item,location)":                             inventory.ErrContended,
		"hc_stock_levels_reserved_check":                                    inventory.ErrContended,
		"hc_stock_levels_cover_check":                                       inventory.ErrContended,
		"hc_stock_levels_range_check":                                       inventory.ErrOutOfRange,
		"hc_stock_levels_unit_fkey":                                         inventory.ErrUnitMismatch,
		"hc_stock_movements_external_key":                                   inventory.ErrReferenceTaken,
		"hc_stock_movements(tenant,external_source,external_reference,n)":   inventory.ErrReferenceTaken,
		"hc_stock_movements_return_key":                                     inventory.ErrReferenceTaken,
		"hc_stock_movements(tenant,owner_kind,owner_id,return_reference,n)": inventory.ErrReferenceTaken,
		"hc_stock_movements_keep":                                           errStockKept,
	}
}

var errStockKept = internal("store/append_only", "stock movements are only ever appended")

const levelHead = `l.tenant, l.item, l.location, l.unit, l.mode, l.on_hand, l.reserved, l.backorder_limit, l.low_at,
 l.version, l.updated_at`

const lockLevels = `SELECT ` + levelHead + ` FROM {k} k CROSS JOIN hc_stock_levels AS l
 WHERE l.tenant = k.tenant AND l.item = k.item AND l.location = k.location
 ORDER BY l.tenant, l.item, l.location {for update of l}`

// A row of the relation names either a level or an owner; the other columns are ”.
const lockLevelsAndOwned = `SELECT ` + levelHead + ` FROM (
  SELECT k.tenant, k.item, k.location FROM {k} k WHERE k.item <> ''
  UNION SELECT r.tenant, r.item, r.location FROM {k} k CROSS JOIN hc_stock_reservations AS r
   WHERE r.tenant = k.tenant AND r.owner_kind = k.owner_kind AND r.owner_id = k.owner_id) AS x
 CROSS JOIN hc_stock_levels AS l WHERE l.tenant = x.tenant AND l.item = x.item AND l.location = x.location
 ORDER BY l.tenant, l.item, l.location {for update of l}`

const reservationHead = `r.tenant, r.owner_kind, r.owner_id, r.id, r.item, r.location, r.unit, r.quantity, r.expires_at, r.created_at`

const ownedReservations = `SELECT ` + reservationHead + ` FROM {k} k CROSS JOIN hc_stock_reservations AS r
 WHERE r.tenant = k.tenant AND r.owner_kind = k.owner_kind AND r.owner_id = k.owner_id
 ORDER BY r.tenant, r.owner_kind, r.owner_id, r.id`

const lockOwnedReservations = ownedReservations + ` {for update of r}`

// Lock implements [inventory.Store].
func (o *Stock) Lock(ctx context.Context, keys []inventory.Key, owners []hyperlocal.TenantRef) (inventory.Locked, error) {
	var out inventory.Locked
	if err := o.s.lock(ctx, hyperlocal.RankStock); err != nil {
		return out, err
	}
	keys, owners = sortedKeys(keys), sortedOwners(owners)
	if len(owners) == 0 {
		err := o.s.queryEach(ctx, lockLevels, stockKeys(keys), func(rows row) error { return scanLevel(rows, &out.Levels) })
		return out, err
	}
	n := len(keys) + len(owners)
	tenant, item, location := make([]string, n), make([]string, n), make([]string, n)
	kind, id := make([]string, n), make([]string, n)
	for i, k := range keys {
		tenant[i], item[i], location[i] = string(k.Tenant), string(k.Item), string(k.Location)
	}
	for i, w := range owners {
		i += len(keys)
		tenant[i], kind[i], id[i] = string(w.Tenant), w.Ref.Kind, w.Ref.ID
	}
	both := newRel(n).text("tenant", tenant).text("item", item).text("location", location).
		text("owner_kind", kind).text("owner_id", id)
	err := o.s.query(ctx, lockLevelsAndOwned, both, nil, func(rows row) error { return scanLevel(rows, &out.Levels) })
	if err != nil {
		return out, err
	}
	err = o.s.query(ctx, lockOwnedReservations, stockOwners(owners), nil,
		func(rows row) error { return scanReservation(rows, &out.Reservations) })
	if err != nil {
		return out, err
	}
	// Whoever opened a reservation while the levels were being waited for may have used one
	// that is not locked; the next run sees it.
	for _, r := range out.Reservations {
		if _, ok := slices.BinarySearchFunc(out.Levels, r.Key(), compareLevel); !ok {
			return out, hyperlocal.ErrTxRetry
		}
	}
	return out, nil
}

func compareLevel(l inventory.Level, k inventory.Key) int { return l.Key().Compare(k) }

const lockDueLevels = `SELECT ` + levelHead + ` FROM (SELECT DISTINCT d.tenant, d.item, d.location FROM (
  SELECT r.tenant, r.item, r.location FROM hc_stock_reservations AS r
  WHERE r.expires_at <= $1 ORDER BY r.expires_at, r.id LIMIT $2) AS d) AS x
 CROSS JOIN hc_stock_levels AS l WHERE l.tenant = x.tenant AND l.item = x.item AND l.location = x.location
 ORDER BY l.tenant, l.item, l.location {for update of l skip locked}`

const lockDueReservations = `SELECT ` + reservationHead + ` FROM hc_stock_reservations AS r {sqlite INDEXED BY hc_stock_reservations_due}
 WHERE r.expires_at <= $1 AND (r.tenant, r.item, r.location) IN (SELECT k.tenant, k.item, k.location FROM {k} k)
 ORDER BY r.expires_at, r.id LIMIT $2 {for update of r skip locked}`

// LockDue implements [inventory.Store].
func (o *Stock) LockDue(ctx context.Context, now time.Time, limit int) (inventory.Locked, error) {
	var out inventory.Locked
	if err := o.s.lock(ctx, hyperlocal.RankStock); err != nil {
		return out, err
	}
	args := []any{o.s.at(now), int64(limit)}
	err := o.s.query(ctx, lockDueLevels, nil, args, func(rows row) error { return scanLevel(rows, &out.Levels) })
	if err != nil || len(out.Levels) == 0 {
		return out, err
	}
	keys := each1(out.Levels, func(l *inventory.Level) inventory.Key { return l.Key() })
	err = o.s.query(ctx, lockDueReservations, stockKeys(keys), args,
		func(rows row) error { return scanReservation(rows, &out.Reservations) })
	slices.SortFunc(out.Reservations, func(a, b inventory.Reservation) int {
		return cmp.Or(compareOwners(a.OwnedBy(), b.OwnedBy()), cmp.Compare(a.ID, b.ID))
	})
	return out, err
}

// The guard stands here and not with the caller: whatever was decided in memory, a level
// changes only if it still allows it, and one that was presumed only if it is of that mode and
// does not become low. Those that are not locked yet are locked here, in the order of k, because
// the planner is made to think that k is short (a condition that it knows nothing about): it
// looks levels up for k and never k for levels.
const changeLevels = `UPDATE hc_stock_levels AS l SET on_hand = l.on_hand + k.on_hand, reserved = l.reserved + k.reserved,
 version = l.version + 1, updated_at = k.at
 FROM {k} k WHERE l.tenant = k.tenant AND l.item = k.item AND l.location = k.location {pg AND k.item || '' = k.item}
 AND (k.guard = 0 OR l.on_hand - l.reserved + CASE k.guard WHEN 1 THEN l.backorder_limit ELSE 0 END >= k.reserved - k.on_hand)
 AND (k.presumed = '' OR l.mode = k.presumed AND (l.low_at IS NULL OR l.on_hand - l.reserved <= l.low_at
  OR l.on_hand - l.reserved + k.on_hand - k.reserved > l.low_at))`

const closeReservations = `DELETE FROM hc_stock_reservations AS r
 WHERE (r.tenant, r.owner_kind, r.owner_id, r.id) IN (SELECT k.tenant, k.owner_kind, k.owner_id, k.id FROM {k} k)`

const extendReservations = `UPDATE hc_stock_reservations AS r SET expires_at = k.expires_at FROM {k} k
 WHERE r.tenant = k.tenant AND r.owner_kind = k.owner_kind AND r.owner_id = k.owner_id AND r.id = k.id`

const openReservations = `INSERT INTO hc_stock_reservations (tenant, owner_kind, owner_id, id, item, location, unit, quantity,
 expires_at, created_at)
 SELECT k.tenant, k.owner_kind, k.owner_id, k.id, k.item, k.location, k.unit, k.quantity, k.expires_at, k.created_at FROM {k} k`

const appendMovements = `INSERT INTO hc_stock_movements (tenant, id, item, location, kind, unit, on_hand, reserved, owner_kind,
 owner_id, external_source, external_reference, return_reference, n, reason, actor_kind, actor_id, at, recorded_at)
 SELECT k.tenant, k.id, k.item, k.location, k.kind, k.unit, k.on_hand, k.reserved, k.owner_kind, k.owner_id,
 k.external_source, k.external_reference, k.return_reference, k.n, k.reason, k.actor_kind, k.actor_id, k.at, k.recorded_at
 FROM {k} k`

// Write implements [inventory.Store]: at most five queued writes, of which the first three
// touch different tables and so travel together.
func (o *Stock) Write(ctx context.Context, w inventory.Writes) error {
	if err := o.s.inTx(ctx); err != nil {
		return err
	}
	changes := slices.Clone(w.Changes)
	slices.SortFunc(changes, func(a, b inventory.Change) int { return a.Key.Compare(b.Key) })
	type c = inventory.Change
	type m = inventory.Movement
	for _, q := range []write{
		{table: "hc_stock_levels", text: changeLevels, rel: newRel(len(changes)).
			text("tenant", each1(changes, func(v *c) string { return string(v.Tenant) })).
			text("item", each1(changes, func(v *c) string { return string(v.Item) })).
			text("location", each1(changes, func(v *c) string { return string(v.Location) })).
			int("on_hand", each1(changes, func(v *c) int64 { return v.OnHand })).
			int("reserved", each1(changes, func(v *c) int64 { return v.Reserved })).
			int("guard", each1(changes, func(v *c) int64 { return int64(v.Guard) })).
			text("presumed", each1(changes, func(v *c) string { return string(v.Presumed) })).
			at("at", each1(changes, func(v *c) time.Time { return v.At }))},
		{table: "hc_stock_movements", text: appendMovements, rel: newRel(len(w.Movements)).
			text("tenant", each1(w.Movements, func(v *m) string { return string(v.Tenant) })).
			uuid("id", each1(w.Movements, func(v *m) string { return v.ID })).
			text("item", each1(w.Movements, func(v *m) string { return string(v.Item) })).
			text("location", each1(w.Movements, func(v *m) string { return string(v.Location) })).
			text("kind", each1(w.Movements, func(v *m) string { return string(v.Kind) })).
			text("unit", each1(w.Movements, func(v *m) string { return string(v.OnHand.Unit()) })).
			int("on_hand", each1(w.Movements, func(v *m) int64 { return v.OnHand.Value() })).
			int("reserved", each1(w.Movements, func(v *m) int64 { return v.Reserved.Value() })).
			text("owner_kind", each1(w.Movements, func(v *m) string { return v.Owner.Kind })).
			text("owner_id", each1(w.Movements, func(v *m) string { return v.Owner.ID })).
			textNull("external_source", each1(w.Movements, func(v *m) string { return v.External.Source })).
			textNull("external_reference", each1(w.Movements, func(v *m) string { return v.External.Reference })).
			textNull("return_reference", each1(w.Movements, func(v *m) string { return v.Return })).
			int("n", each1(w.Movements, func(v *m) int64 { return int64(v.N) })).
			text("reason", each1(w.Movements, func(v *m) string { return v.Reason })).
			text("actor_kind", each1(w.Movements, func(v *m) string { return v.Actor.Kind })).
			text("actor_id", each1(w.Movements, func(v *m) string { return v.Actor.ID })).
			at("at", each1(w.Movements, func(v *m) time.Time { return v.At })).
			at("recorded_at", each1(w.Movements, func(v *m) time.Time { return v.RecordedAt }))},
		{table: "hc_stock_reservations", text: closeReservations, rel: reservationKeys(w.Close)},
		{table: "hc_stock_reservations", text: extendReservations, rel: reservationKeys(w.Extend).
			at("expires_at", each1(w.Extend, func(v *inventory.Reservation) time.Time { return v.ExpiresAt }))},
		{table: "hc_stock_reservations", text: openReservations, rel: reservationKeys(w.Open).
			text("item", each1(w.Open, func(v *inventory.Reservation) string { return string(v.Item) })).
			text("location", each1(w.Open, func(v *inventory.Reservation) string { return string(v.Location) })).
			text("unit", each1(w.Open, func(v *inventory.Reservation) string { return string(v.Quantity.Unit()) })).
			int("quantity", each1(w.Open, func(v *inventory.Reservation) int64 { return v.Quantity.Value() })).
			atNull("expires_at", each1(w.Open, func(v *inventory.Reservation) time.Time { return v.ExpiresAt })).
			at("created_at", each1(w.Open, func(v *inventory.Reservation) time.Time { return v.CreatedAt }))},
	} {
		q.rows, q.failed = int64(q.rel.n), inventory.ErrContended
		if err := o.s.enqueue(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

const addUnits = `INSERT INTO hc_stock_items (tenant, item, unit) SELECT k.tenant, k.item, k.unit FROM {k} k
 WHERE true ON CONFLICT (tenant, item) DO NOTHING`

const otherUnits = `SELECT i.item, i.unit FROM hc_stock_items AS i
 JOIN {k} k ON i.tenant = k.tenant AND i.item = k.item AND i.unit <> k.unit ORDER BY i.item LIMIT 1`

const addLevels = `INSERT INTO hc_stock_levels (tenant, item, location, unit, mode, on_hand, reserved, backorder_limit, low_at,
 version, updated_at)
 SELECT k.tenant, k.item, k.location, k.unit, k.mode, k.on_hand, k.reserved, k.backorder_limit, k.low_at, k.version, k.at
 FROM {k} k`

// AddItems implements [inventory.Store].
func (o *Stock) AddItems(ctx context.Context, levels []inventory.Level) error {
	if len(levels) == 0 {
		return o.s.inTx(ctx)
	}
	levels = slices.Clone(levels)
	slices.SortFunc(levels, func(a, b inventory.Level) int { return a.Key().Compare(b.Key()) })
	type l = inventory.Level
	var items []inventory.Level // one per item, sorted: two twins must not wait for each other
	for _, v := range levels {
		if n := len(items); n == 0 || items[n-1].Tenant != v.Tenant || items[n-1].Item != v.Item {
			items = append(items, v)
		}
	}
	units := newRel(len(items)).
		text("tenant", each1(items, func(v *l) string { return string(v.Tenant) })).
		text("item", each1(items, func(v *l) string { return string(v.Item) })).
		text("unit", each1(items, func(v *l) string { return string(v.Unit()) }))
	if err := o.s.enqueue(ctx, write{table: "hc_stock_items", text: addUnits, rel: units, rows: -1}); err != nil {
		return err
	}
	err := o.s.query(ctx, otherUnits, units, nil, func(rows row) error {
		var item, unit string
		if err := rows.Scan(&item, &unit); err != nil {
			return err
		}
		return inventory.ErrUnitMismatch.With("item", item).With("unit", unit)
	})
	if err != nil {
		return err
	}
	return o.s.enqueue(ctx, write{table: "hc_stock_levels", text: addLevels, rows: int64(len(levels)), rel: settingsOf(levels).
		text("unit", each1(levels, func(v *l) string { return string(v.Unit()) })).
		int("on_hand", each1(levels, func(v *l) int64 { return v.OnHand.Value() })).
		int("reserved", each1(levels, func(v *l) int64 { return v.Reserved.Value() }))})
}

const saveSettings = `UPDATE hc_stock_levels AS l SET mode = k.mode, backorder_limit = k.backorder_limit, low_at = k.low_at,
 version = k.version, updated_at = k.at
 FROM {k} k WHERE l.tenant = k.tenant AND l.item = k.item AND l.location = k.location AND l.version = k.version - 1`

// SaveItems implements [inventory.Store].
func (o *Stock) SaveItems(ctx context.Context, levels []inventory.Level) error {
	if err := o.s.inTx(ctx); err != nil {
		return err
	}
	return o.s.enqueue(ctx, write{
		table: "hc_stock_levels", text: saveSettings, rel: settingsOf(levels), rows: int64(len(levels)), failed: inventory.ErrContended,
	})
}

func settingsOf(levels []inventory.Level) *rel {
	type l = inventory.Level
	return newRel(len(levels)).
		text("tenant", each1(levels, func(v *l) string { return string(v.Tenant) })).
		text("item", each1(levels, func(v *l) string { return string(v.Item) })).
		text("location", each1(levels, func(v *l) string { return string(v.Location) })).
		text("mode", each1(levels, func(v *l) string { return string(v.Mode) })).
		int("backorder_limit", each1(levels, func(v *l) int64 { return v.BackorderLimit.Value() })).
		intNull("low_at", each1(levels, func(v *l) *int64 {
			if !v.LowAt.IsValid() {
				return nil
			}
			low := v.LowAt.Value()
			return &low
		})).
		int("version", each1(levels, func(v *l) int64 { return v.Version })).
		at("at", each1(levels, func(v *l) time.Time { return v.UpdatedAt }))
}

// Extend implements [inventory.Store].
func (o *Stock) Extend(ctx context.Context, owners []hyperlocal.TenantRef, until time.Time) ([]hyperlocal.TenantRef, error) {
	if err := o.s.lock(ctx, hyperlocal.RankStock); err != nil {
		return nil, err
	}
	var open []inventory.Reservation
	err := o.s.query(ctx, lockOwnedReservations, stockOwners(sortedOwners(owners)), nil,
		func(rows row) error { return scanReservation(rows, &open) })
	if err != nil {
		return nil, err
	}
	until = hyperlocal.Instant(until)
	var alive []hyperlocal.TenantRef
	var late []inventory.Reservation
	for _, r := range open {
		if !r.Hold() {
			continue
		}
		if n := len(alive); n == 0 || alive[n-1] != r.OwnedBy() {
			alive = append(alive, r.OwnedBy())
		}
		if r.ExpiresAt.Before(until) {
			r.ExpiresAt = until
			late = append(late, r)
		}
	}
	return alive, o.Write(ctx, inventory.Writes{Extend: late})
}

// reservationKeys starts a relation with the primary keys of reservations.
func reservationKeys(rows []inventory.Reservation) *rel {
	type r = inventory.Reservation
	return newRel(len(rows)).
		text("tenant", each1(rows, func(v *r) string { return string(v.Tenant) })).
		text("owner_kind", each1(rows, func(v *r) string { return v.Owner.Kind })).
		text("owner_id", each1(rows, func(v *r) string { return v.Owner.ID })).
		uuid("id", each1(rows, func(v *r) string { return v.ID }))
}

func sortedKeys(keys []inventory.Key) []inventory.Key {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, inventory.Key.Compare)
	return slices.Compact(keys)
}

func compareOwners(a, b hyperlocal.TenantRef) int {
	return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Ref.Kind, b.Ref.Kind), cmp.Compare(a.Ref.ID, b.Ref.ID))
}

func sortedOwners(owners []hyperlocal.TenantRef) []hyperlocal.TenantRef {
	owners = slices.Clone(owners)
	slices.SortFunc(owners, compareOwners)
	return slices.Compact(owners)
}

func stockKeys(keys []inventory.Key) *rel {
	return newRel(len(keys)).
		text("tenant", each1(keys, func(k *inventory.Key) string { return string(k.Tenant) })).
		text("item", each1(keys, func(k *inventory.Key) string { return string(k.Item) })).
		text("location", each1(keys, func(k *inventory.Key) string { return string(k.Location) }))
}

func stockOwners(owners []hyperlocal.TenantRef) *rel {
	return newRel(len(owners)).
		text("tenant", each1(owners, func(o *hyperlocal.TenantRef) string { return string(o.Tenant) })).
		text("owner_kind", each1(owners, func(o *hyperlocal.TenantRef) string { return o.Ref.Kind })).
		text("owner_id", each1(owners, func(o *hyperlocal.TenantRef) string { return o.Ref.ID }))
}
