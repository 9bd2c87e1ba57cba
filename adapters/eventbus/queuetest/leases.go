package queuetest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
)

func (h Harness) lease(t *testing.T, owner string, now time.Time, busy ...int) []int {
	t.Helper()
	held, err := h.Queue.Lease(t.Context(), owner, now, now.Add(15*time.Second), busy)
	must(t, err)
	if !slices.IsSorted(held) {
		t.Errorf("%s holds %v, which is not ascending", owner, held)
	}
	return held
}

func apart(t *testing.T, a, b []int) {
	t.Helper()
	for _, shard := range a {
		if slices.Contains(b, shard) {
			t.Errorf("two relays hold shard %d", shard)
		}
	}
}

func testLeases(t *testing.T, h Harness) {
	if all := h.lease(t, "a", noon()); len(all) != queue.Shards {
		t.Fatalf("a relay alone holds %d shards", len(all))
	}
	if none := h.lease(t, "b", noon()); len(none) != 0 {
		t.Fatalf("the second relay took %v", none)
	}
	a := h.lease(t, "a", noon().Add(time.Second))
	b := h.lease(t, "b", noon().Add(time.Second))
	if len(a) != queue.Shards/2 || len(b) != queue.Shards/2 {
		t.Errorf("the relays hold %d and %d shards", len(a), len(b))
	}
	apart(t, a, b)
	must(t, h.Queue.Release(t.Context(), "a"))
	if all := h.lease(t, "b", noon().Add(2*time.Second)); len(all) != queue.Shards {
		t.Errorf("after the other relay has gone, one holds %d shards", len(all))
	}

	var wg sync.WaitGroup
	held := make([][]int, 4)
	for i := range held {
		wg.Go(func() {
			name := string(rune('p' + i))
			for round := range 5 {
				held[i] = h.lease(t, name, noon().Add(time.Duration(30+round)*time.Second))
			}
		})
	}
	wg.Wait()
	for i := range held { // once more, now that all are known to each other
		held[i] = h.lease(t, string(rune('p'+i)), noon().Add(35*time.Second))
	}
	for i := range held {
		held[i] = h.lease(t, string(rune('p'+i)), noon().Add(36*time.Second))
		if len(held[i]) != queue.Shards/4 {
			t.Errorf("one of four relays holds %d shards", len(held[i]))
		}
		for j := range i {
			apart(t, held[i], held[j])
		}
	}
}

func testLeaseExpiry(t *testing.T, h Harness) {
	h.lease(t, "a", noon())
	if early := h.lease(t, "b", noon().Add(14*time.Second)); len(early) != 0 {
		t.Errorf("taken before the lease ran out: %v", early)
	}
	if all := h.lease(t, "b", noon().Add(15*time.Second)); len(all) != queue.Shards {
		t.Errorf("after the lease ran out: %v", all)
	}
}

func testLeaseBusy(t *testing.T, h Harness) {
	h.lease(t, "a", noon())
	h.lease(t, "b", noon())
	busy := []int{31, 30, 29}
	a := h.lease(t, "a", noon().Add(time.Second), busy...)
	for _, shard := range busy {
		if !slices.Contains(a, shard) {
			t.Errorf("shard %d was given away while it was being published", shard)
		}
	}
	apart(t, a, h.lease(t, "b", noon().Add(time.Second)))
}
