package hyperlocal_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func TestIDsAreSortedAndValid(t *testing.T) {
	t.Parallel()
	var ids hyperlocal.RandomIDs
	last := ""
	for range 1000 {
		id := ids.NewID()
		if !hyperlocal.ValidID(id) {
			t.Fatalf("%q is not valid", id)
		}
		if id[14] != '7' {
			t.Fatalf("%q is not version 7", id)
		}
		if id <= last {
			t.Fatalf("%q does not sort after %q", id, last)
		}
		last = id
	}
	for _, bad := range []string{"", "x", strings.ToUpper(last), last + "0", strings.ReplaceAll(last, "-", "0")} {
		if hyperlocal.ValidID(bad) && bad != last {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestLettersUseTheWholeAlphabet(t *testing.T) {
	t.Parallel()
	text := hyperlocal.RandomIDs{}.Letters(5000, hyperlocal.UnambiguousAlphabet)
	for _, c := range hyperlocal.UnambiguousAlphabet {
		if !strings.ContainsRune(text, c) {
			t.Errorf("%c never appears", c)
		}
	}
	if strings.ContainsAny(hyperlocal.UnambiguousAlphabet, "0O1ILUV") {
		t.Error("the alphabet has look-alikes")
	}
}

func TestInstant(t *testing.T) {
	t.Parallel()
	in := time.Date(2026, 3, 29, 2, 30, 0, 123456789, time.FixedZone("x", 3600))
	got := hyperlocal.Instant(in)
	if got.Location() != time.UTC || got.Nanosecond() != 123456000 || !got.Equal(in.Truncate(time.Microsecond)) {
		t.Fatalf("got %v", got)
	}
	if !hyperlocal.Instant(time.Time{}).IsZero() {
		t.Fatal("the zero time does not stay zero")
	}
}
