package inventory

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Store keeps levels, open reservations and movements. Everything but the reads of Reader
// joins the transaction of ctx and fails with code internal outside one; every call costs a
// constant number of statements whatever the number of rows.
//
// One rule keeps it free of deadlocks: levels are locked before reservations, each sorted by
// key, and whoever opens or closes a reservation has locked its level.
type Store interface {
	// Lock locks, in one pass sorted by Key.Compare, the levels named by keys and those
	// from which the owners hold open reservations, and reads them; then it locks and reads
	// these reservations. A level that does not exist is left out. Duplicates in keys and
	// owners are harmless. Without owners it is one statement; without both it is none.
	Lock(ctx context.Context, keys []Key, owners []hyperlocal.TenantRef) (Locked, error)
	// LockDue locks at most limit holds with ExpiresAt <= now and their levels, passing over
	// those that another transaction has locked.
	LockDue(ctx context.Context, now time.Time, limit int) (Locked, error)
	// Write queues a set of changes. It must be guarded: see Change. A reservation to close
	// that is not open any more, a level that does not exist or whose guard, Presumed or
	// Validate refuses fails the transaction with ErrContended; a reference that is taken fails it
	// with ErrReferenceTaken. Nothing relies on the caller's lock.
	Write(ctx context.Context, w Writes) error
	// AddItems adds levels, all of which are new; the caller has asked Lock. One that
	// exists by now fails the transaction with ErrContended, a unit that differs from the
	// item's at another location with ErrUnitMismatch.
	AddItems(ctx context.Context, levels []Level) error
	// SaveItems queues new settings (mode, backorder limit, threshold, version, time) of
	// levels that are locked. Settings that the numbers break fail with ErrContended.
	SaveItems(ctx context.Context, levels []Level) error
	// Extend moves the end of the owners' holds to until, never to an earlier time, and
	// returns the owners that hold anything, sorted by tenant, kind and id. It locks no level.
	Extend(ctx context.Context, owners []hyperlocal.TenantRef, until time.Time) ([]hyperlocal.TenantRef, error)

	Reader
}

// Reader is the reading part of Store. Outside a transaction it sees committed data.
type Reader interface {
	// Levels returns the levels in the order of keys, missing ones left out.
	Levels(ctx context.Context, keys []Key) ([]Level, error)
	// ListLevels pages by (item, location), in one statement.
	ListLevels(ctx context.Context, tenant hyperlocal.TenantID, f LevelFilter, p hyperlocal.PageRequest) (hyperlocal.Page[Level], error)
	// Movements pages newest first, by id, in one statement.
	Movements(ctx context.Context, tenant hyperlocal.TenantID, f MovementFilter, p hyperlocal.PageRequest) (hyperlocal.Page[Movement], error)
	// Reservations returns the open reservations of the owners, by (owner, id).
	Reservations(ctx context.Context, tenant hyperlocal.TenantID, owners []hyperlocal.Ref) ([]Reservation, error)
	// References returns the movements that carry one of the external references, by
	// (source, reference, N).
	References(ctx context.Context, tenant hyperlocal.TenantID, refs []hyperlocal.External) ([]Movement, error)
	// Returned tells, in the order of keys, which returns were recorded before.
	Returned(ctx context.Context, keys []ReturnKey) ([]bool, error)
	// Count reads the levels and adds up what they are made of, as of one moment, in the
	// order of keys, missing ones left out.
	Count(ctx context.Context, keys []Key) ([]Count, error)
}

// Locked is what Lock and LockDue return: levels by key, reservations by (owner, id).
type Locked struct {
	Levels       []Level
	Reservations []Reservation
}

// Writes is what one command does. A level occurs at most once in Changes.
type Writes struct {
	Changes   []Change
	Open      []Reservation
	Extend    []Reservation // open ones with a new ExpiresAt
	Close     []Reservation
	Movements []Movement
}

// Change is the sum of what a command does to one level. The version rises by one.
type Change struct {
	Key
	OnHand   int64 // delta, in base units
	Reserved int64 // delta
	Guard    Guard
	At       time.Time // recording time
	// Presumed, if set, tells that the level was not locked but is thought to be of this mode
	// and to stay clear of its LowAt: the store makes the change only if the level is of this
	// mode and does not become low by it. See hyperlocal.Presume.
	Presumed Mode
}

// Guard is the condition under which the store makes a change. Level.Validate applies
// besides, always.
type Guard uint8

// The guards. wanted is the drop in what is available: Reserved - OnHand of the change.
const (
	GuardNone      Guard = iota // no further condition
	GuardBackorder              // on_hand - reserved + backorder_limit >= wanted
	GuardOnHand                 // on_hand - reserved >= wanted
)

// LevelFilter selects levels; zero fields do not restrict.
type LevelFilter struct {
	Item     hyperlocal.ItemID     `json:"item,omitempty"`
	Location hyperlocal.LocationID `json:"location,omitempty"`
	Low      bool                  `json:"low,omitempty"` // only those whose Level.Low is true
}

// MovementFilter selects movements: those of one level, or, when zero, all of the tenant.
type MovementFilter struct {
	Item     hyperlocal.ItemID     `json:"item,omitempty"`
	Location hyperlocal.LocationID `json:"location,omitempty"` // set together with Item
}

// ReturnKey names a return: the owner that had the goods, and the reference.
type ReturnKey struct {
	Tenant    hyperlocal.TenantID
	Owner     hyperlocal.Ref
	Reference string
}

// Count is a level beside the sums that it has to agree with.
type Count struct {
	Level         Level               `json:"level"`
	MovedOnHand   hyperlocal.Quantity `json:"moved_on_hand"`  // sum of the movements' on-hand deltas
	MovedReserved hyperlocal.Quantity `json:"moved_reserved"` // sum of their reserved deltas
	OpenReserved  hyperlocal.Quantity `json:"open_reserved"`  // sum of the open reservations
}

// Agrees reports whether the level and all sums tell the same.
func (c Count) Agrees() bool {
	return c.Level.OnHand == c.MovedOnHand && c.Level.Reserved == c.MovedReserved && c.Level.Reserved == c.OpenReserved
}
