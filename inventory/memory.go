package inventory

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// remembered is how long a level that was just seen is thought to be as it was, when that is
// the reason of a refusal: as long as another process may already have changed it.
const remembered = 100 * time.Millisecond

// maxSeen bounds how many levels are remembered at once; each takes some 400 bytes.
const maxSeen = 1 << 15

// memory is what this process knows of levels from its last commits. From what it has just
// seen it refuses, so that nobody need queue at the lock of a shelf that is empty. And where
// it has seen plenty it lets take without a lock; then the write has to find enough.
type memory struct {
	mu   sync.Mutex
	seen map[Key]seen
}

// seen is a level as a committed transaction left it. The version tells which of two
// transactions came later, whichever is heard of first.
type seen struct {
	level Level
	at    time.Time
	vague bool // something was taken since without a lock, so that the level is about as it was
}

// watch has the memory learn, after the commit of the transaction in ctx, what the draft has
// seen and done. The host's commit is not seen: there the levels that change are forgotten.
func (d *draft) watch(ctx context.Context) {
	state := hyperlocal.TxFrom(ctx)
	d.blind = state == nil || !state.AfterCommit(func() { d.s.memory.learn(d) })
}

// learn takes over what a draft has seen and changed.
func (m *memory) learn(d *draft) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, sh := range d.shelves {
		if (sh.touched || sh.set || sh.presumed) && !d.written {
			continue
		}
		known, ok := m.seen[key]
		if sh.presumed {
			if !ok && sh.touched { // it was read without a lock
				known, ok = seen{level: sh.Level, at: d.now}, true
				m.tidy()
			}
			if l := &known.level; ok && sh.touched {
				l.OnHand = l.quantity(l.OnHand.Value() + sh.onHand - sh.OnHand.Value())
				l.Reserved = l.quantity(l.Reserved.Value() + sh.reserved - sh.Reserved.Value())
				known.vague = true
				m.seen[key] = known
			}
			continue
		}
		l := sh.now(d.now)
		if ok && l.Version < known.level.Version {
			continue
		}
		if !ok {
			m.tidy()
		}
		m.seen[key] = seen{level: l, at: d.now}
	}
}

// demanded is what all asks together want of each level. What is wanted in several units has
// none, and matches no level.
func demanded(asks []ask) map[Key]hyperlocal.Quantity {
	n := 0
	for i := range asks {
		n += len(asks[i].wants)
	}
	wanted := make(map[Key]hyperlocal.Quantity, n)
	for i := range asks {
		if asks[i].err != nil {
			continue
		}
		for k := range asks[i].wants {
			w := &asks[i].wants[k]
			sum, ok := wanted[w.key]
			if !ok {
				wanted[w.key] = w.quantity
			} else if sum, err := sum.Add(w.quantity); err == nil {
				wanted[w.key] = sum
			} else {
				wanted[w.key] = hyperlocal.Quantity{}
			}
		}
	}
	return wanted
}

// plenty returns the levels of which there is twice what is wanted, if they are as they were
// seen last: in whatever order the asks come, none is refused and no level becomes low. Those
// that were not seen are unknown; of one that was there is not plenty if it is scarce.
func (m *memory) plenty(wanted map[Key]hyperlocal.Quantity) (plenty []Level, unknown map[Key]hyperlocal.Quantity, scarce bool) {
	plenty = make([]Level, 0, len(wanted))
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, w := range wanted {
		known, ok := m.seen[key]
		switch {
		case !ok:
			if unknown == nil {
				unknown = make(map[Key]hyperlocal.Quantity)
			}
			unknown[key] = w
		case !known.level.plentyOf(w):
			return nil, nil, true
		default:
			plenty = append(plenty, known.level)
		}
	}
	return plenty, unknown, false
}

func (l *Level) plentyOf(q hyperlocal.Quantity) bool {
	if l.Mode == ModeNone || !q.IsValid() || l.Unit() != q.Unit() || q.Value() > MaxUnits || l.Reserved.Value() > MaxUnits-q.Value() {
		return false
	}
	if l.Mode.Guarded() && l.available()+l.BackorderLimit.Value() < 2*q.Value() {
		return false
	}
	return !l.LowAt.IsValid() || l.available()-2*q.Value() > l.LowAt.Value()
}

// tidy makes room for one more, by forgetting an eighth, whichever comes first.
func (m *memory) tidy() {
	if len(m.seen) < maxSeen {
		return
	}
	drop := maxSeen / 8
	for k := range m.seen {
		if drop--; drop < 0 {
			return
		}
		delete(m.seen, k)
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
	if s.holds == nil || len(p.Items) == 0 ||
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
		if !ok || known.vague || !known.fresh(now) || !l.Mode.Guarded() || l.Unit() != w.quantity.Unit() {
			return nil
		}
		if wanted, free := w.quantity.Value(), l.available()+l.BackorderLimit.Value(); free < wanted {
			return l.lacks(wanted, free)
		}
	}
	return nil
}
