package bench

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

var errSoldOut = errors.New("the raw workload ran out of stock")

const event = `{"id":"00000000-0000-0000-0000-000000000000","type":"order.placed","customer":42,"lines":[{"sku":"A","qty":1},{"sku":"B","qty":1}],"total":200}`

// The least an order needs, in tables of its own in the schema of the run.
const rawOrderTables = `
CREATE TABLE raw_stock (item integer PRIMARY KEY, on_hand bigint NOT NULL, reserved bigint NOT NULL DEFAULT 0, version bigint NOT NULL DEFAULT 0) WITH (fillfactor = 80);
CREATE TABLE raw_orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer bigint NOT NULL, state text NOT NULL, currency text NOT NULL, total bigint NOT NULL, placed_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE raw_lines (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id bigint NOT NULL REFERENCES raw_orders (id), item integer NOT NULL, quantity integer NOT NULL, price bigint NOT NULL);
CREATE INDEX ON raw_lines (order_id);
CREATE TABLE raw_outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, topic text NOT NULL, payload jsonb NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
INSERT INTO raw_stock (item, on_hand) SELECT i, 1000000000 FROM generate_series(0, 9999) AS i;
`

const (
	rawOrder     = `INSERT INTO raw_orders (customer, state, currency, total) VALUES ($1, 'placed', 'EUR', $2) RETURNING id`
	rawLine      = `INSERT INTO raw_lines (order_id, item, quantity, price) VALUES ($1, $2, $3, 100)`
	rawLineAfter = `INSERT INTO raw_lines (order_id, item, quantity, price) VALUES (currval('raw_orders_id_seq'), $1, $2, 100)`
	rawEvent     = `INSERT INTO raw_outbox (topic, payload) VALUES ('order.placed', $1)`
	rawStock     = `UPDATE raw_stock SET reserved = reserved + $1, version = version + 1 WHERE item = $2 AND on_hand - reserved >= $1`
)

// rawOrderRoundTrips is one order per transaction in eight round trips: begin, order, two
// lines, event, two items, commit. Every client has a connection of its own; pgx prepares each
// statement on first use.
func rawOrderRoundTrips(conns []*pgx.Conn, items int) call {
	return func(ctx context.Context, client int, pick func(int) int) error {
		first, last := pair(pick, items)
		tx, err := conns[client].Begin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback(ctx) }() // does nothing after the commit
		var id int64
		if err := tx.QueryRow(ctx, rawOrder, pick(1_000_000), 200).Scan(&id); err != nil {
			return err
		}
		for _, item := range [2]int{first, last} {
			if _, err := tx.Exec(ctx, rawLine, id, item, 1); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, rawEvent, event); err != nil {
			return err
		}
		for _, item := range [2]int{first, last} {
			tag, err := tx.Exec(ctx, rawStock, 1, item)
			if err != nil {
				return err
			}
			if tag.RowsAffected() != 1 {
				return errSoldOut
			}
		}
		return tx.Commit(ctx)
	}
}

// rawOrderBatch is the same order with all statements sent at once.
func rawOrderBatch(conns []*pgx.Conn, items int) call {
	return func(ctx context.Context, client int, pick func(int) int) error {
		first, last := pair(pick, items)
		var b pgx.Batch
		b.Queue("begin")
		b.Queue(rawOrder, pick(1_000_000), 200)
		b.Queue(rawLineAfter, first, 1)
		b.Queue(rawLineAfter, last, 1)
		b.Queue(rawEvent, event)
		b.Queue(rawStock, 1, first)
		b.Queue(rawStock, 1, last)
		b.Queue("commit")
		return conns[client].SendBatch(ctx, &b).Close() // reads every answer
	}
}
