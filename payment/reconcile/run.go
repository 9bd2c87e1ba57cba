package reconcile

import (
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Run is the import of one file, told by (tenant, source, account, digest). It goes through
// its phases in order, batch by batch, and each batch is one transaction together with the
// progress that is kept here.
type Run struct {
	ID      string              `json:"id"` // UUIDv7
	Tenant  hyperlocal.TenantID `json:"tenant"`
	Source  string              `json:"source"`  // name of the gateway whose statement it is
	Account string              `json:"account"` // at the provider, such as "acct_1" or a merchant id
	Digest  string              `json:"digest"`  // SHA-256 of the file's bytes, hexadecimal
	Size    int64               `json:"size"`    // bytes
	// From and Until bound the time for which the statement is complete; zero if it does not
	// claim to be. Only then is what it lacks missing at the provider.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
	Phase Phase     `json:"phase"`
	Lines int       `json:"lines"` // loaded so far
	Place int       `json:"place"` // number of the last line that the phase has dealt with
	// SweptAt and Swept are the key of the last row of ours that was looked for.
	SweptAt time.Time `json:"swept_at,omitzero"`
	Swept   string    `json:"swept,omitempty"`
	// Problem is the reason of the error that stopped it, "" for none. Importing the file again
	// goes on from where it stopped.
	Problem    string           `json:"problem,omitempty"`
	Actor      hyperlocal.Actor `json:"actor"`
	CreatedAt  time.Time        `json:"created_at"`
	UpdatedAt  time.Time        `json:"updated_at"`
	FinishedAt time.Time        `json:"finished_at,omitzero"`
	Version    int64            `json:"version"` // 1 when made, +1 with every batch
}

// Ref is the reference under which the journal knows a run.
func (r *Run) Ref() hyperlocal.Ref { return hyperlocal.NewRef("reconciliation", r.ID) }

// Phase says what a run does.
type Phase string

// The phases, in their order.
const (
	PhaseLoading  Phase = "loading"  // lines are read and stored; nothing is booked, so a file that cannot be read leaves the books alone
	PhaseMatching Phase = "matching" // by reference
	PhaseGuessing Phase = "guessing" // by amount and time, where only one pair is possible
	PhaseSweeping Phase = "sweeping" // what of ours the statement lacks
	PhaseDone     Phase = "done"
	// PhaseAbandoned: the file was not the same from beginning to end. Nothing was booked, and
	// the file can be imported anew.
	PhaseAbandoned Phase = "abandoned"
)

// Outcome says what became of a line.
type Outcome string

// The outcomes.
const (
	Undecided Outcome = ""
	Waiting   Outcome = "waiting"   // no reference of it is ours; amount and time may tell
	Matched   Outcome = "matched"   // our books agree
	Booked    Outcome = "booked"    // the provider's own: fee, dispute, payout
	Suspended Outcome = "suspended" // it differs, see the Difference
	Repeated  Outcome = "repeated"  // the same line was booked before, from this file or another
)

// Strategy says how a line was matched.
type Strategy string

// The strategies, in the order in which they are tried.
const (
	ByReference Strategy = "reference"   // one line, one operation
	ManyToOne   Strategy = "many_to_one" // several lines sum up to one operation
	OneToMany   Strategy = "one_to_many" // one line is the sum of several operations
	ByAmount    Strategy = "amount"      // the only line and the only operation of that amount about that time
)

// Reason says why something is in suspense.
type Reason string

// The reasons.
const (
	MissingInBooks    Reason = "missing_in_books"
	MissingAtProvider Reason = "missing_at_provider"
	AmountDiffers     Reason = "amount_differs"
	CurrencyDiffers   Reason = "currency_differs"
	Duplicate         Reason = "duplicate"
)

// Verdict is what became of a line of a run.
type Verdict struct {
	Number    int      `json:"number"`
	Outcome   Outcome  `json:"outcome"`
	Strategy  Strategy `json:"strategy,omitempty"`  // for Matched
	Reason    Reason   `json:"reason,omitempty"`    // for Suspended
	Set       int      `json:"set,omitempty"`       // number of the first line of those decided together
	Operation string   `json:"operation,omitempty"` // the first operation of ours that it settles or contradicts
}

// Decided is a line with its verdict.
type Decided struct {
	Line    Line    `json:"line"`
	Verdict Verdict `json:"verdict"`
}

// Claim says that an operation of ours is settled; once, whatever the run.
type Claim struct {
	Tenant    hyperlocal.TenantID
	Operation string
	Run       string
	Line      int // 0 if a person settled it
}
