package queuetest

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
)

// Harness is a store on an empty database. Its parts share one database.
type Harness struct {
	Tx        hyperlocal.TxRunner
	Queue     queue.Queue
	Outbox    hyperlocal.Outbox
	Schedules hyperlocal.Schedules
}

// Run checks the store that newHarness opens, afresh for every case.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(t *testing.T, h Harness)
	}{
		{"pending is in order and complete", testPendingOrder},
		{"pending pages through a shard", testPendingPages},
		{"mark takes events out and is repeatable", testMark},
		{"a failure holds back its aggregate alone", testFailure},
		{"stuck events wait for a person", testStuck},
		{"prune removes what was published long ago", testPrune},
		{"schedules move when they are due", testSchedules},
		{"statistics", testStatistics},
		{"two relays share the shards", testLeases},
		{"a dead relay's shards come free", testLeaseExpiry},
		{"busy shards are not given away", testLeaseBusy},
		{"parked messages hold their aggregate for their consumer", testBlocked},
		{"the first of each aggregate is due", testDue},
		{"settle, postpone and retry", testParkedLife},
		{"parked messages page stably", testParkedPages},
		{"tenants are apart", testTenants},
		{"rollback leaves nothing", testRollback},
		{"a cancelled context changes nothing", testCancelled},
		{"any text survives", testText},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, newHarness(t))
		})
	}
}

const tenant = hyperlocal.TenantID("shop")

func noon() time.Time { return time.Date(2026, 5, 4, 12, 0, 0, 123456000, time.UTC) }

func event(aggregate string, version int64, n int) hyperlocal.Envelope {
	return hyperlocal.Envelope{
		ID: hyperlocal.RandomIDs{}.NewID(), Name: "order.changed", Version: 1, Tenant: tenant,
		Aggregate: hyperlocal.NewRef("order", aggregate), AggregateVersion: version, N: n,
		Time: noon().Add(-time.Minute), Correlation: "c", Causation: "d", TraceParent: "00-1-2-01",
		Actor: hyperlocal.System("test"), Payload: json.RawMessage(`{"n":1}`),
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h Harness) add(t *testing.T, events ...hyperlocal.Envelope) {
	t.Helper()
	must(t, h.Tx.WithinTx(t.Context(), func(ctx context.Context) error { return h.Outbox.Append(ctx, events...) }))
}

// all returns everything pending, shard by shard.
func (h Harness) all(t *testing.T, now time.Time) []queue.Pending {
	t.Helper()
	windows := make([]queue.Window, queue.Shards)
	for i := range windows {
		windows[i].Shard = i
	}
	rows, err := h.Queue.Pending(t.Context(), now, 1000, windows...)
	must(t, err)
	return rows
}

func (h Harness) mark(t *testing.T, events ...hyperlocal.Envelope) {
	t.Helper()
	places := make([]queue.Place, len(events))
	for i, e := range events {
		places[i] = queue.PlaceOf(e)
	}
	must(t, h.Queue.Mark(t.Context(), noon(), places, nil))
}

func (h Harness) fail(t *testing.T, e hyperlocal.Envelope, attempts int, next time.Time) {
	t.Helper()
	must(t, h.Queue.Mark(t.Context(), noon(), nil, []queue.Failure{{Place: queue.PlaceOf(e), Attempts: attempts, NextTry: next, Error: "no"}}))
}

// same compares what of an envelope a store has to keep: everything.
func same(t *testing.T, got, want hyperlocal.Envelope) {
	t.Helper()
	g, err := json.Marshal(got)
	must(t, err)
	w, err := json.Marshal(want)
	must(t, err)
	if string(g) != string(w) {
		t.Errorf("got  %s\nwant %s", g, w)
	}
}

// sameEvents compares ids.
func sameEvents(t *testing.T, what string, got []queue.Pending, want ...hyperlocal.Envelope) {
	t.Helper()
	left := make(map[string]bool, len(want))
	for _, e := range want {
		left[e.ID] = true
	}
	for _, p := range got {
		if !left[p.Envelope.ID] {
			t.Errorf("%s: unexpected %s", what, describe(p.Envelope))
		}
		delete(left, p.Envelope.ID)
	}
	for _, e := range want {
		if left[e.ID] {
			t.Errorf("%s: %s is missing", what, describe(e))
		}
	}
}

func describe(e hyperlocal.Envelope) string {
	return fmt.Sprintf("%s %s %d.%d", e.Tenant, e.Aggregate, e.AggregateVersion, e.N)
}

// ordered fails if an event comes after a later one of its aggregate, or aggregates are mixed.
func ordered(t *testing.T, rows []queue.Pending) {
	t.Helper()
	last := make(map[queue.Aggregate]queue.Place)
	var current queue.Aggregate
	for _, row := range rows {
		p := queue.PlaceOf(row.Envelope)
		before, seen := last[p.Aggregate]
		if seen && !before.Before(p) {
			t.Errorf("%s comes after version %d.%d", describe(row.Envelope), before.Version, before.N)
		}
		if seen && current != p.Aggregate {
			t.Errorf("the events of %s are not together", p.Ref)
		}
		last[p.Aggregate], current = p, p.Aggregate
	}
}
