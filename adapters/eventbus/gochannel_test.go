package eventbus_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/transporttest"
)

func TestGoChannel(t *testing.T) {
	t.Parallel()
	transporttest.Run(t, transporttest.Config{
		Features: tests.Features{ExactlyOnceDelivery: true, RequireSingleInstance: true},
		New: func(*testing.T, string) (message.Publisher, message.Subscriber) {
			g := eventbus.GoChannel(eventbus.GoChannelConfig{})
			return g, g
		},
		// Watermill's suite publishes before it subscribes.
		Suite: func(*testing.T) (message.Publisher, message.Subscriber) {
			g := eventbus.GoChannel(eventbus.GoChannelConfig{Persistent: true})
			return g, g
		},
	})
}

// TestGoChannelTellsWhatWasNotDelivered: a message that a leaving subscriber had not
// acknowledged is not reported as published.
func TestGoChannelTellsWhatWasNotDelivered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		leave func(g *eventbus.InProcess, cancel context.CancelFunc)
		want  error
	}{
		{"the subscription ends", func(_ *eventbus.InProcess, cancel context.CancelFunc) { cancel() }, eventbus.ErrInterrupted},
		{"the transport closes", func(g *eventbus.InProcess, _ context.CancelFunc) { _ = g.Close() }, eventbus.ErrClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := eventbus.GoChannel(eventbus.GoChannelConfig{})
			ctx, cancel := context.WithCancel(t.Context())
			in, err := g.Subscribe(ctx, "hc-order")
			if err != nil {
				t.Fatal(err)
			}
			m, err := eventbus.NewMessage(envelope("a", 1, 0))
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- g.Publish("hc-order", m) }()
			<-in // received, and never acknowledged
			c.leave(g, cancel)
			select {
			case err := <-done:
				if !errors.Is(err, c.want) {
					t.Errorf("Publish: %v, want %v", err, c.want)
				}
			case <-time.After(5 * time.Second):
				t.Error("Publish does not return")
			}
			cancel()
			for range in { // closed
			}
			if err := g.Close(); err != nil {
				t.Error(err)
			}
			if err := g.Publish("hc-order", m); !errors.Is(err, eventbus.ErrClosed) {
				t.Errorf("Publish after Close: %v", err)
			}
			if _, err := g.Subscribe(t.Context(), "hc-order"); !errors.Is(err, eventbus.ErrClosed) {
				t.Errorf("Subscribe after Close: %v", err)
			}
		})
	}
}

// Numbered keys are spread over the lanes as evenly as random ones.
func TestGoChannelSpreadsKeys(t *testing.T) {
	t.Parallel()
	transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
	defer func() { _ = transport.Close() }()
	out, err := transport.Subscribe(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	const n = 200
	messages := make([]*message.Message, n)
	for i := range messages {
		messages[i] = message.NewMessage(strconv.Itoa(i), nil)
		messages[i].Metadata.Set(eventbus.MetadataPartitionKey, "north:order/"+strconv.Itoa(1000+i))
	}
	done := make(chan error, 1)
	go func() { done <- transport.Publish("t", messages...) }()
	// 200 keys on 256 lanes take up some 140 of them, each of which hands out one message at a time.
	var held []*message.Message
	for len(held) < 100 {
		select {
		case m := <-out:
			held = append(held, m)
		case <-time.After(10 * time.Second):
			t.Fatalf("only %d messages are under way", len(held))
		}
	}
	for _, m := range held {
		m.Ack()
	}
	for range n - len(held) {
		(<-out).Ack()
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
