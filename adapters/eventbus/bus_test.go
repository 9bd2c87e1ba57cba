package eventbus_test

import (
	"context"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus"
)

func TestThinPath(t *testing.T) {
	t.Parallel()
	p := memory(t)
	transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
	bus := newBus(t, config(p, transport))
	f := newEffects()
	handle(t, bus, "loyalty", "order.changed", func(ctx context.Context, e hyperlocal.Envelope) error {
		f.note(ctx, "loyalty", e)
		return nil
	})
	running(t, bus, transport)
	events := []hyperlocal.Envelope{envelope("a", 1, 0), envelope("a", 1, 1), envelope("a", 2, 0), envelope("b", 1, 0)}
	appendAll(t, p, events...)
	drain(t, bus)
	f.check(t, events, "loyalty")
	if idle, err := bus.Idle(t.Context()); err != nil || !idle {
		t.Errorf("idle: %v, %v", idle, err)
	}
}
