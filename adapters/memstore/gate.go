package memstore

import (
	"context"
	"slices"
	"sync"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/internal/goroutine"
)

// errNested names a mistake that would otherwise be a deadlock.
var errNested = hyperlocal.NewError(hyperlocal.CodeInternal, "tx/nested_without_ctx",
	"the store was called inside a transaction's closure with a context that lacks the transaction; "+
		"pass on the ctx that WithinTx gave to the closure")

// gate admits one writer or many readers, in order of arrival. Unlike sync.RWMutex, waiting
// ends with the caller's context, and waiting for oneself is an error. Waiters wait on
// channels, so the gate also works inside a testing/synctest bubble.
type gate struct {
	mu      sync.Mutex
	writing bool
	owner   uint64 // goroutine of the writer
	readers int
	queue   []*waiter
}

type waiter struct {
	write bool
	ready chan struct{} // closed when the place has been given to the waiter
}

func (g *gate) lock(ctx context.Context, write bool) error {
	if err := ctx.Err(); err != nil {
		return cancelled(err)
	}
	var me uint64
	if write {
		me = goroutine.ID()
	}
	g.mu.Lock()
	if !g.writing && len(g.queue) == 0 && (!write || g.readers == 0) {
		g.admit(write, me)
		g.mu.Unlock()
		return nil
	}
	if g.writing && g.owner != 0 && g.owner == goroutine.ID() {
		g.mu.Unlock()
		return errNested
	}
	w := &waiter{write: write, ready: make(chan struct{})}
	g.queue = append(g.queue, w)
	g.mu.Unlock()

	select {
	case <-w.ready:
	case <-ctx.Done():
		if g.leave(w) {
			return cancelled(ctx.Err())
		}
	}
	if write {
		g.mu.Lock()
		g.owner = me
		g.mu.Unlock()
	}
	return nil
}

func (g *gate) unlock(write bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if write {
		g.writing, g.owner = false, 0
	} else {
		g.readers--
	}
	g.wake()
}

// admit is called with mu held.
func (g *gate) admit(write bool, owner uint64) {
	if write {
		g.writing, g.owner = true, owner
		return
	}
	g.readers++
}

// wake gives free places to the head of the queue. It is called with mu held.
func (g *gate) wake() {
	for len(g.queue) > 0 && !g.writing {
		w := g.queue[0]
		if w.write && g.readers > 0 {
			return
		}
		g.queue = g.queue[1:]
		g.admit(w.write, 0)
		close(w.ready)
	}
}

// leave takes w out of the queue; it reports false if w has been admitted meanwhile.
func (g *gate) leave(w *waiter) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.queue, w)
	if i < 0 {
		return false
	}
	g.queue = slices.Delete(g.queue, i, i+1)
	g.wake() // a writer that leaves may have held readers up
	return true
}

func cancelled(err error) error {
	return hyperlocal.NewError(hyperlocal.CodeDeadline, "tx/cancelled",
		"the caller's context ended; nothing was changed").WithCause(err)
}
