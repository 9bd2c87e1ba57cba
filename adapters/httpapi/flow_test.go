package httpapi_test

import (
	"net/http"
	"testing"
)

// TestAnOrderFromTheShelfToItsPoints walks the whole way over HTTP.
func TestAnOrderFromTheShelfToItsPoints(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bread := w.bread[acme]

	var shops struct {
		Items []struct{ Merchant string }
	}
	w.get("ann", "/v1/shops").want(http.StatusOK, &shops)
	if len(shops.Items) != 2 || shops.Items[0].Merchant != "bakery" {
		t.Fatalf("shops %+v", shops)
	}
	var products struct {
		Items []struct{ ID string }
	}
	w.get("ann", "/v1/shops/bakery/products").want(http.StatusOK, &products)
	if len(products.Items) != 1 || products.Items[0].ID != string(bread.ID) {
		t.Fatalf("products %+v", products)
	}

	body := placement("bakery", bread, 3)
	body["note"] = "čárka, 面包"
	body["contact"] = map[string]any{"name": "Ann", "address": map[string]any{"city": "Town"}}
	body["tip"] = map[string]any{"amount": 50, "currency": "EUR"}
	var placed summary
	first := w.post("ann", "/v1/orders", "k1", body).want(http.StatusCreated, &placed)
	if placed.State != "awaiting_payment" || placed.Total.Amount != 3*350+50 {
		t.Fatalf("placed %+v", placed)
	}
	path := "/v1/orders/" + placed.ID
	if got := first.header.Get("Location"); got != path {
		t.Errorf("location %q", got)
	}
	again := w.post("ann", "/v1/orders", "k1", body).want(http.StatusCreated)
	if string(again.body) != string(first.body) || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("repeated: %s, %v", again.body, again.header)
	}

	var pay struct {
		Order   summary
		Outcome string
	}
	w.post("ann", path+"/pay", "k2", map[string]any{"method": "ok"}).want(http.StatusOK, &pay)
	if pay.Outcome != "succeeded" || pay.Order.State != "confirmed" || pay.Order.PaymentStatus != "paid" {
		t.Fatalf("paid %+v", pay)
	}

	var whole struct {
		summary
		Note    string
		Contact *struct{ Name string }
		Lines   []struct{ Title string }
		Version int64
	}
	read := w.get("ann", path).want(http.StatusOK, &whole)
	if whole.Note != "čárka, 面包" || whole.Contact == nil || whole.Contact.Name != "Ann" || whole.Lines[0].Title != bread.Title {
		t.Errorf("read %s", read.body)
	}

	var s summary
	accept := w.do(request{method: http.MethodPost, path: path + "/accept", as: "baker", header: map[string]string{"If-Match": read.header.Get("ETag")}})
	accept.want(http.StatusOK, &s)
	if s.State != "accepted" {
		t.Fatalf("accepted %+v", s)
	}
	stale := w.do(request{method: http.MethodPost, path: path + "/ready", as: "baker", header: map[string]string{"If-Match": read.header.Get("ETag")}})
	stale.refused(http.StatusPreconditionFailed, "conflict", "order/stale")
	for _, step := range []struct{ verb, state string }{{"ready", "ready"}, {"deliver", "delivered"}, {"complete", "completed"}} {
		w.post("baker", path+"/"+step.verb, "", nil).want(http.StatusOK, &s)
		if s.State != step.state {
			t.Fatalf("%s: %+v", step.verb, s)
		}
	}
	w.earn()

	var points struct{ Points, Spendable int64 }
	w.get("ann", "/v1/customers/me/points").want(http.StatusOK, &points)
	if points.Points != 11 || points.Spendable != 11 { // 11.00 EUR
		t.Errorf("points %+v", points)
	}
	var lots struct{ Items []struct{ Remaining int64 } }
	w.get("ann", "/v1/customers/ann/points/lots").want(http.StatusOK, &lots)
	if len(lots.Items) != 1 || lots.Items[0].Remaining != 11 {
		t.Errorf("lots %+v", lots)
	}

	var stock struct {
		Items []struct {
			Item   string
			OnHand struct{ Value string } `json:"on_hand"`
		}
	}
	w.get("baker", "/v1/stock?item="+string(bread.Variants[0].Item)).want(http.StatusOK, &stock)
	if len(stock.Items) != 1 || stock.Items[0].OnHand.Value != "7" {
		t.Errorf("stock %+v", stock)
	}

	var history struct {
		Items []struct {
			Trigger string
			Actor   struct{ Kind, ID string }
		}
	}
	w.get("ann", path+"/history").want(http.StatusOK, &history)
	for _, h := range history.Items {
		if h.Trigger == "accept" && (h.Actor.Kind != "merchant" || h.Actor.ID != "") {
			t.Errorf("a shopper learns who accepted: %+v", h)
		}
	}

	var credit struct {
		Refunds []struct {
			State  string
			Amount struct{ Amount int64 }
		}
	}
	refund := map[string]any{
		"amount": map[string]any{"amount": 350, "currency": "EUR"},
		"items":  []any{map[string]any{"line": 1, "quantity": map[string]any{"value": "1", "unit": "piece"}, "restock": true}},
	}
	w.post("baker", path+"/refunds", "k3", refund).want(http.StatusCreated, &credit)
	if len(credit.Refunds) != 1 || credit.Refunds[0].State != "succeeded" || credit.Refunds[0].Amount.Amount != 350 {
		t.Errorf("credit %+v", credit)
	}
	w.get("baker", "/v1/stock?item="+string(bread.Variants[0].Item)).want(http.StatusOK, &stock)
	if stock.Items[0].OnHand.Value != "8" {
		t.Errorf("after the return %+v", stock)
	}

	var trial struct {
		Items []struct {
			Asset           string
			Debits, Credits int64
		}
	}
	w.get("admin", "/v1/trial-balance").want(http.StatusOK, &trial)
	if len(trial.Items) != 2 {
		t.Errorf("assets %+v", trial)
	}
	for _, total := range trial.Items {
		if total.Debits != total.Credits {
			t.Errorf("unbalanced %+v", total)
		}
	}
}
