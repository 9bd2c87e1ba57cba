package bunstore

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// rel is a set of rows that a statement refers to as {k}: one slice per column, sent as a
// constant number of arguments however many rows there are. On PostgreSQL it becomes
// (SELECT ... FROM unnest(...)) over arrays; on SQLite a SELECT of plain arguments for one
// row, and one over json_each for more.
//
// Build it by chaining: newRel(n).text("tenant", tenants).uuid("id", ids).int("delta", d).
// A column of another length than n is an error, reported where the relation is used.
// Column names are written as they are: lower case letters and underscores.
type rel struct {
	n    int
	cols []column
	sig  []byte // names and kinds, the part of the relation that shapes the statement's text
	err  error
}

type kind byte

const (
	kindText kind = 't'
	kindUUID kind = 'u'
	kindInt  kind = 'i'
	kindBool kind = 'b'
	kindAt   kind = 'a'
	kindJSON kind = 'j'
	kindRaw  kind = 'r'
	kindDec  kind = 'd'

	nullable = 0x80 // zero values of this column are NULL
)

type column struct {
	name string
	kind kind
	null bool
	// exactly one of these holds the values
	s []string
	i []int64
	p []*int64
	b []bool
	t []time.Time
	r [][]byte
}

// newRel starts a relation of n rows.
func newRel(n int) *rel { return &rel{n: n, cols: make([]column, 0, 16)} }

func (r *rel) add(c column, n int) *rel {
	if n != r.n && r.err == nil {
		r.err = internal("store/relation", fmt.Sprintf("column %s has %d values in a relation of %d rows", c.name, n, r.n))
	}
	k := byte(c.kind)
	if c.null {
		k |= nullable
	}
	r.sig = append(append(r.sig, c.name...), k)
	r.cols = append(r.cols, c)
	return r
}

// text adds a text column.
func (r *rel) text(name string, v []string) *rel {
	return r.add(column{name: name, kind: kindText, s: v}, len(v))
}

// textNull adds a text column in which "" is NULL.
func (r *rel) textNull(name string, v []string) *rel {
	return r.add(column{name: name, kind: kindText, null: true, s: v}, len(v))
}

// uuid adds a column of UUIDs in canonical form; anything else is refused with code invalid.
func (r *rel) uuid(name string, v []string) *rel { return r.addUUID(name, v, false) }

// uuidNull is uuid with "" as NULL.
func (r *rel) uuidNull(name string, v []string) *rel { return r.addUUID(name, v, true) }

func (r *rel) addUUID(name string, v []string, null bool) *rel {
	for _, id := range v {
		if !hyperlocal.ValidID(id) && (id != "" || !null) && r.err == nil {
			r.err = errInvalidID.With("field", name)
		}
	}
	return r.add(column{name: name, kind: kindUUID, null: null, s: v}, len(v))
}

// int adds a column of integers; it fits smallint, integer and bigint columns.
func (r *rel) int(name string, v []int64) *rel {
	return r.add(column{name: name, kind: kindInt, i: v}, len(v))
}

// intNull adds a column of integers in which nil is NULL.
func (r *rel) intNull(name string, v []*int64) *rel {
	return r.add(column{name: name, kind: kindInt, null: true, p: v}, len(v))
}

// bool adds a column of truth values: boolean, and 0 or 1 on SQLite.
func (r *rel) bool(name string, v []bool) *rel {
	return r.add(column{name: name, kind: kindBool, b: v}, len(v))
}

// at adds a column of instants: timestamptz, and microseconds since 1970 on SQLite.
func (r *rel) at(name string, v []time.Time) *rel {
	return r.add(column{name: name, kind: kindAt, t: v}, len(v))
}

// atNull adds a column of instants in which the zero time is NULL.
func (r *rel) atNull(name string, v []time.Time) *rel {
	return r.add(column{name: name, kind: kindAt, null: true, t: v}, len(v))
}

// json adds a column of JSON documents: jsonb, and TEXT on SQLite. nil is NULL.
func (r *rel) json(name string, v []json.RawMessage) *rel {
	s := make([]string, len(v))
	for i := range v {
		s[i] = string(v[i])
	}
	return r.add(column{name: name, kind: kindJSON, null: true, s: s}, len(v))
}

// bytes adds a column of byte strings: bytea and BLOB. nil is NULL.
func (r *rel) bytes(name string, v [][]byte) *rel {
	return r.add(column{name: name, kind: kindRaw, null: true, r: v}, len(v))
}

// decimal adds a column of decimal numbers in plain notation: numeric, and TEXT on SQLite.
// "" is NULL.
func (r *rel) decimal(name string, v []string) *rel {
	return r.add(column{name: name, kind: kindDec, null: true, s: v}, len(v))
}

// join returns a relation that holds the rows of both, which have the same shape.
func (r *rel) join(o *rel) *rel {
	out := &rel{n: r.n + o.n, sig: r.sig, cols: make([]column, len(r.cols))}
	for i, c := range r.cols {
		d := o.cols[i]
		out.cols[i] = column{
			name: c.name, kind: c.kind, null: c.null,
			s: concat(c.s, d.s), i: concat(c.i, d.i), p: concat(c.p, d.p),
			b: concat(c.b, d.b), t: concat(c.t, d.t), r: concat(c.r, d.r),
		}
	}
	return out
}

func concat[T any](a, b []T) []T {
	if len(b) == 0 {
		return a
	}
	return append(append(make([]T, 0, len(a)+len(b)), a...), b...)
}

// arrays returns the arguments for PostgreSQL, one array per column.
func (r *rel) arrays(args []any) []any {
	for i := range r.cols {
		c := &r.cols[i]
		switch {
		case c.p != nil:
			args = append(args, c.p)
		case c.i != nil:
			args = append(args, c.i)
		case c.b != nil:
			args = append(args, c.b)
		case c.t != nil:
			utc := make([]time.Time, len(c.t))
			for j := range c.t {
				utc[j] = hyperlocal.Instant(c.t[j])
			}
			args = append(args, utc)
		case c.r != nil:
			args = append(args, c.r)
		default:
			args = append(args, c.s)
		}
	}
	return args
}

// row returns the arguments of one row, for SQLite.
func (r *rel) row(args []any, row int) []any {
	for i := range r.cols {
		args = append(args, r.cols[i].value(row))
	}
	return args
}

// scalars returns the arguments for PostgreSQL through database/sql, one per value.
func (r *rel) scalars(args []any) []any {
	for row := range r.n {
		for i := range r.cols {
			c := &r.cols[i]
			switch v := c.value(row); c.kind {
			case kindBool:
				args = append(args, c.b[row])
			case kindAt:
				if v != nil {
					v = hyperlocal.Instant(c.t[row])
				}
				args = append(args, v)
			default:
				args = append(args, v)
			}
		}
	}
	return args
}

// one returns the shape of the relation as that of a single row. It must not be sent.
func (r *rel) one() *rel { return &rel{n: 1, cols: r.cols, sig: r.sig, err: r.err} }

func (c *column) value(row int) any {
	switch c.kind {
	case kindInt:
		if c.null {
			if c.p[row] == nil {
				return nil
			}
			return *c.p[row]
		}
		return c.i[row]
	case kindBool:
		if c.b[row] {
			return int64(1)
		}
		return int64(0)
	case kindAt:
		if c.null && c.t[row].IsZero() {
			return nil
		}
		return micros(c.t[row])
	case kindRaw:
		if c.r[row] == nil {
			return nil
		}
		return c.r[row]
	default:
		if c.null && c.s[row] == "" {
			return nil
		}
		return c.s[row]
	}
}

// document returns all rows as a JSON array of arrays, for SQLite.
func (r *rel) document() string {
	b := make([]byte, 0, 64*len(r.cols)*r.n)
	b = append(b, '[')
	for row := range r.n {
		if row > 0 {
			b = append(b, ',')
		}
		b = append(b, '[')
		for i := range r.cols {
			if i > 0 {
				b = append(b, ',')
			}
			switch v := r.cols[i].value(row).(type) {
			case nil:
				b = append(b, "null"...)
			case int64:
				b = strconv.AppendInt(b, v, 10)
			case string:
				b = appendJSONString(b, v)
			case []byte:
				b = append(hex.AppendEncode(append(b, '"'), v), '"')
			}
		}
		b = append(b, ']')
	}
	return string(append(b, ']'))
}

// appendJSONString quotes what JSON wants quoted and leaves all other bytes as they are.
func appendJSONString(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

func micros(t time.Time) int64 { return hyperlocal.Instant(t).UnixMicro() }

// repeat returns n copies of v, for columns in which all rows agree.
func repeat[T any](v T, n int) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = v
	}
	return out
}
