package retail

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// read reads a file in pounds that has to be readable.
func read(tb testing.TB, text string) *File {
	tb.Helper()
	f, err := Read(strings.NewReader(text), Options{Currency: "GBP"})
	if err != nil {
		tb.Fatalf("Read: %v", err)
	}
	return f
}

func pounds(tb testing.TB, minor int64) hyperlocal.Money {
	tb.Helper()
	m, err := hyperlocal.NewMoney(minor, "GBP")
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// Every file says the same: document 7 of customer 41 sells 2 of 20010 at 3.85.
func TestReadDialects(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 5, 13, 8, 15, 0, 0, time.UTC)
	for _, tc := range []struct {
		name, text, title string
		dialect           Dialect
		at                time.Time
	}{
		{"semicolon, comma, mark", "\ufeffInvoiceNo;StockCode;Description;Quantity;InvoiceDate;UnitPrice;CustomerID;Country\n7;20010;Crème;2;13/5/2024 08:15;3,85;41;UK\n", "Crème",
			Dialect{";", ",", UTF8, true, DayFirst}, at},
		{"comma, point, Latin-1, CRLF", "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\r\n7,20010,Cr\xe8me,2,13/5/2024 8:15,3.85,41.0,UK\r\n", "Crème",
			Dialect{",", ".", Latin1, false, DayFirst}, at},
		{"Windows punctuation", "InvoiceNo,StockCode,Description,Quantity,UnitPrice,CustomerID\n7,20010,\x93Cr\xe8me\x94,2,3.85,41\n", "“Crème”",
			Dialect{",", ".", Latin1, false, NoDates}, time.Time{}},
		{"tab, point, no dates, other order and case", "customer id\tPRICE\tqty\tstock_code\tInvoice\n41\t3.85\t2\t20010\t7\n", "",
			Dialect{"\t", ".", UTF8, false, NoDates}, time.Time{}},
		{"comma with quoted decimal comma", "Invoice,StockCode,Quantity,Price,Customer ID\n7,20010,2,\"3,85\",41", "",
			Dialect{",", ",", UTF8, false, NoDates}, time.Time{}},
		{"semicolon with point", "Invoice;StockCode;Quantity;Price;Customer ID\n7;20010;2;3.85;41", "",
			Dialect{";", ".", UTF8, false, NoDates}, time.Time{}},
		{"everything quoted, unknown columns", "\"Till\";\"Invoice\";\"StockCode\";\"Quantity\";\"Price\";\"Customer ID\"\r\n\"2\";\"7\";\"20010\";\"2\";\"3,85\";\"41\"\r\n", "",
			Dialect{";", ",", UTF8, false, NoDates}, time.Time{}},
		{"month first, proven", "Invoice,StockCode,Quantity,Price,Customer ID,InvoiceDate\n7,20010,2,3.85,41,5/13/2024 8:15", "",
			Dialect{",", ".", UTF8, false, MonFirst}, at},
		{"ISO with seconds", "Invoice,StockCode,Quantity,Price,Customer ID,InvoiceDate\n7,20010,2,3.85,41,2024-05-13 08:15:00", "",
			Dialect{",", ".", UTF8, false, DayFirst}, at},
		{"ISO with T and Z", "Invoice,StockCode,Quantity,Price,Customer ID,InvoiceDate\n7,20010,2,3.85,41,2024-05-13T08:15Z", "",
			Dialect{",", ".", UTF8, false, DayFirst}, at},
		{"date without time", "Invoice,StockCode,Quantity,Price,Customer ID,InvoiceDate\n7,20010,2,3.85,41,13.5.2024", "",
			Dialect{",", ".", UTF8, false, DayFirst}, time.Date(2024, 5, 13, 0, 0, 0, 0, time.UTC)},
		{"sep line, blank lines, blank around fields", "sep=;\n\nInvoice; StockCode;Quantity;Price;Customer ID\n\n 7;20010 ; 2;3,85; 41 \n;;;;\n\n", "",
			Dialect{";", ",", UTF8, false, NoDates}, time.Time{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := read(t, tc.text)
			if f.Dialect != tc.dialect {
				t.Errorf("dialect %v, want %v", f.Dialect, tc.dialect)
			}
			if len(f.Rejected) != 0 || len(f.Documents) != 1 || f.Rows != 1 {
				t.Fatalf("documents %+v, rejected %+v", f.Documents, f.Rejected)
			}
			d := f.Documents[0]
			if d.Number != "7" || d.Customer != "41" || d.Credit || !d.At.Equal(tc.at) {
				t.Errorf("document %+v, want 7 of 41 at %v", d, tc.at)
			}
			row := d.Rows[0]
			row.Line = 0
			if want := (Row{Index: 1, Code: "20010", Title: tc.title, Quantity: 2, Price: pounds(t, 385), Goods: true}); row != want {
				t.Errorf("row %+v, want %+v", row, want)
			}
		})
	}
}

func TestDialectString(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]Dialect{
		"utf-8 with byte-order mark, semicolon, decimal comma, d/m/yyyy": {";", ",", UTF8, true, DayFirst},
		"latin-1, tab, decimal point, no dates":                          {"\t", ".", Latin1, false, NoDates},
		"utf-8, comma, decimal point, m/d/yyyy":                          {",", ".", UTF8, false, MonFirst},
	} {
		if got := d.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// One damaged byte must not turn a UTF-8 file into Latin-1.
func TestReadDamagedUTF8(t *testing.T) {
	t.Parallel()
	f := read(t, "Invoice;StockCode;Description;Quantity;Price;CustomerID\n1;20010;Crème;1;1;\n1;20011;Café;1;1;\n1;20012;\xff;1;1;\n")
	if f.Dialect.Encoding != UTF8 || len(f.Rejected) != 0 || len(f.Notes) != 1 || f.Notes[0].Reason != NoteDescription || f.Notes[0].Line != 4 {
		t.Errorf("%v, rejected %+v, notes %+v", f.Dialect, f.Rejected, f.Notes)
	}
	if got := f.Documents[0].Rows[2].Title; got != "ÿ" {
		t.Errorf("title %q", got)
	}
	if got := f.Documents[0].Rows[1].Title; got != "Café" {
		t.Errorf("title %q", got)
	}
}

func TestReadRefusesFile(t *testing.T) {
	t.Parallel()
	const header = "Invoice;StockCode;Quantity;Price;CustomerID\n"
	gbp := Options{Currency: "GBP"}
	for _, tc := range []struct {
		name    string
		text    string
		options Options
		want    error
		field   string
	}{
		{"empty", "", gbp, ErrNoHeader, ""},
		{"only a mark", "\ufeff", gbp, ErrNoHeader, ""},
		{"only a sep line", "sep=;\n", gbp, ErrNoHeader, ""},
		{"data without header", "536365;85123A;HEART;6;2,55;17850\n", gbp, ErrNoHeader, ""},
		{"binary", "\x00\x01\x02\x03", gbp, ErrNoHeader, ""},
		{"header never ends", strings.Repeat("Invoice;", maxRecord), gbp, ErrNoHeader, ""},
		{"no price", "Invoice;StockCode;Quantity;CustomerID\n", gbp, ErrMissingColumn, "UnitPrice"},
		{"no customer", "Invoice;StockCode;Quantity;Price\n", gbp, ErrMissingColumn, "CustomerID"},
		{"two prices", "Invoice;StockCode;Quantity;Price;Unit Price;CustomerID\n", gbp, ErrDuplicateColumn, "UnitPrice"},
		{"UTF-16", "\xff\xfeI\x00n\x00", gbp, ErrEncoding, ""},
		{"too big", header, Options{Currency: "GBP", MaxBytes: int64(len(header)) - 1}, ErrTooBig, ""},
		{"too many rows", header + "1;20010;1;1;\n1;20010;1;1;\n", Options{Currency: "GBP", MaxRows: 1}, ErrTooManyRows, ""},
		{"too many rejected", header + "1;20010;0;1;\n1;20010;0;1;\n", Options{Currency: "GBP", MaxRejected: 1}, ErrTooManyRejected, ""},
		{"no currency", header, Options{}, hyperlocal.Invalid("retail", "currency", ""), ""},
		{"negative bound", header, Options{Currency: "GBP", MaxRows: -1}, hyperlocal.Invalid("retail", "bound", ""), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f, err := Read(strings.NewReader(tc.text), tc.options)
			if !errors.Is(err, tc.want) || f != nil {
				t.Fatalf("error %v, want %v", err, tc.want)
			}
			if !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
				t.Errorf("code %v", hyperlocal.CodeOf(err))
			}
			if e, ok := errors.AsType[*hyperlocal.Error](err); tc.field != "" && (!ok || e.Fields["column"] != tc.field) {
				t.Errorf("error %v does not name column %s", err, tc.field)
			}
		})
	}
	t.Run("at the bounds", func(t *testing.T) {
		t.Parallel()
		text := header + "1;20010;1;1;\n1;20010;0;1;\n"
		if _, err := Read(strings.NewReader(text), Options{Currency: "GBP", MaxBytes: int64(len(text)), MaxRows: 1, MaxRejected: 1}); err != nil {
			t.Error(err)
		}
	})
	t.Run("failing reader", func(t *testing.T) {
		t.Parallel()
		cause := errors.New("disk")
		_, err := Read(io.MultiReader(strings.NewReader(header), iotest.ErrReader(cause)), gbp)
		if !errors.Is(err, ErrRead) || !errors.Is(err, cause) || !hyperlocal.IsCode(err, hyperlocal.CodeUnavailable) {
			t.Errorf("error %v", err)
		}
	})
}
