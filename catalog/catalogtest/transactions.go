package catalogtest

import (
	"context"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
)

func (k *kit) rollback(t *testing.T) {
	k.open(t, north, bakery)
	p := k.create(t, north, bakery, bread(t, "A", "Bread", 1))[0]
	err := k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		_, err := k.CreateProducts(ctx, catalog.CreateProductsCommand{
			Tenant: north, Actor: clerk, Merchant: bakery, Products: []catalog.NewProduct{bread(t, "B", "Bun", 2)},
		})
		must(t, err)
		_, err = k.bring(ctx, k.row(t, "C", "Cake", 3), k.row(t, "A", "Bread", 9))
		must(t, err)
		_, err = k.Archive(ctx, catalog.ArchiveCommand{Tenant: north, Actor: clerk, Merchant: bakery, Product: p.ID})
		must(t, err)
		_, err = k.UpdateShop(ctx, catalog.UpdateShopCommand{Tenant: north, Actor: clerk, Merchant: bakery, Open: ptr(false)})
		must(t, err)
		_, err = k.CreateShop(ctx, catalog.CreateShopCommand{Tenant: north, Actor: clerk, Merchant: grocery, Name: "G", Currency: "EUR"})
		must(t, err)
		return errKit
	})
	wantErr(t, err, errKit)
	got, err := k.GetProduct(k.ctx, north, p.ID)
	must(t, err)
	same(t, got, p)
	if products, events := k.count(t, north); products != 1 || events != 2 {
		t.Errorf("a rollback left %d products and %d events", products, events)
	}
	if shop, err := k.GetShop(k.ctx, north, bakery); err != nil || !shop.Open {
		t.Errorf("a rollback left %+v, %v", shop, err)
	}
	_, err = k.GetShop(k.ctx, north, grocery)
	wantErr(t, err, catalog.ErrShopNotFound)
	k.create(t, north, bakery, bread(t, "B", "Bun", 2)) // the SKU is free again
}

func (k *kit) join(t *testing.T) {
	k.open(t, north, bakery)
	must(t, k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		made, err := k.CreateProducts(ctx, catalog.CreateProductsCommand{
			Tenant: north, Actor: clerk, Merchant: bakery, Products: []catalog.NewProduct{bread(t, "A", "Bread", 1)},
		})
		must(t, err)
		offers, err := k.Offers(ctx, north, bakery, []hyperlocal.Ref{made[0].Variants[0].ID.Ref()})
		must(t, err)
		if offers[0].Err != nil {
			t.Errorf("inside its transaction a new product is not offered: %v", offers[0].Err)
		}
		// A refusal that was decided before anything was written leaves the outer transaction usable.
		_, err = k.CreateProducts(ctx, catalog.CreateProductsCommand{
			Tenant: north, Actor: clerk, Merchant: bakery, Products: []catalog.NewProduct{bread(t, "A", "Twin", 1)},
		})
		wantErr(t, err, catalog.ErrSKUTaken)
		return nil
	}))
	if products, _ := k.count(t, north); products != 1 {
		t.Errorf("%d products, want 1", products)
	}
}

func (k *kit) cancellation(t *testing.T) {
	k.open(t, north, bakery)
	ctx, cancel := context.WithCancel(k.ctx)
	cancel()
	_, err := k.bring(ctx, k.row(t, "A", "Bread", 1))
	if !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) {
		t.Errorf("a cancelled import: %v", err)
	}
	ctx, cancel = context.WithCancel(k.ctx)
	err = k.Tx.WithinTx(ctx, func(ctx context.Context) error {
		_, err := k.bring(ctx, k.row(t, "A", "Bread", 1))
		cancel()
		return err
	})
	if !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) {
		t.Errorf("cancelled before the commit: %v", err)
	}
	if products, events := k.count(t, north); products != 0 || events != 1 {
		t.Errorf("cancelled imports left %d products and %d events", products, events)
	}
}

func (k *kit) tenants(t *testing.T) {
	k.open(t, north, bakery)
	k.open(t, south, bakery)
	mine := k.create(t, north, bakery, bread(t, "A", "Bread", 1))[0]
	k.create(t, south, bakery, bread(t, "A", "Pan", 2))
	_, err := k.GetProduct(k.ctx, south, mine.ID)
	wantErr(t, err, catalog.ErrProductNotFound)
	_, err = k.Archive(k.ctx, catalog.ArchiveCommand{Tenant: south, Actor: clerk, Merchant: bakery, Product: mine.ID})
	wantErr(t, err, catalog.ErrProductNotFound)
	offers, err := k.Offers(k.ctx, south, bakery, []hyperlocal.Ref{mine.Variants[0].ID.Ref()})
	must(t, err)
	wantErr(t, offers[0].Err, catalog.ErrVariantNotFound)
	for tenant, title := range map[hyperlocal.TenantID]string{north: "Bread", south: "Pan"} {
		page, err := k.ListProducts(k.ctx, tenant, catalog.Filter{Merchant: bakery}, hyperlocal.PageRequest{})
		if err != nil || len(page.Items) != 1 || page.Items[0].Title != title || page.Items[0].Tenant != tenant {
			t.Errorf("%s lists %+v, %v", tenant, page.Items, err)
		}
		shops, err := k.ListShops(k.ctx, tenant, catalog.ShopFilter{}, hyperlocal.PageRequest{})
		if err != nil || len(shops.Items) != 1 || shops.Items[0].Tenant != tenant {
			t.Errorf("%s lists %+v, %v", tenant, shops.Items, err)
		}
	}
	_, err = k.ListProducts(k.ctx, "No Tenant", catalog.Filter{}, hyperlocal.PageRequest{})
	if !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
		t.Errorf("a bad tenant: %v", err)
	}
}

// storeAlone checks what the service never lets happen.
func (k *kit) storeAlone(t *testing.T) {
	shop := k.open(t, north, bakery)
	p := k.create(t, north, bakery, bread(t, "A", "Bread", 1))[0]
	twin := p.Clone()
	twin.ID = catalog.ProductID(hyperlocal.RandomIDs{}.NewID())
	twin.Variants[0].ID = catalog.VariantID(hyperlocal.RandomIDs{}.NewID())
	twin.Variants[0].Product = twin.ID
	for name, c := range map[string]struct {
		do   func(ctx context.Context) error
		want error
	}{
		"a second shop": {func(ctx context.Context) error { return k.Store.InsertShop(ctx, shop) }, catalog.ErrShopExists},
		"a stale shop":  {func(ctx context.Context) error { return k.Store.SaveShop(ctx, shop) }, catalog.ErrStale},
		"a taken SKU":   {func(ctx context.Context) error { return k.Store.InsertProducts(ctx, []catalog.Product{twin}) }, catalog.ErrSKUTaken},
	} {
		wantErr(t, k.Tx.WithinTx(k.ctx, c.do), c.want)
		if err := c.do(k.ctx); hyperlocal.ReasonOf(err) != "tx/required" {
			t.Errorf("%s outside a transaction: %v", name, err)
		}
	}
	if _, _, err := k.Store.LockShop(k.ctx, north, bakery); hyperlocal.ReasonOf(err) != "tx/required" {
		t.Errorf("a lock outside a transaction: %v", err)
	}
	if products, events := k.count(t, north); products != 1 || events != 2 {
		t.Errorf("%d products and %d events are left", products, events)
	}
}
