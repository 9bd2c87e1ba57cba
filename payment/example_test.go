package payment_test

import (
	"context"
	"fmt"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// bookings stands for whatever a host sells: it is told when money has moved.
type bookings struct{}

func (bookings) LockOwners(context.Context, ...hyperlocal.TenantRef) error { return nil }

func (bookings) ApplyPayment(_ context.Context, facts ...hyperlocal.PaymentFact) error {
	for _, f := range facts {
		fmt.Printf("%s: %s %s, captured %v, refunded %v\n", f.Owner.ID, f.Verb, f.Outcome, f.Captured, f.Refunded)
	}
	return nil
}

// shop is a payment service over memory and the sandbox, with a clock of its own.
type shop struct {
	*payment.Service
	now     time.Time
	gateway *sandbox.Gateway
}

func open(c sandbox.Config) *shop {
	s := &shop{now: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)}
	clock := hyperlocal.ClockFunc(func() time.Time { return s.now })
	c.Clock = clock
	var err error
	if s.gateway, err = sandbox.New(c); err != nil {
		panic(err)
	}
	db := memstore.New()
	s.Service, err = payment.New(payment.Config{
		Store: db.Payments(), Tx: db, Outbox: db.Outbox(), Clock: clock, Gateways: []payment.Gateway{s.gateway},
	})
	if err != nil {
		panic(err)
	}
	if err := s.AttachOwner("booking", bookings{}); err != nil {
		panic(err)
	}
	return s
}

func command(verb hyperlocal.PaymentVerb, booking string, pence int64, reference, method string) hyperlocal.PaymentCommand {
	amount, err := hyperlocal.NewMoney(pence, "GBP")
	if err != nil {
		panic(err)
	}
	return hyperlocal.PaymentCommand{
		Tenant: "shop", Owner: hyperlocal.NewRef("booking", booking), Merchant: hyperlocal.NewRef("merchant", "m1"),
		Verb: verb, Amount: amount, Reference: reference, Method: method, Actor: hyperlocal.Actor{Kind: "shopper", ID: "s1"},
	}
}

// run begins and executes one operation.
func (s *shop) run(c hyperlocal.PaymentCommand) hyperlocal.PaymentFact {
	ctx := context.Background()
	ops, err := s.Begin(ctx, c)
	if err != nil {
		fmt.Println("refused:", hyperlocal.ReasonOf(err))
		return hyperlocal.PaymentFact{}
	}
	fact, err := s.Execute(ctx, c.Tenant, ops[0].ID)
	if err != nil {
		panic(err)
	}
	return fact
}

// A charge that is declined, another attempt, and a refund in parts.
func Example() {
	s := open(sandbox.Config{})
	fact := s.run(command(hyperlocal.VerbCharge, "b1", 2500, "pay/1", "decline:soft:1"))
	fmt.Println("declined:", fact.Class, fact.Code)
	s.run(command(hyperlocal.VerbCharge, "b1", 2500, "pay/2", "decline:soft:1"))

	s.run(command(hyperlocal.VerbRefund, "b1", 1000, "refund/1", ""))
	s.run(command(hyperlocal.VerbRefund, "b1", 1501, "refund/2", ""))
	// Output:
	// b1: charge declined, captured 0.00 GBP, refunded 0.00 GBP
	// declined: soft insufficient_funds
	// b1: charge succeeded, captured 25.00 GBP, refunded 0.00 GBP
	// b1: refund succeeded, captured 25.00 GBP, refunded 10.00 GBP
	// refused: payment/exceeds_captured
}

// A hold is captured in part, and the rest is let go.
func Example_hold() {
	s := open(sandbox.Config{})
	s.run(command(hyperlocal.VerbAuthorize, "b1", 10000, "hold/1", "ok"))
	s.run(command(hyperlocal.VerbCapture, "b1", 7000, "capture/1", ""))
	fact := s.run(command(hyperlocal.VerbVoid, "b1", 0, "void/1", "")) // zero: everything that is held
	fmt.Println("let go:", fact.Amount)
	// Output:
	// b1: authorize succeeded, captured 0.00 GBP, refunded 0.00 GBP
	// b1: capture succeeded, captured 70.00 GBP, refunded 0.00 GBP
	// b1: void succeeded, captured 70.00 GBP, refunded 0.00 GBP
	// let go: 30.00 GBP
}

// The answer of the gateway is lost. The outcome is unknown, not failed, and the janitor
// finds out without charging again.
func Example_unknown() {
	s := open(sandbox.Config{})
	fact := s.run(command(hyperlocal.VerbCharge, "b1", 2500, "pay/1", "timeout:after"))
	fmt.Println("told the shopper:", fact.Outcome)

	ctx := context.Background()
	_, next, _ := s.RunDue(ctx, 10)
	fmt.Println("look again in", next.Sub(s.now))
	s.now = next
	n, _, err := s.RunDue(ctx, 10)
	fmt.Println("looked up", n, err)

	charges, _ := s.gateway.Statement(ctx, "shop", "")
	fmt.Println("charges at the provider:", len(charges))
	// Output:
	// b1: charge unknown, captured 0.00 GBP, refunded 0.00 GBP
	// told the shopper: unknown
	// look again in 5s
	// b1: charge succeeded, captured 25.00 GBP, refunded 0.00 GBP
	// looked up 1 <nil>
	// charges at the provider: 1
}

// One payment for two bookings: each is told of its own share.
func Example_shared() {
	s := open(sandbox.Config{})
	ctx := context.Background()
	first, second := command(hyperlocal.VerbCharge, "b1", 1000, "checkout/1", "ok"), command(hyperlocal.VerbCharge, "b2", 250, "", "")
	op, err := s.BeginShared(ctx, payment.SharedCommand{
		Tenant: "shop", Verb: hyperlocal.VerbCharge, Reference: "checkout/1", Method: "ok", Actor: first.Actor,
		Shares: []payment.Share{
			{Owner: first.Owner, Merchant: hyperlocal.NewRef("merchant", "bakery"), Amount: first.Amount},
			{Owner: second.Owner, Merchant: hyperlocal.NewRef("merchant", "florist"), Amount: second.Amount},
		},
	})
	if err != nil {
		panic(err)
	}
	if _, err := s.Execute(ctx, "shop", op.ID); err != nil {
		panic(err)
	}
	charges, _ := s.gateway.Statement(ctx, "shop", "")
	fmt.Println("charged:", charges[0].Amount)
	s.run(command(hyperlocal.VerbRefund, "b2", 251, "refund/1", ""))
	// Output:
	// b1: charge succeeded, captured 10.00 GBP, refunded 0.00 GBP
	// b2: charge succeeded, captured 2.50 GBP, refunded 0.00 GBP
	// charged: 12.50 GBP
	// refused: payment/exceeds_captured
}

// A webhook is proved, stored and answered at once, and applied later; twice is once.
func Example_webhook() {
	var s *shop
	s = open(sandbox.Config{
		Secret: []byte("at least twenty-four bytes"),
		Deliver: func(ctx context.Context, w sandbox.Webhook) error {
			return s.Receive(ctx, w.Tenant, w.Gateway, w.Headers, w.Body)
		},
	})
	ctx := context.Background()
	s.run(command(hyperlocal.VerbCharge, "b1", 2500, "pay/1", "timeout:after,webhook:duplicate"))
	pending, _ := s.PendingWebhooks(ctx, "shop")
	fmt.Println("stored:", pending)
	n, _, err := s.ProcessWebhooks(ctx, 100)
	fmt.Println("processed:", n, err)

	err = s.Receive(ctx, "shop", "sandbox", nil, []byte(`{"id":"evt_1"}`))
	fmt.Println("forged:", hyperlocal.ReasonOf(err))
	// Output:
	// b1: charge unknown, captured 0.00 GBP, refunded 0.00 GBP
	// stored: 1
	// b1: charge succeeded, captured 25.00 GBP, refunded 0.00 GBP
	// processed: 1 <nil>
	// forged: payment/webhook_signature
}
