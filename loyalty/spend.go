package loyalty

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// MaxReference bounds the reference of a spending, in bytes.
const MaxReference = 200

// SpendCommand asks to use points of a member.
type SpendCommand struct {
	Tenant    hyperlocal.TenantID
	Member    hyperlocal.Ref
	Reference string         // unique per tenant: spending under it again does nothing
	Subject   hyperlocal.Ref // what the points are spent on; zero for the member
	Points    int64          // 1 to MaxPoints
	At        time.Time      // effective time; zero means now
	Actor     hyperlocal.Actor
}

// Spend uses points of a member, first-expiring lots first, in the transaction of ctx or in
// one of its own. It happens once per reference: asking again with the same member, subject
// and points returns what was done, with Replayed set, also when it was restored meanwhile.
//
// Errors: code invalid, ErrInsufficient, ErrSpendingConflict, what Journal and Store report.
func (s *Service) Spend(ctx context.Context, c SpendCommand) (Spending, error) {
	if err := c.validate(); err != nil {
		return Spending{}, err
	}
	member := hyperlocal.TenantRef{Tenant: c.Tenant, Ref: c.Member}
	var done Spending
	var refused error
	err := s.tx.WithinTx(ctx, func(ctx context.Context) error {
		done, refused = Spending{}, nil
		if err := s.lock(ctx, []hyperlocal.TenantRef{member}); err != nil {
			return err
		}
		known, err := s.store.Spendings(ctx, c.Tenant, c.Reference)
		if err != nil {
			return err
		}
		if len(known) > 0 {
			done, refused = c.replay(known[0])
			return nil
		}
		w := s.newSheet()
		if err := w.read(ctx, LotQuery{Open: []hyperlocal.TenantRef{member}}); err != nil {
			return err
		}
		at := hyperlocal.Instant(c.At)
		if at.IsZero() {
			at = w.recorded
		}
		if have := w.available(member, at); have < c.Points {
			refused = insufficient(have, c.Points)
			return nil // nothing is queued: a caller's transaction stays usable
		}
		done = w.spend(member, c.Reference, c.Subject, c.Points, at, c.Actor)
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

func (c SpendCommand) validate() error {
	if err := c.Tenant.Validate(); err != nil {
		return err
	}
	if c.Member.IsZero() {
		return hyperlocal.Invalid("loyalty", "member", "a spending names its member")
	}
	if err := c.Member.Validate(); err != nil {
		return err
	}
	if err := checkReference(c.Reference); err != nil {
		return err
	}
	if err := c.Subject.Validate(); err != nil {
		return err
	}
	if err := checkPoints(c.Points); err != nil {
		return err
	}
	if err := checkTime(c.At); err != nil {
		return err
	}
	return c.Actor.Validate()
}

func checkReference(reference string) error {
	if reference == "" {
		return hyperlocal.Invalid("loyalty", "reference", "a spending has a reference")
	}
	return hyperlocal.CheckText("loyalty", "reference", reference, MaxReference)
}

func checkPoints(points int64) error {
	if points < 1 || points > MaxPoints {
		return hyperlocal.Invalid("loyalty", "points", "between one and a thousand trillion points are spent at once")
	}
	return nil
}

func insufficient(have, wanted int64) error {
	return ErrInsufficient.With("available", have).With("wanted", wanted)
}

// replay answers a command whose reference is known.
func (c SpendCommand) replay(known Spending) (Spending, error) {
	subject := c.Subject
	if subject.IsZero() {
		subject = c.Member
	}
	if known.Member != c.Member || known.Points != c.Points || known.Subject != subject {
		return Spending{}, ErrSpendingConflict.With("reference", c.Reference)
	}
	known.Replayed = true
	return known, nil
}

func spendPosting(reference string) string { return "points/spend/" + reference }

// spend uses points that are available.
func (w *sheet) spend(member hyperlocal.TenantRef, reference string, subject hyperlocal.Ref, points int64, at time.Time, actor hyperlocal.Actor) Spending {
	if subject.IsZero() {
		subject = member.Ref
	}
	c := cause{reference: spendPosting(reference), subject: subject, at: at, actor: actor}
	done := Spending{
		Tenant: member.Tenant, Reference: reference, Member: member.Ref, Subject: subject, Points: points,
		Uses: w.burn(member, points, c), SpentAt: at,
	}
	w.changes.Spent = append(w.changes.Spent, done)
	w.post(member, "points_spent", c, "", hyperlocal.Entry{Account: AccountRedeemed, Asset: Asset, Amount: -points})
	return done
}
