package ledger_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
)

func TestNewReportsAllThatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := ledger.New(ledger.Config{Bounded: []ledger.Bound{{Prefix: "a/b*", Asset: "GBP", Side: ledger.DebitSide}}})
	for _, reason := range []string{"ledger/invalid_store", "ledger/invalid_tx", "ledger/invalid_bound"} {
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("error is %v, want %s among it", err, reason)
		}
	}
	a, b := memstore.New(), memstore.New()
	if _, err := ledger.New(ledger.Config{Store: a.Ledger(), Tx: b}); !errors.Is(err, hyperlocal.ErrMixedScopes) {
		t.Errorf("error is %v", err)
	}
	s, err := ledger.New(ledger.Config{Store: a.Ledger(), Tx: a})
	if err != nil || s.TxScope() != a.TxScope() {
		t.Errorf("error is %v", err)
	}
}

func TestBounded(t *testing.T) {
	t.Parallel()
	db := memstore.New()
	books, err := ledger.New(ledger.Config{Store: db.Ledger(), Tx: db, Bounded: append(ledger.DefaultBounds(),
		ledger.Bound{Prefix: "wallet/*/open/", Asset: "GBP", Side: ledger.CreditSide},
		ledger.Bound{Prefix: "till", Asset: "GBP", Side: ledger.DebitSide},
	)})
	if err != nil {
		t.Fatal(err)
	}
	for account, want := range map[string]bool{
		"points/customer/7 POINTS":    true,
		"points/household/a/b POINTS": true,
		"points/issued POINTS":        false,
		"points//7 POINTS":            false,
		"points/customer/7 GBP":       false,
		"spoints/customer/7 POINTS":   false,
		"wallet/7/open/1 GBP":         true,
		"wallet/7/open GBP":           false,
		"wallet/7/8/open/1 GBP":       false,
		"till/1 GBP":                  true,
		"tills GBP":                   true,
		"til GBP":                     false,
	} {
		path, asset, _ := strings.Cut(account, " ")
		if got := books.Bounded(path, asset); got != want {
			t.Errorf("%s: bounded is %v", account, got)
		}
	}
}
