package queuetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
)

func testPendingOrder(t *testing.T, h Harness) {
	// Inserted backwards, with ids and times that say the opposite.
	var want []hyperlocal.Envelope
	for a := range 20 {
		for v := int64(12); v > 0; v-- {
			for n := 1; n >= 0; n-- {
				e := event(fmt.Sprint("o", a), v, n)
				e.Time = noon().Add(-time.Duration(v) * time.Hour)
				want = append(want, e)
			}
		}
	}
	h.add(t, want...)
	rows := h.all(t, noon())
	sameEvents(t, "pending", rows, want...)
	ordered(t, rows)
	for _, row := range rows {
		if row.Attempts != 0 || !row.NextTry.IsZero() || row.LastError != "" {
			t.Errorf("a new event has %+v", row)
		}
		for _, e := range want {
			if e.ID == row.Envelope.ID {
				same(t, row.Envelope, e)
			}
		}
	}
}

func testPendingPages(t *testing.T, h Harness) {
	byShard := make(map[int][]hyperlocal.Envelope)
	for a := range 60 {
		for v := range int64(5) {
			e := event(fmt.Sprint("o", a), v+1, 0)
			byShard[queue.Shard(e.PartitionKey())] = append(byShard[queue.Shard(e.PartitionKey())], e)
			h.add(t, e)
		}
	}
	for shard, want := range byShard {
		var got []queue.Pending
		after := queue.Aggregate{}
		for range 100 {
			rows, err := h.Queue.Pending(t.Context(), noon(), 7, queue.Window{Shard: shard, After: after})
			must(t, err)
			if len(rows) > 7 {
				t.Fatalf("%d rows for a limit of 7", len(rows))
			}
			if len(rows) == 0 {
				if after == (queue.Aggregate{}) {
					break
				}
				after = queue.Aggregate{}
				continue
			}
			ordered(t, rows)
			var places []queue.Place
			for _, row := range rows { // each page holds a prefix of what its aggregates have left
				places = append(places, queue.PlaceOf(row.Envelope))
				for _, e := range want {
					if queue.PlaceOf(e).Before(queue.PlaceOf(row.Envelope)) && !contains(got, e) && !contains(rows, e) {
						t.Fatalf("%s was left out before %s", describe(e), describe(row.Envelope))
					}
				}
			}
			got = append(got, rows...)
			must(t, h.Queue.Mark(t.Context(), noon(), places, nil))
			after = places[len(places)-1].Aggregate
		}
		sameEvents(t, fmt.Sprint("shard ", shard), got, want...)
	}
}

func contains(rows []queue.Pending, e hyperlocal.Envelope) bool {
	for _, row := range rows {
		if row.Envelope.ID == e.ID {
			return true
		}
	}
	return false
}

func testMark(t *testing.T, h Harness) {
	a, b, c := event("a", 1, 0), event("a", 2, 0), event("b", 1, 0)
	h.add(t, a, b, c)
	h.mark(t, a, c)
	h.mark(t, a)
	h.mark(t, event("unknown", 1, 0))
	h.fail(t, a, 3, noon().Add(time.Hour)) // too late: it was published
	sameEvents(t, "left", h.all(t, noon()), b)
	must(t, h.Queue.Mark(t.Context(), noon(), nil, nil))
}

func testFailure(t *testing.T, h Harness) {
	a1, a2, a3, b1 := event("a", 1, 0), event("a", 2, 0), event("a", 3, 0), event("b", 1, 0)
	h.add(t, a1, a2, a3, b1)
	h.fail(t, a2, 1, noon().Add(time.Minute))
	sameEvents(t, "before the next try", h.all(t, noon()), a1, b1)
	sameEvents(t, "at the next try", h.all(t, noon().Add(time.Minute)), a1, a2, a3, b1)
	for _, row := range h.all(t, noon().Add(time.Minute)) {
		if row.Envelope.ID == a2.ID && (row.Attempts != 1 || row.LastError != "no" || !row.NextTry.Equal(noon().Add(time.Minute))) {
			t.Errorf("the failure was kept as %+v", row)
		}
	}
}

func testStuck(t *testing.T, h Harness) {
	a1, a2, b1 := event("a", 1, 0), event("a", 2, 0), event("b", 1, 0)
	h.add(t, a1, a2, b1)
	h.fail(t, a1, queue.MaxAttempts, noon())
	never := noon().Add(1000 * time.Hour)
	sameEvents(t, "pending", h.all(t, never), b1)
	stuck, err := h.Queue.Stuck(t.Context(), 10)
	must(t, err)
	sameEvents(t, "stuck", stuck, a1)
	n, err := h.Queue.Revive(t.Context(), queue.PlaceOf(a1), queue.PlaceOf(a2), queue.PlaceOf(event("unknown", 1, 0)))
	if n != 1 || err != nil {
		t.Errorf("Revive: %d, %v; want 1", n, err)
	}
	sameEvents(t, "revived", h.all(t, noon()), a1, a2, b1)
}

func testPrune(t *testing.T, h Harness) {
	var events []hyperlocal.Envelope
	for i := range 10 {
		events = append(events, event("a", int64(i+1), 0))
	}
	h.add(t, events...)
	h.mark(t, events[:8]...)
	n, err := h.Queue.Prune(t.Context(), noon(), 100)
	if n != 0 || err != nil {
		t.Errorf("pruned %d at the moment of publishing, %v", n, err)
	}
	for _, want := range []int64{5, 3, 0} {
		n, err := h.Queue.Prune(t.Context(), noon().Add(time.Microsecond), 5)
		if n != want || err != nil {
			t.Errorf("pruned %d, %v; want %d", n, err, want)
		}
	}
	sameEvents(t, "left", h.all(t, noon()), events[8:]...)
}

func testSchedules(t *testing.T, h Harness) {
	own, a, b, later := event("a", 9, 0), event("a", 1, 0), event("a", 1, 0), event("a", 1, 0)
	h.add(t, own)
	schedule := func(key string, due time.Time, e hyperlocal.Envelope) {
		t.Helper()
		must(t, h.Tx.WithinTx(t.Context(), func(ctx context.Context) error {
			return h.Schedules.Schedule(ctx, hyperlocal.Scheduled{Key: key, Due: due, Envelope: e})
		}))
	}
	schedule("a", noon(), a)
	schedule("b", noon().Add(-time.Hour), b)
	schedule("later", noon().Add(time.Microsecond), later)
	move := func(now time.Time, limit, want int) {
		t.Helper()
		n, err := h.Queue.MoveDue(t.Context(), now, limit)
		if n != want || err != nil {
			t.Errorf("moved %d, %v; want %d", n, err, want)
		}
	}
	move(noon(), 1, 1)
	sameEvents(t, "the earliest first", h.all(t, noon()), own, b)
	move(noon(), 10, 1)
	move(noon(), 10, 0)
	rows := h.all(t, noon())
	sameEvents(t, "pending", rows, own, a, b)
	ordered(t, rows)
	if len(rows) == 3 && rows[0].Envelope.ID != own.ID {
		t.Error("a scheduled event comes before the aggregate's own, which could then be held up by it")
	}
	// The same key may be used again at the same moment.
	again := event("a", 1, 0)
	schedule("a", noon(), again)
	move(noon(), 10, 1)
	sameEvents(t, "pending", h.all(t, noon()), own, a, b, again)
}

func testStatistics(t *testing.T, h Harness) {
	want := func(what string, now time.Time, w queue.Statistics) {
		t.Helper()
		got, err := h.Queue.Statistics(t.Context(), now)
		must(t, err)
		if !got.Oldest.Equal(w.Oldest) {
			t.Errorf("%s: oldest %v, want %v", what, got.Oldest, w.Oldest)
		}
		got.Oldest, w.Oldest = time.Time{}, time.Time{}
		if got != w {
			t.Errorf("%s: %+v, want %+v", what, got, w)
		}
	}
	want("empty", noon(), queue.Statistics{})
	a1, a2, b1, c1 := event("a", 1, 0), event("a", 2, 0), event("b", 1, 0), event("c", 1, 0)
	b1.Time = noon().Add(-time.Hour)
	h.add(t, a1, a2, b1, c1)
	h.mark(t, c1)
	h.fail(t, a1, queue.MaxAttempts, noon())
	must(t, h.Tx.WithinTx(t.Context(), func(ctx context.Context) error {
		return h.Schedules.Schedule(ctx, hyperlocal.Scheduled{Key: "k", Due: noon(), Envelope: event("s", 1, 0)})
	}))
	p1, p2, p3 := event("a", 1, 0), event("a", 2, 0), event("b", 1, 0)
	must(t, h.Queue.Park(t.Context(),
		queue.Parked{Consumer: "m", Envelope: p1, Attempts: 3, Due: noon(), At: noon()},
		queue.Parked{Consumer: "m", Envelope: p2, Due: noon(), At: noon()},
		queue.Parked{Consumer: "m", Envelope: p3, Attempts: 10, Due: noon(), Dead: true, At: noon()}))
	want("in use", noon(), queue.Statistics{
		Pending: 1, Stuck: 2, Oldest: b1.Time, DueSchedules: 1, Parked: 2, ParkedDue: 1, Dead: 1,
	})
	want("a moment before", noon().Add(-time.Microsecond), queue.Statistics{
		Pending: 1, Stuck: 2, Oldest: b1.Time, Parked: 2, Dead: 1,
	})
}
