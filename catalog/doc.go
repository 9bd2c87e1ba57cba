// Package catalog knows what is for sale: shops, their products, the variants of these, and
// what each variant costs in which currency.
//
// A [Shop] belongs to a merchant, and its currency is what it sells in. A [Product] has one
// or more variants; a [Variant] has a SKU that is unique within the merchant's products, and
// says whether inventory counts it, under which item and where. Every change raises the
// product's version by one and tells so in an event.
//
// # Who calls it
//
// The order context, through a port of its own that [Service.Offers] satisfies by structure:
// it prices the lines of a placement, so that no price ever comes from a client. Merchants
// use [Service.CreateProducts], [Service.UpdateVariant] and [Service.Archive]; another
// system's catalogue comes in by [Service.Import]; a shop window reads [Service.ListProducts].
//
// # The smallest program
//
//	db := memstore.New()
//	goods, err := catalog.New(catalog.Config{Store: db.Catalog(), Tx: db, Outbox: db.Outbox()})
//	...
//	shop, err := goods.CreateShop(ctx, catalog.CreateShopCommand{
//		Tenant: "acme", Actor: admin, Merchant: catalog.Merchant("corner"), Name: "Corner Shop", Currency: "EUR", Open: true,
//	})
//	made, err := goods.CreateProducts(ctx, catalog.CreateProductsCommand{
//		Tenant: "acme", Actor: admin, Merchant: shop.Merchant, Products: []catalog.NewProduct{{
//			Title: "Espresso", Variants: []catalog.NewVariant{{SKU: "ESP-1", Stocked: true, Prices: []hyperlocal.Money{price}}},
//		}},
//	})
//
// # What it never does
//
// It never counts stock, rounds a price or deletes a product: an order of last year still
// finds what it sold. Whoever changes a merchant's products holds the lock on its shop, so
// two imports at once end as if one had come after the other.
package catalog
