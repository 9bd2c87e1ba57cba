package ledgertest

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
)

func (f *fixture) account(account string) hyperlocal.AccountRef {
	return hyperlocal.AccountRef{Tenant: f.tenant, Account: account}
}

var boundedCases = []testCase{
	{"nobody's points fall below zero", func(f *fixture) {
		f.want(f.books.Post(f.ctx, f.spend("a", 1)), ledger.ErrInsufficient)
		f.check(f.books.Post(f.ctx, f.earn("b", 10)))
		err := f.books.Post(f.ctx, f.spend("c", 11))
		f.wantReason(err, hyperlocal.CodeExhausted, "ledger/insufficient")
		f.check(f.books.Post(f.ctx, f.spend("d", 10)))
		f.stands(member, "POINTS", 0)
		f.stands("points/redeemed", "POINTS", -10) // the other side is unbounded
		f.sound()
	}},
	{"a replay is not checked again", func(f *fixture) {
		f.check(f.books.Post(f.ctx, f.earn("a", 10), f.spend("b", 10)))
		f.check(f.books.Post(f.ctx, f.spend("b", 10)))
		f.stands(member, "POINTS", 0)
	}},
	{"what an earlier posting brings in a later one can spend", func(f *fixture) {
		r := f.many(f.spend("a", 5), f.earn("b", 10), f.spend("c", 5), f.spend("d", 6), f.spend("e", 5))
		for i, want := range []bool{false, true, true, false, true} {
			if (r[i].Err == nil) != want {
				f.Fatalf("posting %d: %v", i, r[i].Err)
			}
		}
		f.stands(member, "POINTS", 0)
		f.sound()
	}},
	{"only the end of a posting counts", func(f *fixture) {
		p := f.earn("a", 10)
		p.Entries = append(f.spend("", 10).Entries, p.Entries...) // debit before credit
		f.check(f.books.Post(f.ctx, p))
		f.stands(member, "POINTS", 0)
	}},
	{"rules for other accounts", func(f *fixture) {
		f.books = f.ledger([]ledger.Bound{
			{Prefix: "wallet/*/*/open/", Asset: "GBP", Side: ledger.CreditSide, Min: 100},
			{Prefix: "credit/", Asset: "GBP", Side: ledger.CreditSide, Min: -50},
			{Prefix: "cash", Asset: "GBP", Side: ledger.DebitSide, Min: 0},
		})
		for _, c := range []struct {
			p       hyperlocal.Posting
			allowed bool
		}{
			{f.move("1", "wallet/customer/7/open/1", "bank", "GBP", 99), true}, // below its minimum, but rising
			{f.move("2", "bank", "wallet/customer/7/open/1", "GBP", 1), false},
			{f.move("3", "wallet/customer/7/open/1", "bank", "GBP", 2), true},
			{f.move("4", "bank", "wallet/customer/7/open/1", "GBP", 2), false},
			{f.move("5", "bank", "wallet/customer/7/open/1", "GBP", 1), true},
			{f.move("6", "bank", "wallet/customer/7/closed/1", "GBP", 1), true},
			{f.move("7", "bank", "wallet/customer/open/1", "GBP", 1), true},
			{f.move("8", "bank", "credit/7", "GBP", 50), true},
			{f.move("9", "bank", "credit/7", "GBP", 1), false},
			{f.move("10", "bank", "credit/7", "EUR", 1), true}, // the rule is about GBP
			{f.move("11", "cash/till 1", "bank", "GBP", 1), false},
			{f.move("12", "bank", "cash/till 1", "GBP", 1), true},
			{f.move("13", "cash/till 1", "bank", "GBP", 1), true},
			{f.spend("14", 1), true}, // the default rules are gone
		} {
			if err := f.books.Post(f.ctx, c.p); (err == nil) != c.allowed {
				f.Fatalf("posting %s: %v", c.p.Reference, err)
			}
		}
		f.sound()
		for _, bad := range []ledger.Bound{
			{Prefix: "", Asset: "GBP", Side: ledger.DebitSide},
			{Prefix: "a/b*/", Asset: "GBP", Side: ledger.DebitSide},
			{Prefix: "a/", Asset: "gbp", Side: ledger.DebitSide},
			{Prefix: "a/", Asset: "GBP"},
		} {
			_, err := ledger.New(ledger.Config{Store: f.h.Store, Tx: f.h.Tx, Bounded: []ledger.Bound{bad}})
			if !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
				f.Fatalf("%+v: error is %v", bad, err)
			}
		}
	}},
	{"locks come first, postings later", func(f *fixture) {
		f.want(f.books.LockAccounts(f.ctx, f.account(member)), hyperlocal.NewError("", "tx/required", ""))
		f.check(f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			return f.books.LockAccounts(ctx)
		}))
		f.check(f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			err := f.books.LockAccounts(ctx, f.account("points/customer/9"), f.account(member), f.account("sales/m1"), f.account(member))
			if err != nil {
				return err
			}
			if err := f.books.Post(ctx, f.earn("a", 10), f.spend("b", 4)); err != nil {
				return err
			}
			if err := f.books.LockAccounts(ctx, f.account(member)); err != nil {
				return err
			}
			f.want(f.books.Post(ctx, f.spend("c", 7)), ledger.ErrInsufficient)
			return f.books.Post(ctx, f.spend("d", 6), f.move("e", "points/customer/9", "points/issued", "POINTS", 1))
		}))
		f.stands(member, "POINTS", 0)
		f.stands("points/customer/9", "POINTS", -1)
		err := f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			return f.books.LockAccounts(ctx, hyperlocal.AccountRef{Tenant: "Acme", Account: member})
		})
		f.want(err, hyperlocal.Invalid("tenant", "id", ""))
		f.sound()
	}},
}
