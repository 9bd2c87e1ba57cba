package inventory

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// remembered is how long a level that was just seen is thought to be as it was: as long as
// another process may already have changed it.
const remembered = 100 * time.Millisecond

// maxSeen bounds how many levels are remembered at once.
const maxSeen = 4096

// memory is what this process knows of levels from its last commits, so that it need not
// queue at the lock of a shelf that it has just seen to be empty. It only ever refuses:
// what it grants is decided under the lock. A nil memory knows nothing.
type memory struct {
	mu   sync.Mutex
	seen map[Key]seen
}

// seen is a level as a committed transaction left it. The version tells which of two
// transactions came later, whichever is heard of first.
type seen struct {
	level Level
	at    time.Time
}

// watch has the memory learn, after the commit of the transaction in ctx, what the draft has
// seen and done. The host's commit is not seen: there the levels that change are forgotten.
func (d *draft) watch(ctx context.Context) {
	if d.s.memory == nil || len(d.shelves) == 0 {
		return
	}
	state := hyperlocal.TxFrom(ctx)
	d.blind = state == nil || !state.AfterCommit(func() { d.s.memory.learn(d) })
}

// learn takes over what a draft has changed, and the levels that fell short.
func (m *memory) learn(d *draft) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, sh := range d.shelves {
		if changed := sh.touched || sh.set; !sh.short && !changed || changed && !d.written {
			continue
		}
		l := sh.now(d.now)
		if l.Version < m.seen[sh.key].level.Version {
			continue
		}
		if len(m.seen) >= maxSeen {
			m.tidy(d.now)
		}
		m.seen[sh.key] = seen{level: l, at: d.now}
	}
}

// tidy drops what is too old to be believed, or everything.
func (m *memory) tidy(now time.Time) {
	for k, s := range m.seen {
		if !s.fresh(now) {
			delete(m.seen, k)
		}
	}
	if len(m.seen) >= maxSeen {
		clear(m.seen)
	}
}

func (m *memory) forget(shelves []*shelf) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, sh := range shelves {
		delete(m.seen, sh.key)
	}
}

// fresh is false also when the clock was set back.
func (s seen) fresh(now time.Time) bool {
	age := now.Sub(s.at)
	return age >= 0 && age < remembered
}

var _ hyperlocal.Refuser = (*Service)(nil)

// Refuse implements [hyperlocal.Refuser], when there is an Intake: it answers ErrInsufficient,
// as Check would, for a placement of items that this process has seen in the last 100 ms, if
// there was not enough left for it. It returns nil for everything else, and for whoever takes
// over a hold of his own.
func (s *Service) Refuse(p *hyperlocal.Placement) error {
	if s.memory == nil || len(p.Items) == 0 ||
		slices.ContainsFunc(p.Spend, func(spend hyperlocal.Spend) bool { return spend.Kind == SpendHold }) {
		return nil
	}
	a := s.ask(nil, p.Tenant, p.Order, p.Items, p.Actor, p.At)
	if a.err != nil {
		return nil // Check says what is wrong
	}
	now := s.clock.Now()
	s.memory.mu.Lock()
	defer s.memory.mu.Unlock()
	for _, w := range a.wants {
		known, ok := s.memory.seen[w.key]
		l := &known.level
		// In the order of the items: the first refusal is the answer.
		if !ok || !known.fresh(now) || !l.Mode.Guarded() || l.Unit() != w.quantity.Unit() {
			return nil
		}
		if wanted, free := w.quantity.Value(), l.available()+l.BackorderLimit.Value(); free < wanted {
			return l.lacks(wanted, free)
		}
	}
	return nil
}
