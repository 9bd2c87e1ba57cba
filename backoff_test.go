package hyperlocal_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func TestBackoffGrowsAndEnds(t *testing.T) {
	t.Parallel()
	b := hyperlocal.Backoff{MaxAttempts: 5, Base: time.Second, Max: 5 * time.Second}
	want := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second}
	for i, w := range want {
		if got, ok := b.Next(i+1, 0); !ok || got != w {
			t.Errorf("after attempt %d: %v, %v, want %v", i+1, got, ok, w)
		}
	}
	for _, done := range []int{5, 6, 0, -1} {
		if _, ok := b.Next(done, 0); ok {
			t.Errorf("after attempt %d: another attempt is allowed", done)
		}
	}
	if _, ok := (hyperlocal.Backoff{}).Next(1, 0); ok {
		t.Error("the zero value retries")
	}
}

func TestBackoffStaysInBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := hyperlocal.Backoff{
			MaxAttempts: rapid.IntRange(2, 200).Draw(t, "attempts"),
			Base:        time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "base")),
			Max:         time.Duration(rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, "max")),
			Jitter:      rapid.IntRange(-5, 120).Draw(t, "jitter"),
		}
		n := rapid.IntRange(1, b.MaxAttempts-1).Draw(t, "n")
		gap, ok := b.Next(n, rapid.Uint64().Draw(t, "random"))
		if !ok || gap < 0 || gap > b.Max {
			t.Fatalf("%+v after %d: %v, %v", b, n, gap, ok)
		}
	})
}
