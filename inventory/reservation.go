package inventory

import (
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Reservation is a promise that is still open: units at a location that an owner may take.
// One that was committed, released or has expired is no reservation any more; the movements
// tell its story.
type Reservation struct {
	ID       string                `json:"id"` // UUIDv7
	Tenant   hyperlocal.TenantID   `json:"tenant"`
	Owner    hyperlocal.Ref        `json:"owner"`
	Item     hyperlocal.ItemID     `json:"item"`
	Location hyperlocal.LocationID `json:"location"`
	Quantity hyperlocal.Quantity   `json:"quantity"` // > 0
	// ExpiresAt is the end of a hold, from when on the worker may release it; until it
	// has, the hold still counts. Zero for a reservation that ends only by command.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	CreatedAt time.Time `json:"created_at"`
}

// Key returns the name of the level that is reserved from.
func (r Reservation) Key() Key { return Key{Tenant: r.Tenant, Item: r.Item, Location: r.Location} }

// OwnedBy returns the owner together with its tenant.
func (r Reservation) OwnedBy() hyperlocal.TenantRef {
	return hyperlocal.TenantRef{Tenant: r.Tenant, Ref: r.Owner}
}

// Hold reports whether the reservation ends by itself.
func (r Reservation) Hold() bool { return !r.ExpiresAt.IsZero() }
