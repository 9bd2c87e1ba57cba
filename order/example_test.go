package order_test

import (
	"context"
	"fmt"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/order"
	"github.com/hyperlocal-sdk/hyperlocal/order/ordertest"
)

// bakery is what the examples share: a service with stand-ins for its neighbours, ten loaves
// on the shelf, and a clock that the example moves.
type bakery struct {
	*order.Service
	db       *memstore.DB
	clock    *ordertest.Clock
	stock    *ordertest.Stock
	payments *ordertest.Payments
}

var (
	shopper  = hyperlocal.Actor{Kind: order.ActorShopper, ID: "ada"}
	baker    = hyperlocal.Actor{Kind: order.ActorMerchant, ID: "ben"}
	merchant = hyperlocal.NewRef("merchant", "bakery")
)

func open(options ...order.ConfigOption) (bakery, error) {
	b := bakery{db: memstore.New(), clock: ordertest.NewClock(), stock: ordertest.NewStock()}
	b.payments = ordertest.NewPayments(b.db, b.clock)
	b.stock.Put("demo", "loaf", "shop", 10)
	s, err := order.New(order.Config{
		Store: b.db.Orders(), Tx: b.db, Outbox: b.db.Outbox(), Idempotency: b.db.Idempotency(),
		Stock: b.stock, Payments: b.payments, Clock: b.clock,
	}, options...)
	b.Service = s
	b.payments.Attach(s)
	return b, err
}

// loaves asks for n loaves at 4.20.
func loaves(n int64) (order.PlaceCommand, error) {
	price, err := hyperlocal.ParseMoney("4.20", "GBP")
	return order.PlaceCommand{
		Tenant: "demo", Actor: shopper, Merchant: merchant, Customer: hyperlocal.NewRef("customer", "ada"), Currency: "GBP",
		Lines: []order.PlaceLine{{
			Title: "Sourdough loaf", Item: "loaf", Location: "shop", Quantity: hyperlocal.Pieces(n), UnitPrice: price,
		}},
	}, err
}

// placed opens a bakery with an order of two loaves in it.
func placed() (bakery, order.ID, error) {
	b, err := open()
	if err != nil {
		return b, "", err
	}
	c, err := loaves(2)
	if err != nil {
		return b, "", err
	}
	r, err := b.Place(context.Background(), c)
	return b, r.Order.ID, err
}

func Example() {
	b, id, err := placed()
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	paid, err := b.Pay(ctx, order.PayCommand{Tenant: "demo", Actor: shopper, Key: "pay-1", Order: id})
	fmt.Println(paid.Order.State, paid.Order.PaymentStatus, err)

	command := order.Command{Tenant: "demo", Actor: baker, Merchant: merchant, Order: id}
	for _, step := range []func(context.Context, order.Command) (order.CommandResult, error){b.Accept, b.Ready, b.Deliver, b.Complete} {
		r, err := step(ctx, command)
		fmt.Println(r.Order.State, err)
	}
	// Output:
	// confirmed paid <nil>
	// accepted <nil>
	// ready <nil>
	// delivered <nil>
	// completed <nil>
}
