package ledgertest

import (
	"context"
	"errors"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
)

var errWanted = errors.New("wanted")

var transactionCases = []testCase{
	{"it joins the caller's transaction", func(f *fixture) {
		f.check(f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			for i := range 3 {
				if err := f.books.Post(ctx, f.sale(i, 5)); err != nil {
					return err
				}
				if err := f.books.Post(ctx, f.sale(i, 5)); err != nil { // finds what was just queued
					return err
				}
			}
			f.want(f.books.Post(ctx, f.sale(2, 6)), ledger.ErrReferenceConflict)
			return nil
		}))
		f.stands("sales/m1", "GBP", -15)
		f.sound()
	}},
	{"a refusal leaves the caller's transaction usable", func(f *fixture) {
		f.check(f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			if err := f.books.Post(ctx, f.earn("a", 10)); err != nil {
				return err
			}
			f.want(f.books.Post(ctx, f.sale(1, 5), f.spend("b", 11)), ledger.ErrInsufficient)
			if _, err := f.books.Reverse(ctx, ledger.ReverseCommand{Tenant: f.tenant, Reference: "b", Actor: actor}); !errors.Is(err, ledger.ErrNotFound) {
				f.Fatalf("reversing what was refused: %v", err)
			}
			return f.books.Post(ctx, f.spend("b", 10))
		}))
		f.stands(member, "POINTS", 0)
		f.stands("sales/m1", "GBP", 0)
		f.sound()
	}},
	{"a failed part takes back its own", func(f *fixture) {
		// A store may refuse to go on after a part has failed, but never commits it.
		err := f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			if err := f.books.Post(ctx, f.earn("a", 10)); err != nil {
				return err
			}
			err := f.h.Tx.WithinTx(ctx, func(ctx context.Context) error {
				if err := f.books.Post(ctx, f.spend("b", 10)); err != nil {
					return err
				}
				return errWanted
			})
			f.want(err, errWanted)
			return f.books.Post(ctx, f.spend("c", 10))
		})
		if err != nil {
			f.stands(member, "POINTS", 0)
			f.stands("points/redeemed", "POINTS", 0)
		} else {
			f.stands("points/redeemed", "POINTS", -10)
		}
		if found, err := f.books.Transactions(f.ctx, f.tenant, "b"); err != nil || len(found) > 0 {
			f.Fatalf("left behind: %v %v", found, err)
		}
		f.sound()
	}},
	{"writes need a transaction", func(f *fixture) {
		required := hyperlocal.NewError("", "tx/required", "")
		_, err := f.h.Store.LockBalances(f.ctx, []ledger.Key{{Tenant: f.tenant, Account: ledger.Account{Path: member, Asset: "POINTS"}}})
		f.want(err, required)
		f.want(f.h.Store.Insert(f.ctx, []ledger.Transaction{{Tenant: f.tenant, ID: hyperlocal.RandomIDs{}.NewID(), Fingerprint: []byte{1}}}, nil), required)
	}},
	{"a reference that was taken meanwhile asks for another run", func(f *fixture) {
		f.check(f.books.Post(f.ctx, f.sale(1, 5)))
		stored, err := f.books.Transaction(f.ctx, f.tenant, "sale/1")
		f.check(err)
		runs := 0
		err = f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			runs++
			twin := stored
			twin.ID = hyperlocal.RandomIDs{}.NewID()
			return f.h.Store.Insert(ctx, []ledger.Transaction{twin}, nil)
		})
		f.want(err, hyperlocal.ErrTxRetry)
		f.sound()
	}},
	{"a caller who has left changes nothing", func(f *fixture) {
		ctx, cancel := context.WithCancel(f.ctx)
		cancel()
		if err := f.books.Post(ctx, f.sale(1, 5)); !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) {
			f.Fatalf("error is %v", err)
		}
		err := f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			if err := f.books.Post(ctx, f.sale(1, 5), f.earn("a", 5)); err != nil {
				return err
			}
			cancel()
			return f.books.Post(ctx, f.sale(2, 5))
		})
		if !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) {
			f.Fatalf("error is %v", err)
		}
		f.stands("sales/m1", "GBP", 0)
		f.stands(member, "POINTS", 0)
	}},
	{"tenants do not see each other", func(f *fixture) {
		foreign := f.earn("a", 7)
		foreign.Tenant = f.other
		f.check(f.books.Post(f.ctx, f.earn("a", 10), foreign))
		f.stands(member, "POINTS", -10)
		theirs := f.spend("b", 8)
		theirs.Tenant = f.other
		f.want(f.books.Post(f.ctx, theirs), ledger.ErrInsufficient)
		f.check(f.books.Post(f.ctx, f.spend("b", 8)))
		if _, err := f.books.Transaction(f.ctx, f.other, "b"); !errors.Is(err, ledger.ErrNotFound) {
			f.Fatalf("error is %v", err)
		}
		if _, err := f.books.Reverse(f.ctx, ledger.ReverseCommand{Tenant: f.other, Reference: "b", Actor: actor}); !errors.Is(err, ledger.ErrNotFound) {
			f.Fatalf("error is %v", err)
		}
		for name, want := range map[hyperlocal.TenantID]int64{f.tenant: 2, f.other: 7, "none": 0} {
			got, err := f.books.Balance(f.ctx, name, ledger.Account{Path: member, Asset: "POINTS"})
			f.check(err)
			page, err := f.books.Journal(f.ctx, name, ledger.Filter{Account: member}, hyperlocal.PageRequest{})
			f.check(err)
			accounts, err := f.books.Accounts(f.ctx, name, "", hyperlocal.PageRequest{})
			f.check(err)
			totals, err := f.books.TrialBalance(f.ctx, name)
			f.check(err)
			sums, err := f.books.BalancesAsOf(f.ctx, name, ledger.AsOf{}, ledger.Account{Path: member, Asset: "POINTS"})
			f.check(err)
			if got != -want || sums[0] != -want {
				f.Fatalf("%s has %d and %d, want %d", name, got, sums[0], -want)
			}
			switch name {
			case f.tenant:
				if len(page.Items) != 2 || len(accounts.Items) != 3 || len(totals) != 1 || totals[0].Debits != 10 {
					f.Fatalf("%s reads %+v, %+v, %+v", name, page, accounts, totals)
				}
			case f.other:
				if len(page.Items) != 1 || len(accounts.Items) != 2 || len(totals) != 1 || totals[0].Debits != 7 {
					f.Fatalf("%s reads %+v, %+v, %+v", name, page, accounts, totals)
				}
			default:
				if len(page.Items)+len(accounts.Items)+len(totals) != 0 {
					f.Fatalf("%s reads %+v, %+v, %+v", name, page, accounts, totals)
				}
			}
		}
	}},
}
