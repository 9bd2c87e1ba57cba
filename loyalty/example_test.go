package loyalty_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/memstore"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
	"github.com/hyperlocal-sdk/hyperlocal/loyalty"
)

var (
	member = hyperlocal.NewRef("customer", "7")
	actor  = hyperlocal.System("example")
)

type calendar struct{ now time.Time }

func (c *calendar) Now() time.Time { return hyperlocal.Instant(c.now) }

func newProgramme(expiry string) (*loyalty.Service, *calendar, *memstore.DB) {
	db := memstore.New(memstore.WithRankCheck())
	clock := &calendar{now: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)}
	books, err := ledger.New(ledger.Config{Store: db.Ledger(), Tx: db, Clock: clock})
	if err != nil {
		log.Fatal(err)
	}
	lifetime, err := loyalty.ParseExpiry(expiry)
	if err != nil {
		log.Fatal(err)
	}
	points, err := loyalty.New(loyalty.Config{Store: db.Loyalty(), Tx: db, Journal: books, Clock: clock, Expiry: lifetime})
	if err != nil {
		log.Fatal(err)
	}
	return points, clock, db
}

func earn(ctx context.Context, points *loyalty.Service, order string, version, n int64) {
	err := points.SetEarned(ctx, loyalty.Earned{
		Tenant: "acme", Member: member, Source: hyperlocal.NewRef("order", order), SourceVersion: version, Points: n, Actor: actor,
	})
	if err != nil {
		log.Fatal(err)
	}
}

func show(ctx context.Context, points *loyalty.Service) {
	b, err := points.Balance(ctx, "acme", member)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("points %d, spendable %d, shortfall %d\n", b.Points, b.Spendable, b.Shortfall)
}

func Example() {
	ctx := context.Background()
	points, clock, _ := newProgramme("1 month")

	earn(ctx, points, "1", 5, 100) // order 1 was completed
	earn(ctx, points, "1", 5, 100) // the event comes again
	earn(ctx, points, "1", 8, 60)  // a part of it was refunded
	earn(ctx, points, "1", 7, 90)  // an older event comes late
	show(ctx, points)

	_, err := points.Spend(ctx, loyalty.SpendCommand{Tenant: "acme", Member: member, Reference: "mug", Points: 70, Actor: actor})
	fmt.Println("too much:", errors.Is(err, loyalty.ErrInsufficient))
	for range 2 { // once, however often it is asked
		if _, err = points.Spend(ctx, loyalty.SpendCommand{Tenant: "acme", Member: member, Reference: "pen", Points: 20, Actor: actor}); err != nil {
			log.Fatal(err)
		}
	}
	show(ctx, points)

	clock.now = clock.now.AddDate(0, 0, 28)
	n, err := points.Expire(ctx, 100)
	fmt.Println("expired lots", n, err)
	show(ctx, points)
	// Output:
	// points 60, spendable 60, shortfall 0
	// too much: true
	// points 40, spendable 40, shortfall 0
	// expired lots 1 <nil>
	// points 0, spendable 0, shortfall 0
}

// Points that are no longer earned but already spent are a shortfall. Nobody is asked for
// them; what comes in next makes up for it.
func ExampleService_SetEarned() {
	ctx := context.Background()
	points, _, _ := newProgramme("never")
	earn(ctx, points, "1", 1, 100)
	if _, err := points.Spend(ctx, loyalty.SpendCommand{Tenant: "acme", Member: member, Reference: "mug", Points: 80, Actor: actor}); err != nil {
		log.Fatal(err)
	}
	earn(ctx, points, "1", 2, 0) // all of order 1 was refunded
	show(ctx, points)
	earn(ctx, points, "2", 1, 100)
	show(ctx, points)
	// Output:
	// points 0, spendable 0, shortfall 80
	// points 20, spendable 20, shortfall 0
}

// Checkout spends points in the transaction that places the order. The first come is the
// first served.
func ExampleService_Participant() {
	ctx := context.Background()
	points, clock, db := newProgramme("never")
	earn(ctx, points, "1", 1, 100)

	placement := func(order string) hyperlocal.Placement {
		return hyperlocal.Placement{
			Tenant: "acme", Order: hyperlocal.NewRef("order", order), Customer: member, At: clock.Now(), Actor: actor,
			Spend: []hyperlocal.Spend{{Kind: loyalty.SpendKind, Ref: member, Amount: 60}},
		}
	}
	err := db.WithinTx(ctx, func(ctx context.Context) error {
		d, err := points.Participant().Decide(ctx, []hyperlocal.Placement{placement("2"), placement("3")})
		if err != nil {
			return err
		}
		for i := range 2 {
			if err := d.Check(i); err != nil {
				fmt.Println("refused:", hyperlocal.ReasonOf(err))
				continue
			}
			d.Take(i)
		}
		return d.Apply(ctx)
	})
	if err != nil {
		log.Fatal(err)
	}
	show(ctx, points)

	// Order 2 is cancelled: its points come back to the lot that they were taken from.
	_, err = points.Restore(ctx, loyalty.RestoreCommand{
		Tenant: "acme", Reference: loyalty.OrderReference(hyperlocal.NewRef("order", "2")), Actor: actor,
	})
	if err != nil {
		log.Fatal(err)
	}
	show(ctx, points)
	// Output:
	// refused: loyalty/insufficient
	// points 40, spendable 40, shortfall 0
	// points 100, spendable 100, shortfall 0
}

func ExamplePoints() {
	total, err := hyperlocal.ParseMoney("19.99", "GBP")
	if err != nil {
		log.Fatal(err)
	}
	double := func(m hyperlocal.Money) int64 { return 2 * loyalty.WholeUnits(m) }
	fmt.Println(loyalty.Points(total, loyalty.WholeUnits), loyalty.Points(total, double))
	// Output: 19 38
}

func ExampleParseExpiry() {
	month, err := loyalty.ParseExpiry("1 month")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(month.After(time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)))
	_, err = loyalty.ParseExpiry("soon")
	fmt.Println(hyperlocal.ReasonOf(err))
	// Output:
	// 2026-02-28 12:00:00 +0000 UTC
	// loyalty/invalid_expiry
}
