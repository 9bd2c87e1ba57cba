package retail

import (
	"bytes"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
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
// but digits, or digits, mark, digits: so numbers with grouped thousands are unreadable
// rather than a thousand times too small.
func splitDecimal(b []byte, mark byte) (whole, fraction []byte, ok bool) {
	n := digitsEnd(b)
	if n == 0 {
		return nil, nil, false
	}
	if n == len(b) {
		return b, nil, true
	}
	whole, fraction = b[:n], b[n+1:]
	if b[n] != mark || len(fraction) == 0 || digitsEnd(fraction) != len(fraction) {
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

// firstNumbers returns the first two numbers of a date that does not begin with a year.
func firstNumbers(b []byte) (first, second int, ok bool) {
	p := dateParser{rest: b}
	first = p.number(1, 2)
	p.separator()
	second = p.number(1, 2)
	return first, second, !p.bad
}

// parseDate reads "d/m/yyyy", "m/d/yyyy" or "yyyy-mm-dd", each with or without "hh:mm" or
// "hh:mm:ss" behind a space or a T. The separators of the date may be / or - or a point. A
// file says nothing about its time zone, so the clock on its wall is taken as UTC.
func parseDate(b []byte, order DateOrder) (time.Time, bool) {
	p := dateParser{rest: b}
	var year, month, day, hour, minute, second int
	if digitsEnd(b) == 4 {
		year = p.number(4, 4)
		p.separator()
		month = p.number(1, 2)
		p.separator()
		day = p.number(1, 2)
	} else {
		day = p.number(1, 2)
		p.separator()
		month = p.number(1, 2)
		p.separator()
		year = p.number(4, 4)
		if order == MonFirst {
			day, month = month, day
		}
	}
	if !p.bad && len(p.rest) > 0 {
		p.oneOf(" T")
		hour = p.number(1, 2)
		p.oneOf(":")
		minute = p.number(2, 2)
		if !p.bad && len(p.rest) > 0 && p.rest[0] == ':' {
			p.oneOf(":")
			second = p.number(2, 2)
		}
		if !p.bad && len(p.rest) > 0 {
			p.oneOf("Z")
		}
	}
	at := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	// time.Date normalises what does not exist, such as 31 April or 25 o'clock.
	exists := at.Year() == year && at.Month() == time.Month(month) && at.Day() == day &&
		at.Hour() == hour && at.Minute() == minute && at.Second() == second
	if p.bad || len(p.rest) > 0 || !exists || year < 1900 {
		return time.Time{}, false
	}
	return at, true
}

// dateParser eats a date from the left and remembers that it once did not fit.
type dateParser struct {
	rest []byte
	bad  bool
}

func (p *dateParser) number(least, most int) int {
	n := digitsEnd(p.rest)
	if n < least || n > most {
		p.bad = true
		return 0
	}
	v := 0
	for _, c := range p.rest[:n] {
		v = v*10 + int(c-'0')
	}
	p.rest = p.rest[n:]
	return v
}

func (p *dateParser) separator() { p.oneOf("/-.") }

func (p *dateParser) oneOf(set string) {
	if len(p.rest) == 0 || strings.IndexByte(set, p.rest[0]) < 0 {
		p.bad = true
		return
	}
	p.rest = p.rest[1:]
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

// oneLine replaces every run of white space, line ends included, by one space.
func oneLine(b []byte) []byte {
	space := false
	for _, c := range b {
		plain := c != '\t' && c != '\n' && c != '\r' && (c != ' ' || !space)
		if !plain {
			return bytes.Join(bytes.Fields(b), []byte{' '})
		}
		space = c == ' '
	}
	return b
}

// contentProblem returns the reason for which a field cannot be kept, or "": it is too long,
// not text, or has a control character. White space is no control character.
func contentProblem(b []byte, bound int) string {
	if len(b) > bound {
		return ReasonFieldTooLong
	}
	plain := true
	for _, c := range b {
		if c < ' ' || c >= 0x7F {
			plain = false
			break
		}
	}
	if plain {
		return ""
	}
	if !utf8.Valid(b) {
		return ReasonEncoding
	}
	for _, r := range string(b) {
		if unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' {
			return ReasonControlCharacter
		}
	}
	return ""
}
