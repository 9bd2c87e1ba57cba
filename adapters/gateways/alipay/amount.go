package alipay

import (
	"encoding/json"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Currency is the one currency of this gateway. Alipay writes it like ISO 4217 has it, with
// two decimals, so there is no table of exceptions.
const Currency hyperlocal.Currency = "CNY"

// maxFen is Alipay's limit for one trade, 100,000,000.00 yuan, in fen (minor units).
const maxFen = 10_000_000_000

// yuan writes an amount the way Alipay wants it: "0.01", always with two decimals. The code
// says why an amount cannot be sent.
func yuan(m hyperlocal.Money) (text, code string) {
	switch {
	case m.Currency() != Currency:
		return "", "currency_not_supported"
	case m.Sign() <= 0 || m.Amount() > maxFen:
		return "", "amount_out_of_range"
	}
	return m.Decimal(), ""
}

// decimal is an amount as Alipay writes it in an answer: a JSON string or, in some answers, a
// number, of which the digits are kept as they are.
type decimal string

// UnmarshalJSON keeps the digits.
func (d *decimal) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		var s string
		err := json.Unmarshal(text, &s)
		*d = decimal(s)
		return err
	}
	*d = decimal(text)
	if string(text) == "null" {
		*d = ""
	}
	return nil
}

// money reads an amount exactly. Signs, exponents, spaces and a third decimal are refused, and
// so is what no trade can have.
func (d decimal) money() (hyperlocal.Money, bool) {
	whole, fraction, point := strings.Cut(string(d), ".")
	if whole == "" || len(whole) > 9 || len(whole) > 1 && whole[0] == '0' || point && fraction == "" || len(fraction) > 2 ||
		strings.Trim(whole+fraction, "0123456789") != "" {
		return hyperlocal.Money{}, false
	}
	fen := int64(0)
	for _, c := range whole + (fraction + "00")[:2] {
		fen = fen*10 + int64(c-'0')
	}
	m, err := hyperlocal.NewMoney(fen, Currency)
	return m, err == nil && fen <= maxFen
}

// positive reads an amount above zero.
func (d decimal) positive() (hyperlocal.Money, bool) {
	m, ok := d.money()
	return m, ok && m.Sign() > 0
}
