package memstore

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

type itemKey struct {
	tenant hyperlocal.TenantID
	item   hyperlocal.ItemID
}

type movementReference struct {
	tenant   hyperlocal.TenantID
	external hyperlocal.External
	n        int
}

type returnReference struct {
	key inventory.ReturnKey
	n   int
}

// stockTables keeps movements in slices sorted by id, so that a page is found by searching.
// The slices only grow at their end, or are copied, so the undo log can keep old headers.
type stockTables struct {
	units     *table[itemKey, hyperlocal.Unit]
	levels    *table[inventory.Key, inventory.Level]
	open      *table[hyperlocal.TenantRef, []inventory.Reservation] // by owner, sorted by id
	holds     *table[string, hyperlocal.TenantRef]                  // ids of open holds
	ofLevel   *table[inventory.Key, []*inventory.Movement]
	ofTenant  *table[hyperlocal.TenantID, []*inventory.Movement]
	externals *table[movementReference, *inventory.Movement]
	returns   *table[returnReference, struct{}]
}

func newStockTables() *stockTables {
	return &stockTables{
		units:     newTable[itemKey, hyperlocal.Unit](),
		levels:    newTable[inventory.Key, inventory.Level](),
		open:      newTable[hyperlocal.TenantRef, []inventory.Reservation](),
		holds:     newTable[string, hyperlocal.TenantRef](),
		ofLevel:   newTable[inventory.Key, []*inventory.Movement](),
		ofTenant:  newTable[hyperlocal.TenantID, []*inventory.Movement](),
		externals: newTable[movementReference, *inventory.Movement](),
		returns:   newTable[returnReference, struct{}](),
	}
}

// Stock is the [inventory.Store] of a database.
type Stock struct {
	db *DB
	t  *stockTables
}

var (
	_ inventory.Store   = (*Stock)(nil)
	_ hyperlocal.Scoped = (*Stock)(nil)
)

// Stock returns the store of levels, reservations and movements.
func (db *DB) Stock() *Stock { return &Stock{db: db, t: part(db, newStockTables)} }

// TxScope implements [hyperlocal.Scoped].
func (s *Stock) TxScope() hyperlocal.Scope { return s.db.TxScope() }

// Lock implements [inventory.Store]. One transaction runs at a time, so to read is to lock.
func (s *Stock) Lock(ctx context.Context, keys []inventory.Key, owners []hyperlocal.TenantRef) (inventory.Locked, error) {
	var out inventory.Locked
	t, err := s.db.must(ctx)
	if err != nil {
		return out, err
	}
	if err := t.lock(hyperlocal.RankStock); err != nil {
		return out, err
	}
	out.Reservations = s.ownedBy(owners)
	keys = slices.Clone(keys)
	for _, r := range out.Reservations {
		keys = append(keys, r.Key())
	}
	out.Levels = s.sorted(keys)
	return out, nil
}

// LockDue implements [inventory.Store].
func (s *Stock) LockDue(ctx context.Context, now time.Time, limit int) (inventory.Locked, error) {
	var out inventory.Locked
	t, err := s.db.must(ctx)
	if err != nil {
		return out, err
	}
	if err := t.lock(hyperlocal.RankStock); err != nil {
		return out, err
	}
	for id, owner := range s.t.holds.all() {
		rows, _ := s.t.open.get(owner)
		if i, ok := findReservation(rows, id); ok && !rows[i].ExpiresAt.After(now) {
			out.Reservations = append(out.Reservations, rows[i])
		}
	}
	slices.SortFunc(out.Reservations, func(a, b inventory.Reservation) int {
		return cmp.Or(a.ExpiresAt.Compare(b.ExpiresAt), cmp.Compare(a.ID, b.ID))
	})
	out.Reservations = out.Reservations[:min(limit, len(out.Reservations))]
	slices.SortFunc(out.Reservations, compareReservations)
	keys := make([]inventory.Key, len(out.Reservations))
	for i, r := range out.Reservations {
		keys[i] = r.Key()
	}
	out.Levels = s.sorted(keys)
	return out, nil
}

// Write implements [inventory.Store].
func (s *Stock) Write(ctx context.Context, w inventory.Writes) error {
	return s.change(ctx, func(t *tx) error {
		for _, c := range w.Changes {
			if err := s.apply(t, c); err != nil {
				return err
			}
		}
		for _, r := range w.Close {
			if err := s.close(t, r); err != nil {
				return err
			}
		}
		for _, r := range w.Extend {
			if err := s.extend(t, r); err != nil {
				return err
			}
		}
		for _, r := range w.Open {
			if err := s.openOne(t, r); err != nil {
				return err
			}
		}
		for _, m := range w.Movements {
			if err := s.record(t, m); err != nil {
				return err
			}
		}
		return nil
	})
}

// change runs fn in the transaction of ctx and takes back what it did if it fails.
func (s *Stock) change(ctx context.Context, fn func(t *tx) error) error {
	if _, err := s.db.must(ctx); err != nil {
		return err
	}
	return s.db.write(ctx, fn)
}

func (s *Stock) apply(t *tx, c inventory.Change) error {
	l, ok := s.t.levels.get(c.Key)
	if !ok {
		return contended(c.Key)
	}
	free := l.OnHand.Value() - l.Reserved.Value()
	if c.Guard == inventory.GuardBackorder {
		free += l.BackorderLimit.Value()
	}
	if c.Guard != inventory.GuardNone && free < c.Reserved-c.OnHand {
		return contended(c.Key)
	}
	wasLow := l.Low()
	var err error
	if l.OnHand, err = hyperlocal.NewQuantity(l.OnHand.Value()+c.OnHand, l.Unit()); err != nil {
		return err
	}
	if l.Reserved, err = hyperlocal.NewQuantity(l.Reserved.Value()+c.Reserved, l.Unit()); err != nil {
		return err
	}
	if err := l.Validate(); err != nil {
		return err
	}
	if c.Presumed != "" && (l.Mode != c.Presumed || l.Low() && !wasLow) {
		return contended(c.Key)
	}
	l.Version++
	l.UpdatedAt = hyperlocal.Instant(c.At)
	s.t.levels.put(t, c.Key, l)
	return nil
}

func (s *Stock) openOne(t *tx, r inventory.Reservation) error {
	if !hyperlocal.ValidID(r.ID) {
		return errInvalidID.With("field", "id")
	}
	r.ExpiresAt, r.CreatedAt = hyperlocal.Instant(r.ExpiresAt), hyperlocal.Instant(r.CreatedAt)
	rows, _ := s.t.open.get(r.OwnedBy())
	i, found := findReservation(rows, r.ID)
	if found {
		return contended(r.Key())
	}
	s.t.open.put(t, r.OwnedBy(), slices.Insert(slices.Clone(rows), i, r))
	if r.Hold() {
		s.t.holds.put(t, r.ID, r.OwnedBy())
	}
	return nil
}

func (s *Stock) close(t *tx, r inventory.Reservation) error {
	rows, _ := s.t.open.get(r.OwnedBy())
	i, found := findReservation(rows, r.ID)
	if !found {
		return contended(r.Key())
	}
	s.t.holds.del(t, r.ID)
	if len(rows) == 1 {
		s.t.open.del(t, r.OwnedBy())
		return nil
	}
	s.t.open.put(t, r.OwnedBy(), slices.Delete(slices.Clone(rows), i, i+1))
	return nil
}

func (s *Stock) extend(t *tx, r inventory.Reservation) error {
	rows, _ := s.t.open.get(r.OwnedBy())
	i, found := findReservation(rows, r.ID)
	if !found {
		return contended(r.Key())
	}
	rows = slices.Clone(rows)
	rows[i].ExpiresAt = hyperlocal.Instant(r.ExpiresAt)
	s.t.open.put(t, r.OwnedBy(), rows)
	return nil
}

func (s *Stock) record(t *tx, m inventory.Movement) error {
	if !hyperlocal.ValidID(m.ID) {
		return errInvalidID.With("field", "id")
	}
	m.At, m.RecordedAt = hyperlocal.Instant(m.At), hyperlocal.Instant(m.RecordedAt)
	if !m.External.IsZero() {
		k := movementReference{m.Tenant, m.External, m.N}
		if _, taken := s.t.externals.get(k); taken {
			return inventory.ErrReferenceTaken
		}
		s.t.externals.put(t, k, &m)
	}
	if m.Return != "" {
		k := returnReference{inventory.ReturnKey{Tenant: m.Tenant, Owner: m.Owner, Reference: m.Return}, m.N}
		if _, taken := s.t.returns.get(k); taken {
			return inventory.ErrReferenceTaken
		}
		s.t.returns.put(t, k, struct{}{})
	}
	ofLevel, _ := s.t.ofLevel.get(m.Key())
	s.t.ofLevel.put(t, m.Key(), insertMovement(ofLevel, &m))
	ofTenant, _ := s.t.ofTenant.get(m.Tenant)
	s.t.ofTenant.put(t, m.Tenant, insertMovement(ofTenant, &m))
	return nil
}

// AddItems implements [inventory.Store].
func (s *Stock) AddItems(ctx context.Context, levels []inventory.Level) error {
	return s.change(ctx, func(t *tx) error {
		for _, l := range levels {
			unit := itemKey{l.Tenant, l.Item}
			if u, known := s.t.units.get(unit); known && u != l.Unit() {
				return inventory.ErrUnitMismatch.With("item", l.Item).With("location", l.Location).With("unit", u)
			}
			if _, exists := s.t.levels.get(l.Key()); exists {
				return contended(l.Key())
			}
			if err := l.Validate(); err != nil {
				return err
			}
			s.t.units.put(t, unit, l.Unit())
			l.UpdatedAt = hyperlocal.Instant(l.UpdatedAt)
			s.t.levels.put(t, l.Key(), l)
		}
		return nil
	})
}

// SaveItems implements [inventory.Store].
func (s *Stock) SaveItems(ctx context.Context, levels []inventory.Level) error {
	return s.change(ctx, func(t *tx) error {
		for _, l := range levels {
			stored, ok := s.t.levels.get(l.Key())
			if !ok || stored.Version != l.Version-1 {
				return contended(l.Key())
			}
			stored.Mode, stored.BackorderLimit, stored.LowAt = l.Mode, l.BackorderLimit, l.LowAt
			stored.Version, stored.UpdatedAt = l.Version, hyperlocal.Instant(l.UpdatedAt)
			if err := stored.Validate(); err != nil {
				return err
			}
			s.t.levels.put(t, l.Key(), stored)
		}
		return nil
	})
}

// Extend implements [inventory.Store].
func (s *Stock) Extend(ctx context.Context, owners []hyperlocal.TenantRef, until time.Time) ([]hyperlocal.TenantRef, error) {
	until = hyperlocal.Instant(until)
	var alive []hyperlocal.TenantRef
	err := s.change(ctx, func(t *tx) error {
		alive = nil
		if err := t.lock(hyperlocal.RankStock); err != nil {
			return err
		}
		for _, r := range s.ownedBy(owners) {
			if !r.Hold() {
				continue
			}
			if len(alive) == 0 || alive[len(alive)-1] != r.OwnedBy() {
				alive = append(alive, r.OwnedBy())
			}
			if r.ExpiresAt.Before(until) {
				r.ExpiresAt = until
				if err := s.extend(t, r); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return alive, err
}

// Levels implements [inventory.Reader].
func (s *Stock) Levels(ctx context.Context, keys []inventory.Key) ([]inventory.Level, error) {
	var out []inventory.Level
	err := s.db.read(ctx, func() error {
		out = make([]inventory.Level, 0, len(keys))
		for _, k := range keys {
			if l, ok := s.t.levels.get(k); ok {
				out = append(out, l)
			}
		}
		return nil
	})
	return out, err
}

// ListLevels implements [inventory.Reader].
func (s *Stock) ListLevels(ctx context.Context, tenant hyperlocal.TenantID, f inventory.LevelFilter, p hyperlocal.PageRequest,
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
	from := inventory.Key{Tenant: tenant} // before every key of the tenant
	if len(after) == 2 {
		from.Item, from.Location = hyperlocal.ItemID(after[0]), hyperlocal.LocationID(after[1])
	}
	var keys []inventory.Key
	err = s.db.read(ctx, func() error {
		for k, l := range s.t.levels.all() {
			if k.Tenant != tenant || f.Item != "" && k.Item != f.Item || f.Location != "" && k.Location != f.Location || f.Low && !l.Low() {
				continue
			}
			if k.Compare(from) <= 0 {
				continue
			}
			keys = append(keys, k)
		}
		slices.SortFunc(keys, inventory.Key.Compare)
		for _, k := range keys[:min(size, len(keys))] {
			l, _ := s.t.levels.get(k)
			page.Items = append(page.Items, l)
		}
		return nil
	})
	if err != nil || len(keys) <= size {
		return page, err
	}
	last := page.Items[size-1]
	page.Next, err = hyperlocal.EncodeCursor(filter, string(last.Item), string(last.Location))
	return page, err
}

// Movements implements [inventory.Reader].
func (s *Stock) Movements(ctx context.Context, tenant hyperlocal.TenantID, f inventory.MovementFilter, p hyperlocal.PageRequest,
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
	more := false
	err = s.db.read(ctx, func() error {
		var rows []*inventory.Movement
		if f.Item == "" {
			rows, _ = s.t.ofTenant.get(tenant)
		} else {
			rows, _ = s.t.ofLevel.get(inventory.Key{Tenant: tenant, Item: f.Item, Location: f.Location})
		}
		end := len(rows)
		if after != nil {
			end, _ = slices.BinarySearchFunc(rows, after[0], func(m *inventory.Movement, id string) int { return strings.Compare(m.ID, id) })
		}
		for end > 0 && len(page.Items) < size {
			end--
			page.Items = append(page.Items, *rows[end])
		}
		more = end > 0
		return nil
	})
	if err != nil || !more {
		return page, err
	}
	page.Next, err = hyperlocal.EncodeCursor(filter, page.Items[size-1].ID)
	return page, err
}

// Reservations implements [inventory.Reader].
func (s *Stock) Reservations(ctx context.Context, tenant hyperlocal.TenantID, owners []hyperlocal.Ref) ([]inventory.Reservation, error) {
	var out []inventory.Reservation
	err := s.db.read(ctx, func() error {
		named := make([]hyperlocal.TenantRef, len(owners))
		for i, o := range owners {
			named[i] = hyperlocal.TenantRef{Tenant: tenant, Ref: o}
		}
		out = s.ownedBy(named)
		return nil
	})
	return out, err
}

// References implements [inventory.Reader].
func (s *Stock) References(ctx context.Context, tenant hyperlocal.TenantID, refs []hyperlocal.External) ([]inventory.Movement, error) {
	var out []inventory.Movement
	err := s.db.read(ctx, func() error {
		refs := slices.Clone(refs)
		slices.SortFunc(refs, func(a, b hyperlocal.External) int {
			return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Reference, b.Reference))
		})
		for _, r := range slices.Compact(refs) {
			for n := 0; ; n++ {
				m, ok := s.t.externals.get(movementReference{tenant, r, n})
				if !ok {
					break
				}
				out = append(out, *m)
			}
		}
		return nil
	})
	return out, err
}

// Returned implements [inventory.Reader].
func (s *Stock) Returned(ctx context.Context, keys []inventory.ReturnKey) ([]bool, error) {
	out := make([]bool, len(keys))
	err := s.db.read(ctx, func() error {
		for i, k := range keys {
			_, out[i] = s.t.returns.get(returnReference{key: k})
		}
		return nil
	})
	return out, err
}

// Count implements [inventory.Reader].
func (s *Stock) Count(ctx context.Context, keys []inventory.Key) ([]inventory.Count, error) {
	var out []inventory.Count
	err := s.db.read(ctx, func() error {
		open := make(map[inventory.Key]int64, len(keys))
		for _, rows := range s.t.open.all() {
			for _, r := range rows {
				open[r.Key()] += r.Quantity.Value()
			}
		}
		for _, k := range keys {
			l, ok := s.t.levels.get(k)
			if !ok {
				continue
			}
			var onHand, reserved int64
			rows, _ := s.t.ofLevel.get(k)
			for _, m := range rows {
				onHand += m.OnHand.Value()
				reserved += m.Reserved.Value()
			}
			c := inventory.Count{Level: l}
			for _, sum := range []struct {
				to    *hyperlocal.Quantity
				value int64
			}{{&c.MovedOnHand, onHand}, {&c.MovedReserved, reserved}, {&c.OpenReserved, open[k]}} {
				var err error
				if *sum.to, err = hyperlocal.NewQuantity(sum.value, l.Unit()); err != nil {
					return err
				}
			}
			out = append(out, c)
		}
		return nil
	})
	return out, err
}

// sorted returns the levels of keys, each once, in the order in which they are locked.
func (s *Stock) sorted(keys []inventory.Key) []inventory.Level {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, inventory.Key.Compare)
	keys = slices.Compact(keys)
	out := make([]inventory.Level, 0, len(keys))
	for _, k := range keys {
		if l, ok := s.t.levels.get(k); ok {
			out = append(out, l)
		}
	}
	return out
}

// ownedBy returns the open reservations of the owners, each once, by (owner, id).
func (s *Stock) ownedBy(owners []hyperlocal.TenantRef) []inventory.Reservation {
	owners = slices.Clone(owners)
	slices.SortFunc(owners, compareOwners)
	var out []inventory.Reservation
	for _, o := range slices.Compact(owners) {
		rows, _ := s.t.open.get(o)
		out = append(out, rows...)
	}
	return out
}

func compareOwners(a, b hyperlocal.TenantRef) int {
	return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Ref.Kind, b.Ref.Kind), cmp.Compare(a.Ref.ID, b.Ref.ID))
}

func compareReservations(a, b inventory.Reservation) int {
	return cmp.Or(compareOwners(a.OwnedBy(), b.OwnedBy()), cmp.Compare(a.ID, b.ID))
}

func findReservation(rows []inventory.Reservation, id string) (int, bool) {
	return slices.BinarySearchFunc(rows, id, func(r inventory.Reservation, id string) int { return strings.Compare(r.ID, id) })
}

// insertMovement adds a movement at its place, which is nearly always the end.
func insertMovement(rows []*inventory.Movement, m *inventory.Movement) []*inventory.Movement {
	if len(rows) == 0 || rows[len(rows)-1].ID < m.ID {
		return append(rows, m)
	}
	i, _ := slices.BinarySearchFunc(rows, m.ID, func(o *inventory.Movement, id string) int { return strings.Compare(o.ID, id) })
	return slices.Insert(slices.Clone(rows), i, m)
}

func contended(k inventory.Key) error {
	return inventory.ErrContended.With("item", k.Item).With("location", k.Location)
}
