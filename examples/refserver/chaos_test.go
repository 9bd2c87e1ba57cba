package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/storetest/dbtest"
)

func TestMain(m *testing.M) {
	if slices.Equal(os.Args[1:], []string{"bench", "client"}) { // bench starts its own program
		main()
	}
	os.Exit(dbtest.Main(m))
}

// crashPoints are the places where the server is killed, with the pass at which it happens.
// "" is a kill from outside at any moment.
var crashPoints = []string{
	"place.before_commit", "place.after_commit", "pay.after_gateway", "relay.after_publish", "relay.before_mark",
	"inbox.before_commit", "migrate.mid", "",
}

// readyWithin is how soon the server must answer after a crash.
const readyWithin = 5 * time.Second

// TestChaos kills the server under load with SIGKILL, over and over, and starts it again on
// the same database: no acknowledged order may be lost, none charged twice, every invariant
// must hold, and it must be ready again soon.
//
// HYPERLOCAL_CHAOS_ROUNDS is how often each crash point is hit on each database; 1 by default.
func TestChaos(t *testing.T) {
	t.Parallel()
	rounds := 1
	if text := os.Getenv("HYPERLOCAL_CHAOS_ROUNDS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("HYPERLOCAL_CHAOS_ROUNDS is %q; give a number of rounds", text)
		}
		rounds = n
	}
	binary := filepath.Join(t.TempDir(), "refserver")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "failpoints", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the server: %v\n%s", err, out)
	}
	for name, dsn := range map[string]func(t *testing.T) string{"sqlite": sqliteFile, "postgres": postgresDatabase} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &chaos{t: t, binary: binary, dsn: dsn(t), acked: make(map[string]ack)}
			hits := make(map[string]int)
			c.stock()
			for round := range rounds {
				for i, point := range crashPoints {
					// By turns with and without the intake; the databases take turns as well.
					c.gathers = (round+i)%2 == 0 == (name == "sqlite")
					if point == "migrate.mid" {
						c.migrating(dsn(t))
					} else {
						c.crash(point)
					}
					hits[point]++
				}
			}
			t.Logf("%d orders acknowledged, %d of them paid; killed at %v", len(c.acked), c.paid(), hits)
			if len(c.acked) == 0 || c.paid() == 0 {
				t.Error("the load did nothing")
			}
		})
	}
}

func sqliteFile(t *testing.T) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "chaos.db")
}

func postgresDatabase(t *testing.T) string {
	t.Helper()
	return dbtest.Postgres(t)
}

// ack is what the server has told a client about an order.
type ack struct {
	total int64
	paid  bool
}

// chaos is one database under attack. acked is the client's own log: it outlives the server.
type chaos struct {
	t      *testing.T
	binary string
	dsn    string

	gathers  bool     // the server commits concurrent calls together
	variants []string // what can be ordered without running out

	mu    sync.Mutex
	acked map[string]ack // by order id
	open  []request      // sent and not answered: sent again after the crash
}

// request is one call with its key, so that it can be repeated.
type request struct{ path, key, body string }

func (c *chaos) paid() int {
	n := 0
	for _, a := range c.acked {
		if a.paid {
			n++
		}
	}
	return n
}

// server is a running server.
type server struct {
	cmd      *exec.Cmd
	base     string
	keys     map[string]string
	log      *bytes.Buffer
	exited   chan struct{}
	hitsFile string
}

// start runs the server and waits until it is ready.
func (c *chaos) start(dsn, failpoint string) *server {
	c.t.Helper()
	s, err := c.launch(dsn, failpoint)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

var errDied = errors.New("the server died before it was ready")

// launch is start with an error for a server that dies on the way.
func (c *chaos) launch(dsn, failpoint string) (*server, error) {
	s := &server{
		keys: make(map[string]string), log: &bytes.Buffer{}, exited: make(chan struct{}),
		hitsFile: filepath.Join(c.t.TempDir(), "hits"),
	}
	s.cmd = exec.CommandContext(c.t.Context(), c.binary, "--addr", "127.0.0.1:0", "--db", dsn,
		"--log", "warn", "--gateway-timeout", "1s", "--intake="+strconv.FormatBool(c.gathers))
	s.cmd.Env = append(os.Environ(), "FAILPOINT="+failpoint, "FAILPOINT_LOG="+s.hitsFile)
	s.cmd.Stderr = s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := hyperlocal.Stopwatch()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		switch f := strings.Fields(lines.Text()); {
		case len(f) == 2 && f[0] == "API":
			s.base = strings.TrimSuffix(f[1], "/v1")
		case len(f) == 2 && (f[0] == "shopper" || f[0] == "merchant" || f[0] == "admin"):
			s.keys[f[0]] = f[1]
		}
		if len(s.keys) == 3 {
			break
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, out)
		_ = s.cmd.Wait()
		close(s.exited)
	}()
	if len(s.keys) < 3 {
		<-s.exited
		return s, fmt.Errorf("%w: %s", errDied, s.tail())
	}
	for {
		res, err := http.Get(s.base + "/readyz") //nolint:noctx // a local server in a test
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				break
			}
		}
		select {
		case <-s.exited:
			return s, fmt.Errorf("%w: %s", errDied, s.tail())
		case <-time.After(10 * time.Millisecond):
		}
		if hyperlocal.Since(began) > 30*time.Second {
			s.kill()
			return s, fmt.Errorf("the server is not ready after 30 s: %s", s.tail())
		}
	}
	if took := hyperlocal.Since(began); took > readyWithin && failpoint == "" {
		c.t.Errorf("ready after %s, allowed are %s", took, readyWithin)
	}
	return s, nil
}

// tail returns the end of the server's log.
func (s *server) tail() string {
	text := s.log.String()
	return text[max(0, len(text)-2000):]
}

func (s *server) kill() {
	_ = s.cmd.Process.Signal(syscall.SIGKILL)
	<-s.exited
}

// call sends a request and decodes the answer. An error means that there was no answer.
func (s *server) call(ctx context.Context, as, method string, r request, to any) (int, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.base+r.path, strings.NewReader(r.body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+s.keys[as])
	req.Header.Set("Content-Type", "application/json")
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	if to != nil && res.StatusCode < 300 {
		return res.StatusCode, json.Unmarshal(body, to)
	}
	return res.StatusCode, nil
}

type money struct{ Amount int64 }

type orderAnswer struct {
	ID            string
	State         string
	PaymentStatus string `json:"payment_status"`
	Total         money
	Captured      money
}

// crash runs one round: load until the server dies at the point, a new start, and checks.
func (c *chaos) crash(point string) {
	c.t.Helper()
	failpoint := ""
	if point != "" {
		failpoint = point + ":kill@12"
	}
	s := c.start(c.dsn, failpoint)
	ctx, stop := context.WithCancel(c.t.Context())
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() { c.shop(ctx, s) })
	}
	limit := 20 * time.Second
	if point == "" {
		limit = time.Duration(300+hyperlocal.RandomUint64()%1200) * time.Millisecond
	}
	select {
	case <-s.exited:
	case <-time.After(limit):
		if point != "" {
			c.t.Errorf("%s was not reached within %s: %s", point, limit, s.tail())
		}
		s.kill()
	}
	stop()
	wg.Wait()
	if point != "" {
		hits, err := os.ReadFile(s.hitsFile)
		if err != nil || !bytes.Contains(hits, []byte(point+"\n")) {
			c.t.Errorf("%s was not hit: %v", point, err)
		}
	}
	s = c.start(c.dsn, "")
	c.settle(s)
	c.check(s)
	s.kill()
	c.verify(c.dsn) // at rest, after another crash
}

// migrating kills the server in the middle of the migrations of an empty database.
func (c *chaos) migrating(dsn string) {
	c.t.Helper()
	s, err := c.launch(dsn, "migrate.mid:kill@"+strconv.Itoa(1+int(hyperlocal.RandomUint64()%6)))
	if err == nil {
		s.kill()
		c.t.Error("migrate.mid was not reached")
		return
	}
	if !errors.Is(err, errDied) {
		c.t.Fatal(err)
	}
	s = c.start(dsn, "")
	s.kill()
	c.verify(dsn)
}

// stock fills the shelves of the bakery.
func (c *chaos) stock() {
	c.t.Helper()
	s := c.start(c.dsn, "")
	defer s.kill()
	var page struct {
		Items []struct {
			Variants []struct {
				ID, Item string
				Stocked  bool
				Unit     string
			}
			Kind string
		}
	}
	if code, err := s.call(c.t.Context(), "shopper", http.MethodGet, request{path: "/v1/shops/corner-bakery/products"}, &page); err != nil || code != http.StatusOK {
		c.t.Fatalf("reading the shop: %d, %v", code, err)
	}
	for _, p := range page.Items {
		for _, v := range p.Variants {
			if !v.Stocked || strings.HasSuffix(v.Item, "/flour") {
				continue
			}
			c.variants = append(c.variants, v.ID)
			body := fmt.Sprintf(`{"lines":[{"item":%q,"location":"corner-bakery","quantity":{"value":"100000","unit":"piece"}}]}`, v.Item)
			if code, err := s.call(c.t.Context(), "admin", http.MethodPost, request{path: "/v1/stock/receipts", body: body}, nil); err != nil || code >= 300 {
				c.t.Fatalf("receiving stock: %d, %v", code, err)
			}
		}
	}
	if len(c.variants) < 2 {
		c.t.Fatal("the bakery sells nothing")
	}
}

// shop places and pays orders and works them to the end, until the server is gone.
func (c *chaos) shop(ctx context.Context, s *server) {
	for n := 0; ctx.Err() == nil; n++ {
		line := func(i uint64) string {
			return fmt.Sprintf(`{"variant":%q,"quantity":{"value":"1","unit":"piece"}}`, c.variants[i%uint64(len(c.variants))])
		}
		i := hyperlocal.RandomUint64() >> 8
		place := request{
			path: "/v1/orders", key: hyperlocal.RandomIDs{}.NewID(),
			body: fmt.Sprintf(`{"merchant":"corner-bakery","currency":"GBP","lines":[%s,%s]}`, line(i), line(i+1)),
		}
		id, ok := c.send(ctx, s, place)
		if !ok {
			return
		}
		if id == "" {
			continue
		}
		pay := request{path: "/v1/orders/" + id + "/pay", key: hyperlocal.RandomIDs{}.NewID(), body: `{"method":"ok"}`}
		if _, ok := c.send(ctx, s, pay); !ok {
			return
		}
		for _, verb := range []string{"accept", "ready", "deliver", "complete"} { // the last one earns points, by event
			if _, err := s.call(ctx, "merchant", http.MethodPost, request{path: "/v1/orders/" + id + "/" + verb}, nil); err != nil {
				return
			}
		}
	}
}

// send sends a placement or a payment and notes the answer. It reports false when there was
// none; the request is then kept, to be sent again. A refusal is an answer without an order.
func (c *chaos) send(ctx context.Context, s *server, r request) (order string, answered bool) {
	var placed orderAnswer
	var paid struct {
		Order   orderAnswer
		Outcome string
	}
	isPay := strings.HasSuffix(r.path, "/pay")
	to := any(&placed)
	if isPay {
		to = &paid
	}
	code, err := s.call(ctx, "shopper", http.MethodPost, r, to)
	if err != nil || code >= 500 || code == http.StatusConflict {
		c.mu.Lock()
		c.open = append(c.open, r)
		c.mu.Unlock()
		return "", err == nil
	}
	if code >= 300 {
		c.t.Errorf("%s was answered %d", r.path, code)
		return "", true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !isPay {
		if _, known := c.acked[placed.ID]; !known {
			c.acked[placed.ID] = ack{total: placed.Total.Amount}
		}
		return placed.ID, true
	}
	if paid.Outcome == "succeeded" {
		c.acked[paid.Order.ID] = ack{total: paid.Order.Total.Amount, paid: true}
	}
	return paid.Order.ID, true
}

// settle sends again, under its own key, what the crash left unanswered, until it is answered.
// A payment whose outcome the crash hid is looked up by the janitor first.
func (c *chaos) settle(s *server) {
	c.t.Helper()
	began := hyperlocal.Stopwatch()
	for {
		c.mu.Lock()
		open := c.open
		c.open = nil
		c.mu.Unlock()
		if len(open) == 0 {
			return
		}
		for _, r := range open {
			c.send(c.t.Context(), s, r)
		}
		if hyperlocal.Since(began) > 90*time.Second {
			c.t.Fatalf("%d requests are still unanswered, such as %+v: %s", len(c.open), c.open[0], s.tail())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// check reads every acknowledged order back.
func (c *chaos) check(s *server) {
	c.t.Helper()
	for id, a := range c.acked {
		var o orderAnswer
		code, err := s.call(c.t.Context(), "admin", http.MethodGet, request{path: "/v1/orders/" + id}, &o)
		switch {
		case err != nil || code != http.StatusOK:
			c.t.Errorf("the acknowledged order %s is answered %d, %v", id, code, err)
		case o.Total.Amount != a.total:
			c.t.Errorf("order %s has total %d, acknowledged was %d", id, o.Total.Amount, a.total)
		case a.paid && o.Captured.Amount != a.total, o.Captured.Amount > o.Total.Amount:
			c.t.Errorf("order %s has captured %d of %d, acknowledged as paid: %v", id, o.Captured.Amount, o.Total.Amount, a.paid)
		}
	}
	c.verify(c.dsn) // under load: relay and workers are at it
}

// verify runs the verify command, which also compares with the sandbox's own log.
func (c *chaos) verify(dsn string) {
	c.t.Helper()
	out, err := exec.CommandContext(c.t.Context(), c.binary, "verify", "--db", dsn).CombinedOutput()
	if err != nil {
		c.t.Errorf("verify: %v\n%s", err, out)
	}
}
