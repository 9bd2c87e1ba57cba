package community

import "github.com/hyperlocal-sdk/hyperlocal"

// Errors of this context.
var (
	// ErrCircleNotFound is also what outsiders learn of a secret circle.
	ErrCircleNotFound = hyperlocal.NewError(hyperlocal.CodeNotFound, "community/circle_not_found", "there is no such circle")
	ErrMemberNotFound = hyperlocal.NewError(hyperlocal.CodeNotFound, "community/member_not_found",
		"the circle has no such member")
	ErrSlugTaken = hyperlocal.NewError(hyperlocal.CodeAlreadyExists, "community/slug_taken", "another circle has this slug")
	// ErrStale carries the present version in its field "version".
	ErrStale      = hyperlocal.NewError(hyperlocal.CodeConflict, "community/stale", "the circle has changed; read it again")
	ErrNotAllowed = hyperlocal.NewError(hyperlocal.CodePermission, "community/not_allowed",
		"this takes a higher role in the circle")
	ErrBanned    = hyperlocal.NewError(hyperlocal.CodePermission, "community/banned", "the member is banned from the circle")
	ErrLastOwner = hyperlocal.NewError(hyperlocal.CodePrecondition, "community/last_owner",
		"a circle keeps at least one owner; make somebody else an owner first")
	ErrNotRequested = hyperlocal.NewError(hyperlocal.CodePrecondition, "community/not_requested",
		"there is no request to approve")
	ErrNotActive = hyperlocal.NewError(hyperlocal.CodePrecondition, "community/not_active",
		"only an active member has a role")
	ErrNotBanned = hyperlocal.NewError(hyperlocal.CodePrecondition, "community/not_banned", "there is no ban to lift")
)

func invalid(field, message string) *hyperlocal.Error {
	return hyperlocal.Invalid("community", field, message)
}
