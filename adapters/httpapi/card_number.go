package httpapi

import "strings"

// issuers are the beginnings of card numbers by scheme, as ranges of their first digits, and
// the lengths that the schemes issue. After ISO/IEC 7812 and the schemes' own tables.
var issuers = []struct {
	low, high string // of equal length, inclusive
	lengths   [2]int // inclusive
}{
	{"4", "4", [2]int{16, 16}}, {"4", "4", [2]int{13, 13}}, {"4", "4", [2]int{19, 19}}, // Visa
	{"51", "55", [2]int{16, 16}}, {"2221", "2720", [2]int{16, 16}}, // Mastercard
	{"34", "34", [2]int{15, 15}}, {"37", "37", [2]int{15, 15}}, // American Express
	{"300", "305", [2]int{14, 19}}, {"3095", "3095", [2]int{14, 19}}, {"36", "36", [2]int{14, 19}},
	{"38", "39", [2]int{14, 19}},                                                                   // Diners Club
	{"6011", "6011", [2]int{16, 19}}, {"644", "649", [2]int{16, 19}}, {"65", "65", [2]int{16, 19}}, // Discover, RuPay
	{"3528", "3589", [2]int{16, 19}},                           // JCB
	{"62", "62", [2]int{16, 19}}, {"81", "82", [2]int{16, 19}}, // UnionPay, RuPay
	{"2200", "2204", [2]int{16, 19}},                               // Mir
	{"508", "508", [2]int{16, 16}}, {"606", "608", [2]int{16, 16}}, // RuPay
	{"50", "50", [2]int{13, 19}}, {"56", "58", [2]int{13, 19}}, {"63", "63", [2]int{13, 19}},
	{"67", "67", [2]int{13, 19}}, // Maestro
}

// Lengths of card numbers.
const (
	minCard = 13
	maxCard = 19
)

// holdsCardNumber reports whether a text holds what looks like a card number: digits,
// perhaps in groups with one space, dot or dash between them, that begin like a known issuer's,
// have a length that it issues and pass the Luhn check. Wide digits count as well. A longer
// number that merely contains such digits is no card number.
func holdsCardNumber(text string) bool {
	var groups []string
	var group strings.Builder
	separated := false // by exactly one separator since the last group
	flush := func() {
		if group.Len() > 0 {
			groups = append(groups, group.String())
			group.Reset()
		}
	}
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9', r >= '０' && r <= '９':
			if r > '9' {
				r += '0' - '０'
			}
			group.WriteRune(r)
			separated = false
		case (r == ' ' || r == '-' || r == '.' || r == '\u00a0') && !separated:
			flush()
			separated = true
		default:
			flush()
			if anyCard(groups) {
				return true
			}
			groups, separated = groups[:0], false
		}
	}
	flush()
	return anyCard(groups)
}

// anyCard looks at every run of neighbouring groups. Nobody writes a card number in pairs of
// digits or in groups of one and of several: that is a date, a phone number or a list.
func anyCard(groups []string) bool {
	for i, first := range groups {
		digits := ""
		for _, g := range groups[i:] {
			digits += g
			if len(digits) > maxCard || len(g) == 2 || (len(g) == 1) != (len(first) == 1) {
				break
			}
			if len(digits) >= minCard && isCard(digits) {
				return true
			}
		}
	}
	return false
}

func isCard(digits string) bool {
	for _, s := range issuers {
		head := digits[:len(s.low)]
		if head >= s.low && head <= s.high && len(digits) >= s.lengths[0] && len(digits) <= s.lengths[1] {
			return luhn(digits)
		}
	}
	return false
}

// luhn is the check digit of ISO/IEC 7812-1, annex B.
func luhn(digits string) bool {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// masked returns a text for the log: the digits of what looks like a card number are gone.
func masked(text string) string {
	if !holdsCardNumber(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if (r >= '0' && r <= '9') || (r >= '０' && r <= '９') {
			return '*'
		}
		return r
	}, text)
}
