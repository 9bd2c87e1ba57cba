package bench

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/app"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

// Read measures reads of a product with its variants and prices, as the HTTP edge makes them,
// beside one indexed SELECT. Pages of a shop's products are measured as well.
func Read(ctx context.Context, o Options) (*Result, error) {
	return within(ctx, &o, func(own *room) (*Result, error) { return own.read(ctx, &o) })
}

func (own *room) read(ctx context.Context, o *Options) (*Result, error) {
	o.tell("measuring the raw limit for %s", o.Duration)
	raw, err := own.rawReads(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("the raw workload: %w", err)
	}
	s, err := own.open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.close()
	products, err := shelve(ctx, s.Services, tenant, o.Items)
	if err != nil {
		return nil, err
	}
	o.tell("measuring reads of a product for %s", o.Duration)
	ours, err := o.load().measured(s.meter).run(ctx, func(ctx context.Context, _ int, pick func(int) int) error {
		_, err := s.Catalog.GetProduct(ctx, tenant, products[pick(len(products))].ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	o.tell("measuring pages of products for %s", o.Duration)
	pages, err := o.load().run(ctx, func(ctx context.Context, _ int, _ func(int) int) error {
		if _, err := s.Catalog.GetShop(ctx, tenant, catalog.Merchant(merchant)); err != nil {
			return err
		}
		_, err := s.Catalog.ListProducts(ctx, tenant, catalog.Filter{Merchant: catalog.Merchant(merchant), State: catalog.Active},
			hyperlocal.PageRequest{Limit: pageSize})
		return err
	})
	if err != nil {
		return nil, err
	}
	res := &Result{Unit: "reads"}
	res.ours(ours)
	res.raw("one indexed SELECT", ours.PerSecond(), raw.PerSecond())
	s.meter.costs(res, ours.Calls)
	res.more("pages_per_second", whole(pages.PerSecond()))
	res.more("pages_p50_ms", millis(pages.times.quantile(50)))
	res.more("pages_p99_ms", millis(pages.times.quantile(99)))
	return res, nil
}

// pageSize is how many products the pages have.
const pageSize = 20

func (own *room) rawReads(ctx context.Context, o *Options) (*Sample, error) {
	if !own.postgres() {
		return own.rawSelectSQLite(ctx, o)
	}
	conns, closeAll, err := own.connect(ctx, o.Clients)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	if err := own.execute(ctx, rawOrderTables); err != nil {
		return nil, err
	}
	return own.rawLimit(ctx, o, rawSelect(conns, o.Items))
}

// merchant is whose products are read and bought. It is the merchant that the server's printed
// key belongs to.
const merchant = "corner-bakery"

// shelve opens a shop with n products and plenty of each.
func shelve(ctx context.Context, s *app.Services, of hyperlocal.TenantID, n int) ([]catalog.Product, error) {
	by := hyperlocal.System("bench")
	if _, err := s.Catalog.CreateShop(ctx, catalog.CreateShopCommand{
		Tenant: of, Actor: by, Merchant: catalog.Merchant(merchant), Name: "Corner Bakery", Currency: "GBP", Location: location, Open: true,
	}); err != nil {
		return nil, err
	}
	price, err := hyperlocal.NewMoney(350, "GBP")
	if err != nil {
		return nil, err
	}
	var all []catalog.Product
	for from := 0; from < n; from += catalog.MaxBatch {
		products := make([]catalog.NewProduct, min(catalog.MaxBatch, n-from))
		items, lines := make([]inventory.Item, len(products)), make([]inventory.StockLine, len(products))
		for i := range products {
			id := hyperlocal.ItemID(item(from + i))
			products[i] = catalog.NewProduct{
				Title: "Loaf " + strconv.Itoa(from+i), Description: "Sourdough, baked this morning around the corner", Kind: catalog.KindGoods,
				Variants: []catalog.NewVariant{{SKU: item(from + i), Stocked: true, Item: id, Location: location, Prices: []hyperlocal.Money{price}}},
			}
			items[i] = inventory.Item{ID: id, Location: location, Unit: hyperlocal.Piece, Mode: inventory.ModeReserveOnOrder}
			lines[i] = inventory.StockLine{Item: id, Location: location, Quantity: hyperlocal.Pieces(plenty)}
		}
		made, err := s.Catalog.CreateProducts(ctx, catalog.CreateProductsCommand{Tenant: of, Actor: by, Merchant: catalog.Merchant(merchant), Products: products})
		if err != nil {
			return nil, err
		}
		all = append(all, made...)
		if _, err := s.Stock.SetItems(ctx, inventory.SetItemsCommand{Tenant: of, Actor: by, Items: items}); err != nil {
			return nil, err
		}
		if _, err := s.Stock.Receive(ctx, inventory.StockCommand{Tenant: of, Actor: by, Lines: lines, Reason: "opening"}); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// HTTP measures reads of a product over HTTP by clients that keep their connections, beside a
// net/http server that answers the same bytes and does nothing else. The clients live in a
// process of their own.
func HTTP(ctx context.Context, o Options) (*Result, error) {
	return within(ctx, &o, func(own *room) (*Result, error) { return own.http(ctx, &o) })
}

func (own *room) http(ctx context.Context, o *Options) (*Result, error) {
	served, err := own.serve(ctx, o)
	if err != nil {
		return nil, err
	}
	defer served.stop()
	job := o.job(readJob)
	job.Bearer = served.app.Keys.Shopper
	for _, p := range served.products {
		job.Paths = append(job.Paths, "/v1/products/"+string(p.ID))
	}
	body, header, err := served.sample(ctx, job.Paths[0])
	if err != nil {
		return nil, err
	}
	o.tell("measuring the raw limit for %s", o.Duration)
	raw, err := rawHTTP(ctx, body, header, job)
	if err != nil {
		return nil, fmt.Errorf("the raw workload: %w", err)
	}
	o.tell("measuring ours for %s", o.Duration)
	job.Base = served.base
	ours, err := job.run(ctx, served.meter)
	if err != nil {
		return nil, err
	}
	res := &Result{Unit: "requests"}
	ours.report(res)
	res.raw("bare net/http, the same bytes", ours.PerSecond(), raw.PerSecond())
	served.meter.costs(res, ours.Calls)
	ours.computing(res, served.meter)
	return res, nil
}

// rawHTTP drives a server that answers every request with the same bytes.
func rawHTTP(ctx context.Context, body []byte, header http.Header, job clientJob) (*clientReport, error) {
	length := strconv.Itoa(len(body))
	bare, err := listen(ctx, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", header.Get("Content-Type"))
		h.Set("Content-Length", length)
		_, _ = w.Write(body)
	}))
	if err != nil {
		return nil, err
	}
	defer bare.close()
	job.Base = bare.base
	return job.run(ctx, nil)
}
