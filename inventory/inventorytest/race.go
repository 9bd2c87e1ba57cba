package inventorytest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

// Oversell lets many buyers want one unit each of fewer units, all at once, and reports
// whatever is wrong afterwards: other than exactly all units sold, an error that is no
// refusal, or a level that does not add up. It is the check that a store which has lost its
// lock or its guard fails.
func Oversell(ctx context.Context, h Harness, buyers, units int) error {
	s, err := prepare(ctx, h, []hyperlocal.ItemID{apple}, int64(units))
	if err != nil {
		return err
	}
	var sold atomic.Int64
	err = rush(buyers, func(i int) error {
		refused, err := placeAll(ctx, h.Tx, s, []hyperlocal.Placement{place("o"+strconv.Itoa(i), pieces(apple, shop, 1))})
		if err != nil {
			return err
		}
		if refused[0] == nil {
			sold.Add(1)
			return nil
		}
		if !errors.Is(refused[0], inventory.ErrInsufficient) {
			return refused[0]
		}
		return nil
	})
	if n := sold.Load(); n != int64(units) {
		err = errors.Join(err, fmt.Errorf("%d of %d units were sold", n, units))
	}
	levels, e := s.Levels(ctx, key(apple, shop))
	if e != nil {
		return errors.Join(err, e)
	}
	if levels[0].Reserved.Value() != int64(units) {
		err = errors.Join(err, fmt.Errorf("%d of %d units are reserved", levels[0].Reserved.Value(), units))
	}
	return errors.Join(err, Sound(ctx, s, tenant))
}

// Crossing lets buyers with five-item carts, half of them in the opposite order, buy at
// once, and reports any error that reaches a caller, or stock that does not add up.
func Crossing(ctx context.Context, h Harness, buyers int) error {
	items := []hyperlocal.ItemID{"i1", "i2", "i3", "i4", "i5"}
	s, err := prepare(ctx, h, items, int64(buyers)-buyersRefused)
	if err != nil {
		return err
	}
	var refusals atomic.Int64
	err = rush(buyers, func(i int) error {
		cart := make([]hyperlocal.ItemQuantity, 0, len(items))
		for n := range items {
			if i%2 == 1 {
				n = len(items) - 1 - n
			}
			cart = append(cart, pieces(items[n], shop, 1))
		}
		refused, err := placeAll(ctx, h.Tx, s, []hyperlocal.Placement{place("o"+strconv.Itoa(i), cart...)})
		if err != nil {
			return err
		}
		if errors.Is(refused[0], inventory.ErrInsufficient) {
			refusals.Add(1)
			return nil
		}
		return refused[0]
	})
	if n := refusals.Load(); n != buyersRefused {
		err = errors.Join(err, fmt.Errorf("%d buyers were refused, want %d", n, buyersRefused))
	}
	return errors.Join(err, Sound(ctx, s, tenant))
}

// buyersRefused is how many of the buyers in Crossing come too late.
const buyersRefused = 7

func prepare(ctx context.Context, h Harness, items []hyperlocal.ItemID, n int64) (*inventory.Service, error) {
	s, err := newService(h, &clock{now: epoch})
	if err != nil {
		return nil, err
	}
	set := inventory.SetItemsCommand{Tenant: tenant, Actor: admin}
	goods := inventory.StockCommand{Tenant: tenant, Actor: admin}
	for _, it := range items {
		set.Items = append(set.Items, inventory.Item{ID: it, Location: shop, Unit: hyperlocal.Piece, Mode: inventory.ModeReserveOnOrder})
		goods.Lines = append(goods.Lines, line(it, shop, n))
	}
	if _, err := s.SetItems(ctx, set); err != nil {
		return nil, err
	}
	_, err = s.Receive(ctx, goods)
	return s, err
}

// rush starts n calls at the same moment and joins their first few errors.
func rush(n int, call func(i int) error) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	gun := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-gun
			if err := call(i); err != nil {
				mu.Lock()
				defer mu.Unlock()
				if len(errs) < 5 {
					errs = append(errs, err)
				}
			}
		})
	}
	close(gun)
	wg.Wait()
	return errors.Join(errs...)
}

var raceCases = []testCase{
	{"five hundred buyers and a hundred units", func(f *fixture) { f.check(Oversell(f.ctx, f.h, 500, 100)) }},
	{"carts in opposite orders do not deadlock", func(f *fixture) { f.check(Crossing(f.ctx, f.h, 200)) }},
	{"an order is committed or released, once", func(f *fixture) {
		f.stocked(apple, shop, 20)
		for i := range 10 {
			f.reserved("o"+strconv.Itoa(i), pieces(apple, shop, 2))
		}
		f.check(rush(60, func(i int) error {
			o := owner("o" + strconv.Itoa(i%10))
			if i%2 == 0 {
				return f.s.CommitReserved(f.ctx, time.Time{}, admin, o)
			}
			return f.s.ReleaseReserved(f.ctx, time.Time{}, admin, "", o)
		}))
		l := f.level(key(apple, shop))
		if l.Reserved.Value() != 0 {
			f.Fatalf("%d are still reserved", l.Reserved.Value())
		}
		ended := 0
		for _, m := range f.movements(key(apple, shop)) {
			if m.Kind == inventory.MoveCommit || m.Kind == inventory.MoveRelease {
				ended++
			}
		}
		if ended != 10 {
			f.Fatalf("%d reservations ended, want 10", ended)
		}
		f.sound()
	}},
	{"one return counts once however often it is sent", func(f *fixture) {
		f.stocked(apple, shop, 10)
		f.check(rush(24, func(int) error { return f.s.Return(f.ctx, giveBack("o1", "r1", pieces(apple, shop, 1))) }))
		f.stands(key(apple, shop), 11, 0)
		f.sound()
	}},
	{"a hold runs out, is extended or becomes an order, once", func(f *fixture) {
		f.cartStock(apple, 12)
		for i := range 12 {
			f.hold("c"+strconv.Itoa(i), pieces(apple, shop, 1))
		}
		f.clock.pass(time.Hour)
		var expired, ordered atomic.Int64
		f.check(rush(48, func(i int) error {
			c := cart("c" + strconv.Itoa(i%12))
			switch i % 4 {
			case 0, 1:
				n, err := f.s.ExpireHolds(f.ctx, 3)
				expired.Add(int64(n))
				return err
			case 2:
				_, err := f.s.ExtendHolds(f.ctx, time.Minute, c)
				return err
			}
			p := place("o"+strconv.Itoa(i), pieces(apple, shop, 1))
			p.Spend = []hyperlocal.Spend{{Kind: inventory.SpendHold, Ref: c.Ref, Amount: 1}}
			refused, err := placeAll(f.ctx, f.h.Tx, f.s, []hyperlocal.Placement{p})
			if err == nil && refused[0] == nil {
				ordered.Add(1)
			}
			return err
		}))
		f.sound()
		for { // workers pass over what others hold, so the rest is swept here
			f.clock.pass(time.Hour)
			n, err := f.s.ExpireHolds(f.ctx, 100)
			f.check(err)
			if n == 0 {
				break
			}
		}
		f.stands(key(apple, shop), 12, ordered.Load())
		f.sound()
	}},
	{"an item is set up once by many", func(f *fixture) {
		f.check(rush(12, func(i int) error {
			it := inventory.Item{ID: apple, Location: hyperlocal.LocationID("l" + strconv.Itoa(i%3)), Unit: hyperlocal.Piece, Mode: inventory.ModeTrackOnly}
			_, err := f.s.SetItems(f.ctx, inventory.SetItemsCommand{Tenant: tenant, Actor: admin, Items: []inventory.Item{it}})
			return err
		}))
		page, err := f.s.ListLevels(f.ctx, tenant, inventory.LevelFilter{}, hyperlocal.PageRequest{})
		f.check(err)
		if len(page.Items) != 3 || len(f.events("inventory.item_set")) != 3 {
			f.Fatalf("levels are %+v", page.Items)
		}
	}},
	{"everything at once stays sound", func(f *fixture) {
		items := []hyperlocal.ItemID{"a", "b", "c"}
		for _, it := range items {
			f.cartStock(it, 50, backorder(5))
			f.item(it, cellar, inventory.ModeReserveOnOrder)
		}
		f.check(rush(90, func(i int) error {
			it, next := items[i%3], items[(i+1)%3]
			id := strconv.Itoa(i % 7)
			var err error
			switch i % 9 {
			case 0:
				_, err = f.s.Receive(f.ctx, stock(line(it, shop, 1), line(next, shop, 2)))
			case 1:
				_, err = f.s.WriteOff(f.ctx, stock(line(next, shop, 1), line(it, shop, 1)))
			case 2:
				_, err = f.s.Transfer(f.ctx, inventory.TransferCommand{Tenant: tenant, Actor: admin, Lines: []inventory.TransferLine{
					{Item: it, From: shop, To: cellar, Quantity: hyperlocal.Pieces(2)},
				}})
			case 3, 4:
				_, err = placeAll(f.ctx, f.h.Tx, f.s, []hyperlocal.Placement{place(id, pieces(next, shop, 3), pieces(it, shop, 2))})
			case 5:
				err = f.s.CommitReserved(f.ctx, time.Time{}, admin, owner(id), owner("6"))
			case 6:
				err = f.s.ReleaseReserved(f.ctx, time.Time{}, admin, "", owner("3"), owner(id))
			case 7:
				_, err = f.s.Hold(f.ctx, hold(id, pieces(it, shop, 2), pieces(next, shop, 1)))
			case 8:
				err = f.s.Return(f.ctx, giveBack(id, "r"+strconv.Itoa(i%5), pieces(next, shop, 1), pieces(it, shop, 1)))
			}
			if errors.Is(err, inventory.ErrInsufficient) {
				return nil
			}
			return err
		}))
		f.sound()
	}},
}
