package eventbus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
)

// doorbell is an event of the example's own context.
type doorbell struct {
	Rings int `json:"rings"`
}

func (doorbell) EventName() string { return "door.rung" }
func (doorbell) EventVersion() int { return 1 }

// ring commits an event, as a service would together with what the event tells of.
func ring(ctx context.Context, db *memstore.DB, outbox hyperlocal.Outbox, version int64, rings int) error {
	return db.WithinTx(ctx, func(ctx context.Context) error {
		e, err := hyperlocal.NewEnvelope(ctx, hyperlocal.RandomIDs{}, time.Now(), "shop", hyperlocal.System("example"),
			hyperlocal.NewRef("door", "front"), version, 0, doorbell{Rings: rings})
		if err != nil {
			return err
		}
		return outbox.Append(ctx, e)
	})
}

// A consumer reacts to events once, in the transaction in which it records its reaction.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	db := memstore.New()
	transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
	bus, err := eventbus.New(eventbus.Config{
		Tx: db, Inbox: db.Inbox(), Queue: db.Queue(), Publisher: transport, Subscriber: transport,
	})
	if err != nil {
		log.Fatal(err)
	}
	err = bus.Handle("butler", "door.rung", func(_ context.Context, e hyperlocal.Envelope) error {
		var d doorbell
		if err := e.Decode(&d); err != nil {
			return err
		}
		fmt.Printf("%s rang %d times (event %d)\n", e.Aggregate, d.Rings, e.AggregateVersion)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- bus.Run(ctx) }()
	<-bus.Running()

	outbox := bus.Outbox(db.Outbox())
	for version, rings := range []int{2, 1, 5} {
		if err := ring(ctx, db, outbox, int64(version)+1, rings); err != nil {
			log.Fatal(err)
		}
	}
	if err := bus.Drain(ctx); err != nil {
		log.Fatal(err)
	}
	stop()
	fmt.Println("stopped:", <-done)
	_ = transport.Close()
	// Output:
	// door/front rang 2 times (event 1)
	// door/front rang 1 times (event 2)
	// door/front rang 5 times (event 3)
	// stopped: <nil>
}

// Messages that a handler keeps refusing are parked, and a person can have them tried again.
func ExampleBus_Retry() {
	ctx, stop := context.WithCancel(context.Background())
	db := memstore.New()
	transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
	bus, err := eventbus.New(eventbus.Config{
		Tx: db, Inbox: db.Inbox(), Queue: db.Queue(), Publisher: transport, Subscriber: transport,
	})
	if err != nil {
		log.Fatal(err)
	}
	awake := false
	err = bus.Handle("butler", "door.rung", func(context.Context, hyperlocal.Envelope) error {
		if !awake {
			return errors.New("asleep")
		}
		fmt.Println("coming!")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- bus.Run(ctx) }()
	<-bus.Running()
	if err := ring(ctx, db, bus.Outbox(db.Outbox()), 1, 1); err != nil {
		log.Fatal(err)
	}
	if err := bus.Drain(ctx); err != nil {
		log.Fatal(err)
	}
	parked, err := bus.Parked(ctx, queue.Filter{Tenant: "shop", Limit: 10})
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range parked {
		fmt.Printf("%s could not handle %s in %d tries: %s\n", p.Consumer, p.Envelope.Name, p.Attempts, p.LastError)
	}
	awake = true
	if _, err := bus.Retry(ctx, parked[0].ID()); err != nil {
		log.Fatal(err)
	}
	if err := bus.Drain(ctx); err != nil {
		log.Fatal(err)
	}
	stop()
	<-done
	_ = transport.Close()
	// Output:
	// butler could not handle door.rung in 3 tries: asleep
	// coming!
}

// A message is an envelope as JSON; brokers keep order by its partition key.
func ExampleNewMessage() {
	m, err := eventbus.NewMessage(hyperlocal.Envelope{
		ID: "0197f3c2-7a61-7b3e-9c55-1f2e3d4c5b6a", Name: "door.rung", Version: 1, Tenant: "shop",
		Aggregate: hyperlocal.NewRef("door", "front"), AggregateVersion: 1, Time: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC),
		Actor: hyperlocal.System("example"), Payload: json.RawMessage(`{"rings":2}`),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Metadata.Get(eventbus.MetadataPartitionKey))
	e, err := eventbus.ReadMessage(m)
	fmt.Println(e.Topic(), string(e.Payload), err)
	// Output:
	// shop:door/front
	// hc-door {"rings":2} <nil>
}
