package bunstore

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func TestMerged(t *testing.T) {
	t.Parallel()
	s := &Store{dialect: Postgres, schema: "public"}
	q := func(table, text string, after bool) queued {
		r := newRel(1).text("id", []string{"x"})
		st, err := s.statement(text, r, 0)
		if err != nil {
			t.Fatal(err)
		}
		return queued{write: write{table: table, text: text, rel: r, rows: 1, after: after}, st: st}
	}
	insert := func(table string) queued { return q(table, "INSERT INTO "+table+" SELECT id FROM {k} k", false) }
	update := func(table string) queued { return q(table, "UPDATE "+table+" SET id = k.id FROM {k} k", false) }
	reads := func() queued {
		return q("hc_b", "INSERT INTO hc_b SELECT k.id FROM {k} k JOIN hc_outbox ON true", false)
	}
	for _, c := range []struct {
		name  string
		queue []queued
		want  []int // rows of the relations
	}{
		{"different tables", []queued{insert("hc_a"), insert("hc_b")}, []int{1, 1}},
		{"neighbours of one form join", []queued{insert("hc_a"), insert("hc_a"), insert("hc_b")}, []int{2, 1}},
		{"a child stays behind its parent", []queued{insert("hc_a"), insert("hc_b"), insert("hc_a")}, []int{1, 1, 1}},
		{"what refers to nothing joins", []queued{insert("hc_outbox"), insert("hc_b"), insert("hc_outbox"), insert("hc_b")}, []int{2, 2}},
		{"not past a change of the table", []queued{insert("hc_outbox"), update("hc_outbox"), insert("hc_outbox")}, []int{1, 1, 1}},
		{"not past a reader of the table", []queued{insert("hc_outbox"), reads(), insert("hc_outbox")}, []int{1, 1, 1}},
		{"not past what waits for everything", []queued{insert("hc_outbox"), q("hc_b", "INSERT INTO hc_b SELECT id FROM {k} k", true), insert("hc_outbox")}, []int{1, 1, 1}},
		{"changes do not join", []queued{update("hc_a"), update("hc_a")}, []int{1, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []int
			for _, w := range merged(c.queue) {
				got = append(got, w.rel.n)
				if w.rows != int64(w.rel.n) {
					t.Errorf("%d rows are expected of %d", w.rows, w.rel.n)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("merged to %v rows, want %v", got, c.want)
			}
		})
	}
}

// Somebody who shares the connections may have thrown the prepared statements away.
func TestStatementsForgotten(t *testing.T) {
	t.Parallel()
	s := openStore(t, Postgres, WithPool(1))
	shelf(t, s)
	if err := within(s, t.Context(), addBoxes("a")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.pool.ExecContext(t.Context(), "DEALLOCATE ALL"); err != nil {
		t.Fatal(err)
	}
	if err := within(s, t.Context(), addBoxes("b")); err != nil {
		t.Errorf("after the statements were forgotten: %v", err)
	}
	if got := sizes(t, s, t.Context()); got != "a=3 b=3" {
		t.Errorf("the boxes are %s", got)
	}
}

// What is repeated is planned five times, as PostgreSQL does to learn what plans cost, and
// then no more.
func TestPlansAreKept(t *testing.T) {
	t.Parallel()
	s := openStore(t, Postgres, WithPool(1))
	shelf(t, s)
	if err := within(s, t.Context(), addBoxes("a", "b", "c")); err != nil {
		t.Fatal(err)
	}
	for version := range 30 {
		err := s.WithinTx(t.Context(), func(ctx context.Context) error {
			return errors.Join(s.enqueue(ctx, fill(0, "a")), s.enqueue(ctx, fill(0, "a", "b", "c")), s.Outbox().Append(ctx, someEvent(int64(version))))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	rows, err := s.pool.QueryContext(t.Context(), `SELECT custom_plans, statement FROM pg_prepared_statements WHERE custom_plans + generic_plans > 20`)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	_, _ = each(rows, func(rows row) error {
		n++
		var plans int
		var text string
		err := rows.Scan(&plans, &text)
		if plans > 5 {
			t.Errorf("planned %d times: %s", plans, text)
		}
		return err
	})
	if n < 3 {
		t.Errorf("only %d statements were prepared", n)
	}
}

// Every kind of value comes back through both ways of reading: as PostgreSQL sent it, inside a
// transaction, and through database/sql.
func TestReadsAgree(t *testing.T) {
	t.Parallel()
	s := openStore(t, Postgres)
	const text = `SELECT 'text', 'bp'::char(4), 'v'::varchar(9), -5::bigint, 7::int, -3::smallint, true, '2026-01-02 03:04:05.000006+00'::timestamptz,
		'0a0b0c0d-0e0f-1011-1213-141516171819'::uuid, '{"a": 1}'::jsonb, '{"b":2}'::json, '\x00ff'::bytea, 12.3400::numeric,
		NULL::text, NULL::bigint, NULL::timestamptz, NULL::jsonb, NULL::bytea, 0.5::float8`
	type answer struct {
		text, padded, varying, id, number, float string
		big                                      int64
		middle                                   int
		small                                    int32
		flag                                     bool
		at, noTime                               time.Time
		doc, plain, noDoc                        json.RawMessage
		raw, noRaw                               []byte
		noText                                   string
		noNumber                                 *int64
	}
	read := func(ctx context.Context) (a answer) {
		err := s.query(ctx, text, nil, nil, func(rows row) error {
			return rows.Scan(&a.text, &a.padded, &a.varying, &a.big, &a.middle, &a.small, &a.flag, instant{&a.at}, &a.id, document{&a.doc},
				document{&a.plain}, &a.raw, &a.number, nullText[string]{&a.noText}, &a.noNumber, nullInstant{&a.noTime}, document{&a.noDoc}, &a.noRaw, &a.float)
		})
		if err != nil {
			t.Error(err)
		}
		return a
	}
	outside := read(t.Context())
	if err := s.WithinTx(t.Context(), func(ctx context.Context) error {
		if inside := read(ctx); !reflect.DeepEqual(inside, outside) {
			t.Errorf("inside a transaction\n%+v\noutside\n%+v", inside, outside)
		}
		for _, wrong := range []struct {
			text string
			to   any
		}{
			{"SELECT NULL::text", new(string)},
			{"SELECT 1::bigint << 40", new(int32)},
			{"SELECT 'x'", new(int64)},
		} {
			if err := s.query(ctx, wrong.text, nil, nil, func(rows row) error { return rows.Scan(wrong.to) }); hyperlocal.ReasonOf(err) != "store/scan" {
				t.Errorf("%s into %T: %v", wrong.text, wrong.to, err)
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// What was queued before a claim that waits in vain for a twin is not forgotten: the
// transaction cannot begin anew without it.
func TestClaimDoesNotForgetWrites(t *testing.T) {
	t.Parallel()
	s := openStore(t, Postgres, WithPool(4))
	shelf(t, s)
	key := []hyperlocal.IdempotencyKey{{Tenant: "north", Caller: "c", Route: "r", Key: "k", Fingerprint: "f"}}
	err := s.WithinTx(t.Context(), func(ctx context.Context) error {
		if _, err := s.Idempotency().Claim(ctx, key); err != nil {
			return err
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			err := s.WithinTx(t.Context(), func(ctx context.Context) error {
				if err := s.enqueue(ctx, addBoxes("a")); err != nil {
					return err
				}
				claims, err := s.Idempotency().Claim(ctx, key)
				if err == nil && !errors.Is(claims[0].Err, hyperlocal.ErrKeyInProgress) {
					t.Errorf("the twin's claim is %+v", claims[0])
				}
				return err
			})
			want := "a=3"
			if err != nil {
				want = ""
			}
			if got := sizes(t, s, t.Context()); got != want {
				t.Errorf("the twin answers %v, and the boxes are %q", err, got)
			}
		}()
		<-done
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
