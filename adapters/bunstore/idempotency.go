package bunstore

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// twinPatience is how long a claim waits for another transaction that works on its key.
const twinPatience = 2 * time.Second

// Idempotency implements [hyperlocal.Idempotency] on the table hc_idempotency.
type Idempotency struct{ s *Store }

var (
	_ hyperlocal.Idempotency  = (*Idempotency)(nil)
	_ hyperlocal.FreshClaimer = (*Idempotency)(nil)
)

// Idempotency returns the store's idempotency keys.
func (s *Store) Idempotency() *Idempotency { return &Idempotency{s} }

// TxScope implements [hyperlocal.Scoped].
func (i *Idempotency) TxScope() hyperlocal.Scope { return i.s.TxScope() }

// keyID is a key without its fingerprint: what is unique.
type keyID struct{ tenant, caller, route, key string }

func idOf(k hyperlocal.IdempotencyKey) keyID {
	return keyID{string(k.Tenant), k.Caller, k.Route, k.Key}
}

func (a keyID) compare(b keyID) int {
	return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.caller, b.caller),
		cmp.Compare(a.route, b.route), cmp.Compare(a.key, b.key))
}

// compareKeyIDs is the order in which keys are claimed.
func compareKeyIDs(a, b hyperlocal.IdempotencyKey) int { return idOf(a).compare(idOf(b)) }

const idempotencyInsert = `INSERT INTO hc_idempotency (tenant, caller, route, key, fingerprint, created_at, result)
SELECT k.tenant, k.caller, k.route, k.key, k.fingerprint, k.created_at, {pg CAST(k.result AS json)}{sqlite k.result} FROM {k} k`

// On PostgreSQL the insert waits for a twin's transaction. The lock timeout is set for this
// statement alone: c sets it before the first row is inserted, and the last line puts the old
// value back after the last one. $1 is the timeout in milliseconds.
const idempotencyClaim = `WITH c AS MATERIALIZED (
	SELECT current_setting('lock_timeout') AS old, set_config('lock_timeout', $1::text, true) AS new
), i AS (` + idempotencyInsert + `, c WHERE c.new <> ''
ORDER BY k.tenant, k.caller, k.route, k.key
ON CONFLICT DO NOTHING RETURNING tenant, caller, route, key)
SELECT tenant, caller, route, key FROM i
UNION ALL
SELECT set_config('lock_timeout', c.old, true), NULL, '', '' FROM c, (SELECT count(*) AS n FROM i) d WHERE d.n >= 0`

// On SQLite there is nobody to wait for.
const idempotencyClaimAlone = idempotencyInsert + ` WHERE true ON CONFLICT DO NOTHING RETURNING tenant, caller, route, key`

const idempotencyRead = `SELECT i.tenant, i.caller, i.route, i.key, i.fingerprint, i.result
FROM hc_idempotency i JOIN {k} k ON i.tenant = k.tenant AND i.caller = k.caller AND i.route = k.route AND i.key = k.key`

// Claim implements [hyperlocal.Idempotency]: one statement when all keys are fresh, a second
// one to read those that are not.
//
// On PostgreSQL a twin that is not done within two seconds costs the transaction, because
// the database ends it. If the claim was its first statement it is begun anew and goes on
// with that key in progress; else the error is [hyperlocal.ErrKeyInProgress] and the
// transaction can only roll back.
func (i *Idempotency) Claim(ctx context.Context, keys []hyperlocal.IdempotencyKey) ([]hyperlocal.Claim, error) {
	if err := i.s.lock(ctx, hyperlocal.RankIdempotency); err != nil {
		return nil, err
	}
	claims := make([]hyperlocal.Claim, len(keys))
	first := make(map[keyID]int, len(keys))
	order := make([]hyperlocal.IdempotencyKey, 0, len(keys))
	asked := 0
	for n, k := range keys {
		if k.IsZero() {
			claims[n].Fresh = true
			continue
		}
		if err := k.Validate(); err != nil {
			return nil, err
		}
		asked++
		if _, ok := first[idOf(k)]; !ok {
			first[idOf(k)] = n
			order = append(order, k)
		}
	}
	slices.SortFunc(order, compareKeyIDs)
	fresh, stuck, err := i.take(ctx, order)
	if err != nil {
		return nil, err
	}
	if len(fresh) == asked { // nothing to look up, as nearly always
		for n := range claims {
			claims[n].Fresh = true
		}
		return claims, nil
	}
	var old []hyperlocal.IdempotencyKey
	for _, k := range order {
		if !fresh[idOf(k)] && !stuck[idOf(k)] {
			old = append(old, k)
		}
	}
	known, err := i.read(ctx, old)
	if err != nil {
		return nil, err
	}
	for n, k := range keys {
		if k.IsZero() {
			continue
		}
		row, ok := known[idOf(k)]
		switch at := first[idOf(k)]; {
		case fresh[idOf(k)] && at == n:
			claims[n].Fresh = true
		case fresh[idOf(k)] && keys[at].Fingerprint != k.Fingerprint, ok && row.fingerprint != k.Fingerprint:
			claims[n].Err = hyperlocal.ErrKeyReused
		case !ok || row.result == nil:
			claims[n].Err = hyperlocal.ErrKeyInProgress
		default:
			claims[n].Result = slices.Clone(row.result)
		}
	}
	return claims, nil
}

// ClaimFresh implements [hyperlocal.FreshClaimer]: one queued write.
func (i *Idempotency) ClaimFresh(ctx context.Context, keys []hyperlocal.IdempotencyKey) error {
	if err := i.s.lock(ctx, hyperlocal.RankIdempotency); err != nil {
		return err
	}
	asked := make([]hyperlocal.IdempotencyKey, 0, len(keys))
	for _, k := range keys {
		if k.IsZero() {
			continue
		}
		if err := k.Validate(); err != nil {
			return err
		}
		asked = append(asked, k)
	}
	slices.SortFunc(asked, compareKeyIDs)
	return i.s.enqueue(ctx, write{
		table: "hc_idempotency", text: idempotencyInsert, rel: i.rows(asked), rows: int64(len(asked)), failed: hyperlocal.ErrTxRetry,
		claims: true,
	})
}

// take inserts the keys and returns which are fresh, and which a twin holds on to.
func (i *Idempotency) take(ctx context.Context, keys []hyperlocal.IdempotencyKey) (fresh, stuck map[keyID]bool, err error) {
	fresh, stuck = make(map[keyID]bool, len(keys)), make(map[keyID]bool)
	err = i.insert(ctx, keys, twinPatience, fresh)
	if !errors.Is(err, errLockTimeout) {
		return fresh, stuck, err
	}
	t := i.s.txn(ctx)
	if t == nil || !t.restart(ctx) {
		return nil, nil, hyperlocal.ErrKeyInProgress.WithCause(err)
	}
	return fresh, stuck, i.divide(ctx, t, keys, len(keys), fresh, stuck)
}

// divide finds the keys that twins hold on to, by halves, each tried behind a savepoint.
func (i *Idempotency) divide(ctx context.Context, t *txn, keys []hyperlocal.IdempotencyKey, failed int, fresh, stuck map[keyID]bool) error {
	if len(keys) == 1 && failed == 1 {
		stuck[idOf(keys[0])] = true
		return nil
	}
	if len(keys) < failed {
		err := t.attempt(ctx, func() error { return i.insert(ctx, keys, 20*time.Millisecond, fresh) })
		if !errors.Is(err, errLockTimeout) {
			return err
		}
		if len(keys) == 1 {
			stuck[idOf(keys[0])] = true
			return nil
		}
	}
	half := len(keys) / 2
	if err := i.divide(ctx, t, keys[:half], len(keys), fresh, stuck); err != nil {
		return err
	}
	return i.divide(ctx, t, keys[half:], len(keys), fresh, stuck)
}

func (i *Idempotency) insert(ctx context.Context, keys []hyperlocal.IdempotencyKey, patience time.Duration, fresh map[keyID]bool) error {
	r := i.rows(keys)
	var ours []keyID // of rows that came before a failure too, so they count only without one
	claimed := func(rows row) error {
		var id keyID
		var caller sql.NullString // NULL in the line that belongs to the lock timeout
		if err := rows.Scan(&id.tenant, &caller, &id.route, &id.key); err != nil {
			return err
		}
		if caller.Valid {
			id.caller = caller.String
			ours = append(ours, id)
		}
		return nil
	}
	var err error
	if i.s.dialect == SQLite {
		err = i.s.queryEach(ctx, idempotencyClaimAlone, r, claimed)
	} else {
		err = i.s.query(ctx, idempotencyClaim, r, []any{strconv.FormatInt(patience.Milliseconds(), 10)}, claimed)
	}
	if err != nil {
		return err
	}
	for _, id := range ours {
		fresh[id] = true
	}
	return nil
}

// rows are the keys as they are stored.
func (i *Idempotency) rows(keys []hyperlocal.IdempotencyKey) *rel {
	fingerprint := make([]string, len(keys))
	for n, k := range keys {
		fingerprint[n] = k.Fingerprint
	}
	return keyRel(keys).text("fingerprint", fingerprint).textNull("result", foreseen(keys)).at("created_at", repeat(i.s.clock.Now(), len(keys)))
}

// foreseen are the results that the keys are claimed with, "" for none.
func foreseen(keys []hyperlocal.IdempotencyKey) []string {
	text := make([]string, len(keys))
	for n := range keys {
		text[n] = string(keys[n].Result)
	}
	return text
}

type keyRow struct {
	fingerprint string
	result      json.RawMessage
}

func (i *Idempotency) read(ctx context.Context, keys []hyperlocal.IdempotencyKey) (map[keyID]keyRow, error) {
	out := make(map[keyID]keyRow, len(keys))
	err := i.s.query(ctx, idempotencyRead, keyRel(keys), nil, func(rows row) error {
		var id keyID
		var row keyRow
		err := rows.Scan(&id.tenant, &id.caller, &id.route, &id.key, &row.fingerprint, document{&row.result})
		out[id] = row
		return err
	})
	return out, err
}

func keyRel(keys []hyperlocal.IdempotencyKey) *rel {
	n := len(keys)
	tenant, caller, route, key := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, k := range keys {
		tenant[i], caller[i], route[i], key[i] = string(k.Tenant), k.Caller, k.Route, k.Key
	}
	return newRel(n).text("tenant", tenant).text("caller", caller).text("route", route).text("key", key)
}

var errNotClaimed = internal("idempotency/not_claimed", "a key was completed or freed that this transaction had not claimed")

const (
	idempotencyComplete = `UPDATE hc_idempotency AS i SET result = {pg CAST(k.result AS json)}{sqlite k.result} FROM {k} k
WHERE i.tenant = k.tenant AND i.caller = k.caller AND i.route = k.route AND i.key = k.key
	AND {pg CAST(i.result AS text) IS NOT DISTINCT FROM}{sqlite i.result IS} k.foreseen`
	idempotencyFree = `DELETE FROM hc_idempotency WHERE (tenant, caller, route, key) IN (
	SELECT i.tenant, i.caller, i.route, i.key FROM {k} k JOIN hc_idempotency i
		ON i.tenant = k.tenant AND i.caller = k.caller AND i.route = k.route AND i.key = k.key
	WHERE {pg CAST(i.result AS text) IS NOT DISTINCT FROM}{sqlite i.result IS} k.foreseen)`
)

// Complete implements [hyperlocal.Idempotency]: one queued write. A nil result is stored as
// JSON null. A key that was not claimed fails the transaction with code internal, reason
// "idempotency/not_claimed".
func (i *Idempotency) Complete(ctx context.Context, keys []hyperlocal.IdempotencyKey, results []json.RawMessage) error {
	if len(results) != len(keys) {
		return internal("idempotency/results", "there must be one result per key")
	}
	ours, at := distinct(keys)
	text := make([]string, len(ours))
	for n := range ours {
		if text[n] = string(results[at[n]]); text[n] == "" {
			text[n] = "null"
		}
	}
	return i.s.enqueue(ctx, write{table: "hc_idempotency", text: idempotencyComplete,
		rel:  keyRel(ours).text("result", text).textNull("foreseen", foreseen(ours)),
		rows: int64(len(ours)), failed: errNotClaimed})
}

// Free implements [hyperlocal.Idempotency]: one queued write.
func (i *Idempotency) Free(ctx context.Context, keys []hyperlocal.IdempotencyKey) error {
	ours, _ := distinct(keys)
	return i.s.enqueue(ctx, write{table: "hc_idempotency", text: idempotencyFree, rel: keyRel(ours).textNull("foreseen", foreseen(ours)),
		rows: int64(len(ours)), failed: errNotClaimed})
}

// distinct leaves out zero keys and repetitions, and tells where the others were.
func distinct(keys []hyperlocal.IdempotencyKey) (out []hyperlocal.IdempotencyKey, at []int) {
	seen := make(map[keyID]bool, len(keys))
	for n, k := range keys {
		if k.IsZero() || seen[idOf(k)] {
			continue
		}
		seen[idOf(k)] = true
		out, at = append(out, k), append(at, n)
	}
	return out, at
}

const idempotencyPrune = `DELETE FROM hc_idempotency WHERE (tenant, caller, route, key) IN (
	SELECT tenant, caller, route, key FROM hc_idempotency WHERE created_at < $1 ORDER BY created_at LIMIT $2)`

// Prune forgets at most limit of the keys that were claimed before the given time, oldest
// first, and returns how many. A request repeated under such a key is a new request.
func (i *Idempotency) Prune(ctx context.Context, before time.Time, limit int) (int64, error) {
	return i.s.change(Background(ctx), idempotencyPrune, i.s.at(before), limit)
}
