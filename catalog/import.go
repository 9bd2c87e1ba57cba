package catalog

import (
	"context"
	"slices"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Limits of an import, in rows.
const (
	MaxImport   = 100_000
	ImportChunk = 500 // imported in one transaction
)

// ImportRow is how a merchant's variant shall be, as another system tells it. The SKU says
// which one is meant.
//
// A new SKU makes a product with this one variant. Of a known one, everything is brought to
// what the row says; zero Kind, State, PriceQuantity and Prices, and zero Item and Location
// of a stocked variant, leave what is there. Title, Description, Kind and State are the
// product's, unless it has several variants: then Title is the variant's, and the other three
// are not looked at.
type ImportRow struct {
	SKU           string
	Title         string
	Description   string
	Kind          Kind  // zero means KindGoods when new
	State         State // zero means Active when new
	Options       []Option
	Stocked       bool
	Item          hyperlocal.ItemID     // zero means the variant's id when new
	Location      hyperlocal.LocationID // zero means the shop's when new
	PriceQuantity hyperlocal.Quantity   // zero means one piece when new
	Prices        []hyperlocal.Money    // one per currency; they replace all that are there
}

// Outcome says what an import did with a row.
type Outcome string

// The outcomes.
const (
	Added     Outcome = "added"
	Changed   Outcome = "changed"
	Unchanged Outcome = "unchanged"
	Refused   Outcome = "refused"
)

// RowResult tells what became of one row. Product and Variant are zero when it was refused.
type RowResult struct {
	Row     int // from 1
	Outcome Outcome
	Product ProductID
	Variant Variant // as it is now
	Err     error   // with the field "row"; nil unless refused
}

// ImportResult tells what became of an import.
type ImportResult struct {
	Rows                               []RowResult // in the order of the rows
	Added, Changed, Unchanged, Refused int
}

// ImportCommand brings a merchant's variants to what another system says.
type ImportCommand struct {
	Tenant   hyperlocal.TenantID
	Actor    hyperlocal.Actor
	Merchant hyperlocal.Ref
	Rows     []ImportRow // at most MaxImport
}

// Import adds and changes variants by SKU. It is repeatable: the same rows again change
// nothing. A row that is refused, with code invalid or ErrRepeatedSKU, holds the others not
// back. Every ImportChunk rows are one transaction of a constant number of statements; inside
// the caller's transaction all of them belong to that.
//
// Errors of the whole: code invalid, ErrShopNotFound, and those of the store. Then the result
// holds the rows of the chunks that were committed before; import everything again.
func (s *Service) Import(ctx context.Context, c ImportCommand) (ImportResult, error) {
	if err := check(c.Tenant, c.Actor, c.Merchant); err != nil {
		return ImportResult{}, err
	}
	if len(c.Rows) > MaxImport {
		return ImportResult{}, invalid("rows", "the import is too long; send it in parts").With("limit", MaxImport)
	}
	out := ImportResult{Rows: make([]RowResult, 0, len(c.Rows))}
	first := make(map[string]int, len(c.Rows)) // row that a SKU was first met in
	run := func(ctx context.Context) error {
		for chunk := range slices.Chunk(c.Rows, ImportChunk) {
			var results []RowResult
			err := s.inShop(ctx, c.Tenant, c.Merchant, func(ctx context.Context, shop Shop) error {
				var err error
				results, err = s.importChunk(ctx, c, shop, len(out.Rows), chunk, first)
				return err
			})
			if err != nil {
				return err
			}
			for i, row := range chunk {
				n := len(out.Rows) + 1
				if _, met := first[row.SKU]; !met && results[i].Err == nil {
					first[row.SKU] = n
				}
				out.Rows = append(out.Rows, results[i])
			}
		}
		return nil
	}
	err := run(ctx)
	if err != nil && hyperlocal.InTx(ctx) {
		return ImportResult{}, err
	}
	for _, r := range out.Rows {
		switch r.Outcome {
		case Added:
			out.Added++
		case Changed:
			out.Changed++
		case Unchanged:
			out.Unchanged++
		case Refused:
			out.Refused++
		}
	}
	return out, err
}

// importing is one chunk on its way.
type importing struct {
	s       *Service
	c       ImportCommand
	shop    Shop
	known   map[string]int // SKU -> place in changes
	changes []changed
	added   []Product
}

// importChunk imports rows that follow the first offset ones of the command.
func (s *Service) importChunk(ctx context.Context, c ImportCommand, shop Shop, offset int, rows []ImportRow,
	first map[string]int,
) ([]RowResult, error) {
	results := make([]RowResult, len(rows))
	met := make(map[string]int) // SKU -> row, within this chunk
	var todo []int
	var skus []string
	for i, row := range rows {
		results[i].Row = offset + i + 1
		if err := required("sku", row.SKU, MaxSKU); err != nil {
			results[i].refuse(err)
			continue
		}
		todo = append(todo, i)
		skus = append(skus, row.SKU)
	}
	d := &importing{s: s, c: c, shop: shop, known: make(map[string]int)}
	if err := d.read(ctx, skus); err != nil {
		return nil, err
	}
	newAt := make(map[int]int) // row -> place in added
	for _, i := range todo {
		row := rows[i]
		earlier, repeated := met[row.SKU]
		if !repeated {
			earlier, repeated = first[row.SKU]
		}
		if repeated {
			if !row.same(c.Rows[earlier-1]) {
				results[i].refuse(ErrRepeatedSKU.With("first_row", earlier))
			}
			continue
		}
		if err := d.take(row); err != nil {
			results[i].refuse(err)
			continue
		}
		met[row.SKU] = results[i].Row
		if _, known := d.known[row.SKU]; !known {
			newAt[i] = len(d.added) - 1
		}
	}
	after, err := s.save(ctx, c.Actor, d.added, d.changes)
	if err != nil {
		return nil, err
	}
	for _, i := range todo {
		r, sku := &results[i], rows[i].SKU
		if r.Err != nil {
			continue
		}
		if n, ok := newAt[i]; ok {
			r.Outcome, r.Product, r.Variant = Added, d.added[n].ID, d.added[n].Variants[0].Clone()
			continue
		}
		if n, ok := d.known[sku]; ok {
			before, now := d.changes[n].before.bySKU(sku), after[n].bySKU(sku)
			r.Outcome, r.Product, r.Variant = Unchanged, after[n].ID, now.Clone()
			own := len(after[n].Variants) == 1 && after[n].Version != d.changes[n].before.Version
			if met[sku] == r.Row && (own || !now.sameText(before) || !now.samePrice(before)) {
				r.Outcome = Changed
			}
			continue
		}
		// An equal row before this one has just made it.
		twin := results[met[sku]-offset-1]
		r.Outcome, r.Product, r.Variant = Unchanged, twin.Product, twin.Variant.Clone()
	}
	return results, nil
}

// read fetches what the chunk's SKUs mean so far.
func (d *importing) read(ctx context.Context, skus []string) error {
	if len(skus) == 0 {
		return nil
	}
	slices.Sort(skus)
	found, err := d.s.store.ProductsBySKU(ctx, d.c.Tenant, d.c.Merchant, slices.Compact(skus)...)
	if err != nil {
		return err
	}
	slices.SortFunc(found, func(a, b Product) int { return strings.Compare(string(a.ID), string(b.ID)) })
	for n, p := range found {
		d.changes = append(d.changes, changed{before: p, after: p.Clone()})
		for _, v := range p.Variants {
			d.known[v.SKU] = n
		}
	}
	return nil
}

// take brings one variant to what the row says, or leaves everything as it is.
func (d *importing) take(row ImportRow) error {
	n, known := d.known[row.SKU]
	if !known {
		p := d.s.product(d.shop, NewProduct{
			Title: row.Title, Description: row.Description, Kind: row.Kind, State: row.State, Variants: []NewVariant{{
				SKU: row.SKU, Options: row.Options, Stocked: row.Stocked, Item: row.Item, Location: row.Location,
				PriceQuantity: row.PriceQuantity, Prices: row.Prices,
			}},
		})
		if err := p.validate(); err != nil {
			return err
		}
		d.added = append(d.added, p)
		return nil
	}
	p := d.changes[n].after.Clone()
	v := &p.Variants[slices.IndexFunc(p.Variants, func(v Variant) bool { return v.SKU == row.SKU })]
	if len(p.Variants) == 1 {
		p.Title, p.Description = row.Title, row.Description
		if row.Kind != "" {
			p.Kind = row.Kind
		}
		if row.State != "" {
			p.State = row.State
		}
	} else {
		v.Title = row.Title
	}
	v.Options = slices.Clone(row.Options)
	if row.PriceQuantity != (hyperlocal.Quantity{}) {
		v.PriceQuantity = row.PriceQuantity
	}
	if len(row.Prices) > 0 {
		v.Prices = sortedPrices(row.Prices)
	}
	d.restock(v, row)
	if err := p.validate(); err != nil {
		return err
	}
	d.changes[n].after = p
	return nil
}

// restock brings what is counted to what the row says.
func (d *importing) restock(v *Variant, row ImportRow) {
	if !row.Stocked {
		v.Stocked, v.Item, v.Location = false, row.Item, row.Location // refused unless both are empty
		return
	}
	if !v.Stocked {
		v.Stocked, v.Item, v.Location = true, hyperlocal.ItemID(v.ID), d.shop.Location
	}
	if row.Item != "" {
		v.Item = row.Item
	}
	if row.Location != "" {
		v.Location = row.Location
	}
}

func (r *RowResult) refuse(err error) {
	r.Outcome, r.Err = Refused, at(err, "row", r.Row)
}

// same reports whether two rows ask for the same.
func (row ImportRow) same(o ImportRow) bool {
	return row.SKU == o.SKU && row.Title == o.Title && row.Description == o.Description && row.Kind == o.Kind &&
		row.State == o.State && slices.Equal(row.Options, o.Options) && row.Stocked == o.Stocked &&
		row.Item == o.Item && row.Location == o.Location && row.PriceQuantity == o.PriceQuantity &&
		slices.Equal(sortedPrices(row.Prices), sortedPrices(o.Prices))
}

// bySKU returns the product's variant with the SKU, which it has.
func (p Product) bySKU(sku string) Variant {
	return p.Variants[slices.IndexFunc(p.Variants, func(v Variant) bool { return v.SKU == sku })]
}
