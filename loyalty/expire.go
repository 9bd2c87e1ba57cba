package loyalty

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// MaxExpire bounds how many lots one Expire empties.
const MaxExpire = 500

// Expire empties at most limit lots, of all tenants, that have reached their expiry by now,
// earliest first, in one transaction, and returns how many it emptied. A worker calls it now
// and then, and again while it returns limit. Several may run at once.
//
// If the journal refuses, because lots and ledger disagree about a member, the others' lots
// expire nevertheless and the refusals come back joined, beside the count. Other errors: code
// invalid for a limit outside 1 to MaxExpire, what the store reports.
func (s *Service) Expire(ctx context.Context, limit int) (int, error) {
	if limit < 1 || limit > MaxExpire {
		return 0, hyperlocal.Invalid("loyalty", "limit", "expire 1 to 500 lots at once")
	}
	var n int
	var refused error
	err := s.tx.WithinTx(ctx, func(ctx context.Context) error {
		n, refused = 0, nil
		now := s.clock.Now()
		due, err := s.store.DueLots(ctx, now, limit)
		if err != nil || len(due) == 0 {
			return err
		}
		q := LotQuery{IDs: make([]LotKey, len(due))}
		members := make([]hyperlocal.TenantRef, len(due))
		for i, l := range due {
			q.IDs[i] = LotKey{l.Tenant, l.ID}
			members[i] = hyperlocal.TenantRef{Tenant: l.Tenant, Ref: l.Member}
		}
		if err := s.lock(ctx, members); err != nil {
			return err
		}
		// Others may have emptied the lots while this waited for the locks.
		lots, err := s.store.Lots(ctx, q)
		if err != nil {
			return err
		}
		lots = slices.DeleteFunc(lots, func(l Lot) bool { return l.Remaining == 0 || !l.Lapsed(now) })
		slices.SortFunc(lots, func(a, b Lot) int { return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), Burn(a, b)) })
		n, refused, err = s.expire(ctx, lots)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, refused
}

// expire empties lots whose accounts are locked. The journal refuses a batch as a whole and
// before anything is queued, so after a refusal the lots are tried one by one.
func (s *Service) expire(ctx context.Context, lots []Lot) (n int, refused, err error) {
	if len(lots) == 0 {
		return 0, nil, nil
	}
	w := s.newSheet()
	for i := range lots {
		l := lots[i]
		w.put(&l)
		w.expire(&l)
	}
	err = w.save(ctx)
	if !hyperlocal.IsCode(err, hyperlocal.CodeExhausted) {
		if err != nil {
			return 0, nil, err
		}
		return len(lots), nil, nil
	}
	if len(lots) == 1 {
		return 0, err, nil
	}
	var problems []error
	for i := range lots {
		one, problem, err := s.expire(ctx, lots[i:i+1])
		if err != nil {
			return 0, nil, err
		}
		n += one
		problems = append(problems, problem)
	}
	return n, errors.Join(problems...), nil
}

func (w *sheet) expire(l *Lot) {
	c := cause{
		// A lot expires again after points came back to it, so its version tells which time it is.
		reference: "points/expire/" + l.ID + "/" + strconv.FormatInt(l.Version+1, 10),
		subject:   l.Source, at: w.recorded, actor: hyperlocal.System("loyalty"),
	}
	points := l.Remaining
	w.move(l, MovementExpired, -points, c)
	l.Expired += points
	w.post(hyperlocal.TenantRef{Tenant: l.Tenant, Ref: l.Member}, "points_expired", c, "",
		hyperlocal.Entry{Account: AccountExpired, Asset: Asset, Amount: -points})
}
