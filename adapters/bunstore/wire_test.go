package bunstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"testing"
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
	reads := func() queued { return q("hc_b", "INSERT INTO hc_b SELECT k.id FROM {k} k JOIN hc_a ON true", false) }
	for _, c := range []struct {
		name  string
		queue []queued
		want  []int // rows of the relations
	}{
		{"different tables", []queued{insert("hc_a"), insert("hc_b")}, []int{1, 1}},
		{"one form joins", []queued{insert("hc_a"), insert("hc_b"), insert("hc_a"), insert("hc_b")}, []int{2, 2}},
		{"not past a change of the table", []queued{insert("hc_a"), update("hc_a"), insert("hc_a")}, []int{1, 1, 1}},
		{"not past a reader of the table", []queued{insert("hc_a"), reads(), insert("hc_a")}, []int{1, 1, 1}},
		{"not past what waits for everything", []queued{insert("hc_a"), q("hc_b", "INSERT INTO hc_b SELECT id FROM {k} k", true), insert("hc_a")}, []int{1, 1, 1}},
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
	_, _ = each(rows, func(rows *sql.Rows) error {
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
