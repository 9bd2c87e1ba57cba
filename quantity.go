package hyperlocal

import (
	"cmp"
	"encoding/json"
	"strconv"
)

// What quantity arithmetic refuses. All have code invalid and match with errors.Is.
var (
	// ErrQuantityOverflow: the result does not fit into 64 bits of base units.
	ErrQuantityOverflow = NewError(CodeInvalid, "quantity/overflow",
		"the quantity is out of range")
	// ErrQuantityTooFine: the text states a fraction of the base unit.
	ErrQuantityTooFine = NewError(CodeInvalid, "quantity/too_fine",
		"the quantity is finer than one base unit; round it first")
	// ErrUnitMismatch: two units, or a quantity without a unit, met in one operation.
	ErrUnitMismatch = NewError(CodeInvalid, "quantity/unit_mismatch",
		"state the quantities in one unit")
)

// Unit is one of the base units in which quantities are counted. Display units such as kg
// exist only in text: ParseQuantity turns them into base units.
type Unit string

// The base units.
const (
	Piece      Unit = "piece"
	Gram       Unit = "g"
	Millilitre Unit = "ml"
	Minute     Unit = "minute"
	Millimetre Unit = "mm"
)

// Valid reports whether u is a base unit.
func (u Unit) Valid() bool {
	base, factor := unitScale(string(u))
	return factor == 1 && base == u
}

// unitScale returns the base unit of a base or display unit and how many of it make one, or
// 0 for an unknown unit. The returned unit is the constant, not a copy of text.
func unitScale(text string) (base Unit, factor uint64) {
	switch text {
	case "piece":
		return Piece, 1
	case "dozen":
		return Piece, 12
	case "g":
		return Gram, 1
	case "kg":
		return Gram, 1000
	case "ml":
		return Millilitre, 1
	case "cl":
		return Millilitre, 10
	case "l":
		return Millilitre, 1000
	case "minute":
		return Minute, 1
	case "hour":
		return Minute, 60
	case "day":
		return Minute, 24 * 60
	case "mm":
		return Millimetre, 1
	case "cm":
		return Millimetre, 10
	case "m":
		return Millimetre, 1000
	default:
		return "", 0
	}
}

// Quantity is a whole number of base units in 64 bits, so 1.5 kg is 1500 g. It may be
// negative. It is a value: immutable, comparable with ==, safe to share.
//
// A Quantity made by this package always has a base unit, except for the zero Quantity{},
// which means "none stated" and differs from 0 g. It mixes with nothing but itself.
type Quantity struct {
	value int64
	unit  Unit
}

// NewQuantity returns value base units. A unit that is not a base unit, kg included, is
// refused with code invalid, reason "quantity/invalid_unit". It does not allocate when it
// succeeds.
func NewQuantity(value int64, u Unit) (Quantity, error) {
	base, factor := unitScale(string(u))
	if factor != 1 {
		return Quantity{}, invalidQuantity("unit", "a base unit is piece, g, ml, minute or mm")
	}
	return Quantity{value: value, unit: base}, nil
}

// Pieces returns n pieces.
func Pieces(n int64) Quantity { return Quantity{value: n, unit: Piece} }

// ParseQuantity reads a decimal number of a unit: "1.5" of "kg" is 1500 g. The unit is a base
// unit or one of kg, l, cl, hour, day (24 hours), m, cm, dozen, in exactly this spelling. The
// text is an optional sign, ASCII digits, and optionally a point followed by more digits, in
// at most 40 bytes. Zeros at the end of the fraction do not count.
//
// Errors, all with code invalid: "quantity/invalid_value" for other text,
// "quantity/invalid_unit", "quantity/too_fine" (ErrQuantityTooFine) for a fraction of a base
// unit, such as 1.5 pieces, and "quantity/overflow" (ErrQuantityOverflow).
func ParseQuantity(text, unit string) (Quantity, error) {
	base, factor := unitScale(unit)
	if factor == 0 {
		return Quantity{}, invalidQuantity("unit",
			"a unit is piece, dozen, g, kg, ml, cl, l, minute, hour, day, mm, cm or m")
	}
	value, problem := scaleDecimal(text, factor)
	switch problem {
	case decimalFine:
		return Quantity{value: value, unit: base}, nil
	case decimalTooFine:
		return Quantity{}, ErrQuantityTooFine.With("base_unit", base)
	case decimalTooLarge:
		return Quantity{}, ErrQuantityOverflow
	default:
		return Quantity{}, invalidQuantity("value",
			`a quantity is written in digits with an optional sign and point, such as "1.5"`)
	}
}

// Value returns the number of base units. It is 0 for the zero Quantity.
func (q Quantity) Value() int64 { return q.value }

// Unit returns the base unit, or "" for the zero Quantity.
func (q Quantity) Unit() Unit { return q.unit }

// IsZero reports whether the value is 0, in whatever unit or none. Whether there is a unit is
// IsValid. A JSON field tagged omitzero therefore drops 0 g as well.
func (q Quantity) IsZero() bool { return q.value == 0 }

// IsValid reports whether there is a unit, which is true for everything but the zero
// Quantity.
func (q Quantity) IsValid() bool { return q.unit.Valid() }

// Sign returns -1, 0 or 1.
func (q Quantity) Sign() int { return cmp.Compare(q.value, 0) }

// Add returns q + o. Errors: ErrUnitMismatch, ErrQuantityOverflow. It does not allocate when
// it succeeds.
func (q Quantity) Add(o Quantity) (Quantity, error) {
	if q.unit != o.unit {
		return Quantity{}, unitMismatch(q, o)
	}
	sum, ok := addInt64(q.value, o.value)
	if !ok {
		return Quantity{}, ErrQuantityOverflow
	}
	return Quantity{value: sum, unit: q.unit}, nil
}

// Sub returns q - o. Errors: ErrUnitMismatch, ErrQuantityOverflow. It does not allocate when
// it succeeds.
func (q Quantity) Sub(o Quantity) (Quantity, error) {
	if q.unit != o.unit {
		return Quantity{}, unitMismatch(q, o)
	}
	difference, ok := subInt64(q.value, o.value)
	if !ok {
		return Quantity{}, ErrQuantityOverflow
	}
	return Quantity{value: difference, unit: q.unit}, nil
}

// Neg returns -q. Error: ErrQuantityOverflow for the one value whose opposite does not fit.
func (q Quantity) Neg() (Quantity, error) {
	opposite, ok := subInt64(0, q.value)
	if !ok {
		return Quantity{}, ErrQuantityOverflow
	}
	return Quantity{value: opposite, unit: q.unit}, nil
}

// Mul returns n times q. Error: ErrQuantityOverflow. It does not allocate when it succeeds.
func (q Quantity) Mul(n int64) (Quantity, error) {
	product, ok := mulInt64(q.value, n)
	if !ok {
		return Quantity{}, ErrQuantityOverflow
	}
	return Quantity{value: product, unit: q.unit}, nil
}

// Cmp returns -1, 0 or 1 as q is less than, equal to or greater than o. Error:
// ErrUnitMismatch.
func (q Quantity) Cmp(o Quantity) (int, error) {
	if q.unit != o.unit {
		return 0, unitMismatch(q, o)
	}
	return cmp.Compare(q.value, o.value), nil
}

// String returns the value in base units and the unit, "1500 g", or "" for the zero Quantity.
func (q Quantity) String() string {
	if q.unit == "" {
		return ""
	}
	text := strconv.AppendInt(make([]byte, 0, 32), q.value, 10)
	text = append(text, ' ')
	return string(append(text, q.unit...))
}

var (
	_ json.Marshaler   = Quantity{}
	_ json.Unmarshaler = (*Quantity)(nil)
)

// MarshalJSON writes {"value":"1500","unit":"g"}, always in the base unit, or null for the
// zero Quantity.
func (q Quantity) MarshalJSON() ([]byte, error) {
	return q.AppendJSON(make([]byte, 0, 64)), nil
}

// UnmarshalJSON reads both fields as strings and hands them to ParseQuantity, so that
// {"value":"1.5","unit":"kg"} is 1500 g; null gives the zero Quantity. It is strict: both
// fields exactly once, spelled in lower case, and nothing else. On an error q is left as it
// was.
//
// Errors, all with code invalid: "quantity/invalid_json" for another shape,
// "quantity/invalid_value" and "quantity/invalid_unit" for a field that is not a string, and
// those of ParseQuantity.
func (q *Quantity) UnmarshalJSON(data []byte) error {
	if isJSONNull(data) {
		*q = Quantity{}
		return nil
	}
	if text, unit, ok := cutPair(data, `{"value":"`, `","unit":"`, `"}`); ok {
		// The compact form, as in decodeCompactMoney. What ParseQuantity accepts needs no
		// escape in JSON.
		if quick, err := ParseQuantity(text, unit); err == nil {
			*q = quick
			return nil
		}
	}
	first, second, ok := decodePair(data, "value", "unit")
	if !ok {
		return invalidQuantity("json", `a quantity is {"value":"1500","unit":"g"} and nothing more`)
	}
	text, ok := first.(string)
	if !ok {
		return invalidQuantity("value", "the value is a decimal number in a JSON string")
	}
	unit, ok := second.(string)
	if !ok {
		return invalidQuantity("unit", "the unit is a JSON string")
	}
	parsed, err := ParseQuantity(text, unit)
	if err != nil {
		return err
	}
	*q = parsed
	return nil
}

// unitMismatch says which units met; a missing one is shown as "none".
func unitMismatch(q, o Quantity) error {
	name := func(u Unit) string {
		if u == "" {
			return "none"
		}
		return string(u)
	}
	return ErrUnitMismatch.With("left", name(q.unit)).With("right", name(o.unit))
}

func invalidQuantity(field, message string) *Error { return Invalid("quantity", field, message) }
