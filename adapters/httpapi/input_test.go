package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/httpapi"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// edited is the body of a good placement with one thing changed.
func edited(w *world, change func(body map[string]any)) map[string]any {
	body := placement("bakery", w.bread[acme], 1)
	change(body)
	return body
}

func line(body map[string]any) map[string]any {
	return body["lines"].([]any)[0].(map[string]any) //nolint:forcetypeassert // made by placement
}

func set(name string, value any) func(map[string]any) {
	return func(body map[string]any) { body[name] = value }
}

func setLine(name string, value any) func(map[string]any) {
	return func(body map[string]any) { line(body)[name] = value }
}

func TestBadPlacementsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.dump()
	pieces := func(n string) map[string]any { return map[string]any{"value": n, "unit": "piece"} }
	for _, c := range []struct {
		name   string
		change func(map[string]any)
		status int
		code   hyperlocal.Code
		reason string
	}{
		{"a price from the client", setLine("unit_price", map[string]any{"amount": 1, "currency": "EUR"}), 422, "invalid", "http/invalid_request"},
		{"a title from the client", setLine("title", "free"), 422, "invalid", "http/invalid_request"},
		{"a stock item from the client", setLine("item", "x"), 422, "invalid", "http/invalid_request"},
		{"a tenant", set("tenant", "canary-rival"), 422, "invalid", "http/invalid_request"},
		{"an actor", set("actor", map[string]any{"kind": "admin", "id": "root"}), 422, "invalid", "http/invalid_request"},
		{"an adjustment", set("adjustments", []any{}), 422, "invalid", "http/invalid_request"},
		{"another customer", set("customer", "bob"), 403, "permission", "http/field_not_allowed"},
		{"pay later", set("pay_later", true), 403, "permission", "http/field_not_allowed"},
		{"no merchant", func(b map[string]any) { delete(b, "merchant") }, 422, "invalid", "http/invalid_request"},
		{"an unknown merchant", set("merchant", "nowhere"), 404, "not_found", "catalog/variant_not_found"},
		{"another merchant's variant", set("merchant", "grocery"), 404, "not_found", "catalog/variant_not_found"},
		{"a draft", setLine("variant", w.draft.Variants[0].ID), 409, "precondition", "catalog/not_for_sale"},
		{"no lines", set("lines", []any{}), 422, "invalid", "http/invalid_request"},
		{"null lines", set("lines", nil), 422, "invalid", "http/invalid_request"},
		{"no such currency", set("currency", "XXQ"), 422, "invalid", "money/invalid_currency"},
		{"another currency", set("currency", "USD"), 422, "invalid", "money/currency_mismatch"},
		{"quantity zero", setLine("quantity", pieces("0")), 422, "invalid", "order/invalid_quantity"},
		{"quantity negative", setLine("quantity", pieces("-1")), 422, "invalid", "order/invalid_quantity"},
		{"quantity too fine", setLine("quantity", pieces("1.5")), 422, "invalid", "http/invalid_request"},
		{"quantity without a unit", setLine("quantity", map[string]any{"value": "1"}), 422, "invalid", "http/invalid_request"},
		{"quantity in grams", setLine("quantity", map[string]any{"value": "1", "unit": "g"}), 422, "invalid", ""},
		{"quantity beyond all measure", setLine("quantity", pieces(strings.Repeat("9", 30))), 422, "invalid", "http/invalid_request"},
		{"more than there is", setLine("quantity", pieces("11")), 409, "exhausted", "inventory/insufficient"},
		{"points that nobody values", set("points", 5), 403, "permission", "http/field_not_allowed"},
		{"negative points", set("points", -5), 422, "invalid", "http/invalid_request"},
		{"a negative tip", set("tip", map[string]any{"amount": -1, "currency": "EUR"}), 422, "invalid", "http/invalid_tip"},
		{"a huge tip", set("tip", map[string]any{"amount": int64(9223372036854775807), "currency": "EUR"}), 422, "invalid", ""},
		{"a tip in another currency", set("tip", map[string]any{"amount": 1, "currency": "USD"}), 422, "invalid", "money/currency_mismatch"},
		{"a long note", set("note", strings.Repeat("n", 2001)), 422, "invalid", "http/invalid_request"},
		{"a long note in two-byte letters", set("note", strings.Repeat("č", 1500)), 422, "invalid", "order/invalid_note"},
		{"a note with NUL", set("note", "a\x00b"), 422, "invalid", "http/nul"},
		{"a note with a bell", set("note", "a\ab"), 422, "invalid", "order/invalid_note"},
		{"a card number in the note", set("note", "4111 1111 1111 1111"), 422, "invalid", "http/card_number"},
		{"a card number in the contact", set("contact", map[string]any{"name": "5555555555554444"}), 422, "invalid", "http/card_number"},
		{"a card number deep in custom", set("custom", map[string]any{"a": []any{map[string]any{"b": "378282246310005"}}}), 422, "invalid", "http/card_number"},
		{"a card number as a name", set("custom", map[string]any{"4111111111111111": 1}), 422, "invalid", "http/card_number"},
		{"custom that is a list", set("custom", []any{}), 422, "invalid", "http/invalid_request"},
		{"custom that is too long", set("custom", map[string]any{"x": strings.Repeat("y", 17<<10)}), 422, "invalid", "order/invalid_custom"},
		{"a parent behind the line", setLine("parent", 1), 422, "invalid", "order/invalid_parent"},
		{"an odd country", set("contact", map[string]any{"address": map[string]any{"country": "Utopia"}}), 422, "invalid", "order/invalid_contact"},
		{"an odd fulfilment", set("fulfilment", "teleport"), 422, "invalid", "http/invalid_request"},
		{"a time that is none", set("requested_from", "tomorrow"), 422, "invalid", "http/invalid_request"},
		{"the zero of a time", set("requested_from", "0001-01-01T00:00:00Z"), 422, "invalid", "http/invalid_requested_from"},
		{"the zero of a time as the end", set("requested_to", "0001-01-01T00:00:00Z"), 422, "invalid", "http/invalid_requested_to"},
		{"a time zone that is none", set("time_zone", "Middle/Earth"), 422, "invalid", "http/invalid_time_zone"},
		{"a path as a time zone", set("time_zone", "../../etc/passwd"), 422, "invalid", "http/invalid_time_zone"},
		{"the machine's time zone", set("time_zone", "Local"), 422, "invalid", "http/invalid_time_zone"},
		{"a window that ends before it begins", func(b map[string]any) {
			b["requested_from"], b["requested_to"] = "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"
		}, 422, "invalid", "order/invalid_requested_to"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := w.post("ann", "/v1/orders", "bad "+c.name, edited(w, c.change))
			if c.reason == "" {
				var p httpapi.Problem
				a.want(c.status, &p)
				if p.Code != c.code {
					t.Errorf("%+v", p)
				}
				return
			}
			a.refused(c.status, c.code, c.reason)
			if strings.Contains(string(a.body), "4111") || strings.Contains(string(a.body), "Go ") || strings.Contains(string(a.body), "httpapi.") {
				t.Errorf("the answer tells too much: %s", a.body)
			}
		})
	}
	if after := w.dump(); after != before {
		t.Error("something has changed")
	}
	for _, zone := range []string{"Europe/London", "UTC", "America/Argentina/Ushuaia"} {
		w.post("ann", "/v1/orders", "good "+zone, edited(w, set("time_zone", zone))).want(http.StatusCreated)
	}
	// A refusal leaves the key free.
	w.post("ann", "/v1/orders", "bad more than there is", placement("bakery", w.bread[acme], 1)).want(http.StatusCreated)
}

func TestBadBodiesAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.dump()
	good := fmt.Sprintf(`{"merchant":"bakery","currency":"EUR","lines":[{"variant":%q,"quantity":{"value":"1","unit":"piece"}}]}`,
		w.bread[acme].Variants[0].ID)
	for _, c := range []struct {
		name, body, kind string
		status           int
		reason           string
	}{
		{"empty", "", "", 400, "http/unreadable_body"},
		{"not JSON", "hello", "", 400, "http/unreadable_body"},
		{"half", good[:len(good)-2], "", 400, "http/unreadable_body"},
		{"two", good + good, "", 400, "http/unreadable_body"},
		{"a list", "[" + good + "]", "", 422, "http/invalid_request"},
		{"null", "null", "", 400, "http/unreadable_body"},
		{"a name twice", `{"merchant":"bakery",` + good[1:], "", 400, "http/unreadable_body"},
		{"a name twice in other letters", `{"MERCHANT":"grocery",` + good[1:], "", 400, "http/unreadable_body"},
		{"broken UTF-8", strings.Replace(good, "bakery", "bak\xffery", 1), "", 400, "http/unreadable_body"},
		{"an escaped NUL", strings.Replace(good, "bakery", `bak\u0000ery`, 1), "", 422, "http/nul"},
		{"too deep", `{"custom":` + strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40) + "}", "", 400, "http/unreadable_body"},
		{"too large", `{"note":"` + strings.Repeat("x", 1<<20) + `"}`, "", 413, "http/body_too_large"},
		{"another type", good, "text/plain", 415, "http/content_type"},
		{"a form", good, "application/x-www-form-urlencoded", 415, "http/content_type"},
		{"another charset", good, "application/json; charset=latin1", 415, "http/content_type"},
		{"a type that ends in json", good, "text/evil+json", 415, "http/content_type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			header := map[string]string{}
			if c.kind != "" {
				header["Content-Type"] = c.kind
			}
			w.do(request{method: http.MethodPost, path: "/v1/orders", as: "ann", key: "b", body: c.body, header: header}).
				refused(c.status, "invalid", c.reason)
		})
	}
	if after := w.dump(); after != before {
		t.Error("something has changed")
	}
	w.do(request{method: http.MethodPost, path: "/v1/orders", as: "ann", key: "b", body: good,
		header: map[string]string{"Content-Type": "application/json; charset=UTF-8"}}).want(http.StatusCreated)
}

func TestBadHeadersAndAddressesAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	placed := w.place("ann", 1)
	path := "/v1/orders/" + placed.ID
	body := placement("bakery", w.bread[acme], 1)
	for _, c := range []struct {
		name   string
		r      request
		status int
		reason string
	}{
		{"no key to place", request{method: "POST", path: "/v1/orders", as: "ann", body: body}, 400, "idempotency/key_required"},
		{"no key to pay", request{method: "POST", path: path + "/pay", as: "ann", body: "{}"}, 400, "idempotency/key_required"},
		{"no key to refund", request{method: "POST", path: path + "/refunds", as: "baker", body: "{}"}, 400, "idempotency/key_required"},
		{"no key to adjust", request{method: "POST", path: "/v1/stock/adjustments", as: "baker", body: "{}"}, 400, "idempotency/key_required"},
		{"a long key", request{method: "POST", path: "/v1/orders", as: "ann", key: strings.Repeat("k", 256), body: body}, 400, "idempotency/invalid_key"},
		{"a key in other letters", request{method: "POST", path: "/v1/orders", as: "ann", key: "č", body: body}, 400, "idempotency/invalid_key"},
		{"a card number as key", request{method: "POST", path: "/v1/orders", as: "ann", key: "4111111111111111", body: body}, 422, "http/card_number"},
		{"a weak If-Match", request{method: "POST", path: path + "/accept", as: "baker", header: map[string]string{"If-Match": `W/"1"`}}, 400, "http/invalid_if_match"},
		{"two versions", request{method: "POST", path: path + "/accept", as: "baker", header: map[string]string{"If-Match": `"1", "2"`}}, 400, "http/invalid_if_match"},
		{"a version that is none", request{method: "POST", path: path + "/accept", as: "baker", header: map[string]string{"If-Match": `"01"`}}, 400, "http/invalid_if_match"},
		{"a cursor that is none", request{method: "GET", path: "/v1/orders?cursor=abc", as: "ann"}, 400, "page/invalid_cursor"},
		{"a page of 0", request{method: "GET", path: "/v1/orders?limit=0", as: "ann"}, 422, "http/invalid_request"},
		{"a page of 201", request{method: "GET", path: "/v1/orders?limit=201", as: "ann"}, 422, "http/invalid_request"},
		{"a page of x", request{method: "GET", path: "/v1/orders?limit=x", as: "ann"}, 422, "http/invalid_request"},
		{"an unknown parameter", request{method: "GET", path: "/v1/orders?tenant=rival", as: "ann"}, 422, "http/invalid_request"},
		{"a parameter twice", request{method: "GET", path: "/v1/orders?limit=1&limit=2", as: "ann"}, 400, "http/invalid_url"},
		{"NUL in a parameter", request{method: "GET", path: "/v1/shops/bakery/products?title=%00", as: "ann"}, 400, "http/invalid_url"},
		{"NUL in a path", request{method: "GET", path: "/v1/shops/a%00b", as: "ann"}, 400, "http/invalid_url"},
		{"broken UTF-8 in a path", request{method: "GET", path: "/v1/shops/%ff", as: "ann"}, 400, "http/invalid_url"},
		{"a broken escape in the query", request{method: "GET", path: "/v1/orders?cursor=%zz", as: "ann"}, 400, "http/invalid_url"},
		{"a long address", request{method: "GET", path: "/v1/shops/" + strings.Repeat("a", 9000), as: "ann"}, 400, "http/invalid_url"},
		{"a state without a name", request{method: "GET", path: "/v1/orders?states=,", as: "ann"}, 422, "http/invalid_states"},
		{"another method", request{method: "DELETE", path: path, as: "ann"}, 405, "http/method_not_allowed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.do(c.r).refused(c.status, "invalid", c.reason)
		})
	}
	if got := w.do(request{method: "PUT", path: "/v1/orders", as: "ann"}).header.Values("Allow"); strings.Join(got, ", ") != "GET, HEAD, POST" {
		t.Errorf("allowed: %v", got)
	}
	w.get("ann", "/v1/nothing").refused(http.StatusNotFound, "not_found", "http/not_found")
	for _, id := range []string{"x", strings.ToUpper(placed.ID), "../orders", placed.ID + " "} {
		if a := w.get("ann", "/v1/orders/"+strings.ReplaceAll(id, " ", "%20")); a.status != http.StatusNotFound && a.status != http.StatusUnprocessableEntity {
			t.Errorf("order %q: %d", id, a.status)
		}
	}
}

func TestACursorBelongsToItsListAndFilter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 3 {
		w.place("ann", 1)
	}
	w.place("bob", 1)
	var page struct {
		Items []summary
		Next  string
	}
	seen := map[string]bool{}
	for next := "/v1/orders?limit=1"; ; next = "/v1/orders?limit=1&cursor=" + page.Next {
		page.Items, page.Next = nil, ""
		w.get("ann", next).want(http.StatusOK, &page)
		for _, o := range page.Items {
			if seen[o.ID] {
				t.Fatalf("%s twice", o.ID)
			}
			seen[o.ID] = true
		}
		if page.Next == "" {
			break
		}
	}
	if len(seen) != 3 {
		t.Errorf("%d orders", len(seen))
	}
	w.get("ann", "/v1/orders?limit=1").want(http.StatusOK, &page)
	for _, other := range []request{
		{path: "/v1/orders?states=confirmed&cursor=" + page.Next, as: "ann"},
		{path: "/v1/orders?cursor=" + page.Next, as: "bob"},
		{path: "/v1/orders?cursor=" + page.Next, as: "admin"},
		{path: "/v1/shops?cursor=" + page.Next, as: "ann"},
		{path: "/v1/orders?cursor=" + page.Next, as: "rivalann"},
	} {
		other.method = http.MethodGet
		w.do(other).refused(http.StatusBadRequest, "invalid", "page/invalid_cursor")
	}
}

func TestAKeyIsUsedForOneRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.post("ann", "/v1/orders", "k", placement("bakery", w.bread[acme], 1)).want(http.StatusCreated)
	w.post("ann", "/v1/orders", "k", placement("bakery", w.bread[acme], 2)).
		refused(http.StatusUnprocessableEntity, "invalid", "idempotency/key_reused")
	w.post("bob", "/v1/orders", "k", placement("bakery", w.bread[acme], 2)).want(http.StatusCreated)
	placed := w.place("ann", 1)
	for range 2 {
		w.post("ann", "/v1/orders/"+placed.ID+"/cancel", "c", map[string]any{"reason": "changed my mind"}).want(http.StatusOK)
	}
	w.post("ann", "/v1/orders/"+placed.ID+"/cancel", "", nil).refused(http.StatusConflict, "precondition", "order/not_allowed")
}

func TestAdjustingStockIsCompareAndSwap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.bread[acme].Variants[0]
	adjust := func(version int64, units string) map[string]any {
		return map[string]any{"reason": "count", "lines": []any{map[string]any{
			"item": v.Item, "location": v.Location, "version": version, "on_hand": map[string]any{"value": units, "unit": "piece"},
		}}}
	}
	w.place("ann", 2) // version 3
	p := w.post("baker", "/v1/stock/adjustments", "a1", adjust(2, "9")).refused(http.StatusConflict, "conflict", "inventory/stale")
	if p.Fields["version"] != "3" || p.Fields["on_hand"] != "10" {
		t.Errorf("fields %v", p.Fields)
	}
	var done struct {
		Applied int
		Levels  []struct{ Version int64 }
	}
	first := w.post("baker", "/v1/stock/adjustments", "a1", adjust(3, "9")).want(http.StatusOK, &done)
	if done.Applied != 1 || done.Levels[0].Version != 4 {
		t.Errorf("done %+v", done)
	}
	again := w.post("baker", "/v1/stock/adjustments", "a1", adjust(3, "9")).want(http.StatusOK)
	if string(again.body) != string(first.body) || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("repeated: %s", again.body)
	}
	w.post("baker", "/v1/stock/adjustments", "a2", adjust(4, "1")).refused(http.StatusConflict, "precondition", "inventory/below_reserved")

	barcode := map[string]any{"lines": []any{map[string]any{
		"item": "4111111111111111", "location": v.Location, "quantity": map[string]any{"value": "1", "unit": "piece"},
	}}}
	w.post("baker", "/v1/stock/receipts", "", barcode).refused(http.StatusNotFound, "not_found", "inventory/unknown_item")
	barcode["reason"] = "4111111111111111"
	w.post("baker", "/v1/stock/receipts", "", barcode).refused(http.StatusUnprocessableEntity, "invalid", "http/card_number")
}

func TestPaymentsThatDoNotSucceedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for method, want := range map[string]struct {
		status  int
		outcome string
	}{
		"decline:hard":  {http.StatusOK, "declined"},
		"action":        {http.StatusOK, "action_required"},
		"pending":       {http.StatusAccepted, "pending"},
		"timeout:after": {http.StatusAccepted, "unknown"},
	} {
		placed := w.place("ann", 1)
		var p struct{ Outcome string }
		w.post("ann", "/v1/orders/"+placed.ID+"/pay", "p-"+method, map[string]any{"method": method}).want(want.status, &p)
		if p.Outcome != want.outcome {
			t.Errorf("%s: %s", method, p.Outcome)
		}
	}
	placed := w.place("ann", 1)
	w.post("ann", "/v1/orders/"+placed.ID+"/pay", "card", map[string]any{"method": "4111111111111111"}).
		refused(http.StatusUnprocessableEntity, "invalid", "http/card_number")
	w.post("ann", "/v1/orders/"+placed.ID+"/pay", "gateway", map[string]any{"gateway": "nowhere"}).
		refused(http.StatusNotFound, "not_found", "payment/unknown_gateway")
	w.post("ann", "/v1/orders/"+w.paid("ann", 1).ID+"/pay", "twice", map[string]any{}).
		refused(http.StatusConflict, "precondition", "order/nothing_due")
}

func TestAPlacementCanBeCompletedByTheHost(t *testing.T) {
	t.Parallel()
	fee, err := hyperlocal.NewMoney(200, "EUR")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *httpapi.Config) {
		c.PayLater = true
		c.BeforePlace = func(_ context.Context, p hyperlocal.Principal, c *order.PlaceCommand) error {
			if c.Note == "refuse" {
				return hyperlocal.NewError(hyperlocal.CodePrecondition, "host/too_far", "we do not deliver there")
			}
			c.Adjustments = append(c.Adjustments, order.Adjustment{Kind: order.AdjustDelivery, Amount: fee})
			c.Tenant, c.Key = rival, "" // what an edge must not let happen by mistake
			return nil
		}
	})
	var s summary
	w.post("ann", "/v1/orders", "k", edited(w, set("pay_later", true))).want(http.StatusCreated, &s)
	if s.Total.Amount != 550 || s.State != "confirmed" {
		t.Errorf("%+v", s)
	}
	w.get("ann", "/v1/orders/"+s.ID).want(http.StatusOK)
	w.post("ann", "/v1/orders", "k1", edited(w, set("points", 5))).refused(http.StatusConflict, "exhausted", "loyalty/insufficient")
	w.post("ann", "/v1/orders", "k2", edited(w, set("note", "refuse"))).refused(http.StatusConflict, "precondition", "host/too_far")
}

// TestTheLargestOrderFits into the default bound on bodies, with room for options.
func TestTheLargestOrderFits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shelf := w.sell(acme, "bakery", "Roll", 10, order.MaxLines, catalog.Active)
	of := func(n int) map[string]any {
		body := placement("bakery", shelf, 1)
		one := line(body)
		one["options"] = []order.Option{{Name: "seeds", Value: strings.Repeat("x", 40)}}
		body["lines"] = slices.Repeat([]any{one}, n)
		return body
	}
	w.post("ann", "/v1/orders", "over", of(order.MaxLines+1)).refused(http.StatusUnprocessableEntity, "invalid", "http/invalid_request")
	var s summary
	w.post("ann", "/v1/orders", "most", of(order.MaxLines)).want(http.StatusCreated, &s)
	if s.Total.Amount != 10*order.MaxLines {
		t.Errorf("%+v", s)
	}
}

func TestAdministratorsPlaceForCustomers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var s summary
	body := edited(w, set("customer", "ann"))
	body["pay_later"] = true
	w.post("admin", "/v1/orders", "k", body).want(http.StatusCreated, &s)
	w.get("ann", "/v1/orders/"+s.ID).want(http.StatusOK)
	w.get("bob", "/v1/orders/"+s.ID).refused(http.StatusNotFound, "not_found", "order/not_found")
}

func TestShoppersCancelUntilTheOrderIsAccepted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.paid("ann", 1), w.paid("ann", 1)
	w.post("ann", "/v1/orders/"+first.ID+"/cancel", "", nil).want(http.StatusOK)
	w.post("baker", "/v1/orders/"+second.ID+"/accept", "", nil).want(http.StatusOK)
	w.post("ann", "/v1/orders/"+second.ID+"/cancel", "", nil).refused(http.StatusConflict, "precondition", "order/not_allowed")
	w.post("baker", "/v1/orders/"+second.ID+"/cancel", "", map[string]any{"reason": "sold out"}).want(http.StatusOK)
}

func TestTheServerSaysWhetherItIsReady(t *testing.T) {
	t.Parallel()
	secret := errors.New("dial tcp 10.0.0.7:5432: password of bob")
	w := newWorld(t, func(c *httpapi.Config) { c.Ready = func(context.Context) error { return secret } })
	w.get("", "/healthz").want(http.StatusOK)
	a := w.get("", "/readyz")
	a.refused(http.StatusServiceUnavailable, "unavailable", "http/not_ready")
	if strings.Contains(string(a.body), "bob") {
		t.Error("the answer says why")
	}
	if !strings.Contains(w.log.String(), "10.0.0.7") {
		t.Error("the log does not say why")
	}
	slow := newWorld(t, func(c *httpapi.Config) {
		c.Limits.Ready = time.Millisecond
		c.Ready = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	})
	slow.get("", "/readyz").refused(http.StatusServiceUnavailable, "unavailable", "http/not_ready")
	newWorld(t).get("", "/readyz").want(http.StatusOK)
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/v1/shops", "/v1/nothing", "/healthz", "/docs", "/openapi.json"} {
		h := w.get("ann", path).header
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
			if h.Get(name) != want {
				t.Errorf("%s: %s %q", path, name, h.Get(name))
			}
		}
		if !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") || h.Get("X-Request-Id") == "" {
			t.Errorf("%s: %v", path, maps.Collect(maps.All(h)))
		}
	}
	if got := w.get("ann", "/v1/orders").header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("cache control %q", got)
	}
}
