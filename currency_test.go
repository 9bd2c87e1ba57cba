package hyperlocal_test

import (
	"slices"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func TestCurrencyDecimals(t *testing.T) {
	t.Parallel()
	// Everything else on the list has two.
	unusual := map[int][]hyperlocal.Currency{
		0: {
			"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI",
			"VND", "VUV", "XAF", "XOF", "XPF",
		},
		3: {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"},
		4: {"CLF", "UYW"},
	}
	want := make(map[hyperlocal.Currency]int)
	for decimals, codes := range unusual {
		for _, c := range codes {
			want[c] = decimals
		}
	}
	found := 0
	for _, c := range hyperlocal.Currencies() {
		decimals, special := want[c]
		if special {
			found++
		} else {
			decimals = 2
		}
		if got, ok := c.Decimals(); !ok || got != decimals {
			t.Errorf("%s.Decimals() = %d, %t; want %d", c, got, ok, decimals)
		}
	}
	if found != len(want) {
		t.Errorf("%d of %d unusual currencies are on the list", found, len(want))
	}
}

func TestParseCurrency(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, code string
		ok         bool
	}{
		{"first of the table", "AED", true},
		{"last of the table", "ZWG", true},
		{"pound", "GBP", true},
		{"fund", "CLF", true},
		{"new in 2025", "XCG", true},
		{"new in 2025, fund", "XAD", true},
		{"replaced in 2025", "ANG", false},
		{"withdrawn in 2026", "BGN", false},
		{"withdrawn long ago", "DEM", false},
		{"lower case", "gbp", false},
		{"mixed case", "Gbp", false},
		{"empty", "", false},
		{"short", "GB", false},
		{"long", "GBPX", false},
		{"blank after", "GBP ", false},
		{"blank before", " GBP", false},
		{"numeric", "826", false},
		{"across two records", "BP2", false},
		{"inside a record", "P2 ", false},
		{"before the first", "AAA", false},
		{"after the last", "ZZZ", false},
		{"gold has no minor unit", "XAU", false},
		{"no currency", "XXX", false},
		{"test code", "XTS", false},
		{"not ASCII", "€", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, err := hyperlocal.ParseCurrency(test.code)
			if valid := hyperlocal.Currency(test.code).Valid(); valid != test.ok {
				t.Errorf("Valid() = %t, want %t", valid, test.ok)
			}
			if _, known := hyperlocal.Currency(test.code).Decimals(); known != test.ok {
				t.Errorf("Decimals() knows it: %t, want %t", known, test.ok)
			}
			if test.ok {
				if err != nil || string(c) != test.code {
					t.Errorf("ParseCurrency = %q, %v", c, err)
				}
				return
			}
			if c != "" {
				t.Errorf("a refused code gave %q", c)
			}
			wantMoneyError(t, err, "money/invalid_currency")
		})
	}
}

func TestCurrencies(t *testing.T) {
	t.Parallel()
	all := hyperlocal.Currencies()
	// 178 codes on list one after amendment 180, 13 of them without a minor unit.
	if len(all) != 165 {
		t.Errorf("%d currencies, want 165", len(all))
	}
	for i, c := range all {
		if i > 0 && all[i-1] >= c {
			t.Errorf("%s does not come before %s", all[i-1], c)
		}
		if got, err := hyperlocal.ParseCurrency(string(c)); err != nil || got != c {
			t.Errorf("ParseCurrency(%q) = %q, %v", c, got, err)
		}
	}
	before := slices.Clone(all)
	all[0] = "???"
	if !slices.Equal(hyperlocal.Currencies(), before) {
		t.Error("a caller can change the list")
	}
}
