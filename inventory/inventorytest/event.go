package inventorytest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

// lows returns what was available each time that a level was reported low.
func (f *fixture) lows() string {
	f.Helper()
	var out []string
	for _, e := range f.events("inventory.low") {
		var low inventory.StockLow
		f.check(e.Decode(&low))
		out = append(out, strconv.FormatInt(low.OnHand.Value()-low.Reserved.Value(), 10))
	}
	return strings.Join(out, " ")
}

var eventCases = []testCase{
	{"low stock is told when it falls, once", func(f *fixture) {
		f.item(apple, shop, inventory.ModeReserveOnOrder, lowAt(3))
		if got := f.lows(); got != "" {
			f.Fatalf("an item that begins empty is low: %s", got)
		}
		f.receive(apple, shop, 10)
		f.reserved("o1", pieces(apple, shop, 6)) // 4
		if got := f.lows(); got != "" {
			f.Fatalf("low above the threshold: %s", got)
		}
		f.reserved("o2", pieces(apple, shop, 1)) // 3
		f.reserved("o3", pieces(apple, shop, 1)) // 2
		f.check(f.s.CommitReserved(f.ctx, time.Time{}, admin, owner("o1"), owner("o2")))
		_, err := f.s.WriteOff(f.ctx, stock(line(apple, shop, 1))) // 1
		f.check(err)
		if got := f.lows(); got != "3" {
			f.Fatalf("low was told at %q, want once at 3", got)
		}
		f.receive(apple, shop, 3)                                 // 4: above again
		_, err = f.s.WriteOff(f.ctx, stock(line(apple, shop, 2))) // 2
		f.check(err)
		f.receive(apple, shop, 1) // 3: still low
		if got := f.lows(); got != "3 2" {
			f.Fatalf("low was told at %q", got)
		}
		f.item(apple, shop, inventory.ModeReserveOnOrder, lowAt(1))
		f.item(apple, shop, inventory.ModeReserveOnOrder, lowAt(5)) // raised above what there is
		if got := f.lows(); got != "3 2 3" {
			f.Fatalf("low was told at %q", got)
		}
	}},
	{"every command on stock is told", func(f *fixture) {
		f.stocked(apple, shop, 10)
		f.item(apple, cellar, inventory.ModeReserveOnOrder)
		_, err := f.s.WriteOff(f.ctx, stock(line(apple, shop, 1)))
		f.check(err)
		_, err = f.s.Transfer(f.ctx, inventory.TransferCommand{Tenant: tenant, Actor: admin, Lines: []inventory.TransferLine{
			{Item: apple, From: shop, To: cellar, Quantity: hyperlocal.Pieces(2)},
		}})
		f.check(err)
		_, err = f.s.Adjust(f.ctx, counted(apple, 5, f.level(key(apple, shop)).Version))
		f.check(err)
		f.check(f.s.Return(f.ctx, giveBack("o1", "r1", pieces(apple, shop, 1))))
		f.reserved("o2", pieces(apple, shop, 1))
		f.check(f.s.CommitReserved(f.ctx, time.Time{}, admin, owner("o2")))
		all, err := f.h.Pending(f.ctx, 100)
		f.check(err)
		var told []string
		for _, e := range all {
			if e.Aggregate == key(apple, shop).Ref() {
				told = append(told, fmt.Sprintf("%s@%d.%d", strings.TrimPrefix(e.Name, "inventory."), e.AggregateVersion, e.N))
			}
			if e.Tenant != tenant || e.Actor != admin || e.Topic() != "hc-inventory" || !e.Time.Equal(epoch) {
				f.Errorf("envelope is %+v", e)
			}
		}
		if got := strings.Join(told, " "); got != "item_set@1.0 received@2.0 written_off@3.0 transferred@4.0 adjusted@5.0 returned@6.0" {
			f.Fatalf("events are %s", got)
		}
		var moved inventory.StockTransferred
		f.check(f.events("inventory.transferred")[1].Decode(&moved))
		if moved.Quantity != hyperlocal.Pieces(-2) || moved.Other != cellar || moved.OnHand != hyperlocal.Pieces(7) || moved.Version != 4 {
			f.Errorf("event is %+v", moved)
		}
	}},
	{"several events of one change are in order", func(f *fixture) {
		f.stocked(apple, shop, 10, lowAt(5))
		_, err := f.s.WriteOff(f.ctx, stock(line(apple, shop, 3), line(apple, shop, 4)))
		f.check(err)
		all := f.events("inventory.written_off")
		low := f.events("inventory.low")
		if len(all) != 2 || len(low) != 1 || all[0].N != 0 || all[1].N != 1 || low[0].N != 2 || low[0].AggregateVersion != 3 {
			f.Fatalf("events are %+v, %+v", all, low)
		}
	}},
	{"long and ambiguous names have aggregates of their own", func(f *fixture) {
		long := hyperlocal.ItemID(strings.Repeat("é", 64))
		seen := make(map[hyperlocal.Ref]bool)
		for _, k := range []inventory.Key{
			key(long, hyperlocal.LocationID(long)), key("a/b", "c"), key("a", "b/c"), key("a", "b"), key("b", "a"),
		} {
			f.check(k.Ref().Validate())
			seen[k.Ref()] = true
			f.stocked(k.Item, k.Location, 1)
		}
		if len(seen) != 5 {
			f.Fatalf("aggregates are %v", seen)
		}
	}},
}
