package retail

import (
	"bytes"
	"math"
)

// digitsEnd returns the length of the run of digits at the start of b.
func digitsEnd(b []byte) int {
	for i, c := range b {
		if c < '0' || c > '9' {
			return i
		}
	}
	return len(b)
}

// unsigned cuts a sign off a number.
func unsigned(b []byte) (digits []byte, negative bool) {
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		return b[1:], b[0] == '-'
	}
	return b, false
}

// splitDecimal splits an unsigned number at its decimal mark. It reports false for anything
// but digits, or a mark with digits before it, behind it or both: so numbers with grouped
// thousands are unreadable rather than a thousand times too small.
func splitDecimal(b []byte, mark byte) (whole, fraction []byte, ok bool) {
	n := digitsEnd(b)
	if n == len(b) {
		return b, nil, n > 0
	}
	whole, fraction = b[:n], b[n+1:]
	if b[n] != mark || len(whole)+len(fraction) == 0 || digitsEnd(fraction) != len(fraction) {
		return nil, nil, false
	}
	return whole, fraction, true
}

// priceMark returns the decimal mark that a price was written with, or 0.
func priceMark(b []byte) byte {
	b, _ = unsigned(b)
	n := digitsEnd(b)
	if n == len(b) {
		return 0
	}
	if _, _, ok := splitDecimal(b, b[n]); !ok {
		return 0
	}
	return b[n]
}

// parseQuantity reads a whole number. One or two zero decimals are allowed, because programs
// that know only floating point write 6.0; three are not, because 1,000 may be a thousand.
func parseQuantity(b []byte, mark byte) (int64, bool) {
	b, negative := unsigned(b)
	whole, fraction, ok := splitDecimal(b, mark)
	if !ok || len(fraction) > 2 || len(bytes.Trim(fraction, "0")) > 0 {
		return 0, false
	}
	var n int64
	for _, c := range whole {
		d := int64(c - '0')
		if n > (math.MaxInt64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	if negative {
		n = -n
	}
	return n, true
}

// customerID normalises a customer's number: programs that know only floating point write
// 17850.0 for 17850 and a word for none.
func customerID(b []byte) []byte {
	n := digitsEnd(b)
	if n == len(b) {
		return b
	}
	if n == 0 {
		switch string(bytes.ToLower(b)) {
		case "nan", "null", "na", "n/a", "#n/a":
			return nil
		}
		return b
	}
	zeros := b[n+1:]
	if (b[n] == '.' || b[n] == ',') && len(zeros) > 0 && len(bytes.Trim(zeros, "0")) == 0 {
		return b[:n]
	}
	return b
}

// stocked reports whether a code is goods: it starts with five digits.
func stocked(code string) bool { return digitsEnd([]byte(code[:min(len(code), 5)])) == 5 }
