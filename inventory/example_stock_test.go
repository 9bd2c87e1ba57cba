package inventory_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

// An item is made known once per location, with the mode in which its stock is kept.
func ExampleService_SetItems() {
	try(func(ctx context.Context) error {
		s, _, err := open()
		if err != nil {
			return err
		}
		flour, err := hyperlocal.ParseQuantity("2.5", "kg")
		if err != nil {
			return err
		}
		levels, err := s.SetItems(ctx, inventory.SetItemsCommand{Tenant: tenant, Actor: admin, Items: []inventory.Item{
			{ID: "flour", Location: "shop", Unit: hyperlocal.Gram, Mode: inventory.ModeReserveOnOrder, LowAt: flour},
			{ID: "advice", Location: "shop", Unit: hyperlocal.Minute, Mode: inventory.ModeNone},
		}})
		for _, l := range levels {
			fmt.Println(l.Item, l.Mode, l.OnHand, "low at", l.LowAt)
		}
		return err
	})
	// Output:
	// flour reserve_on_order 0 g low at 2500 g
	// advice none 0 minute low at
}

// A delivery note that is imported twice is received once; the same number with other
// content is a conflict that names it.
func ExampleService_Receive() {
	try(func(ctx context.Context) error {
		s, _, err := open()
		if err != nil {
			return err
		}
		if err := stocked(ctx, s, inventory.Item{ID: "cup", Mode: inventory.ModeTrackOnly}, 1); err != nil {
			return err
		}
		note := inventory.StockCommand{Tenant: tenant, Actor: admin, Reason: "delivery", Lines: []inventory.StockLine{{
			Item: "cup", Location: "shop", Quantity: hyperlocal.Pieces(12),
			External: hyperlocal.External{Source: "erp", Reference: "LS-2026-17/1"},
		}}}
		for range 2 {
			result, err := s.Receive(ctx, note)
			if err != nil {
				return err
			}
			fmt.Println("applied", result.Applied, "repeated", result.Repeated, "on hand", result.Levels[0].OnHand)
		}
		note.Lines[0].Quantity = hyperlocal.Pieces(24)
		_, err = s.Receive(ctx, note)
		fmt.Println(errors.Is(err, inventory.ErrExternalConflict))
		return nil
	})
	// Output:
	// applied 1 repeated 0 on hand 13 piece
	// applied 0 repeated 1 on hand 13 piece
	// true
}

// What is broken or lost leaves the shelf as a write-off. Reserved units are never taken.
func ExampleService_WriteOff() {
	try(func(ctx context.Context) error {
		s, _, err := open()
		if err != nil {
			return err
		}
		if err := stocked(ctx, s, inventory.Item{ID: "egg", Mode: inventory.ModeReserveOnOrder}, 10); err != nil {
			return err
		}
		result, err := s.WriteOff(ctx, inventory.StockCommand{Tenant: tenant, Actor: admin, Reason: "dropped", Lines: []inventory.StockLine{
			{Item: "egg", Location: "shop", Quantity: hyperlocal.Pieces(3)},
		}})
		if err != nil {
			return err
		}
		fmt.Println(result.Levels[0].OnHand)
		return nil
	})
	// Output:
	// 7 piece
}

// Goods move between locations as two movements of one command.
func ExampleService_Transfer() {
	try(func(ctx context.Context) error {
		s, _, err := open()
		if err != nil {
			return err
		}
		if err := stocked(ctx, s, inventory.Item{ID: "wine", Mode: inventory.ModeReserveOnOrder}, 10); err != nil {
			return err
		}
		_, err = s.SetItems(ctx, inventory.SetItemsCommand{Tenant: tenant, Actor: admin, Items: []inventory.Item{
			{ID: "wine", Location: "cellar", Unit: hyperlocal.Piece, Mode: inventory.ModeReserveOnOrder},
		}})
		if err != nil {
			return err
		}
		result, err := s.Transfer(ctx, inventory.TransferCommand{Tenant: tenant, Actor: admin, Lines: []inventory.TransferLine{
			{Item: "wine", From: "shop", To: "cellar", Quantity: hyperlocal.Pieces(6)},
		}})
		for _, l := range result.Levels {
			fmt.Println(l.Location, l.OnHand)
		}
		return err
	})
	// Output:
	// shop 4 piece
	// cellar 6 piece
}

// A count is entered for the version that was counted. If anything moved in between, it is
// refused and says which version is the present one.
func ExampleService_Adjust() {
	try(func(ctx context.Context) error {
		s, _, err := open()
		if err != nil {
			return err
		}
		if err := stocked(ctx, s, inventory.Item{ID: "pen", Mode: inventory.ModeTrackOnly}, 10); err != nil {
			return err
		}
		count := inventory.AdjustCommand{Tenant: tenant, Actor: admin, Key: "count-17", Reason: "stocktaking", Lines: []inventory.AdjustLine{
			{Item: "pen", Location: "shop", OnHand: hyperlocal.Pieces(9), Version: 2},
		}}
		for range 2 { // the second is answered from the key
			result, err := s.Adjust(ctx, count)
			if err != nil {
				return err
			}
			fmt.Println(result.Levels[0].OnHand, "replayed", result.Replayed)
		}
		count.Key = "count-18"
		_, err = s.Adjust(ctx, count)
		fmt.Println(err)
		return nil
	})
	// Output:
	// 9 piece replayed false
	// 9 piece replayed true
	// inventory/stale: the level has changed; read it again (item=pen, location=shop, on_hand=9, version=3)
}

// Every change is kept, newest first.
func ExampleService_Movements() {
	try(func(ctx context.Context) error {
		s, _, err := open()
		if err != nil {
			return err
		}
		if err := stocked(ctx, s, inventory.Item{ID: "tea", Mode: inventory.ModeReserveOnOrder}, 10); err != nil {
			return err
		}
		order := hyperlocal.TenantRef{Tenant: tenant, Ref: hyperlocal.NewRef("order", "1")}
		err = s.Reserve(ctx, inventory.ReserveCommand{Tenant: tenant, Actor: admin, Owner: order.Ref, Items: []hyperlocal.ItemQuantity{
			{Item: "tea", Location: "shop", Quantity: hyperlocal.Pieces(2)},
		}})
		if err != nil {
			return err
		}
		if err := s.CommitReserved(ctx, clock.Now(), admin, order); err != nil {
			return err
		}
		page, err := s.Movements(ctx, tenant, inventory.MovementFilter{Item: "tea", Location: "shop"}, hyperlocal.PageRequest{})
		for _, m := range page.Items {
			fmt.Println(m.Kind, m.OnHand.Value(), m.Reserved.Value(), m.Owner)
		}
		return err
	})
	// Output:
	// commit -2 -2 order/1
	// reserve 0 2 order/1
	// receive 10 0
}

// A level that disagrees with its history is found, and repaired by adding to the history.
func ExampleService_Repair() {
	try(func(ctx context.Context) error {
		s, db, err := open()
		if err != nil {
			return err
		}
		if err := stocked(ctx, s, inventory.Item{ID: "nut", Mode: inventory.ModeTrackOnly}, 10); err != nil {
			return err
		}
		key := inventory.Key{Tenant: tenant, Item: "nut", Location: "shop"}
		// Somebody changes the number behind the service's back.
		err = db.WithinTx(ctx, func(ctx context.Context) error {
			return db.Stock().Write(ctx, inventory.Writes{Changes: []inventory.Change{{Key: key, OnHand: 5}}})
		})
		if err != nil {
			return err
		}
		wrong, err := s.Recompute(ctx, tenant, inventory.LevelFilter{}, hyperlocal.PageRequest{})
		if err != nil {
			return err
		}
		for _, c := range wrong.Items {
			fmt.Println("level", c.Level.OnHand, "history", c.MovedOnHand)
		}
		result, err := s.Repair(ctx, inventory.RepairCommand{Tenant: tenant, Actor: admin, Keys: []inventory.Key{key}, Reason: "nightly check"})
		if err != nil {
			return err
		}
		fmt.Println("now", result.Levels[0].OnHand)
		return nil
	})
	// Output:
	// level 15 piece history 10 piece
	// now 10 piece
}
