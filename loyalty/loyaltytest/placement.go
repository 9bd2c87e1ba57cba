package loyaltytest

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
)

// placing asks for points in the placement of an order.
func (f *fixture) placing(id string, customer hyperlocal.Ref, amounts ...int64) hyperlocal.Placement {
	p := hyperlocal.Placement{
		Tenant: f.tenant, Order: order(id), Customer: customer, At: f.clock.Now(), Actor: actor,
		Spend: []hyperlocal.Spend{{Kind: "coupon", Ref: hyperlocal.NewRef("coupon", "x"), Amount: 1}},
	}
	for _, n := range amounts {
		p.Spend = append(p.Spend, hyperlocal.Spend{Kind: loyalty.SpendKind, Ref: customer, Amount: n})
	}
	return p
}

// place runs a batch as the order service does; veto says what another participant refuses.
func (f *fixture) place(batch []hyperlocal.Placement, veto func(i int) bool) []error {
	f.Helper()
	var refusals []error
	f.check(f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
		refusals = make([]error, len(batch))
		d, err := f.points.Participant().Decide(ctx, batch)
		if err != nil {
			return err
		}
		for i := range batch {
			if refusals[i] = d.Check(i); refusals[i] == nil && !veto(i) {
				d.Take(i)
			}
		}
		return d.Apply(ctx)
	}))
	return refusals
}

// returner is what the order service gives points back with.
type returner interface {
	SpendKinds() []string
	GiveBack(ctx context.Context, returns ...hyperlocal.SpendReturn) error
}

func (f *fixture) returner() returner {
	f.Helper()
	r, ok := f.points.Participant().(returner)
	if !ok || len(r.SpendKinds()) != 1 || r.SpendKinds()[0] != loyalty.SpendKind {
		f.Fatal("the participant does not give points back")
	}
	return r
}

// giveBack gives back what orders spent.
func (f *fixture) giveBack(ctx context.Context, ids ...string) {
	f.Helper()
	var returns []hyperlocal.SpendReturn
	for _, id := range ids {
		returns = append(returns, hyperlocal.SpendReturn{Tenant: f.tenant, Order: order(id), At: f.clock.Now(), Actor: actor})
	}
	f.check(f.returner().GiveBack(ctx, returns...))
}

func nobody(int) bool { return false }

var placementCases = []testCase{
	{"placements spend in their order", func(f *fixture) {
		f.earn(ann, "1", 1, 100)
		f.earn(bob, "2", 1, 10)
		refusals := f.place([]hyperlocal.Placement{
			f.placing("a", ann, 60), f.placing("b", ann, 50), f.placing("c", hyperlocal.Ref{}), f.placing("d", ann, 30, 10),
			f.placing("e", ann, 1), f.placing("f", bob, 10), f.placing("g", bob),
		}, nobody)
		for i, refused := range []bool{false, true, false, false, true, false, false} {
			if (refusals[i] != nil) != refused {
				f.Fatalf("placement %d: %v", i, refusals[i])
			}
		}
		f.want(refusals[1], loyalty.ErrInsufficient)
		f.holds(ann, 0, 0)
		f.holds(bob, 0, 0)
		s, err := f.points.Spendings(f.ctx, f.tenant, loyalty.OrderReference(order("d")))
		f.check(err)
		if len(s) != 1 || s[0].Points != 40 || s[0].Subject != order("d") {
			f.Fatalf("spendings are %+v", s)
		}
		f.restore(loyalty.OrderReference(order("a")))
		f.holds(ann, 60, 0)
	}},
	{"what others refuse holds nothing back", func(f *fixture) {
		f.earn(ann, "1", 1, 100)
		refusals := f.place([]hyperlocal.Placement{f.placing("a", ann, 100), f.placing("b", ann, 100)}, func(i int) bool { return i == 0 })
		if refusals[0] != nil || refusals[1] != nil {
			f.Fatalf("refusals are %v", refusals)
		}
		f.holds(ann, 0, 0)
		if s, err := f.points.Spendings(f.ctx, f.tenant, loyalty.OrderReference(order("a"))); err != nil || len(s) != 0 {
			f.Fatalf("spendings are %+v, error %v", s, err)
		}
	}},
	{"placements that cannot be", func(f *fixture) {
		f.earn(ann, "1", 1, 100)
		foreign := f.placing("a", bob, 5)
		foreign.Spend[1].Ref = ann
		guest := f.placing("b", hyperlocal.Ref{}, 5)
		unsigned := f.placing("c", ann, 5)
		unsigned.Actor = hyperlocal.Actor{}
		refusals := f.place([]hyperlocal.Placement{
			foreign, guest, f.placing("d", ann, -5), f.placing("e", ann, 0), f.placing("f", ann, loyalty.MaxPoints, 1), unsigned,
		}, nobody)
		f.wantReason(refusals[0], hyperlocal.CodePermission, "loyalty/not_yours")
		f.want(refusals[1], loyalty.ErrNotYours)
		for _, err := range refusals[2:5] {
			f.wantReason(err, hyperlocal.CodeInvalid, "loyalty/invalid_points")
		}
		f.wantReason(refusals[5], hyperlocal.CodeInvalid, "actor/invalid_actor")
		f.holds(ann, 100, 0)
	}},
	{"ended orders get their points back together, once", func(f *fixture) {
		f.earn(ann, "1", 1, 100)
		f.earn(bob, "2", 1, 100)
		for _, err := range f.place([]hyperlocal.Placement{
			f.placing("a", ann, 30), f.placing("b", bob, 20), f.placing("c", ann, 40), f.placing("d", bob, 5), f.placing("e", bob),
		}, nobody) {
			f.check(err)
		}
		f.earn(ann, "1", 2, 10) // of the 90 that are taken back 30 were left
		f.holds(ann, 0, 60)
		f.giveBack(f.ctx, "c", "b", "never", "e", "a", "c")
		f.holds(ann, 10, 0)
		f.holds(bob, 95, 0)
		f.giveBack(f.ctx, "a", "d")
		f.giveBack(f.ctx, "a", "d")
		f.holds(ann, 10, 0)
		f.holds(bob, 100, 0)
		s, err := f.points.Spendings(f.ctx, f.tenant, loyalty.OrderReference(order("a")), loyalty.OrderReference(order("c")))
		f.check(err)
		if len(s) != 2 || !s[0].RestoredAt.Equal(f.clock.Now()) || !s[1].RestoredAt.Equal(f.clock.Now()) {
			f.Fatalf("spendings are %+v", s)
		}
		if s := f.restore(loyalty.OrderReference(order("a"))); !s.Replayed {
			f.Fatalf("restored again: %+v", s)
		}
	}},
	{"giving back undone with its transaction", func(f *fixture) {
		f.earn(ann, "1", 1, 100)
		f.check(f.place([]hyperlocal.Placement{f.placing("a", ann, 30)}, nobody)[0])
		err := f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			f.giveBack(ctx, "a")
			return errWanted
		})
		f.want(err, errWanted)
		f.holds(ann, 70, 0)
		f.giveBack(f.ctx, "a")
		f.holds(ann, 100, 0)
		err = f.returner().GiveBack(f.ctx, hyperlocal.SpendReturn{Tenant: f.tenant, Order: order("a")})
		f.wantReason(err, hyperlocal.CodeInvalid, "actor/invalid_actor")
	}},
	{"deciding needs a transaction and writes nothing", func(f *fixture) {
		f.earn(ann, "1", 1, 100)
		_, err := f.points.Participant().Decide(f.ctx, []hyperlocal.Placement{f.placing("a", ann, 5)})
		f.want(err, hyperlocal.NewError("", "tx/required", ""))
		f.check(f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			d, err := f.points.Participant().Decide(ctx, []hyperlocal.Placement{f.placing("a", ann, 5)})
			if err == nil {
				err = d.Check(0)
			}
			return err
		}))
		f.holds(ann, 100, 0)
		if f.points.Participant().Rank() != hyperlocal.RankAccount {
			f.Fatal("rank")
		}
	}},
}
