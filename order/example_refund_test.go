package order_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// One of two loaves comes back. Refunds never touch the order's state, and no more is given
// back than was captured.
func ExampleService_Refund() {
	b, id, err := placed()
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if _, err := b.Pay(ctx, order.PayCommand{Tenant: "demo", Actor: shopper, Order: id}); err != nil {
		fmt.Println(err)
	}
	if _, err := b.Accept(ctx, order.Command{Tenant: "demo", Actor: baker, Order: id}); err != nil {
		fmt.Println(err)
	}
	half, err := hyperlocal.ParseMoney("4.20", "GBP")
	if err != nil {
		fmt.Println(err)
	}
	r, err := b.Refund(ctx, order.RefundCommand{
		Tenant: "demo", Actor: baker, Key: "refund-1", Order: id, Amount: half, Reason: "burnt",
		Items: []order.RefundItem{{Line: 1, Quantity: hyperlocal.Pieces(1), Restock: false}},
	})
	fmt.Println(r.Credit.Refunds[0].State, r.Credit.Total, err)
	o, err := b.Get(ctx, "demo", id)
	fmt.Println(o.State, o.PaymentStatus, o.Refunded, o.Lines[0].Returned, err)

	_, err = b.Refund(ctx, order.RefundCommand{Tenant: "demo", Actor: baker, Order: id, Amount: o.Captured})
	fmt.Println(errors.Is(err, order.ErrRefundTooMuch))
	// Output:
	// succeeded 4.20 GBP <nil>
	// accepted part_refunded 4.20 GBP 1 <nil>
	// true
}

// A cancelled order gives back what it holds: reserved loaves and captured money.
func ExampleService_Cancel() {
	b, id, err := placed()
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if _, err := b.Pay(ctx, order.PayCommand{Tenant: "demo", Actor: shopper, Order: id}); err != nil {
		fmt.Println(err)
	}
	r, err := b.Cancel(ctx, order.Command{Tenant: "demo", Actor: shopper, Order: id, Reason: "changed_mind"})
	fmt.Println(r.Order.State, err)
	o, err := b.Get(ctx, "demo", id)
	_, reserved := b.stock.Level("demo", "loaf", "shop")
	fmt.Println(o.PaymentStatus, o.Refunded, reserved, err)
	// Output:
	// cancelled <nil>
	// refunded 8.40 GBP 0 <nil>
}
