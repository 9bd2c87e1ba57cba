// Package gatewaytest is the conformance kit for payment gateways: what [payment.Gateway] and
// [payment.WebhookParser] promise, as tests that any adapter runs against its provider's
// sandbox or a double of it.
//
//	func TestGateway(t *testing.T) {
//		gatewaytest.Run(t, func(t *testing.T) gatewaytest.Harness {
//			return gatewaytest.Harness{
//				Gateway: myGateway,
//				Methods: map[gatewaytest.Scenario]string{gatewaytest.Succeeds: "tok_visa", ...},
//			}
//		})
//	}
//
// A scenario without a method, and an ability that the gateway does not claim, is a gap: its
// cases are skipped with one line that names it. HYPERLOCAL_REQUIRE=gateway turns gaps in the
// scenarios into failures.
//
// It uses nothing but testing, the root package and the context.
package gatewaytest
