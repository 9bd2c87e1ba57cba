package order_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// The worker of an order service: do what is due, sleep until the next thing is.
func ExampleService_RunDue() {
	b, id, err := placed()
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	n, next, err := b.RunDue(ctx, 0)
	fmt.Println(n, next.Sub(b.clock.Now()), err)

	b.clock.Set(next) // instead of sleeping
	n, next, err = b.RunDue(ctx, 0)
	fmt.Println(n, next.IsZero(), err)
	o, err := b.Get(ctx, "demo", id)
	_, reserved := b.stock.Level("demo", "loaf", "shop")
	fmt.Println(o.State, reserved, err)
	// Output:
	// 0 30m0s <nil>
	// 1 true <nil>
	// expired 0 <nil>
}

func ExampleNextAction() {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	o := order.Order{State: order.AwaitingPayment, PaymentStatus: order.PaymentUnknown, CreatedAt: now, UpdatedAt: now}
	timer, at := order.NextAction(o, order.Policy{})
	fmt.Println(timer, at.Sub(now))
	// Output: payment_wait 30m0s
}

func ExampleService_History() {
	b, id, err := placed()
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if _, err := b.Pay(ctx, order.PayCommand{Tenant: "demo", Actor: shopper, Order: id}); err != nil {
		fmt.Println(err)
	}
	page, err := b.History(ctx, "demo", id, hyperlocal.PageRequest{})
	for _, h := range page.Items {
		fmt.Printf("%d.%d %s: %s, %s to %s by %s\n", h.Version, h.N, h.Machine, h.Trigger, h.From, h.To, h.Actor.Kind)
	}
	fmt.Println(err)
	// Output:
	// 1.1 state: await_payment, placed to awaiting_payment by shopper
	// 2.1 payment: begin, due to processing by shopper
	// 3.1 payment: captured, processing to paid by system
	// 3.2 state: confirm, awaiting_payment to confirmed by system
	// <nil>
}

func ExampleService_Export() {
	b, _, err := placed()
	if err != nil {
		fmt.Println(err)
		return
	}
	var lines strings.Builder
	next, err := b.Export(context.Background(), &lines, "demo", "")
	fmt.Println(strings.Count(lines.String(), "\n"), next == "", err)
	// Output: 1 true <nil>
}

func ExampleTable_ExportMermaid() {
	var page strings.Builder
	if err := order.DefaultRefundTable().ExportMermaid(&page); err != nil {
		fmt.Println(err)
	}
	for line := range strings.Lines(page.String()) {
		if strings.Contains(line, "requested --> ") {
			_, _ = os.Stdout.WriteString(strings.TrimLeft(line, " "))
		}
	}
	// Output:
	// requested --> pending: pend
	// requested --> unknown: lose
	// requested --> succeeded: succeed
	// requested --> failed: fail [not_owed]
	// requested --> needs_attention: fail [owed]
	// requested --> needs_attention: attend
}
