package hyperlocal

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Code says what kind of failure happened, so that a caller can decide what to do
// without reading prose. Adapters map it to their own vocabulary (HTTP status, gRPC code).
type Code string

// The codes. Every error that leaves this module carries exactly one of them.
const (
	// CodeInvalid: the request itself is wrong; repeating it cannot help.
	CodeInvalid Code = "invalid"
	// CodeNotFound: the thing does not exist, or the caller may not know that it does.
	CodeNotFound Code = "not_found"
	// CodeAlreadyExists: a unique name or reference is taken by something else.
	CodeAlreadyExists Code = "already_exists"
	// CodeConflict: somebody else changed the thing, or is at it now; read again and retry.
	CodeConflict Code = "conflict"
	// CodePrecondition: the thing is not in a state that allows the operation.
	CodePrecondition Code = "precondition"
	// CodeUnauthenticated: nobody is known to be asking.
	CodeUnauthenticated Code = "unauthenticated"
	// CodePermission: the caller is known and may not do this.
	CodePermission Code = "permission"
	// CodeExhausted: a bounded thing (stock, points, budget, queue) has not enough left.
	CodeExhausted Code = "exhausted"
	// CodeUnavailable: a dependency does not answer; retry later.
	CodeUnavailable Code = "unavailable"
	// CodeDeadline: the caller's time ran out before anything was decided.
	CodeDeadline Code = "deadline"
	// CodeUnknownOutcome: it may or may not have happened; ask again under the same key.
	CodeUnknownOutcome Code = "unknown_outcome"
	// CodeInternal: a defect or an unexpected failure. Its text never leaves the process.
	CodeInternal Code = "internal"
)

// Error is the one error type of this module. Code and Reason are stable and meant for
// programs, Message is for people and may change. Compare with errors.Is against a
// sentinel of a context package (matched by Reason) or against a Code through IsCode.
//
// An *Error is immutable once it has been returned; the With methods return copies.
type Error struct {
	Code    Code
	Reason  string            // stable slug, "<context>/<what>", such as "inventory/insufficient"
	Message string            // one sentence that says what to do
	Fields  map[string]string // offending inputs by name; values are safe to show to the caller
	// RetryAfter is the least time to wait before a retry makes sense; zero means not stated.
	RetryAfter time.Duration
	Cause      error // never shown to a caller
}

// NewError builds a sentinel or an error without a cause.
func NewError(code Code, reason, message string) *Error {
	return &Error{Code: code, Reason: reason, Message: message}
}

// Error implements error. It includes the cause, so it is for logs, not for callers.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Reason)
	if e.Message != "" {
		b.WriteString(": ")
		b.WriteString(e.Message)
	}
	if len(e.Fields) > 0 {
		b.WriteString(" (")
		for i, k := range slices.Sorted(maps.Keys(e.Fields)) {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "%s=%s", k, e.Fields[k])
		}
		b.WriteString(")")
	}
	if e.Cause != nil {
		b.WriteString(": ")
		b.WriteString(e.Cause.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether target is an *Error with the same reason, so that a sentinel
// matches every decorated copy of itself.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error) //nolint:errorlint // Is is called once per chain link by errors.Is
	return ok && t.Reason == e.Reason
}

// With returns a copy with one more field.
func (e *Error) With(name string, value any) *Error {
	c := *e
	c.Fields = maps.Clone(e.Fields)
	if c.Fields == nil {
		c.Fields = make(map[string]string, 1)
	}
	c.Fields[name] = fmt.Sprint(value)
	return &c
}

// WithMessage returns a copy with another message.
func (e *Error) WithMessage(format string, args ...any) *Error {
	c := *e
	c.Message = fmt.Sprintf(format, args...)
	return &c
}

// WithCause returns a copy with a cause.
func (e *Error) WithCause(err error) *Error {
	c := *e
	c.Cause = err
	return &c
}

// WithRetryAfter returns a copy that tells the caller how long to wait.
func (e *Error) WithRetryAfter(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// Invalid reports a bad input field: code invalid, reason "<context>/invalid_<field>".
func Invalid(context, field, message string) *Error {
	return &Error{Code: CodeInvalid, Reason: context + "/invalid_" + field, Message: message,
		Fields: map[string]string{"field": field}}
}

// CodeOf returns the code of the first *Error in err's chain, "" for nil, and
// CodeInternal for an error that is not one of ours.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// ReasonOf returns the reason of the first *Error in err's chain, or "".
func ReasonOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}

// IsCode reports whether err carries the code.
func IsCode(err error, code Code) bool { return err != nil && CodeOf(err) == code }
