package loyalty

import (
	"github.com/hyperlocal-sdk/hyperlocal"
)

// Rule says how many points an amount is worth, exactly and without rounding up. It need not
// care about negative amounts.
type Rule func(total hyperlocal.Money) int64

// WholeUnits is one point for each whole major unit of the amount's own currency: 19.99 GBP
// is 19 points, 1999 JPY is 1999.
func WholeUnits(total hyperlocal.Money) int64 {
	decimals, ok := total.Currency().Decimals()
	if !ok {
		return 0
	}
	units := total.Amount()
	for range decimals {
		units /= 10
	}
	return units
}

// Points applies a rule, WholeUnits if it is nil. A total that is zero or negative is worth
// nothing, and no total is worth more than MaxPoints.
func Points(total hyperlocal.Money, rule Rule) int64 {
	if total.Amount() <= 0 {
		return 0
	}
	if rule == nil {
		rule = WholeUnits
	}
	return min(max(rule(total), 0), MaxPoints)
}
