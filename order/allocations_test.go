//go:build !race

// The race detector has pools forget what they keep, so allocations are counted without it.

package order_test

import "testing"

// A placement in a batch makes fifteen allocations: seven ids, the number, the digest and its
// text, the caller's name, the lines, the payload of the event, and its share of the batch's.
// Whoever adds to that adds to every order.
//
// Not parallel, because AllocsPerRun counts for the whole process.
//
//nolint:paralleltest // see above
func TestPlacementAllocations(t *testing.T) {
	const size, limit = 100, 16.0
	shop, batch := placements(t, size)
	n := testing.AllocsPerRun(20, func() {
		if _, err := shop.PlaceMany(t.Context(), batch); err != nil {
			t.Error(err)
		}
	})
	if n/size > limit {
		t.Errorf("an order makes %.1f allocations, want at most %v", n/size, limit)
	}
}
