package bunstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
	"github.com/hyperlocal-sdk/hyperlocal/ledger/ledgertest"
)

func TestLedger(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		ledgertest.Run(t, func(t *testing.T) ledgertest.Harness {
			s := openStore(t, d, patient)
			return ledgertest.Harness{Store: s.Ledger(), Tx: s}
		})
	})
}

// patient lets a hundred callers queue for SQLite's one writer on a busy machine.
var patient = WithBusyTimeout(time.Minute)

// The same play that rapid shrinks on memstore, repeatable by its seed.
func TestLedgerModel(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		s := openStore(t, d)
		for seed := range uint64(8) {
			t.Logf("seed %d", seed)
			source := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // repeatable
			ledgertest.Play(t, t.Context(), ledgertest.Harness{Store: s.Ledger(), Tx: s}, hyperlocal.TenantID(fmt.Sprint("t", seed)), 25,
				func(_ string, n int) int { return source.IntN(n) })
		}
	})
}

func newBooks(tb testing.TB, s *Store) *ledger.Service {
	tb.Helper()
	books, err := ledger.New(ledger.Config{Store: s.Ledger(), Tx: s})
	if err != nil {
		tb.Fatal(err)
	}
	return books
}

func transfer(reference, from, to, asset string, amount int64) hyperlocal.Posting {
	return hyperlocal.Posting{
		Tenant: "acme", Reference: reference, Kind: "transfer", Actor: hyperlocal.System("test"),
		Entries: []hyperlocal.Entry{{Account: from, Asset: asset, Amount: -amount}, {Account: to, Asset: asset, Amount: amount}},
	}
}

func captures(prefix string, n int) []hyperlocal.Posting {
	out := make([]hyperlocal.Posting, n)
	for i := range out {
		out[i] = transfer(fmt.Sprint(prefix, "/", i), fmt.Sprint("sales/m", i%7), "clearing/sandbox", "GBP", 100)
	}
	return out
}

// What was posted cannot be changed by any statement, also past this package.
func TestLedgerIsImmutable(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		s := openStore(t, d)
		books := newBooks(t, s)
		if err := books.Post(t.Context(), captures("c", 3)...); err != nil {
			t.Fatal(err)
		}
		statements := []string{
			"UPDATE hc_ledger_entries SET amount = amount + 1",
			"UPDATE hc_ledger_entries SET amount = 1 WHERE account = 'sales/m0'",
			"DELETE FROM hc_ledger_entries",
			"UPDATE hc_ledger_transactions SET kind = 'gift'",
			"UPDATE hc_ledger_transactions SET reference = 'x' WHERE reference = 'c/0'",
			"DELETE FROM hc_ledger_transactions WHERE reference = 'c/0'",
		}
		if d == Postgres {
			statements = append(statements, "TRUNCATE hc_ledger_entries", "TRUNCATE hc_ledger_transactions CASCADE",
				"INSERT INTO hc_ledger_entries SELECT tenant, effective_at, transaction_id, n, account, asset, 1, recorded_at "+
					"FROM hc_ledger_entries ON CONFLICT (tenant, effective_at, transaction_id, n) DO UPDATE SET amount = 1")
		} else {
			statements = append(statements,
				"INSERT OR REPLACE INTO hc_ledger_entries SELECT tenant, effective_at, transaction_id, n, account, asset, 1, recorded_at FROM hc_ledger_entries",
				"INSERT OR REPLACE INTO hc_ledger_transactions SELECT tenant, effective_at, id, reference, 'gift', subject_kind, subject_id, "+
					"reverses, actor_kind, actor_id, recorded_at, fingerprint FROM hc_ledger_transactions",
				"UPDATE OR REPLACE hc_ledger_entries SET n = 0")
		}
		before := ledgerDump(t, s)
		pool := s.pool
		if s.writer != nil {
			pool = s.writer
		}
		for _, text := range statements {
			err := s.WithinTx(t.Context(), func(ctx context.Context) error {
				_, err := s.db(ctx).ExecContext(ctx, text)
				return err
			})
			if err == nil {
				t.Errorf("%s was not refused", text)
			} else if !strings.Contains(err.Error(), "never changed") && !strings.Contains(err.Error(), "hc_ledger") {
				t.Errorf("%s: %v", text, err)
			}
			if d == Postgres { // and by a stranger's connection
				if _, err := pool.ExecContext(t.Context(), text); err == nil {
					t.Errorf("%s was not refused outside", text)
				}
			}
		}
		if after := ledgerDump(t, s); after != before {
			t.Errorf("before\n%s\nafter\n%s", before, after)
		}
	})
}

func ledgerDump(t *testing.T, s *Store) string {
	t.Helper()
	page, err := newBooks(t, s).Journal(t.Context(), "acme", ledger.Filter{}, hyperlocal.PageRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(page.Items)
}

// A posting that is open while others are folded is in nobody's snapshot, whatever ids and
// times it has, and counts from its commit on.
func TestFoldBesideAnOpenPosting(t *testing.T) {
	t.Parallel()
	s := openStore(t, Postgres)
	books := newBooks(t, s)
	ctx := t.Context()
	opened, folded, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.WithinTx(ctx, func(ctx context.Context) error {
			if err := books.Post(ctx, transfer("open", "sales/m1", "clearing/sandbox", "GBP", 1000)); err != nil {
				return err
			}
			if err := s.flush(ctx); err != nil { // the rows are in the table, under lower ids than what follows
				return err
			}
			close(opened)
			<-folded
			return nil
		})
	}()
	<-opened
	clearing := ledger.Account{Path: "clearing/sandbox", Asset: "GBP"}
	expect := func(want int64) {
		t.Helper()
		if got, err := books.Balance(ctx, "acme", clearing); err != nil || got != want {
			t.Errorf("balance is %d, error %v, want %d", got, err, want)
		}
	}
	if err := books.Post(ctx, transfer("later", "sales/m1", "clearing/sandbox", "GBP", 1)); err != nil {
		t.Error(err)
	}
	if n, err := books.Fold(ctx, 100); err != nil || n != 2 {
		t.Errorf("folded %d, error %v", n, err)
	}
	expect(1)
	close(folded)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	expect(1001)
	if n, err := books.Fold(ctx, 100); err != nil || n != 2 {
		t.Errorf("folded %d, error %v", n, err)
	}
	expect(1001)
}

// Posting to an account that nobody bounds waits for nobody.
func TestUnboundedAccountsTakeNoLock(t *testing.T) {
	t.Parallel()
	s := openStore(t, Postgres)
	books := newBooks(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := s.WithinTx(ctx, func(inside context.Context) error {
		if err := books.Post(inside, captures("open", 10)...); err != nil {
			return err
		}
		if err := s.flush(inside); err != nil {
			return err
		}
		var other sync.WaitGroup
		other.Go(func() {
			if err := books.Post(ctx, captures("beside", 10)...); err != nil {
				t.Error(err)
			}
			if _, err := books.Fold(ctx, 100); err != nil {
				t.Error(err)
			}
		})
		other.Wait()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// counter counts statements without those that only frame a transaction.
type counter struct {
	mu    sync.Mutex
	texts []string
}

func (c *counter) hook(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch word, _, _ := strings.Cut(text, " "); word {
	case "BEGIN", "COMMIT", "ROLLBACK":
	default:
		c.texts = append(c.texts, text)
	}
}

func (c *counter) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	texts := c.texts
	c.texts = nil
	return texts
}

// limit fails when more than n statements were sent since the last call.
func (c *counter) limit(t *testing.T, what string, n int) {
	t.Helper()
	if texts := c.take(); len(texts) > n {
		t.Errorf("%s took %d statements, at most %d are right:\n%s", what, len(texts), n, strings.Join(texts, "\n"))
	}
}

func TestLedgerStatements(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		var c counter
		s := openStore(t, d, WithQueryHook(c.hook))
		books := newBooks(t, s)
		ctx := t.Context()
		flush := 1 // one statement holds all writes
		if d == SQLite {
			flush = 4
		}
		c.take()
		for _, n := range []int{1, 10, 300} {
			if _, err := books.PostMany(ctx, captures(fmt.Sprint("c", n), n)); err != nil {
				t.Fatal(err)
			}
			c.limit(t, fmt.Sprint("posting ", n, " captures"), 1+flush)
			var points []hyperlocal.Posting
			for i := range n {
				points = append(points, transfer(fmt.Sprint("p", n, "/", i), fmt.Sprint("points/customer/", i), "points/issued", "POINTS", 5))
			}
			if err := books.Post(ctx, points...); err != nil {
				t.Fatal(err)
			}
			c.limit(t, fmt.Sprint("posting to ", n, " bounded accounts"), 2+flush)
			err := s.WithinTx(ctx, func(ctx context.Context) error {
				var locks []hyperlocal.AccountRef
				for i := range n {
					locks = append(locks, hyperlocal.AccountRef{Tenant: "acme", Account: fmt.Sprint("points/customer/", i)})
				}
				if err := books.LockAccounts(ctx, locks...); err != nil {
					return err
				}
				c.limit(t, "locking", 1)
				for i := range points {
					points[i].Reference += "/again"
				}
				return books.Post(ctx, points...)
			})
			if err != nil {
				t.Fatal(err)
			}
			c.limit(t, "posting after locking", 1+flush)
			if _, err := books.PostMany(ctx, points); err != nil {
				t.Fatal(err)
			}
			c.limit(t, "a replay", 2)
		}
		list := func(limit int, f ledger.Filter) {
			t.Helper()
			page, err := books.Journal(ctx, "acme", f, hyperlocal.PageRequest{Limit: limit})
			if err != nil || len(page.Items) != limit {
				t.Fatalf("a page of %d, error %v", len(page.Items), err)
			}
			c.limit(t, "a page of the journal", 2)
		}
		for _, n := range []int{1, 20, 200} {
			list(n, ledger.Filter{})
			list(min(n, 30), ledger.Filter{Account: "sales/m0"})
		}
		if _, err := books.Accounts(ctx, "acme", "points/", hyperlocal.PageRequest{Limit: 200}); err != nil {
			t.Fatal(err)
		}
		c.limit(t, "a page of accounts", 2)
		if _, err := books.Fold(ctx, 1000); err != nil {
			t.Fatal(err)
		}
		c.limit(t, "a fold", 2)
	})
}

func BenchmarkLedger(b *testing.B) {
	for _, d := range dialects {
		for _, n := range []int{1, 100} {
			b.Run(fmt.Sprintf("%s/captures=%d", d, n), func(b *testing.B) {
				books := newBooks(b, openStore(b, d))
				for i := 0; b.Loop(); i++ {
					if _, err := books.PostMany(b.Context(), captures(fmt.Sprint(i), n)); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "postings/s")
			})
		}
	}
}
