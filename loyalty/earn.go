package loyalty

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// MaxBatch bounds how many earnings one SetEarned takes.
const MaxBatch = 500

// Earned says what a source is worth in points by now.
type Earned struct {
	Tenant        hyperlocal.TenantID
	Member        hyperlocal.Ref
	Source        hyperlocal.Ref
	SourceVersion int64     // of the source; from 1
	Points        int64     // all that the source is worth, not a difference; 0 to MaxPoints
	At            time.Time // effective time; zero means now
	Actor         hyperlocal.Actor
}

// SetEarned sets what sources have earned for members, all or nothing, in the transaction of
// ctx or in one of its own. The first call for a source makes its lot, active after the
// configured pending time; later ones raise or lower it. A call whose SourceVersion is not
// above that of the lot is stale or repeated and does nothing. What changes is posted to the
// ledger in the same transaction.
//
// Points that come in make up for the member's shortfalls first. Points that a source no
// longer earns are taken from its lot, then from what expired of it, then from the member's
// other lots, last-expiring first; the rest is recorded as the lot's shortfall. So a balance
// never falls below zero, and this never fails for lack of points. A constant number of
// statements whatever the number of earnings.
//
// Errors: code invalid; ErrSourceConflict if the source earned for another member; what
// Journal and Store report.
func (s *Service) SetEarned(ctx context.Context, earned ...Earned) error {
	if len(earned) == 0 {
		return nil
	}
	if len(earned) > MaxBatch {
		return hyperlocal.Invalid("loyalty", "batch", "at most 500 earnings are set at once")
	}
	members := make([]hyperlocal.TenantRef, len(earned))
	sources := make([]hyperlocal.TenantRef, len(earned))
	for i, e := range earned {
		if err := e.validate(); err != nil {
			return err
		}
		members[i] = hyperlocal.TenantRef{Tenant: e.Tenant, Ref: e.Member}
		sources[i] = hyperlocal.TenantRef{Tenant: e.Tenant, Ref: e.Source}
	}
	var refused error
	err := s.tx.WithinTx(ctx, func(ctx context.Context) error {
		refused = nil
		if err := s.lock(ctx, members); err != nil {
			return err
		}
		w := s.newSheet()
		if err := w.read(ctx, LotQuery{Sources: sources, Owing: members}); err != nil {
			return err
		}
		if losers := w.losers(earned); len(losers) > 0 {
			if err := w.read(ctx, LotQuery{Open: losers}); err != nil {
				return err
			}
		}
		for _, e := range earned {
			if refused = w.set(e); refused != nil {
				return nil //nolint:nilerr // it is reported; nothing is queued, so a caller's transaction stays usable
			}
		}
		return w.save(ctx)
	})
	if err != nil {
		return err
	}
	return refused
}

func (e Earned) validate() error {
	if err := e.Tenant.Validate(); err != nil {
		return err
	}
	if e.Member.IsZero() || e.Source.IsZero() {
		return hyperlocal.Invalid("loyalty", "earned", "an earning names its member and its source")
	}
	if err := e.Member.Validate(); err != nil {
		return err
	}
	if err := e.Source.Validate(); err != nil {
		return err
	}
	if e.SourceVersion < 1 {
		return hyperlocal.Invalid("loyalty", "source_version", "versions of a source count from 1")
	}
	if e.Points < 0 || e.Points > MaxPoints {
		return hyperlocal.Invalid("loyalty", "points", "a source earns between zero and a thousand trillion points")
	}
	if err := checkTime(e.At); err != nil {
		return err
	}
	return e.Actor.Validate()
}

// losers returns the members with a source that is worth less than before, some perhaps
// twice: only they need their other lots.
func (w *sheet) losers(earned []Earned) []hyperlocal.TenantRef {
	var out []hyperlocal.TenantRef
	worth := make(map[hyperlocal.TenantRef]int64, len(earned)) // a source may be named more than once
	for _, e := range earned {
		source := hyperlocal.TenantRef{Tenant: e.Tenant, Ref: e.Source}
		before := worth[source]
		if l := w.source[source]; l != nil {
			before = max(before, l.Earned)
		}
		if e.Points < before {
			out = append(out, hyperlocal.TenantRef{Tenant: e.Tenant, Ref: e.Member})
		}
		worth[source] = max(before, e.Points)
	}
	return out
}

// set brings one source's lot to its target.
func (w *sheet) set(e Earned) error {
	at := hyperlocal.Instant(e.At)
	if at.IsZero() {
		at = w.recorded
	}
	source := hyperlocal.TenantRef{Tenant: e.Tenant, Ref: e.Source}
	member := hyperlocal.TenantRef{Tenant: e.Tenant, Ref: e.Member}
	l := w.source[source]
	switch {
	case l == nil:
		l = w.open(e, at)
	case l.Member != e.Member:
		return ErrSourceConflict.With("source", e.Source)
	case e.SourceVersion <= l.SourceVersion:
		return nil
	}
	w.touch(l)
	l.SourceVersion = e.SourceVersion
	c := cause{
		reference: "points/earn/" + e.Source.String() + "/" + strconv.FormatInt(e.SourceVersion, 10),
		subject:   e.Source, at: at, actor: e.Actor,
	}
	difference := e.Points - l.Earned
	l.Earned = e.Points
	if difference > 0 {
		w.move(l, MovementEarned, difference, c)
		withheld := w.withhold(l, difference, c)
		w.post(member, "points_earned", c, "", hyperlocal.Entry{Account: AccountIssued, Asset: Asset, Amount: difference - withheld})
		return nil
	}
	taken := w.takeBack(l, -difference, c)
	w.post(member, "points_taken_back", c, "", hyperlocal.Entry{Account: AccountIssued, Asset: Asset, Amount: -taken})
	return nil
}

// open makes the lot of a source.
func (w *sheet) open(e Earned, at time.Time) *Lot {
	l := &Lot{
		ID: w.s.ids.NewID(), Tenant: e.Tenant, Member: e.Member, Source: e.Source,
		ActiveFrom: at.Add(w.s.pending), CreatedAt: w.recorded, Version: 1,
	}
	l.ExpiresAt = w.s.expiry.After(l.ActiveFrom)
	w.fresh[l] = true
	w.put(l)
	w.changes.Joined = append(w.changes.Joined, Member{Tenant: e.Tenant, Ref: e.Member, JoinedAt: at})
	return l
}

// takeBack takes points that a lot's source no longer earns, and returns how many left the
// member's lots.
func (w *sheet) takeBack(l *Lot, points int64, c cause) int64 {
	left := points
	own := min(left, l.Remaining)
	w.move(l, MovementTakenBack, -own, c)
	left -= own
	lapsed := min(left, l.Expired)
	l.Expired -= lapsed
	left -= lapsed
	others := w.member[hyperlocal.TenantRef{Tenant: l.Tenant, Ref: l.Member}]
	for _, o := range slices.Backward(others) {
		if o == l || o.Lapsed(c.at) { // whether the worker has come by already makes no difference
			continue
		}
		n := min(left, o.Remaining)
		w.move(o, MovementTakenBack, -n, c)
		left -= n
	}
	l.Shortfall += left
	return points - lapsed - left
}

// checkTime refuses what the databases or JSON cannot express.
func checkTime(t time.Time) error {
	if y := t.UTC().Year(); y < 1 || y > 9000 {
		return hyperlocal.Invalid("loyalty", "at", "the time lies between the years 1 and 9000")
	}
	return nil
}
