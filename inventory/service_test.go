package inventory_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

func TestNewReportsEverything(t *testing.T) {
	t.Parallel()
	_, err := inventory.New(inventory.Config{HoldTTL: -1})
	for _, reason := range []string{"inventory/invalid_store", "inventory/invalid_tx", "inventory/invalid_outbox", "inventory/invalid_hold_ttl"} {
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("error %v lacks %s", err, reason)
		}
	}
	a, b := memstore.New(), memstore.New()
	_, err = inventory.New(inventory.Config{Store: a.Stock(), Tx: a, Outbox: b.Outbox()})
	if !errors.Is(err, hyperlocal.ErrMixedScopes) {
		t.Errorf("parts of two databases: %v", err)
	}
	s, err := inventory.New(inventory.Config{Store: a.Stock(), Tx: a, Outbox: a.Outbox()})
	if err != nil || s.TxScope() != a.TxScope() {
		t.Errorf("a service has the scope of its parts: %v", err)
	}
}

func TestKeyNeedsIdempotency(t *testing.T) {
	t.Parallel()
	db := memstore.New()
	s, err := inventory.New(inventory.Config{Store: db.Stock(), Tx: db, Outbox: db.Outbox()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Adjust(t.Context(), inventory.AdjustCommand{Tenant: tenant, Actor: admin, Key: "k", Lines: []inventory.AdjustLine{
		{Item: "a", Location: "b", OnHand: hyperlocal.Pieces(1), Version: 1},
	}})
	if !errors.Is(err, inventory.ErrNotConfigured) {
		t.Errorf("error is %v", err)
	}
}

func TestLevel(t *testing.T) {
	t.Parallel()
	level := func(m inventory.Mode, onHand, reserved, backorder int64, low hyperlocal.Quantity) inventory.Level {
		return inventory.Level{
			Tenant: tenant, Item: "a", Location: "b", Mode: m, OnHand: hyperlocal.Pieces(onHand), Reserved: hyperlocal.Pieces(reserved),
			BackorderLimit: hyperlocal.Pieces(backorder), LowAt: low,
		}
	}
	gram, err := hyperlocal.NewQuantity(1, hyperlocal.Gram)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		level             inventory.Level
		covers            hyperlocal.Quantity
		want, low, broken bool
		available         int64
	}{
		"all that is free":        {level(inventory.ModeReserveOnOrder, 5, 2, 0, hyperlocal.Pieces(2)), hyperlocal.Pieces(3), true, false, false, 3},
		"more than is free":       {level(inventory.ModeReserveOnOrder, 5, 2, 0, hyperlocal.Pieces(3)), hyperlocal.Pieces(4), false, true, false, 3},
		"backorder":               {level(inventory.ModeReserveOnCart, 0, 2, 5, hyperlocal.Quantity{}), hyperlocal.Pieces(3), true, false, false, -2},
		"beyond the backorder":    {level(inventory.ModeReserveOnCart, 0, 2, 5, hyperlocal.Pieces(0)), hyperlocal.Pieces(4), false, true, false, -2},
		"tracked covers all":      {level(inventory.ModeTrackOnly, -9, 2, 0, hyperlocal.Pieces(0)), hyperlocal.Pieces(400), true, true, false, -11},
		"not counted is not low":  {level(inventory.ModeNone, 0, 0, 0, hyperlocal.Pieces(0)), hyperlocal.Pieces(1), true, false, false, 0},
		"another unit":            {level(inventory.ModeNone, 0, 0, 0, hyperlocal.Quantity{}), gram, false, false, false, 0},
		"more reserved than held": {level(inventory.ModeReserveOnOrder, 1, 2, 0, hyperlocal.Quantity{}), hyperlocal.Pieces(1), false, false, true, -1},
		"negative reservation":    {level(inventory.ModeTrackOnly, 1, -1, 0, hyperlocal.Quantity{}), hyperlocal.Pieces(1), true, false, true, 2},
		"out of range":            {level(inventory.ModeTrackOnly, inventory.MaxUnits+1, 0, 0, hyperlocal.Quantity{}), hyperlocal.Pieces(1), true, false, true, inventory.MaxUnits + 1},
	} {
		if got := c.level.Covers(c.covers); got != c.want {
			t.Errorf("%s: covers %v", name, got)
		}
		if got := c.level.Low(); got != c.low {
			t.Errorf("%s: low %v", name, got)
		}
		if got := c.level.Available(); got != hyperlocal.Pieces(c.available) {
			t.Errorf("%s: available %v", name, got)
		}
		if err := c.level.Validate(); (err != nil) != c.broken {
			t.Errorf("%s: Validate: %v", name, err)
		}
	}
}

// The JSON of an event is a promise to its readers.
func TestEventsKeepTheirShape(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	changed := inventory.LevelChanged{
		Item: "a", Location: "b", OnHand: hyperlocal.Pieces(5), Reserved: hyperlocal.Pieces(1), Version: 7, At: at,
	}
	const head = `{"item":"a","location":"b","on_hand":{"value":"5","unit":"piece"},"reserved":{"value":"1","unit":"piece"},"version":7,"at":"2026-01-02T03:04:05.000006Z"`
	two := hyperlocal.Pieces(2)
	order := hyperlocal.NewRef("order", "1")
	for _, c := range []struct {
		event hyperlocal.Event
		name  string
		tail  string
	}{
		{inventory.StockItemSet{LevelChanged: changed, Mode: inventory.ModeTrackOnly, BackorderLimit: two}, "inventory.item_set",
			`"mode":"track_only","backorder_limit":{"value":"2","unit":"piece"},"low_at":null}`},
		{inventory.StockReceived{LevelChanged: changed, Quantity: two}, "inventory.received", `"quantity":{"value":"2","unit":"piece"}}`},
		{inventory.StockWrittenOff{LevelChanged: changed, Quantity: two}, "inventory.written_off", `"quantity":{"value":"2","unit":"piece"}}`},
		{inventory.StockTransferred{LevelChanged: changed, Quantity: two, Other: "c"}, "inventory.transferred", `"quantity":{"value":"2","unit":"piece"},"other":"c"}`},
		{inventory.StockAdjusted{LevelChanged: changed, Delta: two}, "inventory.adjusted", `"delta":{"value":"2","unit":"piece"}}`},
		{inventory.StockReturned{LevelChanged: changed, Quantity: two, Owner: order}, "inventory.returned",
			`"quantity":{"value":"2","unit":"piece"},"owner":{"kind":"order","id":"1"}}`},
		{inventory.StockLow{LevelChanged: changed, LowAt: two}, "inventory.low", `"low_at":{"value":"2","unit":"piece"}}`},
		{inventory.StockHoldExpired{LevelChanged: changed, Quantity: two, Owner: order}, "inventory.hold_expired",
			`"quantity":{"value":"2","unit":"piece"},"owner":{"kind":"order","id":"1"}}`},
		{inventory.StockRepaired{LevelChanged: changed, OnHandBefore: two, ReservedBefore: two, Keep: inventory.KeepLevel}, "inventory.repaired",
			`"on_hand_before":{"value":"2","unit":"piece"},"reserved_before":{"value":"2","unit":"piece"},"keep":"level"}`},
	} {
		got, err := json.Marshal(c.event)
		if err != nil || string(got) != head+","+c.tail {
			t.Errorf("%s is\n%s\nwant\n%s (%v)", c.name, got, head+","+c.tail, err)
		}
		if c.event.EventName() != c.name || c.event.EventVersion() != 1 {
			t.Errorf("%s is named %s version %d", c.name, c.event.EventName(), c.event.EventVersion())
		}
	}
	if n := len(inventory.Events()); n != 9 {
		t.Errorf("%d events are listed", n)
	}
}
