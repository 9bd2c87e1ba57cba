package reconciletest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
	"github.com/hyperlocal-sdk/hyperlocal/payment/reconcile"
)

func importCases() []testCase {
	return []testCase{
		{"the same file twice", sameFileTwice},
		{"killed after every transaction", killed},
		{"two at once", twoAtOnce},
		{"overtaken by another import", overtaken},
		{"two files of one account at once", twoFiles},
		{"a line that cannot be read", unreadableLine},
		{"a file that changes", changingFile},
		{"what is refused", importRefuses},
		{"tenants apart", importsApart},
		{"cancelled", cancelledImport},
	}
}

func sameFileTwice(t *testing.T, h Harness) {
	w := open(t, h)
	w.moved(operation{amount: gbp(1000), key: "k1"})
	text := file("1 charge - - k1 10 0.30 0", "2 charge - - k9 5 0 0")
	first := w.run(whole(), text)
	before := w.books.balances()
	c := whole()
	c.Actor.ID = "somebody else"
	run, repeated, err := w.s.Import(t.Context(), c, strings.NewReader(text))
	if err != nil || !repeated || run != first {
		t.Errorf("repeated %v, %v\n%+v\n%+v", repeated, err, run, first)
	}
	if after := w.books.balances(); !maps.Equal(before, after) || len(w.differences()) != 1 {
		t.Errorf("the books changed: %v, %v", before, after)
	}
	runs, err := w.s.ListRuns(t.Context(), tenant, gateway, hyperlocal.PageRequest{})
	if err != nil || len(runs.Items) != 1 || runs.Items[0] != first {
		t.Errorf("%+v, %v", runs, err)
	}
	if again, err := w.s.Resume(t.Context(), tenant, first.ID); err != nil || again != first {
		t.Errorf("%+v, %v", again, err)
	}
}

var errCrash = errors.New("the process was killed")

// fused lets a number of transactions commit, then none: those after it are rolled back, as
// when the process is killed before the commit.
type fused struct {
	hyperlocal.TxRunner
	mu   sync.Mutex
	left int
}

func (f *fused) WithinTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if hyperlocal.InTx(ctx) {
		return f.TxRunner.WithinTx(ctx, fn)
	}
	f.mu.Lock()
	f.left--
	dead := f.left < 0
	f.mu.Unlock()
	return f.TxRunner.WithinTx(ctx, func(ctx context.Context) error {
		if err := fn(ctx); err != nil {
			return err
		}
		if dead {
			return errCrash
		}
		return nil
	})
}

// mixed is a statement with something of everything, in a world that fits it.
func mixed(w *world) string {
	w.moved(
		operation{amount: gbp(1000), fee: gbp(10), key: "k1"}, operation{amount: gbp(2000), provider: "p2"},
		operation{amount: gbp(3000), provider: "p3"}, operation{amount: gbp(4000), provider: "p3"},
		operation{amount: gbp(50)}, operation{amount: gbp(60)},
		operation{amount: gbp(700), kind: payment.MovedRefund, key: "k7"}, operation{amount: gbp(800), key: "k8"},
	)
	return file(
		"1 charge - - k1 10 0.30 0", "2 charge p2 a - 15 0 0", "3 charge p3 b - 70 1 0", "4 fee - - - -1 0 0",
		"5 charge - - - 0.50 0 0", "6 payout - - - -60 0 0", "7 refund - - k7 -7 0 0", "8 charge p2 c - 5 0 0",
		"9 charge - - k8 7.99 0 0", "9 charge - - k8 7.99 0 0", "11 charge - - k1 10 0 0", "12 adjustment - - - -2 0 0", "13 charge - - - 9 0 0",
	)
}

// killed stops a run after each of its transactions and goes on, until it is through.
func killed(t *testing.T, h Harness) {
	w := open(t, h, func(c *reconcile.Config) { c.Batch = 3 })
	text := mixed(w)
	var run reconcile.Run
	transactions, done := 0, false
	for !done {
		f := &fused{TxRunner: h.Tx, left: 2} // finding the run, and one batch of it
		s := w.service(func(c *reconcile.Config) { c.Tx, c.Batch = f, 3 })
		r, repeated, err := s.Import(t.Context(), whole(), strings.NewReader(text))
		switch {
		case err == nil:
			run, done = r, true
		case !errors.Is(err, errCrash) || repeated:
			t.Fatal(err)
		}
		if transactions++; transactions > 60 {
			t.Fatal("it never ends")
		}
	}
	if transactions < 15 {
		t.Errorf("only %d transactions", transactions)
	}
	wantMixed(w, run)
}

func wantMixed(w *world, run reconcile.Run) {
	w.t.Helper()
	w.wantVerdicts(run, matched, "matched many_to_one", "matched one_to_many", "booked", "matched amount", "booked", matched,
		"matched many_to_one", "suspended amount_differs", "repeated", "suspended duplicate", "suspended missing_in_books",
		"suspended missing_in_books")
	w.wantBooks(map[string]int64{
		"balance/sandbox": 970 + 2000 + 6900 - 100 + 50 - 6000 - 700 + 799 + 1000 - 200 + 900, "fees/sandbox": 30 + 100 + 100,
		"transit/sandbox": 6000, "suspense/sandbox": 1 - 1000 + 200 - 900 + 60,
	})
	if n := len(w.differences()); n != 5 {
		w.t.Errorf("%d differences are open", n)
	}
	report, err := w.s.Report(w.t.Context(), tenant, run.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	lines, gross := 0, int64(0)
	for _, total := range report.Totals {
		lines += total.Lines
		gross += total.Gross.Amount()
	}
	if lines != 13 || lines != run.Lines || gross != 1000+1500+7000-100+50-6000-700+500+799+799+1000-200+900 {
		w.t.Errorf("%d lines, gross %d: %+v", lines, gross, report.Totals)
	}
}

func twoAtOnce(t *testing.T, h Harness) {
	w := open(t, h, func(c *reconcile.Config) { c.Batch = 2 })
	text := mixed(w)
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() { _, _, errs[i] = w.s.Import(t.Context(), whole(), strings.NewReader(text)) })
	}
	wg.Wait()
	if !slices.Contains(errs, nil) {
		// Each may have been in another's way; then whoever comes next goes on.
		t.Logf("nobody came through: %v", errs)
	}
	for _, err := range errs {
		if err != nil && hyperlocal.ReasonOf(err) != reconcile.ErrBusy.Reason {
			t.Error(err)
		}
	}
	run, _, err := w.s.Import(t.Context(), whole(), strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	wantMixed(w, run)
}

// watched calls a function before it reads a line.
type watched struct {
	reconcile.Lines
	before func()
}

func (l watched) Next() (reconcile.Line, error) {
	l.before()
	return l.Lines.Next()
}

// overtaken: while one process reads the file, another one imports it whole. The first finds
// out before it has changed anything.
func overtaken(t *testing.T, h Harness) {
	w := open(t, h)
	text := mixed(w)
	lines := 0
	slow := w.service(func(c *reconcile.Config) {
		c.Batch = 4
		c.Sources = map[string]reconcile.Source{gateway: {Format: func(r io.Reader, limits reconcile.Limits) reconcile.Lines {
			return watched{reconcile.SandboxStatement(r, limits), func() {
				if lines++; lines == 7 {
					wantMixed(w, w.run(whole(), text))
				}
			}}
		}}}
	})
	_, repeated, err := slow.Import(t.Context(), whole(), strings.NewReader(text))
	if repeated || hyperlocal.ReasonOf(err) != reconcile.ErrBusy.Reason {
		t.Errorf("repeated %v, %v", repeated, err)
	}
	run, repeated, err := w.s.Import(t.Context(), whole(), strings.NewReader(text))
	if err != nil || !repeated {
		t.Fatal(repeated, err)
	}
	wantMixed(w, run)
}

// twoFiles holds the same lines in two files that are imported at once: each line counts once.
func twoFiles(t *testing.T, h Harness) {
	w := open(t, h, func(c *reconcile.Config) { c.Batch = 2 })
	w.moved(operation{amount: gbp(1000), key: "k1"}, operation{amount: gbp(2000), key: "k2"})
	text := file("1 charge - - k1 10 0 0", "2 charge - - k2 20 0 0", "3 fee - - - -1 0 0", "4 fee - - - -2 0 0")
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			_, _, err := w.s.Import(t.Context(), command(), strings.NewReader(text+strings.Repeat("\n", i)))
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	w.wantBooks(map[string]int64{"balance/sandbox": 2700, "fees/sandbox": 300})
}

func unreadableLine(t *testing.T, h Harness) {
	w := open(t, h, func(c *reconcile.Config) { c.Batch = 2 })
	w.moved(operation{amount: gbp(1000), key: "k1"})
	before := w.books.balances()
	good := file("1 charge - - k1 10 0 0", "2 fee - - - -1 0 0", "3 fee - - - -1 0 0", "4 fee - - - -1 0 0")
	bad := strings.Replace(good, "\n4,", "\n4,,,", 1)
	for range 2 { // the second time it goes on where it stopped, and stops there again
		run, _, err := w.s.Import(t.Context(), whole(), strings.NewReader(bad))
		e, _ := errors.AsType[*hyperlocal.Error](err)
		if e == nil || e.Reason != reconcile.ErrMalformed.Reason || e.Fields["line"] != "5" || e.Code != hyperlocal.CodeInvalid {
			t.Fatalf("%v", err)
		}
		if run.Phase != reconcile.PhaseLoading || run.Problem != reconcile.ErrMalformed.Reason || run.Lines != 2 {
			t.Errorf("%+v", run)
		}
		if _, err := w.s.Resume(t.Context(), tenant, run.ID); hyperlocal.ReasonOf(err) != reconcile.ErrNeedsFile.Reason {
			t.Errorf("resumed: %v", err)
		}
	}
	if after := w.books.balances(); !maps.Equal(before, after) {
		t.Errorf("something was booked: %v", after)
	}
	w.wantVerdicts(w.run(whole(), good), matched, "booked", "booked", "booked")
}

// changing is a file that says something else when it is read again.
type changing struct {
	*strings.Reader
	reads int
	later string
}

func (c *changing) Seek(offset int64, whence int) (int64, error) {
	if c.reads++; c.reads == 2 {
		c.Reader = strings.NewReader(c.later)
	}
	return c.Reader.Seek(offset, whence)
}

func changingFile(t *testing.T, h Harness) {
	w := open(t, h, func(c *reconcile.Config) { c.Batch = 1 })
	w.moved(operation{amount: gbp(1000), key: "k1"})
	before := w.books.balances()
	text := file("1 charge - - k1 10 0 0", "2 fee - - - -1 0 0")
	run, _, err := w.s.Import(t.Context(), command(), &changing{
		Reader: strings.NewReader(text), later: file("1 charge - - k1 90 0 0", "2 fee - - - -1 0 0", "3 fee - - - -1 0 0"),
	})
	wantReason(t, err, reconcile.ErrFileChanged)
	if run.Phase != reconcile.PhaseAbandoned || !maps.Equal(before, w.books.balances()) {
		t.Errorf("%+v, %v", run, w.books.balances())
	}
	w.wantVerdicts(w.run(command(), text), matched, "booked")
	w.wantBooks(map[string]int64{"balance/sandbox": 900, "fees/sandbox": 100})
}

type broken struct{ io.ReadSeeker }

func (broken) Read([]byte) (int, error) { return 0, errCrash }

func importRefuses(t *testing.T, h Harness) {
	w := open(t, h)
	for name, c := range map[string]struct {
		change func(*reconcile.ImportCommand)
		want   string
	}{
		"no tenant":      {func(c *reconcile.ImportCommand) { c.Tenant = "" }, "tenant/invalid_id"},
		"nobody":         {func(c *reconcile.ImportCommand) { c.Actor = hyperlocal.Actor{} }, "actor/invalid_actor"},
		"unknown source": {func(c *reconcile.ImportCommand) { c.Source = "x" }, reconcile.ErrUnknownSource.Reason},
		"no account":     {func(c *reconcile.ImportCommand) { c.Account = "" }, "reconcile/invalid_account"},
		"long account":   {func(c *reconcile.ImportCommand) { c.Account = strings.Repeat("a", 65) }, "reconcile/invalid_account"},
		"half a time":    {func(c *reconcile.ImportCommand) { c.From = monday }, "reconcile/invalid_until"},
		"time reversed":  {func(c *reconcile.ImportCommand) { c.From, c.Until = monday.AddDate(0, 0, 1), monday }, "reconcile/invalid_until"},
	} {
		bad := command()
		c.change(&bad)
		if _, _, err := w.s.Import(t.Context(), bad, strings.NewReader(file())); hyperlocal.ReasonOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	_, _, err := w.s.Import(t.Context(), command(), broken{strings.NewReader("")})
	if !errors.Is(err, errCrash) || hyperlocal.CodeOf(err) != hyperlocal.CodeUnavailable {
		t.Errorf("a file that cannot be read: %v", err)
	}
	err = h.Tx.WithinTx(t.Context(), func(ctx context.Context) error {
		_, _, err := w.s.Import(ctx, command(), strings.NewReader(file()))
		return err
	})
	if hyperlocal.CodeOf(err) != hyperlocal.CodeInternal {
		t.Errorf("inside a transaction: %v", err)
	}
	if _, err := w.s.Run(t.Context(), tenant, id()); hyperlocal.ReasonOf(err) != reconcile.ErrNotFound.Reason {
		t.Error(err)
	}
}

// importsApart: the same file is another run for another tenant, which finds nothing of the first's.
func importsApart(t *testing.T, h Harness) {
	w := open(t, h)
	w.moved(operation{amount: gbp(1000), key: "k1"})
	text := file("1 charge - - k1 10 0 0", "2 fee - - - -1 0 0")
	c := command()
	c.Tenant = other
	run, repeated, err := w.s.Import(t.Context(), c, strings.NewReader(text))
	if err != nil || repeated {
		t.Fatal(repeated, err)
	}
	if report, err := w.s.Report(t.Context(), other, run.ID); err != nil || len(report.Totals) != 2 || report.Totals[1].Reason != reconcile.MissingInBooks {
		t.Errorf("%+v, %v", report, err)
	}
	w.wantVerdicts(w.run(command(), text), matched, "booked")
	if _, err := w.s.Report(t.Context(), tenant, run.ID); hyperlocal.ReasonOf(err) != reconcile.ErrNotFound.Reason {
		t.Errorf("another tenant's run: %v", err)
	}
	if open := w.differences(); len(open) != 0 {
		t.Errorf("another tenant's differences: %+v", open)
	}
}

func cancelledImport(t *testing.T, h Harness) {
	w := open(t, h)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := w.s.Import(ctx, command(), strings.NewReader(file())); hyperlocal.CodeOf(err) != hyperlocal.CodeDeadline {
		t.Errorf("%v", err)
	}
	if runs, err := w.s.ListRuns(t.Context(), tenant, "", hyperlocal.PageRequest{}); err != nil || len(runs.Items) != 0 {
		t.Error(fmt.Sprint(runs), err)
	}
}
