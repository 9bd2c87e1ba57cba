package cash_test

import (
	"context"
	"fmt"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/cash"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// deliveries stands for whatever is paid for: it is told when money has moved.
type deliveries struct{}

func (deliveries) LockOwners(context.Context, ...hyperlocal.TenantRef) error { return nil }

func (deliveries) ApplyPayment(_ context.Context, facts ...hyperlocal.PaymentFact) error {
	for _, f := range facts {
		fmt.Printf("%s %s: held %v, captured %v\n", f.Verb, f.Outcome, f.Authorized, f.Captured)
	}
	return nil
}

// A delivery is promised, captured when the courier sets out, paid at the door, and handed in.
func Example() {
	ctx := context.Background()
	gateway, err := cash.New(cash.Config{})
	if err != nil {
		panic(err)
	}
	db := memstore.New()
	payments, err := payment.New(payment.Config{
		Store: db.Payments(), Tx: db, Outbox: db.Outbox(), Gateways: []payment.Gateway{gateway},
	})
	if err != nil {
		panic(err)
	}
	if err := payments.AttachOwner("delivery", deliveries{}); err != nil {
		panic(err)
	}
	amount, _ := hyperlocal.NewMoney(2500, "GBP")
	owner := hyperlocal.NewRef("delivery", "d1")
	for _, verb := range []hyperlocal.PaymentVerb{hyperlocal.VerbAuthorize, hyperlocal.VerbCapture} {
		ops, err := payments.Begin(ctx, hyperlocal.PaymentCommand{
			Tenant: "shop", Owner: owner, Merchant: hyperlocal.NewRef("merchant", "m1"), Verb: verb, Amount: amount,
			Reference: "r1", Method: cash.MethodDelivery, Actor: hyperlocal.System("example"),
		})
		if err != nil {
			panic(err)
		}
		if _, err := payments.Execute(ctx, "shop", ops[0].ID); err != nil {
			panic(err)
		}
	}

	// At the door.
	intents, _ := payments.Intents(ctx, "shop", owner)
	waiting, _ := gateway.Waiting(ctx, "shop", intents[0].ID)
	me := hyperlocal.Actor{Kind: "courier", ID: "c7"}
	record, err := gateway.Confirm(ctx, cash.ConfirmCommand{Tenant: "shop", Key: waiting[0].Key, Holder: "c7", Actor: me})
	if err != nil {
		panic(err)
	}
	if err := payments.Recheck(ctx, "shop", record.Operation); err != nil {
		panic(err)
	}
	if _, _, err := payments.RunDue(ctx, 10); err != nil { // a worker does this
		panic(err)
	}

	// Back at the shop.
	float, _ := gateway.Float(ctx, "shop", "c7")
	fmt.Println("holds:", float)
	counted, _ := hyperlocal.NewMoney(2490, "GBP")
	settled, _ := gateway.Settle(ctx, cash.SettleCommand{Tenant: "shop", Holder: "c7", Reference: "monday", Counted: counted, Actor: me})
	fmt.Println("handed in:", settled.Counted, "difference:", settled.Difference)
	// Output:
	// authorize succeeded: held 25.00 GBP, captured 0.00 GBP
	// capture pending: held 25.00 GBP, captured 0.00 GBP
	// capture succeeded: held 0.00 GBP, captured 25.00 GBP
	// holds: [25.00 GBP]
	// handed in: 24.90 GBP difference: -0.10 GBP
}
