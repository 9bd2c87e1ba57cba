package bunstore

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment/reconcile"
)

// TestReconciliationBudgets checks that lists and batches take the same number of round trips
// however long they are.
func TestReconciliationBudgets(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		b := &budget{}
		s := openStore(t, d, WithQueryHook(b.hook))
		ctx := t.Context()
		monday := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
		service, err := reconcile.New(reconcile.Config{
			Store: s.Reconciliation(), Tx: s, Books: s.Payments(), Batch: 300,
			Sources: map[string]reconcile.Source{"sandbox": {Format: reconcile.SandboxStatement}},
		})
		if err != nil {
			t.Fatal(err)
		}
		statement := func(lines int, day time.Time) string {
			var text strings.Builder
			fmt.Fprintln(&text, reconcile.SandboxHeader)
			for i := range lines {
				fmt.Fprintf(&text, "%d-%d,charge,p%d,r,k,GBP,%d,0,%d,%s\n", day.Unix(), i, i, i+1, i+1, day.Format(time.RFC3339))
			}
			return text.String()
		}
		var run reconcile.Run
		for i, lines := range []int{3, 300} {
			// The run, 2 of loading, 2 of matching, 2 of guessing, 1 of sweeping; what a transaction
			// reads and writes is bounded, whatever the number of lines.
			b.of(t, fmt.Sprintf("an import of %d lines", lines), pick(d, 48, 70), func() (err error) {
				run, _, err = service.Import(ctx, reconcile.ImportCommand{
					Tenant: "shop", Source: "sandbox", Account: "a", Actor: hyperlocal.System("test"),
				}, strings.NewReader(statement(lines, monday.AddDate(0, 0, i))))
				return err
			})
		}
		for _, limit := range []int{1, hyperlocal.MaxPageLimit} {
			p := hyperlocal.PageRequest{Limit: limit}
			b.of(t, "a page of differences", 1, func() error {
				page, err := service.ListDifferences(ctx, "shop", reconcile.Filter{Open: true, Run: run.ID}, p)
				if err == nil && (len(page.Items) != limit || page.Next == "") {
					t.Errorf("the page holds %d differences", len(page.Items))
				}
				return err
			})
			b.of(t, "a page of lines", 1, func() error {
				page, err := service.ListLines(ctx, "shop", run.ID, reconcile.Suspended, p)
				if err == nil && len(page.Items) != limit {
					t.Errorf("the page holds %d lines", len(page.Items))
				}
				return err
			})
			b.of(t, "a page of runs", 1, func() error {
				_, err := service.ListRuns(ctx, "shop", "sandbox", p)
				return err
			})
		}
		b.of(t, "a report", 3, func() error {
			report, err := service.Report(ctx, "shop", run.ID)
			if err == nil && (len(report.Totals) != 1 || len(report.Open) != 1 || report.Open[0].Differences != 300) {
				t.Errorf("%+v", report)
			}
			return err
		})
	})
}
