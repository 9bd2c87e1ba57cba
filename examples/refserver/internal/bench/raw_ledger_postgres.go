package bench

import (
	"context"

	"github.com/jackc/pgx/v5"
)

const rawLedgerTables = `
CREATE TABLE raw_accounts (id integer PRIMARY KEY, balance bigint NOT NULL DEFAULT 0, version bigint NOT NULL DEFAULT 0) WITH (fillfactor = 80);
CREATE TABLE raw_tx (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ref text NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE raw_entries (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tx_id bigint NOT NULL REFERENCES raw_tx (id), account integer NOT NULL, amount bigint NOT NULL);
CREATE INDEX ON raw_entries (account, id);
INSERT INTO raw_accounts (id) SELECT i FROM generate_series(0, 9999) AS i;
`

const (
	rawTransfer = `INSERT INTO raw_tx (ref) VALUES ($1) RETURNING id`
	rawEntry    = `INSERT INTO raw_entries (tx_id, account, amount) VALUES ($1, $2, $3)`
	rawBalance  = `UPDATE raw_accounts SET balance = balance + $1, version = version + 1 WHERE id = $2`

	rawTransfers = `INSERT INTO raw_tx (ref) SELECT unnest($1::text[]) RETURNING id`
	rawEntries   = `INSERT INTO raw_entries (tx_id, account, amount) SELECT * FROM unnest($1::bigint[], $2::integer[], $3::bigint[])`
	rawBalances  = `UPDATE raw_accounts SET balance = balance + v.m, version = version + 1
		FROM (SELECT a, sum(m)::bigint AS m FROM unnest($1::integer[], $2::bigint[]) AS u (a, m) GROUP BY a) AS v WHERE raw_accounts.id = v.a`
	rawAccounts = `SELECT id FROM raw_accounts WHERE id = ANY ($1::integer[]) ORDER BY id FOR UPDATE`
)

// rawTransferOne is one transfer per transaction, seven round trips.
func rawTransferOne(conns []*pgx.Conn, items int) call {
	return func(ctx context.Context, client int, pick func(int) int) error {
		from, to := pair(pick, items)
		tx, err := conns[client].Begin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback(ctx) }() // does nothing after the commit
		var id int64
		if err := tx.QueryRow(ctx, rawTransfer, "ref").Scan(&id); err != nil {
			return err
		}
		for _, step := range []struct {
			text string
			args []any
		}{
			{rawEntry, []any{id, from, -10}}, {rawEntry, []any{id, to, 10}}, {rawBalance, []any{-10, from}}, {rawBalance, []any{10, to}},
		} {
			if _, err := tx.Exec(ctx, step.text, step.args...); err != nil {
				return err
			}
		}
		return tx.Commit(ctx)
	}
}

// rawTransferMany is n transfers per transaction, six round trips: begin, accounts in order,
// transfers, entries, balances, commit.
func rawTransferMany(conns []*pgx.Conn, items, n int) call {
	return func(ctx context.Context, client int, pick func(int) int) error {
		refs, accounts, amounts := make([]string, n), make([]int32, 2*n), make([]int64, 2*n)
		for i := range n {
			from, to := pair(pick, items)
			refs[i] = "ref"
			accounts[2*i], accounts[2*i+1] = int32(from), int32(to) //nolint:gosec // below Items
			amounts[2*i], amounts[2*i+1] = -10, 10
		}
		tx, err := conns[client].Begin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback(ctx) }() // does nothing after the commit
		if _, err := tx.Exec(ctx, rawAccounts, accounts); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, rawTransfers, refs)
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return err
		}
		of := make([]int64, 0, 2*n)
		for _, id := range ids {
			of = append(of, id, id)
		}
		if _, err := tx.Exec(ctx, rawEntries, of, accounts, amounts); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, rawBalances, accounts, amounts); err != nil {
			return err
		}
		return tx.Commit(ctx)
	}
}
