package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Problem is the body of every refusal: RFC 9457 problem details with members of our own.
// Programs decide by Code and Reason, which are stable; Detail is for people.
type Problem struct {
	Title     string            `doc:"The name of the HTTP status."                                              json:"title"`
	Status    int               `doc:"The HTTP status."                                                          json:"status"`
	Detail    string            `doc:"One sentence for people; it may change."                                   json:"detail,omitempty"`
	Code      hyperlocal.Code   `doc:"What kind of failure it was; stable."                                      json:"code"`
	Reason    string            `doc:"What exactly failed, as context/what; stable."                             json:"reason"`
	Fields    map[string]string `doc:"What the failure is about, such as the current version."                   json:"fields,omitempty"`
	Errors    []Violation       `doc:"The parts of the request that do not fit the schema."                      json:"errors,omitempty"`
	RequestID string            `doc:"The name under which the server's log knows the request."                  json:"request_id"`

	retryAfter time.Duration
	challenge  string
	cause      error
}

// Violation is one part of a request that does not fit the schema.
type Violation struct {
	Location string `doc:"Where, such as body.lines[0].quantity." json:"location"`
	Message  string `doc:"What is wrong."                         json:"message"`
}

// Error implements error.
func (p *Problem) Error() string { return p.Reason + ": " + p.Detail }

// Unwrap returns what was reported, for the log.
func (p *Problem) Unwrap() error { return p.cause }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header {
	h := make(http.Header)
	if p.Status == http.StatusUnauthorized && p.challenge != "" {
		h.Set("WWW-Authenticate", p.challenge)
	}
	if p.retryAfter > 0 {
		// Whole seconds, rounded up: to come back early helps nobody.
		h.Set("Retry-After", strconv.FormatInt(int64((p.retryAfter+time.Second-1)/time.Second), 10))
	}
	return h
}

// statusOf maps a code to a status. The exceptions are in statusOfReason.
//
// An unknown outcome is a 504 like a deadline, because that is what generic clients repeat,
// and under the same idempotency key repeating is right; Code tells the two apart.
func statusOf(code hyperlocal.Code) int {
	switch code {
	case hyperlocal.CodeInvalid:
		return http.StatusUnprocessableEntity
	case hyperlocal.CodeNotFound:
		return http.StatusNotFound
	case hyperlocal.CodeAlreadyExists, hyperlocal.CodeConflict, hyperlocal.CodePrecondition, hyperlocal.CodeExhausted:
		return http.StatusConflict
	case hyperlocal.CodeUnauthenticated:
		return http.StatusUnauthorized
	case hyperlocal.CodePermission:
		return http.StatusForbidden
	case hyperlocal.CodeUnavailable:
		return http.StatusServiceUnavailable
	case hyperlocal.CodeDeadline, hyperlocal.CodeUnknownOutcome:
		return http.StatusGatewayTimeout
	case hyperlocal.CodeInternal:
	}
	return http.StatusInternalServerError
}

// statusClientGone is what the log says when nobody is left to be answered.
const statusClientGone = 499

// statusOfReason is for reasons that HTTP has a word of its own for.
func statusOfReason(reason string) (int, bool) {
	switch reason {
	case ErrUnreadable.Reason, ErrURL.Reason, ErrIfMatch.Reason, "page/invalid_cursor", "page/invalid_limit",
		hyperlocal.ErrKeyRequired.Reason, "idempotency/invalid_key", "payment/webhook_malformed":
		return http.StatusBadRequest, true
	case ErrContentType.Reason:
		return http.StatusUnsupportedMediaType, true
	case ErrTooLarge.Reason, "payment/webhook_too_large":
		return http.StatusRequestEntityTooLarge, true
	case ErrMethod.Reason:
		return http.StatusMethodNotAllowed, true
	case errGone.Reason:
		return statusClientGone, true
	}
	_, what, _ := strings.Cut(reason, "/")
	switch what {
	case "rate_limited", "overloaded", "too_many_requests":
		return http.StatusTooManyRequests, true
	}
	return 0, false
}

// problem turns any error into what the caller may see of it.
func (a *api) problem(ctx context.Context, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	e, ok := errors.AsType[*hyperlocal.Error](err)
	switch {
	case errors.Is(err, context.Canceled) && errors.Is(ctx.Err(), context.Canceled):
		e = errGone
	case (!ok || e.Code == hyperlocal.CodeInternal) && errors.Is(err, context.DeadlineExceeded):
		e = errDeadline
	case !ok || statusOf(e.Code) == http.StatusInternalServerError: // also a code that nobody knows
		e = errInternal
	}
	status, ok := statusOfReason(e.Reason)
	if !ok {
		status = statusOf(e.Code)
	}
	return &Problem{
		Title: title(status), Status: status, Detail: e.Message, Code: e.Code, Reason: e.Reason, Fields: e.Fields,
		RequestID: entryFrom(ctx).id, retryAfter: e.RetryAfter, challenge: a.challenge, cause: err,
	}
}

func title(status int) string {
	if status == statusClientGone {
		return "Client Closed Request"
	}
	return http.StatusText(status)
}

// refuse writes a problem where the framework has no say.
func (a *api) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := a.problem(r.Context(), err)
	entryFrom(r.Context()).fail(p)
	h := w.Header()
	for name, values := range p.GetHeaders() {
		h[name] = values
	}
	h.Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) //nolint:errchkjson // a caller who left is not told anything
}

// transform is for the framework: it puts what the framework reports by itself into our form.
func (a *api) transform(hctx huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	e := ErrRequest
	switch m.Status {
	case http.StatusUnprocessableEntity:
	case http.StatusBadRequest:
		e = ErrUnreadable
	case http.StatusUnsupportedMediaType:
		e = ErrContentType
	case http.StatusRequestEntityTooLarge:
		e = ErrTooLarge
	default:
		e = errInternal
	}
	p := a.problem(hctx.Context(), e)
	p.Status, p.Title = m.Status, title(m.Status) // the framework has sent it already
	for _, d := range m.Errors {
		if d == nil || e == errInternal {
			p.cause = errors.Join(p.cause, d)
			continue
		}
		// Never the value: it is the caller's, and may be anybody's personal data.
		p.Errors = append(p.Errors, Violation{Location: d.Location, Message: shorten(d.Message)})
	}
	entryFrom(hctx.Context()).fail(p)
	return p, nil
}

// maxMessage bounds how much of a validator's sentence is passed on.
const maxMessage = 300

func shorten(text string) string {
	if len(text) > maxMessage {
		return strings.ToValidUTF8(text[:maxMessage], "")
	}
	return text
}
