package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/audit"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
	"github.com/hyperlocal-sdk/hyperlocal/order"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// ShopHarness opens the database on which the contexts are checked together.
type ShopHarness struct {
	// Open returns an empty, migrated database that belongs to tb alone, is closed with it,
	// and checks the lock order.
	Open func(tb testing.TB) Database
	// Counted is Open with a count of the statements sent so far; nil if there are none.
	Counted func(tb testing.TB) (Database, func() int)
	// RoundTrips bounds what one plain placement under a key may cost, if that is counted.
	RoundTrips int
	// Slow says that a test costs too much to let every call go wrong in every way: the ways
	// take turns.
	Slow bool
	// Host opens a database that a host has tables in, too; nil if there is no such thing.
	Host func(t *testing.T) Host
}

// Database is everything that the services of a shop need of one database.
type Database struct {
	hyperlocal.TxRunner
	Gathers     bool // the services commit the calls of concurrent callers together
	Catalog     catalog.Store
	Orders      order.Store
	Stock       inventory.Store
	Payments    payment.Store
	Ledger      ledger.Store
	Loyalty     loyalty.Store
	Outbox      hyperlocal.Outbox
	Inbox       hyperlocal.Inbox
	Idempotency hyperlocal.Idempotency
	SandboxLog  sandbox.Log
	Audit       audit.Source
}

const (
	shopSeller = "corner"
	shopShelf  = hyperlocal.LocationID("shelf")
	shopPrice  = 350 // pence, of everything
)

// shopItems are what is sold, each reserved when it is ordered.
var shopItems = []hyperlocal.ItemID{"apple", "bread"}

// shopMembers have points.
var shopMembers = []hyperlocal.Ref{hyperlocal.NewRef("customer", "ann"), hyperlocal.NewRef("customer", "bob")}

// shop is the real services on one database, without faults until they are asked for.
type shop struct {
	*testing.T
	db     Database
	faults *faults
	ctx    context.Context //nolint:containedctx // one test's context, kept for its helper methods
	ahead  atomic.Int64    // microseconds that the clock is past its start
	keys   atomic.Int64

	catalog  *catalog.Service
	stock    *inventory.Service
	ledger   *ledger.Service
	loyalty  *loyalty.Service
	payments *payment.Service
	orders   *order.Service
	gateway  *denier

	variant hyperlocal.Ref // of the first item, as the catalogue sells it
}

// newShop opens a shop with the given number of each item.
func newShop(t *testing.T, db Database, units int64) *shop {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	w := &shop{T: t, db: db, faults: &faults{}, ctx: ctx}
	f := faulty(db, w.faults)
	clock := hyperlocal.ClockFunc(w.now)
	var atStock *inventory.Intake
	var atOrders *order.Intake
	if db.Gathers {
		atStock, atOrders = &inventory.Intake{}, &order.Intake{}
	}
	var err error
	w.ledger, err = ledger.New(ledger.Config{Store: f.Ledger, Tx: f, Clock: clock})
	mustOK(t, err)
	w.catalog, err = catalog.New(catalog.Config{Store: f.Catalog, Tx: f, Outbox: f.Outbox, Clock: clock})
	mustOK(t, err)
	w.stock, err = inventory.New(inventory.Config{Store: f.Stock, Tx: f, Outbox: f.Outbox, Idempotency: f.Idempotency, Clock: clock, Intake: atStock})
	mustOK(t, err)
	w.loyalty, err = loyalty.New(loyalty.Config{Store: f.Loyalty, Tx: f, Journal: w.ledger, Clock: clock})
	mustOK(t, err)
	plain, err := sandbox.New(sandbox.Config{Log: f.SandboxLog, Clock: clock})
	mustOK(t, err)
	w.gateway = &denier{Gateway: plain}
	w.payments, err = payment.New(payment.Config{
		Store: f.Payments, Tx: f, Outbox: f.Outbox, Journal: w.ledger, Gateways: []payment.Gateway{w.gateway}, Clock: clock,
	})
	mustOK(t, err)
	w.orders, err = order.New(order.Config{
		Store: f.Orders, Tx: f, Outbox: f.Outbox, Idempotency: f.Idempotency, Stock: w.stock,
		Participants: []hyperlocal.Participant{w.loyalty.Participant()}, Payments: w.payments, Journal: w.ledger,
		Offers: w.catalog, Clock: clock, Intake: atOrders,
	})
	mustOK(t, err)
	mustOK(t, w.payments.AttachOwner(order.OwnerKind, w.orders))
	if db.Gathers {
		t.Cleanup(func() {
			mustOK(t, errors.Join(w.orders.Close(context.WithoutCancel(ctx)), w.stock.Close(context.WithoutCancel(ctx))))
		})
	}
	w.fill(units)
	return w
}

// now tells a time of its own, that never stands still.
func (w *shop) now() time.Time {
	return time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC).Add(time.Duration(w.ahead.Add(1)) * time.Microsecond)
}

// fill puts the items on the shelf, sells one of them in the catalogue, and gives points.
func (w *shop) fill(units int64) {
	w.Helper()
	clerk := hyperlocal.System("kit")
	items := inventory.SetItemsCommand{Tenant: kitTenant, Actor: clerk}
	goods := inventory.StockCommand{Tenant: kitTenant, Actor: clerk}
	_, err := w.catalog.CreateShop(w.ctx, catalog.CreateShopCommand{
		Tenant: kitTenant, Actor: clerk, Merchant: catalog.Merchant(shopSeller), Name: "Corner", Currency: "GBP",
		Location: shopShelf, Open: true,
	})
	mustOK(w.T, err)
	products, err := w.catalog.CreateProducts(w.ctx, catalog.CreateProductsCommand{
		Tenant: kitTenant, Actor: clerk, Merchant: catalog.Merchant(shopSeller), Products: []catalog.NewProduct{{
			Title: "Cake", Kind: catalog.KindGoods, State: catalog.Active,
			Variants: []catalog.NewVariant{{SKU: "cake", Stocked: true, Prices: []hyperlocal.Money{w.money(shopPrice)}}},
		}},
	})
	mustOK(w.T, err)
	v := products[0].Variants[0]
	w.variant = v.ID.Ref()
	for _, id := range append(slices.Clone(shopItems), v.Item) {
		items.Items = append(items.Items, inventory.Item{
			ID: id, Location: shopShelf, Unit: hyperlocal.Piece, Mode: inventory.ModeReserveOnOrder,
		})
		goods.Lines = append(goods.Lines, inventory.StockLine{Item: id, Location: shopShelf, Quantity: hyperlocal.Pieces(units)})
	}
	_, err = w.stock.SetItems(w.ctx, items)
	mustOK(w.T, err)
	_, err = w.stock.Receive(w.ctx, goods)
	mustOK(w.T, err)
	for _, m := range shopMembers {
		mustOK(w.T, w.loyalty.SetEarned(w.ctx, loyalty.Earned{
			Tenant: kitTenant, Member: m, Source: hyperlocal.NewRef("welcome", m.ID), SourceVersion: 1, Points: shopPoints, Actor: clerk,
		}))
	}
}

func (w *shop) money(pence int64) hyperlocal.Money {
	w.Helper()
	m, err := hyperlocal.NewMoney(pence, "GBP")
	mustOK(w.T, err)
	return m
}

// key returns an idempotency key that nobody has used.
func (w *shop) key() string { return "key-" + strconv.FormatInt(w.keys.Add(1), 10) }

func (w *shop) line(item hyperlocal.ItemID, n int64) order.PlaceLine {
	w.Helper()
	return order.PlaceLine{
		Title: string(item), Item: item, Location: shopShelf, Quantity: hyperlocal.Pieces(n), UnitPrice: w.money(shopPrice),
	}
}

// plain asks for one of an item.
func (w *shop) plain(item hyperlocal.ItemID) order.PlaceCommand {
	w.Helper()
	return order.PlaceCommand{
		Tenant: kitTenant, Actor: hyperlocal.Actor{Kind: "customer", ID: "ann"}, Merchant: catalog.Merchant(shopSeller),
		Customer: shopMembers[0], Currency: "GBP", Lines: []order.PlaceLine{w.line(item, 1)},
	}
}

// full asks for everything that a placement can touch.
func (w *shop) full() order.PlaceCommand {
	w.Helper()
	c := w.plain(shopItems[1])
	c.Key, c.External = w.key(), hyperlocal.External{Source: "till", Reference: w.key()}
	c.Lines = append(c.Lines, w.line(shopItems[0], 2), order.PlaceLine{Variant: w.variant, Quantity: hyperlocal.Pieces(1)})
	c.Adjustments = []order.Adjustment{{Kind: order.AdjustDiscount, Amount: w.money(-100), Source: "spring"}}
	c.Spend = []hyperlocal.Spend{{Kind: loyalty.SpendKind, Ref: shopMembers[0], Amount: fullPoints}}
	c.Contact, c.Note = &order.Contact{Name: "Ann"}, "ring twice"
	return c
}

// place places a full order, without faults.
func (w *shop) place() order.ID {
	w.Helper()
	r, err := w.orders.Place(w.ctx, w.full())
	mustOK(w.T, err)
	return r.Order.ID
}

func (w *shop) get(id order.ID) order.Order {
	w.Helper()
	o, err := w.orders.Get(w.ctx, kitTenant, id)
	mustOK(w.T, err)
	return o
}

func (w *shop) level(item hyperlocal.ItemID) inventory.Level {
	w.Helper()
	l, err := w.stock.Levels(w.ctx, inventory.Key{Tenant: kitTenant, Item: item, Location: shopShelf})
	mustOK(w.T, err)
	return l[0]
}

// sound fails the test if the audit finds anything.
func (w *shop) sound(when string) {
	w.Helper()
	r, err := audit.Run(w.ctx, w.db.Audit)
	mustOK(w.T, err)
	for _, i := range r.Invariants {
		if i.Violations > 0 {
			w.Errorf("%s: %d violations of %s: %q", when, i.Violations, i.Name, i.Samples)
		}
	}
}

// settle works off everything that is under way, letting as much time pass as it takes.
func (w *shop) settle() {
	w.Helper()
	for range 30 {
		_, a, err := w.payments.RunDue(w.ctx, 1000)
		mustOK(w.T, err)
		_, _, err = w.orders.RunDue(w.ctx, 1000)
		mustOK(w.T, err)
		if a.IsZero() {
			return
		}
		if wait := a.Sub(w.now()); wait > 0 {
			w.ahead.Add(int64(wait / time.Microsecond))
		}
	}
	w.Error("an operation is under way for ever")
}

// rows is the database: every row that an audit sees, by kind, sorted.
func (w *shop) rows() []string {
	w.Helper()
	var d dump
	mustOK(w.T, w.db.Audit.Snapshot(w.ctx, func(ctx context.Context, t audit.Tables) error {
		d = dump{ctx: ctx}
		add(&d, "order", t.Orders)
		add(&d, "line", t.OrderLines)
		add(&d, "adjustment", t.OrderAdjustments)
		add(&d, "history", t.OrderHistory)
		add(&d, "contact", t.Contacts)
		add(&d, "refund", t.Refunds)
		add(&d, "credit", t.Credits)
		add(&d, "level", t.StockLevels)
		add(&d, "stock movement", t.StockMovements)
		add(&d, "reservation", t.StockReservations)
		add(&d, "allocation", t.Allocations)
		add(&d, "operation", t.Operations)
		add(&d, "payment movement", t.PaymentMovements)
		add(&d, "posting", t.Postings)
		add(&d, "entry", t.Entries)
		add(&d, "balance", t.Balances)
		add(&d, "lot", t.Lots)
		add(&d, "lot movement", t.LotMovements)
		add(&d, "event", t.Events)
		return d.err
	}))
	slices.Sort(d.rows)
	return d.rows
}

type dump struct {
	ctx  context.Context //nolint:containedctx // that of the snapshot, for its streams
	rows []string
	err  error
}

func add[T any](d *dump, kind string, s audit.Stream[T]) {
	if d.err == nil {
		d.err = s(d.ctx, func(v T) error {
			d.rows = append(d.rows, fmt.Sprintf("%s %+v", kind, v))
			return nil
		})
	}
}

// count is how many rows of a kind there are.
func count(rows []string, kind string) (n int) {
	for _, r := range rows {
		if strings.HasPrefix(r, kind+" {") {
			n++
		}
	}
	return n
}

// differ lists the rows that only one of two dumps has.
func differ(before, after []string) string {
	var out []string
	for _, r := range before {
		if _, ok := slices.BinarySearch(after, r); !ok {
			out = append(out, "- "+r)
		}
	}
	for _, r := range after {
		if _, ok := slices.BinarySearch(before, r); !ok {
			out = append(out, "+ "+r)
		}
	}
	return strings.Join(out, "\n")
}

// together runs f n times at once and waits.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
}
