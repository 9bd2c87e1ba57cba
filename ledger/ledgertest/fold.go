package ledgertest

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
)

// foldCases fold, which reaches every tenant.
var foldCases = []testCase{
	{"a fold changes no balance", func(f *fixture) {
		for i := range 10 {
			f.check(f.books.Post(f.ctx, f.sale(i, int64(i+1)))) // two tail rows each
		}
		foreign := f.sale(0, 99)
		foreign.Tenant = f.other
		f.check(f.books.Post(f.ctx, f.earn("a", 10), foreign))
		folded := 0
		for {
			n, err := f.books.Fold(f.ctx, 6)
			f.check(err)
			folded += n
			f.stands("clearing/sandbox", "GBP", 55)
			f.stands("sales/m1", "GBP", -55)
			f.sound()
			if n < 6 {
				break
			}
		}
		if folded != 23 { // 20, one for the issued points, two of the other f.tenant
			f.Fatalf("%d rows were folded", folded)
		}
		f.check(f.books.Post(f.ctx, f.sale(10, 5)))
		f.stands("sales/m1", "GBP", -60)
		if n, err := f.books.Fold(f.ctx, 1); err != nil || n != 1 {
			f.Fatalf("folded %d, error %v", n, err)
		}
		f.stands("sales/m1", "GBP", -60)
		f.stands("clearing/sandbox", "GBP", 60)
		for i := range 99 {
			f.check(f.books.Post(f.ctx, f.sale(11+i, 1)))
		}
		for _, want := range []int{100, 99, 0} { // without a limit
			if n, err := f.books.Fold(f.ctx, 0); err != nil || n != want {
				f.Fatalf("folded %d, error %v; want %d", n, err, want)
			}
		}
		f.stands("sales/m1", "GBP", -159)
		for _, limit := range []int{-1, ledger.MaxFold + 1} {
			_, err := f.books.Fold(f.ctx, limit)
			f.wantReason(err, hyperlocal.CodeInvalid, "ledger/invalid_limit")
		}
	}},
	{"a batch leaves one row per account", func(f *fixture) {
		var batch []hyperlocal.Posting
		for i := range 100 {
			batch = append(batch, f.sale(i, 1))
		}
		f.many(append(batch, f.move("there", "a", "b", "GBP", 1), f.move("back", "b", "a", "GBP", 1))...)
		if n, err := f.books.Fold(f.ctx, 1000); err != nil || n != 2 {
			f.Fatalf("folded %d, error %v", n, err)
		}
		f.stands("sales/m1", "GBP", -100)
		f.sound()
	}},
	{"folds and postings at once", func(f *fixture) {
		const writers, each = 8, 12
		var posting, folding sync.WaitGroup
		for w := range writers {
			posting.Go(func() {
				for i := range each {
					if err := f.books.Post(f.ctx, f.sale(w*each+i, 1)); err != nil {
						f.Error(err)
					}
				}
			})
		}
		done := make(chan struct{})
		for range 2 {
			folding.Go(func() {
				for {
					if _, err := f.books.Fold(f.ctx, 5); err != nil {
						f.Error(err)
					}
					select {
					case <-done:
						return
					default:
					}
				}
			})
		}
		posting.Wait()
		close(done)
		folding.Wait()
		f.stands("sales/m1", "GBP", -writers*each)
		f.sound()
		for {
			n, err := f.books.Fold(f.ctx, 100)
			f.check(err)
			if n == 0 {
				break
			}
		}
		f.stands("sales/m1", "GBP", -writers*each)
		f.sound()
	}},
	{"sums that do not fit", func(f *fixture) {
		f.check(f.books.Post(f.ctx, f.sale(1, math.MaxInt64), f.sale(2, 5)))
		_, err := f.books.Balance(f.ctx, f.tenant, ledger.Account{Path: "sales/m1", Asset: "GBP"})
		f.want(err, ledger.ErrOverflow)
		_, err = f.books.BalancesAsOf(f.ctx, f.tenant, ledger.AsOf{}, ledger.Account{Path: "clearing/sandbox", Asset: "GBP"})
		f.want(err, ledger.ErrOverflow)
		_, err = f.books.TrialBalance(f.ctx, f.tenant)
		f.want(err, ledger.ErrOverflow)
		_, err = f.books.Fold(f.ctx, 100)
		f.want(err, ledger.ErrOverflow)
		r := f.many(f.earn("a", math.MaxInt64), f.earn("b", 1), f.spend("c", math.MaxInt64), f.earn("d", math.MaxInt64))
		f.want(r[1].Err, ledger.ErrOverflow)
		f.stands(member, "POINTS", -math.MaxInt64)
	}},
	{"a rollback leaves nothing", func(f *fixture) {
		f.check(f.books.Post(f.ctx, f.sale(1, 5), f.earn("a", 10)))
		err := f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			if err := f.books.Post(ctx, f.sale(2, 5), f.spend("b", 4)); err != nil {
				return err
			}
			balance, err := f.books.Balance(ctx, f.tenant, ledger.Account{Path: member, Asset: "POINTS"})
			if err != nil || balance != -6 { // it sees its own
				f.Fatalf("balance inside is %d, error %v", balance, err)
			}
			if _, err := f.books.Fold(ctx, 100); err != nil {
				return err
			}
			return errWanted
		})
		f.want(err, errWanted)
		f.stands("sales/m1", "GBP", -5)
		f.stands(member, "POINTS", -10)
		if found, err := f.books.Transactions(f.ctx, f.tenant, "sale/2", "b"); err != nil || len(found) > 0 {
			f.Fatalf("left behind: %v %v", found, err)
		}
		f.check(f.books.Post(f.ctx, f.sale(2, 7), f.spend("b", 10))) // the references are free
		f.sound()
	}},
	{"accounts by prefix", func(f *fixture) {
		f.check(f.books.Post(f.ctx, f.move("1", "a/1", "b/1", "GBP", 1), f.move("2", "a/1", "a/2", "EUR", 2), f.move("3", "a%", "ä/🧾", "GBP", 3)))
		if _, err := f.books.Fold(f.ctx, 3); err != nil { // some have a snapshot, some a tail
			f.Fatal(err)
		}
		f.check(f.books.Post(f.ctx, f.move("4", "a/1", "a/3", "GBP", 4)))
		for _, c := range []struct{ prefix, want string }{
			{"", "[{{a% GBP} -3} {{a/1 EUR} -2} {{a/1 GBP} -5} {{a/2 EUR} 2} {{a/3 GBP} 4} {{b/1 GBP} 1} {{ä/🧾 GBP} 3}]"},
			{"a/", "[{{a/1 EUR} -2} {{a/1 GBP} -5} {{a/2 EUR} 2} {{a/3 GBP} 4}]"},
			{"a%", "[{{a% GBP} -3}]"},
			{"ä", "[{{ä/🧾 GBP} 3}]"},
			{"c", "[]"},
		} {
			for _, size := range []int{1, 3, 50} {
				var all []ledger.Balance
				for request := (hyperlocal.PageRequest{Limit: size}); ; {
					page, err := f.books.Accounts(f.ctx, f.tenant, c.prefix, request)
					f.check(err)
					all = append(all, page.Items...)
					if request.Cursor = page.Next; page.Next == "" {
						break
					}
				}
				if got := fmt.Sprint(all); got != c.want {
					f.Fatalf("accounts %q by %d are %s, want %s", c.prefix, size, got, c.want)
				}
			}
		}
		totals, err := f.books.TrialBalance(f.ctx, f.tenant)
		f.check(err)
		if got := fmt.Sprint(totals); got != "[{EUR 2 2} {GBP 8 8}]" {
			f.Fatalf("trial balance is %s", got)
		}
	}},
	{"an account becomes bounded", func(f *fixture) {
		free := f.ledger([]ledger.Bound{})
		f.check(free.Post(f.ctx, f.earn("a", 10), f.spend("b", 4))) // lies in the tail
		f.want(f.books.Post(f.ctx, f.spend("c", 7)), ledger.ErrInsufficient)
		f.check(f.books.Post(f.ctx, f.spend("d", 5)))
		f.stands(member, "POINTS", -1)
		if _, err := f.books.Fold(f.ctx, 100); err != nil {
			f.Fatal(err)
		}
		f.want(f.books.Post(f.ctx, f.spend("e", 2)), ledger.ErrInsufficient)
		f.check(f.books.Post(f.ctx, f.spend("f", 1)))
		f.stands(member, "POINTS", 0)
		f.sound()
	}},
}
