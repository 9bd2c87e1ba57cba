package transporttest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
)

// Config says what is tested.
type Config struct {
	// Features are what Watermill's suite may expect.
	Features tests.Features
	// New returns the two ends of the transport on the broker that all tests share, for
	// consumers of the given group. Where the transport is one object, both are it. Run
	// closes them.
	New func(t *testing.T, group string) (message.Publisher, message.Subscriber)
	// Suite is what Watermill's suite is given instead, for transports that only satisfy it in
	// a special mode; nil means New.
	Suite tests.PubSubConstructor
	// Patience bounds how long a message may take; default 10 s.
	Patience time.Duration
}

// Run runs both suites.
func Run(t *testing.T, c Config) {
	t.Helper()
	if c.Patience == 0 {
		c.Patience = 10 * time.Second
	}
	suite := c.Suite
	if suite == nil {
		suite = func(t *testing.T) (message.Publisher, message.Subscriber) {
			t.Helper()
			return c.New(t, "suite-"+hyperlocal.RandomIDs{}.NewID())
		}
	}
	t.Run("watermill", func(t *testing.T) { tests.TestPubSub(t, c.Features, suite, c.New) })
	for _, test := range []struct {
		name string
		run  func(t *testing.T, c Config)
	}{
		{"envelopes arrive as they were sent", testRoundTrip},
		{"an aggregate keeps its order", testOrder},
		{"what is refused comes again before what follows it", testRedelivery},
		{"every consumer gets every event", testConsumers},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, c)
		})
	}
}

// topic makes every test's messages its own.
type bench struct {
	c     Config
	topic string
	pub   message.Publisher
}

func open(t *testing.T, c Config, groups ...string) (b bench, subs []<-chan *message.Message) {
	t.Helper()
	id := hyperlocal.RandomIDs{}.NewID()
	b = bench{c: c, topic: "hc-test-" + id}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	for i, group := range groups {
		pub, sub := c.New(t, group+"-"+id)
		if i == 0 || !c.Features.RequireSingleInstance {
			t.Cleanup(func() { _ = pub.Close(); _ = sub.Close() })
		}
		if b.pub == nil {
			b.pub = pub
		}
		if c.Features.RequireSingleInstance && i > 0 {
			sub, _ = b.pub.(message.Subscriber)
		}
		if in, ok := sub.(message.SubscribeInitializer); ok {
			if err := in.SubscribeInitialize(b.topic); err != nil {
				t.Fatal(err)
			}
		}
		ms, err := sub.Subscribe(ctx, b.topic)
		if err != nil {
			t.Fatal(err)
		}
		subs = append(subs, ms)
	}
	return b, subs
}

// publish sends the events in the background, because a transport may wait for their acks.
func (b bench) publish(t *testing.T, events ...hyperlocal.Envelope) {
	t.Helper()
	ms := make([]*message.Message, len(events))
	for i, e := range events {
		m, err := eventbus.NewMessage(e)
		if err != nil {
			t.Fatal(err)
		}
		ms[i] = m
	}
	done := make(chan error, 1)
	go func() { done <- b.pub.Publish(b.topic, ms...) }()
	t.Cleanup(func() {
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Publish: %v", err)
			}
		case <-time.After(b.c.Patience):
			t.Error("Publish does not return")
		}
	})
}

func (b bench) next(t *testing.T, in <-chan *message.Message) (*message.Message, hyperlocal.Envelope) {
	t.Helper()
	select {
	case m, ok := <-in:
		if !ok {
			t.Fatal("the subscription ended")
		}
		e, err := eventbus.ReadMessage(m)
		if err != nil {
			t.Fatal(err)
		}
		return m, e
	case <-time.After(b.c.Patience):
		t.Fatal("no message arrives")
	}
	return nil, hyperlocal.Envelope{}
}

func event(aggregate string, version int64) hyperlocal.Envelope {
	return hyperlocal.Envelope{
		ID: hyperlocal.RandomIDs{}.NewID(), Name: "test.happened", Version: 1, Tenant: "shop",
		Aggregate: hyperlocal.NewRef("order", aggregate), AggregateVersion: version, N: 1,
		Time:        time.Date(2026, 5, 4, 12, 0, 0, 123456000, time.UTC),
		Correlation: "correlation", Causation: "causation", TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		Actor: hyperlocal.Actor{Kind: "shopper", ID: "größe 日本"}, Payload: json.RawMessage(`{"text":"é <&> \" 😀","n":9223372036854775807}`),
	}
}

func testRoundTrip(t *testing.T, c Config) {
	t.Helper()
	b, subs := open(t, c, "a")
	want := event("größe/日本", 1)
	b.publish(t, want)
	m, got := b.next(t, subs[0])
	m.Ack()
	g, _ := json.Marshal(got)
	w, _ := json.Marshal(want)
	if string(g) != string(w) {
		t.Errorf("got  %s\nwant %s", g, w)
	}
	if m.UUID != want.ID || m.Metadata.Get(eventbus.MetadataPartitionKey) != want.PartitionKey() {
		t.Errorf("the message is called %s and has the metadata %v", m.UUID, m.Metadata)
	}
}

func testOrder(t *testing.T, c Config) {
	t.Helper()
	b, subs := open(t, c, "a")
	const aggregates, versions = 20, 10
	var events []hyperlocal.Envelope
	for v := range int64(versions) {
		for a := range aggregates {
			events = append(events, event(fmt.Sprint(a), v+1))
		}
	}
	b.publish(t, events...)
	last := make(map[queue.Aggregate]int64)
	for seen := map[string]bool{}; len(seen) < len(events); {
		m, e := b.next(t, subs[0])
		key := queue.PlaceOf(e).Aggregate
		if !seen[e.ID] && e.AggregateVersion != last[key]+1 {
			t.Fatalf("%s: version %d after %d", e.Aggregate, e.AggregateVersion, last[key])
		}
		seen[e.ID] = true
		last[key] = max(last[key], e.AggregateVersion)
		m.Ack()
	}
}

func testRedelivery(t *testing.T, c Config) {
	t.Helper()
	b, subs := open(t, c, "a")
	first, second := event("a", 1), event("a", 2)
	b.publish(t, first, second)
	for range 3 {
		m, e := b.next(t, subs[0])
		if e.ID != first.ID {
			t.Fatal("what follows a refused message overtook it")
		}
		m.Nack()
	}
	for _, want := range []string{first.ID, second.ID} {
		m, e := b.next(t, subs[0])
		if e.ID != want {
			t.Fatalf("got version %d", e.AggregateVersion)
		}
		m.Ack()
	}
}

func testConsumers(t *testing.T, c Config) {
	t.Helper()
	b, subs := open(t, c, "a", "b", "c")
	events := []hyperlocal.Envelope{event("a", 1), event("b", 1), event("a", 2)}
	b.publish(t, events...)
	var wg sync.WaitGroup
	for i, in := range subs {
		wg.Go(func() {
			seen := map[string]bool{}
			for len(seen) < len(events) {
				select {
				case m := <-in:
					seen[m.UUID] = true
					m.Ack()
				case <-time.After(c.Patience):
					t.Errorf("consumer %d got %d of %d events", i, len(seen), len(events))
					return
				}
			}
		})
	}
	wg.Wait()
}
