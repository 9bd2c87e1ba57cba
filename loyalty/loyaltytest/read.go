package loyaltytest

import (
	"slices"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
)

// pages reads a list to its end, page by page; between pages it calls between.
func pages[T any](f *fixture, size int, list func(hyperlocal.PageRequest) (hyperlocal.Page[T], error), key func(T) string, between func(page int)) []string {
	f.Helper()
	var keys []string
	for request, n := (hyperlocal.PageRequest{Limit: size}), 1; ; n++ {
		page, err := list(request)
		f.check(err)
		if len(page.Items) > size {
			f.Fatalf("a page of %d has %d items", size, len(page.Items))
		}
		for _, item := range page.Items {
			keys = append(keys, key(item))
		}
		if request.Cursor = page.Next; page.Next == "" {
			return keys
		}
		between(n)
	}
}

var readCases = []testCase{
	{"lists stay put while points move", func(f *fixture) {
		for _, id := range ids(9, "o%d") {
			f.earn(ann, id, 1, 10)
		}
		lots := func(filter loyalty.LotFilter) func(hyperlocal.PageRequest) (hyperlocal.Page[loyalty.Lot], error) {
			return func(p hyperlocal.PageRequest) (hyperlocal.Page[loyalty.Lot], error) {
				return f.points.Lots(f.ctx, f.tenant, ann, filter, p)
			}
		}
		history := func(p hyperlocal.PageRequest) (hyperlocal.Page[loyalty.Movement], error) {
			return f.points.History(f.ctx, f.tenant, ann, p)
		}
		still := func(int) {}
		more := func(page int) {
			f.earn(ann, ids(page+1, "new%d")[page], f.clock.Now().Unix(), 1)
			f.clock.advance(day)
		}
		lotKey := func(l loyalty.Lot) string { return l.Source.ID }
		moveKey := func(m loyalty.Movement) string { return m.ID }
		want := pages(f, 200, lots(loyalty.LotFilter{}), lotKey, still)
		if len(want) != 9 || !slices.Contains(want, "o0") {
			f.Fatalf("lots are %q", want)
		}
		moves := pages(f, 200, history, moveKey, still)
		if got := pages(f, 2, lots(loyalty.LotFilter{}), lotKey, more); !slices.Equal(got, want) {
			f.Fatalf("pages give %q, want %q", got, want)
		}
		if got := pages(f, 200, history, moveKey, still); !slices.Equal(got[len(got)-len(moves):], moves) {
			f.Fatalf("history is %q, was %q", got, moves)
		}
		f.spend(ann, "a", 25)
		open := pages(f, 3, lots(loyalty.LotFilter{Open: true}), lotKey, still)
		if len(open) != 9+4-2 {
			f.Fatalf("open lots are %q", open)
		}
		f.holds(ann, 90+4-25, 0)
	}},
	{"members in order", func(f *fixture) {
		want := []string{"Z", "a", "ann", "b", "Ä"}
		for _, id := range []string{"b", "Ä", "ann", "Z", "a"} {
			f.earn(hyperlocal.NewRef("customer", id), id, 1, 1)
			f.clock.advance(day)
			f.earn(hyperlocal.NewRef("customer", id), id+"/2", 1, 1)
		}
		f.earn(hyperlocal.NewRef("household", "a"), "h", 1, 1)
		got := pages(f, 2, func(p hyperlocal.PageRequest) (hyperlocal.Page[loyalty.Member], error) {
			return f.points.Members(f.ctx, f.tenant, p)
		}, func(m loyalty.Member) string { return m.Ref.String() }, func(int) {})
		for i, id := range want {
			want[i] = "customer/" + id
		}
		if want = append(want, "household/a"); !slices.Equal(got, want) {
			f.Fatalf("members are %q, want %q", got, want)
		}
	}},
	{"cursors belong to their list", func(f *fixture) {
		f.earn(ann, "1", 1, 1)
		f.earn(ann, "2", 1, 1)
		page, err := f.points.Lots(f.ctx, f.tenant, ann, loyalty.LotFilter{}, hyperlocal.PageRequest{Limit: 1})
		f.check(err)
		request := hyperlocal.PageRequest{Cursor: page.Next}
		_, err = f.points.Lots(f.ctx, f.tenant, bob, loyalty.LotFilter{}, request)
		f.want(err, hyperlocal.ErrCursor)
		_, err = f.points.Lots(f.ctx, f.tenant, ann, loyalty.LotFilter{Open: true}, request)
		f.want(err, hyperlocal.ErrCursor)
		_, err = f.points.History(f.ctx, f.tenant, ann, request)
		f.want(err, hyperlocal.ErrCursor)
		_, err = f.points.Members(f.ctx, f.tenant, request)
		f.want(err, hyperlocal.ErrCursor)
		_, err = f.points.History(f.ctx, f.tenant, ann, hyperlocal.PageRequest{Limit: -1})
		f.wantReason(err, hyperlocal.CodeInvalid, "page/invalid_limit")
	}},
	{"balances of many", func(f *fixture) {
		f.earn(ann, "1", 1, 10)
		f.check(f.programme(day, "never").SetEarned(f.ctx, f.earned(bob, "2", 1, 20)))
		nobody := hyperlocal.NewRef("customer", "nobody")
		got, err := f.points.Balances(f.ctx, f.tenant, bob, nobody, ann, bob)
		f.check(err)
		want := []loyalty.Balance{
			{Points: 20, Pending: 20}, {}, {Points: 10, Spendable: 10, NextExpiry: f.clock.Now().Add(30 * day)}, {Points: 20, Pending: 20},
		}
		if !slices.Equal(got, want) {
			f.Fatalf("balances are %+v, want %+v", got, want)
		}
		_, err = f.points.Balance(f.ctx, f.tenant, hyperlocal.Ref{})
		f.wantReason(err, hyperlocal.CodeInvalid, "loyalty/invalid_member")
	}},
}
