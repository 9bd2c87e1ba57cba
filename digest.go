package hyperlocal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"time"
)

// Digest builds the fingerprint of a request field by field, for hot commands and for what
// is kept for ever: the same fields give the same fingerprint in every later version.
// [Fingerprint] is shorter to write, and changes with every field that a type gains.
//
// Each field has a tag, 1 to 255, of its own within its list. A field that is zero leaves no
// trace, so a field that is added later changes nothing for the requests that lack it. Tags
// are never given to another field, and fields are written in an order that never changes.
//
// The format, in the notation of encoding/binary: first the name, then per field its tag and
//
//	text      length (uvarint), bytes
//	number    varint; a flag is the number 1
//	time      number of microseconds since 1970
//	money     number of minor units, text of the currency
//	quantity  number of base units, text of the unit
//	pair      two texts: kind and id of a Ref, source and reference of an External
//	JSON      text without insignificant space
//	list      length (uvarint), then the fields of every element, each element ending in 0
//
// The fingerprint is the SHA-256 of that, in hex. A Digest belongs to one goroutine.
type Digest struct{ b []byte }

// NewDigest begins the fingerprint of a kind of request, such as "order.place/1".
func NewDigest(name string) *Digest {
	d := &Digest{b: make([]byte, 0, 512)}
	d.text(name)
	return d
}

func (d *Digest) text(s string) {
	d.b = binary.AppendUvarint(d.b, uint64(len(s)))
	d.b = append(d.b, s...)
}

// Text adds a text; "" is none.
func (d *Digest) Text(tag byte, s string) {
	if s != "" {
		d.b = append(d.b, tag)
		d.text(s)
	}
}

// Int adds a number; 0 is none.
func (d *Digest) Int(tag byte, n int64) {
	if n != 0 {
		d.b = binary.AppendVarint(append(d.b, tag), n)
	}
}

// Flag adds a truth value; false is none.
func (d *Digest) Flag(tag byte, on bool) {
	if on {
		d.Int(tag, 1)
	}
}

// Time adds an instant; the zero time is none. What Instant cuts off does not count.
func (d *Digest) Time(tag byte, t time.Time) {
	if !t.IsZero() {
		d.b = binary.AppendVarint(append(d.b, tag), Instant(t).UnixMicro())
	}
}

// Money adds an amount. The zero Money is none, and differs from an amount of 0.
func (d *Digest) Money(tag byte, m Money) {
	if m != (Money{}) {
		d.b = binary.AppendVarint(append(d.b, tag), m.amount)
		d.text(string(m.currency))
	}
}

// Quantity adds a quantity. The zero Quantity is none, and differs from 0 of a unit.
func (d *Digest) Quantity(tag byte, q Quantity) {
	if q != (Quantity{}) {
		d.b = binary.AppendVarint(append(d.b, tag), q.value)
		d.text(string(q.unit))
	}
}

// Ref adds a reference; the zero Ref is none.
func (d *Digest) Ref(tag byte, r Ref) { d.pair(tag, r.Kind, r.ID) }

// External adds an external reference; the zero External is none.
func (d *Digest) External(tag byte, e External) { d.pair(tag, e.Source, e.Reference) }

func (d *Digest) pair(tag byte, first, second string) {
	if first != "" || second != "" {
		d.b = append(d.b, tag)
		d.text(first)
		d.text(second)
	}
}

// JSON adds a document without its insignificant space; an empty one is none. Text that is
// not JSON is added as it is.
func (d *Digest) JSON(tag byte, raw json.RawMessage) {
	if len(raw) == 0 {
		return
	}
	var compact bytes.Buffer
	if json.Compact(&compact, raw) == nil {
		raw = compact.Bytes()
	}
	d.Text(tag, string(raw))
}

// List begins a list of n elements; an empty one is none. The caller adds the fields of
// every element, and calls End after each.
func (d *Digest) List(tag byte, n int) {
	if n > 0 {
		d.b = binary.AppendUvarint(append(d.b, tag), uint64(n))
	}
}

// End ends an element of a list.
func (d *Digest) End() { d.b = append(d.b, 0) }

// Sum returns the fingerprint of what was added so far.
func (d *Digest) Sum() string {
	sum := sha256.Sum256(d.b)
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], sum[:])
	return string(text[:])
}
