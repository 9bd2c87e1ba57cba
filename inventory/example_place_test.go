package inventory_test

import (
	"context"
	"fmt"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

// Orders are decided in a batch: first come, first served, and one that is refused holds
// nothing back from those behind it.
func ExampleService_Decide() {
	try(func(ctx context.Context) error {
		s, db, err := open()
		if err != nil {
			return err
		}
		if err := stocked(ctx, s, inventory.Item{ID: "cake", Mode: inventory.ModeReserveOnOrder}, 5); err != nil {
			return err
		}
		wants := func(id string, n int64) hyperlocal.Placement {
			return hyperlocal.Placement{Tenant: tenant, Actor: admin, Order: hyperlocal.NewRef("order", id), Items: []hyperlocal.ItemQuantity{
				{Item: "cake", Location: "shop", Quantity: hyperlocal.Pieces(n)},
			}}
		}
		batch := []hyperlocal.Placement{wants("first", 4), wants("second", 2), wants("third", 1)}
		err = db.WithinTx(ctx, func(ctx context.Context) error {
			d, err := s.Decide(ctx, batch)
			if err != nil {
				return err
			}
			for i, p := range batch {
				if err := d.Check(i); err != nil {
					fmt.Println(p.Order.ID, "is refused:", err)
					continue
				}
				d.Take(i)
			}
			return d.Apply(ctx)
		})
		if err != nil {
			return err
		}
		return show(ctx, s, "cake")
	})
	// Output:
	// second is refused: inventory/insufficient: there is not enough of the item left (available=1, item=cake, location=shop, unit=piece, wanted=2)
	// cake: on hand 5, reserved 5
}

// Once the merchant accepts the order, its goods have left; what is cancelled is free again.
func ExampleService_CommitReserved() {
	try(func(ctx context.Context) error {
		s, _, err := open()
		if err != nil {
			return err
		}
		if err := stocked(ctx, s, inventory.Item{ID: "cake", Mode: inventory.ModeReserveOnOrder}, 5); err != nil {
			return err
		}
		one := hyperlocal.TenantRef{Tenant: tenant, Ref: hyperlocal.NewRef("order", "1")}
		two := hyperlocal.TenantRef{Tenant: tenant, Ref: hyperlocal.NewRef("order", "2")}
		for _, o := range []hyperlocal.TenantRef{one, two} {
			err := s.Reserve(ctx, inventory.ReserveCommand{Tenant: tenant, Actor: admin, Owner: o.Ref, Items: []hyperlocal.ItemQuantity{
				{Item: "cake", Location: "shop", Quantity: hyperlocal.Pieces(2)},
			}})
			if err != nil {
				return err
			}
		}
		if err := s.CommitReserved(ctx, clock.Now(), admin, one); err != nil {
			return err
		}
		if err := s.ReleaseReserved(ctx, clock.Now(), admin, "shop closed", two); err != nil {
			return err
		}
		return show(ctx, s, "cake")
	})
	// Output:
	// cake: on hand 3, reserved 0
}

// A return is known by its reference, so a message that comes twice counts once.
func ExampleService_Return() {
	try(func(ctx context.Context) error {
		s, _, err := open()
		if err != nil {
			return err
		}
		if err := stocked(ctx, s, inventory.Item{ID: "lamp", Mode: inventory.ModeReserveOnOrder}, 5); err != nil {
			return err
		}
		back := hyperlocal.StockReturn{
			Tenant: tenant, Actor: admin, Owner: hyperlocal.NewRef("order", "1"), Reference: "refund-7",
			Items: []hyperlocal.ItemQuantity{{Item: "lamp", Location: "shop", Quantity: hyperlocal.Pieces(1)}},
		}
		for range 2 {
			if err := s.Return(ctx, back); err != nil {
				return err
			}
		}
		return show(ctx, s, "lamp")
	})
	// Output:
	// lamp: on hand 6, reserved 0
}
