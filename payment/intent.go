package payment

import (
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Intent is the wish to pay: it belongs to one or more owners, goes through one gateway, is
// in one currency, and carries every attempt to get the money, and what became of it.
type Intent struct {
	ID       string              `json:"id"` // UUIDv7
	Tenant   hyperlocal.TenantID `json:"tenant"`
	Customer hyperlocal.Ref      `json:"customer,omitzero"` // zero for a guest
	Gateway  string              `json:"gateway"`
	Currency hyperlocal.Currency `json:"currency"`
	Attempts int                 `json:"attempts"` // operations numbered so far; the number is part of their keys
	// Payment is the gateway's reference of the authorization or charge that captures, voids
	// and refunds refer to; "" before there is one.
	Payment     string       `json:"payment,omitempty"`
	Version     int64        `json:"version"` // 1 when made, +1 with every change
	Allocations []Allocation `json:"allocations"`
	CreatedAt   time.Time    `json:"created_at"`
	UpdatedAt   time.Time    `json:"updated_at"`
}

// Allocation is the part of an intent that is meant for one owner. Its amounts are in minor
// units of the intent's currency and are sums of what succeeded, or is open, for this owner:
//
//	Charging + Authorized + Captured <= Amount
//	Claimed <= Authorized
//	Refunded + Refunding <= Captured
type Allocation struct {
	Owner      hyperlocal.Ref `json:"owner"`
	Merchant   hyperlocal.Ref `json:"merchant"`   // whose sale it is
	Amount     int64          `json:"amount"`     // what is to be paid
	Charging   int64          `json:"charging"`   // being charged or authorized
	Authorized int64          `json:"authorized"` // held, neither captured nor let go
	Claimed    int64          `json:"claimed"`    // of that, being captured or voided
	Captured   int64          `json:"captured"`   // taken, refunds not deducted
	Refunding  int64          `json:"refunding"`
	Refunded   int64          `json:"refunded"`
}

// Valid reports whether the amounts agree with each other; stores refuse those that do not.
func (a Allocation) Valid() bool {
	return a.Charging >= 0 && a.Claimed >= 0 && a.Refunding >= 0 && a.Refunded >= 0 &&
		a.Charging+a.Authorized+a.Captured <= a.Amount &&
		a.Claimed <= a.Authorized && a.Refunded+a.Refunding <= a.Captured
}

// untouched reports whether no money moves, is held or has moved under the allocation.
func (a *Allocation) untouched() bool {
	return a.Charging == 0 && a.Authorized == 0 && a.Captured == 0
}

// Ref is the reference under which other contexts know an intent.
func (in Intent) Ref() hyperlocal.Ref { return hyperlocal.NewRef("payment", in.ID) }

// Amount is what is to be paid, for all owners together.
func (in Intent) Amount() hyperlocal.Money {
	return in.sum(func(a *Allocation) int64 { return a.Amount })
}

// Authorized is what is held and neither captured nor voided, for all owners together.
func (in Intent) Authorized() hyperlocal.Money {
	return in.sum(func(a *Allocation) int64 { return a.Authorized })
}

// Captured is what was taken, for all owners together; refunds are not deducted.
func (in Intent) Captured() hyperlocal.Money {
	return in.sum(func(a *Allocation) int64 { return a.Captured })
}

// Refunded is what was given back, for all owners together.
func (in Intent) Refunded() hyperlocal.Money {
	return in.sum(func(a *Allocation) int64 { return a.Refunded })
}

// sum cannot overflow: the shares of an intent were checked to sum up when it was made, and
// no other column of an allocation exceeds its amount.
func (in *Intent) sum(of func(*Allocation) int64) hyperlocal.Money {
	var total int64
	for i := range in.Allocations {
		total += of(&in.Allocations[i])
	}
	m, _ := hyperlocal.NewMoney(total, in.Currency) // zero Money for a currency that does not exist
	return m
}

// For returns the allocation of an owner, or nil.
func (in *Intent) For(owner hyperlocal.Ref) *Allocation {
	for i := range in.Allocations {
		if in.Allocations[i].Owner == owner {
			return &in.Allocations[i]
		}
	}
	return nil
}

// Movement is money that moved for one owner by one operation: a row that is never changed.
// The totals of an allocation are the sums of its movements.
type Movement struct {
	Tenant    hyperlocal.TenantID `json:"tenant"`
	Kind      MovementKind        `json:"kind"`
	Operation string              `json:"operation"`
	Intent    string              `json:"intent"`
	Owner     hyperlocal.Ref      `json:"owner"`
	Amount    hyperlocal.Money    `json:"amount"`
	Provider  string              `json:"provider,omitempty"` // the gateway's reference
	At        time.Time           `json:"at"`                 // effective time
}

// MovementKind says which way money moved.
type MovementKind string

// The kinds.
const (
	MovedCapture MovementKind = "capture"
	MovedRefund  MovementKind = "refund"
)
