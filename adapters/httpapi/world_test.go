package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
	_ "time/tzdata" // the machine may lack it

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/httpapi"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
	"github.com/hyperlocal-sdk/hyperlocal/order"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Two tenants, three merchants. Names that begin with canary are secrets of their tenant.
const (
	acme  hyperlocal.TenantID = "acme"
	rival hyperlocal.TenantID = "canary-rival"
)

// people are who can be asking, by bearer token.
var people = map[string]hyperlocal.Principal{
	"ann":        {Tenant: acme, Actor: hyperlocal.Actor{Kind: "shopper", ID: "ann"}, Scopes: []string{hyperlocal.ScopeShop}},
	"bob":        {Tenant: acme, Actor: hyperlocal.Actor{Kind: "shopper", ID: "canary-bob"}, Scopes: []string{hyperlocal.ScopeShop}},
	"baker":      {Tenant: acme, Actor: hyperlocal.Actor{Kind: "merchant", ID: "baker-staff"}, Merchant: "bakery", Scopes: []string{hyperlocal.ScopeMerchant}},
	"grocer":     {Tenant: acme, Actor: hyperlocal.Actor{Kind: "merchant", ID: "grocer-staff"}, Merchant: "grocery", Scopes: []string{hyperlocal.ScopeMerchant}},
	"jobless":    {Tenant: acme, Actor: hyperlocal.Actor{Kind: "merchant", ID: "jobless"}, Scopes: []string{hyperlocal.ScopeMerchant}},
	"nobody":     {Tenant: acme, Actor: hyperlocal.Actor{Kind: "shopper", ID: "nobody"}},
	"admin":      {Tenant: acme, Actor: hyperlocal.Actor{Kind: "admin", ID: "root"}, Scopes: []string{hyperlocal.ScopeAdmin}},
	"rivalann":   {Tenant: rival, Actor: hyperlocal.Actor{Kind: "shopper", ID: "ann"}, Scopes: []string{hyperlocal.ScopeShop}},
	"rivalbaker": {Tenant: rival, Actor: hyperlocal.Actor{Kind: "merchant", ID: "staff"}, Merchant: "bakery", Scopes: []string{hyperlocal.ScopeMerchant}},
	"rivaladmin": {Tenant: rival, Actor: hyperlocal.Actor{Kind: "admin", ID: "root"}, Scopes: []string{hyperlocal.ScopeAdmin}},
}

// webhookSecret signs the sandbox's webhooks.
const webhookSecret = "a secret of at least 24 bytes"

// world is all services on one store in memory, behind the edge.
type world struct {
	t        testing.TB
	db       *memstore.DB
	orders   *order.Service
	stock    *inventory.Service
	catalog  *catalog.Service
	payments *payment.Service
	loyalty  *loyalty.Service
	ledger   *ledger.Service
	handler  http.Handler
	log      *lockedBuffer

	mu    sync.Mutex
	calls []sandbox.Webhook // that the sandbox wants made

	bread map[hyperlocal.TenantID]catalog.Product // of each tenant's bakery
	apple catalog.Product                         // of acme's grocery
	draft catalog.Product                         // of acme's bakery, not published
}

// lockedBuffer is where the log goes.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// authenticate reads the bearer token.
func authenticate(r *http.Request) (hyperlocal.Principal, error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if p, known := people[token]; ok && known {
		return p, nil
	}
	return hyperlocal.Principal{}, httpapi.ErrUnauthenticated
}

// newWorld builds everything and fills the shelves: 10 breads, 10 apples, and a draft.
func newWorld(t testing.TB, change ...func(*httpapi.Config)) *world {
	t.Helper()
	w := &world{t: t, db: memstore.New(), log: &lockedBuffer{}, bread: make(map[hyperlocal.TenantID]catalog.Product)}
	gateway, err := sandbox.New(sandbox.Config{Secret: []byte(webhookSecret), Deliver: func(_ context.Context, h sandbox.Webhook) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.calls = append(w.calls, h)
		return nil
	}})
	w.must(err)
	w.ledger, err = ledger.New(ledger.Config{Store: w.db.Ledger(), Tx: w.db})
	w.must(err)
	w.loyalty, err = loyalty.New(loyalty.Config{Store: w.db.Loyalty(), Tx: w.db, Journal: w.ledger})
	w.must(err)
	w.catalog, err = catalog.New(catalog.Config{Store: w.db.Catalog(), Tx: w.db, Outbox: w.db.Outbox()})
	w.must(err)
	w.stock, err = inventory.New(inventory.Config{Store: w.db.Stock(), Tx: w.db, Outbox: w.db.Outbox(), Idempotency: w.db.Idempotency()})
	w.must(err)
	w.payments, err = payment.New(payment.Config{
		Store: w.db.Payments(), Tx: w.db, Outbox: w.db.Outbox(), Gateways: []payment.Gateway{gateway}, Journal: w.ledger,
	})
	w.must(err)
	w.orders, err = order.New(order.Config{
		Store: w.db.Orders(), Tx: w.db, Outbox: w.db.Outbox(), Idempotency: w.db.Idempotency(), Stock: w.stock,
		Participants: []hyperlocal.Participant{w.loyalty.Participant()}, Payments: w.payments, Journal: w.ledger, Offers: w.catalog,
	})
	w.must(err)
	w.must(w.payments.AttachOwner("order", w.orders))

	for _, tenant := range []hyperlocal.TenantID{acme, rival} {
		w.bread[tenant] = w.sell(tenant, "bakery", "bread-"+string(tenant), 350, 10, catalog.Active)
	}
	w.apple = w.sell(acme, "grocery", "canary-apple", 120, 10, catalog.Active)
	w.draft = w.sell(acme, "bakery", "canary-draft", 999, 0, catalog.Draft)

	config := httpapi.Config{
		Orders: w.orders, Stock: w.stock, Catalog: w.catalog, Payments: w.payments, Loyalty: w.loyalty, Ledger: w.ledger,
		Authenticate: authenticate, Logger: slog.New(slog.NewJSONHandler(w.log, nil)),
	}
	for _, f := range change {
		f(&config)
	}
	w.handler, err = httpapi.New(config)
	w.must(err)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// sell puts a product with one stocked variant into a merchant's shop, which it opens first.
func (w *world) sell(tenant hyperlocal.TenantID, merchant, title string, price, units int64, state catalog.State) catalog.Product {
	w.t.Helper()
	ctx, actor := w.t.Context(), hyperlocal.System("test")
	_, err := w.catalog.CreateShop(ctx, catalog.CreateShopCommand{
		Tenant: tenant, Actor: actor, Merchant: catalog.Merchant(merchant), Name: merchant, Currency: "EUR",
		Location: hyperlocal.LocationID(string(tenant) + "-" + merchant + "-shelf"), Open: true,
	})
	if err != nil && !hyperlocal.IsCode(err, hyperlocal.CodeAlreadyExists) {
		w.t.Fatal(err)
	}
	cents, err := hyperlocal.NewMoney(price, "EUR")
	w.must(err)
	products, err := w.catalog.CreateProducts(ctx, catalog.CreateProductsCommand{
		Tenant: tenant, Actor: actor, Merchant: catalog.Merchant(merchant), Products: []catalog.NewProduct{{
			Title: title, Kind: catalog.KindGoods, State: state,
			Variants: []catalog.NewVariant{{SKU: title, Stocked: true, Prices: []hyperlocal.Money{cents}}},
		}},
	})
	w.must(err)
	v := products[0].Variants[0]
	_, err = w.stock.SetItems(ctx, inventory.SetItemsCommand{Tenant: tenant, Actor: actor, Items: []inventory.Item{
		{ID: v.Item, Location: v.Location, Unit: hyperlocal.Piece, Mode: inventory.ModeReserveOnOrder},
	}})
	w.must(err)
	if units > 0 {
		_, err = w.stock.Receive(ctx, inventory.StockCommand{Tenant: tenant, Actor: actor, Lines: []inventory.StockLine{
			{Item: v.Item, Location: v.Location, Quantity: hyperlocal.Pieces(units)},
		}})
		w.must(err)
	}
	return products[0]
}

// answer is what came back.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	body   []byte
}

// request is one request; zero fields are left out.
type request struct {
	method, path string
	as           string // bearer token
	key          string
	body         any // a string is sent as it is
	header       map[string]string
}

func (w *world) do(r request) answer {
	w.t.Helper()
	var body io.Reader
	switch b := r.body.(type) {
	case nil:
	case string:
		body = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		w.must(err)
		body = bytes.NewReader(text)
	}
	req := httptest.NewRequestWithContext(w.t.Context(), r.method, r.path, body)
	if r.as != "" {
		req.Header.Set("Authorization", "Bearer "+r.as)
	}
	if r.key != "" {
		req.Header.Set("Idempotency-Key", r.key)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, req)
	return answer{t: w.t, status: rec.Code, header: rec.Header(), body: rec.Body.Bytes()}
}

func (w *world) get(as, path string) answer {
	w.t.Helper()
	return w.do(request{method: http.MethodGet, path: path, as: as})
}

func (w *world) post(as, path, key string, body any) answer {
	w.t.Helper()
	return w.do(request{method: http.MethodPost, path: path, as: as, key: key, body: body})
}

// want fails unless the answer has the status, and decodes its body into dst if that is given.
func (a answer) want(status int, dst ...any) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	for _, d := range dst {
		if err := json.Unmarshal(a.body, d); err != nil {
			a.t.Fatalf("%v in %s", err, a.body)
		}
	}
	return a
}

// refused fails unless the answer is a problem with the status, code and reason.
func (a answer) refused(status int, code hyperlocal.Code, reason string) httpapi.Problem {
	a.t.Helper()
	var p httpapi.Problem
	a.want(status, &p)
	if p.Code != code || p.Reason != reason || p.Status != status || p.RequestID == "" || p.Title == "" {
		a.t.Fatalf("problem %+v, want %s %s", p, code, reason)
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		a.t.Fatalf("content type %q", got)
	}
	return p
}

// summary is what commands answer with.
type summary struct {
	ID            string `json:"id"`
	State         string `json:"state"`
	PaymentStatus string `json:"payment_status"`
	Version       int64  `json:"version"`
	Total         struct {
		Amount   int64  `json:"amount"`
		Currency string `json:"currency"`
	} `json:"total"`
}

// placement is the body of an order for pieces of a product.
func placement(merchant string, p catalog.Product, pieces int) map[string]any {
	return map[string]any{
		"merchant": merchant, "currency": "EUR",
		"lines": []any{map[string]any{
			"variant": p.Variants[0].ID, "quantity": map[string]any{"value": fmt.Sprint(pieces), "unit": "piece"},
		}},
	}
}

// place places an order for breads.
func (w *world) place(as string, pieces int) summary {
	w.t.Helper()
	var s summary
	tenant := people[as].Tenant
	w.post(as, "/v1/orders", hyperlocal.RandomIDs{}.NewID(), placement("bakery", w.bread[tenant], pieces)).want(http.StatusCreated, &s)
	return s
}

// paid places an order and pays it.
func (w *world) paid(as string, pieces int) summary {
	w.t.Helper()
	s := w.place(as, pieces)
	var p struct {
		Order summary `json:"order"`
	}
	w.post(as, "/v1/orders/"+s.ID+"/pay", hyperlocal.RandomIDs{}.NewID(), map[string]any{"method": "ok"}).want(http.StatusOK, &p)
	return p.Order
}

// earn does what the consumer of order events does: points for what has been completed.
func (w *world) earn() {
	w.t.Helper()
	events, err := w.db.Outbox().Pending(w.t.Context(), 100_000)
	w.must(err)
	for _, e := range events {
		if e.Name != "order.completed" {
			continue
		}
		o, err := w.orders.Get(w.t.Context(), e.Tenant, order.ID(e.Aggregate.ID))
		w.must(err)
		w.must(w.loyalty.SetEarned(w.t.Context(), loyalty.Earned{
			Tenant: e.Tenant, Member: o.Customer, Source: e.Aggregate, SourceVersion: e.AggregateVersion,
			Points: loyalty.Points(o.Total, nil), Actor: hyperlocal.System("loyalty"), At: time.Time{},
		}))
	}
}

// dump is everything that a test may have changed, as text.
func (w *world) dump() string {
	w.t.Helper()
	ctx := w.t.Context()
	var all []any
	for _, tenant := range []hyperlocal.TenantID{acme, rival} {
		orders, err := w.orders.List(ctx, tenant, order.Filter{}, hyperlocal.PageRequest{Limit: 200})
		w.must(err)
		levels, err := w.stock.ListLevels(ctx, tenant, inventory.LevelFilter{}, hyperlocal.PageRequest{Limit: 200})
		w.must(err)
		journal, err := w.ledger.Journal(ctx, tenant, ledger.Filter{}, hyperlocal.PageRequest{Limit: 200})
		w.must(err)
		hooks, err := w.payments.Webhooks(ctx, tenant, "", hyperlocal.PageRequest{Limit: 200})
		w.must(err)
		products, err := w.catalog.ListProducts(ctx, tenant, catalog.Filter{}, hyperlocal.PageRequest{Limit: 200})
		w.must(err)
		all = append(all, orders, levels, journal, hooks, products)
	}
	events, err := w.db.Outbox().Pending(ctx, 100_000)
	w.must(err)
	text, err := json.Marshal(append(all, events))
	w.must(err)
	return string(text)
}

func stockKey(tenant hyperlocal.TenantID, v catalog.Variant) inventory.Key {
	return inventory.Key{Tenant: tenant, Item: v.Item, Location: v.Location}
}
