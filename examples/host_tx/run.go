package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"

	"github.com/uptrace/bun"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/bunstore"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// errChangedMind is what makes the host roll back.
var errChangedMind = errors.New("the host changed its mind")

// visit is the host's own row.
type visit struct {
	bun.BaseModel `bun:"table:host_visits"`
	Name          string
}

// run does the same three times with each kind of transaction and prints what is there
// afterwards.
func run(ctx context.Context, dsn string, out io.Writer) error {
	h, err := openHost(ctx, dsn)
	if err != nil {
		return err
	}
	defer h.close()
	store, err := bunstore.New(h.db, h.dialect, bunstore.WithSchema("shop"))
	if err != nil {
		return err
	}
	if err := store.Migrate(ctx); err != nil {
		return err
	}
	orders, err := order.New(order.Config{
		Store: store.Orders(), Tx: store, Outbox: store.Outbox(), Idempotency: store.Idempotency(),
	})
	if err != nil {
		return err
	}
	s := &shop{host: h, store: store, orders: orders}
	for _, step := range []struct {
		name string
		do   func(ctx context.Context) error
	}{
		{"sql.Tx that commits", func(ctx context.Context) error { return s.inSQLTx(ctx, nil) }},
		{"sql.Tx that rolls back", func(ctx context.Context) error { return s.inSQLTx(ctx, errChangedMind) }},
		{"bun.Tx that commits", func(ctx context.Context) error { return s.inBunTx(ctx, nil) }},
		{"bun.Tx that rolls back", func(ctx context.Context) error { return s.inBunTx(ctx, errChangedMind) }},
	} {
		if err := step.do(ctx); err != nil && !errors.Is(err, errChangedMind) {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		if err := s.count(ctx, out, step.name); err != nil {
			return err
		}
	}
	return nil
}

// shop is a host that takes orders.
type shop struct {
	*host
	store  *bunstore.Store
	orders *order.Service
}

// inSQLTx writes a row of the host and an order in one *sql.Tx.
func (s *shop) inSQLTx(ctx context.Context, verdict error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	if _, err := tx.ExecContext(ctx, "INSERT INTO host_visits (name) VALUES ('ada')"); err != nil {
		return err
	}
	if _, err := s.orders.Place(s.store.WithSQLTx(ctx, tx), basket()); err != nil {
		return err
	}
	if verdict != nil {
		return verdict
	}
	return tx.Commit()
}

// inBunTx does the same in a bun.Tx.
func (s *shop) inBunTx(ctx context.Context, verdict error) error {
	return s.bun.RunInTx(ctx, &sql.TxOptions{}, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(&visit{Name: "grace"}).Exec(ctx); err != nil {
			return err
		}
		if _, err := s.orders.Place(s.store.WithTx(ctx, tx), basket()); err != nil {
			return err
		}
		return verdict
	})
}

// basket is an order that needs no stock.
func basket() order.PlaceCommand {
	price, _ := hyperlocal.NewMoney(2800, "GBP") // a valid currency never fails
	return order.PlaceCommand{
		Tenant: "demo", Actor: hyperlocal.Actor{Kind: "shopper", ID: "ada"}, Currency: "GBP",
		Merchant: hyperlocal.NewRef("merchant", "barber"), Fulfilment: order.FulfilmentService,
		Lines: []order.PlaceLine{{Kind: order.LineService, Title: "Haircut", Quantity: hyperlocal.Pieces(1), UnitPrice: price}},
	}
}

// count prints how many rows of the host and how many orders there are.
func (s *shop) count(ctx context.Context, out io.Writer, after string) error {
	visits, err := s.bun.NewSelect().Model((*visit)(nil)).Count(ctx)
	if err != nil {
		return err
	}
	page, err := s.orders.List(ctx, "demo", order.Filter{}, hyperlocal.PageRequest{})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "after a %s: %d visits, %d orders\n", after, visits, len(page.Items))
	return err
}
