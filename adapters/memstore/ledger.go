package memstore

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
)

// Ledger keeps the journal. It implements [ledger.Store].
type Ledger struct {
	db *DB
	t  *ledgerTables
}

type ledgerTables struct {
	transactions *table[ledger.Reference, ledger.Transaction]
	snapshots    *table[ledger.Key, int64]
	tails        *table[ledger.Key, ledgerTail]

	// holder is the transaction that holds the bounded accounts in held.
	holder *tx
	held   map[ledger.Key]bool
}

// ledgerTail is what has been posted to an account since its last fold.
type ledgerTail struct {
	rows []int64 // only ever appended to, so that taking a change back is dropping the longer slice
	sum  ledgerSum
}

// ledgerSum is a sum of amounts that may leave 64 bits on its way.
type ledgerSum struct {
	high int64
	low  uint64
}

func (s ledgerSum) add(amount int64) ledgerSum {
	low := s.low + uint64(amount) //nolint:gosec // two's complement; the carry goes to high
	high := s.high
	if low < s.low {
		high++
	}
	if amount < 0 {
		high--
	}
	return ledgerSum{high: high, low: low}
}

func (s ledgerSum) value() (int64, error) {
	v := int64(s.low) //nolint:gosec // checked against high below
	if s.high == 0 && v >= 0 || s.high == -1 && v < 0 {
		return v, nil
	}
	return 0, ledger.ErrOverflow
}

func newLedgerTables() *ledgerTables {
	return &ledgerTables{
		transactions: newTable[ledger.Reference, ledger.Transaction](),
		snapshots:    newTable[ledger.Key, int64](),
		tails:        newTable[ledger.Key, ledgerTail](),
	}
}

// Ledger returns the store of the ledger context.
func (db *DB) Ledger() *Ledger { return &Ledger{db: db, t: part(db, newLedgerTables)} }

var (
	_ ledger.Store      = (*Ledger)(nil)
	_ hyperlocal.Scoped = (*Ledger)(nil)
)

// TxScope implements [hyperlocal.Scoped].
func (s *Ledger) TxScope() hyperlocal.Scope { return s.db }

// LockBalances implements [ledger.Store].
func (s *Ledger) LockBalances(ctx context.Context, keys []ledger.Key) ([]int64, error) {
	t, err := s.db.must(ctx)
	if err != nil {
		return nil, err
	}
	if s.t.holder != t {
		s.t.holder, s.t.held = t, make(map[ledger.Key]bool)
	}
	if slices.ContainsFunc(keys, func(k ledger.Key) bool { return !s.t.held[k] }) {
		if err := t.lock(hyperlocal.RankAccount); err != nil {
			return nil, err
		}
	}
	balances := make([]int64, len(keys))
	for i, k := range keys {
		s.t.held[k] = true
		if _, ok := s.t.snapshots.get(k); !ok {
			s.t.snapshots.put(t, k, 0)
		}
		if balances[i], err = s.t.balance(k); err != nil {
			return nil, err
		}
	}
	return balances, nil
}

// Recorded implements [ledger.Store].
func (s *Ledger) Recorded(ctx context.Context, refs []ledger.Reference) ([]ledger.Recorded, error) {
	var out []ledger.Recorded
	err := s.db.read(ctx, func() error {
		for _, r := range refs {
			if t, ok := s.t.transactions.get(r); ok {
				out = append(out, ledger.Recorded{Reference: r, Transaction: t.ID, Fingerprint: bytes.Clone(t.Fingerprint)})
			}
		}
		return nil
	})
	return out, err
}

// Insert implements [ledger.Store].
func (s *Ledger) Insert(ctx context.Context, transactions []ledger.Transaction, changes []ledger.Change) error {
	t, err := s.db.must(ctx)
	if err != nil {
		return err
	}
	for _, x := range transactions {
		k := ledger.Reference{Tenant: x.Tenant, Reference: x.Reference}
		if _, ok := s.t.transactions.get(k); ok {
			return hyperlocal.ErrTxRetry
		}
		s.t.transactions.put(t, k, cloneTransaction(x))
	}
	for _, c := range changes {
		if c.Bounded {
			old, _ := s.t.snapshots.get(c.Key)
			s.t.snapshots.put(t, c.Key, old+c.Amount)
			continue
		}
		tail, _ := s.t.tails.get(c.Key)
		tail.rows, tail.sum = append(tail.rows, c.Amount), tail.sum.add(c.Amount)
		s.t.tails.put(t, c.Key, tail)
	}
	return nil
}

// Fold implements [ledger.Store].
func (s *Ledger) Fold(ctx context.Context, limit int) (int, error) {
	folded := 0
	err := s.db.write(ctx, func(t *tx) error {
		folded = 0
		for _, k := range s.t.keys(func(ledger.Key) bool { return true }) {
			tail, ok := s.t.tails.get(k)
			if !ok {
				continue
			}
			if folded == limit {
				return nil
			}
			n := min(len(tail.rows), limit-folded)
			old, _ := s.t.snapshots.get(k)
			moved, rest := ledgerSum{}.add(old), tail.sum
			for _, amount := range tail.rows[:n] {
				moved, rest = moved.add(amount), rest.add(-amount)
			}
			snapshot, err := moved.value()
			if err != nil {
				return err
			}
			s.t.snapshots.put(t, k, snapshot)
			if n == len(tail.rows) {
				s.t.tails.del(t, k)
			} else {
				s.t.tails.put(t, k, ledgerTail{rows: tail.rows[n:], sum: rest})
			}
			folded += n
		}
		return nil
	})
	return folded, err
}

// Balances implements [ledger.Reader].
func (s *Ledger) Balances(ctx context.Context, tenant hyperlocal.TenantID, accounts []ledger.Account) ([]int64, error) {
	out := make([]int64, len(accounts))
	err := s.db.read(ctx, func() error {
		for i, a := range accounts {
			var err error
			if out[i], err = s.t.balance(ledger.Key{Tenant: tenant, Account: a}); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// Sums implements [ledger.Reader].
func (s *Ledger) Sums(ctx context.Context, tenant hyperlocal.TenantID, accounts []ledger.Account, at ledger.AsOf) ([]int64, error) {
	out := make([]int64, len(accounts))
	err := s.db.read(ctx, func() error {
		sums := make(map[ledger.Account]ledgerSum, len(accounts))
		for r, t := range s.t.transactions.all() {
			if r.Tenant != tenant || !at.Effective.IsZero() && t.Effective.After(at.Effective) ||
				!at.Recorded.IsZero() && t.Recorded.After(at.Recorded) {
				continue
			}
			for _, e := range t.Entries {
				a := ledger.Account{Path: e.Account, Asset: e.Asset}
				sums[a] = sums[a].add(e.Amount)
			}
		}
		for i, a := range accounts {
			var err error
			if out[i], err = sums[a].value(); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// Transactions implements [ledger.Reader].
func (s *Ledger) Transactions(ctx context.Context, tenant hyperlocal.TenantID, references ...string) ([]ledger.Transaction, error) {
	var out []ledger.Transaction
	err := s.db.read(ctx, func() error {
		for _, r := range slices.Compact(slices.Sorted(slices.Values(references))) {
			if t, ok := s.t.transactions.get(ledger.Reference{Tenant: tenant, Reference: r}); ok {
				out = append(out, cloneTransaction(t))
			}
		}
		return nil
	})
	return out, err
}

// Journal implements [ledger.Reader].
func (s *Ledger) Journal(ctx context.Context, tenant hyperlocal.TenantID, f ledger.Filter, p hyperlocal.PageRequest) (hyperlocal.Page[ledger.Transaction], error) {
	var page hyperlocal.Page[ledger.Transaction]
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	filter := []any{"ledger/journal", tenant, f}
	key, err := hyperlocal.DecodeCursor(filter, p.Cursor, 2)
	if err != nil {
		return page, err
	}
	var after ledger.Transaction // the last of the page before
	if key != nil {
		micros, err := strconv.ParseInt(key[0], 10, 64)
		if err != nil {
			return page, hyperlocal.ErrCursor.WithCause(err)
		}
		after.Effective, after.ID = time.UnixMicro(micros).UTC(), key[1]
	}
	var found []ledger.Transaction
	err = s.db.read(ctx, func() error {
		for r, t := range s.t.transactions.all() {
			if r.Tenant == tenant && selects(f, t) && (key == nil || newestFirst(t, after) > 0) {
				found = append(found, t)
			}
		}
		return nil
	})
	if err != nil {
		return page, err
	}
	slices.SortFunc(found, newestFirst)
	for i, t := range found {
		if i == size {
			last := page.Items[size-1]
			page.Next, err = hyperlocal.EncodeCursor(filter, strconv.FormatInt(last.Effective.UnixMicro(), 10), last.ID)
			return page, err
		}
		page.Items = append(page.Items, cloneTransaction(t))
	}
	return page, nil
}

func newestFirst(a, b ledger.Transaction) int {
	return cmp.Or(b.Effective.Compare(a.Effective), cmp.Compare(b.ID, a.ID))
}

func selects(f ledger.Filter, t ledger.Transaction) bool {
	switch {
	case !f.Subject.IsZero() && t.Subject != f.Subject:
		return false
	case !f.EffectiveFrom.IsZero() && t.Effective.Before(f.EffectiveFrom):
		return false
	case !f.EffectiveTo.IsZero() && !t.Effective.Before(f.EffectiveTo):
		return false
	}
	return f.Account == "" || slices.ContainsFunc(t.Entries, func(e hyperlocal.Entry) bool {
		return e.Account == f.Account && (f.Asset == "" || e.Asset == f.Asset)
	})
}

// Accounts implements [ledger.Reader].
func (s *Ledger) Accounts(ctx context.Context, tenant hyperlocal.TenantID, prefix string, p hyperlocal.PageRequest) (hyperlocal.Page[ledger.Balance], error) {
	var page hyperlocal.Page[ledger.Balance]
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	filter := []any{"ledger/accounts", tenant, prefix}
	after, err := hyperlocal.DecodeCursor(filter, p.Cursor, 2)
	if err != nil {
		return page, err
	}
	from := ledger.Key{Tenant: tenant}
	if after != nil {
		from.Account = ledger.Account{Path: after[0], Asset: after[1]}
	}
	err = s.db.read(ctx, func() error {
		keys := s.t.keys(func(k ledger.Key) bool {
			return k.Tenant == tenant && strings.HasPrefix(k.Account.Path, prefix) && k.Compare(from) > 0
		})
		for i, k := range keys {
			if i == size {
				last := page.Items[size-1].Account
				page.Next, err = hyperlocal.EncodeCursor(filter, last.Path, last.Asset)
				return err
			}
			balance, err := s.t.balance(k)
			if err != nil {
				return err
			}
			page.Items = append(page.Items, ledger.Balance{Account: k.Account, Amount: balance})
		}
		return nil
	})
	return page, err
}

// Totals implements [ledger.Reader].
func (s *Ledger) Totals(ctx context.Context, tenant hyperlocal.TenantID) ([]ledger.Total, error) {
	var out []ledger.Total
	err := s.db.read(ctx, func() error {
		for _, k := range s.t.keys(func(k ledger.Key) bool { return k.Tenant == tenant }) {
			balance, err := s.t.balance(k)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(out, func(t ledger.Total) bool { return t.Asset == k.Account.Asset })
			if i < 0 {
				i, out = len(out), append(out, ledger.Total{Asset: k.Account.Asset})
			}
			side := &out[i].Debits
			if balance < 0 {
				side, balance = &out[i].Credits, -balance
			}
			if *side > math.MaxInt64-balance {
				return ledger.ErrOverflow.With("asset", k.Account.Asset)
			}
			*side += balance
		}
		return nil
	})
	slices.SortFunc(out, func(a, b ledger.Total) int { return cmp.Compare(a.Asset, b.Asset) })
	return out, err
}

// Unbalanced implements [ledger.Reader].
func (s *Ledger) Unbalanced(ctx context.Context, tenant hyperlocal.TenantID, limit int) ([]string, error) {
	var out []string
	err := s.db.read(ctx, func() error {
		for r, t := range s.t.transactions.all() {
			if r.Tenant != tenant {
				continue
			}
			sums := make(map[string]ledgerSum, 1)
			for _, e := range t.Entries {
				sums[e.Asset] = sums[e.Asset].add(e.Amount)
			}
			for _, sum := range sums {
				if sum != (ledgerSum{}) {
					out = append(out, r.Reference)
					break
				}
			}
		}
		return nil
	})
	slices.Sort(out)
	return out[:min(limit, len(out))], err
}

func (t *ledgerTables) balance(k ledger.Key) (int64, error) {
	snapshot, _ := t.snapshots.get(k)
	tail, _ := t.tails.get(k)
	v, err := tail.sum.add(snapshot).value()
	if err != nil {
		return 0, ledger.ErrOverflow.With("account", k.Account.Path)
	}
	return v, nil
}

// keys returns the accounts that exist and are wanted, sorted.
func (t *ledgerTables) keys(wanted func(ledger.Key) bool) []ledger.Key {
	var keys []ledger.Key
	for k := range t.snapshots.all() {
		if wanted(k) {
			keys = append(keys, k)
		}
	}
	for k := range t.tails.all() {
		if _, ok := t.snapshots.get(k); !ok && wanted(k) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, ledger.Key.Compare)
	return keys
}

func cloneTransaction(t ledger.Transaction) ledger.Transaction {
	t.Entries, t.Fingerprint = slices.Clone(t.Entries), bytes.Clone(t.Fingerprint)
	return t
}
