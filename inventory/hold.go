package inventory

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// HoldCommand says what a cart wants to have kept for it, in all. It replaces what the owner
// holds: what it holds more of is released, what it holds less of is reserved.
type HoldCommand struct {
	Tenant hyperlocal.TenantID
	Actor  hyperlocal.Actor
	Owner  hyperlocal.Ref            // the cart
	Items  []hyperlocal.ItemQuantity // may be empty: hold nothing any more
	TTL    time.Duration             // zero for the service's; at most MaxHoldTTL
	At     time.Time                 // effective time; zero means now
}

// ReserveCommand reserves for an owner that is no order: a booking, a job, a transfer that
// is being picked. The reservation ends only by CommitReserved or ReleaseReserved.
type ReserveCommand struct {
	Tenant hyperlocal.TenantID
	Actor  hyperlocal.Actor
	Owner  hyperlocal.Ref
	Items  []hyperlocal.ItemQuantity
	Cart   hyperlocal.Ref // whose hold is taken over, as for SpendHold; zero for none
	At     time.Time
}

// ReserveResult is the answer to one hold or reservation.
type ReserveResult struct {
	ExpiresAt time.Time // of a hold: it does not run out earlier
	Err       error
}

// HoldMany holds stock for carts, in order: the first come is the first served, and a cart
// that is refused keeps what it held and fails no other. Items whose mode is not
// ModeReserveOnCart are looked up and not held. results[i] belongs to commands[i].
//
// A cart sends its holds one after the other: of two at the same moment that name different
// items both may be kept, until they run out.
//
// Per command: code invalid, ErrUnknownItem, ErrUnitMismatch, ErrInsufficient,
// ErrOutOfRange. The call itself fails only if the batch is too long or the store fails.
func (s *Service) HoldMany(ctx context.Context, commands []HoldCommand) ([]ReserveResult, error) {
	if len(commands) > MaxBatch {
		return nil, invalid("batch", "the batch is too long").With("limit", MaxBatch)
	}
	asks := make([]ask, len(commands))
	for i := range commands {
		asks[i] = s.holdAsk(&commands[i])
	}
	return s.grant(ctx, asks)
}

func (s *Service) holdAsk(c *HoldCommand) ask {
	a := s.ask(nil, c.Tenant, c.Owner, c.Items, c.Actor, c.At)
	if a.err == nil {
		a.until, a.err = s.until(c.TTL)
	}
	a.asHold = true
	a.carts = []hyperlocal.TenantRef{{Tenant: c.Tenant, Ref: c.Owner}}
	return a
}

// Hold is HoldMany for one cart. With an [Intake] it is committed together with what other
// carts ask for at that moment.
func (s *Service) Hold(ctx context.Context, c HoldCommand) (time.Time, error) {
	if s.holds != nil && !hyperlocal.InTx(ctx) {
		a := s.holdAsk(&c)
		if a.err != nil {
			return time.Time{}, a.err
		}
		a.by.cause, _ = hyperlocal.CauseFrom(ctx)
		r, err := s.holds.Do(ctx, &a)
		if err == nil {
			err = r.Err
		}
		return r.ExpiresAt, err
	}
	results, err := s.HoldMany(ctx, []HoldCommand{c})
	if err != nil {
		return time.Time{}, err
	}
	return results[0].ExpiresAt, results[0].Err
}

// ReserveMany reserves for owners, in order, without failing any for another's sake. Every
// mode is treated as by a placement. Errors as for HoldMany.
func (s *Service) ReserveMany(ctx context.Context, commands []ReserveCommand) ([]ReserveResult, error) {
	if len(commands) > MaxBatch {
		return nil, invalid("batch", "the batch is too long").With("limit", MaxBatch)
	}
	asks := make([]ask, len(commands))
	for i, c := range commands {
		a := s.ask(nil, c.Tenant, c.Owner, c.Items, c.Actor, c.At)
		if a.err == nil && len(c.Items) == 0 {
			a.err = invalid("items", "the list is empty")
		}
		if a.err == nil && !c.Cart.IsZero() {
			a.err = c.Cart.Validate()
			a.carts = []hyperlocal.TenantRef{{Tenant: c.Tenant, Ref: c.Cart}}
		}
		asks[i] = a
	}
	return s.grant(ctx, asks)
}

// Reserve is ReserveMany for one owner.
func (s *Service) Reserve(ctx context.Context, c ReserveCommand) error {
	results, err := s.ReserveMany(ctx, []ReserveCommand{c})
	if err != nil {
		return err
	}
	return results[0].Err
}

// grant decides and writes in one transaction.
func (s *Service) grant(ctx context.Context, asks []ask) ([]ReserveResult, error) {
	var results []ReserveResult
	err := s.run(ctx, func(ctx context.Context) error {
		results = make([]ReserveResult, len(asks))
		d, err := s.decide(ctx, asks)
		if err != nil {
			return err
		}
		for i := range asks {
			if results[i].Err = d.Check(i); results[i].Err != nil {
				continue
			}
			d.Take(i)
			results[i].ExpiresAt = asks[i].until
		}
		return d.Apply(ctx)
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// until returns when a hold ends that is made or prolonged now.
func (s *Service) until(ttl time.Duration) (time.Time, error) {
	if ttl == 0 {
		ttl = s.holdTTL
	}
	if ttl < time.Second || ttl > MaxHoldTTL {
		return time.Time{}, invalid("ttl", "a hold lasts from one second up to 30 days")
	}
	return hyperlocal.Instant(s.clock.Now().Add(ttl)), nil
}

// ExtendHolds prolongs the holds of the owners to ttl from now (zero for the service's TTL),
// never shortening one, and returns the owners that hold anything, sorted by tenant, kind and
// id. Call it on activity; an owner that is missing from the answer has to hold anew. It
// locks no level, so it does not queue behind the sale of a hot item.
func (s *Service) ExtendHolds(ctx context.Context, ttl time.Duration, owners ...hyperlocal.TenantRef) ([]hyperlocal.TenantRef, error) {
	if len(owners) == 0 {
		return nil, nil
	}
	if err := checkOwners(owners); err != nil {
		return nil, err
	}
	until, err := s.until(ttl)
	if err != nil {
		return nil, err
	}
	var alive []hyperlocal.TenantRef
	err = s.run(ctx, func(ctx context.Context) error {
		var err error
		alive, err = s.store.Extend(ctx, owners, until)
		return err
	})
	return alive, err
}
