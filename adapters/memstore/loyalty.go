package memstore

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
)

// Loyalty keeps members, lots, spendings and movements. It implements [loyalty.Store].
type Loyalty struct {
	db *DB
	t  *loyaltyTables
}

type spendingKey struct {
	tenant    hyperlocal.TenantID
	reference string
}

type loyaltyTables struct {
	members   *table[hyperlocal.TenantRef, loyalty.Member]
	lots      *table[loyalty.LotKey, loyalty.Lot]
	sources   *table[hyperlocal.TenantRef, string]   // the id of a source's lot
	holdings  *table[hyperlocal.TenantRef, []string] // the ids of a member's lots; only ever appended to
	spendings *table[spendingKey, loyalty.Spending]
	movements *table[hyperlocal.TenantRef, []loyalty.Movement] // of a member; only ever appended to
}

func newLoyaltyTables() *loyaltyTables {
	return &loyaltyTables{
		members:   newTable[hyperlocal.TenantRef, loyalty.Member](),
		lots:      newTable[loyalty.LotKey, loyalty.Lot](),
		sources:   newTable[hyperlocal.TenantRef, string](),
		holdings:  newTable[hyperlocal.TenantRef, []string](),
		spendings: newTable[spendingKey, loyalty.Spending](),
		movements: newTable[hyperlocal.TenantRef, []loyalty.Movement](),
	}
}

// Loyalty returns the store of the loyalty context.
func (db *DB) Loyalty() *Loyalty { return &Loyalty{db: db, t: part(db, newLoyaltyTables)} }

var (
	_ loyalty.Store     = (*Loyalty)(nil)
	_ hyperlocal.Scoped = (*Loyalty)(nil)
)

// TxScope implements [hyperlocal.Scoped].
func (s *Loyalty) TxScope() hyperlocal.Scope { return s.db }

// Lots implements [loyalty.Store].
func (s *Loyalty) Lots(ctx context.Context, q loyalty.LotQuery) ([]loyalty.Lot, error) {
	if t := s.db.txFrom(ctx); t != nil {
		if err := t.lock(hyperlocal.RankLot); err != nil {
			return nil, err
		}
	}
	var out []loyalty.Lot
	err := s.db.read(ctx, func() error {
		seen := make(map[loyalty.LotKey]bool)
		add := func(k loyalty.LotKey, wanted func(loyalty.Lot) bool) {
			l, ok := s.t.lots.get(k)
			if ok && !seen[k] && wanted(l) {
				seen[k] = true
				out = append(out, l)
			}
		}
		every := func(loyalty.Lot) bool { return true }
		for _, k := range q.IDs {
			add(k, every)
		}
		for _, r := range q.Sources {
			if id, ok := s.t.sources.get(r); ok {
				add(loyalty.LotKey{Tenant: r.Tenant, ID: id}, every)
			}
		}
		for _, m := range q.Owing {
			for _, id := range s.t.ids(m) {
				add(loyalty.LotKey{Tenant: m.Tenant, ID: id}, func(l loyalty.Lot) bool { return l.Shortfall > 0 })
			}
		}
		for _, m := range q.Open {
			for _, id := range s.t.ids(m) {
				add(loyalty.LotKey{Tenant: m.Tenant, ID: id}, func(l loyalty.Lot) bool { return l.Remaining > 0 })
			}
		}
		return nil
	})
	return out, err
}

func (t *loyaltyTables) ids(member hyperlocal.TenantRef) []string {
	ids, _ := t.holdings.get(member)
	return ids
}

// Spendings implements [loyalty.Store].
func (s *Loyalty) Spendings(ctx context.Context, tenant hyperlocal.TenantID, references ...string) ([]loyalty.Spending, error) {
	var out []loyalty.Spending
	err := s.db.read(ctx, func() error {
		for _, r := range slices.Compact(slices.Sorted(slices.Values(references))) {
			if sp, ok := s.t.spendings.get(spendingKey{tenant, r}); ok {
				sp.Uses = slices.Clone(sp.Uses)
				out = append(out, sp)
			}
		}
		return nil
	})
	return out, err
}

// DueLots implements [loyalty.Store].
func (s *Loyalty) DueLots(ctx context.Context, now time.Time, limit int) ([]loyalty.Lot, error) {
	var out []loyalty.Lot
	err := s.db.read(ctx, func() error {
		for _, l := range s.t.lots.all() {
			if l.Remaining > 0 && l.Lapsed(now) {
				out = append(out, l)
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b loyalty.Lot) int {
		return cmp.Or(a.ExpiresAt.Compare(b.ExpiresAt), cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.ID, b.ID))
	})
	return out[:min(limit, len(out))], err
}

// Save implements [loyalty.Store].
func (s *Loyalty) Save(ctx context.Context, c loyalty.Changes) error {
	t, err := s.db.must(ctx)
	if err != nil {
		return err
	}
	return s.db.write(ctx, func(*tx) error { return s.t.save(t, c) })
}

func (s *loyaltyTables) save(t *tx, c loyalty.Changes) error {
	for _, m := range c.Joined {
		k := hyperlocal.TenantRef{Tenant: m.Tenant, Ref: m.Ref}
		if _, ok := s.members.get(k); !ok {
			s.members.put(t, k, m)
		}
	}
	for _, l := range c.New {
		source := hyperlocal.TenantRef{Tenant: l.Tenant, Ref: l.Source}
		if _, ok := s.sources.get(source); ok {
			return hyperlocal.ErrTxRetry
		}
		member := hyperlocal.TenantRef{Tenant: l.Tenant, Ref: l.Member}
		s.sources.put(t, source, l.ID)
		s.holdings.put(t, member, append(s.ids(member), l.ID))
		s.lots.put(t, loyalty.LotKey{Tenant: l.Tenant, ID: l.ID}, l)
	}
	for _, l := range c.Changed {
		k := loyalty.LotKey{Tenant: l.Tenant, ID: l.ID}
		if old, ok := s.lots.get(k); !ok || old.Version != l.Version-1 {
			return hyperlocal.ErrTxRetry
		}
		s.lots.put(t, k, l)
	}
	for _, sp := range c.Spent {
		k := spendingKey{sp.Tenant, sp.Reference}
		if _, ok := s.spendings.get(k); ok {
			return hyperlocal.ErrTxRetry
		}
		sp.Uses, sp.Replayed = slices.Clone(sp.Uses), false
		s.spendings.put(t, k, sp)
	}
	for _, sp := range c.Restored {
		k := spendingKey{sp.Tenant, sp.Reference}
		old, ok := s.spendings.get(k)
		if !ok || !old.RestoredAt.IsZero() {
			return hyperlocal.ErrTxRetry
		}
		old.RestoredAt = sp.RestoredAt
		s.spendings.put(t, k, old)
	}
	for _, m := range c.Movements {
		k := hyperlocal.TenantRef{Tenant: m.Tenant, Ref: m.Member}
		all, _ := s.movements.get(k)
		s.movements.put(t, k, append(all, m))
	}
	return nil
}

// Balances implements [loyalty.Reader].
func (s *Loyalty) Balances(ctx context.Context, tenant hyperlocal.TenantID, now time.Time, members []hyperlocal.Ref) ([]loyalty.Balance, error) {
	out := make([]loyalty.Balance, len(members))
	err := s.db.read(ctx, func() error {
		for i, m := range members {
			b := &out[i]
			for _, id := range s.t.ids(hyperlocal.TenantRef{Tenant: tenant, Ref: m}) {
				l, _ := s.t.lots.get(loyalty.LotKey{Tenant: tenant, ID: id})
				b.Points += l.Remaining
				b.Shortfall += l.Shortfall
				switch {
				case l.Lapsed(now):
					b.Lapsed += l.Remaining
					continue
				case now.Before(l.ActiveFrom):
					b.Pending += l.Remaining
				default:
					b.Spendable += l.Remaining
				}
				if l.Remaining > 0 && l.Expires() && (b.NextExpiry.IsZero() || l.ExpiresAt.Before(b.NextExpiry)) {
					b.NextExpiry = l.ExpiresAt
				}
			}
		}
		return nil
	})
	return out, err
}

// MemberLots implements [loyalty.Reader].
func (s *Loyalty) MemberLots(ctx context.Context, tenant hyperlocal.TenantID, member hyperlocal.Ref, f loyalty.LotFilter, p hyperlocal.PageRequest) (hyperlocal.Page[loyalty.Lot], error) {
	var page hyperlocal.Page[loyalty.Lot]
	filter := []any{"loyalty/lots", tenant, member, f}
	size, after, err := idPage(filter, p)
	if err != nil {
		return page, err
	}
	err = s.db.read(ctx, func() error {
		for _, id := range s.t.ids(hyperlocal.TenantRef{Tenant: tenant, Ref: member}) {
			l, _ := s.t.lots.get(loyalty.LotKey{Tenant: tenant, ID: id})
			if (after == "" || id < after) && (!f.Open || l.Remaining > 0) {
				page.Items = append(page.Items, l)
			}
		}
		return nil
	})
	if err != nil {
		return page, err
	}
	slices.SortFunc(page.Items, func(a, b loyalty.Lot) int { return cmp.Compare(b.ID, a.ID) })
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		page.Next, err = hyperlocal.EncodeCursor(filter, page.Items[size-1].ID)
	}
	return page, err
}

// History implements [loyalty.Reader].
func (s *Loyalty) History(ctx context.Context, tenant hyperlocal.TenantID, member hyperlocal.Ref, p hyperlocal.PageRequest) (hyperlocal.Page[loyalty.Movement], error) {
	var page hyperlocal.Page[loyalty.Movement]
	filter := []any{"loyalty/history", tenant, member}
	size, after, err := idPage(filter, p)
	if err != nil {
		return page, err
	}
	err = s.db.read(ctx, func() error {
		all, _ := s.t.movements.get(hyperlocal.TenantRef{Tenant: tenant, Ref: member})
		for _, m := range all {
			if after == "" || m.ID < after {
				page.Items = append(page.Items, m)
			}
		}
		return nil
	})
	if err != nil {
		return page, err
	}
	slices.SortFunc(page.Items, func(a, b loyalty.Movement) int { return cmp.Compare(b.ID, a.ID) })
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		page.Next, err = hyperlocal.EncodeCursor(filter, page.Items[size-1].ID)
	}
	return page, err
}

// Members implements [loyalty.Reader].
func (s *Loyalty) Members(ctx context.Context, tenant hyperlocal.TenantID, p hyperlocal.PageRequest) (hyperlocal.Page[loyalty.Member], error) {
	var page hyperlocal.Page[loyalty.Member]
	filter := []any{"loyalty/members", tenant}
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	after, err := hyperlocal.DecodeCursor(filter, p.Cursor, 2)
	if err != nil {
		return page, err
	}
	order := func(a, b hyperlocal.Ref) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.ID, b.ID))
	}
	err = s.db.read(ctx, func() error {
		for k, m := range s.t.members.all() {
			if k.Tenant == tenant && (after == nil || order(m.Ref, hyperlocal.NewRef(after[0], after[1])) > 0) {
				page.Items = append(page.Items, m)
			}
		}
		return nil
	})
	if err != nil {
		return page, err
	}
	slices.SortFunc(page.Items, func(a, b loyalty.Member) int { return order(a.Ref, b.Ref) })
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		last := page.Items[size-1].Ref
		page.Next, err = hyperlocal.EncodeCursor(filter, last.Kind, last.ID)
	}
	return page, err
}

// idPage reads the request for a page of a list by id, newest first.
func idPage(filter any, p hyperlocal.PageRequest) (size int, after string, err error) {
	if size, err = p.Size(); err != nil {
		return 0, "", err
	}
	key, err := hyperlocal.DecodeCursor(filter, p.Cursor, 1)
	if err != nil || key == nil {
		return size, "", err
	}
	return size, key[0], nil
}
