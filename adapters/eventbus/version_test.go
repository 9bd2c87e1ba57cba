package eventbus_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
)

// changed is order.changed in the version that a test is about.
type changed int

func (changed) EventName() string   { return "order.changed" }
func (c changed) EventVersion() int { return int(c) }

// upTo returns upcasters of order.changed that note in the payload where they were.
func upTo(t *testing.T, latest int) *hyperlocal.Upcasters {
	t.Helper()
	var list []hyperlocal.Upcaster
	for from := 1; from < latest; from++ {
		list = append(list, hyperlocal.Upcaster{Event: "order.changed", From: from,
			Lift: func(old json.RawMessage) (json.RawMessage, error) {
				var fields map[string]int
				if err := json.Unmarshal(old, &fields); err != nil {
					return nil, err
				}
				fields[fmt.Sprintf("from%d", from)] = from
				return json.Marshal(fields)
			}})
	}
	u, err := hyperlocal.NewUpcasters(list...)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func inVersion(e hyperlocal.Envelope, version int) hyperlocal.Envelope {
	e.Version, e.Payload = version, json.RawMessage(`{}`)
	return e
}

// seen notes what handlers are given: "<consumer> <aggregate> v<version> <payload>".
type seen struct {
	mu   sync.Mutex
	list []string
}

func (s *seen) note(ctx context.Context, consumer string, e hyperlocal.Envelope) {
	hyperlocal.AfterCommit(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.list = append(s.list, fmt.Sprintf("%s %s v%d %s", consumer, e.Aggregate.ID, e.Version, e.Payload))
	})
}

func (s *seen) handler(consumer string) eventbus.Handler {
	return func(ctx context.Context, e hyperlocal.Envelope) error {
		s.note(ctx, consumer, e)
		return nil
	}
}

func (s *seen) check(t *testing.T, want ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(slices.Sorted(slices.Values(s.list)), slices.Sorted(slices.Values(want))) {
		t.Errorf("handlers saw\n%s\nwant\n%s", strings.Join(s.list, "\n"), strings.Join(want, "\n"))
	}
}

// TestHandlersSeeTheVersionTheyKnow: alone and in batches, by the latest version and by their own.
func TestHandlersSeeTheVersionTheyKnow(t *testing.T) {
	onAllStores(t, func(t *testing.T, p parts) {
		transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
		c := config(p, transport)
		c.Upcasters = upTo(t, 3)
		bus := newBus(t, c)
		var s seen
		handle(t, bus, "latest", "order.changed", s.handler("latest"))
		if err := bus.Handle("older", "order.changed", s.handler("older"), eventbus.Knows(changed(2))); err != nil {
			t.Fatal(err)
		}
		err := bus.HandleMany("batch", []string{"order.changed", "order.sung"}, func(ctx context.Context, events []hyperlocal.Envelope) error {
			for _, e := range events {
				s.note(ctx, "batch", e)
			}
			return nil
		}, eventbus.Knows(changed(3)))
		if err != nil {
			t.Fatal(err)
		}
		running(t, bus, transport)
		sung := inVersion(envelope("d", 1, 0), 1)
		sung.Name = "order.sung"
		appendAll(t, p, inVersion(envelope("a", 1, 0), 1), inVersion(envelope("b", 1, 0), 2), inVersion(envelope("c", 1, 0), 3), sung)
		drain(t, bus)
		s.check(t,
			`latest a v3 {"from1":1,"from2":2}`, `latest b v3 {"from2":2}`, `latest c v3 {}`,
			`older a v2 {"from1":1}`, `older b v2 {}`,
			`batch a v3 {"from1":1,"from2":2}`, `batch b v3 {"from2":2}`, `batch c v3 {}`, `batch d v1 {}`)
		parked, err := bus.Parked(t.Context(), queue.Filter{Tenant: tenant, Limit: 10})
		if err != nil || len(parked) != 1 || parked[0].Consumer != "older" || parked[0].Envelope.Version != 3 {
			t.Errorf("parked: %+v, %v", parked, err)
		}
	})
}

// TestNewerEventWaitsForItsConsumer: an event is not read by a consumer that is too old, nor is
// what follows it; a newer program under the same name takes both over, in order.
func TestNewerEventWaitsForItsConsumer(t *testing.T) {
	onAllStores(t, func(t *testing.T, p parts) {
		transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
		bus := newBus(t, config(p, transport))
		var s seen
		handle(t, bus, "mailer", "order.changed", s.handler("old"))
		stop := running(t, bus, transport)
		newer, after := inVersion(envelope("a", 1, 0), 2), inVersion(envelope("a", 2, 0), 1)
		appendAll(t, p, newer, after, inVersion(envelope("b", 1, 0), 1))
		drain(t, bus)
		s.check(t, `old b v1 {}`)
		parked, err := bus.Parked(t.Context(), queue.Filter{Tenant: tenant, Limit: 10})
		if err != nil || len(parked) != 2 {
			t.Fatalf("parked: %+v, %v", parked, err)
		}
		i := slices.IndexFunc(parked, func(p queue.Parked) bool { return p.Envelope.ID == newer.ID })
		if i < 0 || parked[i].Attempts != 1 || !strings.Contains(parked[i].LastError, hyperlocal.ErrNewerEvent.Reason) ||
			!strings.Contains(parked[i].LastError, "deploy the consumer that knows version 2") {
			t.Errorf("parked: %+v", parked)
		}
		if got := string(parked[i].Envelope.Payload); got != `{}` {
			t.Errorf("parked as %s", got)
		}
		stop()

		transport = eventbus.GoChannel(eventbus.GoChannelConfig{})
		c := config(p, transport)
		c.Upcasters = upTo(t, 2)
		bus = newBus(t, c)
		if err := bus.Handle("mailer", "order.changed", s.handler("new"), eventbus.Knows(changed(2))); err != nil {
			t.Fatal(err)
		}
		running(t, bus, transport)
		if _, err := bus.Retry(t.Context(), parked[i].ID()); err != nil {
			t.Fatal(err)
		}
		waitIdle(t, bus)
		s.check(t, `old b v1 {}`, `new a v2 {}`, `new a v2 {"from1":1}`)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.list[1] != `new a v2 {}` {
			t.Errorf("out of order: %v", s.list)
		}
	})
}

func TestBrokenUpcasterParks(t *testing.T) {
	t.Parallel()
	for name, lift := range map[string]func(json.RawMessage) (json.RawMessage, error){
		"error":   func(json.RawMessage) (json.RawMessage, error) { return nil, errBroken },
		"no JSON": func(json.RawMessage) (json.RawMessage, error) { return json.RawMessage(`{`), nil },
		"panic":   func(json.RawMessage) (json.RawMessage, error) { panic("oh") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := memory(t)
			u, err := hyperlocal.NewUpcasters(hyperlocal.Upcaster{Event: "order.changed", From: 1, Lift: lift})
			if err != nil {
				t.Fatal(err)
			}
			transport := eventbus.GoChannel(eventbus.GoChannelConfig{})
			c := config(p, transport)
			c.Upcasters = u
			bus := newBus(t, c)
			var s seen
			handle(t, bus, "mailer", "order.changed", s.handler("mailer"))
			running(t, bus, transport)
			appendAll(t, p, inVersion(envelope("a", 1, 0), 1), inVersion(envelope("b", 1, 0), 2))
			drain(t, bus)
			s.check(t, `mailer b v2 {}`)
			parked, err := bus.Parked(t.Context(), queue.Filter{Tenant: tenant, Limit: 10})
			if err != nil || len(parked) != 1 || parked[0].LastError == "" {
				t.Errorf("parked: %+v, %v", parked, err)
			}
		})
	}
}

func TestHandleRefusesVersionsThatNothingLeadsTo(t *testing.T) {
	t.Parallel()
	c := config(memory(t), eventbus.GoChannel(eventbus.GoChannelConfig{}))
	c.Upcasters = upTo(t, 2)
	bus := newBus(t, c)
	many := func(context.Context, []hyperlocal.Envelope) error { return nil }
	for name, attempt := range map[string]struct {
		err  error
		want string
	}{
		"gap":          {bus.Handle("a", "order.changed", ignore, eventbus.Knows(changed(3))), "nothing lifts version 2 of it: add an upcaster"},
		"version 0":    {bus.Handle("b", "order.changed", ignore, eventbus.Knows(changed(0))), ""},
		"not its own":  {bus.Handle("c", "order.sung", ignore, eventbus.Knows(changed(1))), "is not added for it"},
		"nil":          {bus.Handle("d", "order.changed", ignore, eventbus.Knows(nil)), ""},
		"batch":        {bus.HandleMany("e", []string{"order.sung", "order.changed"}, many, eventbus.Knows(changed(4))), "version 4"},
		"batch of one": {bus.HandleMany("f", []string{"order.sung"}, many, eventbus.Knows(changed(1))), "is not added for it"},
	} {
		if !errors.Is(attempt.err, eventbus.ErrConfig) || !strings.Contains(attempt.err.Error(), attempt.want) {
			t.Errorf("%s: %v", name, attempt.err)
		}
	}
	// What was refused has left nothing behind.
	if err := bus.Handle("e", "order.changed", ignore, eventbus.Knows(changed(2))); err != nil {
		t.Error(err)
	}
}
