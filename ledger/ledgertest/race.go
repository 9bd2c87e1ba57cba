package ledgertest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
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
	{"a bounded account under attack", func(f *fixture) {
		f.check(f.books.Post(f.ctx, f.earn("e", 100)))
		var spent, refused atomic.Int64
		together(100, func(i int) {
			switch err := f.books.Post(f.ctx, f.spend("s/"+strconv.Itoa(i), 3)); {
			case err == nil:
				spent.Add(3)
			case errors.Is(err, ledger.ErrInsufficient):
				refused.Add(1)
			default:
				f.Error(err)
			}
		})
		if spent.Load() != 99 || refused.Load() != 67 {
			f.Fatalf("%d points were spent and %d attempts refused", spent.Load(), refused.Load())
		}
		f.stands(member, "POINTS", -1)
		f.sound()
	}},
	{"one reference from everywhere", func(f *fixture) {
		var fresh atomic.Int64
		var ids sync.Map
		together(30, func(i int) {
			p := f.sale(1, 5)
			if i%2 == 1 { // on a bounded account
				p = f.earn("sale/2", 5)
			}
			r, err := f.books.PostMany(f.ctx, []hyperlocal.Posting{p})
			if err != nil || r[0].Err != nil {
				f.Error(err, r)
				return
			}
			ids.Store(r[0].Transaction, true)
			if !r[0].Replayed {
				fresh.Add(1)
			}
		})
		n := 0
		ids.Range(func(any, any) bool { n++; return true })
		if fresh.Load() != 2 || n != 2 {
			f.Fatalf("%d fresh answers with %d ids", fresh.Load(), n)
		}
		f.stands("sales/m1", "GBP", -5)
		f.stands(member, "POINTS", -5)
		f.sound()
	}},
	{"a hundred batches at once", func(f *fixture) {
		const callers, size, members = 100, 10, 5
		var seed []hyperlocal.Posting
		for m := range members {
			seed = append(seed, f.move(fmt.Sprint("seed/", m), fmt.Sprint("points/customer/", m), "points/issued", "POINTS", 60))
		}
		f.many(seed...)
		var spent [members]atomic.Int64
		var sold atomic.Int64
		together(callers, func(c int) {
			source := rand.New(rand.NewPCG(uint64(c), 7)) //nolint:gosec // a repeatable shuffle
			var batch []hyperlocal.Posting
			for i := range size {
				ref := fmt.Sprint("b/", c, "/", i)
				if i%2 == 0 {
					batch = append(batch, f.move(ref, "sales/m1", "clearing/sandbox", "GBP", 1))
					continue
				}
				batch = append(batch, f.move(ref, "points/redeemed", fmt.Sprint("points/customer/", source.IntN(members)), "POINTS", 1))
			}
			results, err := f.books.PostMany(f.ctx, batch)
			if err != nil {
				f.Error(err)
				return
			}
			for i, r := range results {
				switch {
				case r.Err != nil && !errors.Is(r.Err, ledger.ErrInsufficient):
					f.Error(r.Err)
				case r.Err != nil:
				case i%2 == 0:
					sold.Add(1)
				default:
					spent[batch[i].Entries[0].Account[len("points/customer/")]-'0'].Add(1)
				}
			}
		})
		f.stands("sales/m1", "GBP", -callers*size/2)
		if sold.Load() != callers*size/2 {
			f.Fatalf("%d sales were answered", sold.Load())
		}
		for m := range members {
			f.stands(fmt.Sprint("points/customer/", m), "POINTS", spent[m].Load()-60)
			if spent[m].Load() > 60 {
				f.Fatalf("member %d spent %d of 60", m, spent[m].Load())
			}
		}
		f.sound()
	}},
	{"one reversal from everywhere", func(f *fixture) {
		f.check(f.books.Post(f.ctx, f.sale(1, 5)))
		var fresh atomic.Int64
		together(20, func(int) {
			r, err := f.books.Reverse(f.ctx, ledger.ReverseCommand{Tenant: f.tenant, Reference: "sale/1", Actor: actor})
			if err != nil {
				f.Error(err)
			} else if !r.Replayed {
				fresh.Add(1)
			}
		})
		if fresh.Load() != 1 {
			f.Fatalf("%d reversals", fresh.Load())
		}
		f.stands("sales/m1", "GBP", 0)
		f.sound()
	}},
}
