package eventbus_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus"
)

type listened struct{}

func (listened) EventName() string { return "catalog.price_changed" }
func (listened) EventVersion() int { return 1 }

// TestListen: every listener hears of every event, and neither a panic nor what is no event
// stops the transport.
func TestListen(t *testing.T) {
	t.Parallel()
	transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
	defer func() { _ = transport.Close() }()
	var mu sync.Mutex
	heard := make(map[int][]string)
	for listener := range 2 {
		err := eventbus.Listen(t.Context(), transport, []string{"hc-catalog"}, slog.New(slog.DiscardHandler), func(ctx context.Context, e hyperlocal.Envelope) {
			if cause, ok := hyperlocal.CauseFrom(ctx); !ok || cause.Causation != e.ID {
				t.Errorf("cause %+v", cause)
			}
			mu.Lock()
			heard[listener] = append(heard[listener], e.ID)
			mu.Unlock()
			panic("a listener's own trouble")
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	e, err := hyperlocal.NewEnvelope(t.Context(), hyperlocal.RandomIDs{}, time.Unix(1, 0), "acme", hyperlocal.System("test"),
		hyperlocal.NewRef("product", "1"), 1, 0, listened{})
	if err != nil {
		t.Fatal(err)
	}
	good, err := eventbus.NewMessage(e)
	if err != nil {
		t.Fatal(err)
	}
	published := make(chan error, 1)
	go func() {
		published <- transport.Publish("hc-catalog", message.NewMessage("nonsense", []byte("{")), good, message.NewMessage("more", nil))
	}()
	select {
	case err := <-published: // the transport waits for every listener
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("a listener holds the transport up")
	}
	mu.Lock()
	defer mu.Unlock()
	for listener := range 2 {
		if got := heard[listener]; len(got) != 1 || got[0] != e.ID {
			t.Errorf("listener %d heard %v", listener, got)
		}
	}
}

func TestListenRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	nothing := func(context.Context, hyperlocal.Envelope) {}
	if err := eventbus.Listen(t.Context(), nil, nil, nil, nothing); err == nil {
		t.Error("no subscriber")
	}
	closed := eventbus.GoChannel(eventbus.GoChannelConfig{})
	if err := eventbus.Listen(t.Context(), closed, nil, nil, nil); err == nil {
		t.Error("no function")
	}
	_ = closed.Close()
	if err := eventbus.Listen(t.Context(), closed, []string{"hc-catalog"}, nil, nothing); err == nil {
		t.Error("a closed transport")
	}
}
