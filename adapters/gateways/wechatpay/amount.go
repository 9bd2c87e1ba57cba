package wechatpay

import "github.com/hyperlocal-sdk/hyperlocal"

// currencies are those that a mainland account takes, with the decimals of WeChat Pay's
// smallest unit, which is a fen. It has no exception to ISO 4217.
var currencies = map[hyperlocal.Currency]int{"CNY": 2}

const domestic = hyperlocal.Currency("CNY")

// amount is how WeChat Pay writes money.
type amount struct {
	Total    *int64 `json:"total,omitempty"`
	Refund   *int64 `json:"refund,omitempty"`
	Currency string `json:"currency,omitempty"`
}

// minor returns an amount in WeChat Pay's smallest unit; false for a currency that it does not
// take, or nothing to pay.
func minor(m hyperlocal.Money) (int64, bool) {
	decimals, taken := currencies[m.Currency()]
	iso, known := m.Currency().Decimals()
	return m.Amount(), taken && known && iso == decimals && m.Sign() > 0
}

// moneyOf reads what WeChat Pay says; no valid money if it cannot be read. Another currency
// than ours is kept, so that whoever compares sees it. A refund's notification names none.
func moneyOf(units *int64, currency string) hyperlocal.Money {
	if units == nil || *units <= 0 {
		return hyperlocal.Money{}
	}
	if currency == "" {
		currency = string(domestic)
	}
	m, err := hyperlocal.NewMoney(*units, hyperlocal.Currency(currency))
	if err != nil {
		return hyperlocal.Money{}
	}
	return m
}
