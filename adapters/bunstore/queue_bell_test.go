package bunstore

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/storetest/dbtest"
)

// hearing has the store listen and returns how often it heard something.
func hearing(t *testing.T, s *Store) *atomic.Int64 {
	t.Helper()
	var heard atomic.Int64
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Queue().Listen(ctx, func() { heard.Add(1) }, nil)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return &heard
}

func reaches(t *testing.T, n *atomic.Int64, want int64) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); n.Load() < want; {
		if time.Now().After(end) {
			t.Fatalf("heard %d times, want %d", n.Load(), want)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestBell: a ring reaches the other processes of the same schema, and again after their
// connection broke; nobody hears himself.
func TestBell(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t)
	open := func(opts ...Option) *Store {
		s, err := Open(t.Context(), dsn, opts...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	here, there, elsewhere := open(), open(WithPool(1)), open(WithSchema("shop"))
	own, other, foreign := hearing(t, here), hearing(t, there), hearing(t, elsewhere)
	for _, n := range []*atomic.Int64{own, other, foreign} {
		reaches(t, n, 1) // it has begun
	}
	ring := func(s *Store) {
		t.Helper()
		if err := s.Queue().Ring(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ring(here)
	reaches(t, other, 2)
	if err := there.pool.PingContext(t.Context()); err != nil { // the pool has its one connection besides
		t.Fatal(err)
	}

	if _, err := here.pool.ExecContext(t.Context(),
		`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = $1 AND datname = current_database()`, bellListen); err != nil {
		t.Fatal(err)
	}
	reaches(t, own, 2) // it listens again
	reaches(t, other, 3)
	reaches(t, foreign, 2)
	ring(here)
	reaches(t, other, 4)

	// Notices arrive in the order of their rings, so these count what came before them.
	ring(there)
	ring(open(WithSchema("shop")))
	reaches(t, own, 3)
	reaches(t, foreign, 3)
	if own.Load() != 3 || foreign.Load() != 3 {
		t.Errorf("heard %d times by the one who rang, %d times in another schema, want 3 and 3", own.Load(), foreign.Load())
	}
}

func TestBellOnSQLite(t *testing.T) {
	t.Parallel()
	s := openStore(t, SQLite)
	if err := s.Queue().Ring(t.Context()); err != nil {
		t.Error(err)
	}
	s.Queue().Listen(t.Context(), func() { t.Error("heard something") }, nil) // returns at once
}
