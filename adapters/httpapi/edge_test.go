package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/httpapi"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// failing makes placing an order end in an error, or in whatever else f does.
func failing(f func(ctx context.Context) error) func(*httpapi.Config) {
	return func(c *httpapi.Config) {
		c.BeforePlace = func(ctx context.Context, _ hyperlocal.Principal, _ *order.PlaceCommand) error { return f(ctx) }
	}
}

func TestEveryCodeHasItsStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		status int
		code   hyperlocal.Code
		reason string
		retry  string
	}{
		{hyperlocal.NewError(hyperlocal.CodeInvalid, "x/y", "m"), 422, "invalid", "x/y", ""},
		{hyperlocal.NewError(hyperlocal.CodeNotFound, "x/y", "m"), 404, "not_found", "x/y", ""},
		{hyperlocal.NewError(hyperlocal.CodeAlreadyExists, "x/y", "m"), 409, "already_exists", "x/y", ""},
		{hyperlocal.NewError(hyperlocal.CodeConflict, "x/y", "m").WithRetryAfter(1500 * time.Millisecond), 409, "conflict", "x/y", "2"},
		{hyperlocal.NewError(hyperlocal.CodePrecondition, "x/y", "m"), 409, "precondition", "x/y", ""},
		{hyperlocal.NewError(hyperlocal.CodeUnauthenticated, "x/y", "m"), 401, "unauthenticated", "x/y", ""},
		{hyperlocal.NewError(hyperlocal.CodePermission, "x/y", "m"), 403, "permission", "x/y", ""},
		{hyperlocal.NewError(hyperlocal.CodeExhausted, "x/y", "m"), 409, "exhausted", "x/y", ""},
		{hyperlocal.NewError(hyperlocal.CodeExhausted, "intake/overloaded", "m").WithRetryAfter(time.Second), 429, "exhausted", "intake/overloaded", "1"},
		{hyperlocal.NewError(hyperlocal.CodeExhausted, "host/rate_limited", "m"), 429, "exhausted", "host/rate_limited", ""},
		{hyperlocal.NewError(hyperlocal.CodeUnavailable, "x/y", "m").WithRetryAfter(time.Minute), 503, "unavailable", "x/y", "60"},
		{hyperlocal.NewError(hyperlocal.CodeDeadline, "x/y", "m"), 504, "deadline", "x/y", ""},
		{hyperlocal.NewError(hyperlocal.CodeUnknownOutcome, "x/y", "m"), 504, "unknown_outcome", "x/y", ""},
		{hyperlocal.NewError(hyperlocal.CodeInternal, "x/y", "secret"), 500, "internal", "http/internal", ""},
		{errors.New("secret"), 500, "internal", "http/internal", ""},
		{fmt.Errorf("wrapped: %w", hyperlocal.NewError(hyperlocal.CodeNotFound, "x/y", "m").WithCause(errors.New("secret"))), 404, "not_found", "x/y", ""},
		{hyperlocal.NewError("odd", "x/y", "secret"), 500, "internal", "http/internal", ""},
		{fmt.Errorf("db: %w", context.DeadlineExceeded), 504, "deadline", "http/deadline", ""},
		{hyperlocal.ErrKeyInProgress, 409, "conflict", "idempotency/in_progress", "1"},
	} {
		t.Run(fmt.Sprint(c.reason, c.status), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, failing(func(context.Context) error { return c.err }))
			a := w.post("ann", "/v1/orders", "k", placement("bakery", w.bread[acme], 1))
			a.refused(c.status, c.code, c.reason)
			if strings.Contains(string(a.body), "secret") {
				t.Errorf("internal text leaves: %s", a.body)
			}
			if got := a.header.Get("Retry-After"); got != c.retry {
				t.Errorf("retry after %q, want %q", got, c.retry)
			}
			if got := a.header.Get("WWW-Authenticate"); (got != "") != (c.status == 401) {
				t.Errorf("challenge %q", got)
			}
			if c.status == 500 && c.reason == "http/internal" && !strings.Contains(w.log.String(), "secret") {
				t.Error("the log does not say why")
			}
		})
	}
}

func TestAPanicIsAnswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, failing(func(context.Context) error { panic("secret 4111 1111 1111 1111") }))
	a := w.post("ann", "/v1/orders", "k", placement("bakery", w.bread[acme], 1))
	a.refused(http.StatusInternalServerError, "internal", "http/internal")
	if log := w.log.String(); strings.Contains(string(a.body), "secret") || !strings.Contains(log, "secret") || strings.Contains(log, "4111") {
		t.Errorf("body %s, log %s", a.body, log)
	}
}

func TestARequestEndsInTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, failing(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }),
		func(c *httpapi.Config) { c.Limits.Timeout = 10 * time.Millisecond })
	w.post("ann", "/v1/orders", "k", placement("bakery", w.bread[acme], 1)).
		refused(http.StatusGatewayTimeout, "deadline", "http/deadline")
}

func TestACallerWhoLeavesIsNotAnError(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(t.Context())
	w := newWorld(t, failing(func(ctx context.Context) error { leave(); <-ctx.Done(); return ctx.Err() }))
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/orders", strings.NewReader(fmt.Sprintf(
		`{"merchant":"bakery","currency":"EUR","lines":[{"variant":%q,"quantity":{"value":"1","unit":"piece"}}]}`, w.bread[acme].Variants[0].ID)))
	req.Header.Set("Authorization", "Bearer ann")
	req.Header.Set("Idempotency-Key", "k")
	w.handler.ServeHTTP(httptest.NewRecorder(), req)
	if log := w.log.String(); !strings.Contains(log, `"status":499`) || strings.Contains(log, "ERROR") {
		t.Errorf("log %s", log)
	}
}

func TestOtherSitesRequestNoChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *httpapi.Config) { c.TrustedOrigins = []string{"https://shop.example"} })
	order := request{method: http.MethodPost, path: "/v1/orders", as: "ann", key: "k", body: placement("bakery", w.bread[acme], 1)}
	order.header = map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
	w.do(order).refused(http.StatusForbidden, "permission", "http/cross_origin")
	order.header = map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://shop.example"}
	w.do(order).want(http.StatusCreated)
	w.do(request{method: http.MethodGet, path: "/v1/shops", as: "ann", header: map[string]string{"Sec-Fetch-Site": "cross-site"}}).want(http.StatusOK)
}

func TestTheHostsDefectsAreNotTheCallers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		principal hyperlocal.Principal
		err       error
		status    int
		reason    string
	}{
		"nobody":        {hyperlocal.Principal{}, nil, 401, "http/unauthenticated"},
		"an odd tenant": {hyperlocal.Principal{Tenant: "NO", Actor: hyperlocal.Actor{Kind: "admin", ID: "1"}}, nil, 500, "http/internal"},
		"no actor":      {hyperlocal.Principal{Tenant: "acme"}, nil, 500, "http/internal"},
		"an outage":     {hyperlocal.Principal{}, errors.New("the directory is down"), 500, "http/internal"},
		"a known outage": {hyperlocal.Principal{}, hyperlocal.NewError(hyperlocal.CodeUnavailable, "host/directory", "try later"),
			503, "host/directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(config *httpapi.Config) {
				config.Authenticate = func(*http.Request) (hyperlocal.Principal, error) { return c.principal, c.err }
				config.Challenge = `Bearer realm="acme"`
			})
			var p httpapi.Problem
			a := w.get("", "/v1/shops").want(c.status, &p)
			if p.Reason != c.reason {
				t.Errorf("%+v", p)
			}
			if c.status == 401 && a.header.Get("WWW-Authenticate") != `Bearer realm="acme"` {
				t.Errorf("challenge %q", a.header.Get("WWW-Authenticate"))
			}
		})
	}
}

func TestTheLogKeepsNoSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := edited(w, set("note", "leave it with Mrs. Confidential"))
	body["contact"] = map[string]any{"name": "Ann Confidential", "phone": "+41 79 000 00 00", "email": "ann@confidential.example"}
	var s summary
	w.post("ann", "/v1/orders", "confidential-key", body).want(http.StatusCreated, &s)
	w.get("ann", "/v1/orders/"+s.ID+"?confidential=1")
	w.get("ann", "/v1/shops/confidential")
	w.post("ann", "/v1/orders/"+s.ID+"/pay", "confidential-2", map[string]any{"method": "confidential"})
	log := w.log.String()
	if strings.Contains(strings.ToLower(log), "confidential") || strings.Contains(log, "Bearer") || strings.Contains(log, "79 000") {
		t.Errorf("the log holds a secret: %s", log)
	}
	for _, want := range []string{`"operation":"placeOrder"`, `"route":"/v1/orders"`, `"tenant":"acme"`, `"actor":"shopper"`, `"status":201`, `"request":"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s: %s", want, log)
		}
	}
}

func TestEventsKnowTheRequestThatCausedThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	a := w.do(request{
		method: http.MethodPost, path: "/v1/orders", as: "ann", key: "k", body: placement("bakery", w.bread[acme], 1),
		header: map[string]string{"X-Request-Id": "mine.1", "Traceparent": trace},
	}).want(http.StatusCreated)
	if got := a.header.Get("X-Request-Id"); got != "mine.1" {
		t.Errorf("request id %q", got)
	}
	events, err := w.db.Outbox().Pending(t.Context(), 1000)
	w.must(err)
	found := false
	for _, e := range events {
		if e.Name == "order.placed" {
			found = true
			if e.Correlation != "mine.1" || e.TraceParent != trace {
				t.Errorf("correlation %q, trace %q", e.Correlation, e.TraceParent)
			}
		}
	}
	if !found {
		t.Error("no event")
	}
	for _, odd := range []string{"two words", "line\nbreak", strings.Repeat("x", 65), "é"} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/healthz", nil)
		req.Header["X-Request-Id"] = []string{odd}
		req.Header["Traceparent"] = []string{strings.Replace(trace, "4bf", "4BG", 1)}
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, req)
		if got := rec.Header().Get("X-Request-Id"); got == odd || !hyperlocal.ValidID(got) {
			t.Errorf("request id %q", got)
		}
	}
}

func TestWebhooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	placed := w.place("ann", 1)
	w.post("ann", "/v1/orders/"+placed.ID+"/pay", "k", map[string]any{"method": "ok"}).want(http.StatusOK)
	if len(w.calls) == 0 {
		t.Fatal("the sandbox wants no call made")
	}
	call := w.calls[0]
	send := func(path string, body []byte, header map[string][]string) answer {
		t.Helper()
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(string(body)))
		for name, values := range header {
			req.Header[http.CanonicalHeaderKey(name)] = values
		}
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, req)
		return answer{t: t, status: rec.Code, header: rec.Header(), body: rec.Body.Bytes()}
	}
	path := "/v1/webhooks/" + string(call.Tenant) + "/" + call.Gateway
	before := w.dump()
	send(path, call.Body, nil).refused(http.StatusUnauthorized, "unauthenticated", "payment/webhook_signature")
	send(path, append([]byte(" "), call.Body...), call.Headers).refused(http.StatusUnauthorized, "unauthenticated", "payment/webhook_signature")
	send("/v1/webhooks/acme/nowhere", call.Body, call.Headers).refused(http.StatusNotFound, "not_found", "payment/unknown_gateway")
	send("/v1/webhooks/NO/sandbox", call.Body, call.Headers).refused(http.StatusNotFound, "not_found", "payment/unknown_gateway")
	send(path, make([]byte, 1<<20+1), call.Headers).refused(http.StatusRequestEntityTooLarge, "invalid", "http/body_too_large")
	if got := send("/v1/webhooks/canary-rival/sandbox", call.Body, call.Headers); got.status < 400 {
		t.Errorf("another tenant's door: %d %s", got.status, got.body)
	}
	if w.dump() != before {
		t.Error("a refused webhook has changed something")
	}
	for range 2 { // a provider that repeats itself is told the same
		if got := send(path, call.Body, call.Headers).want(http.StatusNoContent); len(got.body) > 0 {
			t.Errorf("body %s", got.body)
		}
	}
	pending, err := w.payments.PendingWebhooks(t.Context(), acme)
	w.must(err)
	if pending != 1 {
		t.Errorf("%d webhooks are kept", pending)
	}
	header := map[string][]string{"Sec-Fetch-Site": {"cross-site"}}
	for name, values := range call.Headers {
		header[name] = values
	}
	send(path, call.Body, header).want(http.StatusNoContent)
}
