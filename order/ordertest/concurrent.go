package ordertest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// together runs fn n times at once.
func together(n int, fn func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			fn(i)
		})
	}
	close(start)
	wg.Wait()
}

// patient repeats a call that was told to come again, as every client does.
func patient(ctx context.Context, fn func() error) error {
	for {
		err := fn()
		e, ok := errors.AsType[*hyperlocal.Error](err)
		if !ok || e.RetryAfter == 0 && e.Reason != hyperlocal.ErrTxRetry.Reason {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func testConcurrent(t *testing.T, newHarness func(*testing.T) Harness) {
	t.Run("one key, one order", func(t *testing.T) {
		k := newKit(t, newHarness)
		c := apples(1)
		c.Key = "the one"
		var answers sync.Map
		var fresh atomic.Int32
		together(100, func(i int) {
			err := patient(t.Context(), func() error {
				r, err := k.s.Place(t.Context(), c)
				if err != nil {
					return err
				}
				answers.Store(i, r.Order)
				if !r.Replayed {
					fresh.Add(1)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		var first any
		answers.Range(func(_, v any) bool {
			if first == nil {
				first = v
			}
			if v != first {
				t.Errorf("got %+v and %+v", v, first)
			}
			return true
		})
		page, err := k.s.List(t.Context(), tenant, order.Filter{}, hyperlocal.PageRequest{})
		noError(t, err)
		if len(page.Items) != 1 || fresh.Load() != 1 {
			t.Fatalf("%d orders, %d fresh answers", len(page.Items), fresh.Load())
		}
		k.wantStock(100, 1)
	})
	t.Run("one external reference, one order", func(t *testing.T) {
		k := newKit(t, newHarness)
		c := apples(1)
		c.External = hyperlocal.External{Source: "till", Reference: "the one"}
		var ids sync.Map
		together(20, func(int) {
			r, err := k.s.Place(t.Context(), c)
			if err != nil {
				t.Error(err)
				return
			}
			ids.Store(r.Order.ID, true)
		})
		n := 0
		ids.Range(func(any, any) bool { n++; return true })
		if n != 1 {
			t.Fatalf("%d orders", n)
		}
	})
	t.Run("one charge", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(1))
		var done, refused atomic.Int32
		together(20, func(int) {
			r, err := k.s.Pay(t.Context(), order.PayCommand{Tenant: tenant, Actor: shopper, Order: id})
			switch {
			case err == nil && r.Outcome == hyperlocal.OutcomeSucceeded:
				done.Add(1)
			case errors.Is(err, order.ErrPaymentUnderWay), errors.Is(err, order.ErrNothingDue):
				refused.Add(1)
			default:
				t.Errorf("got %+v, %v", r, err)
			}
		})
		if done.Load() != 1 || refused.Load() != 19 || len(k.payments.Asked()) != 1 {
			t.Fatalf("%d done, %d refused, %d asked", done.Load(), refused.Load(), len(k.payments.Asked()))
		}
		k.want(id, order.Confirmed, order.PaymentPaid)
	})
	t.Run("one charge for one key", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.place(apples(1))
		c := order.PayCommand{Tenant: tenant, Actor: shopper, Order: id, Key: "the one"}
		var operations sync.Map
		together(100, func(int) {
			err := patient(t.Context(), func() error {
				r, err := k.s.Pay(t.Context(), c)
				if err == nil {
					operations.Store(r.Operation, r.Outcome)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
		n := 0
		operations.Range(func(_, outcome any) bool {
			n++
			if outcome != hyperlocal.OutcomeSucceeded {
				t.Errorf("got %v", outcome)
			}
			return true
		})
		if n != 1 || len(k.payments.Asked()) != 1 {
			t.Fatalf("%d operations, %d asked", n, len(k.payments.Asked()))
		}
	})
	t.Run("ten refunds of 60 percent", func(t *testing.T) {
		k := newKit(t, newHarness)
		id := k.accepted(2)
		var done, refused atomic.Int32
		together(10, func(int) {
			_, err := k.refund(order.RefundCommand{Order: id, Amount: gbp(180)})
			switch {
			case err == nil:
				done.Add(1)
			case errors.Is(err, order.ErrRefundTooMuch):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
		if done.Load() != 1 || refused.Load() != 9 {
			t.Fatalf("%d done, %d refused", done.Load(), refused.Load())
		}
		if o := k.want(id, order.Accepted, order.PaymentPartRefunded); o.Refunded != gbp(180) {
			t.Fatalf("refunded %s", o.Refunded)
		}
	})
	t.Run("one accepts, one cancels", func(t *testing.T) {
		k := newKit(t, newHarness)
		for range 10 {
			c := apples(1)
			c.PayLater = true
			id := k.place(c)
			var done atomic.Int32
			together(2, func(i int) {
				command := order.Command{Tenant: tenant, Actor: shopper, Order: id, Trigger: order.TriggerCancel}
				if i == 0 {
					command.Actor, command.Trigger = merchant, order.TriggerAccept
				}
				r, err := k.s.Do(t.Context(), command)
				if err != nil {
					t.Error(err)
					return
				}
				if r[0].Err == nil {
					done.Add(1)
				} else if !errors.Is(r[0].Err, order.ErrNotAllowed) {
					t.Error(r[0].Err)
				}
			})
			if done.Load() != 1 {
				t.Fatalf("%d of two that exclude each other succeeded", done.Load())
			}
			o := k.get(id)
			k.consistent(&o)
		}
	})
	t.Run("several workers", func(t *testing.T) {
		k := newKit(t, newHarness)
		var all []order.ID
		for range 40 {
			all = append(all, k.place(apples(1)))
		}
		k.clock.Advance(time.Hour)
		var done atomic.Int32
		together(4, func(int) {
			for {
				n, next, err := k.s.RunDue(t.Context(), 5)
				if err != nil {
					t.Error(err)
					return
				}
				done.Add(int32(n))
				if next.IsZero() || next.After(k.clock.Now()) {
					return
				}
			}
		})
		if done.Load() != 40 {
			t.Fatalf("%d were handled", done.Load())
		}
		for _, id := range all {
			k.want(id, order.Expired, order.PaymentDue)
			k.wantTriggers(id, "state", "await_payment expire")
		}
		k.wantStock(100, 0)
	})
}
