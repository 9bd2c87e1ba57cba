package bench

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestHistogramIsCloseToTheTruth compares with the sorted list of all times.
func TestHistogramIsCloseToTheTruth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.Int64Range(0, int64(48*time.Hour)), 1, 300).Draw(t, "times")
		var whole, first, second histogram
		for i, d := range times {
			whole.add(time.Duration(d))
			if i%2 == 0 {
				first.add(time.Duration(d))
			} else {
				second.add(time.Duration(d))
			}
		}
		first.merge(&second)
		slices.Sort(times)
		for _, percent := range []int{1, 50, 95, 99, 100} {
			want := times[max(0, (len(times)*percent+99)/100-1)]
			got := int64(whole.quantile(percent))
			if got < want || got > want+want/64 {
				t.Errorf("%d %%: %d, want %d", percent, got, want)
			}
			if merged := int64(first.quantile(percent)); merged != got {
				t.Errorf("%d %%: merged %d, whole %d", percent, merged, got)
			}
		}
	})
}

func TestHistogramCountsTheExtremes(t *testing.T) {
	t.Parallel()
	var h histogram
	if h.quantile(50) != 0 {
		t.Error("nothing counted has a time")
	}
	h.add(-time.Second)
	h.add(1<<63 - 1)
	if h.quantile(1) != 0 || h.quantile(100) != 1<<63-1 {
		t.Errorf("%d, %d", h.quantile(1), h.quantile(100))
	}
}
