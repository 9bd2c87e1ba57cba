package httpapi_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/httpapi"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

func TestPointsOfACancelledOrderGoBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *httpapi.Config) {
		c.BeforePlace = func(context.Context, hyperlocal.Principal, *order.PlaceCommand) error { return nil }
	})
	w.must(w.loyalty.SetEarned(t.Context(), loyalty.Earned{
		Tenant: acme, Member: hyperlocal.NewRef("customer", "ann"), Source: hyperlocal.NewRef("welcome", "ann"), SourceVersion: 1,
		Points: 10, Actor: hyperlocal.System("test"),
	}))
	holds := func(want int64) {
		t.Helper()
		var points struct{ Points int64 }
		w.get("ann", "/v1/customers/me/points").want(http.StatusOK, &points)
		if points.Points != want {
			t.Fatalf("%d points, want %d", points.Points, want)
		}
	}
	body := placement("bakery", w.bread[acme], 1)
	body["points"] = 4
	var s summary
	w.post("ann", "/v1/orders", "k1", body).want(http.StatusCreated, &s)
	holds(6)
	w.post("ann", "/v1/orders/"+s.ID+"/cancel", "k2", nil).want(http.StatusOK, &s)
	holds(10)
	var whole struct {
		State string
		Spent []hyperlocal.Spend
	}
	w.get("ann", "/v1/orders/"+s.ID).want(http.StatusOK, &whole)
	want := hyperlocal.Spend{Kind: loyalty.SpendKind, Ref: hyperlocal.NewRef("customer", "ann"), Amount: 4}
	if whole.State != "cancelled" || len(whole.Spent) != 1 || whole.Spent[0] != want {
		t.Errorf("read %+v", whole)
	}
}
