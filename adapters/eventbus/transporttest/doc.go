// Package transporttest checks that a Watermill transport does what the event bus relies on.
// Watermill's own suite runs first, then ours: envelopes arrive as they were sent, in the
// order of their aggregate, again when they were refused, and once per consumer.
//
//	func TestTransport(t *testing.T) {
//		transporttest.Run(t, transporttest.Config{
//			Features: tests.Features{Persistent: true, ConsumerGroups: true, GuaranteedOrder: true},
//			New: func(t *testing.T, group string) (message.Publisher, message.Subscriber) { ... },
//		})
//	}
//
// It is called by tests of transports and by nothing else.
package transporttest
