package inventory_test

import (
	"context"
	"fmt"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

// What the examples share: a tenant, somebody who does things, and a clock that stands still.
const tenant = hyperlocal.TenantID("acme")

var (
	admin = hyperlocal.Actor{Kind: "admin", ID: "ada"}
	clock = &hand{time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)}
)

type hand struct{ now time.Time }

func (h *hand) Now() time.Time { return h.now }

// open returns a service on an empty database.
func open() (*inventory.Service, *memstore.DB, error) {
	db := memstore.New()
	s, err := inventory.New(inventory.Config{
		Store: db.Stock(), Tx: db, Outbox: db.Outbox(), Idempotency: db.Idempotency(), Clock: clock,
	})
	return s, db, err
}

// stocked makes an item known and receives n pieces of it.
func stocked(ctx context.Context, s *inventory.Service, it inventory.Item, n int64) error {
	it.Location, it.Unit = "shop", hyperlocal.Piece
	if _, err := s.SetItems(ctx, inventory.SetItemsCommand{Tenant: tenant, Actor: admin, Items: []inventory.Item{it}}); err != nil {
		return err
	}
	_, err := s.Receive(ctx, inventory.StockCommand{Tenant: tenant, Actor: admin, Lines: []inventory.StockLine{
		{Item: it.ID, Location: "shop", Quantity: hyperlocal.Pieces(n)},
	}})
	return err
}

// show prints a level.
func show(ctx context.Context, s *inventory.Service, item hyperlocal.ItemID) error {
	levels, err := s.Levels(ctx, inventory.Key{Tenant: tenant, Item: item, Location: "shop"})
	if err != nil {
		return err
	}
	for _, l := range levels {
		fmt.Printf("%s: on hand %d, reserved %d\n", l.Item, l.OnHand.Value(), l.Reserved.Value())
	}
	return nil
}

// try prints the error of an example that did not work out.
func try(run func(ctx context.Context) error) {
	if err := run(context.Background()); err != nil {
		fmt.Println("failed:", err)
	}
}
