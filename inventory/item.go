package inventory

import (
	"cmp"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Mode says how the stock of an item at a location is kept.
type Mode string

// The modes.
const (
	// ModeNone: not counted. Orders pass through and leave no trace.
	ModeNone Mode = "none"
	// ModeTrackOnly: counted and never refused. A level may fall below zero; that is then
	// what is owed.
	ModeTrackOnly Mode = "track_only"
	// ModeReserveOnOrder: a placement reserves, and is refused when there is not enough.
	ModeReserveOnOrder Mode = "reserve_on_order"
	// ModeReserveOnCart: as ModeReserveOnOrder, and a cart may hold units for a while.
	ModeReserveOnCart Mode = "reserve_on_cart"
)

// Valid reports whether m is one of the modes.
func (m Mode) Valid() bool {
	switch m {
	case ModeNone, ModeTrackOnly, ModeReserveOnOrder, ModeReserveOnCart:
		return true
	}
	return false
}

// Guarded reports whether levels of this mode are kept from being oversold.
func (m Mode) Guarded() bool { return m == ModeReserveOnOrder || m == ModeReserveOnCart }

// Limits. More is refused with code invalid.
const (
	MaxUnits  = 1_000_000_000_000_000 // of one quantity and one level, in base units
	MaxBatch  = 1000                  // placements, holds or owners in one call
	MaxLines  = 5000                  // lines of one command, items of one placement, keys of one read
	MaxReason = 500                   // bytes
	MaxText   = 128                   // bytes of an item, a location, a reference
)

// Key names a level: an item at a location.
type Key struct {
	Tenant   hyperlocal.TenantID   `json:"tenant"`
	Item     hyperlocal.ItemID     `json:"item"`
	Location hyperlocal.LocationID `json:"location"`
}

// Compare orders keys by tenant, item, location, byte by byte. Levels are locked in this
// order everywhere.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Tenant, o.Tenant), cmp.Compare(k.Item, o.Item), cmp.Compare(k.Location, o.Location))
}

// Validate refuses a key with an empty, long or unprintable part.
func (k Key) Validate() error {
	if err := k.Tenant.Validate(); err != nil {
		return err
	}
	if k.Item == "" {
		return invalid("item", "the item is empty")
	}
	if k.Location == "" {
		return invalid("location", "the location is empty")
	}
	if err := hyperlocal.CheckText("inventory", "item", string(k.Item), MaxText); err != nil {
		return err
	}
	return hyperlocal.CheckText("inventory", "location", string(k.Location), MaxText)
}

// Item is how an item is kept at a location. All settings are per location but the unit,
// which is the same wherever the item lies and never changes.
type Item struct {
	ID       hyperlocal.ItemID     `json:"id"`
	Location hyperlocal.LocationID `json:"location"`
	Unit     hyperlocal.Unit       `json:"unit"`
	Mode     Mode                  `json:"mode"`
	// BackorderLimit is how much more than what is on hand may be reserved. The zero
	// Quantity means none. Only guarded modes look at it.
	BackorderLimit hyperlocal.Quantity `json:"backorder_limit"`
	// LowAt is the available amount at and below which the level counts as low. The zero
	// Quantity (without a unit) means: never.
	LowAt hyperlocal.Quantity `json:"low_at"`
}

func (it Item) validate(tenant hyperlocal.TenantID) error {
	key := Key{Tenant: tenant, Item: it.ID, Location: it.Location}
	if err := key.Validate(); err != nil {
		return err
	}
	if !it.Unit.Valid() {
		return invalid("unit", "a base unit is piece, g, ml, minute or mm").With("item", it.ID)
	}
	if !it.Mode.Valid() {
		return key.in(invalid("mode", "a mode is none, track_only, reserve_on_order or reserve_on_cart"))
	}
	for _, s := range []struct {
		field string
		value hyperlocal.Quantity
	}{{"backorder_limit", it.BackorderLimit}, {"low_at", it.LowAt}} {
		if s.value == (hyperlocal.Quantity{}) {
			continue
		}
		if s.value.Unit() != it.Unit {
			return key.in(ErrUnitMismatch).With("unit", it.Unit).With("field", s.field)
		}
		if s.value.Sign() < 0 || s.value.Value() > MaxUnits {
			return key.in(invalid(s.field, "the setting is negative or too large"))
		}
	}
	return nil
}
