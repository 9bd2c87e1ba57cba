package loyalty

import (
	"cmp"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Asset is the ledger's name for points.
const Asset = "POINTS"

// The accounts on the other side of a member's.
const (
	AccountIssued   = "points/issued"   // earned and taken back
	AccountRedeemed = "points/redeemed" // spent and restored
	AccountExpired  = "points/expired"
)

// AccountOf returns the path of a member's points account. Its balance is a credit: we owe it.
func AccountOf(member hyperlocal.Ref) string { return "points/" + member.Kind + "/" + member.ID }

// MaxPoints bounds the points of one earning or spending, so that no sum overflows.
const MaxPoints = 1_000_000_000_000_000

// Lot is what one source earned for a member.
type Lot struct {
	ID            string              `json:"id"` // UUIDv7
	Tenant        hyperlocal.TenantID `json:"tenant"`
	Member        hyperlocal.Ref      `json:"member"`
	Source        hyperlocal.Ref      `json:"source"`         // unique per tenant
	SourceVersion int64               `json:"source_version"` // of the source when it last set Earned
	Earned        int64               `json:"earned"`         // what the source is worth
	Remaining     int64               `json:"remaining"`      // what is left of it
	Expired       int64               `json:"expired"`        // what expired of it
	Shortfall     int64               `json:"shortfall"`      // what could not be taken back
	ActiveFrom    time.Time           `json:"active_from"`    // spendable from here on
	ExpiresAt     time.Time           `json:"expires_at,omitzero"`
	CreatedAt     time.Time           `json:"created_at"`
	UpdatedAt     time.Time           `json:"updated_at"`
	Version       int64               `json:"version"` // 1 when made, +1 with every change
}

// Expires reports whether the lot ever does; points that never expire have a zero ExpiresAt.
func (l Lot) Expires() bool { return !l.ExpiresAt.IsZero() }

// Spendable returns the points of the lot that may be spent at a moment: from ActiveFrom
// until before ExpiresAt.
func (l Lot) Spendable(at time.Time) int64 {
	if at.Before(l.ActiveFrom) || l.Lapsed(at) {
		return 0
	}
	return l.Remaining
}

// Lapsed reports whether the lot has reached its expiry.
func (l Lot) Lapsed(at time.Time) bool { return l.Expires() && !at.Before(l.ExpiresAt) }

// Burn orders lots of one member: first-expiring first, never-expiring last, then by the time
// from which they are active, then by id.
func Burn(a, b Lot) int {
	switch {
	case a.Expires() && !b.Expires():
		return -1
	case !a.Expires() && b.Expires():
		return 1
	}
	return cmp.Or(a.ExpiresAt.Compare(b.ExpiresAt), a.ActiveFrom.Compare(b.ActiveFrom), cmp.Compare(a.ID, b.ID))
}

// Member is somebody who has earned points.
type Member struct {
	Tenant   hyperlocal.TenantID `json:"tenant"`
	Ref      hyperlocal.Ref      `json:"ref"`
	JoinedAt time.Time           `json:"joined_at"` // effective time of the first earning
}

// Balance is what a member holds at a moment.
type Balance struct {
	Points    int64 `json:"points"`    // all that is left; the ledger's balance
	Spendable int64 `json:"spendable"` // may be spent now
	Pending   int64 `json:"pending"`   // may be spent later
	Lapsed    int64 `json:"lapsed"`    // has reached its expiry and awaits the worker
	Shortfall int64 `json:"shortfall"` // what comes in next makes up for it first
	// NextExpiry is when spendable or pending points expire next; zero if never.
	NextExpiry time.Time `json:"next_expiry,omitzero"`
}

// Spending is a use of points.
type Spending struct {
	Tenant     hyperlocal.TenantID `json:"tenant"`
	Reference  string              `json:"reference"` // unique per tenant
	Member     hyperlocal.Ref      `json:"member"`
	Subject    hyperlocal.Ref      `json:"subject,omitzero"` // what the points were spent on
	Points     int64               `json:"points"`
	Uses       []Use               `json:"uses"` // the lots that were used, in the order of use
	SpentAt    time.Time           `json:"spent_at"`
	RestoredAt time.Time           `json:"restored_at,omitzero"` // zero unless it was taken back
	Replayed   bool                `json:"-"`                    // an earlier call did it
}

// Use is the part of a spending that came from one lot.
type Use struct {
	Lot    string `json:"lot"`
	Points int64  `json:"points"`
}

// MovementKind says why the points left in a lot changed.
type MovementKind string

// The kinds of movement.
const (
	MovementEarned    MovementKind = "earned"     // the source is worth more
	MovementTakenBack MovementKind = "taken_back" // the source, or another one of the member, is worth less
	MovementWithheld  MovementKind = "withheld"   // came in and made up for a shortfall
	MovementSpent     MovementKind = "spent"
	MovementRestored  MovementKind = "restored" // a spending was taken back
	MovementExpired   MovementKind = "expired"
)

// Movement is one change of what is left in a lot. The movements of a lot add up to its
// Remaining; they are never changed.
type Movement struct {
	ID        string              `json:"id"` // UUIDv7
	Tenant    hyperlocal.TenantID `json:"tenant"`
	Member    hyperlocal.Ref      `json:"member"`
	Lot       string              `json:"lot"`
	Kind      MovementKind        `json:"kind"`
	Points    int64               `json:"points"`    // negative when points leave the lot
	Reference string              `json:"reference"` // of the ledger's posting
	Subject   hyperlocal.Ref      `json:"subject"`   // what caused it: an order, or the member
	At        time.Time           `json:"at"`        // effective
	Recorded  time.Time           `json:"recorded"`
	Actor     hyperlocal.Actor    `json:"actor"`
}
