package hyperlocal

import (
	"encoding/base64"
	"encoding/json"
)

// Page limits.
const (
	DefaultPageLimit = 50
	MaxPageLimit     = 200
)

// PageRequest asks for one page of a list. Lists are paged by key, never by offset, so a
// page costs the same however deep it lies and does not shift when rows are added.
type PageRequest struct {
	Limit  int    // 0 means DefaultPageLimit; more than MaxPageLimit is refused
	Cursor string // Next of the page before, or "" for the first page
}

// Page is one page of a list. Next is "" on the last page.
type Page[T any] struct {
	Items []T
	Next  string
}

// ErrCursor refuses a cursor that is damaged, of another version, or made for another filter.
var ErrCursor = NewError(CodeInvalid, "page/invalid_cursor",
	"the cursor does not belong to this list and filter; start again without one")

// Size returns the page size to use, or an error with code invalid.
func (p PageRequest) Size() (int, error) {
	switch {
	case p.Limit == 0:
		return DefaultPageLimit, nil
	case p.Limit < 0 || p.Limit > MaxPageLimit:
		return 0, Invalid("page", "limit", "a page has 1 to 200 items")
	}
	return p.Limit, nil
}

type cursor struct {
	V int      `json:"v"`
	F string   `json:"f"` // digest of the filter
	K []string `json:"k"` // key of the last row
}

const maxCursor = 2048

// EncodeCursor makes a cursor from the filter of the list and the key of its last row.
func EncodeCursor(filter any, key ...string) (string, error) {
	f, err := Fingerprint(filter)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(cursor{V: 1, F: f[:16], K: key})
	if err != nil {
		return "", ErrCursor.WithCause(err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// DecodeCursor returns the key in a cursor made for the same filter and with n parts, nil
// for the empty cursor, or ErrCursor.
func DecodeCursor(filter any, text string, n int) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > maxCursor {
		return nil, ErrCursor
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, ErrCursor.WithCause(err)
	}
	var c cursor
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, ErrCursor.WithCause(err)
	}
	f, err := Fingerprint(filter)
	if err != nil {
		return nil, err
	}
	if c.V != 1 || c.F != f[:16] || len(c.K) != n {
		return nil, ErrCursor
	}
	for _, k := range c.K {
		if err := CheckText("page", "cursor", k, maxCursor); err != nil {
			return nil, ErrCursor.WithCause(err)
		}
	}
	return c.K, nil
}
