package rediscache_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
	redisserver "github.com/testcontainers/testcontainers-go/modules/redis"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/cache"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/cache/rediscache"
)

var (
	bread = hyperlocal.NewRef("product", "bread")
	apple = hyperlocal.NewRef("product", "apple")
)

// container starts a Redis in a container, or skips the test where there is no engine.
func container(t *testing.T) string {
	t.Helper()
	address, err := run(t)
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("HYPERLOCAL_REQUIRE"), ","), "redis") {
			t.Fatalf("HYPERLOCAL_REQUIRE names redis: %v", err)
		}
		t.Skipf("SKIPPED, NOT TESTED: no container engine for redis:7 (%v); miniredis stands in; set HYPERLOCAL_REQUIRE=redis to make this a failure", err)
	}
	return address
}

func run(t *testing.T) (address string, err error) {
	t.Helper()
	defer func() { // the library panics where it finds no socket at all
		if v := recover(); v != nil {
			err = errors.New("there is no engine")
		}
	}()
	server, err := redisserver.Run(t.Context(), "redis:7", testcontainers.WithLogger(log.NewNoopLogger()))
	t.Cleanup(func() { _ = testcontainers.TerminateContainer(server) })
	if err != nil {
		return "", err
	}
	return server.ConnectionString(t.Context())
}

// onEach runs a test on miniredis and on a real server.
func onEach(t *testing.T, test func(t *testing.T, open func() *rediscache.Layer)) {
	t.Helper()
	for name, start := range map[string]func(*testing.T) string{
		"miniredis": func(t *testing.T) string { return "redis://" + miniredis.RunT(t).Addr() },
		"redis":     container,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := start(t)
			test(t, func() *rediscache.Layer { return layer(t, address) })
		})
	}
}

func layer(t *testing.T, address string) *rediscache.Layer {
	t.Helper()
	o, err := redis.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	o.ContextTimeoutEnabled, o.MaxRetries = true, -1
	client := redis.NewClient(o)
	t.Cleanup(func() { _ = client.Close() })
	l, err := rediscache.New(rediscache.Config{Client: client})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func newCache(t *testing.T, shared cache.Shared, clock hyperlocal.Clock) *cache.Cache {
	t.Helper()
	c, err := cache.New(cache.Config{
		Shared: shared, Clock: clock, SharedTimeout: 5 * time.Second,
		Affected: func(e hyperlocal.Envelope) []hyperlocal.Ref { return []hyperlocal.Ref{e.Aggregate} },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// constant returns what loads a value, and counts.
func constant(value string, loads *atomic.Int64) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) {
		loads.Add(1)
		return []byte(value), nil
	}
}

func get(t *testing.T, c *cache.Cache, tenant hyperlocal.TenantID, about hyperlocal.Ref, load func(context.Context) ([]byte, error), want string) {
	t.Helper()
	got, tag, err := c.Get(t.Context(), tenant, about, "price", load)
	if err != nil || string(got) != want || tag != cache.Tag([]byte(want)) {
		t.Fatalf("got %q, %s, %v, want %q", got, tag, err, want)
	}
}

// stored waits until the layer holds an answer: it is written after the caller was answered.
func stored(t *testing.T, l *rediscache.Layer, about hyperlocal.Ref, want string) {
	t.Helper()
	for range 500 {
		if got, found, _, err := l.Read(t.Context(), "acme", about, "price"); err == nil && found && string(got) == want {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s is not stored", want)
}

func TestProcessesShareAnswersAndDrops(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, open func() *rediscache.Layer) {
		mine, others := open(), open()
		a, b := newCache(t, mine, nil), newCache(t, others, nil)
		var loads atomic.Int64
		get(t, a, "acme", bread, constant("line\nfeeds\n", &loads), "line\nfeeds\n")
		stored(t, mine, bread, "line\nfeeds\n")
		get(t, b, "acme", bread, constant("2", &loads), "line\nfeeds\n")
		if loads.Load() != 1 || b.Statistics().SharedHits != 1 {
			t.Fatalf("%d loads, %+v", loads.Load(), b.Statistics())
		}
		get(t, b, "rival", bread, constant("rival's", &loads), "rival's") // tenants do not meet

		// One process hears of a change: nobody is given what was stored before.
		a.Drop(t.Context(), hyperlocal.Envelope{Tenant: "acme", Aggregate: bread})
		get(t, newCache(t, others, nil), "acme", bread, constant("3", &loads), "3")
		get(t, a, "acme", bread, constant("3", &loads), "3")
		// The other process has its own copy until it hears of it, or until that is too old.
		get(t, b, "acme", bread, constant("3", &loads), "line\nfeeds\n")
		b.Drop(t.Context(), hyperlocal.Envelope{Tenant: "acme", Aggregate: bread})
		get(t, b, "acme", bread, constant("4", &loads), "4")
	})
}

// TestAWriteThatADropOvertookIsNotRead: an answer that was loaded under an old mark is worth
// nothing, whenever it arrives, and a mark never comes back.
func TestAWriteThatADropOvertookIsNotRead(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, open func() *rediscache.Layer) {
		l := open()
		_, _, before, err := l.Read(t.Context(), "acme", bread, "price")
		if err != nil || before == "" {
			t.Fatal(before, err)
		}
		if err := l.Renew(t.Context(), "acme", bread, apple); err != nil {
			t.Fatal(err)
		}
		if err := l.Write(t.Context(), "acme", bread, "price", before, []byte("old"), time.Minute); err != nil {
			t.Fatal(err)
		}
		_, found, after, err := l.Read(t.Context(), "acme", bread, "price")
		if err != nil || found || after == before {
			t.Errorf("found %t under %s, before %s, %v", found, after, before, err)
		}
		_, _, again, err := l.Read(t.Context(), "acme", bread, "price")
		if err != nil || again != after {
			t.Errorf("the mark changes by itself: %s, %s, %v", after, again, err)
		}
	})
}

func TestAnswersExpire(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	l := layer(t, "redis://"+server.Addr())
	_, _, mark, err := l.Read(t.Context(), "acme", bread, "price")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Write(t.Context(), "acme", bread, "price", mark, []byte("1"), 30*time.Second); err != nil {
		t.Fatal(err)
	}
	server.FastForward(29 * time.Second)
	if _, found, _, err := l.Read(t.Context(), "acme", bread, "price"); err != nil || !found {
		t.Error("it expired too soon", err)
	}
	server.FastForward(time.Second)
	if _, found, _, err := l.Read(t.Context(), "acme", bread, "price"); err != nil || found {
		t.Error("it did not expire", err)
	}
	server.FastForward(2 * time.Hour)
	if keys := server.Keys(); len(keys) != 0 {
		t.Error("marks are kept for ever:", keys)
	}
}

// TestWithoutRedisEverythingIsLoaded: no caller sees an error, and when Redis is back, what it
// held before a drop that it was not told of is not believed.
func TestWithoutRedisEverythingIsLoaded(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	l := layer(t, "redis://"+server.Addr())
	var now atomic.Int64
	a := newCache(t, l, hyperlocal.ClockFunc(func() time.Time { return time.Unix(now.Load(), 0) }))
	var loads atomic.Int64
	get(t, a, "acme", bread, constant("1", &loads), "1")
	stored(t, l, bread, "1")

	server.SetError("ERR out of order")
	a.Drop(t.Context(), hyperlocal.Envelope{Tenant: "acme", Aggregate: bread})
	get(t, a, "acme", bread, constant("2", &loads), "2")
	get(t, a, "acme", bread, constant("x", &loads), "2") // its own layer works on
	get(t, a, "acme", apple, constant("3", &loads), "3")

	server.SetError("")
	stored(t, l, bread, "1") // Redis still has the old answer
	time.Sleep(1100 * time.Millisecond)
	a.Drop(t.Context(), hyperlocal.Envelope{Tenant: "acme", Aggregate: apple}) // told again, but not believed yet
	loads.Store(0)
	get(t, a, "acme", apple, constant("4", &loads), "4")
	now.Add(5) // its own copies are too old
	get(t, a, "acme", bread, constant("5", &loads), "5")
	if got, found, _, err := l.Read(t.Context(), "acme", apple, "price"); err != nil || found {
		t.Errorf("it is written to while it is not believed: %q, %v", got, err)
	}
	if s := a.Statistics(); s.SharedHits != 0 {
		t.Errorf("an answer was taken from what missed a drop: %+v", s)
	}

	server.Close()
	get(t, newCache(t, l, nil), "acme", bread, constant("6", &loads), "6")
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	if _, err := rediscache.New(rediscache.Config{}); hyperlocal.CodeOf(err) != hyperlocal.CodeInvalid {
		t.Error(err)
	}
}
