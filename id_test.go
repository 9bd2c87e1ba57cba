package hyperlocal_test

import (
	"slices"
	"strconv"
	"strings"
	"sync"
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

func TestIDsCarryTheTimeAndTheVariant(t *testing.T) {
	t.Parallel()
	before := hyperlocal.Stopwatch().UnixMilli()
	id := hyperlocal.RandomIDs{}.NewID()
	after := hyperlocal.Stopwatch().UnixMilli()
	// Ids that were made faster than the clock went may have run ahead of it.
	if ms, err := strconv.ParseInt(id[:8]+id[9:13], 16, 64); err != nil || ms < before || ms > after+1000 {
		t.Errorf("%q tells %d ms, %v; it was made between %d and %d", id, ms, err, before, after)
	}
	if !strings.ContainsRune("89ab", rune(id[19])) {
		t.Errorf("%q is not of the variant of RFC 9562", id)
	}
}

// Nothing of the randomness may be handed out twice, by however many at once.
func TestIDsAreUnguessableAndUnique(t *testing.T) {
	t.Parallel()
	const makers, each = 8, 5000
	made := make([][]string, makers)
	var all sync.WaitGroup
	for m := range made {
		all.Go(func() {
			for range each {
				made[m] = append(made[m], hyperlocal.RandomIDs{}.NewID())
			}
		})
	}
	all.Wait()
	ids, random := make(map[string]bool), make(map[string]bool)
	for _, id := range slices.Concat(made...) {
		ids[id], random[id[19:]] = true, true
	}
	if len(ids) != makers*each || len(random) != makers*each {
		t.Errorf("%d ids are %d different ones, with %d random parts", makers*each, len(ids), len(random))
	}
}

func TestLettersAreEquallyLikely(t *testing.T) {
	t.Parallel()
	const alphabet, draws = hyperlocal.UnambiguousAlphabet, 1_000_000
	count := make(map[rune]int)
	for _, c := range (hyperlocal.RandomIDs{}).Letters(draws, alphabet) {
		count[c]++
	}
	// Eight standard deviations; a remainder that is not thrown away makes seventeen.
	for c, n := range count {
		if want := draws / len(alphabet); n < want-1460 || n > want+1460 {
			t.Errorf("%c was drawn %d times, want about %d", c, n, want)
		}
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
