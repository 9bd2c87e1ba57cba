package stripe_test

import (
	"context"
	"fmt"
	"os"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/stripe"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// One gateway serves all tenants, each with an account of its own.
func Example() {
	accounts := map[hyperlocal.TenantID]stripe.Account{
		"bakery": {
			SecretKey:      os.Getenv("BAKERY_STRIPE_KEY"),
			WebhookSecrets: []string{os.Getenv("BAKERY_STRIPE_WEBHOOK_SECRET")},
			ReturnURL:      "https://bakery.example/paid",
		},
	}
	_, err := stripe.New(stripe.Config{
		Accounts: func(tenant hyperlocal.TenantID) (stripe.Account, bool) { a, ok := accounts[tenant]; return a, ok },
		Tenants:  []hyperlocal.TenantID{"bakery"}, // checked now, not when the first shopper pays
	})
	fmt.Println(hyperlocal.ReasonOf(err)) // nobody has set the variables
	// Output:
	// stripe/unknown_account
}

// A shopper who does not come back: the payment is cancelled, so that nobody pays it any more.
func ExampleGateway_Abandon() {
	abandon := func(ctx context.Context, gateway *stripe.Gateway, op payment.Operation) (hyperlocal.PaymentOutcome, error) {
		found, err := gateway.Abandon(ctx, payment.LookupRequest{
			Request: payment.Request{Tenant: op.Tenant, Key: op.Key, Intent: op.Intent, Operation: op.ID, Amount: op.Amount},
			Verb:    op.Verb, Provider: op.Provider,
		})
		return found.Outcome, err // succeeded if he has paid just now, else declined
	}
	_ = abandon
}
