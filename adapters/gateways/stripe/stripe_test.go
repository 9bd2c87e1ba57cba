package stripe_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/stripe"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/stripe/stripetest"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
	"github.com/hyperlocal-sdk/hyperlocal/payment/gatewaytest"
)

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
	c := stripe.Config{BaseURL: server.URL, HTTPClient: impatient(server), Accounts: func(hyperlocal.TenantID) (stripe.Account, bool) {
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

// impatient returns a client that leaves as soon as the double begins to hang, as if its time
// had run out.
func impatient(server *stripetest.Server) *http.Client {
	const header = "X-Test-Call"
	var n atomic.Int64
	var calls sync.Map
	server.OnHang(func(r stripetest.Request) {
		if leave, ok := calls.Load(r.Header.Get(header)); ok {
			leave.(context.CancelFunc)()
		}
	})
	return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		ctx, leave := context.WithCancel(r.Context())
		call := strconv.FormatInt(n.Add(1), 10)
		calls.Store(call, leave)
		r = r.Clone(ctx)
		r.Header.Set(header, call)
		return http.DefaultTransport.RoundTrip(r)
	})}
}

// TestTimeout waits for real.
func TestTimeout(t *testing.T) {
	t.Parallel()
	s := newShop(t, func(c *stripe.Config) { c.HTTPClient, c.Timeout = nil, 200*time.Millisecond })
	r := s.charge(t, "pm_fault_create_hang_after", amount(t, 1000, "GBP"))
	if res, err := s.gw.Authorize(t.Context(), r); !errors.Is(err, stripe.ErrNoAnswer) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%+v, %v", res, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	other := newShop(t, func(c *stripe.Config) { c.HTTPClient = nil })
	r = other.charge(t, "pm_fault_create_hang_after", amount(t, 1000, "GBP"))
	if res, err := other.gw.Authorize(ctx, r); !errors.Is(err, stripe.ErrNoAnswer) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("by the caller's time: %+v, %v", res, err)
	}
}
