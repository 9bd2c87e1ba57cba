package sandbox_test

import (
	"context"
	"fmt"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// A method's steps decide what happens; the log remembers what was charged.
func Example() {
	ctx := context.Background()
	gateway, err := sandbox.New(sandbox.Config{})
	if err != nil {
		panic(err)
	}
	amount, _ := hyperlocal.NewMoney(1999, "GBP")
	request := payment.AuthorizeRequest{
		Request:    payment.Request{Tenant: "shop", Key: "intent/1/attempt/1/charge", Intent: "1", Attempt: 1, Amount: amount},
		CaptureNow: true,
		Method:     "timeout:after",
	}
	_, err = gateway.Authorize(ctx, request)
	fmt.Println("first:", err)

	found, _ := gateway.Lookup(ctx, payment.LookupRequest{Request: request.Request, Verb: hyperlocal.VerbCharge})
	fmt.Println("lookup:", found.Outcome, found.Amount)

	again, _ := gateway.Authorize(ctx, request)
	fmt.Println("again:", again.Outcome, again.Amount)

	statement, _ := gateway.Statement(ctx, "shop", "")
	fmt.Println("charges:", len(statement))
	// Output:
	// first: sandbox/lost: the connection broke before an answer came
	// lookup: succeeded 19.99 GBP
	// again: succeeded 19.99 GBP
	// charges: 1
}

// Steps can be decided by a function instead: here the provider is down for the first two
// attempts of every charge.
func Example_script() {
	gateway, err := sandbox.New(sandbox.Config{Script: func(c sandbox.Call) string {
		if c.Verb == hyperlocal.VerbCharge && c.Attempt <= 2 {
			return "provider_down"
		}
		return "ok"
	}})
	if err != nil {
		panic(err)
	}
	amount, _ := hyperlocal.NewMoney(500, "EUR")
	for attempt := 1; attempt <= 3; attempt++ {
		result, _ := gateway.Authorize(context.Background(), payment.AuthorizeRequest{CaptureNow: true, Request: payment.Request{
			Tenant: "shop", Key: fmt.Sprint("intent/1/attempt/", attempt, "/charge"), Intent: "1", Attempt: attempt, Amount: amount}})
		fmt.Println(attempt, result.Outcome, result.Class)
	}
	// Output:
	// 1 declined provider_down
	// 2 declined provider_down
	// 3 succeeded
}
