package alipay

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func money(t testing.TB, minor int64, c hyperlocal.Currency) hyperlocal.Money {
	t.Helper()
	m, err := hyperlocal.NewMoney(minor, c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestYuan(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		minor      int64
		currency   hyperlocal.Currency
		text, code string
	}{
		{1, "CNY", "0.01", ""},
		{10, "CNY", "0.10", ""},
		{100, "CNY", "1.00", ""},
		{123456, "CNY", "1234.56", ""},
		{maxFen, "CNY", "100000000.00", ""},
		{maxFen + 1, "CNY", "", "amount_out_of_range"},
		{0, "CNY", "", "amount_out_of_range"},
		{-1, "CNY", "", "amount_out_of_range"},
		{100, "JPY", "", "currency_not_supported"}, // no decimals
		{100, "KWD", "", "currency_not_supported"}, // three
		{100, "HKD", "", "currency_not_supported"},
	} {
		if text, code := yuan(money(t, c.minor, c.currency)); text != c.text || code != c.code {
			t.Errorf("%d %s: %q, %q; want %q, %q", c.minor, c.currency, text, code, c.text, c.code)
		}
	}
	if _, code := yuan(hyperlocal.Money{}); code == "" {
		t.Error("no money at all can be sent")
	}
}

func TestDecimal(t *testing.T) {
	t.Parallel()
	for text, fen := range map[string]int64{
		`"0.01"`: 1, `"88.88"`: 8888, `88.88`: 8888, `"1.5"`: 150, `"7"`: 700, `7`: 700, `"0.00"`: 0, `"100000000.00"`: maxFen,
	} {
		var d decimal
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			t.Fatal(err)
		}
		if m, ok := d.money(); !ok || m != money(t, fen, "CNY") {
			t.Errorf("%s: %v, %t; want %d fen", text, m, ok, fen)
		}
	}
	for _, text := range []string{`""`, `"1."`, `".5"`, `"01.00"`, `"1.005"`, `"1.000"`, `"-1.00"`, `"+1.00"`, `"1e2"`, `1e2`, `"1,00"`,
		`" 1.00"`, `"1.00 "`, `"100000000.01"`, `"9999999999.00"`, `"0x10"`, `"１.00"`, `null`, `true`} {
		var d decimal
		if err := json.Unmarshal([]byte(text), &d); err == nil {
			if m, ok := d.money(); ok {
				t.Errorf("%s is read as %v", text, m)
			}
		}
	}
}

// What we write, and what Alipay writes back, is the same to the fen.
func TestDecimalRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := money(t, rapid.Int64Range(1, maxFen).Draw(rt, "fen"), "CNY")
		text, code := yuan(m)
		if code != "" || len(text) < 4 || text[len(text)-3] != '.' {
			rt.Fatalf("%v is written %q, %q", m, text, code)
		}
		if back, ok := decimal(text).positive(); !ok || back != m {
			rt.Fatalf("%v became %q became %v", m, text, back)
		}
	})
}
