package retail

import (
	"fmt"
	"unicode/utf8"
)

// Rejected is a row that does not take part, because it has no meaning or more than one.
type Rejected struct {
	Line     int    `json:"line"`     // physical line on which the row begins; the header of a plain file is line 1
	Document string `json:"document"` // "" if the row's document number cannot be read
	Reason   string `json:"reason"`   // one of the Reason constants
	Text     string `json:"text"`     // for people; quotes the offending field, shortened, without control characters
}

// The reasons for which a row is rejected. They are stable. A row with several is reported
// once, with the one that is found first.
const (
	// ReasonLineTooLong: the line, or a quoted row of several lines, is longer than 64 KiB.
	ReasonLineTooLong = "line_too_long"
	// ReasonQuote: a quoted field does not close, or goes on behind its closing quote. The
	// reader goes on with the next physical line.
	ReasonQuote = "quote"
	// ReasonColumns: the row has more fields than the header has columns, unless the rest is
	// empty, or it ends before a required column. A row that only lacks optional columns or
	// the customer at its end is complete: spreadsheets leave trailing empty fields out.
	ReasonColumns = "columns"
	// ReasonMissingDocument: the document number is empty.
	ReasonMissingDocument = "missing_document"
	// ReasonMissingCode: the item code is empty.
	ReasonMissingCode = "missing_code"
	// ReasonFieldTooLong: a number, code or customer is longer than 64 bytes.
	ReasonFieldTooLong = "field_too_long"
	// ReasonEncoding: a number, code or customer has bytes that are no text in the file's
	// encoding, so nobody can say which one it is.
	ReasonEncoding = "encoding"
	// ReasonControlCharacter: a number, code or customer has a NUL, a line end or another
	// control character.
	ReasonControlCharacter = "control_character"
	// ReasonQuantity: the quantity is no whole number of 64 bits.
	ReasonQuantity = "quantity"
	// ReasonZeroQuantity: the quantity is zero.
	ReasonZeroQuantity = "zero_quantity"
	// ReasonPrice: the price is no number, or too big. Grouped thousands are no number.
	ReasonPrice = "price"
	// ReasonPriceDecimals: the price has more decimals than the currency, even if they are
	// zeros: 1,000 may be one or a thousand.
	ReasonPriceDecimals = "price_decimals"
	// ReasonNegativePrice: the price is below zero, as bad debts are booked.
	ReasonNegativePrice = "negative_price"
	// ReasonCreditQuantity: a positive quantity in a credit. Read as a credit it gives money
	// away, read as a charge it takes money without an order; a person has to say which.
	ReasonCreditQuantity = "credit_quantity"
	// ReasonCustomer: the row names another customer than the document's first readable row
	// that names one: a document belongs to one customer.
	ReasonCustomer = "customer"
	// ReasonUnits: the quantity is more than stock can count, alone or together with the
	// others of its code, of which the biggest are rejected.
	ReasonUnits = "units"
	// ReasonAmount: the quantity times the price is more than can be computed exactly, alone
	// or together with the other rows of the file, of which the biggest are rejected.
	ReasonAmount = "amount"
	// ReasonLines: the document sells more lines than an order can have, and this is one of
	// those behind them.
	ReasonLines = "lines"
)

// Note says what of an accepted row could not be kept.
type Note struct {
	Line     int    `json:"line"` // as in Rejected
	Document string `json:"document"`
	Reason   string `json:"reason"` // one of the Note constants
	Text     string `json:"text"`   // for people, as in Rejected
}

// The reasons of notes. They are stable.
const (
	// NoteDate: there is a date and it cannot be read, so the row says nothing about when.
	NoteDate = "date"
	// NoteDescription: the description had control characters, or bytes that are no text, or
	// more than 1,024 bytes; what is left is kept.
	NoteDescription = "description"
)

// clip quotes a field for a text: shortened, on one line, safe to print.
func clip(b []byte) string {
	const most = 40
	if len(b) <= most {
		return fmt.Sprintf("%q", b)
	}
	end := most
	for end > most-utf8.UTFMax && !utf8.RuneStart(b[end]) {
		end--
	}
	return fmt.Sprintf("%q...", b[:end])
}
