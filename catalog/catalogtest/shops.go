package catalogtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
)

func (k *kit) shop(t *testing.T) {
	made, err := k.CreateShop(k.ctx, catalog.CreateShopCommand{
		Tenant: north, Actor: clerk, Merchant: bakery, Name: "Bäckerei 麵包", Currency: "EUR",
	})
	must(t, err)
	got, err := k.GetShop(k.ctx, north, bakery)
	must(t, err)
	want := catalog.Shop{
		Tenant: north, Merchant: bakery, Name: "Bäckerei 麵包", Currency: "EUR", Location: "bakery", Version: 1,
		CreatedAt: k.now.Truncate(time.Microsecond), UpdatedAt: k.now.Truncate(time.Microsecond),
	}
	if made != want || got != want {
		t.Errorf("made %+v, read %+v, want %+v", made, got, want)
	}
	k.now = k.now.Add(time.Hour)
	want.Name, want.Open, want.Location, want.Version = "Bakery", true, "oven", 2
	want.UpdatedAt = k.now.Truncate(time.Microsecond)
	update := catalog.UpdateShopCommand{
		Tenant: north, Actor: clerk, Merchant: bakery, Version: 1, Name: ptr("Bakery"), Open: ptr(true),
		Location: ptr(hyperlocal.LocationID("oven")),
	}
	if made, err = k.UpdateShop(k.ctx, update); err != nil || made != want {
		t.Errorf("updated to %+v, %v, want %+v", made, err, want)
	}
	_, err = k.UpdateShop(k.ctx, update)
	wantErr(t, err, catalog.ErrStale)
	update.Version = 0
	k.now = k.now.Add(time.Hour)
	if made, err = k.UpdateShop(k.ctx, update); err != nil || made != want {
		t.Errorf("the same again makes it %+v, %v", made, err)
	}
	if got, err = k.GetShop(k.ctx, north, bakery); err != nil || got != want {
		t.Errorf("read %+v, %v, want %+v", got, err, want)
	}
	k.wantEvents(t, bakery, "shop_created@1.0 shop_updated@2.0")

	own, err := k.CreateShop(k.ctx, catalog.CreateShopCommand{Tenant: north, Actor: clerk, Name: "New", Currency: "EUR"})
	if err != nil || own.Merchant.Kind != catalog.MerchantKind || !hyperlocal.ValidID(own.Merchant.ID) {
		t.Errorf("a shop without a merchant gets %v, %v", own.Merchant, err)
	}
}

func (k *kit) shopRefused(t *testing.T) {
	k.open(t, north, bakery)
	good := catalog.CreateShopCommand{Tenant: north, Actor: clerk, Merchant: grocery, Name: "Grocery", Currency: "EUR"}
	for field, spoil := range map[string]func(c *catalog.CreateShopCommand){
		"merchant": func(c *catalog.CreateShopCommand) { c.Merchant = hyperlocal.NewRef("shop", "x") },
		"name":     func(c *catalog.CreateShopCommand) { c.Name = strings.Repeat("x", catalog.MaxName+1) },
		"currency": func(c *catalog.CreateShopCommand) { c.Currency = "EURO" },
		"location": func(c *catalog.CreateShopCommand) { c.Location = "a\x00" },
	} {
		c := good
		spoil(&c)
		_, err := k.CreateShop(k.ctx, c)
		wantInvalid(t, err, field)
	}
	good.Merchant = bakery
	_, err := k.CreateShop(k.ctx, good)
	wantErr(t, err, catalog.ErrShopExists)
	_, err = k.GetShop(k.ctx, north, grocery)
	wantErr(t, err, catalog.ErrShopNotFound)
	_, err = k.UpdateShop(k.ctx, catalog.UpdateShopCommand{Tenant: north, Actor: clerk, Merchant: grocery, Open: ptr(true)})
	wantErr(t, err, catalog.ErrShopNotFound)
	_, err = k.UpdateShop(k.ctx, catalog.UpdateShopCommand{Tenant: north, Actor: clerk, Merchant: bakery, Name: ptr("")})
	wantInvalid(t, err, "name")
	k.wantEvents(t, bakery, "shop_created@1.0")
}

func (k *kit) shopsPage(t *testing.T) {
	make1 := func(id, name string, open bool) {
		_, err := k.CreateShop(k.ctx, catalog.CreateShopCommand{
			Tenant: north, Actor: clerk, Merchant: catalog.Merchant(id), Name: name, Currency: "EUR", Open: open,
		})
		must(t, err)
	}
	for i, name := range []string{"beta", "Alpha", "delta", "Gamma", "alpha"} {
		make1(fmt.Sprint("m", i), name, i != 2)
	}
	read := func(f catalog.ShopFilter, between func()) string {
		var names []string
		var p hyperlocal.PageRequest
		for p.Limit = 2; ; {
			page, err := k.ListShops(k.ctx, north, f, p)
			must(t, err)
			for _, s := range page.Items {
				names = append(names, s.Name)
			}
			between()
			if p.Cursor = page.Next; p.Cursor == "" {
				return strings.Join(names, " ")
			}
		}
	}
	if got := read(catalog.ShopFilter{OnlyOpen: true}, func() {}); got != "Alpha alpha beta Gamma" {
		t.Errorf("open shops are %s", got)
	}
	n := 0
	got := read(catalog.ShopFilter{}, func() {
		n++
		make1(fmt.Sprint("before", n), "aaa", true)
	})
	if got != "Alpha alpha beta delta Gamma" {
		t.Errorf("shops are %s", got)
	}
	page, err := k.ListShops(k.ctx, north, catalog.ShopFilter{}, hyperlocal.PageRequest{Limit: 1})
	must(t, err)
	_, err = k.ListShops(k.ctx, north, catalog.ShopFilter{OnlyOpen: true}, hyperlocal.PageRequest{Cursor: page.Next})
	wantErr(t, err, hyperlocal.ErrCursor)
	_, err = k.ListShops(k.ctx, south, catalog.ShopFilter{}, hyperlocal.PageRequest{Cursor: page.Next})
	wantErr(t, err, hyperlocal.ErrCursor)
}
