package catalog_test

import (
	"context"
	"fmt"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
)

// A cash register sends its whole list every night. What has not changed is left alone, and a
// bad row holds no other back.
func ExampleService_Import() {
	ctx := context.Background()
	db := memstore.New()
	goods, err := catalog.New(catalog.Config{Store: db.Catalog(), Tx: db, Outbox: db.Outbox()})
	if err != nil {
		fmt.Println(err)
		return
	}
	till := hyperlocal.Actor{Kind: "merchant", ID: "till"}
	shop, err := goods.CreateShop(ctx, catalog.CreateShopCommand{Tenant: "acme", Actor: till, Name: "Corner", Currency: "EUR", Open: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	milk, _ := hyperlocal.NewMoney(119, "EUR")
	eggs, _ := hyperlocal.NewMoney(299, "EUR")
	c := catalog.ImportCommand{Tenant: "acme", Actor: till, Merchant: shop.Merchant, Rows: []catalog.ImportRow{
		{SKU: "40001", Title: "Milk", Stocked: true, Prices: []hyperlocal.Money{milk}},
		{SKU: "40002", Title: "Eggs", Stocked: true, Prices: []hyperlocal.Money{eggs}},
		{SKU: "", Title: "Deposit"},
	}}
	for range 3 {
		r, err := goods.Import(ctx, c)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("added", r.Added, "changed", r.Changed, "unchanged", r.Unchanged, "refused", r.Refused)
		c.Rows[1].Prices[0] = milk // a bargain
	}
	// Output:
	// added 2 changed 0 unchanged 0 refused 1
	// added 0 changed 1 unchanged 1 refused 1
	// added 0 changed 0 unchanged 2 refused 1
}
