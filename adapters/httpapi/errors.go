package httpapi

import "github.com/hyperlocal-sdk/hyperlocal"

// Errors of this edge. Everything else that a caller sees comes from a context.
var (
	// ErrUnauthenticated is what Config.Authenticate returns when nobody is known to be asking.
	ErrUnauthenticated = hyperlocal.NewError(hyperlocal.CodeUnauthenticated, "http/unauthenticated",
		"this needs credentials")
	// ErrScope carries scopes, those of which the caller needs one.
	ErrScope = hyperlocal.NewError(hyperlocal.CodePermission, "http/scope_missing",
		"the caller has none of the scopes that this needs")
	// ErrField carries field: a part of the request that only some callers may set.
	ErrField = hyperlocal.NewError(hyperlocal.CodePermission, "http/field_not_allowed",
		"the caller may not set this field")
	// ErrNotFound: there is nothing here, or the caller may not know that there is.
	ErrNotFound = hyperlocal.NewError(hyperlocal.CodeNotFound, "http/not_found", "there is nothing here")
	// ErrMethod: there is something here, and it does not know the method.
	ErrMethod = hyperlocal.NewError(hyperlocal.CodeInvalid, "http/method_not_allowed",
		"the method is not allowed here")
	// ErrUnreadable: the body is not the one JSON object that it should be.
	ErrUnreadable = hyperlocal.NewError(hyperlocal.CodeInvalid, "http/unreadable_body",
		"the body is one JSON object in UTF-8 without repeated names")
	// ErrContentType: the body is announced as something else than JSON.
	ErrContentType = hyperlocal.NewError(hyperlocal.CodeInvalid, "http/content_type",
		"the body is JSON; say so with Content-Type: application/json")
	// ErrTooLarge carries limit_bytes.
	ErrTooLarge = hyperlocal.NewError(hyperlocal.CodeInvalid, "http/body_too_large", "the body is too large")
	// ErrURL: the address is too long, repeats a parameter or holds control characters.
	ErrURL = hyperlocal.NewError(hyperlocal.CodeInvalid, "http/invalid_url",
		"the address is too long, repeats a parameter or holds control characters")
	// ErrNUL: a text holds the character NUL, which no database keeps.
	ErrNUL = hyperlocal.NewError(hyperlocal.CodeInvalid, "http/nul", "a text holds the character NUL")
	// ErrCardNumber carries field: a text looks like the number of a payment card.
	ErrCardNumber = hyperlocal.NewError(hyperlocal.CodeInvalid, "http/card_number",
		"a text holds what looks like a card number; card numbers are typed into the payment provider's own fields and nowhere else")
	// ErrIfMatch: the header names anything else than one strong entity tag of ours.
	ErrIfMatch = hyperlocal.NewError(hyperlocal.CodeInvalid, "http/invalid_if_match",
		`If-Match names one version, such as "3"`)
	// ErrRequest carries errors: the parts of the request that do not fit the schema.
	ErrRequest = hyperlocal.NewError(hyperlocal.CodeInvalid, "http/invalid_request",
		"the request does not have the form that the API description asks for")
	// ErrCrossOrigin: a browser sends a change on behalf of another site.
	ErrCrossOrigin = hyperlocal.NewError(hyperlocal.CodePermission, "http/cross_origin",
		"a change must not be requested from another site")
	// ErrNotReady: the server starts, stops, or a part of it is down.
	ErrNotReady = hyperlocal.NewError(hyperlocal.CodeUnavailable, "http/not_ready", "the server is not ready")

	errInternal = hyperlocal.NewError(hyperlocal.CodeInternal, "http/internal", "an unexpected error occurred")
	errDeadline = hyperlocal.NewError(hyperlocal.CodeDeadline, "http/deadline",
		"the time for this request ran out; repeat it under the same idempotency key")
	errGone = hyperlocal.NewError(hyperlocal.CodeDeadline, "http/client_gone", "the caller went away")
)
