package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/audit"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

// Hot measures placements that all want the same item, with Items 1, and then checks that not
// one unit was sold twice. With Buyers it is a rush instead: everybody wants one of a few units,
// at once. ErrOversold or ErrInconsistent if the stock is wrong.
func Hot(ctx context.Context, o Options) (*Result, error) {
	return within(ctx, &o, func(own *room) (*Result, error) {
		if o.Buyers > 0 {
			return own.rush(ctx, &o)
		}
		return own.place(ctx, &o, true)
	})
}

// check compares the hot item with the orders that were placed, and everything with everything.
func (s *shop) check(ctx context.Context, o *Options, sold int64) error {
	if o.Items == 1 {
		if err := s.checkReserved(ctx, sold); err != nil {
			return err
		}
	}
	o.tell("checking that nothing was oversold")
	report, err := audit.Run(ctx, s.db.Audit)
	if err != nil {
		return err
	}
	if n := report.Violations(); n > 0 {
		return fmt.Errorf("%w: %d violations; run refserver verify on a copy", ErrInconsistent, n)
	}
	return nil
}

func (s *shop) checkReserved(ctx context.Context, sold int64) error {
	levels, err := s.Stock.Levels(ctx, inventory.Key{Tenant: tenant, Item: hyperlocal.ItemID(item(0)), Location: location})
	if err != nil {
		return err
	}
	if len(levels) != 1 || levels[0].Reserved.Value() != sold || levels[0].Available().Value() < 0 {
		return fmt.Errorf("%w: %d orders were placed, the shelf says %+v", ErrOversold, sold, levels)
	}
	return nil
}

// rush has every buyer buy one unit of the hot item once.
func (own *room) rush(ctx context.Context, o *Options) (*Result, error) {
	s, err := own.open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := stock(ctx, s.Services, tenant, int64(o.Units)); err != nil {
		return nil, err
	}
	if err := own.settle(ctx); err != nil {
		return nil, err
	}
	o.tell("%d buyers want %d units", o.Buyers, o.Units)
	if err := s.meter.begin(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, rushTime)
	defer cancel()
	gate := make(chan struct{})
	var (
		wg                     sync.WaitGroup
		mu                     sync.Mutex
		sold, refused, retried int
		failed                 error
		whole                  Sample
	)
	var began time.Time
	for n := range o.Buyers {
		wg.Go(func() {
			command := placement("shopper-"+strconv.Itoa(n), 0)
			<-gate
			tries, err := buy(ctx, func(ctx context.Context) error {
				_, err := s.Orders.Place(ctx, command)
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			whole.times.add(hyperlocal.Since(began))
			retried += tries - 1
			switch {
			case err == nil:
				sold++
			case errors.Is(err, inventory.ErrInsufficient):
				refused++
			case failed == nil:
				failed = err
			}
		})
	}
	began = hyperlocal.Stopwatch()
	close(gate)
	wg.Wait()
	whole.Elapsed, whole.Calls = hyperlocal.Since(began), whole.times.total
	if err := s.meter.end(ctx); err != nil && failed == nil {
		failed = err
	}
	res := &Result{Unit: "answers"}
	res.ours(&whole)
	s.meter.costs(res, whole.Calls)
	res.more("sold", Figure(strconv.Itoa(sold)))
	res.more("refused", Figure(strconv.Itoa(refused)))
	res.more("retried", Figure(strconv.Itoa(retried)))
	res.more("last_answer_ms", millis(whole.Elapsed))
	if peak := statusMB("VmHWM:"); peak > 0 {
		res.more("rss_peak_mb", Figure(strconv.FormatInt(peak, 10)))
	}
	if failed != nil {
		return res, fmt.Errorf("a buyer was not answered: %w", failed)
	}
	if want := min(o.Buyers, o.Units); sold != want {
		return res, fmt.Errorf("%w: %d sold, %d refused, %d units for %d buyers", ErrOversold, sold, refused, o.Units, o.Buyers)
	}
	return res, s.checkReserved(ctx, int64(sold))
}

// rushTime bounds a rush.
const rushTime = 10 * time.Minute

// buy does what a client does: it asks again, under the same key, when it was told to come back
// or does not know what became of it.
func buy(ctx context.Context, place func(ctx context.Context) error) (tries int, err error) {
	backoff := hyperlocal.Backoff{MaxAttempts: 50, Base: 20 * time.Millisecond, Max: time.Second, Jitter: 50}
	for tries = 1; ; tries++ {
		if err = place(ctx); err == nil || errors.Is(err, inventory.ErrInsufficient) {
			return tries, err
		}
		switch hyperlocal.CodeOf(err) {
		case hyperlocal.CodeUnavailable, hyperlocal.CodeDeadline, hyperlocal.CodeConflict, hyperlocal.CodeUnknownOutcome, hyperlocal.CodeExhausted:
		default:
			return tries, err
		}
		gap, more := backoff.Next(tries, hyperlocal.RandomUint64())
		if !more || ctx.Err() != nil {
			return tries, err
		}
		wait(ctx, gap)
	}
}
