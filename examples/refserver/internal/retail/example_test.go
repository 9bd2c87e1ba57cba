package retail_test

import (
	"bytes"
	"fmt"

	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/retail"
)

func Example() {
	file, err := retail.Read(bytes.NewReader(retail.Sample()), retail.Options{Currency: "GBP"})
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := retail.NewPlan(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(file.Dialect)
	fmt.Println(file.Rows, "rows,", len(file.Rejected), "rejected, the first:", file.Rejected[0].Text)
	fmt.Println(plan.Expected.Orders, "orders,", plan.Expected.Sales)
	fmt.Println(plan.Expected.Credits, "credits,", plan.Expected.Credited)
	// Output:
	// utf-8 with byte-order mark, semicolon, decimal comma, d/m/yyyy
	// 52 rows, 19 rejected, the first: the quantity is not a whole number: "four"
	// 14 orders, 322.53 GBP
	// 11 credits, 158.15 GBP
}
