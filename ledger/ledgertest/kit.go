package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
)

// Harness is an empty, migrated database that belongs to one test.
type Harness struct {
	Store ledger.Store
	Tx    hyperlocal.TxRunner
	// Intake, if set, is what the ledgers of the cases gather single postings with.
	Intake *ledger.Intake
}

// Run runs every case, at once and each as two tenants of its own. They share a database but
// for those that touch all tenants of one.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	t.Helper()
	shared := newHarness(t)
	for i, c := range slices.Concat(postCases, boundedCases, transactionCases, readCases, raceCases) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newFixture(t, shared, i))
		})
	}
	for i, c := range foldCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newFixture(t, newHarness(t), i))
		})
	}
}

type testCase struct {
	name string
	run  func(f *fixture)
}

const member = "points/customer/7"

var actor = hyperlocal.Actor{Kind: "system", ID: "kit"}

// fixture is a ledger on the database under test, with a clock that stands still.
type fixture struct {
	*testing.T
	h             Harness
	ctx           context.Context
	tenant, other hyperlocal.TenantID
	books         *ledger.Service
	clock         *clock
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newFixture(t *testing.T, h Harness, n int) *fixture {
	t.Helper()
	f := &fixture{
		T: t, h: h, ctx: t.Context(), tenant: hyperlocal.TenantID(fmt.Sprint("acme", n)), other: hyperlocal.TenantID(fmt.Sprint("zeta", n)),
		clock: &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)},
	}
	f.books = f.ledger(nil)
	return f
}

// ledger makes another ledger on the same database.
func (f *fixture) ledger(rules []ledger.Bound) *ledger.Service {
	f.Helper()
	s, err := ledger.New(ledger.Config{Store: f.h.Store, Tx: f.h.Tx, Clock: f.clock, Bounded: rules, Intake: f.h.Intake})
	f.check(err)
	return s
}

func (f *fixture) check(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) want(err, target error) {
	f.Helper()
	if !errors.Is(err, target) {
		f.Fatalf("error is %v, want %v", err, target)
	}
}

func (f *fixture) wantReason(err error, code hyperlocal.Code, reason string) {
	f.Helper()
	if !hyperlocal.IsCode(err, code) || hyperlocal.ReasonOf(err) != reason {
		f.Fatalf("error is %v, want %s with code %s", err, reason, code)
	}
}

// stands checks balances, debit positive.
func (f *fixture) stands(path, asset string, want int64) {
	f.Helper()
	got, err := f.books.Balance(f.ctx, f.tenant, ledger.Account{Path: path, Asset: asset})
	f.check(err)
	if got != want {
		f.Fatalf("%s holds %d %s, want %d", path, got, asset, want)
	}
}

// sound checks what must hold whatever was done: every posting balances, debits equal credits
// in the trial balance, and each balance is the sum of its entries.
func (f *fixture) sound() {
	f.Helper()
	check(f, f.ctx, f.books, f.tenant)
}

func check(t TB, ctx context.Context, books *ledger.Service, tenant hyperlocal.TenantID) {
	t.Helper()
	bad, err := books.Unbalanced(ctx, tenant, 10)
	if err != nil || len(bad) > 0 {
		t.Fatalf("unbalanced postings %q, error %v", bad, err)
	}
	totals, err := books.TrialBalance(ctx, tenant)
	if err != nil {
		t.Fatalf("trial balance: %v", err)
	}
	for _, line := range totals {
		if line.Debits != line.Credits {
			t.Fatalf("trial balance is off: %+v", line)
		}
	}
	for request := (hyperlocal.PageRequest{Limit: 100}); ; {
		page, err := books.Accounts(ctx, tenant, "", request)
		if err != nil {
			t.Fatalf("accounts: %v", err)
		}
		var names []ledger.Account
		for _, b := range page.Items {
			names = append(names, b.Account)
		}
		sums, err := books.BalancesAsOf(ctx, tenant, ledger.AsOf{}, names...)
		if err != nil {
			t.Fatalf("sums: %v", err)
		}
		for i, b := range page.Items {
			if sums[i] != b.Amount {
				t.Fatalf("%v holds %d, but its entries add up to %d", b.Account, b.Amount, sums[i])
			}
		}
		if page.Next == "" {
			return
		}
		request.Cursor = page.Next
	}
}

// move is a posting of an amount from one account to another.
func (f *fixture) move(reference, from, to, asset string, amount int64) hyperlocal.Posting {
	return hyperlocal.Posting{
		Tenant: f.tenant, Reference: reference, Kind: "move", Actor: actor,
		Entries: []hyperlocal.Entry{{Account: to, Asset: asset, Amount: amount}, {Account: from, Asset: asset, Amount: -amount}},
	}
}

func (f *fixture) earn(reference string, points int64) hyperlocal.Posting {
	return f.move(reference, member, "points/issued", "POINTS", points)
}

func (f *fixture) spend(reference string, points int64) hyperlocal.Posting {
	return f.move(reference, "points/redeemed", member, "POINTS", points)
}

func (f *fixture) sale(n int, amount int64) hyperlocal.Posting {
	return f.move("sale/"+strconv.Itoa(n), "sales/m1", "clearing/sandbox", "GBP", amount)
}

// many posts and answers the results.
func (f *fixture) many(postings ...hyperlocal.Posting) []ledger.Result {
	f.Helper()
	results, err := f.books.PostMany(f.ctx, postings)
	f.check(err)
	if len(results) != len(postings) {
		f.Fatalf("%d results for %d postings", len(results), len(postings))
	}
	return results
}
