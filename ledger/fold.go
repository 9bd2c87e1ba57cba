package ledger

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// MaxFold bounds how many rows one Fold moves.
const MaxFold = 10_000

// defaultDue is how many rows Fold moves at a time unless told otherwise.
const defaultDue = 100

// Fold moves at most limit rows (0 means 100) from the tails of unbounded accounts, of all tenants, into
// their snapshots, in one transaction, and returns how many it moved. It changes no balance;
// it makes reading them cheaper. A worker calls it now and then, and again while it returns
// limit. Several may run at once. A posting that is not committed yet is left for the next
// time.
//
// Errors: code invalid for a limit outside 0 to MaxFold; ErrOverflow if a balance does not
// fit into 64 bits, which leaves all tails as they are.
func (s *Service) Fold(ctx context.Context, limit int) (int, error) {
	if limit < 0 || limit > MaxFold {
		return 0, hyperlocal.Invalid("ledger", "limit", "fold at most 10000 rows at once")
	}
	if limit == 0 {
		limit = defaultDue
	}
	var n int
	err := s.tx.WithinTx(ctx, func(ctx context.Context) error {
		var err error
		n, err = s.store.Fold(ctx, limit)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
