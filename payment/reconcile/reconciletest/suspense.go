package reconciletest

import (
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
	"github.com/hyperlocal-sdk/hyperlocal/payment/reconcile"
)

func suspenseCases() []testCase {
	return []testCase{
		{"missing in our books", missingInBooks},
		{"missing at the provider, found in the next statement", missingThenFound},
		{"only what the statement covers is missing", coverage},
		{"amount differs", amountDiffers},
		{"currency differs", currencyDiffers},
		{"duplicate of a settled operation", duplicateLine},
		{"the same line in another file", repeatedLine},
		{"resolved by a reversal", resolvedByReversal},
		{"resolved to an account", resolvedToAccount},
		{"resolved with an operation", resolvedWithOperation},
		{"what resolving refuses", resolveRefuses},
		{"report by age", reportByAge},
	}
}

// only returns the one open difference.
func (w *world) only() reconcile.Difference {
	w.t.Helper()
	open := w.differences()
	if len(open) != 1 {
		w.t.Fatalf("%d differences are open: %+v", len(open), open)
	}
	return open[0]
}

func missingInBooks(t *testing.T, h Harness) {
	w := open(t, h)
	run := w.run(whole(), file("line_1 charge pi_1 ch_1 k1 10 0.30 5"))
	w.wantVerdicts(run, "suspended missing_in_books")
	w.wantBooks(map[string]int64{"balance/sandbox": 970, "fees/sandbox": 30, "suspense/sandbox": -1000})
	d := w.only()
	if d.Reason != reconcile.MissingInBooks || d.Theirs != gbp(1000) || d.Ours.IsValid() || d.Line != 2 || d.Reference != "line_1" ||
		d.Run != run.ID || !d.Since.Equal(monday.Add(5*time.Minute)) || d.Kind != reconcile.KindCharge || d.Source != gateway || d.Account != account {
		t.Errorf("%+v", d)
	}
}

func missingThenFound(t *testing.T, h Harness) {
	w := open(t, h)
	ops := w.moved(operation{amount: gbp(1000), fee: gbp(20), key: "k1"}, operation{amount: gbp(300), kind: payment.MovedRefund, key: "r1"})
	first := w.run(whole(), file())
	w.wantVerdicts(first)
	w.wantBooks(map[string]int64{"suspense/sandbox": 700})
	open := w.differences()
	if len(open) != 2 || open[0].Reason != reconcile.MissingAtProvider || open[1].Reason != reconcile.MissingAtProvider {
		t.Fatalf("%+v", open)
	}
	for _, d := range open {
		if d.Theirs.IsValid() || d.Line != 0 || (d.Operation == ops[0].ID) != (d.Ours == gbp(1000)) || (d.Operation == ops[1].ID) != (d.Ours == gbp(-300)) {
			t.Errorf("%+v", d)
		}
	}
	again := whole() // another statement for the same time lacks them as well
	again.Until = again.Until.Add(time.Minute)
	w.run(again, file()+"\n")
	if n := len(w.differences()); n != 2 {
		t.Errorf("%d differences: an operation is missing once", n)
	}
	w.run(whole(), file("1 charge - - k1 10 0.30 1", "2 refund - - r1 -3 0 1"))
	w.wantBooks(map[string]int64{"balance/sandbox": 670, "fees/sandbox": 30})
	if left := w.differences(); len(left) != 0 {
		t.Errorf("still open: %+v", left)
	}
	page, err := w.s.ListDifferences(t.Context(), tenant, reconcile.Filter{Run: first.ID}, hyperlocal.PageRequest{})
	if err != nil || len(page.Items) != 2 || !strings.HasPrefix(page.Items[0].Note, "found in run ") || page.Items[0].ResolvedBy.Kind != "system" {
		t.Errorf("%+v, %v", page, err)
	}
}

func coverage(t *testing.T, h Harness) {
	w := open(t, h, func(c *reconcile.Config) { c.Lag = time.Hour; c.Batch = 2 })
	c := whole() // from 21:30 the day before to 21:30, an hour of lag at both ends
	var in []operation
	for _, at := range []time.Time{
		c.From.Add(-time.Hour - time.Microsecond), c.From.Add(-time.Hour), c.From, c.Until.Add(-time.Hour - time.Microsecond), c.Until.Add(-time.Hour),
	} {
		in = append(in, operation{amount: gbp(100), at: at})
	}
	w.moved(in...)
	w.run(command(), file()) // claims to be complete for no time at all
	if n := len(w.differences()); n != 0 {
		t.Errorf("%d are missing although the statement claims nothing", n)
	}
	w.run(c, file()+"\n")
	found := w.differences()
	if len(found) != 3 || !found[0].Since.Equal(in[1].at) || !found[2].Since.Equal(in[3].at) {
		t.Errorf("%+v", found)
	}
	w.wantBooks(map[string]int64{"clearing/sandbox": 200, "suspense/sandbox": 300})
}

func amountDiffers(t *testing.T, h Harness) {
	w := open(t, h)
	ops := w.moved(operation{amount: gbp(1000), fee: gbp(10), key: "k1"})
	run := w.run(whole(), file("1 charge - - k1 9.50 0.30 0"))
	w.wantVerdicts(run, "suspended amount_differs")
	w.wantBooks(map[string]int64{"balance/sandbox": 920, "fees/sandbox": 30, "suspense/sandbox": 50})
	if d := w.only(); d.Theirs != gbp(950) || d.Ours != gbp(1000) || d.Operation != ops[0].ID {
		t.Errorf("%+v", d)
	}
}

func currencyDiffers(t *testing.T, h Harness) {
	w := open(t, h)
	w.moved(operation{amount: gbp(1000), key: "k1"})
	run := w.run(whole(), file("1 charge - - k1 10EUR 0.30 0"))
	w.wantVerdicts(run, "suspended currency_differs")
	w.wantBooks(map[string]int64{
		"balance/sandbox EUR": 970, "fees/sandbox EUR": 30, "suspense/sandbox EUR": -1000, "suspense/sandbox": 1000,
	})
}

func duplicateLine(t *testing.T, h Harness) {
	w := open(t, h)
	ops := w.moved(operation{amount: gbp(1000), key: "k1"})
	run := w.run(whole(), file("1 charge - a k1 10 0 0", "2 charge - b k1 10 0 1"))
	w.wantVerdicts(run, matched, "suspended duplicate")
	later := w.run(command(), file("3 charge - c k1 10 0 2"))
	w.wantVerdicts(later, "suspended duplicate")
	w.wantBooks(map[string]int64{"balance/sandbox": 3000, "suspense/sandbox": -2000})
	for _, d := range w.differences() {
		if d.Operation != ops[0].ID || d.Ours.IsValid() {
			t.Errorf("%+v", d)
		}
	}
}

func repeatedLine(t *testing.T, h Harness) {
	w := open(t, h)
	w.moved(operation{amount: gbp(1000), key: "k1"})
	w.run(command(), file("1 charge - - k1 10 0.30 0", "2 fee - - - -1 0 1"))
	run := w.run(command(), file("2 fee - - - -1 0 1", "1 charge - - k1 10 0.30 0", "2 fee - - - -1 0 1", "2 fee - - - -2 0 1"))
	w.wantVerdicts(run, "repeated", "repeated", "repeated", "suspended duplicate")
	w.wantBooks(map[string]int64{"balance/sandbox": 970 - 100 - 200, "fees/sandbox": 130, "suspense/sandbox": 200})
	elsewhere := command() // the ids of another account are its own
	elsewhere.Account = "acct_2"
	w.wantVerdicts(w.run(elsewhere, file("2 fee - - - -1 0 1")), "booked")
}

func (w *world) resolve(c reconcile.ResolveCommand) reconcile.Difference {
	w.t.Helper()
	c.Tenant, c.Actor = tenant, clerk
	if c.Note == "" {
		c.Note = "asked the provider"
	}
	d, err := w.s.Resolve(w.t.Context(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func resolvedByReversal(t *testing.T, h Harness) {
	w := open(t, h)
	w.moved(operation{amount: gbp(1000), fee: gbp(10), key: "k1"})
	w.run(whole(), file())
	d := w.resolve(reconcile.ResolveCommand{ID: w.only().ID, Note: "it comes tomorrow"})
	if d.Open() || d.Note != "it comes tomorrow" || d.ResolvedBy != clerk || d.ResolvedTo != "" {
		t.Errorf("%+v", d)
	}
	w.wantBooks(map[string]int64{"clearing/sandbox": 990, "fees/sandbox": 10})
	if got, err := w.s.Difference(t.Context(), tenant, d.ID); err != nil || got.Note != d.Note || got.ResolvedBy != clerk || got.Open() {
		t.Errorf("%+v, %v", got, err)
	}
	w.wantVerdicts(w.run(command(), file("1 charge - - k1 10 0.30 0")), matched)
	w.wantBooks(map[string]int64{"balance/sandbox": 970, "fees/sandbox": 30})
}

func resolvedToAccount(t *testing.T, h Harness) {
	w := open(t, h)
	w.moved(operation{amount: gbp(1000), fee: gbp(10), key: "k1"})
	w.run(whole(), file())
	w.resolve(reconcile.ResolveCommand{ID: w.only().ID, Account: "losses/sandbox"})
	w.wantBooks(map[string]int64{"losses/sandbox": 1000})
	// A person has settled it, so what comes after all is a duplicate.
	w.wantVerdicts(w.run(command(), file("1 charge - - k1 10 0.30 0")), "suspended duplicate")
	w.wantBooks(map[string]int64{"losses/sandbox": 1000, "balance/sandbox": 970, "fees/sandbox": 30, "suspense/sandbox": -1000})
	w.resolve(reconcile.ResolveCommand{ID: w.only().ID, Account: "losses/sandbox"})
	w.wantBooks(map[string]int64{"balance/sandbox": 970, "fees/sandbox": 30})
}

func resolvedWithOperation(t *testing.T, h Harness) {
	w := open(t, h)
	w.run(command(), file("1 charge - lost - 10 0.30 0"))
	ops := w.moved(operation{amount: gbp(1000), fee: gbp(10), key: "k1", at: monday.Add(5 * time.Hour)}, operation{amount: gbp(999), key: "k2"})
	d := w.only()
	c := reconcile.ResolveCommand{Tenant: tenant, ID: d.ID, Actor: clerk, Note: "n", Reference: "k2"}
	_, err := w.s.Resolve(t.Context(), c)
	wantReason(t, err, reconcile.ErrOperation)
	if d = w.resolve(reconcile.ResolveCommand{ID: d.ID, Reference: "k1"}); d.ResolvedTo != "clearing/sandbox" {
		t.Errorf("%+v", d)
	}
	w.wantBooks(map[string]int64{"balance/sandbox": 970, "fees/sandbox": 30, "clearing/sandbox": 999})
	claims, err := h.Store.Claims(t.Context(), tenant, []string{ops[0].ID, ops[1].ID})
	if err != nil || len(claims) != 1 || claims[0].Operation != ops[0].ID || claims[0].Line != 2 {
		t.Errorf("%+v, %v", claims, err)
	}
	w.run(whole(), file()+"\n") // it is settled, so it is not missing either
	if d := w.only(); d.Operation != ops[1].ID {
		t.Errorf("%+v", d)
	}
}

func resolveRefuses(t *testing.T, h Harness) {
	w := open(t, h)
	w.run(command(), file("1 charge - - k1 10 0.30 0"))
	d := w.only()
	before := w.books.balances()
	ok := reconcile.ResolveCommand{Tenant: tenant, ID: d.ID, Actor: clerk, Note: "n"}
	for name, c := range map[string]struct {
		change func(*reconcile.ResolveCommand)
		want   string
	}{
		"no note":           {func(c *reconcile.ResolveCommand) { c.Note = " \n" }, "reconcile/invalid_note"},
		"a long note":       {func(c *reconcile.ResolveCommand) { c.Note = strings.Repeat("n", reconcile.MaxNote+1) }, "reconcile/invalid_note"},
		"nobody":            {func(c *reconcile.ResolveCommand) { c.Actor = hyperlocal.Actor{} }, "actor/invalid_actor"},
		"another tenant":    {func(c *reconcile.ResolveCommand) { c.Tenant = other }, reconcile.ErrNotFound.Reason},
		"unknown":           {func(c *reconcile.ResolveCommand) { c.ID = id() }, reconcile.ErrNotFound.Reason},
		"no id":             {func(c *reconcile.ResolveCommand) { c.ID = "x" }, reconcile.ErrNotFound.Reason},
		"both":              {func(c *reconcile.ResolveCommand) { c.Account, c.Reference = "a", "b" }, "reconcile/invalid_account"},
		"suspense again":    {func(c *reconcile.ResolveCommand) { c.Account = "suspense/x" }, "reconcile/invalid_account"},
		"unknown operation": {func(c *reconcile.ResolveCommand) { c.Reference = "k1" }, reconcile.ErrOperation.Reason},
	} {
		bad := ok
		c.change(&bad)
		if _, err := w.s.Resolve(t.Context(), bad); hyperlocal.ReasonOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if _, err := w.s.Resolve(t.Context(), ok); err != nil {
		t.Fatal(err)
	}
	if _, err := w.s.Resolve(t.Context(), ok); hyperlocal.ReasonOf(err) != reconcile.ErrResolved.Reason {
		t.Errorf("resolved twice: %v", err)
	}
	if len(before) == 0 {
		t.Error("nothing was in suspense")
	}
	w.wantBooks(nil)
}

func reportByAge(t *testing.T, h Harness) {
	w := open(t, h)
	w.now = monday.Add(31 * 24 * time.Hour)
	run := w.run(command(), file(
		"1 charge - - a 1 0 0", "2 charge - - b 2 0 1440", // a day short of and at thirty days
		"3 charge - - c 4 0 1441", "4 charge - - d 8 0 43200", "5 charge - - e 16 0 43200", "6 adjustment - - - 32EUR 0 43200",
	))
	w.resolve(reconcile.ResolveCommand{ID: w.differences()[0].ID})
	report, err := w.s.Report(t.Context(), tenant, run.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := []reconcile.Aged{
		{Age: 0, Reason: reconcile.MissingInBooks, Differences: 1, Theirs: money(3200, "EUR")},
		{Age: 0, Reason: reconcile.MissingInBooks, Differences: 2, Theirs: gbp(2400)},
		{Age: 2, Reason: reconcile.MissingInBooks, Differences: 2, Theirs: gbp(600)},
	}
	if len(report.Open) != len(want) {
		t.Fatalf("%+v", report.Open)
	}
	for i := range want {
		if report.Open[i] != want[i] {
			t.Errorf("%+v, want %+v", report.Open[i], want[i])
		}
	}
	page, err := w.s.ListDifferences(t.Context(), tenant, reconcile.Filter{Run: run.ID, Open: true, Before: monday.Add(24 * time.Hour)}, hyperlocal.PageRequest{})
	if err != nil || len(page.Items) != 0 {
		t.Errorf("%+v, %v", page, err)
	}
}
