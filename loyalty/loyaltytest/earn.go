package loyaltytest

import (
	"reflect"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
)

var earnCases = []testCase{
	{"a lot is stored whole", func(f *fixture) {
		e := f.earned(ann, "№ 1/ü", 4, 100)
		e.At = time.Date(2026, 2, 27, 9, 30, 0, 654321987, time.FixedZone("", 3600))
		f.check(f.programme(2*day, "30 days").SetEarned(f.ctx, e))
		at := time.Date(2026, 2, 27, 8, 30, 0, 654321000, time.UTC)
		l := f.lots(ann)["№ 1/ü"]
		if !hyperlocal.ValidID(l.ID) {
			f.Fatalf("lot has id %q", l.ID)
		}
		want := loyalty.Lot{
			ID: l.ID, Tenant: f.tenant, Member: ann, Source: order("№ 1/ü"), SourceVersion: 4, Earned: 100, Remaining: 100,
			ActiveFrom: at.Add(2 * day), ExpiresAt: at.Add(32 * day), CreatedAt: f.clock.Now(), UpdatedAt: f.clock.Now(), Version: 1,
		}
		if !reflect.DeepEqual(l, want) {
			f.Fatalf("stored\n%+v, want\n%+v", l, want)
		}
		moves, err := allMovements(f.ctx, f.points, f.tenant, ann)
		f.check(err)
		if len(moves) != 1 || !hyperlocal.ValidID(moves[0].ID) {
			f.Fatalf("movements are %+v", moves)
		}
		move := loyalty.Movement{
			ID: moves[0].ID, Tenant: f.tenant, Member: ann, Lot: l.ID, Kind: loyalty.MovementEarned, Points: 100,
			Reference: "points/earn/order/№ 1/ü/4", Subject: order("№ 1/ü"), At: at, Recorded: f.clock.Now(), Actor: actor,
		}
		if !reflect.DeepEqual(moves[0], move) {
			f.Fatalf("movement is\n%+v, want\n%+v", moves[0], move)
		}
		members, err := f.points.Members(f.ctx, f.tenant, hyperlocal.PageRequest{})
		f.check(err)
		if len(members.Items) != 1 || members.Items[0] != (loyalty.Member{Tenant: f.tenant, Ref: ann, JoinedAt: at}) {
			f.Fatalf("members are %+v", members.Items)
		}
		f.holds(ann, 100, 0)
	}},
	{"the target counts, not the call", func(f *fixture) {
		f.earn(ann, "1", 2, 100)
		f.earn(ann, "1", 2, 100) // again
		f.earn(ann, "1", 2, 500) // again, with another value: the first counts
		f.earn(ann, "1", 1, 900) // stale
		f.holds(ann, 100, 0)
		if l := f.lots(ann)["1"]; l.Version != 1 || l.SourceVersion != 2 {
			f.Fatalf("repeated calls changed the lot: %+v", l)
		}
		f.earn(ann, "1", 5, 130)
		f.holds(ann, 130, 0)
		f.earn(ann, "1", 6, 40)
		f.holds(ann, 40, 0)
		f.earn(ann, "1", 7, 40) // nothing changes but the version
		f.earn(ann, "1", 3, 0)  // late
		f.holds(ann, 40, 0)
		if l := f.lots(ann)["1"]; l.SourceVersion != 7 || l.Earned != 40 {
			f.Fatalf("the lot is %+v", l)
		}
	}},
	{"a refund may come before what it refunds", func(f *fixture) {
		f.earn(ann, "1", 6, 0)
		f.earn(ann, "1", 5, 100)
		f.holds(ann, 0, 0)
		f.remaining(ann, map[string]int64{"1": 0})
	}},
	{"one call for many", func(f *fixture) {
		f.check(f.points.SetEarned(f.ctx, f.earned(ann, "1", 1, 10), f.earned(bob, "2", 1, 20), f.earned(ann, "3", 1, 30),
			f.earned(ann, "1", 2, 5), f.earned(ann, "1", 1, 99)))
		f.holds(ann, 35, 0)
		f.holds(bob, 20, 0)
		f.check(f.points.SetEarned(f.ctx))
	}},
	{"one call raises and takes back", func(f *fixture) {
		f.earn(ann, "1", 1, 50)
		f.spend(ann, "s", 50)
		f.check(f.points.SetEarned(f.ctx, f.earned(ann, "2", 1, 70), f.earned(ann, "1", 2, 0), f.earned(ann, "2", 2, 10)))
		f.holds(ann, 0, 40) // 50 of lot 2 go for lot 1, so 20 are left of the 60 that it loses
	}},
	{"taken back from the lot, then from the others, last-expiring first", func(f *fixture) {
		never := f.programme(0, "never")
		f.earn(ann, "1", 1, 100)
		f.clock.advance(day)
		f.earn(ann, "2", 1, 50)
		f.check(never.SetEarned(f.ctx, f.earned(ann, "3", 1, 20)))
		f.clock.advance(day)
		f.earn(ann, "4", 1, 30)
		f.spend(ann, "s", 90) // from lot 1, which expires first
		f.remaining(ann, map[string]int64{"1": 10, "2": 50, "3": 20, "4": 30})
		f.earn(ann, "1", 2, 15) // 85 less: 10 of its own, 20 of lot 3, 30 of lot 4, 25 of lot 2
		f.remaining(ann, map[string]int64{"1": 0, "2": 25, "3": 0, "4": 0})
		f.holds(ann, 25, 0)
		if l := f.lots(ann)["1"]; l.Earned != 15 {
			f.Fatalf("the lot is %+v", l)
		}
	}},
	{"what cannot be taken is a shortfall, made up for by what comes in", func(f *fixture) {
		f.earn(ann, "1", 1, 100)
		f.earn(ann, "2", 1, 10)
		f.spend(ann, "s", 105)
		f.earn(ann, "1", 2, 0)
		f.holds(ann, 0, 95)
		if l := f.lots(ann)["1"]; l.Shortfall != 95 {
			f.Fatalf("the lot is %+v", l)
		}
		f.earn(ann, "3", 1, 30) // all of it is withheld
		f.holds(ann, 0, 65)
		f.earn(ann, "1", 3, 40) // its own shortfall first
		f.holds(ann, 0, 25)
		f.earn(ann, "4", 1, 30)
		f.holds(ann, 5, 0)
		f.earn(ann, "4", 2, 0) // and back: 5 are left, the rest is short again
		f.holds(ann, 0, 25)
		f.restore("s") // restored points make up for it as well
		f.holds(ann, 80, 0)
	}},
	{"lots that have lapsed are as good as expired", func(f *fixture) {
		f.earn(ann, "1", 1, 40)
		f.clock.advance(20 * day)
		f.earn(ann, "2", 1, 100)
		f.spend(ann, "s", 110) // 40 + 70
		f.earn(ann, "3", 1, 25)
		f.clock.advance(30 * day) // 2 and 3 have lapsed, no worker came by
		f.earn(ann, "2", 2, 50)   // 50 less: 30 left in its own lot, nothing to take from the lapsed one
		f.holds(ann, 25, 20)
	}},
	{"a source earns for one member", func(f *fixture) {
		f.earn(ann, "1", 1, 100)
		f.want(f.points.SetEarned(f.ctx, f.earned(bob, "2", 1, 5), f.earned(bob, "1", 2, 100)), loyalty.ErrSourceConflict)
		f.holds(ann, 100, 0)
		f.holds(bob, 0, 0)
		f.remaining(bob, nil)
	}},
	{"bad earnings", func(f *fixture) {
		for reason, change := range map[string]func(*loyalty.Earned){
			"tenant/invalid_id":              func(e *loyalty.Earned) { e.Tenant = "" },
			"loyalty/invalid_earned":         func(e *loyalty.Earned) { e.Member = hyperlocal.Ref{} },
			"ref/invalid_id":                 func(e *loyalty.Earned) { e.Source.ID = "" },
			"loyalty/invalid_source_version": func(e *loyalty.Earned) { e.SourceVersion = 0 },
			"loyalty/invalid_points":         func(e *loyalty.Earned) { e.Points = -1 },
			"loyalty/invalid_at":             func(e *loyalty.Earned) { e.At = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) },
			"actor/invalid_actor":            func(e *loyalty.Earned) { e.Actor = hyperlocal.Actor{} },
		} {
			e := f.earned(ann, "1", 1, 10)
			change(&e)
			f.wantReason(f.points.SetEarned(f.ctx, f.earned(ann, "2", 1, 10), e), hyperlocal.CodeInvalid, reason)
		}
		f.wantReason(f.points.SetEarned(f.ctx, make([]loyalty.Earned, loyalty.MaxBatch+1)...), hyperlocal.CodeInvalid, "loyalty/invalid_batch")
		e := f.earned(ann, "1", 1, loyalty.MaxPoints+1)
		f.wantReason(f.points.SetEarned(f.ctx, e), hyperlocal.CodeInvalid, "loyalty/invalid_points")
		f.holds(ann, 0, 0)
	}},
}
