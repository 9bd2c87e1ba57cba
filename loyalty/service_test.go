package loyalty_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
)

func TestNewReportsAllThatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := loyalty.New(loyalty.Config{Pending: -time.Second})
	for _, reason := range []string{"loyalty/invalid_store", "loyalty/invalid_tx", "loyalty/invalid_journal", "loyalty/invalid_pending"} {
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("error is %v, want %s among it", err, reason)
		}
	}
	a, b := memstore.New(), memstore.New()
	books := func(db *memstore.DB, rules []ledger.Bound) *ledger.Service {
		s, err := ledger.New(ledger.Config{Store: db.Ledger(), Tx: db, Bounded: rules})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if _, err := loyalty.New(loyalty.Config{Store: a.Loyalty(), Tx: a, Journal: books(b, nil)}); !errors.Is(err, hyperlocal.ErrMixedScopes) {
		t.Errorf("error is %v", err)
	}
	if _, err := loyalty.New(loyalty.Config{Store: a.Loyalty(), Tx: a, Journal: books(a, []ledger.Bound{})}); !errors.Is(err, loyalty.ErrUnbounded) {
		t.Errorf("error is %v", err)
	}
	s, err := loyalty.New(loyalty.Config{Store: a.Loyalty(), Tx: a, Journal: books(a, nil)})
	if err != nil || s.TxScope() != a.TxScope() {
		t.Errorf("error is %v", err)
	}
}
