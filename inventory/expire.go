package inventory

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// defaultDue is how many holds expire at a time unless told otherwise.
const defaultDue = 100

// ExpireHolds releases at most limit holds that have run out (0 means 100), of all tenants,
// oldest first, and returns how many. Several workers may call it at once: each passes over
// what another has in hand, so less than limit does not prove that nothing is left.
//
// A hold that cannot be released, because its level and its history disagree for example,
// stops no other: it stays, the ones after it are released in its place, and what it ran into
// comes back beside the count, joined with the others'. A sweep gives up once MaxBatch holds
// have stayed. Within a caller's transaction it is all or nothing, since a part of that cannot
// fail alone. Other errors: code invalid for a limit outside 0 to MaxBatch.
func (s *Service) ExpireHolds(ctx context.Context, limit int) (int, error) {
	if limit < 0 || limit > MaxBatch {
		return 0, invalid("limit", "at most 1000 holds expire at a time")
	}
	if limit == 0 {
		limit = defaultDue
	}
	w := &sweep{s: s, now: s.clock.Now(), stuck: make(map[reservationKey]bool)}
	for w.expired < limit && len(w.stuck) < MaxBatch {
		before := len(w.stuck)
		// What stays is the oldest there is, so the store is asked for as many more.
		if err := w.due(ctx, limit-w.expired+before); err != nil {
			return w.expired, errors.Join(append(w.errs, err)...)
		}
		if len(w.stuck) == before {
			break
		}
	}
	return w.expired, errors.Join(w.errs...)
}

// sweep is one call of ExpireHolds.
type sweep struct {
	s       *Service
	now     time.Time
	expired int
	stuck   map[reservationKey]bool // what could not be released
	errs    []error
}

type reservationKey struct {
	tenant hyperlocal.TenantID
	id     string
}

func (r Reservation) key() reservationKey { return reservationKey{r.Tenant, r.ID} }

// due releases the oldest holds, in one transaction if all goes well.
func (w *sweep) due(ctx context.Context, limit int) error {
	var group []Reservation
	err := w.s.run(ctx, func(ctx context.Context) error {
		group = nil
		locked, err := w.s.store.LockDue(ctx, w.now, limit)
		if err != nil {
			return err
		}
		group = slices.DeleteFunc(slices.Clone(locked.Reservations), func(r Reservation) bool { return w.stuck[r.key()] })
		_, err = w.release(ctx, locked, group)
		return err
	})
	if err == nil {
		w.expired += len(group)
		return nil
	}
	if w.hopeless(ctx, err) {
		return err
	}
	return w.apart(ctx, group, err)
}

// apart divides a group that failed, so that what is wrong with one of it is found in few
// transactions, whatever it is: some of it the store alone knows, and only at the end.
func (w *sweep) apart(ctx context.Context, group []Reservation, failed error) error {
	if len(group) == 0 {
		return failed
	}
	if len(group) == 1 {
		r := group[0]
		w.stuck[r.key()] = true
		w.errs = append(w.errs, r.Key().in(errHoldStays).With("owner", r.Owner).With("reservation", r.ID).WithCause(failed))
		return nil
	}
	half := len(group) / 2
	for _, part := range [][]Reservation{group[:half], group[half:]} {
		n, err := w.these(ctx, part)
		if err == nil {
			w.expired += n
			continue
		}
		if w.hopeless(ctx, err) {
			return err
		}
		if err := w.apart(ctx, part, err); err != nil {
			return err
		}
	}
	return nil
}

var errHoldStays = hyperlocal.NewError(hyperlocal.CodeInternal, "inventory/hold_stays",
	"the hold has run out and cannot be released; compare its level with its history")

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

// these releases what of a group is still there and due, in one transaction.
func (w *sweep) these(ctx context.Context, group []Reservation) (n int, err error) {
	wanted := make(map[reservationKey]bool, len(group))
	keys := make([]Key, len(group))
	owners := make([]hyperlocal.TenantRef, len(group))
	for i, r := range group {
		keys[i], owners[i], wanted[r.key()] = r.Key(), r.OwnedBy(), true
	}
	err = w.s.run(ctx, func(ctx context.Context) error {
		locked, err := w.s.store.Lock(ctx, keys, owners)
		if err != nil {
			return err
		}
		var left []Reservation
		for _, r := range locked.Reservations {
			if wanted[r.key()] && r.Hold() && !r.ExpiresAt.After(w.now) {
				left = append(left, r)
			}
		}
		n, err = w.release(ctx, locked, left)
		return err
	})
	return n, err
}

// release releases the group, which is part of what is locked.
func (w *sweep) release(ctx context.Context, locked Locked, group []Reservation) (int, error) {
	d := w.s.draft(ctx, locked)
	wanted := make(map[reservationKey]bool, len(group))
	for _, r := range group {
		wanted[r.key()] = true
	}
	for _, h := range d.locked {
		if !wanted[h.key()] {
			continue
		}
		by := doer{tenant: h.Tenant, actor: hyperlocal.System("inventory"), at: w.now}
		if err := d.end(h, by, MoveExpire); err != nil {
			return 0, err
		}
		d.tell(d.shelves[h.Key()], by, func(c LevelChanged) hyperlocal.Event {
			return StockHoldExpired{LevelChanged: c, Quantity: h.Quantity, Owner: h.Owner}
		})
	}
	return len(group), d.write(ctx)
}
