package stripe

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// ErrNoAnswer: Stripe may have processed the request, and gave no answer that can be used.
var ErrNoAnswer = hyperlocal.NewError(hyperlocal.CodeUnknownOutcome, "stripe/no_answer",
	"Stripe gave no usable answer and may have processed the request; look it up")

// ErrMismatch: Stripe's answer is about something else than what was asked for.
var ErrMismatch = hyperlocal.NewError(hyperlocal.CodeUnknownOutcome, "stripe/mismatch",
	"Stripe's answer does not belong to the request; compare the payment in the dashboard with ours")

// ErrTooMany: a lookup would have to read more payments than MaxPages allows.
var ErrTooMany = hyperlocal.NewError(hyperlocal.CodeExhausted, "stripe/too_many_payments",
	"there are too many payments since the operation began to look through; raise Config.MaxPages or decide by hand")

// ErrClock: our clock and Stripe's are so far apart that a lookup by time proves nothing.
var ErrClock = hyperlocal.NewError(hyperlocal.CodePrecondition, "stripe/clock",
	"this machine's clock and Stripe's differ by more than five minutes; set the clock")

// answer is an HTTP answer that was read to its end.
type answer struct {
	status     int
	body       []byte
	retryAfter time.Duration
	date       time.Time // Stripe's clock; zero if it was not told
}

// post sends a form under an idempotency key.
func (g *Gateway) post(ctx context.Context, a Account, path, key string, form url.Values) (*answer, error) {
	return g.do(ctx, a, http.MethodPost, path, key, form)
}

func (g *Gateway) get(ctx context.Context, a Account, path string, query url.Values) (*answer, error) {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return g.do(ctx, a, http.MethodGet, path, "", nil)
}

// do makes one request. Its errors wrap payment.ErrNotSent or ErrNoAnswer. The transport may
// send a POST again when a connection that it has kept turns out to be dead; that is under the
// same key.
func (g *Gateway) do(ctx context.Context, a Account, method, path, key string, form url.Values) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, g.base+path, body)
	if err != nil {
		return nil, payment.ErrNotSent.WithCause(err)
	}
	req.Header.Set("Authorization", "Bearer "+a.SecretKey)
	req.Header.Set("Stripe-Version", APIVersion)
	req.Header.Set("User-Agent", "hyperlocal")
	req.Header.Set("Accept", "application/json")
	if a.Connected != "" {
		req.Header.Set("Stripe-Account", a.Connected)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := g.client.Do(req)
	if err != nil {
		if !connected.Load() && neverConnected(err) {
			return nil, payment.ErrNotSent.WithCause(err)
		}
		return nil, ErrNoAnswer.WithCause(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, g.maxAnswer+1))
	switch {
	case err != nil:
		return nil, ErrNoAnswer.WithCause(err)
	case int64(len(text)) > g.maxAnswer:
		return nil, ErrNoAnswer.WithMessage("Stripe's answer is longer than Config.MaxAnswer; look the request up").
			With("status", resp.StatusCode)
	}
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		date = time.Time{}
	}
	return &answer{status: resp.StatusCode, body: text, retryAfter: g.wait(resp.Header.Get("Retry-After")), date: date}, nil
}

// neverConnected tells from the error alone, for transports that do not report connections.
// Both have to say so: a transport of the host's may have tried more than once.
func neverConnected(err error) bool {
	dial, ok := errors.AsType[*net.OpError](err)
	return ok && dial.Op == "dial"
}

// wait reads a Retry-After header: seconds or a date.
func (g *Gateway) wait(header string) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, payment.MaxRetryAfter)
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(at.Sub(g.clock.Now()), 0), payment.MaxRetryAfter)
	}
	return 0
}

// read decodes an answer into one of Stripe's objects. problem is set if the answer is an
// error that Stripe itself gave; any other answer that cannot be used is ErrNoAnswer.
func read(a *answer, into any) (*problem, error) {
	if a.status == http.StatusOK {
		if err := json.Unmarshal(a.body, into); err != nil {
			return nil, ErrNoAnswer.WithMessage("Stripe's answer cannot be read; look the request up").With("status", a.status)
		}
		return nil, nil
	}
	var wrapped struct {
		Error *problem `json:"error"`
	}
	if a.status < http.StatusBadRequest || json.Unmarshal(a.body, &wrapped) != nil || wrapped.Error == nil || wrapped.Error.Type == "" {
		return nil, ErrNoAnswer.With("status", a.status)
	}
	return wrapped.Error, nil
}
