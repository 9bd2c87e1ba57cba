package bunstore

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
	"github.com/hyperlocal-sdk/hyperlocal/community"
)

// budget counts the round trips of a store.
type budget struct {
	mu    sync.Mutex
	texts []string
}

func (b *budget) hook(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.texts = append(b.texts, text)
}

// of runs do and fails the test if it took more round trips than it may.
func (b *budget) of(t *testing.T, name string, most int, do func() error) {
	t.Helper()
	b.mu.Lock()
	b.texts = nil
	b.mu.Unlock()
	if err := do(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.texts) > most {
		t.Errorf("%s took %d round trips, at most %d were planned:\n%s", name, len(b.texts), most, strings.Join(b.texts, "\n"))
	}
}

// TestListBudgets checks that lists cost the same however long they are.
func TestListBudgets(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		b := &budget{}
		s := openStore(t, d, WithQueryHook(b.hook))
		ctx := t.Context()
		goods, err := catalog.New(catalog.Config{Store: s.Catalog(), Tx: s, Outbox: s.Outbox()})
		if err != nil {
			t.Fatal(err)
		}
		circles, err := community.New(community.Config{Store: s.Community(), Tx: s, Outbox: s.Outbox()})
		if err != nil {
			t.Fatal(err)
		}
		const tenant = hyperlocal.TenantID("north")
		merchant, clerk := catalog.Merchant("bakery"), hyperlocal.Actor{Kind: "merchant", ID: "clerk"}
		if _, err := goods.CreateShop(ctx, catalog.CreateShopCommand{
			Tenant: tenant, Actor: clerk, Merchant: merchant, Name: "Bakery", Currency: "EUR", Open: true,
		}); err != nil {
			t.Fatal(err)
		}
		price, err := hyperlocal.NewMoney(100, "EUR")
		if err != nil {
			t.Fatal(err)
		}
		rows := make([]catalog.ImportRow, catalog.ImportChunk)
		var refs []hyperlocal.Ref
		for i := range rows {
			rows[i] = catalog.ImportRow{SKU: fmt.Sprint(i), Title: fmt.Sprint("Title ", i), Stocked: true, Prices: []hyperlocal.Money{price}}
		}
		imported := func() error {
			r, err := goods.Import(ctx, catalog.ImportCommand{Tenant: tenant, Actor: clerk, Merchant: merchant, Rows: rows})
			refs = refs[:0]
			for _, row := range r.Rows {
				refs = append(refs, row.Variant.ID.Ref())
			}
			return err
		}
		// BEGIN, lock, read, writes, COMMIT; SQLite sends the writes one by one.
		b.of(t, "import of a new chunk", pick(d, 5, 8), imported)
		b.of(t, "import of the same chunk", 6, imported)
		price, _ = hyperlocal.NewMoney(200, "EUR")
		for i := range rows {
			rows[i].Prices, rows[i].Title = []hyperlocal.Money{price}, fmt.Sprint("Changed ", i)
		}
		b.of(t, "import of a changed chunk", pick(d, 8, 11), imported)
		b.of(t, "offers", 1, func() error {
			_, err := goods.Offers(ctx, tenant, merchant, refs)
			return err
		})
		for _, limit := range []int{1, hyperlocal.MaxPageLimit} {
			b.of(t, "a page of products", 3, func() error {
				page, err := goods.ListProducts(ctx, tenant, catalog.Filter{Merchant: merchant, TitlePrefix: "ch"}, hyperlocal.PageRequest{Limit: limit})
				if err == nil && (len(page.Items) != limit || len(page.Items[limit-1].Variants[0].Prices) != 1) {
					t.Errorf("the page holds %d products", len(page.Items))
				}
				return err
			})
		}
		b.of(t, "a page of shops", 1, func() error {
			_, err := goods.ListShops(ctx, tenant, catalog.ShopFilter{}, hyperlocal.PageRequest{})
			return err
		})

		ann := hyperlocal.Actor{Kind: "customer", ID: "ann"}
		garden, err := circles.CreateCircle(ctx, community.CreateCircleCommand{Tenant: tenant, Actor: ann, Name: "Garden", Slug: "garden"})
		if err != nil {
			t.Fatal(err)
		}
		b.of(t, "join", pick(d, 5, 7), func() error { // BEGIN, lock, read, writes, COMMIT
			_, err := circles.Join(ctx, community.MemberCommand{Tenant: tenant, Actor: clerk, Circle: garden.ID})
			return err
		})
		b.of(t, "a page of circles", 1, func() error {
			_, err := circles.ListCircles(ctx, tenant, community.CircleFilter{}, hyperlocal.PageRequest{})
			return err
		})
		b.of(t, "a page of members", 3, func() error {
			_, err := circles.ListMembers(ctx, tenant, ann, garden.ID, community.MemberFilter{}, hyperlocal.PageRequest{})
			return err
		})
		b.of(t, "a page of one's circles", 1, func() error {
			_, err := circles.ListMemberships(ctx, tenant, ann, hyperlocal.Ref{}, community.MembershipFilter{}, hyperlocal.PageRequest{})
			return err
		})
	})
}

func pick(d Dialect, postgres, sqlite int) int {
	if d == SQLite {
		return sqlite
	}
	return postgres
}
