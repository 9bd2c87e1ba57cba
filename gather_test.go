package hyperlocal_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/hyperlocal-sdk/hyperlocal"
)

// sent is a call of these tests.
type sent struct {
	tenant TenantID
	n      int
}

func newGather(t *testing.T, c GatherConfig, commit func(context.Context, []sent) ([]int, error)) *Gather[sent, int] {
	t.Helper()
	g, err := NewGather(c, func(s sent) TenantID { return s.tenant }, commit)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// echo answers every call with its number.
func echo(calls []sent) []int {
	out := make([]int, len(calls))
	for i, c := range calls {
		out[i] = c.n
	}
	return out
}

// gate is a commit function that stops at every batch until it is told to go on.
type gate struct {
	batches chan []sent
	goOn    chan error
}

func newGate() *gate { return &gate{make(chan []sent), make(chan error)} }

func (g *gate) commit(_ context.Context, calls []sent) ([]int, error) {
	g.batches <- slices.Clone(calls)
	return echo(calls), <-g.goOn
}

func TestGatherAnswersEachWithItsOwn(t *testing.T) {
	t.Parallel()
	g := newGather(t, GatherConfig{Batch: 16}, func(_ context.Context, calls []sent) ([]int, error) {
		if len(calls) > 16 {
			t.Errorf("a batch of %d", len(calls))
		}
		return echo(calls), nil
	})
	var wg sync.WaitGroup
	for n := range 2000 {
		wg.Go(func() {
			if got, err := g.Do(t.Context(), sent{"a", n}); got != n || err != nil {
				t.Errorf("call %d was answered %d, %v", n, got, err)
			}
		})
	}
	wg.Wait()
	if err := g.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// In a bubble time goes on only when everybody waits: an idle Gather must not let it.
func TestGatherAloneNeverWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGather(t, GatherConfig{Wait: time.Second, Committers: 1}, func(_ context.Context, calls []sent) ([]int, error) {
			return echo(calls), nil
		})
		began := time.Now()
		for n := range 100 {
			if _, err := g.Do(t.Context(), sent{"a", n}); err != nil {
				t.Fatal(err)
			}
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("calls without company waited %s", waited)
		}
	})
}

func TestGatherWaitsForTheCrowdAndForgetsIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var sizes []int
		g := newGather(t, GatherConfig{Wait: time.Millisecond, Committers: 1}, func(_ context.Context, calls []sent) ([]int, error) {
			sizes = append(sizes, len(calls))
			time.Sleep(10 * time.Millisecond)
			return echo(calls), nil
		})
		var wg sync.WaitGroup
		for n := range 8 {
			wg.Go(func() {
				for range 4 {
					_, _ = g.Do(t.Context(), sent{"a", n})
					time.Sleep(100 * time.Microsecond) // the way back
				}
			})
		}
		wg.Wait()
		// One came first, the other seven while it was committed; from then on they come together.
		if largest := slices.Max(sizes); largest != 8 || len(sizes) > 6 {
			t.Errorf("batches of %v: the crowd does not go together", sizes)
		}
		for range 10 {
			_, _ = g.Do(t.Context(), sent{"a", 0})
		}
		began := time.Now()
		_, _ = g.Do(t.Context(), sent{"a", 0})
		if took := time.Since(began); took != 10*time.Millisecond {
			t.Errorf("long after the crowd a call takes %s", took)
		}
	})
}

func TestGatherTenantsTakeTurns(t *testing.T) {
	t.Parallel()
	for _, one := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			gt := newGate()
			g := newGather(t, GatherConfig{Batch: 4, Committers: 1, OneTenant: one}, gt.commit)
			call := func(tenant TenantID, n int) {
				go func() { _, _ = g.Do(t.Context(), sent{tenant, n}) }()
				synctest.Wait()
			}
			call("first", 0)
			<-gt.batches
			for n := range 10 {
				call("crowd", n)
			}
			call("b", 0)
			call("c", 0)
			var got []string
			for left := 12; left > 0; {
				gt.goOn <- nil
				batch := <-gt.batches
				left -= len(batch)
				names := make([]string, len(batch))
				for i, c := range batch {
					names[i] = string(c.tenant)
				}
				slices.Sort(names)
				got = append(got, strings.Join(names, " "))
			}
			gt.goOn <- nil
			want := []string{"b c crowd crowd", "crowd crowd crowd crowd", "crowd crowd crowd crowd"}
			if one {
				want = []string{"crowd crowd crowd crowd", "b", "c", "crowd crowd crowd crowd", "crowd crowd"}
			}
			if !slices.Equal(got, want) {
				t.Errorf("one tenant %t: got %q, want %q", one, got, want)
			}
			synctest.Wait()
		})
	}
}

func TestGatherLeaving(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gt := newGate()
		g := newGather(t, GatherConfig{Committers: 1}, gt.commit)
		if _, err := g.Do(ended(t), sent{"a", 9}); !errors.Is(err, ErrGaveUp) || !IsCode(err, CodeDeadline) {
			t.Errorf("a caller without time gets %v", err)
		}
		errs := make(chan error, 3)
		ctx, leave := context.WithCancel(t.Context())
		do := func(ctx context.Context, n int) {
			go func() { _, err := g.Do(ctx, sent{"a", n}); errs <- err }()
			synctest.Wait()
		}
		do(ctx, 0)
		<-gt.batches
		do(ctx, 1)
		do(t.Context(), 2)
		leave()
		got := []error{<-errs, <-errs}
		if !slices.ContainsFunc(got, func(err error) bool { return errors.Is(err, ErrLeftBehind) && IsCode(err, CodeUnknownOutcome) }) {
			t.Errorf("who left while his batch was under way: %v", got)
		}
		if !slices.ContainsFunc(got, func(err error) bool { return errors.Is(err, ErrGaveUp) && IsCode(err, CodeDeadline) }) {
			t.Errorf("who left before: %v", got)
		}
		gt.goOn <- nil
		if batch := <-gt.batches; len(batch) != 1 || batch[0].n != 2 {
			t.Errorf("the next batch is %v, want only the one who stayed", batch)
		}
		gt.goOn <- nil
		if err := <-errs; err != nil {
			t.Error(err)
		}
	})
}

func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestGatherBatchKeepsNobodysContext(t *testing.T) {
	t.Parallel()
	g := newGather(t, GatherConfig{}, func(ctx context.Context, calls []sent) ([]int, error) {
		if _, ok := ctx.Deadline(); ok || InTx(ctx) || ctx.Err() != nil {
			t.Error("the batch has a caller's context")
		}
		if _, ok := CauseFrom(ctx); ok {
			t.Error("the batch has a caller's cause")
		}
		return echo(calls), nil
	})
	ctx, cancel := context.WithTimeout(ContextWithCause(t.Context(), Cause{Correlation: "c"}), time.Minute)
	defer cancel()
	if _, err := g.Do(ctx, sent{"a", 1}); err != nil {
		t.Fatal(err)
	}
}

func TestGatherOverload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gt := newGate()
		g := newGather(t, GatherConfig{Committers: 1, Queue: 3}, gt.commit)
		for n := range 4 {
			go func() { _, _ = g.Do(t.Context(), sent{"a", n}) }()
			synctest.Wait()
			if n == 0 {
				<-gt.batches
			}
		}
		_, err := g.Do(t.Context(), sent{"a", 9})
		if !errors.Is(err, ErrOverloaded) || !IsCode(err, CodeExhausted) {
			t.Errorf("one more than may wait gets %v", err)
		}
		gt.goOn <- nil
		<-gt.batches
		gt.goOn <- nil
		synctest.Wait()
	})
}

func TestGatherCloseDrains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // a goroutine that is left fails the bubble
		gt := newGate()
		g := newGather(t, GatherConfig{Committers: 2, Wait: time.Hour / 3600}, gt.commit)
		errs := make(chan error, 5)
		for n := range 5 {
			go func() { _, err := g.Do(t.Context(), sent{"a", n}); errs <- err }()
		}
		synctest.Wait()
		<-gt.batches
		closed := make(chan error, 2)
		for range 2 {
			go func() { closed <- g.Close(t.Context()) }()
		}
		synctest.Wait()
		if _, err := g.Do(t.Context(), sent{"a", 9}); !errors.Is(err, ErrGatherClosed) || !IsCode(err, CodeUnavailable) {
			t.Errorf("after Close: %v", err)
		}
		if err := g.Close(ended(t)); !IsCode(err, CodeDeadline) {
			t.Errorf("an impatient Close: %v", err)
		}
		if len(closed) > 0 {
			t.Error("Close did not wait")
		}
		for answered := 0; answered < 5; {
			select {
			case gt.goOn <- nil:
			case <-gt.batches:
			case err := <-errs:
				answered++
				if err != nil {
					t.Errorf("one of those inside got %v", err)
				}
			}
		}
		for range 2 {
			if err := <-closed; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestGatherTriesSmaller(t *testing.T) {
	t.Parallel()
	bad := NewError(CodeConflict, "x/bad", "no")
	for name, c := range map[string]struct {
		fail    func(calls []sent) error
		wantErr func(n int) error
		most    int // commits of the batch of 32
	}{
		"one bad call": {
			func(calls []sent) error {
				if slices.ContainsFunc(calls, func(c sent) bool { return c.n == 7 }) {
					return bad
				}
				return nil
			},
			func(n int) error {
				if n == 7 {
					return bad
				}
				return nil
			}, 11, // six on the way down to it, five good neighbours
		},
		"nobody knows": {
			func([]sent) error { return NewError(CodeUnknownOutcome, "x/unknown", "") },
			func(int) error { return NewError(CodeUnknownOutcome, "x/unknown", "") }, 1,
		},
		"the store is down": {
			func([]sent) error { return NewError(CodeUnavailable, "x/down", "") },
			func(int) error { return NewError(CodeUnavailable, "x/down", "") }, 1,
		},
		"down half-way": {
			func(calls []sent) error {
				if len(calls) > 8 {
					return bad
				}
				return NewError(CodeUnavailable, "x/down", "")
			},
			func(int) error { return NewError(CodeUnavailable, "x/down", "") }, 3,
		},
		"a panic": {
			func([]sent) error { panic("boom") },
			func(int) error { return NewError(CodeInternal, "gather/panic", "") }, 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				commits, hold := 0, make(chan struct{})
				g := newGather(t, GatherConfig{Committers: 1}, func(_ context.Context, calls []sent) ([]int, error) {
					if calls[0].n < 0 {
						<-hold
						return echo(calls), nil
					}
					commits++
					return echo(calls), c.fail(calls)
				})
				go func() { _, _ = g.Do(t.Context(), sent{"a", -1}) }()
				synctest.Wait()
				for n := range 32 {
					go func() {
						got, err := g.Do(t.Context(), sent{"a", n})
						if want := c.wantErr(n); !errors.Is(err, want) || want == nil && (err != nil || got != n) {
							t.Errorf("call %d: got %d, %v, want %v", n, got, err, want)
						}
					}()
				}
				synctest.Wait()
				close(hold)
				time.Sleep(time.Second) // the batch waits for the first one to come back
				synctest.Wait()
				if commits != c.most {
					t.Errorf("%d commits, want %d", commits, c.most)
				}
			})
		})
	}
}

// What ends the committer's goroutine must leave nobody waiting, and the next call served.
func TestGatherOutlivesItsCommitter(t *testing.T) {
	t.Parallel()
	first := true
	g := newGather(t, GatherConfig{Committers: 1}, func(_ context.Context, calls []sent) ([]int, error) {
		if first {
			first = false
			runtime.Goexit()
		}
		return echo(calls), nil
	})
	if _, err := g.Do(t.Context(), sent{"a", 1}); !IsCode(err, CodeInternal) {
		t.Errorf("got %v", err)
	}
	if got, err := g.Do(t.Context(), sent{"a", 2}); got != 2 || err != nil {
		t.Errorf("afterwards: %d, %v", got, err)
	}
	if err := g.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestGatherWrongNumberOfResults(t *testing.T) {
	t.Parallel()
	g := newGather(t, GatherConfig{}, func(context.Context, []sent) ([]int, error) { return nil, nil })
	if _, err := g.Do(t.Context(), sent{"a", 1}); !IsCode(err, CodeInternal) {
		t.Errorf("got %v", err)
	}
}

func TestGatherConfig(t *testing.T) {
	t.Parallel()
	for _, c := range []GatherConfig{{Batch: 1001}, {Batch: -1}, {Committers: -1}, {Queue: -1}, {Wait: -1}, {Wait: time.Minute}} {
		if _, err := NewGather(c, func(sent) TenantID { return "" }, func(context.Context, []sent) ([]int, error) { return nil, nil }); !IsCode(err, CodeInvalid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func BenchmarkGather(b *testing.B) {
	g, err := NewGather(GatherConfig{}, func(s sent) TenantID { return s.tenant },
		func(_ context.Context, calls []sent) ([]int, error) { return make([]int, len(calls)), nil })
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := g.Do(b.Context(), sent{"a", 1}); err != nil {
				b.Error(err)
			}
		}
	})
}

func TestGatherKeepsApart(t *testing.T) {
	t.Parallel()
	for _, oneTenant := range []bool{false, true} {
		var mu sync.Mutex
		busy := make(map[uint64]bool)
		last := make(map[uint64]int) // the last call that was committed on each thing
		together, met := 0, 0
		type call struct {
			tenant TenantID
			things []uint64
			n      int
		}
		g, err := NewGather(GatherConfig{Batch: 16, Committers: 4, OneTenant: oneTenant},
			func(c call) TenantID { return c.tenant },
			func(_ context.Context, calls []call) ([]int, error) {
				mine := make(map[uint64]bool)
				mu.Lock()
				for _, c := range calls {
					if oneTenant && c.tenant != calls[0].tenant {
						t.Error("tenants share a batch")
					}
					for _, thing := range c.things {
						if busy[thing] {
							met++
						}
						if mine[thing] {
							together++
						}
						mine[thing] = true
						if thing >= 1000 && c.n < last[thing] {
							t.Errorf("call %d on %d came after call %d", c.n, thing, last[thing])
						}
						last[thing] = c.n
					}
				}
				for thing := range mine {
					busy[thing] = true
				}
				mu.Unlock()
				time.Sleep(100 * time.Microsecond)
				mu.Lock()
				defer mu.Unlock()
				for thing := range mine {
					delete(busy, thing)
				}
				return make([]int, len(calls)), nil
			})
		if err != nil {
			t.Fatal(err)
		}
		g.KeepApart(func(c call, to []uint64) []uint64 { return append(to, c.things...) })
		var all sync.WaitGroup
		for i := range 60 {
			all.Go(func() {
				for n := range 50 {
					tenant := []TenantID{"north", "south"}[i%2]
					c := call{tenant: tenant, n: n, things: []uint64{uint64(1 + (i+n)%7), uint64(10 + i)}}
					if i < 2 { // always the same thing, by one caller: in order
						c.things = []uint64{0, uint64(1000 + i)}
					}
					if _, err := g.Do(t.Context(), c); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if met > 0 {
			t.Errorf("%d times a thing was in two batches at once", met)
		}
		if together == 0 {
			t.Error("no two calls on one thing went together")
		}
		if err := g.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
