package inventory

import "github.com/hyperlocal-sdk/hyperlocal"

// Errors of this context. Those about one level carry the fields item and location.
var (
	// ErrUnknownItem: no such item at that location. SetItems makes it known.
	ErrUnknownItem = hyperlocal.NewError(hyperlocal.CodeNotFound, "inventory/unknown_item",
		"the item is not kept at this location")
	// ErrInsufficient carries wanted and available, in the item's base unit, and unit.
	ErrInsufficient = hyperlocal.NewError(hyperlocal.CodeExhausted, "inventory/insufficient",
		"there is not enough of the item left")
	// ErrUnitMismatch carries unit, the one in which the item is counted.
	ErrUnitMismatch = hyperlocal.NewError(hyperlocal.CodeInvalid, "inventory/unit_mismatch",
		"the item is counted in another unit")
	// ErrNotTracked: the item's mode is ModeNone, so there is nothing to move.
	ErrNotTracked = hyperlocal.NewError(hyperlocal.CodePrecondition, "inventory/not_tracked",
		"the stock of this item is not tracked; choose another mode first")
	// ErrOutOfRange: a level would leave the range of MaxUnits.
	ErrOutOfRange = hyperlocal.NewError(hyperlocal.CodeInvalid, "inventory/out_of_range",
		"the level would become larger than a level may be")
	// ErrStale carries version, the level's present one.
	ErrStale = hyperlocal.NewError(hyperlocal.CodeConflict, "inventory/stale",
		"the level has changed; read it again")
	// ErrBelowReserved carries needed, the least amount that covers what is promised.
	ErrBelowReserved = hyperlocal.NewError(hyperlocal.CodePrecondition, "inventory/below_reserved",
		"the level would not cover what is reserved; release reservations or allow backorders first")
	// ErrExternalConflict carries references, the ones that were recorded with other content.
	ErrExternalConflict = hyperlocal.NewError(hyperlocal.CodeAlreadyExists, "inventory/external_conflict",
		"an external reference was recorded before with other content")
	// ErrReferenceTaken: another transaction recorded the reference a moment ago.
	ErrReferenceTaken = hyperlocal.NewError(hyperlocal.CodeConflict, "inventory/reference_taken",
		"the reference was recorded a moment ago; try again")
	// ErrContended: a guard in the store refused what was decided in memory, because a
	// level changed in between. Nothing was changed.
	ErrContended = hyperlocal.NewError(hyperlocal.CodeConflict, "inventory/contended",
		"the stock changed under the command; try again")
	// ErrNotConfigured: the service was built without the part that the command needs.
	ErrNotConfigured = hyperlocal.NewError(hyperlocal.CodePrecondition, "inventory/not_configured",
		"the service was built without the part that this needs")
	// ErrTxRequired: Decide and Apply work inside the caller's transaction only.
	ErrTxRequired = hyperlocal.NewError(hyperlocal.CodeInternal, "inventory/tx_required",
		"this must be called inside a transaction")
	errAppliedTwice = hyperlocal.NewError(hyperlocal.CodeInternal, "inventory/applied_twice",
		"a decision is applied once")
)

func invalid(field, message string) *hyperlocal.Error {
	return hyperlocal.NewError(hyperlocal.CodeInvalid, "inventory/invalid_"+field, message).With("field", field)
}

func (k Key) in(e *hyperlocal.Error) *hyperlocal.Error {
	return e.With("item", k.Item).With("location", k.Location)
}
