package cache

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// group is what is dropped together: the answers about one thing.
type group struct {
	tenant hyperlocal.TenantID
	about  hyperlocal.Ref
}

// key names an answer.
type key struct {
	group

	name string
}

// entry is a kept answer, or what stands for "not found". It never changes.
type entry struct {
	answer []byte
	tag    string
	err    error
	mark   uint64 // of its group when the load began
	since  time.Time
	until  time.Time
}

// marks is how many groups are told apart. It is a power of two.
const marks = 4096

// overhead is what an entry takes besides its bytes: the entry itself, key and node, measured.
const overhead = 400

// Cache keeps answers. Make it with New. Its methods are safe for concurrent use.
type Cache struct {
	c     Config
	local *otter.Cache[key, *entry]
	seed  maphash.Seed
	marks [marks]atomic.Uint64 // how often the groups of a slot were dropped

	mu      sync.Mutex
	flights map[key]*flight

	shared shared

	hits, misses, joined, loads, sharedHits, drops atomic.Uint64
}

// New returns an empty cache, or reports everything that is wrong at once.
func New(c Config) (*Cache, error) {
	c.setDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	// One weight bounds both: an entry weighs its bytes, and at least its share of the room.
	least := c.MaxBytes / c.MaxEntries
	local, err := otter.New(&otter.Options[key, *entry]{
		MaximumWeight: uint64(c.MaxBytes), //nolint:gosec // positive
		Weigher: func(k key, e *entry) uint32 {
			return uint32(min(max(size(k, e), least), 1<<31)) //nolint:gosec // bounded
		},
	})
	if err != nil {
		return nil, hyperlocal.NewError(hyperlocal.CodeInternal, "cache/unusable", "the cache cannot be made").WithCause(err)
	}
	out := &Cache{c: c, local: local, seed: maphash.MakeSeed(), flights: make(map[key]*flight)}
	out.shared = shared{layer: c.Shared, timeout: c.SharedTimeout, ttl: c.SharedTTL, log: c.Logger}
	return out, nil
}

func size(k key, e *entry) int {
	return len(e.answer) + len(e.tag) + len(k.name) + len(k.tenant) + len(k.about.Kind) + len(k.about.ID) + overhead
}

// Get returns the answer of that name about a thing, and a strong entity tag made of its
// bytes, quotes included. If the cache has none that is fresh, load computes it: once for all
// who ask at the same time, under a context of its own that lives longer than theirs but has
// the first one's values. The answer belongs to the cache: nobody may change it.
//
// An error of load is returned to all who waited and forgotten, unless its code is not_found.
// Otherwise an error is that of ctx. Inside a transaction load is simply called.
func (c *Cache) Get(ctx context.Context, tenant hyperlocal.TenantID, about hyperlocal.Ref, name string,
	load func(ctx context.Context) ([]byte, error),
) (answer []byte, tag string, err error) {
	if hyperlocal.InTx(ctx) {
		answer, err = load(ctx)
		return answer, Tag(answer), err
	}
	k := key{group{tenant, about}, name}
	slot := c.slot(k.group)
	if e := c.fresh(k, slot.Load()); e != nil {
		c.hits.Add(1)
		return e.answer, e.tag, e.err
	}
	c.misses.Add(1)
	f := c.join(ctx, k, slot, load)
	select {
	case <-f.done:
		return f.result.answer, f.result.tag, f.result.err
	case <-ctx.Done():
		return nil, "", ctx.Err()
	}
}

func (c *Cache) slot(g group) *atomic.Uint64 {
	return &c.marks[maphash.Comparable(c.seed, g)%marks]
}

// fresh returns the entry that may be shown, or nil.
func (c *Cache) fresh(k key, mark uint64) *entry {
	e, ok := c.local.GetIfPresent(k)
	if !ok || e.mark != mark {
		return nil
	}
	// A clock that was put back must not make an entry live longer.
	if now := c.c.Clock.Now(); now.Before(e.since) || !now.Before(e.until) {
		return nil
	}
	return e
}

// Drop forgets what the event makes out of date, in this process and in the shared layer. It
// has the form that eventbus.Listen wants.
func (c *Cache) Drop(ctx context.Context, e hyperlocal.Envelope) {
	c.Forget(ctx, e.Tenant, c.c.Affected(e)...)
}

// Handle is Drop in the form of an event bus's handler. It never fails.
func (c *Cache) Handle(ctx context.Context, e hyperlocal.Envelope) error {
	c.Drop(ctx, e)
	return nil
}

// Forget forgets every answer about the things. When it returns, Get returns only what is
// read from now on.
func (c *Cache) Forget(ctx context.Context, tenant hyperlocal.TenantID, about ...hyperlocal.Ref) {
	if len(about) == 0 {
		return
	}
	c.shared.renew(ctx, tenant, about) // first: else the process could refill from it
	for _, ref := range about {
		c.slot(group{tenant, ref}).Add(1)
	}
	c.drops.Add(1)
}

// Tag returns the strong entity tag of some bytes: the first 128 bits of their SHA-256.
func Tag(answer []byte) string {
	sum := sha256.Sum256(answer)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

// Statistics tell what the cache did since it was made.
type Statistics struct {
	Hits       uint64 // answered from this process
	Misses     uint64 // all others
	Joined     uint64 // misses that waited for somebody else's load
	SharedHits uint64 // misses that the shared layer answered
	Loads      uint64 // what was left to compute
	Drops      uint64 // events and calls that made something out of date
	Entries    int    // about
	Bytes      uint64 // about
}

// Statistics counts.
func (c *Cache) Statistics() Statistics {
	return Statistics{
		Hits: c.hits.Load(), Misses: c.misses.Load(), Joined: c.joined.Load(), SharedHits: c.sharedHits.Load(),
		Loads: c.loads.Load(), Drops: c.drops.Load(), Entries: c.local.EstimatedSize(), Bytes: c.local.WeightedSize(),
	}
}

// CleanUp does what the cache would do by and by: it brings the memory within its bounds now.
func (c *Cache) CleanUp() { c.local.CleanUp() }
