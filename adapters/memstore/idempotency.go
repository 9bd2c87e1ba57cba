package memstore

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// keyID is a key without its fingerprint: what is unique.
type keyID struct {
	tenant             hyperlocal.TenantID
	caller, route, key string
}

func idOf(k hyperlocal.IdempotencyKey) keyID { return keyID{k.Tenant, k.Caller, k.Route, k.Key} }

type keyRow struct {
	fingerprint string
	result      json.RawMessage // nil until the command has succeeded, or is claimed with it
	created     time.Time
}

type idempotencyTables struct{ keys *table[keyID, keyRow] }

func newIdempotencyTables() *idempotencyTables {
	return &idempotencyTables{keys: newTable[keyID, keyRow]()}
}

// Idempotency implements [hyperlocal.Idempotency]. As one transaction runs at a time, no
// claim ever finds a twin at work.
type Idempotency struct {
	db *DB
	t  *idempotencyTables
}

var _ hyperlocal.Idempotency = (*Idempotency)(nil)

// Idempotency returns the database's idempotency keys.
func (db *DB) Idempotency() *Idempotency {
	return &Idempotency{db: db, t: part(db, newIdempotencyTables)}
}

// TxScope implements [hyperlocal.Scoped].
func (i *Idempotency) TxScope() hyperlocal.Scope { return i.db.TxScope() }

var (
	errNotClaimed = hyperlocal.NewError(hyperlocal.CodeInternal, "idempotency/not_claimed",
		"a key was completed or freed that this transaction had not claimed")
	errResults = hyperlocal.NewError(hyperlocal.CodeInternal, "idempotency/results", "there must be one result per key")
)

// Claim implements [hyperlocal.Idempotency].
func (i *Idempotency) Claim(ctx context.Context, keys []hyperlocal.IdempotencyKey) ([]hyperlocal.Claim, error) {
	t, err := i.db.must(ctx)
	if err != nil {
		return nil, err
	}
	if err := t.lock(hyperlocal.RankIdempotency); err != nil {
		return nil, err
	}
	for _, k := range keys {
		if err := k.Validate(); err != nil {
			return nil, err
		}
	}
	claims := make([]hyperlocal.Claim, len(keys))
	mine := make(map[keyID]bool, len(keys))
	for n, k := range keys {
		if k.IsZero() {
			claims[n].Fresh = true
			continue
		}
		row, known := i.t.keys.get(idOf(k))
		switch {
		case !known:
			i.t.keys.put(t, idOf(k), keyRow{fingerprint: k.Fingerprint, result: slices.Clone(k.Result), created: i.db.clock.Now()})
			claims[n].Fresh, mine[idOf(k)] = true, true
		case row.fingerprint != k.Fingerprint:
			claims[n].Err = hyperlocal.ErrKeyReused
		case row.result == nil, mine[idOf(k)]:
			claims[n].Err = hyperlocal.ErrKeyInProgress
		default:
			claims[n].Result = slices.Clone(row.result)
		}
	}
	return claims, nil
}

// Complete implements [hyperlocal.Idempotency]. A nil result is stored as JSON null. A key
// that was not claimed is refused with code internal, reason "idempotency/not_claimed".
func (i *Idempotency) Complete(ctx context.Context, keys []hyperlocal.IdempotencyKey, results []json.RawMessage) error {
	if len(results) != len(keys) {
		return errResults
	}
	return i.settle(ctx, keys, func(t *tx, n int, id keyID, row keyRow) {
		row.result = slices.Clone(results[n])
		if len(row.result) == 0 {
			row.result = json.RawMessage("null")
		}
		i.t.keys.put(t, id, row)
	})
}

// Free implements [hyperlocal.Idempotency].
func (i *Idempotency) Free(ctx context.Context, keys []hyperlocal.IdempotencyKey) error {
	return i.settle(ctx, keys, func(t *tx, _ int, id keyID, _ keyRow) { i.t.keys.del(t, id) })
}

// settle calls do for each key once, however often it is named.
func (i *Idempotency) settle(ctx context.Context, keys []hyperlocal.IdempotencyKey, do func(t *tx, n int, id keyID, row keyRow)) error {
	t, err := i.db.must(ctx)
	if err != nil {
		return err
	}
	done := make(map[keyID]bool, len(keys))
	for n, k := range keys {
		id := idOf(k)
		if k.IsZero() || done[id] {
			continue
		}
		done[id] = true
		row, ok := i.t.keys.get(id)
		if !ok || !bytes.Equal(row.result, k.Result) {
			return errNotClaimed
		}
		do(t, n, id, row)
	}
	return nil
}

// Prune forgets at most limit of the keys that were claimed before the given time, and
// returns how many. A request repeated under such a key is a new request.
func (i *Idempotency) Prune(ctx context.Context, before time.Time, limit int) (n int64, err error) {
	err = i.db.write(ctx, func(t *tx) error {
		n = 0
		for id, row := range i.t.keys.all() {
			if n < int64(limit) && row.created.Before(before) {
				i.t.keys.del(t, id)
				n++
			}
		}
		return nil
	})
	return n, err
}
