package catalog_test

import (
	"context"
	"fmt"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
)

// A merchant opens a shop and sells bread in two sizes. What the shop offers is what an order
// is priced by.
func ExampleService_Offers() {
	ctx := context.Background()
	db := memstore.New()
	goods, err := catalog.New(catalog.Config{Store: db.Catalog(), Tx: db, Outbox: db.Outbox()})
	if err != nil {
		fmt.Println(err)
		return
	}
	baker := hyperlocal.Actor{Kind: "merchant", ID: "bakery"}
	shop, err := goods.CreateShop(ctx, catalog.CreateShopCommand{
		Tenant: "acme", Actor: baker, Merchant: catalog.Merchant("bakery"), Name: "Bakery", Currency: "EUR", Open: true,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	full, _ := hyperlocal.ParseMoney("4.99", "EUR")
	dollars, _ := hyperlocal.ParseMoney("3.10", "USD")
	made, err := goods.CreateProducts(ctx, catalog.CreateProductsCommand{
		Tenant: "acme", Actor: baker, Merchant: shop.Merchant, Products: []catalog.NewProduct{{
			Title: "Rye bread", Variants: []catalog.NewVariant{
				{SKU: "RYE-1000", Title: "1 kg", Stocked: true, Item: "rye", Prices: []hyperlocal.Money{full}},
				{SKU: "RYE-500", Title: "500 g", Stocked: true, Prices: []hyperlocal.Money{dollars}},
			},
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	offers, err := goods.Offers(ctx, "acme", shop.Merchant, []hyperlocal.Ref{
		made[0].Variants[0].ID.Ref(), made[0].Variants[1].ID.Ref(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(offers[0].Title, offers[0].UnitPrice, offers[0].Item, offers[0].Location)
	fmt.Println(hyperlocal.ReasonOf(offers[1].Err))
	// Output:
	// Rye bread, 1 kg 4.99 EUR rye bakery
	// catalog/no_price
}
