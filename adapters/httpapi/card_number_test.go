package httpapi

import (
	"strings"
	"testing"
)

func TestHoldsCardNumber(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		// Numbers that the schemes publish for tests.
		"4111111111111111", "4012888888881881", "4222222222222", "5555555555554444", "5105105105105100",
		"2223003122003222", "378282246310005", "371449635398431", "30569309025904", "38520000023237",
		"6011111111111117", "6011000990139424", "3530111333300000", "3566002020360505", "6200000000000005",
		"6759649826438453",
		// As people write them.
		"4111 1111 1111 1111", "4111-1111-1111-1111", "4111.1111.1111.1111", "3782 822463 10005",
		"please charge 4111 1111 1111 1111, thanks", "card:4111111111111111;cvv 123", "2 x 4111 1111 1111 1111", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
		"４１１１１１１１１１１１１１１１", "4111\u00a01111\u00a01111\u00a01111",
	} {
		if !holdsCardNumber(text) {
			t.Errorf("%q passes", text)
		}
	}
	for _, text := range []string{
		"", "no digits", "4111111111111112", "1111111111111111", "411111111111111", "41111111111111111",
		"tel. +41 79 123 45 67", "2026-11-21 02:03:01.123456", "order 250314K7XM2PQA", "1763690400000",
		"x41111111111111110000000x", "0190a1b2-4111-7111-8111-111111111111", "4111  1111  1111  1111", // two spaces part words
		"9411111111111111", "4006381333931", "1 2 3 4 5 6 7 8 9 10 11 12 13",
	} {
		if holdsCardNumber(text) {
			t.Errorf("%q is refused", text)
		}
	}
}

// TestEveryIssuerIsReached makes sure that no row of the table hides another one.
func TestEveryIssuerIsReached(t *testing.T) {
	t.Parallel()
	for _, s := range issuers {
		for _, head := range []string{s.low, s.high} {
			for _, n := range s.lengths {
				digits := head + strings.Repeat("0", n-len(head)-1)
				found := false
				for check := range 10 {
					found = found || isCard(digits+string(rune('0'+check)))
				}
				if !found {
					t.Errorf("no number of %d digits that begins with %s is found", n, head)
				}
			}
		}
	}
}

func TestMaskedHidesDigits(t *testing.T) {
	t.Parallel()
	if got := masked("declined: 4111 1111 1111 1111 at 7"); got != "declined: **** **** **** **** at *" {
		t.Error(got)
	}
	if got := masked("order 17 of 250314"); got != "order 17 of 250314" {
		t.Error(got)
	}
}

func FuzzHoldsCardNumber(f *testing.F) {
	for _, s := range []string{"4111 1111 1111 1111", "４１１１", "-- --", "0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if holdsCardNumber(masked(text)) {
			t.Errorf("%q is still there after masking", text)
		}
		// Whatever stands around it, a card number is found.
		if strings.ContainsAny(text, "0123456789０１２３４５６７８９") {
			return
		}
		if !holdsCardNumber(text + "|4111111111111111|" + text) {
			t.Errorf("hidden by %q", text)
		}
	})
}
