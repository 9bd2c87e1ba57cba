package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReplayOfALargeDocument sells more different goods with one document than a shop has in
// its window, and takes a part of them back.
func TestReplayOfALargeDocument(t *testing.T) {
	t.Parallel()
	const lines = 2000
	var b strings.Builder
	b.WriteString("InvoiceNo,StockCode,Description,Quantity,UnitPrice,CustomerID\n")
	for i := range lines {
		fmt.Fprintf(&b, "1,%05d,Thing %d,%d,1.%02d,7\n", 20000+i, i, 1+i%3, i%100)
	}
	for i := range lines / 2 {
		fmt.Fprintf(&b, "C2,%05d,Thing %d,-1,1.%02d,7\n", 20000+i, i, i%100)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "large.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	want := expected(t, path)
	for name, dsn := range map[string]string{"memory": "memory:", "sqlite file": "sqlite:" + filepath.Join(dir, "large.db")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := replayed(t, "--db", dsn, "--file", path)
			if got := figures(r); got != want {
				t.Errorf("replayed\n%s\nwant\n%s", got, want)
			}
			if len(r.Conflicts) > 0 || !r.Clean() || r.Orders != 1 || r.Credits != 1 {
				t.Errorf("%d orders, %d credits, %v, %v", r.Orders, r.Credits, r.Conflicts, r.Invariants)
			}
		})
	}
}
