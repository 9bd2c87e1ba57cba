package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/replay"
)

const dirtHeader = "InvoiceNo,StockCode,Description,Quantity,UnitPrice,CustomerID\n"

// written writes a file of rows and returns its path.
func written(t *testing.T, rows string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(path, []byte(dirtHeader+rows), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// everywhere replays a file in memory and on SQLite, there twice, and compares the figures
// with those of the plan.
func everywhere(t *testing.T, rows string, check func(t *testing.T, r replay.Report)) {
	t.Helper()
	path := written(t, rows)
	want := expected(t, path)
	for name, dsn := range map[string]string{"memory": "memory:", "sqlite": "sqlite:" + filepath.Join(t.TempDir(), "dirt.db")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 2 {
				r := replayed(t, "--db", dsn, "--file", path)
				if got := figures(r); got != want {
					t.Errorf("replayed\n%s\nwant\n%s", got, want)
				}
				if len(r.Conflicts) > 0 || !r.Clean() {
					t.Errorf("conflicts %+v, invariants %v", r.Conflicts, r.Invariants)
				}
				check(t, r)
			}
		})
	}
}

// A credit of nothing is a document, and free goods that come back go on the shelf.
func TestReplayOfCreditsOfNothing(t *testing.T) {
	t.Parallel()
	everywhere(t, "1,85123A,Mug,2,1.00,\nC2,85123A,Mug,-1,0.00,\n"+ // a guest's
		"3,85123A,Mug,2,1.00,7\nC4,85123B,Cup,-1,0.00,7\n"+ // unmatched
		"C5,85123A,Mug,-1,0.00,7\n"+ // matched, priced at nothing
		"6,85123A,Mug,4,0.00,8\nC7,85123A,Mug,-3,2.00,8\n", // sold for nothing, so all of its money is a note
		func(t *testing.T, r replay.Report) {
			if r.Credits != 4 || r.RefundedToOrders.Amount() != 0 || r.CreditNotes.Amount() != 600 || r.UnitsLeft != 4 {
				t.Errorf("%+v", r)
			}
		})
}

func TestReplayOfLongDescriptions(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i, n := range []int{149, 150, 250, 400, 600, 2000, 30_000} {
		b.WriteString("1,1000" + string(rune('0'+i)) + ",x" + strings.Repeat("é", n) + ",1,1.00,7\n")
	}
	everywhere(t, b.String(), func(t *testing.T, r replay.Report) {
		if r.Orders != 1 || r.Sales.Amount() != 700 || len(r.RejectedRows) > 0 || len(r.Notes) != 3 {
			t.Errorf("%+v", r)
		}
	})
}

// A number that is too big costs its row, and the biggest that is not too big goes through.
func TestReplayOfHugeNumbers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		rows     string
		rejected []int
		sales    int64
	}{
		"units":  {"1,10001,x,2000000000000000,1.00,7\n1,10001,x,2,1.00,7\n2,10001,x,999999999999999,0.00,8\n3,10001,x,999999999999999,0.01,9\n", []int{2, 4, 5}, 200},
		"amount": {"1,10001,x,1,92233720368547758.07,7\n1,10001,x,2,1.00,7\nC2,POST,x,-999999999999999,92233720368547758.07,7\n", []int{2, 4}, 200},
		"total":  {"1,10001,x,1,1000000000000000.00,7\n2,10001,x,2,1.00,8\n", []int{2}, 200},
		"most":   {"1,10001,x,1,1000000000000000.00,7\n", nil, 100_000_000_000_000_000},
		"most, taken back": {
			"1,10001,x,1000000000000000,0.50,7\nC2,10001,x,-1000000000000000,0.50,7\n", nil, 50_000_000_000_000_000,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everywhere(t, tc.rows, func(t *testing.T, r replay.Report) {
				var lines []int
				for _, row := range r.RejectedRows {
					lines = append(lines, row.Line)
				}
				if !slices.Equal(lines, tc.rejected) || r.Sales.Amount() != tc.sales {
					t.Errorf("sales %v, rejected %+v", r.Sales, r.RejectedRows)
				}
			})
		})
	}
}

// A write-off that is there with other content does not take its document along.
func TestReplayListsConflictingWriteOffs(t *testing.T) {
	t.Parallel()
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "writeoffs.db")
	const order = "1,10002,Cup,1,1.00,7\n"
	replayed(t, "--db", dsn, "--file", written(t, "1,10001,Mug,-2,0,7\n1,10001,Mug,-3,0,7\n"))
	second := replayed(t, "--db", dsn, "--file", written(t, "1,10001,Mug,-5,0,7\n1,10001,Mug,-3,0,7\n1,10001,Mug,-4,0,7\n"+order))
	if len(second.Conflicts) != 1 || second.Conflicts[0] != (replay.Conflict{Reference: "1/1", Reason: "inventory/external_conflict"}) {
		t.Errorf("conflicts %+v", second.Conflicts)
	}
	if second.Orders != 1 || second.Sales.Amount() != 100 || second.WriteOffLines != 3 || !second.Clean() {
		t.Errorf("%+v", second)
	}
}

func TestReplayShowsNotes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "notes.csv")
	if err := os.WriteFile(path, []byte("Invoice,Code,Quantity,Price,Customer,Date\r1,10001,1,1.00,7,soon\r"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := replayed(t, "--db", "memory:", "--file", path)
	if r.Orders != 1 || len(r.RejectedRows) > 0 || len(r.Notes) != 1 || r.Notes[0].Line != 2 || r.Notes[0].Reason != "date" {
		t.Errorf("%+v", r)
	}
	human, _ := command(t, exitOK, "replay", "--db", "memory:", "--file", path)
	if !strings.Contains(human, "note on line 2: the date cannot be read") {
		t.Errorf("a person is not told of the note:\n%s", human)
	}
}
