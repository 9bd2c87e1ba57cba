package eventbus

import (
	"context"
	"slices"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
)

// consumer is a name under which events are handled once.
type consumer struct {
	bus       *Bus
	name      string
	reactions map[string]*reaction // by event name
	singles   chan struct{}        // holds an element for each event that is being handled alone
}

// singlesAtOnce is how many transactions a consumer of single events has at a time, however
// many messages the transport hands out: they take their connections from the same pool as
// those whom somebody waits for.
const singlesAtOnce = 16

// reaction is a handler. Single ones have no gatherer.
type reaction struct {
	fn       BatchHandler
	gather   *gatherer
	versions map[string]int // that fn knows, by event name
}

// handle brings one event to its handler: at once, or together with others.
func (c *consumer) handle(ctx context.Context, e hyperlocal.Envelope) error {
	r := c.reactions[e.Name]
	if r.gather == nil {
		return c.apply(ctx, r, []hyperlocal.Envelope{e}, fresh)
	}
	return r.gather.do(ctx, e, func(ctx context.Context, events []hyperlocal.Envelope) error {
		ctx, cancel := context.WithTimeout(ctx, c.bus.c.Timeout)
		defer cancel()
		return c.apply(ctx, r, events, fresh)
	})
}

// provenance says where events come from.
type provenance bool

const (
	fresh  provenance = false // from the transport
	parked provenance = true  // from the database; no need to ask whether they have to wait
)

// apply claims the events and runs the handler on those that are new, in one transaction. An
// event that has to wait behind a parked one is parked there as well.
func (c *consumer) apply(ctx context.Context, r *reaction, events []hyperlocal.Envelope, from provenance) error {
	b := c.bus
	return b.c.Tx.WithinTx(ctx, func(ctx context.Context) error {
		todo, err := c.take(ctx, events, from)
		if err != nil {
			return err
		}
		if len(todo) > 0 {
			err := b.guarded(c.name, func() error {
				known, err := b.lift(r, todo)
				if err != nil {
					return err
				}
				return r.fn(withCause(ctx, known), known)
			})
			if err != nil {
				return err
			}
		}
		if from == parked {
			ids := make([]queue.Consumed, len(events))
			for i, e := range events {
				ids[i] = queue.Consumed{Consumer: c.name, Tenant: e.Tenant, EventID: e.ID}
			}
			if err := b.c.Queue.Settle(ctx, ids...); err != nil {
				return err
			}
		}
		return b.c.Hook(ctx, "inbox.before_commit")
	})
}

// take claims the events and returns those that are to be handled now, in order. Those that
// have to wait behind parked ones are parked.
func (c *consumer) take(ctx context.Context, events []hyperlocal.Envelope, from provenance) ([]hyperlocal.Envelope, error) {
	if from == parked {
		return c.claim(ctx, events)
	}
	if at, ok := c.bus.c.Inbox.(queue.Admission); ok && len(events) == 1 {
		blocked, isNew, err := at.Admit(ctx, c.name, events[0])
		switch {
		case err != nil:
			return nil, err
		case blocked:
			return nil, c.wait(ctx, events...)
		case isNew:
			return events, nil
		}
		return nil, nil
	}
	pass, err := c.letPass(ctx, events)
	if err != nil {
		return nil, err
	}
	return c.claim(ctx, pass)
}

// wait parks events that have to wait behind others. One that was handled before, and is
// delivered again, settles itself when its turn comes.
func (c *consumer) wait(ctx context.Context, events ...hyperlocal.Envelope) error {
	now := c.bus.c.Clock.Now()
	messages := make([]queue.Parked, len(events))
	for i, e := range events {
		messages[i] = queue.Parked{Consumer: c.name, Envelope: e, Due: now, At: now}
	}
	return c.bus.c.Queue.Park(ctx, messages...)
}

// letPass parks the events that have to wait behind others, and returns the rest.
func (c *consumer) letPass(ctx context.Context, events []hyperlocal.Envelope) ([]hyperlocal.Envelope, error) {
	blocked, err := c.bus.c.Queue.Blocked(ctx, c.name, events...)
	if err != nil || !slices.Contains(blocked, true) {
		return events, err
	}
	var pass, wait []hyperlocal.Envelope
	for i, e := range events {
		if blocked[i] {
			wait = append(wait, e)
			continue
		}
		pass = append(pass, e)
	}
	return pass, c.wait(ctx, wait...)
}

// claim returns the events that this consumer has not handled, in order.
func (c *consumer) claim(ctx context.Context, events []hyperlocal.Envelope) ([]hyperlocal.Envelope, error) {
	todo := slices.Clone(events)
	slices.SortStableFunc(todo, func(a, b hyperlocal.Envelope) int { return queue.PlaceOf(a).Compare(queue.PlaceOf(b)) })
	claimed := make(map[string]bool, len(todo))
	for start := 0; start < len(todo); {
		tenant, ids := todo[start].Tenant, []string(nil)
		for ; start < len(todo) && todo[start].Tenant == tenant; start++ {
			ids = append(ids, todo[start].ID)
		}
		isNew, err := c.bus.c.Inbox.Claim(ctx, c.name, tenant, ids...)
		if err != nil {
			return nil, err
		}
		for _, id := range isNew {
			claimed[id] = true
		}
	}
	return slices.DeleteFunc(todo, func(e hyperlocal.Envelope) bool {
		isNew := claimed[e.ID]
		delete(claimed, e.ID) // the same event may have been delivered twice at a time
		return !isNew
	}), nil
}

// withCause makes what a handler emits point back at what it handles. A batch has no single
// cause, unless it holds a single event.
func withCause(ctx context.Context, events []hyperlocal.Envelope) context.Context {
	if len(events) != 1 {
		return ctx
	}
	return ContextWithCause(ctx, events[0])
}

// ContextWithCause makes events created under the returned context carry e as their cause. A
// [BatchHandler] calls it for each of its events; for a [Handler] it has been called.
func ContextWithCause(ctx context.Context, e hyperlocal.Envelope) context.Context {
	correlation := e.Correlation
	if correlation == "" {
		correlation = e.ID
	}
	return hyperlocal.ContextWithCause(ctx, hyperlocal.Cause{
		Correlation: correlation, Causation: e.ID, TraceParent: e.TraceParent,
	})
}
