package eventbus_test

import (
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/bunstore"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/storetest/dbtest"
)

// mainRun runs the tests, ends the databases that they used, and fails on goroutines left
// behind.
type mainRun struct{ m *testing.M }

func (r mainRun) Run() int {
	code := r.m.Run()
	if code == 0 && !strings.Contains(strings.Join(os.Args, " "), "-test.bench") {
		// Watermill's router keeps one goroutine when a subscription fails at the start.
		abandoned := goleak.IgnoreAnyFunction("github.com/ThreeDotsLabs/watermill/message.(*Router).watchAllHandlersStopped.func1")
		if err := goleak.Find(abandoned); err != nil {
			println(err.Error())
			return 1
		}
	}
	return code
}

func TestMain(m *testing.M) { os.Exit(dbtest.Main(mainRun{m})) }

func open(tb testing.TB, dsn string) parts {
	tb.Helper()
	s, err := bunstore.Open(tb.Context(), dsn, bunstore.WithPool(8))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	if err := s.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return parts{
		tx: s, inbox: s.Inbox(), queue: s.Queue(), outbox: s.Outbox(), schedules: s.Schedules(),
		background: bunstore.Background,
	}
}

// stores are the databases that the tests of whole scenarios run on.
var stores = []struct {
	name string
	make func(t *testing.T) parts
}{
	{"memory", memory},
	{"sqlite", func(t *testing.T) parts { return open(t, dbtest.SQLite(t)) }},
	{"postgres", func(t *testing.T) parts { return open(t, dbtest.Postgres(t)) }},
}

func onAllStores(t *testing.T, test func(t *testing.T, p parts)) {
	t.Helper()
	t.Parallel()
	for _, s := range stores {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			test(t, s.make(t))
		})
	}
}
