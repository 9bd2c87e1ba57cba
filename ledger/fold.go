package ledger

import (
	"context"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// MaxFold bounds how many rows one Fold moves.
const MaxFold = 10_000

// Fold moves at most limit rows from the tails of unbounded accounts, of all tenants, into
// their snapshots, in one transaction, and returns how many it moved. It changes no balance;
// it makes reading them cheaper. A worker calls it now and then, and again while it returns
// limit. Several may run at once. A posting that is not committed yet is left for the next
// time.
//
// Errors: code invalid for a limit outside 1 to MaxFold; ErrOverflow if a balance does not
// fit into 64 bits, which leaves all tails as they are.
func (s *Service) Fold(ctx context.Context, limit int) (int, error) {
	if limit < 1 || limit > MaxFold {
		return 0, hyperlocal.Invalid("ledger", "limit", "fold 1 to 10000 rows at once")
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
