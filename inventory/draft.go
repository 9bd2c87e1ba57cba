package inventory

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// draft is what a command does to the levels it has locked. It works in memory, so that a
// command can be refused half-way with nothing written, and a batch sees what the items
// before it took. write sends all of it in a constant number of statements.
type draft struct {
	s         *Service
	now       time.Time
	shelves   map[Key]*shelf
	held      map[hyperlocal.TenantRef][]*held // holds by owner
	holds     map[holdKey][]*held              // the same by owner and level
	room      []held                           // for reservations to be opened
	locked    []*held                          // what of held the store knows, in its order
	touched   []*shelf                         // in the order in which they were touched first
	opened    []*held
	prolonged []*held
	closed    []Reservation
	movements []Movement
	facts     []fact
	written   bool
	blind     bool // nobody hears of the commit
}

// shelf is a locked level and where the command has brought it.
type shelf struct {
	Level           // as it was when it was locked
	key             Key
	onHand          int64
	reserved        int64
	guard           Guard
	touched         bool
	set             bool // its settings change too, so its version rises anyway
	presumed        bool // not locked: the numbers are those that were seen last
	lowBefore       bool
	actor           hyperlocal.Actor // of the last change
	cause           hyperlocal.Cause
	at              time.Time
	eventsOfVersion int
}

// held is an open reservation: one that the command has locked, or one that it makes.
type held struct {
	Reservation
	fresh     bool // the store does not know it yet
	gone      bool
	prolonged bool
}

// holdKey names what an owner holds of a level.
type holdKey struct {
	owner hyperlocal.TenantRef
	key   Key
}

// fact is an event that waits for the level's final numbers.
type fact struct {
	sh    *shelf
	by    doer
	event func(LevelChanged) hyperlocal.Event
}

// lock starts a draft on the levels named by keys and those that the owners reserve from.
func (s *Service) lock(ctx context.Context, keys []Key, owners []hyperlocal.TenantRef) (*draft, error) {
	locked := Locked{}
	if len(keys)+len(owners) > 0 {
		var err error
		if locked, err = s.store.Lock(ctx, keys, owners); err != nil {
			return nil, err
		}
	}
	return s.draft(ctx, locked), nil
}

// presume adds levels that are not locked.
func (d *draft) presume(levels []Level) {
	all := make([]shelf, len(levels))
	for i, l := range levels {
		all[i] = newShelf(l)
		all[i].presumed = true
		d.shelves[all[i].key] = &all[i]
	}
}

func newShelf(l Level) shelf {
	return shelf{Level: l, key: l.Key(), onHand: l.OnHand.Value(), reserved: l.Reserved.Value(), lowBefore: l.Low()}
}

func (s *Service) draft(ctx context.Context, locked Locked) *draft {
	d := &draft{s: s, now: s.clock.Now(), shelves: make(map[Key]*shelf, len(locked.Levels))}
	all := make([]shelf, len(locked.Levels))
	for i, l := range locked.Levels {
		all[i] = newShelf(l)
		d.shelves[all[i].key] = &all[i]
	}
	d.locked = make([]*held, len(locked.Reservations))
	for i, r := range locked.Reservations {
		d.locked[i] = &held{Reservation: r}
		if r.Hold() {
			d.remember(d.locked[i])
		}
	}
	d.watch(ctx)
	return d
}

// remember keeps a hold for whoever may take it over.
func (d *draft) remember(h *held) {
	if d.held == nil {
		d.held, d.holds = make(map[hyperlocal.TenantRef][]*held), make(map[holdKey][]*held)
	}
	owner := h.OwnedBy()
	d.held[owner] = append(d.held[owner], h)
	at := holdKey{owner, h.Key()}
	d.holds[at] = append(d.holds[at], h)
}

// tracked returns the shelf for a key whose level must exist, be counted, and be counted in
// the unit of q.
func (d *draft) tracked(k Key, q hyperlocal.Quantity) (*shelf, error) {
	sh, err := d.known(k, q)
	if err == nil && sh.Mode == ModeNone {
		return nil, k.in(ErrNotTracked)
	}
	return sh, err
}

// known is tracked without regard to the mode.
func (d *draft) known(k Key, q hyperlocal.Quantity) (*shelf, error) {
	sh := d.shelves[k]
	return sh, sh.known(k, q)
}

// known refuses a shelf that is missing, or counted in another unit than q.
func (sh *shelf) known(k Key, q hyperlocal.Quantity) error {
	if sh == nil {
		return k.in(ErrUnknownItem)
	}
	if q.Unit() != sh.Unit() {
		return k.in(ErrUnitMismatch).With("unit", sh.Unit())
	}
	return nil
}

// now returns the level as the command leaves it.
func (sh *shelf) now(at time.Time) Level {
	l := sh.Level
	if sh.touched || sh.set {
		l.OnHand, l.Reserved = l.quantity(sh.onHand), l.quantity(sh.reserved)
		l.Version, l.UpdatedAt = l.Version+1, at
	}
	return l
}

// free is what the guard still lets go.
func (sh *shelf) free(g Guard) int64 {
	free := sh.onHand - sh.reserved
	if g == GuardBackorder {
		free += sh.BackorderLimit.Value()
	}
	return free
}

// lacks says by how little the wish was not met.
func (l *Level) lacks(wanted, free int64) error {
	return l.Key().in(ErrInsufficient).With("wanted", wanted).With("available", max(free, 0)).With("unit", l.Unit())
}

// fits refuses numbers that a level cannot hold. The deltas are sums of at most MaxLines
// quantities, so nothing overflows on the way.
func (sh *shelf) fits(onHand, reserved int64) error {
	h, r := sh.onHand+onHand, sh.reserved+reserved
	if h > MaxUnits || h < -MaxUnits || r > MaxUnits {
		return sh.key.in(ErrOutOfRange)
	}
	return nil
}

// move changes a shelf and notes the movement. The caller has asked fits, and free where
// there is a guard; g is the guard for the store, of which a shelf keeps the strictest.
func (d *draft) move(sh *shelf, by doer, m Movement, g Guard, onHand, reserved int64) {
	if !sh.touched {
		sh.touched = true
		d.touched = append(d.touched, sh)
	}
	sh.onHand += onHand
	sh.reserved += reserved
	sh.guard = max(sh.guard, g)
	sh.actor, sh.at, sh.cause = by.actor, by.at, by.cause
	m.ID = d.s.ids.NewID()
	m.Tenant, m.Item, m.Location = sh.Tenant, sh.Item, sh.Location
	m.OnHand, m.Reserved = sh.quantity(onHand), sh.quantity(reserved)
	if m.Reason == "" {
		m.Reason = by.reason
	}
	m.Actor, m.At, m.RecordedAt = by.actor, by.at, d.now
	d.movements = append(d.movements, m)
}

// tell notes an event of the shelf.
func (d *draft) tell(sh *shelf, by doer, event func(LevelChanged) hyperlocal.Event) {
	d.facts = append(d.facts, fact{sh: sh, by: by, event: event})
}

// reserve opens a reservation. Zero until means that it never ends by itself.
func (d *draft) reserve(sh *shelf, by doer, owner hyperlocal.Ref, wanted int64, until time.Time) {
	g := GuardNone
	if sh.Mode.Guarded() {
		g = GuardBackorder
	}
	d.move(sh, by, Movement{Kind: MoveReserve, Owner: owner}, g, 0, wanted)
	if len(d.room) == 0 {
		d.room = make([]held, 1)
	}
	h := &d.room[0]
	d.room = d.room[1:]
	*h = held{fresh: true, Reservation: Reservation{
		ID: d.s.ids.NewID(), Tenant: sh.Tenant, Owner: owner, Item: sh.Item, Location: sh.Location,
		Quantity: sh.quantity(wanted), ExpiresAt: until, CreatedAt: d.now,
	}}
	d.opened = append(d.opened, h)
	if h.Hold() { // a later item of the batch may take it over
		d.remember(h)
	}
}

// prolong moves the end of a hold, never to an earlier time.
func (d *draft) prolong(h *held, until time.Time) {
	if !until.After(h.ExpiresAt) {
		return
	}
	h.ExpiresAt = until
	if !h.fresh && !h.prolonged {
		h.prolonged = true
		d.prolonged = append(d.prolonged, h)
	}
}

// end closes an open reservation; the kind says how. Committed goods are gone from the shelf.
// One that has ended stays as it is: ending it again would give its goods back twice.
func (d *draft) end(h *held, by doer, kind MovementKind) error {
	if h.gone {
		return nil
	}
	sh := d.shelves[h.Key()]
	if sh == nil { // the store locked the reservation without its level
		return h.Key().in(ErrContended)
	}
	units := h.Quantity.Value()
	onHand := int64(0)
	if kind == MoveCommit {
		onHand = -units
	}
	if err := sh.fits(onHand, -units); err != nil {
		return err
	}
	h.gone = true
	d.move(sh, by, Movement{Kind: kind, Owner: h.Owner}, GuardNone, onHand, -units)
	if !h.fresh {
		d.closed = append(d.closed, h.Reservation)
	}
	return nil
}

// write queues everything, and the events with it.
func (d *draft) write(ctx context.Context) error {
	d.written = true
	if d.blind {
		d.s.memory.forget(d.touched)
	}
	if len(d.touched)+len(d.prolonged) > 0 {
		w := Writes{Open: still(d.opened), Extend: still(d.prolonged), Close: d.closed, Movements: d.movements}
		w.Changes = make([]Change, len(d.touched))
		for i, sh := range d.touched {
			w.Changes[i] = Change{
				Key: sh.key, OnHand: sh.onHand - sh.OnHand.Value(), Reserved: sh.reserved - sh.Reserved.Value(),
				Guard: sh.guard, At: d.now,
			}
			if sh.presumed {
				w.Changes[i].Presumed = sh.Mode
			}
		}
		if err := d.s.store.Write(ctx, w); err != nil {
			return err
		}
	}
	for _, sh := range d.touched {
		d.warn(sh)
	}
	if len(d.facts) == 0 {
		return nil
	}
	envelopes := make([]hyperlocal.Envelope, 0, len(d.facts))
	for _, f := range d.facts {
		l := f.sh.now(d.now)
		ctx := hyperlocal.ContextWithCause(ctx, f.by.cause)
		e, err := hyperlocal.NewEnvelope(ctx, d.s.ids, d.now, l.Tenant, f.by.actor, f.sh.key.Ref(), l.Version, f.sh.eventsOfVersion,
			f.event(LevelChanged{
				Item: l.Item, Location: l.Location, OnHand: l.OnHand, Reserved: l.Reserved, Version: l.Version, At: f.by.at,
			}))
		if err != nil {
			return err
		}
		f.sh.eventsOfVersion++
		envelopes = append(envelopes, e)
	}
	return d.s.outbox.Append(ctx, envelopes...)
}

// still returns what of hs has not ended within the command.
func still(hs []*held) []Reservation {
	if len(hs) == 0 {
		return nil
	}
	out := make([]Reservation, 0, len(hs))
	for _, h := range hs {
		if !h.gone {
			out = append(out, h.Reservation)
		}
	}
	return out
}

// warn tells that a level has just become low. What it was before the command decides, so
// nothing has to remember that the warning was given.
func (d *draft) warn(sh *shelf) {
	if sh.lowBefore || !sh.now(d.now).Low() {
		return
	}
	lowAt := sh.LowAt
	d.tell(sh, doer{actor: sh.actor, at: sh.at, cause: sh.cause}, func(c LevelChanged) hyperlocal.Event {
		return StockLow{LevelChanged: c, LowAt: lowAt}
	})
}

// levels returns the levels of keys as the command leaves them, each once, in order of
// first mention.
func (d *draft) levels(keys []Key) []Level {
	out := make([]Level, 0, len(keys))
	seen := make(map[Key]bool, len(keys))
	for _, k := range keys {
		if sh := d.shelves[k]; sh != nil && !seen[k] {
			seen[k] = true
			out = append(out, sh.now(d.now))
		}
	}
	return out
}
