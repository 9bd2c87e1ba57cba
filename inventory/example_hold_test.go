package inventory_test

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

// A cart holds what lies in it for a while; activity extends the hold.
func ExampleService_Hold() {
	try(func(ctx context.Context) error {
		s, _, err := open()
		if err != nil {
			return err
		}
		if err := stocked(ctx, s, inventory.Item{ID: "shoe", Mode: inventory.ModeReserveOnCart}, 3); err != nil {
			return err
		}
		start := clock.now
		defer func() { clock.now = start }()
		cart := hyperlocal.TenantRef{Tenant: tenant, Ref: hyperlocal.NewRef("cart", "c1")}
		until, err := s.Hold(ctx, inventory.HoldCommand{Tenant: tenant, Actor: admin, Owner: cart.Ref, TTL: 10 * time.Minute, Items: []hyperlocal.ItemQuantity{
			{Item: "shoe", Location: "shop", Quantity: hyperlocal.Pieces(2)},
		}})
		if err != nil {
			return err
		}
		fmt.Println("held until", until.Format("15:04"))
		if err := show(ctx, s, "shoe"); err != nil {
			return err
		}
		clock.now = clock.now.Add(8 * time.Minute)
		alive, err := s.ExtendHolds(ctx, 10*time.Minute, cart)
		if err != nil {
			return err
		}
		fmt.Println("extended", len(alive))
		clock.now = clock.now.Add(11 * time.Minute)
		n, err := s.ExpireHolds(ctx, 100)
		if err != nil {
			return err
		}
		fmt.Println("expired", n)
		return show(ctx, s, "shoe")
	})
	// Output:
	// held until 09:10
	// shoe: on hand 3, reserved 2
	// extended 1
	// expired 1
	// shoe: on hand 3, reserved 0
}

// The order that a cart becomes takes the cart's hold over.
func ExampleService_Decide_cart() {
	try(func(ctx context.Context) error {
		s, db, err := open()
		if err != nil {
			return err
		}
		if err := stocked(ctx, s, inventory.Item{ID: "shoe", Mode: inventory.ModeReserveOnCart}, 1); err != nil {
			return err
		}
		shoe := []hyperlocal.ItemQuantity{{Item: "shoe", Location: "shop", Quantity: hyperlocal.Pieces(1)}}
		cart := hyperlocal.NewRef("cart", "c1")
		if _, err := s.Hold(ctx, inventory.HoldCommand{Tenant: tenant, Actor: admin, Owner: cart, Items: shoe}); err != nil {
			return err
		}
		batch := []hyperlocal.Placement{
			{Tenant: tenant, Actor: admin, Order: hyperlocal.NewRef("order", "somebody else's"), Items: shoe},
			{Tenant: tenant, Actor: admin, Order: hyperlocal.NewRef("order", "the cart's"), Items: shoe,
				Spend: []hyperlocal.Spend{{Kind: inventory.SpendHold, Ref: cart, Amount: 1}}},
		}
		return db.WithinTx(ctx, func(ctx context.Context) error {
			d, err := s.Decide(ctx, batch)
			if err != nil {
				return err
			}
			for i, p := range batch {
				err := d.Check(i)
				fmt.Println(p.Order.ID, "order is taken:", err == nil)
				if err == nil {
					d.Take(i)
				}
			}
			return d.Apply(ctx)
		})
	})
	// Output:
	// somebody else's order is taken: false
	// the cart's order is taken: true
}

// Capacity is stock: a delivery slot with three places cannot be sold a fourth time.
func ExampleService_ReserveMany() {
	try(func(ctx context.Context) error {
		s, _, err := open()
		if err != nil {
			return err
		}
		slot := inventory.Item{ID: "2026-05-04T18:00", Mode: inventory.ModeReserveOnOrder}
		if err := stocked(ctx, s, slot, 3); err != nil {
			return err
		}
		var commands []inventory.ReserveCommand
		for i := range 4 {
			commands = append(commands, inventory.ReserveCommand{
				Tenant: tenant, Actor: admin, Owner: hyperlocal.NewRef("booking", strconv.Itoa(i+1)),
				Items: []hyperlocal.ItemQuantity{{Item: slot.ID, Location: "shop", Quantity: hyperlocal.Pieces(1)}},
			})
		}
		results, err := s.ReserveMany(ctx, commands)
		for i, r := range results {
			fmt.Println(commands[i].Owner, "granted:", r.Err == nil)
		}
		return err
	})
	// Output:
	// booking/1 granted: true
	// booking/2 granted: true
	// booking/3 granted: true
	// booking/4 granted: false
}
