package loyaltytest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
)

// ledgerInsufficient is the refusal of a journal whose account would fall below zero.
var ledgerInsufficient = &hyperlocal.Error{Code: hyperlocal.CodeExhausted, Reason: "ledger/insufficient"}

var errSpoilt = hyperlocal.NewError(hyperlocal.CodeInternal, "loyaltytest/spoilt", "the row cannot be written")

// spoilt is a store with lots that cannot be changed any more.
type spoilt struct {
	loyalty.Store
	lots []string
}

func (s *spoilt) Save(ctx context.Context, c loyalty.Changes) error {
	if slices.ContainsFunc(c.Changed, func(l loyalty.Lot) bool { return slices.Contains(s.lots, l.ID) }) {
		return errSpoilt
	}
	return s.Store.Save(ctx, c)
}

// expireCases expire points, which reaches every tenant.
var expireCases = []testCase{
	{"points expire at their time and not before", func(f *fixture) {
		f.earn(ann, "1", 1, 10)
		f.clock.advance(day)
		f.earn(ann, "2", 1, 20)
		f.earn(bob, "3", 1, 30)
		f.check(f.programme(0, "never").SetEarned(f.ctx, f.earned(ann, "4", 1, 40)))
		f.clock.advance(29*day - time.Microsecond)
		if n, err := f.points.Expire(f.ctx, 10); err != nil || n != 0 {
			f.Fatalf("expired %d, error %v", n, err)
		}
		f.spend(ann, "a", 3)
		f.clock.advance(time.Microsecond)
		if b := f.balance(ann); b.Lapsed != 7 || b.Spendable != 60 {
			f.Fatalf("balance is %+v", b)
		}
		_, err := f.points.Spend(f.ctx, f.spending(ann, "b", 61)) // lapsed points are not spent, worker or no worker
		f.want(err, loyalty.ErrInsufficient)
		if n, err := f.points.Expire(f.ctx, 10); err != nil || n != 1 {
			f.Fatalf("expired %d, error %v", n, err)
		}
		f.remaining(ann, map[string]int64{"1": 0, "2": 20, "4": 40})
		f.clock.advance(10000 * day)
		for _, want := range []int{1, 1, 0} {
			if n, err := f.points.Expire(f.ctx, 1); err != nil || n != want {
				f.Fatalf("expired %d, error %v, want %d", n, err, want)
			}
		}
		f.holds(ann, 40, 0)
		f.holds(bob, 0, 0)
		got, err := f.h.Balance(f.ctx, f.tenant, loyalty.AccountExpired, loyalty.Asset)
		if err != nil || got != -57 {
			f.Fatalf("%d points have expired, error %v", -got, err)
		}
		for _, limit := range []int{-1, loyalty.MaxExpire + 1} {
			_, err := f.points.Expire(f.ctx, limit)
			f.wantReason(err, hyperlocal.CodeInvalid, "loyalty/invalid_limit")
		}
	}},
	{"all tenants and many lots", func(f *fixture) {
		var batch []loyalty.Earned
		for _, id := range ids(60, "o%d") {
			e := f.earned(hyperlocal.NewRef("customer", id[:2]), id, 1, 5)
			batch = append(batch, e)
			e.Tenant = f.other
			batch = append(batch, e)
		}
		f.check(f.points.SetEarned(f.ctx, batch...))
		f.clock.advance(30 * day)
		if n, err := f.points.Expire(f.ctx, 0); err != nil || n != 100 { // the default
			f.Fatalf("expired %d, error %v", n, err)
		}
		if n, err := f.points.Expire(f.ctx, 100); err != nil || n != 20 {
			f.Fatalf("expired %d, error %v", n, err)
		}
		for _, name := range []hyperlocal.TenantID{f.tenant, f.other} {
			if got, err := f.h.Balance(f.ctx, name, loyalty.AccountExpired, loyalty.Asset); err != nil || got != -300 {
				f.Fatalf("%d points of %s have expired, error %v", -got, name, err)
			}
		}
	}},
	{"a member whose books disagree holds nobody up", func(f *fixture) {
		f.earn(ann, "1", 1, 10)
		f.earn(bob, "2", 1, 20)
		// Somebody takes points out of the ledger behind the back of the lots.
		f.check(f.h.Journal.Post(f.ctx, hyperlocal.Posting{
			Tenant: f.tenant, Reference: "theft", Kind: "theft", Actor: actor, Entries: []hyperlocal.Entry{
				{Account: loyalty.AccountOf(ann), Asset: loyalty.Asset, Amount: 1},
				{Account: "points/stolen", Asset: loyalty.Asset, Amount: -1},
			},
		}))
		f.clock.advance(30 * day)
		n, err := f.points.Expire(f.ctx, 10)
		if n != 1 || err == nil || !strings.Contains(err.Error(), "ledger/insufficient") {
			f.Fatalf("expired %d, error %v", n, err)
		}
		f.holds(bob, 0, 0)
		if b := f.balance(ann); b.Lapsed != 10 {
			f.Fatalf("balance is %+v", b)
		}
	}},
	{"what cannot be emptied does not stand in the way", func(f *fixture) {
		for i, id := range ids(9, "o%d") { // the earliest, the middle and the last are ann's
			who := bob
			if i%4 == 0 {
				who = ann
			}
			f.earn(who, id, 1, 10)
			f.clock.advance(time.Hour)
		}
		f.check(f.h.Journal.Post(f.ctx, hyperlocal.Posting{
			Tenant: f.tenant, Reference: "theft", Kind: "theft", Actor: actor, Entries: []hyperlocal.Entry{
				{Account: loyalty.AccountOf(ann), Asset: loyalty.Asset, Amount: 30},
				{Account: "points/stolen", Asset: loyalty.Asset, Amount: -30},
			},
		}))
		f.clock.advance(31 * day)
		for _, c := range []struct{ limit, want int }{{1, 1}, {3, 3}, {500, 2}, {1, 0}} {
			n, err := f.points.Expire(f.ctx, c.limit)
			if n != c.want || !errors.Is(err, ledgerInsufficient) || !strings.Contains(err.Error(), "loyalty/lot_stays") {
				f.Fatalf("limit %d: expired %d, error %v; want %d", c.limit, n, err, c.want)
			}
		}
		f.holds(bob, 0, 0)
		f.check(f.h.Journal.Post(f.ctx, hyperlocal.Posting{ // found again
			Tenant: f.tenant, Reference: "found", Kind: "theft", Actor: actor, Entries: []hyperlocal.Entry{
				{Account: loyalty.AccountOf(ann), Asset: loyalty.Asset, Amount: -30},
				{Account: "points/stolen", Asset: loyalty.Asset, Amount: 30},
			},
		}))
		if n, err := f.points.Expire(f.ctx, 10); err != nil || n != 3 {
			f.Fatalf("expired %d, error %v", n, err)
		}
		f.holds(ann, 0, 0)
	}},
	{"what the store will not save does not stand in the way", func(f *fixture) {
		for i, id := range ids(9, "o%d") {
			f.earn(bob, id, 1, int64(10+i))
			f.clock.advance(time.Hour)
		}
		f.clock.advance(31 * day)
		lots := f.lots(bob)
		store := &spoilt{Store: f.h.Store, lots: []string{lots["o0"].ID, lots["o4"].ID}}
		points, err := loyalty.New(loyalty.Config{Store: store, Tx: f.h.Tx, Journal: f.h.Journal, Clock: f.clock})
		f.check(err)
		err = f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			_, err := points.Expire(ctx, 10)
			return err
		})
		f.want(err, errSpoilt) // a caller's transaction is all or nothing
		for _, c := range []struct{ limit, want int }{{1, 1}, {2, 2}, {500, 4}, {500, 0}} {
			n, err := points.Expire(f.ctx, c.limit)
			if n != c.want || !errors.Is(err, errSpoilt) {
				f.Fatalf("limit %d: expired %d, error %v; want %d", c.limit, n, err, c.want)
			}
		}
		f.holds(bob, 10+14, 0)
		if n, err := f.points.Expire(f.ctx, 10); err != nil || n != 2 {
			f.Fatalf("expired %d, error %v", n, err)
		}
		f.holds(bob, 0, 0)
	}},
	{"expiring joins the caller's transaction", func(f *fixture) {
		f.earn(ann, "1", 1, 10)
		f.clock.advance(30 * day)
		err := f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			if n, err := f.points.Expire(ctx, 10); err != nil || n != 1 {
				f.Fatalf("expired %d, error %v", n, err)
			}
			return errWanted
		})
		f.want(err, errWanted)
		f.holds(ann, 10, 0)
	}},
	{"what has expired is not taken twice", func(f *fixture) {
		f.earn(ann, "1", 1, 100)
		f.spend(ann, "s", 30)
		f.clock.advance(30 * day)
		if n, err := f.points.Expire(f.ctx, 10); err != nil || n != 1 {
			f.Fatalf("expired %d, error %v", n, err)
		}
		f.earn(ann, "2", 1, 50)
		f.earn(ann, "1", 2, 60) // 40 less, all of which had expired
		f.holds(ann, 50, 0)
		f.earn(ann, "1", 3, 0) // 60 less: 30 had expired, 30 were spent
		f.holds(ann, 20, 0)
		if l := f.lots(ann)["1"]; l.Expired != 0 {
			f.Fatalf("the lot is %+v", l)
		}
	}},
	{"restored points of a lot that has lapsed expire", func(f *fixture) {
		f.earn(ann, "1", 1, 30)
		f.spend(ann, "a", 20)
		f.clock.advance(30 * day)
		if n, err := f.points.Expire(f.ctx, 10); err != nil || n != 1 {
			f.Fatalf("expired %d, error %v", n, err)
		}
		f.restore("a")
		if b := f.balance(ann); b.Points != 20 || b.Lapsed != 20 || b.Spendable != 0 || !b.NextExpiry.IsZero() {
			f.Fatalf("balance is %+v", b)
		}
		if n, err := f.points.Expire(f.ctx, 10); err != nil || n != 1 {
			f.Fatalf("expired %d, error %v", n, err)
		}
		f.holds(ann, 0, 0)
		if l := f.lots(ann)["1"]; l.Expired != 30 {
			f.Fatalf("the lot is %+v", l)
		}
	}},
}
