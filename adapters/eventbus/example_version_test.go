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
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
)

// ringing is door.rung in its second version, which counts seconds and not rings.
type ringing struct {
	Seconds int `json:"seconds"`
}

func (ringing) EventName() string { return "door.rung" }
func (ringing) EventVersion() int { return 2 }

// A handler is written for one version of an event; upcasters lift the older ones to it.
func ExampleKnows() {
	ctx, stop := context.WithCancel(context.Background())
	upcasters, err := hyperlocal.NewUpcasters(hyperlocal.Upcaster{
		Event: "door.rung", From: 1, Lift: func(payload json.RawMessage) (json.RawMessage, error) {
			var old doorbell
			if err := json.Unmarshal(payload, &old); err != nil {
				return nil, err
			}
			return json.Marshal(ringing{Seconds: 2 * old.Rings}) // the old bell rang two seconds at a time
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	db := memstore.New()
	transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
	bus, err := eventbus.New(eventbus.Config{
		Tx: db, Inbox: db.Inbox(), Queue: db.Queue(), Publisher: transport, Subscriber: transport, Upcasters: upcasters,
	})
	if err != nil {
		log.Fatal(err)
	}
	err = bus.Handle("butler", "door.rung", func(_ context.Context, e hyperlocal.Envelope) error {
		var r ringing
		if err := e.Decode(&r); err != nil {
			return err
		}
		fmt.Printf("somebody rang for %d s\n", r.Seconds)
		return nil
	}, eventbus.Knows(ringing{}))
	if err != nil {
		log.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- bus.Run(ctx) }()
	<-bus.Running()

	events := []hyperlocal.Event{doorbell{Rings: 3}, ringing{Seconds: 5}}
	for i, event := range events {
		err := db.WithinTx(ctx, func(ctx context.Context) error {
			e, err := hyperlocal.NewEnvelope(ctx, hyperlocal.RandomIDs{}, time.Now(), "shop", hyperlocal.System("example"),
				hyperlocal.NewRef("door", "front"), int64(i)+1, 0, event)
			if err != nil {
				return err
			}
			return bus.Outbox(db.Outbox()).Append(ctx, e)
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	if err := bus.Drain(ctx); err != nil {
		log.Fatal(err)
	}
	stop()
	<-done
	_ = transport.Close()

	// A program that knows version 1 alone refuses the new event instead of finding no rings in it.
	_, err = (*hyperlocal.Upcasters)(nil).Lift(hyperlocal.Envelope{Name: "door.rung", Version: 2}, 1)
	fmt.Println(errors.Is(err, hyperlocal.ErrNewerEvent))
	fmt.Println(err)
	// Output:
	// somebody rang for 6 s
	// somebody rang for 5 s
	// true
	// event/newer: door.rung has version 2, its consumer knows 1: deploy the consumer that knows version 2, before what emits it
}
