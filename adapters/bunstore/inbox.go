package bunstore

import (
	"context"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
)

// Inbox implements [hyperlocal.Inbox] on the table hc_inbox.
type Inbox struct{ s *Store }

var (
	_ hyperlocal.Inbox = (*Inbox)(nil)
	_ queue.Admission  = (*Inbox)(nil)
)

// Inbox returns the store's inbox.
func (s *Store) Inbox() *Inbox { return &Inbox{s} }

// TxScope implements [hyperlocal.Scoped].
func (i *Inbox) TxScope() hyperlocal.Scope { return i.s.TxScope() }

const inboxClaim = `INSERT INTO hc_inbox (tenant, consumer, event_id, seen_at)
SELECT tenant, consumer, event_id, seen_at FROM {k} k WHERE true
ON CONFLICT DO NOTHING RETURNING event_id`

// Claim implements [hyperlocal.Inbox] in one statement. An event that another transaction is
// handling is waited for; code conflict, reason "store/lock_timeout" if that takes too long.
// An id given twice is returned once.
func (i *Inbox) Claim(ctx context.Context, consumer string, tenant hyperlocal.TenantID, ids ...string) ([]string, error) {
	if err := i.s.inTx(ctx); err != nil {
		return nil, err
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(ids)))
	n := len(sorted)
	r := newRel(n).text("tenant", repeat(string(tenant), n)).text("consumer", repeat(consumer, n)).
		text("event_id", sorted).at("seen_at", repeat(i.s.clock.Now(), n))
	fresh := make(map[string]bool, n)
	err := i.s.query(ctx, inboxClaim, r, nil, func(rows row) error {
		var id string
		err := rows.Scan(&id)
		fresh[id] = true
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(fresh))
	for _, id := range ids {
		if fresh[id] {
			out = append(out, id)
			delete(fresh, id)
		}
	}
	return out, nil
}

// inboxAdmit is parkedBlocked and inboxClaim for one event.
const inboxAdmit = `WITH b AS (SELECT 1 WHERE EXISTS (
	SELECT 1 FROM hc_parked p WHERE p.tenant = $2 AND p.consumer = $1 AND p.event_id = $7)
OR EXISTS (
	SELECT 1 FROM hc_parked p WHERE NOT p.dead AND p.consumer = $1 AND p.tenant = $2 AND p.aggregate_kind = $3
		AND p.aggregate_id = $4 AND (p.aggregate_version, p.n) < ($5, $6))),
c AS (INSERT INTO hc_inbox (tenant, consumer, event_id, seen_at) SELECT $2, $1, $7, $8 WHERE NOT EXISTS (SELECT 1 FROM b)
	ON CONFLICT DO NOTHING RETURNING 1)
SELECT EXISTS (SELECT 1 FROM b), EXISTS (SELECT 1 FROM c)`

// Admit implements [queue.Admission]: in one statement on PostgreSQL, in two on SQLite, which
// has no round trips to save.
func (i *Inbox) Admit(ctx context.Context, consumer string, e hyperlocal.Envelope) (blocked, fresh bool, err error) {
	if err := i.s.inTx(ctx); err != nil {
		return false, false, err
	}
	if i.s.dialect == SQLite {
		waits, err := i.s.Queue().Blocked(ctx, consumer, e)
		if err != nil || waits[0] {
			return err == nil, false, err
		}
		claimed, err := i.Claim(ctx, consumer, e.Tenant, e.ID)
		return false, len(claimed) > 0, err
	}
	args := []any{
		consumer, string(e.Tenant), e.Aggregate.Kind, e.Aggregate.ID, e.AggregateVersion, e.N, e.ID, i.s.at(i.s.clock.Now()),
	}
	err = i.s.query(ctx, inboxAdmit, nil, args, func(rows row) error { return rows.Scan(&blocked, &fresh) })
	return blocked, fresh, err
}

const inboxPrune = `DELETE FROM hc_inbox WHERE (tenant, consumer, event_id) IN (
	SELECT tenant, consumer, event_id FROM hc_inbox WHERE seen_at < $1 ORDER BY seen_at LIMIT $2)`

// Prune forgets at most limit of the events that were handled before the given time, oldest
// first, and returns how many. An event that is delivered again after that is handled again,
// so keep them for longer than the outbox keeps what it has published.
func (i *Inbox) Prune(ctx context.Context, before time.Time, limit int) (int64, error) {
	return i.s.change(Background(ctx), inboxPrune, i.s.at(before), limit)
}
