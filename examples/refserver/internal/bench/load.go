package bench

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Sample is what one run of a load measured.
type Sample struct {
	Calls         int
	Elapsed       time.Duration
	P50, P95, P99 time.Duration
}

// PerSecond is the rate of successful calls.
func (s Sample) PerSecond() float64 {
	if s.Elapsed <= 0 {
		return 0
	}
	return float64(s.Calls) / s.Elapsed.Seconds()
}

// call makes one call as the given client. pick(n) is a random number in [0, n).
type call func(ctx context.Context, client int, pick func(n int) int) error

// run calls f from every client without a pause: first for warm, then measured for length. In
// between, while the clients go on, settle (if any) has the database look at what it holds by
// now. The first error ends the run.
func run(ctx context.Context, clients int, warm, length time.Duration, settle func(context.Context) error, f call) (Sample, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var measuring, over atomic.Bool
	taken := make([][]time.Duration, clients)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			pick := picker()
			mine := make([]time.Duration, 0, 1<<14)
			for !over.Load() && ctx.Err() == nil {
				counted := measuring.Load()
				began := hyperlocal.Stopwatch()
				if err := f(ctx, c, pick); err != nil {
					stop(err)
					break
				}
				if counted {
					mine = append(mine, hyperlocal.Since(began))
				}
			}
			taken[c] = mine
		})
	}
	wait(ctx, warm)
	if settle != nil {
		if err := settle(ctx); err != nil {
			stop(err)
		}
		wait(ctx, warm/2) // statements are planned anew
	}
	measuring.Store(true)
	began := hyperlocal.Stopwatch()
	wait(ctx, length)
	over.Store(true)
	wg.Wait()
	s := Sample{Elapsed: hyperlocal.Since(began)} // with the last calls, which are counted
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return s, err
	}
	if err := ctx.Err(); err != nil {
		return s, err
	}
	all := slices.Concat(taken...)
	slices.Sort(all)
	s.Calls = len(all)
	s.P50, s.P95, s.P99 = quantile(all, 50), quantile(all, 95), quantile(all, 99)
	return s, nil
}

// quantile returns the smallest value that at least percent of the sorted values do not exceed.
func quantile(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, (len(sorted)*percent+99)/100-1)]
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// picker returns a small fast generator (xorshift64*, Vigna 2016) of its own, seeded from
// the module's source of randomness.
func picker() func(n int) int {
	state := hyperlocal.RandomUint64() | 1
	return func(n int) int {
		state ^= state >> 12
		state ^= state << 25
		state ^= state >> 27
		return int((state * 2685821657736338717 >> 1) % uint64(max(n, 1)) & math.MaxInt)
	}
}

// pair picks two different items of n, the smaller first, so that rows are locked in one
// order. With one item there is one hot item: it comes last, so that its lock is held
// shortest, and the other is any of the rest.
func pair(pick func(int) int, n int) (first, last int) {
	if n == 1 {
		return 1 + pick(Items-1), 0
	}
	a := pick(n)
	b := pick(n - 1)
	if b >= a {
		b++
	}
	return min(a, b), max(a, b)
}

// Items is how many items are in stock during a run.
const Items = 10_000
