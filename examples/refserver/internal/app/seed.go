package app

import (
	"context"
	"errors"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
	"github.com/hyperlocal-sdk/hyperlocal/community"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

// seedShop is one shop of the invented neighbourhood.
type seedShop struct {
	id, name string
	products []seedProduct
}

// seedProduct is a product with one variant. Price is in pence per unit of price; stock is
// in the base unit, -1 for what is not stocked.
type seedProduct struct {
	sku, title string
	kind       catalog.Kind
	per        hyperlocal.Quantity
	price      int64
	stock      int64
}

// neighbourhood is three shops around a corner.
func neighbourhood() []seedShop {
	piece := hyperlocal.Pieces(1)
	grams, _ := hyperlocal.NewQuantity(100, hyperlocal.Gram)
	hour, _ := hyperlocal.NewQuantity(60, hyperlocal.Minute)
	return []seedShop{
		{demoMerchant, "Corner Bakery", []seedProduct{
			{"sourdough", "Sourdough loaf, 800 g", catalog.KindGoods, piece, 420, 40},
			{"rye", "Dark rye loaf", catalog.KindGoods, piece, 390, 25},
			{"croissant", "Butter croissant", catalog.KindGoods, piece, 180, 120},
			{"cinnamon", "Cinnamon knot", catalog.KindGoods, piece, 240, 60},
			{"baguette", "Baguette", catalog.KindGoods, piece, 210, 80},
			{"birthday", "Birthday cake, ordered a day ahead", catalog.KindGoods, piece, 3200, 3},
			{"coffee", "Filter coffee", catalog.KindService, piece, 280, -1},
			{"flour", "Stone-ground flour, loose", catalog.KindGoods, grams, 28, 25_000},
		}},
		{"green-grocer", "Green & Grocer", []seedProduct{
			{"apples", "Cox apples, loose", catalog.KindGoods, grams, 35, 40_000},
			{"carrots", "Carrots, loose", catalog.KindGoods, grams, 14, 60_000},
			{"eggs", "Six free-range eggs", catalog.KindGoods, piece, 310, 50},
			{"milk", "Whole milk, 1 l", catalog.KindGoods, piece, 165, 70},
			{"honey", "Honey from the allotments", catalog.KindGoods, piece, 750, 18},
			{"basil", "Basil in a pot", catalog.KindGoods, piece, 220, 12},
			{"box", "Vegetable box for two", catalog.KindGoods, piece, 1450, 20},
		}},
		{"pedal-power", "Pedal Power Repairs", []seedProduct{
			{"tune-up", "Tune-up while you wait", catalog.KindService, piece, 3500, -1},
			{"workshop", "Workshop time with a mechanic", catalog.KindService, hour, 2400, -1},
			{"tube", "Inner tube, 700c", catalog.KindGoods, piece, 695, 90},
			{"lights", "Front and rear light", catalog.KindGoods, piece, 2495, 15},
			{"lock", "Folding lock", catalog.KindGoods, piece, 5999, 6},
		}},
	}
}

// seed fills an empty tenant with the neighbourhood. Everything it does can be repeated, so
// a start that was killed half way is completed by the next one; a shop that has products is
// left alone, whatever was changed since.
func (a *App) seed(ctx context.Context) error {
	for _, shop := range neighbourhood() {
		if err := a.seedShop(ctx, shop); err != nil {
			return err
		}
	}
	_, err := a.Community.CreateCircle(ctx, community.CreateCircleCommand{
		Tenant: Demo, Actor: hyperlocal.Actor{Kind: "shopper", ID: demoShopper}, Name: "Around the corner",
		Slug: "around-the-corner", Visibility: community.Open,
	})
	if errors.Is(err, community.ErrSlugTaken) {
		return nil
	}
	return err
}

func (a *App) seedShop(ctx context.Context, shop seedShop) error {
	by := hyperlocal.System("seed")
	merchant := catalog.Merchant(shop.id)
	location := hyperlocal.LocationID(shop.id)
	_, err := a.Catalog.CreateShop(ctx, catalog.CreateShopCommand{
		Tenant: Demo, Actor: by, Merchant: merchant, Name: shop.name, Currency: "GBP", Location: location, Open: true,
	})
	if err != nil && !errors.Is(err, catalog.ErrShopExists) {
		return err
	}
	page, err := a.Catalog.ListProducts(ctx, Demo, catalog.Filter{Merchant: merchant}, hyperlocal.PageRequest{Limit: 1})
	if err != nil || len(page.Items) > 0 {
		return err
	}
	var items []inventory.Item
	var stock []inventory.StockLine
	products := make([]catalog.NewProduct, len(shop.products))
	for i, p := range shop.products {
		price, err := hyperlocal.NewMoney(p.price, "GBP")
		if err != nil {
			return err
		}
		v := catalog.NewVariant{SKU: p.sku, PriceQuantity: p.per, Prices: []hyperlocal.Money{price}, Stocked: p.stock >= 0}
		if v.Stocked {
			v.Item, v.Location = hyperlocal.ItemID(shop.id+"/"+p.sku), location
			quantity, err := hyperlocal.NewQuantity(p.stock, p.per.Unit())
			if err != nil {
				return err
			}
			items = append(items, inventory.Item{ID: v.Item, Location: location, Unit: p.per.Unit(), Mode: inventory.ModeReserveOnOrder})
			stock = append(stock, inventory.StockLine{
				Item: v.Item, Location: location, Quantity: quantity,
				External: hyperlocal.External{Source: "seed", Reference: string(v.Item)},
			})
		}
		products[i] = catalog.NewProduct{Title: p.title, Kind: p.kind, Variants: []catalog.NewVariant{v}}
	}
	if _, err := a.Catalog.CreateProducts(ctx, catalog.CreateProductsCommand{
		Tenant: Demo, Actor: by, Merchant: merchant, Products: products,
	}); err != nil {
		return err
	}
	if _, err := a.Stock.SetItems(ctx, inventory.SetItemsCommand{Tenant: Demo, Actor: by, Items: items}); err != nil {
		return err
	}
	_, err = a.Stock.Receive(ctx, inventory.StockCommand{Tenant: Demo, Actor: by, Lines: stock, Reason: "opening"})
	return err
}
