package hyperlocal

import "time"

// Backoff is a retry schedule as a value: exponential from Base to Max, with Jitter.
// The zero value means: do not retry.
type Backoff struct {
	MaxAttempts int           // attempts in all, the first one included
	Base        time.Duration // gap after the first attempt
	Max         time.Duration // longest gap
	Jitter      int           // percent by which a gap may be shortened, 0 to 100
}

// Next returns the gap after the given number of attempts (1 for the first), and false when
// no attempt is left. random decides the jitter.
func (b Backoff) Next(attempts int, random uint64) (time.Duration, bool) {
	if attempts < 1 || attempts >= b.MaxAttempts {
		return 0, false
	}
	gap := b.Base
	for range attempts - 1 {
		if gap >= b.Max/2 {
			gap = b.Max
			break
		}
		gap *= 2
	}
	gap = min(gap, b.Max)
	if j := min(max(b.Jitter, 0), 100); j > 0 && gap > 0 {
		spread := int64(gap) / 100 * int64(j)
		if spread > 0 {
			gap -= time.Duration(random % uint64(spread))
		}
	}
	return gap, true
}
