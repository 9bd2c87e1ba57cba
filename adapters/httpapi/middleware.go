package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"github.com/hyperlocal-sdk/hyperlocal"
)

const headerRequestID = "X-Request-Id"

// entry is what the access log will say about a request. It holds no address, no query, no
// name of a person and no credentials.
type entry struct {
	id        string
	operation string
	route     string
	tenant    string
	actor     string // kind
	problem   *Problem
}

type entryKey struct{}

func entryFrom(ctx context.Context) *entry {
	if e, ok := ctx.Value(entryKey{}).(*entry); ok {
		return e
	}
	return &entry{}
}

// requestContext carries what belongs to one request, in place of a context for each thing.
type requestContext struct {
	context.Context //nolint:containedctx // it is one

	entry entry
	route *chi.Context
}

// Value implements context.Context.
func (c *requestContext) Value(key any) any {
	switch key {
	case entryKey{}:
		return &c.entry
	case chi.RouteCtxKey: // the router makes a copy of the request to add its own
		return c.route
	}
	return c.Context.Value(key)
}

func (e *entry) fail(p *Problem) { e.problem = p }

// around puts what holds for every request around the router, outermost first: log, panics,
// headers, origin, address, time.
func (a *api) around(router chi.Router, origins *http.CrossOriginProtection) http.Handler {
	router.NotFound(func(w http.ResponseWriter, r *http.Request) { a.refuse(w, r, ErrNotFound) })
	router.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		for _, m := range []string{http.MethodGet, http.MethodPost} {
			if router.Match(chi.NewRouteContext(), m, r.URL.Path) {
				w.Header().Add("Allow", m)
				if m == http.MethodGet {
					w.Header().Add("Allow", http.MethodHead)
				}
			}
		}
		a.refuse(w, r, ErrMethod)
	})
	routes := sync.Pool{New: func() any { return chi.NewRouteContext() }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := hyperlocal.Stopwatch()
		route, _ := routes.Get().(*chi.Context)
		defer routes.Put(route)
		route.Reset()
		route.RouteMethod = r.Method
		if r.Method == http.MethodHead { // it asks for the headers of a GET; the server leaves the body out
			route.RouteMethod = http.MethodGet
		}
		request := &requestContext{Context: r.Context(), entry: entry{id: a.requestID(r), route: "unmatched"}, route: route}
		e := &request.entry
		ctx := hyperlocal.ContextWithCause(request, hyperlocal.Cause{Correlation: e.id, TraceParent: traceParent(r)})
		out := &response{ResponseWriter: w}
		defer func() {
			v := recover()
			if v == http.ErrAbortHandler { //nolint:errorlint,err113 // net/http compares it so
				panic(v)
			}
			if v != nil {
				a.crashed(out, r.WithContext(ctx), e, v)
			}
			a.log(r.Context(), e, r.Method, out, hyperlocal.Since(began))
		}()
		headers(out.Header(), e.id)
		timed, cancel := context.WithTimeout(ctx, a.Limits.Timeout)
		defer cancel()
		r = r.WithContext(timed)
		switch {
		case origins.Check(r) != nil && !isWebhook(r.URL.Path):
			a.refuse(out, r, ErrCrossOrigin)
		case !a.readable(r.URL):
			a.refuse(out, r, ErrURL)
		default:
			router.ServeHTTP(out, r)
		}
	})
}

// headers are safe for everything that we serve; the documentation page loosens one.
func headers(h http.Header, id string) {
	h[headerRequestID] = []string{id}
	h["X-Content-Type-Options"] = headerNoSniff
	h["Content-Security-Policy"] = headerPolicy
	h["Cross-Origin-Resource-Policy"] = headerSameOrigin
	h["Referrer-Policy"] = headerNoReferrer
	h["Cache-Control"] = headerNoStore
}

// What every request pays for is made once. Nobody appends to these in place: they are as long
// as their arrays.
var (
	headerNoSniff    = []string{"nosniff"}
	headerPolicy     = []string{"default-src 'none'; frame-ancestors 'none'"}
	headerSameOrigin = []string{"same-origin"}
	headerNoReferrer = []string{"no-referrer"}
	headerNoStore    = []string{"no-store"}
)

// maxRequestID bounds the names that callers give to their requests.
const maxRequestID = 64

// requestID takes the caller's name for the request if it is short and plain, else makes one.
func (a *api) requestID(r *http.Request) string {
	id := r.Header.Get(headerRequestID)
	if id == "" || len(id) > maxRequestID || holdsCardNumber(id) && !hyperlocal.ValidID(id) {
		return a.IDs.NewID()
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return a.IDs.NewID()
		}
	}
	return id
}

// traceParent returns the W3C trace context of a request if it has the form of version 00.
func traceParent(r *http.Request) string {
	t := r.Header.Get("Traceparent")
	if len(t) != 55 || t[:3] != "00-" || t[35] != '-' || t[52] != '-' {
		return ""
	}
	for i, c := range []byte(t) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && i != 2 && i != 35 && i != 52 {
			return ""
		}
	}
	return t
}

// readable refuses an address that is long, repeats a parameter or hides control characters.
func (a *api) readable(u *url.URL) bool {
	if len(u.Path)+len(u.RawQuery) > a.Limits.URL || !plain(u.Path) {
		return false
	}
	if u.RawQuery == "" {
		return true
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return false
	}
	for name, all := range values {
		if len(all) > 1 || !plain(name) || !plain(all[0]) {
			return false
		}
	}
	return true
}

func plain(text string) bool {
	for i := range len(text) {
		if text[i] < 0x20 || text[i] == 0x7f {
			return false
		}
	}
	return utf8.ValidString(text)
}

// crashed answers a request whose handler panicked.
func (a *api) crashed(w *response, r *http.Request, e *entry, v any) {
	a.Logger.LogAttrs(r.Context(), slog.LevelError, "panic", slog.String("request", e.id),
		slog.String("operation", e.operation), slog.String("panic", masked(fmt.Sprint(v))), slog.String("stack", string(debug.Stack())))
	if !w.wrote {
		a.refuse(w, r, errInternal)
	}
}

// log writes the line of a request. Only what nobody else may see says why.
func (a *api) log(ctx context.Context, e *entry, method string, w *response, took time.Duration) {
	level := slog.LevelInfo
	failed := e.problem != nil && e.problem.Status >= http.StatusInternalServerError && e.problem.cause != nil
	if failed {
		level = slog.LevelError
	}
	if !a.Logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("request", e.id), slog.String("method", method), slog.String("route", e.route),
		slog.String("operation", e.operation), slog.Int("status", w.status()), slog.Int64("bytes", w.bytes),
		slog.Duration("took", took), slog.String("tenant", e.tenant), slog.String("actor", e.actor),
	}
	if p := e.problem; p != nil {
		attrs = append(attrs, slog.String("reason", p.Reason))
		if failed {
			attrs = append(attrs, slog.String("error", masked(p.cause.Error())))
		}
	}
	a.Logger.LogAttrs(ctx, level, "request", attrs...)
}

// response remembers what was sent.
type response struct {
	http.ResponseWriter
	code  int
	bytes int64
	wrote bool
}

func (w *response) status() int {
	if w.code == 0 {
		return http.StatusOK
	}
	return w.code
}

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(code int) {
	if !w.wrote {
		w.code, w.wrote = code, code >= http.StatusOK
	}
	w.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (w *response) Write(b []byte) (int, error) {
	w.wrote = true
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// SetReadDeadline does nothing: the framework would set one for the body, which the gate has
// read by then, and a read deadline that passes while a handler works cancels its context.
func (w *response) SetReadDeadline(time.Time) error { return nil }
