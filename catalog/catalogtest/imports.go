package catalogtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
)

func (k *kit) row(t *testing.T, sku, title string, price int64) catalog.ImportRow {
	t.Helper()
	return catalog.ImportRow{SKU: sku, Title: title, Stocked: true, Prices: []hyperlocal.Money{money(t, price, "EUR")}}
}

func (k *kit) bring(ctx context.Context, rows ...catalog.ImportRow) (catalog.ImportResult, error) {
	return k.Import(ctx, catalog.ImportCommand{Tenant: north, Actor: clerk, Merchant: bakery, Rows: rows})
}

// wantRows compares outcomes: "added 2 changed 1 unchanged 0 refused 0".
func wantRows(t *testing.T, r catalog.ImportResult, err error, want string) {
	t.Helper()
	must(t, err)
	got := fmt.Sprintf("added %d changed %d unchanged %d refused %d", r.Added, r.Changed, r.Unchanged, r.Refused)
	if got != want {
		t.Errorf("the import %s, want %s", got, want)
	}
	for i, row := range r.Rows {
		if row.Row != i+1 {
			t.Errorf("result %d is of row %d", i, row.Row)
		}
		if (row.Err != nil) != (row.Outcome == catalog.Refused) || (row.Err != nil) == (row.Product != "") {
			t.Errorf("row %d: %+v", i+1, row)
		}
	}
}

func (k *kit) imports(t *testing.T) {
	k.open(t, north, bakery)
	two := bread(t, "A1", "Two sizes", 100)
	two.Variants = append(two.Variants, catalog.NewVariant{SKU: "A2", Title: "large"})
	multi := k.create(t, north, bakery, two, bread(t, "B", "Bun", 50))
	single := multi[1]
	rows := []catalog.ImportRow{
		k.row(t, "N", "Neu 新", 75),
		k.row(t, "B", "Bun", 60),
		{
			SKU: "A2", Title: "Grande", Description: "ignored", Stocked: true, Item: "dough", PriceQuantity: hyperlocal.Pieces(3),
			Options: []catalog.Option{{Name: "size", Value: "L"}}, Prices: []hyperlocal.Money{money(t, 9, "USD"), money(t, 8, "EUR")},
		},
		k.row(t, "A1", "", 100),
		{SKU: "S", Title: "Slicing", Kind: catalog.KindService, State: catalog.Draft, Description: "thin"},
	}
	k.now = k.now.Add(time.Hour)
	r, err := k.bring(k.ctx, rows...)
	wantRows(t, r, err, "added 2 changed 2 unchanged 1 refused 0")
	if v := r.Rows[0].Variant; v.Item != hyperlocal.ItemID(v.ID) || v.Location != "counter" {
		t.Errorf("imported %+v", v)
	}
	k.wantEvents(t, single.ID.Ref(), "product_created@1.0 price_changed@2.0")
	k.wantEvents(t, multi[0].ID.Ref(), "product_created@1.0 product_updated@2.0 price_changed@2.1")
	k.wantEvents(t, r.Rows[0].Product.Ref(), "product_created@1.0")
	before, err := k.GetProducts(k.ctx, north, single.ID, multi[0].ID, r.Rows[0].Product, r.Rows[4].Product)
	must(t, err)
	for i, at := range []int{1, 2, 0, 4} {
		v, ok := before[i].Variant(r.Rows[at].Variant.ID)
		if !ok || v.SKU != rows[at].SKU {
			t.Errorf("row %d tells of another variant: %+v", at+1, r.Rows[at].Variant)
		}
		a, b := catalog.Product{Variants: []catalog.Variant{v}}, catalog.Product{Variants: []catalog.Variant{r.Rows[at].Variant}}
		same(t, b, a)
	}
	if p := before[1]; p.Title != "Two sizes" || p.Description != "" || p.Variants[1].Title != "Grande" || p.Variants[1].Location != "counter" {
		t.Errorf("a product of several variants became %+v", p)
	}

	// Once more, later, in another order and from another currency order: nothing happens.
	k.now = k.now.Add(time.Hour)
	rows[2].Prices[0], rows[2].Prices[1] = rows[2].Prices[1], rows[2].Prices[0]
	rows[0], rows[4] = rows[4], rows[0]
	_, events := k.count(t, north)
	r, err = k.bring(k.ctx, rows...)
	wantRows(t, r, err, "added 0 changed 0 unchanged 5 refused 0")
	after, err := k.GetProducts(k.ctx, north, before[0].ID, before[1].ID, before[2].ID, before[3].ID)
	must(t, err)
	for i := range before {
		same(t, after[i], before[i])
	}
	if _, again := k.count(t, north); again != events {
		t.Errorf("a repeated import told of %d things", again-events)
	}

	// What is not said stays; a shelf that was chosen is not taken away by a default.
	r, err = k.bring(k.ctx, catalog.ImportRow{SKU: "A2", Title: "Grande", Stocked: true, Options: rows[2].Options})
	wantRows(t, r, err, "added 0 changed 0 unchanged 1 refused 0")
	r, err = k.bring(k.ctx, catalog.ImportRow{SKU: "B", Title: "Bun", State: catalog.Archived})
	wantRows(t, r, err, "added 0 changed 1 unchanged 0 refused 0")
	if v := r.Rows[0].Variant; v.Stocked || v.Item != "" || v.Location != "" || len(v.Prices) != 1 {
		t.Errorf("imported %+v", v)
	}
	if r, err = k.bring(k.ctx); err != nil || len(r.Rows) != 0 {
		t.Errorf("no rows: %+v, %v", r, err)
	}
}

func (k *kit) importRefused(t *testing.T) {
	k.open(t, north, bakery)
	k.create(t, north, bakery, bread(t, "K", "Known", 5))
	negative := k.row(t, "NEG", "Negative", 1)
	negative.Prices[0] = money(t, -1, "EUR")
	rows := []catalog.ImportRow{
		k.row(t, "", "No SKU", 1),
		k.row(t, "A", "Good", 1),
		k.row(t, "K", "", 6), // known, and without a title
		negative,
		k.row(t, "A", "Good", 1),      // repeated
		k.row(t, "A", "Different", 1), // repeated with other content
		k.row(t, "NUL\x00", "NUL", 1),
		{SKU: "I", Title: "Item of nothing stocked", Item: "x"},
		k.row(t, "NEG", "Positive", 1), // the first one did not count
		k.row(t, strings.Repeat("x", catalog.MaxSKU+1), "Long", 1),
	}
	r, err := k.bring(k.ctx, rows...)
	wantRows(t, r, err, "added 2 changed 0 unchanged 1 refused 7")
	for i, reason := range map[int]string{
		0: "catalog/invalid_sku", 2: "catalog/invalid_title", 3: "catalog/invalid_prices", 5: "catalog/repeated_sku",
		6: "catalog/invalid_sku", 7: "catalog/invalid_item", 9: "catalog/invalid_sku",
	} {
		e, ok := r.Rows[i].Err.(*hyperlocal.Error) //nolint:errorlint // what it carries is the test
		if !ok || e.Reason != reason || e.Code != hyperlocal.CodeInvalid || e.Fields["row"] != fmt.Sprint(i+1) {
			t.Errorf("row %d: %v, want %s", i+1, r.Rows[i].Err, reason)
		}
	}
	if a, b := r.Rows[1], r.Rows[4]; a.Outcome != catalog.Added || b.Outcome != catalog.Unchanged || a.Variant.ID != b.Variant.ID {
		t.Errorf("twins got %+v and %+v", a, b)
	}
	known, err := k.VariantsBySKU(k.ctx, north, bakery, "K")
	if err != nil || known[0].Prices[0] != money(t, 5, "EUR") {
		t.Errorf("a refused row left %+v, %v", known, err)
	}
	_, err = k.Import(k.ctx, catalog.ImportCommand{Tenant: north, Actor: clerk, Merchant: grocery, Rows: rows[:2]})
	wantErr(t, err, catalog.ErrShopNotFound)
	_, err = k.bring(k.ctx, make([]catalog.ImportRow, catalog.MaxImport+1)...)
	wantInvalid(t, err, "rows")
}

func (k *kit) importMany(t *testing.T) {
	k.open(t, north, bakery)
	const n = 2*catalog.ImportChunk + 7
	rows := make([]catalog.ImportRow, n)
	for i := range rows {
		rows[i] = k.row(t, fmt.Sprint("SKU-", i), fmt.Sprint("Product ", i), int64(i))
	}
	rows = append(rows, rows[3], k.row(t, "SKU-4", "Changed", 1))
	r, err := k.bring(k.ctx, rows...)
	wantRows(t, r, err, fmt.Sprintf("added %d changed 0 unchanged 1 refused 1", n))
	r, err = k.bring(k.ctx, rows...)
	wantRows(t, r, err, fmt.Sprintf("added 0 changed 0 unchanged %d refused 1", n+1))
	rows = rows[:n]
	for i := range rows {
		rows[i].Prices[0] = money(t, int64(i+i%2), "EUR")
	}
	r, err = k.bring(k.ctx, rows...)
	wantRows(t, r, err, fmt.Sprintf("added 0 changed %d unchanged %d refused 0", n/2, n-n/2))
}

// importParallel has two cash registers send the same and overlapping goods at once.
func (k *kit) importParallel(t *testing.T) {
	k.open(t, north, bakery)
	var wg sync.WaitGroup
	const importers = 8
	errs, results := make([]error, importers), make([]catalog.ImportResult, importers)
	for i := range importers {
		rows := make([]catalog.ImportRow, 30)
		for j := range rows {
			n := (i + j*7) % 40
			rows[j] = k.row(t, fmt.Sprint("P", n), fmt.Sprint("Title ", n), int64(n))
		}
		wg.Go(func() { results[i], errs[i] = k.bring(k.ctx, rows...) })
	}
	wg.Wait()
	added := 0
	for i := range importers {
		must(t, errs[i])
		added += results[i].Added
		if results[i].Changed+results[i].Refused > 0 {
			t.Errorf("importer %d: %+v", i, results[i])
		}
	}
	if products, events := k.count(t, north); products != 40 || added != 40 || events != 41 {
		t.Errorf("%d added, %d products, %d events, want 40, 40, 41", added, products, events)
	}
}
