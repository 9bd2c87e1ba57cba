package reconciletest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment/reconcile"
)

func pageCases() []testCase {
	return []testCase{
		{"runs", runPages},
		{"lines", linePages},
		{"differences", differencePages},
	}
}

// pages reads a list to its end and returns the keys of its rows.
func pages[T any](t *testing.T, limit int, read func(hyperlocal.PageRequest) (hyperlocal.Page[T], error), key func(T) string) []string {
	t.Helper()
	var keys []string
	p := hyperlocal.PageRequest{Limit: limit}
	for {
		page, err := read(p)
		if err != nil || len(page.Items) > limit {
			t.Fatalf("%d rows on a page of %d: %v", len(page.Items), limit, err)
		}
		for _, v := range page.Items {
			keys = append(keys, key(v))
		}
		if p.Cursor = page.Next; p.Cursor == "" {
			return keys
		}
	}
}

// wantPages checks a list in pages of several sizes, and that it refuses cursors not its own.
func wantPages[T any](t *testing.T, read func(hyperlocal.PageRequest) (hyperlocal.Page[T], error), key func(T) string, want []string) {
	t.Helper()
	for _, limit := range []int{1, 2, 3, 200} {
		if got := pages(t, limit, read, key); !slices.Equal(got, want) {
			t.Errorf("in pages of %d: got %v, want %v", limit, got, want)
		}
	}
	foreign, err := hyperlocal.EncodeCursor([]any{"another list"}, "1", id())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []hyperlocal.PageRequest{{Cursor: "x"}, {Cursor: foreign}, {Limit: -1}, {Limit: 201}} {
		if _, err := read(p); hyperlocal.CodeOf(err) != hyperlocal.CodeInvalid {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

func runPages(t *testing.T, h Harness) {
	var all, mine []string
	for i := range 7 {
		r := fullRun()
		r.CreatedAt = monday.Add(time.Duration(i/2) * time.Microsecond) // some at the same time
		if i%3 == 0 {
			r.Source = "another"
		}
		r.ID = id()
		create(t, h, r)
		all = append(all, r.ID)
	}
	slices.Reverse(all) // ids of one process ascend
	for i, id := range all {
		if (6-i)%3 != 0 {
			mine = append(mine, id)
		}
	}
	key := func(r reconcile.Run) string { return r.ID }
	wantPages(t, func(p hyperlocal.PageRequest) (hyperlocal.Page[reconcile.Run], error) {
		return h.Store.ListRuns(t.Context(), tenant, "", p)
	}, key, all)
	wantPages(t, func(p hyperlocal.PageRequest) (hyperlocal.Page[reconcile.Run], error) {
		return h.Store.ListRuns(t.Context(), tenant, gateway, p)
	}, key, mine)
}

func linePages(t *testing.T, h Harness) {
	r := create(t, h, fullRun())
	var lines []reconcile.Line
	var verdicts []reconcile.Verdict
	for i := range 9 {
		l := fullLine(i + 1)
		l.Payment = []string{"", "p1", "p2"}[i%3]
		lines = append(lines, l)
		if i >= 6 {
			verdicts = append(verdicts, reconcile.Verdict{Number: i + 1, Outcome: reconcile.Waiting})
		}
	}
	tx(t, h, func(ctx context.Context) error {
		if err := h.Store.AppendLines(ctx, tenant, r.ID, lines); err != nil {
			return err
		}
		return h.Store.Decide(ctx, tenant, r.ID, verdicts)
	})
	key := func(d reconcile.Decided) string { return string(rune('0' + d.Line.Number)) }
	for outcome, want := range map[reconcile.Outcome][]string{
		"": {"1", "2", "3", "4", "5", "6", "7", "8", "9"}, reconcile.Waiting: {"7", "8", "9"}, reconcile.Matched: nil,
	} {
		wantPages(t, func(p hyperlocal.PageRequest) (hyperlocal.Page[reconcile.Decided], error) {
			return h.Store.ListLines(t.Context(), tenant, r.ID, outcome, p)
		}, key, want)
	}
	numbers := func(lines []reconcile.Line, err error) []int {
		if err != nil {
			t.Fatal(err)
		}
		var out []int
		for _, l := range lines {
			out = append(out, l.Number)
		}
		return out
	}
	ctx := t.Context()
	if got := numbers(h.Store.LinesAfter(ctx, tenant, r.ID, reconcile.Undecided, 2, 3)); !slices.Equal(got, []int{3, 4, 5}) {
		t.Errorf("%v", got)
	}
	if got := numbers(h.Store.LinesAfter(ctx, tenant, r.ID, reconcile.Waiting, 7, 3)); !slices.Equal(got, []int{8, 9}) {
		t.Errorf("%v", got)
	}
	got := numbers(h.Store.LinesOf(ctx, tenant, r.ID, []string{"p1", "p2", "p1", "p9"}, 10))
	if slices.Sort(got); !slices.Equal(got, []int{2, 3, 5, 6}) {
		t.Errorf("%v", got)
	}
	if got := numbers(h.Store.LinesOf(ctx, tenant, r.ID, []string{"p1", "p2"}, 3)); len(got) != 3 {
		t.Errorf("%v", got)
	}
}

func differencePages(t *testing.T, h Harness) {
	r := create(t, h, fullRun())
	var all []reconcile.Difference
	for i := range 8 {
		d := fullDifference(r)
		d.ID, d.Since = id(), monday.Add(time.Duration(i/3)*time.Hour)
		if i%2 == 0 {
			d.ResolvedAt, d.ResolvedBy, d.ResolvedTo, d.Note = time.Time{}, hyperlocal.Actor{}, "", ""
		}
		if i == 4 {
			d.Reason = reconcile.Duplicate
		}
		all = append(all, d)
	}
	tx(t, h, func(ctx context.Context) error { return h.Store.Suspend(ctx, all) })
	for name, c := range map[string]struct {
		f    reconcile.Filter
		want []int
	}{
		"all":     {reconcile.Filter{}, []int{0, 1, 2, 3, 4, 5, 6, 7}},
		"run":     {reconcile.Filter{Run: r.ID, Source: r.Source, Account: r.Account}, []int{0, 1, 2, 3, 4, 5, 6, 7}},
		"open":    {reconcile.Filter{Open: true}, []int{0, 2, 4, 6}},
		"reason":  {reconcile.Filter{Run: r.ID, Reason: reconcile.Duplicate}, []int{4}},
		"before":  {reconcile.Filter{Open: true, Before: monday.Add(time.Hour)}, []int{0, 2}},
		"source":  {reconcile.Filter{Source: "another"}, nil},
		"account": {reconcile.Filter{Account: "another"}, nil},
		"no run":  {reconcile.Filter{Run: id()}, nil},
	} {
		var want []string
		for _, i := range c.want {
			want = append(want, all[i].ID)
		}
		t.Log(name)
		wantPages(t, func(p hyperlocal.PageRequest) (hyperlocal.Page[reconcile.Difference], error) {
			return h.Store.ListDifferences(t.Context(), tenant, c.f, p)
		}, func(d reconcile.Difference) string { return d.ID }, want)
	}
}
