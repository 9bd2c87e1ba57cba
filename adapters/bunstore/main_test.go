package bunstore

import (
	"os"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/storetest/dbtest"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(withTemplates{m})) }

// dialects are what most tests of this package run on.
var dialects = []Dialect{Postgres, SQLite}

// dsnFor returns the DSN of an empty database that belongs to tb alone.
func dsnFor(tb testing.TB, d Dialect) string {
	tb.Helper()
	if d == SQLite {
		return dbtest.SQLite(tb)
	}
	return dbtest.Postgres(tb)
}

// openEmpty opens an empty database that belongs to tb alone.
func openEmpty(tb testing.TB, d Dialect, opts ...Option) *Store {
	tb.Helper()
	return openAt(tb, dsnFor(tb, d), opts...)
}

func openAt(tb testing.TB, dsn string, opts ...Option) *Store {
	tb.Helper()
	s, err := Open(tb.Context(), dsn, append([]Option{WithRankCheck()}, opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if s.dialect == SQLite {
			checkPlans(tb, s)
		}
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// openStore opens a migrated database that belongs to tb alone.
func openStore(tb testing.TB, d Dialect, opts ...Option) *Store {
	tb.Helper()
	dsn := ""
	if d == Postgres {
		dsn = cloneTemplate(tb, opts)
	} else {
		dsn = dsnFor(tb, d)
	}
	s := openAt(tb, dsn, opts...)
	if err := s.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return s
}

// onBoth runs a test on both databases.
func onBoth(t *testing.T, run func(t *testing.T, d Dialect)) {
	t.Helper()
	for _, d := range dialects {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			run(t, d)
		})
	}
}
