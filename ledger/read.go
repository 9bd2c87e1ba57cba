package ledger

import (
	"context"
	"slices"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// MaxRead bounds how many accounts or references one read names, and what Unbalanced returns.
const MaxRead = 1000

// Balance returns debits minus credits of an account, so a credit balance is negative; 0 for
// an account that nobody has posted to. It is exact, whatever has been folded. Errors: code
// invalid, ErrOverflow.
func (s *Service) Balance(ctx context.Context, tenant hyperlocal.TenantID, account Account) (int64, error) {
	all, err := s.Balances(ctx, tenant, account)
	if err != nil {
		return 0, err
	}
	return all[0], nil
}

// Balances is Balance for many accounts, in the order given, all read in one statement.
func (s *Service) Balances(ctx context.Context, tenant hyperlocal.TenantID, accounts ...Account) ([]int64, error) {
	if err := checkAccounts(tenant, accounts); err != nil || len(accounts) == 0 {
		return nil, err
	}
	return s.store.Balances(ctx, tenant, accounts)
}

// BalancesAsOf adds up the entries that had happened, and were known, at a point on the two
// time axes, in the order of accounts. It reads every entry of the accounts up to there:
// right for statements and audits, wrong for a hot path. With a zero AsOf it recomputes the
// present balances from the entries themselves. Errors: code invalid, ErrOverflow.
func (s *Service) BalancesAsOf(ctx context.Context, tenant hyperlocal.TenantID, at AsOf, accounts ...Account) ([]int64, error) {
	if err := checkAccounts(tenant, accounts); err != nil || len(accounts) == 0 {
		return nil, err
	}
	if err := checkTimes("as_of", at.Effective, at.Recorded); err != nil {
		return nil, err
	}
	at.Effective, at.Recorded = hyperlocal.Instant(at.Effective), hyperlocal.Instant(at.Recorded)
	return s.store.Sums(ctx, tenant, accounts, at)
}

// Transaction returns the posting with this reference. Errors: code invalid, ErrNotFound.
func (s *Service) Transaction(ctx context.Context, tenant hyperlocal.TenantID, reference string) (Transaction, error) {
	found, err := s.Transactions(ctx, tenant, reference)
	if err != nil {
		return Transaction{}, err
	}
	if len(found) == 0 {
		return Transaction{}, ErrNotFound.With("reference", reference)
	}
	return found[0], nil
}

// Transactions returns the postings with these references, in the order given; a reference
// that does not exist is left out, one that is given twice is returned once.
func (s *Service) Transactions(ctx context.Context, tenant hyperlocal.TenantID, references ...string) ([]Transaction, error) {
	if err := tenant.Validate(); err != nil {
		return nil, err
	}
	if len(references) > MaxRead {
		return nil, hyperlocal.Invalid("ledger", "references", "at most 1000 postings are read at once")
	}
	for _, r := range references {
		if err := hyperlocal.CheckText("ledger", "reference", r, MaxReference); err != nil {
			return nil, err
		}
	}
	if len(references) == 0 {
		return nil, nil
	}
	found, err := s.store.Transactions(ctx, tenant, references...)
	if err != nil {
		return nil, err
	}
	place := make(map[string]int, len(references))
	for i, r := range slices.Backward(references) {
		place[r] = i
	}
	slices.SortFunc(found, func(a, b Transaction) int { return place[a.Reference] - place[b.Reference] })
	return found, nil
}

// Journal lists postings with their entries, newest first by (Effective, ID). Errors: code
// invalid, hyperlocal.ErrCursor.
func (s *Service) Journal(ctx context.Context, tenant hyperlocal.TenantID, f Filter, p hyperlocal.PageRequest) (hyperlocal.Page[Transaction], error) {
	var none hyperlocal.Page[Transaction]
	if err := tenant.Validate(); err != nil {
		return none, err
	}
	if f.Account == "" && f.Asset != "" {
		return none, hyperlocal.Invalid("ledger", "asset", "an asset selects entries of an account; name the account too")
	}
	if f.Account != "" {
		a := Account{Path: f.Account, Asset: f.Asset}
		if a.Asset == "" {
			a.Asset = "ANY"
		}
		if err := a.Validate(); err != nil {
			return none, err
		}
	}
	if err := f.Subject.Validate(); err != nil {
		return none, err
	}
	if err := checkTimes("effective", f.EffectiveFrom, f.EffectiveTo); err != nil {
		return none, err
	}
	f.EffectiveFrom, f.EffectiveTo = hyperlocal.Instant(f.EffectiveFrom), hyperlocal.Instant(f.EffectiveTo)
	return s.store.Journal(ctx, tenant, f, p)
}

// Accounts lists the accounts whose path begins with prefix, "" for all, with their balances,
// by (path, asset). Accounts appear with their first posting, bounded ones with the first
// attempt at one. Errors: code invalid, hyperlocal.ErrCursor.
func (s *Service) Accounts(ctx context.Context, tenant hyperlocal.TenantID, prefix string, p hyperlocal.PageRequest) (hyperlocal.Page[Balance], error) {
	if err := tenant.Validate(); err != nil {
		return hyperlocal.Page[Balance]{}, err
	}
	if err := hyperlocal.CheckText("ledger", "prefix", prefix, MaxAccount); err != nil {
		return hyperlocal.Page[Balance]{}, err
	}
	return s.store.Accounts(ctx, tenant, prefix, p)
}

// TrialBalance adds the balances of all accounts up, one line per asset, sorted by asset.
// Debits and credits of each line are equal as long as nobody writes past this package.
// Errors: code invalid, ErrOverflow.
func (s *Service) TrialBalance(ctx context.Context, tenant hyperlocal.TenantID) ([]Total, error) {
	if err := tenant.Validate(); err != nil {
		return nil, err
	}
	return s.store.Totals(ctx, tenant)
}

// Unbalanced returns references of postings whose entries do not sum to zero for each asset,
// at most limit (1 to 1000). It reads every entry of the tenant; for audits.
func (s *Service) Unbalanced(ctx context.Context, tenant hyperlocal.TenantID, limit int) ([]string, error) {
	if err := tenant.Validate(); err != nil {
		return nil, err
	}
	if limit < 1 || limit > MaxRead {
		return nil, hyperlocal.Invalid("ledger", "limit", "ask for 1 to 1000 references")
	}
	return s.store.Unbalanced(ctx, tenant, limit)
}

func checkAccounts(tenant hyperlocal.TenantID, accounts []Account) error {
	if err := tenant.Validate(); err != nil {
		return err
	}
	if len(accounts) > MaxRead {
		return hyperlocal.Invalid("ledger", "accounts", "at most 1000 accounts are read at once")
	}
	for _, a := range accounts {
		if err := a.Validate(); err != nil {
			return err
		}
	}
	return nil
}
