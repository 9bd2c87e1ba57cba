package inventorytest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

// Harness is a store under test together with what a service needs beside it. Everything in
// it shares one new and empty database.
type Harness struct {
	Store       inventory.Store
	Tx          hyperlocal.TxRunner
	Outbox      hyperlocal.Outbox
	Idempotency hyperlocal.Idempotency
	// Pending returns events that were appended and committed, in order per aggregate.
	Pending func(ctx context.Context, limit int) ([]hyperlocal.Envelope, error)
	// Corrupt sets the numbers of a level behind the store's back, as a defect or a hand
	// in the database would.
	Corrupt func(ctx context.Context, key inventory.Key, onHand, reserved int64) error
	// Intake, if set, is what the service gathers holds with.
	Intake *inventory.Intake
}

// Run runs the suite. newHarness is called once per case, which runs in parallel to others.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	t.Helper()
	for _, group := range []struct {
		name  string
		cases []testCase
	}{
		{"Setup", setupCases}, {"Stock", stockCases}, {"Adjust", adjustCases}, {"Placement", placementCases},
		{"Ending", endingCases}, {"Hold", holdCases}, {"Event", eventCases}, {"Transaction", transactionCases},
		{"Read", readCases}, {"Repair", repairCases}, {"Store", storeCases}, {"Race", raceCases}, {"Memory", memoryCases},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, c := range group.cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.run(start(t, newHarness(t)))
				})
			}
		})
	}
}

type testCase struct {
	name string
	run  func(f *fixture)
}

const (
	tenant  = hyperlocal.TenantID("acme")
	shop    = hyperlocal.LocationID("shop")
	cellar  = hyperlocal.LocationID("cellar")
	apple   = hyperlocal.ItemID("apple")
	pear    = hyperlocal.ItemID("pear")
	timeout = 2 * time.Minute // far beyond what any case needs
)

var (
	admin = hyperlocal.Actor{Kind: "admin", ID: "ada"}
	epoch = time.Date(2026, 3, 1, 9, 30, 0, 123456000, time.UTC)
)

// clock is a clock that stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type fixture struct {
	*testing.T
	h     Harness
	s     *inventory.Service
	clock *clock
	ctx   context.Context //nolint:containedctx // a fixture lives for one case, which is one call
}

func start(t *testing.T, h Harness) *fixture {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	t.Cleanup(cancel)
	f := &fixture{T: t, h: h, clock: &clock{now: epoch}, ctx: ctx}
	var err error
	f.s, err = newService(h, f.clock)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return f
}

func newService(h Harness, c hyperlocal.Clock) (*inventory.Service, error) {
	return inventory.New(inventory.Config{Store: h.Store, Tx: h.Tx, Outbox: h.Outbox, Idempotency: h.Idempotency, Clock: c, Intake: h.Intake})
}

func key(item hyperlocal.ItemID, at hyperlocal.LocationID) inventory.Key {
	return inventory.Key{Tenant: tenant, Item: item, Location: at}
}

func order(id string) hyperlocal.Ref { return hyperlocal.NewRef("order", id) }

func owner(id string) hyperlocal.TenantRef {
	return hyperlocal.TenantRef{Tenant: tenant, Ref: order(id)}
}

func cart(id string) hyperlocal.TenantRef {
	return hyperlocal.TenantRef{Tenant: tenant, Ref: hyperlocal.NewRef("cart", id)}
}

func pieces(item hyperlocal.ItemID, at hyperlocal.LocationID, n int64) hyperlocal.ItemQuantity {
	return hyperlocal.ItemQuantity{Item: item, Location: at, Quantity: hyperlocal.Pieces(n)}
}

func place(id string, items ...hyperlocal.ItemQuantity) hyperlocal.Placement {
	return hyperlocal.Placement{Tenant: tenant, Order: order(id), Actor: admin, Items: items}
}

// check fails the case at once if err is not nil.
func (f *fixture) check(err error) {
	f.Helper()
	if err != nil {
		f.Fatalf("unexpected error: %v", err)
	}
}

// want fails the case at once unless err is the sentinel.
func (f *fixture) want(err error, sentinel *hyperlocal.Error) {
	f.Helper()
	if !errors.Is(err, sentinel) || hyperlocal.CodeOf(err) != sentinel.Code {
		f.Fatalf("error is %v, want %s (%s)", err, sentinel.Reason, sentinel.Code)
	}
}

// fields fails the case unless err carries the fields.
func (f *fixture) fields(err error, want map[string]string) {
	f.Helper()
	e, ok := errors.AsType[*hyperlocal.Error](err)
	if !ok {
		f.Fatalf("error is %v, want one of ours", err)
	}
	for k, v := range want {
		if e.Fields[k] != v {
			f.Errorf("field %s is %q, want %q (error: %v)", k, e.Fields[k], v, err)
		}
	}
}

// item makes an item known, counted in pieces.
func (f *fixture) item(id hyperlocal.ItemID, at hyperlocal.LocationID, m inventory.Mode, set ...func(*inventory.Item)) {
	f.Helper()
	it := inventory.Item{ID: id, Location: at, Unit: hyperlocal.Piece, Mode: m}
	for _, fn := range set {
		fn(&it)
	}
	_, err := f.s.SetItems(f.ctx, inventory.SetItemsCommand{Tenant: tenant, Actor: admin, Items: []inventory.Item{it}})
	f.check(err)
}

func backorder(n int64) func(*inventory.Item) {
	return func(it *inventory.Item) { it.BackorderLimit = hyperlocal.Pieces(n) }
}

func lowAt(n int64) func(*inventory.Item) {
	return func(it *inventory.Item) { it.LowAt = hyperlocal.Pieces(n) }
}

// stocked is item with n pieces on hand.
func (f *fixture) stocked(id hyperlocal.ItemID, at hyperlocal.LocationID, n int64, set ...func(*inventory.Item)) {
	f.Helper()
	f.item(id, at, inventory.ModeReserveOnOrder, set...)
	f.receive(id, at, n)
}

func (f *fixture) receive(id hyperlocal.ItemID, at hyperlocal.LocationID, n int64) {
	f.Helper()
	_, err := f.s.Receive(f.ctx, stock(line(id, at, n)))
	f.check(err)
}

func stock(lines ...inventory.StockLine) inventory.StockCommand {
	return inventory.StockCommand{Tenant: tenant, Actor: admin, Lines: lines}
}

func line(id hyperlocal.ItemID, at hyperlocal.LocationID, n int64, external ...string) inventory.StockLine {
	l := inventory.StockLine{Item: id, Location: at, Quantity: hyperlocal.Pieces(n)}
	if len(external) > 0 {
		l.External = hyperlocal.External{Source: "erp", Reference: external[0]}
	}
	return l
}

// place runs a batch of placements the way the order context does, and returns the refusals.
func (f *fixture) place(batch ...hyperlocal.Placement) []error {
	f.Helper()
	refused, err := placeAll(f.ctx, f.h.Tx, f.s, batch)
	f.check(err)
	return refused
}

func placeAll(ctx context.Context, tx hyperlocal.TxRunner, s *inventory.Service, batch []hyperlocal.Placement) ([]error, error) {
	var refused []error
	err := tx.WithinTx(ctx, func(ctx context.Context) error {
		refused = make([]error, len(batch))
		d, err := s.Decide(ctx, batch)
		if err != nil {
			return err
		}
		for i := range batch {
			if refused[i] = d.Check(i); refused[i] == nil {
				d.Take(i)
			}
		}
		return d.Apply(ctx)
	})
	return refused, err
}

// reserved places one order that must be accepted.
func (f *fixture) reserved(id string, items ...hyperlocal.ItemQuantity) {
	f.Helper()
	f.check(f.place(place(id, items...))[0])
}

func (f *fixture) level(k inventory.Key) inventory.Level {
	f.Helper()
	levels, err := f.s.Levels(f.ctx, k)
	f.check(err)
	if len(levels) != 1 {
		f.Fatalf("level %v: found %d", k, len(levels))
	}
	return levels[0]
}

// stands fails the case unless the level has these numbers.
func (f *fixture) stands(k inventory.Key, onHand, reserved int64) {
	f.Helper()
	l := f.level(k)
	if l.OnHand.Value() != onHand || l.Reserved.Value() != reserved {
		f.Fatalf("%s at %s: on hand %d, reserved %d; want %d, %d", k.Item, k.Location,
			l.OnHand.Value(), l.Reserved.Value(), onHand, reserved)
	}
}

// movements returns all movements of a level, oldest first.
func (f *fixture) movements(k inventory.Key) []inventory.Movement {
	f.Helper()
	var out []inventory.Movement
	p := hyperlocal.PageRequest{Limit: hyperlocal.MaxPageLimit}
	for {
		page, err := f.s.Movements(f.ctx, k.Tenant, inventory.MovementFilter{Item: k.Item, Location: k.Location}, p)
		f.check(err)
		out = append(out, page.Items...)
		if p.Cursor = page.Next; p.Cursor == "" {
			slices.Reverse(out)
			return out
		}
	}
}

func (f *fixture) kinds(k inventory.Key) string {
	f.Helper()
	moves := f.movements(k)
	kinds := make([]string, len(moves))
	for i, m := range moves {
		kinds[i] = string(m.Kind)
	}
	return strings.Join(kinds, ", ")
}

// events returns the committed events with the name, by time of change.
func (f *fixture) events(name string) []hyperlocal.Envelope {
	f.Helper()
	all, err := f.h.Pending(f.ctx, 10_000)
	f.check(err)
	all = slices.DeleteFunc(all, func(e hyperlocal.Envelope) bool { return e.Name != name })
	slices.SortStableFunc(all, func(a, b hyperlocal.Envelope) int {
		return cmp.Or(cmp.Compare(a.AggregateVersion, b.AggregateVersion), cmp.Compare(a.N, b.N))
	})
	return all
}

// sound fails the case if any level of any tenant given disagrees with its history or
// breaks a rule.
func (f *fixture) sound(tenants ...hyperlocal.TenantID) {
	f.Helper()
	if len(tenants) == 0 {
		tenants = []hyperlocal.TenantID{tenant}
	}
	for _, t := range tenants {
		if err := Sound(f.ctx, f.s, t); err != nil {
			f.Fatal(err)
		}
	}
}

var errUnsound = errors.New("the stock is not sound")

// Sound reports the first level of the tenant that disagrees with the sums of its movements
// and reservations, or breaks 0 <= reserved <= on hand + backorder limit.
func Sound(ctx context.Context, s *inventory.Service, t hyperlocal.TenantID) error {
	p := hyperlocal.PageRequest{Limit: hyperlocal.MaxPageLimit}
	for {
		wrong, err := s.Recompute(ctx, t, inventory.LevelFilter{}, p)
		if err != nil {
			return err
		}
		for _, c := range wrong.Items {
			return hyperlocal.NewError(hyperlocal.CodeInternal, "inventorytest/unsound", "level and history disagree").
				With("count", c).WithCause(errUnsound)
		}
		levels, err := s.ListLevels(ctx, t, inventory.LevelFilter{}, p)
		if err != nil {
			return err
		}
		for _, l := range levels.Items {
			if err := l.Validate(); err != nil {
				return errors.Join(errUnsound, err)
			}
		}
		if p.Cursor = wrong.Next; p.Cursor == "" {
			return nil
		}
	}
}
