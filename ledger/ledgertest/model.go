package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
)

// TB is what Play needs of a test.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Model is a ledger of one tenant in a few dozen lines, written apart from the real one, to
// compare it with. Only POINTS in accounts below points/customer/ are bounded.
type Model struct {
	balances map[string]int64  // by account and asset
	known    map[string]string // content by reference
	entries  map[string][]hyperlocal.Entry
}

// NewModel returns an empty model.
func NewModel() *Model {
	return &Model{balances: map[string]int64{}, known: map[string]string{}, entries: map[string][]hyperlocal.Entry{}}
}

// Post says how the real ledger must answer, and does it if it must be done.
func (m *Model) Post(p hyperlocal.Posting) (replayed bool, refusal error) {
	perAsset := map[string]int64{}
	var legs []string
	after := map[string]int64{}
	for _, e := range p.Entries {
		perAsset[e.Asset] += e.Amount
		legs = append(legs, fmt.Sprint(e.Account, "|", e.Asset, "|", e.Amount))
		name := e.Account + " " + e.Asset
		if _, ok := after[name]; !ok {
			after[name] = m.balances[name]
		}
		after[name] += e.Amount
	}
	for _, sum := range perAsset {
		if sum != 0 {
			return false, ledger.ErrUnbalanced
		}
	}
	sort.Strings(legs)
	content := fmt.Sprint(p.Kind, p.Subject, p.Reverses, legs)
	if old, ok := m.known[p.Reference]; ok {
		if old != content {
			return false, ledger.ErrReferenceConflict
		}
		return true, nil
	}
	if p.Reverses != "" && m.known[p.Reverses] == "" {
		return false, ledger.ErrReversesUnknown
	}
	for name, balance := range after {
		bounded := strings.HasPrefix(name, "points/customer/") && strings.HasSuffix(name, " POINTS")
		if bounded && balance > 0 && balance > m.balances[name] {
			return false, ledger.ErrInsufficient
		}
	}
	for name, balance := range after {
		m.balances[name] = balance
	}
	m.known[p.Reference], m.entries[p.Reference] = content, p.Entries
	return false, nil
}

// Play posts, reverses and folds steps times at random, on a tenant of its own, and compares
// every answer and, every few steps, every balance with a Model. pick returns a number from 0
// to n-1 and is all the randomness there is.
func Play(t TB, ctx context.Context, h Harness, tenant hyperlocal.TenantID, steps int, pick func(what string, n int) int) { //nolint:revive // t comes first
	t.Helper()
	books, err := ledger.New(ledger.Config{Store: h.Store, Tx: h.Tx})
	if err != nil {
		t.Fatalf("new: %v", err)
	}
	m := NewModel()
	accounts := []string{"clearing/x", "sales/1", "sales/2", "points/customer/1", "points/customer/2", "points/issued"}
	assets := []string{"GBP", "POINTS"}
	posting := func() hyperlocal.Posting {
		p := hyperlocal.Posting{
			Tenant: tenant, Reference: fmt.Sprint("r/", pick("reference", 3*steps)), Kind: "play", Actor: actor,
		}
		for range 1 + pick("pairs", 2) {
			asset, amount := assets[pick("asset", 2)], int64(1+pick("amount", 20))
			p.Entries = append(p.Entries,
				hyperlocal.Entry{Account: accounts[pick("from", len(accounts))], Asset: asset, Amount: -amount},
				hyperlocal.Entry{Account: accounts[pick("to", len(accounts))], Asset: asset, Amount: amount})
		}
		if pick("unbalanced", 12) == 0 {
			p.Entries[0].Amount -= 3
		}
		return p
	}
	for step := range steps {
		switch pick("operation", 10) {
		case 0:
			if _, err := books.Fold(ctx, 1+pick("limit", 5)); err != nil {
				t.Fatalf("fold: %v", err)
			}
		case 1:
			m.reverse(t, ctx, books, tenant, fmt.Sprint("r/", pick("reference", 3*steps)))
		default:
			batch := make([]hyperlocal.Posting, 1+pick("batch", 4))
			for i := range batch {
				batch[i] = posting()
			}
			results, err := books.PostMany(ctx, batch)
			if err != nil {
				t.Fatalf("post: %v", err)
			}
			for i, p := range batch {
				replayed, refusal := m.Post(p)
				if results[i].Replayed != replayed || !errors.Is(results[i].Err, refusal) {
					t.Fatalf("%+v\nis answered %+v, the model says replayed %v, refusal %v", p, results[i], replayed, refusal)
				}
			}
		}
		if step%5 == 4 || step == steps-1 {
			m.compare(t, ctx, books, tenant, accounts, assets)
		}
	}
	check(t, ctx, books, tenant)
}

func (m *Model) reverse(t TB, ctx context.Context, books *ledger.Service, tenant hyperlocal.TenantID, reference string) { //nolint:revive // t comes first
	t.Helper()
	r, err := books.Reverse(ctx, ledger.ReverseCommand{Tenant: tenant, Reference: reference, Actor: actor})
	entries, ok := m.entries[reference]
	if !ok {
		if !errors.Is(err, ledger.ErrNotFound) {
			t.Fatalf("reversing nothing: %v", err)
		}
		return
	}
	p := hyperlocal.Posting{Reference: "reverse/" + reference, Kind: "reversal", Reverses: reference}
	for _, e := range entries {
		e.Amount = -e.Amount
		p.Entries = append(p.Entries, e)
	}
	replayed, refusal := m.Post(p)
	if !errors.Is(err, refusal) || r.Replayed != replayed {
		t.Fatalf("reversing %s: %+v %v, the model says replayed %v, refusal %v", reference, r, err, replayed, refusal)
	}
}

func (m *Model) compare(t TB, ctx context.Context, books *ledger.Service, tenant hyperlocal.TenantID, accounts, assets []string) { //nolint:revive // t comes first
	t.Helper()
	var names []ledger.Account
	for _, path := range accounts {
		for _, asset := range assets {
			names = append(names, ledger.Account{Path: path, Asset: asset})
		}
	}
	balances, err := books.Balances(ctx, tenant, names...)
	if err != nil {
		t.Fatalf("balances: %v", err)
	}
	for i, a := range names {
		if want := m.balances[a.Path+" "+a.Asset]; balances[i] != want {
			t.Fatalf("%v holds %d, the model says %d", a, balances[i], want)
		}
	}
}
