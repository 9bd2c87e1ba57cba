package audit_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/audit"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/storetest/dbtest"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }

func TestAudit(t *testing.T) {
	t.Parallel()
	for name, dsn := range map[string]func(testing.TB) string{"sqlite": dbtest.SQLite, "postgres": dbtest.Postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := hasty(dsn(t))
			w := newWorld(t, dsn)
			w.busy()
			w.untouched("at rest")
			w.underLoad()
			r := openRaw(t, dsn)
			r.disarm()
			r.keep()
			r.names(w)
			for _, c := range corruptions() {
				t.Run(strings.ReplaceAll(c.breaks+"/"+c.name, " ", "_"), func(t *testing.T) { r.corrupt(t, w, c) })
			}
			w.untouched("after the last corruption was undone")
		})
	}
}

// hasty has PostgreSQL answer before what it was told is safe, which no audit depends on.
func hasty(dsn string) string {
	if strings.HasPrefix(dsn, "sqlite:") {
		return dsn
	}
	if strings.Contains(dsn, "?") {
		return dsn + "&synchronous_commit=off"
	}
	return dsn + "?synchronous_commit=off"
}

func (w *world) audit(c audit.Config) audit.Report {
	w.t.Helper()
	r, err := c.Run(w.t.Context(), w.store.Audit())
	w.must(err)
	return r
}

// untouched fails unless nothing at all is reported.
func (w *world) untouched(when string) audit.Report {
	w.t.Helper()
	r := w.audit(audit.Config{})
	for _, i := range r.Invariants {
		if i.Violations > 0 || len(i.Samples) > 0 {
			w.t.Errorf("%s: %s: %d %q", when, i.Name, i.Violations, i.Samples)
		}
	}
	if r.Orders == 0 || r.Movements == 0 || r.Entries == 0 {
		w.t.Errorf("%s: nothing was read: %d orders, %d movements, %d entries", when, r.Orders, r.Movements, r.Entries)
	}
	return r
}

// underLoad audits while orders are placed, paid and cancelled.
func (w *world) underLoad() {
	w.t.Helper()
	before := w.untouched("before the load")
	done := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		defer close(done)
		for range 4 {
			results, err := w.orders.PlaceMany(w.t.Context(), []order.PlaceCommand{w.placement(acme), w.placement(rival)})
			if err != nil {
				w.t.Error(err)
				return
			}
			if _, err := w.orders.Pay(w.t.Context(), order.PayCommand{Tenant: acme, Actor: clerk, Order: results[0].Order.ID}); err != nil {
				w.t.Error(err)
			}
			if _, err := w.orders.Cancel(w.t.Context(), order.Command{Tenant: rival, Actor: clerk, Order: results[1].Order.ID, Reason: "load"}); err != nil {
				w.t.Error(err)
			}
		}
	})
	defer work.Wait()
	for audits := 0; !w.t.Failed(); audits++ {
		select {
		case <-done:
			if audits == 0 {
				w.t.Error("the load ended before the first audit")
			}
			if after := w.untouched("after the load"); after.Orders != before.Orders+8 {
				w.t.Errorf("%d orders, want 8 more than %d", after.Orders, before.Orders)
			}
			return
		default:
			w.untouched("under load")
		}
	}
}

// reported returns what is violated.
func reported(r audit.Report) map[string]audit.Invariant {
	found := make(map[string]audit.Invariant)
	for _, i := range r.Invariants {
		if i.Violations > 0 {
			found[i.Name] = i
		}
	}
	return found
}

// corrupt damages the database, looks what is found, and mends it.
func (r *raw) corrupt(t *testing.T, w *world, c corruption) {
	t.Helper()
	outer := w.t
	w.t = t
	defer func() { w.t = outer }()
	fill := w.filler()
	defer r.restore(t, c.do)
	r.exec(t, fill.Replace(c.do))
	report := w.audit(audit.Config{})
	found := reported(report)
	inv, ok := found[c.breaks]
	if !ok {
		t.Fatalf("it is not noticed; found: %v", found)
	}
	for _, name := range c.also {
		if _, ok := found[name]; !ok {
			t.Errorf("%s cannot but be broken as well, and is not reported", name)
		}
		delete(found, name)
	}
	delete(found, c.breaks)
	if len(found) > 0 {
		t.Errorf("also reported: %v", found)
	}
	if inv.Violations != 1 || len(inv.Samples) != 1 {
		t.Fatalf("one violation was made, found %+v", inv)
	}
	for _, want := range []string{string(acme), fill.Replace(c.key)} {
		if !strings.Contains(inv.Samples[0], want) {
			t.Errorf("the sample does not name %s: %s", want, inv.Samples[0])
		}
	}
}

// filler puts the names of the world into SQL.
func (w *world) filler() *strings.Replacer {
	var pairs []string
	for name, id := range w.names {
		pairs = append(pairs, "{"+name+"}", id)
	}
	return strings.NewReplacer(pairs...)
}

// TestCorruptionsAreComplete keeps the table of corruptions in step with the report.
func TestCorruptionsAreComplete(t *testing.T) {
	t.Parallel()
	broken := make(map[string]bool)
	for _, c := range corruptions() {
		broken[c.breaks] = true
	}
	r, err := audit.Run(t.Context(), nothing{})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range r.Invariants {
		if !broken[i.Name] {
			t.Errorf("nothing breaks %s", i.Name)
		}
		delete(broken, i.Name)
	}
	for name := range broken {
		t.Errorf("%s is broken, but no invariant", name)
	}
}

func TestNoSource(t *testing.T) {
	t.Parallel()
	if _, err := audit.Run(t.Context(), nil); err == nil {
		t.Error("an audit of nothing succeeds")
	}
}

func TestSamplesAreBounded(t *testing.T) {
	t.Parallel()
	many := func(_ context.Context, yield func(audit.Order) error) error {
		for n := range 25 {
			if err := yield(audit.Order{ID: audit.ID{Tenant: "acme", ID: strconv.Itoa(n)}, Total: 1, LinesTotal: 1}); err != nil {
				return err
			}
		}
		return nil
	}
	for samples, want := range map[int]int{0: 10, 3: 3, 100: 25} {
		r, err := audit.Config{Samples: samples}.Run(t.Context(), nothing{orders: many})
		if err != nil {
			t.Fatal(err)
		}
		if i := reported(r)[audit.OrderAddsUp]; i.Violations != 25 || len(i.Samples) != want || r.Orders != 25 {
			t.Errorf("%d samples asked for: %d of %d orders, %d violations; want %d of 25", samples, len(i.Samples), r.Orders, i.Violations, want)
		}
		if r.Violations() < 25 {
			t.Errorf("%d violations in all", r.Violations())
		}
	}
}

func TestErrorOfTheSource(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	_, err := audit.Run(t.Context(), nothing{orders: func(context.Context, func(audit.Order) error) error { return broken }})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// nothing is a source without a row, but for orders.
type nothing struct{ orders audit.Stream[audit.Order] }

func none[T any](context.Context, func(T) error) error { return nil }

func (n nothing) Snapshot(ctx context.Context, fn func(ctx context.Context, t audit.Tables) error) error {
	if n.orders == nil {
		n.orders = none[audit.Order]
	}
	return fn(ctx, audit.Tables{
		Orders: n.orders, OrderLines: none[audit.OrderLine], OrderAdjustments: none[audit.OrderAdjustment],
		OrderHistory: none[audit.OrderHistory], Refunds: none[audit.Refund], Credits: none[audit.Credit],
		StockLevels: none[audit.StockLevel], StockMovements: none[audit.StockMovement],
		StockReservations: none[audit.StockReservation], Allocations: none[audit.Allocation],
		Operations: none[audit.Operation], PaymentMovements: none[audit.PaymentMovement],
		SandboxRecords: none[audit.SandboxRecord], Entries: none[audit.Entry], Postings: none[audit.Posting],
		Balances: none[audit.Balance], Lots: none[audit.Lot], LotMovements: none[audit.LotMovement],
		Events: none[audit.Event], Contacts: none[audit.Child],
	})
}
