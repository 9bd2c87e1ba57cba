package bunstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty/loyaltytest"
)

func loyaltyHarness(tb testing.TB, s *Store) loyaltytest.Harness {
	tb.Helper()
	books := newBooks(tb, s)
	return loyaltytest.Harness{
		Store: s.Loyalty(), Tx: s, Journal: books,
		Balance: func(ctx context.Context, tenant hyperlocal.TenantID, account, asset string) (int64, error) {
			return books.Balance(ctx, tenant, ledger.Account{Path: account, Asset: asset})
		},
	}
}

func TestLoyalty(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		loyaltytest.Run(t, func(t *testing.T) loyaltytest.Harness { return loyaltyHarness(t, openStore(t, d, patient)) })
	})
}

// The same play that rapid shrinks on memstore, repeatable by its seed.
func TestLoyaltyConserves(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		h := loyaltyHarness(t, openStore(t, d))
		for seed := range uint64(8) {
			t.Logf("seed %d", seed)
			source := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // repeatable
			loyaltytest.Play(t, t.Context(), h, hyperlocal.TenantID(fmt.Sprint("t", seed)), 25,
				func(_ string, n int) int { return source.IntN(n) })
		}
	})
}

func newPoints(tb testing.TB, s *Store) *loyalty.Service {
	tb.Helper()
	points, err := loyalty.New(loyalty.Config{Store: s.Loyalty(), Tx: s, Journal: newBooks(tb, s)})
	if err != nil {
		tb.Fatal(err)
	}
	return points
}

func earnings(prefix string, n int, version, points int64) []loyalty.Earned {
	out := make([]loyalty.Earned, n)
	for i := range out {
		out[i] = loyalty.Earned{
			Tenant: "acme", Member: hyperlocal.NewRef("customer", fmt.Sprint(i)), Source: hyperlocal.NewRef("order", fmt.Sprint(prefix, i)),
			SourceVersion: version, Points: points, Actor: hyperlocal.System("test"),
		}
	}
	return out
}

func TestLoyaltyStatements(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		var c counter
		s := openStore(t, d, WithQueryHook(c.hook))
		points := newPoints(t, s)
		ctx := t.Context()
		c.take()
		earn := func(what string, limit int, earned []loyalty.Earned) {
			t.Helper()
			if err := points.SetEarned(ctx, earned...); err != nil {
				t.Fatal(err)
			}
			if d == SQLite {
				limit += 6 // there each write is a statement
			}
			c.limit(t, what, limit)
		}
		for _, n := range []int{1, 20, 300} {
			name := fmt.Sprint(n, "/")
			earn("earning", 4, earnings(name, n, 1, 100)) // accounts, lots, references, writes
			earn("repeating", 2, earnings(name, n, 1, 100))
			earn("taking back", 5, earnings(name, n, 2, 50))
			place := func(what string, amount int64, limit int) {
				t.Helper()
				batch := make([]hyperlocal.Placement, n)
				for i := range batch {
					m := hyperlocal.NewRef("customer", fmt.Sprint(i))
					batch[i] = hyperlocal.Placement{
						Tenant: "acme", Order: hyperlocal.NewRef("order", fmt.Sprint(what, name, i)), Customer: m, Actor: hyperlocal.System("test"),
					}
					if amount > 0 {
						batch[i].Spend = []hyperlocal.Spend{{Kind: loyalty.SpendKind, Ref: m, Amount: amount}}
					}
				}
				err := s.WithinTx(ctx, func(ctx context.Context) error {
					d, err := points.Participant().Decide(ctx, batch)
					if err != nil {
						return err
					}
					for i := range batch {
						if err := d.Check(i); err != nil {
							return err
						}
						d.Take(i)
					}
					return d.Apply(ctx)
				})
				if err != nil {
					t.Fatal(err)
				}
				c.limit(t, what, limit)
			}
			limit := 4
			if d == SQLite {
				limit += 6
			}
			place("placing", 10, limit)
			place("placing without points", 0, 0)
		}
		if _, err := points.Lots(ctx, "acme", hyperlocal.NewRef("customer", "0"), loyalty.LotFilter{}, hyperlocal.PageRequest{}); err != nil {
			t.Fatal(err)
		}
		if _, err := points.History(ctx, "acme", hyperlocal.NewRef("customer", "0"), hyperlocal.PageRequest{}); err != nil {
			t.Fatal(err)
		}
		if _, err := points.Members(ctx, "acme", hyperlocal.PageRequest{}); err != nil {
			t.Fatal(err)
		}
		c.limit(t, "three lists", 3)
	})
}

// Points, books and a host's own rows commit and roll back together.
func TestPointsInHostTransaction(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		h := openHost(t, d)
		s := h.store
		points, books := newPoints(t, s), newBooks(t, s)
		schema := ""
		if d == Postgres {
			schema = "shop."
		}
		member := hyperlocal.NewRef("customer", "0")
		run := func(name string, commit bool) {
			t.Helper()
			tx, err := h.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to do
			ctx := s.WithSQLTx(t.Context(), tx)
			lock := hyperlocal.AccountRef{Tenant: "acme", Account: loyalty.AccountOf(member)}
			if err := books.LockAccounts(ctx, lock); err != nil {
				t.Fatal(err)
			}
			if err := points.SetEarned(ctx, earnings(name, 1, 1, 10)...); err != nil {
				t.Fatal(err)
			}
			spend := loyalty.SpendCommand{Tenant: "acme", Member: member, Reference: name, Points: 11, Actor: hyperlocal.System("test")}
			if _, err := points.Spend(ctx, spend); !errors.Is(err, loyalty.ErrInsufficient) {
				t.Fatalf("error is %v", err)
			}
			spend.Points = 4
			if _, err := points.Spend(ctx, spend); err != nil {
				t.Fatal(err)
			}
			var left, booked int64
			row := tx.QueryRowContext(ctx, "SELECT sum(remaining), (SELECT balance FROM "+schema+
				"hc_ledger_balances WHERE account = 'points/customer/0') FROM "+schema+"hc_loyalty_lots")
			if err := row.Scan(&left, &booked); err != nil || left != 6 || booked != -6 {
				t.Fatalf("the host sees %d points and %d in the books, error %v", left, booked, err)
			}
			if !commit {
				return
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
		}
		run("a", false)
		if b, err := points.Balance(t.Context(), "acme", member); err != nil || b != (loyalty.Balance{}) {
			t.Fatalf("after the rollback there is %+v, error %v", b, err)
		}
		run("b", true)
		if _, err := books.Fold(t.Context(), 100); err != nil {
			t.Fatal(err)
		}
		if totals, err := books.TrialBalance(t.Context(), "acme"); err != nil || fmt.Sprint(totals) != "[{POINTS 10 10}]" {
			t.Fatalf("trial balance %v, error %v", totals, err)
		}
		if b, err := points.Balance(t.Context(), "acme", member); err != nil || b.Points != 6 {
			t.Fatalf("after the commit there is %+v, error %v", b, err)
		}
	})
}

// Movements are only ever appended, by whoever tries.
func TestMovementsAreImmutable(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		s := openStore(t, d)
		if err := newPoints(t, s).SetEarned(t.Context(), earnings("o", 3, 1, 5)...); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"UPDATE hc_loyalty_movements SET points = 9", "DELETE FROM hc_loyalty_movements"} {
			err := s.WithinTx(t.Context(), func(ctx context.Context) error {
				_, err := s.db(ctx).ExecContext(ctx, text)
				return err
			})
			if err == nil {
				t.Errorf("%s was not refused", text)
			}
		}
	})
}

func BenchmarkLoyalty(b *testing.B) {
	for _, d := range dialects {
		for _, n := range []int{1, 100} {
			b.Run(fmt.Sprintf("%s/earnings=%d", d, n), func(b *testing.B) {
				points := newPoints(b, openStore(b, d))
				for i := 0; b.Loop(); i++ {
					if err := points.SetEarned(b.Context(), earnings(fmt.Sprint(i, "/"), n, 1, 5)...); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "earnings/s")
			})
		}
	}
}
