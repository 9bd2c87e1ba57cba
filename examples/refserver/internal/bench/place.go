package bench

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// Place measures placements of two lines, beside orders of hand-written SQL.
func Place(ctx context.Context, o Options) (*Result, error) {
	return within(ctx, &o, func(own *room) (*Result, error) { return own.place(ctx, &o, false) })
}

// place measures placements; checked looks afterwards whether the stock is right.
func (own *room) place(ctx context.Context, o *Options, checked bool) (*Result, error) {
	raw, batch, err := own.rawOrders(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("the raw workload: %w", err)
	}
	o.tell("measuring ours for %s", o.Duration)
	s, err := own.open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := s.stock(ctx); err != nil {
		return nil, err
	}
	var sold atomic.Int64
	placement := placer(o.Items)
	ours, err := o.load().measured(s.meter).run(ctx, func(ctx context.Context, _ int, pick func(int) int) error {
		if _, err := s.Orders.Place(ctx, placement(pick)); err != nil {
			return err
		}
		sold.Add(1)
		return nil
	})
	if err != nil {
		return nil, err
	}
	res := &Result{Unit: "orders"}
	res.ours(ours)
	limit := "one writer, FULL"
	if own.postgres() {
		limit = "one statement per round trip"
	}
	res.raw(limit, ours.PerSecond(), raw.PerSecond())
	s.meter.costs(res, ours.Calls)
	if batch != nil {
		res.more("batch_per_second", whole(batch.PerSecond()))
	}
	if checked {
		return res, s.check(ctx, o, sold.Load())
	}
	return res, nil
}

// placer returns orders of two of n items. Each has a key and a customer of its own.
func placer(n int) func(pick func(int) int) order.PlaceCommand {
	return func(pick func(int) int) order.PlaceCommand {
		first, last := pair(pick, n)
		return placement("shopper-"+strconv.Itoa(pick(1_000_000)), first, last)
	}
}

// placement is an order of one of each item.
func placement(shopper string, items ...int) order.PlaceCommand {
	price, _ := hyperlocal.NewMoney(100, "EUR") // a currency that there is
	lines := make([]order.PlaceLine, len(items))
	for i, n := range items {
		lines[i] = order.PlaceLine{
			Variant: hyperlocal.NewRef("variant", item(n)), Code: item(n), Item: hyperlocal.ItemID(item(n)), Location: location,
			Title: "Item " + strconv.Itoa(n), Quantity: hyperlocal.Pieces(1), UnitPrice: price,
		}
	}
	return order.PlaceCommand{
		Tenant: tenant, Actor: hyperlocal.Actor{Kind: "shopper", ID: shopper}, Key: hyperlocal.RandomIDs{}.NewID(),
		Merchant: hyperlocal.NewRef("merchant", "shop"), Customer: hyperlocal.NewRef("customer", shopper),
		Currency: "EUR", Fulfilment: order.FulfilmentPickup, Lines: lines,
	}
}

// rawOrders measures the limit of the database. batch is nil on SQLite, where nothing travels.
func (own *room) rawOrders(ctx context.Context, o *Options) (roundTrips, batch *Sample, err error) {
	o.tell("measuring the raw limit for %s", o.Duration)
	if !own.postgres() {
		roundTrips, err = own.rawOrderSQLite(ctx, o)
		return roundTrips, nil, err
	}
	conns, closeAll, err := own.connect(ctx, o.Clients)
	if err != nil {
		return nil, nil, err
	}
	defer closeAll()
	if err := own.execute(ctx, rawOrderTables); err != nil {
		return nil, nil, err
	}
	if roundTrips, err = own.rawLimit(ctx, o, rawOrderRoundTrips(conns, o.Items)); err != nil {
		return nil, nil, err
	}
	o.tell("measuring the raw limit, pipelined, for %s", o.Duration)
	batch, err = own.rawLimit(ctx, o, rawOrderBatch(conns, o.Items))
	return roundTrips, batch, err
}

// rawLimit measures a raw workload of PostgreSQL.
func (own *room) rawLimit(ctx context.Context, o *Options, f call) (*Sample, error) {
	l := o.load()
	l.settle = own.settle
	return l.run(ctx, f)
}
