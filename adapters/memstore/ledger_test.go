package memstore_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
	"github.com/hyperlocal-sdk/hyperlocal/ledger/ledgertest"
)

func newLedger(*testing.T) ledgertest.Harness {
	db := memstore.New(memstore.WithRankCheck())
	return ledgertest.Harness{Store: db.Ledger(), Tx: db}
}

func TestLedger(t *testing.T) {
	t.Parallel()
	ledgertest.Run(t, newLedger)
}

func TestLedgerGathered(t *testing.T) {
	t.Parallel()
	ledgertest.Run(t, func(t *testing.T) ledgertest.Harness {
		h := newLedger(t)
		h.Intake = &ledger.Intake{}
		return h
	})
}

func TestLedgerModel(t *testing.T) {
	t.Parallel()
	h := newLedger(t)
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		tenant := hyperlocal.TenantID(fmt.Sprint("t", runs))
		ledgertest.Play(rt, t.Context(), h, tenant, 40, func(what string, n int) int {
			return rapid.IntRange(0, n-1).Draw(rt, what)
		})
	})
}
