package loyalty

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// MaxExpire bounds how many lots one Expire empties.
const MaxExpire = 500

// defaultDue is how many lots expire at a time unless told otherwise.
const defaultDue = 100

// Expire empties at most limit lots (0 means 100), of all tenants, that have reached their
// expiry by now, earliest first, and returns how many it emptied. A worker calls it now and
// then, and again while it returns limit. Several may run at once.
//
// A lot that cannot be emptied, because lots and ledger disagree about its member for example,
// stops no other: it stays, the ones after it are emptied in its place, and the refusals come
// back joined, beside the count. A sweep gives up once MaxExpire lots have stayed. Within a
// caller's transaction it looks no further than the first lots that are due, since it could
// lock further accounts only out of order, and an error of the store ends it. Other errors:
// code invalid for a limit outside 0 to MaxExpire, what the store reports.
func (s *Service) Expire(ctx context.Context, limit int) (int, error) {
	if limit < 0 || limit > MaxExpire {
		return 0, hyperlocal.Invalid("loyalty", "limit", "expire at most 500 lots at once")
	}
	if limit == 0 {
		limit = defaultDue
	}
	w := &sweep{s: s, now: s.clock.Now(), stuck: make(map[LotKey]bool)}
	for w.expired < limit && len(w.stuck) < MaxExpire {
		before := len(w.stuck)
		// What stays is the earliest there is, so the store is asked for as many more.
		due, err := s.store.DueLots(ctx, w.now, limit-w.expired+before)
		if err == nil {
			due = slices.DeleteFunc(due, func(l Lot) bool { return w.stuck[LotKey{l.Tenant, l.ID}] })
			err = w.group(ctx, due)
		}
		if err != nil {
			return w.expired, errors.Join(append(w.errs, err)...)
		}
		if len(w.stuck) == before || hyperlocal.InTx(ctx) {
			break
		}
	}
	return w.expired, errors.Join(w.errs...)
}

// sweep is one call of Expire.
type sweep struct {
	s       *Service
	now     time.Time
	expired int
	stuck   map[LotKey]bool // what could not be emptied
	errs    []error
}

// refusal is a lot that the journal will not have emptied.
type refusal struct {
	lot LotKey
	err error
}

// group empties lots in one transaction. What the store refuses, at the end and as a whole,
// is divided until what is wrong stands alone.
func (w *sweep) group(ctx context.Context, due []Lot) error {
	if len(due) == 0 {
		return nil
	}
	var n int
	var refused []refusal
	err := w.s.tx.WithinTx(ctx, func(ctx context.Context) error {
		n, refused = 0, nil
		lots, err := w.lock(ctx, due)
		if err != nil {
			return err
		}
		refused, err = w.s.expire(ctx, lots)
		n = len(lots) - len(refused)
		return err
	})
	switch {
	case err == nil:
		w.expired += n
		for _, r := range refused {
			w.stay(r)
		}
		return nil
	case w.hopeless(ctx, err):
		return err
	case len(due) == 1:
		w.stay(refusal{lot: LotKey{due[0].Tenant, due[0].ID}, err: err})
		return nil
	}
	half := len(due) / 2
	if err := w.group(ctx, due[:half]); err != nil {
		return err
	}
	return w.group(ctx, due[half:])
}

func (w *sweep) stay(r refusal) {
	w.stuck[r.lot] = true
	w.errs = append(w.errs, errLotStays.With("tenant", r.lot.Tenant).With("lot", r.lot.ID).WithCause(r.err))
}

// hopeless tells that going on makes no sense: the transaction is not ours to divide, or it is
// not the rows that are in trouble.
func (w *sweep) hopeless(ctx context.Context, err error) bool {
	if ctx.Err() != nil || hyperlocal.InTx(ctx) || errors.Is(err, hyperlocal.ErrTxRetry) {
		return true
	}
	switch hyperlocal.CodeOf(err) {
	case hyperlocal.CodeUnavailable, hyperlocal.CodeDeadline, hyperlocal.CodeUnknownOutcome:
		return true
	}
	return false
}

// lock locks the accounts of the lots' members and returns what of the lots is still to be
// emptied: others may have been at it while this waited.
func (w *sweep) lock(ctx context.Context, due []Lot) ([]Lot, error) {
	q := LotQuery{IDs: make([]LotKey, len(due))}
	members := make([]hyperlocal.TenantRef, len(due))
	for i, l := range due {
		q.IDs[i] = LotKey{l.Tenant, l.ID}
		members[i] = hyperlocal.TenantRef{Tenant: l.Tenant, Ref: l.Member}
	}
	if err := w.s.lock(ctx, members); err != nil {
		return nil, err
	}
	lots, err := w.s.store.Lots(ctx, q)
	if err != nil {
		return nil, err
	}
	lots = slices.DeleteFunc(lots, func(l Lot) bool { return l.Remaining == 0 || !l.Lapsed(w.now) })
	slices.SortFunc(lots, func(a, b Lot) int { return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), Burn(a, b)) })
	return lots, nil
}

// expire empties lots whose accounts are locked and returns those that the journal refused. It
// refuses a batch as a whole and before anything is queued, so the halves are tried then.
func (s *Service) expire(ctx context.Context, lots []Lot) ([]refusal, error) {
	if len(lots) == 0 {
		return nil, nil
	}
	w := s.newSheet()
	for i := range lots {
		l := lots[i]
		w.put(&l)
		w.expire(&l)
	}
	err := w.save(ctx)
	switch {
	case !hyperlocal.IsCode(err, hyperlocal.CodeExhausted):
		return nil, err
	case len(lots) == 1:
		return []refusal{{LotKey{lots[0].Tenant, lots[0].ID}, err}}, nil
	}
	half := len(lots) / 2
	refused, err := s.expire(ctx, lots[:half])
	if err != nil {
		return nil, err
	}
	more, err := s.expire(ctx, lots[half:])
	return append(refused, more...), err
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
