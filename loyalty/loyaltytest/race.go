package loyaltytest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
)

// together runs f n times at once.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
}

var raceCases = []testCase{
	{"two hundred spend the same hundred points", func(f *fixture) {
		f.earn(ann, "1", 1, 60)
		f.earn(ann, "2", 1, 40)
		var spent, refused atomic.Int64
		together(200, func(i int) {
			_, err := f.points.Spend(f.ctx, f.spending(ann, fmt.Sprint("s", i), 1))
			switch {
			case err == nil:
				spent.Add(1)
			case errors.Is(err, loyalty.ErrInsufficient):
				refused.Add(1)
			default:
				f.Error(err)
			}
		})
		if spent.Load() != 100 || refused.Load() != 100 {
			f.Fatalf("%d spent, %d refused", spent.Load(), refused.Load())
		}
		f.holds(ann, 0, 0)
	}},
	{"one spending from everywhere", func(f *fixture) {
		f.earn(ann, "1", 1, 100)
		var fresh, restored atomic.Int64
		together(30, func(int) {
			s, err := f.points.Spend(f.ctx, f.spending(ann, "a", 30))
			if err != nil {
				f.Error(err)
			} else if !s.Replayed {
				fresh.Add(1)
			}
		})
		together(30, func(int) {
			s, err := f.points.Restore(f.ctx, loyalty.RestoreCommand{Tenant: f.tenant, Reference: "a", Actor: actor})
			if err != nil {
				f.Error(err)
			} else if !s.Replayed {
				restored.Add(1)
			}
		})
		if fresh.Load() != 1 || restored.Load() != 1 {
			f.Fatalf("spent %d times, restored %d times", fresh.Load(), restored.Load())
		}
		f.holds(ann, 100, 0)
	}},
	{"versions of a source in any order", func(f *fixture) {
		together(40, func(i int) {
			version := int64(i/2 + 1) // each twice
			if err := f.points.SetEarned(f.ctx, f.earned(ann, "1", version, 10*version)); err != nil {
				f.Error(err)
			}
		})
		f.holds(ann, 200, 0)
		if l := f.lots(ann)["1"]; l.SourceVersion != 20 || l.Earned != 200 {
			f.Fatalf("the lot is %+v", l)
		}
	}},
	{"everybody at once", func(f *fixture) {
		members := []hyperlocal.Ref{ann, bob, hyperlocal.NewRef("customer", "cy")}
		f.check(f.points.SetEarned(f.ctx, f.earned(ann, "a", 1, 50), f.earned(bob, "b", 1, 50), f.earned(members[2], "c", 1, 50)))
		together(24, func(w int) {
			source := rand.New(rand.NewPCG(uint64(w), 11)) //nolint:gosec // a repeatable shuffle
			for i := range 6 {
				if err := f.one(source, members, fmt.Sprint(w, "/", i)); err != nil {
					f.Error(err)
				}
			}
		})
		for _, m := range members {
			f.holds(m, f.balance(m).Points, f.balance(m).Shortfall)
		}
	}},
}

// one does something at random; refusals for lack of points are fine.
func (f *fixture) one(source *rand.Rand, members []hyperlocal.Ref, name string) error {
	m := members[source.IntN(len(members))]
	var err error
	switch source.IntN(5) {
	case 0: // several members in one transaction, in no particular order
		var batch []loyalty.Earned
		for i, m := range source.Perm(len(members)) {
			batch = append(batch, f.earned(members[m], fmt.Sprint(name, "/", i), 1, 1+source.Int64N(20)))
		}
		err = f.points.SetEarned(f.ctx, batch...)
	case 1:
		i := source.IntN(3)
		err = f.points.SetEarned(f.ctx, f.earned(members[i], string(rune('a'+i)), 2+source.Int64N(50), source.Int64N(80)))
	case 2:
		_, err = f.points.Spend(f.ctx, f.spending(m, name, 1+source.Int64N(20)))
	case 3:
		if _, err = f.points.Spend(f.ctx, f.spending(m, name, 1+source.Int64N(20))); err == nil {
			_, err = f.points.Restore(f.ctx, loyalty.RestoreCommand{Tenant: f.tenant, Reference: name, Actor: actor})
		}
	default:
		err = f.h.Tx.WithinTx(f.ctx, func(ctx context.Context) error {
			batch := []hyperlocal.Placement{f.placing(name+"/x", members[0], 3), f.placing(name+"/y", members[2], 2), f.placing(name+"/z", members[1], 4)}
			d, err := f.points.Participant().Decide(ctx, batch)
			if err != nil {
				return err
			}
			for i := range batch {
				if d.Check(i) == nil {
					d.Take(i)
				}
			}
			return d.Apply(ctx)
		})
	}
	if errors.Is(err, loyalty.ErrInsufficient) {
		return nil
	}
	return err
}
