package inventorytest

import (
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

var setupCases = []testCase{
	{"a new item has nothing on hand", func(f *fixture) {
		levels, err := f.s.SetItems(f.ctx, inventory.SetItemsCommand{Tenant: tenant, Actor: admin, Items: []inventory.Item{
			{ID: "flour", Location: shop, Unit: hyperlocal.Gram, Mode: inventory.ModeReserveOnCart, LowAt: grams(500)},
			{ID: apple, Location: shop, Unit: hyperlocal.Piece, Mode: inventory.ModeTrackOnly},
		}})
		f.check(err)
		if len(levels) != 2 || levels[0].Item != "flour" || levels[1].Item != apple {
			f.Fatalf("levels are %v", levels)
		}
		got := f.level(key("flour", shop))
		want := inventory.Level{
			Tenant: tenant, Item: "flour", Location: shop, Mode: inventory.ModeReserveOnCart, OnHand: grams(0), Reserved: grams(0),
			BackorderLimit: grams(0), LowAt: grams(500), Version: 1, UpdatedAt: epoch,
		}
		if got != want || levels[0] != want {
			f.Fatalf("level is\n%+v, answered as\n%+v, want\n%+v", got, levels[0], want)
		}
		if f.level(key(apple, shop)).LowAt != (hyperlocal.Quantity{}) {
			f.Fatal("an item without a threshold has one")
		}
	}},
	{"setting again changes settings and no number", func(f *fixture) {
		f.stocked(apple, shop, 7)
		before := f.level(key(apple, shop))
		f.item(apple, shop, inventory.ModeReserveOnCart, backorder(3), lowAt(2))
		after := f.level(key(apple, shop))
		if after.OnHand != before.OnHand || after.Mode != inventory.ModeReserveOnCart || after.BackorderLimit != hyperlocal.Pieces(3) ||
			after.LowAt != hyperlocal.Pieces(2) || after.Version != before.Version+1 {
			f.Fatalf("level is %+v, was %+v", after, before)
		}
		f.item(apple, shop, inventory.ModeReserveOnCart, backorder(3), lowAt(2))
		if f.level(key(apple, shop)) != after {
			f.Fatal("settings that were as they should be left a trace")
		}
		if n := len(f.events("inventory.item_set")); n != 2 {
			f.Fatalf("%d events, want 2", n)
		}
	}},
	{"an item keeps its unit, at every location", func(f *fixture) {
		f.item(apple, shop, inventory.ModeTrackOnly)
		for _, at := range []hyperlocal.LocationID{shop, cellar} {
			_, err := f.s.SetItems(f.ctx, inventory.SetItemsCommand{Tenant: tenant, Actor: admin, Items: []inventory.Item{
				{ID: apple, Location: at, Unit: hyperlocal.Gram, Mode: inventory.ModeTrackOnly},
			}})
			f.want(err, inventory.ErrUnitMismatch)
			f.fields(err, map[string]string{"item": "apple", "unit": "piece"})
		}
		f.item(apple, cellar, inventory.ModeTrackOnly)
	}},
	{"all items are set or none", func(f *fixture) {
		f.item(apple, shop, inventory.ModeTrackOnly)
		_, err := f.s.SetItems(f.ctx, inventory.SetItemsCommand{Tenant: tenant, Actor: admin, Items: []inventory.Item{
			{ID: pear, Location: shop, Unit: hyperlocal.Piece, Mode: inventory.ModeTrackOnly},
			{ID: apple, Location: shop, Unit: hyperlocal.Gram, Mode: inventory.ModeTrackOnly},
		}})
		f.want(err, inventory.ErrUnitMismatch)
		levels, err := f.s.Levels(f.ctx, key(pear, shop))
		f.check(err)
		if len(levels) != 0 {
			f.Fatal("one of the items was set")
		}
	}},
	{"settings that the numbers do not allow are refused", func(f *fixture) {
		f.stocked(apple, shop, 2, backorder(5))
		f.reserved("o1", pieces(apple, shop, 6))
		_, err := f.s.SetItems(f.ctx, inventory.SetItemsCommand{Tenant: tenant, Actor: admin, Items: []inventory.Item{
			{ID: apple, Location: shop, Unit: hyperlocal.Piece, Mode: inventory.ModeReserveOnOrder, BackorderLimit: hyperlocal.Pieces(3)},
		}})
		f.want(err, inventory.ErrBelowReserved)
		f.fields(err, map[string]string{"needed": "4"})
		f.item(apple, shop, inventory.ModeReserveOnOrder, backorder(4))
		f.want(f.place(place("o2", pieces(apple, shop, 1)))[0], inventory.ErrInsufficient)
	}},
	{"bad input is refused", func(f *fixture) {
		good := inventory.Item{ID: apple, Location: shop, Unit: hyperlocal.Piece, Mode: inventory.ModeTrackOnly}
		for name, c := range map[string]struct {
			change func(c *inventory.SetItemsCommand)
			reason string
		}{
			"no tenant":      {func(c *inventory.SetItemsCommand) { c.Tenant = "" }, "tenant/invalid_id"},
			"odd tenant":     {func(c *inventory.SetItemsCommand) { c.Tenant = "A B" }, "tenant/invalid_id"},
			"no actor":       {func(c *inventory.SetItemsCommand) { c.Actor = hyperlocal.Actor{} }, "actor/invalid_actor"},
			"no items":       {func(c *inventory.SetItemsCommand) { c.Items = nil }, "inventory/invalid_items"},
			"too many":       {func(c *inventory.SetItemsCommand) { c.Items = make([]inventory.Item, inventory.MaxLines+1) }, "inventory/invalid_items"},
			"twice":          {func(c *inventory.SetItemsCommand) { c.Items = []inventory.Item{good, good} }, "inventory/invalid_items"},
			"no item":        {func(c *inventory.SetItemsCommand) { c.Items[0].ID = "" }, "inventory/invalid_item"},
			"no location":    {func(c *inventory.SetItemsCommand) { c.Items[0].Location = "" }, "inventory/invalid_location"},
			"NUL":            {func(c *inventory.SetItemsCommand) { c.Items[0].ID = "a\x00b" }, "inventory/invalid_item"},
			"not UTF-8":      {func(c *inventory.SetItemsCommand) { c.Items[0].Location = "a\xff" }, "inventory/invalid_location"},
			"long":           {func(c *inventory.SetItemsCommand) { c.Items[0].ID = hyperlocal.ItemID(strings.Repeat("x", 129)) }, "inventory/invalid_item"},
			"display unit":   {func(c *inventory.SetItemsCommand) { c.Items[0].Unit = "kg" }, "inventory/invalid_unit"},
			"no unit":        {func(c *inventory.SetItemsCommand) { c.Items[0].Unit = "" }, "inventory/invalid_unit"},
			"unknown mode":   {func(c *inventory.SetItemsCommand) { c.Items[0].Mode = "maybe" }, "inventory/invalid_mode"},
			"negative limit": {func(c *inventory.SetItemsCommand) { c.Items[0].BackorderLimit = hyperlocal.Pieces(-1) }, "inventory/invalid_backorder_limit"},
			"huge limit": {func(c *inventory.SetItemsCommand) {
				c.Items[0].BackorderLimit = hyperlocal.Pieces(inventory.MaxUnits + 1)
			}, "inventory/invalid_backorder_limit"},
			"limit in another unit": {func(c *inventory.SetItemsCommand) { c.Items[0].LowAt = grams(1) }, "inventory/unit_mismatch"},
		} {
			cmd := inventory.SetItemsCommand{Tenant: tenant, Actor: admin, Items: []inventory.Item{good}}
			c.change(&cmd)
			_, err := f.s.SetItems(f.ctx, cmd)
			if hyperlocal.ReasonOf(err) != c.reason || !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
				f.Errorf("%s: error is %v, want %s", name, err, c.reason)
			}
		}
		page, err := f.s.ListLevels(f.ctx, tenant, inventory.LevelFilter{}, hyperlocal.PageRequest{})
		f.check(err)
		if len(page.Items) != 0 {
			f.Fatal("a refused command left a level")
		}
	}},
}

func grams(n int64) hyperlocal.Quantity {
	q, err := hyperlocal.NewQuantity(n, hyperlocal.Gram)
	if err != nil {
		panic(err) // gram is a base unit
	}
	return q
}
