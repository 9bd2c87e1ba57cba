package bench

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

var errSoldOut = errors.New("the raw workload ran out of stock")

const event = `{"name":"order.placed","order":"00000000-0000-0000-0000-000000000000","customer":42,"lines":[{"item":"A","quantity":1},{"item":"B","quantity":1}],"total":200}`

// The least an order needs, in tables of its own in the schema of the run.
const rawPostgresTables = `
CREATE TABLE raw_stock (item integer PRIMARY KEY, on_hand bigint NOT NULL, reserved bigint NOT NULL DEFAULT 0, version bigint NOT NULL DEFAULT 0) WITH (fillfactor = 80);
CREATE TABLE raw_orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer bigint NOT NULL, state text NOT NULL, currency text NOT NULL, total bigint NOT NULL, placed_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE raw_lines (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id bigint NOT NULL REFERENCES raw_orders (id), item integer NOT NULL, quantity integer NOT NULL, price bigint NOT NULL);
CREATE INDEX ON raw_lines (order_id);
CREATE TABLE raw_outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, topic text NOT NULL, payload jsonb NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
INSERT INTO raw_stock (item, on_hand) SELECT i, 1000000000 FROM generate_series(0, 9999) AS i;
`

const (
	rawOrder = `INSERT INTO raw_orders (customer, state, currency, total) VALUES ($1, 'placed', 'EUR', 200) RETURNING id`
	rawLine  = `INSERT INTO raw_lines (order_id, item, quantity, price) VALUES ($1, $2, 1, 100)`
	rawEvent = `INSERT INTO raw_outbox (topic, payload) VALUES ('order.placed', $1)`
	rawStock = `UPDATE raw_stock SET reserved = reserved + 1, version = version + 1 WHERE item = $1 AND on_hand - reserved >= 1`
)

// analyze has PostgreSQL look at the tables of a schema. The plans of prepared statements that
// were made while the tables were empty, and are kept, go through all orders of the tenant; a
// server that runs for a minute is spared them by autovacuum.
func analyze(dsn, schema string) func(context.Context) error {
	return func(ctx context.Context) error {
		return execute(ctx, dsn, `DO $$ DECLARE t record; BEGIN
			FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = '`+schema+`' LOOP
				EXECUTE format('ANALYZE %I.%I', '`+schema+`', t.tablename);
			END LOOP; END $$`)
	}
}

// rawPostgres measures one order per transaction in eight round trips: begin, order, two
// lines, event, two items, commit. Every client has a connection of its own; pgx prepares
// each statement on first use.
func rawPostgres(ctx context.Context, dsn, schema string, clients, items int, warm, length time.Duration) (Sample, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return Sample{}, err
	}
	cfg.RuntimeParams["search_path"] = schema
	conns := make([]*pgx.Conn, 0, clients)
	defer func() {
		for _, c := range conns {
			_ = c.Close(context.WithoutCancel(ctx))
		}
	}()
	for range clients {
		c, err := pgx.ConnectConfig(ctx, cfg)
		if err != nil {
			return Sample{}, err
		}
		conns = append(conns, c)
	}
	if _, err := conns[0].PgConn().Exec(ctx, rawPostgresTables).ReadAll(); err != nil {
		return Sample{}, err
	}
	return run(ctx, clients, warm, length, analyze(dsn, schema), func(ctx context.Context, client int, pick func(int) int) error {
		first, last := pair(pick, items)
		tx, err := conns[client].Begin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback(ctx) }() // does nothing after the commit
		var id int64
		if err := tx.QueryRow(ctx, rawOrder, pick(1_000_000)).Scan(&id); err != nil {
			return err
		}
		for _, item := range [2]int{first, last} {
			if _, err := tx.Exec(ctx, rawLine, id, item); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, rawEvent, event); err != nil {
			return err
		}
		for _, item := range [2]int{first, last} {
			tag, err := tx.Exec(ctx, rawStock, item)
			if err != nil {
				return err
			}
			if tag.RowsAffected() != 1 {
				return errSoldOut
			}
		}
		return tx.Commit(ctx)
	})
}
