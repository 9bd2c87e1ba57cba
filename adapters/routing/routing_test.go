package routing_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/routing"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// gateway answers as it is told.
type gateway struct {
	payment.Gateway
	name   string
	cannot hyperlocal.PaymentVerb
	mu     sync.Mutex
	calls  int
	answer payment.Result
	err    error
}

func (g *gateway) Name() string { return g.name }

func (g *gateway) Capabilities() payment.Capabilities {
	var c payment.Capabilities
	for _, v := range []hyperlocal.PaymentVerb{hyperlocal.VerbCharge, hyperlocal.VerbAuthorize} {
		if v != g.cannot {
			c.Verbs = append(c.Verbs, v)
		}
	}
	return c
}

func (g *gateway) Authorize(context.Context, payment.AuthorizeRequest) (payment.Result, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls++
	return g.answer, g.err
}

func (g *gateway) will(r payment.Result, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.answer, g.err = r, err
}

type parser struct{ gateway }

func (*parser) ParseWebhook(hyperlocal.TenantID, time.Time, map[string][]string, []byte) (payment.Notice, error) {
	return payment.Notice{Event: "parsed"}, nil
}

func money(t *testing.T, minor int64, c hyperlocal.Currency) hyperlocal.Money {
	t.Helper()
	m, err := hyperlocal.NewMoney(minor, c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func ask(t *testing.T, owner string, minor int64, c hyperlocal.Currency) payment.RouteRequest {
	t.Helper()
	return payment.RouteRequest{
		Tenant: "north", Owner: hyperlocal.NewRef("order", owner), Merchant: hyperlocal.NewRef("merchant", "bakery"),
		Verb: hyperlocal.VerbCharge, Method: "card_visa", Amount: money(t, minor, c),
	}
}

func newRouter(t *testing.T, c routing.Config) *routing.Router {
	t.Helper()
	r, err := routing.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func three() (a, b, c *gateway, all []payment.Gateway) {
	a, b, c = &gateway{name: "a"}, &gateway{name: "b"}, &gateway{name: "c"}
	return a, b, c, []payment.Gateway{a, b, c}
}

func gateways() []payment.Gateway {
	_, _, _, all := three() //nolint:dogsled // their names will do
	return all
}

func TestTheFirstRuleThatMatchesDecides(t *testing.T) {
	t.Parallel()
	all := gateways()
	to := func(g string) []routing.Route { return []routing.Route{{Gateway: g}} }
	r := newRouter(t, routing.Config{Gateways: all, Rules: []routing.Rule{
		{Name: "small", Max: money(t, 100, "EUR"), Routes: to("a")},
		{Name: "wallets", Methods: []string{"wallet_*", "points"}, Routes: to("b")},
		{Name: "bakery's yuan", Merchants: []hyperlocal.Ref{hyperlocal.NewRef("merchant", "bakery")}, Currencies: []hyperlocal.Currency{"CNY"}, Routes: to("c")},
		{Name: "south", Tenants: []hyperlocal.TenantID{"south"}, Routes: to("b")},
		{Name: "large", Min: money(t, 10_000, "EUR"), Routes: to("c")},
	}})
	for name, c := range map[string]struct {
		change func(*payment.RouteRequest)
		minor  int64
		in     hyperlocal.Currency
		want   string
	}{
		"at the upper bound":      {minor: 100, in: "EUR", want: "a small"},
		"above it":                {minor: 101, in: "EUR", want: " "},
		"in another currency":     {minor: 100, in: "USD", want: " "},
		"at the lower bound":      {minor: 10_000, in: "EUR", want: "c large"},
		"a method by its prefix":  {minor: 500, in: "EUR", change: func(q *payment.RouteRequest) { q.Method = "wallet_x" }, want: "b wallets"},
		"a method in whole":       {minor: 500, in: "EUR", change: func(q *payment.RouteRequest) { q.Method = "points" }, want: "b wallets"},
		"no method":               {minor: 500, in: "EUR", change: func(q *payment.RouteRequest) { q.Method = "point" }, want: " "},
		"merchant and currency":   {minor: 500, in: "CNY", want: "c bakery's yuan"},
		"the currency of another": {minor: 500, in: "CNY", change: func(q *payment.RouteRequest) { q.Merchant.ID = "grocer" }, want: " "},
		"a tenant":                {minor: 500, in: "EUR", change: func(q *payment.RouteRequest) { q.Tenant = "south" }, want: "b south"},
	} {
		q := ask(t, "1", c.minor, c.in)
		if c.change != nil {
			c.change(&q)
		}
		if d := r.Route(q); d.Gateway+" "+d.Rule != c.want {
			t.Errorf("%s: got %q by %q, want %q", name, d.Gateway, d.Rule, c.want)
		}
	}
}

func TestPreferences(t *testing.T) {
	t.Parallel()
	a, b, _, all := three()
	routes := []routing.Route{
		{Gateway: "a", Cost: routing.Cost{BasisPoints: 290, Fixed: money(t, 30, "EUR")}},
		{Gateway: "b", Cost: routing.Cost{BasisPoints: 600}},
		{Gateway: "c", Cost: routing.Cost{Fixed: money(t, 1, "USD")}},
	}
	cheap := newRouter(t, routing.Config{Gateways: all, Rules: []routing.Rule{{Name: "r", Prefer: routing.Cheapest, Routes: routes}}})
	for minor, want := range map[int64]string{100: "b", 950: "b", 967: "a", 1000: "a", 1_000_000: "a"} { // 28 + 30 and 57; 29 + 30 and 59; 29 + 30 and 60
		if d := cheap.Route(ask(t, "1", minor, "EUR")); d.Gateway != want || d.Steps[2].Gateway != "c" {
			t.Errorf("%d cents go %+v, want %s", minor, d, want)
		}
	}
	if d := cheap.Route(ask(t, "1", 1<<62, "EUR")); d.Gateway != "a" {
		t.Errorf("the largest amounts go %+v", d)
	}
	if d := cheap.Route(ask(t, "1", 500, "USD")); d.Gateway != "c" {
		t.Errorf("dollars go %+v", d)
	}

	best := newRouter(t, routing.Config{Gateways: all, Trip: 1000, Rules: []routing.Rule{{Name: "r", Prefer: routing.Successful, Routes: routes}}})
	a.will(payment.Result{Outcome: hyperlocal.OutcomeDeclined, Class: hyperlocal.DeclineSoft}, nil)
	b.will(payment.Result{Outcome: hyperlocal.OutcomeSucceeded}, nil)
	for _, g := range best.Gateways()[:2] {
		if _, err := g.Authorize(t.Context(), payment.AuthorizeRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	d := best.Route(ask(t, "1", 500, "EUR"))
	if got := fmt.Sprint(d.Steps[0].Gateway, d.Steps[1].Gateway, d.Steps[2].Gateway); got != "bca" || !d.Steps[0].Chosen || d.Steps[1].Chosen {
		t.Errorf("by success: %+v", d)
	}
	if !strings.Contains(d.Steps[0].Why, "1 of 1") || !strings.Contains(d.Steps[2].Why, "0 of 1") {
		t.Errorf("it is not explained: %+v", d)
	}
}

func TestWeights(t *testing.T) {
	t.Parallel()
	all := gateways()
	r := newRouter(t, routing.Config{Gateways: all, Rules: []routing.Rule{
		{Name: "r", Prefer: routing.Weighted, Routes: []routing.Route{{Gateway: "a", Weight: 70}, {Gateway: "b", Weight: 30}, {Gateway: "c"}}},
	}})
	const n = 20_000
	got := map[string]int{}
	for i := range n {
		q := ask(t, hyperlocal.RandomIDs{}.NewID(), int64(i+1), "EUR")
		d := r.Route(q)
		got[d.Gateway]++
		if again := r.Explain(q); again.Gateway != d.Gateway || len(d.Steps) != 3 {
			t.Fatalf("the same order goes %s and then %s", d.Gateway, again.Gateway)
		}
	}
	if got["c"] != 0 || got["a"] < n*67/100 || got["a"] > n*73/100 {
		t.Errorf("of %d orders %v", n, got)
	}
}

func TestACircuitOpensAndCloses(t *testing.T) {
	t.Parallel()
	for name, down := range map[string]struct {
		payment.Result
		error
	}{
		"down":         {payment.Result{Outcome: hyperlocal.OutcomeDeclined, Class: hyperlocal.DeclineProviderDown}, nil},
		"rate limited": {payment.Result{Outcome: hyperlocal.OutcomeDeclined, Class: hyperlocal.DeclineRateLimited}, nil},
		"unknown":      {payment.Result{}, errors.New("reset by peer")},
		"not sent":     {payment.Result{}, payment.ErrNotSent},
		"no answer":    {payment.Result{}, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a, _, _, all := three()
				var told []payment.RouteDecision
				r := newRouter(t, routing.Config{
					Gateways: all, Trip: 3, Cool: 20 * time.Second, Window: time.Minute,
					Rules:   []routing.Rule{{Name: "r", Routes: []routing.Route{{Gateway: "a"}, {Gateway: "b"}}}},
					Decided: func(_ payment.RouteRequest, d payment.RouteDecision) { told = append(told, d) },
				})
				charge := func() (payment.Result, error) {
					return r.Gateways()[0].Authorize(t.Context(), payment.AuthorizeRequest{})
				}
				goes := func(want string) payment.RouteDecision {
					t.Helper()
					d := r.Route(ask(t, "1", 500, "EUR"))
					if d.Gateway != want {
						t.Fatalf("goes to %s, want %s: %+v", d.Gateway, want, d)
					}
					return d
				}
				a.will(down.Result, down.error)
				for range 2 {
					_, _ = charge()
				}
				a.will(payment.Result{Outcome: hyperlocal.OutcomeDeclined, Class: hyperlocal.DeclineHard}, nil)
				_, _ = charge() // a decline is an answer: not down
				a.will(down.Result, down.error)
				for range 3 {
					goes("a")
					if got, err := charge(); got.Outcome != down.Outcome || !errors.Is(err, down.error) {
						t.Fatalf("the gateway's answer became %+v, %v", got, err)
					}
				}
				if d := goes("b"); !strings.Contains(d.Steps[0].Why, "open until") || d.Steps[0].Chosen || !d.Steps[1].Chosen {
					t.Errorf("it is not explained: %+v", d)
				}
				before := a.calls
				got, err := charge()
				if err != nil || got.Outcome != hyperlocal.OutcomeDeclined || got.Class != hyperlocal.DeclineProviderDown || got.Code != "circuit_open" ||
					got.RetryAfter != 20*time.Second || a.calls != before {
					t.Errorf("an open circuit answers %+v, %v after %d calls", got, err, a.calls-before)
				}
				time.Sleep(20*time.Second + time.Millisecond)
				goes("a")
				_, _ = charge() // the one that tries fails
				goes("b")
				time.Sleep(20*time.Second + time.Millisecond)
				a.will(payment.Result{Outcome: hyperlocal.OutcomeAction}, nil)
				if got, err := charge(); err != nil || got.Outcome != hyperlocal.OutcomeAction {
					t.Fatalf("%+v, %v", got, err)
				}
				goes("a")
				s := r.Standings()[0]
				if s.Gateway != "a" || s.Succeeded != 1 || s.Ended != 8 || !s.OpenUntil.IsZero() {
					t.Errorf("it stands %+v", s)
				}
				time.Sleep(time.Minute)
				if s := r.Standings()[0]; s.Ended != 0 {
					t.Errorf("a minute later %+v", s)
				}
				if len(told) != 7 {
					t.Errorf("%d decisions were told", len(told))
				}
			})
		})
	}
}

func TestWhoLeavesBreaksNothing(t *testing.T) {
	t.Parallel()
	a, _, _, all := three()
	r := newRouter(t, routing.Config{Gateways: all, Trip: 1})
	a.will(payment.Result{}, context.Canceled)
	for range 3 {
		_, _ = r.Gateways()[0].Authorize(t.Context(), payment.AuthorizeRequest{})
	}
	if a.calls != 3 {
		t.Errorf("%d calls of 3 arrived", a.calls)
	}
}

func TestAllCircuitsOpen(t *testing.T) {
	t.Parallel()
	a, b, c, all := three()
	c.cannot = hyperlocal.VerbCharge
	r := newRouter(t, routing.Config{Gateways: all, Trip: 1, Rules: []routing.Rule{
		{Name: "r", Routes: []routing.Route{{Gateway: "c"}, {Gateway: "a"}, {Gateway: "b"}}},
	}})
	for _, g := range []*gateway{a, b} {
		g.will(payment.Result{}, errors.New("reset by peer"))
	}
	for _, g := range r.Gateways() {
		_, _ = g.Authorize(t.Context(), payment.AuthorizeRequest{})
	}
	d := r.Route(ask(t, "1", 500, "EUR"))
	if d.Gateway != "a" || !d.Steps[1].Chosen || d.Steps[0].Why != "cannot charge" {
		t.Errorf("nothing else is left, and it goes %+v", d)
	}
}

func TestWatchedGatewaysKeepTheirAbilities(t *testing.T) {
	t.Parallel()
	r := newRouter(t, routing.Config{Gateways: []payment.Gateway{&parser{gateway{name: "p"}}, &gateway{name: "a"}}})
	p, ok := payment.AbilityOf[payment.WebhookParser](r.Gateways()[0])
	if !ok {
		t.Fatal("a provider that calls us is not heard any more")
	}
	if n, err := p.ParseWebhook("north", time.Time{}, nil, nil); err != nil || n.Event != "parsed" {
		t.Errorf("%+v, %v", n, err)
	}
	if _, ok := payment.AbilityOf[payment.WebhookParser](r.Gateways()[1]); ok {
		t.Error("a gateway seems to parse what it cannot")
	}
	if r.Gateways()[0].Name() != "p" {
		t.Error("a watched gateway has another name")
	}
}

func TestBadConfig(t *testing.T) {
	t.Parallel()
	all := gateways()
	one := []routing.Route{{Gateway: "a"}}
	for name, c := range map[string]routing.Config{
		"no gateway":           {},
		"a nil gateway":        {Gateways: []payment.Gateway{nil}},
		"two of one name":      {Gateways: append(all[:1:1], all...)},
		"a short window":       {Gateways: all, Window: time.Millisecond},
		"a negative trip":      {Gateways: all, Trip: -1},
		"a negative pause":     {Gateways: all, Cool: -1},
		"a rule without name":  {Gateways: all, Rules: []routing.Rule{{Routes: one}}},
		"a rule without route": {Gateways: all, Rules: []routing.Rule{{Name: "r"}}},
		"an unknown gateway":   {Gateways: all, Rules: []routing.Rule{{Name: "r", Routes: []routing.Route{{Gateway: "z"}}}}},
		"one gateway twice":    {Gateways: all, Rules: []routing.Rule{{Name: "r", Routes: append(one[:1:1], one...)}}},
		"no weights":           {Gateways: all, Rules: []routing.Rule{{Name: "r", Prefer: routing.Weighted, Routes: one}}},
		"a negative weight":    {Gateways: all, Rules: []routing.Rule{{Name: "r", Routes: []routing.Route{{Gateway: "a", Weight: -1}}}}},
		"more than all":        {Gateways: all, Rules: []routing.Rule{{Name: "r", Routes: []routing.Route{{Gateway: "a", Cost: routing.Cost{BasisPoints: 10_001}}}}}},
		"an unknown wish":      {Gateways: all, Rules: []routing.Rule{{Name: "r", Prefer: "luck", Routes: one}}},
		"min above max":        {Gateways: all, Rules: []routing.Rule{{Name: "r", Min: money(t, 2, "EUR"), Max: money(t, 1, "EUR"), Routes: one}}},
		"bounds that differ":   {Gateways: all, Rules: []routing.Rule{{Name: "r", Min: money(t, 2, "EUR"), Max: money(t, 9, "USD"), Routes: one}}},
	} {
		if _, err := routing.New(c); !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
