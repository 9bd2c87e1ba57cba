package memstore_test

import (
	"context"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty/loyaltytest"
)

func newLoyalty(t *testing.T) loyaltytest.Harness {
	t.Helper()
	db := memstore.New(memstore.WithRankCheck())
	books, err := ledger.New(ledger.Config{Store: db.Ledger(), Tx: db})
	if err != nil {
		t.Fatal(err)
	}
	return loyaltytest.Harness{
		Store: db.Loyalty(), Tx: db, Journal: books,
		Balance: func(ctx context.Context, tenant hyperlocal.TenantID, account, asset string) (int64, error) {
			return books.Balance(ctx, tenant, ledger.Account{Path: account, Asset: asset})
		},
	}
}

func TestLoyalty(t *testing.T) {
	t.Parallel()
	loyaltytest.Run(t, newLoyalty)
}

func TestLoyaltyConserves(t *testing.T) {
	t.Parallel()
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		// Expiring reaches every tenant, so each run has a database of its own.
		loyaltytest.Play(rt, t.Context(), newLoyalty(t), hyperlocal.TenantID(fmt.Sprint("t", runs)), 40, func(what string, n int) int {
			return rapid.IntRange(0, n-1).Draw(rt, what)
		})
	})
}
