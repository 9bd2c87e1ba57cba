package memstore

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

type orderNumber struct {
	tenant hyperlocal.TenantID
	number string
}

type orderExternal struct {
	tenant   hyperlocal.TenantID
	external hyperlocal.External
}

// orderShelf names a list of orders kept in the order in which pages show them: all of a
// tenant (the zero Ref), of a merchant, or of a customer.
type orderShelf struct {
	tenant hyperlocal.TenantID
	of     hyperlocal.Ref
}

// orderPlace is an order's place in such a list.
type orderPlace struct {
	placed time.Time
	id     order.ID
}

func (p orderPlace) compare(o orderPlace) int {
	return cmp.Or(p.placed.Compare(o.placed), cmp.Compare(p.id, o.id))
}

type refundKey struct {
	tenant hyperlocal.TenantID
	id     string
}

// orderTables keeps lists in slices that only grow at their end, or are copied, so the undo
// log can keep old headers.
type orderTables struct {
	orders    *table[order.Key, order.Order]
	numbers   *table[orderNumber, order.ID]
	externals *table[orderExternal, order.ID]
	shelves   *table[orderShelf, []orderPlace] // oldest first
	due       *table[order.Key, time.Time]
	history   *table[order.Key, []order.HistoryEntry]

	refunds         *table[refundKey, order.Refund]
	refundsOf       *table[order.Key, []string]
	refundsDue      *table[refundKey, time.Time]
	credits         *table[refundKey, order.Credit] // without refunds
	creditRefunds   *table[refundKey, []string]
	creditExternals *table[orderExternal, string]
}

func newOrderTables() *orderTables {
	return &orderTables{
		orders:          newTable[order.Key, order.Order](),
		numbers:         newTable[orderNumber, order.ID](),
		externals:       newTable[orderExternal, order.ID](),
		shelves:         newTable[orderShelf, []orderPlace](),
		due:             newTable[order.Key, time.Time](),
		history:         newTable[order.Key, []order.HistoryEntry](),
		refunds:         newTable[refundKey, order.Refund](),
		refundsOf:       newTable[order.Key, []string](),
		refundsDue:      newTable[refundKey, time.Time](),
		credits:         newTable[refundKey, order.Credit](),
		creditRefunds:   newTable[refundKey, []string](),
		creditExternals: newTable[orderExternal, string](),
	}
}

// Orders is the [order.Store] of a database.
type Orders struct {
	db *DB
	t  *orderTables
}

var (
	_ order.Store       = (*Orders)(nil)
	_ order.Eraser      = (*Orders)(nil)
	_ hyperlocal.Scoped = (*Orders)(nil)
)

// Orders returns the store of orders, refunds and credits.
func (db *DB) Orders() *Orders { return &Orders{db: db, t: part(db, newOrderTables)} }

// TxScope implements [hyperlocal.Scoped].
func (s *Orders) TxScope() hyperlocal.Scope { return s.db.TxScope() }

// write runs fn in the transaction of ctx, which must exist. An error undoes what fn did.
func (s *Orders) write(ctx context.Context, fn func(t *tx) error) error {
	if _, err := s.db.must(ctx); err != nil {
		return err
	}
	return s.db.write(ctx, fn)
}

// Insert implements [order.Store].
func (s *Orders) Insert(ctx context.Context, orders []order.Order) error {
	return s.write(ctx, func(t *tx) error {
		for i := range orders {
			if err := s.insert(t, &orders[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Orders) insert(t *tx, o *order.Order) error {
	k := order.Key{Tenant: o.Tenant, ID: o.ID}
	if _, ok := s.t.orders.get(k); ok {
		return order.ErrStale.With("order", o.ID)
	}
	number := orderNumber{o.Tenant, o.Number}
	if _, ok := s.t.numbers.get(number); ok {
		return order.ErrNumberTaken
	}
	s.t.numbers.put(t, number, o.ID)
	if !o.External.IsZero() {
		external := orderExternal{o.Tenant, o.External}
		if _, ok := s.t.externals.get(external); ok {
			return order.ErrExternalTaken
		}
		s.t.externals.put(t, external, o.ID)
	}
	s.t.orders.put(t, k, o.Clone())
	s.schedule(t, k, o.NextActionAt)
	place := orderPlace{o.PlacedAt, o.ID}
	s.shelve(t, orderShelf{o.Tenant, hyperlocal.Ref{}}, place)
	s.shelve(t, orderShelf{o.Tenant, o.Merchant}, place)
	if !o.Customer.IsZero() && o.Customer != o.Merchant { // a guest is on the tenant's list already
		s.shelve(t, orderShelf{o.Tenant, o.Customer}, place)
	}
	return nil
}

// shelve puts an order into a list: at its end, or, for one that was placed in the past, into
// a copy of it.
func (s *Orders) shelve(t *tx, at orderShelf, p orderPlace) {
	list, _ := s.t.shelves.get(at)
	i, _ := slices.BinarySearchFunc(list, p, orderPlace.compare)
	if i == len(list) {
		s.t.shelves.put(t, at, append(list, p))
		return
	}
	s.t.shelves.put(t, at, slices.Insert(slices.Clip(list), i, p))
}

func (s *Orders) schedule(t *tx, k order.Key, at time.Time) {
	if at.IsZero() {
		s.t.due.del(t, k)
		return
	}
	s.t.due.put(t, k, at)
}

// Lock implements [order.Store]. One transaction runs at a time, so to read is to lock.
func (s *Orders) Lock(ctx context.Context, refs []order.Key) ([]order.Order, error) {
	t, err := s.db.must(ctx)
	if err != nil {
		return nil, err
	}
	if err := t.lock(hyperlocal.RankOrder); err != nil {
		return nil, err
	}
	found := make([]order.Order, len(refs))
	err = s.db.read(ctx, func() error {
		for i, k := range refs {
			if o, ok := s.t.orders.get(k); ok {
				found[i] = withoutContact(&o)
			}
		}
		return nil
	})
	return found, err
}

// Save implements [order.Store].
func (s *Orders) Save(ctx context.Context, orders []order.Order) error {
	return s.write(ctx, func(t *tx) error {
		for i := range orders {
			o := orders[i].Clone()
			k := order.Key{Tenant: o.Tenant, ID: o.ID}
			old, ok := s.t.orders.get(k)
			if !ok || old.Version != o.Version-1 {
				return order.ErrStale.With("order", o.ID)
			}
			// What was placed stays as it is; only the head and the returns change.
			lines := slices.Clone(old.Lines)
			for n := range lines {
				if n < len(o.Lines) {
					lines[n].Returned = o.Lines[n].Returned
				}
			}
			o.Lines, o.Adjustments, o.Contact, o.Note, o.Fingerprint = lines, old.Adjustments, old.Contact, old.Note, old.Fingerprint
			o.Spent = old.Spent
			s.t.orders.put(t, k, o)
			s.schedule(t, k, o.NextActionAt)
		}
		return nil
	})
}

// AppendHistory implements [order.Store].
func (s *Orders) AppendHistory(ctx context.Context, entries []order.HistoryEntry) error {
	return s.write(ctx, func(t *tx) error {
		for _, e := range entries {
			k := order.Key{Tenant: e.Tenant, ID: e.Order}
			if _, ok := s.t.orders.get(k); !ok {
				return order.ErrNotFound.With("order", e.Order)
			}
			list, _ := s.t.history.get(k)
			i, taken := slices.BinarySearchFunc(list, e, compareHistory)
			if taken {
				return order.ErrStale.With("order", e.Order)
			}
			if i < len(list) {
				list = slices.Clip(list)
			}
			s.t.history.put(t, k, slices.Insert(list, i, e))
		}
		return nil
	})
}

func compareHistory(a, b order.HistoryEntry) int {
	return cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(a.N, b.N))
}

// Due implements [order.Store].
func (s *Orders) Due(ctx context.Context, now time.Time, limit int) (due []order.Order, next time.Time, err error) {
	t, err := s.db.must(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	if err := t.lock(hyperlocal.RankOrder); err != nil {
		return nil, time.Time{}, err
	}
	err = s.db.read(ctx, func() error {
		var keys []order.Key
		keys, next = dueNow(s.t.due, now, limit, func(a, b order.Key) int {
			return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.ID, b.ID))
		})
		for _, k := range keys {
			o, _ := s.t.orders.get(k)
			due = append(due, withoutContact(&o))
		}
		return nil
	})
	return due, next, err
}

// dueNow returns the first keys that are due, oldest first, and when the next other one is.
func dueNow[K comparable](t *table[K, time.Time], now time.Time, limit int, compare func(a, b K) int) (keys []K, next time.Time) {
	for k, at := range t.all() {
		if !at.After(now) {
			keys = append(keys, k)
			continue
		}
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	slices.SortFunc(keys, func(a, b K) int {
		x, _ := t.get(a)
		y, _ := t.get(b)
		return cmp.Or(x.Compare(y), compare(a, b))
	})
	if limit = max(limit, 0); len(keys) > limit {
		next, _ = t.get(keys[limit])
		keys = keys[:limit]
	}
	return keys, next
}

// Get implements [order.Reader].
func (s *Orders) Get(ctx context.Context, tenant hyperlocal.TenantID, ids ...order.ID) (found []order.Order, err error) {
	err = s.db.read(ctx, func() error {
		for _, id := range ids {
			if o, ok := s.t.orders.get(order.Key{Tenant: tenant, ID: id}); ok {
				found = append(found, o.Clone())
			}
		}
		return nil
	})
	return found, err
}

// ByExternal implements [order.Reader].
func (s *Orders) ByExternal(ctx context.Context, tenant hyperlocal.TenantID, refs ...hyperlocal.External) (found []order.Order, err error) {
	err = s.db.read(ctx, func() error {
		seen := make(map[order.ID]bool, len(refs))
		for _, ref := range refs {
			id, ok := s.t.externals.get(orderExternal{tenant, ref})
			if !ok || seen[id] {
				continue
			}
			seen[id] = true
			o, _ := s.t.orders.get(order.Key{Tenant: tenant, ID: id})
			found = append(found, o.Clone())
		}
		return nil
	})
	return found, err
}

// orderListKey is what a cursor of List belongs to.
type orderListKey struct {
	Tenant hyperlocal.TenantID
	Filter order.Filter
}

// List implements [order.Reader].
func (s *Orders) List(ctx context.Context, tenant hyperlocal.TenantID, f order.Filter, p hyperlocal.PageRequest,
) (hyperlocal.Page[order.Order], error) {
	var page hyperlocal.Page[order.Order]
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	filter := orderListKey{tenant, f}
	before, err := decodeOrderPlace(filter, p.Cursor)
	if err != nil {
		return page, err
	}
	err = s.db.read(ctx, func() error {
		list := s.candidates(tenant, &f)
		end := len(list)
		if before != nil {
			end, _ = slices.BinarySearchFunc(list, *before, orderPlace.compare)
		}
		for i := end - 1; i >= 0; i-- {
			if !f.PlacedFrom.IsZero() && list[i].placed.Before(f.PlacedFrom) {
				break
			}
			o, _ := s.t.orders.get(order.Key{Tenant: tenant, ID: list[i].id})
			if !matches(&o, &f) {
				continue
			}
			if len(page.Items) == size {
				last := page.Items[size-1]
				page.Next, err = encodeOrderPlace(filter, orderPlace{last.PlacedAt, last.ID})
				return err
			}
			page.Items = append(page.Items, withoutContact(&o))
		}
		return nil
	})
	return page, err
}

// candidates is the shortest list that has everything the filter can match.
func (s *Orders) candidates(tenant hyperlocal.TenantID, f *order.Filter) []orderPlace {
	if !f.External.IsZero() {
		id, ok := s.t.externals.get(orderExternal{tenant, f.External})
		if !ok {
			return nil
		}
		o, _ := s.t.orders.get(order.Key{Tenant: tenant, ID: id})
		return []orderPlace{{o.PlacedAt, id}}
	}
	list, _ := s.t.shelves.get(orderShelf{tenant, cmp.Or(f.Customer, f.Merchant)})
	return list
}

func matches(o *order.Order, f *order.Filter) bool {
	return (f.Merchant.IsZero() || o.Merchant == f.Merchant) &&
		(f.Customer.IsZero() || o.Customer == f.Customer) &&
		(len(f.States) == 0 || slices.Contains(f.States, o.State)) &&
		(f.PaymentStatus == "" || o.PaymentStatus == f.PaymentStatus) &&
		(f.External.IsZero() || o.External == f.External) &&
		(f.PlacedFrom.IsZero() || !o.PlacedAt.Before(f.PlacedFrom)) &&
		(f.PlacedTo.IsZero() || o.PlacedAt.Before(f.PlacedTo))
}

func encodeOrderPlace(filter orderListKey, p orderPlace) (string, error) {
	return hyperlocal.EncodeCursor(filter, strconv.FormatInt(p.placed.UnixMicro(), 10), string(p.id))
}

func decodeOrderPlace(filter orderListKey, cursor string) (*orderPlace, error) {
	key, err := hyperlocal.DecodeCursor(filter, cursor, 2)
	if err != nil || key == nil {
		return nil, err
	}
	micros, err := strconv.ParseInt(key[0], 10, 64)
	if err != nil {
		return nil, hyperlocal.ErrCursor.WithCause(err)
	}
	return &orderPlace{placed: time.UnixMicro(micros).UTC(), id: order.ID(key[1])}, nil
}

// History implements [order.Reader].
func (s *Orders) History(ctx context.Context, tenant hyperlocal.TenantID, id order.ID, p hyperlocal.PageRequest,
) (hyperlocal.Page[order.HistoryEntry], error) {
	var page hyperlocal.Page[order.HistoryEntry]
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	k := order.Key{Tenant: tenant, ID: id}
	key, err := hyperlocal.DecodeCursor(k, p.Cursor, 2)
	if err != nil {
		return page, err
	}
	var after order.HistoryEntry
	if key != nil {
		version, err1 := strconv.ParseInt(key[0], 10, 64)
		n, err2 := strconv.Atoi(key[1])
		if err := cmp.Or(err1, err2); err != nil {
			return page, hyperlocal.ErrCursor.WithCause(err)
		}
		after.Version, after.N = version, n
	}
	err = s.db.read(ctx, func() error {
		list, _ := s.t.history.get(k)
		i, found := slices.BinarySearchFunc(list, after, compareHistory)
		if found {
			i++
		}
		end := min(i+size, len(list))
		page.Items = slices.Clone(list[i:end])
		if end < len(list) {
			last := list[end-1]
			page.Next, err = hyperlocal.EncodeCursor(k, strconv.FormatInt(last.Version, 10), strconv.Itoa(last.N))
		}
		return err
	})
	return page, err
}

// Erase implements [order.Eraser].
func (s *Orders) Erase(ctx context.Context, tenant hyperlocal.TenantID, customer hyperlocal.Ref) (n int, err error) {
	err = s.write(ctx, func(t *tx) error {
		n = 0
		list, _ := s.t.shelves.get(orderShelf{tenant, customer})
		for _, p := range list {
			k := order.Key{Tenant: tenant, ID: p.id}
			o, _ := s.t.orders.get(k)
			if o.Customer != customer || o.Contact == nil && o.Note == "" && o.PaidWith.Gateway == "" && o.PaidWith.Method == "" {
				continue
			}
			o.Contact, o.Note, o.PaidWith.Gateway, o.PaidWith.Method = nil, "", "", ""
			s.t.orders.put(t, k, o)
			n++
		}
		return nil
	})
	return n, err
}

// withoutContact leaves out what is personal.
func withoutContact(o *order.Order) order.Order {
	c := *o
	c.Contact, c.Note = nil, ""
	return c.Clone()
}
