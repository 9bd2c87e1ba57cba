package inventorytest

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

var placementCases = []testCase{
	{"a placement reserves", func(f *fixture) {
		f.stocked(apple, shop, 10)
		p := place("o1", pieces(apple, shop, 4))
		p.At = time.Date(2011, 1, 2, 3, 4, 5, 0, time.UTC)
		p.Actor = hyperlocal.Actor{Kind: "shopper", ID: "sue"}
		f.check(f.place(p)[0])
		f.stands(key(apple, shop), 10, 4)
		rows, err := f.s.Reservations(f.ctx, tenant, order("o1"), order("o2"))
		f.check(err)
		if len(rows) != 1 || !hyperlocal.ValidID(rows[0].ID) {
			f.Fatalf("reservations are %+v", rows)
		}
		rows[0].ID = ""
		want := inventory.Reservation{
			Tenant: tenant, Owner: order("o1"), Item: apple, Location: shop, Quantity: hyperlocal.Pieces(4), CreatedAt: epoch,
		}
		if rows[0] != want {
			f.Fatalf("reservation is\n%+v, want\n%+v", rows[0], want)
		}
		m := f.movements(key(apple, shop))[1]
		if m.Kind != inventory.MoveReserve || m.Reserved != hyperlocal.Pieces(4) || m.OnHand != hyperlocal.Pieces(0) ||
			m.Owner != order("o1") || m.Actor != p.Actor || !m.At.Equal(p.At) || !m.RecordedAt.Equal(epoch) {
			f.Fatalf("movement is %+v", m)
		}
		f.sound()
	}},
	{"what is not there is not sold", func(f *fixture) {
		f.stocked(apple, shop, 3)
		err := f.place(place("o1", pieces(apple, shop, 4)))[0]
		f.want(err, inventory.ErrInsufficient)
		f.fields(err, map[string]string{"item": "apple", "location": "shop", "wanted": "4", "available": "3", "unit": "piece"})
		f.stands(key(apple, shop), 3, 0)
		if got := f.kinds(key(apple, shop)); got != "receive" {
			f.Fatalf("a refusal left movements: %s", got)
		}
	}},
	{"the same item twice in one order is added up", func(f *fixture) {
		f.stocked(apple, shop, 5)
		err := f.place(place("o1", pieces(apple, shop, 3), pieces(apple, shop, 3)))[0]
		f.want(err, inventory.ErrInsufficient)
		f.fields(err, map[string]string{"wanted": "6", "available": "5"})
		f.reserved("o2", pieces(apple, shop, 3), pieces(apple, shop, 2))
		f.stands(key(apple, shop), 5, 5)
		many := make([]hyperlocal.ItemQuantity, 0, 60)
		for i := range 60 {
			many = append(many, pieces(hyperlocal.ItemID("i"+strconv.Itoa(i%20)), shop, 1))
		}
		for i := range 20 {
			f.stocked(hyperlocal.ItemID("i"+strconv.Itoa(i)), shop, 3)
		}
		f.reserved("o3", many...)
		f.stands(key("i7", shop), 3, 3)
		f.sound()
	}},
	{"the same item in two orders of one batch is not sold twice", func(f *fixture) {
		f.stocked(apple, shop, 5)
		f.stocked(pear, shop, 5)
		refused := f.place(
			place("o1", pieces(apple, shop, 4)),
			place("o2", pieces(pear, shop, 1), pieces(apple, shop, 2)), // refused, and holds no pear back
			place("o3", pieces(pear, shop, 5)),
			place("o4", pieces(apple, shop, 1)),
		)
		f.check(refused[0])
		f.want(refused[1], inventory.ErrInsufficient)
		f.fields(refused[1], map[string]string{"item": "apple", "wanted": "2", "available": "1"})
		f.check(refused[2])
		f.check(refused[3])
		f.stands(key(apple, shop), 5, 5)
		f.stands(key(pear, shop), 5, 5)
		f.sound()
	}},
	{"a bad placement fails no other", func(f *fixture) {
		f.stocked(apple, shop, 5)
		foreign := place("o6", pieces(apple, shop, 1))
		foreign.Tenant = "other"
		nobody := place("", pieces(apple, shop, 1))
		actorless := place("o8", pieces(apple, shop, 1))
		actorless.Actor = hyperlocal.Actor{}
		kilo := hyperlocal.ItemQuantity{Item: apple, Location: shop, Quantity: grams(5)}
		refused := f.place(
			place("o1", pieces("nothing", shop, 1)),
			place("o2", kilo),
			place("o3", pieces(apple, shop, 1), kilo),
			place("o4", pieces(apple, shop, 0)),
			place("o5", pieces(apple, shop, 1<<62), pieces(apple, shop, 1<<62)),
			foreign, nobody, actorless,
			place("o9", pieces("a\x00", shop, 1)),
			place("o10", pieces(apple, "", 1)),
			place("o11", pieces(apple, shop, 5)),
		)
		for i, reason := range []string{
			"inventory/unknown_item", "inventory/unit_mismatch", "inventory/unit_mismatch", "inventory/invalid_quantity",
			"inventory/invalid_quantity", "inventory/unknown_item", "ref/invalid_id", "actor/invalid_actor",
			"inventory/invalid_item", "inventory/invalid_location", "",
		} {
			if hyperlocal.ReasonOf(refused[i]) != reason {
				f.Errorf("placement %d: error is %v, want %q", i+1, refused[i], reason)
			}
		}
		f.stands(key(apple, shop), 5, 5)
	}},
	{"nothing stocked, nothing done", func(f *fixture) {
		f.reserved("o1")
		if refused := f.place(); len(refused) != 0 {
			f.Fatal("an empty batch was refused")
		}
	}},
	{"an item that is not counted passes", func(f *fixture) {
		f.item(apple, shop, inventory.ModeNone)
		f.reserved("o1", pieces(apple, shop, 1000))
		f.stands(key(apple, shop), 0, 0)
		f.check(f.s.CommitReserved(f.ctx, time.Time{}, admin, owner("o1")))
		f.check(f.s.Return(f.ctx, giveBack("o1", "r1", pieces(apple, shop, 1))))
		f.stands(key(apple, shop), 0, 0)
		if n := len(f.movements(key(apple, shop))); n != 0 {
			f.Fatalf("%d movements", n)
		}
	}},
	{"a tracked item is never refused and may be owed", func(f *fixture) {
		f.item(apple, shop, inventory.ModeTrackOnly)
		f.receive(apple, shop, 2)
		f.reserved("o1", pieces(apple, shop, 5))
		f.stands(key(apple, shop), 2, 5)
		f.check(f.s.CommitReserved(f.ctx, time.Time{}, admin, owner("o1")))
		f.stands(key(apple, shop), -3, 0)
		f.sound()
		_, err := f.s.SetItems(f.ctx, inventory.SetItemsCommand{Tenant: tenant, Actor: admin, Items: []inventory.Item{
			{ID: apple, Location: shop, Unit: hyperlocal.Piece, Mode: inventory.ModeReserveOnOrder},
		}})
		f.want(err, inventory.ErrBelowReserved)
	}},
	{"backorders end at the cap", func(f *fixture) {
		f.stocked(apple, shop, 2, backorder(3))
		f.reserved("o1", pieces(apple, shop, 4))
		err := f.place(place("o2", pieces(apple, shop, 2)))[0]
		f.want(err, inventory.ErrInsufficient)
		f.fields(err, map[string]string{"wanted": "2", "available": "1"})
		f.reserved("o3", pieces(apple, shop, 1))
		f.check(f.s.CommitReserved(f.ctx, time.Time{}, admin, owner("o1"), owner("o3")))
		f.stands(key(apple, shop), -3, 0)
		f.want(f.place(place("o4", pieces(apple, shop, 1)))[0], inventory.ErrInsufficient)
		f.receive(apple, shop, 5)
		f.stands(key(apple, shop), 2, 0)
		f.reserved("o5", pieces(apple, shop, 2))
		f.sound()
	}},
	{"a level does not grow beyond its range", func(f *fixture) {
		f.item(apple, shop, inventory.ModeTrackOnly)
		f.reserved("o1", pieces(apple, shop, inventory.MaxUnits))
		f.want(f.place(place("o2", pieces(apple, shop, 1)))[0], inventory.ErrOutOfRange)
		f.sound()
	}},
	{"two tenants do not meet", func(f *fixture) {
		f.stocked(apple, shop, 5)
		_, err := f.s.SetItems(f.ctx, inventory.SetItemsCommand{Tenant: "other", Actor: admin, Items: []inventory.Item{
			{ID: apple, Location: shop, Unit: hyperlocal.Gram, Mode: inventory.ModeReserveOnOrder},
		}})
		f.check(err)
		_, err = f.s.Receive(f.ctx, inventory.StockCommand{Tenant: "other", Actor: admin, Lines: []inventory.StockLine{
			{Item: apple, Location: shop, Quantity: grams(9), External: hyperlocal.External{Source: "erp", Reference: "x"}},
		}})
		f.check(err)
		theirs := place("o1", hyperlocal.ItemQuantity{Item: apple, Location: shop, Quantity: grams(9)})
		theirs.Tenant = "other"
		refused := f.place(theirs, place("o1", pieces(apple, shop, 5)))
		f.check(refused[0])
		f.check(refused[1])
		// One owner's name, two owners.
		f.check(f.s.CommitReserved(f.ctx, time.Time{}, admin, owner("o1")))
		f.stands(key(apple, shop), 0, 0)
		other := key(apple, shop)
		other.Tenant = "other"
		f.stands(other, 9, 9)
		for _, c := range []struct {
			tenant    hyperlocal.TenantID
			moves     int
			reserving int
		}{{tenant, 3, 0}, {"other", 2, 1}} {
			page, err := f.s.ListLevels(f.ctx, c.tenant, inventory.LevelFilter{}, hyperlocal.PageRequest{})
			f.check(err)
			all, err := f.s.Movements(f.ctx, c.tenant, inventory.MovementFilter{}, hyperlocal.PageRequest{})
			f.check(err)
			one, err := f.s.Movements(f.ctx, c.tenant, inventory.MovementFilter{Item: apple, Location: shop}, hyperlocal.PageRequest{})
			f.check(err)
			rows, err := f.s.Reservations(f.ctx, c.tenant, order("o1"))
			f.check(err)
			if len(page.Items) != 1 || page.Items[0].Tenant != c.tenant || len(all.Items) != c.moves || len(one.Items) != c.moves ||
				len(rows) != c.reserving {
				f.Errorf("tenant %s sees levels %v, movements %v and %v, reservations %v", c.tenant, page.Items, all.Items, one.Items, rows)
			}
		}
		ours, err := f.s.ByExternal(f.ctx, tenant, hyperlocal.External{Source: "erp", Reference: "x"})
		f.check(err)
		if len(ours) != 0 {
			f.Fatal("a reference of the other tenant was found")
		}
		f.sound(tenant, "other")
	}},
	{"a decision is made in a transaction and applied once", func(f *fixture) {
		f.stocked(apple, shop, 5)
		_, err := f.s.Decide(f.ctx, []hyperlocal.Placement{place("o1", pieces(apple, shop, 1))})
		f.want(err, inventory.ErrTxRequired)
		err = f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			d, err := f.s.Decide(ctx, []hyperlocal.Placement{place("o1", pieces(apple, shop, 1))})
			if err != nil {
				return err
			}
			if err := d.Check(0); err != nil {
				return err
			}
			d.Take(0)
			if err := d.Apply(ctx); err != nil {
				return err
			}
			if err := d.Apply(ctx); !hyperlocal.IsCode(err, hyperlocal.CodeInternal) {
				f.Errorf("second Apply: %v", err)
			}
			return nil
		})
		f.check(err)
		f.stands(key(apple, shop), 5, 1)
		if f.s.Rank() != hyperlocal.RankStock {
			f.Error("stock has another rank")
		}
		if kinds := f.s.SpendKinds(); len(kinds) != 1 || kinds[0] != inventory.SpendHold {
			f.Errorf("stock spends %v", kinds)
		}
	}},
	{"what was not taken is not written", func(f *fixture) {
		f.stocked(apple, shop, 5)
		f.check(f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			d, err := f.s.Decide(ctx, []hyperlocal.Placement{
				place("o1", pieces(apple, shop, 3)), place("o2", pieces(apple, shop, 5)),
			})
			if err != nil {
				return err
			}
			for i := range 2 { // the first is refused by somebody else after our Check
				if err := d.Check(i); err != nil {
					return err
				}
			}
			d.Take(1)
			return d.Apply(ctx)
		}))
		f.stands(key(apple, shop), 5, 5)
		rows, err := f.s.Reservations(f.ctx, tenant, order("o1"))
		f.check(err)
		if len(rows) != 0 {
			f.Fatal("an order that was not taken holds stock")
		}
	}},
}

func giveBack(id, reference string, items ...hyperlocal.ItemQuantity) hyperlocal.StockReturn {
	return hyperlocal.StockReturn{Tenant: tenant, Owner: order(id), Reference: reference, Items: items, Actor: admin}
}

var endingCases = []testCase{
	{"committed goods have left, once", func(f *fixture) {
		f.stocked(apple, shop, 10)
		f.stocked(pear, shop, 10)
		f.reserved("o1", pieces(apple, shop, 4), pieces(pear, shop, 1))
		f.reserved("o2", pieces(apple, shop, 3))
		at := time.Date(2011, 1, 2, 3, 4, 5, 6000, time.UTC)
		for range 2 {
			f.check(f.s.CommitReserved(f.ctx, at, admin, owner("o1"), owner("nobody"), owner("o1")))
		}
		f.stands(key(apple, shop), 6, 3)
		f.stands(key(pear, shop), 9, 0)
		moves := f.movements(key(pear, shop))
		m := moves[len(moves)-1]
		if m.Kind != inventory.MoveCommit || m.OnHand != hyperlocal.Pieces(-1) || m.Reserved != hyperlocal.Pieces(-1) ||
			m.Owner != order("o1") || !m.At.Equal(at) {
			f.Fatalf("movement is %+v", m)
		}
		f.check(f.s.ReleaseReserved(f.ctx, at, admin, "", owner("o1"))) // nothing is left to release
		f.stands(key(apple, shop), 6, 3)
		f.sound()
	}},
	{"what is released is free again, once", func(f *fixture) {
		f.stocked(apple, shop, 10)
		f.reserved("o1", pieces(apple, shop, 10))
		for range 2 {
			f.check(f.s.ReleaseReserved(f.ctx, time.Time{}, admin, "changed her mind", owner("o1")))
		}
		f.stands(key(apple, shop), 10, 0)
		moves := f.movements(key(apple, shop))
		if m := moves[len(moves)-1]; len(moves) != 3 || m.Kind != inventory.MoveRelease || m.Reason != "changed her mind" {
			f.Fatalf("movements are %+v", moves)
		}
		f.reserved("o1", pieces(apple, shop, 10)) // late capture: the same owner again
		f.sound()
	}},
	{"what is returned is on hand, once", func(f *fixture) {
		f.stocked(apple, shop, 10)
		f.stocked(pear, shop, 10)
		f.reserved("o1", pieces(apple, shop, 4), pieces(pear, shop, 4))
		f.check(f.s.CommitReserved(f.ctx, time.Time{}, admin, owner("o1")))
		back := giveBack("o1", "refund-1", pieces(apple, shop, 1), pieces(pear, shop, 2), pieces(apple, shop, 1))
		f.check(f.s.Return(f.ctx, back, back))
		f.check(f.s.Return(f.ctx, back, giveBack("o1", "refund-2", pieces(apple, shop, 1)), giveBack("o2", "refund-1", pieces(apple, shop, 1))))
		f.stands(key(apple, shop), 10, 0)
		f.stands(key(pear, shop), 8, 0)
		if got := f.kinds(key(apple, shop)); got != "receive, reserve, commit"+strings.Repeat(", return", 3) {
			f.Errorf("movements are %s", got)
		}
		f.sound()
	}},
	{"returns are taken together or not at all", func(f *fixture) {
		f.stocked(apple, shop, 10)
		err := f.s.Return(f.ctx, giveBack("o1", "r1", pieces(apple, shop, 1)), giveBack("o1", "r2", pieces("nothing", shop, 1)))
		f.want(err, inventory.ErrUnknownItem)
		f.want(f.s.Return(f.ctx, giveBack("o1", "r1", hyperlocal.ItemQuantity{Item: apple, Location: shop, Quantity: grams(1)})), inventory.ErrUnitMismatch)
		f.stands(key(apple, shop), 10, 0)
		f.check(f.s.Return(f.ctx, giveBack("o1", "r1", pieces(apple, shop, 1))))
		f.stands(key(apple, shop), 11, 0)
	}},
	{"bad input is refused", func(f *fixture) {
		f.stocked(apple, shop, 10)
		f.reserved("o1", pieces(apple, shop, 2))
		wrong := map[string]error{
			"commit, no actor":      f.s.CommitReserved(f.ctx, time.Time{}, hyperlocal.Actor{}, owner("o1")),
			"commit, no tenant":     f.s.CommitReserved(f.ctx, time.Time{}, admin, hyperlocal.TenantRef{Ref: order("o1")}),
			"commit, no owner":      f.s.CommitReserved(f.ctx, time.Time{}, admin, hyperlocal.TenantRef{Tenant: tenant}),
			"commit, many":          f.s.CommitReserved(f.ctx, time.Time{}, admin, make([]hyperlocal.TenantRef, inventory.MaxBatch+1)...),
			"commit, year":          f.s.CommitReserved(f.ctx, time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), admin, owner("o1")),
			"release, NUL":          f.s.ReleaseReserved(f.ctx, time.Time{}, admin, "a\x00", owner("o1")),
			"return, no reference":  f.s.Return(f.ctx, giveBack("o1", "", pieces(apple, shop, 1))),
			"return, NUL":           f.s.Return(f.ctx, giveBack("o1", "\x00", pieces(apple, shop, 1))),
			"return, nothing":       f.s.Return(f.ctx, giveBack("o1", "r1")),
			"return, negative":      f.s.Return(f.ctx, giveBack("o1", "r1", pieces(apple, shop, -1))),
			"return, no owner":      f.s.Return(f.ctx, hyperlocal.StockReturn{Tenant: tenant, Actor: admin, Reference: "r", Items: []hyperlocal.ItemQuantity{pieces(apple, shop, 1)}}),
			"return, too many":      f.s.Return(f.ctx, make([]hyperlocal.StockReturn, inventory.MaxBatch+1)...),
			"return, empty element": f.s.Return(f.ctx, hyperlocal.StockReturn{}),
		}
		for name, err := range wrong {
			if !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
				f.Errorf("%s: error is %v, want code invalid", name, err)
			}
		}
		f.check(f.s.CommitReserved(f.ctx, time.Time{}, admin))
		f.check(f.s.Return(f.ctx))
		f.stands(key(apple, shop), 10, 2)
	}},
}
