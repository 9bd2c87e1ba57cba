package app

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/httpapi"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/storetest/dbtest"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }

// lockedBuffer is a log that several goroutines write.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// served is an App that runs.
type served struct {
	*App
	t    *testing.T
	log  *lockedBuffer
	stop func()
	done chan error // what Run returned
}

// serve runs an App whose handler is preceded by around, if that is not nil.
func serve(t *testing.T, c Config, around func(next http.Handler) http.Handler) *served {
	t.Helper()
	s := &served{t: t, log: &lockedBuffer{}, done: make(chan error, 1)}
	c.Addr, c.Logger = "127.0.0.1:0", slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	a, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	s.App = a
	if around != nil {
		a.server.Handler = a.counted(around(a.server.Handler))
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	s.stop = cancel
	started := make(chan struct{})
	go func() { s.done <- a.Run(ctx, func() { close(started) }) }()
	select {
	case <-started:
	case err := <-s.done:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = a.Close()
	})
	return s
}

// ended waits for the end of Run.
func (s *served) ended() error {
	s.t.Helper()
	select {
	case err := <-s.done:
		return err
	case <-time.After(20 * time.Second):
		s.t.Fatal("the server does not stop")
		return nil
	}
}

// get asks on a connection of its own.
func (s *served) get(path string) (status int, err error) {
	req, err := http.NewRequestWithContext(context.WithoutCancel(s.t.Context()), http.MethodGet, "http://"+s.Addr()+path, http.NoBody)
	if err != nil {
		return 0, err
	}
	req.Close = true
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// TestReadinessFailsFirst: between the signal and the closed port requests are served, and
// whoever balances the load is told to send no more.
func TestReadinessFailsFirst(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{DrainDelay: 2 * time.Second}, nil)
	if status, err := s.get("/readyz"); status != http.StatusOK {
		t.Fatalf("ready: %d, %v", status, err)
	}
	s.stop()
	refused := false
	for began := hyperlocal.Stopwatch(); !refused && hyperlocal.Since(began) < time.Second; {
		status, err := s.get("/readyz")
		if err != nil {
			t.Fatalf("the port closed before readiness failed: %v", err)
		}
		refused = status == http.StatusServiceUnavailable
	}
	status, err := s.get("/healthz")
	if !refused || status != http.StatusOK {
		t.Errorf("not ready: %t; alive: %d, %v", refused, status, err)
	}
	if err := s.ended(); err != nil {
		t.Error(err)
	}
	if _, err := s.get("/readyz"); err == nil {
		t.Error("the port is open after the end")
	}
}

// TestSlowRequestIsAnswered: a request may wait for a gateway for as long as the gateway may take.
func TestSlowRequestIsAnswered(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{}, 1)
	s := serve(t, Config{GatewayTimeout: time.Second}, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			entered <- struct{}{}
			time.Sleep(1500 * time.Millisecond)
			w.WriteHeader(http.StatusOK)
		})
	})
	answer := make(chan int, 1)
	go func() {
		status, _ := s.get("/")
		answer <- status
	}()
	<-entered
	s.stop()
	if status := <-answer; status != http.StatusOK {
		t.Errorf("the request was cut off: %d", status)
	}
	if err := s.ended(); err != nil || s.log.String() != "" {
		t.Errorf("%v, %s", err, s.log)
	}
}

// TestRequestBeyondTheDrainIsCutOff: Run does not return, so the database is not closed, before
// the handler has; and that is worth a warning, not a failure.
func TestRequestBeyondTheDrainIsCutOff(t *testing.T) {
	t.Parallel()
	entered, left := make(chan struct{}, 1), make(chan error, 1)
	var s *served
	s = serve(t, Config{GatewayTimeout: time.Millisecond}, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			entered <- struct{}{}
			<-r.Context().Done()
			time.Sleep(200 * time.Millisecond) // such as a commit that is under way
			left <- s.DB.Ping(context.WithoutCancel(r.Context()))
		})
	})
	go func() { _, _ = s.get("/") }()
	<-entered
	s.stop()
	if err := s.ended(); err != nil {
		t.Errorf("Run failed: %v", err)
	}
	select {
	case err := <-left:
		if err != nil {
			t.Errorf("the handler had no database: %v", err)
		}
	default:
		t.Error("Run returned beneath a handler")
	}
	if !strings.Contains(s.log.String(), "cut off") {
		t.Errorf("nobody is told: %q", s.log)
	}
}

func TestTimesFit(t *testing.T) {
	t.Parallel()
	request := httpapi.DefaultLimits().Timeout
	s := serve(t, Config{}, nil)
	if got := s.server.WriteTimeout; got < request+5*time.Second {
		t.Errorf("a connection is closed after %s, a request may take %s and wants to say that it took too long", got, request)
	}
	for _, d := range []time.Duration{request, -time.Second} {
		if a, err := New(t.Context(), Config{GatewayTimeout: d}); err == nil {
			t.Errorf("a gateway timeout of %s is accepted", d)
			_ = a.Close()
		}
	}
}

// stores are DSNs of new databases.
func stores(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{
		"memory": Memory, "sqlite memory": "sqlite::memory:", "sqlite": "sqlite:" + filepath.Join(t.TempDir(), "a.db"),
		"postgres": dbtest.Postgres(t),
	}
}

// TestPrune: what is old is forgotten, what is young is not, and the printed keys stay.
func TestPrune(t *testing.T) {
	t.Parallel()
	for name, dsn := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key := hyperlocal.IdempotencyKey{Tenant: Demo, Caller: "c", Route: "r", Key: "k", Fingerprint: "f"}
			open := func(ahead time.Duration, db *Database) *App {
				a, err := New(t.Context(), Config{DSN: dsn, Addr: "127.0.0.1:0", Database: db, Clock: fast(ahead)})
				if err != nil {
					t.Fatal(err)
				}
				return a
			}
			a := open(0, nil)
			defer func() { _ = a.Close() }()
			claim := func() (fresh bool, handled int) {
				err := a.DB.WithinTx(t.Context(), func(ctx context.Context) error {
					claims, err := a.DB.Idempotency.Claim(ctx, []hyperlocal.IdempotencyKey{key})
					if err != nil {
						return err
					}
					if fresh = claims[0].Fresh; fresh {
						if err := a.DB.Idempotency.Complete(ctx, []hyperlocal.IdempotencyKey{key}, []json.RawMessage{nil}); err != nil {
							return err
						}
					}
					seen, err := a.DB.Inbox.Claim(ctx, "consumer", Demo, "event")
					handled = len(seen)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				return fresh, handled
			}
			claim()
			for _, step := range []struct {
				ahead time.Duration
				keys  bool // that the key is fresh again
				inbox int
			}{
				{keepKeys - time.Hour, false, 0}, {keepKeys + time.Hour, true, 0}, {keepHandled - time.Hour, true, 0}, {keepHandled + time.Hour, true, 1},
			} {
				b := open(step.ahead, a.DB)
				if b.Keys.Admin != a.Keys.Admin {
					t.Errorf("after %s the printed keys are others", step.ahead)
				}
				if _, _, err := b.prune(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := b.Close(); err != nil {
					t.Error(err)
				}
				if fresh, handled := claim(); fresh != step.keys || handled != step.inbox {
					t.Errorf("after %s: key fresh %t, %d events fresh", step.ahead, fresh, handled)
				}
			}
		})
	}
}

// TestKeysStay: the printed keys are those of the database, from start to start.
func TestKeysStay(t *testing.T) {
	t.Parallel()
	for name, dsn := range stores(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys := make([]string, 2)
			for i := range keys {
				a, err := New(t.Context(), Config{DSN: dsn, Addr: "127.0.0.1:0", Clock: fast(time.Duration(i) * 1000 * time.Hour)})
				if err != nil {
					t.Fatal(err)
				}
				if _, _, err := a.prune(t.Context()); err != nil {
					t.Error(err)
				}
				keys[i] = a.Keys.Shopper
				if err := a.Close(); err != nil {
					t.Error(err)
				}
			}
			if same := keys[0] == keys[1]; same == strings.Contains(dsn, "memory:") {
				t.Errorf("the same after a restart: %t", same)
			}
		})
	}
}

// fast is a clock that goes before the machine's.
type fast time.Duration

func (a fast) Now() time.Time { return hyperlocal.SystemClock{}.Now().Add(time.Duration(a)) }
