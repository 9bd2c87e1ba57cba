package inventory

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Keep says which side a repair believes.
type Keep string

// What a repair may believe. Reservations are always believed: they are promises.
const (
	// KeepMovements brings the level to what the movements and the reservations add up to.
	KeepMovements Keep = "movements"
	// KeepLevel leaves what is on hand as it stands, because somebody has counted it, and
	// appends a movement that makes the history agree.
	KeepLevel Keep = "level"
)

// RepairCommand puts levels right whose numbers and history disagree.
type RepairCommand struct {
	Tenant hyperlocal.TenantID `json:"tenant"`
	Actor  hyperlocal.Actor    `json:"actor"`
	Key    string              `json:"-"`    // idempotency key of the actor; "" for none
	Keys   []Key               `json:"keys"` // 1 to MaxLines levels of the tenant
	Keep   Keep                `json:"keep"` // "" means KeepMovements
	Reason string              `json:"reason"`
	At     time.Time           `json:"at"`
}

// RepairResult is what was wrong, and how it stands now.
type RepairResult struct {
	Wrong    []Count `json:"wrong"` // before the repair
	Levels   []Level `json:"levels"`
	Replayed bool    `json:"-"`
}

// Recompute adds up movements and open reservations and compares them with the levels that
// the filter selects, page by page in the order of ListLevels. It changes nothing. Items of
// the page are only the levels that disagree: a page may be empty before the last one, so go
// on until Next is. Each page is as of one moment.
func (s *Service) Recompute(ctx context.Context, tenant hyperlocal.TenantID, f LevelFilter, p hyperlocal.PageRequest) (hyperlocal.Page[Count], error) {
	levels, err := s.ListLevels(ctx, tenant, f, p)
	if err != nil || len(levels.Items) == 0 {
		return hyperlocal.Page[Count]{}, err
	}
	keys := make([]Key, len(levels.Items))
	for i, l := range levels.Items {
		keys[i] = l.Key()
	}
	counts, err := s.store.Count(ctx, keys)
	if err != nil {
		return hyperlocal.Page[Count]{}, err
	}
	page := hyperlocal.Page[Count]{Next: levels.Next}
	for _, c := range counts {
		if !c.Agrees() {
			page.Items = append(page.Items, c)
		}
	}
	return page, nil
}

// Repair makes levels, movements and reservations agree, by appending to the history and
// never by changing it: each level that disagrees gets a movement of kind repair with the
// difference, which may be nil when only the level was wrong, and an event that tells what
// the level said before. Levels that agree are left alone.
//
// Errors: code invalid, ErrUnknownItem, ErrOutOfRange, those of the idempotency key;
// ErrBelowReserved if the true numbers are not allowed for the item: receive goods, raise
// the backorder limit or release reservations first.
func (s *Service) Repair(ctx context.Context, c RepairCommand) (RepairResult, error) {
	by, err := s.by(c.Tenant, c.Actor, c.Reason, c.At)
	if err != nil {
		return RepairResult{}, err
	}
	if c.Keep == "" {
		c.Keep = KeepMovements
	}
	if c.Keep != KeepMovements && c.Keep != KeepLevel {
		return RepairResult{}, invalid("keep", "a repair keeps the movements or the level")
	}
	if c.Reason == "" {
		return RepairResult{}, invalid("reason", "a repair names its reason")
	}
	if err := count("keys", len(c.Keys)); err != nil {
		return RepairResult{}, err
	}
	seen := make(map[Key]bool, len(c.Keys))
	for _, k := range c.Keys {
		if err := k.Validate(); err != nil {
			return RepairResult{}, err
		}
		if k.Tenant != c.Tenant {
			return RepairResult{}, invalid("keys", "a repair stays within one tenant")
		}
		if seen[k] {
			return RepairResult{}, k.in(invalid("keys", "a level is repaired once in a command"))
		}
		seen[k] = true
	}
	result, replayed, err := keyed(ctx, s, string(MoveRepair), c.Key, by, c, func(ctx context.Context) (RepairResult, error) {
		d, err := s.lock(ctx, c.Keys, nil)
		if err != nil {
			return RepairResult{}, err
		}
		for _, k := range c.Keys {
			if d.shelves[k] == nil {
				return RepairResult{}, k.in(ErrUnknownItem)
			}
		}
		counts, err := s.store.Count(ctx, c.Keys)
		if err != nil {
			return RepairResult{}, err
		}
		result := RepairResult{}
		for _, n := range counts {
			if n.Agrees() {
				continue
			}
			if err := d.repair(n, by, c.Keep); err != nil {
				return RepairResult{}, err
			}
			result.Wrong = append(result.Wrong, n)
		}
		result.Levels = d.levels(c.Keys)
		return result, d.write(ctx)
	})
	result.Replayed = replayed
	return result, err
}

func (d *draft) repair(n Count, by doer, keep Keep) error {
	sh := d.shelves[n.Level.Key()]
	onHand, reserved := n.MovedOnHand.Value(), n.OpenReserved.Value()
	if keep == KeepLevel {
		onHand = sh.onHand
	}
	if needed := reserved - onHand; sh.Mode.Guarded() && needed > sh.BackorderLimit.Value() {
		return sh.key.in(ErrBelowReserved).With("needed", needed)
	}
	if err := sh.fits(onHand-sh.onHand, reserved-sh.reserved); err != nil {
		return err
	}
	before := sh.Level
	// The movement carries what the history lacks; the level moves to where both agree.
	d.move(sh, by, Movement{Kind: MoveRepair}, GuardNone, onHand-sh.onHand, reserved-sh.reserved)
	m := &d.movements[len(d.movements)-1]
	m.OnHand, m.Reserved = sh.quantity(onHand-n.MovedOnHand.Value()), sh.quantity(reserved-n.MovedReserved.Value())
	d.tell(sh, by, func(c LevelChanged) hyperlocal.Event {
		return StockRepaired{LevelChanged: c, OnHandBefore: before.OnHand, ReservedBefore: before.Reserved, Keep: keep}
	})
	return nil
}
