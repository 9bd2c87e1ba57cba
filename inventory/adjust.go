package inventory

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// AdjustLine says what was counted.
type AdjustLine struct {
	Item     hyperlocal.ItemID     `json:"item"`
	Location hyperlocal.LocationID `json:"location"`
	OnHand   hyperlocal.Quantity   `json:"on_hand"` // what there is, reserved units included
	// Version is the level's when it was read for the count.
	Version int64 `json:"version"`
}

// AdjustCommand puts levels right after a count: all lines or none. Each level occurs once.
type AdjustCommand struct {
	Tenant hyperlocal.TenantID `json:"tenant"`
	Actor  hyperlocal.Actor    `json:"actor"`
	Key    string              `json:"-"`     // idempotency key of the actor; "" for none
	Lines  []AdjustLine        `json:"lines"` // 1 to MaxLines
	Reason string              `json:"reason"`
	At     time.Time           `json:"at"`
}

// Adjust sets what is on hand, by compare-and-swap: a level whose version is another one by
// now is refused with ErrStale, which carries the present version and on_hand. A count that
// confirms the level leaves no trace.
//
// Errors: code invalid, ErrUnknownItem, ErrNotTracked, ErrUnitMismatch, ErrOutOfRange,
// ErrStale, ErrBelowReserved, those of the idempotency key.
func (s *Service) Adjust(ctx context.Context, c AdjustCommand) (StockResult, error) {
	by, err := s.by(c.Tenant, c.Actor, c.Reason, c.At)
	if err != nil {
		return StockResult{}, err
	}
	if err := count("lines", len(c.Lines)); err != nil {
		return StockResult{}, err
	}
	keys := make([]Key, len(c.Lines))
	seen := make(map[Key]bool, len(c.Lines))
	for i, l := range c.Lines {
		k := Key{Tenant: c.Tenant, Item: l.Item, Location: l.Location}
		if err := k.Validate(); err != nil {
			return StockResult{}, err
		}
		if seen[k] {
			return StockResult{}, k.in(invalid("lines", "a level is adjusted once in a command"))
		}
		if v := l.OnHand.Value(); v > MaxUnits || v < -MaxUnits || !l.OnHand.IsValid() {
			return StockResult{}, k.in(invalid("on_hand", "what is on hand has a unit and at most MaxUnits base units"))
		}
		if l.Version < 1 {
			return StockResult{}, k.in(invalid("version", "state the version of the level that was counted"))
		}
		keys[i], seen[k] = k, true
	}
	result, replayed, err := keyed(ctx, s, string(MoveAdjust), c.Key, by, c, func(ctx context.Context) (StockResult, error) {
		d, err := s.lock(ctx, keys, nil)
		if err != nil {
			return StockResult{}, err
		}
		result := StockResult{}
		for i, l := range c.Lines {
			changed, err := d.adjust(keys[i], by, l)
			if err != nil {
				return StockResult{}, err
			}
			if changed {
				result.Applied++
			}
		}
		result.Levels = d.levels(keys)
		return result, d.write(ctx)
	})
	result.Replayed = replayed
	return result, err
}

func (d *draft) adjust(k Key, by doer, l AdjustLine) (changed bool, err error) {
	sh, err := d.tracked(k, l.OnHand)
	if err != nil {
		return false, err
	}
	if sh.Version != l.Version {
		return false, k.in(ErrStale).With("version", sh.Version).With("on_hand", sh.OnHand.Value())
	}
	delta := l.OnHand.Value() - sh.onHand
	if delta == 0 {
		return false, nil
	}
	if needed := sh.reserved - sh.BackorderLimit.Value(); sh.Mode.Guarded() && l.OnHand.Value() < needed {
		return false, k.in(ErrBelowReserved).With("needed", needed)
	}
	d.move(sh, by, Movement{Kind: MoveAdjust}, GuardNone, delta, 0)
	moved := sh.quantity(delta)
	d.tell(sh, by, func(c LevelChanged) hyperlocal.Event { return StockAdjusted{LevelChanged: c, Delta: moved} })
	return true, nil
}
