package inventory

import (
	"context"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// StockLine is one item of a receipt or a write-off.
type StockLine struct {
	Item     hyperlocal.ItemID     `json:"item"`
	Location hyperlocal.LocationID `json:"location"`
	Quantity hyperlocal.Quantity   `json:"quantity"` // > 0
	// External makes the line repeatable: recorded before with the same kind, item,
	// location and quantity it does nothing, with other content the whole command fails
	// with ErrExternalConflict.
	External hyperlocal.External `json:"external,omitzero"`
}

// StockCommand brings goods in or takes them out: all lines or none.
type StockCommand struct {
	Tenant hyperlocal.TenantID `json:"tenant"`
	Actor  hyperlocal.Actor    `json:"actor"`
	Key    string              `json:"-"`     // idempotency key of the actor; "" for none
	Lines  []StockLine         `json:"lines"` // 1 to MaxLines
	Reason string              `json:"reason"`
	At     time.Time           `json:"at"` // effective time; zero means now
}

// TransferLine moves units of an item from one location to another.
type TransferLine struct {
	Item     hyperlocal.ItemID     `json:"item"`
	From     hyperlocal.LocationID `json:"from"`
	To       hyperlocal.LocationID `json:"to"`
	Quantity hyperlocal.Quantity   `json:"quantity"` // > 0
	External hyperlocal.External   `json:"external,omitzero"`
}

// TransferCommand moves goods between locations: all lines or none.
type TransferCommand struct {
	Tenant hyperlocal.TenantID `json:"tenant"`
	Actor  hyperlocal.Actor    `json:"actor"`
	Key    string              `json:"-"`
	Lines  []TransferLine      `json:"lines"`
	Reason string              `json:"reason"`
	At     time.Time           `json:"at"`
}

// StockResult is the answer to a command on stock.
type StockResult struct {
	Levels   []Level `json:"levels"`   // those named by the command, as it left them
	Applied  int     `json:"applied"`  // lines that were new
	Repeated int     `json:"repeated"` // lines that had been recorded before
	Replayed bool    `json:"-"`        // an earlier command with the same key did it
}

// Receive records goods that have arrived. A delivery that was announced twice counts once
// if its lines carry External.
//
// Errors: code invalid, ErrUnknownItem, ErrNotTracked, ErrUnitMismatch, ErrOutOfRange,
// ErrExternalConflict, those of the idempotency key; ErrReferenceTaken in a transaction of
// the caller's only.
func (s *Service) Receive(ctx context.Context, c StockCommand) (StockResult, error) {
	return s.stock(ctx, MoveReceive, c)
}

// WriteOff takes goods out that were not sold: broken, lost, spoilt. It never takes what is
// reserved. Errors: those of Receive, and ErrInsufficient.
func (s *Service) WriteOff(ctx context.Context, c StockCommand) (StockResult, error) {
	return s.stock(ctx, MoveWriteOff, c)
}

func (s *Service) stock(ctx context.Context, kind MovementKind, c StockCommand) (StockResult, error) {
	legs := make([]leg, len(c.Lines))
	for i, l := range c.Lines {
		legs[i] = leg{from: Key{c.Tenant, l.Item, l.Location}, quantity: l.Quantity, external: l.External}
	}
	return s.document(ctx, kind, c.Key, c.Tenant, c.Actor, c.Reason, c.At, c, legs)
}

// Transfer moves goods between locations; reserved units stay where they are. It is told as
// two movements. Errors: those of WriteOff.
func (s *Service) Transfer(ctx context.Context, c TransferCommand) (StockResult, error) {
	legs := make([]leg, len(c.Lines))
	for i, l := range c.Lines {
		legs[i] = leg{
			from: Key{c.Tenant, l.Item, l.From}, to: Key{c.Tenant, l.Item, l.To},
			quantity: l.Quantity, external: l.External,
		}
	}
	return s.document(ctx, MoveTransfer, c.Key, c.Tenant, c.Actor, c.Reason, c.At, c, legs)
}

// leg is a line of any of the three.
type leg struct {
	from, to Key // to only for a transfer
	quantity hyperlocal.Quantity
	external hyperlocal.External
}

func (l leg) validate(kind MovementKind) error {
	if err := l.from.Validate(); err != nil {
		return err
	}
	if err := l.from.amount(l.quantity); err != nil {
		return err
	}
	if kind == MoveTransfer {
		if err := l.to.Validate(); err != nil {
			return err
		}
		if l.from == l.to {
			return l.from.in(invalid("to", "a transfer ends at another location"))
		}
	}
	return l.external.Validate()
}

func (s *Service) document(ctx context.Context, kind MovementKind, key string, tenant hyperlocal.TenantID,
	actor hyperlocal.Actor, reason string, at time.Time, request any, legs []leg,
) (StockResult, error) {
	by, err := s.by(tenant, actor, reason, at)
	if err != nil {
		return StockResult{}, err
	}
	if err := count("lines", len(legs)); err != nil {
		return StockResult{}, err
	}
	keys := make([]Key, 0, len(legs))
	for _, l := range legs {
		if err := l.validate(kind); err != nil {
			return StockResult{}, err
		}
		keys = append(keys, l.from)
		if kind == MoveTransfer {
			keys = append(keys, l.to)
		}
	}
	result, replayed, err := keyed(ctx, s, string(kind), key, by, request, func(ctx context.Context) (StockResult, error) {
		d, err := s.lock(ctx, keys, nil)
		if err != nil {
			return StockResult{}, err
		}
		repeated, err := s.repeated(ctx, kind, tenant, legs)
		if err != nil {
			return StockResult{}, err
		}
		result := StockResult{}
		for i, l := range legs {
			if repeated[i] {
				result.Repeated++
				continue
			}
			result.Applied++
			if err := d.carry(kind, by, l); err != nil {
				return StockResult{}, err
			}
		}
		result.Levels = d.levels(keys)
		return result, d.write(ctx)
	})
	result.Replayed = replayed
	return result, err
}

// carry moves the units of one leg.
func (d *draft) carry(kind MovementKind, by doer, l leg) error {
	sh, err := d.tracked(l.from, l.quantity)
	if err != nil {
		return err
	}
	units := l.quantity.Value()
	m := Movement{Kind: kind, External: l.external}
	if kind == MoveReceive {
		if err := sh.fits(units, 0); err != nil {
			return err
		}
		d.move(sh, by, m, GuardNone, units, 0)
		d.tell(sh, by, func(c LevelChanged) hyperlocal.Event { return StockReceived{LevelChanged: c, Quantity: l.quantity} })
		return nil
	}
	if free := sh.free(GuardOnHand); free < units {
		return sh.lacks(units, free)
	}
	if kind == MoveWriteOff {
		d.move(sh, by, m, GuardOnHand, -units, 0)
		d.tell(sh, by, func(c LevelChanged) hyperlocal.Event { return StockWrittenOff{LevelChanged: c, Quantity: l.quantity} })
		return nil
	}
	to, err := d.tracked(l.to, l.quantity)
	if err != nil {
		return err
	}
	if err := to.fits(units, 0); err != nil {
		return err
	}
	d.move(sh, by, m, GuardOnHand, -units, 0)
	m.N = 1
	d.move(to, by, m, GuardNone, units, 0)
	left := sh.quantity(-units)
	d.tell(sh, by, func(c LevelChanged) hyperlocal.Event {
		return StockTransferred{LevelChanged: c, Quantity: left, Other: l.to.Location}
	})
	d.tell(to, by, func(c LevelChanged) hyperlocal.Event {
		return StockTransferred{LevelChanged: c, Quantity: l.quantity, Other: l.from.Location}
	})
	return nil
}

// shown bounds how many conflicting references an error lists.
const shown = 20

// repeated tells which legs were recorded before, also by an earlier leg of the same
// command, and refuses references that stand for something else. It is asked after the
// levels are locked, so that a twin has either committed or waits for us.
func (s *Service) repeated(ctx context.Context, kind MovementKind, tenant hyperlocal.TenantID, legs []leg) ([]bool, error) {
	refs := make([]hyperlocal.External, 0, len(legs))
	for _, l := range legs {
		if !l.external.IsZero() {
			refs = append(refs, l.external)
		}
	}
	done := make([]bool, len(legs))
	if len(refs) == 0 {
		return done, nil
	}
	found, err := s.store.References(ctx, tenant, refs)
	if err != nil {
		return nil, err
	}
	recorded := make(map[hyperlocal.External]content, len(found))
	for _, m := range found {
		c := recorded[m.External]
		if m.N == 0 {
			c.kind, c.from, c.units = m.Kind, m.Key(), m.OnHand
		} else {
			c.to = m.Key()
		}
		recorded[m.External] = c
	}
	var conflicts []hyperlocal.External
	for i, l := range legs {
		if l.external.IsZero() {
			continue
		}
		mine := l.content(kind)
		before, ok := recorded[l.external]
		switch {
		case !ok:
			recorded[l.external] = mine
		case before == mine:
			done[i] = true
		default:
			conflicts = append(conflicts, l.external)
		}
	}
	if len(conflicts) == 0 {
		return done, nil
	}
	names := make([]string, 0, shown)
	for _, c := range conflicts[:min(len(conflicts), shown)] {
		names = append(names, c.Source+"/"+c.Reference)
	}
	return nil, ErrExternalConflict.With("references", strings.Join(names, ", ")).With("conflicts", len(conflicts))
}

// content is what makes a repetition of an external reference the same.
type content struct {
	kind     MovementKind
	from, to Key
	units    hyperlocal.Quantity // the on-hand delta at from
}

func (l leg) content(kind MovementKind) content {
	c := content{kind: kind, from: l.from, units: l.quantity}
	if kind == MoveTransfer {
		c.to = l.to
	}
	if kind != MoveReceive {
		c.units, _ = l.quantity.Neg() // of at most MaxUnits, so it fits
	}
	return c
}
