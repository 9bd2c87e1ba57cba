package reconcile_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
	"github.com/hyperlocal-sdk/hyperlocal/payment/reconcile"
)

// A statement holds a fee of the provider, and a charge that nobody knows: it goes into
// suspense, until a person has found out where it belongs.
func Example() {
	ctx := context.Background()
	db := memstore.New()
	books, err := ledger.New(ledger.Config{Store: db.Ledger(), Tx: db})
	if err != nil {
		log.Fatal(err)
	}
	s, err := reconcile.New(reconcile.Config{
		Store: db.Reconciliation(), Tx: db, Books: db.Payments(), Journal: books,
		Sources: map[string]reconcile.Source{"sandbox": {Format: reconcile.SandboxStatement}},
	})
	if err != nil {
		log.Fatal(err)
	}
	statement := strings.NewReader(reconcile.SandboxHeader + "\n" +
		"l1,fee,,,,GBP,-2.00,0.00,-2.00,2026-03-02T09:30:00Z\n" +
		"l2,charge,pi_1,ch_1,,GBP,10.00,0.30,9.70,2026-03-02T09:31:00Z\n")
	command := reconcile.ImportCommand{Tenant: "acme", Source: "sandbox", Account: "acct_1", Actor: hyperlocal.System("example")}
	run, _, err := s.Import(ctx, command, statement)
	if err != nil {
		log.Fatal(err)
	}
	report, err := s.Report(ctx, "acme", run.ID)
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range report.Totals {
		fmt.Println(t.Outcome, t.Reason, t.Lines, t.Gross, t.Fee, t.Net)
	}
	_, repeated, err := s.Import(ctx, command, statement)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("again:", repeated)

	open, err := s.ListDifferences(ctx, "acme", reconcile.Filter{Open: true}, hyperlocal.PageRequest{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := s.Resolve(ctx, reconcile.ResolveCommand{
		Tenant: "acme", ID: open.Items[0].ID, Actor: hyperlocal.Actor{Kind: "admin", ID: "clerk"},
		Account: "sales/market", Note: "paid at the market stall, with the old terminal",
	}); err != nil {
		log.Fatal(err)
	}
	for _, account := range []string{"balance/sandbox", "fees/sandbox", "suspense/sandbox", "sales/market"} {
		balance, err := books.Balance(ctx, "acme", ledger.Account{Path: account, Asset: "GBP"})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(account, balance)
	}
	// Output:
	// booked  1 -2.00 GBP 0.00 GBP -2.00 GBP
	// suspended missing_in_books 1 10.00 GBP 0.30 GBP 9.70 GBP
	// again: true
	// balance/sandbox 770
	// fees/sandbox 230
	// suspense/sandbox 0
	// sales/market -1000
}
