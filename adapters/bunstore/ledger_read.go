package bunstore

import (
	"context"
	"strconv"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
)

// Snapshot and tail come from one statement, so a fold between the two cannot be seen. They
// are added up by sum, which refuses a result that does not fit, on both databases.
const readBalances = `SELECT k.n, CAST(COALESCE((SELECT sum(v.amount) FROM (
  SELECT b.balance AS amount FROM hc_ledger_balances AS b
  WHERE b.tenant = k.tenant AND b.account = k.account AND b.asset = k.asset
  UNION ALL
  SELECT t.amount FROM hc_ledger_tail AS t
  WHERE t.tenant = k.tenant AND t.account = k.account AND t.asset = k.asset
 ) AS v), 0) AS bigint) FROM {k} k`

// Balances implements [ledger.Reader].
func (l *Ledger) Balances(ctx context.Context, tenant hyperlocal.TenantID, accounts []ledger.Account) ([]int64, error) {
	return l.balances(ctx, keysOf(tenant, accounts))
}

func keysOf(tenant hyperlocal.TenantID, accounts []ledger.Account) []ledger.Key {
	return each1(accounts, func(a *ledger.Account) ledger.Key { return ledger.Key{Tenant: tenant, Account: *a} })
}

func (l *Ledger) balances(ctx context.Context, keys []ledger.Key) ([]int64, error) {
	return l.amounts(ctx, readBalances, ledgerKeys(keys), nil)
}

// amounts reads rows of place and amount.
func (l *Ledger) amounts(ctx context.Context, text string, r *rel, args []any) ([]int64, error) {
	out := make([]int64, r.n)
	err := l.s.query(ctx, text, r, args, func(rows row) error {
		var n, amount int64
		err := rows.Scan(&n, &amount)
		out[n] = amount
		return err
	})
	if err != nil {
		return nil, overflow(err)
	}
	return out, nil
}

// Sums implements [ledger.Reader].
func (l *Ledger) Sums(ctx context.Context, tenant hyperlocal.TenantID, accounts []ledger.Account, at ledger.AsOf) ([]int64, error) {
	var c conditions
	c.text = `SELECT k.n, CAST(COALESCE(sum(e.amount), 0) AS bigint) FROM {k} k LEFT JOIN hc_ledger_entries AS e
 ON e.tenant = k.tenant AND e.account = k.account AND e.asset = k.asset`
	if !at.Effective.IsZero() {
		c.add(` AND e.effective_at <= %s`, l.s.at(at.Effective))
	}
	if !at.Recorded.IsZero() {
		c.add(` AND e.recorded_at <= %s`, l.s.at(at.Recorded))
	}
	c.text += ` GROUP BY k.n`
	return l.amounts(ctx, c.text, ledgerKeys(keysOf(tenant, accounts)), c.args)
}

const transactionHead = `t.tenant, t.effective_at, t.id, t.reference, t.kind, t.subject_kind, t.subject_id, t.reverses,
 t.actor_kind, t.actor_id, t.recorded_at, t.fingerprint`

func scanTransaction(rows row, to *[]ledger.Transaction) error {
	var t ledger.Transaction
	err := rows.Scan(&t.Tenant, instant{&t.Effective}, &t.ID, &t.Reference, &t.Kind, &t.Subject.Kind, &t.Subject.ID,
		nullText[string]{&t.Reverses}, &t.Actor.Kind, &t.Actor.ID, instant{&t.Recorded}, &t.Fingerprint)
	*to = append(*to, t)
	return err
}

const transactionsByReference = `SELECT ` + transactionHead + ` FROM {k} k
 JOIN hc_ledger_transactions AS t ON t.tenant = k.tenant AND t.reference = k.reference`

// Transactions implements [ledger.Reader].
func (l *Ledger) Transactions(ctx context.Context, tenant hyperlocal.TenantID, references ...string) ([]ledger.Transaction, error) {
	seen := make(map[string]bool, len(references))
	var once []string
	for _, r := range references {
		if !seen[r] {
			seen[r] = true
			once = append(once, r)
		}
	}
	r := newRel(len(once)).
		text("tenant", each1(once, func(*string) string { return string(tenant) })).
		text("reference", once)
	var found []ledger.Transaction
	err := l.s.query(ctx, transactionsByReference, r, nil, func(rows row) error { return scanTransaction(rows, &found) })
	if err != nil {
		return nil, err
	}
	return found, l.fill(ctx, found)
}

const entriesOfTransactions = `SELECT k.n, e.account, e.asset, e.amount FROM {k} k JOIN hc_ledger_entries AS e
 ON e.tenant = k.tenant AND e.effective_at = k.effective_at AND e.transaction_id = k.id ORDER BY k.n, e.n`

// fill reads the entries of transactions.
func (l *Ledger) fill(ctx context.Context, found []ledger.Transaction) error {
	n := make([]int64, len(found))
	for i := range n {
		n[i] = int64(i)
	}
	r := newRel(len(found)).
		text("tenant", each1(found, func(t *ledger.Transaction) string { return string(t.Tenant) })).
		at("effective_at", each1(found, func(t *ledger.Transaction) time.Time { return t.Effective })).
		uuid("id", each1(found, func(t *ledger.Transaction) string { return t.ID })).
		int("n", n)
	return l.s.query(ctx, entriesOfTransactions, r, nil, func(rows row) error {
		var i int
		var e hyperlocal.Entry
		if err := rows.Scan(&i, &e.Account, &e.Asset, &e.Amount); err != nil {
			return err
		}
		found[i].Entries = append(found[i].Entries, e)
		return nil
	})
}

// Journal implements [ledger.Reader]. With an account, a page of keys is read off its index
// first; a subject has few postings, so those are looked through.
func (l *Ledger) Journal(ctx context.Context, tenant hyperlocal.TenantID, f ledger.Filter, p hyperlocal.PageRequest) (hyperlocal.Page[ledger.Transaction], error) {
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
	c, err := l.journal(tenant, f, key, size+1)
	if err != nil {
		return page, err
	}
	err = l.s.query(ctx, c.text, nil, c.args, func(rows row) error { return scanTransaction(rows, &page.Items) })
	if err != nil {
		return hyperlocal.Page[ledger.Transaction]{}, err
	}
	if len(page.Items) > size {
		page.Items = page.Items[:size]
		last := page.Items[size-1]
		page.Next, err = hyperlocal.EncodeCursor(filter, strconv.FormatInt(micros(last.Effective), 10), last.ID)
		if err != nil {
			return hyperlocal.Page[ledger.Transaction]{}, err
		}
	}
	if err := l.fill(ctx, page.Items); err != nil {
		return hyperlocal.Page[ledger.Transaction]{}, err
	}
	return page, nil
}

// journal writes the query for a page of the journal.
func (l *Ledger) journal(tenant hyperlocal.TenantID, f ledger.Filter, key []string, limit int) (*conditions, error) {
	var c conditions
	byAccount := f.Account != "" && f.Subject.IsZero()
	name := "t"
	if byAccount {
		name = "e"
		c.text = `SELECT ` + transactionHead + ` FROM (SELECT DISTINCT e.tenant, e.effective_at, e.transaction_id AS id
 FROM hc_ledger_entries AS e`
	} else {
		c.text = `SELECT ` + transactionHead + ` FROM hc_ledger_transactions AS t`
	}
	c.add(` WHERE `+name+`.tenant = %s`, string(tenant))
	if byAccount {
		c.add(` AND e.account = %s`, f.Account)
		if f.Asset != "" {
			c.add(` AND e.asset = %s`, f.Asset)
		}
	}
	if !f.EffectiveFrom.IsZero() {
		c.add(` AND `+name+`.effective_at >= %s`, l.s.at(f.EffectiveFrom))
	}
	if !f.EffectiveTo.IsZero() {
		c.add(` AND `+name+`.effective_at < %s`, l.s.at(f.EffectiveTo))
	}
	id := name + ".id"
	if byAccount {
		id = "e.transaction_id"
	}
	if key != nil {
		us, err := strconv.ParseInt(key[0], 10, 64)
		if err != nil || !hyperlocal.ValidID(key[1]) {
			return nil, hyperlocal.ErrCursor
		}
		c.add(` AND (`+name+`.effective_at, `+id+`) < (%s, %s{pg ::uuid})`, l.s.at(time.UnixMicro(us)), key[1])
	}
	if !f.Subject.IsZero() {
		c.add(` AND t.subject_kind = %s AND t.subject_id = %s`, f.Subject.Kind, f.Subject.ID)
		c.text += ` AND t.subject_kind <> ''` // of the index, which leaves out what has no subject
		if f.Account != "" {
			c.add(` AND EXISTS (SELECT 1 FROM hc_ledger_entries AS e WHERE e.tenant = t.tenant
 AND e.effective_at = t.effective_at AND e.transaction_id = t.id AND e.account = %s`, f.Account)
			if f.Asset != "" {
				c.add(` AND e.asset = %s`, f.Asset)
			}
			c.text += `)`
		}
	}
	c.add(` ORDER BY `+name+`.effective_at DESC, `+id+` DESC LIMIT %s`, limit)
	if byAccount {
		c.text += `) AS x JOIN hc_ledger_transactions AS t
 ON t.tenant = x.tenant AND t.effective_at = x.effective_at AND t.id = x.id
 ORDER BY t.effective_at DESC, t.id DESC`
	}
	return &c, nil
}

// Accounts implements [ledger.Reader]: a page of names, each found in a snapshot, a tail or
// both, and their balances.
func (l *Ledger) Accounts(ctx context.Context, tenant hyperlocal.TenantID, prefix string, p hyperlocal.PageRequest) (hyperlocal.Page[ledger.Balance], error) {
	var page hyperlocal.Page[ledger.Balance]
	size, err := p.Size()
	if err != nil {
		return page, err
	}
	filter := []any{"ledger/accounts", tenant, prefix}
	key, err := hyperlocal.DecodeCursor(filter, p.Cursor, 2)
	if err != nil {
		return page, err
	}
	if key == nil {
		key = []string{"", ""}
	}
	// No account continues behind the last code point there is, so that is where the prefix ends.
	args := []any{string(tenant), key[0], key[1], prefix, prefix + "\U0010FFFF", size + 1}
	var found []ledger.Account
	err = l.s.query(ctx, accountNames, nil, args, func(rows row) error {
		var a ledger.Account
		err := rows.Scan(&a.Path, &a.Asset)
		found = append(found, a)
		return err
	})
	if err != nil {
		return page, err
	}
	if len(found) > size {
		found = found[:size]
		last := found[size-1]
		if page.Next, err = hyperlocal.EncodeCursor(filter, last.Path, last.Asset); err != nil {
			return page, err
		}
	}
	balances, err := l.Balances(ctx, tenant, found)
	if err != nil {
		return hyperlocal.Page[ledger.Balance]{}, err
	}
	for i, a := range found {
		page.Items = append(page.Items, ledger.Balance{Account: a, Amount: balances[i]})
	}
	return page, nil
}

const accountNames = `SELECT account, asset FROM (SELECT account, asset FROM hc_ledger_balances
  WHERE tenant = $1 AND (account, asset) > ($2, $3) AND account >= $4 AND account < $5
  ORDER BY account, asset LIMIT $6) AS b
 UNION
 SELECT account, asset FROM (SELECT DISTINCT account, asset FROM hc_ledger_tail
  WHERE tenant = $1 AND (account, asset) > ($2, $3) AND account >= $4 AND account < $5
  ORDER BY account, asset LIMIT $6) AS t
 ORDER BY 1, 2 LIMIT $6`

// Totals implements [ledger.Reader].
func (l *Ledger) Totals(ctx context.Context, tenant hyperlocal.TenantID) ([]ledger.Total, error) {
	var out []ledger.Total
	err := l.s.query(ctx, ledgerTotals, nil, []any{string(tenant)}, func(rows row) error {
		var t ledger.Total
		err := rows.Scan(&t.Asset, &t.Debits, &t.Credits)
		out = append(out, t)
		return err
	})
	if err != nil {
		return nil, overflow(err)
	}
	return out, nil
}

const ledgerTotals = `SELECT asset,
  CAST(sum(CASE WHEN amount > 0 THEN amount ELSE 0 END) AS bigint),
  CAST(sum(CASE WHEN amount < 0 THEN -amount ELSE 0 END) AS bigint)
 FROM (SELECT account, asset, CAST(sum(amount) AS bigint) AS amount FROM (
   SELECT account, asset, balance AS amount FROM hc_ledger_balances WHERE tenant = $1
   UNION ALL
   SELECT account, asset, amount FROM hc_ledger_tail WHERE tenant = $1
  ) AS parts GROUP BY account, asset) AS accounts
 GROUP BY asset ORDER BY asset`

// Unbalanced implements [ledger.Reader].
func (l *Ledger) Unbalanced(ctx context.Context, tenant hyperlocal.TenantID, limit int) ([]string, error) {
	var out []string
	err := l.s.query(ctx, unbalancedTransactions, nil, []any{string(tenant), limit}, func(rows row) error {
		var reference string
		err := rows.Scan(&reference)
		out = append(out, reference)
		return err
	})
	return out, err
}

const unbalancedTransactions = `SELECT DISTINCT t.reference FROM (
  SELECT effective_at, transaction_id FROM hc_ledger_entries WHERE tenant = $1
  GROUP BY effective_at, transaction_id, asset HAVING sum(amount) <> 0
 ) AS bad JOIN hc_ledger_transactions AS t
 ON t.tenant = $1 AND t.effective_at = bad.effective_at AND t.id = bad.transaction_id
 ORDER BY t.reference LIMIT $2`
