package hyperlocal_test

import (
	"encoding/json"
	"fmt"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func ExampleParseQuantity() {
	weight, err := hyperlocal.ParseQuantity("1.5", "kg")
	fmt.Println(weight, err)

	_, err = hyperlocal.ParseQuantity("1.5", "piece")
	fmt.Println(hyperlocal.ReasonOf(err))
	// Output:
	// 1500 g <nil>
	// quantity/too_fine
}

// Loose tea costs 4.50 per 100 g, and the customer takes 333 g.
func ExampleLineAmount() {
	price, err := hyperlocal.ParseMoney("4.50", "GBP")
	if err != nil {
		panic(err)
	}
	per, err := hyperlocal.NewQuantity(100, hyperlocal.Gram)
	if err != nil {
		panic(err)
	}
	taken, err := hyperlocal.ParseQuantity("0.333", "kg")
	if err != nil {
		panic(err)
	}
	amount, err := hyperlocal.LineAmount(price, per, taken, hyperlocal.RoundHalfUp)
	fmt.Println(amount, err) // exactly 14.985
	// Output:
	// 14.99 GBP <nil>
}

func ExampleQuantity_MarshalJSON() {
	text, err := json.Marshal(hyperlocal.Pieces(3))
	fmt.Println(string(text), err)

	var q hyperlocal.Quantity
	err = json.Unmarshal([]byte(`{"value":"0.75","unit":"l"}`), &q)
	fmt.Println(q, err)
	// Output:
	// {"value":"3","unit":"piece"} <nil>
	// 750 ml <nil>
}
