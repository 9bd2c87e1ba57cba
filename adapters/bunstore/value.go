package bunstore

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/uptrace/bun/schema"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// at returns the argument for an instant.
func (s *Store) at(t time.Time) any {
	if s.dialect == SQLite {
		return micros(t)
	}
	return hyperlocal.Instant(t)
}

// flag returns the argument for a truth value.
func (s *Store) flag(b bool) any {
	if s.dialect == Postgres {
		return b
	}
	if b {
		return int64(1)
	}
	return int64(0)
}

// instant reads a NOT NULL instant: rows.Scan(instant{&o.PlacedAt}).
type instant struct{ to *time.Time }

// Scan implements sql.Scanner.
func (i instant) Scan(src any) error {
	switch v := src.(type) {
	case time.Time:
		*i.to = hyperlocal.Instant(v)
	case int64:
		*i.to = time.UnixMicro(v).UTC()
	default:
		return fmt.Errorf("an instant cannot be read from %T", src)
	}
	return nil
}

// nullInstant reads an instant that may be NULL, which is the zero time.
type nullInstant struct{ to *time.Time }

// Scan implements sql.Scanner.
func (i nullInstant) Scan(src any) error {
	if src == nil {
		*i.to = time.Time{}
		return nil
	}
	return instant(i).Scan(src)
}

// nullText reads a text that may be NULL, which is "". T is string or a type made of it.
type nullText[T ~string] struct{ to *T }

// Scan implements sql.Scanner.
func (n nullText[T]) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*n.to = ""
	case string:
		*n.to = T(v)
	case []byte:
		*n.to = T(v)
	default:
		return fmt.Errorf("a text cannot be read from %T", src)
	}
	return nil
}

// document reads JSON, nil for NULL. The bytes belong to the caller.
type document struct{ to *json.RawMessage }

// Scan implements sql.Scanner.
func (d document) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*d.to = nil
	case string:
		*d.to = json.RawMessage(v)
	case []byte:
		*d.to = append(json.RawMessage(nil), v...)
	default:
		return fmt.Errorf("JSON cannot be read from %T", src)
	}
	return nil
}

// stamp is a time in a model of bun: timestamptz on PostgreSQL, microseconds on SQLite. The
// zero time is NULL.
//
//nolint:recvcheck // bun appends values and scans into pointers
type stamp struct{ time.Time }

// AppendQuery implements bun's schema.QueryAppender.
func (t stamp) AppendQuery(gen schema.QueryGen, b []byte) ([]byte, error) {
	switch {
	case t.IsZero():
		return append(b, "NULL"...), nil
	case gen.Dialect().Name().String() == "sqlite":
		return fmt.Appendf(b, "%d", micros(t.Time)), nil
	}
	return fmt.Appendf(b, "'%s'::timestamptz", hyperlocal.Instant(t.Time).Format("2006-01-02 15:04:05.000000-07:00")), nil
}

// Scan implements sql.Scanner.
func (t *stamp) Scan(src any) error { return nullInstant{&t.Time}.Scan(src) }
