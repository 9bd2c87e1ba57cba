package inventorytest

import (
	"context"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

// write hands changes to the store without asking anybody.
func (f *fixture) write(w inventory.Writes) error {
	return f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error { return f.h.Store.Write(ctx, w) })
}

func change(k inventory.Key, onHand, reserved int64, g inventory.Guard) inventory.Writes {
	return inventory.Writes{Changes: []inventory.Change{{Key: k, OnHand: onHand, Reserved: reserved, Guard: g, At: epoch}}}
}

var storeCases = []testCase{
	{"the guard holds for a caller who has locked nothing", func(f *fixture) {
		f.stocked(apple, shop, 10, backorder(5))
		f.reserved("o1", pieces(apple, shop, 4))
		k := key(apple, shop)
		for name, w := range map[string]inventory.Writes{
			"more than the backorder limit":  change(k, 0, 12, inventory.GuardBackorder),
			"more than is on hand":           change(k, -7, 0, inventory.GuardOnHand),
			"unguarded, still not coverable": change(k, -12, 0, inventory.GuardNone),
			"less than nothing reserved":     change(k, 0, -5, inventory.GuardNone),
			"a level that does not exist":    change(key(pear, shop), 1, 0, inventory.GuardNone),
			"one good and one bad":           {Changes: append(change(k, 1, 0, inventory.GuardNone).Changes, change(key(pear, shop), 1, 0, inventory.GuardNone).Changes...)},
			"a level of another tenant":      change(inventory.Key{Tenant: "other", Item: apple, Location: shop}, 1, 0, inventory.GuardNone),
			"a reservation that is not open": {Close: []inventory.Reservation{f.reservation("o9", 1)}},
			"extending what is not open":     {Extend: []inventory.Reservation{f.reservation("o9", 1)}},
			"another tenant's open one":      {Close: []inventory.Reservation{f.foreign("o1")}},
		} {
			if err := f.write(w); hyperlocal.ReasonOf(err) != inventory.ErrContended.Reason {
				f.Errorf("%s: error is %v", name, err)
			}
			f.stands(k, 10, 4)
		}
		f.want(f.write(change(k, inventory.MaxUnits, 0, inventory.GuardNone)), inventory.ErrOutOfRange)
		f.check(f.write(change(k, 0, 11, inventory.GuardBackorder)))
		f.stands(k, 10, 15)
	}},
	{"a level that is presumed has to be of its mode and must not become low", func(f *fixture) {
		f.stocked(apple, shop, 10, lowAt(3))
		k := key(apple, shop)
		presumed := func(n int64, m inventory.Mode) error {
			w := change(k, 0, n, inventory.GuardBackorder)
			w.Changes[0].Presumed = m
			return f.write(w)
		}
		f.want(presumed(2, inventory.ModeTrackOnly), inventory.ErrContended)
		f.want(presumed(7, inventory.ModeReserveOnOrder), inventory.ErrContended)
		f.want(presumed(11, inventory.ModeReserveOnOrder), inventory.ErrContended)
		f.stands(k, 10, 0)
		f.check(presumed(6, inventory.ModeReserveOnOrder))
		f.check(f.write(change(k, 0, 1, inventory.GuardBackorder)))
		f.check(presumed(1, inventory.ModeReserveOnOrder)) // it was low before
		f.stands(k, 10, 8)
	}},
	{"a reservation is closed once", func(f *fixture) {
		f.stocked(apple, shop, 10)
		f.reserved("o1", pieces(apple, shop, 4))
		rows, err := f.s.Reservations(f.ctx, tenant, order("o1"))
		f.check(err)
		w := change(key(apple, shop), -4, -4, inventory.GuardNone)
		w.Close = rows
		f.check(f.write(w))
		f.want(f.write(w), inventory.ErrContended)
		f.stands(key(apple, shop), 6, 0)
	}},
	{"a reference is recorded once", func(f *fixture) {
		f.stocked(apple, shop, 10)
		m := f.movements(key(apple, shop))[0]
		again := func(change func(m *inventory.Movement)) error {
			m := m
			m.ID = hyperlocal.RandomIDs{}.NewID()
			change(&m)
			return f.write(inventory.Writes{Movements: []inventory.Movement{m}})
		}
		external := func(m *inventory.Movement) { m.External = hyperlocal.External{Source: "s", Reference: "r"} }
		returned := func(m *inventory.Movement) { m.Owner, m.Return = order("o1"), "r" }
		f.check(again(external))
		f.want(again(external), inventory.ErrReferenceTaken)
		f.check(again(func(m *inventory.Movement) { external(m); m.N = 1 }))
		f.check(again(returned))
		f.want(again(returned), inventory.ErrReferenceTaken)
		f.check(again(func(m *inventory.Movement) { returned(m); m.Owner = order("o2") }))
	}},
	{"an item is added once, in one unit", func(f *fixture) {
		f.stocked(apple, shop, 10)
		l := f.level(key(apple, shop))
		add := func(l inventory.Level) error {
			return f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error { return f.h.Store.AddItems(ctx, []inventory.Level{l}) })
		}
		f.want(add(l), inventory.ErrContended)
		other := inventory.Level{
			Tenant: tenant, Item: apple, Location: cellar, Mode: inventory.ModeTrackOnly, OnHand: grams(0), Reserved: grams(0),
			BackorderLimit: grams(0), Version: 1, UpdatedAt: epoch,
		}
		f.want(add(other), inventory.ErrUnitMismatch)
		f.stands(key(apple, shop), 10, 0)
	}},
	{"settings are saved for the version that was read", func(f *fixture) {
		f.stocked(apple, shop, 10)
		save := func(version int64, m inventory.Mode) error {
			return f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
				l := f.levelIn(ctx, key(apple, shop))
				l.Version, l.Mode = version, m
				return f.h.Store.SaveItems(ctx, []inventory.Level{l})
			})
		}
		f.want(save(2, inventory.ModeNone), inventory.ErrContended)
		f.want(save(4, inventory.ModeNone), inventory.ErrContended)
		f.check(save(3, inventory.ModeTrackOnly))
		f.check(f.write(change(key(apple, shop), -11, 0, inventory.GuardNone)))
		f.want(save(5, inventory.ModeReserveOnOrder), inventory.ErrContended) // 1 is owed
	}},
	{"locking returns sorted, existing, distinct levels and reservations", func(f *fixture) {
		f.stocked("b", shop, 5)
		f.stocked("a", shop, 5)
		f.stocked("c", shop, 5)
		f.reserved("o1", pieces("c", shop, 1), pieces("a", shop, 2))
		f.check(f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			locked, err := f.h.Store.Lock(ctx, []inventory.Key{key("b", shop), key("x", shop), key("a", shop), key("b", shop)},
				[]hyperlocal.TenantRef{owner("o1"), owner("o2"), owner("o1")})
			if err != nil {
				return err
			}
			got := make([]hyperlocal.ItemID, 0, len(locked.Levels))
			for _, l := range locked.Levels {
				got = append(got, l.Item)
			}
			if !slices.Equal(got, []hyperlocal.ItemID{"a", "b", "c"}) || len(locked.Reservations) != 2 || locked.Reservations[0].ID >= locked.Reservations[1].ID {
				f.Errorf("locked are %v, %+v", got, locked.Reservations)
			}
			none, err := f.h.Store.Lock(ctx, nil, []hyperlocal.TenantRef{owner("o2")})
			if len(none.Levels)+len(none.Reservations) != 0 {
				f.Errorf("an owner of nothing has %+v", none)
			}
			return err
		}))
	}},
	{"everything that locks or writes needs a transaction", func(f *fixture) {
		f.stocked(apple, shop, 10)
		st := f.h.Store
		_, lock := st.Lock(f.ctx, []inventory.Key{key(apple, shop)}, nil)
		_, due := st.LockDue(f.ctx, epoch, 1)
		_, extend := st.Extend(f.ctx, []hyperlocal.TenantRef{owner("o1")}, epoch)
		for name, err := range map[string]error{
			"Lock": lock, "LockDue": due, "Extend": extend,
			"Write":     st.Write(f.ctx, change(key(apple, shop), 1, 0, inventory.GuardNone)),
			"AddItems":  st.AddItems(f.ctx, []inventory.Level{f.level(key(apple, shop))}),
			"SaveItems": st.SaveItems(f.ctx, []inventory.Level{f.level(key(apple, shop))}),
		} {
			if !hyperlocal.IsCode(err, hyperlocal.CodeInternal) {
				f.Errorf("%s: error is %v, want code internal", name, err)
			}
		}
		f.stands(key(apple, shop), 10, 0)
	}},
	{"equal names in two tenants are different things", func(f *fixture) {
		// Whatever one of them does, and in whichever order their names sort.
		both := []hyperlocal.TenantID{tenant, "other", "aaa"}
		kilo := map[hyperlocal.TenantID]hyperlocal.Quantity{"other": grams(1), tenant: hyperlocal.Pieces(1), "aaa": grams(1)}
		of := func(t hyperlocal.TenantID, r hyperlocal.Ref) hyperlocal.TenantRef {
			return hyperlocal.TenantRef{Tenant: t, Ref: r}
		}
		at := func(t hyperlocal.TenantID, l hyperlocal.LocationID) inventory.Key {
			return inventory.Key{Tenant: t, Item: apple, Location: l}
		}
		set := func(t hyperlocal.TenantID, l hyperlocal.LocationID, m inventory.Mode) {
			_, err := f.s.SetItems(f.ctx, inventory.SetItemsCommand{Tenant: t, Actor: admin, Items: []inventory.Item{
				{ID: apple, Location: l, Unit: kilo[t].Unit(), Mode: m},
			}})
			f.check(err)
		}
		for _, t := range both {
			set(t, shop, inventory.ModeReserveOnOrder)
		}
		for _, t := range both {
			set(t, shop, inventory.ModeReserveOnCart) // the others' levels have the same version
			set(t, cellar, inventory.ModeTrackOnly)   // the others count in another unit
			one := []hyperlocal.ItemQuantity{{Item: apple, Location: shop, Quantity: kilo[t]}}
			f.check(f.s.Return(f.ctx, hyperlocal.StockReturn{Tenant: t, Owner: order("o1"), Reference: "r1", Items: one, Actor: admin}))
			_, err := f.s.Receive(f.ctx, inventory.StockCommand{Tenant: t, Actor: admin, Lines: []inventory.StockLine{
				{Item: apple, Location: shop, Quantity: kilo[t], External: hyperlocal.External{Source: "erp", Reference: "x"}},
			}})
			f.check(err)
			_, err = f.s.Hold(f.ctx, inventory.HoldCommand{Tenant: t, Actor: admin, Owner: cart("c1").Ref, Items: one, TTL: time.Minute})
			f.check(err)
		}
		for _, t := range both {
			f.check(f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
				for _, ask := range []struct {
					keys   []inventory.Key
					owners []hyperlocal.TenantRef
				}{
					{keys: []inventory.Key{at(t, shop)}},
					{owners: []hyperlocal.TenantRef{of(t, cart("c1").Ref)}},
				} {
					locked, err := f.h.Store.Lock(ctx, ask.keys, ask.owners)
					if err != nil {
						return err
					}
					if len(locked.Levels) != 1 || locked.Levels[0].Tenant != t || len(locked.Reservations) != len(ask.owners) {
						f.Errorf("tenant %s locks %+v", t, locked)
					}
				}
				return nil
			}))
			alive, err := f.s.ExtendHolds(f.ctx, 2*time.Minute, of(t, cart("c1").Ref))
			f.check(err)
			if len(alive) != 1 || alive[0].Tenant != t {
				f.Errorf("tenant %s extends %v", t, alive)
			}
			f.stands(at(t, shop), 2, 1)
		}
		f.clock.pass(time.Hour)
		f.expire(3)
		f.sound(both...)
	}},
	{"times keep their microseconds", func(f *fixture) {
		f.cartStock(apple, 3)
		f.clock.pass(123*time.Nanosecond + time.Microsecond)
		f.hold("c1", pieces(apple, shop, 1))
		now := epoch.Add(time.Microsecond)
		rows, err := f.s.Reservations(f.ctx, tenant, cart("c1").Ref)
		f.check(err)
		if !rows[0].ExpiresAt.Equal(now.Add(10*time.Minute)) || !rows[0].CreatedAt.Equal(now) || rows[0].CreatedAt.Location() != time.UTC {
			f.Errorf("reservation is %+v", rows[0])
		}
		if l := f.level(key(apple, shop)); !l.UpdatedAt.Equal(now) || l.UpdatedAt.Location() != time.UTC {
			f.Errorf("level is %+v", l)
		}
	}},
}

func (f *fixture) levelIn(ctx context.Context, k inventory.Key) inventory.Level {
	f.Helper()
	levels, err := f.h.Store.Levels(ctx, []inventory.Key{k})
	f.check(err)
	return levels[0]
}

// reservation makes one that no store knows.
func (f *fixture) reservation(id string, n int64) inventory.Reservation {
	return inventory.Reservation{
		ID: hyperlocal.RandomIDs{}.NewID(), Tenant: tenant, Owner: order(id), Item: apple, Location: shop,
		Quantity: hyperlocal.Pieces(n), ExpiresAt: epoch, CreatedAt: epoch,
	}
}

// foreign returns the owner's reservation as another tenant would name it.
func (f *fixture) foreign(id string) inventory.Reservation {
	f.Helper()
	rows, err := f.s.Reservations(f.ctx, tenant, order(id))
	f.check(err)
	rows[0].Tenant = "other"
	return rows[0]
}
