package hyperlocal_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func baseUnits() []hyperlocal.Unit {
	return []hyperlocal.Unit{
		hyperlocal.Piece, hyperlocal.Gram, hyperlocal.Millilitre, hyperlocal.Minute, hyperlocal.Millimetre,
	}
}

func TestNewQuantity(t *testing.T) {
	t.Parallel()
	for _, unit := range baseUnits() {
		q, err := hyperlocal.NewQuantity(-3, unit)
		if err != nil || q.Value() != -3 || q.Unit() != unit || q.Sign() != -1 || q.IsZero() || !q.IsValid() || !unit.Valid() {
			t.Errorf("NewQuantity(-3, %s) = %v, %v", unit, q, err)
		}
	}
	for _, unit := range []hyperlocal.Unit{"", "kg", "dozen", "G", "g ", "stone"} {
		if unit.Valid() {
			t.Errorf("%q is a base unit", unit)
		}
		_, err := hyperlocal.NewQuantity(1, unit)
		wantMoneyError(t, err, "quantity/invalid_unit")
	}
	if q, err := hyperlocal.NewQuantity(7, "piece"); err != nil || q != hyperlocal.Pieces(7) {
		t.Errorf("NewQuantity(7, piece) = %v, %v; want Pieces(7)", q, err)
	}
	if hyperlocal.Pieces(0) == (hyperlocal.Quantity{}) || !hyperlocal.Pieces(0).IsZero() || hyperlocal.Pieces(0).Sign() != 0 {
		t.Error("no pieces are not the zero Quantity, but their value is 0")
	}
}

func TestZeroQuantity(t *testing.T) {
	t.Parallel()
	var none hyperlocal.Quantity
	if none.IsValid() || !none.IsZero() || none.Unit() != "" || none.String() != "" {
		t.Errorf("the zero Quantity has a value: %q", none)
	}
	_, err := hyperlocal.Pieces(1).Add(none)
	wantMoneyError(t, err, "quantity/unit_mismatch")
	if sum, err := none.Add(none); err != nil || sum != none {
		t.Errorf("none + none = %v, %v", sum, err)
	}
}

func TestParseQuantity(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text, unit string
		want             int64
		base             hyperlocal.Unit
		reason           string
	}{
		{"pieces", "3", "piece", 3, hyperlocal.Piece, ""},
		{"dozen", "2", "dozen", 24, hyperlocal.Piece, ""},
		{"half a dozen", "0.5", "dozen", 6, hyperlocal.Piece, ""},
		{"grams", "-3", "g", -3, hyperlocal.Gram, ""},
		{"kilograms", "1.5", "kg", 1500, hyperlocal.Gram, ""},
		{"a gram in kilograms", "0.001", "kg", 1, hyperlocal.Gram, ""},
		{"millilitres", "330", "ml", 330, hyperlocal.Millilitre, ""},
		{"centilitres", "33.5", "cl", 335, hyperlocal.Millilitre, ""},
		{"litres", "+0.75", "l", 750, hyperlocal.Millilitre, ""},
		{"minutes", "45", "minute", 45, hyperlocal.Minute, ""},
		{"hours", "1.25", "hour", 75, hyperlocal.Minute, ""},
		{"a tenth of an hour", "0.1", "hour", 6, hyperlocal.Minute, ""},
		{"days", "1.5", "day", 2160, hyperlocal.Minute, ""},
		{"nine minutes in days", "0.00625", "day", 9, hyperlocal.Minute, ""},
		{"millimetres", "7", "mm", 7, hyperlocal.Millimetre, ""},
		{"centimetres", "0.7", "cm", 7, hyperlocal.Millimetre, ""},
		{"metres", "2.005", "m", 2005, hyperlocal.Millimetre, ""},
		{"zeros that do not count", "1.000", "piece", 1, hyperlocal.Piece, ""},
		{"largest", "9223372036854775.807", "kg", math.MaxInt64, hyperlocal.Gram, ""},
		{"smallest", "-9223372036854775.808", "kg", math.MinInt64, hyperlocal.Gram, ""},

		{"one and a half pieces", "1.5", "piece", 0, "", "quantity/too_fine"},
		{"an eighth of a dozen", "0.125", "dozen", 0, "", "quantity/too_fine"},
		{"half a gram", "1.0005", "kg", 0, "", "quantity/too_fine"},
		{"a hundredth of an hour", "0.01", "hour", 0, "", "quantity/too_fine"},
		{"overflow", "9223372036854775.808", "kg", 0, "", "quantity/overflow"},
		{"overflow below", "-9223372036854775.809", "kg", 0, "", "quantity/overflow"},
		{"overflow of days", "9223372036854775807", "day", 0, "", "quantity/overflow"},
		{"empty", "", "g", 0, "", "quantity/invalid_value"},
		{"exponent", "1e3", "g", 0, "", "quantity/invalid_value"},
		{"blank", " 1", "g", 0, "", "quantity/invalid_value"},
		{"unit in the text", "1kg", "g", 0, "", "quantity/invalid_value"},
		{"too long", strings.Repeat("1", 41), "g", 0, "", "quantity/invalid_value"},
		{"capital unit", "1", "KG", 0, "", "quantity/invalid_unit"},
		{"unknown unit", "1", "lb", 0, "", "quantity/invalid_unit"},
		{"no unit", "1", "", 0, "", "quantity/invalid_unit"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			q, err := hyperlocal.ParseQuantity(test.text, test.unit)
			if test.reason != "" {
				if q != (hyperlocal.Quantity{}) {
					t.Errorf("a refused text gave %v", q)
				}
				wantMoneyError(t, err, test.reason)
				return
			}
			if err != nil || q.Value() != test.want || q.Unit() != test.base {
				t.Errorf("ParseQuantity(%q, %q) = %v, %v; want %d %s", test.text, test.unit, q, err, test.want, test.base)
			}
		})
	}
}

func TestQuantityErrors(t *testing.T) {
	t.Parallel()
	highest, lowest, one := hyperlocal.Pieces(math.MaxInt64), hyperlocal.Pieces(math.MinInt64), hyperlocal.Pieces(1)
	gram, err := hyperlocal.NewQuantity(1, hyperlocal.Gram)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		do   func() (hyperlocal.Quantity, error)
		want *hyperlocal.Error
	}{
		{"add above", func() (hyperlocal.Quantity, error) { return highest.Add(one) }, hyperlocal.ErrQuantityOverflow},
		{"subtract below", func() (hyperlocal.Quantity, error) { return lowest.Sub(one) }, hyperlocal.ErrQuantityOverflow},
		{"negate", lowest.Neg, hyperlocal.ErrQuantityOverflow},
		{"multiply", func() (hyperlocal.Quantity, error) { return lowest.Mul(-1) }, hyperlocal.ErrQuantityOverflow},
		{"add another unit", func() (hyperlocal.Quantity, error) { return one.Add(gram) }, hyperlocal.ErrUnitMismatch},
		{"subtract another unit", func() (hyperlocal.Quantity, error) { return one.Sub(gram) }, hyperlocal.ErrUnitMismatch},
		{"compare with another unit", func() (hyperlocal.Quantity, error) { _, err := one.Cmp(gram); return hyperlocal.Quantity{}, err }, hyperlocal.ErrUnitMismatch},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			q, err := test.do()
			if !errors.Is(err, test.want) || q != (hyperlocal.Quantity{}) {
				t.Errorf("= %v, %v; want %v", q, err, test.want)
			}
			wantMoneyError(t, err, test.want.Reason)
		})
	}
}

func TestQuantityJSON(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       int64
		unit       hyperlocal.Unit
		reason     string
	}{
		{"as written", `{"value":"1500","unit":"g"}`, 1500, hyperlocal.Gram, ""},
		{"display unit", `{"unit":"kg","value":"1.5"}`, 1500, hyperlocal.Gram, ""},
		{"null", `null`, 0, "", ""},
		{"number", `{"value":1500,"unit":"g"}`, 0, "", "quantity/invalid_value"},
		{"too fine", `{"value":"1.5","unit":"piece"}`, 0, "", "quantity/too_fine"},
		{"overflow", `{"value":"9223372036854775808","unit":"g"}`, 0, "", "quantity/overflow"},
		{"exponent", `{"value":"1e3","unit":"g"}`, 0, "", "quantity/invalid_value"},
		{"empty value", `{"value":"","unit":"g"}`, 0, "", "quantity/invalid_value"},
		{"unknown unit", `{"value":"1","unit":"lb"}`, 0, "", "quantity/invalid_unit"},
		{"number as unit", `{"value":"1","unit":1}`, 0, "", "quantity/invalid_unit"},
		{"null value", `{"value":null,"unit":"g"}`, 0, "", "quantity/invalid_json"},
		{"missing value", `{"unit":"g"}`, 0, "", "quantity/invalid_json"},
		{"missing unit", `{"value":"1"}`, 0, "", "quantity/invalid_json"},
		{"repeated", `{"value":"1","value":"1","unit":"g"}`, 0, "", "quantity/invalid_json"},
		{"unknown field", `{"value":"1","unit":"g","x":1}`, 0, "", "quantity/invalid_json"},
		{"capital field", `{"Value":"1","unit":"g"}`, 0, "", "quantity/invalid_json"},
		{"text", `"1500 g"`, 0, "", "quantity/invalid_json"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			before := hyperlocal.Pieces(42)
			got := before
			err := json.Unmarshal([]byte(test.text), &got)
			if test.reason != "" {
				if got != before {
					t.Errorf("a refused text left %v", got)
				}
				wantMoneyError(t, err, test.reason)
				return
			}
			if err != nil || got.Value() != test.want || got.Unit() != test.unit {
				t.Errorf("= %v, %v; want %d %s", got, err, test.want, test.unit)
			}
		})
	}
	t.Run("written", func(t *testing.T) {
		t.Parallel()
		text, err := json.Marshal([]hyperlocal.Quantity{hyperlocal.Pieces(-3), {}})
		if want := `[{"value":"-3","unit":"piece"},null]`; err != nil || string(text) != want {
			t.Errorf("= %s, %v; want %s", text, err, want)
		}
	})
}

// Not parallel, because AllocsPerRun counts for the whole process.
func TestQuantityAllocations(t *testing.T) { //nolint:paralleltest // see above
	a, b := hyperlocal.Pieces(3), hyperlocal.Pieces(7)
	unit := string([]byte("g"))
	var sink hyperlocal.Quantity
	var order int
	var err error
	tests := []struct {
		name string
		do   func()
	}{
		{"NewQuantity", func() { sink, err = hyperlocal.NewQuantity(1, hyperlocal.Unit(unit)) }},
		{"ParseQuantity", func() { sink, err = hyperlocal.ParseQuantity("1.5", "kg") }},
		{"Add", func() { sink, err = a.Add(b) }},
		{"Sub", func() { sink, err = a.Sub(b) }},
		{"Neg", func() { sink, err = a.Neg() }},
		{"Mul", func() { sink, err = a.Mul(3) }},
		{"Cmp", func() { order, err = a.Cmp(b) }},
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

func TestQuantityArithmeticProperty(t *testing.T) {
	t.Parallel()
	checkOften(t, func(t *rapid.T) {
		unit := rapid.SampledFrom(baseUnits()).Draw(t, "unit")
		x, y := anyInt64().Draw(t, "x"), anyInt64().Draw(t, "y")
		a, errA := hyperlocal.NewQuantity(x, unit)
		b, errB := hyperlocal.NewQuantity(y, unit)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		bigX, bigY := big.NewInt(x), big.NewInt(y)

		sum, err := a.Add(b)
		checkInt64(t, "x + y", new(big.Int).Add(bigX, bigY), sum.Value(), err, hyperlocal.ErrQuantityOverflow)
		if err == nil {
			if back, err := sum.Sub(b); err != nil || back != a {
				t.Fatalf("(a + b) - b = %v, %v; want %v", back, err, a)
			}
		}
		difference, err := a.Sub(b)
		checkInt64(t, "x - y", new(big.Int).Sub(bigX, bigY), difference.Value(), err, hyperlocal.ErrQuantityOverflow)
		if err == nil {
			if back, err := difference.Add(b); err != nil || back != a {
				t.Fatalf("(a - b) + b = %v, %v; want %v", back, err, a)
			}
		}
		product, err := a.Mul(y)
		checkInt64(t, "x × y", new(big.Int).Mul(bigX, bigY), product.Value(), err, hyperlocal.ErrQuantityOverflow)
		opposite, err := a.Neg()
		checkInt64(t, "-x", new(big.Int).Neg(bigX), opposite.Value(), err, hyperlocal.ErrQuantityOverflow)
		if order, err := a.Cmp(b); err != nil || order != bigX.Cmp(bigY) {
			t.Fatalf("Cmp = %d, %v", order, err)
		}
	})
}

func TestQuantityTextProperty(t *testing.T) {
	t.Parallel()
	checkOften(t, func(t *rapid.T) {
		q, err := hyperlocal.NewQuantity(anyInt64().Draw(t, "value"), rapid.SampledFrom(baseUnits()).Draw(t, "unit"))
		if err != nil {
			t.Fatal(err)
		}
		value, unit, _ := strings.Cut(q.String(), " ")
		if back, err := hyperlocal.ParseQuantity(value, unit); err != nil || back != q {
			t.Fatalf("%q reads as %v, %v", q, back, err)
		}
		if value != strconv.FormatInt(q.Value(), 10) {
			t.Fatalf("String() = %q", q)
		}
		text, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		var back hyperlocal.Quantity
		if err := json.Unmarshal(text, &back); err != nil || back != q {
			t.Fatalf("%s reads as %v, %v; want %v", text, back, err, q)
		}
	})
}

func TestParseQuantityProperty(t *testing.T) {
	t.Parallel()
	factors := map[string]int64{
		"piece": 1, "dozen": 12, "g": 1, "kg": 1000, "ml": 1, "cl": 10, "l": 1000, "minute": 1,
		"hour": 60, "day": 1440, "mm": 1, "cm": 10, "m": 1000,
	}
	units := []string{"piece", "dozen", "g", "kg", "ml", "cl", "l", "minute", "hour", "day", "mm", "cm", "m"}
	checkOften(t, func(t *rapid.T) {
		unit := rapid.SampledFrom(units).Draw(t, "unit")
		text := decimalText(factors[unit]).Draw(t, "text")
		q, err := hyperlocal.ParseQuantity(text, unit)
		checkParsed(t, text, factors[unit], q.Value(), err, hyperlocal.ErrQuantityTooFine, hyperlocal.ErrQuantityOverflow)
	})
}
