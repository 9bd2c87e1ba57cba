package loyaltytest

import (
	"context"
	"errors"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
)

var errWanted = errors.New("wanted")

var transactionCases = []testCase{
	{"a rollback leaves nothing", func(f *fixture) {
		f.earn(ann, "1", 1, 100)
		err := f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			if err := f.points.SetEarned(ctx, f.earned(ann, "2", 1, 50), f.earned(bob, "3", 1, 5)); err != nil {
				return err
			}
			if _, err := f.points.Spend(ctx, f.spending(ann, "a", 120)); err != nil {
				return err
			}
			if b, err := f.points.Balance(ctx, f.tenant, ann); err != nil || b.Points != 30 { // it sees its own
				f.Fatalf("balance inside is %+v, error %v", b, err)
			}
			if _, err := f.points.Restore(ctx, loyalty.RestoreCommand{Tenant: f.tenant, Reference: "a", Actor: actor}); err != nil {
				return err
			}
			return errWanted
		})
		f.want(err, errWanted)
		f.holds(ann, 100, 0)
		f.holds(bob, 0, 0)
		f.remaining(ann, map[string]int64{"1": 100})
		if s, err := f.points.Spendings(f.ctx, f.tenant, "a"); err != nil || len(s) != 0 {
			f.Fatalf("spendings are %+v, error %v", s, err)
		}
		f.spend(ann, "a", 100)
	}},
	{"it joins the caller's transaction", func(f *fixture) {
		f.check(f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			if err := f.points.SetEarned(ctx, f.earned(ann, "1", 1, 50)); err != nil {
				return err
			}
			_, err := f.points.Spend(ctx, f.spending(ann, "a", 50))
			return err
		}))
		f.holds(ann, 0, 0)
	}},
	{"a refusal leaves the caller's transaction usable", func(f *fixture) {
		f.earn(bob, "9", 1, 1)
		f.check(f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			_, err := f.points.Spend(ctx, f.spending(bob, "a", 2))
			f.want(err, loyalty.ErrInsufficient)
			_, err = f.points.Restore(ctx, loyalty.RestoreCommand{Tenant: f.tenant, Reference: "a", Actor: actor})
			f.want(err, loyalty.ErrSpendingNotFound)
			_, err = f.points.Spend(ctx, f.spending(bob, "a", 1))
			return err
		}))
		f.holds(bob, 0, 0)
		f.check(f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			f.want(f.points.SetEarned(ctx, f.earned(ann, "9", 2, 1)), loyalty.ErrSourceConflict)
			return f.points.SetEarned(ctx, f.earned(ann, "8", 1, 5))
		}))
		f.holds(ann, 5, 0)
	}},
	{"the journal's refusal leaves no lot", func(f *fixture) {
		f.check(f.h.Journal.Post(f.ctx, hyperlocal.Posting{ // somebody has taken the reference
			Tenant: f.tenant, Reference: "points/earn/order/1/1", Kind: "other", Actor: actor, Entries: []hyperlocal.Entry{
				{Account: "a", Asset: loyalty.Asset, Amount: 1}, {Account: "b", Asset: loyalty.Asset, Amount: -1},
			},
		}))
		err := f.points.SetEarned(f.ctx, f.earned(ann, "1", 1, 5), f.earned(ann, "2", 1, 5))
		if !hyperlocal.IsCode(err, hyperlocal.CodeAlreadyExists) {
			f.Fatalf("error is %v", err)
		}
		f.holds(ann, 0, 0)
		f.remaining(ann, nil)
	}},
	{"whoever changes lots without the lock is sent back", func(f *fixture) {
		f.earn(ann, "1", 1, 100)
		f.spend(ann, "a", 1)
		l := f.lots(ann)["1"]
		id := hyperlocal.RandomIDs{}.NewID
		s := loyalty.Spending{Tenant: f.tenant, Reference: "a", Member: ann, Points: 1, SpentAt: f.clock.Now()}
		twin, stale, again, gone := l, l, s, s
		twin.ID, stale.Remaining, gone.Reference, gone.RestoredAt = id(), 50, "b", f.clock.Now()
		for name, c := range map[string]loyalty.Changes{
			"a second lot of a source":    {New: []loyalty.Lot{twin}},
			"a stale lot":                 {Changed: []loyalty.Lot{stale}},
			"a second spending":           {Spent: []loyalty.Spending{again}},
			"restoring what is not there": {Restored: []loyalty.Spending{gone}},
		} {
			err := f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error { return f.h.Store.Save(ctx, c) })
			if !errors.Is(err, hyperlocal.ErrTxRetry) {
				f.Fatalf("%s: error is %v", name, err)
			}
		}
		f.want(f.h.Store.Save(f.ctx, loyalty.Changes{Changed: []loyalty.Lot{stale}}), hyperlocal.NewError("", "tx/required", ""))
		f.holds(ann, 99, 0)
	}},
	{"a caller who has left changes nothing", func(f *fixture) {
		ctx, cancel := context.WithCancel(f.ctx)
		cancel()
		if err := f.points.SetEarned(ctx, f.earned(ann, "1", 1, 5)); !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) {
			f.Fatalf("error is %v", err)
		}
		f.earn(ann, "1", 1, 5)
		err := f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			if _, err := f.points.Spend(ctx, f.spending(ann, "a", 5)); err != nil {
				return err
			}
			cancel()
			_, err := f.points.Spend(ctx, f.spending(ann, "b", 1))
			return err
		})
		if !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) {
			f.Fatalf("error is %v", err)
		}
		f.holds(ann, 5, 0)
	}},
	{"tenants do not see each other", func(f *fixture) {
		theirs := f.earned(ann, "1", 1, 7)
		theirs.Tenant = f.other
		f.check(f.points.SetEarned(f.ctx, f.earned(ann, "1", 1, 10), theirs))
		c := f.spending(ann, "a", 8)
		c.Tenant = f.other
		_, err := f.points.Spend(f.ctx, c)
		f.want(err, loyalty.ErrInsufficient)
		f.spend(ann, "a", 8)
		c.Points = 7
		if s, err := f.points.Spend(f.ctx, c); err != nil || s.Replayed { // the same reference, another spending
			f.Fatalf("spent %+v, error %v", s, err)
		}
		_, err = f.points.Restore(f.ctx, loyalty.RestoreCommand{Tenant: f.other, Reference: "a", Actor: actor})
		f.check(err)
		f.holds(ann, 2, 0)
		for name, want := range map[hyperlocal.TenantID]int64{f.tenant: 2, f.other: 7, "none": 0} {
			audit(f, f.ctx, f.h, f.points, name, ann)
			b, err := f.points.Balance(f.ctx, name, ann)
			f.check(err)
			moves, err := allMovements(f.ctx, f.points, name, ann)
			f.check(err)
			members, err := f.points.Members(f.ctx, name, hyperlocal.PageRequest{})
			f.check(err)
			lots, err := allLots(f.ctx, f.points, name, ann)
			f.check(err)
			n := 1
			if name == "none" {
				n = 0
			}
			if b.Points != want || len(lots) != n || len(members.Items) != n || len(moves) != map[hyperlocal.TenantID]int{f.tenant: 2, f.other: 3}[name] {
				f.Fatalf("%s reads %+v, %+v, %+v, %+v", name, b, lots, members, moves)
			}
		}
	}},
}
