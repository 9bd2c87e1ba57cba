package hyperlocal_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// wantKnownReason fails on an error that a fuzz target did not expect.
func wantKnownReason(t *testing.T, err error, reasons ...string) {
	t.Helper()
	if !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
		t.Fatalf("error without code invalid: %v", err)
	}
	for _, reason := range reasons {
		if hyperlocal.ReasonOf(err) == reason {
			return
		}
	}
	t.Fatalf("unexpected error %v", err)
}

// sameNumber reports whether an accepted text states value ÷ factor.
func sameNumber(text string, value, factor int64) bool {
	stated, ok := new(big.Rat).SetString(text)
	return ok && stated.Cmp(big.NewRat(value, factor)) == 0
}

func FuzzParseMoney(f *testing.F) {
	for _, seed := range [][2]string{
		{"19.99", "GBP"}, {"-0.05", "EUR"}, {"+10", "JPY"}, {"1.234", "KWD"}, {"1.2345", "CLF"},
		{"92233720368547758.07", "GBP"}, {"-92233720368547758.08", "GBP"}, {"92233720368547758.08", "GBP"},
		{"0.00000000000000000000000000000000000001", "GBP"}, {"1e999999", "GBP"}, {"0x1p-2", "GBP"},
		{"", ""}, {".", "GBP"}, {"1.", "GBP"}, {".1", "GBP"}, {"--1", "GBP"}, {"１", "GBP"}, {"1_0", "XXX"},
	} {
		f.Add(seed[0], seed[1])
	}
	factors := []int64{1, 10, 100, 1000, 10000}
	f.Fuzz(func(t *testing.T, text, code string) {
		m, err := hyperlocal.ParseMoney(text, hyperlocal.Currency(code))
		if err != nil {
			if m != (hyperlocal.Money{}) {
				t.Fatalf("%q is refused and gives %v", text, m)
			}
			wantKnownReason(t, err, "money/invalid_amount", "money/too_fine", "money/overflow", "money/invalid_currency")
			return
		}
		decimals, ok := m.Currency().Decimals()
		if !ok || string(m.Currency()) != code || len(text) > 40 || strings.Trim(text, "+-.0123456789") != "" {
			t.Fatalf("%q in %q is accepted as %v", text, code, m)
		}
		if !sameNumber(text, m.Amount(), factors[decimals]) {
			t.Fatalf("%q in %s reads as %v", text, code, m)
		}
		if back, err := hyperlocal.ParseMoney(m.Decimal(), m.Currency()); err != nil || back != m {
			t.Fatalf("%v prints as %q and reads as %v, %v", m, m.Decimal(), back, err)
		}
	})
}

func FuzzParseQuantity(f *testing.F) {
	for _, seed := range [][2]string{
		{"1.5", "kg"}, {"1.5", "piece"}, {"0.5", "dozen"}, {"-0.00625", "day"}, {"0.1", "hour"}, {"33.5", "cl"},
		{"9223372036854775.807", "kg"}, {"-9223372036854775.808", "m"}, {"18446744073709551616", "l"},
		{"1e9", "g"}, {"", ""}, {"1", "KG"}, {" 1", "mm"}, {"1.", "minute"},
	} {
		f.Add(seed[0], seed[1])
	}
	factors := map[string]int64{
		"piece": 1, "dozen": 12, "g": 1, "kg": 1000, "ml": 1, "cl": 10, "l": 1000, "minute": 1,
		"hour": 60, "day": 1440, "mm": 1, "cm": 10, "m": 1000,
	}
	f.Fuzz(func(t *testing.T, text, unit string) {
		q, err := hyperlocal.ParseQuantity(text, unit)
		if err != nil {
			if q != (hyperlocal.Quantity{}) {
				t.Fatalf("%q is refused and gives %v", text, q)
			}
			wantKnownReason(t, err, "quantity/invalid_value", "quantity/too_fine", "quantity/overflow", "quantity/invalid_unit")
			return
		}
		factor, ok := factors[unit]
		if !ok || !q.IsValid() || len(text) > 40 || !sameNumber(text, q.Value(), factor) {
			t.Fatalf("%q of %q reads as %v", text, unit, q)
		}
	})
}

func FuzzMoneyJSON(f *testing.F) {
	for _, seed := range []string{
		`{"amount":1999,"currency":"GBP"}`, `{"currency":"JPY","amount":-1}`, `null`, ` null `, `{}`, `[]`, `1`,
		`{"amount":19.99,"currency":"GBP"}`, `{"amount":1e3,"currency":"GBP"}`, `{"amount":1,"amount":2,"currency":"GBP"}`,
		`{"amount":1,"currency":"GBP","x":{}}`, `{"amount":9223372036854775808,"currency":"GBP"}`, `{"amount":-0,"currency":"GBP"}`,
		`{"amount":01,"currency":"GBP"}`, `{"amount":+1,"currency":"GBP"}`, `{"amount":-,"currency":"GBP"}`,
		`{"\u0061mount":1,"currency":"GBP"}`, `{"amount":{"amount":1},"currency":"GBP"}`, `{"amount":1,"currency":"GBP"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before, err := hyperlocal.NewMoney(42, "EUR")
		if err != nil {
			t.Fatal(err)
		}
		m := before
		if err := m.UnmarshalJSON(data); err != nil {
			if m != before {
				t.Fatalf("%q is refused and leaves %v", data, m)
			}
			wantKnownReason(t, err, "money/invalid_json", "money/invalid_amount", "money/overflow", "money/invalid_currency")
			return
		}
		if !json.Valid(data) {
			t.Fatalf("%q is not JSON and reads as %v", data, m)
		}
		// The lenient reader of the standard library has to see the same thing.
		var lenient *struct {
			Amount   int64
			Currency hyperlocal.Currency
		}
		if err := json.Unmarshal(data, &lenient); err != nil {
			t.Fatalf("%q reads as %v, but: %v", data, m, err)
		}
		if lenient == nil {
			if m != (hyperlocal.Money{}) {
				t.Fatalf("null reads as %v", m)
			}
		} else if lenient.Amount != m.Amount() || lenient.Currency != m.Currency() || !m.IsValid() {
			t.Fatalf("%q reads as %v and %v", data, m, *lenient)
		}
		text, err := m.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var back hyperlocal.Money
		if err := back.UnmarshalJSON(text); err != nil || back != m {
			t.Fatalf("%s reads as %v, %v; want %v", text, back, err, m)
		}
	})
}

func FuzzQuantityJSON(f *testing.F) {
	for _, seed := range []string{
		`{"value":"1500","unit":"g"}`, `{"unit":"kg","value":"1.5"}`, `null`, `{}`, `[]`, `"1 g"`,
		`{"value":1500,"unit":"g"}`, `{"value":"1.5","unit":"piece"}`, `{"value":"1","value":"1","unit":"g"}`,
		`{"value":"1","unit":"g","x":null}`, `{"value":"\u0031","unit":"g"}`, `{"value":"1","unit":"\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := hyperlocal.Pieces(42)
		q := before
		if err := q.UnmarshalJSON(data); err != nil {
			if q != before {
				t.Fatalf("%q is refused and leaves %v", data, q)
			}
			wantKnownReason(t, err, "quantity/invalid_json", "quantity/invalid_value", "quantity/invalid_unit",
				"quantity/too_fine", "quantity/overflow")
			return
		}
		if !json.Valid(data) {
			t.Fatalf("%q is not JSON and reads as %v", data, q)
		}
		text, err := q.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var back hyperlocal.Quantity
		if err := back.UnmarshalJSON(text); err != nil || back != q {
			t.Fatalf("%s reads as %v, %v; want %v", text, back, err, q)
		}
	})
}
