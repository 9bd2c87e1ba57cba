package reconcile

import (
	"io"
	"strings"
	"time"
)

var sandboxColumns = map[string][]string{
	"id": {"id"}, "kind": {"kind"}, "payment": {"payment"}, "reference": {"reference"}, "key": {"key"},
	columnCurrency: {columnCurrency}, "gross": {"gross"}, columnFee: {columnFee}, "net": {"net"}, "at": {"at"},
}

// SandboxHeader is the first line of a statement that [SandboxStatement] reads.
const SandboxHeader = "id,kind,payment,reference,key,currency,gross,fee,net,at"

// SandboxStatement reads the format of this package for gateways without one of their own, the
// sandbox among them: CSV with the columns of [SandboxHeader] in any order. kind is a [Kind],
// payment the reference that lines of one payment share, reference the provider's for the
// operation, key our idempotency key. Amounts are in major units, signed; at is RFC 3339.
func SandboxStatement(r io.Reader, limits Limits) Lines {
	return &sandboxLines{in: newRecords(r, limits)}
}

type sandboxLines struct {
	in      *records
	columns *columns
}

// Next implements [Lines].
func (s *sandboxLines) Next() (Line, error) {
	cells, line, err := s.in.fields()
	if err != nil {
		return Line{}, headless(s.columns, err)
	}
	if s.columns == nil {
		if s.columns, err = newColumns(line, cells, sandboxColumns); err != nil {
			return Line{}, err
		}
		if cells, line, err = s.in.fields(); err != nil {
			return Line{}, err
		}
	}
	r := s.columns.row(line, cells, strings.TrimSpace)
	currency := r.currency(columnCurrency)
	return r.checked(Line{
		Number: line, ID: r.text("id"), Kind: Kind(r.text("kind")), Payment: r.text("payment"),
		References: references(r.text("key"), r.text("reference"), r.text("payment")),
		Gross:      r.money("gross", currency), Fee: r.money(columnFee, currency), Net: r.money("net", currency),
		At: r.time("at", time.UTC, time.RFC3339Nano),
	})
}
