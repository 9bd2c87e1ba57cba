package wechatpay_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/wechatpay/wechatpaytest"
	"github.com/hyperlocal-sdk/hyperlocal/payment/gatewaytest"
)

func TestGateway(t *testing.T) {
	t.Parallel()
	gatewaytest.Run(t, func(t *testing.T) gatewaytest.Harness {
		w := newWorld(t, nil)
		t.Cleanup(func() {
			if wrong := w.server.Complaints(); len(wrong) > 0 {
				t.Errorf("the provider complains: %q", wrong)
			}
		})
		number := func(key string) (string, error) {
			o, ok := w.server.ByAttach(key)
			if !ok {
				return "", fmt.Errorf("no order for %s", key)
			}
			return o.Number, nil
		}
		return gatewaytest.Harness{
			Gateway: withShopper{w.gw, w.server},
			Methods: map[gatewaytest.Scenario]string{
				gatewaytest.Succeeds: "jsapi:" + wechatpaytest.Pays, gatewaytest.DeclinedHard: "jsapi:" + wechatpaytest.DeclinedHard,
				gatewaytest.DeclinedSoft: "jsapi:" + wechatpaytest.DeclinedSoft, gatewaytest.Invalid: "jsapi:" + wechatpaytest.Invalid,
				gatewaytest.RateLimited: "jsapi:" + wechatpaytest.RateLimited, gatewaytest.LosesAnswer: "jsapi:" + wechatpaytest.LosesAnswer,
				gatewaytest.LosesRequest: "jsapi:" + wechatpaytest.LosesRequest, gatewaytest.NeedsAction: "native",
				gatewaytest.RefundLosesAnswer: "jsapi:" + wechatpaytest.RefundLosesAnswer,
				// Nobody pends while the shopper's bank thinks, and nothing tells that a request was
				// surely not processed because WeChat Pay is down: those two are gaps.
			},
			Moved: func(_ context.Context, _ hyperlocal.TenantID, intent string, verb hyperlocal.PaymentVerb) (int, error) {
				if verb == hyperlocal.VerbRefund {
					return len(w.server.Refunds(intent)), nil
				}
				return w.server.Paid(intent), nil
			},
			Complete: func(_ context.Context, _ hyperlocal.TenantID, key string, success bool) error {
				n, err := number(key)
				w.server.End(n, success)
				return err
			},
			Webhook: func(_ context.Context, _ hyperlocal.TenantID, key string, at time.Time) (map[string][]string, []byte, error) {
				n, err := number(key)
				if err != nil {
					return nil, nil, err
				}
				return w.server.Notification(n, at)
			},
		}
	})
}
