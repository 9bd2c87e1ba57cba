package loyalty

import (
	"context"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// sheet is what one transaction works on: the lots of members whose accounts are locked, in
// memory, and what has been done to them so far.
type sheet struct {
	s        *Service
	recorded time.Time
	lots     map[LotKey]*Lot
	source   map[hyperlocal.TenantRef]*Lot
	member   map[hyperlocal.TenantRef][]*Lot // in burn order
	fresh    map[*Lot]bool                   // made in this transaction
	touched  []*Lot                          // changed, in the order of their first change
	seen     map[*Lot]bool                   // in touched

	changes  Changes
	postings []hyperlocal.Posting
}

func (s *Service) newSheet() *sheet {
	return &sheet{
		s: s, recorded: s.clock.Now(), lots: make(map[LotKey]*Lot), source: make(map[hyperlocal.TenantRef]*Lot),
		member: make(map[hyperlocal.TenantRef][]*Lot), fresh: make(map[*Lot]bool), seen: make(map[*Lot]bool),
	}
}

// lock locks the accounts of the members, who may be named repeatedly.
func (s *Service) lock(ctx context.Context, members []hyperlocal.TenantRef) error {
	accounts := make([]hyperlocal.AccountRef, len(members))
	for i, m := range members {
		accounts[i] = hyperlocal.AccountRef{Tenant: m.Tenant, Account: AccountOf(m.Ref)}
	}
	return s.journal.LockAccounts(ctx, accounts...)
}

// read adds lots to the sheet. One that is on it already stays as it is.
func (w *sheet) read(ctx context.Context, q LotQuery) error {
	found, err := w.s.store.Lots(ctx, q)
	if err != nil {
		return err
	}
	for _, l := range found {
		if _, ok := w.lots[LotKey{l.Tenant, l.ID}]; !ok {
			w.put(&l)
		}
	}
	return nil
}

func (w *sheet) put(l *Lot) {
	m := hyperlocal.TenantRef{Tenant: l.Tenant, Ref: l.Member}
	w.lots[LotKey{l.Tenant, l.ID}] = l
	w.source[hyperlocal.TenantRef{Tenant: l.Tenant, Ref: l.Source}] = l
	at, _ := slices.BinarySearchFunc(w.member[m], *l, func(a *Lot, b Lot) int { return Burn(*a, b) })
	w.member[m] = slices.Insert(w.member[m], at, l)
}

// touch notes that a lot is about to change.
func (w *sheet) touch(l *Lot) {
	if w.seen[l] {
		return
	}
	w.seen[l] = true
	w.touched = append(w.touched, l)
	if !w.fresh[l] {
		l.Version++
	}
	l.UpdatedAt = w.recorded
}

// cause is what a change is due to.
type cause struct {
	reference string // of the posting
	subject   hyperlocal.Ref
	at        time.Time
	actor     hyperlocal.Actor
}

// move changes what is left of a lot and writes it down.
func (w *sheet) move(l *Lot, kind MovementKind, points int64, c cause) {
	if points == 0 {
		return
	}
	w.touch(l)
	l.Remaining += points
	w.changes.Movements = append(w.changes.Movements, Movement{
		ID: w.s.ids.NewID(), Tenant: l.Tenant, Member: l.Member, Lot: l.ID, Kind: kind, Points: points,
		Reference: c.reference, Subject: c.subject, At: c.at, Recorded: w.recorded, Actor: c.actor,
	})
}

// available adds up what the member may spend at a moment.
func (w *sheet) available(member hyperlocal.TenantRef, at time.Time) int64 {
	var n int64
	for _, l := range w.member[member] {
		n += l.Spendable(at)
	}
	return n
}

// burn takes points that are available from the member's lots, first-expiring first.
func (w *sheet) burn(member hyperlocal.TenantRef, points int64, c cause) []Use {
	var uses []Use
	for _, l := range w.member[member] {
		n := min(points, l.Spendable(c.at))
		if n == 0 {
			continue
		}
		w.move(l, MovementSpent, -n, c)
		uses = append(uses, Use{Lot: l.ID, Points: n})
		points -= n
	}
	return uses
}

// withhold makes up for shortfalls of the member with points that have just come into a lot,
// and returns how many: the lot's own shortfall first, then the others', oldest first.
func (w *sheet) withhold(into *Lot, points int64, c cause) int64 {
	owing := []*Lot{into}
	for _, l := range w.member[hyperlocal.TenantRef{Tenant: into.Tenant, Ref: into.Member}] {
		if l != into {
			owing = append(owing, l)
		}
	}
	slices.SortStableFunc(owing[1:], func(a, b *Lot) int { return a.CreatedAt.Compare(b.CreatedAt) })
	left := points
	for _, l := range owing {
		if n := min(left, l.Shortfall); n > 0 {
			w.touch(l)
			l.Shortfall -= n
			left -= n
		}
	}
	w.move(into, MovementWithheld, left-points, c)
	return points - left
}

// post adds a posting that moves points between a member's account and others. Amounts are
// what the other accounts are debited; the member's account takes the rest.
func (w *sheet) post(member hyperlocal.TenantRef, kind string, c cause, reverses string, others ...hyperlocal.Entry) {
	var entries []hyperlocal.Entry
	own := hyperlocal.Entry{Account: AccountOf(member.Ref), Asset: Asset}
	for _, e := range others {
		if e.Amount != 0 {
			entries = append(entries, e)
			own.Amount -= e.Amount
		}
	}
	if own.Amount != 0 {
		entries = append(entries, own)
	}
	if len(entries) == 0 {
		return
	}
	w.postings = append(w.postings, hyperlocal.Posting{
		Tenant: member.Tenant, Reference: c.reference, Kind: kind, Subject: c.subject, Effective: c.at,
		Reverses: reverses, Actor: c.actor, Entries: entries,
	})
}

// save posts to the journal and queues what was done. The journal comes first: it refuses
// before anything is queued.
func (w *sheet) save(ctx context.Context) error {
	if len(w.postings) > 0 {
		if err := w.s.journal.Post(ctx, w.postings...); err != nil {
			return err
		}
	}
	c := w.changes
	for _, l := range w.touched {
		if w.fresh[l] {
			c.New = append(c.New, *l)
		} else {
			c.Changed = append(c.Changed, *l)
		}
	}
	return w.s.store.Save(ctx, c)
}
