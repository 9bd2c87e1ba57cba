package retail

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

const columnsLine = "Invoice;StockCode;Description;Quantity;InvoiceDate;Price;Customer ID;Country\n"

// Each line stands between two good ones of document 1, which have to survive it.
func TestReadRejectsRow(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 65)
	for _, tc := range []struct {
		name, line, document, reason string
	}{
		{"line too long", strings.Repeat("x", maxRecord+1), "", ReasonLineTooLong},
		{"quote never closes", `1;20010;"Loaf;1;;1;41;UK`, "", ReasonQuote},
		{"text behind quote", `1;20010;"Loaf" fresh;1;;1;41;UK`, "", ReasonQuote},
		{"too many fields", "1;20010;Loaf; fresh;1;;1;41;UK", "", ReasonColumns},
		{"too few fields", "1;20010;Loaf;1", "", ReasonColumns},
		{"missing document", ";20010;Loaf;1;;1;41;UK", "", ReasonMissingDocument},
		{"NUL in document", "1\x00;20010;Loaf;1;;1;41;UK", "", ReasonControlCharacter},
		{"long document", long + ";20010;Loaf;1;;1;41;UK", "", ReasonFieldTooLong},
		{"missing code", "1; ;Loaf;1;;1;41;UK", "1", ReasonMissingCode},
		{"long code", "1;" + long + ";Loaf;1;;1;41;UK", "1", ReasonFieldTooLong},
		{"line end in code", "1;\"20\n010\";Loaf;1;;1;41;UK", "1", ReasonControlCharacter},
		{"long customer", "1;20010;Loaf;1;;1;" + long + ";UK", "1", ReasonFieldTooLong},
		{"bytes that are no text in code", "1;20\xff010;Loaf;1;;1;41;é, é", "1", ReasonEncoding},
		{"C1 control in customer", "1;20010;Loaf;1;;1;4\u00901;UK", "1", ReasonControlCharacter},
		{"quantity in words", "1;20010;Loaf;two;;1;41;UK", "1", ReasonQuantity},
		{"quantity in many words", "1;20010;Loaf;" + strings.Repeat("é", 41) + ";;1;41;UK", "1", ReasonQuantity},
		{"no quantity", "1;20010;Loaf;;;1;41;UK", "1", ReasonQuantity},
		{"half a loaf", "1;20010;Loaf;0,5;;1;41;UK", "1", ReasonQuantity},
		{"quantity with other mark", "1;20010;Loaf;1.0;;1;41;UK", "1", ReasonQuantity},
		{"quantity like a thousand", "1;20010;Loaf;1,000;;1;41;UK", "1", ReasonQuantity},
		{"quantity of 65 bits", "1;20010;Loaf;9223372036854775808;;1;41;UK", "1", ReasonQuantity},
		{"zero quantity", "1;20010;Loaf;-0;;1;41;UK", "1", ReasonZeroQuantity},
		{"price in words", "1;20010;Loaf;1;;free;41;UK", "1", ReasonPrice},
		{"no price", "1;20010;Loaf;1;;;41;UK", "1", ReasonPrice},
		{"price with sign of currency", "1;20010;Loaf;1;;£1;41;UK", "1", ReasonPrice},
		{"price with other mark", "1;20010;Loaf;1;;1.50;41;UK", "1", ReasonPrice},
		{"price with thousands", "1;20010;Loaf;1;;1.000,50;41;UK", "1", ReasonPrice},
		{"price with exponent", "1;20010;Loaf;1;;1e3;41;UK", "1", ReasonPrice},
		{"price of a mark", "1;20010;Loaf;1;;,;41;UK", "1", ReasonPrice},
		{"price of 65 bits", "1;20010;Loaf;1;;92233720368547758,08;41;UK", "1", ReasonPrice},
		{"price too fine", "1;20010;Loaf;1;;1,005;41;UK", "1", ReasonPriceDecimals},
		{"price like a thousand", "1;20010;Loaf;1;;1,000;41;UK", "1", ReasonPriceDecimals},
		{"negative price", "1;20010;Loaf;1;;-0,01;41;UK", "1", ReasonNegativePrice},
		{"more than stock counts", "1;20010;Loaf;2000000000000000;;0;41;UK", "1", ReasonUnits},
		{"more than stock counts, written off", "1;20010;Loaf;-9223372036854775807;;0;41;UK", "1", ReasonUnits},
		{"more than stock counts, given back", "C1;20010;Loaf;-2000000000000000;;0;41;UK", "C1", ReasonUnits},
		{"amount of 65 bits", "1;20010;Loaf;999999999999;;92233720368547758,07;41;UK", "1", ReasonAmount},
		{"amount of 63 bits", "1;20010;Loaf;1;;92233720368547758,07;41;UK", "1", ReasonAmount},
		{"amount of -64 bits", "C1;20010;Loaf;-1024;;90071992547409,92;41;UK", "C1", ReasonAmount},
		{"other customer", "1;20010;Loaf;1;;1;42;UK", "1", ReasonCustomer},
		{"charge in a credit", "C9;20010;Loaf;1;;1;41;UK", "C9", ReasonCreditQuantity},
		{"bad debt", "A9;B;Adjust;1;;-11062,06;;UK", "A9", ReasonNegativePrice},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			const good = "1;20010;Loaf;1;1/5/2024 08:00;1,50;41;UK\n"
			f := read(t, columnsLine+good+tc.line+"\n"+good)
			if len(f.Rejected) == 0 {
				t.Fatal("nothing rejected")
			}
			got := f.Rejected[0]
			if got.Line != 3 || got.Document != tc.document || got.Reason != tc.reason || got.Text == "" || len(got.Text) > 300 {
				t.Errorf("rejected %+v, want line 3, document %q, %s", got, tc.document, tc.reason)
			}
			if len(f.Rejected) > 1 {
				t.Errorf("also rejected %+v", f.Rejected[1:])
			}
			if len(f.Documents) != 1 || len(f.Documents[0].Rows) != 2 {
				t.Fatalf("documents %+v", f.Documents)
			}
			last, index := f.Documents[0].Rows[1], 2
			if tc.document == "1" {
				index = 3 // the rejected row keeps its place
			}
			if last.Index != index || last.Line != 4+strings.Count(tc.line, "\n") {
				t.Errorf("the row behind it is %+v, want index %d", last, index)
			}
		})
	}
}

func TestReadAccepts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, lines string
		want        []Row
	}{
		{"quotes, delimiter and line end in a field", "1;20010;\"A \"\"good\"\"\r\n  loaf; fresh\";1;;1;;\n1;20011;x;1;;1;;\n", []Row{
			{Index: 1, Line: 2, Code: "20010", Title: `A "good" loaf; fresh`, Quantity: 1, Goods: true},
			{Index: 2, Line: 4, Code: "20011", Title: "x", Quantity: 1, Goods: true},
		}},
		{"quote inside a field", "1;20010;3\" heart;1;;1;;\n", []Row{{Index: 1, Line: 2, Code: "20010", Title: `3" heart`, Quantity: 1, Goods: true}}},
		{"trailing fields left out, too many empty ones", "1;20010;;1;;1\n1;20010;;1;;1;;;;;\n", []Row{
			{Index: 1, Line: 2, Code: "20010", Quantity: 1, Goods: true}, {Index: 2, Line: 3, Code: "20010", Quantity: 1, Goods: true},
		}},
		{"codes", "1;85123A;;1;;1\n1;85123a;;1;;1\n1;POST;;1;;1\n1;8512;;1;;1\n1;C2;;1;;1\n1;٣٣٣٣٣;;1;;1\n", []Row{
			{Index: 1, Line: 2, Code: "85123A", Quantity: 1, Goods: true}, {Index: 2, Line: 3, Code: "85123a", Quantity: 1, Goods: true},
			{Index: 3, Line: 4, Code: "POST", Quantity: 1}, {Index: 4, Line: 5, Code: "8512", Quantity: 1}, {Index: 5, Line: 6, Code: "C2", Quantity: 1},
			{Index: 6, Line: 7, Code: "٣٣٣٣٣", Quantity: 1},
		}},
		{"quantities", "1;2;;+3;;1\n1;2;;-4,0;;1\n1;2;;5,00;;1\n", []Row{
			{Index: 1, Line: 2, Code: "2", Quantity: 3}, {Index: 2, Line: 3, Code: "2", Quantity: -4}, {Index: 3, Line: 4, Code: "2", Quantity: 5},
		}},
		{"blanks around quotes", "1;20010; \"A; B\" ;1;;  \"1\";;\n1;20011;  \"A \"\"B\"\"\n C\";1;;1;;\n", []Row{
			{Index: 1, Line: 2, Code: "20010", Title: "A; B", Quantity: 1, Goods: true},
			{Index: 2, Line: 3, Code: "20011", Title: `A "B" C`, Quantity: 1, Goods: true},
		}},
		{"blanks and a quote that quotes nothing", "1;20010; \" nail;1;;1;;\n1;20011; \"x\" y;1;;1; \"\";\n", []Row{
			{Index: 1, Line: 2, Code: "20010", Title: `" nail`, Quantity: 1, Goods: true},
			{Index: 2, Line: 3, Code: "20011", Title: `"x" y`, Quantity: 1, Goods: true},
		}},
		{"a quote that never closes swallows nothing", "1;20010;\"loaf;1;;1;;\n1;20011;bun;1;;1;;\n1;20012;bun;1;;1;;\n", []Row{
			{Index: 1, Line: 3, Code: "20011", Title: "bun", Quantity: 1, Goods: true}, {Index: 2, Line: 4, Code: "20012", Title: "bun", Quantity: 1, Goods: true},
		}},
		{"nor if a later quote closes it", "1;20010;\"loaf;1;;1;;\n1;20011;bun;1;;1;;\n1;20012;bun\";1;;1;;;x\n1;20013;bun;1;;1;;\n", []Row{
			{Index: 1, Line: 3, Code: "20011", Title: "bun", Quantity: 1, Goods: true}, {Index: 2, Line: 5, Code: "20013", Title: "bun", Quantity: 1, Goods: true},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := read(t, columnsLine+tc.lines)
			for i := range tc.want {
				tc.want[i].Price = pounds(t, 100)
			}
			if len(f.Documents) != 1 || !slices.Equal(f.Documents[0].Rows, tc.want) {
				t.Errorf("got  %+v\nwant %+v\nrejected %+v", f.Documents, tc.want, f.Rejected)
			}
		})
	}
}

// The bound is on records, not only on lines.
func TestReadBoundsRecord(t *testing.T) {
	t.Parallel()
	lines := strings.Repeat(strings.Repeat("x", 999)+"\n", 70)
	f := read(t, columnsLine+
		"1;20010;\""+lines+"\";1;;1;;\n"+ // the quote closes too late
		"1;20011;\"a\nb\";1;;1;;"+strings.Repeat("x", maxRecord)+"\n"+ // the last field is too long
		"1;20012;\""+strings.Repeat("x", 1000)+"\";1;;1;;"+strings.Repeat("x", 60_000)+"\n")
	first, last := f.Rejected[0], f.Rejected[len(f.Rejected)-2]
	if first.Line != 2 || first.Reason != ReasonQuote || last.Line != 73 || last.Reason != ReasonLineTooLong {
		t.Errorf("rejected %+v and %+v", first, last)
	}
	if len(f.Documents) != 1 || f.Rows != 1 || f.Documents[0].Rows[0].Line != 75 {
		t.Errorf("documents %+v", f.Documents)
	}
}

func TestReadGroupsDocuments(t *testing.T) {
	t.Parallel()
	f := read(t, columnsLine+
		"4;20010;;0;;1;;\n"+ // document 4 begins here, though this row is rejected
		"1;20010;;1;2/5/2024 09:00;1;;\n"+
		"C2;20010;;-1;;1;nan;\n"+
		"1;20010;;1;2/5/2024 08:58;1;41,0;\n"+
		"3;20010;;0;;1;;\n"+ // nothing of document 3 is left
		"c5;20010;;1;;1;41 ;\n"+
		"1;20010;;1;;1;41;\n"+
		"4;20010;;1;;1;AB.0;\n")
	type head struct {
		Number, Customer string
		Credit           bool
		At               time.Time
		Rows             int
	}
	got := make([]head, 0, len(f.Documents))
	for _, d := range f.Documents {
		got = append(got, head{d.Number, d.Customer, d.Credit, d.At, len(d.Rows)})
	}
	want := []head{
		{"4", "AB.0", false, time.Time{}, 1},
		{"1", "41", false, time.Date(2024, 5, 2, 8, 58, 0, 0, time.UTC), 3},
		{"C2", "", true, time.Time{}, 1},
		{"c5", "41", false, time.Time{}, 1},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if index := f.Documents[0].Rows[0].Index; index != 2 {
		t.Errorf("index %d, want 2: rejected rows keep their place", index)
	}
	if f.Rows != 6 || len(f.Rejected) != 2 {
		t.Errorf("%d rows, rejected %+v", f.Rows, f.Rejected)
	}
}

// Two orders of day and month cannot both be right: the one with more proofs is.
func TestReadDateOrderByMajority(t *testing.T) {
	t.Parallel()
	f := read(t, columnsLine+"1;20010;;1;5/13/2024 08:00;1;;\n2;20010;;1;13/5/2024 08:00;1;;\n3;20010;;1;5/14/2024 08:00;1;;\n4;20010;;1;5/6/2024 08:00;1;;\n")
	if f.Dialect.Dates != MonFirst || len(f.Rejected) != 0 || len(f.Notes) != 1 || f.Notes[0].Line != 3 {
		t.Errorf("%v, rejected %+v, notes %+v", f.Dialect, f.Rejected, f.Notes)
	}
	if got := f.Documents[3].At; got.Month() != time.May || got.Day() != 6 {
		t.Errorf("at %v, want 6 May", got)
	}
}

func TestReadCurrencies(t *testing.T) {
	t.Parallel()
	const text = "Invoice;Code;Quantity;Price;Customer\n1;a;1;2;\n1;a;1;2,5;\n1;a;1;2,555;\n1;a;1;2,5555;\n"
	for currency, want := range map[hyperlocal.Currency][]string{"JPY": {"2 JPY"}, "GBP": {"2.00 GBP", "2.50 GBP"}, "KWD": {"2.000 KWD", "2.500 KWD", "2.555 KWD"}} {
		f, err := Read(strings.NewReader(text), Options{Currency: currency})
		if err != nil {
			t.Fatal(err)
		}
		got := make([]string, 0, len(f.Documents[0].Rows))
		for _, row := range f.Documents[0].Rows {
			got = append(got, row.Price.String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", currency, got, want)
		}
	}
}

func TestReadDigest(t *testing.T) {
	t.Parallel()
	// printf 'Invoice;Code;Quantity;Price;Customer\n' | sha256sum
	const want = "6181532acc41c4f42d28391a8162391c0dbfa0f426b475eb124fe92f3d27663c"
	if f := read(t, "Invoice;Code;Quantity;Price;Customer\n"); f.Digest != want || len(f.Documents) != 0 {
		t.Errorf("%+v, want digest %s and no documents", f, want)
	}
}

// Quotes and lines that never end must not make the reader look at the file again and again.
func TestReadHostileQuotes(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"open":                     strings.Repeat("\"\n", 1_000_000),
		"open again":               strings.Repeat("1;\"\n", 500_000),
		"pairs":                    strings.Repeat("\"\"\"\n", 500_000),
		"even":                     strings.Repeat("\"\";\"\"\"\";\n", 200_000),
		"bare":                     strings.Repeat("\"a\"b\n", 300_000),
		"wide lines":               strings.Repeat("\"\""+strings.Repeat(";", 60_000)+"x\n", 30),
		"a line behind the quote":  "\"a\nb\"" + strings.Repeat(";x", 2_000_000),
		"a field behind the quote": "\"a\nb\";" + strings.Repeat("x", 4_000_000),
		"no delimiter":             strings.Repeat("\"\"\n", 1_000_000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			started := time.Now()
			f, err := Read(strings.NewReader("Invoice;Code;Quantity;Price;Customer\n"+text), Options{Currency: "GBP", MaxRejected: 2_000_000})
			if err != nil {
				t.Fatal(err)
			}
			if len(f.Documents) != 0 {
				t.Errorf("documents %+v", f.Documents)
			}
			if took := time.Since(started); took > time.Minute {
				t.Errorf("took %v", took)
			}
		})
	}
}
