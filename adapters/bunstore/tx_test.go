package bunstore

import (
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/storetest"
)

func parts(s *Store) storetest.Parts {
	return storetest.Parts{
		Tx: s, Outbox: s.Outbox(), Inbox: s.Inbox(), Schedules: s.Schedules(), Idempotency: s.Idempotency(),
		Pending: s.Outbox().Pending, Due: s.Schedules().Due,
	}
}

func TestTx(t *testing.T) {
	t.Parallel()
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		storetest.RunTx(t, storetest.Harness{
			ManyWriters: true,
			Open: func(tb testing.TB) storetest.Parts { //nolint:thelper // it opens, it asserts nothing
				return parts(openStore(tb, Postgres, WithPool(4), WithSchema("shop")))
			},
		})
	})
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		storetest.RunTx(t, storetest.Harness{
			Open: func(tb testing.TB) storetest.Parts { //nolint:thelper // it opens, it asserts nothing
				return parts(openStore(tb, SQLite, WithPool(2)))
			},
		})
	})
	t.Run("sqlite in memory", func(t *testing.T) {
		t.Parallel()
		storetest.RunTx(t, storetest.Harness{
			Open: func(tb testing.TB) storetest.Parts { //nolint:thelper // it opens, it asserts nothing
				s := openAt(tb, "sqlite::memory:")
				if err := s.Migrate(tb.Context()); err != nil {
					tb.Fatal(err)
				}
				return parts(s)
			},
		})
	})
}
