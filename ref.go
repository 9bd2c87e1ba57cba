package hyperlocal

import (
	"strings"
	"unicode/utf8"
)

// Ref points at something without importing the package that owns it: an order from the
// ledger, a customer from an order. Kind is a lower-case noun ("order", "customer",
// "merchant", "variant"), ID is opaque to everyone but the owner.
type Ref struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// NewRef is short for a Ref literal.
func NewRef(kind, id string) Ref { return Ref{Kind: kind, ID: id} }

// IsZero reports whether the reference points at nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

// String returns "kind/id", or "" for the zero Ref.
func (r Ref) String() string {
	if r.IsZero() {
		return ""
	}
	return r.Kind + "/" + r.ID
}

// ParseRef is the inverse of String. The kind ends at the first slash.
func ParseRef(text string) (Ref, error) {
	if text == "" {
		return Ref{}, nil
	}
	kind, id, ok := strings.Cut(text, "/")
	r := Ref{Kind: kind, ID: id}
	if !ok {
		return Ref{}, Invalid("ref", "text", `a reference is written "kind/id"`)
	}
	return r, r.Validate()
}

// Limits of a reference, in bytes.
const (
	MaxRefKind = 32
	MaxRefID   = 128
)

// Validate refuses a half-empty, long or unprintable reference. The zero Ref is valid.
func (r Ref) Validate() error {
	if r.IsZero() {
		return nil
	}
	if r.Kind == "" || len(r.Kind) > MaxRefKind || strings.Contains(r.Kind, "/") {
		return Invalid("ref", "kind", "the kind of a reference has 1 to 32 characters and no slash")
	}
	if r.ID == "" {
		return Invalid("ref", "id", "the id of a reference is empty")
	}
	if err := CheckText("ref", "kind", r.Kind, MaxRefKind); err != nil {
		return err
	}
	return CheckText("ref", "id", r.ID, MaxRefID)
}

// TenantRef is a Ref together with the tenant it lives in, for ports that take items of
// several tenants in one batch.
type TenantRef struct {
	Tenant TenantID
	Ref    Ref
}

// External is the name that a foreign system gave to an order, credit, movement or receipt.
// It is unique per (tenant, source, reference) and kept for ever, which is what makes an
// import repeatable. The zero value means "none".
type External struct {
	Source    string `json:"source"`    // which foreign system, at most 64 bytes
	Reference string `json:"reference"` // its name for the thing, at most 128 bytes
}

// IsZero reports whether there is no external reference.
func (e External) IsZero() bool { return e == External{} }

// Validate refuses a half-empty or long external reference.
func (e External) Validate() error {
	if e.IsZero() {
		return nil
	}
	if e.Source == "" || e.Reference == "" {
		return Invalid("external", "reference", "an external reference has both a source and a reference")
	}
	if err := CheckText("external", "source", e.Source, 64); err != nil {
		return err
	}
	return CheckText("external", "reference", e.Reference, 128)
}

// ItemID names a thing that inventory counts: a variant's stock item, a delivery slot, a
// seat. Byte-wise compared (case matters), 1 to 128 bytes.
type ItemID string

// LocationID names where an item is counted. 1 to 128 bytes.
type LocationID string

// ItemQuantity is an amount of an item at a location.
type ItemQuantity struct {
	Item     ItemID     `json:"item"`
	Location LocationID `json:"location"`
	Quantity Quantity   `json:"quantity"`
}

// CheckText refuses text that is longer than limit bytes, is not UTF-8, or holds control
// characters other than tab and newline (NUL included, which PostgreSQL cannot store).
// The error has code invalid and reason "<context>/invalid_<field>".
func CheckText(context, field, text string, limit int) error {
	if len(text) > limit {
		return Invalid(context, field, "the text is too long").With("limit_bytes", limit)
	}
	if !utf8.ValidString(text) {
		return Invalid(context, field, "the text is not valid UTF-8")
	}
	for i := range len(text) {
		if c := text[i]; (c < 0x20 && c != '\t' && c != '\n') || c == 0x7f {
			return Invalid(context, field, "the text holds control characters")
		}
	}
	return nil
}
