package bunstore

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func TestGateOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(time.Hour)
		if err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		var order []string
		var all sync.WaitGroup
		join := func(ctx context.Context, name string) {
			all.Go(func() {
				if err := g.enter(ctx); err != nil {
					t.Error(err)
					return
				}
				order = append(order, name)
				g.exit()
			})
			synctest.Wait()
		}
		background := Background(t.Context())
		join(background, "b1")
		join(background, "b2")
		want := []string{}
		for i := range 2 * fairShare {
			name := string(rune('A' + i))
			join(t.Context(), name)
			want = append(want, name)
		}
		g.exit()
		all.Wait()
		want = slices.Insert(want, fairShare, "b1")
		want = append(want, "b2")
		if !slices.Equal(order, want) {
			t.Errorf("the order was %q, want %q", order, want)
		}
		if g.taken {
			t.Error("the gate is still taken")
		}
	})
}

func TestGateLeaving(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(5 * time.Second)
		if err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := g.enter(t.Context()); hyperlocal.ReasonOf(err) != "store/busy" || time.Since(start) != 5*time.Second {
			t.Errorf("patience ended with %v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.enter(ctx); !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) {
			t.Errorf("a caller who left got %v", err)
		}
		last := make(chan error)
		go func() { last <- g.enter(Background(t.Context())) }()
		synctest.Wait()
		closed := make(chan struct{})
		go func() { g.close(); close(closed) }()
		synctest.Wait()
		if err := g.enter(t.Context()); hyperlocal.ReasonOf(err) != "store/closed" {
			t.Errorf("a newcomer at a closed gate got %v", err)
		}
		g.exit()
		if err := <-last; err != nil {
			t.Errorf("who was in the queue got %v", err)
		}
		g.exit()
		<-closed
	})
}

// Many goroutines come and leave at random; at most one is ever inside.
func TestGateExclusion(t *testing.T) {
	t.Parallel()
	g := newGate(time.Minute)
	var inside, entered int
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			for range 50 {
				ctx := t.Context()
				if i%3 == 0 {
					ctx = Background(ctx)
				}
				ctx, cancel := context.WithTimeout(ctx, time.Duration(hyperlocal.RandomUint64()%2000)*time.Microsecond)
				if g.enter(ctx) == nil {
					if inside++; inside != 1 {
						t.Error("two are inside")
					}
					entered++
					inside--
					g.exit()
				}
				cancel()
			}
		})
	}
	all.Wait()
	if g.taken || len(g.waiting[0])+len(g.waiting[1]) != 0 {
		t.Error("somebody is still there")
	}
	t.Logf("%d turns", entered)
}
