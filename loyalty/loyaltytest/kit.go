package loyaltytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
)

// Harness is an empty, migrated database that belongs to one test.
type Harness struct {
	Store   loyalty.Store
	Tx      hyperlocal.TxRunner
	Journal loyalty.Journal
	// Balance returns what the ledger has for an account in an asset: debits minus credits.
	Balance func(ctx context.Context, tenant hyperlocal.TenantID, account, asset string) (int64, error)
}

// TB is what Play needs of a test.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Run runs every case, at once and each as two tenants of its own. They share a database but
// for those that expire points, which reaches every tenant.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	t.Helper()
	shared := newHarness(t)
	for i, c := range slices.Concat(earnCases, spendCases, placementCases, transactionCases, readCases, raceCases) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newFixture(t, shared, i))
		})
	}
	for i, c := range expireCases {
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

const day = 24 * time.Hour

var (
	ann   = hyperlocal.NewRef("customer", "Ann Ä/🧾")
	bob   = hyperlocal.NewRef("customer", "bob")
	actor = hyperlocal.Actor{Kind: "system", ID: "kit"}
)

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

// fixture is a programme on the database under test: points live for 30 days.
type fixture struct {
	*testing.T
	h             Harness
	ctx           context.Context
	tenant, other hyperlocal.TenantID
	points        *loyalty.Service
	clock         *clock
}

func newFixture(t *testing.T, h Harness, n int) *fixture {
	t.Helper()
	f := &fixture{
		T: t, h: h, ctx: t.Context(), tenant: hyperlocal.TenantID(fmt.Sprint("acme", n)), other: hyperlocal.TenantID(fmt.Sprint("zeta", n)),
		clock: &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)},
	}
	f.points = f.programme(0, "30 days")
	return f
}

// programme makes a programme on the same database.
func (f *fixture) programme(pending time.Duration, expiry string) *loyalty.Service {
	f.Helper()
	lifetime, err := loyalty.ParseExpiry(expiry)
	f.check(err)
	s, err := loyalty.New(loyalty.Config{
		Store: f.h.Store, Tx: f.h.Tx, Journal: f.h.Journal, Clock: f.clock, Pending: pending, Expiry: lifetime,
	})
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

func order(id string) hyperlocal.Ref { return hyperlocal.NewRef("order", id) }

func (f *fixture) earned(member hyperlocal.Ref, source string, version, points int64) loyalty.Earned {
	return loyalty.Earned{
		Tenant: f.tenant, Member: member, Source: order(source), SourceVersion: version, Points: points, Actor: actor,
	}
}

func (f *fixture) earn(member hyperlocal.Ref, source string, version, points int64) {
	f.Helper()
	f.check(f.points.SetEarned(f.ctx, f.earned(member, source, version, points)))
}

func (f *fixture) spending(member hyperlocal.Ref, reference string, points int64) loyalty.SpendCommand {
	return loyalty.SpendCommand{Tenant: f.tenant, Member: member, Reference: reference, Points: points, Actor: actor}
}

func (f *fixture) spend(member hyperlocal.Ref, reference string, points int64) loyalty.Spending {
	f.Helper()
	s, err := f.points.Spend(f.ctx, f.spending(member, reference, points))
	f.check(err)
	return s
}

func (f *fixture) restore(reference string) loyalty.Spending {
	f.Helper()
	s, err := f.points.Restore(f.ctx, loyalty.RestoreCommand{Tenant: f.tenant, Reference: reference, Actor: actor})
	f.check(err)
	return s
}

func (f *fixture) balance(member hyperlocal.Ref) loyalty.Balance {
	f.Helper()
	b, err := f.points.Balance(f.ctx, f.tenant, member)
	f.check(err)
	return b
}

// holds checks what is left to a member and what is owed, and that all else adds up.
func (f *fixture) holds(member hyperlocal.Ref, points, shortfall int64) {
	f.Helper()
	b := f.balance(member)
	if b.Points != points || b.Shortfall != shortfall {
		f.Fatalf("%v has %d points and a shortfall of %d, want %d and %d", member, b.Points, b.Shortfall, points, shortfall)
	}
	audit(f, f.ctx, f.h, f.points, f.tenant, member)
}

// lots returns the lots of a member by the id of their source.
func (f *fixture) lots(member hyperlocal.Ref) map[string]loyalty.Lot {
	f.Helper()
	all, err := allLots(f.ctx, f.points, f.tenant, member)
	f.check(err)
	out := make(map[string]loyalty.Lot)
	for _, l := range all {
		out[l.Source.ID] = l
	}
	return out
}

// remaining checks what is left in lots, given as source and points.
func (f *fixture) remaining(member hyperlocal.Ref, want map[string]int64) {
	f.Helper()
	lots := f.lots(member)
	if len(lots) != len(want) {
		f.Fatalf("%d lots, want %d", len(lots), len(want))
	}
	for source, points := range want {
		if got := lots[source].Remaining; got != points {
			f.Fatalf("lot of %s has %d points left, want %d", source, got, points)
		}
	}
}

func allLots(ctx context.Context, points *loyalty.Service, tenant hyperlocal.TenantID, member hyperlocal.Ref) ([]loyalty.Lot, error) {
	var all []loyalty.Lot
	for request := (hyperlocal.PageRequest{Limit: 200}); ; {
		page, err := points.Lots(ctx, tenant, member, loyalty.LotFilter{}, request)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if request.Cursor = page.Next; page.Next == "" {
			return all, nil
		}
	}
}

func allMovements(ctx context.Context, points *loyalty.Service, tenant hyperlocal.TenantID, member hyperlocal.Ref) ([]loyalty.Movement, error) {
	var all []loyalty.Movement
	for request := (hyperlocal.PageRequest{Limit: 200}); ; {
		page, err := points.History(ctx, tenant, member, request)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if request.Cursor = page.Next; page.Next == "" {
			return all, nil
		}
	}
}

// audit checks what must hold for a member whatever was done.
func audit(t TB, ctx context.Context, h Harness, points *loyalty.Service, tenant hyperlocal.TenantID, member hyperlocal.Ref) { //nolint:revive // t comes first
	t.Helper()
	lots, err := allLots(ctx, points, tenant, member)
	if err != nil {
		t.Fatalf("lots: %v", err)
	}
	movements, err := allMovements(ctx, points, tenant, member)
	if err != nil {
		t.Fatalf("history: %v", err)
	}
	b, err := points.Balance(ctx, tenant, member)
	if err != nil {
		t.Fatalf("balance: %v", err)
	}
	booked, err := h.Balance(ctx, tenant, loyalty.AccountOf(member), loyalty.Asset)
	if err != nil {
		t.Fatalf("ledger: %v", err)
	}
	moved := make(map[string]int64)
	var spent int64
	for _, m := range movements {
		moved[m.Lot] += m.Points
		if m.Kind == loyalty.MovementSpent || m.Kind == loyalty.MovementRestored {
			spent -= m.Points
		}
	}
	var sum loyalty.Lot
	for _, l := range lots {
		if l.Remaining < 0 || l.Earned < 0 || l.Expired < 0 || l.Shortfall < 0 {
			t.Fatalf("negative: %+v", l)
		}
		if moved[l.ID] != l.Remaining {
			t.Fatalf("movements add up to %d: %+v", moved[l.ID], l)
		}
		sum.Earned += l.Earned
		sum.Remaining += l.Remaining
		sum.Expired += l.Expired
		sum.Shortfall += l.Shortfall
	}
	switch {
	case sum.Remaining != -booked:
		t.Fatalf("the lots of %v hold %d points, the ledger %d", member, sum.Remaining, -booked)
	case sum.Remaining != b.Points || sum.Shortfall != b.Shortfall || b.Points != b.Spendable+b.Pending+b.Lapsed:
		t.Fatalf("the lots of %v add up to %+v, the balance is %+v", member, sum, b)
	case sum.Earned+sum.Shortfall != sum.Remaining+spent+sum.Expired:
		t.Fatalf("points of %v are not conserved: lots %+v, spent %d", member, sum, spent)
	}
	for name, want := range map[string]int64{loyalty.AccountRedeemed: 0, loyalty.AccountExpired: 0} {
		got, err := h.Balance(ctx, tenant, name, loyalty.Asset)
		if err != nil || got > want {
			t.Fatalf("%s holds %d, error %v", name, got, err)
		}
	}
}

func ids(n int, format string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(format, i)
	}
	return out
}
