package catalogtest

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
)

// same compares products by content: an empty list and none are equal.
func same(t *testing.T, got, want catalog.Product) {
	t.Helper()
	tidy := func(p catalog.Product) catalog.Product {
		p = p.Clone()
		for i := range p.Variants {
			if len(p.Variants[i].Options) == 0 {
				p.Variants[i].Options = nil
			}
			if len(p.Variants[i].Prices) == 0 {
				p.Variants[i].Prices = nil
			}
		}
		return p
	}
	if got, want = tidy(got), tidy(want); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func (k *kit) products(t *testing.T) {
	k.open(t, north, bakery)
	made := k.create(t, north, bakery,
		catalog.NewProduct{
			Title: "Brot \"Roggen\" \\ 🍞\t黑麥", Description: "line one\nline two", Kind: catalog.KindGoods, State: catalog.Draft,
			Variants: []catalog.NewVariant{
				{
					SKU: "R-1000", Title: "1 kg", Stocked: true, Item: "rye dough", Location: "cellar", Options: []catalog.Option{{Name: "größe", Value: "1 kg"}, {Name: "cut", Value: "no"}},
					Prices: []hyperlocal.Money{money(t, 550, "USD"), money(t, 499, "EUR"), money(t, 800, "JPY")},
				},
				{SKU: "r-1000", Title: "half"},
			},
		}, catalog.NewProduct{Title: "Slicing", Kind: catalog.KindService, Variants: []catalog.NewVariant{{
			SKU: "SLICE", PriceQuantity: hyperlocal.Pieces(10), Prices: []hyperlocal.Money{money(t, 0, "EUR")},
		}}})
	rye, slice := made[0], made[1]
	if v := rye.Variants[0]; v.Item != "rye dough" || v.Location != "cellar" || v.PriceQuantity != hyperlocal.Pieces(1) ||
		v.Prices[0] != money(t, 499, "EUR") {
		t.Errorf("made %+v", v)
	}
	if v := slice.Variants[0]; v.Stocked || v.Item != "" || v.Location != "" || slice.State != catalog.Active {
		t.Errorf("made %+v", slice)
	}
	if rye.Version != 1 || !rye.CreatedAt.Equal(k.now.Truncate(time.Microsecond)) {
		t.Errorf("made version %d at %s", rye.Version, rye.CreatedAt)
	}
	got, err := k.GetProduct(k.ctx, north, rye.ID)
	must(t, err)
	same(t, got, rye)

	missing := catalog.ProductID(hyperlocal.RandomIDs{}.NewID())
	list, err := k.GetProducts(k.ctx, north, slice.ID, missing, "no id", rye.ID, slice.ID)
	must(t, err)
	if len(list) != 2 || list[0].ID != slice.ID || list[1].ID != rye.ID {
		t.Fatalf("read %d products in the wrong order", len(list))
	}
	same(t, list[0], slice)
	_, err = k.GetProduct(k.ctx, north, missing)
	wantErr(t, err, catalog.ErrProductNotFound)

	found, err := k.VariantsBySKU(k.ctx, north, bakery, "SLICE", "nothing", "r-1000", "SLICE")
	must(t, err)
	if len(found) != 2 || found[0].ID != slice.Variants[0].ID || found[1].ID != rye.Variants[1].ID {
		t.Errorf("by SKU: %+v", found)
	}
	k.wantEvents(t, rye.ID.Ref(), "product_created@1.0")

	k.now = k.now.Add(time.Minute)
	grown, err := k.AddVariants(k.ctx, catalog.AddVariantsCommand{
		Tenant: north, Actor: clerk, Merchant: bakery, Product: rye.ID, Version: 1,
		Variants: []catalog.NewVariant{{SKU: "R-2000", Stocked: true, Prices: []hyperlocal.Money{money(t, 900, "EUR")}}},
	})
	must(t, err)
	if v := grown.Variants[2]; len(grown.Variants) != 3 || grown.Version != 2 || v.Item != hyperlocal.ItemID(v.ID) || v.Location != "counter" {
		t.Errorf("grown to %+v", grown)
	}
	got, err = k.GetProduct(k.ctx, north, rye.ID)
	must(t, err)
	same(t, got, grown)
	k.wantEvents(t, rye.ID.Ref(), "product_created@1.0 product_updated@2.0")
}

func (k *kit) productsRefused(t *testing.T) {
	k.open(t, north, bakery)
	k.open(t, north, grocery)
	k.create(t, north, bakery, bread(t, "A", "Bread", 1))
	command := func(p ...catalog.NewProduct) catalog.CreateProductsCommand {
		return catalog.CreateProductsCommand{Tenant: north, Actor: clerk, Merchant: bakery, Products: p}
	}
	for _, c := range []struct {
		field string
		spoil func(p *catalog.NewProduct)
	}{
		{"title", func(p *catalog.NewProduct) { p.Title = "" }},
		{"title", func(p *catalog.NewProduct) { p.Title = " padded" }},
		{"title", func(p *catalog.NewProduct) { p.Title = "bad \xff" }},
		{"description", func(p *catalog.NewProduct) { p.Description = strings.Repeat("x", catalog.MaxDescription+1) }},
		{"kind", func(p *catalog.NewProduct) { p.Kind = "gas" }},
		{"state", func(p *catalog.NewProduct) { p.State = "gone" }},
		{"variants", func(p *catalog.NewProduct) { p.Variants = nil }},
		{"sku", func(p *catalog.NewProduct) { p.Variants[0].SKU = "" }},
		{"item", func(p *catalog.NewProduct) { p.Variants[0].Stocked, p.Variants[0].Item = false, "x" }},
		{"options", func(p *catalog.NewProduct) {
			p.Variants[0].Options = []catalog.Option{{Name: "a", Value: "1"}, {Name: "a", Value: "2"}}
		}},
		{"price_quantity", func(p *catalog.NewProduct) { p.Variants[0].PriceQuantity = hyperlocal.Pieces(-1) }},
		{"prices", func(p *catalog.NewProduct) { p.Variants[0].Prices[0] = money(t, -1, "EUR") }},
		{"prices", func(p *catalog.NewProduct) { p.Variants[0].Prices[0] = hyperlocal.Money{} }},
		{"prices", func(p *catalog.NewProduct) { p.Variants[0].Prices = append(p.Variants[0].Prices, money(t, 1, "EUR")) }},
	} {
		bad := bread(t, "B", "Bread", 1)
		c.spoil(&bad)
		_, err := k.CreateProducts(k.ctx, command(bread(t, "C", "Good", 1), bad))
		wantInvalid(t, err, c.field)
	}
	_, err := k.CreateProducts(k.ctx, command(bread(t, "B", "Bread", 1), bread(t, "A", "Twin", 1)))
	wantErr(t, err, catalog.ErrSKUTaken)
	_, err = k.CreateProducts(k.ctx, command(bread(t, "B", "Bread", 1), bread(t, "B", "Twin", 1)))
	wantErr(t, err, catalog.ErrSKUTaken)
	_, err = k.CreateProducts(k.ctx, command())
	wantInvalid(t, err, "products")
	nobody := command(bread(t, "B", "Bread", 1))
	nobody.Merchant = catalog.Merchant("nobody")
	_, err = k.CreateProducts(k.ctx, nobody)
	wantErr(t, err, catalog.ErrShopNotFound)
	if products, events := k.count(t, north); products != 1 || events != 3 {
		t.Errorf("%d products and %d events are left of refused commands", products, events)
	}
	k.create(t, north, grocery, bread(t, "A", "Another merchant's", 1))
}

func (k *kit) update(t *testing.T) {
	k.open(t, north, bakery)
	k.open(t, north, grocery)
	p := k.create(t, north, bakery, bread(t, "A", "Bread", 100))[0]
	v := p.Variants[0].ID
	set := catalog.UpdateVariantCommand{
		Tenant: north, Actor: clerk, Merchant: bakery, Product: p.ID, Variant: v, Version: 1,
		Prices: []hyperlocal.Money{money(t, 120, "USD"), money(t, 110, "EUR")},
	}
	k.now = k.now.Add(time.Second)
	got, err := k.UpdateVariant(k.ctx, set)
	must(t, err)
	if m, ok := got.Variants[0].Price("USD"); !ok || m != money(t, 120, "USD") || got.Version != 2 {
		t.Errorf("updated to %+v", got)
	}
	set.Version = 2
	if again, err := k.UpdateVariant(k.ctx, set); err != nil || again.Version != 2 {
		t.Errorf("the same price again makes version %d, %v", again.Version, err)
	}
	set.Prices = []hyperlocal.Money{money(t, 130, "CHF")}
	set.Title, set.Options, set.PriceQuantity = ptr("large"), &[]catalog.Option{{Name: "size", Value: "L"}}, hyperlocal.Pieces(2)
	got, err = k.UpdateVariant(k.ctx, set)
	must(t, err)
	if len(got.Variants[0].Prices) != 1 || got.Variants[0].Title != "large" {
		t.Errorf("updated to %+v", got)
	}
	got, err = k.UpdateProduct(k.ctx, catalog.UpdateProductCommand{
		Tenant: north, Actor: clerk, Merchant: bakery, Product: p.ID, Title: ptr("Loaf"), Description: ptr("fresh"), State: ptr(catalog.Draft),
	})
	must(t, err)
	archive := catalog.ArchiveCommand{Tenant: north, Actor: clerk, Merchant: bakery, Product: p.ID, Version: 4}
	if got, err = k.Archive(k.ctx, archive); err != nil || got.State != catalog.Archived || got.Version != 5 {
		t.Errorf("archived to %+v, %v", got, err)
	}
	archive.Version = 0
	if again, err := k.Archive(k.ctx, archive); err != nil || again.Version != 5 {
		t.Errorf("archived again: version %d, %v", again.Version, err)
	}
	stored, err := k.GetProduct(k.ctx, north, p.ID)
	must(t, err)
	same(t, stored, got)
	k.wantEvents(t, p.ID.Ref(), "product_created@1.0 price_changed@2.0 product_updated@3.0 price_changed@3.1 "+
		"product_updated@4.0 product_archived@5.0")

	archive.Merchant = grocery
	_, err = k.Archive(k.ctx, archive)
	wantErr(t, err, catalog.ErrProductNotFound)
	set.Version, set.Variant = 0, catalog.VariantID(hyperlocal.RandomIDs{}.NewID())
	_, err = k.UpdateVariant(k.ctx, set)
	wantErr(t, err, catalog.ErrVariantNotFound)
	set.Variant, set.Prices = v, []hyperlocal.Money{money(t, -1, "EUR")}
	_, err = k.UpdateVariant(k.ctx, set)
	wantInvalid(t, err, "prices")
}

func (k *kit) stale(t *testing.T) {
	k.open(t, north, bakery)
	p := k.create(t, north, bakery, bread(t, "A", "Bread", 100))[0]
	rename := catalog.UpdateProductCommand{
		Tenant: north, Actor: clerk, Merchant: bakery, Product: p.ID, Version: 1, Title: ptr("Loaf"),
	}
	_, err := k.UpdateProduct(k.ctx, rename)
	must(t, err)
	rename.Title = ptr("Roll")
	_, err = k.UpdateProduct(k.ctx, rename)
	wantErr(t, err, catalog.ErrStale)
	if e, ok := err.(*hyperlocal.Error); !ok || e.Fields["version"] != "2" { //nolint:errorlint // what it carries is the test
		t.Errorf("the error does not tell the present version: %v", err)
	}
	// What the service checks, the store checks again.
	old := p
	old.Version = 2
	err = k.Tx.WithinTx(k.ctx, func(ctx context.Context) error { return k.Store.SaveProducts(ctx, []catalog.Product{old}) })
	wantErr(t, err, catalog.ErrStale)
	got, err := k.GetProduct(k.ctx, north, p.ID)
	if err != nil || got.Title != "Loaf" || got.Version != 2 {
		t.Errorf("after stale writes it is %+v, %v", got, err)
	}
}

// parallel has many change one product that all of them have read at version 1.
func (k *kit) parallel(t *testing.T) {
	k.open(t, north, bakery)
	p := k.create(t, north, bakery, bread(t, "A", "Bread", 100))[0]
	const writers = 20
	errs := make([]error, 2*writers)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			c := catalog.UpdateVariantCommand{
				Tenant: north, Actor: clerk, Merchant: bakery, Product: p.ID, Variant: p.Variants[0].ID,
				Prices: []hyperlocal.Money{money(t, int64(200+i), "EUR")},
			}
			if i >= writers {
				c.Version = 1
			}
			_, errs[i] = k.UpdateVariant(k.ctx, c)
		})
	}
	wg.Wait()
	won := 0
	for i, err := range errs {
		switch {
		case i < writers:
			must(t, err)
		case err == nil:
			won++
		default:
			wantErr(t, err, catalog.ErrStale)
		}
	}
	got, err := k.GetProduct(k.ctx, north, p.ID)
	must(t, err)
	if won > 1 || got.Version != int64(1+writers+won) {
		t.Errorf("%d of those that read version 1 won, and the version is %d", won, got.Version)
	}
	if n := strings.Count(k.events(t, p.ID.Ref()), "price_changed"); n != writers+won {
		t.Errorf("%d changes were told of, want %d", n, writers+won)
	}
}

func (k *kit) offers(t *testing.T) {
	k.open(t, north, bakery)
	k.open(t, north, grocery)
	rye := bread(t, "R", "Rye", 499)
	rye.Variants = append(rye.Variants, catalog.NewVariant{SKU: "R2", Title: "half", Prices: []hyperlocal.Money{money(t, 300, "USD")}})
	draft := bread(t, "D", "Draft", 1)
	draft.State = catalog.Draft
	ticket := catalog.NewProduct{Title: "Course", Kind: catalog.KindTicket, Variants: []catalog.NewVariant{{
		SKU: "T", Title: "adult", PriceQuantity: hyperlocal.Pieces(2), Prices: []hyperlocal.Money{money(t, 0, "EUR")},
	}}}
	made := k.create(t, north, bakery, rye, draft, ticket)
	foreign := k.create(t, north, grocery, bread(t, "X", "Foreign", 1))[0].Variants[0].ID.Ref()
	v := made[0].Variants[0]
	full, half := v.ID.Ref(), made[0].Variants[1].ID.Ref()
	asked := []hyperlocal.Ref{
		full, half, made[1].Variants[0].ID.Ref(), made[2].Variants[0].ID.Ref(), foreign,
		{}, hyperlocal.NewRef("variant", "x"), hyperlocal.NewRef("voucher", full.ID), full,
	}
	got, err := k.Offers(k.ctx, north, bakery, asked)
	must(t, err)
	one := hyperlocal.Offer{
		Variant: full, Code: "R", Title: "Rye", Kind: "goods", UnitPrice: money(t, 499, "EUR"),
		PriceQuantity: hyperlocal.Pieces(1), Item: v.Item, Location: "counter",
	}
	course := hyperlocal.Offer{
		Variant: made[2].Variants[0].ID.Ref(), Code: "T", Title: "Course, adult", Kind: "service",
		UnitPrice: money(t, 0, "EUR"), PriceQuantity: hyperlocal.Pieces(2),
	}
	none := catalog.ErrVariantNotFound
	want := []hyperlocal.Offer{
		one, {Err: catalog.ErrNoPrice}, {Err: catalog.ErrNotForSale}, course, {Err: none}, {Err: none}, {Err: none}, {Err: none}, one,
	}
	if len(got) != len(want) {
		t.Fatalf("%d offers for %d variants", len(got), len(want))
	}
	for i := range want {
		if want[i].Err != nil {
			wantErr(t, got[i].Err, want[i].Err)
			got[i].Err, want[i].Err = nil, nil
		}
		if got[i] != want[i] {
			t.Errorf("offer %d is %+v, want %+v", i, got[i], want[i])
		}
	}
	_, err = k.UpdateShop(k.ctx, catalog.UpdateShopCommand{Tenant: north, Actor: clerk, Merchant: bakery, Open: ptr(false)})
	must(t, err)
	if got, err = k.Offers(k.ctx, north, bakery, asked[:1]); err != nil {
		t.Fatal(err)
	}
	wantErr(t, got[0].Err, catalog.ErrShopClosed)
	if got, err = k.Offers(k.ctx, north, bakery, nil); err != nil || len(got) != 0 {
		t.Errorf("no variants get %v, %v", got, err)
	}
	if got, err = k.Offers(k.ctx, north, catalog.Merchant("nobody"), asked[:1]); err != nil {
		t.Fatal(err)
	}
	wantErr(t, got[0].Err, none)
}

// pages reads a whole list in pages of limit.
func (k *kit) pages(t *testing.T, f catalog.Filter, limit int, between func()) []catalog.Product {
	t.Helper()
	var all []catalog.Product
	p := hyperlocal.PageRequest{Limit: limit}
	for {
		page, err := k.ListProducts(k.ctx, north, f, p)
		must(t, err)
		all = append(all, page.Items...)
		if between != nil {
			between()
		}
		if p.Cursor = page.Next; p.Cursor == "" {
			return all
		}
	}
}

func (k *kit) productsPage(t *testing.T) {
	k.open(t, north, bakery)
	k.open(t, north, grocery)
	var products []catalog.NewProduct
	for i := range 23 {
		p := bread(t, fmt.Sprint("S", i), fmt.Sprintf("%c bread", 'a'+i%5), int64(i)) // equal titles
		p.Variants = append(p.Variants, catalog.NewVariant{SKU: fmt.Sprint("S2-", i), Prices: []hyperlocal.Money{money(t, 5, "USD"), money(t, 6, "EUR")}})
		if i%4 == 0 {
			p.State = catalog.Draft
		}
		products = append(products, p)
	}
	made := make(map[catalog.ProductID]catalog.Product)
	for _, p := range k.create(t, north, bakery, products...) {
		made[p.ID] = p
	}
	k.create(t, north, grocery, bread(t, "G", "b grocery", 1))
	ofBakery := catalog.Filter{Merchant: bakery}
	n := 0
	got := k.pages(t, ofBakery, 4, func() { // rows that come in before change nothing of the others
		n++
		k.create(t, north, bakery, bread(t, fmt.Sprint("new", n), "A aaa", 1))
	})
	seen := make(map[catalog.ProductID]bool)
	last := ""
	for _, p := range got {
		key := catalog.TitleKey(p.Title) + "\x00" + string(p.ID)
		if seen[p.ID] || key < last {
			t.Fatalf("%s %q comes twice or out of order", p.ID, p.Title)
		}
		seen[p.ID], last = true, key
		same(t, p, made[p.ID])
	}
	if len(got) != 23 {
		t.Errorf("read %d products, want 23", len(got))
	}
	if got := k.pages(t, catalog.Filter{Merchant: bakery, State: catalog.Draft, TitlePrefix: "B "}, 1, nil); len(got) != 1 {
		t.Errorf("%d drafts of b, want 1", len(got))
	}
	if got := k.pages(t, catalog.Filter{TitlePrefix: "b "}, 3, nil); len(got) != 6 {
		t.Errorf("%d products of b, want 6", len(got))
	}
	page, err := k.ListProducts(k.ctx, north, ofBakery, hyperlocal.PageRequest{Limit: 3})
	must(t, err)
	for _, bad := range []string{"x", page.Next + "A", page.Next[:len(page.Next)-2]} {
		_, err = k.ListProducts(k.ctx, north, ofBakery, hyperlocal.PageRequest{Cursor: bad})
		wantErr(t, err, hyperlocal.ErrCursor)
	}
	_, err = k.ListProducts(k.ctx, north, catalog.Filter{}, hyperlocal.PageRequest{Cursor: page.Next})
	wantErr(t, err, hyperlocal.ErrCursor)
	_, err = k.ListProducts(k.ctx, north, ofBakery, hyperlocal.PageRequest{Limit: 201})
	if !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
		t.Errorf("a page of 201: %v", err)
	}
	_, err = k.ListProducts(k.ctx, north, catalog.Filter{State: "gone"}, hyperlocal.PageRequest{})
	wantInvalid(t, err, "state")
}

func (k *kit) titles(t *testing.T) {
	k.open(t, north, bakery)
	long := strings.Repeat("長", 100)
	titles := []string{"Straße", "STRASSE 2", "Cafe\u0301", "CAFÉ au lait", "100% rye_", long, "A\U0010FFFF", "中文", `back\slash`}
	products := make([]catalog.NewProduct, len(titles))
	for i, title := range titles {
		products[i] = bread(t, fmt.Sprint(i), title, 1)
	}
	k.create(t, north, bakery, products...)
	for prefix, want := range map[string]int{
		"strasse": 2, "café": 2, "cafe": 0, "100%": 1, "100_": 0, long: 1, "a": 1, "中": 1, `BACK\`: 1, "%": 0, "": len(titles),
	} {
		if got := len(k.pages(t, catalog.Filter{TitlePrefix: prefix}, 2, nil)); got != want {
			t.Errorf("%q finds %d titles, want %d", prefix, got, want)
		}
	}
}
