package inventorytest

import (
	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

func repair(keep inventory.Keep, keys ...inventory.Key) inventory.RepairCommand {
	return inventory.RepairCommand{Tenant: tenant, Actor: admin, Keys: keys, Keep: keep, Reason: "drift found by the nightly check"}
}

var repairCases = []testCase{
	{"a level that drifted is found", func(f *fixture) {
		f.stocked(apple, shop, 10)
		f.stocked(pear, shop, 10)
		f.reserved("o1", pieces(apple, shop, 2))
		f.sound()
		f.check(f.h.Corrupt(f.ctx, key(apple, shop), 12, 5))
		page, err := f.s.Recompute(f.ctx, tenant, inventory.LevelFilter{}, hyperlocal.PageRequest{Limit: 1})
		f.check(err)
		if len(page.Items) != 1 || page.Next == "" {
			f.Fatalf("page is %+v", page)
		}
		c := page.Items[0]
		if c.Level.Item != apple || c.Level.OnHand != hyperlocal.Pieces(12) || c.Level.Reserved != hyperlocal.Pieces(5) ||
			c.MovedOnHand != hyperlocal.Pieces(10) || c.MovedReserved != hyperlocal.Pieces(2) || c.OpenReserved != hyperlocal.Pieces(2) {
			f.Fatalf("count is %+v", c)
		}
		page, err = f.s.Recompute(f.ctx, tenant, inventory.LevelFilter{}, hyperlocal.PageRequest{Limit: 1, Cursor: page.Next})
		f.check(err)
		if len(page.Items) != 0 || page.Next != "" {
			f.Fatalf("second page is %+v", page)
		}
	}},
	{"a repair brings the level to its history", func(f *fixture) {
		f.stocked(apple, shop, 10)
		f.stocked(pear, shop, 10)
		f.reserved("o1", pieces(apple, shop, 2))
		f.check(f.h.Corrupt(f.ctx, key(apple, shop), 12, 5))
		result, err := f.s.Repair(f.ctx, repair("", key(apple, shop), key(pear, shop)))
		f.check(err)
		if len(result.Wrong) != 1 || len(result.Levels) != 2 {
			f.Fatalf("result is %+v", result)
		}
		f.stands(key(apple, shop), 10, 2)
		f.sound()
		moves := f.movements(key(apple, shop))
		if m := moves[len(moves)-1]; m.Kind != inventory.MoveRepair || m.OnHand != hyperlocal.Pieces(0) || m.Reason == "" || m.Actor != admin {
			f.Fatalf("movement is %+v", m)
		}
		var told inventory.StockRepaired
		f.check(f.events("inventory.repaired")[0].Decode(&told))
		if told.OnHandBefore != hyperlocal.Pieces(12) || told.ReservedBefore != hyperlocal.Pieces(5) || told.Keep != inventory.KeepMovements {
			f.Fatalf("event is %+v", told)
		}
		again, err := f.s.Repair(f.ctx, repair("", key(apple, shop)))
		f.check(err)
		if len(again.Wrong) != 0 || len(f.movements(key(apple, shop))) != len(moves) {
			f.Fatal("a level that agrees was repaired")
		}
	}},
	{"a repair can believe the level", func(f *fixture) {
		f.stocked(apple, shop, 10)
		f.reserved("o1", pieces(apple, shop, 2))
		f.check(f.h.Corrupt(f.ctx, key(apple, shop), 7, 1))
		_, err := f.s.Repair(f.ctx, repair(inventory.KeepLevel, key(apple, shop)))
		f.check(err)
		f.stands(key(apple, shop), 7, 2) // promises are always believed
		moves := f.movements(key(apple, shop))
		if m := moves[len(moves)-1]; m.Kind != inventory.MoveRepair || m.OnHand != hyperlocal.Pieces(-3) {
			f.Fatalf("movement is %+v", m)
		}
		f.sound()
	}},
	{"a repair that the item does not allow says what to do", func(f *fixture) {
		f.stocked(apple, shop, 10)
		f.reserved("o1", pieces(apple, shop, 8))
		f.check(f.h.Corrupt(f.ctx, key(apple, shop), 5, 5))
		_, err := f.s.Repair(f.ctx, repair(inventory.KeepLevel, key(apple, shop)))
		f.want(err, inventory.ErrBelowReserved)
		f.fields(err, map[string]string{"needed": "3"})
		f.stands(key(apple, shop), 5, 5)
		_, err = f.s.Repair(f.ctx, repair(inventory.KeepMovements, key(apple, shop)))
		f.check(err)
		f.stands(key(apple, shop), 10, 8)
		f.sound()
	}},
	{"a repair is repeatable under its key", func(f *fixture) {
		f.stocked(apple, shop, 10)
		f.check(f.h.Corrupt(f.ctx, key(apple, shop), 12, 0))
		c := repair("", key(apple, shop))
		c.Key = "fix-1"
		first, err := f.s.Repair(f.ctx, c)
		f.check(err)
		again, err := f.s.Repair(f.ctx, c)
		f.check(err)
		if !again.Replayed || len(again.Wrong) != 1 || again.Wrong[0] != first.Wrong[0] {
			f.Fatalf("answers are %+v and %+v", first, again)
		}
	}},
	{"bad input is refused", func(f *fixture) {
		f.stocked(apple, shop, 10)
		foreign := key(apple, shop)
		foreign.Tenant = "other"
		reasonless := repair("", key(apple, shop))
		reasonless.Reason = ""
		for name, c := range map[string]struct {
			command inventory.RepairCommand
			reason  string
		}{
			"no keys":        {repair(""), "inventory/invalid_keys"},
			"twice":          {repair("", key(apple, shop), key(apple, shop)), "inventory/invalid_keys"},
			"another tenant": {repair("", foreign), "inventory/invalid_keys"},
			"no reason":      {reasonless, "inventory/invalid_reason"},
			"keep":           {repair("both", key(apple, shop)), "inventory/invalid_keep"},
			"unknown":        {repair("", key(apple, shop), key(pear, shop)), "inventory/unknown_item"},
		} {
			if _, err := f.s.Repair(f.ctx, c.command); hyperlocal.ReasonOf(err) != c.reason {
				f.Errorf("%s: error is %v, want %s", name, err, c.reason)
			}
		}
	}},
}
