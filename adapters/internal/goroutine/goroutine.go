// Package goroutine tells goroutines apart, for one purpose: to name a mistake (a
// transaction opened inside another one's closure with a context that lacks it) instead of
// waiting for ever. Nothing else may depend on it.
package goroutine

import "runtime"

// ID returns a number that is unique among the goroutines alive now. It reads the first
// line of the caller's stack trace, "goroutine 123 [running]:", which costs about a
// microsecond. It returns 0 if that line ever changes its form; callers then skip their check.
func ID() uint64 {
	var buf [40]byte
	line := buf[:runtime.Stack(buf[:], false)]
	const prefix = "goroutine "
	if len(line) < len(prefix) || string(line[:len(prefix)]) != prefix {
		return 0
	}
	var id uint64
	for _, c := range line[len(prefix):] {
		if c < '0' || c > '9' {
			break
		}
		id = id*10 + uint64(c-'0')
	}
	return id
}
