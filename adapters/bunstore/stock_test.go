package bunstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
	"github.com/hyperlocal-sdk/hyperlocal/inventory/inventorytest"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

var (
	_ order.Stock   = (*inventory.Service)(nil)
	_ order.Spender = (*inventory.Service)(nil)
)

func stockHarness(s *Store) inventorytest.Harness {
	return inventorytest.Harness{
		Store: s.Stock(), Tx: s, Outbox: s.Outbox(), Idempotency: s.Idempotency(), Pending: s.Outbox().Pending,
		Corrupt: func(ctx context.Context, k inventory.Key, onHand, reserved int64) error {
			_, err := s.change(ctx, `UPDATE hc_stock_levels SET on_hand = $1, reserved = $2 WHERE tenant = $3 AND item = $4 AND location = $5`,
				onHand, reserved, string(k.Tenant), string(k.Item), string(k.Location))
			return err
		},
	}
}

func TestStock(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		inventorytest.Run(t, func(t *testing.T) inventorytest.Harness {
			// Two hundred writers at once have to wait for each other on a slow machine.
			return stockHarness(openStore(t, d, WithPool(8), WithBusyTimeout(time.Minute)))
		})
	})
}

func TestStockInAnotherSchema(t *testing.T) {
	t.Parallel()
	s := openStore(t, Postgres, WithSchema("shop"))
	if err := inventorytest.Oversell(t.Context(), stockHarness(s), 20, 7); err != nil {
		t.Fatal(err)
	}
}

// careless is the store with its protection taken away.
type careless struct {
	*Stock
	guard bool
}

// Lock reads without locking.
func (c careless) Lock(ctx context.Context, keys []inventory.Key, _ []hyperlocal.TenantRef) (inventory.Locked, error) {
	levels, err := c.Levels(ctx, sortedKeys(keys))
	return inventory.Locked{Levels: levels}, err
}

func (c careless) Write(ctx context.Context, w inventory.Writes) error {
	if !c.guard {
		for i := range w.Changes {
			w.Changes[i].Guard = inventory.GuardNone
		}
	}
	return c.Stock.Write(ctx, w)
}

// The check for overselling has to be able to fail: without lock, guard and constraint it
// must report that more was sold than there was.
func TestOversellIsNoticed(t *testing.T) {
	t.Parallel()
	s := openStore(t, Postgres)
	h := stockHarness(s)
	h.Store = careless{Stock: s.Stock()}
	if _, err := s.change(t.Context(), `ALTER TABLE hc_stock_levels DROP CONSTRAINT hc_stock_levels_cover_check`); err != nil {
		t.Fatal(err)
	}
	// The events of a level are unique per version, which would notice as well.
	h.Outbox = deaf{}
	err := inventorytest.Oversell(t.Context(), h, 200, 20)
	if err == nil || !strings.Contains(err.Error(), "of 20 units were sold") {
		t.Fatalf("a store without lock, guard and constraint passed: %v", err)
	}
	t.Logf("as it should be: %v", err)
}

type deaf struct{}

func (deaf) Append(context.Context, ...hyperlocal.Envelope) error { return nil }

// Each of the three nets holds alone: without the lock, the guard refuses; without lock and
// guard, the constraint does. Callers are told to try again, and nothing is oversold.
func TestStockNetsHoldAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		guard bool
	}{{"guard", true}, {"constraint", false}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := openStore(t, Postgres)
			h := stockHarness(s)
			h.Store = careless{Stock: s.Stock(), guard: c.guard}
			err := inventorytest.Oversell(t.Context(), h, 200, 20)
			if err != nil && !errors.Is(err, inventory.ErrContended) {
				t.Fatalf("error is %v, want nothing but contention", err)
			}
			if err != nil && strings.Contains(err.Error(), "units") {
				t.Fatalf("units went missing or were sold twice: %v", err)
			}
		})
	}
}

// statements counts what is sent.
type statements struct {
	mu    sync.Mutex
	texts []string
}

func (c *statements) hook(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.texts = append(c.texts, text)
}

func (c *statements) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	texts := c.texts
	c.texts = nil
	return texts
}

// The hot paths cost the same number of round trips for one order and for many.
func TestStockStatements(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		var sent statements
		s := openStore(t, d, WithQueryHook(sent.hook))
		ctx := t.Context()
		stock, err := inventory.New(inventory.Config{Store: s.Stock(), Tx: s, Outbox: s.Outbox()})
		if err != nil {
			t.Fatal(err)
		}
		const tenant = hyperlocal.TenantID("acme")
		actor := hyperlocal.Actor{Kind: "admin", ID: "ada"}
		const items = 50
		set := inventory.SetItemsCommand{Tenant: tenant, Actor: actor}
		goods := inventory.StockCommand{Tenant: tenant, Actor: actor}
		for i := range items {
			id := hyperlocal.ItemID(fmt.Sprintf("i%03d", i))
			set.Items = append(set.Items, inventory.Item{ID: id, Location: "shop", Unit: hyperlocal.Piece, Mode: inventory.ModeReserveOnCart})
			goods.Lines = append(goods.Lines, inventory.StockLine{Item: id, Location: "shop", Quantity: hyperlocal.Pieces(10_000),
				External: hyperlocal.External{Source: "erp", Reference: string(id)}})
		}
		n := 0
		// the measured steps, for a batch of the given size
		steps := []struct {
			name string
			run  func(size int) error
		}{
			{"set items", func(size int) error {
				n++
				c := inventory.SetItemsCommand{Tenant: tenant, Actor: actor}
				for i := range size {
					c.Items = append(c.Items, inventory.Item{ID: hyperlocal.ItemID(fmt.Sprintf("n%d-%d", n, i)), Location: "shop",
						Unit: hyperlocal.Piece, Mode: inventory.ModeTrackOnly})
				}
				_, err := stock.SetItems(ctx, c)
				return err
			}},
			{"receive", func(size int) error {
				n++
				c := inventory.StockCommand{Tenant: tenant, Actor: actor}
				for i := range size {
					l := goods.Lines[i%items]
					l.External.Reference = fmt.Sprintf("%d-%d", n, i)
					c.Lines = append(c.Lines, l)
				}
				_, err := stock.Receive(ctx, c)
				return err
			}},
			{"place", func(size int) error {
				batch := make([]hyperlocal.Placement, size)
				for i := range batch {
					batch[i] = hyperlocal.Placement{Tenant: tenant, Actor: actor, Order: hyperlocal.NewRef("order", strconv.Itoa(i)), Items: []hyperlocal.ItemQuantity{
						{Item: goods.Lines[i%items].Item, Location: "shop", Quantity: hyperlocal.Pieces(1)},
						{Item: goods.Lines[(i+1)%items].Item, Location: "shop", Quantity: hyperlocal.Pieces(2)},
					}}
				}
				return s.WithinTx(ctx, func(ctx context.Context) error {
					d, err := stock.Decide(ctx, batch)
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
			}},
			{"commit", func(size int) error {
				owners := make([]hyperlocal.TenantRef, size)
				for i := range owners {
					owners[i] = hyperlocal.TenantRef{Tenant: tenant, Ref: hyperlocal.NewRef("order", strconv.Itoa(i))}
				}
				return stock.CommitReserved(ctx, time.Time{}, actor, owners...)
			}},
			{"return", func(size int) error {
				n++
				returns := make([]hyperlocal.StockReturn, size)
				for i := range returns {
					returns[i] = hyperlocal.StockReturn{Tenant: tenant, Owner: hyperlocal.NewRef("order", strconv.Itoa(i)), Reference: strconv.Itoa(n), Actor: actor,
						Items: []hyperlocal.ItemQuantity{{Item: goods.Lines[i%items].Item, Location: "shop", Quantity: hyperlocal.Pieces(1)}}}
				}
				return stock.Return(ctx, returns...)
			}},
			{"hold", func(size int) error {
				n++
				holds := make([]inventory.HoldCommand, size)
				for i := range holds {
					holds[i] = inventory.HoldCommand{Tenant: tenant, Actor: actor, Owner: hyperlocal.NewRef("cart", fmt.Sprintf("%d-%d", n, i)), TTL: time.Second,
						Items: []hyperlocal.ItemQuantity{{Item: goods.Lines[i%items].Item, Location: "shop", Quantity: hyperlocal.Pieces(1)}}}
				}
				_, err := stock.HoldMany(ctx, holds)
				return err
			}},
		}
		if _, err := stock.SetItems(ctx, set); err != nil {
			t.Fatal(err)
		}
		if _, err := stock.Receive(ctx, goods); err != nil {
			t.Fatal(err)
		}
		for _, step := range steps {
			counts := make(map[int]int)
			for _, size := range []int{2, 17, 200} {
				sent.take()
				if err := step.run(size); err != nil {
					t.Fatalf("%s of %d: %v", step.name, size, err)
				}
				texts := sent.take()
				counts[size] = len(texts)
				if d == Postgres && step.name == "place" && len(texts) > 4 { // BEGIN, lock, one CTE, COMMIT
					t.Errorf("placing takes %d round trips: %q", len(texts), texts)
				}
			}
			t.Logf("%s: %d statements", step.name, counts[2])
			if counts[2] != counts[17] || counts[2] != counts[200] {
				t.Errorf("%s: statements by batch size: %v", step.name, counts)
			}
		}
	})
}

func TestMovementsAreKept(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		s := openStore(t, d)
		if err := inventorytest.Oversell(t.Context(), stockHarness(s), 2, 1); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{`UPDATE hc_stock_movements SET on_hand = 1`, `DELETE FROM hc_stock_movements`} {
			if _, err := s.change(t.Context(), text); hyperlocal.ReasonOf(err) != errStockKept.Reason {
				t.Errorf("%s: error is %v", text, err)
			}
		}
	})
}

// BenchmarkStockPlace reserves two lines for each of a hundred orders per transaction; an
// operation is an order.
func BenchmarkStockPlace(b *testing.B) {
	for _, d := range dialects {
		b.Run(string(d), func(b *testing.B) {
			s := openStore(b, d)
			ctx := b.Context()
			stock, err := inventory.New(inventory.Config{Store: s.Stock(), Tx: s, Outbox: s.Outbox()})
			if err != nil {
				b.Fatal(err)
			}
			const tenant, batch, items = hyperlocal.TenantID("acme"), 100, 1000
			actor := hyperlocal.Actor{Kind: "admin", ID: "ada"}
			set := inventory.SetItemsCommand{Tenant: tenant, Actor: actor}
			goods := inventory.StockCommand{Tenant: tenant, Actor: actor}
			for i := range items {
				id := hyperlocal.ItemID(fmt.Sprintf("i%04d", i))
				set.Items = append(set.Items, inventory.Item{ID: id, Location: "shop", Unit: hyperlocal.Piece, Mode: inventory.ModeReserveOnOrder})
				goods.Lines = append(goods.Lines, inventory.StockLine{Item: id, Location: "shop", Quantity: hyperlocal.Pieces(inventory.MaxUnits)})
			}
			if _, err := stock.SetItems(ctx, set); err != nil {
				b.Fatal(err)
			}
			if _, err := stock.Receive(ctx, goods); err != nil {
				b.Fatal(err)
			}
			commands := make([]inventory.ReserveCommand, batch)
			b.ResetTimer()
			for n := 0; n < b.N; n += batch {
				for i := range commands {
					commands[i] = inventory.ReserveCommand{Tenant: tenant, Actor: actor, Owner: hyperlocal.NewRef("order", strconv.Itoa(n+i)),
						Items: []hyperlocal.ItemQuantity{
							{Item: goods.Lines[(n+i*7)%items].Item, Location: "shop", Quantity: hyperlocal.Pieces(1)},
							{Item: goods.Lines[(n+i*13+1)%items].Item, Location: "shop", Quantity: hyperlocal.Pieces(2)},
						}}
				}
				if _, err := stock.ReserveMany(ctx, commands); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
