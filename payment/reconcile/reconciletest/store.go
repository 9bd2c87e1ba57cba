package reconciletest

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment/reconcile"
)

func storeCases() []testCase {
	return []testCase{
		{"round trip of every field", roundTrip},
		{"a file has one run", oneRunPerFile},
		{"versions", versions},
		{"parallel updates", parallelUpdates},
		{"rollback leaves nothing", rollback},
		{"writes need a transaction", needTx},
		{"cancellation", cancellation},
		{"an operation is claimed once", claimedOnce},
		{"an operation is missing once", missingOnce},
		{"tenants apart", tenantsApart},
	}
}

func fullRun() reconcile.Run {
	return reconcile.Run{
		ID: id(), Tenant: tenant, Source: gateway, Account: "acct_Ж", Digest: id(), Size: 1 << 40, From: monday.Add(-time.Hour),
		Until: monday.Add(time.Microsecond), Phase: reconcile.PhaseSweeping, Lines: 7, Place: 9, SweptAt: monday, Swept: id(),
		Problem: "reconcile/malformed", Actor: clerk, CreatedAt: monday, UpdatedAt: monday.Add(time.Second),
		FinishedAt: monday.Add(time.Minute), Version: 1,
	}
}

func fullLine(number int) reconcile.Line {
	return reconcile.Line{
		Number: number, ID: "txn_ü", Kind: reconcile.KindRefund, Payment: "pi_ß", References: []string{"kéy", `a"b\c`}, Gross: gbp(-1000),
		Fee: gbp(-30), Net: gbp(-970), Presented: money(-1150, "EUR"), At: monday.Add(3 * time.Microsecond),
	}
}

func fullDifference(run reconcile.Run) reconcile.Difference {
	return reconcile.Difference{
		ID: id(), Tenant: tenant, Run: run.ID, Source: run.Source, Account: run.Account, Reason: reconcile.CurrencyDiffers, Line: 7,
		Kind: reconcile.KindCharge, Reference: "txn_ñ", Operation: id(), Theirs: gbp(5), Ours: money(-7, "EUR"),
		Entries: []hyperlocal.Entry{hyperlocal.Debit("balance/sandbox", gbp(5)), hyperlocal.Credit("suspense/sandbox", gbp(5))},
		Since:   monday, OpenedAt: monday.Add(time.Hour), ResolvedAt: monday.Add(2 * time.Hour), ResolvedBy: clerk,
		ResolvedTo: "losses/sandbox", Note: "notíz\nsecond line",
	}
}

// allSet fails for a field that a full value leaves empty: a forgotten column.
func allSet(t *testing.T, v any) {
	t.Helper()
	rv := reflect.ValueOf(v)
	for i := range rv.NumField() {
		if rv.Field(i).IsZero() {
			t.Fatalf("%s.%s is empty in the value that tests the round trip", rv.Type(), rv.Type().Field(i).Name)
		}
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s came back as\n%+v\nwant\n%+v", what, got, want)
	}
}

func tx(t *testing.T, h Harness, fn func(ctx context.Context) error) {
	t.Helper()
	if err := h.Tx.WithinTx(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, h Harness, r reconcile.Run) reconcile.Run {
	t.Helper()
	var stored reconcile.Run
	tx(t, h, func(ctx context.Context) (err error) {
		stored, _, err = h.Store.CreateRun(ctx, r)
		return err
	})
	return stored
}

func roundTrip(t *testing.T, h Harness) {
	ctx := t.Context()
	r, line := fullRun(), fullLine(3)
	bare := reconcile.Line{Number: 4, ID: "bare", Kind: reconcile.KindFee, Gross: gbp(-1), Fee: gbp(0), Net: gbp(-1), At: monday}
	d := fullDifference(r)
	open := reconcile.Difference{
		ID: id(), Tenant: tenant, Run: r.ID, Source: r.Source, Account: r.Account, Reason: reconcile.MissingInBooks,
		Kind: reconcile.KindFee, Theirs: gbp(0), Since: monday, OpenedAt: monday,
	}
	verdict := reconcile.Verdict{Number: 3, Outcome: reconcile.Suspended, Strategy: reconcile.ByAmount, Reason: reconcile.Duplicate, Set: 2, Operation: id()}
	claim := reconcile.Claim{Tenant: tenant, Operation: id(), Run: r.ID, Line: 3}
	for _, v := range []any{r, line, d, verdict, claim} {
		allSet(t, v)
	}
	same(t, "created run", create(t, h, r), r)
	tx(t, h, func(ctx context.Context) error {
		return errors.Join(
			h.Store.AppendLines(ctx, tenant, r.ID, []reconcile.Line{line, bare}),
			h.Store.Decide(ctx, tenant, r.ID, []reconcile.Verdict{verdict}),
			h.Store.Claim(ctx, []reconcile.Claim{claim}),
			h.Store.Suspend(ctx, []reconcile.Difference{d, open}))
	})
	got, ok, err := h.Store.Run(ctx, tenant, r.ID)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	same(t, "run", got, r)
	lines, err := h.Store.ListLines(ctx, tenant, r.ID, "", hyperlocal.PageRequest{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "lines", lines.Items, []reconcile.Decided{
		{Line: line, Verdict: verdict}, {Line: bare, Verdict: reconcile.Verdict{Number: 4}},
	})
	known, err := h.Store.LinesWithID(ctx, tenant, r.Source, r.Account, []string{"txn_ü", "bar", "txn_ü"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "known lines", known, []reconcile.Known{{Line: line, Run: r.ID, Outcome: reconcile.Suspended}})
	waiting, err := h.Store.LinesAfter(ctx, tenant, r.ID, reconcile.Undecided, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "undecided lines", waiting, []reconcile.Line{bare})
	claims, err := h.Store.Claims(ctx, tenant, []string{claim.Operation, id(), "x"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "claims", claims, []reconcile.Claim{claim})
	for _, want := range []reconcile.Difference{d, open} {
		got, ok, err := h.Store.Difference(ctx, tenant, want.ID)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		same(t, "difference", got, want)
	}

	later := r
	later.Digest, later.Phase, later.Lines, later.Place, later.SweptAt, later.Swept = id(), reconcile.PhaseDone, 8, 10, time.Time{}, ""
	later.Problem, later.UpdatedAt, later.FinishedAt, later.Version = "", monday.Add(time.Hour), time.Time{}, 2
	settled := open
	settled.ResolvedAt, settled.ResolvedBy, settled.ResolvedTo, settled.Note = monday.Add(time.Second), clerk, "a", "n"
	tx(t, h, func(ctx context.Context) error {
		return errors.Join(h.Store.SaveRun(ctx, later), h.Store.Settle(ctx, []reconcile.Difference{settled}))
	})
	if got, _, err = h.Store.Run(ctx, tenant, r.ID); err != nil {
		t.Fatal(err)
	}
	same(t, "saved run", got, later)
	if back, _, err := h.Store.Difference(ctx, tenant, open.ID); err != nil || !reflect.DeepEqual(back, settled) {
		t.Errorf("settled: %+v, %v", back, err)
	}
}

func oneRunPerFile(t *testing.T, h Harness) {
	r := fullRun()
	create(t, h, r)
	twin := r
	twin.ID, twin.Phase = id(), reconcile.PhaseLoading
	same(t, "the twin", create(t, h, twin), r)
	for _, change := range []func(*reconcile.Run){
		func(r *reconcile.Run) { r.Source = "another" }, func(r *reconcile.Run) { r.Account = "another" },
		func(r *reconcile.Run) { r.Digest = "another" }, func(r *reconcile.Run) { r.Tenant = other },
	} {
		apart := r
		apart.ID = id()
		change(&apart)
		same(t, "another file", create(t, h, apart), apart)
	}
	var wg sync.WaitGroup
	ids := make([]string, 8)
	digest := id()
	for i := range ids {
		wg.Go(func() {
			mine := fullRun()
			mine.Digest = digest
			err := h.Tx.WithinTx(t.Context(), func(ctx context.Context) error {
				stored, _, err := h.Store.CreateRun(ctx, mine)
				ids[i] = stored.ID
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if slices.Sort(ids); len(slices.Compact(ids)) != 1 {
		t.Errorf("one file has the runs %v", ids)
	}
}

func versions(t *testing.T, h Harness) {
	r := create(t, h, fullRun())
	for _, v := range []int64{1, 3} {
		bad := r
		bad.Version = v
		err := h.Tx.WithinTx(t.Context(), func(ctx context.Context) error { return h.Store.SaveRun(ctx, bad) })
		wantReason(t, err, reconcile.ErrBusy)
	}
	d := fullDifference(r)
	err := h.Tx.WithinTx(t.Context(), func(ctx context.Context) error { return h.Store.Settle(ctx, []reconcile.Difference{d}) })
	wantReason(t, err, reconcile.ErrResolved)
	tx(t, h, func(ctx context.Context) error { return h.Store.Suspend(ctx, []reconcile.Difference{d}) })
	err = h.Tx.WithinTx(t.Context(), func(ctx context.Context) error { return h.Store.Settle(ctx, []reconcile.Difference{d}) })
	wantReason(t, err, reconcile.ErrResolved) // it is not open
}

// parallelUpdates: transactions of two runs of one account add lines under the lock; none sees
// a number that another one is about to take.
func parallelUpdates(t *testing.T, h Harness) {
	a := create(t, h, fullRun())
	b := create(t, h, fullRun())
	var wg sync.WaitGroup
	const n = 12
	for i := range n {
		wg.Go(func() {
			r := []reconcile.Run{a, b}[i%2]
			err := h.Tx.WithinTx(t.Context(), func(ctx context.Context) error {
				locked, ok, err := h.Store.LockRun(ctx, tenant, r.ID)
				if err != nil || !ok {
					return errors.Join(err, errors.New("no such run"))
				}
				known, err := h.Store.LinesWithID(ctx, tenant, r.Source, r.Account, []string{"txn_ü"})
				if err != nil {
					return err
				}
				locked.Version++
				return errors.Join(h.Store.SaveRun(ctx, locked),
					h.Store.AppendLines(ctx, tenant, r.ID, []reconcile.Line{fullLine(len(known) + 1)}))
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	known, err := h.Store.LinesWithID(t.Context(), tenant, a.Source, a.Account, []string{"txn_ü"})
	if err != nil || len(known) != n {
		t.Fatal(len(known), err)
	}
	slices.SortFunc(known, func(x, y reconcile.Known) int { return cmp.Compare(x.Number, y.Number) })
	for i, k := range known {
		if k.Number != i+1 {
			t.Fatalf("two transactions saw the same: %+v", known)
		}
	}
}

func rollback(t *testing.T, h Harness) {
	r := create(t, h, fullRun())
	fresh, d := fullRun(), fullDifference(r)
	claim := reconcile.Claim{Tenant: tenant, Operation: d.Operation, Run: r.ID, Line: 1}
	err := h.Tx.WithinTx(t.Context(), func(ctx context.Context) error {
		_, _, err := h.Store.CreateRun(ctx, fresh)
		saved := r
		saved.Version, saved.Phase = 2, reconcile.PhaseDone
		err = errors.Join(err, h.Store.SaveRun(ctx, saved), h.Store.AppendLines(ctx, tenant, r.ID, []reconcile.Line{fullLine(1)}),
			h.Store.Claim(ctx, []reconcile.Claim{claim}), h.Store.Suspend(ctx, []reconcile.Difference{d}))
		if err != nil {
			t.Error(err)
		}
		if lines, err := h.Store.LinesAfter(ctx, tenant, r.ID, reconcile.Undecided, 0, 9); err != nil || len(lines) != 1 {
			t.Errorf("a transaction does not see its own writes: %v, %v", lines, err)
		}
		return errCrash
	})
	if !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	ctx := t.Context()
	_, ok, err1 := h.Store.Run(ctx, tenant, fresh.ID)
	got, _, err2 := h.Store.Run(ctx, tenant, r.ID)
	lines, err3 := h.Store.LinesAfter(ctx, tenant, r.ID, reconcile.Undecided, 0, 9)
	claims, err4 := h.Store.Claims(ctx, tenant, []string{d.Operation})
	_, found, err5 := h.Store.Difference(ctx, tenant, d.ID)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil || ok || found || len(lines)+len(claims) != 0 || got != r {
		t.Errorf("left behind: %v %v %v %v %+v, %v", ok, found, lines, claims, got, err)
	}
}

func needTx(t *testing.T, h Harness) {
	r := create(t, h, fullRun())
	ctx, d := t.Context(), fullDifference(r)
	_, _, errCreate := h.Store.CreateRun(ctx, fullRun())
	_, _, errLock := h.Store.LockRun(ctx, tenant, r.ID)
	for name, err := range map[string]error{
		"CreateRun": errCreate, "LockRun": errLock, "SaveRun": h.Store.SaveRun(ctx, r),
		"AppendLines": h.Store.AppendLines(ctx, tenant, r.ID, []reconcile.Line{fullLine(1)}),
		"Decide":      h.Store.Decide(ctx, tenant, r.ID, []reconcile.Verdict{{Number: 1}}),
		"Claim":       h.Store.Claim(ctx, []reconcile.Claim{{Tenant: tenant, Operation: id(), Run: r.ID}}),
		"Suspend":     h.Store.Suspend(ctx, []reconcile.Difference{d}),
		"Settle":      h.Store.Settle(ctx, []reconcile.Difference{d}),
	} {
		if hyperlocal.CodeOf(err) != hyperlocal.CodeInternal {
			t.Errorf("%s outside a transaction: %v", name, err)
		}
	}
}

func cancellation(t *testing.T, h Harness) {
	r := create(t, h, fullRun())
	ctx, cancel := context.WithCancel(t.Context())
	err := h.Tx.WithinTx(ctx, func(ctx context.Context) error {
		err := h.Store.AppendLines(ctx, tenant, r.ID, []reconcile.Line{fullLine(1)})
		cancel()
		return err
	})
	if err == nil {
		t.Error("cancelled before the commit, and yet committed")
	}
	if _, _, err := h.Store.Run(ctx, tenant, r.ID); err == nil {
		t.Error("a cancelled read succeeded")
	}
	if lines, err := h.Store.LinesAfter(t.Context(), tenant, r.ID, reconcile.Undecided, 0, 9); err != nil || len(lines) != 0 {
		t.Errorf("%v, %v", lines, err)
	}
}

func claimedOnce(t *testing.T, h Harness) {
	r := create(t, h, fullRun())
	claim := reconcile.Claim{Tenant: tenant, Operation: id(), Run: r.ID, Line: 1}
	tx(t, h, func(ctx context.Context) error { return h.Store.Claim(ctx, []reconcile.Claim{claim}) })
	claim.Line = 2
	err := h.Tx.WithinTx(t.Context(), func(ctx context.Context) error { return h.Store.Claim(ctx, []reconcile.Claim{claim}) })
	wantReason(t, err, hyperlocal.ErrTxRetry)
}

func missingOnce(t *testing.T, h Harness) {
	r := create(t, h, fullRun())
	d := fullDifference(r)
	d.Reason = reconcile.MissingAtProvider
	tx(t, h, func(ctx context.Context) error { return h.Store.Suspend(ctx, []reconcile.Difference{d}) })
	twin := d
	twin.ID = id()
	err := h.Tx.WithinTx(t.Context(), func(ctx context.Context) error { return h.Store.Suspend(ctx, []reconcile.Difference{twin}) })
	wantReason(t, err, hyperlocal.ErrTxRetry)
	twin.Reason = reconcile.AmountDiffers // about the same operation, and not missing
	tx(t, h, func(ctx context.Context) error { return h.Store.Suspend(ctx, []reconcile.Difference{twin}) })
	found, err := h.Store.Missing(t.Context(), tenant, []string{d.Operation, id(), "x"})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "missing", found, []reconcile.Difference{d})
}

func tenantsApart(t *testing.T, h Harness) {
	r := create(t, h, fullRun())
	d := fullDifference(r)
	d.Reason, d.ResolvedAt, d.ResolvedBy, d.ResolvedTo, d.Note = reconcile.MissingAtProvider, time.Time{}, hyperlocal.Actor{}, "", ""
	claim := reconcile.Claim{Tenant: tenant, Operation: d.Operation, Run: r.ID, Line: 1}
	tx(t, h, func(ctx context.Context) error {
		return errors.Join(h.Store.AppendLines(ctx, tenant, r.ID, []reconcile.Line{fullLine(1)}),
			h.Store.Claim(ctx, []reconcile.Claim{claim}), h.Store.Suspend(ctx, []reconcile.Difference{d}))
	})
	ctx := t.Context()
	_, run, err1 := h.Store.Run(ctx, other, r.ID)
	_, difference, err2 := h.Store.Difference(ctx, other, d.ID)
	runs, err3 := h.Store.ListRuns(ctx, other, "", hyperlocal.PageRequest{})
	after, err4 := h.Store.LinesAfter(ctx, other, r.ID, reconcile.Undecided, 0, 9)
	of, err5 := h.Store.LinesOf(ctx, other, r.ID, []string{"pi_ß"}, 9)
	known, err6 := h.Store.LinesWithID(ctx, other, r.Source, r.Account, []string{"txn_ü"})
	lines, err7 := h.Store.ListLines(ctx, other, r.ID, "", hyperlocal.PageRequest{})
	claims, err8 := h.Store.Claims(ctx, other, []string{d.Operation})
	missing, err9 := h.Store.Missing(ctx, other, []string{d.Operation})
	differences, err10 := h.Store.ListDifferences(ctx, other, reconcile.Filter{Run: r.ID}, hyperlocal.PageRequest{})
	totals, err11 := h.Store.Totals(ctx, other, r.ID)
	ages, err12 := h.Store.Ages(ctx, other, r.ID, [3]time.Time{monday, monday, monday})
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8, err9, err10, err11, err12); err != nil {
		t.Fatal(err)
	}
	if run || difference || len(runs.Items)+len(after)+len(of)+len(known)+len(lines.Items)+len(claims)+len(missing)+
		len(differences.Items)+len(totals)+len(ages) != 0 {
		t.Error("another tenant sees something")
	}
	tx(t, h, func(ctx context.Context) error {
		_, ok, err := h.Store.LockRun(ctx, other, r.ID)
		if ok {
			t.Error("another tenant locks the run")
		}
		return err
	})
	foreign := r
	foreign.Tenant, foreign.Version = other, 2
	err := h.Tx.WithinTx(ctx, func(ctx context.Context) error { return h.Store.SaveRun(ctx, foreign) })
	wantReason(t, err, reconcile.ErrBusy)
	stolen := d
	stolen.Tenant, stolen.ResolvedAt, stolen.ResolvedBy = other, monday, clerk
	err = h.Tx.WithinTx(ctx, func(ctx context.Context) error { return h.Store.Settle(ctx, []reconcile.Difference{stolen}) })
	wantReason(t, err, reconcile.ErrResolved)
}
