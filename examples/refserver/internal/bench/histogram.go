package bench

import (
	"math/bits"
	"time"
)

// fine is how many parts a power of two is divided into, as a power of two: a time that is
// read back is at most 1/64 above the measured one.
const fine = 6

// histogram counts times in a memory that does not grow with their number: exact below 64 ns,
// then in 64 parts per power of two.
type histogram struct {
	counts [(64 - fine) << fine]uint32
	total  int
}

func slot(nanos uint64) int {
	if nanos < 1<<fine {
		return int(nanos) //nolint:gosec // below 64
	}
	power := bits.Len64(nanos) - fine - 1  // at least 0
	return power<<fine + int(nanos>>power) //nolint:gosec // the second part is below 128
}

// upper is the longest time that slot n counts.
func upper(n int) time.Duration {
	if n < 2<<fine {
		return time.Duration(n)
	}
	power := n>>fine - 1
	mantissa := n&(1<<fine-1) | 1<<fine
	return time.Duration((mantissa+1)<<power - 1)
}

// add counts a time; one below zero counts as zero.
func (h *histogram) add(d time.Duration) {
	h.counts[slot(uint64(max(d, 0)))]++
	h.total++
}

// merge counts everything that other has counted.
func (h *histogram) merge(other *histogram) {
	for i, n := range &other.counts {
		h.counts[i] += n
	}
	h.total += other.total
}

// quantile returns a time that at least percent of those counted do not exceed, 0 when nothing
// was counted.
func (h *histogram) quantile(percent int) time.Duration {
	wanted, seen := (h.total*percent+99)/100, 0
	for i, n := range &h.counts {
		if seen += int(n); n > 0 && seen >= wanted {
			return upper(i)
		}
	}
	return 0
}
