package loyalty

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// RestoreCommand asks to take a spending back.
type RestoreCommand struct {
	Tenant    hyperlocal.TenantID
	Reference string    // of the spending
	At        time.Time // effective time; zero means now
	Actor     hyperlocal.Actor
}

// Restore gives the points of a spending back to the lots that they came from, with the
// expiry that those have: what has expired meanwhile is back for the worker to expire. They
// make up for the member's shortfalls first. It happens once: restoring again does nothing
// and sets Replayed. Joins the transaction of ctx.
//
// Errors: code invalid, ErrSpendingNotFound, what Journal and Store report.
func (s *Service) Restore(ctx context.Context, c RestoreCommand) (Spending, error) {
	if err := c.validate(); err != nil {
		return Spending{}, err
	}
	var done []Spending
	err := s.tx.WithinTx(ctx, func(ctx context.Context) (err error) {
		done, err = s.restoreAll(ctx, []RestoreCommand{c})
		return err
	})
	if err != nil {
		return Spending{}, err
	}
	if len(done) == 0 {
		return Spending{}, ErrSpendingNotFound.With("reference", c.Reference)
	}
	return done[0], nil
}

// restoreAll takes spendings back in the transaction of ctx, with one lock on all of their
// members and a number of statements that depends on the number of tenants alone. It returns
// them in the order of the commands, Replayed for what had been restored before; those that
// do not exist are left out.
func (s *Service) restoreAll(ctx context.Context, commands []RestoreCommand) ([]Spending, error) {
	known, err := s.spendings(ctx, commands)
	if err != nil || len(known) == 0 {
		return nil, err
	}
	// Whose they are never changes; whether they were restored is known under the lock only.
	members := make([]hyperlocal.TenantRef, 0, len(known))
	for _, sp := range known {
		members = append(members, sp.member())
	}
	if err := s.lock(ctx, members); err != nil {
		return nil, err
	}
	if known, err = s.spendings(ctx, commands); err != nil {
		return nil, err
	}
	var q LotQuery
	for _, sp := range known {
		if !sp.RestoredAt.IsZero() {
			continue
		}
		q.Owing = append(q.Owing, sp.member())
		for _, u := range sp.Uses {
			q.IDs = append(q.IDs, LotKey{sp.Tenant, u.Lot})
		}
	}
	w := s.newSheet()
	if len(q.IDs) > 0 {
		if err := w.read(ctx, q); err != nil {
			return nil, err
		}
	}
	var done []Spending
	for _, c := range commands {
		sp := known[spendingKey{c.Tenant, c.Reference}]
		switch {
		case sp == nil:
			continue
		case sp.RestoredAt.IsZero():
			if err := w.restore(sp, c); err != nil {
				return nil, err
			}
			done = append(done, *sp)
		default:
			again := *sp
			again.Replayed = true
			done = append(done, again)
		}
	}
	if len(w.changes.Restored) == 0 {
		return done, nil
	}
	return done, w.save(ctx)
}

// spendingKey names a spending across tenants.
type spendingKey struct {
	tenant    hyperlocal.TenantID
	reference string
}

func (sp *Spending) member() hyperlocal.TenantRef {
	return hyperlocal.TenantRef{Tenant: sp.Tenant, Ref: sp.Member}
}

// spendings reads what the commands name, in one statement per tenant.
func (s *Service) spendings(ctx context.Context, commands []RestoreCommand) (map[spendingKey]*Spending, error) {
	references := make(map[hyperlocal.TenantID][]string)
	var tenants []hyperlocal.TenantID
	for _, c := range commands {
		if references[c.Tenant] == nil {
			tenants = append(tenants, c.Tenant)
		}
		references[c.Tenant] = append(references[c.Tenant], c.Reference)
	}
	known := make(map[spendingKey]*Spending, len(commands))
	for _, t := range tenants {
		found, err := s.store.Spendings(ctx, t, references[t]...)
		if err != nil {
			return nil, err
		}
		for i := range found {
			known[spendingKey{t, found[i].Reference}] = &found[i]
		}
	}
	return known, nil
}

func (c RestoreCommand) validate() error {
	if err := c.Tenant.Validate(); err != nil {
		return err
	}
	if err := checkReference(c.Reference); err != nil {
		return err
	}
	if err := checkTime(c.At); err != nil {
		return err
	}
	return c.Actor.Validate()
}

func (w *sheet) restore(sp *Spending, cmd RestoreCommand) error {
	at := hyperlocal.Instant(cmd.At)
	if at.IsZero() {
		at = w.recorded
	}
	sp.RestoredAt = at
	c := cause{reference: "points/restore/" + sp.Reference, subject: sp.Subject, at: at, actor: cmd.Actor}
	var withheld int64
	for _, u := range sp.Uses {
		l := w.lots[LotKey{sp.Tenant, u.Lot}]
		if l == nil {
			return errLotMissing.With("lot", u.Lot)
		}
		w.move(l, MovementRestored, u.Points, c)
		withheld += w.withhold(l, u.Points, c)
	}
	w.changes.Restored = append(w.changes.Restored, *sp)
	w.post(sp.member(), "points_restored", c, spendPosting(sp.Reference),
		hyperlocal.Entry{Account: AccountRedeemed, Asset: Asset, Amount: sp.Points},
		hyperlocal.Entry{Account: AccountIssued, Asset: Asset, Amount: -withheld})
	return nil
}
