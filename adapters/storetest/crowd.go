package storetest

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// RunCrowd lets many buyers want the last units, and one buyer ask many times at once; and
// counts what a placement costs, if statements can be counted.
func RunCrowd(t *testing.T, h ShopHarness) {
	t.Helper()
	t.Run("last units", func(t *testing.T) {
		t.Parallel()
		lastUnits(t, h, false)
	})
	t.Run("last units, gathered", func(t *testing.T) {
		t.Parallel()
		lastUnits(t, h, true)
	})
	t.Run("one key", func(t *testing.T) {
		t.Parallel()
		oneKey(t, h)
	})
	if h.Counted != nil {
		t.Run("statements", func(t *testing.T) {
			t.Parallel()
			statements(t, h)
		})
	}
}

// RunFlashSale lets 10,000 buyers, all at once, want one of 1,000 units from services with an
// intake (a fifth of them under the race detector). Half of them use a key, and the winners among these ask again when all is gone.
func RunFlashSale(t *testing.T, h ShopHarness) {
	t.Helper()
	const buyers, units = 10_000 / crowdShare, 1000 / crowdShare
	db := h.Open(t)
	db.Gathers = true
	runs := &countedRuns{TxRunner: db.TxRunner}
	db.TxRunner = runs
	w := newShop(t, db, units)
	before := w.level(shopItems[0]).Version
	var sold atomic.Int64
	var mu sync.Mutex
	won := make(map[string]order.ID)
	command := func(i int) order.PlaceCommand {
		c := w.plain(shopItems[0])
		if i%2 == 0 {
			c.Key = "buyer " + strconv.Itoa(i)
		}
		return c
	}
	together(buyers, func(i int) {
		c := command(i)
		r, err := w.orders.Place(w.ctx, c)
		for errors.Is(err, hyperlocal.ErrOverloaded) {
			time.Sleep(20 * time.Millisecond) // comes again, as it was told to, if a little early
			r, err = w.orders.Place(w.ctx, c)
		}
		switch {
		case err == nil:
			sold.Add(1)
			if c.Key != "" {
				mu.Lock()
				won[c.Key] = r.Order.ID
				mu.Unlock()
			}
		case !errors.Is(err, inventory.ErrInsufficient):
			t.Errorf("a buyer got %v", err)
		}
	})
	rows, l := w.rows(), w.level(shopItems[0])
	if sold.Load() != units || count(rows, "order") != units || l.Reserved.Value() != units || l.OnHand.Value() != units {
		t.Errorf("of %d units %d were sold in %d orders, %s on hand, %s reserved",
			units, sold.Load(), count(rows, "order"), l.OnHand, l.Reserved)
	}
	if batches := l.Version - before; batches > units/4 {
		t.Errorf("the stock was written %d times for %d orders", batches, units)
	}
	together(buyers, func(i int) {
		c := command(i)
		id, ok := won[c.Key]
		if !ok {
			return
		}
		if _, err := w.orders.Place(w.ctx, w.plain(shopItems[0])); !errors.Is(err, inventory.ErrInsufficient) { // it is remembered to be gone
			t.Errorf("who comes too late gets %v", err)
		}
		if r, err := w.orders.Place(w.ctx, c); err != nil || r.Order.ID != id || !r.Replayed {
			t.Errorf("the winner %s asks again and gets %+v, %v", id, r, err)
		}
	})
	if len(won) == 0 {
		t.Error("nobody with a key won")
	}
	// Who has no key is told from memory, without a transaction, for a tenth of a second.
	const late, most = 50, 10
	ran := runs.n.Load()
	for range late {
		if _, err := w.orders.Place(w.ctx, w.plain(shopItems[0])); !errors.Is(err, inventory.ErrInsufficient) {
			t.Errorf("who comes far too late gets %v", err)
		}
	}
	if ran = runs.n.Load() - ran; ran > most {
		t.Errorf("%d latecomers cost %d transactions", late, ran)
	}
	w.sound("when all is sold")
}

// countedRuns counts transactions.
type countedRuns struct {
	hyperlocal.TxRunner
	n atomic.Int64
}

func (c *countedRuns) WithinTx(ctx context.Context, fn func(ctx context.Context) error) error {
	c.n.Add(1)
	return c.TxRunner.WithinTx(ctx, fn)
}

// TxScope implements [hyperlocal.Scoped].
func (c *countedRuns) TxScope() hyperlocal.Scope { return hyperlocal.ScopeOf(c.TxRunner) }

// lastUnits has 500 buyers for 100 units.
func lastUnits(t *testing.T, h ShopHarness, gathers bool) {
	t.Helper()
	const buyers, units = 500, 100
	db := h.Open(t)
	db.Gathers = gathers
	w := newShop(t, db, units)
	var sold atomic.Int64
	together(buyers, func(int) {
		_, err := w.orders.Place(w.ctx, w.plain(shopItems[0]))
		switch {
		case err == nil:
			sold.Add(1)
		case !errors.Is(err, inventory.ErrInsufficient):
			t.Errorf("a buyer got %v", err)
		}
	})
	rows, l := w.rows(), w.level(shopItems[0])
	if sold.Load() != units || count(rows, "order") != units || l.Reserved.Value() != units || l.OnHand.Value() != units {
		t.Errorf("of %d units %d were sold in %d orders, %s on hand, %s reserved",
			units, sold.Load(), count(rows, "order"), l.OnHand, l.Reserved)
	}
	w.sound("when all is sold")
}

// oneKey has one buyer ask 100 times at once.
func oneKey(t *testing.T, h ShopHarness) {
	t.Helper()
	w := newShop(t, h.Open(t), 1000)
	command := w.full()
	command.External = hyperlocal.External{} // the key alone has to do
	var fresh atomic.Int64
	ids := make([]order.ID, 100)
	together(len(ids), func(i int) {
		r, err := w.orders.Place(w.ctx, command)
		switch {
		case errors.Is(err, hyperlocal.ErrKeyInProgress): // it did not want to wait any longer
			return
		case err != nil:
			t.Errorf("a twin got %v", err)
			return
		case !r.Replayed:
			fresh.Add(1)
		}
		ids[i] = r.Order.ID
	})
	last, err := w.orders.Place(w.ctx, command)
	mustOK(t, err)
	for _, id := range ids {
		if id != "" && id != last.Order.ID {
			t.Errorf("one twin got order %s, another one %s", id, last.Order.ID)
		}
	}
	rows := w.rows()
	if n := count(rows, "order"); n != 1 || fresh.Load() != 1 || !last.Replayed || w.level(shopItems[0]).Reserved.Value() != 2 {
		t.Errorf("there are %d orders, %d answers were fresh, %s reserved", n, fresh.Load(), w.level(shopItems[0]).Reserved)
	}
	w.sound("with one order")
}

// statements counts what batches cost.
func statements(t *testing.T, h ShopHarness) {
	t.Helper()
	db, sent := h.Counted(t)
	w := newShop(t, db, 100_000)
	cost := func(n int, one func() order.PlaceCommand) int {
		t.Helper()
		commands := make([]order.PlaceCommand, n)
		for i := range commands {
			commands[i] = one()
			commands[i].Key, commands[i].External = w.key(), hyperlocal.External{}
		}
		before := sent()
		results, err := w.orders.PlaceMany(w.ctx, commands)
		spent := sent() - before
		mustOK(t, err)
		for _, r := range results {
			mustOK(t, r.Err)
		}
		return spent
	}
	plain := func() order.PlaceCommand { return w.plain(shopItems[0]) }
	catalogued := func() order.PlaceCommand {
		c := w.plain(shopItems[0])
		c.Lines = []order.PlaceLine{{Variant: w.variant, Quantity: hyperlocal.Pieces(1)}}
		return c
	}
	for _, c := range []struct {
		name string
		one  func() order.PlaceCommand
	}{{"a plain placement", plain}, {"one priced by the catalogue", catalogued}, {"one with everything", w.full}} {
		one, ten, hundred := cost(1, c.one), cost(10, c.one), cost(100, c.one)
		t.Logf("%s: 1 costs %d round trips, 10 cost %d, 100 cost %d", c.name, one, ten, hundred)
		if one != ten || one != hundred || one == 0 {
			t.Errorf("%s: 1 costs %d round trips, 10 cost %d, 100 cost %d", c.name, one, ten, hundred)
		}
		if h.RoundTrips > 0 && one > h.RoundTrips {
			t.Errorf("%s costs %d round trips, more than %d", c.name, one, h.RoundTrips)
		}
	}
}
