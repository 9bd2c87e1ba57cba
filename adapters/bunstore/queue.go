package bunstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
)

// Queue implements [queue.Queue] on the tables of the outbox, the schedules and the inbox.
// What a relay calls gives way to interactive transactions, see [Background].
type Queue struct{ s *Store }

var _ queue.Queue = (*Queue)(nil)

// Queue returns the store's queue for the event bus.
func (s *Store) Queue() *Queue { return &Queue{s} }

// TxScope implements [hyperlocal.Scoped].
func (q *Queue) TxScope() hyperlocal.Scope { return q.s.TxScope() }

const outboxColumns = `tenant, aggregate_kind, aggregate_id, aggregate_version, n, id, name, version, occurred_at,
	correlation, causation, actor_kind, actor_id, trace_parent, payload, attempts, next_try_at, last_error`

// sameAggregate joins two rows of hc_outbox, or of hc_parked, on their aggregate.
const sameAggregate = `%[1]s.tenant = %[2]s.tenant AND %[1]s.aggregate_kind = %[2]s.aggregate_kind AND %[1]s.aggregate_id = %[2]s.aggregate_id`

// The conditions under which an event may leave. Arguments: 1 now, 2 limit, 3 the most attempts.
const mayLeave = `o.published_at IS NULL
	AND NOT EXISTS (SELECT 1 FROM hc_outbox h WHERE h.published_at IS NULL AND h.attempts > 0
		AND (h.attempts >= $3 OR h.next_try_at > $1)
		AND h.tenant = o.tenant AND h.aggregate_kind = o.aggregate_kind AND h.aggregate_id = o.aggregate_id
		AND (h.aggregate_version, h.n) <= (o.aggregate_version, o.n))`

// On PostgreSQL each window is a short walk along an index, whatever their number.
const pendingLateral = `SELECT ` + outboxColumns + ` FROM (SELECT k.i, w.* FROM {k} k CROSS JOIN LATERAL (
	SELECT ` + outboxColumns + ` FROM hc_outbox o
	WHERE o.shard = k.shard AND (o.tenant, o.aggregate_kind, o.aggregate_id) > (k.after_tenant, k.after_kind, k.after_id) AND ` + mayLeave + `
	ORDER BY o.tenant, o.aggregate_kind, o.aggregate_id, o.aggregate_version, o.n LIMIT $2) w) x
ORDER BY i, tenant, aggregate_kind, aggregate_id, aggregate_version, n`

// waitingShards tells which windows may hold anything: one look at the index for each.
const waitingShards = `SELECT k.i FROM {k} k WHERE EXISTS (SELECT 1 FROM hc_outbox o WHERE o.shard = k.shard AND o.published_at IS NULL)
ORDER BY k.i`

// pendingUnion is the same for SQLite, which has no LATERAL. Each window has four arguments.
func pendingUnion(windows int) string {
	var b strings.Builder
	for i := range windows {
		if i > 0 {
			b.WriteString(" UNION ALL ")
		}
		at := 4 + 4*i
		fmt.Fprintf(&b, `SELECT * FROM (SELECT `+outboxColumns+` FROM hc_outbox o
WHERE o.shard = $%d AND (o.tenant, o.aggregate_kind, o.aggregate_id) > ($%d, $%d, $%d) AND `+mayLeave+`
ORDER BY o.tenant, o.aggregate_kind, o.aggregate_id, o.aggregate_version, o.n LIMIT $2) w%d`, at, at+1, at+2, at+3, i)
	}
	return b.String()
}

// Pending implements [queue.Outgoing] in one statement, on SQLite in two.
func (q *Queue) Pending(ctx context.Context, now time.Time, limit int, windows ...queue.Window) (out []queue.Pending, err error) {
	args := []any{q.s.at(now), limit, queue.MaxAttempts}
	text := pendingLateral
	r := windowRelation(windows)
	if q.s.dialect == SQLite {
		// A window costs ten times as much to walk as to find empty, and most are empty.
		var waiting []queue.Window
		err := q.s.query(ctx, waitingShards, r, nil, func(rows row) error {
			var i int
			err := rows.Scan(&i)
			waiting = append(waiting, windows[i])
			return err
		})
		if err != nil || len(waiting) == 0 {
			return nil, err
		}
		text, r = pendingUnion(len(waiting)), nil
		for _, w := range waiting {
			args = append(args, w.Shard, string(w.After.Tenant), w.After.Ref.Kind, w.After.Ref.ID)
		}
	}
	err = q.s.query(ctx, text, r, args, func(rows row) error {
		p, err := scanPending(rows)
		out = append(out, p)
		return err
	})
	return out, err
}

func windowRelation(windows []queue.Window) *rel {
	n := len(windows)
	index, shard := make([]int64, n), make([]int64, n)
	tenant, kind, id := make([]string, n), make([]string, n), make([]string, n)
	for i, w := range windows {
		index[i], shard[i], tenant[i], kind[i], id[i] = int64(i), int64(w.Shard), string(w.After.Tenant), w.After.Ref.Kind, w.After.Ref.ID
	}
	return newRel(n).int("i", index).int("shard", shard).text("after_tenant", tenant).text("after_kind", kind).text("after_id", id)
}

func scanPending(rows row) (queue.Pending, error) {
	var p queue.Pending
	var payload string
	e := &p.Envelope
	err := rows.Scan(&e.Tenant, &e.Aggregate.Kind, &e.Aggregate.ID, &e.AggregateVersion, &e.N, &e.ID, &e.Name, &e.Version,
		instant{&e.Time}, &e.Correlation, &e.Causation, &e.Actor.Kind, &e.Actor.ID, &e.TraceParent, &payload,
		&p.Attempts, instant{&p.NextTry}, nullText[string]{&p.LastError})
	e.Payload = json.RawMessage(payload)
	if p.Attempts == 0 {
		p.NextTry = time.Time{}
	}
	return p, err
}

// placeRelation holds the places of events.
func placeRelation(places []queue.Place) *rel {
	n := len(places)
	tenant, kind, id, version, at := make([]string, n), make([]string, n), make([]string, n), make([]int64, n), make([]int64, n)
	for i, p := range places {
		tenant[i], kind[i], id[i], version[i], at[i] = string(p.Tenant), p.Ref.Kind, p.Ref.ID, p.Version, int64(p.N)
	}
	return newRel(n).text("tenant", tenant).text("aggregate_kind", kind).text("aggregate_id", id).
		int("aggregate_version", version).int("n", at)
}

const (
	atPlace = ` FROM {k} k WHERE o.tenant = k.tenant AND o.aggregate_kind = k.aggregate_kind AND o.aggregate_id = k.aggregate_id
	AND o.aggregate_version = k.aggregate_version AND o.n = k.n AND o.published_at IS NULL`
	markPublished = `UPDATE hc_outbox AS o SET published_at = $1` + atPlace
	// markLightly is markPublished for a transaction that holds nothing else: it does not wait
	// for the disk. A server that crashes within the next half second forgets the marks, and
	// the events are published again, which is what happens when a relay dies before its mark.
	// Nothing older is forgotten, and the marks never outlive what was committed before them.
	markLightly = `{pg WITH lightly AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)) }` +
		`UPDATE hc_outbox AS o SET published_at = $1` + atPlace + `{pg  AND EXISTS (SELECT 1 FROM lightly)}`
	markFailed   = `UPDATE hc_outbox AS o SET attempts = k.attempts, next_try_at = k.next_try_at, last_error = k.last_error` + atPlace
	outboxRevive = `UPDATE hc_outbox AS o SET attempts = 0` + atPlace + ` AND o.attempts >= $1 RETURNING 1`
)

// Mark implements [queue.Outgoing] in two statements. Outside a transaction it returns before
// the marks are on disk on PostgreSQL.
func (q *Queue) Mark(ctx context.Context, at time.Time, published []queue.Place, failed []queue.Failure) error {
	if len(published)+len(failed) == 0 {
		return nil
	}
	n := len(failed)
	places, attempts, next, text := make([]queue.Place, n), make([]int64, n), make([]time.Time, n), make([]string, n)
	for i, f := range failed {
		places[i], attempts[i], next[i], text[i] = f.Place, int64(f.Attempts), f.NextTry, storable(f.Error)
	}
	mark := markLightly
	if q.s.inTx(ctx) == nil {
		mark = markPublished // the rest of the transaction is to last
	}
	return q.s.WithinTx(Background(ctx), func(ctx context.Context) error {
		err := q.s.enqueue(ctx, write{table: "hc_outbox", text: mark, rel: placeRelation(published), args: []any{q.s.at(at)}, rows: -1})
		if err != nil {
			return err
		}
		r := placeRelation(places).int("attempts", attempts).at("next_try_at", next).text("last_error", text)
		return q.s.enqueue(ctx, write{table: "hc_outbox", text: markFailed, rel: r, rows: -1})
	})
}

// storable makes the text of any error one that PostgreSQL can keep.
func storable(text string) string {
	return queue.Bound(strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "?"))
}

const (
	scheduleAnyDue = `SELECT 1 FROM hc_schedules WHERE due <= $1 LIMIT 1`
	scheduleTake   = `DELETE FROM hc_schedules WHERE (tenant, key) IN (
	SELECT s.tenant, s.key FROM hc_schedules s WHERE s.due <= $1 ORDER BY s.due, s.tenant, s.key LIMIT $2 {for update of s skip locked})
RETURNING envelope`
	outboxHighest = `SELECT max(o.aggregate_version) FROM hc_outbox o, {k} k WHERE o.aggregate_version >= $1
	AND o.tenant = k.tenant AND o.aggregate_kind = k.aggregate_kind AND o.aggregate_id = k.aggregate_id`
)

// MoveDue implements [queue.Outgoing]. Nothing due costs one read.
func (q *Queue) MoveDue(ctx context.Context, now time.Time, limit int) (moved int, err error) {
	due := false
	err = q.s.query(ctx, scheduleAnyDue, nil, []any{q.s.at(now)}, func(row) error {
		due = true
		return nil
	})
	if err != nil || !due {
		return 0, err
	}
	err = q.s.WithinTx(Background(ctx), func(ctx context.Context) error {
		var due []hyperlocal.Envelope
		err := q.s.query(ctx, scheduleTake, nil, []any{q.s.at(now), min(limit, 1000)}, func(rows row) error {
			var text string
			if err := rows.Scan(&text); err != nil {
				return err
			}
			due = append(due, hyperlocal.Envelope{})
			return json.Unmarshal([]byte(text), &due[len(due)-1])
		})
		if err != nil {
			return err
		}
		moved = len(due)
		if moved == 0 {
			return nil
		}
		// Above all versions of the aggregates' own events, and above what left this way before.
		version := hyperlocal.Instant(now).UnixMicro()
		places := make([]queue.Place, len(due))
		for i, e := range due {
			places[i] = queue.PlaceOf(e)
		}
		err = q.s.query(ctx, outboxHighest, placeRelation(places), []any{version}, func(rows row) error {
			var highest sql.NullInt64
			err := rows.Scan(&highest)
			version = max(version, highest.Int64+1)
			return err
		})
		if err != nil {
			return err
		}
		for i := range due {
			due[i].AggregateVersion, due[i].N = version, i
		}
		return q.s.Outbox().Append(ctx, due...)
	})
	return moved, err
}

const outboxPrune = `DELETE FROM hc_outbox WHERE (tenant, aggregate_kind, aggregate_id, aggregate_version, n) IN (
	SELECT tenant, aggregate_kind, aggregate_id, aggregate_version, n FROM hc_outbox
	WHERE published_at IS NOT NULL AND published_at < $1 ORDER BY published_at LIMIT $2)`

// Prune implements [queue.Outgoing].
func (q *Queue) Prune(ctx context.Context, before time.Time, limit int) (int64, error) {
	return q.s.change(Background(ctx), outboxPrune, q.s.at(before), limit)
}

const outboxStuck = `SELECT ` + outboxColumns + ` FROM hc_outbox
WHERE published_at IS NULL AND attempts > 0 AND attempts >= $1
ORDER BY tenant, aggregate_kind, aggregate_id, aggregate_version, n LIMIT $2`

// Stuck implements [queue.Outgoing].
func (q *Queue) Stuck(ctx context.Context, limit int) ([]queue.Pending, error) {
	var out []queue.Pending
	err := q.s.query(ctx, outboxStuck, nil, []any{queue.MaxAttempts, limit}, func(rows row) error {
		p, err := scanPending(rows)
		out = append(out, p)
		return err
	})
	return out, err
}

// Revive implements [queue.Outgoing].
func (q *Queue) Revive(ctx context.Context, places ...queue.Place) (n int64, err error) {
	err = q.s.WithinTx(ctx, func(ctx context.Context) error {
		n = 0
		return q.s.query(ctx, outboxRevive, placeRelation(places), []any{queue.MaxAttempts}, func(row) error {
			n++
			return nil
		})
	})
	return n, err
}

var queueStatistics = `SELECT
	(SELECT count(*) FROM hc_outbox o WHERE o.published_at IS NULL),
	(SELECT count(*) FROM (SELECT DISTINCT tenant, aggregate_kind, aggregate_id FROM hc_outbox
			WHERE published_at IS NULL AND attempts > 0 AND attempts >= $2) g
		CROSS JOIN hc_outbox o WHERE o.published_at IS NULL AND ` + fmt.Sprintf(sameAggregate, "o", "g") + ` AND EXISTS (
		SELECT 1 FROM hc_outbox h WHERE h.published_at IS NULL AND h.attempts > 0 AND h.attempts >= $2
			AND ` + fmt.Sprintf(sameAggregate, "h", "o") + ` AND (h.aggregate_version, h.n) <= (o.aggregate_version, o.n))),
	(SELECT min(o.occurred_at) FROM hc_outbox o WHERE o.published_at IS NULL),
	(SELECT count(*) FROM hc_schedules s WHERE s.due <= $1),
	(SELECT count(*) FROM hc_parked p WHERE NOT p.dead),
	(SELECT count(*) FROM hc_parked p WHERE NOT p.dead AND p.due <= $1 AND ` + nothingBefore + `),
	(SELECT count(*) FROM hc_parked p WHERE p.dead)`

// Statistics implements [queue.Outgoing] in one statement.
func (q *Queue) Statistics(ctx context.Context, now time.Time) (queue.Statistics, error) {
	var s queue.Statistics
	err := q.s.query(ctx, queueStatistics, nil, []any{q.s.at(now), queue.MaxAttempts}, func(rows row) error {
		err := rows.Scan(&s.Pending, &s.Stuck, nullInstant{&s.Oldest}, &s.DueSchedules, &s.Parked, &s.ParkedDue, &s.Dead)
		s.Pending -= s.Stuck
		return err
	})
	return s, err
}

const (
	relayShards = `SELECT shard, owner, until FROM hc_relay_shards ORDER BY shard {for update}`
	relayHello  = `INSERT INTO hc_relays (name, until) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET until = excluded.until`
	relayGone   = `DELETE FROM hc_relays WHERE until <= $1`
	relayLive   = `SELECT count(*) FROM hc_relays`
	relayDivide = `UPDATE hc_relay_shards AS s SET owner = k.owner, until = k.until FROM {k} k WHERE s.shard = k.shard`
	relayBye    = `DELETE FROM hc_relays WHERE name = $1`
	relayFree   = `UPDATE hc_relay_shards SET owner = '' WHERE owner = $1`
)

// Lease implements [queue.Leases]. The rows of the shards, always locked together, make
// relays take turns.
func (q *Queue) Lease(ctx context.Context, owner string, now, until time.Time, busy []int) (held []int, err error) {
	err = q.s.WithinTx(Background(ctx), func(ctx context.Context) error {
		leases := make([]queue.Lease, queue.Shards)
		err := q.s.query(ctx, relayShards, nil, nil, func(rows row) error {
			var shard int
			var l queue.Lease
			if err := rows.Scan(&shard, &l.Owner, instant{&l.Until}); err != nil {
				return err
			}
			if shard < 0 || shard >= len(leases) {
				return internal("queue/shard", "the table of shards holds one that does not exist")
			}
			leases[shard] = l
			return nil
		})
		if err != nil {
			return err
		}
		if _, err := q.s.change(ctx, relayHello, owner, q.s.at(until)); err != nil {
			return err
		}
		if _, err := q.s.change(ctx, relayGone, q.s.at(now)); err != nil {
			return err
		}
		live := 0
		if err := q.s.query(ctx, relayLive, nil, nil, func(rows row) error { return rows.Scan(&live) }); err != nil {
			return err
		}
		held = queue.Share(leases, owner, live, now, until, busy)
		n := len(leases)
		shard, owners, ends := make([]int64, n), make([]string, n), make([]time.Time, n)
		for i, l := range leases {
			shard[i], owners[i], ends[i] = int64(i), l.Owner, l.Until
			if l.Until.IsZero() {
				ends[i] = now
			}
		}
		r := newRel(n).int("shard", shard).text("owner", owners).at("until", ends)
		return q.s.enqueue(ctx, write{table: "hc_relay_shards", text: relayDivide, rel: r, rows: -1})
	})
	return held, err
}

// Release implements [queue.Leases].
func (q *Queue) Release(ctx context.Context, owner string) error {
	return q.s.WithinTx(Background(ctx), func(ctx context.Context) error {
		// The shards first, as Lease does, so that the two never wait for each other.
		if err := q.s.query(ctx, relayShards, nil, nil, func(row) error { return nil }); err != nil {
			return err
		}
		if _, err := q.s.change(ctx, relayFree, owner); err != nil {
			return err
		}
		_, err := q.s.change(ctx, relayBye, owner)
		return err
	})
}
