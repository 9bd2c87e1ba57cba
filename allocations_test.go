//go:build !race

// The race detector has pools forget what they keep, so allocations are counted without it.

package hyperlocal_test

import "testing"

// Not parallel, because AllocsPerRun counts for the whole process.
//
//nolint:paralleltest // see above
func TestPureAllocations(t *testing.T) {
	for _, p := range pures(t) {
		if err := p.do(); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		got := testing.AllocsPerRun(200, func() { _ = p.do() })
		if got > p.allocations {
			t.Errorf("%s makes %v allocations, want at most %v", p.name, got, p.allocations)
		}
	}
}
