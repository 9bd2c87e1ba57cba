package main

import (
	"context"
	"fmt"
	"io"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/order"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

func run(ctx context.Context, out io.Writer) error {
	db := memstore.New()
	gateway, err := sandbox.New(sandbox.Config{})
	if err != nil {
		return err
	}
	payments, err := payment.New(payment.Config{
		Store: db.Payments(), Tx: db, Outbox: db.Outbox(), Gateways: []payment.Gateway{gateway},
	})
	if err != nil {
		return err
	}
	orders, err := order.New(order.Config{
		Store: db.Orders(), Tx: db, Outbox: db.Outbox(), Idempotency: db.Idempotency(), Payments: payments,
	})
	if err != nil {
		return err
	}
	if err := payments.AttachOwner("order", orders); err != nil {
		return err
	}

	price, err := hyperlocal.ParseMoney("4.20", "GBP")
	if err != nil {
		return err
	}
	shopper := hyperlocal.Actor{Kind: "shopper", ID: "ada"}
	placed, err := orders.Place(ctx, order.PlaceCommand{
		Tenant: "demo", Actor: shopper, Key: "basket-1", Merchant: hyperlocal.NewRef("merchant", "bakery"), Currency: "GBP",
		Lines: []order.PlaceLine{{Title: "Sourdough loaf", Quantity: hyperlocal.Pieces(2), UnitPrice: price}},
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "placed:", placed.Order.State, placed.Order.Total)
	paid, err := orders.Pay(ctx, order.PayCommand{
		Tenant: "demo", Actor: shopper, Key: "pay-1", Order: placed.Order.ID, Method: "ok",
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "paid:", paid.Order.State, paid.Order.PaymentStatus)
	return nil
}
