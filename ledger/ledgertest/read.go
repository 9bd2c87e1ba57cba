package ledgertest

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
)

// journal reads a whole list, page by page; between pages it calls between.
func (f *fixture) journal(filter ledger.Filter, size int, between func(page int)) []string {
	f.Helper()
	var refs []string
	for request, n := (hyperlocal.PageRequest{Limit: size}), 1; ; n++ {
		page, err := f.books.Journal(f.ctx, f.tenant, filter, request)
		f.check(err)
		if len(page.Items) > size {
			f.Fatalf("a page of %d has %d items", size, len(page.Items))
		}
		for _, t := range page.Items {
			if len(t.Entries) < 2 {
				f.Fatalf("%s comes without its entries", t.Reference)
			}
			refs = append(refs, t.Reference)
		}
		if page.Next == "" {
			return refs
		}
		request.Cursor = page.Next
		if between != nil {
			between(n)
		}
	}
}

var readCases = []testCase{
	{"the journal and its filters", func(f *fixture) {
		start := f.clock.Now()
		post := func(n int, subject hyperlocal.Ref, from, to, asset string, day int) {
			p := f.move(strconv.Itoa(n), from, to, asset, 5)
			p.Subject, p.Effective = subject, start.AddDate(0, 0, day)
			f.check(f.books.Post(f.ctx, p))
		}
		one, two := hyperlocal.NewRef("order", "1"), hyperlocal.NewRef("order", "2")
		post(1, one, "a", "b", "GBP", 1)
		post(2, one, "a", "c", "GBP", 2)
		post(3, two, "a", "b", "EUR", 4)
		post(4, two, "b", "c", "GBP", 3)
		post(5, hyperlocal.Ref{}, "a", "a/b", "GBP", 5)
		at := func(day int) time.Time { return start.AddDate(0, 0, day) }
		for _, c := range []struct {
			filter ledger.Filter
			want   []string
		}{
			{ledger.Filter{}, []string{"5", "3", "4", "2", "1"}},
			{ledger.Filter{Account: "a"}, []string{"5", "3", "2", "1"}},
			{ledger.Filter{Account: "a", Asset: "GBP"}, []string{"5", "2", "1"}},
			{ledger.Filter{Account: "b", Asset: "EUR"}, []string{"3"}},
			{ledger.Filter{Subject: one}, []string{"2", "1"}},
			{ledger.Filter{Subject: two, Account: "a"}, []string{"3"}},
			{ledger.Filter{Subject: two, Account: "b", Asset: "GBP"}, []string{"4"}},
			{ledger.Filter{EffectiveFrom: at(2), EffectiveTo: at(4)}, []string{"4", "2"}},
			{ledger.Filter{Account: "a", EffectiveFrom: at(2), EffectiveTo: at(5)}, []string{"3", "2"}},
			{ledger.Filter{Subject: one, EffectiveTo: at(2)}, []string{"1"}},
			{ledger.Filter{Account: "nobody"}, nil},
			{ledger.Filter{Subject: hyperlocal.NewRef("order", "3")}, nil},
		} {
			for _, size := range []int{1, 2, 50} {
				if got := f.journal(c.filter, size, nil); !slices.Equal(got, c.want) {
					f.Fatalf("%+v by %d gives %q, want %q", c.filter, size, got, c.want)
				}
			}
		}
		for _, bad := range []ledger.Filter{
			{Asset: "GBP"}, {Account: "/a"}, {Account: "a", Asset: "gbp"}, {Subject: hyperlocal.NewRef("order", "")},
			{EffectiveFrom: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)},
		} {
			_, err := f.books.Journal(f.ctx, f.tenant, bad, hyperlocal.PageRequest{})
			if !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
				f.Fatalf("%+v: error is %v", bad, err)
			}
		}
	}},
	{"pages stay put while postings arrive", func(f *fixture) {
		var want []string
		for i := range 9 { // three of each moment, so that the id decides
			if i%3 == 0 {
				f.clock.advance(time.Second)
			}
			f.check(f.books.Post(f.ctx, f.sale(i, 1)))
		}
		for _, filter := range []ledger.Filter{{}, {Account: "sales/m1"}} {
			want = f.journal(filter, 50, nil)
			got := f.journal(filter, 2, func(page int) {
				f.clock.advance(time.Second) // newer than all: before the first page
				f.check(f.books.Post(f.ctx, f.move(fmt.Sprintf("new/%s/%d", filter.Account, page), "sales/m1", "x", "GBP", 1)))
			})
			if !slices.Equal(got, want) {
				f.Fatalf("pages give %q, want %q", got, want)
			}
		}
	}},
	{"cursors belong to their list", func(f *fixture) {
		f.check(f.books.Post(f.ctx, f.sale(1, 1), f.sale(2, 1)))
		first, err := f.books.Journal(f.ctx, f.tenant, ledger.Filter{}, hyperlocal.PageRequest{Limit: 1})
		f.check(err)
		request := hyperlocal.PageRequest{Cursor: first.Next}
		_, err = f.books.Journal(f.ctx, f.tenant, ledger.Filter{Account: "sales/m1"}, request)
		f.want(err, hyperlocal.ErrCursor)
		_, err = f.books.Journal(f.ctx, f.other, ledger.Filter{}, request)
		f.want(err, hyperlocal.ErrCursor)
		_, err = f.books.Accounts(f.ctx, f.tenant, "", request)
		f.want(err, hyperlocal.ErrCursor)
		_, err = f.books.Journal(f.ctx, f.tenant, ledger.Filter{}, hyperlocal.PageRequest{Limit: 201})
		f.wantReason(err, hyperlocal.CodeInvalid, "page/invalid_limit")
	}},
	{"two time axes", func(f *fixture) {
		start := f.clock.Now()
		day := func(n int) time.Time { return start.AddDate(0, 0, n) }
		for n, effective := range []int{0, 5, 1} { // the third is told late
			p := f.sale(n, 1<<n)
			p.Effective = day(effective)
			f.check(f.books.Post(f.ctx, p))
			f.clock.advance(24 * time.Hour)
		}
		sales, nobody := ledger.Account{Path: "sales/m1", Asset: "GBP"}, ledger.Account{Path: "sales/m2", Asset: "GBP"}
		for _, c := range []struct {
			at   ledger.AsOf
			want int64
		}{
			{ledger.AsOf{}, 7},
			{ledger.AsOf{Effective: day(0)}, 1},
			{ledger.AsOf{Effective: day(1)}, 5},
			{ledger.AsOf{Effective: day(1), Recorded: day(1)}, 1},
			{ledger.AsOf{Effective: day(1).Add(-time.Microsecond)}, 1},
			{ledger.AsOf{Recorded: day(1)}, 3},
			{ledger.AsOf{Recorded: day(0).Add(-time.Microsecond)}, 0},
		} {
			got, err := f.books.BalancesAsOf(f.ctx, f.tenant, c.at, nobody, sales, sales)
			f.check(err)
			if got[0] != 0 || got[1] != -c.want || got[2] != -c.want {
				f.Fatalf("as of %+v: %d, want %d", c.at, got, -c.want)
			}
		}
	}},
	{"bulk reads keep the order", func(f *fixture) {
		f.check(f.books.Post(f.ctx, f.sale(1, 5), f.earn("e", 3)))
		accounts := []ledger.Account{
			{Path: "sales/m1", Asset: "GBP"}, {Path: "nobody", Asset: "GBP"}, {Path: member, Asset: "POINTS"},
			{Path: "sales/m1", Asset: "EUR"}, {Path: "sales/m1", Asset: "GBP"},
		}
		got, err := f.books.Balances(f.ctx, f.tenant, accounts...)
		f.check(err)
		if !slices.Equal(got, []int64{-5, 0, -3, 0, -5}) {
			f.Fatalf("balances are %v", got)
		}
		if got, err := f.books.Balances(f.ctx, f.tenant); err != nil || got != nil {
			f.Fatalf("no accounts give %v, %v", got, err)
		}
		for _, bad := range [][]ledger.Account{{{Path: "", Asset: "GBP"}}, {{Path: "a", Asset: ""}}, make([]ledger.Account, ledger.MaxRead+1)} {
			if _, err := f.books.Balances(f.ctx, f.tenant, bad...); !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
				f.Fatalf("error is %v", err)
			}
		}
		_, err = f.books.Transaction(f.ctx, f.tenant, "nobody")
		f.wantReason(err, hyperlocal.CodeNotFound, "ledger/not_found")
	}},
}
