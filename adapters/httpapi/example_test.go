package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/httpapi"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// The smallest host: a catalogue and orders that are paid on delivery.
func Example() {
	ctx := context.Background()
	db := memstore.New()
	shops, err := catalog.New(catalog.Config{Store: db.Catalog(), Tx: db, Outbox: db.Outbox()})
	check(err)
	orders, err := order.New(order.Config{
		Store: db.Orders(), Tx: db, Outbox: db.Outbox(), Idempotency: db.Idempotency(), Offers: shops,
	})
	check(err)
	variant := openTeaHouse(ctx, shops)

	handler, err := httpapi.New(httpapi.Config{
		Orders: orders, Catalog: shops, PayLater: true,
		Authenticate: func(r *http.Request) (hyperlocal.Principal, error) {
			name, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if !ok { // a real host verifies a token here
				return hyperlocal.Principal{}, httpapi.ErrUnauthenticated
			}
			return hyperlocal.Principal{
				Tenant: "acme", Actor: hyperlocal.Actor{Kind: "shopper", ID: name}, Scopes: []string{hyperlocal.ScopeShop},
			}, nil
		},
	})
	check(err)
	server := httptest.NewServer(handler)
	defer server.Close()

	body := `{"merchant": "tea-house", "currency": "CNY", "pay_later": true,
		"lines": [{"variant": "` + string(variant) + `", "quantity": {"value": "2", "unit": "piece"}}]}`
	for range 2 { // the second one is a retry after a lost answer
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/v1/orders", strings.NewReader(body))
		check(err)
		request.Header.Set("Authorization", "Bearer mei")
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Idempotency-Key", "checkout-17")
		response, err := http.DefaultClient.Do(request)
		check(err)
		var placed order.Summary
		check(json.NewDecoder(response.Body).Decode(&placed))
		check(response.Body.Close())
		fmt.Println(response.StatusCode, placed.State, placed.Total, "replayed:", response.Header.Get("Idempotency-Replayed") == "true")
	}
	// Output:
	// 201 confirmed 36.00 CNY replayed: false
	// 201 confirmed 36.00 CNY replayed: true
}

// Every refusal is a problem that programs can act on.
func ExampleProblem() {
	handler, err := httpapi.New(httpapi.Config{
		Orders: &order.Service{},
		Authenticate: func(*http.Request) (hyperlocal.Principal, error) {
			return hyperlocal.Principal{}, httpapi.ErrUnauthenticated
		},
	})
	check(err)
	recorder := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/v1/orders", nil)
	request.Header.Set("X-Request-Id", "r-1")
	handler.ServeHTTP(recorder, request)
	fmt.Println(recorder.Header().Get("Content-Type"), recorder.Header().Get("WWW-Authenticate"))
	fmt.Print(recorder.Body)
	// Output:
	// application/problem+json Bearer
	// {"title":"Unauthorized","status":401,"detail":"this needs credentials","code":"unauthenticated","reason":"http/unauthenticated","request_id":"r-1"}
}

// openTeaHouse opens a shop that sells tea at 18 yuan.
func openTeaHouse(ctx context.Context, shops *catalog.Service) catalog.VariantID {
	owner := hyperlocal.Actor{Kind: "merchant", ID: "li"}
	_, err := shops.CreateShop(ctx, catalog.CreateShopCommand{
		Tenant: "acme", Actor: owner, Merchant: catalog.Merchant("tea-house"), Name: "Tea house", Currency: "CNY", Open: true,
	})
	check(err)
	price, err := hyperlocal.NewMoney(1800, "CNY")
	check(err)
	products, err := shops.CreateProducts(ctx, catalog.CreateProductsCommand{
		Tenant: "acme", Actor: owner, Merchant: catalog.Merchant("tea-house"), Products: []catalog.NewProduct{{
			Title: "Green tea", Variants: []catalog.NewVariant{{SKU: "GT-1", Prices: []hyperlocal.Money{price}}},
		}},
	})
	check(err)
	return products[0].Variants[0].ID
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
