package hyperlocal_test

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func ExampleParseMoney() {
	price, err := hyperlocal.ParseMoney("19.99", "GBP")
	fmt.Println(price, price.Amount(), err)

	_, err = hyperlocal.ParseMoney("19.99", "JPY")
	fmt.Println(errors.Is(err, hyperlocal.ErrTooFine))
	// Output:
	// 19.99 GBP 1999 <nil>
	// true
}

func ExampleMoney_Add() {
	price, err := hyperlocal.NewMoney(1999, "GBP")
	if err != nil {
		panic(err)
	}
	postage, err := hyperlocal.NewMoney(350, "GBP")
	if err != nil {
		panic(err)
	}
	total, err := price.Add(postage)
	fmt.Println(total, err)

	tip, err := hyperlocal.NewMoney(100, "EUR")
	if err != nil {
		panic(err)
	}
	_, err = total.Add(tip)
	fmt.Println(hyperlocal.ReasonOf(err))
	// Output:
	// 23.49 GBP <nil>
	// money/currency_mismatch
}

func ExampleMoney_MulRate() {
	net, err := hyperlocal.ParseMoney("19.99", "GBP")
	if err != nil {
		panic(err)
	}
	tax, err := net.MulRate(decimal.RequireFromString("0.2"), hyperlocal.RoundHalfUp)
	fmt.Println(tax, err) // exactly 3.998
	// Output:
	// 4.00 GBP <nil>
}

// A coupon of 10.00 spread over three lines by their amounts: no penny is lost or made up.
func ExampleMoney_Allocate() {
	coupon, err := hyperlocal.ParseMoney("-10.00", "GBP")
	if err != nil {
		panic(err)
	}
	shares, err := coupon.Allocate(1999, 1999, 500)
	fmt.Println(shares, err)
	// Output:
	// [-4.45 GBP -4.44 GBP -1.11 GBP] <nil>
}

func ExampleMoney_Split() {
	bill, err := hyperlocal.ParseMoney("100", "GBP")
	if err != nil {
		panic(err)
	}
	shares, err := bill.Split(3)
	fmt.Println(shares, err)
	// Output:
	// [33.34 GBP 33.33 GBP 33.33 GBP] <nil>
}

func ExampleMoney_MarshalJSON() {
	line := struct {
		Price    hyperlocal.Money `json:"price"`
		Discount hyperlocal.Money `json:"discount"`
	}{}
	err := json.Unmarshal([]byte(`{"price":{"amount":1999,"currency":"GBP"},"discount":null}`), &line)
	fmt.Println(line.Price, line.Discount.IsValid(), err)

	text, err := json.Marshal(line)
	fmt.Println(string(text), err)
	// Output:
	// 19.99 GBP false <nil>
	// {"price":{"amount":1999,"currency":"GBP"},"discount":null} <nil>
}

func ExampleCurrency_Decimals() {
	for _, c := range []hyperlocal.Currency{"GBP", "JPY", "KWD", "CLF"} {
		decimals, _ := c.Decimals()
		fmt.Println(c, decimals)
	}
	// Output:
	// GBP 2
	// JPY 0
	// KWD 3
	// CLF 4
}
