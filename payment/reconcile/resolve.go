package reconcile

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// ResolveCommand says what a person found out about a difference. At most one of Account and
// Reference is given; with neither, what was posted is taken back whole.
type ResolveCommand struct {
	Tenant hyperlocal.TenantID
	ID     string // of the difference
	Actor  hyperlocal.Actor
	Note   string // why, 1 to MaxNote bytes; no text about shoppers
	// Account is where the money belongs: what is in suspense moves there, such as to
	// "losses/sandbox". An operation that was missing at the provider counts as settled then.
	Account string
	// Reference leads to the one unsettled operation of ours that a line missing in our books is
	// about: its idempotency key, the provider's reference or its intent. The operation must
	// have moved the line's amount; it is settled by the line.
	Reference string
}

func (c *ResolveCommand) validate() error {
	if err := errors.Join(c.Tenant.Validate(), c.Actor.Validate()); err != nil {
		return err
	}
	if strings.TrimSpace(c.Note) == "" {
		return hyperlocal.Invalid("reconcile", "note", "say in a note why the difference is resolved like this")
	}
	if c.Account != "" && c.Reference != "" {
		return hyperlocal.Invalid("reconcile", "account", "give an account or the reference of an operation, not both")
	}
	if strings.HasPrefix(c.Account, accountSuspense) {
		return hyperlocal.Invalid("reconcile", "account", "the money is to leave suspense")
	}
	return errors.Join(
		hyperlocal.CheckText("reconcile", "note", c.Note, MaxNote),
		hyperlocal.CheckText("reconcile", "account", c.Account, MaxReference),
		hyperlocal.CheckText("reconcile", "reference", c.Reference, MaxReference))
}

// Resolve ends a difference and posts what takes it out of suspense. It joins the transaction
// of ctx. Errors: code invalid, ErrNotFound, ErrResolved, ErrOperation, what the journal says.
func (s *Service) Resolve(ctx context.Context, c ResolveCommand) (Difference, error) {
	if err := c.validate(); err != nil {
		return Difference{}, err
	}
	var d Difference
	err := s.Tx.WithinTx(ctx, func(ctx context.Context) error {
		var err error
		if d, err = s.locked(ctx, c.Tenant, c.ID); err != nil {
			return err
		}
		d.ResolvedAt, d.ResolvedBy, d.Note, d.ResolvedTo = s.Clock.Now(), c.Actor, c.Note, c.Account
		entries := taken(d.Entries, c.Account)
		claim := Claim{Tenant: d.Tenant, Run: d.Run, Line: d.Line}
		switch {
		case c.Reference != "":
			o, err := s.meant(ctx, &d, c.Reference)
			if err != nil {
				return err
			}
			d.ResolvedTo = accountClearing + d.Source
			entries = settling(&d, o)
			claim.Operation = o.Operation
		case c.Account != "" && d.Reason == MissingAtProvider:
			claim.Operation = d.Operation
		}
		if claim.Operation != "" {
			if err := s.Store.Claim(ctx, []Claim{claim}); err != nil {
				return err
			}
		}
		if err := s.Store.Settle(ctx, []Difference{d}); err != nil {
			return err
		}
		return s.post(ctx, []hyperlocal.Posting{resolution(&d, entries)})
	})
	if err != nil {
		return Difference{}, err
	}
	return d, nil
}

// locked returns an open difference under the lock of its source and account.
func (s *Service) locked(ctx context.Context, tenant hyperlocal.TenantID, id string) (Difference, error) {
	d, ok, err := s.Store.Difference(ctx, tenant, id)
	if err != nil {
		return d, err
	}
	if ok {
		if _, ok, err = s.Store.LockRun(ctx, tenant, d.Run); err != nil {
			return d, err
		}
	}
	if !ok {
		return d, ErrNotFound.With("difference", id)
	}
	// Only now is it certain that nobody else resolves it.
	if d, ok, err = s.Store.Difference(ctx, tenant, id); err != nil {
		return d, err
	}
	if !ok || !d.Open() {
		return d, ErrResolved.With("difference", id)
	}
	return d, nil
}

// meant returns the operation that a person says a line is about.
func (s *Service) meant(ctx context.Context, d *Difference, reference string) (*operation, error) {
	refused := ErrOperation.With("difference", d.ID).With("reference", reference)
	if d.Line == 0 || d.Reason != MissingInBooks {
		return nil, refused
	}
	moved, err := s.Books.MovedByReference(ctx, d.Tenant, d.Source, reference)
	if err != nil {
		return nil, err
	}
	operations := make(map[string]*operation)
	for _, m := range moved {
		o, err := newOperation(m)
		if err != nil {
			return nil, err
		}
		if o.kind() == d.Kind && o.amount == d.Theirs {
			operations[o.Operation] = o
		}
	}
	if err := s.markClaimed(ctx, d.Tenant, operations); err != nil {
		return nil, err
	}
	var found *operation
	for _, o := range operations {
		if o.used {
			continue
		}
		if found != nil {
			return nil, refused
		}
		found = o
	}
	if found == nil {
		return nil, refused
	}
	missing, err := s.Store.Missing(ctx, d.Tenant, []string{found.Operation})
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(missing, func(m Difference) bool { return m.Open() }) {
		// Both sides stand in suspense: the other one is taken back first.
		return nil, refused.WithMessage("the operation is in suspense itself; resolve that difference first, by a reversal")
	}
	return found, nil
}

// settling moves a line from suspense to the operation that it is about.
func settling(d *Difference, o *operation) []hyperlocal.Entry {
	g := &legs{sums: make(map[leg]hyperlocal.Money)}
	g.add(accountSuspense+d.Source, d.Theirs, false)
	g.add(accountClearing+d.Source, o.amount, true)
	g.add(accountClearing+d.Source, o.booked(), false)
	g.add(accountFees+d.Source, o.booked(), true)
	return g.entries()
}
