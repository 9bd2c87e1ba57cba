package eventbus

import "github.com/hyperlocal-sdk/hyperlocal"

// HandleOption changes how a handler is called. See [Knows].
type HandleOption func(versions map[string]int) error

// Knows says in which versions a handler reads its events, by the types that it decodes them
// into: an older event is lifted to that version by Config.Upcasters, a newer one is parked
// with [hyperlocal.ErrNewerEvent] until a program that knows it takes over. Every type has to
// be of an event that the handler is added for, and the upcasters have to lead from version 1
// to its version; otherwise adding the handler fails.
//
//	err := bus.Handle("mailer", "order.placed", fn, eventbus.Knows(order.OrderPlaced{}))
func Knows(events ...hyperlocal.Event) HandleOption {
	return func(versions map[string]int) error {
		for _, ev := range events {
			if ev == nil {
				return ErrConfig.WithMessage("Knows is given events, not nil")
			}
			if _, handled := versions[ev.EventName()]; !handled {
				return ErrConfig.WithMessage("a handler that knows %s is not added for it", ev.EventName())
			}
			versions[ev.EventName()] = ev.EventVersion()
		}
		return nil
	}
}

// versions returns the version in which a handler sees each of its events.
func (b *Bus) versions(consumer string, eventNames []string, opts []HandleOption) (map[string]int, error) {
	out := make(map[string]int, len(eventNames))
	for _, name := range eventNames {
		out[name] = b.c.Upcasters.Latest(name)
	}
	for _, o := range opts {
		if err := o(out); err != nil {
			return nil, err
		}
	}
	for _, name := range eventNames {
		version, latest := out[name], b.c.Upcasters.Latest(name)
		if version < 1 || version > latest {
			return nil, ErrConfig.WithMessage("%s knows %s in version %d, but nothing lifts version %d of it: add an upcaster",
				consumer, name, version, latest)
		}
	}
	return out, nil
}

// lift returns the events in the versions that the handler knows.
func (b *Bus) lift(r *reaction, events []hyperlocal.Envelope) ([]hyperlocal.Envelope, error) {
	out := make([]hyperlocal.Envelope, len(events))
	for i, e := range events {
		var err error
		if out[i], err = b.c.Upcasters.Lift(e, r.versions[e.Name]); err != nil {
			return nil, err
		}
	}
	return out, nil
}
