package eventbus

import (
	"context"
	"sync"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// maxGathered bounds a batch.
const maxGathered = 256

// gatherer turns concurrent single calls into batches without waiting for anybody: whoever
// comes while a batch is under way joins the next one. Alone, a call is a batch of one.
type gatherer struct {
	mu      sync.Mutex
	busy    bool
	waiting []*gathered
}

type gathered struct {
	ctx   context.Context //nolint:containedctx // a caller's context, for as long as the caller waits
	event hyperlocal.Envelope
	done  chan error
	lead  chan struct{} // closed when it is this caller's turn to lead a batch
}

// do applies the event and returns when that is done. A batch runs under the context of the
// caller that leads it; when it fails, each event is applied alone under its own caller's.
func (g *gatherer) do(ctx context.Context, e hyperlocal.Envelope, apply BatchHandler) error {
	me := &gathered{ctx: ctx, event: e, done: make(chan error, 1), lead: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, me)
	if !g.busy {
		g.busy = true
		close(me.lead)
	}
	g.mu.Unlock()
	select {
	case err := <-me.done:
		return err
	case <-me.lead:
	}
	batch := g.take()
	defer g.pass()
	g.run(ctx, batch, apply)
	return <-me.done
}

// take returns the next batch. Its leader is the first of those that wait, and in the batch.
func (g *gatherer) take() []*gathered {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.waiting), maxGathered)
	batch := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	return batch
}

// pass makes the next one lead.
func (g *gatherer) pass() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		g.busy, g.waiting = false, nil
		return
	}
	close(g.waiting[0].lead)
}

func (g *gatherer) run(ctx context.Context, batch []*gathered, apply BatchHandler) {
	events := make([]hyperlocal.Envelope, len(batch))
	for i, m := range batch {
		events[i] = m.event
	}
	err := apply(ctx, events)
	if err == nil || len(batch) == 1 {
		for _, m := range batch {
			m.done <- err
		}
		return
	}
	for _, m := range batch {
		m.done <- apply(m.ctx, []hyperlocal.Envelope{m.event})
	}
}
