package retail

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The slice of the UCI Online Retail data set, next to the repository. It is not part of it.
const realFile = "../../../../../shared/data/online-retail.csv"

// openReal opens the real file. Without it the test is skipped, unless HYPERLOCAL_REQUIRE
// names "data".
func openReal(t *testing.T) *os.File {
	t.Helper()
	file, err := os.Open(filepath.FromSlash(realFile))
	switch {
	case errors.Is(err, fs.ErrNotExist) && strings.Contains(os.Getenv("HYPERLOCAL_REQUIRE"), "data"):
		t.Fatalf("HYPERLOCAL_REQUIRE names data, but there is no %s", realFile)
	case errors.Is(err, fs.ErrNotExist):
		t.Skipf("SKIPPED, NOT TESTED: no %s; set HYPERLOCAL_REQUIRE=data to make this a failure", realFile)
	case err != nil:
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return file
}

func TestRealFile(t *testing.T) {
	t.Parallel()
	f, err := Read(openReal(t), Options{Currency: "GBP"})
	if err != nil {
		t.Fatal(err)
	}
	if want := (Dialect{";", ",", UTF8, true, DayFirst}); f.Dialect != want || f.Rows != 10_000 || len(f.Documents) != 512 || len(f.Rejected) != 0 {
		t.Errorf("%v, %d rows, %d documents, rejected %+v", f.Dialect, f.Rows, len(f.Documents), f.Rejected)
	}
	p := plan(t, f)
	checkInvariants(t, f, p)
	if want := (Expected{
		Orders: 439, Credits: 43, WriteOffLines: 30,
		Sales: pounds(t, 184248_33), Credited: pounds(t, 3580_58), RefundedToOrders: pounds(t, 184_00), CreditNotes: pounds(t, 3396_58),
		Net: pounds(t, 180667_75), Points: 147839, UnitsLeft: 77,
	}); p.Expected != want {
		t.Errorf("got  %+v\nwant %+v", p.Expected, want)
	}
	for _, d := range f.Documents { // the one with two times
		if want := time.Date(2010, 12, 1, 16, 57, 0, 0, time.UTC); d.Number == "536591" && !d.At.Equal(want) {
			t.Errorf("%s at %v, want %v", d.Number, d.At, want)
		}
	}
}
