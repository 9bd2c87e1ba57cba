package replay

import (
	"context"
	"errors"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/retail"
)

// shop makes the shop that everything is sold from, once.
func (r *run) shop(ctx context.Context) error {
	_, err := r.s.Catalog.CreateShop(ctx, catalog.CreateShopCommand{
		Tenant: Tenant, Actor: actor, Merchant: merchant, Name: "Replayed trade", Currency: r.plan.Currency,
		Location: Location, Open: true,
	})
	if errors.Is(err, catalog.ErrShopExists) {
		return nil
	}
	return err
}

// products brings the catalogue to what the file sells. A product that the catalogue refuses
// is left out and no reason to lose the order that sells it: lines carry their own title and
// price.
func (r *run) products(ctx context.Context) error {
	for from := 0; from < len(r.plan.Codes); from += catalog.MaxImport {
		part := r.plan.Codes[from:min(from+catalog.MaxImport, len(r.plan.Codes))]
		rows := make([]catalog.ImportRow, len(part))
		for i, c := range part {
			rows[i] = importRow(c)
		}
		if _, err := r.s.Catalog.Import(ctx, catalog.ImportCommand{
			Tenant: Tenant, Actor: actor, Merchant: merchant, Rows: rows,
		}); err != nil {
			return err
		}
	}
	return nil
}

func importRow(c retail.CodeInfo) catalog.ImportRow {
	row := catalog.ImportRow{SKU: c.Code, Title: strings.TrimSpace(c.Title), Stocked: c.Goods, Prices: []hyperlocal.Money{c.Price}}
	if row.Title == "" {
		row.Title = c.Code
	}
	row.Title = retail.Shorten(row.Title, catalog.MaxTitle)
	if c.Goods {
		row.Item, row.Location = hyperlocal.ItemID(c.Code), Location
	}
	return row
}
