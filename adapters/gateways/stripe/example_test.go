package stripe_test

import (
	"fmt"
	"os"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/stripe"
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
