package bunstore

import (
	"context"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// planned holds the statements whose plans have been looked at in this process.
var planned sync.Map

// through says which table a statement is meant to go through.
var through = map[string]string{countLevels: "o"}

var planStep = regexp.MustCompile(`^(SCAN|SEARCH) (\w+)(?: USING .*?)?( \(tenant=\?\))?$`)

// checkPlans reports the statements on batches that SQLite would answer by going through a
// whole table of ours, or through all that a tenant has. It keeps no statistics and guesses a
// batch to be large, so it prefers that to a few lookups unless the text leaves it no choice:
// FROM {k} k CROSS JOIN t fixes the order of the tables, INDEXED BY the index. A test calls
// this when it is done with its store, so what any test runs is looked at.
func checkPlans(tb testing.TB, s *Store) {
	tb.Helper()
	s.statements.Range(func(key, value any) bool {
		k, _ := key.(statementKey)
		st, _ := value.(*statement)
		if _, known := planned.LoadOrStore(st.text, true); known || k.sig == "" || strings.HasPrefix(k.text, "INSERT") {
			return true
		}
		for _, step := range plan(tb, s, st) {
			at := planStep.FindStringSubmatch(step)
			if at == nil || at[1] == "SEARCH" && at[3] == "" || through[k.text] == at[2] {
				continue
			}
			if ours := regexp.MustCompile(`\bhc_\w+ (AS )?` + at[2] + `\b|^hc_`); ours.MatchString(k.text) {
				tb.Errorf("%s in\n%s", step, k.text)
			}
		}
		return true
	})
}

// plan returns the steps of a statement; none for one that cannot be prepared.
func plan(tb testing.TB, s *Store, st *statement) []string {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context())
	rows, err := s.pool.QueryContext(ctx, "EXPLAIN QUERY PLAN "+st.text, make([]any, len(st.params))...)
	if err != nil {
		return nil
	}
	defer func() { _ = rows.Close() }()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			tb.Error(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		tb.Error(err)
	}
	return steps
}
