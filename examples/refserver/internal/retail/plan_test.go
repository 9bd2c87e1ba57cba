package retail

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func plan(tb testing.TB, f *File) *Plan {
	tb.Helper()
	p, err := NewPlan(f)
	if err != nil {
		tb.Fatalf("NewPlan: %v", err)
	}
	return p
}

// describe writes a credit down: the parts with the units of each line, then the note.
func describe(c *CreditPlan) string {
	var b strings.Builder
	for _, part := range c.Parts {
		fmt.Fprintf(&b, "%s %s", part.OrderDocument, part.Money.Decimal())
		for _, item := range part.Items {
			fmt.Fprintf(&b, " %d×%s/%d", item.Quantity, item.Code, item.Row)
		}
		b.WriteString("; ")
	}
	fmt.Fprintf(&b, "note %s", c.NoteMoney.Decimal())
	for _, n := range c.NoteRows {
		fmt.Fprintf(&b, " %s %d×%s/%d %s", n.Reason, n.Quantity, n.Code, n.Row, n.Money.Decimal())
	}
	return b.String()
}

// The rows are document, code, quantity, price, customer; the last document is the credit
// that is looked at.
func TestPlanMatchesCredit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		rows string
		want string
		left int64
	}{
		{"one order", "1;10001;5;2;a C2;10001;-3;2;a", "1 6.00 3×10001/1; note 0.00", 3},
		{"newest first, then older", "1;10001;5;2;a 2;10001;5;2;a C3;10001;-7;2;a", "2 10.00 5×10001/1; 1 4.00 2×10001/1; note 0.00", 7},
		{"more than there is", "1;10001;5;2;a C3;10001;-7;2;a", "1 10.00 5×10001/1; note 4.00 unmatched 2×10001/1 4.00", 5},
		{"not twice", "1;10001;5;2;a C2;10001;-4;2;a C3;10001;-4;2;a", "1 2.00 1×10001/1; note 6.00 unmatched 3×10001/1 6.00", 5},
		{"exact code only", "1;10001A;5;2;a C2;10001a;-1;2;a", "note 2.00 unmatched 1×10001a/1 2.00", 0},
		{"own orders only", "1;10001;5;2;b C2;10001;-1;2;a", "note 2.00 unmatched 1×10001/1 2.00", 0},
		{"a guest has no orders", "1;10001;5;2; C2;10001;-1;2;", "note 2.00 unmatched 1×10001/1 2.00", 0},
		{"earlier orders only", "1;10001;1;2;a C3;10001;-2;2;a", "1 2.00 1×10001/1; note 2.00 unmatched 1×10001/1 2.00", 1},
		{"not a write-off", "1;10001;-5;0;a C2;10001;-1;2;a", "note 2.00 unmatched 1×10001/1 2.00", 0},
		{"other price below", "1;10001;5;2;a C2;10001;-2;1,5;a", "1 3.00 2×10001/1; note 0.00", 2},
		{"other price above, within the order", "1;10001;5;2;a C2;10001;-2;4;a", "1 8.00 2×10001/1; note 0.00", 2},
		{"other price above the order", "1;10001;5;2;a C2;10001;-2;6;a", "1 10.00 2×10001/1; note 2.00 above_order 0×10001/1 2.00", 2},
		{"the bound cuts money, not units", "1;10001;5;1;a 2;10001;2;0;a C3;10001;-3;2;a",
			"2 0.00 2×10001/1; 1 2.00 1×10001/1; note 4.00 above_order 0×10001/1 4.00", 3},
		{"an order that is refunded still gives units back", "1;10001;2;2;a C2;10001;-1;4;a C3;10001;-1;2;a",
			"1 0.00 1×10001/1; note 2.00 above_order 0×10001/1 2.00", 2},
		{"not stocked", "1;POST;1;5;a C2;POST;-2;5;a", "1 5.00 1×POST/1; note 5.00 unmatched 1×POST/1 5.00", 0},
		{"free", "1;10001;1;0;a C2;10001;-2;0;a", "1 0.00 1×10001/1; note 0.00 unmatched 1×10001/1 0.00", 1},
		{"lines of one item, first to last", "1;10001;2;2;a 1;10002;1;1;a 1;10001;3;1;a C2;10001;-4;1;a", "1 4.00 2×10001/1 2×10001/3; note 0.00", 4},
		{"rows of one order are one part", "1;10001;2;2;a 1;10002;2;3;a C2;10002;-1;3;a C2;10001;-1;2;a C2;10002;-1;3;a",
			"1 8.00 2×10002/2 1×10001/1; note 0.00", 3},
		{"rows one after the other share the bound", "1;10001;9;1;a C2;10001;-1;8;a C2;10001;-1;8;a",
			"1 9.00 2×10001/1; note 7.00 above_order 0×10001/2 7.00", 2},
		{"an order counts from its first row", "1;10001;1;2;a C2;10001;-2;2;a 1;10001;1;2;a", "1 4.00 1×10001/1 1×10001/2; note 0.00", 2},
		{"a credit counts from its first row", "C2;10009;-1;2;a 1;10001;1;2;a C2;10001;-1;2;a",
			"note 4.00 unmatched 1×10009/1 2.00 unmatched 1×10001/2 2.00", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := plan(t, read(t, "Invoice;StockCode;Quantity;Price;Customer\n"+strings.ReplaceAll(tc.rows, " ", "\n")))
			if got := describe(&p.Credits[len(p.Credits)-1]); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if p.Expected.UnitsLeft != tc.left {
				t.Errorf("%d units left, want %d", p.Expected.UnitsLeft, tc.left)
			}
		})
	}
}

func TestPlanOrders(t *testing.T) {
	t.Parallel()
	p := plan(t, read(t, "Invoice;StockCode;Description;Quantity;Price;Customer\n"+
		"1;10001;;2;0;a\n1;10001;Loaf;2;3;a\n1;10002;;-4;0;a\n1;POST;;1;1,99;a\n1;FEE;;-9;0;a\n"+
		"2;10002;Bun;-1;0;\n3;10001;;1;0;b\nC4;10003;Jam;-1;2;\n5;10001;;1;4;\nC6;10001;;-1;0,01;a\n7;10002;;3;1;b\n"))
	type sums struct {
		Number           string
		Lines, WriteOffs int
		Total, Refunded  string
		Points           int64
	}
	got := make([]sums, 0, len(p.Orders))
	for _, o := range p.Orders {
		got = append(got, sums{o.Number, len(o.Lines), len(o.WriteOffs), o.Total.Decimal(), o.Refunded.Decimal(), o.Points})
	}
	if want := []sums{
		{"1", 3, 2, "7.99", "0.01", 7}, {"2", 0, 1, "0.00", "0.00", 0}, {"3", 1, 0, "0.00", "0.00", 0},
		{"5", 1, 0, "4.00", "0.00", 0}, {"7", 1, 0, "3.00", "0.00", 3},
	}; !slices.Equal(got, want) {
		t.Errorf("orders\ngot  %+v\nwant %+v", got, want)
	}
	if want := []Opening{{"10001", "Loaf", 6, 1}, {"10002", "Bun", 8, 0}}; !slices.Equal(p.Opening, want) {
		t.Errorf("opening\ngot  %+v\nwant %+v", p.Opening, want)
	}
	if want := []CodeInfo{
		{"10001", "Loaf", true, pounds(t, 300)}, {"10002", "Bun", true, pounds(t, 100)},
		{"FEE", "", false, pounds(t, 0)}, {"POST", "", false, pounds(t, 199)},
	}; !slices.Equal(p.Codes, want) {
		t.Errorf("codes\ngot  %+v\nwant %+v", p.Codes, want)
	}
	if got, want := streams(p), "1 C6|2|3 7|C4|5"; got != want {
		t.Errorf("streams %s, want %s", got, want)
	}
	if want := (Expected{
		Orders: 4, Credits: 2, WriteOffLines: 3, Sales: pounds(t, 1499), Credited: pounds(t, 201),
		RefundedToOrders: pounds(t, 1), CreditNotes: pounds(t, 200), Net: pounds(t, 1298), Points: 10, UnitsLeft: 1,
	}); p.Expected != want {
		t.Errorf("expected\ngot  %+v\nwant %+v", p.Expected, want)
	}
	if got := Reference(p.Orders[0].Number, p.Orders[0].WriteOffs[1].Index); got != "1/5" {
		t.Errorf("reference %s", got)
	}
}

// streams writes the streams down by document numbers.
func streams(p *Plan) string {
	all := make([]string, 0, len(p.Streams))
	for _, stream := range p.Streams {
		one := make([]string, 0, len(stream))
		for _, step := range stream {
			if step.Order != nil {
				one = append(one, step.Order.Number)
			} else {
				one = append(one, step.Credit.Number)
			}
		}
		all = append(all, strings.Join(one, " "))
	}
	return strings.Join(all, "|")
}

func TestPlanOfNothing(t *testing.T) {
	t.Parallel()
	p := plan(t, read(t, "Invoice;StockCode;Quantity;Price;Customer\n"))
	zero := pounds(t, 0)
	if want := (Expected{Sales: zero, Credited: zero, RefundedToOrders: zero, CreditNotes: zero, Net: zero}); p.Expected != want {
		t.Errorf("%+v", p.Expected)
	}
}

// What Read lets through can always be planned, so these files do not come from there.
func TestPlanOverflow(t *testing.T) {
	t.Parallel()
	const most = math.MaxInt64
	row := func(code string, quantity, price int64) Row {
		return Row{Code: code, Quantity: quantity, Price: pounds(t, price), Goods: stocked(code)}
	}
	order := func(number string, rows ...Row) Document { return Document{Number: number, Customer: "a", Rows: rows} }
	credit := func(number string, rows ...Row) Document {
		return Document{Number: number, Customer: "a", Credit: true, Rows: rows}
	}
	for _, tc := range []struct {
		name         string
		documents    []Document
		field, value string
	}{
		{"line", []Document{order("1", row("10001", most, 2))}, "document", "1"},
		{"total", []Document{order("1", row("10001", 1, most), row("10001", 1, 1))}, "document", "1"},
		{"sales", []Document{order("1", row("10001", 1, most)), order("2", row("10001", 1, 1))}, "document", "2"},
		{"units sold", []Document{order("1", row("10001", most, 0)), order("2", row("10001", 1, 0))}, "document", "2"},
		{"units sold and written off", []Document{order("1", row("10001", most, 0), row("10001", -1, 0))}, "code", "10001"},
		{"units left", []Document{
			order("1", row("10001", most, 0), row("10002", 1, 0)),
			credit("C2", row("10001", -most, 0)), credit("C2", row("10002", -1, 0)),
		}, "document", ""},
		{"credit", []Document{credit("C1", row("10001", -most, 100))}, "document", "C1"},
		{"credits", []Document{credit("C1", row("10001", -1, most)), credit("C2", row("10001", -1, 1))}, "document", "C2"},
		{"note of one credit", []Document{credit("C1", row("10001", -1, most), row("10001", -1, 1))}, "document", "C1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := NewPlan(&File{Currency: "GBP", Documents: tc.documents})
			e, ok := errors.AsType[*hyperlocal.Error](err)
			if !errors.Is(err, ErrOverflow) || !ok || e.Code != hyperlocal.CodeInvalid {
				t.Fatalf("error %v, want %v", err, ErrOverflow)
			}
			if got, named := e.Fields[tc.field]; !named || got != tc.value {
				t.Errorf("fields %v, want %s=%s", e.Fields, tc.field, tc.value)
			}
		})
	}
	t.Run("currency of a file from elsewhere", func(t *testing.T) {
		t.Parallel()
		if _, err := NewPlan(&File{Currency: "pounds"}); !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
			t.Errorf("error %v", err)
		}
	})
}
