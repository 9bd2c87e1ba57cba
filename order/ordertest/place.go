package ordertest

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

func testPlace(t *testing.T, newHarness func(*testing.T) Harness) {
	t.Run("everything is kept", func(t *testing.T) { testPlaceWhole(t, newKit(t, newHarness)) })
	t.Run("refusals", func(t *testing.T) { testPlaceRefusals(t, newKit(t, newHarness)) })
	t.Run("a refused item fails no neighbour", func(t *testing.T) { testPlaceBatch(t, newKit(t, newHarness)) })
	t.Run("keys", func(t *testing.T) { testPlaceKeys(t, newKit(t, newHarness)) })
	t.Run("external references", func(t *testing.T) { testPlaceExternal(t, newKit(t, newHarness)) })
	t.Run("offers", func(t *testing.T) { testPlaceOffers(t, newKit(t, newHarness)) })
	t.Run("spending", func(t *testing.T) { testPlaceSpend(t, newHarness) })
	t.Run("numbers", func(t *testing.T) { testPlaceNumbers(t, newHarness) })
	t.Run("parts left out", func(t *testing.T) { testPlaceWithout(t, newHarness) })
	t.Run("rollback", func(t *testing.T) { testPlaceRollback(t, newKit(t, newHarness)) })
	t.Run("as many lines as there may be", func(t *testing.T) { testPlaceLarge(t, newKit(t, newHarness)) })
}

func testPlaceWhole(t *testing.T, k *kit) {
	k.stock.Put(tenant, "beans", "shop", 5000)
	window := k.clock.Now().Add(3 * time.Hour)
	c := order.PlaceCommand{
		Tenant: tenant, Actor: shopper, Merchant: shop, Customer: ann, Channel: "web", Group: "g1", Currency: "GBP",
		External: hyperlocal.External{Source: "till", Reference: "42"}, Fulfilment: order.FulfilmentDelivery,
		Lines: []order.PlaceLine{
			{
				Kind: order.LineBundle, Title: "Bündel 🥕", Variant: hyperlocal.NewRef("variant", "v1"), Code: "B-1",
				Quantity: hyperlocal.Pieces(2), UnitPrice: gbp(0), Custom: json.RawMessage(`{"gift":true}`),
			},
			{
				Parent: 1, Group: "cold", Item: "beans", Location: "shop", Title: "Beans", Quantity: grams(t, 1500),
				UnitPrice: gbp(333), PriceQuantity: grams(t, 1000), Options: []order.Option{{Name: "roast", Value: "dark"}},
			},
		},
		Adjustments: []order.Adjustment{
			{Line: 2, Kind: order.AdjustDiscount, Amount: gbp(-100), Source: "promo/1", Title: "Spring", Funding: []order.FundingShare{
				{Party: shop, Amount: gbp(-60)}, {Party: hyperlocal.NewRef("platform", "p"), Amount: gbp(-40)},
			}},
			{Kind: order.AdjustTax, Amount: gbp(83), Included: true, Source: "vat", Title: "VAT"},
			{Kind: order.AdjustDelivery, Amount: gbp(299), Title: "Delivery"},
		},
		Contact: &order.Contact{Name: "Änn", Phone: "+44 20 7946 0000", Email: "ann@example.org", Address: order.Address{
			Lines: []string{"1 High Street"}, PostalCode: "N1 1AA", City: "London", Country: "GB", LatitudeE6: 51_500_000, LongitudeE6: -120_000,
		}},
		RequestedFrom: window, RequestedTo: window.Add(time.Hour), TimeZone: "Europe/London", Locale: "en-GB",
		Note: "Ring twice", Custom: json.RawMessage(`{"table":7}`),
	}
	r, err := k.s.Place(t.Context(), c)
	noError(t, err)
	// 3.33 × 1.5 = 4.995, half to even gives 5.00; less 1.00, plus 2.99.
	if r.Order.Total != gbp(699) || r.Order.State != order.AwaitingPayment || r.Order.Version != 1 || r.Replayed {
		t.Fatalf("got %+v", r)
	}
	o := k.want(r.Order.ID, order.AwaitingPayment, order.PaymentDue)
	now := k.clock.Now()
	equal(t, o, order.Order{
		ID: o.ID, Tenant: tenant, Number: o.Number, Merchant: shop, Channel: "web", Group: "g1", External: c.External,
		Customer: ann, Currency: "GBP", Fulfilment: order.FulfilmentDelivery, State: order.AwaitingPayment,
		PaymentStatus: order.PaymentDue, Version: 1, LinesTotal: gbp(500), Total: gbp(699), Authorized: gbp(0),
		Captured: gbp(0), Refunded: gbp(0), RequestedFrom: window, RequestedTo: window.Add(time.Hour),
		TimeZone: "Europe/London", Locale: "en-GB", Note: "Ring twice", Custom: c.Custom, PlacedAt: now, CreatedAt: now,
		UpdatedAt: now, NextAction: "payment_deadline", NextActionAt: now.Add(30 * time.Minute), Fingerprint: o.Fingerprint,
		Lines: []order.Line{
			{
				N: 1, Kind: order.LineBundle, Variant: c.Lines[0].Variant, Code: "B-1", Title: "Bündel 🥕", Quantity: hyperlocal.Pieces(2),
				UnitPrice: gbp(0), PriceQuantity: hyperlocal.Pieces(1), Amount: gbp(0), Custom: c.Lines[0].Custom,
			},
			{
				N: 2, Kind: order.LineGoods, Parent: 1, Group: "cold", Item: "beans", Location: "shop", Title: "Beans",
				Options: c.Lines[1].Options, Quantity: grams(t, 1500), UnitPrice: gbp(333), PriceQuantity: grams(t, 1000), Amount: gbp(500),
			},
		},
		Adjustments: numbered(c.Adjustments), Contact: c.Contact,
	})
	if h := k.history(o.ID); len(h) != 1 || h[0].Actor != shopper || h[0].From != "placed" || h[0].To != "awaiting_payment" {
		t.Fatalf("history %+v", h)
	}
	page, err := k.s.List(t.Context(), tenant, order.Filter{Customer: ann}, hyperlocal.PageRequest{})
	noError(t, err)
	if len(page.Items) != 1 || page.Items[0].ID != o.ID || page.Items[0].Contact != nil {
		t.Fatalf("listed %+v", page)
	}
}

func numbered(all []order.Adjustment) []order.Adjustment {
	out := make([]order.Adjustment, len(all))
	for i, a := range all {
		a.N = i + 1
		out[i] = a
	}
	return out
}

func grams(t *testing.T, n int64) hyperlocal.Quantity {
	t.Helper()
	q, err := hyperlocal.NewQuantity(n, "g")
	noError(t, err)
	return q
}

func testPlaceRefusals(t *testing.T, k *kit) {
	eur, err := hyperlocal.NewMoney(1, "EUR")
	noError(t, err)
	whole, err := hyperlocal.NewMoney(1<<62, "GBP")
	noError(t, err)
	negative, err := hyperlocal.Pieces(1).Neg()
	noError(t, err)
	line := func(fn func(*order.PlaceLine)) func(*order.PlaceCommand) {
		return func(c *order.PlaceCommand) { fn(&c.Lines[0]) }
	}
	adjust := func(a order.Adjustment) func(*order.PlaceCommand) {
		return func(c *order.PlaceCommand) { c.Adjustments = []order.Adjustment{a} }
	}
	for name, change := range map[string]func(*order.PlaceCommand){
		"no tenant":             func(c *order.PlaceCommand) { c.Tenant = "" },
		"no actor":              func(c *order.PlaceCommand) { c.Actor = hyperlocal.Actor{} },
		"no merchant":           func(c *order.PlaceCommand) { c.Merchant = hyperlocal.Ref{} },
		"no lines":              func(c *order.PlaceCommand) { c.Lines = nil },
		"too many lines":        func(c *order.PlaceCommand) { c.Lines = make([]order.PlaceLine, order.MaxLines+1) },
		"too many adjustments":  func(c *order.PlaceCommand) { c.Adjustments = make([]order.Adjustment, order.MaxAdjustments+1) },
		"no currency":           func(c *order.PlaceCommand) { c.Currency = "" },
		"a made-up currency":    func(c *order.PlaceCommand) { c.Currency = "XYZ" },
		"half an external name": func(c *order.PlaceCommand) { c.External.Source = "till" },
		"a made-up fulfilment":  func(c *order.PlaceCommand) { c.Fulfilment = "pigeon" },
		"a window backwards": func(c *order.PlaceCommand) {
			c.RequestedFrom, c.RequestedTo = k.clock.Now(), k.clock.Now().Add(-time.Second)
		},
		"a time out of range":      func(c *order.PlaceCommand) { c.At = time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC) },
		"a long note":              func(c *order.PlaceCommand) { c.Note = strings.Repeat("x", order.MaxNote+1) },
		"a note with NUL":          func(c *order.PlaceCommand) { c.Note = "a\x00b" },
		"a note that is not UTF-8": func(c *order.PlaceCommand) { c.Note = "a\xffb" },
		"a long custom": func(c *order.PlaceCommand) {
			c.Custom = json.RawMessage(`{"a":"` + strings.Repeat("x", order.MaxCustom) + `"}`)
		},
		"a custom that is no object": func(c *order.PlaceCommand) { c.Custom = json.RawMessage(`[1]`) },
		"a custom that is broken":    func(c *order.PlaceCommand) { c.Custom = json.RawMessage(`{"a":`) },
		"an odd key":                 func(c *order.PlaceCommand) { c.Key = "käse" },
		"a country in words":         func(c *order.PlaceCommand) { c.Contact = &order.Contact{Address: order.Address{Country: "Spain"}} },
		"a latitude beyond the pole": func(c *order.PlaceCommand) {
			c.Contact = &order.Contact{Address: order.Address{LatitudeE6: 90_000_001}}
		},
		"no quantity":               line(func(l *order.PlaceLine) { l.Quantity = hyperlocal.Quantity{} }),
		"quantity zero":             line(func(l *order.PlaceLine) { l.Quantity = hyperlocal.Pieces(0) }),
		"a negative quantity":       line(func(l *order.PlaceLine) { l.Quantity = negative }),
		"a negative price":          line(func(l *order.PlaceLine) { l.UnitPrice = gbp(-1) }),
		"a price in another money":  line(func(l *order.PlaceLine) { l.UnitPrice = eur }),
		"a price for other units":   line(func(l *order.PlaceLine) { l.PriceQuantity = grams(t, 100) }),
		"an amount beyond 64 bits":  line(func(l *order.PlaceLine) { l.UnitPrice, l.Quantity = whole, hyperlocal.Pieces(3) }),
		"no title":                  line(func(l *order.PlaceLine) { l.Title = "" }),
		"a long title":              line(func(l *order.PlaceLine) { l.Title = strings.Repeat("x", order.MaxTitle+1) }),
		"an item without location":  line(func(l *order.PlaceLine) { l.Location = "" }),
		"itself as parent":          line(func(l *order.PlaceLine) { l.Parent = 1 }),
		"a parent that is missing":  line(func(l *order.PlaceLine) { l.Parent = 9 }),
		"an odd kind":               line(func(l *order.PlaceLine) { l.Kind = "Gute Ware" }),
		"neither price nor variant": line(func(l *order.PlaceLine) { l.UnitPrice = hyperlocal.Money{} }),
		"a positive discount":       adjust(order.Adjustment{Kind: order.AdjustDiscount, Amount: gbp(1)}),
		"a made-up adjustment":      adjust(order.Adjustment{Kind: "bribe", Amount: gbp(1)}),
		"an adjustment of no line":  adjust(order.Adjustment{Kind: order.AdjustFee, Line: 2, Amount: gbp(1)}),
		"an adjustment in euros":    adjust(order.Adjustment{Kind: order.AdjustFee, Amount: eur}),
		"an adjustment of nothing":  adjust(order.Adjustment{Kind: order.AdjustFee}),
		"a discount beyond price":   adjust(order.Adjustment{Kind: order.AdjustDiscount, Amount: gbp(-151)}),
		"funding that does not add up": adjust(order.Adjustment{
			Kind: order.AdjustDiscount, Amount: gbp(-10), Funding: []order.FundingShare{{Party: shop, Amount: gbp(-9)}},
		}),
		"spending nothing": func(c *order.PlaceCommand) { c.Spend = []hyperlocal.Spend{{Kind: "points"}} },
	} {
		c := apples(1)
		change(&c)
		_, err := k.s.Place(t.Context(), c)
		if !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
			t.Errorf("%s: got %v, want code invalid", name, err)
		}
	}
	k.wantStock(100, 0)
	page, err := k.s.List(t.Context(), tenant, order.Filter{}, hyperlocal.PageRequest{})
	noError(t, err)
	if len(page.Items) != 0 {
		t.Fatalf("%d orders were placed all the same", len(page.Items))
	}
	if _, err := k.s.PlaceMany(t.Context(), make([]order.PlaceCommand, order.MaxBatch+1)); !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
		t.Fatalf("a batch too large: %v", err)
	}
}

func testPlaceBatch(t *testing.T, k *kit) {
	k.stock.Put(tenant, "apple", "shop", 10)
	bad := apples(1)
	bad.Merchant = hyperlocal.Ref{}
	commands := []order.PlaceCommand{apples(6), bad, apples(6), apples(4), apples(1)}
	results, err := k.s.PlaceMany(t.Context(), commands)
	noError(t, err)
	for i, want := range []bool{true, false, false, true, false} {
		if got := results[i].Err == nil; got != want {
			t.Errorf("order %d: got %v", i, results[i].Err)
		}
	}
	wantReason(t, results[2].Err, ErrNoStock)
	k.wantStock(10, 10)
	for i := range commands {
		if results[i].Err == nil {
			k.want(results[i].Order.ID, order.AwaitingPayment, order.PaymentDue)
		}
	}
}

func testPlaceKeys(t *testing.T, k *kit) {
	c := apples(2)
	c.Key, c.Note = "k1", "please"
	first, err := k.s.Place(t.Context(), c)
	noError(t, err)
	again, err := k.s.Place(t.Context(), c)
	noError(t, err)
	if !again.Replayed || again.Order != first.Order {
		t.Fatalf("got %+v, want a replay of %+v", again, first)
	}
	k.wantStock(100, 2)
	for name, change := range map[string]func(*order.PlaceCommand){
		"lines":   func(c *order.PlaceCommand) { c.Lines = append(c.Lines, c.Lines[0]) },
		"note":    func(c *order.PlaceCommand) { c.Note = "or else" },
		"contact": func(c *order.PlaceCommand) { c.Contact = &order.Contact{Name: "Eve"} },
	} {
		reused := c
		change(&reused)
		_, err := k.s.Place(t.Context(), reused)
		if hyperlocal.ReasonOf(err) != hyperlocal.ErrKeyReused.Reason {
			t.Errorf("other %s: got %v", name, err)
		}
	}
	// The same key of somebody else is another key.
	c.Actor = hyperlocal.Actor{Kind: order.ActorShopper, ID: "eve"}
	theirs, err := k.s.Place(t.Context(), c)
	noError(t, err)
	if theirs.Replayed {
		t.Fatal("the keys of two callers were mixed up")
	}
	// A refusal frees its key.
	k.stock.Put(tenant, "apple", "shop", 0)
	c.Key = "k2"
	_, err = k.s.Place(t.Context(), c)
	wantReason(t, err, ErrNoStock)
	k.stock.Put(tenant, "apple", "shop", 100)
	r, err := k.s.Place(t.Context(), c)
	noError(t, err)
	if r.Replayed {
		t.Fatal("a refusal was stored")
	}
	// Twins in one batch share the first one's result, also a refusal.
	twin, reused, broke := apples(1), apples(3), apples(1000)
	twin.Key, reused.Key, broke.Key = "k3", "k3", "k4"
	results, err := k.s.PlaceMany(t.Context(), []order.PlaceCommand{twin, twin, reused, broke, broke})
	noError(t, err)
	if results[0].Err != nil || results[0].Replayed || results[1].Err != nil || !results[1].Replayed || results[1].Order != results[0].Order {
		t.Fatalf("got %+v", results)
	}
	wantReason(t, results[2].Err, hyperlocal.ErrKeyReused)
	wantReason(t, results[3].Err, ErrNoStock)
	wantReason(t, results[4].Err, ErrNoStock)
}

func testPlaceExternal(t *testing.T, k *kit) {
	c := apples(1)
	c.External = hyperlocal.External{Source: "till", Reference: "1"}
	first, err := k.s.Place(t.Context(), c)
	noError(t, err)
	again, err := k.s.Place(t.Context(), c)
	noError(t, err)
	if !again.Replayed || again.Order != first.Order {
		t.Fatalf("got %+v, want a replay of %+v", again, first)
	}
	otherContent := c
	otherContent.Lines = apples(2).Lines
	_, err = k.s.Place(t.Context(), otherContent)
	wantReason(t, err, order.ErrExternalConflict)
	// A new key and a known reference: the order that exists, and the key remembers it.
	keyed := c
	keyed.Key = "k1"
	for range 2 {
		r, err := k.s.Place(t.Context(), keyed)
		noError(t, err)
		if !r.Replayed || r.Order.ID != first.Order.ID {
			t.Fatalf("got %+v", r)
		}
	}
	// Within a batch.
	fresh := apples(1)
	fresh.External = hyperlocal.External{Source: "till", Reference: "2"}
	clash := apples(2)
	clash.External = fresh.External
	results, err := k.s.PlaceMany(t.Context(), []order.PlaceCommand{fresh, fresh, clash, c})
	noError(t, err)
	if results[0].Err != nil || results[0].Replayed || !results[1].Replayed || results[1].Order != results[0].Order {
		t.Fatalf("got %+v", results)
	}
	wantReason(t, results[2].Err, order.ErrExternalConflict)
	if !results[3].Replayed || results[3].Order.ID != first.Order.ID {
		t.Fatalf("got %+v", results[3])
	}
	// Another tenant, another world.
	c.Tenant = other
	k.stock.Put(other, "apple", "shop", 5)
	theirs, err := k.s.Place(t.Context(), c)
	noError(t, err)
	if theirs.Replayed {
		t.Fatal("the references of two tenants were mixed up")
	}
	k.wantStock(100, 2)
}

func testPlaceOffers(t *testing.T, k *kit) {
	apple, pear := hyperlocal.NewRef("variant", "apple"), hyperlocal.NewRef("variant", "pear")
	k.offers[apple] = order.Offer{
		Variant: apple, Code: "A1", Title: "Apple", Kind: "goods", UnitPrice: gbp(175), PriceQuantity: hyperlocal.Pieces(1),
		Item: "apple", Location: "shop",
	}
	c := apples(1)
	c.Lines = []order.PlaceLine{{Variant: apple, Quantity: hyperlocal.Pieces(2)}, {Variant: apple, Title: "My apple", Quantity: hyperlocal.Pieces(1)}}
	missing := apples(1)
	missing.Lines = []order.PlaceLine{{Variant: pear, Quantity: hyperlocal.Pieces(1)}}
	results, err := k.s.PlaceMany(t.Context(), []order.PlaceCommand{c, missing, apples(1)})
	noError(t, err)
	noError(t, results[0].Err)
	wantReason(t, results[1].Err, ErrNoOffer)
	noError(t, results[2].Err)
	o := k.get(results[0].Order.ID)
	if o.Total != gbp(525) || o.Lines[0].Title != "Apple" || o.Lines[1].Title != "My apple" || o.Lines[0].Item != "apple" || o.Lines[0].Code != "A1" {
		t.Fatalf("got %+v", o)
	}
	k.wantStock(100, 4)
	if c.Lines[0].UnitPrice.IsValid() {
		t.Fatal("the caller's command was changed")
	}
}

// wallet is a participant that has so much.
type wallet struct {
	left   int64
	batch  []hyperlocal.Placement
	taken  int64
	spent  *int64
	failed error
}

func (w *wallet) Rank() hyperlocal.Rank { return hyperlocal.RankAccount }

func (w *wallet) SpendKinds() []string { return []string{"points"} }

func (w *wallet) Decide(_ context.Context, batch []hyperlocal.Placement) (hyperlocal.Decision, error) {
	return &wallet{left: w.left, batch: batch, spent: w.spent}, w.failed
}

var errPoor = hyperlocal.NewError(hyperlocal.CodeExhausted, "ordertest/poor", "there is not enough of it")

func (w *wallet) Check(i int) error {
	for _, s := range w.batch[i].Spend {
		if s.Amount > w.left-w.taken {
			return errPoor
		}
	}
	return nil
}

func (w *wallet) Take(i int) {
	for _, s := range w.batch[i].Spend {
		w.taken += s.Amount
	}
}

func (w *wallet) Apply(context.Context) error {
	*w.spent += w.taken
	return nil
}

func testPlaceSpend(t *testing.T, newHarness func(*testing.T) Harness) {
	purse := &wallet{left: 100, spent: new(int64)}
	k := newKit(t, newHarness, func(c *order.Config) { c.Participants = []hyperlocal.Participant{purse} })
	k.stock.Put(tenant, "apple", "shop", 3)
	spend := func(apple, points int64) order.PlaceCommand {
		c := apples(apple)
		c.Spend = []hyperlocal.Spend{{Kind: "points", Ref: ann, Amount: points}}
		return c
	}
	strange := spend(1, 1)
	strange.Spend[0].Kind = "shells"
	// What one participant refuses, the other does not take.
	results, err := k.s.PlaceMany(t.Context(), []order.PlaceCommand{spend(2, 60), spend(1, 60), spend(2, 1), spend(1, 40), strange})
	noError(t, err)
	noError(t, results[0].Err)
	wantReason(t, results[1].Err, errPoor)
	wantReason(t, results[2].Err, ErrNoStock)
	noError(t, results[3].Err)
	wantReason(t, results[4].Err, order.ErrNotConfigured)
	k.wantStock(3, 3)
	if *purse.spent != 100 {
		t.Fatalf("%d points were spent", *purse.spent)
	}
	purse.failed = errors.New("the purse is lost")
	if _, err := k.s.Place(t.Context(), spend(1, 1)); !errors.Is(err, purse.failed) {
		t.Fatalf("got %v", err)
	}
	k.wantStock(3, 3)
}

// stuckIDs draws the same letters a few times before it draws others.
type stuckIDs struct {
	hyperlocal.RandomIDs
	draws *int
}

func (s stuckIDs) Letters(n int, alphabet string) string {
	if *s.draws++; *s.draws <= 3 {
		return strings.Repeat("A", n)
	}
	return s.RandomIDs.Letters(n, alphabet)
}

func testPlaceNumbers(t *testing.T, newHarness func(*testing.T) Harness) {
	draws := 0
	k := newKit(t, newHarness, func(c *order.Config) { c.IDs = stuckIDs{draws: &draws} })
	first, second := k.get(k.place(apples(1))), k.get(k.place(apples(1)))
	if first.Number != "260314AAAAAAAA" || second.Number == first.Number || len(second.Number) != 14 {
		t.Fatalf("numbers %s and %s", first.Number, second.Number)
	}
	for _, letter := range second.Number[6:] {
		if !strings.ContainsRune(hyperlocal.UnambiguousAlphabet, letter) {
			t.Fatalf("number %s", second.Number)
		}
	}
	if draws != 4 {
		t.Fatalf("%d draws", draws)
	}
	k.wantStock(100, 2)
}

func testPlaceWithout(t *testing.T, newHarness func(*testing.T) Harness) {
	k := newKit(t, newHarness, func(c *order.Config) { c.Stock, c.Payments, c.Journal, c.Offers = nil, nil, nil, nil })
	_, err := k.s.Place(t.Context(), apples(1))
	wantReason(t, err, order.ErrNotConfigured)
	priceless := apples(1)
	priceless.Lines = []order.PlaceLine{{Variant: hyperlocal.NewRef("variant", "v"), Quantity: hyperlocal.Pieces(1)}}
	_, err = k.s.Place(t.Context(), priceless)
	wantReason(t, err, order.ErrNotConfigured)
	loose := apples(1)
	loose.Lines[0].Item, loose.Lines[0].Location = "", ""
	loose.Key = "k"
	id := k.place(loose)
	_, err = k.s.Pay(t.Context(), order.PayCommand{Tenant: tenant, Actor: shopper, Order: id})
	wantReason(t, err, order.ErrNotConfigured)
	// A host that takes money by other means tells so itself.
	err = k.Tx.WithinTx(t.Context(), func(ctx context.Context) error {
		return k.s.ApplyPayment(ctx, hyperlocal.PaymentFact{
			Tenant: tenant, Owner: id.Ref(), Verb: hyperlocal.VerbCharge, Outcome: hyperlocal.OutcomeSucceeded, Captured: gbp(150), Amount: gbp(150),
		})
	})
	noError(t, err)
	k.want(id, order.Confirmed, order.PaymentPaid)
	k.fire(id, order.TriggerCancel)
	k.want(id, order.Cancelled, order.PaymentPaid)
	k.pass(48 * time.Hour)
	refunds, err := k.s.Refunds(t.Context(), tenant, id)
	noError(t, err)
	if len(refunds) != 1 || refunds[0].State != order.RefundNeedsAttention {
		t.Fatalf("refunds %+v", refunds)
	}

	_, err = order.New(order.Config{})
	for _, part := range []string{"store", "tx", "outbox", "idempotency"} {
		if err == nil || !strings.Contains(err.Error(), "order/invalid_"+part) {
			t.Fatalf("a service without its %s: %v", part, err)
		}
	}
	var none *nothing
	if _, err := order.New(order.Config{Store: k.Store, Tx: none, Outbox: k.Outbox, Idempotency: k.Idempotency}); err == nil {
		t.Fatal("a nil pointer passed for a dependency")
	}
}

type nothing struct{}

func (*nothing) WithinTx(context.Context, func(context.Context) error) error { return nil }

// A failure after everything was queued leaves nothing behind.
func testPlaceRollback(t *testing.T, k *kit) {
	broken := errors.New("the host changed its mind")
	c := apples(1)
	c.Key = "k1"
	var id order.ID
	err := k.Tx.WithinTx(t.Context(), func(ctx context.Context) error {
		r, err := k.s.Place(ctx, c)
		noError(t, err)
		id = r.Order.ID
		if o, err := k.s.Get(ctx, tenant, id); err != nil || o.Number != r.Order.Number {
			t.Fatalf("the host's transaction does not see the order: %v", err)
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
	_, err = k.s.Get(t.Context(), tenant, id)
	wantReason(t, err, order.ErrNotFound)
	if h := k.history(id); len(h) != 0 {
		t.Fatalf("history %+v", h)
	}
	k.wantStock(100, 0)
	r, err := k.s.Place(t.Context(), c)
	noError(t, err)
	if r.Replayed || reflect.DeepEqual(r.Order.ID, id) {
		t.Fatalf("got %+v", r)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.s.Place(cancelled, apples(1)); err == nil {
		t.Fatal("placed with a context that had ended")
	}
	k.wantStock(100, 1)
}
