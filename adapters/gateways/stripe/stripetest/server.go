package stripetest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Fault is something that goes wrong with one request.
type Fault string

// The faults. Those that end in before happen before the request is processed, the others after it.
const (
	None        Fault = ""
	HangBefore  Fault = "hang_before"  // nothing is answered until the caller leaves
	HangAfter   Fault = "hang_after"   // the same, and the request was processed
	ErrorBefore Fault = "error_before" // status 500, kept under the key
	ErrorAfter  Fault = "error_after"  // the same, and the request was processed
	ResetAfter  Fault = "reset_after"  // the connection breaks in the middle of the answer
	HTMLAfter   Fault = "html_after"   // status 200 and a page of somebody in between
	LongAfter   Fault = "long_after"   // an answer without end
	Redirect    Fault = "redirect"     // to somewhere else; nothing is processed
	Limited     Fault = "limited"      // status 429, every time
	Unavailable Fault = "unavailable"  // status 503 and a page, nothing is processed
	Unheard     Fault = "unheard"      // status 401, as for a revoked key
)

// Config says what the double is like. The zero value is a test account.
type Config struct {
	Key       string           // the API key; "" means TestKey
	Secret    string           // of webhooks; "" means TestSecret
	Live      bool             // what objects say of themselves
	Connected []string         // accounts that the key may act for
	Now       func() time.Time // nil: the system's clock
}

// What a Config means by default.
const (
	TestKey    = "sk_test_stripetest0123456789"
	TestSecret = "whsec_stripetest0123456789abcdef"
)

// Request is a request that came in.
type Request struct {
	Method, Path string
	Kind         string // create, capture, cancel, refund, get, list
	Account      string
	Key          string // Idempotency-Key
	Form         url.Values
	Header       http.Header
	PayMethod    string // the payment method of the intent that it is about
	N            int    // how often the key has come, this time included
}

// Move is money that moved, was held or was let go.
type Move struct {
	Account  string
	Kind     string // charge, authorize, capture, void, refund
	Intent   string // the PaymentIntent
	Amount   int64
	Currency string
	Metadata map[string]string // of the intent, or of the refund
}

// Server is the double. It is safe for concurrent use.
type Server struct {
	URL string

	c      Config
	http   *httptest.Server
	closed chan struct{}

	mu       sync.Mutex
	script   func(Request) Fault
	deliver  func(Event)
	onHang   func(Request)
	n        int
	intents  []*Intent
	refunds  []*Refund
	saved    map[string]*saved
	times    map[string]int
	requests []Request
	moves    []Move
	events   []Event
}

type saved struct {
	mark   string
	status int
	body   []byte
	done   bool
}

// Start starts a double that ends with the test.
func Start(tb testing.TB, c Config) *Server {
	tb.Helper()
	if c.Key == "" {
		c.Key = TestKey
	}
	if c.Secret == "" {
		c.Secret = TestSecret
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Server{c: c, closed: make(chan struct{}), saved: map[string]*saved{}, times: map[string]int{}, script: byMethod}
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	s.URL = s.http.URL
	tb.Cleanup(func() {
		close(s.closed)
		s.http.Close()
	})
	return s
}

// Script replaces the rule by which faults strike; nil means by the payment method.
func (s *Server) Script(rule func(Request) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rule == nil {
		rule = byMethod
	}
	s.script = rule
}

// Deliver has a function called with every event, from within the request that causes it.
func (s *Server) Deliver(to func(Event)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deliver = to
}

// OnHang has a function called when a request begins to hang, so that a test can leave at once
// instead of waiting for its patience to end.
func (s *Server) OnHang(to func(Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onHang = to
}

// byMethod strikes the first request of the kind that the method names.
func byMethod(r Request) Fault {
	rest, ok := strings.CutPrefix(r.PayMethod, "pm_fault_")
	kind, fault, _ := strings.Cut(rest, "_")
	if !ok || kind != r.Kind || r.N > 1 && Fault(fault) != Limited {
		return None
	}
	return Fault(fault)
}

// Moves returns what really moved, in order.
func (s *Server) Moves() []Move {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.moves)
}

// Requests returns what came in, in order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Find returns the newest intent whose metadata has the value, or a zero one.
func (s *Server) Find(name, value string) Intent {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, in := range slices.Backward(s.intents) {
		if in.Metadata[name] == value {
			return *in
		}
	}
	return Intent{}
}

// Tamper changes an intent as no request could, so that answers about it are wrong.
func (s *Server) Tamper(id string, change func(*Intent)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, in := range s.intents {
		if in.ID == id {
			change(in)
		}
	}
}

// Clutter adds payments that somebody else has made in the account, at the given time.
func (s *Server) Clutter(n int, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.intents = append(s.intents, &Intent{ID: s.id("pi"), Amount: 100, Currency: "gbp", Status: "succeeded",
			CaptureMethod: "automatic", Created: at.Unix()})
	}
	slices.SortStableFunc(s.intents, func(a, b *Intent) int { return int(a.Created - b.Created) })
}

func (s *Server) id(prefix string) string {
	s.n++
	return fmt.Sprintf("%s_3double%06dXyz", prefix, s.n)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	w.Header().Set("Date", s.c.Now().UTC().Format(http.TimeFormat))
	req := Request{Method: r.Method, Path: r.URL.Path, Kind: kindOf(r), Account: r.Header.Get("Stripe-Account"),
		Key: r.Header.Get("Idempotency-Key"), Form: r.Form, Header: r.Header.Clone()}
	s.mu.Lock()
	slot := req.Account + "\x00" + req.Key
	if req.Key == "" {
		slot = ""
	}
	s.times[slot]++
	req.N = s.times[slot]
	req.PayMethod = s.payMethod(r)
	s.requests = append(s.requests, req)
	fault := s.script(req)
	s.mu.Unlock()

	switch fault {
	case HangBefore:
		s.hang(r, req)
		return
	case Limited:
		w.Header().Set("Retry-After", "7")
		reply(w, http.StatusTooManyRequests, fail("invalid_request_error", "rate_limit", "Too many requests."))
		return
	case Unavailable:
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, "<html>upstream</html>")
		return
	case Unheard:
		reply(w, http.StatusUnauthorized, fail("invalid_request_error", "api_key_expired", "Expired API key."))
		return
	case Redirect:
		http.Redirect(w, r, s.URL+"/elsewhere", http.StatusTemporaryRedirect)
		return
	}
	if status, body := s.refuse(r, req); status != 0 {
		reply(w, status, body)
		return
	}
	status, body := s.process(r, req, slot, fault)
	switch fault {
	case HangAfter:
		s.hang(r, req)
	case ResetAfter:
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(status)
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush() // else nothing arrives, and the caller's transport sends again
		panic(http.ErrAbortHandler)
	case HTMLAfter:
		fmt.Fprint(w, "<html>please log in to the network</html>")
	case LongAfter:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"id":"`)
		for range 1 << 14 {
			fmt.Fprint(w, strings.Repeat("x", 1024))
		}
	default:
		reply(w, status, body)
	}
}

func reply(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func (s *Server) hang(r *http.Request, req Request) {
	s.mu.Lock()
	notify := s.onHang
	s.mu.Unlock()
	if notify != nil {
		notify(req)
	}
	select {
	case <-r.Context().Done():
	case <-s.closed:
	}
}

// refuse checks what every request needs.
func (s *Server) refuse(r *http.Request, req Request) (int, []byte) {
	switch {
	case r.Header.Get("Authorization") != "Bearer "+s.c.Key:
		return http.StatusUnauthorized, fail("invalid_request_error", "", "Invalid API Key provided.")
	case r.Header.Get("Stripe-Version") == "":
		return http.StatusBadRequest, fail("invalid_request_error", "", "the double wants a pinned version")
	case req.Account != "" && !slices.Contains(s.c.Connected, req.Account):
		return http.StatusForbidden, fail("invalid_request_error", "account_invalid", "The provided key does not have access to the account.")
	case r.Method == http.MethodPost && (req.Key == "" || len(req.Key) > 255):
		return http.StatusBadRequest, fail("invalid_request_error", "", "the double wants an idempotency key of at most 255 characters")
	}
	return 0, nil
}

// process answers a request, a POST once per key.
func (s *Server) process(r *http.Request, req Request, slot string, fault Fault) (int, []byte) {
	if r.Method != http.MethodPost {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.route(req)
	}
	mark := r.URL.Path + "?" + r.PostForm.Encode()
	s.mu.Lock()
	if was := s.saved[slot]; was != nil {
		defer s.mu.Unlock()
		switch {
		case !was.done:
			return http.StatusConflict, fail("idempotency_error", "idempotency_key_in_use", "There is currently another in-progress request using this key.")
		case was.mark != mark:
			return http.StatusBadRequest, fail("idempotency_error", "", "Keys for idempotent requests can only be used with the same parameters.")
		}
		return was.status, was.body
	}
	mine := &saved{mark: mark}
	s.saved[slot] = mine
	first := len(s.events)
	if fault == ErrorBefore {
		mine.status, mine.body = http.StatusInternalServerError, fail("api_error", "", "Something went wrong.")
	} else {
		mine.status, mine.body = s.route(req)
	}
	if fault == ErrorAfter {
		mine.status, mine.body = http.StatusInternalServerError, fail("api_error", "", "Something went wrong.")
	}
	if mine.status == http.StatusBadRequest || mine.status == http.StatusNotFound {
		delete(s.saved, slot) // what fails validation was not begun
	}
	mine.done = true
	status, body := mine.status, mine.body
	events, deliver := slices.Clone(s.events[first:]), s.deliver
	s.mu.Unlock()
	for _, e := range events {
		if deliver != nil {
			deliver(e)
		}
	}
	return status, body
}

func kindOf(r *http.Request) string {
	switch {
	case r.Method == http.MethodGet && (r.URL.Path == "/v1/payment_intents" || r.URL.Path == "/v1/refunds"):
		return "list"
	case r.Method == http.MethodGet:
		return "get"
	case strings.HasSuffix(r.URL.Path, "/capture"):
		return "capture"
	case strings.HasSuffix(r.URL.Path, "/cancel"):
		return "cancel"
	case r.URL.Path == "/v1/refunds":
		return "refund"
	}
	return "create"
}
