package order_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// A batch is one transaction, and each order has an answer of its own: the second asks for
// more than is left, which is no concern of the third.
func ExampleService_PlaceMany() {
	b, err := open()
	if err != nil {
		fmt.Println(err)
		return
	}
	var batch []order.PlaceCommand
	for _, n := range []int64{6, 6, 4} {
		c, err := loaves(n)
		if err != nil {
			fmt.Println(err)
			return
		}
		batch = append(batch, c)
	}
	results, err := b.PlaceMany(context.Background(), batch)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range results {
		if r.Err != nil {
			fmt.Println("refused:", hyperlocal.CodeOf(r.Err))
			continue
		}
		fmt.Println(r.Order.State, r.Order.Total)
	}
	// Output:
	// awaiting_payment 25.20 GBP
	// refused: exhausted
	// awaiting_payment 16.80 GBP
}

// A repeated key is answered with the order that exists; the same key with another request
// is a mistake of the caller.
func ExampleService_Place_replayed() {
	b, err := open()
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := loaves(1)
	if err != nil {
		fmt.Println(err)
		return
	}
	c.Key = "basket-17"
	first, err := b.Place(context.Background(), c)
	fmt.Println(first.Replayed, err)
	again, err := b.Place(context.Background(), c)
	fmt.Println(again.Replayed, again.Order.Number == first.Order.Number, err)
	c.Lines[0].Quantity = hyperlocal.Pieces(2)
	_, err = b.Place(context.Background(), c)
	fmt.Println(errors.Is(err, hyperlocal.ErrKeyReused))
	// Output:
	// false <nil>
	// true true <nil>
	// true
}

// The host's own rows commit together with the order, or neither does.
func ExampleService_Place_hostTransaction() {
	b, err := open()
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := loaves(3)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = b.db.WithinTx(context.Background(), func(ctx context.Context) error {
		r, err := b.Place(ctx, c)
		if err != nil {
			return err
		}
		fmt.Println("inside:", r.Order.State)
		return errors.New("the host changed its mind")
	})
	fmt.Println(err)
	page, err := b.List(context.Background(), "demo", order.Filter{}, hyperlocal.PageRequest{})
	_, reserved := b.stock.Level("demo", "loaf", "shop")
	fmt.Println(len(page.Items), "orders,", reserved, "reserved,", err)
	// Output:
	// inside: awaiting_payment
	// the host changed its mind
	// 0 orders, 0 reserved, <nil>
}
