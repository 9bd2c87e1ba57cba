package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/storetest/dbtest"
	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/replay"
	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/retail"
)

// command runs the program as a user would and returns what it prints.
func command(t *testing.T, want int, args ...string) (out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	if code := run(args, &o, &e); code != want {
		t.Fatalf("refserver %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, want, &o, &e)
	}
	return o.String(), e.String()
}

func replayed(t *testing.T, args ...string) replay.Report {
	t.Helper()
	out, errOut := command(t, exitOK, append([]string{"replay", "--json"}, args...)...)
	if errOut != "" {
		t.Errorf("something was printed beside the report: %s", errOut)
	}
	var r replay.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("the report is no JSON: %v\n%s", err, out)
	}
	return r
}

// figures are those of a report that must not depend on clients or database.
func figures(r replay.Report) string {
	return fmt.Sprint(r.Orders, r.Credits, r.WriteOffLines, len(r.RejectedRows), r.Sales, r.Credited, r.RefundedToOrders,
		r.CreditNotes, r.Net, r.Points, r.UnitsLeft, r.JournalBalanced)
}

// databases are those that the replay is tried on.
func databases(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{
		"memory":        "memory:",
		"sqlite memory": "sqlite::memory:",
		"sqlite file":   "sqlite:" + filepath.Join(t.TempDir(), "replay.db"),
		"postgres":      dbtest.Postgres(t),
	}
}

// expected is what the plan of a file says must come out: an independent calculation.
func expected(t *testing.T, path string) string {
	t.Helper()
	in := bytes.NewReader(retail.Sample())
	if path != "" {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		in = bytes.NewReader(data)
	}
	f, err := retail.Read(in, retail.Options{Currency: "GBP"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := retail.NewPlan(f)
	if err != nil {
		t.Fatal(err)
	}
	e := p.Expected
	return fmt.Sprint(e.Orders, e.Credits, e.WriteOffLines, len(f.Rejected), e.Sales, e.Credited, e.RefundedToOrders,
		e.CreditNotes, e.Net, e.Points, e.UnitsLeft, true)
}

func TestReplayOfTheSample(t *testing.T) {
	t.Parallel()
	want := expected(t, "")
	for name, dsn := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, clients := range []string{"1", "16"} { // the second one adds nothing where the database stays
				r := replayed(t, "--db", dsn, "--clients", clients)
				if got := figures(r); got != want {
					t.Errorf("%s clients:\n%s\nwant\n%s", clients, got, want)
				}
				if len(r.Conflicts) > 0 || len(r.Invariants) < 20 || !r.Clean() {
					t.Errorf("%s clients: %+v, %v", clients, r.Conflicts, r.Invariants)
				}
			}
			if strings.Contains(dsn, "memory:") {
				return
			}
			command(t, exitOK, "verify", "--db", dsn)
		})
	}
}

// TestReplayOfRealTrade needs the file that is not part of the project.
func TestReplayOfRealTrade(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "..", "shared", "data", "online-retail.csv")
	if _, err := os.Stat(path); err != nil {
		if dbtest.Require("data") {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: there is no ../shared/data/online-retail.csv beside the project")
	}
	r := replayed(t, "--db", "memory:", "--file", path, "--clients", "16")
	if got, want := figures(r), expected(t, path); got != want {
		t.Errorf("replayed\n%s\nwant\n%s", got, want)
	}
	const published = "439 43 30 0 184248.33 GBP 3580.58 GBP 184.00 GBP 3396.58 GBP 180667.75 GBP 147839 77 true"
	if got := figures(r); got != published || !r.Clean() {
		t.Errorf("replayed\n%s\nwant\n%s\n%v", got, published, r.Invariants)
	}
}

func TestReplayListsConflicts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, quantity string) string {
		path := filepath.Join(dir, name)
		text := "InvoiceNo,StockCode,Description,Quantity,UnitPrice,CustomerID\n" +
			"1,10001,Mug," + quantity + ",2.50,7\n2,10001,Mug,1,2.50,7\nC3,10001,Mug,-1,2.50,7\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	dsn := "sqlite:" + filepath.Join(dir, "conflict.db")
	first := replayed(t, "--db", dsn, "--file", file("a.csv", "2"))
	if len(first.Conflicts) > 0 || first.Orders != 2 {
		t.Fatalf("%+v", first)
	}
	second := replayed(t, "--db", dsn, "--file", file("b.csv", "3"))
	if len(second.Conflicts) != 1 || second.Conflicts[0].Reference != "1" || second.Conflicts[0].Reason != "order/external_conflict" {
		t.Errorf("conflicts %+v", second.Conflicts)
	}
	if second.Orders != 2 || second.Sales != first.Sales {
		t.Errorf("the conflicting document changed something: %s", figures(second))
	}
	human, _ := command(t, exitOK, "replay", "--db", dsn, "--file", filepath.Join(dir, "b.csv"))
	if !strings.Contains(human, "conflict 1:") {
		t.Errorf("a person is not told of the conflict:\n%s", human)
	}
}
