package bunstore

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/hyperlocal-sdk/hyperlocal"
)

type boxModel struct {
	bun.BaseModel `bun:"table:hc_box,alias:b"`

	Tenant string `bun:"tenant,pk"`
	ID     string `bun:"id,pk"`
	Size   int64  `bun:"size"`
}

type eventModel struct {
	bun.BaseModel `bun:"table:hc_outbox,alias:o"`

	AggregateID string `bun:"aggregate_id"`
	OccurredAt  stamp  `bun:"occurred_at"`
	PublishedAt stamp  `bun:"published_at"`
}

func TestBuilder(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		var rec recorder
		s := openStore(t, d, WithSchema("shop"), WithQueryHook(rec.hook))
		shelf(t, s)
		count := func(ctx context.Context) int64 {
			n, err := s.db(ctx).NewSelect().Model((*boxModel)(nil)).Where("b.tenant = ?", "north").Count(ctx)
			if err != nil {
				t.Error(err)
			}
			return n
		}
		moment := time.Date(2025, 3, 1, 1, 2, 3, 456789000, time.UTC)
		err := s.WithinTx(t.Context(), func(ctx context.Context) error {
			e := someEvent(1)
			e.Time = moment
			if err := errors.Join(s.enqueue(ctx, addBoxes("a", "b")), s.Outbox().Append(ctx, e)); err != nil {
				return err
			}
			if n := count(ctx); n != 2 { // it sends what is queued first
				t.Errorf("inside there are %d boxes", n)
			}
			_, err := s.db(ctx).NewInsert().Model(&boxModel{Tenant: "north", ID: "it's hc_box ?", Size: 1}).Exec(ctx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		var list []boxModel
		if err := s.db(t.Context()).NewSelect().Model(&list).Where("size = ?", 1).OrderExpr("id").Scan(t.Context()); err != nil ||
			len(list) != 1 || list[0].ID != "it's hc_box ?" {
			t.Errorf("got %+v, %v", list, err)
		}
		var events []eventModel
		err = s.db(t.Context()).NewSelect().Model(&events).Where("occurred_at = ?", stamp{moment}).Scan(t.Context())
		if err != nil || len(events) != 1 || !events[0].OccurredAt.Time.Equal(moment) || !events[0].PublishedAt.IsZero() {
			t.Errorf("got %+v, %v", events, err)
		}
		err = s.WithinTx(t.Context(), func(ctx context.Context) error {
			if _, err := s.db(ctx).NewUpdate().Model((*boxModel)(nil)).Set("size = ?", 7).Where("id = ?", "a").Exec(ctx); err != nil {
				return err
			}
			_, err := s.db(ctx).NewInsert().Model(&boxModel{Tenant: "north", ID: "a"}).Exec(ctx)
			if !errors.Is(err, errBox) {
				t.Errorf("a taken key: %v", err)
			}
			return nil
		})
		if !errors.Is(err, errBox) {
			t.Errorf("after a failed statement the commit returned %v", err)
		}
		if got := sizes(t, s, t.Context()); got != "a=3 b=3 it's hc_box ?=1" {
			t.Errorf("the boxes are %q", got)
		}
		if _, err := s.db(t.Context()).NewDelete().Model((*boxModel)(nil)).Where("true").Exec(t.Context()); hyperlocal.ReasonOf(err) != "tx/required" {
			t.Errorf("a change outside a transaction: %v", err)
		}
		if _, err := s.db(t.Context()).BeginTx(t.Context(), nil); err == nil {
			t.Error("bun opened a transaction")
		}
		var n int
		if err := s.db(t.Context()).QueryRowContext(t.Context(), "SELECT count(*) FROM hc_box WHERE size = ?", 3).Scan(&n); err != nil || n != 2 {
			t.Errorf("QueryRowContext: %d, %v", n, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.db(ctx).NewSelect().Model(&list).Scan(ctx); !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) {
			t.Errorf("with a cancelled context: %v", err)
		}
	})
}
