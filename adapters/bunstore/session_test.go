package bunstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func TestSerializationFailureIsRunAgain(t *testing.T) {
	t.Parallel()
	dsn := dsnFor(t, Postgres) + "&default_transaction_isolation=serializable"
	if !strings.Contains(dsn, "?") {
		dsn = strings.Replace(dsn, "&", "?", 1)
	}
	s := openAt(t, dsn, WithRetries(50))
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	shelf(t, s)
	if err := within(s, t.Context(), addBoxes("a")); err != nil {
		t.Fatal(err)
	}
	const workers, each = 8, 10
	ddl(t, s, "UPDATE hc_box SET size = 80")
	var runs atomic.Int64
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for range each {
				err := s.WithinTx(t.Context(), func(ctx context.Context) error {
					runs.Add(1)
					var size int64
					err := s.query(ctx, "SELECT size FROM hc_box WHERE id = 'a'", nil, nil, func(rows row) error { return rows.Scan(&size) })
					if err == nil {
						err = s.enqueue(ctx, write{table: "hc_box", text: "UPDATE hc_box SET size = $1 WHERE id = 'a'", args: []any{size - 1}, rows: 1})
					}
					if w%2 == 0 { // some closures lose the kind of the error
						err = errors.Join(hide(err), hide(s.flush(ctx)))
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := sizes(t, s, t.Context()); got != "a=0" {
		t.Errorf("after %d read-and-write transactions in %d runs the size is %s", workers*each, runs.Load(), got)
	}
	if runs.Load() == workers*each {
		t.Error("no transaction ever lost, so nothing was tested")
	}
}

// TestCrowdUnderSerializable: as many as a busy shop has at a time, all at the same rows, get
// through with the attempts that a store makes by default.
func TestCrowdUnderSerializable(t *testing.T) {
	t.Parallel()
	dsn := dsnFor(t, Postgres) + "&default_transaction_isolation=serializable"
	if !strings.Contains(dsn, "?") {
		dsn = strings.Replace(dsn, "&", "?", 1)
	}
	s := openAt(t, dsn)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	shelf(t, s)
	if err := within(s, t.Context(), addBoxes("a")); err != nil {
		t.Fatal(err)
	}
	const workers, each = 16, 20
	ddl(t, s, fmt.Sprintf("UPDATE hc_box SET size = %d", workers*each))
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for range each {
				if err := s.WithinTx(t.Context(), func(ctx context.Context) error {
					var size int64
					err := s.query(ctx, "SELECT size FROM hc_box WHERE id = 'a'", nil, nil, func(rows row) error { return rows.Scan(&size) })
					if err != nil {
						return err
					}
					return s.enqueue(ctx, write{table: "hc_box", text: "UPDATE hc_box SET size = $1 WHERE id = 'a'", args: []any{size - 1}, rows: 1})
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := sizes(t, s, t.Context()); got != "a=0" {
		t.Errorf("after %d transactions the size is %s", workers*each, got)
	}
}

// TestWriteSkewIsRunAgain: two transactions that each read what the other writes. The database
// may find that out as late as in the COMMIT.
func TestWriteSkewIsRunAgain(t *testing.T) {
	t.Parallel()
	dsn := dsnFor(t, Postgres)
	mark := "?"
	if strings.Contains(dsn, "?") {
		mark = "&"
	}
	s := openAt(t, dsn+mark+"default_transaction_isolation=serializable")
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	shelf(t, s)
	if err := within(s, t.Context(), addBoxes("a", "b")); err != nil {
		t.Fatal(err)
	}
	var runs atomic.Int64
	var all, read, written sync.WaitGroup
	read.Add(2)
	written.Add(2)
	for _, mine := range []string{"a", "b"} {
		all.Go(func() {
			first := true
			err := s.WithinTx(t.Context(), func(ctx context.Context) error {
				runs.Add(1)
				err := s.query(ctx, "SELECT size FROM hc_box", nil, nil, func(row) error { return nil })
				if err != nil {
					return err
				}
				meet := func(point *sync.WaitGroup) {
					if first {
						point.Done()
						point.Wait()
					}
				}
				meet(&read) // nobody writes before both have read
				_, err = s.change(ctx, "UPDATE hc_box SET size = size + 1 WHERE id = $1", mine)
				meet(&written) // and nobody commits before both have written
				first = false
				return err // nothing is queued: the COMMIT travels alone
			})
			if err != nil {
				t.Errorf("%s: %v", mine, err)
			}
		})
	}
	all.Wait()
	if runs.Load() < 3 {
		t.Errorf("%d runs: neither lost, so nothing was tested", runs.Load())
	}
}

func TestDeadlockIsRunAgainAndAttemptsEnd(t *testing.T) {
	t.Parallel()
	s := openStore(t, Postgres)
	shelf(t, s)
	if err := within(s, t.Context(), addBoxes("a", "b")); err != nil {
		t.Fatal(err)
	}
	var meet sync.WaitGroup
	meet.Add(2)
	var runs atomic.Int64
	cross := func(first, second string) error {
		met := false
		return s.WithinTx(t.Context(), func(ctx context.Context) error {
			runs.Add(1)
			if err := errors.Join(s.enqueue(ctx, fill(1, first)), s.flush(ctx)); err != nil {
				return err
			}
			if !met { // both hold their first row before either asks for its second
				met = true
				meet.Done()
				meet.Wait()
			}
			return s.enqueue(ctx, fill(1, second))
		})
	}
	failed := make(chan error, 2)
	go func() { failed <- cross("a", "b") }()
	go func() { failed <- cross("b", "a") }()
	for range 2 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	if got := sizes(t, s, t.Context()); got != "a=1 b=1" || runs.Load() < 3 {
		t.Errorf("after %d runs the boxes are %s", runs.Load(), got)
	}
	n := 0
	err := s.WithinTx(t.Context(), func(context.Context) error { n++; return hyperlocal.ErrTxRetry })
	if !errors.Is(err, hyperlocal.ErrTxRetry) || n != defaultRetries {
		t.Errorf("a transaction that always loses ran %d times and returned %v", n, err)
	}
	n = 0
	ctx, cancel := context.WithCancel(t.Context())
	err = s.WithinTx(ctx, func(context.Context) error { n++; cancel(); return hyperlocal.ErrTxRetry })
	if !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) || n != 1 {
		t.Errorf("a caller who has left was tried %d times and gets %v", n, err)
	}
}

// The scope of a retry is the outermost closure.
func TestRetryRunsTheWholeClosure(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		s := openStore(t, d)
		shelf(t, s)
		outer, inner := 0, 0
		err := s.WithinTx(t.Context(), func(ctx context.Context) error {
			outer++
			if err := s.enqueue(ctx, addBoxes("a")); err != nil {
				return err
			}
			return s.WithinTx(ctx, func(ctx context.Context) error {
				inner++
				if inner < 3 {
					return errors.Join(s.flush(ctx), hyperlocal.ErrTxRetry)
				}
				return s.enqueue(ctx, addBoxes("b"))
			})
		})
		if err != nil || outer != 3 || inner != 3 || sizes(t, s, t.Context()) != "a=3 b=3" {
			t.Errorf("outer ran %d, inner %d times, %v, boxes %s", outer, inner, err, sizes(t, s, t.Context()))
		}
	})
}

func TestLockTimeout(t *testing.T) {
	t.Parallel()
	dsn := dsnFor(t, Postgres)
	sep := "?"
	if strings.Contains(dsn, "?") {
		sep = "&"
	}
	s := openAt(t, dsn+sep+"lock_timeout=50")
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	shelf(t, s)
	if err := within(s, t.Context(), addBoxes("a")); err != nil {
		t.Fatal(err)
	}
	other := func() error {
		failed := make(chan error)
		go func() { failed <- within(s, t.Context(), fill(1, "a")) }()
		return <-failed
	}
	err := s.WithinTx(t.Context(), func(ctx context.Context) error {
		if err := errors.Join(s.enqueue(ctx, fill(1, "a")), s.flush(ctx)); err != nil {
			return err
		}
		err := other()
		if !hyperlocal.IsCode(err, hyperlocal.CodeConflict) || hyperlocal.ReasonOf(err) != "store/lock_timeout" {
			t.Errorf("who waits too long for a row gets %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// A claim changes the lock timeout for itself alone.
	err = s.WithinTx(t.Context(), func(ctx context.Context) error {
		for range 2 {
			if _, err := s.Idempotency().Claim(ctx, []hyperlocal.IdempotencyKey{{Tenant: "north", Caller: "c", Route: "r", Key: "k", Fingerprint: "f"}}); err != nil {
				return err
			}
			var now string
			if err := s.db(ctx).NewRaw("SELECT current_setting('lock_timeout')").Scan(ctx, &now); err != nil || now != "50ms" {
				t.Errorf("after a claim the lock timeout is %q, %v", now, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCancelDuringAStatement(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		s := openStore(t, d)
		shelf(t, s)
		slow := "SELECT pg_sleep(30)"
		if d == SQLite {
			slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT count(*) FROM n"
		}
		skip := func(rows row) error { var v any; return rows.Scan(&v) }
		for place, run := range map[string]func(ctx context.Context) error{
			"outside": func(ctx context.Context) error { return s.query(ctx, slow, nil, nil, skip) },
			"inside": func(ctx context.Context) error {
				return s.WithinTx(ctx, func(ctx context.Context) error {
					return errors.Join(s.enqueue(ctx, addBoxes("gone")), s.query(ctx, slow, nil, nil, skip))
				})
			},
			"inside, swallowed": func(ctx context.Context) error {
				return s.WithinTx(ctx, func(ctx context.Context) error {
					_ = s.enqueue(ctx, addBoxes("gone"))
					_ = s.query(ctx, slow, nil, nil, skip)
					return nil
				})
			},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			start := hyperlocal.Stopwatch()
			err := run(ctx)
			cancel()
			if !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) || !errors.Is(err, context.DeadlineExceeded) || hyperlocal.Since(start) > 10*time.Second {
				t.Errorf("%s: %v after %v", place, err, hyperlocal.Since(start))
			}
			// The next one finds everything in order.
			if err := within(s, t.Context(), addBoxes(place)); err != nil {
				t.Errorf("%s: afterwards: %v", place, err)
			}
		}
		if got := sizes(t, s, t.Context()); strings.Contains(got, "gone") || strings.Count(got, "=") != 3 {
			t.Errorf("the boxes are %q", got)
		}
	})
}

// terminate ends the backends of all other connections to the database.
func terminate(t *testing.T, s *Store) {
	t.Helper()
	err := s.query(t.Context(), "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()", nil, nil,
		func(rows row) error { var n int; return rows.Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
}

func TestConnectionsDie(t *testing.T) {
	t.Parallel()
	dsn := dsnFor(t, Postgres)
	s, admin := openAt(t, dsn, WithPool(4)), openAt(t, dsn)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	shelf(t, s)
	kill := func() { terminate(t, admin) }
	err := s.WithinTx(t.Context(), func(ctx context.Context) error {
		if err := errors.Join(s.enqueue(ctx, addBoxes("gone")), s.flush(ctx)); err != nil {
			return err
		}
		kill()
		return s.enqueue(ctx, addBoxes("gone too"))
	})
	if !hyperlocal.IsCode(err, hyperlocal.CodeUnavailable) || hyperlocal.ReasonOf(err) != "store/unavailable" {
		t.Errorf("a transaction whose connection died gets %v", err)
	}
	// Idle connections that died are noticed before anything happens on them.
	for range 5 {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if err := s.WithinTx(t.Context(), func(ctx context.Context) error { sizes(t, s, ctx); return nil }); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		kill()
		for range 4 {
			if err := s.WithinTx(t.Context(), func(ctx context.Context) error { sizes(t, s, ctx); return nil }); err != nil {
				t.Errorf("after idle connections died: %v", err)
			}
		}
	}
	if got := sizes(t, s, t.Context()); got != "" {
		t.Errorf("the boxes are %q", got)
	}
}

// A connection that breaks after COMMIT was sent leaves the outcome unknown, and says so.
func TestCommitUnknown(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(dsnFor(t, Postgres))
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, u.Host)
	u.Host = p.listen.Addr().String()
	q := u.Query()
	q.Set("sslmode", "disable")
	u.RawQuery = q.Encode()
	s := openAt(t, u.String(), WithPool(1))
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	shelf(t, s)
	for _, flushed := range []bool{true, false} { // before the commit, or in one round trip with it
		for _, deaf := range []bool{true, false} { // COMMIT does not arrive, or its answer does not
			name := fmt.Sprintf("%v-%v", flushed, deaf)
			if err := within(s, t.Context(), addBoxes("warm"+name)); err != nil { // prepares the statements
				t.Fatal(err)
			}
			err = s.WithinTx(t.Context(), func(ctx context.Context) error {
				sizes(t, s, ctx) // begins
				err := s.enqueue(ctx, addBoxes(name))
				if flushed {
					err = errors.Join(err, s.flush(ctx))
				}
				p.breakNext(deaf)
				return err
			})
			if !hyperlocal.IsCode(err, hyperlocal.CodeUnknownOutcome) || hyperlocal.ReasonOf(err) != "store/commit_unknown" {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	const want = "false-false=3 true-false=3 warmfalse-false=3 warmfalse-true=3 warmtrue-false=3 warmtrue-true=3"
	for range 100 { // the server notices in its own time
		if sizes(t, s, t.Context()) == want {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if got := sizes(t, s, t.Context()); got != want {
		t.Errorf("the boxes are %q", got)
	}
}

// proxy passes bytes on to a server, and breaks a connection when it is told to.
type proxy struct {
	listen net.Listener
	server string
	mu     sync.Mutex
	armed  bool
	deaf   bool
}

func newProxy(t *testing.T, server string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &proxy{listen: l, server: server}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p
}

// breakNext breaks the connection on which something is sent next: before it is passed on if
// deaf, else as soon as it has been answered.
func (p *proxy) breakNext(deaf bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed, p.deaf = true, deaf
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	var silent atomic.Bool
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, err := server.Read(buf)
			if err != nil || silent.Load() {
				_ = client.Close()
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 1<<16)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		hit, deaf := p.armed, p.deaf
		p.armed = false
		p.mu.Unlock()
		if hit && deaf {
			return
		}
		if hit {
			silent.Store(true)
		}
		if _, err := io.Writer(server).Write(buf[:n]); err != nil {
			return
		}
	}
}

// What somebody else's process does to a SQLite file.
func TestSQLiteOtherProcess(t *testing.T) {
	t.Parallel()
	dsn := dsnFor(t, SQLite)
	s := openAt(t, dsn, WithBusyTimeout(200*time.Millisecond))
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	shelf(t, s)
	other := openAt(t, dsn) // a second Store stands for a second process: it has a gate of its own
	if err := other.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	outside := t.Context()
	err := other.WithinTx(outside, func(ctx context.Context) error {
		if err := errors.Join(other.enqueue(ctx, addBoxes("a")), other.flush(ctx)); err != nil {
			return err
		}
		err := within(s, outside, addBoxes("b"))
		if !hyperlocal.IsCode(err, hyperlocal.CodeUnavailable) || hyperlocal.ReasonOf(err) != "store/busy" {
			t.Errorf("who finds the file taken gets %v", err)
		}
		if got := sizes(t, s, outside); got != "" {
			t.Errorf("a reader sees %q", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			on := []*Store{s, other}[i%2]
			for {
				err := within(on, t.Context(), addBoxes("x"+string(rune('A'+i))))
				if err == nil {
					return
				}
				if !hyperlocal.IsCode(err, hyperlocal.CodeUnavailable) {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if got := strings.Count(sizes(t, s, t.Context()), "="); got != 41 {
		t.Errorf("there are %d boxes, want 41", got)
	}
}

func TestReadInAClosureWithoutItsCtx(t *testing.T) {
	t.Parallel()
	stores := map[string]*Store{"memory": openAt(t, "sqlite::memory:")}
	for _, d := range dialects {
		stores[string(d)] = openEmpty(t, d)
	}
	for name, s := range stores {
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		outside := t.Context()
		err := s.WithinTx(outside, func(context.Context) error {
			for how, err := range map[string]error{
				"query": s.query(outside, "SELECT 1", nil, nil, nil),
				"bun":   s.db(outside).NewRaw("SELECT 1").Scan(outside, new(int)),
				"tx":    within(s, outside),
				"ddl":   s.Migrate(outside),
			} {
				if hyperlocal.ReasonOf(err) != "tx/nested_without_ctx" {
					t.Errorf("%s, %s: %v", name, how, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestRankCheck(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		s := openStore(t, d)
		err := s.WithinTx(t.Context(), func(ctx context.Context) error {
			for _, rank := range []hyperlocal.Rank{hyperlocal.RankOrder, hyperlocal.RankOrder, hyperlocal.RankLot} {
				if err := s.lock(ctx, rank); err != nil {
					t.Error(err)
				}
			}
			return s.lock(ctx, hyperlocal.RankStock)
		})
		if hyperlocal.ReasonOf(err) != "tx/lock_order" {
			t.Errorf("a descent: %v", err)
		}
		if err := s.lock(t.Context(), hyperlocal.RankStock); hyperlocal.ReasonOf(err) != "tx/required" {
			t.Errorf("outside a transaction: %v", err)
		}
		lax := openEmpty(t, d, func(s *Store) { s.rankCheck = false })
		err = lax.WithinTx(t.Context(), func(ctx context.Context) error {
			return errors.Join(lax.lock(ctx, hyperlocal.RankLot), lax.lock(ctx, hyperlocal.RankStock))
		})
		if err != nil {
			t.Errorf("without the check: %v", err)
		}
	})
}

func TestClosed(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		s, err := Open(t.Context(), dsnFor(t, d))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Migrate(t.Context()), s.Close(), s.Close()); err != nil {
			t.Fatal(err)
		}
		for name, err := range map[string]error{
			"tx": within(s, t.Context()), "query": s.query(t.Context(), "SELECT 1", nil, nil, nil), "ping": s.Ping(t.Context()), "migrate": s.Migrate(t.Context()),
		} {
			if !hyperlocal.IsCode(err, hyperlocal.CodeUnavailable) {
				t.Errorf("%s on a closed store: %v", name, err)
			}
		}
	})
}

// A full disk refuses changes, not reads, and is no reason to start anew.
func TestSQLiteFull(t *testing.T) {
	t.Parallel()
	s := openStore(t, SQLite)
	shelf(t, s)
	limit := func(pages string) {
		err := s.WithinTx(t.Context(), func(ctx context.Context) error {
			_, err := s.db(ctx).NewRaw("PRAGMA max_page_count = " + pages).Exec(ctx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := within(s, t.Context(), addBoxes("a")); err != nil {
		t.Fatal(err)
	}
	limit("1") // which means: no more than now
	big := strings.Repeat("x", 1<<20)
	for range 2 {
		err := within(s, t.Context(), addBoxes("b"), addBoxes(big))
		if !hyperlocal.IsCode(err, hyperlocal.CodeUnavailable) || hyperlocal.ReasonOf(err) != "store/full" {
			t.Errorf("on a full disk: %v", err)
		}
		if got := sizes(t, s, t.Context()); got != "a=3" {
			t.Errorf("the boxes are %q", got)
		}
	}
	limit("1000000")
	if err := within(s, t.Context(), addBoxes("c")); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if got := sizes(t, s, t.Context()); got != "a=3 c=3" {
		t.Errorf("the boxes are %q", got)
	}
}
