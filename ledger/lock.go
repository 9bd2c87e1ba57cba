package ledger

import (
	"context"
	"slices"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// LockAccounts locks those of the accounts that are bounded, in the transaction of ctx, which
// must be one. A caller that goes on to lock rows of a higher rank (point lots, vouchers)
// calls it first with every account that it may post to; posting to them later in the same
// transaction takes no further lock. Accounts that no rule covers are ignored. One statement,
// whatever the number of accounts; none if they are locked already.
//
// Errors: code invalid for a bad tenant or path, code internal outside a transaction.
func (s *Service) LockAccounts(ctx context.Context, accounts ...hyperlocal.AccountRef) error {
	var keys []Key
	for _, a := range accounts {
		if err := a.Tenant.Validate(); err != nil {
			return err
		}
		if err := checkPath(a.Account); err != nil {
			return err
		}
		for _, asset := range s.bounded.assets(a.Account) {
			keys = append(keys, Key{Tenant: a.Tenant, Account: Account{Path: a.Account, Asset: asset}})
		}
	}
	if len(keys) == 0 {
		return nil
	}
	slices.SortFunc(keys, Key.Compare)
	_, err := s.store.LockBalances(ctx, slices.Compact(keys))
	return err
}
