package inventory

import (
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Level is how much of an item there is at a location, and how it is kept.
type Level struct {
	Tenant   hyperlocal.TenantID   `json:"tenant"`
	Item     hyperlocal.ItemID     `json:"item"`
	Location hyperlocal.LocationID `json:"location"`
	Mode     Mode                  `json:"mode"`
	// OnHand is what lies there, reserved units included. It is negative while goods have
	// left that were not there yet (backorder) or were never counted (track only).
	OnHand   hyperlocal.Quantity `json:"on_hand"`
	Reserved hyperlocal.Quantity `json:"reserved"` // promised to owners and not yet gone; never negative
	// BackorderLimit and LowAt are the settings of [Item]. BackorderLimit always has a
	// unit here; LowAt is the zero Quantity when there is no threshold.
	BackorderLimit hyperlocal.Quantity `json:"backorder_limit"`
	LowAt          hyperlocal.Quantity `json:"low_at"`
	// Version is 1 at first and rises with every change of numbers or settings. A batch
	// that changes a level many times raises it once.
	Version   int64     `json:"version"`
	UpdatedAt time.Time `json:"updated_at"`
}

// Key returns the name of the level.
func (l Level) Key() Key { return Key{Tenant: l.Tenant, Item: l.Item, Location: l.Location} }

// Unit returns the base unit in which the item is counted.
func (l Level) Unit() hyperlocal.Unit { return l.OnHand.Unit() }

// Available returns what is on hand and not reserved; negative is what is owed.
func (l Level) Available() hyperlocal.Quantity { return l.quantity(l.available()) }

// Covers reports whether so much more could be reserved now. Items that are not guarded
// cover everything; another unit is never covered.
func (l Level) Covers(q hyperlocal.Quantity) bool {
	if q.Unit() != l.Unit() {
		return false
	}
	return !l.Mode.Guarded() || q.Value() <= l.available()+l.BackorderLimit.Value()
}

// Low reports whether what is available has fallen to the threshold or below.
func (l Level) Low() bool {
	return l.LowAt.IsValid() && l.Mode != ModeNone && l.available() <= l.LowAt.Value()
}

// Validate reports the invariant that the level breaks, or nil. Stores enforce it for every
// row they keep: ErrOutOfRange, ErrContended.
func (l Level) Validate() error {
	h, r := l.OnHand.Value(), l.Reserved.Value()
	if h > MaxUnits || h < -MaxUnits || r > MaxUnits {
		return l.Key().in(ErrOutOfRange)
	}
	if r < 0 || l.Mode.Guarded() && h-r+l.BackorderLimit.Value() < 0 {
		return l.Key().in(ErrContended)
	}
	return nil
}

func (l Level) available() int64 { return l.OnHand.Value() - l.Reserved.Value() }

// quantity returns a value in the level's unit, which is a base unit for every stored level.
func (l Level) quantity(value int64) hyperlocal.Quantity {
	q, err := hyperlocal.NewQuantity(value, l.Unit())
	if err != nil {
		return hyperlocal.Quantity{}
	}
	return q
}
