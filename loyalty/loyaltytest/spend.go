package loyaltytest

import (
	"reflect"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
)

var spendCases = []testCase{
	{"first-expiring points burn first", func(f *fixture) {
		f.check(f.programme(0, "never").SetEarned(f.ctx, f.earned(ann, "never", 1, 10)))
		f.check(f.programme(0, "60 days").SetEarned(f.ctx, f.earned(ann, "late", 1, 10)))
		f.earn(ann, "early", 1, 10)
		f.check(f.programme(day, "2 days").SetEarned(f.ctx, f.earned(ann, "pending", 1, 10)))
		if b := f.balance(ann); b.Spendable != 30 || b.Pending != 10 || !b.NextExpiry.Equal(f.clock.Now().Add(3*day)) {
			f.Fatalf("balance is %+v", b)
		}
		s := f.spend(ann, "a", 15)
		lots := f.lots(ann)
		want := []loyalty.Use{{Lot: lots["early"].ID, Points: 10}, {Lot: lots["late"].ID, Points: 5}}
		if !reflect.DeepEqual(s.Uses, want) {
			f.Fatalf("used %+v, want %+v", s.Uses, want)
		}
		f.remaining(ann, map[string]int64{"never": 10, "late": 5, "early": 0, "pending": 10})
		_, err := f.points.Spend(f.ctx, f.spending(ann, "b", 16))
		f.want(err, loyalty.ErrInsufficient)
		f.wantReason(err, hyperlocal.CodeExhausted, "loyalty/insufficient")
		f.clock.advance(day) // what was pending is active now and expires first
		f.spend(ann, "b", 16)
		f.remaining(ann, map[string]int64{"never": 9, "late": 0, "early": 0, "pending": 0})
		f.holds(ann, 9, 0)
	}},
	{"a reference spends once", func(f *fixture) {
		f.earn(ann, "1", 1, 100)
		f.earn(bob, "2", 1, 100)
		c := f.spending(ann, "🧾/1", 40)
		c.Subject, c.At = order("№ 7"), f.clock.Now().Add(-time.Nanosecond)
		c.At = f.clock.Now().Add(time.Hour)
		first, err := f.points.Spend(f.ctx, c)
		f.check(err)
		c.At = time.Time{}
		again, err := f.points.Spend(f.ctx, c)
		f.check(err)
		if first.Replayed || !again.Replayed || !first.SpentAt.Equal(f.clock.Now().Add(time.Hour)) {
			f.Fatalf("answers are %+v and %+v", first, again)
		}
		again.Replayed = false
		if !reflect.DeepEqual(first, again) {
			f.Fatalf("answers are %+v and %+v", first, again)
		}
		for _, change := range []func(*loyalty.SpendCommand){
			func(c *loyalty.SpendCommand) { c.Points = 41 },
			func(c *loyalty.SpendCommand) { c.Member = bob },
			func(c *loyalty.SpendCommand) { c.Subject = order("8") },
		} {
			bad := c
			change(&bad)
			_, err := f.points.Spend(f.ctx, bad)
			f.want(err, loyalty.ErrSpendingConflict)
		}
		f.holds(ann, 60, 0)
		f.holds(bob, 100, 0)
		stored, err := f.points.Spendings(f.ctx, f.tenant, "🧾/1", "nobody", "🧾/1")
		f.check(err)
		if len(stored) != 1 || !reflect.DeepEqual(stored[0], first) {
			f.Fatalf("stored %+v", stored)
		}
	}},
	{"restored points go back to their lots, once", func(f *fixture) {
		f.earn(ann, "1", 1, 30)
		f.clock.advance(day)
		f.earn(ann, "2", 1, 30)
		f.spend(ann, "a", 45)
		f.remaining(ann, map[string]int64{"1": 0, "2": 15})
		before := f.lots(ann)
		s := f.restore("a")
		if s.Replayed || !s.RestoredAt.Equal(f.clock.Now()) {
			f.Fatalf("restored %+v", s)
		}
		f.remaining(ann, map[string]int64{"1": 30, "2": 30})
		if s = f.restore("a"); !s.Replayed || s.RestoredAt.IsZero() {
			f.Fatalf("restored again: %+v", s)
		}
		f.holds(ann, 60, 0)
		if l := f.lots(ann)["1"]; !l.ExpiresAt.Equal(before["1"].ExpiresAt) {
			f.Fatalf("the lot is %+v", l)
		}
		if s = f.spend(ann, "a", 45); !s.Replayed || s.RestoredAt.IsZero() { // the reference stays used
			f.Fatalf("spent again: %+v", s)
		}
		f.holds(ann, 60, 0)
		_, err := f.points.Restore(f.ctx, loyalty.RestoreCommand{Tenant: f.tenant, Reference: "nobody", Actor: actor})
		f.want(err, loyalty.ErrSpendingNotFound)
	}},
	{"bad spendings", func(f *fixture) {
		f.earn(ann, "1", 1, 100)
		for reason, change := range map[string]func(*loyalty.SpendCommand){
			"tenant/invalid_id":         func(c *loyalty.SpendCommand) { c.Tenant = "Acme" },
			"loyalty/invalid_member":    func(c *loyalty.SpendCommand) { c.Member = hyperlocal.Ref{} },
			"loyalty/invalid_reference": func(c *loyalty.SpendCommand) { c.Reference = "" },
			"loyalty/invalid_points":    func(c *loyalty.SpendCommand) { c.Points = 0 },
			"actor/invalid_actor":       func(c *loyalty.SpendCommand) { c.Actor = hyperlocal.Actor{} },
		} {
			c := f.spending(ann, "a", 1)
			change(&c)
			_, err := f.points.Spend(f.ctx, c)
			f.wantReason(err, hyperlocal.CodeInvalid, reason)
		}
		_, err := f.points.Restore(f.ctx, loyalty.RestoreCommand{Tenant: f.tenant, Actor: actor})
		f.wantReason(err, hyperlocal.CodeInvalid, "loyalty/invalid_reference")
		_, err = f.points.Restore(f.ctx, loyalty.RestoreCommand{Tenant: f.tenant, Reference: "a"})
		f.wantReason(err, hyperlocal.CodeInvalid, "actor/invalid_actor")
		f.holds(ann, 100, 0)
	}},
}
