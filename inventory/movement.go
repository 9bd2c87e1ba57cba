package inventory

import (
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// MovementKind says why a level changed.
type MovementKind string

// The kinds of movement, with the signs of their deltas.
const (
	MoveReceive  MovementKind = "receive"   // on hand +
	MoveReserve  MovementKind = "reserve"   // reserved +
	MoveCommit   MovementKind = "commit"    // on hand -, reserved -: the goods have left
	MoveRelease  MovementKind = "release"   // reserved -
	MoveExpire   MovementKind = "expire"    // reserved -: a hold ran out
	MoveAdjust   MovementKind = "adjust"    // on hand + or -: counted anew
	MoveReturn   MovementKind = "return"    // on hand +: committed units came back
	MoveTransfer MovementKind = "transfer"  // on hand - at one location, + at the other
	MoveWriteOff MovementKind = "write_off" // on hand -: broken, lost, spoilt
	MoveRepair   MovementKind = "repair"    // whatever makes the sums agree again
)

// Movement is one change of one level. Movements are only ever appended.
type Movement struct {
	ID       string                `json:"id"` // UUIDv7
	Tenant   hyperlocal.TenantID   `json:"tenant"`
	Item     hyperlocal.ItemID     `json:"item"`
	Location hyperlocal.LocationID `json:"location"`
	Kind     MovementKind          `json:"kind"`
	OnHand   hyperlocal.Quantity   `json:"on_hand"`        // delta
	Reserved hyperlocal.Quantity   `json:"reserved"`       // delta
	Owner    hyperlocal.Ref        `json:"owner,omitzero"` // for whom
	// External is unique per (tenant, source, reference, N).
	External hyperlocal.External `json:"external,omitzero"`
	// Return is the reference of a return, unique per (tenant, owner, reference, N).
	Return string `json:"return,omitempty"`
	// N tells movements with one reference apart: the legs of a transfer (0 leaves, 1
	// arrives), the items of a return.
	N          int              `json:"n"`
	Reason     string           `json:"reason,omitempty"`
	Actor      hyperlocal.Actor `json:"actor"`
	At         time.Time        `json:"at"`          // when it happened in the world
	RecordedAt time.Time        `json:"recorded_at"` // when it was written down
}

// Key returns the name of the level that the movement changed.
func (m Movement) Key() Key { return Key{Tenant: m.Tenant, Item: m.Item, Location: m.Location} }
