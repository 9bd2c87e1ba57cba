package inventorytest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

var readCases = []testCase{
	{"levels come in the order asked for", func(f *fixture) {
		f.stocked(apple, shop, 1)
		f.stocked(pear, shop, 2)
		levels, err := f.s.Levels(f.ctx, key(pear, shop), key("nothing", shop), key(apple, shop), key(pear, shop))
		f.check(err)
		if len(levels) != 3 || levels[0].Item != pear || levels[1].Item != apple || levels[2].Item != pear {
			f.Fatalf("levels are %v", levels)
		}
		if levels, err := f.s.Levels(f.ctx); err != nil || len(levels) != 0 {
			f.Fatalf("no keys: %v, %v", levels, err)
		}
	}},
	{"names are compared byte by byte", func(f *fixture) {
		names := []hyperlocal.ItemID{"a", "A", "ä", "a ", "_", "b", "É", "a\tb", "語"}
		for i, n := range names {
			f.stocked(n, shop, int64(i+1))
		}
		for i, n := range names {
			f.stands(key(n, shop), int64(i+1), 0)
		}
		slices.Sort(names)
		page, err := f.s.ListLevels(f.ctx, tenant, inventory.LevelFilter{}, hyperlocal.PageRequest{})
		f.check(err)
		got := make([]hyperlocal.ItemID, 0, len(page.Items))
		for _, l := range page.Items {
			got = append(got, l.Item)
		}
		if !slices.Equal(got, names) {
			f.Fatalf("order is %q, want %q", got, names)
		}
	}},
	{"a list of levels is stable while items are added", func(f *fixture) {
		for i := range 10 {
			f.item(hyperlocal.ItemID(fmt.Sprintf("i%02d", i*2)), shop, inventory.ModeTrackOnly)
			f.item(hyperlocal.ItemID(fmt.Sprintf("i%02d", i*2)), cellar, inventory.ModeTrackOnly)
		}
		var got []string
		p := hyperlocal.PageRequest{Limit: 3}
		for n := 0; ; n++ {
			page, err := f.s.ListLevels(f.ctx, tenant, inventory.LevelFilter{Location: shop}, p)
			f.check(err)
			for _, l := range page.Items {
				if l.Location != shop {
					f.Fatalf("%s is in the list", l.Location)
				}
				got = append(got, string(l.Item))
			}
			if p.Cursor = page.Next; p.Cursor == "" {
				break
			}
			f.item(hyperlocal.ItemID(fmt.Sprintf("i%02d", n*6-1+2)), shop, inventory.ModeTrackOnly) // behind the cursor
		}
		want := "i00 i02 i04 i06 i08 i10 i12 i14 i16 i18"
		if strings.Join(got, " ") != want {
			f.Fatalf("list is %s, want %s", strings.Join(got, " "), want)
		}
	}},
	{"levels are filtered by item and by being low", func(f *fixture) {
		f.stocked(apple, shop, 5, lowAt(5))
		f.stocked(apple, cellar, 6, lowAt(5))
		f.stocked(pear, shop, 0+1)
		f.item("none", shop, inventory.ModeNone, lowAt(5))
		for _, c := range []struct {
			filter inventory.LevelFilter
			want   string
		}{
			{inventory.LevelFilter{Item: apple}, "apple@cellar apple@shop"},
			{inventory.LevelFilter{Item: apple, Location: shop}, "apple@shop"},
			{inventory.LevelFilter{Low: true}, "apple@shop"},
			{inventory.LevelFilter{Location: "attic"}, ""},
		} {
			page, err := f.s.ListLevels(f.ctx, tenant, c.filter, hyperlocal.PageRequest{})
			f.check(err)
			var got []string
			for _, l := range page.Items {
				got = append(got, string(l.Item)+"@"+string(l.Location))
			}
			if strings.Join(got, " ") != c.want || page.Next != "" {
				f.Errorf("%+v: %v, want %s", c.filter, got, c.want)
			}
		}
	}},
	{"movements are paged newest first and stable", func(f *fixture) {
		f.item(apple, shop, inventory.ModeReserveOnOrder)
		f.item(pear, shop, inventory.ModeReserveOnOrder)
		for i := range 7 {
			f.receive(apple, shop, int64(i+1))
			f.receive(pear, shop, int64(i+101))
		}
		for _, c := range []struct {
			filter inventory.MovementFilter
			want   string
		}{
			{inventory.MovementFilter{Item: apple, Location: shop}, "7 6 5 4 3 2 1"},
			{inventory.MovementFilter{}, "107 7 106 6 105 5 104 4 103 3 102 2 101 1"},
		} {
			before := len(f.movements(key(apple, shop)))
			want := c.want
			for i := 7; i < before; i++ { // received by the case before
				want = "1000 " + want
			}
			var got []string
			p := hyperlocal.PageRequest{Limit: 3}
			for {
				page, err := f.s.Movements(f.ctx, tenant, c.filter, p)
				f.check(err)
				for _, m := range page.Items {
					got = append(got, strconv.FormatInt(m.OnHand.Value(), 10))
				}
				if p.Cursor = page.Next; p.Cursor == "" {
					break
				}
				if len(got) == 3 {
					f.receive(apple, shop, 1000) // newer than the cursor, so never in the list
				}
			}
			if strings.Join(got, " ") != want {
				f.Errorf("%+v: %s, want %s", c.filter, strings.Join(got, " "), want)
			}
		}
	}},
	{"a cursor belongs to its list", func(f *fixture) {
		for i := range 3 {
			f.stocked(hyperlocal.ItemID(strconv.Itoa(i)), shop, 1)
		}
		levels, err := f.s.ListLevels(f.ctx, tenant, inventory.LevelFilter{}, hyperlocal.PageRequest{Limit: 1})
		f.check(err)
		moves, err := f.s.Movements(f.ctx, tenant, inventory.MovementFilter{}, hyperlocal.PageRequest{Limit: 1})
		f.check(err)
		other := hyperlocal.PageRequest{Limit: 1, Cursor: levels.Next}
		_, err = f.s.ListLevels(f.ctx, tenant, inventory.LevelFilter{Location: shop}, other)
		f.want(err, hyperlocal.ErrCursor)
		_, err = f.s.ListLevels(f.ctx, "other", inventory.LevelFilter{}, other)
		f.want(err, hyperlocal.ErrCursor)
		_, err = f.s.Movements(f.ctx, tenant, inventory.MovementFilter{}, other)
		f.want(err, hyperlocal.ErrCursor)
		_, err = f.s.ListLevels(f.ctx, tenant, inventory.LevelFilter{}, hyperlocal.PageRequest{Cursor: moves.Next})
		f.want(err, hyperlocal.ErrCursor)
		_, err = f.s.ListLevels(f.ctx, tenant, inventory.LevelFilter{}, hyperlocal.PageRequest{Cursor: "?"})
		f.want(err, hyperlocal.ErrCursor)
	}},
	{"bad input is refused", func(f *fixture) {
		var bad []error
		add := func(err error) { bad = append(bad, err) }
		_, err := f.s.Levels(f.ctx, inventory.Key{Tenant: tenant})
		add(err)
		_, err = f.s.Levels(f.ctx, make([]inventory.Key, inventory.MaxLines+1)...)
		add(err)
		_, err = f.s.ListLevels(f.ctx, "", inventory.LevelFilter{}, hyperlocal.PageRequest{})
		add(err)
		_, err = f.s.ListLevels(f.ctx, tenant, inventory.LevelFilter{Item: "\x00"}, hyperlocal.PageRequest{})
		add(err)
		_, err = f.s.ListLevels(f.ctx, tenant, inventory.LevelFilter{}, hyperlocal.PageRequest{Limit: 201})
		add(err)
		_, err = f.s.Movements(f.ctx, tenant, inventory.MovementFilter{Item: apple}, hyperlocal.PageRequest{})
		add(err)
		_, err = f.s.Movements(f.ctx, tenant, inventory.MovementFilter{}, hyperlocal.PageRequest{Limit: -1})
		add(err)
		_, err = f.s.Reservations(f.ctx, tenant, hyperlocal.Ref{})
		add(err)
		_, err = f.s.ByExternal(f.ctx, tenant, hyperlocal.External{})
		add(err)
		_, err = f.s.ByExternal(f.ctx, "", hyperlocal.External{Source: "a", Reference: "b"})
		add(err)
		for i, err := range bad {
			if !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
				f.Errorf("read %d: error is %v, want code invalid", i, err)
			}
		}
	}},
}
