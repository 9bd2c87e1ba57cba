package memstore_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/storetest"
)

func TestTx(t *testing.T) {
	t.Parallel()
	storetest.RunTx(t, storetest.Harness{Open: func(testing.TB) storetest.Parts {
		db := memstore.New(memstore.WithRankCheck())
		return storetest.Parts{
			Tx: db, Outbox: db.Outbox(), Inbox: db.Inbox(), Schedules: db.Schedules(), Idempotency: db.Idempotency(),
			Pending: db.Outbox().Pending, Due: db.Schedules().Due,
		}
	}})
}

// The gate waits on channels, so a whole simulation may run in a bubble of fake time.
func TestInsideBubble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := memstore.New()
		go func() {
			_ = db.WithinTx(t.Context(), func(context.Context) error {
				time.Sleep(time.Hour)
				return nil
			})
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := db.WithinTx(ctx, func(context.Context) error { return nil })
		if !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) {
			t.Errorf("a writer that waits for a minute behind one that takes an hour gets %v", err)
		}
		if _, err := db.Outbox().Pending(t.Context(), 1); err != nil {
			t.Errorf("a patient reader gets %v", err)
		}
	})
}
