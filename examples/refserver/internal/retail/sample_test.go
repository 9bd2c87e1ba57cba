package retail

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The sample has one of everything, except a line that is too long and a document of too many
// lines, which would be most of the file.
func TestSampleHasEveryDirt(t *testing.T) {
	t.Parallel()
	f := read(t, string(Sample()))
	seen := map[string]bool{}
	for _, r := range f.Rejected {
		seen[r.Reason] = true
	}
	for _, reason := range []string{
		ReasonQuote, ReasonColumns, ReasonMissingDocument, ReasonMissingCode, ReasonFieldTooLong, ReasonEncoding, ReasonControlCharacter,
		ReasonQuantity, ReasonZeroQuantity, ReasonPrice, ReasonPriceDecimals, ReasonNegativePrice, ReasonCreditQuantity, ReasonCustomer,
		ReasonUnits, ReasonAmount,
	} {
		if !seen[reason] {
			t.Errorf("no row is rejected for %s", reason)
		}
	}
	noted := map[string]bool{}
	for _, n := range f.Notes {
		noted[n.Reason] = true
	}
	for _, reason := range []string{NoteDate, NoteDescription} {
		if !noted[reason] {
			t.Errorf("there is no note for %s", reason)
		}
	}
}

func TestSampleGolden(t *testing.T) {
	t.Parallel()
	f := read(t, string(Sample()))
	p := plan(t, f)
	checkInvariants(t, f, p)
	var b strings.Builder
	fmt.Fprintf(&b, "%v\n%d rows, %d documents\n\n", f.Dialect, f.Rows, len(f.Documents))
	for _, r := range f.Rejected {
		fmt.Fprintf(&b, "line %d: %q %s: %s\n", r.Line, r.Document, r.Reason, r.Text)
	}
	for _, n := range f.Notes {
		fmt.Fprintf(&b, "note on line %d: %q %s: %s\n", n.Line, n.Document, n.Reason, n.Text)
	}
	fmt.Fprintf(&b, "\nstreams %s\n\n", streams(p))
	for i := range p.Orders {
		o := &p.Orders[i]
		fmt.Fprintf(&b, "%s: %d lines, %d write-offs, %v, refunded %v, %d points\n", o.Number, len(o.Lines), len(o.WriteOffs), o.Total, o.Refunded, o.Points)
	}
	b.WriteString("\n")
	for i := range p.Credits {
		fmt.Fprintf(&b, "%s: %s\n", p.Credits[i].Number, describe(&p.Credits[i]))
	}
	b.WriteString("\n")
	for _, o := range p.Opening {
		fmt.Fprintf(&b, "%s %q: opening %d, left %d\n", o.Code, o.Title, o.Quantity, o.Left)
	}
	expected, err := json.MarshalIndent(p.Expected, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&b, "\n%s\n", expected)

	golden := filepath.Join("testdata", "sample.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("differs from %s; look at it, then run with -update:\n%s", golden, b.String())
	}
}

// Callers own what they get.
func TestSampleIsACopy(t *testing.T) {
	t.Parallel()
	Sample()[0] = 'x'
	if !bytes.HasPrefix(Sample(), []byte(utf8Mark)) {
		t.Error("the sample has changed")
	}
}
