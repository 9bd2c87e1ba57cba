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
	// ReasonFieldTooLong: a number, code or customer is longer than 64 bytes, or a
	// description longer than 1,024.
	ReasonFieldTooLong = "field_too_long"
	// ReasonEncoding: a field has bytes that are no text in the file's encoding.
	ReasonEncoding = "encoding"
	// ReasonControlCharacter: a field has a NUL or another control character; white space
	// counts as one everywhere but in a description.
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
	// ReasonDate: there is a date and it cannot be read. A row without a date is accepted.
	ReasonDate = "date"
	// ReasonCreditQuantity: a positive quantity in a credit. Read as a credit it gives money
	// away, read as a charge it takes money without an order; a person has to say which.
	ReasonCreditQuantity = "credit_quantity"
	// ReasonCustomer: the row names another customer than the document's first accepted row
	// that names one.
	ReasonCustomer = "customer"
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
