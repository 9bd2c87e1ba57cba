package hyperlocal

import (
	"cmp"
	"math/big"
	"math/bits"
	"strconv"

	"github.com/shopspring/decimal"
)

// What money arithmetic refuses. All have code invalid and match with errors.Is.
var (
	// ErrOverflow: the result does not fit into 64 bits of minor units.
	ErrOverflow = NewError(CodeInvalid, "money/overflow",
		"the amount is out of range")
	// ErrCurrencyMismatch: two currencies, or an amount without a currency, met in one operation.
	ErrCurrencyMismatch = NewError(CodeInvalid, "money/currency_mismatch",
		"convert the amounts to one currency first")
	// ErrTooFine: the text states a fraction of the currency's minor unit.
	ErrTooFine = NewError(CodeInvalid, "money/too_fine",
		"the amount has more decimals than its currency; round it first")
)

// Rounding says what becomes of the part of a result that is smaller than one minor unit. It
// is always stated by the caller and applied exactly once, to the exact result. A value that
// is not listed here is refused with code invalid, reason "money/invalid_rounding".
type Rounding uint8

// The rounding modes, with what they make of 2.5, 2.4 and -2.5.
const (
	RoundHalfEven Rounding = iota // nearest, a tie to the even neighbour: 2, 2, -2
	RoundHalfUp                   // nearest, a tie away from zero: 3, 2, -3
	RoundDown                     // toward zero: 2, 2, -2
	RoundUp                       // away from zero: 3, 3, -3
	RoundFloor                    // toward minus infinity: 2, 2, -3
	RoundCeil                     // toward plus infinity: 3, 3, -2
)

// check refuses a mode that does not exist.
func (r Rounding) check() error {
	if r > RoundCeil {
		return invalidMoney("rounding", "choose one of the listed rounding modes")
	}
	return nil
}

// away reports whether a magnitude with a non-zero remainder moves one unit away from zero.
// half compares the remainder with one half: -1, 0 or 1.
func (r Rounding) away(negative, odd bool, half int) bool {
	switch r {
	case RoundHalfEven:
		return half > 0 || half == 0 && odd
	case RoundHalfUp:
		return half >= 0
	case RoundUp:
		return true
	case RoundFloor:
		return negative
	case RoundCeil:
		return !negative
	default: // RoundDown; check has refused the rest
		return false
	}
}

// Money is an amount in a currency: a whole number of minor units (pence, yen, fils) in 64
// bits, so 19.99 GBP is 1999. It may be negative. It is a value: immutable, comparable with
// ==, usable as a map key, safe to share.
//
// A Money made by this package always has a valid currency, except for the zero Money{},
// which means "no money stated" and differs from 0 GBP. The zero Money mixes with nothing but
// itself, so a forgotten amount shows up as ErrCurrencyMismatch instead of passing as zero.
//
// No operation rounds unless it takes a Rounding, wraps around, or loses a minor unit.
type Money struct {
	amount   int64
	currency Currency
}

// NewMoney returns minor units of a currency. An unknown currency is refused with code
// invalid, reason "money/invalid_currency". It does not allocate when it succeeds.
func NewMoney(minor int64, c Currency) (Money, error) {
	known, err := ParseCurrency(string(c))
	if err != nil {
		return Money{}, err
	}
	return Money{amount: minor, currency: known}, nil
}

// maxDecimalText bounds what ParseMoney and ParseQuantity read, in bytes.
const maxDecimalText = 40

// ParseMoney reads an amount in major units: "19.99" in GBP is 1999. The text is an optional
// sign, ASCII digits, and optionally a point followed by more digits, in at most 40 bytes; no
// blanks, no exponent, no grouping. Zeros at the end of the fraction do not count, so "10.00"
// is 10 JPY.
//
// Errors, all with code invalid: "money/invalid_amount" for other text, "money/too_fine"
// (ErrTooFine) for a fraction of a minor unit, "money/overflow" (ErrOverflow),
// "money/invalid_currency".
func ParseMoney(text string, c Currency) (Money, error) {
	zero, err := NewMoney(0, c)
	if err != nil {
		return Money{}, err
	}
	decimals, _ := zero.currency.Decimals()
	amount, problem := scaleDecimal(text, pow10[decimals])
	switch problem {
	case decimalFine:
		return Money{amount: amount, currency: zero.currency}, nil
	case decimalTooFine:
		return Money{}, ErrTooFine.With("currency", zero.currency).With("decimals", decimals)
	case decimalTooLarge:
		return Money{}, ErrOverflow
	default:
		return Money{}, invalidMoney("amount", `an amount is written in digits with an optional sign and point, such as "19.99"`)
	}
}

// Sum adds amounts of currency c; of none it is zero c. Only the final sum has to fit, so the
// outcome does not depend on the order.
//
// Errors, all with code invalid: "money/invalid_currency", ErrCurrencyMismatch if an amount
// is not in c, ErrOverflow.
func Sum(c Currency, ms ...Money) (Money, error) {
	total, err := NewMoney(0, c)
	if err != nil {
		return Money{}, err
	}
	var low uint64 // the running sum is high:low in two's complement
	var high int64
	for _, m := range ms {
		if m.currency != total.currency {
			return Money{}, mismatch(total, m)
		}
		var carry uint64
		low, carry = bits.Add64(low, uint64(m.amount), 0)
		high += m.amount>>63 + int64(carry)
	}
	total.amount = int64(low)
	if high != total.amount>>63 {
		return Money{}, ErrOverflow
	}
	return total, nil
}

// Amount returns the minor units. It is 0 for the zero Money.
func (m Money) Amount() int64 { return m.amount }

// Currency returns the currency, or "" for the zero Money.
func (m Money) Currency() Currency { return m.currency }

// IsZero reports whether the amount is 0, in whatever currency or none. It says nothing about
// whether there is a currency: that is IsValid. A JSON field tagged omitzero therefore drops
// 0 GBP as well.
func (m Money) IsZero() bool { return m.amount == 0 }

// Sign returns -1, 0 or 1.
func (m Money) Sign() int { return cmp.Compare(m.amount, 0) }

// IsValid reports whether there is a currency, which is true for everything but the zero
// Money.
func (m Money) IsValid() bool { return m.currency.Valid() }

// Add returns m + o. Errors: ErrCurrencyMismatch, ErrOverflow. It does not allocate when it
// succeeds.
func (m Money) Add(o Money) (Money, error) {
	if m.currency != o.currency {
		return Money{}, mismatch(m, o)
	}
	sum, ok := addInt64(m.amount, o.amount)
	if !ok {
		return Money{}, ErrOverflow
	}
	return Money{amount: sum, currency: m.currency}, nil
}

// Sub returns m - o. Errors: ErrCurrencyMismatch, ErrOverflow. It does not allocate when it
// succeeds.
func (m Money) Sub(o Money) (Money, error) {
	if m.currency != o.currency {
		return Money{}, mismatch(m, o)
	}
	difference, ok := subInt64(m.amount, o.amount)
	if !ok {
		return Money{}, ErrOverflow
	}
	return Money{amount: difference, currency: m.currency}, nil
}

// Neg returns -m. Error: ErrOverflow for the one amount whose opposite does not fit.
func (m Money) Neg() (Money, error) {
	opposite, ok := subInt64(0, m.amount)
	if !ok {
		return Money{}, ErrOverflow
	}
	return Money{amount: opposite, currency: m.currency}, nil
}

// Mul returns n times m. Error: ErrOverflow. It does not allocate when it succeeds.
func (m Money) Mul(n int64) (Money, error) {
	product, ok := mulInt64(m.amount, n)
	if !ok {
		return Money{}, ErrOverflow
	}
	return Money{amount: product, currency: m.currency}, nil
}

// Cmp returns -1, 0 or 1 as m is less than, equal to or greater than o. Error:
// ErrCurrencyMismatch.
func (m Money) Cmp(o Money) (int, error) {
	if m.currency != o.currency {
		return 0, mismatch(m, o)
	}
	return cmp.Compare(m.amount, o.amount), nil
}

// Bounds of a rate. They are far beyond any tax, discount or exchange rate and keep a rate
// from outside, such as 1e999999, from costing memory.
const (
	maxRateExponent = 64  // either way
	maxRateBits     = 256 // of the coefficient: 77 digits
)

// MulRate returns m times rate: the exact product, rounded once. A rate of 20 % is 0.2.
//
// Errors, all with code invalid: "money/invalid_rate" for a rate with an exponent beyond ±64
// or a coefficient beyond 256 bits, "money/invalid_rounding", ErrOverflow.
func (m Money) MulRate(rate decimal.Decimal, mode Rounding) (Money, error) {
	if err := mode.check(); err != nil {
		return Money{}, err
	}
	exponent := int64(rate.Exponent())
	if exponent < -maxRateExponent || exponent > maxRateExponent {
		return Money{}, invalidMoney("rate", "the exponent of the rate is out of range")
	}
	product := rate.Coefficient() // a copy
	if product.BitLen() > maxRateBits {
		return Money{}, invalidMoney("rate", "the rate has too many digits")
	}
	product.Mul(product, big.NewInt(m.amount))
	negative := product.Sign() < 0
	product.Abs(product)
	scale := big.NewInt(10)
	scale.Exp(scale, big.NewInt(max(exponent, -exponent)), nil)
	if exponent >= 0 {
		product.Mul(product, scale)
	} else {
		rest := new(big.Int)
		product.QuoRem(product, scale, rest)
		if rest.Sign() != 0 && mode.away(negative, product.Bit(0) == 1, rest.Lsh(rest, 1).Cmp(scale)) {
			product.Add(product, big.NewInt(1))
		}
	}
	if !product.IsUint64() {
		return Money{}, ErrOverflow
	}
	amount, ok := signed(product.Uint64(), negative)
	if !ok {
		return Money{}, ErrOverflow
	}
	return Money{amount: amount, currency: m.currency}, nil
}

// LineAmount returns what q costs when price is for per units: price × q ÷ per, computed in
// 128 bits and rounded once. Loose tea at 4.50 GBP per 100 g is a price of 450 minor units and
// a per of 100 g. A negative q (a return) gives a negative amount.
//
// Errors, all with code invalid: "money/invalid_currency" for the zero Money,
// "quantity/unit_mismatch" (ErrUnitMismatch) if q and per are not in one unit or have none,
// "money/invalid_per" if per is not positive, "money/invalid_rounding", ErrOverflow. It does
// not allocate when it succeeds.
func LineAmount(price Money, per, q Quantity, mode Rounding) (Money, error) {
	if err := mode.check(); err != nil {
		return Money{}, err
	}
	if price.currency == "" {
		return Money{}, invalidMoney("currency", "the price has no currency")
	}
	if per.unit != q.unit || per.unit == "" {
		return Money{}, unitMismatch(per, q)
	}
	if per.value <= 0 {
		return Money{}, invalidMoney("per", "a price is for a positive quantity")
	}
	divisor := uint64(per.value)
	high, low := bits.Mul64(magnitude(price.amount), magnitude(q.value))
	if high >= divisor {
		return Money{}, ErrOverflow
	}
	quotient, rest := bits.Div64(high, low, divisor)
	negative := (price.amount < 0) != (q.value < 0)
	// divisor < 1<<63, so twice the remainder fits.
	if rest != 0 && mode.away(negative, quotient&1 == 1, cmp.Compare(2*rest, divisor)) {
		if quotient++; quotient == 0 {
			return Money{}, ErrOverflow
		}
	}
	amount, ok := signed(quotient, negative)
	if !ok {
		return Money{}, ErrOverflow
	}
	return Money{amount: amount, currency: price.currency}, nil
}

// Decimal returns the amount in major units with exactly the currency's decimals: "19.99",
// "-0.05", "10" (JPY). It is "" for the zero Money. ParseMoney reads it back.
func (m Money) Decimal() string {
	decimals, ok := m.currency.Decimals()
	if !ok {
		return ""
	}
	return string(m.appendDecimal(make([]byte, 0, 24), decimals))
}

// String returns the amount in major units and the currency, "19.99 GBP", or "" for the zero
// Money. It is for logs and tests, not for customers, whose language decides the format.
func (m Money) String() string {
	decimals, ok := m.currency.Decimals()
	if !ok {
		return ""
	}
	text := m.appendDecimal(make([]byte, 0, 28), decimals)
	text = append(text, ' ')
	return string(append(text, m.currency...))
}

func (m Money) appendDecimal(text []byte, decimals int) []byte {
	if m.amount < 0 {
		text = append(text, '-')
	}
	whole, fraction := magnitude(m.amount)/pow10[decimals], magnitude(m.amount)%pow10[decimals]
	text = strconv.AppendUint(text, whole, 10)
	if decimals == 0 {
		return text
	}
	text = append(text, '.')
	for d := decimals - 1; d >= 0; d-- {
		text = append(text, '0'+byte(fraction/pow10[d]%10))
	}
	return text
}

// mismatch says which currencies met; a missing one is shown as "none".
func mismatch(m, o Money) error {
	name := func(c Currency) string {
		if c == "" {
			return "none"
		}
		return string(c)
	}
	return ErrCurrencyMismatch.With("left", name(m.currency)).With("right", name(o.currency))
}

func invalidMoney(field, message string) *Error { return Invalid("money", field, message) }

func invalidWeights(message string) *Error { return invalidMoney("weights", message) }

// pow10 holds the powers of ten that fit into 64 bits.
var pow10 = [...]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9,
	1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
}

// decimalProblem is what is wrong with a decimal text.
type decimalProblem uint8

const (
	decimalFine      decimalProblem = iota
	decimalMalformed                // not [-+]?digits[.digits], or too long
	decimalTooFine                  // not a whole number after scaling
	decimalTooLarge                 // does not fit into 64 bits
)

// scaleDecimal reads [-+]?digits[.digits] and multiplies it by factor, exactly. The factor is
// at least 1 and below 1e6. A fraction of 20 digits that does not end in 0 lacks all twos or all
// fives, and such a factor cannot supply 20 of either, so it is too fine whatever it says.
func scaleDecimal(text string, factor uint64) (int64, decimalProblem) {
	if len(text) > maxDecimalText {
		return 0, decimalMalformed
	}
	negative := false
	if text != "" && (text[0] == '-' || text[0] == '+') {
		negative = text[0] == '-'
		text = text[1:]
	}
	point := len(text)
	for i := range len(text) {
		switch {
		case text[i] >= '0' && text[i] <= '9':
		case text[i] == '.' && point == len(text):
			point = i
		default:
			return 0, decimalMalformed
		}
	}
	if point == 0 || point == len(text)-1 { // nothing before or after the point
		return 0, decimalMalformed
	}

	fraction := ""
	if point < len(text) {
		fraction = text[point+1:]
		for fraction != "" && fraction[len(fraction)-1] == '0' {
			fraction = fraction[:len(fraction)-1]
		}
	}
	if len(fraction) >= len(pow10) {
		return 0, decimalTooFine
	}
	part, _ := parseDigits(fraction)
	high, low := bits.Mul64(part, factor)
	// part < 10^len(fraction), so the quotient is below factor.
	part, rest := bits.Div64(high, low, pow10[len(fraction)])
	if rest != 0 {
		return 0, decimalTooFine
	}

	whole, ok := parseDigits(text[:point])
	if !ok {
		return 0, decimalTooLarge
	}
	high, low = bits.Mul64(whole, factor)
	sum, carry := bits.Add64(low, part, 0)
	if high != 0 || carry != 0 {
		return 0, decimalTooLarge
	}
	value, ok := signed(sum, negative)
	if !ok {
		return 0, decimalTooLarge
	}
	return value, decimalFine
}

// parseDigits reads ASCII digits; of none it is 0. It reports whether the number fits.
func parseDigits(text string) (uint64, bool) {
	var value uint64
	for i := range len(text) {
		high, low := bits.Mul64(value, 10)
		sum, carry := bits.Add64(low, uint64(text[i]-'0'), 0)
		if high != 0 || carry != 0 {
			return 0, false
		}
		value = sum
	}
	return value, true
}

func addInt64(a, b int64) (int64, bool) {
	sum := a + b
	return sum, (sum > a) == (b > 0)
}

func subInt64(a, b int64) (int64, bool) {
	difference := a - b
	return difference, (difference < a) == (b > 0)
}

func mulInt64(a, b int64) (int64, bool) {
	high, low := bits.Mul64(magnitude(a), magnitude(b))
	if high != 0 {
		return 0, false
	}
	return signed(low, (a < 0) != (b < 0))
}

// magnitude returns |v|, which for the smallest int64 does not fit into an int64.
func magnitude(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}

// signed is the inverse of magnitude; it reports whether the value fits.
func signed(magnitude uint64, negative bool) (int64, bool) {
	if negative {
		return int64(-magnitude), magnitude <= 1<<63
	}
	return int64(magnitude), magnitude < 1<<63
}
