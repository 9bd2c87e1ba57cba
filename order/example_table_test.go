package order_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// A host adds a stop at the kerb between ready and delivered, with a timer of its own.
func ExampleWithTable() {
	const (
		curbside order.State   = "curbside"
		arrive   order.Trigger = "arrive"
		waiting  order.Timer   = "curbside_waiting"
	)
	table := order.DefaultTable().
		With(
			order.Row[order.State]{
				Trigger: arrive, From: []order.State{order.Ready}, To: curbside,
				Actors: []string{order.ActorShopper}, Timer: waiting,
			},
			order.Row[order.State]{
				Trigger: order.TriggerDeliver, From: []order.State{curbside}, To: order.Delivered,
				Actors: []string{order.ActorMerchant}, Timer: order.TimerComplete, Emits: []string{"order.delivered"},
			},
			order.Row[order.State]{
				Trigger: order.TriggerCancel, From: []order.State{curbside}, To: order.Cancelled,
				Actors: []string{order.ActorSystem}, Emits: []string{"order.cancelled"},
			},
		).
		WithAlarm(order.Alarm{
			Timer: waiting, After: func(order.Policy) time.Duration { return 15 * time.Minute }, Trigger: order.TriggerCancel, Reason: "left",
		})
	b, err := open(order.WithTable(table))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	c, err := loaves(2)
	if err != nil {
		fmt.Println(err)
	}
	c.PayLater = true
	r, err := b.Place(ctx, c)
	if err != nil {
		fmt.Println(err)
	}
	command := order.Command{Tenant: "demo", Actor: baker, Order: r.Order.ID}
	if _, err := b.Accept(ctx, command); err != nil {
		fmt.Println(err)
	}
	if _, err := b.Ready(ctx, command); err != nil {
		fmt.Println(err)
	}
	results, err := b.Do(ctx, order.Command{Tenant: "demo", Actor: shopper, Order: r.Order.ID, Trigger: arrive})
	fmt.Println(results[0].Order.State, err)

	b.clock.Advance(20 * time.Minute)
	n, _, err := b.RunDue(ctx, 0)
	o, _ := b.Get(ctx, "demo", r.Order.ID)
	onHand, _ := b.stock.Level("demo", "loaf", "shop")
	fmt.Println(n, o.State, onHand, err)
	// Output:
	// curbside <nil>
	// 1 cancelled 10 <nil>
}

// A table that cannot work is refused when the service is built.
func ExampleNewMachine() {
	_, err := order.NewMachine(order.DefaultTable().With(order.Row[order.State]{
		Trigger: "arrive", From: []order.State{order.Ready}, To: "curbside", Timer: order.TimerReady,
	}))
	fmt.Println(hyperlocal.CodeOf(err), strings.Contains(err.Error(), `no row leads out of "curbside"`))
	// Output: invalid true
}

// What the table does not have is refused, naming state and trigger, and nothing changes.
func ExampleService_Do() {
	b, id, err := placed()
	if err != nil {
		fmt.Println(err)
		return
	}
	results, err := b.Do(context.Background(),
		order.Command{Tenant: "demo", Actor: baker, Order: id, Trigger: order.TriggerDeliver},
		order.Command{Tenant: "demo", Actor: shopper, Order: id, Trigger: order.TriggerCancel},
	)
	fmt.Println(err)
	for _, r := range results {
		refusal, refused := errors.AsType[*hyperlocal.Error](r.Err)
		if refused {
			fmt.Println(refusal.Code, refusal.Fields["state"], refusal.Fields["trigger"])
			continue
		}
		fmt.Println(r.Order.State)
	}
	// Output:
	// <nil>
	// precondition awaiting_payment deliver
	// cancelled
}
