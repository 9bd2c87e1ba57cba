package catalogtest

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
)

// Harness is an empty database. All parts share transactions.
type Harness struct {
	Store  catalog.Store
	Tx     hyperlocal.TxRunner
	Outbox hyperlocal.Outbox
	// Pending lists up to limit unpublished events, by tenant, aggregate and place.
	Pending func(ctx context.Context, limit int) ([]hyperlocal.Envelope, error)
}

// Run checks the store. newHarness returns a fresh database at every call.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(k *kit, t *testing.T)
	}{
		{"shop", (*kit).shop},
		{"shop refused", (*kit).shopRefused},
		{"shops page", (*kit).shopsPage},
		{"products", (*kit).products},
		{"products refused", (*kit).productsRefused},
		{"update", (*kit).update},
		{"stale", (*kit).stale},
		{"parallel price changes", (*kit).parallel},
		{"offers", (*kit).offers},
		{"products page", (*kit).productsPage},
		{"titles", (*kit).titles},
		{"import", (*kit).imports},
		{"import refused rows", (*kit).importRefused},
		{"import of many", (*kit).importMany},
		{"import in parallel", (*kit).importParallel},
		{"rollback", (*kit).rollback},
		{"join", (*kit).join},
		{"cancellation", (*kit).cancellation},
		{"tenants", (*kit).tenants},
		{"store alone", (*kit).storeAlone},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			h := newHarness(t)
			k := &kit{Harness: h, ctx: ctx, now: time.Date(2026, 11, 20, 8, 15, 30, 123456789, time.UTC)}
			var err error
			k.Service, err = catalog.New(catalog.Config{
				Store: h.Store, Tx: h.Tx, Outbox: h.Outbox, Clock: hyperlocal.ClockFunc(func() time.Time { return k.now }),
			})
			must(t, err)
			c.run(k, t)
		})
	}
}

type kit struct {
	Harness
	*catalog.Service
	ctx context.Context //nolint:containedctx // one test's context, kept for its helper methods
	now time.Time
}

const north, south = hyperlocal.TenantID("north"), hyperlocal.TenantID("south")

var (
	errKit  = errors.New("the closure failed")
	clerk   = hyperlocal.Actor{Kind: "merchant", ID: "clerk"}
	bakery  = catalog.Merchant("bakery")
	grocery = catalog.Merchant("grocery")
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

func wantInvalid(t *testing.T, err error, field string) {
	t.Helper()
	if !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) || hyperlocal.ReasonOf(err) != "catalog/invalid_"+field {
		t.Errorf("got error %v, want catalog/invalid_%s", err, field)
	}
}

func money(t *testing.T, minor int64, c hyperlocal.Currency) hyperlocal.Money {
	t.Helper()
	m, err := hyperlocal.NewMoney(minor, c)
	must(t, err)
	return m
}

// open gives the merchant a shop that is open and sells in EUR.
func (k *kit) open(t *testing.T, tenant hyperlocal.TenantID, merchant hyperlocal.Ref) catalog.Shop {
	t.Helper()
	shop, err := k.CreateShop(k.ctx, catalog.CreateShopCommand{
		Tenant: tenant, Actor: clerk, Merchant: merchant, Name: "Shop of " + merchant.ID, Currency: "EUR",
		Location: "counter", Open: true,
	})
	must(t, err)
	return shop
}

// bread is a product of one stocked variant.
func bread(t *testing.T, sku, title string, price int64) catalog.NewProduct {
	t.Helper()
	return catalog.NewProduct{Title: title, Variants: []catalog.NewVariant{{
		SKU: sku, Stocked: true, Prices: []hyperlocal.Money{money(t, price, "EUR")},
	}}}
}

func (k *kit) create(t *testing.T, tenant hyperlocal.TenantID, merchant hyperlocal.Ref, products ...catalog.NewProduct) []catalog.Product {
	t.Helper()
	made, err := k.CreateProducts(k.ctx, catalog.CreateProductsCommand{
		Tenant: tenant, Actor: clerk, Merchant: merchant, Products: products,
	})
	must(t, err)
	return made
}

// events returns "name@version.n" of the unpublished events of an aggregate.
func (k *kit) events(t *testing.T, aggregate hyperlocal.Ref) string {
	t.Helper()
	all, err := k.Pending(k.ctx, 10_000)
	must(t, err)
	var out []string
	for _, e := range all {
		if e.Aggregate == aggregate {
			out = append(out, strings.TrimPrefix(e.Name, "catalog.")+"@"+
				strconv.FormatInt(e.AggregateVersion, 10)+"."+strconv.Itoa(e.N))
		}
	}
	return strings.Join(out, " ")
}

func (k *kit) wantEvents(t *testing.T, aggregate hyperlocal.Ref, want string) {
	t.Helper()
	if got := k.events(t, aggregate); got != want {
		t.Errorf("events of %s are %q, want %q", aggregate, got, want)
	}
}

// count returns how many products the tenant has, and events altogether.
func (k *kit) count(t *testing.T, tenant hyperlocal.TenantID) (products, events int) {
	t.Helper()
	page, err := k.ListProducts(k.ctx, tenant, catalog.Filter{}, hyperlocal.PageRequest{Limit: 200})
	must(t, err)
	all, err := k.Pending(k.ctx, 10_000)
	must(t, err)
	return len(page.Items), len(all)
}

func ptr[T any](v T) *T { return &v }
