package bench

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// rawSelect reads one row by its key, on a connection per client.
func rawSelect(conns []*pgx.Conn, items int) call {
	return func(ctx context.Context, client int, pick func(int) int) error {
		var onHand int64
		return conns[client].QueryRow(ctx, `SELECT on_hand FROM raw_stock WHERE item = $1`, pick(items)).Scan(&onHand)
	}
}
