package reconcile

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Journal is what reconciliation needs of ledger, as [payment.Journal]. *ledger.Service
// satisfies it; so does nil, for whoever keeps no books.
type Journal = payment.Journal

// MaxPostings is how many postings one call of the journal is given.
const MaxPostings = 1000

// Store keeps runs, lines, claims and differences. Writes join the transaction of ctx and fail
// with code internal outside one; they may be queued, and are sent before the next read of the
// transaction that could see them. Reads outside a transaction see committed data. What does
// not exist is left out of a result, never an error.
type Store interface {
	// CreateRun stores a run unless its file is known, and returns the one that is stored.
	CreateRun(ctx context.Context, r Run) (stored Run, fresh bool, err error)
	// LockRun locks all that belongs to the run's source and account until the end of the
	// transaction, so that their runs go one at a time, and returns the run; false if there is none.
	LockRun(ctx context.Context, tenant hyperlocal.TenantID, id string) (Run, bool, error)
	// SaveRun queues a changed run: what is progress, and the problem. The row must have
	// version Version-1, else the transaction fails with ErrBusy.
	SaveRun(ctx context.Context, r Run) error
	// AppendLines queues lines of a run, undecided.
	AppendLines(ctx context.Context, tenant hyperlocal.TenantID, run string, lines []Line) error
	// Decide queues verdicts on lines of a run.
	Decide(ctx context.Context, tenant hyperlocal.TenantID, run string, verdicts []Verdict) error
	// Claim queues claims. An operation that is claimed already fails the transaction with
	// hyperlocal.ErrTxRetry; run again, the caller finds the claim.
	Claim(ctx context.Context, claims []Claim) error
	// Suspend queues new differences. An operation that was found to be missing before fails
	// the transaction with hyperlocal.ErrTxRetry.
	Suspend(ctx context.Context, differences []Difference) error
	// Settle queues what became of differences: when, by whom, to which account, and the note.
	// The rows must be open, else the transaction fails with ErrResolved.
	Settle(ctx context.Context, differences []Difference) error
	Reader
}

// Reader is the reading part of Store.
type Reader interface {
	// Run returns a run by id, false if there is none.
	Run(ctx context.Context, tenant hyperlocal.TenantID, id string) (Run, bool, error)
	// ListRuns returns runs newest first by (CreatedAt, ID); source "" does not restrict.
	ListRuns(ctx context.Context, tenant hyperlocal.TenantID, source string, p hyperlocal.PageRequest) (hyperlocal.Page[Run], error)
	// LinesAfter returns at most limit lines of a run with the outcome and a higher number, by
	// number.
	LinesAfter(ctx context.Context, tenant hyperlocal.TenantID, run string, outcome Outcome, number, limit int) ([]Line, error)
	// LinesOf returns the undecided lines of a run that belong to one of the payments, in any
	// order, at most limit.
	LinesOf(ctx context.Context, tenant hyperlocal.TenantID, run string, payments []string, limit int) ([]Line, error)
	// LinesWithID returns all lines of a source and account, whatever the run, that have one of
	// the provider's ids, in any order.
	LinesWithID(ctx context.Context, tenant hyperlocal.TenantID, source, account string, ids []string) ([]Known, error)
	// ListLines returns lines of a run with their verdicts, by number; outcome "" does not
	// restrict.
	ListLines(ctx context.Context, tenant hyperlocal.TenantID, run string, outcome Outcome, p hyperlocal.PageRequest) (hyperlocal.Page[Decided], error)
	// Claims returns the claims on operations, in any order.
	Claims(ctx context.Context, tenant hyperlocal.TenantID, operations []string) ([]Claim, error)
	// Missing returns the differences, open or not, that say that one of the operations is
	// missing at the provider, in any order.
	Missing(ctx context.Context, tenant hyperlocal.TenantID, operations []string) ([]Difference, error)
	DifferenceReader
}

// DifferenceReader is the part of Reader that people look at.
type DifferenceReader interface {
	// Difference returns one by id, false if there is none.
	Difference(ctx context.Context, tenant hyperlocal.TenantID, id string) (Difference, bool, error)
	// ListDifferences returns differences oldest first by (Since, ID).
	ListDifferences(ctx context.Context, tenant hyperlocal.TenantID, f Filter, p hyperlocal.PageRequest) (hyperlocal.Page[Difference], error)
	// Totals sums the lines of a run, sorted by (Outcome, Strategy, Reason, Currency).
	Totals(ctx context.Context, tenant hyperlocal.TenantID, run string) ([]Total, error)
	// Ages sums the open differences of a run by the youngest of the bounds that is not after
	// their Since; index len(bounds) for those before all of them. Bounds descend. Sorted by
	// (Age, Reason, currencies).
	Ages(ctx context.Context, tenant hyperlocal.TenantID, run string, bounds [3]time.Time) ([]Aged, error)
}

// Known is a line that has an id, and where it stands.
type Known struct {
	Line
	Run     string
	Outcome Outcome
}

// Total is what the lines with one verdict in one currency sum up to.
type Total struct {
	Outcome  Outcome          `json:"outcome"`
	Strategy Strategy         `json:"strategy,omitempty"`
	Reason   Reason           `json:"reason,omitempty"`
	Lines    int              `json:"lines"`
	Gross    hyperlocal.Money `json:"gross"`
	Fee      hyperlocal.Money `json:"fee"`
	Net      hyperlocal.Money `json:"net"`
}

// Aged is what open differences of about one age sum up to.
type Aged struct {
	Age         int              `json:"age"` // index into Ages: 0 for at most a day, 3 for more than thirty
	Reason      Reason           `json:"reason"`
	Differences int              `json:"differences"`
	Theirs      hyperlocal.Money `json:"theirs,omitzero"`
	Ours        hyperlocal.Money `json:"ours,omitzero"`
}
