package httpapi_test

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/httpapi"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
)

// right is what the matrix knows of an operation, stated here apart from the code: whoever
// adds an operation says who may call it, and how it is called.
type right struct {
	public bool
	scopes []string // nil: everybody who is known
	call   func(f fixture) request
	// listing: what is not the caller's is left out instead of not found.
	listing bool
}

// fixture is one order with everything around it, of somebody.
type fixture struct {
	order, product, variant, item, location, merchant, customer string
	version                                                     int64
}

func get(format string, of ...func(fixture) string) func(fixture) request {
	return func(f fixture) request {
		args := make([]any, len(of))
		for i := range of {
			args[i] = of[i](f)
		}
		return request{method: http.MethodGet, path: fmt.Sprintf(format, args...)}
	}
}

func command(verb string, body any) func(fixture) request {
	return func(f fixture) request {
		return request{method: http.MethodPost, path: "/v1/orders/" + f.order + "/" + verb, key: "matrix-" + verb, body: body}
	}
}

func orderOf(f fixture) string    { return f.order }
func productOf(f fixture) string  { return f.product }
func merchantOf(f fixture) string { return f.merchant }
func customerOf(f fixture) string { return f.customer }
func locationOf(f fixture) string { return f.location }

var (
	shop     = []string{hyperlocal.ScopeShop, hyperlocal.ScopeAdmin}
	work     = []string{hyperlocal.ScopeMerchant, hyperlocal.ScopeAdmin}
	all      = []string{hyperlocal.ScopeShop, hyperlocal.ScopeMerchant, hyperlocal.ScopeAdmin}
	adminish = []string{hyperlocal.ScopeAdmin}
)

// rights has one row for every operation of the description.
func rights() map[string]right {
	return map[string]right{
		"health": {public: true, call: get("/healthz")},
		"ready":  {public: true, call: get("/readyz")},
		"receiveWebhook": {public: true, call: func(fixture) request {
			return request{method: http.MethodPost, path: "/v1/webhooks/acme/sandbox", body: "{}"}
		}},

		"listShops":    {call: get("/v1/shops"), listing: true},
		"getShop":      {call: get("/v1/shops/%s", merchantOf), listing: true},
		"listProducts": {call: get("/v1/shops/%s/products", merchantOf), listing: true},
		"getProduct":   {call: get("/v1/products/%s", productOf)},

		"getAvailability": {call: get("/v1/products/%s/availability", productOf)},

		"placeOrder": {scopes: shop, call: func(f fixture) request {
			return request{method: http.MethodPost, path: "/v1/orders", key: "matrix-place", body: map[string]any{
				"merchant": f.merchant, "currency": "EUR",
				"lines": []any{map[string]any{"variant": f.variant, "quantity": map[string]any{"value": "1", "unit": "piece"}}},
			}}
		}},
		"listOrders":       {scopes: all, call: get("/v1/orders?customer=%s", customerOf), listing: true},
		"getOrder":         {scopes: all, call: get("/v1/orders/%s", orderOf)},
		"listOrderHistory": {scopes: all, call: get("/v1/orders/%s/history", orderOf)},
		"listRefunds":      {scopes: all, call: get("/v1/orders/%s/refunds", orderOf)},
		"payOrder":         {scopes: shop, call: command("pay", map[string]any{"method": "ok"})},
		"refundOrder":      {scopes: work, call: command("refunds", map[string]any{})},
		"cancelOrder":      {scopes: all, call: command("cancel", nil)},
		"acceptOrder":      {scopes: work, call: command("accept", nil)},
		"rejectOrder":      {scopes: work, call: command("reject", nil)},
		"prepareOrder":     {scopes: work, call: command("prepare", nil)},
		"readyOrder":       {scopes: work, call: command("ready", nil)},
		"dispatchOrder":    {scopes: work, call: command("dispatch", nil)},
		"deliverOrder":     {scopes: work, call: command("deliver", nil)},
		"failDelivery":     {scopes: work, call: command("fail-delivery", nil)},
		"completeOrder":    {scopes: work, call: command("complete", nil)},
		"resolveOrder":     {scopes: work, call: command("resolve", nil)},

		"listStock": {scopes: work, call: get("/v1/stock?location=%s", locationOf)},
		"adjustStock": {scopes: work, call: func(f fixture) request {
			return request{method: http.MethodPost, path: "/v1/stock/adjustments", key: "matrix-adjust", body: map[string]any{
				"lines": []any{map[string]any{
					"item": f.item, "location": f.location, "version": f.version, "on_hand": map[string]any{"value": "3", "unit": "piece"},
				}},
			}}
		}},
		"receiveStock": {scopes: work, call: func(f fixture) request {
			return request{method: http.MethodPost, path: "/v1/stock/receipts", body: map[string]any{
				"lines": []any{map[string]any{"item": f.item, "location": f.location, "quantity": map[string]any{"value": "3", "unit": "piece"}}},
			}}
		}},

		"getPoints":       {scopes: shop, call: get("/v1/customers/%s/points", customerOf)},
		"listPointLots":   {scopes: shop, call: get("/v1/customers/%s/points/lots", customerOf)},
		"listJournal":     {scopes: adminish, call: get("/v1/journal"), listing: true},
		"listAccounts":    {scopes: adminish, call: get("/v1/accounts"), listing: true},
		"getTrialBalance": {scopes: adminish, call: get("/v1/trial-balance"), listing: true},
	}
}

// missing is the fixture of something that nobody has.
var missing = fixture{
	order: "01900000-0000-7000-8000-000000000000", product: "01900000-0000-7000-8000-000000000001",
	variant: "01900000-0000-7000-8000-000000000002", item: "01900000-0000-7000-8000-000000000003",
	location: "no-shelf", merchant: "no-shop", customer: "no-customer", version: 1,
}

// fixtureOf places and pays an order and notes everything around it.
func (w *world) fixtureOf(as string) fixture {
	w.t.Helper()
	tenant := people[as].Tenant
	v := w.bread[tenant].Variants[0]
	levels, err := w.stock.Levels(w.t.Context(), stockKey(tenant, v))
	w.must(err)
	return fixture{
		order: w.paid(as, 1).ID, product: string(w.bread[tenant].ID), variant: string(v.ID), item: string(v.Item),
		location: string(v.Location), merchant: "bakery", customer: people[as].Actor.ID, version: levels[0].Version + 1,
	}
}

func TestEveryOperationIsClassified(t *testing.T) {
	t.Parallel()
	known := rights()
	for path, methods := range describe(t).Paths {
		for method, op := range methods {
			r, ok := known[op.OperationID]
			if !ok {
				t.Errorf("%s %s (%s) is new: say in rights who may call it", method, path, op.OperationID)
				continue
			}
			delete(known, op.OperationID)
			if got := len(op.Security) == 0; got != r.public {
				t.Errorf("%s: public %v, want %v", op.OperationID, got, r.public)
			}
			if !r.public && !slices.Equal(op.Scopes, r.scopes) {
				t.Errorf("%s: scopes %v, want %v", op.OperationID, op.Scopes, r.scopes)
			}
			made := r.call(missing)
			pattern := "^" + regexp.MustCompile(`\\\{[a-z]+\\\}`).ReplaceAllString(regexp.QuoteMeta(path), "[^/]+") + `(\?.*)?$`
			if !strings.EqualFold(made.method, method) || !regexp.MustCompile(pattern).MatchString(made.path) {
				t.Errorf("%s: the matrix calls %s %s and not %s %s", op.OperationID, made.method, made.path, method, path)
			}
		}
	}
	for id := range known {
		t.Errorf("%s is in rights and not in the description", id)
	}
}

// TestNobodyGetsPastTheGate calls every operation without credentials and with every wrong
// role, for something that is there: refused, and nothing has changed.
func TestNobodyGetsPastTheGate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.fixtureOf("ann")
	before := w.dump()
	for id, r := range rights() {
		if r.public {
			continue
		}
		req := r.call(f)
		p := w.do(req).refused(http.StatusUnauthorized, "unauthenticated", "http/unauthenticated")
		if len(p.Fields) > 0 {
			t.Errorf("%s tells somebody unknown %v", id, p.Fields)
		}
		if got := w.do(req).header.Get("WWW-Authenticate"); got == "" {
			t.Errorf("%s: no WWW-Authenticate", id)
		}
		req.as = "forged"
		w.do(req).refused(http.StatusUnauthorized, "unauthenticated", "http/unauthenticated")
		if r.scopes == nil {
			continue
		}
		for name, person := range people {
			if slices.ContainsFunc(r.scopes, person.Has) && name != "jobless" {
				continue
			}
			if name == "jobless" && !slices.Contains(r.scopes, hyperlocal.ScopeMerchant) && !person.Has(hyperlocal.ScopeAdmin) {
				continue // as any merchant
			}
			req.as = name
			a := w.do(req)
			if a.status != http.StatusForbidden {
				t.Errorf("%s as %s: %d %s", id, name, a.status, a.body)
				continue
			}
			a.refused(http.StatusForbidden, "permission", "http/scope_missing")
			// Whether the body makes sense is none of their business.
			if req.body != nil {
				broken := req
				broken.body = "{"
				w.do(broken).refused(http.StatusForbidden, "permission", "http/scope_missing")
			}
		}
	}
	if after := w.dump(); after != before {
		t.Error("something has changed")
	}
}

// TestNobodySeesWhatIsNotTheirs calls every operation with the right role and the names of
// what belongs to another tenant, merchant or customer. The answer is the very one for
// something that does not exist, nothing has changed, and no secret of the owner is in it.
func TestNobodySeesWhatIsNotTheirs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.fixtureOf("ann")
	foreign := w.fixtureOf("rivalann")
	bob := w.fixtureOf("bob")
	w.must(w.loyalty.SetEarned(t.Context(), loyalty.Earned{
		Tenant: acme, Member: hyperlocal.NewRef(httpapi.CustomerKind, bob.customer), Source: hyperlocal.NewRef("gift", "1"),
		SourceVersion: 1, Points: 77, Actor: hyperlocal.System("test"),
	}))
	grocery := fixture{
		order: ann.order, product: string(w.draft.ID), variant: string(w.apple.Variants[0].ID), item: string(w.apple.Variants[0].Item),
		location: string(w.apple.Variants[0].Location), merchant: "grocery", customer: "canary-bob", version: 2,
	}
	before := w.dump()
	for id, r := range rights() {
		if r.public {
			continue
		}
		for _, c := range []struct {
			as, what string
			f        fixture
		}{
			{"ann", "another tenant", foreign},
			{"baker", "another tenant", foreign},
			{"admin", "another tenant", foreign},
			{"rivalann", "another tenant", ann},
			{"rivalbaker", "another tenant", ann},
			{"rivaladmin", "another tenant", ann},
			{"rivaladmin", "another tenant", bob},
			{"ann", "another customer", bob},
			{"grocer", "another merchant", ann},
			{"baker", "another merchant", grocery},
		} {
			person := people[c.as]
			if len(r.scopes) > 0 && !slices.ContainsFunc(r.scopes, person.Has) {
				continue // the gate's matter
			}
			req := r.call(c.f)
			req.as = c.as
			points := id == "getPoints" || id == "listPointLots"
			if theirs(id, c.what, c.as) || points && c.f.customer == person.Actor.ID {
				continue
			}
			req.header = map[string]string{"X-Request-Id": "same"}
			got := w.do(req)
			if leaked := canary(same(got.body, c.f), person.Tenant); leaked != "" {
				t.Errorf("%s as %s with %s: leaks %s: %s", id, c.as, c.what, leaked, got.body)
			}
			if r.listing {
				if got.status >= http.StatusInternalServerError {
					t.Errorf("%s as %s: %d", id, c.as, got.status)
				}
				continue
			}
			req = r.call(missing)
			req.as, req.header = c.as, map[string]string{"X-Request-Id": "same"}
			want := w.do(req)
			// An administrator's own tenant may get a customer of any name tomorrow: no points yet.
			if got.status != http.StatusNotFound && string(got.body) != "{\"items\":[]}\n" && !(points && person.Has(hyperlocal.ScopeAdmin)) {
				t.Errorf("%s as %s with %s: %d %s", id, c.as, c.what, got.status, got.body)
			}
			if got.status != want.status || !bytes.Equal(same(got.body, c.f), same(want.body, missing)) {
				t.Errorf("%s as %s with %s can be told from nothing:\n%s\n%s", id, c.as, c.what, got.body, want.body)
			}
		}
	}
	if after := w.dump(); after != before {
		t.Error("something has changed")
	}
}

// theirs are the cases of the matrix in which the thing is the caller's own after all.
func theirs(id, what, as string) bool {
	switch {
	case what == "another customer":
		// The same tenant's catalogue is everybody's.
		return strings.Contains("listShops getShop listProducts getProduct getAvailability placeOrder", id)
	case what == "another merchant" && as == "grocer":
		return strings.Contains("listShops getShop listProducts getProduct getAvailability", id)
	case what == "another merchant":
		// The baker's own draft and order.
		return !strings.Contains("listStock adjustStock receiveStock", id)
	case what == "another tenant" && (id == "placeOrder" || id == "getShop" || id == "listProducts"):
		return id != "placeOrder" // shops of both tenants have one name
	}
	return false
}

// same takes the names that the caller gave out of an answer: they are in both.
func same(body []byte, f fixture) []byte {
	for _, name := range []string{f.order, f.product, f.variant, f.item, f.location, f.merchant, f.customer} {
		body = bytes.ReplaceAll(body, []byte(`"`+name+`"`), []byte(`"?"`))
	}
	return body
}

// canary returns a secret that is not the tenant's own.
func canary(body []byte, tenant hyperlocal.TenantID) string {
	text := string(body)
	if tenant == acme && strings.Contains(text, "canary-rival") {
		return "canary-rival"
	}
	if tenant == rival && (strings.Contains(text, "canary-apple") || strings.Contains(text, "canary-draft") || strings.Contains(text, "canary-bob") || strings.Contains(text, "bread-acme")) {
		return "a canary of acme"
	}
	return ""
}

func TestShoppersDoNotSeeDrafts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	draft := "/v1/products/" + string(w.draft.ID)
	w.get("ann", draft).refused(http.StatusNotFound, "not_found", "catalog/product_not_found")
	w.get("grocer", draft).refused(http.StatusNotFound, "not_found", "catalog/product_not_found")
	w.get("baker", draft).want(http.StatusOK)
	w.get("admin", draft).want(http.StatusOK)
	for as, want := range map[string]int{"ann": 1, "grocer": 1, "baker": 2, "admin": 2} {
		var list struct{ Items []any }
		w.get(as, "/v1/shops/bakery/products").want(http.StatusOK, &list)
		if len(list.Items) != want {
			t.Errorf("%s sees %d products, want %d", as, len(list.Items), want)
		}
	}
	var list struct{ Items []any }
	w.get("ann", "/v1/shops/bakery/products?state=draft").want(http.StatusOK, &list)
	if len(list.Items) != 0 {
		t.Error("a shopper lists drafts")
	}
}

func TestShoppersDoNotSeeWhatIsNoLongerSold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gone := w.sell(acme, "bakery", "canary-gone", 500, 0, catalog.Archived)
	product := "/v1/products/" + string(gone.ID)
	w.get("ann", product).refused(http.StatusNotFound, "not_found", "catalog/product_not_found")
	w.get("grocer", product).refused(http.StatusNotFound, "not_found", "catalog/product_not_found")
	w.get("baker", product).want(http.StatusOK)
	w.get("admin", product).want(http.StatusOK)
}

func TestListsShowWhatIsTheCallers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.place("ann", 1)
	w.place("ann", 1)
	w.place("bob", 1)
	w.place("rivalann", 1)
	for as, want := range map[string]int{"ann": 2, "bob": 1, "baker": 3, "grocer": 0, "admin": 3, "rivalann": 1, "rivaladmin": 1} {
		var list struct{ Items []summary }
		w.get(as, "/v1/orders").want(http.StatusOK, &list)
		if len(list.Items) != want {
			t.Errorf("%s sees %d orders, want %d", as, len(list.Items), want)
		}
	}
	for path, want := range map[string]int{
		"/v1/orders?customer=ann":                      2,
		"/v1/orders?customer=canary-bob":               0,
		"/v1/orders?merchant=bakery&states=placed":     0,
		"/v1/orders?states=awaiting_payment,confirmed": 2,
		"/v1/orders?payment_status=paid":               0,
	} {
		var list struct{ Items []summary }
		w.get("ann", path).want(http.StatusOK, &list)
		if len(list.Items) != want {
			t.Errorf("%s: %d orders, want %d", path, len(list.Items), want)
		}
	}
}
