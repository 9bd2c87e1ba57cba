package bench

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Sample is what one run of a load measured.
type Sample struct {
	Calls   int
	Elapsed time.Duration
	times   histogram
}

// PerSecond is the rate of successful calls.
func (s *Sample) PerSecond() float64 {
	if s.Elapsed <= 0 {
		return 0
	}
	return float64(s.Calls) / s.Elapsed.Seconds()
}

// add counts another run of the same load.
func (s *Sample) add(other *Sample) {
	s.Calls += other.Calls
	s.Elapsed += other.Elapsed
	s.times.merge(&other.times)
}

// call makes one call as the given client. pick(n) is a random number in [0, n).
type call func(ctx context.Context, client int, pick func(n int) int) error

// load is how a call is repeated.
type load struct {
	clients int
	warm    time.Duration // before anything is measured
	length  time.Duration
	// settle, if any, has the database look at what it holds between warming up and measuring,
	// while the clients go on.
	settle func(ctx context.Context) error
	// begin and end, if any, are called around what is measured.
	begin, end func(ctx context.Context) error
}

func (o Options) load() load {
	return load{clients: o.Clients, warm: o.Duration / 5, length: o.Duration}
}

// measured has m measure what is measured of the load.
func (l load) measured(m *meter) load {
	l.settle, l.begin, l.end = m.room.settle, m.begin, m.end
	return l
}

// run calls f from every client without a pause: first to warm up, then measured. The first
// error ends the run.
func (l load) run(ctx context.Context, f call) (*Sample, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var measuring, over atomic.Bool
	taken := make([]*histogram, l.clients)
	var wg sync.WaitGroup
	for c := range l.clients {
		wg.Go(func() {
			pick := picker()
			mine := &histogram{}
			for !over.Load() && ctx.Err() == nil {
				counted := measuring.Load()
				began := hyperlocal.Stopwatch()
				if err := f(ctx, c, pick); err != nil {
					stop(err)
					break
				}
				if counted {
					mine.add(hyperlocal.Since(began))
				}
			}
			taken[c] = mine
		})
	}
	at := func(moment func(context.Context) error) {
		if moment != nil && ctx.Err() == nil {
			if err := moment(ctx); err != nil {
				stop(err)
			}
		}
	}
	wait(ctx, l.warm)
	if l.settle != nil {
		at(l.settle)
		wait(ctx, l.warm/2) // statements are planned anew
	}
	at(l.begin)
	measuring.Store(true)
	began := hyperlocal.Stopwatch()
	wait(ctx, l.length)
	over.Store(true)
	wg.Wait()
	s := &Sample{Elapsed: hyperlocal.Since(began)} // with the last calls, which are counted
	at(l.end)
	if err := context.Cause(ctx); err != nil {
		return s, err
	}
	for _, mine := range taken {
		s.times.merge(mine)
	}
	s.Calls = s.times.total
	if s.Calls == 0 {
		return s, errNothing
	}
	return s, nil
}

var errNothing = errors.New("not one call ended in time; measure for longer, with --duration")

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
