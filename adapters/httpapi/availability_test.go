package httpapi_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
	"github.com/hyperlocal-sdk/hyperlocal/inventory"
)

type availability struct {
	Product  catalog.ProductID
	Variants []struct {
		ID     catalog.VariantID
		SKU    string
		Status string
		Left   *hyperlocal.Quantity
	}
}

// becomes asks until the status is as it should be, for as long as the answer may be old and
// some more.
func (w *world) becomes(as string, p catalog.Product, status string, left int64) {
	w.t.Helper()
	var got availability
	for begun := time.Now(); time.Since(begun) < 5*time.Second; time.Sleep(20 * time.Millisecond) {
		got = availability{}
		w.must(json.Unmarshal(w.get(as, "/v1/products/"+string(p.ID)+"/availability").want(http.StatusOK).body, &got))
		if got.Product != p.ID || len(got.Variants) != 1 || got.Variants[0].ID != p.Variants[0].ID || got.Variants[0].SKU != p.Variants[0].SKU {
			w.t.Fatalf("got %+v", got)
		}
		if v := got.Variants[0]; v.Status == status && (v.Left == nil) == (left == 0) && (left == 0 || *v.Left == hyperlocal.Pieces(left)) {
			return
		}
	}
	w.t.Fatalf("%s sees %+v, want %s, %d left", as, got.Variants[0], status, left)
}

func TestAvailability(t *testing.T) {
	t.Parallel()
	w, answers := cached(t)
	bread := w.bread[acme]
	mode := func(m inventory.Mode) {
		t.Helper()
		_, err := w.stock.SetItems(t.Context(), inventory.SetItemsCommand{Tenant: acme, Actor: hyperlocal.System("test"), Items: []inventory.Item{
			{ID: bread.Variants[0].Item, Location: bread.Variants[0].Location, Unit: hyperlocal.Piece, Mode: m, LowAt: hyperlocal.Pieces(3)},
		}})
		w.must(err)
	}
	mode(inventory.ModeReserveOnOrder)
	w.becomes("ann", bread, "available", 0) // 10
	for range 50 {
		w.get("bob", "/v1/products/"+string(bread.ID)+"/availability").want(http.StatusOK)
	}
	if s := answers.Statistics(); s.Hits < 25 {
		t.Errorf("it is computed for everybody: %+v", s)
	}
	w.place("ann", 8)
	w.becomes("ann", bread, "low", 2)
	w.becomes("baker", bread, "low", 2)
	w.place("ann", 2)
	w.becomes("ann", bread, "sold_out", 0)
	mode(inventory.ModeTrackOnly)
	w.becomes("ann", bread, "available", 0)
	w.get("ann", "/v1/products/"+string(w.draft.ID)+"/availability").want(http.StatusNotFound)
	w.get("baker", "/v1/products/"+string(w.draft.ID)+"/availability").want(http.StatusOK)
	w.get("ann", "/v1/products/"+string(w.bread[rival].ID)+"/availability").want(http.StatusNotFound)
	if got := w.get("ann", "/v1/products/"+string(bread.ID)+"/availability").header.Get("Cache-Control"); got != "private, no-cache" {
		t.Errorf("others may use it for longer: %s", got)
	}
}
