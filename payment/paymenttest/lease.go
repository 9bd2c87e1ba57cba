package paymenttest

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

func leaseCases() []testCase {
	return []testCase{
		{"one at a time", leaseOne},
		{"due in order", leaseDue},
		{"several workers", leaseWorkers},
		{"webhooks in order", dueWebhooks},
	}
}

func stored(t *testing.T, h Harness, change func(i int, op *payment.Operation), n int) []payment.Operation {
	t.Helper()
	var ins []payment.Intent
	var ops []payment.Operation
	for i := range n {
		in := fullIntent(newOrder())
		op := fullOperation(in)
		op.Reference, op.CreatedAt = strconv.Itoa(i), monday.Add(time.Duration(i)*time.Microsecond)
		change(i, &op)
		ins, ops = append(ins, in), append(ops, op)
	}
	tx(t, h, func(ctx context.Context) error {
		return errors.Join(h.Store.SaveIntents(ctx, ins), h.Store.InsertOperations(ctx, ops))
	})
	return ops
}

func leaseOne(t *testing.T, h Harness) {
	ops := stored(t, h, func(i int, op *payment.Operation) {
		op.Outcome, op.Sent, op.NextAt = processing, false, monday.Add(time.Minute)
		if i == 1 {
			op.Outcome = unknown
		}
		if i == 2 {
			op.NextAt = time.Time{}
		}
	}, 3)
	try := func(op payment.Operation, now time.Time) (got payment.Operation, ok bool) {
		tx(t, h, func(ctx context.Context) (err error) {
			got, ok, err = h.Store.Lease(ctx, tenant, op.ID, now, now.Add(time.Hour))
			return err
		})
		return got, ok
	}
	if _, ok := try(ops[0], monday.Add(time.Minute-time.Microsecond)); ok {
		t.Error("taken before its time")
	}
	got, ok := try(ops[0], monday.Add(time.Minute))
	if !ok {
		t.Fatal("not taken at its time")
	}
	sameJSON(t, "leased operation (as it was before)", got, ops[0])
	if _, ok := try(ops[0], monday.Add(2*time.Minute)); ok {
		t.Error("taken twice")
	}
	now, err := h.Store.Operations(t.Context(), tenant, ops[0].ID)
	if err != nil || !now[0].Sent || !now[0].NextAt.Equal(monday.Add(time.Minute+time.Hour)) || now[0].Version != 1 {
		t.Errorf("after the lease: %+v, %v", now, err)
	}
	for _, op := range ops[1:] {
		if _, ok := try(op, monday.Add(24*time.Hour)); ok {
			t.Errorf("%s with next %v was taken", op.Outcome, op.NextAt)
		}
	}
	if _, ok := try(payment.Operation{ID: id()}, monday); ok {
		t.Error("an unknown operation was taken")
	}
	// A rolled back lease was never taken.
	err = h.Tx.WithinTx(t.Context(), func(ctx context.Context) error {
		_, ok, err := h.Store.Lease(ctx, tenant, ops[0].ID, monday.Add(3*time.Hour), monday.Add(9*time.Hour))
		if !ok || err != nil {
			t.Errorf("%v, %v", ok, err)
		}
		return errCrash
	})
	if !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	if _, ok := try(ops[0], monday.Add(3*time.Hour)); !ok {
		t.Error("a rolled back lease holds")
	}
}

func leaseDue(t *testing.T, h Harness) {
	const n = 9
	ops := stored(t, h, func(i int, op *payment.Operation) {
		op.Sent = i%2 == 0
		op.NextAt = monday.Add(time.Duration((i*5)%n) * time.Minute) // a permutation of 0..8 minutes
		op.Outcome = []hyperlocal.PaymentOutcome{processing, unknown, pending, action, declined, succeeded}[i%6]
	}, n)
	byMinute := make(map[int]payment.Operation)
	for i, op := range ops {
		byMinute[(i*5)%n] = op
	}
	lease := func(now time.Time, limit int) (due []payment.Operation, next time.Time) {
		tx(t, h, func(ctx context.Context) (err error) {
			due, next, err = h.Store.LeaseDue(ctx, now, now.Add(time.Hour), limit)
			return err
		})
		return due, next
	}
	if due, next := lease(monday.Add(-time.Second), 10); len(due) != 0 || !next.Equal(monday) {
		t.Errorf("before anything is due: %d, next %v", len(due), next)
	}
	if due, next := lease(monday.Add(4*time.Minute), 0); len(due) != 0 || !next.Equal(monday) {
		t.Errorf("limit 0: %d, next %v", len(due), next)
	}
	due, next := lease(monday.Add(4*time.Minute), 3)
	if len(due) != 3 || !next.Equal(monday.Add(3*time.Minute)) {
		t.Fatalf("%d due, next %v", len(due), next)
	}
	for i, op := range due {
		sameJSON(t, "due operation (as it was before)", op, byMinute[i])
	}
	due, next = lease(monday.Add(4*time.Minute), 10)
	if len(due) != 2 || !next.Equal(monday.Add(5*time.Minute)) {
		t.Errorf("the rest: %d due, next %v", len(due), next)
	}
	if due, _ = lease(monday.Add(4*time.Minute), 10); len(due) != 0 {
		t.Errorf("leased twice: %v", due)
	}
	due, next = lease(monday.Add(64*time.Minute), 100)
	if len(due) != n || !next.IsZero() {
		t.Errorf("when the leases have ended: %d due, next %v", len(due), next)
	}
	for _, op := range due[4:] {
		if !op.Sent {
			t.Errorf("%+v was leased before and counts as unsent", op)
		}
	}
}

func leaseWorkers(t *testing.T, h Harness) {
	const n = 60
	stored(t, h, func(_ int, op *payment.Operation) { op.NextAt = monday }, n)
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := make(map[string]int)
	for range 4 {
		wg.Go(func() {
			for {
				var due []payment.Operation
				err := h.Tx.WithinTx(t.Context(), func(ctx context.Context) (err error) {
					due, _, err = h.Store.LeaseDue(ctx, monday, monday.Add(time.Hour), 7)
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
				if len(due) == 0 {
					return
				}
				mu.Lock()
				for _, op := range due {
					seen[op.ID]++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	// A worker may have stopped because the others held what was left; one more look.
	tx(t, h, func(ctx context.Context) error {
		due, _, err := h.Store.LeaseDue(ctx, monday, monday.Add(time.Hour), n)
		for _, op := range due {
			seen[op.ID]++
		}
		return err
	})
	for k, times := range seen {
		if times != 1 {
			t.Errorf("%s was leased %d times", k, times)
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d were leased", len(seen), n)
	}
}

func dueWebhooks(t *testing.T, h Harness) {
	ctx := t.Context()
	var all []payment.Webhook
	for i := range 8 {
		w := fullWebhook()
		w.Event = "evt-" + strconv.Itoa(7-i)
		w.ReceivedAt = monday.Add(time.Duration(i/2) * time.Second) // two of each time
		w.NextAt = w.ReceivedAt
		if i == 7 {
			w.NextAt = monday.Add(time.Hour)
		}
		all = append(all, w)
		tx(t, h, func(ctx context.Context) error {
			_, err := h.Store.InsertWebhook(ctx, w)
			return err
		})
	}
	due, next, err := h.Store.DueWebhooks(ctx, monday.Add(time.Minute), 3)
	if err != nil || len(due) != 3 || next.IsZero() {
		t.Fatalf("%d due, next %v, %v", len(due), next, err)
	}
	for i, want := range []string{"evt-6", "evt-7", "evt-4"} { // by time, then by id
		if due[i].Event != want {
			t.Errorf("due %d is %s, want %s", i, due[i].Event, want)
		}
	}
	sameJSON(t, "due webhook", due[1], all[0])
	if due, next, err = h.Store.DueWebhooks(ctx, monday.Add(time.Minute), 100); err != nil || len(due) != 7 || !next.Equal(monday.Add(time.Hour)) {
		t.Errorf("%d due, next %v, %v", len(due), next, err)
	}
	done := all[0]
	done.State, done.NextAt = payment.WebhookIgnored, time.Time{}
	tx(t, h, func(ctx context.Context) error { return h.Store.SaveWebhook(ctx, done) })
	if due, _, err = h.Store.DueWebhooks(ctx, monday.Add(time.Minute), 100); err != nil || len(due) != 6 {
		t.Errorf("%d due, %v", len(due), err)
	}
	if due, next, err = h.Store.DueWebhooks(ctx, monday, 0); err != nil || len(due) != 0 || !next.Equal(monday) {
		t.Errorf("limit 0: %d due, next %v, %v", len(due), next, err)
	}
	n, err := h.Store.CountWebhooks(ctx, tenant, payment.WebhookPending)
	if err != nil || n != 7 {
		t.Errorf("%d pending, %v", n, err)
	}
}
