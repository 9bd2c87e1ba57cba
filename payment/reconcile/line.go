package reconcile

import (
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Limits of a line, in bytes where they are texts.
const (
	MaxReferences = 8
	MaxReference  = 255
	MaxAccount    = 64
	MaxNote       = 1000
)

// Kind says what a line of a statement is about.
type Kind string

// The kinds. Charges and refunds are looked for in our books; fees, disputes and payouts are
// the provider's own and booked as they are; nobody knows what an adjustment is for.
const (
	KindCharge     Kind = "charge"
	KindRefund     Kind = "refund"
	KindFee        Kind = "fee"
	KindDispute    Kind = "dispute"
	KindPayout     Kind = "payout"
	KindAdjustment Kind = "adjustment"
)

// Line is one line of a provider's statement in neutral form. Amounts are signed as the
// balance at the provider sees them: a charge adds to it, a refund and a payout take away.
type Line struct {
	Number int    `json:"number"` // of the line in the file, from 1
	ID     string `json:"id"`     // the provider's; the same id is booked once per source and account
	Kind   Kind   `json:"kind"`
	// Payment is the provider's reference of the payment that the line belongs to. Lines of
	// one payment are matched together; "" for a line on its own.
	Payment string `json:"payment,omitempty"`
	// References are what our operation may be known by, most specific first: idempotency
	// keys, the provider's references, the id of our intent. At most MaxReferences.
	References []string         `json:"references,omitempty"`
	Gross      hyperlocal.Money `json:"gross"`
	Fee        hyperlocal.Money `json:"fee"` // kept by the provider; negative when it gives one back
	Net        hyperlocal.Money `json:"net"` // Gross - Fee
	// Presented is what the shopper paid, if the provider converted it; the zero Money if not.
	Presented hyperlocal.Money `json:"presented,omitzero"`
	At        time.Time        `json:"at"`
}

// Validate refuses a line that no statement can have: code invalid, ErrArithmetic if
// Gross - Fee is not Net.
func (l *Line) Validate() error {
	bad := func(field, message string) error {
		return hyperlocal.Invalid("reconcile", field, message).With("line", l.Number)
	}
	switch l.Kind {
	case KindCharge, KindRefund, KindFee, KindDispute, KindPayout, KindAdjustment:
	default:
		return bad("kind", "this is no kind of line")
	}
	if l.Number < 1 {
		return bad("number", "lines are counted from 1")
	}
	if l.ID == "" {
		return bad("id", "a line has an id")
	}
	if len(l.References) > MaxReferences {
		return bad("references", "a line has at most 8 references")
	}
	for _, text := range append([]string{l.ID, l.Payment}, l.References...) {
		if err := hyperlocal.CheckText("reconcile", "reference", text, MaxReference); err != nil {
			return ErrMalformed.With("line", l.Number).WithCause(err)
		}
	}
	if y := l.At.UTC().Year(); y < 1970 || y > 9999 {
		return bad("at", "a line has a time")
	}
	if !l.Gross.IsValid() {
		return bad("gross", "a line has an amount")
	}
	if net, err := l.Gross.Sub(l.Fee); err != nil || net != l.Net {
		return ErrArithmetic.With("line", l.Number)
	}
	if l.Presented.IsValid() && l.Presented.Currency() == l.Gross.Currency() {
		return bad("presented", "only what was converted has another amount")
	}
	return nil
}

// wanted is the signed amount that our books should hold for the line.
func (l *Line) wanted() hyperlocal.Money {
	if l.Presented.IsValid() {
		return l.Presented
	}
	return l.Gross
}

// same reports whether two lines of the same id say the same.
func (l *Line) same(o *Line) bool {
	return l.Kind == o.Kind && l.Gross == o.Gross && l.Fee == o.Fee && l.Presented == o.Presented && l.At.Equal(o.At)
}
