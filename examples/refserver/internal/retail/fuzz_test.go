package retail

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Whatever the bytes, Read either refuses the file with an error of its own or returns rows
// that keep every promise of Row, and NewPlan plans them.
func FuzzRead(f *testing.F) {
	f.Add(Sample())
	for _, seed := range []string{
		"", "\ufeff", "sep=;\n", "\xff\xfe", "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\r\n536365,85123A,\"A \"\"B\"\"\r\nC\",6,12/13/2010 8:26,2.55,17850.0,UK\r\n",
		"Invoice\tCode\tQuantity\tPrice\tCustomer\n1\t12345\t9223372036854775807\t0.02\t\nC1\t12345\t-9223372036854775808\t1\t\n",
		"Invoice;Code;Quantity;Price;Customer;Date\r1;12345;999999999999999;,5; \"a;b\" ;1/2/24 3:04 PM\r1;12345;999999999999999;5.;;2024-01-02T03:04:05.6+07:00\r",
		"Invoice;Code;Quantity;Price;Customer\n1;12345;\"1;1;\n1;12345;2;1,5;\xe8\nC2;12345;-1;2;\xe8\n\"",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		options := Options{Currency: "GBP", MaxBytes: 1 << 20, MaxRows: 5000, MaxRejected: 5000}
		file, err := Read(bytes.NewReader(data), options)
		if err != nil {
			if e, ok := errors.AsType[*hyperlocal.Error](err); !ok || e.Code != hyperlocal.CodeInvalid || file != nil {
				t.Fatalf("error %v", err)
			}
			return
		}
		again, err := Read(bytes.NewReader(data), options)
		if err != nil || !reflect.DeepEqual(file, again) {
			t.Fatalf("read twice: %v", err)
		}
		last, rows := 0, 0
		for _, r := range file.Rejected {
			if r.Line <= last || r.Reason == "" || !printable(r.Text) || !printable(r.Document) {
				t.Fatalf("rejected %+v after line %d", r, last)
			}
			last = r.Line
		}
		lines := map[int]bool{}
		for _, d := range file.Documents {
			if d.Number == "" || !printable(d.Number) || !printable(d.Customer) || len(d.Rows) == 0 {
				t.Fatalf("document %+v", d)
			}
			last, index := 0, 0
			for _, row := range d.Rows {
				rows++
				if row.Line <= last || row.Index <= index || lines[row.Line] || row.Code == "" || !printable(row.Code) || !printable(row.Title) ||
					row.Quantity == 0 || d.Credit && row.Quantity > 0 || row.Price.Sign() < 0 || row.Price.Currency() != "GBP" {
					t.Fatalf("row %+v after line %d, index %d", row, last, index)
				}
				last, index, lines[row.Line] = row.Line, row.Index, true
			}
		}
		if rows != file.Rows {
			t.Fatalf("%d rows, File says %d", rows, file.Rows)
		}
		for _, n := range file.Notes {
			if n.Reason == "" || !printable(n.Text) || !printable(n.Document) {
				t.Fatalf("note %+v", n)
			}
		}
		p, err := NewPlan(file)
		if err != nil {
			t.Fatalf("error %v", err)
		}
		checkInvariants(t, file, p)
	})
}

func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}
