package reconcile

import (
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Errors of this package. Those about a file carry the field "line", counted from 1, and,
// where it helps, "field"; never what stands there, which may be about a person.
var (
	ErrMalformed = hyperlocal.NewError(hyperlocal.CodeInvalid, "reconcile/malformed",
		"this line of the statement cannot be read; check that the file is of this format and whole")
	ErrHeader = hyperlocal.NewError(hyperlocal.CodeInvalid, "reconcile/header",
		"the statement lacks a column that its format has; download it again with all columns")
	ErrArithmetic = hyperlocal.NewError(hyperlocal.CodeInvalid, "reconcile/arithmetic",
		"gross less fee is not net on this line of the statement")
	ErrTotals = hyperlocal.NewError(hyperlocal.CodeInvalid, "reconcile/totals",
		"the lines of the statement do not sum up to the totals at its end; download it again")
	ErrLineTooLong = hyperlocal.NewError(hyperlocal.CodeInvalid, "reconcile/line_too_long",
		"a line of the statement is longer than allowed")
	ErrTooManyLines = hyperlocal.NewError(hyperlocal.CodeInvalid, "reconcile/too_many_lines",
		"the statement has more lines than allowed; import it in parts")
	ErrGroupTooLarge = hyperlocal.NewError(hyperlocal.CodeInvalid, "reconcile/group_too_large",
		"too many lines of the statement name the same payment")

	ErrUnknownSource = hyperlocal.NewError(hyperlocal.CodeNotFound, "reconcile/unknown_source",
		"no statements of that source are configured")
	ErrNotFound = hyperlocal.NewError(hyperlocal.CodeNotFound, "reconcile/not_found",
		"there is no such run or difference")
	ErrNeedsFile = hyperlocal.NewError(hyperlocal.CodePrecondition, "reconcile/needs_file",
		"the file was not read to its end; import it again")
	ErrFileChanged = hyperlocal.NewError(hyperlocal.CodeConflict, "reconcile/file_changed",
		"the file changed while it was read; import it again")
	// ErrBusy: somebody else works on the same run.
	ErrBusy = hyperlocal.NewError(hyperlocal.CodeConflict, "reconcile/busy",
		"the run is being worked on elsewhere; ask how it stands").WithRetryAfter(time.Second)
	ErrResolved = hyperlocal.NewError(hyperlocal.CodePrecondition, "reconcile/resolved",
		"the difference has been resolved already")
	ErrOperation = hyperlocal.NewError(hyperlocal.CodePrecondition, "reconcile/operation",
		"the difference cannot be settled with this operation; it must have moved the same amount the same way and be unsettled")
)
