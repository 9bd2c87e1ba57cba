package inventory

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// SpendHold is the kind of a [hyperlocal.Spend] that names a cart whose hold a placement
// takes over: Ref is the cart, Amount is not looked at. What the cart holds of an item that
// the placement wants counts as available to this placement alone, and is released, all of
// it, in the transaction that reserves for the order. What it holds of other items stays
// held until it is released or runs out. Only holds are taken over, never what an order
// reserves; a cart that holds nothing changes nothing, and one that is named twice counts
// once. Whoever lets shoppers place orders sees to it that they name their own cart.
const SpendHold = "stock_hold"

var _ hyperlocal.Participant = (*Service)(nil)

// Rank implements [hyperlocal.Participant].
func (s *Service) Rank() hyperlocal.Rank { return hyperlocal.RankStock }

// SpendKinds names the kinds of Spend that this participant looks at, so that a placement
// which would spend something else is not left to it.
func (s *Service) SpendKinds() []string { return []string{SpendHold} }

// Decide implements [hyperlocal.Participant]: it locks the levels that the batch wants, in
// sorted order, in one statement (and one more for holds to be taken over), and reads them.
// Where there was plenty of everything when this process saw it last, nothing is locked nor even
// read; the write makes sure that there still is (see [hyperlocal.Presume]).
// The demand of a placement is added up per item and location, so the same item in two lines
// or two placements of one batch cannot be sold twice.
//
// Check answers ErrUnknownItem, ErrUnitMismatch, ErrInsufficient, ErrOutOfRange or an
// invalid input, for that placement alone. Items in ModeNone are passed over, those in
// ModeTrackOnly are reserved whatever there is. Outside a transaction Decide fails with
// ErrTxRequired.
func (s *Service) Decide(ctx context.Context, batch []hyperlocal.Placement) (hyperlocal.Decision, error) {
	if !hyperlocal.InTx(ctx) {
		return nil, ErrTxRequired
	}
	if len(batch) > MaxBatch {
		return nil, invalid("batch", "the batch is too long").With("limit", MaxBatch)
	}
	asks := make([]ask, len(batch))
	room := 0
	for i := range batch {
		room += len(batch[i].Items)
	}
	wants := make([]want, 0, room) // of all asks, one after the other
	for i := range batch {
		p := &batch[i]
		asks[i] = s.ask(wants[len(wants):], p.Tenant, p.Order, p.Items, p.Actor, p.At)
		wants = wants[:len(wants)+len(asks[i].wants)]
		asks[i].by.cause = p.Cause
		asks[i].spends = len(p.Spend) > 0
		for _, spend := range p.Spend {
			if spend.Kind != SpendHold || asks[i].err != nil {
				continue
			}
			if asks[i].err = checkOwner(spend.Ref); asks[i].err != nil {
				continue
			}
			if cart := (hyperlocal.TenantRef{Tenant: p.Tenant, Ref: spend.Ref}); !slices.Contains(asks[i].carts, cart) {
				asks[i].carts = append(asks[i].carts, cart)
			}
		}
	}
	return s.decide(ctx, asks)
}

// ask is what one owner wants.
type ask struct {
	by     doer
	owner  hyperlocal.Ref
	wants  []want
	carts  []hyperlocal.TenantRef // whose holds are taken over, each once
	until  time.Time              // end of what is reserved, zero for none
	asHold bool                   // a cart asks: only ModeReserveOnCart is held
	spends bool                   // so others may lock something behind the levels
	err    error
}

// want is the demand for one level, added up.
type want struct {
	key      Key
	quantity hyperlocal.Quantity
	sh       *shelf // nil until it is locked, or if there is none
}

// ask checks what an owner wants and adds it up, in room if there is enough of it.
func (s *Service) ask(room []want, tenant hyperlocal.TenantID, owner hyperlocal.Ref, items []hyperlocal.ItemQuantity,
	actor hyperlocal.Actor, at time.Time,
) ask {
	a := ask{owner: owner}
	if a.by, a.err = s.by(tenant, actor, "", at); a.err != nil {
		return a
	}
	if a.err = checkOwner(owner); a.err != nil {
		return a
	}
	a.wants, a.err = sum(room, tenant, items)
	return a
}

// sum adds demand up per level, in order of first mention, in room if there is enough of it.
func sum(room []want, tenant hyperlocal.TenantID, items []hyperlocal.ItemQuantity) ([]want, error) {
	if len(items) > MaxLines {
		return nil, invalid("items", "the list is too long").With("limit", MaxLines)
	}
	wants := room[:0:min(len(items), cap(room))]
	if cap(wants) < len(items) {
		wants = make([]want, 0, len(items))
	}
	var index map[Key]int // only where looking through the list would be slow
	if len(items) > 16 {
		index = make(map[Key]int, len(items))
	}
	for _, it := range items {
		k := Key{Tenant: tenant, Item: it.Item, Location: it.Location}
		if err := k.Validate(); err != nil {
			return nil, err
		}
		if err := k.amount(it.Quantity); err != nil {
			return nil, err
		}
		at, found := len(wants), false
		if index != nil {
			at, found = index[k]
		} else {
			for i := range wants {
				if wants[i].key == k {
					at, found = i, true
					break
				}
			}
		}
		if !found {
			if index != nil {
				index[k] = len(wants)
			}
			wants = append(wants, want{key: k, quantity: it.Quantity})
			continue
		}
		added, err := wants[at].quantity.Add(it.Quantity)
		if err != nil {
			return nil, k.in(ErrUnitMismatch).With("unit", wants[at].quantity.Unit())
		}
		wants[at].quantity = added
	}
	return wants, nil
}

func (s *Service) decide(ctx context.Context, asks []ask) (*decision, error) {
	n := 0
	for i := range asks {
		if asks[i].err == nil {
			n += len(asks[i].wants)
		}
	}
	keys := make([]Key, 0, n)
	var carts []hyperlocal.TenantRef
	for i := range asks {
		if asks[i].err != nil {
			continue
		}
		for _, w := range asks[i].wants {
			keys = append(keys, w.key)
		}
		carts = append(carts, asks[i].carts...)
	}
	plenty, err := s.presume(ctx, asks)
	if err != nil {
		return nil, err
	}
	if plenty != nil {
		keys = nil
	}
	d, err := s.lock(ctx, keys, carts)
	if err != nil {
		return nil, err
	}
	d.presume(plenty)
	for i := range asks {
		for k := range asks[i].wants {
			w := &asks[i].wants[k]
			w.sh = d.shelves[w.key]
		}
	}
	d.movements, d.opened, d.room = make([]Movement, 0, n), make([]*held, 0, n), make([]held, n)
	return &decision{draft: d, asks: asks}, nil
}

// presume returns the levels if none of them need be locked: there is plenty of each, as far as
// is known or can be read without a lock. It is all or none, and not where somebody spends
// something, because what is not locked now is locked by the write, after whatever else is:
// the order of locks is kept.
func (s *Service) presume(ctx context.Context, asks []ask) ([]Level, error) {
	for i := range asks {
		if asks[i].asHold || asks[i].spends {
			return nil, nil
		}
	}
	plenty, unknown, scarce := s.memory.plenty(demanded(asks))
	if scarce || len(plenty)+len(unknown) == 0 || !hyperlocal.Presume(ctx, hyperlocal.ScopeOf(s.store)) {
		return nil, nil
	}
	if len(unknown) == 0 {
		return plenty, nil
	}
	read, err := s.store.Levels(ctx, slices.Collect(maps.Keys(unknown)))
	if err != nil {
		return nil, err
	}
	for i := range read {
		if !read[i].plentyOf(unknown[read[i].Key()]) {
			return nil, nil
		}
	}
	if len(read) < len(unknown) {
		return nil, nil
	}
	return append(plenty, read...), nil
}

// decision implements [hyperlocal.Decision]. It belongs to one goroutine.
type decision struct {
	draft   *draft
	asks    []ask
	applied bool
	broken  error // found in Take, which cannot say so
}

// Check implements [hyperlocal.Decision].
func (d *decision) Check(i int) error {
	a := &d.asks[i]
	if a.err != nil {
		return a.err
	}
	for k := range a.wants {
		w := &a.wants[k]
		sh := w.sh
		if err := sh.known(w.key, w.quantity); err != nil {
			return err
		}
		if !a.reserves(sh) {
			continue
		}
		wanted, own := w.quantity.Value(), int64(0)
		for _, h := range d.takenOver(a, w.key) {
			own += h.Quantity.Value()
		}
		if free := sh.free(GuardBackorder) + own; sh.Mode.Guarded() && free < wanted {
			return sh.lacks(wanted, free)
		}
		if err := sh.fits(0, wanted-own); err != nil {
			return err
		}
	}
	return nil
}

// Take implements [hyperlocal.Decision].
func (d *decision) Take(i int) {
	a := &d.asks[i]
	for k := range a.wants {
		w := &a.wants[k]
		sh := w.sh
		if sh == nil || !a.reserves(sh) {
			continue
		}
		own := d.takenOver(a, w.key)
		if a.asHold && len(own) == 1 && own[0].Quantity == w.quantity {
			d.draft.prolong(own[0], a.until) // instead of a release and a reservation that cancel out
			continue
		}
		for _, h := range own {
			d.release(h, a.by)
		}
		d.draft.reserve(sh, a.by, a.owner, w.quantity.Value(), a.until)
	}
	if a.asHold {
		d.drop(a)
	}
}

// Apply implements [hyperlocal.Decision]. It can be called once.
func (d *decision) Apply(ctx context.Context) error {
	if d.applied {
		return errAppliedTwice
	}
	d.applied = true
	if d.broken != nil {
		return d.broken
	}
	return d.draft.write(ctx)
}

// reserves reports whether the ask makes a reservation on the shelf.
func (a *ask) reserves(sh *shelf) bool {
	if a.asHold {
		return sh.Mode == ModeReserveOnCart
	}
	return sh.Mode != ModeNone
}

// takenOver returns the open holds of the ask's carts on a level.
func (d *decision) takenOver(a *ask, k Key) []*held {
	var out []*held
	for _, cart := range a.carts {
		for _, h := range d.draft.holds[holdKey{cart, k}] {
			if !h.gone {
				out = append(out, h)
			}
		}
	}
	return out
}

// drop releases what a cart held and does not want any more, or what is no longer held for
// carts.
func (d *decision) drop(a *ask) {
	wanted := make(map[Key]bool, len(a.wants))
	for _, w := range a.wants {
		wanted[w.key] = true
	}
	for _, cart := range a.carts {
		for _, h := range d.draft.held[cart] {
			if sh := d.draft.shelves[h.Key()]; h.gone || sh != nil && a.reserves(sh) && wanted[h.Key()] {
				continue
			}
			d.release(h, a.by)
		}
	}
}

// release can fail only if the store locked a reservation without its level; Apply reports it.
func (d *decision) release(h *held, by doer) {
	if err := d.draft.end(h, by, MoveRelease); err != nil && d.broken == nil {
		d.broken = err
	}
}
