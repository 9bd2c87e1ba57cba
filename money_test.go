package hyperlocal_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// wantMoneyError checks code and reason. It is shared by the currency, money and quantity tests.
func wantMoneyError(t *testing.T, err error, reason string) {
	t.Helper()
	if hyperlocal.ReasonOf(err) != reason || !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
		t.Errorf("error = %v, want code invalid and reason %s", err, reason)
	}
}

// newMoney is NewMoney for constants in tests.
func newMoney(t interface {
	Helper()
	Fatal(...any)
}, minor int64, c hyperlocal.Currency) hyperlocal.Money {
	t.Helper()
	m, err := hyperlocal.NewMoney(minor, c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestNewMoney(t *testing.T) {
	t.Parallel()
	m := newMoney(t, -1999, "GBP")
	if m.Amount() != -1999 || m.Currency() != "GBP" || m.Sign() != -1 || m.IsZero() || !m.IsValid() {
		t.Errorf("got %v", m)
	}
	if m != newMoney(t, -1999, "GBP") || m == newMoney(t, -1999, "EUR") {
		t.Error("== does not compare amount and currency")
	}
	nothing := newMoney(t, 0, "GBP")
	if !nothing.IsZero() || nothing.Sign() != 0 || !nothing.IsValid() || nothing == (hyperlocal.Money{}) {
		t.Errorf("0 GBP: %v", nothing)
	}
	_, err := hyperlocal.NewMoney(1, "ABC")
	wantMoneyError(t, err, "money/invalid_currency")
}

func TestZeroMoney(t *testing.T) {
	t.Parallel()
	var none hyperlocal.Money
	if none.IsValid() || !none.IsZero() || none.Sign() != 0 || none.Currency() != "" {
		t.Error("the zero Money has a value")
	}
	if none.String() != "" || none.Decimal() != "" {
		t.Errorf("the zero Money prints as %q and %q", none.String(), none.Decimal())
	}
	_, err := newMoney(t, 1, "GBP").Add(none)
	wantMoneyError(t, err, "money/currency_mismatch")
	if sum, err := none.Add(none); err != nil || sum != none {
		t.Errorf("none + none = %v, %v", sum, err)
	}
}

func TestParseMoney(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		currency   hyperlocal.Currency
		want       int64
		reason     string
	}{
		{"two decimals", "19.99", "GBP", 1999, ""},
		{"no decimals", "19", "GBP", 1900, ""},
		{"one decimal", "19.9", "GBP", 1990, ""},
		{"negative", "-0.05", "GBP", -5, ""},
		{"plus", "+0.05", "GBP", 5, ""},
		{"zero", "0", "GBP", 0, ""},
		{"negative zero", "-0.00", "GBP", 0, ""},
		{"leading zeros", "0019.99", "GBP", 1999, ""},
		{"trailing zeros", "19.9900", "GBP", 1999, ""},
		{"yen", "10", "JPY", 10, ""},
		{"yen with zeros", "10.00", "JPY", 10, ""},
		{"dinar", "1.234", "KWD", 1234, ""},
		{"fomento", "1.2345", "CLF", 12345, ""},
		{"largest", "92233720368547758.07", "GBP", math.MaxInt64, ""},
		{"smallest", "-92233720368547758.08", "GBP", math.MinInt64, ""},
		{"largest yen", "9223372036854775807", "JPY", math.MaxInt64, ""},
		{"forty bytes", "0." + strings.Repeat("0", 38), "GBP", 0, ""},
		{"forty bytes, leading zeros", strings.Repeat("0", 39) + "7", "JPY", 7, ""},

		{"too fine", "19.999", "GBP", 0, "money/too_fine"},
		{"too fine for yen", "10.5", "JPY", 0, "money/too_fine"},
		{"too fine by far", "0." + strings.Repeat("0", 37) + "1", "GBP", 0, "money/too_fine"},
		{"nineteen decimals", "0.0000000000000000001", "GBP", 0, "money/too_fine"},
		{"twenty decimals", "0.00000000000000000001", "GBP", 0, "money/too_fine"},
		{"one above the largest", "92233720368547758.08", "GBP", 0, "money/overflow"},
		{"one below the smallest", "-92233720368547758.09", "GBP", 0, "money/overflow"},
		{"above 64 bits before scaling", "18446744073709551616", "JPY", 0, "money/overflow"},
		{"above 64 bits after scaling", "184467440737095516.16", "GBP", 0, "money/overflow"},
		{"carry", "184467440737095516.15", "GBP", 0, "money/overflow"},
		{"forty nines", strings.Repeat("9", 40), "GBP", 0, "money/overflow"},

		{"empty", "", "GBP", 0, "money/invalid_amount"},
		{"sign only", "-", "GBP", 0, "money/invalid_amount"},
		{"two signs", "--1", "GBP", 0, "money/invalid_amount"},
		{"sign after", "1-", "GBP", 0, "money/invalid_amount"},
		{"point only", ".", "GBP", 0, "money/invalid_amount"},
		{"nothing before the point", ".5", "GBP", 0, "money/invalid_amount"},
		{"nothing after the point", "5.", "GBP", 0, "money/invalid_amount"},
		{"sign and point", "-.5", "GBP", 0, "money/invalid_amount"},
		{"two points", "1.2.3", "GBP", 0, "money/invalid_amount"},
		{"comma", "1,50", "GBP", 0, "money/invalid_amount"},
		{"grouping", "1_000", "GBP", 0, "money/invalid_amount"},
		{"exponent", "1e3", "GBP", 0, "money/invalid_amount"},
		{"hexadecimal", "0x10", "GBP", 0, "money/invalid_amount"},
		{"blank before", " 1", "GBP", 0, "money/invalid_amount"},
		{"blank after", "1 ", "GBP", 0, "money/invalid_amount"},
		{"newline", "1\n", "GBP", 0, "money/invalid_amount"},
		{"NUL", "1\x00", "GBP", 0, "money/invalid_amount"},
		{"infinity", "Inf", "GBP", 0, "money/invalid_amount"},
		{"not a number", "NaN", "GBP", 0, "money/invalid_amount"},
		{"full-width digits", "１２", "GBP", 0, "money/invalid_amount"},
		{"Arabic digits", "١٢", "GBP", 0, "money/invalid_amount"},
		{"minus sign of typographers", "−5", "GBP", 0, "money/invalid_amount"},
		{"forty-one bytes", strings.Repeat("0", 41), "GBP", 0, "money/invalid_amount"},
		{"unknown currency", "1", "ABC", 0, "money/invalid_currency"},
		{"no currency", "1", "", 0, "money/invalid_currency"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m, err := hyperlocal.ParseMoney(test.text, test.currency)
			if test.reason != "" {
				if m != (hyperlocal.Money{}) {
					t.Errorf("a refused text gave %v", m)
				}
				wantMoneyError(t, err, test.reason)
				return
			}
			if err != nil || m.Amount() != test.want || m.Currency() != test.currency {
				t.Errorf("ParseMoney(%q, %s) = %d %s, %v; want %d",
					test.text, test.currency, m.Amount(), m.Currency(), err, test.want)
			}
		})
	}
}

func TestMoneyPrint(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		minor    int64
		currency hyperlocal.Currency
		want     string
	}{
		{"pounds", 1999, "GBP", "19.99"},
		{"pennies", 5, "GBP", "0.05"},
		{"negative pennies", -5, "GBP", "-0.05"},
		{"zero", 0, "GBP", "0.00"},
		{"round", 100, "GBP", "1.00"},
		{"yen", -10, "JPY", "-10"},
		{"dinar", 1, "KWD", "0.001"},
		{"fomento", 10203, "CLF", "1.0203"},
		{"largest", math.MaxInt64, "GBP", "92233720368547758.07"},
		{"smallest", math.MinInt64, "GBP", "-92233720368547758.08"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := newMoney(t, test.minor, test.currency)
			if got := m.Decimal(); got != test.want {
				t.Errorf("Decimal() = %q, want %q", got, test.want)
			}
			if got, want := m.String(), test.want+" "+string(test.currency); got != want {
				t.Errorf("String() = %q, want %q", got, want)
			}
		})
	}
}

func TestMoneyOverflow(t *testing.T) {
	t.Parallel()
	highest, lowest, one := newMoney(t, math.MaxInt64, "GBP"), newMoney(t, math.MinInt64, "GBP"), newMoney(t, 1, "GBP")
	tests := []struct {
		name string
		do   func() (hyperlocal.Money, error)
	}{
		{"add above", func() (hyperlocal.Money, error) { return highest.Add(one) }},
		{"add below", func() (hyperlocal.Money, error) { return lowest.Add(lowest) }},
		{"subtract above", func() (hyperlocal.Money, error) { return highest.Sub(lowest) }},
		{"subtract below", func() (hyperlocal.Money, error) { return lowest.Sub(one) }},
		{"negate", lowest.Neg},
		{"multiply", func() (hyperlocal.Money, error) { return highest.Mul(2) }},
		{"multiply the lowest by -1", func() (hyperlocal.Money, error) { return lowest.Mul(-1) }},
		{"sum", func() (hyperlocal.Money, error) { return hyperlocal.Sum("GBP", highest, one) }},
		{"sum of negatives", func() (hyperlocal.Money, error) { return hyperlocal.Sum("GBP", lowest, lowest) }},
		{"rate", func() (hyperlocal.Money, error) {
			return highest.MulRate(decimal.RequireFromString("1.1"), hyperlocal.RoundDown)
		}},
		{"rate by a power of ten", func() (hyperlocal.Money, error) {
			return one.MulRate(decimal.New(1, 19), hyperlocal.RoundDown)
		}},
		{"line amount beyond 128 bits", func() (hyperlocal.Money, error) {
			return hyperlocal.LineAmount(highest, hyperlocal.Pieces(1), hyperlocal.Pieces(math.MaxInt64), hyperlocal.RoundDown)
		}},
		{"line amount beyond 64 bits", func() (hyperlocal.Money, error) {
			return hyperlocal.LineAmount(highest, hyperlocal.Pieces(1), hyperlocal.Pieces(2), hyperlocal.RoundDown)
		}},
		{"line amount by rounding", func() (hyperlocal.Money, error) {
			// Exactly 2^63 - 1/2.
			return hyperlocal.LineAmount(newMoney(t, 6148914691236517205, "GBP"), hyperlocal.Pieces(2), hyperlocal.Pieces(3), hyperlocal.RoundUp)
		}},
		{"line amount by rounding past 64 bits", func() (hyperlocal.Money, error) {
			// Exactly 2^64 - 1/2, whose upper neighbour wraps around.
			return hyperlocal.LineAmount(newMoney(t, 1190112520884487201, "GBP"), hyperlocal.Pieces(2), hyperlocal.Pieces(31), hyperlocal.RoundUp)
		}},
		{"rate by rounding", func() (hyperlocal.Money, error) {
			return newMoney(t, 6148914691236517205, "GBP").MulRate(decimal.RequireFromString("1.5"), hyperlocal.RoundUp)
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m, err := test.do()
			if !errors.Is(err, hyperlocal.ErrOverflow) || m != (hyperlocal.Money{}) {
				t.Errorf("= %v, %v; want ErrOverflow", m, err)
			}
		})
	}
}

func TestMoneyMixing(t *testing.T) {
	t.Parallel()
	pound, euro := newMoney(t, 1, "GBP"), newMoney(t, 1, "EUR")
	tests := []struct {
		name string
		do   func() error
	}{
		{"add", func() error { _, err := pound.Add(euro); return err }},
		{"subtract", func() error { _, err := pound.Sub(euro); return err }},
		{"compare", func() error { _, err := pound.Cmp(euro); return err }},
		{"sum", func() error { _, err := hyperlocal.Sum("GBP", pound, euro); return err }},
		{"sum with no money", func() error { _, err := hyperlocal.Sum("GBP", hyperlocal.Money{}); return err }},
		{"add to no money", func() error { _, err := hyperlocal.Money{}.Add(pound); return err }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if err := test.do(); !errors.Is(err, hyperlocal.ErrCurrencyMismatch) {
				t.Errorf("error = %v, want ErrCurrencyMismatch", err)
			}
		})
	}
	if len(hyperlocal.ErrCurrencyMismatch.Fields) != 0 {
		t.Error("decorating the sentinel changed it")
	}
}

func TestMoneyCmp(t *testing.T) {
	t.Parallel()
	low, high := newMoney(t, -1, "GBP"), newMoney(t, 2, "GBP")
	for _, test := range []struct {
		a, b hyperlocal.Money
		want int
	}{{low, high, -1}, {high, low, 1}, {low, low, 0}} {
		if got, err := test.a.Cmp(test.b); err != nil || got != test.want {
			t.Errorf("%v.Cmp(%v) = %d, %v; want %d", test.a, test.b, got, err, test.want)
		}
	}
}

func TestSum(t *testing.T) {
	t.Parallel()
	highest, lowest := newMoney(t, math.MaxInt64, "GBP"), newMoney(t, math.MinInt64, "GBP")
	if got, err := hyperlocal.Sum("GBP"); err != nil || got != newMoney(t, 0, "GBP") {
		t.Errorf("sum of nothing = %v, %v", got, err)
	}
	if got, err := hyperlocal.Sum("GBP", highest, highest, lowest, lowest); err != nil || got.Amount() != -2 {
		t.Errorf("a sum that fits in the end = %v, %v", got, err)
	}
	_, err := hyperlocal.Sum("")
	wantMoneyError(t, err, "money/invalid_currency")
}

func TestRounding(t *testing.T) {
	t.Parallel()
	// What each mode makes of the amount of a line that costs half of value, and of MulRate
	// by 0.5, for value ÷ 2.
	values := []int64{-7, -5, -4, -3, -1, 0, 1, 3, 4, 5, 7}
	tests := []struct {
		name string
		mode hyperlocal.Rounding
		want []int64
	}{
		{"half even", hyperlocal.RoundHalfEven, []int64{-4, -2, -2, -2, 0, 0, 0, 2, 2, 2, 4}},
		{"half up", hyperlocal.RoundHalfUp, []int64{-4, -3, -2, -2, -1, 0, 1, 2, 2, 3, 4}},
		{"down", hyperlocal.RoundDown, []int64{-3, -2, -2, -1, 0, 0, 0, 1, 2, 2, 3}},
		{"up", hyperlocal.RoundUp, []int64{-4, -3, -2, -2, -1, 0, 1, 2, 2, 3, 4}},
		{"floor", hyperlocal.RoundFloor, []int64{-4, -3, -2, -2, -1, 0, 0, 1, 2, 2, 3}},
		{"ceil", hyperlocal.RoundCeil, []int64{-3, -2, -2, -1, 0, 0, 1, 2, 2, 3, 4}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for i, value := range values {
				m := newMoney(t, value, "GBP")
				if got, err := m.MulRate(decimal.RequireFromString("0.5"), test.mode); err != nil || got.Amount() != test.want[i] {
					t.Errorf("%d × 0.5 = %d, %v; want %d", value, got.Amount(), err, test.want[i])
				}
				if got, err := hyperlocal.LineAmount(m, hyperlocal.Pieces(2), hyperlocal.Pieces(1), test.mode); err != nil || got.Amount() != test.want[i] {
					t.Errorf("a half of %d = %d, %v; want %d", value, got.Amount(), err, test.want[i])
				}
			}
		})
	}
	t.Run("unknown mode", func(t *testing.T) {
		t.Parallel()
		_, err := newMoney(t, 1, "GBP").MulRate(decimal.New(1, 0), hyperlocal.RoundCeil+1)
		wantMoneyError(t, err, "money/invalid_rounding")
		_, err = hyperlocal.LineAmount(newMoney(t, 1, "GBP"), hyperlocal.Pieces(1), hyperlocal.Pieces(1), hyperlocal.RoundCeil+1)
		wantMoneyError(t, err, "money/invalid_rounding")
	})
}

func TestMulRate(t *testing.T) {
	t.Parallel()
	huge := decimal.NewFromBigInt(new(big.Int).Lsh(big.NewInt(1), 256), -64)
	tests := []struct {
		name   string
		minor  int64
		rate   decimal.Decimal
		want   int64
		reason string
	}{
		{"20 % of 19.99", 1999, decimal.RequireFromString("0.2"), 400, ""},
		{"zero rate", 1999, decimal.Decimal{}, 0, ""},
		{"negative rate", 1999, decimal.New(-1, 0), -1999, ""},
		{"whole rate", 3, decimal.New(7, 2), 2100, ""},
		{"rounded once", 1, decimal.RequireFromString("0.49999"), 0, ""},
		{"a third in many digits", 300, decimal.RequireFromString("0." + strings.Repeat("3", 40)), 100, ""},
		{"largest times one", math.MaxInt64, decimal.New(1, 0), math.MaxInt64, ""},
		{"smallest times one", math.MinInt64, decimal.New(1, 0), math.MinInt64, ""},
		{"finest exponent", 1, decimal.New(1, -64), 0, ""},
		{"zero amount, coarsest exponent", 0, decimal.New(1, 64), 0, ""},
		{"exponent too large", 0, decimal.New(1, 65), 0, "money/invalid_rate"},
		{"exponent too small", 0, decimal.New(1, -65), 0, "money/invalid_rate"},
		{"exponent of an attacker", 1, decimal.New(1, 999_999), 0, "money/invalid_rate"},
		{"exponent at the end of the range", 1, decimal.New(1, math.MinInt32), 0, "money/invalid_rate"},
		{"coefficient too large", 0, huge, 0, "money/invalid_rate"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			before := test.rate.Coefficient()
			got, err := newMoney(t, test.minor, "GBP").MulRate(test.rate, hyperlocal.RoundHalfEven)
			if test.rate.Coefficient().Cmp(before) != 0 {
				t.Error("the rate was changed")
			}
			if test.reason != "" {
				wantMoneyError(t, err, test.reason)
				return
			}
			if err != nil || got != newMoney(t, test.want, "GBP") {
				t.Errorf("= %v, %v; want %d minor units", got, err, test.want)
			}
		})
	}
}

func TestAllocate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		minor   int64
		weights []int64
		want    []int64
		reason  string
	}{
		{"even", 100, []int64{1, 1}, []int64{50, 50}, ""},
		{"tie goes to the lower index", 100, []int64{1, 1, 1}, []int64{34, 33, 33}, ""},
		{"largest remainder", 100, []int64{1, 2, 4}, []int64{14, 29, 57}, ""},
		{"negative mirrors", -100, []int64{1, 2, 4}, []int64{-14, -29, -57}, ""},
		{"negative tie", -1, []int64{1, 1}, []int64{-1, 0}, ""},
		{"zero weight gets nothing", 100, []int64{0, 1, 0, 2}, []int64{0, 33, 0, 67}, ""},
		{"nothing to give", 0, []int64{3, 4}, []int64{0, 0}, ""},
		{"one", 7, []int64{5}, []int64{7}, ""},
		{"fewer units than weights", 2, []int64{1, 1, 1, 1}, []int64{1, 1, 0, 0}, ""},
		{"everything at the limit", math.MinInt64, []int64{math.MaxInt64, math.MaxInt64}, []int64{math.MinInt64 / 2, math.MinInt64 / 2}, ""},
		{"smallest in one share", math.MinInt64, []int64{math.MaxInt64}, []int64{math.MinInt64}, ""},
		{"no weights", 1, nil, nil, "money/invalid_weights"},
		{"only zeros", 1, []int64{0, 0}, nil, "money/invalid_weights"},
		{"negative weight", 1, []int64{2, -1}, nil, "money/invalid_weights"},
		{"weights beyond 64 bits", 1, []int64{math.MaxInt64, math.MaxInt64, 2}, nil, "money/invalid_weights"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			shares, err := newMoney(t, test.minor, "GBP").Allocate(test.weights...)
			if test.reason != "" {
				wantMoneyError(t, err, test.reason)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := moneyAmounts(shares); !slices.Equal(got, test.want) {
				t.Errorf("= %v, want %v", got, test.want)
			}
		})
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		minor  int64
		n      int
		want   []int64
		reason string
	}{
		{"in three", 100, 3, []int64{34, 33, 33}, ""},
		{"negative", -100, 3, []int64{-34, -33, -33}, ""},
		{"in one", 7, 1, []int64{7}, ""},
		{"more parts than units", 1, 3, []int64{1, 0, 0}, ""},
		{"none", 1, 0, nil, "money/invalid_weights"},
		{"negative number", 1, -1, nil, "money/invalid_weights"},
		{"absurd number", 1, math.MaxInt, nil, "money/invalid_weights"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			shares, err := newMoney(t, test.minor, "GBP").Split(test.n)
			if test.reason != "" {
				wantMoneyError(t, err, test.reason)
				return
			}
			if got := moneyAmounts(shares); err != nil || !slices.Equal(got, test.want) {
				t.Errorf("= %v, %v; want %v", got, err, test.want)
			}
		})
	}
}

func TestLineAmount(t *testing.T) {
	t.Parallel()
	grams := func(n int64) hyperlocal.Quantity {
		q, err := hyperlocal.NewQuantity(n, hyperlocal.Gram)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	price := newMoney(t, 450, "GBP")
	tests := []struct {
		name   string
		price  hyperlocal.Money
		per, q hyperlocal.Quantity
		want   int64
		reason string
	}{
		{"each", price, hyperlocal.Pieces(1), hyperlocal.Pieces(3), 1350, ""},
		{"by weight", price, grams(100), grams(250), 1125, ""},
		{"rounded", price, grams(100), grams(333), 1498, ""},
		{"returned", price, grams(100), grams(-333), -1498, ""},
		{"nothing", price, grams(100), grams(0), 0, ""},
		{"through 128 bits", newMoney(t, math.MinInt64, "GBP"), hyperlocal.Pieces(math.MaxInt64), hyperlocal.Pieces(math.MaxInt64), math.MinInt64, ""},
		{"other unit", price, grams(100), hyperlocal.Pieces(1), 0, "quantity/unit_mismatch"},
		{"no quantity", price, grams(100), hyperlocal.Quantity{}, 0, "quantity/unit_mismatch"},
		{"no unit at all", price, hyperlocal.Quantity{}, hyperlocal.Quantity{}, 0, "quantity/unit_mismatch"},
		{"per nothing", price, grams(0), grams(1), 0, "money/invalid_per"},
		{"per a negative quantity", price, grams(-1), grams(1), 0, "money/invalid_per"},
		{"no price", hyperlocal.Money{}, grams(1), grams(1), 0, "money/invalid_currency"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := hyperlocal.LineAmount(test.price, test.per, test.q, hyperlocal.RoundHalfEven)
			if test.reason != "" {
				wantMoneyError(t, err, test.reason)
				return
			}
			if err != nil || got != newMoney(t, test.want, "GBP") {
				t.Errorf("= %v, %v; want %d minor units", got, err, test.want)
			}
		})
	}
}

func TestMoneyJSON(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		minor      int64
		currency   hyperlocal.Currency
		reason     string
	}{
		{"as written", `{"amount":1999,"currency":"GBP"}`, 1999, "GBP", ""},
		{"other order and spacing", " {\n\t\"currency\" : \"JPY\" , \"amount\" : -5 } ", -5, "JPY", ""},
		{"escaped name", `{"\u0061mount":1,"currency":"\u0047BP"}`, 1, "GBP", ""},
		{"largest", `{"amount":9223372036854775807,"currency":"GBP"}`, math.MaxInt64, "GBP", ""},
		{"smallest", `{"amount":-9223372036854775808,"currency":"GBP"}`, math.MinInt64, "GBP", ""},
		{"compact, negative", `{"amount":-5,"currency":"GBP"}`, -5, "GBP", ""},
		{"compact, zero", `{"amount":0,"currency":"GBP"}`, 0, "GBP", ""},
		{"negative zero", `{"amount":-0,"currency":"GBP"}`, 0, "GBP", ""},
		{"much white space", `{"amount":` + strings.Repeat(" ", 200) + `1,"currency":"GBP"}`, 1, "GBP", ""},
		{"null", `null`, 0, "", ""},

		{"too large", `{"amount":9223372036854775808,"currency":"GBP"}`, 0, "", "money/overflow"},
		{"fraction", `{"amount":19.99,"currency":"GBP"}`, 0, "", "money/invalid_amount"},
		{"zero fraction", `{"amount":19.0,"currency":"GBP"}`, 0, "", "money/invalid_amount"},
		{"exponent", `{"amount":1e3,"currency":"GBP"}`, 0, "", "money/invalid_amount"},
		{"text amount", `{"amount":"1999","currency":"GBP"}`, 0, "", "money/invalid_amount"},
		{"boolean amount", `{"amount":false,"currency":"GBP"}`, 0, "", "money/invalid_amount"},
		{"number as currency", `{"amount":1,"currency":826}`, 0, "", "money/invalid_currency"},
		{"unknown currency", `{"amount":1,"currency":"gbp"}`, 0, "", "money/invalid_currency"},
		{"empty currency", `{"amount":0,"currency":""}`, 0, "", "money/invalid_currency"},
		{"null amount", `{"amount":null,"currency":"GBP"}`, 0, "", "money/invalid_json"},
		{"null currency", `{"amount":1,"currency":null}`, 0, "", "money/invalid_json"},
		{"missing amount", `{"currency":"GBP"}`, 0, "", "money/invalid_json"},
		{"missing currency", `{"amount":1}`, 0, "", "money/invalid_json"},
		{"empty object", `{}`, 0, "", "money/invalid_json"},
		{"repeated amount", `{"amount":1,"amount":1,"currency":"GBP"}`, 0, "", "money/invalid_json"},
		{"repeated currency", `{"amount":1,"currency":"GBP","currency":"GBP"}`, 0, "", "money/invalid_json"},
		{"unknown field", `{"amount":1,"currency":"GBP","x":1}`, 0, "", "money/invalid_json"},
		{"capital field", `{"Amount":1,"currency":"GBP"}`, 0, "", "money/invalid_json"},
		{"nested amount", `{"amount":[1],"currency":"GBP"}`, 0, "", "money/invalid_json"},
		{"array", `[1999,"GBP"]`, 0, "", "money/invalid_json"},
		{"number", `1999`, 0, "", "money/invalid_json"},
		{"text", `"19.99 GBP"`, 0, "", "money/invalid_json"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			before := newMoney(t, 42, "EUR")
			got := before
			err := json.Unmarshal([]byte(test.text), &got)
			if test.reason != "" {
				if got != before {
					t.Errorf("a refused text left %v", got)
				}
				wantMoneyError(t, err, test.reason)
				return
			}
			if err != nil || got.Amount() != test.minor || got.Currency() != test.currency {
				t.Errorf("= %d %s, %v; want %d %s", got.Amount(), got.Currency(), err, test.minor, test.currency)
			}
		})
	}
	t.Run("written", func(t *testing.T) {
		t.Parallel()
		text, err := json.Marshal([]hyperlocal.Money{newMoney(t, 1999, "GBP"), newMoney(t, math.MinInt64, "JPY"), {}})
		want := `[{"amount":1999,"currency":"GBP"},{"amount":-9223372036854775808,"currency":"JPY"},null]`
		if err != nil || string(text) != want {
			t.Errorf("= %s, %v; want %s", text, err, want)
		}
	})
	t.Run("broken syntax, called directly", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{
			``, `{`, `{"amount"`, `{"amount":`, `{"amount":1,"currency":"GBP"`, `{"amount":1,"currency":"GBP"}}`,
			`{"amount":1,"currency":"GBP"} 1`, `{"amount":01,"currency":"GBP"}`, `{"amount":-01,"currency":"GBP"}`, `{"amount":+1,"currency":"GBP"}`,
			`{"amount":,"currency":"GBP"}`, `{"amount":-,"currency":"GBP"}`, `{"amount" 1,"currency":"GBP"}`, `nul`,
		} {
			var m hyperlocal.Money
			wantMoneyError(t, m.UnmarshalJSON([]byte(text)), "money/invalid_json")
		}
	})
}

// The hot path: carts and ledgers do these millions of times. Not parallel, because
// AllocsPerRun counts for the whole process.
func TestMoneyAllocations(t *testing.T) { //nolint:paralleltest // see above
	price, other := newMoney(t, 1999, "GBP"), newMoney(t, 1, "GBP")
	code := string([]byte("GBP")) // not a constant, so it cannot hide a conversion
	per, q := hyperlocal.Pieces(3), hyperlocal.Pieces(7)
	var sink hyperlocal.Money
	var order int
	var err error
	tests := []struct {
		name string
		do   func()
	}{
		{"NewMoney", func() { sink, err = hyperlocal.NewMoney(1, hyperlocal.Currency(code)) }},
		{"ParseMoney", func() { sink, err = hyperlocal.ParseMoney("19.99", "GBP") }},
		{"Add", func() { sink, err = price.Add(other) }},
		{"Sub", func() { sink, err = price.Sub(other) }},
		{"Neg", func() { sink, err = price.Neg() }},
		{"Mul", func() { sink, err = price.Mul(3) }},
		{"Cmp", func() { order, err = price.Cmp(other) }},
		{"Sum", func() { sink, err = hyperlocal.Sum("GBP", price, other) }},
		{"LineAmount", func() { sink, err = hyperlocal.LineAmount(price, per, q, hyperlocal.RoundHalfEven) }},
	}
	for _, test := range tests { //nolint:paralleltest // see above
		t.Run(test.name, func(t *testing.T) {
			if allocations := testing.AllocsPerRun(100, test.do); allocations != 0 || err != nil {
				t.Errorf("%v allocations, error %v", allocations, err)
			}
		})
	}
	_, _ = sink, order
}

func moneyAmounts(ms []hyperlocal.Money) []int64 {
	amounts := make([]int64, len(ms))
	for i, m := range ms {
		amounts[i] = m.Amount()
	}
	return amounts
}

// checkOften is rapid.Check with ten times its number of cases: money properties are cheap,
// and their edges are narrow.
func checkOften(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	for range 10 {
		rapid.Check(t, property)
	}
}

// anyInt64 draws from the whole range with a liking for its ends.
func anyInt64() *rapid.Generator[int64] {
	return rapid.OneOf(
		rapid.Int64(),
		rapid.Int64Range(-1000, 1000),
		rapid.SampledFrom([]int64{
			math.MinInt64, math.MinInt64 + 1, math.MinInt64 / 2, math.MinInt32, -1, 0, 1,
			math.MaxInt32, math.MaxInt64 / 2, math.MaxInt64 - 1, math.MaxInt64,
		}),
	)
}

func anyCurrency() *rapid.Generator[hyperlocal.Currency] {
	return rapid.SampledFrom(hyperlocal.Currencies())
}

func anyRounding() *rapid.Generator[hyperlocal.Rounding] {
	return rapid.Custom(func(t *rapid.T) hyperlocal.Rounding {
		return hyperlocal.Rounding(rapid.Uint8Max(uint8(hyperlocal.RoundCeil)).Draw(t, "mode"))
	})
}

// roundExactly is the reference: it works on the number line between the two neighbours of
// exact, where the code works on magnitudes.
func roundExactly(exact *big.Rat, mode hyperlocal.Rounding) *big.Int {
	floor := new(big.Int).Div(exact.Num(), exact.Denom()) // Euclidean; the denominator is positive
	if exact.IsInt() {
		return floor
	}
	ceil := new(big.Int).Add(floor, big.NewInt(1))
	toZero, fromZero := floor, ceil
	if exact.Sign() < 0 {
		toZero, fromZero = ceil, floor
	}
	above := new(big.Rat).Sub(exact, new(big.Rat).SetInt(floor))
	half := above.Cmp(big.NewRat(1, 2))
	switch {
	case mode == hyperlocal.RoundFloor, half < 0 && mode <= hyperlocal.RoundHalfUp:
		return floor
	case mode == hyperlocal.RoundCeil, half > 0 && mode <= hyperlocal.RoundHalfUp:
		return ceil
	case mode == hyperlocal.RoundDown:
		return toZero
	case mode == hyperlocal.RoundHalfEven && floor.Bit(0) == 0:
		return floor
	case mode == hyperlocal.RoundHalfEven:
		return ceil
	default: // RoundUp, or RoundHalfUp at a tie
		return fromZero
	}
}

// checkInt64 compares a checked operation with the exact result: equal when that fits into 64
// bits, an overflow otherwise.
func checkInt64(t *rapid.T, what string, exact *big.Int, got int64, err error, overflow *hyperlocal.Error) {
	t.Helper()
	if !exact.IsInt64() {
		if !errors.Is(err, overflow) {
			t.Fatalf("%s is %v: got %d, %v; want overflow", what, exact, got, err)
		}
		return
	}
	if err != nil || got != exact.Int64() {
		t.Fatalf("%s is %v: got %d, %v", what, exact, got, err)
	}
}

func TestMoneyArithmeticProperty(t *testing.T) {
	t.Parallel()
	checkOften(t, func(t *rapid.T) {
		c := anyCurrency().Draw(t, "currency")
		x, y := anyInt64().Draw(t, "x"), anyInt64().Draw(t, "y")
		a, b := newMoney(t, x, c), newMoney(t, y, c)
		bigX, bigY := big.NewInt(x), big.NewInt(y)

		sum, err := a.Add(b)
		checkInt64(t, "x + y", new(big.Int).Add(bigX, bigY), sum.Amount(), err, hyperlocal.ErrOverflow)
		if err == nil {
			if back, err := sum.Sub(b); err != nil || back != a {
				t.Fatalf("(a + b) - b = %v, %v; want %v", back, err, a)
			}
		}
		difference, err := a.Sub(b)
		checkInt64(t, "x - y", new(big.Int).Sub(bigX, bigY), difference.Amount(), err, hyperlocal.ErrOverflow)
		if err == nil {
			if back, err := difference.Add(b); err != nil || back != a {
				t.Fatalf("(a - b) + b = %v, %v; want %v", back, err, a)
			}
		}
		product, err := a.Mul(y)
		checkInt64(t, "x × y", new(big.Int).Mul(bigX, bigY), product.Amount(), err, hyperlocal.ErrOverflow)
		opposite, err := a.Neg()
		checkInt64(t, "-x", new(big.Int).Neg(bigX), opposite.Amount(), err, hyperlocal.ErrOverflow)
		if order, err := a.Cmp(b); err != nil || order != bigX.Cmp(bigY) {
			t.Fatalf("Cmp = %d, %v", order, err)
		}
	})
}

func TestSumProperty(t *testing.T) {
	t.Parallel()
	checkOften(t, func(t *rapid.T) {
		exact := new(big.Int)
		var ms []hyperlocal.Money
		for _, minor := range rapid.SliceOfN(anyInt64(), 0, 12).Draw(t, "amounts") {
			exact.Add(exact, big.NewInt(minor))
			ms = append(ms, newMoney(t, minor, "GBP"))
		}
		sum, err := hyperlocal.Sum("GBP", ms...)
		checkInt64(t, "the sum", exact, sum.Amount(), err, hyperlocal.ErrOverflow)
	})
}

func TestMoneyTextProperty(t *testing.T) {
	t.Parallel()
	checkOften(t, func(t *rapid.T) {
		m := newMoney(t, anyInt64().Draw(t, "minor"), anyCurrency().Draw(t, "currency"))
		if back, err := hyperlocal.ParseMoney(m.Decimal(), m.Currency()); err != nil || back != m {
			t.Fatalf("ParseMoney(%q) = %v, %v; want %v", m.Decimal(), back, err, m)
		}
		amount, code, _ := strings.Cut(m.String(), " ")
		if amount != m.Decimal() || code != string(m.Currency()) {
			t.Fatalf("String() = %q", m.String())
		}
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var back hyperlocal.Money
		if err := json.Unmarshal(text, &back); err != nil || back != m {
			t.Fatalf("%s reads as %v, %v; want %v", text, back, err, m)
		}
	})
}

// decimalText draws texts in the form that ParseMoney and ParseQuantity accept, with a liking
// for those that reach the ends of 64 bits once they are multiplied by factor.
func decimalText(factor int64) *rapid.Generator[string] {
	edge := rapid.Custom(func(t *rapid.T) string {
		value := new(big.Int).Lsh(big.NewInt(1), rapid.SampledFrom([]uint{63, 64}).Draw(t, "bits"))
		value.Add(value, big.NewInt(rapid.Int64Range(-3, 3).Draw(t, "distance")))
		sign := rapid.SampledFrom([]string{"", "-", "+"}).Draw(t, "sign")
		return sign + new(big.Rat).SetFrac(value, big.NewInt(factor)).FloatString(5) // exact or cut to five places
	})
	return rapid.OneOf(
		rapid.StringMatching(`[-+]?[0-9]{1,19}(\.[0-9]{1,20})?`),
		rapid.StringMatching(`[-+]?[0-9]{1,4}(\.[0-9]{1,5}0{0,5})?`),
		rapid.StringMatching(`[-+]?[0-9]{1,4}\.[05]{1,2}0{16,30}`),
		rapid.StringMatching(`[-+]?[0-9]{1,20}(\.[05]{1,5})?`),
		rapid.StringMatching(`[-+]?[1-9][0-9]{16,24}`),
		edge,
	).Filter(func(text string) bool { return len(text) <= 40 })
}

// checkParsed compares a parsed text with the exact value text × factor.
func checkParsed(t *rapid.T, text string, factor int64, got int64, err error, tooFine, overflow *hyperlocal.Error) {
	t.Helper()
	exact, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is not a number", text)
	}
	exact.Mul(exact, new(big.Rat).SetInt64(factor))
	if !exact.IsInt() {
		if !errors.Is(err, tooFine) {
			t.Fatalf("%q is %v: got %d, %v; want too fine", text, exact, got, err)
		}
		return
	}
	checkInt64(t, text, exact.Num(), got, err, overflow)
}

func TestParseMoneyProperty(t *testing.T) {
	t.Parallel()
	factors := []int64{1, 10, 100, 1000, 10000}
	checkOften(t, func(t *rapid.T) {
		c := anyCurrency().Draw(t, "currency")
		decimals, _ := c.Decimals()
		text := decimalText(factors[decimals]).Draw(t, "text")
		m, err := hyperlocal.ParseMoney(text, c)
		checkParsed(t, text, factors[decimals], m.Amount(), err, hyperlocal.ErrTooFine, hyperlocal.ErrOverflow)
	})
}

func TestAllocateProperty(t *testing.T) {
	t.Parallel()
	weight := rapid.OneOf(
		rapid.Int64Range(0, 10),
		rapid.Int64Range(0, math.MaxInt64/8),
	)
	checkOften(t, func(t *rapid.T) {
		m := newMoney(t, anyInt64().Draw(t, "minor"), "GBP")
		weights := rapid.SliceOfN(weight, 1, 8).Draw(t, "weights")
		total := new(big.Int)
		for _, w := range weights {
			total.Add(total, big.NewInt(w))
		}
		shares, err := m.Allocate(weights...)
		if total.Sign() == 0 {
			if hyperlocal.ReasonOf(err) != "money/invalid_weights" {
				t.Fatalf("weights of zero: %v", err)
			}
			return
		}
		if err != nil || len(shares) != len(weights) {
			t.Fatalf("%d shares, %v", len(shares), err)
		}
		if sum, err := hyperlocal.Sum("GBP", shares...); err != nil || sum != m {
			t.Fatalf("the shares %v sum to %v, %v; want %v", shares, sum, err, m)
		}
		rest := make([]*big.Rat, len(weights)) // how far a share is above its ideal, in magnitude
		for i, share := range shares {
			ideal := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(m.Amount()), big.NewInt(weights[i])), total)
			rest[i] = new(big.Rat).Sub(new(big.Rat).SetInt64(share.Amount()), ideal)
			if m.Sign() < 0 {
				rest[i].Neg(rest[i])
			}
			if new(big.Rat).Abs(rest[i]).Cmp(big.NewRat(1, 1)) >= 0 {
				t.Fatalf("share %d is %v, its ideal %v", i, share, ideal)
			}
		}
		// Who was rounded up had a remainder at least as large as who was rounded down, and a
		// lower index if it was equal: share - ideal is 1 - remainder or -remainder.
		for up := range rest {
			for down := range rest {
				if rest[up].Sign() <= 0 || rest[down].Sign() >= 0 {
					continue
				}
				order := new(big.Rat).Sub(big.NewRat(1, 1), rest[up])
				order.Add(order, rest[down])
				if order.Sign() < 0 || order.Sign() == 0 && up > down {
					t.Fatalf("a unit went to share %d instead of %d: %v for %v", up, down, shares, weights)
				}
			}
		}
		if opposite, err := m.Neg(); err == nil {
			mirrored, err := opposite.Allocate(weights...)
			if err != nil {
				t.Fatal(err)
			}
			for i := range mirrored {
				if mirrored[i].Amount() != -shares[i].Amount() {
					t.Fatalf("%v for %v, but %v for the opposite", shares, m, mirrored)
				}
			}
		}
	})
}

func TestSplitProperty(t *testing.T) {
	t.Parallel()
	checkOften(t, func(t *rapid.T) {
		m := newMoney(t, anyInt64().Draw(t, "minor"), "GBP")
		n := rapid.IntRange(1, 20).Draw(t, "n")
		shares, err := m.Split(n)
		if err != nil {
			t.Fatal(err)
		}
		if sum, err := hyperlocal.Sum("GBP", shares...); err != nil || sum != m {
			t.Fatalf("the shares %v sum to %v, %v; want %v", shares, sum, err, m)
		}
		equal, err := m.Allocate(slices.Repeat([]int64{rapid.Int64Range(1, 1000).Draw(t, "weight")}, n)...)
		if err != nil || !slices.Equal(shares, equal) {
			t.Fatalf("Split gives %v, Allocate %v, %v", shares, equal, err)
		}
	})
}

func TestMulRateProperty(t *testing.T) {
	t.Parallel()
	checkOften(t, func(t *rapid.T) {
		minor := anyInt64().Draw(t, "minor")
		coefficient := anyInt64().Draw(t, "coefficient")
		exponent := rapid.Int32Range(-25, 10).Draw(t, "exponent")
		if rapid.Bool().Draw(t, "halves") { // ties are rare otherwise
			minor, exponent = rapid.Int64Range(-50, 50).Draw(t, "small minor"), -1
			coefficient = 5 * rapid.Int64Range(-9, 9).Draw(t, "fives")
		}
		mode := anyRounding().Draw(t, "rounding")
		rate := decimal.New(coefficient, exponent)

		exact := new(big.Rat).SetInt(new(big.Int).Mul(big.NewInt(minor), big.NewInt(coefficient)))
		scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(exponent, -exponent))), nil))
		if exponent < 0 {
			exact.Quo(exact, scale)
		} else {
			exact.Mul(exact, scale)
		}
		got, err := newMoney(t, minor, "GBP").MulRate(rate, mode)
		checkInt64(t, "the product", roundExactly(exact, mode), got.Amount(), err, hyperlocal.ErrOverflow)
	})
}

func TestLineAmountProperty(t *testing.T) {
	t.Parallel()
	checkOften(t, func(t *rapid.T) {
		minor, value := anyInt64().Draw(t, "price"), anyInt64().Draw(t, "quantity")
		per := rapid.OneOf(
			rapid.Int64Range(1, 1000),
			rapid.Int64Min(1),
			rapid.SampledFrom([]int64{math.MaxInt64 - 1, math.MaxInt64}),
		).Draw(t, "per")
		mode := anyRounding().Draw(t, "rounding")
		if rapid.Bool().Draw(t, "halves") { // ties are rare otherwise
			minor, value, per = rapid.Int64Range(-50, 50).Draw(t, "small price"), 2*rapid.Int64Range(-9, 9).Draw(t, "small half")+1, 2
		}

		exact := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(minor), big.NewInt(value)), big.NewInt(per))
		got, err := hyperlocal.LineAmount(newMoney(t, minor, "GBP"), hyperlocal.Pieces(per), hyperlocal.Pieces(value), mode)
		checkInt64(t, "the line amount", roundExactly(exact, mode), got.Amount(), err, hyperlocal.ErrOverflow)
	})
}
