package retail

import (
	"bytes"
	"fmt"
	"testing"
)

// bigFile is a file of n rows, a tenth of them credits, of a thousand customers.
func bigFile(n int) []byte {
	var b bytes.Buffer
	b.WriteString("InvoiceNo;StockCode;Description;Quantity;InvoiceDate;UnitPrice;CustomerID;Country\r\n")
	for i := range n {
		document, sign, customer := i/20, "", i/20%1000
		if document%10 == 9 {
			sign, customer = "-", (document-9)%1000
			b.WriteByte('C')
		}
		fmt.Fprintf(&b, "%d;%d;HEATHER HONEY, 340 G;%s%d;13/5/2024 %02d:%02d;%d,%02d;%d;United Kingdom\r\n",
			500000+document, 20000+i%3000, sign, 1+i%7, i/60%24, i%60, i%9, i%100, customer)
	}
	return b.Bytes()
}

func BenchmarkRead(b *testing.B) {
	data := bigFile(100_000)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if f, err := Read(bytes.NewReader(data), Options{Currency: "GBP"}); err != nil || f.Rows != 100_000 {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewPlan(b *testing.B) {
	f, err := Read(bytes.NewReader(bigFile(100_000)), Options{Currency: "GBP"})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewPlan(f); err != nil {
			b.Fatal(err)
		}
	}
}
