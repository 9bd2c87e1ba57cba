package inventorytest

import (
	"errors"
	"strconv"
	"sync"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

func counted(id hyperlocal.ItemID, n, version int64) inventory.AdjustCommand {
	return inventory.AdjustCommand{Tenant: tenant, Actor: admin, Reason: "stocktaking", Lines: []inventory.AdjustLine{
		{Item: id, Location: shop, OnHand: hyperlocal.Pieces(n), Version: version},
	}}
}

var adjustCases = []testCase{
	{"a count puts the level right", func(f *fixture) {
		f.stocked(apple, shop, 10)
		l := f.level(key(apple, shop))
		result, err := f.s.Adjust(f.ctx, counted(apple, 8, l.Version))
		f.check(err)
		f.stands(key(apple, shop), 8, 0)
		if result.Applied != 1 || result.Levels[0] != f.level(key(apple, shop)) || result.Levels[0].Version != l.Version+1 {
			f.Fatalf("result is %+v", result)
		}
		moves := f.movements(key(apple, shop))
		if m := moves[len(moves)-1]; m.Kind != inventory.MoveAdjust || m.OnHand != hyperlocal.Pieces(-2) || m.Reason != "stocktaking" {
			f.Fatalf("movement is %+v", m)
		}
		result, err = f.s.Adjust(f.ctx, counted(apple, 8, l.Version+1))
		f.check(err)
		if result.Applied != 0 || len(f.movements(key(apple, shop))) != len(moves) {
			f.Fatal("a count that confirms the level left a trace")
		}
		f.sound()
	}},
	{"a stale version is refused with the present one", func(f *fixture) {
		f.stocked(apple, shop, 10)
		f.stocked(pear, shop, 10)
		old := f.level(key(apple, shop)).Version
		f.reserved("o1", pieces(apple, shop, 1))
		c := counted(pear, 1, f.level(key(pear, shop)).Version)
		c.Lines = append(c.Lines, counted(apple, 8, old).Lines...)
		_, err := f.s.Adjust(f.ctx, c)
		f.want(err, inventory.ErrStale)
		f.fields(err, map[string]string{"item": "apple", "location": "shop", "version": strconv.FormatInt(old+1, 10), "on_hand": "10"})
		f.stands(key(apple, shop), 10, 1)
		f.stands(key(pear, shop), 10, 0)
	}},
	{"a count must cover what is reserved", func(f *fixture) {
		f.stocked(apple, shop, 10, backorder(2))
		f.reserved("o1", pieces(apple, shop, 6))
		v := f.level(key(apple, shop)).Version
		_, err := f.s.Adjust(f.ctx, counted(apple, 3, v))
		f.want(err, inventory.ErrBelowReserved)
		f.fields(err, map[string]string{"needed": "4"})
		_, err = f.s.Adjust(f.ctx, counted(apple, 4, v))
		f.check(err)
		f.sound()
	}},
	{"a key answers a repetition", func(f *fixture) {
		f.stocked(apple, shop, 10)
		c := counted(apple, 8, f.level(key(apple, shop)).Version)
		c.Key = "count-1"
		first, err := f.s.Adjust(f.ctx, c)
		f.check(err)
		again, err := f.s.Adjust(f.ctx, c) // without the key it would be stale by now
		f.check(err)
		if !again.Replayed || again.Levels[0] != first.Levels[0] {
			f.Fatalf("answers are %+v and %+v", first, again)
		}
		c.Lines[0].OnHand = hyperlocal.Pieces(7)
		_, err = f.s.Adjust(f.ctx, c)
		f.want(err, hyperlocal.ErrKeyReused)
		f.stands(key(apple, shop), 8, 0)
	}},
	{"of many counts of one version one wins", func(f *fixture) {
		f.stocked(apple, shop, 10)
		v := f.level(key(apple, shop)).Version
		var wg sync.WaitGroup
		errs := make([]error, 12)
		for i := range errs {
			wg.Go(func() { _, errs[i] = f.s.Adjust(f.ctx, counted(apple, int64(20+i), v)) })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, inventory.ErrStale) {
				f.Errorf("error is %v", err)
			}
		}
		if won != 1 {
			f.Fatalf("%d won", won)
		}
		f.sound()
	}},
	{"bad input is refused", func(f *fixture) {
		f.stocked(apple, shop, 10)
		f.item("untracked", shop, inventory.ModeNone)
		v := f.level(key(apple, shop)).Version
		for name, c := range map[string]struct {
			change func(c *inventory.AdjustCommand)
			reason string
		}{
			"no lines":   {func(c *inventory.AdjustCommand) { c.Lines = nil }, "inventory/invalid_lines"},
			"twice":      {func(c *inventory.AdjustCommand) { c.Lines = append(c.Lines, c.Lines[0]) }, "inventory/invalid_lines"},
			"no version": {func(c *inventory.AdjustCommand) { c.Lines[0].Version = 0 }, "inventory/invalid_version"},
			"no unit":    {func(c *inventory.AdjustCommand) { c.Lines[0].OnHand = hyperlocal.Quantity{} }, "inventory/invalid_on_hand"},
			"huge":       {func(c *inventory.AdjustCommand) { c.Lines[0].OnHand = hyperlocal.Pieces(-1 << 63) }, "inventory/invalid_on_hand"},
			"unit":       {func(c *inventory.AdjustCommand) { c.Lines[0].OnHand = grams(1) }, "inventory/unit_mismatch"},
			"negative":   {func(c *inventory.AdjustCommand) { c.Lines[0].OnHand = hyperlocal.Pieces(-1) }, "inventory/below_reserved"},
			"unknown":    {func(c *inventory.AdjustCommand) { c.Lines[0].Item = pear }, "inventory/unknown_item"},
			"untracked":  {func(c *inventory.AdjustCommand) { c.Lines[0].Item = "untracked" }, "inventory/not_tracked"},
		} {
			cmd := counted(apple, 5, v)
			c.change(&cmd)
			if _, err := f.s.Adjust(f.ctx, cmd); hyperlocal.ReasonOf(err) != c.reason {
				f.Errorf("%s: error is %v, want %s", name, err, c.reason)
			}
		}
		f.stands(key(apple, shop), 10, 0)
	}},
}
