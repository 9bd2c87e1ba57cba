package order_test

import (
	"context"
	"fmt"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
	"github.com/hyperlocal-sdk/hyperlocal/order/ordertest"
)

// A soft decline is tried again by itself; nobody has to remember it.
func ExampleService_Pay_softDecline() {
	b, id, err := placed()
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	b.payments.SayAlways(ordertest.Answer{Outcome: hyperlocal.OutcomeDeclined, Class: hyperlocal.DeclineSoft})
	r, err := b.Pay(ctx, order.PayCommand{Tenant: "demo", Actor: shopper, Order: id})
	fmt.Println(r.Outcome, r.Class, r.Order.PaymentStatus, err)

	b.payments.SayAlways(ordertest.Succeeded)
	b.clock.Advance(5 * time.Minute)
	n, _, err := b.RunDue(ctx, 0)
	fmt.Println(n, err)
	o, err := b.Get(ctx, "demo", id)
	fmt.Println(o.State, o.PaymentStatus, err)
	// Output:
	// declined soft retry <nil>
	// 1 <nil>
	// confirmed paid <nil>
}

// Authorized money is captured when the merchant accepts, as the policy says by default.
func ExampleService_Pay_authorize() {
	b, id, err := placed()
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	r, err := b.Pay(ctx, order.PayCommand{Tenant: "demo", Actor: shopper, Order: id, Authorize: true})
	fmt.Println(r.Order.State, r.Order.PaymentStatus, err)
	if _, err := b.Accept(ctx, order.Command{Tenant: "demo", Actor: baker, Order: id}); err != nil {
		fmt.Println(err)
	}
	o, err := b.Get(ctx, "demo", id)
	fmt.Println(o.State, o.PaymentStatus, o.Captured, err)
	// Output:
	// confirmed authorized <nil>
	// accepted paid 8.40 GBP <nil>
}

// The money comes although the order has expired. The loaves are still there, so it goes on.
func ExampleService_ApplyPayment_lateCapture() {
	b, id, err := placed()
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	b.payments.SayAlways(ordertest.Answer{Outcome: hyperlocal.OutcomeDeclined, Class: hyperlocal.DeclineHard})
	r, err := b.Pay(ctx, order.PayCommand{Tenant: "demo", Actor: shopper, Order: id})
	if err != nil {
		fmt.Println(err)
	}
	b.clock.Advance(time.Hour)
	if _, _, err := b.RunDue(ctx, 0); err != nil {
		fmt.Println(err)
	}
	o, err := b.Get(ctx, "demo", id)
	fmt.Println(o.State, err)

	_, err = b.payments.Settle(ctx, "demo", r.Operation, ordertest.Succeeded) // a webhook says otherwise
	fmt.Println(err)
	o, err = b.Get(ctx, "demo", id)
	_, reserved := b.stock.Level("demo", "loaf", "shop")
	fmt.Println(o.State, o.PaymentStatus, reserved, err)
	// Output:
	// expired <nil>
	// <nil>
	// confirmed paid 2 <nil>
}
