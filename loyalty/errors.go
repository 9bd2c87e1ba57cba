package loyalty

import "github.com/hyperlocal-sdk/hyperlocal"

// Errors of this context. Bad input has code invalid and a reason "loyalty/invalid_<field>".
var (
	// ErrInsufficient: the member has fewer points to spend.
	ErrInsufficient = hyperlocal.NewError(hyperlocal.CodeExhausted, "loyalty/insufficient",
		"the member has not enough points to spend")
	// ErrNotYours: an order spends the points of somebody who is not its customer.
	ErrNotYours = hyperlocal.NewError(hyperlocal.CodePermission, "loyalty/not_yours",
		"an order spends the points of its own customer only")
	// ErrSpendingNotFound: nothing was spent under this reference.
	ErrSpendingNotFound = hyperlocal.NewError(hyperlocal.CodeNotFound, "loyalty/spending_not_found",
		"nothing was spent under this reference")
	// ErrSpendingConflict: the reference belongs to a spending with other content.
	ErrSpendingConflict = hyperlocal.NewError(hyperlocal.CodeAlreadyExists, "loyalty/spending_conflict",
		"this reference belongs to another spending; choose a new one")
	// ErrSourceConflict: the source earned points for somebody else.
	ErrSourceConflict = hyperlocal.NewError(hyperlocal.CodeAlreadyExists, "loyalty/source_conflict",
		"this source has earned points for another member")
	// ErrUnbounded: the journal does not keep members' accounts from falling below zero.
	ErrUnbounded = hyperlocal.NewError(hyperlocal.CodeInvalid, "loyalty/unbounded_accounts",
		"the ledger has no bound for points accounts; keep ledger.DefaultBounds among its rules")

	errLotStays = hyperlocal.NewError(hyperlocal.CodeInternal, "loyalty/lot_stays",
		"the lot has lapsed and cannot be emptied; compare the member's lots with the ledger")
	errLotMissing = hyperlocal.NewError(hyperlocal.CodeInternal, "loyalty/lot_missing", "a lot that was used has vanished")
)
