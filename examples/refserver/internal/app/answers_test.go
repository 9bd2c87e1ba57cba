package app

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/catalog"
)

// read asks for the bakery's products as a shopper.
func (s *served) read() string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.Addr()+"/v1/shops/"+demoMerchant+"/products", http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.Keys.Shopper)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		s.t.Fatalf("%d %s, %v", res.StatusCode, body, err)
	}
	return string(body)
}

// reprice changes what the first of the bakery's products costs, through any catalogue service.
func (s *served) reprice(shops *catalog.Service, amount int64) {
	s.t.Helper()
	merchant := catalog.Merchant(demoMerchant)
	page, err := shops.ListProducts(s.t.Context(), Demo, catalog.Filter{Merchant: merchant}, hyperlocal.PageRequest{Limit: 1})
	if err != nil || len(page.Items) != 1 {
		s.t.Fatal(err)
	}
	p := page.Items[0]
	price, err := hyperlocal.NewMoney(amount, p.Variants[0].Prices[0].Currency())
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := shops.UpdateVariant(s.t.Context(), catalog.UpdateVariantCommand{
		Tenant: Demo, Actor: hyperlocal.System("test"), Merchant: merchant, Product: p.ID, Variant: p.Variants[0].ID,
		Prices: []hyperlocal.Money{price},
	}); err != nil {
		s.t.Fatal(err)
	}
}

// TestCachedAnswersFollowChanges: a change by this server shows at once, one by another
// server on the same database when its event has come round, without and with a Redis, and
// with one that is not there.
func TestCachedAnswersFollowChanges(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]func(t *testing.T) string{
		"alone":         func(*testing.T) string { return "" },
		"with redis":    func(t *testing.T) string { return "redis://" + miniredis.RunT(t).Addr() },
		"redis is down": func(*testing.T) string { return "redis://127.0.0.1:1" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, Config{Seed: true, CacheRedis: address(t)}, nil)
			if err := s.Drain(t.Context()); err != nil { // what the seed has emitted
				t.Fatal(err)
			}
			if s.read() != s.read() || s.Answers.Statistics().Hits == 0 {
				t.Fatalf("nothing is cached: %+v", s.Answers.Statistics())
			}
			s.reprice(s.Catalog, 98_761)
			if body := s.read(); !strings.Contains(body, "98761") {
				t.Errorf("the server's own change does not show: %s", body)
			}
			if err := s.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.read()

			// Another server writes to the same database, and this one's relay meets the event.
			others, err := catalog.New(catalog.Config{Store: s.DB.Catalog, Tx: s.DB, Outbox: s.DB.Outbox})
			if err != nil {
				t.Fatal(err)
			}
			before := s.Answers.Statistics().Drops
			s.reprice(others, 98_762)
			began := hyperlocal.Stopwatch()
			for !strings.Contains(s.read(), "98762") {
				if hyperlocal.Since(began) > 3*time.Second {
					t.Fatal("a change by somebody else does not show before the answer is too old anyway")
				}
				time.Sleep(5 * time.Millisecond)
			}
			if s.Answers.Statistics().Drops == before {
				t.Error("time has made the answer new, and no event")
			}
		})
	}
}

func TestAddressOfRedisIsChecked(t *testing.T) {
	t.Parallel()
	if _, err := New(t.Context(), Config{CacheRedis: "localhost"}); hyperlocal.CodeOf(err) != hyperlocal.CodeInvalid {
		t.Error(err)
	}
}
