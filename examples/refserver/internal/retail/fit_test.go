package retail

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// A number that is too big costs its own row: the others of the file go on. The rows are
// document, code, quantity, price, customer.
func TestReadRejectsWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, rows string
		want       string // line and reason of what is rejected
	}{
		{"units of one row", "1;10001;2000000000000000;0;a 1;10001;2;1;a 2;10001;1;1;b", "2 units"},
		{"units of a code", "1;10001;999999999999999;0;a 1;10001;999999999999999;0;a", "3 units"},
		{"the slip, not the trade before and after it", "1;10001;6;1;a 1;10001;999999999999999;0;a 2;10001;7;1;b", "3 units"},
		{"sold and written off", "1;10001;600000000000000;0;a 1;10001;-500000000000000;0;a", "2 units"},
		{"units of two codes", "1;10001;999999999999999;0;a 1;10002;999999999999999;0;a", ""},
		{"as many as stock counts", "1;10001;1000000000000000;0;a", ""},
		{"what comes back does not add up", "1;10001;1000000000000000;0;a C2;10001;-1000000000000000;0;a", ""},
		{"amount of one row", "1;10001;1;92233720368547758,07;a 1;10001;3;1;a", "2 amount"},
		{"amount of a product", "1;10001;1000000000000;92233720368547,58;a 1;10001;3;1;a", "2 amount"},
		{"amounts together", "1;10001;1;1000000000000000,00;a 2;10001;3;1;b C3;10001;-1;2;a", "2 amount"},
		{"amounts of sales and credits", "1;10001;1;600000000000000;a C2;10001;-1;600000000000000;a", "3 amount"},
		{"as much as can be", "1;10001;1;1000000000000000,00;a", ""},
		{"a document of nothing else", "1;10001;2000000000000000;0;a 2;10001;1;1;b", "2 units"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			text := "Invoice;StockCode;Quantity;Price;Customer\n" + strings.ReplaceAll(tc.rows, " ", "\n")
			f := read(t, text)
			got := make([]string, 0, len(f.Rejected))
			for _, r := range f.Rejected {
				got = append(got, fmt.Sprint(r.Line, " ", r.Reason))
			}
			if strings.Join(got, ", ") != tc.want {
				t.Errorf("rejected %+v, want %s", f.Rejected, tc.want)
			}
			if rows := strings.Count(text, "\n") - len(f.Rejected); f.Rows != rows {
				t.Errorf("%d rows, want %d", f.Rows, rows)
			}
			if slices.ContainsFunc(f.Documents, func(d Document) bool { return len(d.Rows) == 0 }) {
				t.Errorf("a document without rows: %+v", f.Documents)
			}
			checkInvariants(t, f, plan(t, f))
		})
	}
}

// All units of a file, of whatever code, are a number that fits.
func TestReadBoundsUnitsOfAFile(t *testing.T) {
	t.Parallel()
	const codes = math.MaxInt64/inventory.MaxUnits + 2
	var b strings.Builder
	b.WriteString("Invoice;StockCode;Quantity;Price;Customer\n")
	for i := range codes {
		fmt.Fprintf(&b, "%d;%05d;%d;0;a\n", i, 10000+i, int64(inventory.MaxUnits))
	}
	f := read(t, b.String())
	if len(f.Rejected) != 2 || f.Rejected[0].Line != codes || f.Rejected[0].Reason != ReasonUnits {
		t.Errorf("rejected %+v", f.Rejected)
	}
	checkInvariants(t, f, plan(t, f))
}

func TestReadBoundsLinesOfAnOrder(t *testing.T) {
	t.Parallel()
	f := read(t, "Invoice;StockCode;Quantity;Price;Customer\n"+
		strings.Repeat("1;10001;1;1;a\n1;10001;-1;0;a\n", order.MaxLines)+"1;10001;1;1;a\n1;10001;-1;0;a\n"+
		strings.Repeat("C2;10001;-1;1;a\n", order.MaxLines+1))
	if len(f.Rejected) != 1 || f.Rejected[0].Line != 2*order.MaxLines+2 || f.Rejected[0].Reason != ReasonLines {
		t.Errorf("rejected %+v", f.Rejected)
	}
	p := plan(t, f)
	if len(p.Orders[0].Lines) != order.MaxLines || len(p.Orders[0].WriteOffs) != order.MaxLines+1 {
		t.Errorf("%d lines, %d write-offs", len(p.Orders[0].Lines), len(p.Orders[0].WriteOffs))
	}
}

// The bound is of points, which are counted per major unit, as long as the amounts fit.
func TestMaxAmount(t *testing.T) {
	t.Parallel()
	for currency, want := range map[hyperlocal.Currency]int64{
		"JPY": 1_000_000_000_000_000, "GBP": 100_000_000_000_000_000, "KWD": 1_000_000_000_000_000_000, "CLF": math.MaxInt64 / 8,
	} {
		if got := maxAmount(currency); got != want {
			t.Errorf("%s: %d, want %d", currency, got, want)
		}
	}
}
