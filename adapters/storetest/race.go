//go:build race

package storetest

// crowdShare divides the largest crowds: the race detector follows at most 8128 goroutines.
const crowdShare = 5
