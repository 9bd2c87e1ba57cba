package inventorytest

import (
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

var stockCases = []testCase{
	{"what is received is on hand, and written down", func(f *fixture) {
		f.item("茶/чай", "Läger №1", inventory.ModeReserveOnOrder)
		k := key("茶/чай", "Läger №1")
		at := time.Date(2010, 12, 1, 8, 26, 0, 999_999_999, time.FixedZone("", 3600))
		result, err := f.s.Receive(f.ctx, inventory.StockCommand{
			Tenant: tenant, Actor: admin, Reason: "первая поставка 🫖", At: at,
			Lines: []inventory.StockLine{line(k.Item, k.Location, 5), line(k.Item, k.Location, 6, "L-1")},
		})
		f.check(err)
		if result.Applied != 2 || result.Repeated != 0 || len(result.Levels) != 1 || result.Levels[0] != f.level(k) {
			f.Fatalf("result is %+v", result)
		}
		f.stands(k, 11, 0)
		moves := f.movements(k)
		if len(moves) != 2 {
			f.Fatalf("%d movements", len(moves))
		}
		m := moves[1]
		if !hyperlocal.ValidID(m.ID) {
			f.Errorf("movement id %q", m.ID)
		}
		m.ID = ""
		want := inventory.Movement{
			Tenant: tenant, Item: k.Item, Location: k.Location, Kind: inventory.MoveReceive,
			OnHand: hyperlocal.Pieces(6), Reserved: hyperlocal.Pieces(0),
			External: hyperlocal.External{Source: "erp", Reference: "L-1"}, Reason: "первая поставка 🫖", Actor: admin,
			At: hyperlocal.Instant(at), RecordedAt: epoch,
		}
		if m != want {
			f.Errorf("movement is\n%+v, want\n%+v", m, want)
		}
		f.sound()
	}},
	{"an external reference counts once", func(f *fixture) {
		f.item(apple, shop, inventory.ModeReserveOnOrder)
		for range 2 {
			_, err := f.s.Receive(f.ctx, stock(line(apple, shop, 5, "r1"), line(apple, shop, 5, "r1")))
			f.check(err)
		}
		result, err := f.s.Receive(f.ctx, stock(line(apple, shop, 5, "r1"), line(apple, shop, 2, "r2")))
		f.check(err)
		if result.Applied != 1 || result.Repeated != 1 {
			f.Fatalf("result is %+v", result)
		}
		f.stands(key(apple, shop), 7, 0)
		moves, err := f.s.ByExternal(f.ctx, tenant, hyperlocal.External{Source: "erp", Reference: "r2"},
			hyperlocal.External{Source: "erp", Reference: "none"}, hyperlocal.External{Source: "erp", Reference: "r1"})
		f.check(err)
		if len(moves) != 2 || moves[0].External.Reference != "r1" || moves[1].OnHand != hyperlocal.Pieces(2) {
			f.Fatalf("movements are %+v", moves)
		}
		// Another source, another tenant: another reference.
		l := line(apple, shop, 1, "r1")
		l.External.Source = "till"
		_, err = f.s.Receive(f.ctx, stock(l))
		f.check(err)
		f.stands(key(apple, shop), 8, 0)
		f.sound()
	}},
	{"a reference with other content is a conflict that names it", func(f *fixture) {
		f.stocked(apple, shop, 10)
		f.item(pear, shop, inventory.ModeReserveOnOrder)
		_, err := f.s.Receive(f.ctx, stock(line(apple, shop, 5, "r1"), line(apple, shop, 5, "r2"), line(apple, shop, 5, "r3")))
		f.check(err)
		for name, lines := range map[string][]inventory.StockLine{
			"quantity": {line(apple, shop, 1), line(apple, shop, 6, "r2")},
			"item":     {line(apple, shop, 1), line(pear, shop, 5, "r2")},
			"itself":   {line(pear, shop, 1, "r2"), line(apple, shop, 1, "new"), line(apple, shop, 2, "new")},
		} {
			_, err := f.s.Receive(f.ctx, stock(lines...))
			f.want(err, inventory.ErrExternalConflict)
			if e, _ := errors.AsType[*hyperlocal.Error](err); !strings.Contains(e.Fields["references"], "erp/r2") {
				f.Errorf("%s: error does not name the reference: %v", name, err)
			}
		}
		_, err = f.s.WriteOff(f.ctx, stock(line(apple, shop, 5, "r1"), line(apple, shop, 1, "r3")))
		f.want(err, inventory.ErrExternalConflict)
		f.fields(err, map[string]string{"references": "erp/r1, erp/r3", "conflicts": "2"})
		f.stands(key(apple, shop), 25, 0)
		f.stands(key(pear, shop), 0, 0)
	}},
	{"one delivery announced by many at once counts once", func(f *fixture) {
		f.item(apple, shop, inventory.ModeReserveOnOrder)
		f.item(pear, shop, inventory.ModeReserveOnOrder)
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				if _, err := f.s.Receive(f.ctx, stock(line(apple, shop, 5, "r1"), line(pear, shop, 1, "r2"))); err != nil {
					f.Errorf("Receive: %v", err)
				}
			})
		}
		wg.Wait()
		f.stands(key(apple, shop), 5, 0)
		f.stands(key(pear, shop), 1, 0)
		f.sound()
	}},
	{"many that claim one reference for different goods: one wins", func(f *fixture) {
		items := []hyperlocal.ItemID{"a", "b", "c", "d"}
		for _, it := range items {
			f.item(it, shop, inventory.ModeReserveOnOrder)
		}
		var wg sync.WaitGroup
		errs := make([]error, len(items))
		for i, it := range items {
			wg.Go(func() { _, errs[i] = f.s.Receive(f.ctx, stock(line(it, shop, 5, "r1"))) })
		}
		wg.Wait()
		won, total := 0, int64(0)
		for i, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, inventory.ErrExternalConflict) {
				f.Errorf("error is %v", err)
			}
			total += f.level(key(items[i], shop)).OnHand.Value()
		}
		if won != 1 || total != 5 {
			f.Fatalf("%d won, %d pieces on hand", won, total)
		}
		f.sound()
	}},
	{"a write-off never takes what is reserved", func(f *fixture) {
		f.stocked(apple, shop, 10, backorder(100))
		f.reserved("o1", pieces(apple, shop, 7))
		_, err := f.s.WriteOff(f.ctx, stock(line(apple, shop, 2), line(apple, shop, 2)))
		f.want(err, inventory.ErrInsufficient)
		f.fields(err, map[string]string{"item": "apple", "location": "shop", "wanted": "2", "available": "1", "unit": "piece"})
		f.stands(key(apple, shop), 10, 7)
		_, err = f.s.WriteOff(f.ctx, stock(line(apple, shop, 2, "w1"), line(apple, shop, 1)))
		f.check(err)
		_, err = f.s.WriteOff(f.ctx, stock(line(apple, shop, 2, "w1")))
		f.check(err)
		f.stands(key(apple, shop), 7, 7)
		if got := f.kinds(key(apple, shop)); got != "receive, reserve, write_off, write_off" {
			f.Errorf("movements are %s", got)
		}
		f.sound()
	}},
	{"a transfer moves what is free", func(f *fixture) {
		f.stocked(apple, shop, 10)
		f.item(apple, cellar, inventory.ModeReserveOnOrder)
		f.reserved("o1", pieces(apple, shop, 4))
		move := func(n int64, from, to hyperlocal.LocationID, reference string) (inventory.StockResult, error) {
			l := inventory.TransferLine{Item: apple, From: from, To: to, Quantity: hyperlocal.Pieces(n)}
			if reference != "" {
				l.External = hyperlocal.External{Source: "erp", Reference: reference}
			}
			return f.s.Transfer(f.ctx, inventory.TransferCommand{Tenant: tenant, Actor: admin, Lines: []inventory.TransferLine{l}})
		}
		_, err := move(7, shop, cellar, "")
		f.want(err, inventory.ErrInsufficient)
		f.fields(err, map[string]string{"wanted": "7", "available": "6"})
		for want := range 2 {
			result, err := move(6, shop, cellar, "t1")
			f.check(err)
			if result.Repeated != want || len(result.Levels) != 2 {
				f.Fatalf("result is %+v", result)
			}
		}
		_, err = move(6, cellar, shop, "t1")
		f.want(err, inventory.ErrExternalConflict)
		f.stands(key(apple, shop), 4, 4)
		f.stands(key(apple, cellar), 6, 0)
		_, err = move(1, shop, shop, "")
		if hyperlocal.ReasonOf(err) != "inventory/invalid_to" {
			f.Errorf("a transfer to itself: %v", err)
		}
		_, err = move(1, cellar, "attic", "")
		f.want(err, inventory.ErrUnknownItem)
		f.fields(err, map[string]string{"location": "attic"})
		f.sound()
	}},
	{"one transfer there and back in a command", func(f *fixture) {
		f.stocked(apple, shop, 3)
		f.item(apple, cellar, inventory.ModeReserveOnOrder)
		_, err := f.s.Transfer(f.ctx, inventory.TransferCommand{Tenant: tenant, Actor: admin, Lines: []inventory.TransferLine{
			{Item: apple, From: shop, To: cellar, Quantity: hyperlocal.Pieces(3)},
			{Item: apple, From: cellar, To: shop, Quantity: hyperlocal.Pieces(2)},
		}})
		f.check(err)
		f.stands(key(apple, shop), 2, 0)
		f.stands(key(apple, cellar), 1, 0)
		f.sound()
	}},
	{"a key answers a repetition and refuses another request", func(f *fixture) {
		f.item(apple, shop, inventory.ModeReserveOnOrder)
		c := stock(line(apple, shop, 5))
		c.Key = "k1"
		first, err := f.s.Receive(f.ctx, c)
		f.check(err)
		again, err := f.s.Receive(f.ctx, c)
		f.check(err)
		if first.Replayed || !again.Replayed || len(again.Levels) != 1 || again.Levels[0] != first.Levels[0] || again.Applied != 1 {
			f.Fatalf("answers are %+v and %+v", first, again)
		}
		f.stands(key(apple, shop), 5, 0)
		c.Lines[0].Quantity = hyperlocal.Pieces(6)
		_, err = f.s.Receive(f.ctx, c)
		f.want(err, hyperlocal.ErrKeyReused)
		c.Actor.ID = "bob" // another caller's key
		_, err = f.s.Receive(f.ctx, c)
		f.check(err)
		f.stands(key(apple, shop), 11, 0)
		refused := stock(line("nothing", shop, 1))
		refused.Key = "k2"
		_, err = f.s.Receive(f.ctx, refused)
		f.want(err, inventory.ErrUnknownItem)
		refused.Lines[0].Item = apple // the refusal freed the key
		_, err = f.s.Receive(f.ctx, refused)
		f.check(err)
	}},
	{"bad input is refused and changes nothing", func(f *fixture) {
		f.stocked(apple, shop, 10)
		f.item("untracked", shop, inventory.ModeNone)
		for name, c := range map[string]struct {
			change func(c *inventory.StockCommand)
			reason string
		}{
			"tenant":      {func(c *inventory.StockCommand) { c.Tenant = "" }, "tenant/invalid_id"},
			"actor":       {func(c *inventory.StockCommand) { c.Actor.ID = "" }, "actor/invalid_actor"},
			"actor NUL":   {func(c *inventory.StockCommand) { c.Actor.ID = "a\x00" }, "actor/invalid_id"},
			"no lines":    {func(c *inventory.StockCommand) { c.Lines = nil }, "inventory/invalid_lines"},
			"many lines":  {func(c *inventory.StockCommand) { c.Lines = make([]inventory.StockLine, inventory.MaxLines+1) }, "inventory/invalid_lines"},
			"zero":        {func(c *inventory.StockCommand) { c.Lines[1].Quantity = hyperlocal.Pieces(0) }, "inventory/invalid_quantity"},
			"negative":    {func(c *inventory.StockCommand) { c.Lines[1].Quantity = hyperlocal.Pieces(-3) }, "inventory/invalid_quantity"},
			"no quantity": {func(c *inventory.StockCommand) { c.Lines[1].Quantity = hyperlocal.Quantity{} }, "inventory/invalid_quantity"},
			"huge":        {func(c *inventory.StockCommand) { c.Lines[1].Quantity = hyperlocal.Pieces(1 << 62) }, "inventory/invalid_quantity"},
			"unit":        {func(c *inventory.StockCommand) { c.Lines[1].Quantity = grams(1) }, "inventory/unit_mismatch"},
			"unknown":     {func(c *inventory.StockCommand) { c.Lines[1].Location = cellar }, "inventory/unknown_item"},
			"untracked":   {func(c *inventory.StockCommand) { c.Lines[1].Item = "untracked" }, "inventory/not_tracked"},
			"item NUL":    {func(c *inventory.StockCommand) { c.Lines[1].Item = "a\x00" }, "inventory/invalid_item"},
			"reason NUL":  {func(c *inventory.StockCommand) { c.Reason = "\x00" }, "inventory/invalid_reason"},
			"long reason": {func(c *inventory.StockCommand) { c.Reason = strings.Repeat("x", 501) }, "inventory/invalid_reason"},
			"half a ref":  {func(c *inventory.StockCommand) { c.Lines[1].External.Source = "x" }, "external/invalid_reference"},
			"external NUL": {func(c *inventory.StockCommand) {
				c.Lines[1].External = hyperlocal.External{Source: "x", Reference: "\x00"}
			}, "external/invalid_reference"},
			"year": {func(c *inventory.StockCommand) { c.At = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "inventory/invalid_at"},
			"key":  {func(c *inventory.StockCommand) { c.Key = "a\x00" }, "idempotency/invalid_key"},
		} {
			cmd := stock(line(apple, shop, 1), line(apple, shop, 2))
			c.change(&cmd)
			if _, err := f.s.Receive(f.ctx, cmd); hyperlocal.ReasonOf(err) != c.reason {
				f.Errorf("Receive, %s: error is %v, want %s", name, err, c.reason)
			}
			if _, err := f.s.WriteOff(f.ctx, cmd); hyperlocal.ReasonOf(err) != c.reason {
				f.Errorf("WriteOff, %s: error is %v, want %s", name, err, c.reason)
			}
		}
		f.stands(key(apple, shop), 10, 0)
		_, err := f.s.Receive(f.ctx, stock(line(apple, shop, inventory.MaxUnits), line(apple, shop, 1)))
		f.want(err, inventory.ErrOutOfRange)
		_, err = f.s.Receive(f.ctx, stock(line(apple, shop, inventory.MaxUnits-10)))
		f.check(err)
		_, err = f.s.Receive(f.ctx, stock(line(apple, shop, 1)))
		f.want(err, inventory.ErrOutOfRange)
		f.stands(key(apple, shop), inventory.MaxUnits, 0)
		f.sound()
	}},
}
