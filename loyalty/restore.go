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
	var done Spending
	var refused error
	err := s.tx.WithinTx(ctx, func(ctx context.Context) error {
		done, refused = Spending{}, nil
		known, err := s.store.Spendings(ctx, c.Tenant, c.Reference)
		if err != nil {
			return err
		}
		if len(known) == 0 {
			refused = ErrSpendingNotFound.With("reference", c.Reference)
			return nil
		}
		// Whose it is never changes; whether it was restored is known under the lock only.
		member := hyperlocal.TenantRef{Tenant: c.Tenant, Ref: known[0].Member}
		if err := s.lock(ctx, []hyperlocal.TenantRef{member}); err != nil {
			return err
		}
		if known, err = s.store.Spendings(ctx, c.Tenant, c.Reference); err != nil {
			return err
		}
		done = known[0]
		if !done.RestoredAt.IsZero() {
			done.Replayed = true
			return nil
		}
		q := LotQuery{Owing: []hyperlocal.TenantRef{member}}
		for _, u := range done.Uses {
			q.IDs = append(q.IDs, LotKey{c.Tenant, u.Lot})
		}
		w := s.newSheet()
		if err := w.read(ctx, q); err != nil {
			return err
		}
		if err := w.restore(&done, c); err != nil {
			return err
		}
		return w.save(ctx)
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return Spending{}, err
	}
	return done, nil
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
	member := hyperlocal.TenantRef{Tenant: sp.Tenant, Ref: sp.Member}
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
	w.post(member, "points_restored", c, spendPosting(sp.Reference),
		hyperlocal.Entry{Account: AccountRedeemed, Asset: Asset, Amount: sp.Points},
		hyperlocal.Entry{Account: AccountIssued, Asset: Asset, Amount: -withheld})
	return nil
}
