// Package eventbus carries events from the outbox to the parts of a program that react to
// them, over any Watermill transport.
//
// A [Relay] publishes what the outbox holds: at least once, and within an aggregate in the
// order of (aggregate version, n). A [Bus] is a relay together with consumers. A consumer's
// handler runs in a transaction in which the inbox has claimed the event, so its effect, the
// claim and the events that it emits commit together, once, however often the event is
// delivered. What a handler refuses is tried again, then parked in the database without
// holding up other aggregates, and after ten tries left to a person.
//
//	transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
//	bus, err := eventbus.New(eventbus.Config{
//		Tx: store, Inbox: store.Inbox(), Queue: store.Queue(),
//		Publisher: transport, Subscriber: transport,
//	})
//	...
//	err = bus.Handle("mailer", "order.placed", func(ctx context.Context, e hyperlocal.Envelope) error {
//		var placed order.OrderPlaced
//		if err := e.Decode(&placed); err != nil {
//			return err
//		}
//		...
//	})
//	...
//	err = bus.Run(ctx) // until ctx ends
//
// # Starting and stopping
//
// Run subscribes first and lets the relay publish afterwards, because an in-process transport
// drops what nobody listens to yet. When its context ends it stops the relay, waits for what
// is being published, then stops the consumers. The host closes, in this order: its HTTP
// server, the bus (by ending Run's context), the transport, the database.
//
// # Speed
//
// A [Handler] costs a transaction for each event, and a consumer has at most 16 of those at a
// time. Where events are many, a [BatchHandler] has one transaction for up to 256 of them; what
// is alone is handled alone and at once, so nobody waits for a batch to fill. In between, the
// relay reads and marks events together that come within three milliseconds.
//
// A commit in this process wakes the relay, if it appends through [Bus.Outbox]. On PostgreSQL
// the relays of other processes are woken too, see [queue.Bell]; else they find events with
// their next poll, after a second at most by default. An idle bus asks the database three short
// questions in that time.
//
// # Versions of events
//
// Within a version an event only gains fields, and handlers overlook what they do not know.
// Any other change is a new version, which comes with an upcaster that lifts the payload of
// the version before. Handlers are written for the latest version alone:
//
//	upcasters, err := hyperlocal.NewUpcasters(hyperlocal.Upcaster{
//		Event: "order.placed", From: 1, Lift: func(old json.RawMessage) (json.RawMessage, error) { ... },
//	})
//	...
//	bus, err := eventbus.New(eventbus.Config{Upcasters: upcasters, ...})
//	...
//	err = bus.Handle("mailer", "order.placed", fn, eventbus.Knows(order.OrderPlaced{}))
//
// Events that lie in the outbox, in the broker or parked keep the version in which they were
// emitted and are lifted one version at a time whenever they are handled. What a handler knows
// and nothing leads to is refused when it is added, and a gap between upcasters by
// [hyperlocal.NewUpcasters]. An event that is newer than the handler is parked with
// [hyperlocal.ErrNewerEvent] rather than misread, and what comes after it of the same
// aggregate waits: deploy consumers first, then what emits the new version. Until its tries
// are used up, a parked event is handled by the new consumer as soon as that runs; afterwards
// by [Bus.Retry].
//
// # What it never does
//
// It publishes nothing inside a transaction and nothing that has not been committed. It
// promises no order between aggregates. It never calls a handler outside a transaction, so a
// handler must not talk to the network: it records what is to be done, and a worker does it.
package eventbus
