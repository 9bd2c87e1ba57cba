package stripe

import (
	"math"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Rule says how Stripe writes amounts of a currency whose amounts are not simply minor units
// of ISO 4217.
type Rule struct {
	Currency hyperlocal.Currency
	Decimals int   // of Stripe's integer
	Multiple int64 // Stripe's integer is a multiple of it
}

// rules are the exceptions. Source: docs.stripe.com/currencies, "Zero-decimal currencies",
// "Three-decimal currencies" and "Special cases". The other currencies without decimals have
// none in ISO 4217 either.
var rules = []Rule{
	{"BHD", 3, 10},
	{"ISK", 2, 100}, // has no fractions and is written with two decimals
	{"JOD", 3, 10},
	{"KWD", 3, 10},
	{"MGA", 0, 1}, // ISO: two decimals
	{"OMR", 3, 10},
	{"TND", 3, 10},
}

// taken are the currencies that Stripe charges in, of those that ISO 4217 has. Source:
// docs.stripe.com/currencies, "Supported presentment currencies". UGX is left out: the page
// lists it both as written without decimals and as written with two, and a factor of a
// hundred is not to be guessed.
const taken = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CLP CNY COP " +
	"CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD JOD JPY KES " +
	"KGS KHR KMF KRW KWD KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD " +
	"OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD SZL THB TJS TND TOP TRY TTD TWD TZS " +
	"UAH USD UYU UZS VND VUV WST XAF XCD XOF XPF YER ZAR ZMW "

// Currencies returns the currencies that the gateway takes, sorted. The slice is the caller's.
func Currencies() []hyperlocal.Currency {
	var all []hyperlocal.Currency
	for code := range strings.FieldsSeq(taken) {
		all = append(all, hyperlocal.Currency(code))
	}
	return all
}

// Rules returns the currencies whose amounts Stripe writes in a way of its own, sorted. The
// slice is the caller's.
func Rules() []Rule { return append([]Rule(nil), rules...) }

func ruleOf(c hyperlocal.Currency) (Rule, int, bool) {
	decimals, ok := c.Decimals()
	if !ok || !strings.Contains(taken, string(c)+" ") {
		return Rule{}, 0, false
	}
	for _, r := range rules {
		if r.Currency == c {
			return r, decimals, true
		}
	}
	return Rule{c, decimals, 1}, decimals, true
}

var (
	errCurrency = hyperlocal.Invalid("stripe", "currency", "Stripe does not take this currency")
	errFraction = hyperlocal.Invalid("stripe", "amount", "Stripe does not take amounts this fine in this currency; round it")
)

// toStripe returns Stripe's integer for an amount and its name of the currency.
func toStripe(m hyperlocal.Money) (int64, string, error) {
	rule, decimals, ok := ruleOf(m.Currency())
	if !ok {
		return 0, "", errCurrency
	}
	amount := m.Amount()
	for ; decimals < rule.Decimals; decimals++ {
		if amount > math.MaxInt64/10 || amount < math.MinInt64/10 {
			return 0, "", errFraction.WithMessage("the amount is beyond all bounds")
		}
		amount *= 10
	}
	for ; decimals > rule.Decimals; decimals-- {
		if amount%10 != 0 {
			return 0, "", errFraction
		}
		amount /= 10
	}
	if amount%rule.Multiple != 0 {
		return 0, "", errFraction
	}
	return amount, strings.ToLower(string(m.Currency())), nil
}

// fromStripe reads what toStripe has written.
func fromStripe(amount int64, currency string) (hyperlocal.Money, error) {
	c, err := hyperlocal.ParseCurrency(strings.ToUpper(currency))
	if err != nil {
		return hyperlocal.Money{}, err
	}
	rule, decimals, ok := ruleOf(c)
	if !ok {
		return hyperlocal.Money{}, errCurrency
	}
	for d := rule.Decimals; d < decimals; d++ {
		if amount > math.MaxInt64/10 || amount < math.MinInt64/10 {
			return hyperlocal.Money{}, errFraction.WithMessage("the amount is beyond all bounds")
		}
		amount *= 10
	}
	for d := rule.Decimals; d > decimals; d-- {
		if amount%10 != 0 {
			return hyperlocal.Money{}, errFraction.WithMessage("the amount has fractions that the currency does not have")
		}
		amount /= 10
	}
	return hyperlocal.NewMoney(amount, c)
}
