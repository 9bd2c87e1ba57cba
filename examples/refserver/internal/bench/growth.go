package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// Growth measures placements beside From and beside To stored orders, in turns, and tells how
// large the tables and indexes are. PostgreSQL only. Stored orders are real ones, multiplied
// with other ids, numbers, keys, customers, items and times by the database itself, and their
// events have been published.
func Growth(ctx context.Context, o Options) (*Result, error) {
	if err := errors.Join(need("--from", o.From, MaxStored), need("--to", o.To, MaxStored)); err != nil {
		return nil, err
	}
	if o.To <= o.From {
		return nil, fmt.Errorf("%w: --to is more than --from", ErrOptions)
	}
	if strings.HasPrefix(o.DSN, "sqlite:") {
		return nil, ErrPostgresOnly
	}
	return within(ctx, &o, func(few *room) (*Result, error) {
		return within(ctx, &o, func(many *room) (*Result, error) { return growth(ctx, &o, few, many) })
	})
}

// rounds is how often each size is measured.
const rounds = 3

func growth(ctx context.Context, o *Options, few, many *room) (*Result, error) {
	sizes := []int{o.From, o.To}
	shops, samples := make([]*shop, 2), []*Sample{{}, {}}
	for i, own := range []*room{few, many} {
		s, err := own.open(ctx, o)
		if err != nil {
			return nil, err
		}
		defer s.close()
		if i == 0 {
			s.meter.profile = "" // what is profiled is the large one
		}
		if err := s.store(ctx, o, sizes[i]); err != nil {
			return nil, err
		}
		shops[i] = s
	}
	placement := placer(o.Items)
	part := *o
	part.Duration = o.Duration / rounds
	for round := range rounds {
		for i, s := range shops {
			o.tell("round %d of %d: beside %d orders for %s", round+1, rounds, sizes[i], part.Duration)
			l := part.load().measured(s.meter)
			l.settle = nil // it has been analysed
			sample, err := l.run(ctx, func(ctx context.Context, _ int, pick func(int) int) error {
				_, err := s.Orders.Place(ctx, placement(pick))
				return err
			})
			if err != nil {
				return nil, err
			}
			samples[i].add(sample)
		}
	}
	res := &Result{Unit: "orders"}
	res.ours(samples[1])
	shops[1].meter.costs(res, samples[1].Calls)
	from, to := samples[0], samples[1]
	res.more("from_orders", whole(float64(sizes[0])))
	res.more("to_orders", whole(float64(sizes[1])))
	res.more("from_per_second", whole(from.PerSecond()))
	res.more("to_per_second", whole(to.PerSecond()))
	res.more("from_p50_ms", millis(from.times.quantile(50)))
	res.more("to_p50_ms", millis(to.times.quantile(50)))
	res.more("from_wal_bytes_per_order", whole(float64(shops[0].meter.wal)/float64(from.Calls)))
	res.more("growth_ratio", decimals(to.PerSecond()/from.PerSecond()))
	var err error
	res.Tables, err = many.sizes(ctx)
	return res, err
}

// templates is how many orders are placed for real, and then multiplied.
const templates = 4000

// store brings the database to n orders.
func (s *shop) store(ctx context.Context, o *Options, n int) error {
	if err := s.stock(ctx); err != nil {
		return err
	}
	own, placed := s.meter.room, min(templates, n)
	if n < 10*templates { // a few copies of many would be no different from many
		placed = max(1, n/10)
	}
	o.tell("placing %d orders", placed)
	if err := s.place(ctx, placed); err != nil {
		return err
	}
	return own.ask(ctx, func(c *pgx.Conn) error {
		if err := own.multiply(ctx, o, c, placed, n); err != nil {
			return err
		}
		o.tell("vacuuming")
		for _, t := range multiplied {
			if _, err := c.Exec(ctx, `VACUUM (ANALYZE) `+t.name); err != nil {
				return err
			}
		}
		return own.settle(ctx)
	})
}

// place places n orders of two of all items.
func (s *shop) place(ctx context.Context, n int) error {
	const part = 100
	placement, pick := placer(Items), picker()
	for from := 0; from < n; from += part {
		commands := make([]order.PlaceCommand, min(part, n-from))
		for i := range commands {
			commands[i] = placement(pick)
		}
		results, err := s.Orders.PlaceMany(ctx, commands)
		if err != nil {
			return err
		}
		for _, r := range results {
			if r.Err != nil {
				return r.Err
			}
		}
	}
	return nil
}

// copied is a table whose rows are multiplied with the orders. Expressions for columns that a
// copy does not share with its original refer to the original as t and to the number of the
// copy as k; all columns that are times are moved into the past. What an expression needs of an
// original and would be slow to find for every copy is kept beside it as further columns.
type copied struct {
	name    string
	where   string
	beside  string
	columns map[string]string
}

// Items are told apart by the number that their names end with. It moves on with every copy, so
// that all of them are hit.
const (
	itemNumber = `substring(t.item FROM '[0-9]+$')::int AS item_number, length(substring(t.item FROM '[0-9]+$')) AS item_digits`
	copyItem   = `left(t.%s, -t.item_digits) || (t.item_number + k * 37) %% 10000`
)

func itemOf(column string) string { return fmt.Sprintf(copyItem, column) }

// Customers are told apart in the same way. Copies have customers by chance.
const copyCustomer = `t.customer_prefix || abs(hashtext(t.%s::text || k) %% 1000000)`

func customerPrefix(column string) string {
	return fmt.Sprintf(`regexp_replace(t.%s, '[0-9]+$', '') AS customer_prefix`, column)
}

func idOf(column string) string { return "pg_temp.copy_id(t." + column + "::uuid, k)" }

func idText(column string) string { return idOf(column) + "::text" }

// orderIn replaces the id of an order, which is a column too, in a text.
func orderIn(column, order string) string {
	return fmt.Sprintf(`replace(t.%s::text, t.%s, %s)`, column, order, idText(order))
}

// multiplied are the tables that a placement writes, those that others refer to first.
var multiplied = []copied{
	{name: "hc_orders", where: "true", beside: customerPrefix("customer"), columns: map[string]string{
		"id": idOf("id"), "number": `upper(left(md5(t.number || k), 14))`, "customer": fmt.Sprintf(copyCustomer, "id"),
	}},
	{name: "hc_order_lines", where: "true", beside: itemNumber, columns: map[string]string{
		"order_id": idOf("order_id"), "item": itemOf("item"), "variant": itemOf("variant"), "code": itemOf("code"), "title": itemOf("title"),
	}},
	{name: "hc_order_history", where: "true", columns: map[string]string{"order_id": idOf("order_id"), "id": idOf("id")}},
	{name: "hc_stock_reservations", where: "t.owner_kind = 'order'", beside: itemNumber, columns: map[string]string{
		"owner_id": idText("owner_id"), "id": idOf("id"), "item": itemOf("item"),
	}},
	{name: "hc_stock_movements", where: "t.owner_kind = 'order'", beside: itemNumber, columns: map[string]string{
		"owner_id": idText("owner_id"), "id": idOf("id"), "item": itemOf("item"),
	}},
	{name: "hc_outbox", where: "t.aggregate_kind = 'order'", columns: map[string]string{
		"aggregate_id": idText("aggregate_id"), "id": idOf("id"), "payload": orderIn("payload", "aggregate_id"),
	}},
	{
		name: "hc_idempotency", where: "t.result ->> 'id' IS NOT NULL",
		beside: customerPrefix("caller") + ", t.result ->> 'id' AS order_id", columns: map[string]string{
			"key": idText("key"), "caller": fmt.Sprintf(copyCustomer, "key"), "result": orderIn("result", "order_id") + "::json",
		},
	},
}

// copyFunctions make the id of a copy: like its original it is of version 7 and begins with a
// time, k minutes earlier, and goes on by chance, which is the same wherever the original is
// referred to.
const copyFunctions = `
CREATE FUNCTION pg_temp.copy_id(id uuid, k bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
	SELECT (lpad(to_hex(('x' || left(translate(id::text, '-', ''), 12))::bit(48)::bigint - k * 60000), 12, '0')
		|| overlay(overlay(left(md5(id::text || k), 20) PLACING '7' FROM 1) PLACING '8' FROM 5))::uuid
$$`

// multiply makes at least n orders out of those that were placed.
func (own *room) multiply(ctx context.Context, o *Options, c *pgx.Conn, placed, n int) error {
	if err := own.prepareCopies(ctx, c); err != nil {
		return err
	}
	texts := make([]string, len(multiplied))
	for i, t := range multiplied {
		var err error
		if texts[i], err = own.copyStatement(ctx, c, t); err != nil {
			return err
		}
	}
	const chunk = 20_000 // orders in a transaction
	copies, told := (n-1)/placed, 0
	for done := 0; done < copies; {
		more := min(max(1, chunk/placed), copies-done)
		if err := pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
			// Whoever may, leaves out the checks of references: they hold by construction.
			if _, err := tx.Exec(ctx, `SELECT set_config('synchronous_commit', 'off', true),
				CASE WHEN current_setting('is_superuser') = 'on' THEN set_config('session_replication_role', 'replica', true) END`); err != nil {
				return err
			}
			for _, text := range texts { // the oldest first
				if _, err := tx.Exec(ctx, text, copies-done-more+1, copies-done); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
		done += more
		if stored := (done + 1) * placed; stored-told >= 100_000 || done == copies {
			told = stored
			o.tell("stored %d of %d orders", stored, n)
		}
	}
	_, err := c.Exec(ctx, `UPDATE hc_stock_levels l SET reserved = r.sum FROM
		(SELECT tenant, item, location, sum(quantity) AS sum FROM hc_stock_reservations GROUP BY 1, 2, 3) r
		WHERE (l.tenant, l.item, l.location) = (r.tenant, r.item, r.location)`)
	return err
}

// prepareCopies has what was placed be published, and keeps it apart as the originals.
func (own *room) prepareCopies(ctx context.Context, c *pgx.Conn) error {
	if _, err := c.Exec(ctx, copyFunctions); err != nil {
		return err
	}
	if _, err := c.Exec(ctx, `UPDATE hc_outbox SET published_at = next_try_at`); err != nil {
		return err
	}
	for _, t := range multiplied {
		all := "t.*"
		if t.beside != "" {
			all += ", " + t.beside
		}
		if _, err := c.Exec(ctx, `CREATE TEMPORARY TABLE original_`+t.name+` AS SELECT `+all+` FROM `+t.name+` t WHERE `+t.where); err != nil {
			return err
		}
	}
	return nil
}

// copyStatement copies the originals of a table as their copies $1 to $2.
func (own *room) copyStatement(ctx context.Context, c *pgx.Conn, t copied) (string, error) {
	rows, err := c.Query(ctx, `SELECT column_name::text, data_type::text FROM information_schema.columns
		WHERE table_schema = $1 AND table_name = $2 AND is_generated = 'NEVER' ORDER BY ordinal_position`, own.schema, t.name)
	if err != nil {
		return "", err
	}
	var names, values []string
	var name, kind string
	if _, err := pgx.ForEachRow(rows, []any{&name, &kind}, func() error {
		value, changes := t.columns[name]
		switch {
		case changes:
		case strings.HasPrefix(kind, "timestamp"):
			value = `t.` + name + ` - k * interval '1 minute'`
		default:
			value = "t." + name
		}
		names, values = append(names, name), append(values, value)
		return nil
	}); err != nil {
		return "", err
	}
	for column := range t.columns {
		if !slices.Contains(names, column) {
			return "", fmt.Errorf("%w: table %s has no column %s", errCopies, t.name, column)
		}
	}
	return fmt.Sprintf(`INSERT INTO %s (%s) SELECT %s FROM generate_series($1::bigint, $2::bigint) AS s (k), original_%s t ORDER BY k DESC`,
		t.name, strings.Join(names, ", "), strings.Join(values, ", "), t.name), nil
}

var errCopies = hyperlocal.NewError(hyperlocal.CodeInternal, "bench/copies", "the bench does not know the tables of this version")

// sizes tells how large the tables are that a placement writes, and the rest that is not small.
func (own *room) sizes(ctx context.Context) (tables []Table, err error) {
	err = own.ask(ctx, func(c *pgx.Conn) error {
		rows, err := c.Query(ctx, `SELECT c.relname, c.reltuples::bigint, pg_table_size(c.oid), pg_indexes_size(c.oid) FROM pg_class c
			WHERE c.relnamespace = $1::regnamespace AND c.relkind = 'r' AND pg_total_relation_size(c.oid) > 1 << 20 ORDER BY c.relname`, own.schema)
		if err != nil {
			return err
		}
		if tables, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (t Table, err error) {
			return t, row.Scan(&t.Name, &t.Rows, &t.Bytes, &t.IndexBytes)
		}); err != nil {
			return err
		}
		for i := range tables {
			rows, err := c.Query(ctx, `SELECT c.relname, pg_relation_size(c.oid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
				WHERE i.indrelid = ($1 || '.' || $2)::regclass ORDER BY c.relname`, own.schema, tables[i].Name)
			if err != nil {
				return err
			}
			if tables[i].Indexes, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (x Index, err error) {
				return x, row.Scan(&x.Name, &x.Bytes)
			}); err != nil {
				return err
			}
		}
		return nil
	})
	return tables, err
}
