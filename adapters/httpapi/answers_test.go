package httpapi_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/cache"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/httpapi"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
)

// cached is a world whose answers are kept for an hour unless they are dropped.
func cached(t testing.TB, change ...func(*httpapi.Config)) (*world, *cache.Cache) {
	t.Helper()
	answers, err := cache.New(cache.Config{TTL: time.Hour, NegativeTTL: time.Hour, Affected: httpapi.Affected})
	if err != nil {
		t.Fatal(err)
	}
	return newWorld(t, append([]func(*httpapi.Config){func(c *httpapi.Config) { c.Cache = answers }}, change...)...), answers
}

// reprice changes what a bread costs, and returns the events of that.
func (w *world) reprice(amount int64) []hyperlocal.Envelope {
	w.t.Helper()
	before, err := w.db.Outbox().Pending(w.t.Context(), 100_000)
	w.must(err)
	price, err := hyperlocal.NewMoney(amount, "EUR")
	w.must(err)
	bread := w.bread[acme]
	_, err = w.catalog.UpdateVariant(w.t.Context(), catalog.UpdateVariantCommand{
		Tenant: acme, Actor: hyperlocal.System("test"), Merchant: catalog.Merchant("bakery"), Product: bread.ID,
		Variant: bread.Variants[0].ID, Prices: []hyperlocal.Money{price},
	})
	w.must(err)
	after, err := w.db.Outbox().Pending(w.t.Context(), 100_000)
	w.must(err)
	return slices.DeleteFunc(after, func(e hyperlocal.Envelope) bool {
		return slices.ContainsFunc(before, func(old hyperlocal.Envelope) bool { return old.ID == e.ID })
	})
}

func TestAnEventMakesEveryAnswerNew(t *testing.T) {
	t.Parallel()
	w, answers := cached(t)
	one, list := "/v1/products/"+string(w.bread[acme].ID), "/v1/shops/bakery/products"
	for _, path := range []string{one, list} {
		if body := w.get("ann", path).want(http.StatusOK).body; !strings.Contains(string(body), "350") {
			t.Fatalf("%s", body)
		}
	}
	events := w.reprice(777)
	for _, path := range []string{one, list} {
		if body := w.get("bob", path).body; !strings.Contains(string(body), "350") {
			t.Errorf("%s is not cached: %s", path, body)
		}
		if body := w.get("baker", path).body; !strings.Contains(string(body), "777") {
			t.Errorf("whoever sells it reads what was: %s", body)
		}
	}
	for _, e := range events {
		answers.Drop(t.Context(), e)
	}
	for _, path := range []string{one, list} {
		if body := w.get("bob", path).body; !strings.Contains(string(body), "777") {
			t.Errorf("%s: %s", path, body)
		}
	}
}

// TestEveryCatalogueEventAffectsItsAnswers: an event that is added and forgotten here would
// leave answers out of date.
func TestEveryCatalogueEventAffectsItsAnswers(t *testing.T) {
	t.Parallel()
	merchant := catalog.Merchant("bakery")
	for _, ev := range httpapi.CachedEvents() {
		aggregate := catalog.ProductID("p").Ref()
		if strings.HasPrefix(ev.EventName(), "catalog.shop_") {
			aggregate = merchant
		}
		e := hyperlocal.Envelope{Name: ev.EventName(), Aggregate: aggregate, Payload: []byte(`{"merchant":{"kind":"merchant","id":"bakery"}}`)}
		got := httpapi.Affected(e)
		if !slices.Contains(got, aggregate) || !slices.Contains(got, merchant) || len(got) != 2 {
			t.Errorf("%s affects %v", e.Name, got)
		}
	}
	if got := httpapi.Affected(hyperlocal.Envelope{Name: "order.placed"}); got != nil {
		t.Error(got)
	}
}

// TestCachedAnswersAreTheSame: with the cache, cold and warm, everybody is answered as
// without it, refusals included.
func TestCachedAnswersAreTheSame(t *testing.T) {
	t.Parallel()
	w, answers := cached(t)
	plain := &world{t: t}
	var err error
	plain.handler, err = httpapi.New(httpapi.Config{Catalog: w.catalog, Authenticate: authenticate})
	w.must(err)
	bread, draft := string(w.bread[acme].ID), string(w.draft.ID)
	paths := []string{
		"/v1/shops", "/v1/shops?open=true", "/v1/shops?limit=1", "/v1/shops?limit=0", "/v1/shops?limit=x", "/v1/shops?nonsense=1", "/v1/shops?cursor=zzz",
		"/v1/shops/bakery", "/v1/shops/none", "/v1/shops/b%61kery", "/v1/shops/bak%2Fery",
		"/v1/shops/bakery/products", "/v1/shops/bakery/products?state=draft", "/v1/shops/bakery/products?title=bread&limit=1",
		"/v1/shops/bakery/products?limit=1&title=bread", "/v1/shops/none/products",
		"/v1/products/" + bread, "/v1/products/" + draft, "/v1/products/" + string(w.bread[rival].ID), "/v1/products/none",
		"/v1/products/" + bread + "?x=1",
	}
	for round := range 2 {
		for who := range people {
			for _, path := range paths {
				want, got := plain.get(who, path), w.get(who, path)
				if got.status != want.status || withoutID(got.body) != withoutID(want.body) || got.header.Get("ETag") != want.header.Get("ETag") ||
					got.header.Get("Cache-Control") != want.header.Get("Cache-Control") || got.header.Get("Content-Type") != want.header.Get("Content-Type") {
					t.Errorf("round %d: %s %s: %d %s %v, want %d %s %v", round, who, path, got.status, got.body, got.header, want.status, want.body, want.header)
				}
				if got.status != http.StatusOK && !strings.Contains(string(got.body), got.header.Get("X-Request-Id")) {
					t.Errorf("%s %s names another request: %s", who, path, got.body)
				}
			}
			w.get("", paths[0]).refused(http.StatusUnauthorized, hyperlocal.CodeUnauthenticated, "http/unauthenticated")
		}
	}
	if s := answers.Statistics(); s.Hits == 0 {
		t.Errorf("nothing was cached: %+v", s)
	}
}

func withoutID(body []byte) string {
	before, _, _ := strings.Cut(string(body), `"request_id"`)
	return before
}

func TestConditionalRequests(t *testing.T) {
	t.Parallel()
	w, _ := cached(t)
	path := "/v1/products/" + string(w.bread[acme].ID)
	tag := w.get("ann", path).want(http.StatusOK).header.Get("ETag")
	if len(tag) != 24 {
		t.Fatalf("tag %s", tag)
	}
	for given, want := range map[string]int{
		tag: 304, "W/" + tag: 304, "*": 304, `"x", ` + tag: 304, `"x"`: 200, "": 200, strings.Trim(tag, `"`): 200, tag + "x": 200,
	} {
		for _, who := range []string{"bob", "baker"} {
			a := w.do(request{method: http.MethodGet, path: path, as: who, header: map[string]string{"If-None-Match": given}})
			if a.status != want || (len(a.body) == 0) != (want == 304) || a.header.Get("ETag") != tag || a.header.Get("Vary") == "" {
				t.Errorf("%s, %s: %d, %d bytes, %v", who, given, a.status, len(a.body), a.header)
			}
		}
	}
	if refused := w.do(request{method: http.MethodGet, path: path, header: map[string]string{"If-None-Match": tag}}); refused.status != http.StatusUnauthorized {
		t.Errorf("an unknown caller learns that the answer has not changed: %d", refused.status)
	}
}

func TestFreshnessIsStated(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		freshness httpapi.Freshness
		shopper   string
		vary      string
	}{
		{httpapi.Freshness{}, "private, max-age=5", "Authorization, Cookie"},
		{httpapi.Freshness{MaxAge: -1}, "private, no-cache", "Authorization, Cookie"},
		{httpapi.Freshness{MaxAge: time.Minute, Public: true}, "public, max-age=60, stale-while-revalidate=10", ""},
		{httpapi.Freshness{Public: true, StaleWhileRevalidate: -1}, "public, max-age=5", ""},
	} {
		w, _ := cached(t, func(c *httpapi.Config) { c.Freshness = tc.freshness })
		for _, path := range []string{"/v1/shops", "/v1/shops/bakery/products"} {
			h := w.get("ann", path).want(http.StatusOK).header
			if h.Get("Cache-Control") != tc.shopper || h.Get("Vary") != tc.vary {
				t.Errorf("%+v %s: %s, vary %s", tc.freshness, path, h.Get("Cache-Control"), h.Get("Vary"))
			}
			for _, who := range []string{"baker", "admin"} {
				h := w.get(who, path).want(http.StatusOK).header
				if h.Get("Cache-Control") != "private, no-cache" || h.Get("Vary") == "" {
					t.Errorf("%s: %s, vary %s", who, h.Get("Cache-Control"), h.Get("Vary"))
				}
			}
		}
		if got := w.get("ann", "/v1/shops/none").header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("a refusal may be kept: %s", got)
		}
	}
}

// TestHead: HEAD has the headers of GET and no body.
func TestHead(t *testing.T) {
	t.Parallel()
	w, _ := cached(t)
	server := httptest.NewServer(w.handler)
	defer server.Close()
	path := "/v1/products/" + string(w.bread[acme].ID)
	get := w.get("ann", path).want(http.StatusOK)
	for _, who := range []string{"ann", "baker"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, server.URL+path, http.NoBody)
		w.must(err)
		req.Header.Set("Authorization", "Bearer "+who)
		res, err := server.Client().Do(req)
		w.must(err)
		res.Body.Close()
		if res.StatusCode != http.StatusOK || res.ContentLength != int64(len(get.body)) || res.Header.Get("ETag") != get.header.Get("ETag") {
			t.Errorf("%s: %d, %d bytes, %v", who, res.StatusCode, res.ContentLength, res.Header)
		}
	}
	if a := w.do(request{method: http.MethodHead, path: "/v1/orders"}); a.status != http.StatusUnauthorized {
		t.Errorf("HEAD goes around who is asking: %d", a.status)
	}
	if a := w.do(request{method: http.MethodHead, path: "/v1/stock/adjustments", as: "admin"}); a.status != http.StatusMethodNotAllowed {
		t.Errorf("HEAD of what only takes POST: %d", a.status)
	}
}

// TestManyCallersOneRead: whoever leaves first takes nothing from the others, and each is told
// the name of its own request.
func TestManyCallersOneRead(t *testing.T) {
	t.Parallel()
	slow := &slowCache{entered: make(chan struct{}, 1), release: make(chan struct{})}
	w, answers := cached(t, func(c *httpapi.Config) { slow.Cache = c.Cache; c.Cache = slow })
	ask := func(ctx context.Context) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/shops/bakery/products", http.NoBody)
		r.Header.Set("Authorization", "Bearer ann")
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, r)
		return rec
	}
	first, leave := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		if rec := ask(first); rec.Code != 499 {
			t.Errorf("who left was answered with %d", rec.Code)
		}
	})
	<-slow.entered
	for range 20 {
		all.Go(func() {
			if rec := ask(t.Context()); rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), "bread-acme") {
				t.Errorf("%d %s", rec.Code, rec.Body)
			}
		})
	}
	for answers.Statistics().Misses < 21 {
		time.Sleep(time.Millisecond)
	}
	leave()
	time.Sleep(10 * time.Millisecond)
	close(slow.release)
	all.Wait()
	if s := answers.Statistics(); s.Loads != 1 {
		t.Errorf("%+v", s)
	}
}

// slowCache holds loads back.
type slowCache struct {
	httpapi.Cache

	entered, release chan struct{}
}

func (s *slowCache) Get(ctx context.Context, tenant hyperlocal.TenantID, about hyperlocal.Ref, name string,
	load func(context.Context) ([]byte, error),
) ([]byte, string, error) {
	return s.Cache.Get(ctx, tenant, about, name, func(ctx context.Context) ([]byte, error) {
		s.entered <- struct{}{}
		<-s.release
		return load(ctx)
	})
}

// brokenCache fails as a cache of somebody else may.
type brokenCache struct{}

func (brokenCache) Get(context.Context, hyperlocal.TenantID, hyperlocal.Ref, string, func(context.Context) ([]byte, error)) ([]byte, string, error) {
	return nil, "", errors.New("secret")
}

func TestACacheThatFailsTellsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *httpapi.Config) { c.Cache = brokenCache{} })
	a := w.get("ann", "/v1/shops")
	a.refused(http.StatusInternalServerError, hyperlocal.CodeInternal, "http/internal")
	if strings.Contains(string(a.body), "secret") {
		t.Errorf("%s", a.body)
	}
}
