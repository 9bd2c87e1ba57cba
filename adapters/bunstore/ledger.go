package bunstore

import (
	"context"
	"errors"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/ledger"
)

// Ledger keeps the journal. It implements [ledger.Store].
type Ledger struct{ s *Store }

// Ledger returns the store of the ledger context.
func (s *Store) Ledger() *Ledger { return &Ledger{s: s} }

var (
	_ ledger.Store      = (*Ledger)(nil)
	_ hyperlocal.Scoped = (*Ledger)(nil)
)

// TxScope implements [hyperlocal.Scoped].
func (l *Ledger) TxScope() hyperlocal.Scope { return l.s.TxScope() }

// A reference that was free when it was looked up and is taken now was written by a
// transaction alongside: the next run finds it.
func ledgerConstraints() map[string]*hyperlocal.Error {
	return map[string]*hyperlocal.Error{
		"hc_ledger_transactions(tenant,reference)": hyperlocal.ErrTxRetry,
		"hc_ledger_transactions_reference_key":     hyperlocal.ErrTxRetry,
	}
}

// ledgerHold is what a transaction knows about the bounded accounts that it has locked.
type ledgerHold struct {
	held map[ledger.Key]bool
	// balances holds until this transaction changes them: nobody else can.
	balances map[ledger.Key]int64
}

type ledgerHoldKey struct{}

// hold returns what the transaction of ctx knows, nil outside one of ours.
func (l *Ledger) hold(ctx context.Context) *ledgerHold {
	t := l.s.txn(ctx)
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if h, ok := t.notes[ledgerHoldKey{}].(*ledgerHold); ok {
		return h
	}
	if t.notes == nil {
		t.notes = make(map[any]any)
	}
	h := &ledgerHold{held: make(map[ledger.Key]bool), balances: make(map[ledger.Key]int64)}
	t.notes[ledgerHoldKey{}] = h
	return h
}

// The update changes nothing, it is the lock: one statement makes missing rows, waits for
// others in the order of the keys, and answers with what they left behind. A bounded account
// has a tail only if it was not bounded before.
const lockBalances = `INSERT INTO hc_ledger_balances (tenant, account, asset, balance)
 SELECT k.tenant, k.account, k.asset, 0 FROM {k} k WHERE true
 ON CONFLICT (tenant, account, asset) DO UPDATE SET balance = hc_ledger_balances.balance
 RETURNING tenant, account, asset, balance, EXISTS (SELECT 1 FROM hc_ledger_tail AS t WHERE t.tenant = hc_ledger_balances.tenant
  AND t.account = hc_ledger_balances.account AND t.asset = hc_ledger_balances.asset)`

// LockBalances implements [ledger.Store].
func (l *Ledger) LockBalances(ctx context.Context, keys []ledger.Key) ([]int64, error) {
	hold := l.hold(ctx)
	if hold == nil {
		if l.s.hostTx(ctx) == nil {
			return nil, errTxRequired
		}
		var out []int64
		err := l.s.WithinTx(ctx, func(ctx context.Context) (err error) {
			out, err = l.LockBalances(ctx, keys)
			return err
		})
		return out, err
	}
	locked, known := true, true
	for _, k := range keys {
		locked = locked && hold.held[k]
		_, ok := hold.balances[k]
		known = known && ok
	}
	if !locked {
		if err := l.s.lock(ctx, hyperlocal.RankAccount); err != nil {
			return nil, err
		}
	}
	if !known {
		if err := l.readLocked(ctx, hold, keys); err != nil {
			return nil, err
		}
	}
	out := make([]int64, len(keys))
	for i, k := range keys {
		out[i] = hold.balances[k]
	}
	return out, nil
}

func (l *Ledger) readLocked(ctx context.Context, hold *ledgerHold, keys []ledger.Key) error {
	tailed := false
	err := l.s.query(ctx, lockBalances, ledgerKeys(keys), nil, func(rows row) error {
		var k ledger.Key
		var balance int64
		var tail bool
		if err := rows.Scan(&k.Tenant, &k.Account.Path, &k.Account.Asset, &balance, &tail); err != nil {
			return err
		}
		hold.held[k], hold.balances[k] = true, balance
		tailed = tailed || tail
		return nil
	})
	if err != nil || !tailed {
		return err
	}
	// The lock is held now, so a second statement sees what the first waited for.
	balances, err := l.balances(ctx, keys)
	if err != nil {
		return err
	}
	for i, k := range keys {
		hold.balances[k] = balances[i]
	}
	return nil
}

func ledgerKeys(keys []ledger.Key) *rel {
	n := make([]int64, len(keys))
	for i := range n {
		n[i] = int64(i)
	}
	return newRel(len(keys)).
		text("tenant", each1(keys, func(k *ledger.Key) string { return string(k.Tenant) })).
		text("account", each1(keys, func(k *ledger.Key) string { return k.Account.Path })).
		text("asset", each1(keys, func(k *ledger.Key) string { return k.Account.Asset })).
		int("n", n)
}

const recordedReferences = `SELECT t.tenant, t.reference, t.id, t.fingerprint FROM {k} k
 JOIN hc_ledger_transactions AS t ON t.tenant = k.tenant AND t.reference = k.reference`

// Recorded implements [ledger.Store].
func (l *Ledger) Recorded(ctx context.Context, refs []ledger.Reference) ([]ledger.Recorded, error) {
	r := newRel(len(refs)).
		text("tenant", each1(refs, func(r *ledger.Reference) string { return string(r.Tenant) })).
		text("reference", each1(refs, func(r *ledger.Reference) string { return r.Reference }))
	var out []ledger.Recorded
	err := l.s.query(ctx, recordedReferences, r, nil, func(rows row) error {
		var v ledger.Recorded
		if err := rows.Scan(&v.Tenant, &v.Reference.Reference, &v.Transaction, &v.Fingerprint); err != nil {
			return err
		}
		out = append(out, v)
		return nil
	})
	return out, err
}

const insertTransactions = `INSERT INTO hc_ledger_transactions
 (tenant, effective_at, id, reference, kind, subject_kind, subject_id, reverses, actor_kind, actor_id, recorded_at, fingerprint)
 SELECT k.tenant, k.effective_at, k.id, k.reference, k.kind, k.subject_kind, k.subject_id, k.reverses,
  k.actor_kind, k.actor_id, k.recorded_at, k.fingerprint FROM {k} k`

const insertEntries = `INSERT INTO hc_ledger_entries
 (tenant, effective_at, transaction_id, n, account, asset, amount, recorded_at)
 SELECT k.tenant, k.effective_at, k.transaction_id, k.n, k.account, k.asset, k.amount, k.recorded_at FROM {k} k`

const insertTail = `INSERT INTO hc_ledger_tail (tenant, account, asset, id, amount)
 SELECT k.tenant, k.account, k.asset, k.id, k.amount FROM {k} k`

const updateBalances = `UPDATE hc_ledger_balances AS b SET balance = b.balance + k.amount FROM {k} k
 WHERE b.tenant = k.tenant AND b.account = k.account AND b.asset = k.asset`

// Insert implements [ledger.Store].
func (l *Ledger) Insert(ctx context.Context, transactions []ledger.Transaction, changes []ledger.Change) error {
	type row = ledger.Transaction
	heads := newRel(len(transactions)).
		text("tenant", each1(transactions, func(t *row) string { return string(t.Tenant) })).
		at("effective_at", each1(transactions, func(t *row) time.Time { return t.Effective })).
		uuid("id", each1(transactions, func(t *row) string { return t.ID })).
		text("reference", each1(transactions, func(t *row) string { return t.Reference })).
		text("kind", each1(transactions, func(t *row) string { return t.Kind })).
		text("subject_kind", each1(transactions, func(t *row) string { return t.Subject.Kind })).
		text("subject_id", each1(transactions, func(t *row) string { return t.Subject.ID })).
		textNull("reverses", each1(transactions, func(t *row) string { return t.Reverses })).
		text("actor_kind", each1(transactions, func(t *row) string { return t.Actor.Kind })).
		text("actor_id", each1(transactions, func(t *row) string { return t.Actor.ID })).
		at("recorded_at", each1(transactions, func(t *row) time.Time { return t.Recorded })).
		bytes("fingerprint", each1(transactions, func(t *row) []byte { return t.Fingerprint }))
	err := l.s.enqueue(ctx, write{table: "hc_ledger_transactions", text: insertTransactions, rel: heads, rows: int64(heads.n)})
	if err != nil {
		return err
	}
	entries := entryRel(transactions)
	err = l.s.enqueue(ctx, write{table: "hc_ledger_entries", text: insertEntries, rel: entries, rows: int64(entries.n)})
	if err != nil {
		return err
	}
	return l.change(ctx, changes)
}

func entryRel(transactions []ledger.Transaction) *rel {
	type leg struct {
		of *ledger.Transaction
		n  int
	}
	var legs []leg
	for i := range transactions {
		for n := range transactions[i].Entries {
			legs = append(legs, leg{&transactions[i], n})
		}
	}
	entry := func(g *leg) *hyperlocal.Entry { return &g.of.Entries[g.n] }
	return newRel(len(legs)).
		text("tenant", each1(legs, func(g *leg) string { return string(g.of.Tenant) })).
		at("effective_at", each1(legs, func(g *leg) time.Time { return g.of.Effective })).
		uuid("transaction_id", each1(legs, func(g *leg) string { return g.of.ID })).
		int("n", each1(legs, func(g *leg) int64 { return int64(g.n) })).
		text("account", each1(legs, func(g *leg) string { return entry(g).Account })).
		text("asset", each1(legs, func(g *leg) string { return entry(g).Asset })).
		int("amount", each1(legs, func(g *leg) int64 { return entry(g).Amount })).
		at("recorded_at", each1(legs, func(g *leg) time.Time { return g.of.Recorded }))
}

// change queues what a batch does to accounts.
func (l *Ledger) change(ctx context.Context, changes []ledger.Change) error {
	var tail, bounded []ledger.Change
	hold := l.hold(ctx)
	for _, c := range changes {
		if !c.Bounded {
			tail = append(tail, c)
			continue
		}
		bounded = append(bounded, c)
		if hold != nil { // read it again when it is asked for: this write may yet be taken back
			delete(hold.balances, c.Key)
		}
	}
	columns := func(rows []ledger.Change) *rel {
		return newRel(len(rows)).
			text("tenant", each1(rows, func(c *ledger.Change) string { return string(c.Tenant) })).
			text("account", each1(rows, func(c *ledger.Change) string { return c.Account.Path })).
			text("asset", each1(rows, func(c *ledger.Change) string { return c.Account.Asset })).
			int("amount", each1(rows, func(c *ledger.Change) int64 { return c.Amount }))
	}
	r := columns(tail).uuid("id", each1(tail, func(c *ledger.Change) string { return c.ID }))
	if err := l.s.enqueue(ctx, write{table: "hc_ledger_tail", text: insertTail, rel: r, rows: int64(r.n)}); err != nil {
		return err
	}
	r = columns(bounded)
	return l.s.enqueue(ctx, write{table: "hc_ledger_balances", text: updateBalances, rel: r, rows: int64(r.n)})
}

// On PostgreSQL a fold is one statement. Rows that another fold has taken are left to it; those
// that are taken are deleted by their place, which does not change under the lock. The
// snapshots are updated in the order of their keys, so that folds never wait in a circle.
const foldPostgres = `WITH picked AS (
  SELECT ctid FROM hc_ledger_tail ORDER BY tenant, account, asset, id LIMIT $1 {for update skip locked}
 ), gone AS (
  DELETE FROM hc_ledger_tail AS t WHERE t.ctid = ANY (ARRAY(SELECT p.ctid FROM picked p))
  RETURNING t.tenant, t.account, t.asset, t.amount
 ), folded AS (
  INSERT INTO hc_ledger_balances AS b (tenant, account, asset, balance)
  SELECT tenant, account, asset, sum(amount) FROM gone GROUP BY tenant, account, asset ORDER BY tenant, account, asset
  ON CONFLICT (tenant, account, asset) DO UPDATE SET balance = b.balance + excluded.balance
  RETURNING 1
 ) SELECT count(*) FROM gone`

// SQLite has one writer, so two statements pick the same rows. sum refuses what a plain +
// would turn into a floating-point number.
const (
	foldSQLite = `INSERT INTO hc_ledger_balances AS b (tenant, account, asset, balance)
 SELECT tenant, account, asset, sum(amount) FROM (
  SELECT tenant, account, asset, amount FROM hc_ledger_tail ORDER BY tenant, account, asset, id LIMIT $1
 ) WHERE true GROUP BY tenant, account, asset
 ON CONFLICT (tenant, account, asset) DO UPDATE SET balance =
  (SELECT sum(v.x) FROM (SELECT b.balance AS x UNION ALL SELECT excluded.balance) AS v)
 RETURNING 0`
	foldedSQLite = `DELETE FROM hc_ledger_tail WHERE (tenant, account, asset, id) IN (
  SELECT tenant, account, asset, id FROM hc_ledger_tail ORDER BY tenant, account, asset, id LIMIT $1
 ) RETURNING 1`
)

// Fold implements [ledger.Store].
func (l *Ledger) Fold(ctx context.Context, limit int) (int, error) {
	if err := l.s.lock(ctx, hyperlocal.RankAccount); err != nil {
		return 0, err
	}
	folded := 0
	count := func(rows row) error {
		var n int
		err := rows.Scan(&n)
		folded += n
		return err
	}
	texts := []string{foldPostgres}
	if l.s.dialect == SQLite {
		texts = []string{foldSQLite, foldedSQLite}
	}
	for _, text := range texts {
		if err := l.s.query(ctx, text, nil, []any{limit}, count); err != nil {
			return 0, overflow(err)
		}
	}
	return folded, nil
}

// overflow names a number that the database could not hold.
func overflow(err error) error {
	if errors.Is(err, errRange) {
		return ledger.ErrOverflow.WithCause(err)
	}
	return err
}
