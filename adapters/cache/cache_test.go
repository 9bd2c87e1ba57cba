package cache_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/cache"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
)

var (
	bread  = hyperlocal.NewRef("product", "bread")
	apple  = hyperlocal.NewRef("product", "apple")
	errOut = hyperlocal.NewError(hyperlocal.CodeUnavailable, "test/down", "the database is down")
	errNo  = hyperlocal.NewError(hyperlocal.CodeNotFound, "test/missing", "there is none")
)

// clock is a clock that only tests move.
type clock struct{ now atomic.Int64 }

func (c *clock) Now() time.Time                       { return time.Unix(0, c.now.Load()).UTC() }
func (c *clock) add(d time.Duration)                  { c.now.Add(int64(d)) }
func affected(e hyperlocal.Envelope) []hyperlocal.Ref { return []hyperlocal.Ref{e.Aggregate} }

// source is a database with one value that counts how often it is read.
type source struct {
	value atomic.Pointer[string]
	err   atomic.Pointer[hyperlocal.Error]
	reads atomic.Int64
}

func newSource(value string) *source {
	s := &source{}
	s.value.Store(&value)
	return s
}

func (s *source) set(value string) { s.value.Store(&value) }

func (s *source) load(context.Context) ([]byte, error) {
	s.reads.Add(1)
	if err := s.err.Load(); err != nil {
		return nil, err
	}
	return []byte(*s.value.Load()), nil
}

func newCache(t testing.TB, c cache.Config) *cache.Cache {
	t.Helper()
	if c.Affected == nil {
		c.Affected = affected
	}
	out, err := cache.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// get reads the bread of a tenant and fails unless it is what is wanted.
func get(t testing.TB, c *cache.Cache, tenant hyperlocal.TenantID, s *source, want string) {
	t.Helper()
	got, tag, err := c.Get(t.Context(), tenant, bread, "price", s.load)
	if err != nil || string(got) != want || tag != cache.Tag([]byte(want)) {
		t.Fatalf("got %q, %s, %v, want %q", got, tag, err, want)
	}
}

func reads(t testing.TB, s *source, want int64) {
	t.Helper()
	if got := s.reads.Load(); got != want {
		t.Fatalf("read %d times, want %d", got, want)
	}
}

func TestAnAnswerGoesOutOfDateByTime(t *testing.T) {
	t.Parallel()
	now := &clock{}
	c, s := newCache(t, cache.Config{Clock: now}), newSource("1")
	get(t, c, "acme", s, "1")
	s.set("2")
	now.add(5*time.Second - time.Microsecond)
	get(t, c, "acme", s, "1")
	now.add(time.Microsecond)
	get(t, c, "acme", s, "2")
	now.add(-time.Hour) // a clock that was put back
	s.set("3")
	get(t, c, "acme", s, "3")
	reads(t, s, 3)
}

// TestAgeCountsFromTheBeginningOfTheLoad: what is read slowly is old when it arrives.
func TestAgeCountsFromTheBeginningOfTheLoad(t *testing.T) {
	t.Parallel()
	now := &clock{}
	c, s := newCache(t, cache.Config{Clock: now}), newSource("1")
	_, _, err := c.Get(t.Context(), "acme", bread, "price", func(ctx context.Context) ([]byte, error) {
		now.add(4 * time.Second)
		return s.load(ctx)
	})
	if err != nil {
		t.Fatal(err)
	}
	now.add(time.Second)
	s.set("2")
	get(t, c, "acme", s, "2")
}

func TestKindsHaveTheirOwnTime(t *testing.T) {
	t.Parallel()
	now := &clock{}
	c, s := newCache(t, cache.Config{Clock: now, TTLs: map[string]time.Duration{"product": time.Second}}), newSource("1")
	get(t, c, "acme", s, "1")
	s.set("2")
	now.add(time.Second)
	get(t, c, "acme", s, "2")
}

func TestAnEventDropsWhatItTouches(t *testing.T) {
	t.Parallel()
	c, s, other := newCache(t, cache.Config{}), newSource("1"), newSource("x")
	other1 := func() string {
		got, _, err := c.Get(t.Context(), "acme", apple, "price", other.load)
		if err != nil {
			t.Fatal(err)
		}
		return string(got)
	}
	get(t, c, "acme", s, "1")
	other1()
	s.set("2")
	other.set("y")
	get(t, c, "acme", s, "1")
	c.Drop(t.Context(), hyperlocal.Envelope{Tenant: "acme", Aggregate: bread})
	get(t, c, "acme", s, "2")
	if got := other1(); got != "x" {
		t.Errorf("another thing was dropped: %q", got)
	}
}

func TestTenantsDoNotMeet(t *testing.T) {
	t.Parallel()
	c, a, b := newCache(t, cache.Config{}), newSource("acme's"), newSource("rival's")
	get(t, c, "acme", a, "acme's")
	get(t, c, "rival", b, "rival's")
	get(t, c, "acme", a, "acme's")
	reads(t, a, 1)
	reads(t, b, 1)
	c.Forget(t.Context(), "rival", bread)
	get(t, c, "acme", a, "acme's")
	get(t, c, "rival", b, "rival's")
	reads(t, a, 1)
	reads(t, b, 2)
}

// TestALoadThatADropOvertookIsNotKept: the old value was read before the change and arrives
// after the drop.
func TestALoadThatADropOvertookIsNotKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := newCache(t, cache.Config{}), newSource("old")
		arrive := make(chan struct{})
		slow := func(ctx context.Context) ([]byte, error) {
			read, err := s.load(ctx)
			<-arrive
			return read, err
		}
		got := make(chan string, 1)
		go func() {
			answer, _, _ := c.Get(t.Context(), "acme", bread, "price", slow)
			got <- string(answer)
		}()
		synctest.Wait()
		s.set("new")
		c.Forget(t.Context(), "acme", bread)
		get(t, c, "acme", s, "new") // does not join the load that began before
		close(arrive)
		if first := <-got; first != "old" {
			t.Fatalf("the first caller got %q", first)
		}
		synctest.Wait()
		get(t, c, "acme", s, "new")
		reads(t, s, 2)
	})
}

// TestReadsNeverGoBack hammers one value that is changed and dropped all the time: whoever
// asks after a drop gets at least the value of that drop.
func TestReadsNeverGoBack(t *testing.T) {
	t.Parallel()
	c := newCache(t, cache.Config{})
	var value, dropped atomic.Int64
	load := func(context.Context) ([]byte, error) { return []byte(strconv.FormatInt(value.Load(), 10)), nil }
	var readers sync.WaitGroup
	end := make(chan struct{})
	for range 8 {
		readers.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
				}
				least := dropped.Load()
				got, _, err := c.Get(t.Context(), "acme", bread, "price", load)
				if n, _ := strconv.ParseInt(string(got), 10, 64); err != nil || n < least {
					t.Errorf("got %s, %v after the drop of %d", got, err, least)
					return
				}
			}
		})
	}
	for n := range int64(3000) {
		value.Store(n)
		c.Forget(t.Context(), "acme", bread)
		dropped.Store(n)
	}
	close(end)
	readers.Wait()
}

func TestManyWhoAskAtOnceLoadOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := newCache(t, cache.Config{}), newSource("1")
		begin := make(chan struct{})
		slow := func(ctx context.Context) ([]byte, error) {
			<-begin
			return s.load(ctx)
		}
		var asking sync.WaitGroup
		for range 100 {
			asking.Go(func() {
				got, _, err := c.Get(t.Context(), "acme", bread, "price", slow)
				if err != nil || string(got) != "1" {
					t.Errorf("got %q, %v", got, err)
				}
			})
		}
		synctest.Wait()
		close(begin)
		asking.Wait()
		reads(t, s, 1)
		if got := c.Statistics(); got.Loads != 1 || got.Joined != 99 || got.Misses != 100 {
			t.Errorf("%+v", got)
		}
	})
}

// TestWhoLeavesCancelsNobody: the first caller goes, the second gets the first one's load.
func TestWhoLeavesCancelsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := newCache(t, cache.Config{}), newSource("1")
		begin := make(chan struct{})
		slow := func(ctx context.Context) ([]byte, error) {
			select {
			case <-begin:
				return s.load(ctx)
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		first, leave := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() {
			_, _, err := c.Get(first, "acme", bread, "price", slow)
			gone <- err
		}()
		synctest.Wait()
		second := make(chan string, 1)
		go func() {
			got, _, err := c.Get(t.Context(), "acme", bread, "price", slow)
			second <- fmt.Sprint(string(got), err)
		}()
		synctest.Wait() // it has joined
		leave()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		synctest.Wait()
		close(begin)
		if got := <-second; got != "1<nil>" {
			t.Fatal(got)
		}
		reads(t, s, 1)
	})
}

func TestALoadEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t, cache.Config{LoadTimeout: time.Second})
		_, _, err := c.Get(t.Context(), "acme", bread, "price", func(ctx context.Context) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestFailuresAreForgotten(t *testing.T) {
	t.Parallel()
	c, s := newCache(t, cache.Config{}), newSource("1")
	s.err.Store(errOut)
	if _, _, err := c.Get(t.Context(), "acme", bread, "price", s.load); !errors.Is(err, errOut) {
		t.Fatal(err)
	}
	s.err.Store(nil)
	get(t, c, "acme", s, "1")
	_, _, err := c.Get(t.Context(), "acme", apple, "price", func(context.Context) ([]byte, error) { panic("worm") })
	if hyperlocal.CodeOf(err) != hyperlocal.CodeInternal || !strings.Contains(fmt.Sprint(errors.Unwrap(err)), "worm") {
		t.Errorf("a panic became %v", err)
	}
}

func TestNotFoundIsBelievedForAMoment(t *testing.T) {
	t.Parallel()
	now := &clock{}
	c, s := newCache(t, cache.Config{Clock: now}), newSource("1")
	ask := func() error {
		_, _, err := c.Get(t.Context(), "acme", bread, "price", s.load)
		return err
	}
	s.err.Store(errNo)
	for range 3 {
		if err := ask(); !errors.Is(err, errNo) {
			t.Fatal(err)
		}
	}
	reads(t, s, 1)
	now.add(time.Second)
	s.err.Store(nil)
	get(t, c, "acme", s, "1")

	never := newCache(t, cache.Config{NegativeTTL: -1})
	s.err.Store(errNo)
	for range 2 {
		if _, _, err := never.Get(t.Context(), "acme", bread, "price", s.load); !errors.Is(err, errNo) {
			t.Fatal(err)
		}
	}
	reads(t, s, 4)
}

// TestBounds: neither many small answers nor few large ones take more than was allowed.
func TestBounds(t *testing.T) {
	t.Parallel()
	const room = 1 << 20
	for _, tc := range []struct {
		name    string
		bytes   int
		entries int
		most    int
	}{
		{"small", 10, 100, 100},
		{"large", 100_000, 100, room / 100_000},
		{"huge", room/8 + 1, 100, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newCache(t, cache.Config{MaxBytes: room, MaxEntries: tc.entries})
			answer := []byte(strings.Repeat("x", tc.bytes))
			for i := range 500 {
				_, _, err := c.Get(t.Context(), "acme", bread, strconv.Itoa(i), func(context.Context) ([]byte, error) { return answer, nil })
				if err != nil {
					t.Fatal(err)
				}
			}
			c.CleanUp()
			s := c.Statistics()
			if s.Bytes > room || s.Entries > tc.most || tc.most > 0 && s.Entries < tc.most/2 {
				t.Errorf("%d entries and %d bytes", s.Entries, s.Bytes)
			}
		})
	}
}

// TestTransactionsSeeTheirOwnWrites: inside a transaction nothing is cached, and a commit
// drops what its events touch; a rollback does not.
func TestTransactionsSeeTheirOwnWrites(t *testing.T) {
	t.Parallel()
	db := memstore.New()
	c, s := newCache(t, cache.Config{}), newSource("1")
	outbox := c.Outbox(db.Outbox())
	if hyperlocal.SameScope(db, outbox) != nil || hyperlocal.ScopeOf(outbox) == nil {
		t.Error("the outbox hides its scope")
	}
	event, err := hyperlocal.NewEnvelope(t.Context(), hyperlocal.RandomIDs{}, time.Unix(0, 0), "acme", hyperlocal.System("test"), bread, 1, 0, priced{})
	if err != nil {
		t.Fatal(err)
	}
	get(t, c, "acme", s, "1")
	change := func(end error) {
		err := db.WithinTx(t.Context(), func(ctx context.Context) error {
			s.set("2")
			if got, _, err := c.Get(ctx, "acme", bread, "price", s.load); err != nil || string(got) != "2" {
				t.Errorf("the transaction reads %q, %v", got, err)
			}
			if err := outbox.Append(ctx, event); err != nil {
				return err
			}
			get(t, c, "acme", s, "1") // somebody else, before the commit
			return end
		})
		if !errors.Is(err, end) {
			t.Fatal(err)
		}
	}
	change(errOut)
	get(t, c, "acme", s, "1")
	change(nil)
	get(t, c, "acme", s, "2")
}

type priced struct{}

func (priced) EventName() string { return "catalog.price_changed" }
func (priced) EventVersion() int { return 1 }

func TestTopics(t *testing.T) {
	t.Parallel()
	if got := cache.Topics(priced{}, priced{}); len(got) != 1 || got[0] != "hc-catalog" {
		t.Error(got)
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := cache.New(cache.Config{TTL: -1, MaxBytes: -1, TTLs: map[string]time.Duration{"x": -1}})
	for _, field := range []string{"ttl", "max_bytes", "ttls"} {
		if err == nil || !strings.Contains(fmt.Sprint(err), "positive") {
			t.Errorf("%s: %v", field, err)
		}
	}
	if j, ok := err.(interface{ Unwrap() []error }); !ok || len(j.Unwrap()) != 3 {
		t.Errorf("not everything is reported: %v", err)
	}
}
