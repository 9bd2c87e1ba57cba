package inventorytest

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

// cartStock makes an item that carts may hold.
func (f *fixture) cartStock(id hyperlocal.ItemID, n int64, set ...func(*inventory.Item)) {
	f.Helper()
	f.item(id, shop, inventory.ModeReserveOnCart, set...)
	f.receive(id, shop, n)
}

func hold(id string, items ...hyperlocal.ItemQuantity) inventory.HoldCommand {
	return inventory.HoldCommand{Tenant: tenant, Actor: admin, Owner: cart(id).Ref, Items: items, TTL: 10 * time.Minute}
}

func (f *fixture) hold(id string, items ...hyperlocal.ItemQuantity) {
	f.Helper()
	_, err := f.s.Hold(f.ctx, hold(id, items...))
	f.check(err)
}

func (f *fixture) expire(want int) {
	f.Helper()
	n, err := f.s.ExpireHolds(f.ctx, 100)
	f.check(err)
	if n != want {
		f.Fatalf("%d holds expired, want %d", n, want)
	}
}

var holdCases = []testCase{
	{"a hold keeps stock until it runs out", func(f *fixture) {
		f.cartStock(apple, 5)
		until, err := f.s.Hold(f.ctx, hold("c1", pieces(apple, shop, 4)))
		f.check(err)
		if !until.Equal(epoch.Add(10 * time.Minute)) {
			f.Fatalf("the hold ends at %v", until)
		}
		f.want(f.place(place("o1", pieces(apple, shop, 2)))[0], inventory.ErrInsufficient)
		f.clock.pass(10*time.Minute - time.Microsecond)
		f.expire(0)
		f.clock.pass(time.Microsecond)
		f.expire(1)
		f.expire(0)
		f.stands(key(apple, shop), 5, 0)
		if got := f.kinds(key(apple, shop)); got != "receive, reserve, expire" {
			f.Errorf("movements are %s", got)
		}
		if e := f.events("inventory.hold_expired"); len(e) != 1 {
			f.Errorf("%d events", len(e))
		}
		f.reserved("o1", pieces(apple, shop, 5))
		f.sound()
	}},
	{"activity extends a hold and never shortens it", func(f *fixture) {
		f.cartStock(apple, 5)
		f.hold("c1", pieces(apple, shop, 1))
		f.hold("c2", pieces(apple, shop, 1))
		f.reserved("o1", pieces(apple, shop, 1))
		f.clock.pass(8 * time.Minute)
		alive, err := f.s.ExtendHolds(f.ctx, 5*time.Minute, cart("gone"), cart("c2"), owner("o1"))
		f.check(err)
		if len(alive) != 1 || alive[0] != cart("c2") {
			f.Fatalf("alive are %v", alive)
		}
		_, err = f.s.ExtendHolds(f.ctx, time.Second, cart("c2"))
		f.check(err)
		f.clock.pass(3 * time.Minute)
		f.expire(1) // the first cart
		f.stands(key(apple, shop), 5, 2)
		f.clock.pass(2 * time.Minute)
		f.expire(1)
		f.clock.pass(1000 * time.Hour)
		f.expire(0) // what an order holds never runs out
		f.stands(key(apple, shop), 5, 1)
		f.sound()
	}},
	{"a hold follows the cart", func(f *fixture) {
		f.cartStock(apple, 5)
		f.cartStock(pear, 5)
		f.hold("c1", pieces(apple, shop, 3))
		f.hold("c1", pieces(apple, shop, 5), pieces(pear, shop, 1)) // its own three count for it
		f.stands(key(apple, shop), 5, 5)
		_, err := f.s.Hold(f.ctx, hold("c1", pieces(apple, shop, 6)))
		f.want(err, inventory.ErrInsufficient)
		f.fields(err, map[string]string{"wanted": "6", "available": "5"})
		f.stands(key(apple, shop), 5, 5) // a refusal leaves what was held
		f.stands(key(pear, shop), 5, 1)
		moved := len(f.movements(key(pear, shop)))
		f.clock.pass(time.Minute)
		f.hold("c1", pieces(apple, shop, 2), pieces(pear, shop, 1))
		f.stands(key(apple, shop), 5, 2)
		if len(f.movements(key(pear, shop))) != moved {
			f.Error("what stays as it is moved")
		}
		rows, err := f.s.Reservations(f.ctx, tenant, cart("c1").Ref)
		f.check(err)
		for _, r := range rows {
			if !r.ExpiresAt.Equal(epoch.Add(11 * time.Minute)) {
				f.Errorf("hold on %s ends at %v", r.Item, r.ExpiresAt)
			}
		}
		soon := hold("c1", pieces(apple, shop, 2), pieces(pear, shop, 1))
		soon.TTL = time.Minute
		_, err = f.s.Hold(f.ctx, soon)
		f.check(err)
		f.clock.pass(9 * time.Minute)
		f.expire(0) // the same content for a shorter time shortens nothing
		f.hold("c1")
		f.stands(key(apple, shop), 5, 0)
		f.stands(key(pear, shop), 5, 0)
		f.sound()
	}},
	{"only the cart mode is held", func(f *fixture) {
		f.stocked(apple, shop, 5)
		f.cartStock(pear, 5)
		f.item("plum", shop, inventory.ModeTrackOnly)
		f.hold("c1", pieces(apple, shop, 99), pieces(pear, shop, 1), pieces("plum", shop, 9))
		f.stands(key(apple, shop), 5, 0)
		f.stands(key(pear, shop), 5, 1)
		f.stands(key("plum", shop), 0, 0)
		_, err := f.s.Hold(f.ctx, hold("c2", pieces("nothing", shop, 1)))
		f.want(err, inventory.ErrUnknownItem)
	}},
	{"a batch of holds is served in order", func(f *fixture) {
		f.cartStock(apple, 5)
		results, err := f.s.HoldMany(f.ctx, []inventory.HoldCommand{
			hold("c1", pieces(apple, shop, 3)), hold("c2", pieces(apple, shop, 3)), hold("c3", pieces(apple, shop, 2)),
			hold("c1", pieces(apple, shop, 1)), // changes its mind in the same batch
			hold("c4", pieces(apple, shop, 2)), hold("c1", pieces(apple, shop, 1)),
		})
		f.check(err)
		for i, refused := range []bool{false, true, false, false, false, false} {
			if (results[i].Err != nil) != refused {
				f.Errorf("hold %d: %v", i, results[i].Err)
			}
		}
		f.stands(key(apple, shop), 5, 5)
		rows, err := f.s.Reservations(f.ctx, tenant, cart("c1").Ref)
		f.check(err)
		if len(rows) != 1 || rows[0].Quantity != hyperlocal.Pieces(1) {
			f.Fatalf("the first cart holds %+v", rows)
		}
		f.sound()
	}},
	{"a placement takes its cart's hold over", func(f *fixture) {
		f.cartStock(apple, 5)
		f.cartStock(pear, 5)
		f.hold("c1", pieces(apple, shop, 5), pieces(pear, shop, 2))
		p := place("o1", pieces(apple, shop, 4))
		p.Spend = []hyperlocal.Spend{{Kind: inventory.SpendHold, Ref: cart("c1").Ref, Amount: 1}, {Kind: "points", Ref: cart("c1").Ref, Amount: 5}}
		refused := f.place(place("o0", pieces(apple, shop, 1)), p, place("o2", pieces(apple, shop, 1)), p)
		f.want(refused[0], inventory.ErrInsufficient) // the hold counts for its own order only
		f.check(refused[1])
		f.check(refused[2]) // the fifth apple is free again
		f.want(refused[3], inventory.ErrInsufficient)
		f.stands(key(apple, shop), 5, 5)
		f.stands(key(pear, shop), 5, 2) // not ordered, still held
		rows, err := f.s.Reservations(f.ctx, tenant, cart("c1").Ref, order("o1"))
		f.check(err)
		if len(rows) != 2 || rows[0].Item != pear || rows[1].Owner != order("o1") || rows[1].Hold() {
			f.Fatalf("reservations are %+v", rows)
		}
		f.clock.pass(time.Hour)
		f.expire(1)
		f.sound()
	}},
	{"a cart that is named twice counts once", func(f *fixture) {
		f.cartStock(apple, 10)
		f.hold("c1", pieces(apple, shop, 4))
		twice := []hyperlocal.Spend{
			{Kind: inventory.SpendHold, Ref: cart("c1").Ref, Amount: 1}, {Kind: inventory.SpendHold, Ref: cart("c2").Ref, Amount: 1},
			{Kind: inventory.SpendHold, Ref: cart("c1").Ref, Amount: 1},
		}
		greedy, modest := place("o1", pieces(apple, shop, 13)), place("o2", pieces(apple, shop, 7))
		greedy.Spend, modest.Spend = twice, twice
		refused := f.place(place("o0", pieces(apple, shop, 1)), greedy, modest, place("o3", pieces(apple, shop, 2)))
		f.check(refused[0])
		f.want(refused[1], inventory.ErrInsufficient)
		f.fields(refused[1], map[string]string{"wanted": "13", "available": "9"})
		f.check(refused[2])
		f.check(refused[3])
		f.stands(key(apple, shop), 10, 10)
		if got := f.kinds(key(apple, shop)); got != "receive, reserve, reserve, release, reserve, reserve" {
			f.Errorf("movements are %s", got)
		}
		f.sound()
	}},
	{"nobody takes over what an order reserves", func(f *fixture) {
		f.cartStock(apple, 5)
		f.reserved("o1", pieces(apple, shop, 5))
		p := place("o2", pieces(apple, shop, 1))
		p.Spend = []hyperlocal.Spend{{Kind: inventory.SpendHold, Ref: order("o1"), Amount: 1}}
		f.want(f.place(p)[0], inventory.ErrInsufficient)
		f.stands(key(apple, shop), 5, 5)
	}},
	{"a hold that has run out counts until it is swept", func(f *fixture) {
		f.cartStock(apple, 1)
		f.hold("c1", pieces(apple, shop, 1))
		f.clock.pass(time.Hour)
		f.want(f.place(place("o1", pieces(apple, shop, 1)))[0], inventory.ErrInsufficient)
		p := place("o2", pieces(apple, shop, 1))
		p.Spend = []hyperlocal.Spend{{Kind: inventory.SpendHold, Ref: cart("c1").Ref, Amount: 1}}
		f.check(f.place(p)[0])
		f.expire(0)
		f.stands(key(apple, shop), 1, 1)
		f.sound()
	}},
	{"a booking reserves for itself", func(f *fixture) {
		f.cartStock("seat", 2)
		f.hold("c1", pieces("seat", shop, 2))
		booking := hyperlocal.NewRef("booking", "b1")
		c := inventory.ReserveCommand{Tenant: tenant, Actor: admin, Owner: booking, Items: []hyperlocal.ItemQuantity{pieces("seat", shop, 2)}}
		f.want(f.s.Reserve(f.ctx, c), inventory.ErrInsufficient)
		c.Cart = cart("c1").Ref
		f.check(f.s.Reserve(f.ctx, c))
		f.stands(key("seat", shop), 2, 2)
		f.check(f.s.CommitReserved(f.ctx, time.Time{}, admin, hyperlocal.TenantRef{Tenant: tenant, Ref: booking}))
		f.stands(key("seat", shop), 0, 0)
		f.sound()
	}},
	{"the worker takes the oldest first and no more than its limit", func(f *fixture) {
		f.cartStock(apple, 5)
		for _, id := range []string{"c1", "c2", "c3"} {
			f.hold(id, pieces(apple, shop, 1))
			f.clock.pass(time.Second)
		}
		f.clock.pass(time.Hour)
		for _, left := range []int64{1, 0} {
			n, err := f.s.ExpireHolds(f.ctx, 2)
			f.check(err)
			f.stands(key(apple, shop), 5, left)
			if int64(n) != 2-(1-left) {
				f.Fatalf("%d expired", n)
			}
			rows, err := f.s.Reservations(f.ctx, tenant, cart("c3").Ref)
			f.check(err)
			if int64(len(rows)) != left {
				f.Fatalf("the youngest hold: %v", rows)
			}
		}
		f.sound()
	}},
	{"a hold that cannot be released holds up no other", func(f *fixture) {
		f.cartStock(pear, 20)
		f.cartStock(apple, 20)
		for i := range 9 { // a pear, the oldest, then apples and a pear
			f.hold("c"+strconv.Itoa(i), pieces([]hyperlocal.ItemID{pear, apple, apple, apple}[i%4], shop, 1))
			f.clock.pass(time.Second)
		}
		f.clock.pass(time.Hour)
		f.check(f.h.Corrupt(f.ctx, key(pear, shop), 20, 0)) // three are held, and none is on the books
		held := func(want int) {
			f.Helper()
			rows, err := f.s.Reservations(f.ctx, tenant, cart("c0").Ref, cart("c1").Ref, cart("c2").Ref, cart("c3").Ref,
				cart("c4").Ref, cart("c5").Ref, cart("c6").Ref, cart("c7").Ref, cart("c8").Ref)
			f.check(err)
			if len(rows) != want {
				f.Fatalf("%d are held, want %d", len(rows), want)
			}
		}
		err := f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			_, err := f.s.ExpireHolds(ctx, 100)
			return err
		})
		f.want(err, inventory.ErrContended) // a caller's transaction is all or nothing
		held(9)
		for _, c := range []struct{ limit, want, left int }{{1, 1, 8}, {3, 3, 5}, {0, 2, 3}, {1, 0, 3}, {1000, 0, 3}} {
			n, err := f.s.ExpireHolds(f.ctx, c.limit)
			if n != c.want || !errors.Is(err, inventory.ErrContended) || !strings.Contains(err.Error(), "inventory/hold_stays") {
				f.Fatalf("limit %d: %d expired, error %v; want %d", c.limit, n, err, c.want)
			}
			held(c.left)
		}
		f.stands(key(apple, shop), 20, 0)
		f.check(f.h.Corrupt(f.ctx, key(pear, shop), 20, 3))
		f.expire(3)
		f.stands(key(pear, shop), 20, 0)
		f.sound()
	}},
	{"without a limit a hundred run out", func(f *fixture) {
		f.cartStock(apple, 101)
		batch := make([]inventory.HoldCommand, 101)
		for i := range batch {
			batch[i] = hold("c"+strconv.Itoa(i), pieces(apple, shop, 1))
		}
		_, err := f.s.HoldMany(f.ctx, batch)
		f.check(err)
		f.clock.pass(time.Hour)
		for _, want := range []int{100, 1, 0} {
			if n, err := f.s.ExpireHolds(f.ctx, 0); n != want || err != nil {
				f.Fatalf("%d expired, %v; want %d", n, err, want)
			}
		}
		f.sound()
	}},
	{"bad input is refused", func(f *fixture) {
		f.cartStock(apple, 5)
		long := hold("c1", pieces(apple, shop, 1))
		long.TTL = inventory.MaxHoldTTL + 1
		short := hold("c1", pieces(apple, shop, 1))
		short.TTL = -time.Second
		ownerless := hold("c1", pieces(apple, shop, 1))
		ownerless.Owner = hyperlocal.Ref{}
		results, err := f.s.HoldMany(f.ctx, []inventory.HoldCommand{long, short, ownerless, hold("c1", pieces(apple, shop, -1))})
		f.check(err)
		for i, r := range results {
			if !hyperlocal.IsCode(r.Err, hyperlocal.CodeInvalid) {
				f.Errorf("hold %d: %v", i, r.Err)
			}
		}
		_, err = f.s.HoldMany(f.ctx, make([]inventory.HoldCommand, inventory.MaxBatch+1))
		if !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
			f.Errorf("a long batch: %v", err)
		}
		if err := f.s.Reserve(f.ctx, inventory.ReserveCommand{Tenant: tenant, Actor: admin, Owner: order("o1")}); !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
			f.Errorf("an empty reservation: %v", err)
		}
		for _, limit := range []int{-1, inventory.MaxBatch + 1} {
			if _, err := f.s.ExpireHolds(f.ctx, limit); !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
				f.Errorf("limit %d: %v", limit, err)
			}
		}
		if _, err := f.s.ExtendHolds(f.ctx, time.Millisecond, cart("c1")); !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
			f.Errorf("a short extension: %v", err)
		}
		f.stands(key(apple, shop), 5, 0)
	}},
}
