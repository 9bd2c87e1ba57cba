package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
)

func newBooks() *ledger.Service {
	db := memstore.New()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	books, err := ledger.New(ledger.Config{
		Store: db.Ledger(), Tx: db, Clock: hyperlocal.ClockFunc(func() time.Time { return at }),
	})
	if err != nil {
		log.Fatal(err)
	}
	return books
}

func pounds(minor int64) hyperlocal.Money {
	m, err := hyperlocal.NewMoney(minor, "GBP")
	if err != nil {
		log.Fatal(err)
	}
	return m
}

// A capture moves money from the gateway's clearing account to the merchant's sales.
func capture(reference string, minor int64) hyperlocal.Posting {
	return hyperlocal.Posting{
		Tenant: "acme", Reference: reference, Kind: "capture", Subject: hyperlocal.NewRef("order", "1001"),
		Actor: hyperlocal.System("payment"),
		Entries: []hyperlocal.Entry{
			hyperlocal.Debit("clearing/sandbox", pounds(minor)),
			hyperlocal.Credit("sales/m1", pounds(minor)),
		},
	}
}

// Points move between accounts of another asset.
func points(reference, from, to string, n int64) hyperlocal.Posting {
	return hyperlocal.Posting{
		Tenant: "acme", Reference: reference, Kind: "points", Actor: hyperlocal.System("loyalty"),
		Entries: []hyperlocal.Entry{
			{Account: from, Asset: "POINTS", Amount: n}, {Account: to, Asset: "POINTS", Amount: -n},
		},
	}
}

func Example() {
	ctx := context.Background()
	books := newBooks()
	if err := books.Post(ctx, capture("capture/1", 1999), capture("capture/2", 500)); err != nil {
		log.Fatal(err)
	}
	if err := books.Post(ctx, capture("capture/1", 1999)); err != nil { // told again: nothing happens
		log.Fatal(err)
	}
	sales, err := books.Balance(ctx, "acme", ledger.Account{Path: "sales/m1", Asset: "GBP"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("sales", sales)

	err = books.Post(ctx, capture("capture/1", 2000))
	fmt.Println("another amount:", hyperlocal.ReasonOf(err))
	totals, err := books.TrialBalance(ctx, "acme")
	fmt.Println(totals, err)
	// Output:
	// sales -2499
	// another amount: ledger/reference_conflict
	// [{GBP 2499 2499}] <nil>
}

// A batch has one result per posting; what is refused does not fail its neighbours.
func ExampleService_PostMany() {
	ctx := context.Background()
	books := newBooks()
	results, err := books.PostMany(ctx, []hyperlocal.Posting{
		points("earn/1", "points/issued", "points/customer/7", 100),
		points("spend/1", "points/customer/7", "points/redeemed", 150),
		points("spend/2", "points/customer/7", "points/redeemed", 80),
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range results {
		fmt.Println(r.Transaction != "", errors.Is(r.Err, ledger.ErrInsufficient))
	}
	left, err := books.Balance(ctx, "acme", ledger.Account{Path: "points/customer/7", Asset: "POINTS"})
	fmt.Println("left", -left, err)
	// Output:
	// true false
	// false true
	// true false
	// left 20 <nil>
}

// Nothing is ever changed; a mistake is corrected by its opposite.
func ExampleService_Reverse() {
	ctx := context.Background()
	books := newBooks()
	if err := books.Post(ctx, capture("capture/1", 1999)); err != nil {
		log.Fatal(err)
	}
	undo := ledger.ReverseCommand{Tenant: "acme", Reference: "capture/1", Actor: hyperlocal.Actor{Kind: "admin", ID: "eve"}}
	for range 2 {
		r, err := books.Reverse(ctx, undo)
		fmt.Println("replayed:", r.Replayed, err)
	}
	page, err := books.Journal(ctx, "acme", ledger.Filter{Account: "sales/m1"}, hyperlocal.PageRequest{})
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range page.Items {
		fmt.Println(t.Kind, t.Reverses, t.Entries)
	}
	// Unordered output:
	// replayed: false <nil>
	// replayed: true <nil>
	// capture  [{clearing/sandbox GBP 1999} {sales/m1 GBP -1999}]
	// reversal capture/1 [{clearing/sandbox GBP -1999} {sales/m1 GBP 1999}]
}

// A balance can be read as of when things happened, and as of when they were known.
func ExampleService_BalancesAsOf() {
	ctx := context.Background()
	books := newBooks()
	late := capture("capture/1", 1999)
	late.Effective = time.Date(2026, 2, 27, 9, 0, 0, 0, time.UTC) // told on 1 March
	if err := books.Post(ctx, late, capture("capture/2", 500)); err != nil {
		log.Fatal(err)
	}
	sales := ledger.Account{Path: "sales/m1", Asset: "GBP"}
	endOfFebruary := time.Date(2026, 2, 28, 23, 59, 59, 0, time.UTC)
	happened, err := books.BalancesAsOf(ctx, "acme", ledger.AsOf{Effective: endOfFebruary}, sales)
	fmt.Println("happened by the end of February", happened, err)
	known, err := books.BalancesAsOf(ctx, "acme", ledger.AsOf{Effective: endOfFebruary, Recorded: endOfFebruary}, sales)
	fmt.Println("and known by then", known, err)
	// Output:
	// happened by the end of February [-1999] <nil>
	// and known by then [0] <nil>
}

// Folding changes no balance, it makes reading it cheaper.
func ExampleService_Fold() {
	ctx := context.Background()
	books := newBooks()
	if err := books.Post(ctx, capture("capture/1", 1999)); err != nil {
		log.Fatal(err)
	}
	for {
		n, err := books.Fold(ctx, 1000)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("folded", n)
		if n < 1000 {
			break
		}
	}
	balance, err := books.Balance(ctx, "acme", ledger.Account{Path: "clearing/sandbox", Asset: "GBP"})
	fmt.Println(balance, err)
	// Output:
	// folded 2
	// 1999 <nil>
}
