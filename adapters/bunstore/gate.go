package bunstore

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/internal/goroutine"
)

type backgroundKey struct{}

// Background marks ctx as that of work nobody waits for: relays, sweeps, reports. On SQLite,
// which has one writer, its transactions let those of interactive calls go first; now and
// then one of them is let through, so that they never starve.
func Background(ctx context.Context) context.Context {
	return context.WithValue(ctx, backgroundKey{}, true)
}

func isBackground(ctx context.Context) bool { return ctx.Value(backgroundKey{}) != nil }

// fairShare is how many interactive transactions may pass a waiting background one.
const fairShare = 16

// gate is the queue before SQLite's writer: interactive before background, within each in
// order of arrival.
type gate struct {
	patience time.Duration

	mu      sync.Mutex
	taken   bool
	shut    bool
	waiting [2][]chan struct{} // interactive, background; a closed channel is a given turn
	passed  int                // interactive turns since background began to wait
}

func newGate(patience time.Duration) *gate { return &gate{patience: patience} }

var errBusy = hyperlocal.NewError(hyperlocal.CodeUnavailable, "store/busy",
	"the database's one writer was not free in time; a transaction is held for too long, "+
		"or one was opened inside another one's closure with a context that lacks it").WithRetryAfter(time.Second)

// enter waits for the writer's turn, at most as long as the gate's patience.
func (g *gate) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return cancelled(err)
	}
	class := 0
	if isBackground(ctx) {
		class = 1
	}
	g.mu.Lock()
	if g.shut {
		g.mu.Unlock()
		return errClosed
	}
	if !g.taken {
		g.taken = true
		g.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	g.waiting[class] = append(g.waiting[class], turn)
	g.mu.Unlock()

	limit := time.NewTimer(g.patience)
	defer limit.Stop()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		if g.leave(class, turn) {
			return cancelled(ctx.Err())
		}
	case <-limit.C:
		if g.leave(class, turn) {
			return errBusy
		}
	}
	return nil // the turn was given at the last moment
}

// close lets nobody join the queue any more and waits until it is empty, at most as long as
// the gate's patience.
func (g *gate) close() {
	g.mu.Lock()
	g.shut = true
	if !g.taken {
		g.mu.Unlock()
		return
	}
	turn := make(chan struct{})
	g.waiting[1] = append(g.waiting[1], turn)
	g.mu.Unlock()
	limit := time.NewTimer(g.patience)
	defer limit.Stop()
	select {
	case <-turn:
	case <-limit.C:
	}
}

// exit gives the turn to the next in the queue.
func (g *gate) exit() {
	g.mu.Lock()
	defer g.mu.Unlock()
	class := 0
	if len(g.waiting[1]) > 0 && (len(g.waiting[0]) == 0 || g.passed >= fairShare) {
		class = 1
	}
	if len(g.waiting[class]) == 0 {
		g.taken = false
		return
	}
	if class == 0 && len(g.waiting[1]) > 0 {
		g.passed++
	} else {
		g.passed = 0
	}
	turn := g.waiting[class][0]
	g.waiting[class] = g.waiting[class][1:]
	close(turn)
}

// leave takes a waiter out of the queue; it reports false if its turn has come meanwhile.
func (g *gate) leave(class int, turn chan struct{}) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting[class], turn)
	if i < 0 {
		return false
	}
	g.waiting[class] = slices.Delete(g.waiting[class], i, i+1)
	return true
}

// misplaced reports that the caller is inside a closure of this store, whose transaction
// its ctx lacks.
func (s *Store) misplaced() bool { return s.open.has(goroutine.ID()) }
