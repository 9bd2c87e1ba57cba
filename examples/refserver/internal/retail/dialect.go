package retail

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
)

// Dialect is how a file is written, as Read detected it.
type Dialect struct {
	Delimiter string    `json:"delimiter"` // ; or , or tab
	Decimal   string    `json:"decimal"`   // comma or point
	Encoding  Encoding  `json:"encoding"`
	Mark      bool      `json:"mark"`  // begins with a byte-order mark
	Dates     DateOrder `json:"dates"` // "" if there is no date column
}

// DateOrder is how a date with three numbers is read.
type DateOrder string

// The date orders. A date that begins with a four-digit year is year, month, day in either,
// and a year behind day and month may have two digits.
const (
	NoDates  DateOrder = ""
	DayFirst DateOrder = "d/m/yyyy"
	MonFirst DateOrder = "m/d/yyyy"
)

// String names the dialect in words, such as "utf-8 with byte-order mark, semicolon,
// decimal comma, d/m/yyyy".
func (d Dialect) String() string {
	mark, delimiter, decimal, dates := "", "comma", "decimal point", string(d.Dates)
	if d.Mark {
		mark = " with byte-order mark"
	}
	switch d.Delimiter {
	case ";":
		delimiter = "semicolon"
	case "\t":
		delimiter = "tab"
	}
	if d.Decimal == "," {
		decimal = "decimal comma"
	}
	if d.Dates == NoDates {
		dates = "no dates"
	}
	return fmt.Sprintf("%s%s, %s, %s, %s", d.Encoding, mark, delimiter, decimal, dates)
}

// column is a meaning that a column can have.
type column int

const (
	colNumber column = iota
	colCode
	colTitle
	colQuantity
	colDate
	colPrice
	colCustomer
	colCountry // known, so that a header is recognised; its content is not used
	columns
)

// String names the column in errors, as the data set that everybody knows spells it.
func (c column) String() string {
	switch c {
	case colNumber:
		return "InvoiceNo"
	case colCode:
		return "StockCode"
	case colTitle:
		return "Description"
	case colQuantity:
		return "Quantity"
	case colDate:
		return "InvoiceDate"
	case colPrice:
		return "UnitPrice"
	case colCustomer:
		return "CustomerID"
	default:
		return "Country"
	}
}

// columnNamed returns the column that a heading means.
func columnNamed(name []byte) (c column, ok bool) {
	switch heading(name) {
	case "invoiceno", "invoice", "invoicenumber", "invoiceid", "document", "documentno", "documentnumber":
		return colNumber, true
	case "stockcode", "code", "itemcode", "productcode", "sku":
		return colCode, true
	case "description", "title", "itemname", "productname":
		return colTitle, true
	case "quantity", "qty":
		return colQuantity, true
	case "invoicedate", "invoicedatetime", "documentdate", "datetime", "date":
		return colDate, true
	case "unitprice", "price":
		return colPrice, true
	case "customerid", "customer", "customerno", "customernumber":
		return colCustomer, true
	case "country":
		return colCountry, true
	default:
		return 0, false
	}
}

// heading reduces a column's name to its lower-case letters and digits, so that
// "Customer ID", "customer_id" and "CustomerID" are one name.
func heading(name []byte) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, string(name))
}

// layout says where the columns of a table are.
type layout struct {
	at    [columns]int // position of each column, -1 for none
	width int          // number of columns
}

// field returns a column's content, nil if the file has no such column or the record ends
// before it.
func (l *layout) field(fields [][]byte, c column) []byte {
	if i := l.at[c]; i >= 0 && i < len(fields) {
		return fields[i]
	}
	return nil
}

// readHeader finds the delimiter and the columns. It returns a scanner that stands behind
// the header. The delimiter is the one that yields the most known columns; a first line
// "sep=;", with which spreadsheets tell each other, is skipped.
func readHeader(text []byte) (*scanner, *layout, error) {
	var (
		best      *scanner
		bestNames [][]byte
		bestKnown int
	)
	for _, comma := range []byte{';', ',', '\t'} {
		s := newScanner(text, comma)
		if !s.next() {
			return nil, nil, ErrNoHeader
		}
		if len(s.rec.fields) > 0 && bytes.HasPrefix(bytes.ToLower(s.rec.fields[0]), []byte("sep=")) && !s.next() {
			return nil, nil, ErrNoHeader
		}
		known := 0
		for _, name := range s.rec.fields {
			if _, ok := columnNamed(name); ok {
				known++
			}
		}
		if known > bestKnown {
			best, bestNames, bestKnown = s, s.rec.fields, known
		}
	}
	if bestKnown < 2 {
		return nil, nil, ErrNoHeader
	}
	l := &layout{width: len(bestNames)}
	for c := range l.at {
		l.at[c] = -1
	}
	for i, name := range bestNames {
		c, ok := columnNamed(name)
		if !ok {
			continue
		}
		if l.at[c] >= 0 {
			return nil, nil, ErrDuplicateColumn.With("column", c)
		}
		l.at[c] = i
	}
	for _, c := range []column{colNumber, colCode, colQuantity, colPrice, colCustomer} {
		if l.at[c] < 0 {
			return nil, nil, ErrMissingColumn.With("column", c)
		}
	}
	return best, l, nil
}

// survey reads the whole table once to find what single rows cannot tell: the decimal mark,
// by the majority of the prices that have one, and the order of day and month, by what the
// dates say together. Without evidence the mark is a comma in a file of semicolons and a point
// otherwise, and the day comes first.
func survey(s scanner, l *layout) (decimal byte, order DateOrder) {
	s.scratch, s.rec.fields = nil, nil // the copy must not write into the original's buffers
	var commas, points int
	var dates dateCensus
	for s.next() {
		switch priceMark(l.field(s.rec.fields, colPrice)) {
		case ',':
			commas++
		case '.':
			points++
		}
		dates.add(l.field(s.rec.fields, colDate))
	}
	decimal = '.'
	if commas > points || commas == points && s.comma == ';' {
		decimal = ','
	}
	if l.at[colDate] < 0 {
		return decimal, NoDates
	}
	return decimal, dates.order()
}
