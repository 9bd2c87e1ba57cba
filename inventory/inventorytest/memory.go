package inventorytest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

// remembering gives the fixture a service with an intake, which remembers.
func (f *fixture) remembering() {
	f.Helper()
	f.h.Intake = &inventory.Intake{}
	s, err := newService(f.h, f.clock)
	f.check(err)
	f.s = s
	f.Cleanup(func() { f.check(s.Close(context.WithoutCancel(f.ctx))) })
}

func (f *fixture) refuse(p hyperlocal.Placement) error { return f.s.Refuse(&p) }

// asks fails the case unless memory leaves the placement to the database.
func (f *fixture) asks(why string, p hyperlocal.Placement) {
	f.Helper()
	if err := f.refuse(p); err != nil {
		f.Errorf("%s: refused from memory with %v", why, err)
	}
}

var memoryCases = []testCase{
	{"without an intake nothing is remembered", func(f *fixture) {
		f.h.Intake = nil
		f.check(func() (err error) { f.s, err = newService(f.h, f.clock); return err }())
		f.stocked(apple, shop, 1)
		f.want(f.place(place("o1", pieces(apple, shop, 2)))[0], inventory.ErrInsufficient)
		f.asks("no intake", place("o2", pieces(apple, shop, 2)))
	}},
	{"what was seen to be gone is refused as the database would", func(f *fixture) {
		f.remembering()
		f.asks("nothing is known", place("o0", pieces(apple, shop, 1)))
		f.stocked(apple, shop, 5, backorder(1))
		refused := f.place(place("o1", pieces(apple, shop, 4)), place("o2", pieces(apple, shop, 3)))
		f.check(refused[0])
		f.want(refused[1], inventory.ErrInsufficient)
		for _, n := range []int64{3, 4, 100} {
			p := place("o3", pieces(apple, shop, n-1), pieces(apple, shop, 1))
			got, want := f.refuse(p), f.place(p)[0]
			if !errors.Is(want, inventory.ErrInsufficient) || fmt.Sprint(got) != fmt.Sprint(want) {
				f.Errorf("%d: memory says %v, the database %v", n, got, want)
			}
		}
		f.asks("fewer", place("o4", pieces(apple, shop, 2)))
		f.asks("another item", place("o4", pieces(pear, shop, 2)))
		f.asks("another item first", place("o4", pieces(pear, shop, 2), pieces(apple, shop, 3)))
		f.asks("another tenant", hyperlocal.Placement{Tenant: "other", Order: order("o4"), Actor: admin, Items: []hyperlocal.ItemQuantity{pieces(apple, shop, 3)}})
		grams, err := hyperlocal.NewQuantity(3, "g")
		f.check(err)
		f.asks("another unit", place("o4", hyperlocal.ItemQuantity{Item: apple, Location: shop, Quantity: grams}))
		owner := place("o4", pieces(apple, shop, 3))
		owner.Spend = []hyperlocal.Spend{{Kind: inventory.SpendHold, Ref: cart("c").Ref}}
		f.asks("a hold is taken over", owner)
	}},
	{"a tenth of a second later it is asked again", func(f *fixture) {
		f.remembering()
		f.stocked(apple, shop, 1)
		f.reserved("o1", pieces(apple, shop, 1))
		f.clock.pass(99 * time.Millisecond)
		f.want(f.refuse(place("o2", pieces(apple, shop, 1))), inventory.ErrInsufficient)
		f.clock.pass(time.Millisecond)
		f.asks("it is too long ago", place("o2", pieces(apple, shop, 1)))
		f.want(f.place(place("o2", pieces(apple, shop, 1)))[0], inventory.ErrInsufficient)
		f.want(f.refuse(place("o2", pieces(apple, shop, 1))), inventory.ErrInsufficient)
		f.clock.pass(-time.Hour)
		f.asks("the clock was set back", place("o2", pieces(apple, shop, 1)))
	}},
	{"whatever brings stock back is seen at once", func(f *fixture) {
		f.remembering()
		want := place("o9", pieces(apple, shop, 2))
		gone := func(why string) {
			f.Helper()
			f.want(f.place(want)[0], inventory.ErrInsufficient)
			if err := f.refuse(want); err == nil {
				f.Fatalf("%s: it was not remembered", why)
			}
		}
		f.stocked(apple, shop, 1)
		gone("received")
		f.receive(apple, shop, 1)
		f.asks("received", want)
		f.reserved("o1", pieces(apple, shop, 2))
		gone("released")
		f.check(f.s.ReleaseReserved(f.ctx, f.clock.Now(), admin, "", owner("o1")))
		f.asks("released", want)
		f.reserved("o2", pieces(apple, shop, 2))
		gone("backorder")
		f.item(apple, shop, inventory.ModeReserveOnOrder, backorder(2))
		f.asks("backorder", want)
		f.item(apple, shop, inventory.ModeReserveOnOrder)
		gone("track only")
		f.item(apple, shop, inventory.ModeTrackOnly)
		f.asks("track only", want)
	}},
	{"what is rolled back was never gone", func(f *fixture) {
		f.remembering()
		f.stocked(apple, shop, 1)
		undo := errors.New("undo")
		err := f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			if _, err := placeAll(ctx, f.h.Tx, f.s, []hyperlocal.Placement{place("o1", pieces(apple, shop, 1))}); err != nil {
				return err
			}
			if err := f.refuse(place("o2", pieces(apple, shop, 1))); err != nil {
				f.Errorf("before the commit: %v", err)
			}
			return undo
		})
		if !errors.Is(err, undo) {
			f.Fatal(err)
		}
		f.asks("it was rolled back", place("o2", pieces(apple, shop, 1)))
		f.reserved("o2", pieces(apple, shop, 1))
	}},
	{"what another process did meanwhile counts", func(f *fixture) {
		other, err := newService(f.h, f.clock)
		f.check(err)
		takes := 0
		elsewhere := func(n int64) {
			f.Helper()
			takes++
			refused, err := placeAll(f.ctx, f.h.Tx, other, []hyperlocal.Placement{place("e"+strconv.Itoa(takes), pieces(apple, shop, n))})
			f.check(err)
			f.check(refused[0])
		}
		f.stocked(apple, shop, 100, lowAt(20))
		f.reserved("o1", pieces(apple, shop, 1)) // 99, as this one knows
		elsewhere(60)
		f.reserved("o2", pieces(apple, shop, 10)) // 29
		f.stands(key(apple, shop), 100, 71)
		elsewhere(8)                              // 21
		f.reserved("o3", pieces(apple, shop, 11)) // 10, though 78 was thought to be there
		if got := f.lows(); got != "10" {
			f.Errorf("low was told at %q, want at 10 once", got)
		}
		elsewhere(9)
		f.want(f.place(place("o4", pieces(apple, shop, 2)))[0], inventory.ErrInsufficient)
		f.receive(apple, shop, 1000)
		f.reserved("o5", pieces(apple, shop, 1))
		if _, err := other.SetItems(f.ctx, inventory.SetItemsCommand{Tenant: tenant, Actor: admin, Items: []inventory.Item{
			{ID: apple, Location: shop, Unit: hyperlocal.Piece, Mode: inventory.ModeNone},
		}}); err != nil {
			f.Fatal(err)
		}
		before := f.level(key(apple, shop)).Reserved
		f.reserved("o6", pieces(apple, shop, 5))
		if got := f.level(key(apple, shop)).Reserved; got != before {
			f.Errorf("an item that is not counted any more was reserved: %v, then %v", before, got)
		}
		f.sound()
	}},
	{"carts that come together are held together", func(f *fixture) {
		f.remembering()
		f.cartStock(apple, 20)
		before := f.level(key(apple, shop)).Version
		var wg sync.WaitGroup
		errs := make([]error, 60)
		for i := range errs {
			wg.Go(func() {
				until, err := f.s.Hold(f.ctx, hold(strconv.Itoa(i%30), pieces(apple, shop, 1)))
				if errs[i] = err; err == nil && until.IsZero() {
					f.Error("a hold without an end")
				}
			})
		}
		wg.Wait()
		refused := 0
		for i := range 30 {
			if (errs[i] == nil) != (errs[i+30] == nil) {
				f.Errorf("cart %d was told both %v and %v", i, errs[i], errs[i+30])
			}
			if errs[i] != nil {
				f.want(errs[i], inventory.ErrInsufficient)
				refused++
			}
		}
		if refused != 10 {
			f.Errorf("%d of 30 carts were refused, want 10", refused)
		}
		f.stands(key(apple, shop), 20, 20)
		if v := f.level(key(apple, shop)).Version; v-before > 20 {
			f.Errorf("the version rose by %d", v-before)
		}
		f.sound()
		if _, err := f.s.Hold(f.ctx, inventory.HoldCommand{Tenant: tenant}); !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
			f.Errorf("a hold of nobody: %v", err)
		}
	}},
}
