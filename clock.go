package hyperlocal

import "time"

// Clock tells the time. It is injected everywhere, so that tests and simulations own time.
type Clock interface {
	// Now returns the present instant in UTC, truncated to microseconds: the finest step
	// that both PostgreSQL and SQLite keep.
	Now() time.Time
}

// SystemClock is the machine's clock.
type SystemClock struct{}

// Now implements [Clock].
func (SystemClock) Now() time.Time { return Instant(time.Now()) }

// ClockFunc adapts a function to [Clock].
type ClockFunc func() time.Time

// Now implements [Clock].
func (f ClockFunc) Now() time.Time { return Instant(f()) }

// Instant brings a time into the form in which it is stored: UTC, whole microseconds,
// without a monotonic reading.
func Instant(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// Since returns how long ago t was by the machine's monotonic clock; for durations in
// metrics and progress reports only, never for a rule.
func Since(t time.Time) time.Duration { return time.Since(t) }

// Stopwatch returns a reading of the machine's clock for [Since].
func Stopwatch() time.Time { return time.Now() }
