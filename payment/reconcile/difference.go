package reconcile

import (
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Difference is money in suspense: what a statement and our books do not agree about. While it
// is open, the suspense account of its source holds Ours less Theirs, in their currencies.
type Difference struct {
	ID        string              `json:"id"` // UUIDv7
	Tenant    hyperlocal.TenantID `json:"tenant"`
	Run       string              `json:"run"`
	Source    string              `json:"source"`
	Account   string              `json:"account"`
	Reason    Reason              `json:"reason"`
	Line      int                 `json:"line,omitempty"` // number of the line, 0 if there is none
	Kind      Kind                `json:"kind"`
	Reference string              `json:"reference"`           // by which a person finds it at the provider
	Operation string              `json:"operation,omitempty"` // ours, "" if there is none
	// Theirs is what the line says and Ours what our operation says, signed as a line is; the
	// zero Money for what does not exist.
	Theirs hyperlocal.Money `json:"theirs,omitzero"`
	Ours   hyperlocal.Money `json:"ours,omitzero"`
	// Entries is what was posted, so that it can be taken back.
	Entries    []hyperlocal.Entry `json:"entries"`
	Since      time.Time          `json:"since"` // when the money moved: its age counts from here
	OpenedAt   time.Time          `json:"opened_at"`
	ResolvedAt time.Time          `json:"resolved_at,omitzero"`
	ResolvedBy hyperlocal.Actor   `json:"resolved_by,omitzero"`
	ResolvedTo string             `json:"resolved_to,omitempty"` // account of the journal, "" for a reversal
	Note       string             `json:"note,omitempty"`
}

// Open reports whether nobody has resolved it.
func (d *Difference) Open() bool { return d.ResolvedAt.IsZero() }

// reference of the posting that put it into suspense.
func (d *Difference) posted() string { return "reconcile/difference/" + d.ID }

// Filter selects differences; zero fields do not restrict.
type Filter struct {
	Run     string
	Source  string
	Account string
	Reason  Reason
	Open    bool      // only those that are open
	Before  time.Time // only those whose money moved before this time
}
