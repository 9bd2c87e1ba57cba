package hyperlocal

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
)

var (
	_ json.Marshaler   = Money{}
	_ json.Unmarshaler = (*Money)(nil)
)

// MarshalJSON writes {"amount":1999,"currency":"GBP"}, the amount in minor units, or null for
// the zero Money. Amounts beyond ±2^53 are written in full; a reader that keeps numbers as
// doubles loses digits of them.
func (m Money) MarshalJSON() ([]byte, error) {
	return m.AppendJSON(make([]byte, 0, 64)), nil
}

// UnmarshalJSON reads what MarshalJSON writes, in any order and spacing; null gives the zero
// Money. It is strict: both fields exactly once, spelled in lower case, nothing else, and the
// amount an integer without fraction or exponent. On an error m is left as it was.
//
// Errors, all with code invalid: "money/invalid_json" for another shape,
// "money/invalid_amount" for an amount that is not an integer, ErrOverflow for one beyond 64
// bits, "money/invalid_currency".
func (m *Money) UnmarshalJSON(data []byte) error {
	if isJSONNull(data) {
		*m = Money{}
		return nil
	}
	if quick, ok := decodeCompactMoney(data); ok {
		*m = quick
		return nil
	}
	first, second, ok := decodePair(data, "amount", "currency")
	if !ok {
		return invalidMoney("json", `money is {"amount":1999,"currency":"GBP"} and nothing more`)
	}
	number, ok := first.(json.Number)
	if !ok || !isInteger(string(number)) {
		return invalidMoney("amount", "the amount is a JSON integer in minor units")
	}
	code, ok := second.(string)
	if !ok {
		return invalidMoney("currency", "the currency is a JSON string")
	}
	c, err := ParseCurrency(code)
	if err != nil {
		return err
	}
	amount, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil { // it is an integer, so it can only be too large
		return ErrOverflow
	}
	*m = Money{amount: amount, currency: c}
	return nil
}

// decodeCompactMoney reads the exact form that MarshalJSON writes, which is nearly all there
// is on the wire, some ten times faster. Of anything else it leaves the judgement to
// decodePair.
func decodeCompactMoney(data []byte) (Money, bool) {
	number, code, ok := cutPair(data, `{"amount":`, `,"currency":"`, `"}`)
	if !ok || !isInteger(number) {
		return Money{}, false
	}
	digits := strings.TrimPrefix(number, "-")
	if strings.HasPrefix(digits, "0") && number != "0" { // not a JSON number, or -0
		return Money{}, false
	}
	amount, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return Money{}, false
	}
	m, err := NewMoney(amount, Currency(code))
	return m, err == nil
}

func isJSONNull(data []byte) bool { return string(bytes.TrimSpace(data)) == "null" }

// isInteger reports whether a JSON number has neither fraction nor exponent.
func isInteger(number string) bool {
	for i := range len(number) {
		if c := number[i]; (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// cutPair returns what stands between three literals.
func cutPair(data []byte, before, between, after string) (first, second string, ok bool) {
	if len(data) > 128 { // not ours
		return "", "", false
	}
	rest, ok := strings.CutPrefix(string(data), before)
	if !ok {
		return "", "", false
	}
	first, rest, ok = strings.Cut(rest, between)
	if !ok {
		return "", "", false
	}
	second, ok = strings.CutSuffix(rest, after)
	return first, second, ok
}

// decodePair reads a JSON object that has exactly two fields with these names, each once, and
// returns their scalar values as json.Number, string or bool. Unlike encoding/json it matches
// names byte by byte and refuses repetitions.
func decodePair(data []byte, firstName, secondName string) (first, second json.Token, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return nil, nil, false
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, nil, false
		}
		value, err := decoder.Token()
		if err != nil || value == nil {
			return nil, nil, false
		}
		if _, nested := value.(json.Delim); nested {
			return nil, nil, false
		}
		switch {
		case name == firstName && first == nil:
			first = value
		case name == secondName && second == nil:
			second = value
		default: // unknown or repeated
			return nil, nil, false
		}
	}
	if _, err := decoder.Token(); err != nil { // the closing brace
		return nil, nil, false
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, false
	}
	return first, second, first != nil && second != nil
}
