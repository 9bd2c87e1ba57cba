package stripe_test

import (
	"context"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/stripe"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/stripe/stripetest"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
	"github.com/hyperlocal-sdk/hyperlocal/payment/gatewaytest"
)

// impatience is how long the gateway of a test waits for an answer that does not come.
const impatience = 300 * time.Millisecond

var methods = map[gatewaytest.Scenario]string{
	gatewaytest.Succeeds: "pm_card_visa", gatewaytest.DeclinedHard: "pm_card_visa_chargeDeclinedLostCard",
	gatewaytest.DeclinedSoft: "pm_card_visa_chargeDeclinedInsufficientFunds", gatewaytest.Invalid: "pm_nobody_knows",
	gatewaytest.RateLimited: "pm_fault_create_limited", gatewaytest.ProviderDown: "pm_card_chargeDeclinedProcessingError",
	gatewaytest.LosesAnswer: "pm_fault_create_hang_after", gatewaytest.LosesRequest: "pm_fault_create_hang_before",
	gatewaytest.NeedsAction: "pm_card_threeDSecure2Required", gatewaytest.Pends: "pm_usBankAccount_success",
	gatewaytest.RefundLosesAnswer: "pm_fault_refund_hang_after",
}

func TestGateway(t *testing.T) {
	t.Parallel()
	for name, connected := range map[string]string{"own account": "", "connected account": "acct_1double"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gatewaytest.Run(t, func(t *testing.T) gatewaytest.Harness {
				server := stripetest.Start(t, stripetest.Config{Connected: []string{"acct_1double"}})
				gw := open(t, server, func(c *stripe.Config) {
					c.Accounts = func(tenant hyperlocal.TenantID) (stripe.Account, bool) {
						return stripe.Account{SecretKey: stripetest.TestKey, Connected: connected,
							WebhookSecrets: []string{stripetest.TestSecret}}, tenant == "gatewaytest"
					}
				})
				return gatewaytest.Harness{
					Gateway: gw, Methods: methods,
					Moved: func(_ context.Context, tenant hyperlocal.TenantID, intent string, verb hyperlocal.PaymentVerb) (int, error) {
						n := 0
						for _, m := range server.Moves() {
							if m.Metadata["hl_tenant"] == string(tenant) && m.Metadata["hl_intent"] == intent && m.Kind == string(verb) {
								n++
							}
						}
						return n, nil
					},
					Complete: func(_ context.Context, _ hyperlocal.TenantID, key string, success bool) error {
						return server.Finish(server.Find("hl_key", key).ID, success)
					},
					Webhook: func(_ context.Context, _ hyperlocal.TenantID, key string, at time.Time) (map[string][]string, []byte, error) {
						e, ok := server.Last(server.Find("hl_key", key).ID)
						if !ok {
							return nil, nil, payment.ErrNotFound
						}
						return server.Sign(at, e.Body), e.Body, nil
					},
				}
			})
		})
	}
}

// open builds a gateway on a double.
func open(t testing.TB, server *stripetest.Server, change ...func(*stripe.Config)) *stripe.Gateway {
	t.Helper()
	c := stripe.Config{BaseURL: server.URL, Timeout: impatience, Accounts: func(hyperlocal.TenantID) (stripe.Account, bool) {
		return stripe.Account{SecretKey: stripetest.TestKey, WebhookSecrets: []string{stripetest.TestSecret}}, true
	}}
	for _, f := range change {
		f(&c)
	}
	gw, err := stripe.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return gw
}
