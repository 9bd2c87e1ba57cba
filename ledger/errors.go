package ledger

import "github.com/hyperlocal-sdk/hyperlocal"

// Errors of this context. Bad input has code invalid and a reason "ledger/invalid_<field>".
var (
	ErrNotFound = hyperlocal.NewError(hyperlocal.CodeNotFound, "ledger/not_found",
		"there is no posting with this reference")
	ErrUnbalanced = hyperlocal.NewError(hyperlocal.CodeInvalid, "ledger/unbalanced",
		"the entries of a posting sum to zero for each asset")
	ErrOverflow = hyperlocal.NewError(hyperlocal.CodeInvalid, "ledger/overflow",
		"the sum of these amounts does not fit into 64 bits")
	// ErrReferenceConflict: the reference belongs to a posting with other content.
	ErrReferenceConflict = hyperlocal.NewError(hyperlocal.CodeAlreadyExists, "ledger/reference_conflict",
		"this reference belongs to a posting with other content; choose a new one")
	// ErrReversesUnknown: a posting claims to correct one that does not exist.
	ErrReversesUnknown = hyperlocal.NewError(hyperlocal.CodeNotFound, "ledger/reverses_unknown",
		"the posting that this one corrects does not exist")
	// ErrInsufficient: a bounded account would fall below its minimum.
	ErrInsufficient = hyperlocal.NewError(hyperlocal.CodeExhausted, "ledger/insufficient",
		"the account has not enough left")
)
