package retail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// What Options bound when they say nothing.
const (
	DefaultMaxBytes    = 256 << 20
	DefaultMaxRows     = 4_000_000
	DefaultMaxRejected = 250_000
)

// Options say how to read a file. Currency is required; every bound may be zero for its
// default and must not be negative.
//
// The bounds bound the memory: while it works, Read holds the file up to twice, three times
// if it is Latin-1; what it returns takes about 100 bytes per row and 200 per rejected row or
// note, and each text once.
type Options struct {
	Currency    hyperlocal.Currency // of every price in the file
	MaxBytes    int64               // of the file, DefaultMaxBytes
	MaxRows     int                 // accepted ones, DefaultMaxRows
	MaxRejected int                 // DefaultMaxRejected
}

// Bounds of single fields, in bytes.
const (
	maxName  = 64 // document number, code, customer
	maxTitle = 1024
)

// maxNotes bounds File.Notes: a column of dates in another notation would fill it with one
// note per row.
const maxNotes = 10_000

// File is what a sales export says, row by row.
type File struct {
	Digest    string // SHA-256 of the bytes as read, in lower-case hexadecimal
	Dialect   Dialect
	Currency  hyperlocal.Currency
	Rows      int        // accepted, in all documents
	Documents []Document // in the order of their first rows, malformed ones included; only those with an accepted row
	Rejected  []Rejected // in the order of the file
	Notes     []Note     // in the order of the file, the first 10,000
	MoreNotes int        // that were left out
}

// Document is the accepted rows of one document number.
type Document struct {
	Number   string
	Customer string    // the first that a readable row names; "" is a guest
	Credit   bool      // the number starts with "C"
	At       time.Time // the earliest of the readable rows, in UTC; zero if none has a date
	Rows     []Row     // in the order of the file, at least one
}

// Row is an accepted row.
type Row struct {
	// Index counts the document's rows from 1 as they stand in the file. Rows that were
	// rejected after their document number was read count too, so that mending one does not
	// renumber the others: "536589/1" stays the same row.
	Index    int
	Line     int // physical line on which the row begins
	Code     string
	Title    string // on one line; may be empty
	Quantity int64  // signed, never zero; negative in a credit, negative for a write-off
	Price    hyperlocal.Money
	Goods    bool // the code starts with five digits, so the item is stocked
}

// Read reads a whole sales export, with bounded memory, and detects how it is written:
// delimiter ; or , or tab; decimal comma or point; UTF-8 with or without byte-order mark, or
// Latin-1; LF, CRLF or CR; quoted fields, which may hold line ends.
//
// The first line names the columns, in any order, case and punctuation. Required are the
// document number (InvoiceNo, Invoice), the item code (StockCode, Code, SKU), the quantity,
// the price of one unit (UnitPrice, Price) and the customer (CustomerID, Customer ID);
// optional are Description, InvoiceDate and Country; other columns are ignored.
//
// Dates are d/m/yyyy, or m/d/yyyy if the dates of the file say so together, or yyyy-mm-dd,
// with a year of four digits or two, with or without a time, which is taken as UTC unless it
// names its offset. Customers are normalised: 17850.0 is 17850, and nan, NULL, NA and N/A are
// none. A date that cannot be read and a description that cannot be kept as it is cost no row:
// the row goes on without the one and with what is left of the other, and File.Notes says so.
//
// A malformed row is reported in File.Rejected and does not fail the file. So is a row whose
// number is too big for the SDK, alone or together with others: of the rows that do not fit
// together, the biggest are rejected, so that a slip of the keyboard costs its own row and not
// honest ones. What is left can always be planned. A file without
// rows is a valid file. Errors, for the file as a whole: ErrRead, ErrTooBig, ErrTooManyRows,
// ErrTooManyRejected, ErrEncoding, ErrNoHeader, ErrMissingColumn, ErrDuplicateColumn, and
// code invalid for bad options.
func Read(r io.Reader, o Options) (*File, error) {
	decimals, err := o.check()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, min(o.MaxBytes, math.MaxInt64-1)+1))
	if err != nil {
		return nil, ErrRead.WithCause(err)
	}
	if int64(len(data)) > o.MaxBytes {
		return nil, ErrTooBig.With("max_bytes", o.MaxBytes)
	}
	digest := sha256.Sum256(data)
	text, encoding, mark, err := decode(data)
	if err != nil {
		return nil, err
	}
	s, l, err := readHeader(text)
	if err != nil {
		return nil, err
	}
	decimal, order := survey(*s, l)
	rd := &reader{
		options: o, decimals: decimals, most: maxAmount(o.Currency), scanner: s, layout: l, mark: decimal, order: order,
		file: &File{
			Digest:   hex.EncodeToString(digest[:]),
			Currency: o.Currency,
			Dialect: Dialect{
				Delimiter: string(s.comma), Decimal: string(decimal), Encoding: encoding, Mark: mark, Dates: order,
			},
		},
		byNumber: make(map[string]int),
		texts:    make(map[string]string),
		prices:   make(map[string]hyperlocal.Money),
	}
	return rd.read()
}

// check validates the options, fills in the defaults and returns the currency's decimals.
func (o *Options) check() (decimals int, err error) {
	var problems []error
	decimals, known := o.Currency.Decimals()
	if !known {
		problems = append(problems, hyperlocal.Invalid("retail", "currency", "name the currency of the prices by its ISO 4217 code"))
	}
	if o.MaxBytes < 0 || o.MaxRows < 0 || o.MaxRejected < 0 {
		problems = append(problems, hyperlocal.Invalid("retail", "bound", "a bound is zero for its default or a positive number"))
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.MaxRows == 0 {
		o.MaxRows = DefaultMaxRows
	}
	if o.MaxRejected == 0 {
		o.MaxRejected = DefaultMaxRejected
	}
	return decimals, errors.Join(problems...)
}

// reader builds a File.
type reader struct {
	options  Options
	decimals int
	most     int64 // of an amount
	scanner  *scanner
	layout   *layout
	mark     byte
	order    DateOrder

	file     *File
	counts   []int          // rows of each document as read, rejected ones included
	byNumber map[string]int // index into file.Documents
	texts    map[string]string
	prices   map[string]hyperlocal.Money

	notes    []Note // of the row that is being read
	lastDate string // the rows of a document mostly share their date
	lastAt   time.Time
}

func (r *reader) read() (*File, error) {
	for r.scanner.next() {
		document, reason, text := r.row()
		if reason != "" {
			if len(r.file.Rejected) == r.options.MaxRejected {
				return nil, ErrTooManyRejected.With("max_rejected", r.options.MaxRejected).With("line", r.scanner.rec.line)
			}
			r.file.Rejected = append(r.file.Rejected, Rejected{
				Line: r.scanner.rec.line, Document: document, Reason: reason, Text: text,
			})
		}
		if r.file.Rows > r.options.MaxRows {
			return nil, ErrTooManyRows.With("max_rows", r.options.MaxRows)
		}
	}
	fit(r.file)
	if n := len(r.file.Rejected); n > r.options.MaxRejected {
		return nil, ErrTooManyRejected.With("max_rejected", r.options.MaxRejected)
	}
	r.file.Documents = slices.DeleteFunc(r.file.Documents, func(d Document) bool { return len(d.Rows) == 0 })
	return r.file, nil
}

// row reads the scanner's record into its document, or returns why it cannot.
func (r *reader) row() (document, reason, text string) {
	if rec := &r.scanner.rec; rec.reason != "" {
		return "", rec.reason, rec.text
	}
	if !r.complete() {
		// A quote that was never meant to open a quoted field may have swallowed good lines.
		r.scanner.resume()
		return "", ReasonColumns, "the row does not have the columns of the header"
	}
	number := r.field(colNumber)
	if reason, text := named(number, "document number"); reason != "" {
		return "", reason, text
	}
	if len(number) == 0 {
		return "", ReasonMissingDocument, "the row has no document number"
	}
	at, known := r.byNumber[string(number)]
	if !known {
		name := string(number)
		at = len(r.file.Documents)
		r.byNumber[name] = at
		r.file.Documents = append(r.file.Documents, Document{Number: name, Credit: strings.HasPrefix(name, "C")})
		r.counts = append(r.counts, 0)
	}
	r.counts[at]++
	d := &r.file.Documents[at]
	r.notes = r.notes[:0]
	if reason, text = r.accept(d, r.counts[at]); reason == "" {
		r.keepNotes(d.Number)
	}
	return d.Number, reason, text
}

// note says what of the row that is being read could not be kept.
func (r *reader) note(reason, text string) {
	r.notes = append(r.notes, Note{Line: r.scanner.rec.line, Reason: reason, Text: text})
}

func (r *reader) keepNotes(document string) {
	for _, n := range r.notes {
		if len(r.file.Notes) == maxNotes {
			r.file.MoreNotes++
			continue
		}
		n.Document = document
		r.file.Notes = append(r.file.Notes, n)
	}
}

// complete reports whether the record has the columns of the header.
func (r *reader) complete() bool {
	fields := r.scanner.rec.fields
	if len(fields) > r.layout.width && !blank(fields[r.layout.width:]) {
		return false
	}
	for _, c := range []column{colNumber, colCode, colQuantity, colPrice} {
		if r.layout.at[c] >= len(fields) {
			return false
		}
	}
	return true
}

func (r *reader) field(c column) []byte { return r.layout.field(r.scanner.rec.fields, c) }

// accept adds the record to its document as row index, or returns why it cannot.
func (r *reader) accept(d *Document, index int) (reason, text string) {
	code, customer := r.field(colCode), r.field(colCustomer)
	if len(code) == 0 {
		return ReasonMissingCode, "the row has no item code"
	}
	if reason, text := named(code, "item code"); reason != "" {
		return reason, text
	}
	if reason, text := named(customer, "customer"); reason != "" {
		return reason, text
	}
	quantity, ok := parseQuantity(r.field(colQuantity), r.mark)
	if !ok {
		return ReasonQuantity, "the quantity is not a whole number: " + clip(r.field(colQuantity))
	}
	if quantity == 0 {
		return ReasonZeroQuantity, "the quantity is zero"
	}
	price, reason, text := r.price(r.field(colPrice))
	if reason != "" {
		return reason, text
	}
	if reason, text := tooBig(price, quantity, r.most); reason != "" {
		return reason, text
	}
	if d.Credit && quantity > 0 {
		return ReasonCreditQuantity, "a positive quantity in a credit"
	}
	customer = customerID(customer)
	switch {
	case len(customer) == 0:
	case d.Customer == "":
		d.Customer = r.share(customer)
	case d.Customer != string(customer):
		return ReasonCustomer, "the document belongs to another customer than " + clip(customer)
	}
	title, changed := keepTitle(r.field(colTitle))
	if changed {
		r.note(NoteDescription, "the description is kept as "+clip(title))
	}
	at, ok := r.date(r.field(colDate))
	if !ok {
		r.note(NoteDate, "the date cannot be read as "+string(r.order)+": "+clip(r.field(colDate)))
	}
	if !at.IsZero() && (d.At.IsZero() || at.Before(d.At)) {
		d.At = at
	}
	row := Row{
		Index: index, Line: r.scanner.rec.line, Code: r.share(code), Title: r.share(title), Quantity: quantity, Price: price,
	}
	row.Goods = stocked(row.Code)
	d.Rows = append(d.Rows, row)
	r.file.Rows++
	return "", ""
}

// named checks a field that has to stay as it is: a number, a code, a customer.
func named(b []byte, what string) (reason, text string) {
	reason = contentProblem(b, maxName)
	if reason == "" && bytes.ContainsAny(b, "\t\r\n") {
		reason = ReasonControlCharacter
	}
	if reason == "" {
		return "", ""
	}
	return reason, "the " + what + " cannot be kept: " + clip(b)
}

// share returns b as a string and the same string for the same b, because a file names the
// same few things over and over.
func (r *reader) share(b []byte) string {
	if s, ok := r.texts[string(b)]; ok {
		return s
	}
	s := string(b)
	r.texts[s] = s
	return s
}

// price reads the price of a row.
func (r *reader) price(b []byte) (price hyperlocal.Money, reason, text string) {
	if price, ok := r.prices[string(b)]; ok {
		return price, "", ""
	}
	digits, negative := unsigned(b)
	whole, fraction, ok := splitDecimal(digits, r.mark)
	if !ok {
		return price, ReasonPrice, "the price is not a number: " + clip(b)
	}
	if len(fraction) > r.decimals {
		return price, ReasonPriceDecimals, "the price has more decimals than " + string(r.options.Currency) + ": " + clip(b)
	}
	major := string(whole)
	if len(whole) == 0 {
		major = "0"
	}
	if len(fraction) > 0 {
		major += "." + string(fraction)
	}
	price, err := hyperlocal.ParseMoney(major, r.options.Currency)
	if err != nil {
		return price, ReasonPrice, "the price is too big: " + clip(b)
	}
	if negative && !price.IsZero() {
		return price, ReasonNegativePrice, "the price is below zero: " + clip(b)
	}
	r.prices[string(b)] = price
	return price, "", ""
}

// date reads the date of a row; an empty one is the zero time.
func (r *reader) date(b []byte) (at time.Time, ok bool) {
	if len(b) == 0 {
		return time.Time{}, true
	}
	if string(b) == r.lastDate {
		return r.lastAt, true
	}
	if at, ok = parseDate(b, r.order); ok {
		r.lastDate, r.lastAt = string(b), at
	}
	return at, ok
}
