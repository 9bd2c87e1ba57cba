package cache

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// flight is one load under way. result is set when done is closed.
type flight struct {
	mark   uint64
	done   chan struct{}
	result *entry
}

// join returns the load of a key that began after the last drop, and begins it if there is
// none.
func (c *Cache) join(ctx context.Context, k key, slot *atomic.Uint64, load func(context.Context) ([]byte, error)) *flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	mark := slot.Load()
	if f := c.flights[k]; f != nil && f.mark == mark {
		c.joined.Add(1)
		return f
	}
	f := &flight{mark: mark, done: make(chan struct{})}
	if e := c.fresh(k, mark); e != nil { // somebody was faster
		c.joined.Add(1)
		f.result = e
		close(f.done)
		return f
	}
	c.flights[k] = f
	go c.fly(context.WithoutCancel(ctx), f, k, slot, load)
	return f
}

// fly loads, keeps what may be kept, and tells everybody who waits.
func (c *Cache) fly(ctx context.Context, f *flight, k key, slot *atomic.Uint64, load func(context.Context) ([]byte, error)) {
	ctx, cancel := context.WithTimeout(ctx, c.c.LoadTimeout)
	defer cancel()
	began := c.c.Clock.Now()
	ttl, special := c.c.TTLs[k.about.Kind]
	if !special {
		ttl = c.c.TTL
	}

	var answer []byte
	var found bool
	var mark string
	if !special {
		answer, found, mark = c.shared.read(ctx, k)
	}
	var err error
	if found {
		c.sharedHits.Add(1)
	} else {
		c.loads.Add(1)
		answer, err = guarded(ctx, load)
	}
	e := &entry{answer: answer, err: err, mark: f.mark, since: began, until: began.Add(ttl)}
	keep := err == nil
	switch {
	case err == nil:
		e.tag = Tag(answer)
	case hyperlocal.IsCode(err, hyperlocal.CodeNotFound):
		e.until = began.Add(min(c.c.NegativeTTL, ttl))
		keep = c.c.NegativeTTL > 0
	}
	if keep && slot.Load() == f.mark && size(k, e) <= c.c.MaxBytes/8 {
		c.local.Set(k, e)
	}
	f.result = e
	c.mu.Lock()
	if c.flights[k] == f {
		delete(c.flights, k)
	}
	c.mu.Unlock()
	close(f.done)

	if err == nil && !found && mark != "" {
		if left := c.c.SharedTTL - max(c.c.Clock.Now().Sub(began), 0); left >= time.Millisecond {
			c.shared.write(ctx, k, mark, answer, left)
		}
	}
}

// errPanic carries what load panicked with. It runs on a goroutine of its own, where a panic
// would end the process instead of one request.
var errPanic = hyperlocal.NewError(hyperlocal.CodeInternal, "cache/load_panicked", "what computes the answer panicked")

func guarded(ctx context.Context, load func(context.Context) ([]byte, error)) (answer []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errPanic.WithCause(fmt.Errorf("%v\n%s", v, debug.Stack())) //nolint:err113 // a panic is no sentinel
		}
	}()
	return load(ctx)
}
