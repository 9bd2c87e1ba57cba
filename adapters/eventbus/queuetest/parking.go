package queuetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
)

func parked(consumer string, e hyperlocal.Envelope, due time.Time) queue.Parked {
	return queue.Parked{Consumer: consumer, Envelope: e, Attempts: 3, Due: due, LastError: "no", At: noon()}
}

func (h Harness) park(t *testing.T, messages ...queue.Parked) {
	t.Helper()
	must(t, h.Queue.Park(t.Context(), messages...))
}

func (h Harness) due(t *testing.T, now time.Time, consumers ...string) []string {
	t.Helper()
	rows, err := h.Queue.Due(t.Context(), now, 100, consumers...)
	must(t, err)
	ids := make([]string, len(rows))
	for i, p := range rows {
		ids[i] = p.Envelope.ID
	}
	return ids
}

func testBlocked(t *testing.T, h Harness) {
	a1, a2, a3, b1, c1 := event("a", 1, 0), event("a", 1, 1), event("a", 2, 0), event("b", 1, 0), event("c", 1, 0)
	blocked := func(consumer string, want ...bool) {
		t.Helper()
		got, err := h.Queue.Blocked(t.Context(), consumer, a1, a2, a3, b1, c1)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: blocked %v, %v; want %v", consumer, got, err, want)
		}
		for i, e := range []hyperlocal.Envelope{a1, a2, a3, b1, c1} {
			if got, err := h.Queue.Blocked(t.Context(), consumer, e); err != nil || !slices.Equal(got, want[i:i+1]) {
				t.Errorf("%s: event %d alone is blocked: %v, %v; want %v", consumer, i, got, err, want[i])
			}
		}
	}
	blocked("m", false, false, false, false, false)
	dead := parked("m", c1, noon())
	dead.Dead = true
	h.park(t, parked("m", a2, noon()), dead)
	blocked("m", false, true, true, false, true) // not what comes before; a dead one itself, but nothing behind it
	blocked("other", false, false, false, false, false)
	c2 := event("c", 2, 0)
	if got, err := h.Queue.Blocked(t.Context(), "m", c2); err != nil || got[0] {
		t.Errorf("an event waits behind a dead one: %v, %v", got, err)
	}
	if got, err := h.Queue.Blocked(t.Context(), "m"); err != nil || len(got) != 0 {
		t.Errorf("nothing is blocked: %v, %v", got, err)
	}
}

func testDue(t *testing.T, h Harness) {
	a1, a2, b1, c1 := event("a", 1, 0), event("a", 2, 0), event("b", 1, 0), event("c", 1, 0)
	h.park(t, parked("m", a2, noon().Add(-time.Hour)), parked("m", a1, noon()), parked("m", b1, noon().Add(-time.Minute)),
		parked("n", c1, noon()))
	if got := h.due(t, noon(), "m"); !slices.Equal(got, []string{b1.ID, a1.ID}) {
		t.Errorf("due: %v", got)
	}
	if got := h.due(t, noon(), "n", "m", "unknown"); len(got) != 3 {
		t.Errorf("due for both consumers: %v", got)
	}
	if got := h.due(t, noon().Add(-time.Microsecond), "n"); len(got) != 0 {
		t.Errorf("due too early: %v", got)
	}
	if got := h.due(t, noon()); len(got) != 0 {
		t.Errorf("due for nobody: %v", got)
	}
	must(t, h.Queue.Settle(t.Context(), queue.Consumed{Consumer: "m", Tenant: tenant, EventID: a1.ID}))
	if got := h.due(t, noon(), "m"); !slices.Equal(got, []string{a2.ID, b1.ID}) {
		t.Errorf("due once the first was settled: %v", got)
	}
	if rows, err := h.Queue.Due(t.Context(), noon(), 1, "m"); err != nil || len(rows) != 1 {
		t.Errorf("%d rows, %v for a limit of 1", len(rows), err)
	} else {
		same(t, rows[0].Envelope, a2)
	}
}

func testParkedLife(t *testing.T, h Harness) {
	a := event("a", 1, 0)
	h.park(t, parked("m", a, noon()))
	again := parked("m", a, noon().Add(time.Hour))
	again.Attempts = 0
	h.park(t, again) // stays as it was
	if got := h.due(t, noon(), "m"); len(got) != 1 {
		t.Fatalf("due: %v", got)
	}
	failed := parked("m", a, noon().Add(time.Minute))
	failed.Attempts, failed.LastError = 4, "still not"
	must(t, h.Queue.Postpone(t.Context(), failed))
	failed.Due = noon().Add(time.Hour)
	must(t, h.Queue.Postpone(t.Context(), failed)) // another process had the same try: no effect
	if got := h.due(t, noon(), "m"); len(got) != 0 {
		t.Errorf("due before its time: %v", got)
	}
	rows, err := h.Queue.Due(t.Context(), noon().Add(time.Minute), 10, "m")
	if err != nil || len(rows) != 1 || rows[0].Attempts != 4 || rows[0].LastError != "still not" || rows[0].Dead || !rows[0].At.Equal(noon()) {
		t.Fatalf("after a failed try: %+v, %v", rows, err)
	}
	failed.Attempts, failed.Dead = 5, true
	must(t, h.Queue.Postpone(t.Context(), failed))
	if got := h.due(t, noon().Add(1000*time.Hour), "m"); len(got) != 0 {
		t.Errorf("a dead one is due: %v", got)
	}
	n, err := h.Queue.Retry(t.Context(), noon(), failed.ID(), queue.Consumed{Consumer: "m", Tenant: tenant, EventID: "unknown"})
	if n != 1 || err != nil {
		t.Errorf("Retry: %d, %v", n, err)
	}
	rows, err = h.Queue.Due(t.Context(), noon(), 10, "m")
	if err != nil || len(rows) != 1 || rows[0].Attempts != 0 || rows[0].Dead {
		t.Errorf("after Retry: %+v, %v", rows, err)
	}
	must(t, h.Queue.Settle(t.Context(), failed.ID(), failed.ID()))
	must(t, h.Queue.Settle(t.Context()))
	if got := h.due(t, noon(), "m"); len(got) != 0 {
		t.Errorf("due after it was settled: %v", got)
	}
}

func testParkedPages(t *testing.T, h Harness) {
	for i := range 9 {
		p := parked("m", event(fmt.Sprint("a", i), 1, 0), noon())
		p.At = noon().Add(time.Duration(i/3) * time.Microsecond)
		p.Dead = i%2 == 0
		h.park(t, p)
	}
	h.park(t, parked("n", event("n", 1, 0), noon()))
	list := func(f queue.Filter) []queue.Parked {
		t.Helper()
		f.Tenant = tenant
		rows, err := h.Queue.Parked(t.Context(), f)
		must(t, err)
		return rows
	}
	seen := make(map[string]bool)
	var last queue.Parked
	for {
		page := list(queue.Filter{After: last, Limit: 2})
		if len(page) == 0 {
			break
		}
		if len(page) > 2 {
			t.Fatalf("%d rows for a limit of 2", len(page))
		}
		for _, p := range page {
			if seen[p.Envelope.ID] {
				t.Fatal("a message was listed twice")
			}
			seen[p.Envelope.ID] = true
		}
		last = page[len(page)-1]
		if len(seen) == 4 { // what is added before the present page shows on none of the later ones
			p := parked("l", event("l", 1, 0), noon())
			h.park(t, p)
		}
	}
	if len(seen) != 10 {
		t.Errorf("listed %d messages, want 10", len(seen))
	}
	if n := len(list(queue.Filter{Consumer: "n", Limit: 100})); n != 1 {
		t.Errorf("%d messages of one consumer", n)
	}
	if n := len(list(queue.Filter{DeadOnly: true, Limit: 100})); n != 5 {
		t.Errorf("%d dead messages", n)
	}
}

func testTenants(t *testing.T, h Harness) {
	mine, theirs := event("a", 1, 0), event("a", 1, 0)
	theirs.Tenant = "other"
	theirs2 := event("a", 2, 0)
	theirs2.Tenant = "other"
	h.add(t, mine, theirs)
	h.fail(t, mine, 1, noon().Add(time.Hour))
	sameEvents(t, "one tenant's failure holds nobody else", h.all(t, noon()), theirs)
	h.park(t, parked("m", mine, noon()))
	if got, err := h.Queue.Blocked(t.Context(), "m", theirs2); err != nil || got[0] {
		t.Errorf("blocked by another tenant's message: %v, %v", got, err)
	}
	foreign := queue.Consumed{Consumer: "m", Tenant: "other", EventID: mine.ID}
	if n, err := h.Queue.Retry(t.Context(), noon(), foreign); n != 0 || err != nil {
		t.Errorf("Retry across tenants: %d, %v", n, err)
	}
	must(t, h.Queue.Settle(t.Context(), foreign))
	if got := h.due(t, noon(), "m"); len(got) != 1 {
		t.Error("another tenant settled a message")
	}
	if rows, err := h.Queue.Parked(t.Context(), queue.Filter{Tenant: "other", Limit: 10}); err != nil || len(rows) != 0 {
		t.Errorf("another tenant's list: %v, %v", rows, err)
	}
}

func testRollback(t *testing.T, h Harness) {
	a, b := event("a", 1, 0), event("b", 1, 0)
	h.add(t, a, b)
	h.park(t, parked("m", a, noon()))
	stop := errors.New("stop")
	err := h.Tx.WithinTx(t.Context(), func(ctx context.Context) error {
		must(t, h.Queue.Park(ctx, parked("m", b, noon())))
		must(t, h.Queue.Settle(ctx, queue.Consumed{Consumer: "m", Tenant: tenant, EventID: a.ID}))
		must(t, h.Queue.Mark(ctx, noon(), []queue.Place{queue.PlaceOf(a)}, nil))
		rows, err := h.Queue.Due(ctx, noon(), 10, "m")
		if err != nil || len(rows) != 1 || rows[0].Envelope.ID != b.ID {
			t.Errorf("inside the transaction: %+v, %v", rows, err)
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if got := h.due(t, noon(), "m"); !slices.Equal(got, []string{a.ID}) {
		t.Errorf("after the rollback: %v", got)
	}
	sameEvents(t, "after the rollback", h.all(t, noon()), a, b)
}

func testCancelled(t *testing.T, h Harness) {
	a := event("a", 1, 0)
	h.add(t, a)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Queue.Mark(ctx, noon(), []queue.Place{queue.PlaceOf(a)}, nil); !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) {
		t.Errorf("Mark: %v", err)
	}
	if _, err := h.Queue.Lease(ctx, "a", noon(), noon().Add(time.Second), nil); !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) {
		t.Errorf("Lease: %v", err)
	}
	if err := h.Queue.Park(ctx, parked("m", a, noon())); !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) {
		t.Errorf("Park: %v", err)
	}
	sameEvents(t, "pending", h.all(t, noon()), a)
	if got := h.due(t, noon(), "m"); len(got) != 0 {
		t.Errorf("parked: %v", got)
	}
}

func testText(t *testing.T, h Harness) {
	a := event("größe/日本 'x\" %_\\", 1, 0)
	a.Payload = []byte(`{"text":"\u00e9 😀 <&> \\ ' \" \u2028"}`)
	h.add(t, a)
	rows := h.all(t, noon())
	if len(rows) != 1 {
		t.Fatalf("%d pending", len(rows))
	}
	if string(rows[0].Envelope.Payload) != string(a.Payload) {
		t.Errorf("the payload changed to %s", rows[0].Envelope.Payload)
	}
	p := parked("m", a, noon())
	p.LastError = "日本 \x00 \xff " + strings.Repeat("ü", queue.MaxError)
	h.park(t, p)
	got, err := h.Queue.Parked(t.Context(), queue.Filter{Tenant: tenant, Limit: 1})
	must(t, err)
	if len(got) != 1 || len(got[0].LastError) > queue.MaxError || !strings.HasPrefix(got[0].LastError, "日本") {
		t.Fatalf("parked as %+v", got)
	}
	var g, w map[string]string
	must(t, got[0].Envelope.Decode(&g))
	must(t, a.Decode(&w))
	if g["text"] != w["text"] {
		t.Errorf("the parked payload says %q, want %q", g["text"], w["text"])
	}
	must(t, h.Queue.Mark(t.Context(), noon(), nil, []queue.Failure{{Place: queue.PlaceOf(a), Attempts: 1, NextTry: noon(), Error: p.LastError}}))
	if rows := h.all(t, noon()); len(rows) != 1 || rows[0].Attempts != 1 {
		t.Errorf("after a failure: %+v", rows)
	}
}
