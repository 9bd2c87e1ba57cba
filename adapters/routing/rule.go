package routing

import (
	"errors"
	"math/bits"
	"slices"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Prefer is how a rule orders its routes.
type Prefer string

// The preferences. Equal routes stay in the order in which they are written.
const (
	Listed     Prefer = ""           // as they are written: the first, and the others behind it
	Weighted   Prefer = "weighted"   // in proportion to their weights, by owner
	Cheapest   Prefer = "cheapest"   // the lowest Cost first
	Successful Prefer = "successful" // the highest success rate first
)

// Rule says where the payments go that it matches. Empty lists and amounts match everything.
type Rule struct {
	Name       string
	Tenants    []hyperlocal.TenantID
	Merchants  []hyperlocal.Ref
	Currencies []hyperlocal.Currency
	// Methods are tokens as the payment states them; one that ends in * matches what begins so.
	Methods []string
	// Min and Max bound the amount, both included; they match payments in their currency alone.
	Min, Max hyperlocal.Money
	Prefer   Prefer
	Routes   []Route
}

// Route is a gateway that payments of a rule may take.
type Route struct {
	Gateway string
	Weight  int  // share among the weights of the rule; 0 for never unless nothing else is left
	Cost    Cost // what the gateway keeps of a payment
}

// Cost is what a gateway keeps of an amount: a part of it and something on top.
type Cost struct {
	BasisPoints int64            // hundredths of a per cent, 0 to 10000
	Fixed       hyperlocal.Money // in the currency of the payments, or zero
}

// of returns the cost in minor units, rounded up. A fixed part in another currency makes it
// unknown.
func (c Cost) of(amount hyperlocal.Money) (int64, bool) {
	high, low := bits.Mul64(uint64(max(amount.Amount(), 0)), uint64(c.BasisPoints)) //nolint:gosec // neither is negative
	quotient, rest := bits.Div64(high, low, 10_000)                                 // high < 10000, since the part is at most the whole
	if rest > 0 {
		quotient++
	}
	if c.Fixed.IsZero() {
		return int64(quotient), true //nolint:gosec // at most the amount, or one more
	}
	sum := int64(quotient) + c.Fixed.Amount() //nolint:gosec // as above
	return sum, c.Fixed.Currency() == amount.Currency() && sum >= 0
}

func (r *Rule) matches(q *payment.RouteRequest) bool {
	has := func(m hyperlocal.Money, sign int) bool {
		if m == (hyperlocal.Money{}) {
			return true
		}
		c, err := q.Amount.Cmp(m)
		return err == nil && c*sign >= 0
	}
	return listed(r.Tenants, q.Tenant) && listed(r.Merchants, q.Merchant) && listed(r.Currencies, q.Amount.Currency()) &&
		has(r.Min, 1) && has(r.Max, -1) &&
		(len(r.Methods) == 0 || slices.ContainsFunc(r.Methods, func(m string) bool {
			prefix, open := strings.CutSuffix(m, "*")
			return m == q.Method || open && strings.HasPrefix(q.Method, prefix)
		}))
}

func listed[T comparable](list []T, v T) bool { return len(list) == 0 || slices.Contains(list, v) }

func (r *Rule) validate(known func(gateway string) bool) error {
	wrong := func(why string) *hyperlocal.Error {
		return hyperlocal.Invalid("routing", "rules", why).With("rule", r.Name)
	}
	var errs []error
	if r.Name == "" || len(r.Name) > maxName {
		errs = append(errs, wrong("a rule has a name of 1 to 64 bytes, which decisions mention"))
	}
	if len(r.Routes) == 0 || len(r.Routes) > maxRoutes {
		errs = append(errs, wrong("a rule has 1 to 32 routes"))
	}
	if !slices.Contains([]Prefer{Listed, Weighted, Cheapest, Successful}, r.Prefer) {
		errs = append(errs, wrong("a rule prefers nothing, weighted, cheapest or successful"))
	}
	if r.Min != (hyperlocal.Money{}) && r.Max != (hyperlocal.Money{}) {
		if c, err := r.Min.Cmp(r.Max); err != nil || c > 0 {
			errs = append(errs, wrong("Min is at most Max, in the same currency"))
		}
	}
	seen := make(map[string]bool, len(r.Routes))
	weights := 0
	for _, route := range r.Routes {
		if !known(route.Gateway) {
			errs = append(errs, wrong("a route names a gateway that is not among Config.Gateways").With("gateway", route.Gateway))
		}
		if seen[route.Gateway] {
			errs = append(errs, wrong("two routes of a rule name one gateway").With("gateway", route.Gateway))
		}
		seen[route.Gateway] = true
		if route.Weight < 0 || route.Weight > maxWeight {
			errs = append(errs, wrong("a weight is 0 to 1000000"))
		}
		weights += route.Weight
		if c := route.Cost; c.BasisPoints < 0 || c.BasisPoints > 10_000 || c.Fixed.Sign() < 0 {
			errs = append(errs, wrong("a cost is 0 to 10000 basis points and a fixed part that is not negative"))
		}
	}
	if r.Prefer == Weighted && weights == 0 {
		errs = append(errs, wrong("one of the weights is more than 0"))
	}
	return errors.Join(errs...)
}

const (
	maxName   = 64
	maxRoutes = 32
	maxRules  = 1000
	maxWeight = 1_000_000
)
