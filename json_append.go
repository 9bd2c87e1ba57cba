package hyperlocal

import (
	"encoding/json"
	"strconv"
	"time"
)

// Hot values write their JSON themselves: by reflection it costs several times as much, and
// an order is told in half a dozen documents. Each of these appends byte for byte what
// encoding/json writes for the same value.

// AppendJSON appends what MarshalJSON writes.
func (m Money) AppendJSON(b []byte) []byte {
	if m == (Money{}) {
		return append(b, "null"...)
	}
	b = append(b, `{"amount":`...)
	b = strconv.AppendInt(b, m.amount, 10)
	b = append(b, `,"currency":"`...)
	b = append(b, m.currency...)
	return append(b, `"}`...)
}

// AppendJSON appends what MarshalJSON writes.
func (q Quantity) AppendJSON(b []byte) []byte {
	if q == (Quantity{}) {
		return append(b, "null"...)
	}
	b = append(b, `{"value":"`...)
	b = strconv.AppendInt(b, q.value, 10)
	b = append(b, `","unit":"`...)
	b = append(b, q.unit...)
	return append(b, `"}`...)
}

// AppendJSON appends {"kind":"order","id":"..."}.
func (r Ref) AppendJSON(b []byte) []byte {
	b = AppendJSONText(append(b, `{"kind":`...), r.Kind)
	b = AppendJSONText(append(b, `,"id":`...), r.ID)
	return append(b, '}')
}

// AppendJSONText appends a JSON string.
func AppendJSONText[S ~string](b []byte, text S) []byte {
	for i := range len(text) {
		if c := text[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return appendEscaped(b, string(text))
		}
	}
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"')
}

// appendEscaped leaves the uncommon to the library.
func appendEscaped(b []byte, text string) []byte {
	escaped, err := json.Marshal(text)
	if err != nil { // no string is refused
		return append(b, `""`...)
	}
	return append(b, escaped...)
}

// AppendJSONTime appends a time in the form of RFC 3339. A year of more than four digits is
// refused, as encoding/json refuses it.
func AppendJSONTime(b []byte, t time.Time) ([]byte, error) {
	b, err := t.AppendText(append(b, '"'))
	return append(b, '"'), err
}
