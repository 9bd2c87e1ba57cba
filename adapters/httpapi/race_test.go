package httpapi_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
)

// TestManyWantTheLastBread lets 30 shoppers at 10 breads: ten get one, and nobody else.
func TestManyWantTheLastBread(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := placement("bakery", w.bread[acme], 1)
	answers := make([]answer, 30)
	var wait sync.WaitGroup
	for i := range answers {
		wait.Go(func() { answers[i] = w.post("ann", "/v1/orders", fmt.Sprint("k", i), body) })
	}
	wait.Wait()
	placed := 0
	for _, a := range answers {
		if a.status == http.StatusCreated {
			placed++
			continue
		}
		a.refused(http.StatusConflict, "exhausted", "inventory/insufficient")
	}
	if placed != 10 {
		t.Errorf("%d orders for 10 breads", placed)
	}
}

// TestOneKeyIsOneOrder sends one request many times at once.
func TestOneKeyIsOneOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := placement("bakery", w.bread[acme], 1)
	answers := make([]answer, 20)
	var wait sync.WaitGroup
	for i := range answers {
		wait.Go(func() { answers[i] = w.post("ann", "/v1/orders", "one", body) })
	}
	wait.Wait()
	var first string
	for _, a := range answers {
		if a.status == http.StatusConflict {
			a.refused(http.StatusConflict, "conflict", "idempotency/in_progress")
			continue
		}
		var s summary
		a.want(http.StatusCreated, &s)
		if first == "" {
			first = s.ID
		}
		if s.ID != first {
			t.Errorf("orders %s and %s", first, s.ID)
		}
	}
	var list struct{ Items []summary }
	w.get("ann", "/v1/orders").want(http.StatusOK, &list)
	if len(list.Items) != 1 {
		t.Errorf("%d orders", len(list.Items))
	}
}
