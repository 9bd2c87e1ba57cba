package loyalty_test

import (
	"math"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
)

func TestPoints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		minor    int64
		currency hyperlocal.Currency
		want     int64
	}{
		{1999, "GBP", 19}, {99, "GBP", 0}, {100, "GBP", 1}, {0, "GBP", 0}, {-1999, "GBP", 0},
		{1999, "JPY", 1999}, {1999, "KWD", 1}, {19999, "CLF", 1}, {9999, "CLF", 0},
		{math.MinInt64, "GBP", 0}, {math.MaxInt64, "GBP", loyalty.MaxPoints}, {math.MaxInt64, "JPY", loyalty.MaxPoints},
	} {
		m, err := hyperlocal.NewMoney(c.minor, c.currency)
		if err != nil {
			t.Fatal(err)
		}
		for name, rule := range map[string]loyalty.Rule{"nil": nil, "WholeUnits": loyalty.WholeUnits} {
			if got := loyalty.Points(m, rule); got != c.want {
				t.Errorf("%d %s with rule %s: %d points, want %d", c.minor, c.currency, name, got, c.want)
			}
		}
	}
	if got := loyalty.Points(hyperlocal.Money{}, nil); got != 0 {
		t.Errorf("no money: %d points", got)
	}
	one, _ := hyperlocal.NewMoney(1, "GBP")
	if got := loyalty.Points(one, func(hyperlocal.Money) int64 { return -5 }); got != 0 {
		t.Errorf("a rule that takes: %d points", got)
	}
}
