package bunstore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
)

const parkedAdd = `INSERT INTO hc_parked (tenant, consumer, event_id, aggregate_kind, aggregate_id, aggregate_version, n,
	envelope, attempts, due, last_error, dead, parked_at)
SELECT tenant, consumer, event_id, aggregate_kind, aggregate_id, aggregate_version, n,
	envelope, attempts, due, last_error, dead, parked_at FROM {k} k WHERE true
ON CONFLICT DO NOTHING`

// Park implements [queue.Parking]: one queued write.
func (q *Queue) Park(ctx context.Context, messages ...queue.Parked) error {
	n := len(messages)
	places := make([]queue.Place, n)
	consumer, event, doc, reason := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	attempts, due, parked, dead := make([]int64, n), make([]time.Time, n), make([]time.Time, n), make([]bool, n)
	for i, m := range messages {
		text, err := json.Marshal(m.Envelope)
		if err != nil {
			return internal("queue/unencodable", "an envelope cannot be encoded").WithCause(err)
		}
		places[i], consumer[i], event[i], doc[i] = queue.PlaceOf(m.Envelope), m.Consumer, m.Envelope.ID, string(text)
		attempts[i], due[i], parked[i], dead[i], reason[i] = int64(m.Attempts), m.Due, m.At, m.Dead, storable(m.LastError)
	}
	r := placeRelation(places).text("consumer", consumer).text("event_id", event).text("envelope", doc).
		int("attempts", attempts).at("due", due).text("last_error", reason).bool("dead", dead).at("parked_at", parked)
	return q.s.WithinTx(ctx, func(ctx context.Context) error {
		return q.s.enqueue(ctx, write{table: "hc_parked", text: parkedAdd, rel: r, rows: -1})
	})
}

var (
	nothingBefore = `NOT EXISTS (SELECT 1 FROM hc_parked b WHERE NOT b.dead AND b.consumer = p.consumer
		AND ` + fmt.Sprintf(sameAggregate, "b", "p") + ` AND (b.aggregate_version, b.n) < (p.aggregate_version, p.n))`
	parkedBlocked = `SELECT k.i FROM {k} k WHERE EXISTS (
	SELECT 1 FROM hc_parked p WHERE p.tenant = k.tenant AND p.consumer = $1 AND p.event_id = k.event_id)
OR EXISTS (
	SELECT 1 FROM hc_parked p WHERE NOT p.dead AND p.consumer = $1
		AND ` + fmt.Sprintf(sameAggregate, "p", "k") + ` AND (p.aggregate_version, p.n) < (k.aggregate_version, k.n))`
	parkedDue = `SELECT ` + parkedColumns + ` FROM hc_parked p
WHERE NOT p.dead AND p.due <= $1 AND p.consumer IN (SELECT k.consumer FROM {k} k) AND ` + nothingBefore + `
ORDER BY p.due, p.consumer, p.event_id LIMIT $2`
)

const (
	parkedColumns = `p.consumer, p.envelope, p.attempts, p.due, p.last_error, p.dead, p.parked_at`
	parkedSettle  = `DELETE FROM hc_parked WHERE (tenant, consumer, event_id) IN (SELECT tenant, consumer, event_id FROM {k} k)`
	parkedLater   = `UPDATE hc_parked SET attempts = $1, due = $2, last_error = $3, dead = $4
WHERE tenant = $5 AND consumer = $6 AND event_id = $7 AND attempts = $8`
	parkedRetry = `UPDATE hc_parked AS p SET attempts = 0, due = $1, dead = {pg false}{sqlite 0} FROM {k} k
WHERE p.tenant = k.tenant AND p.consumer = k.consumer AND p.event_id = k.event_id RETURNING 1`
	parkedList = `SELECT ` + parkedColumns + ` FROM hc_parked p
WHERE p.tenant = $1 AND ($2 = '' OR p.consumer = $2) AND (p.dead OR NOT $3)
	AND ($4 = '' OR (p.consumer, p.parked_at, p.event_id) > ($5, $6, $4))
ORDER BY p.consumer, p.parked_at, p.event_id LIMIT $7`
)

// Blocked implements [queue.Parking] in one statement.
func (q *Queue) Blocked(ctx context.Context, consumer string, events ...hyperlocal.Envelope) ([]bool, error) {
	n := len(events)
	places, ids, index := make([]queue.Place, n), make([]string, n), make([]int64, n)
	for i, e := range events {
		places[i], ids[i], index[i] = queue.PlaceOf(e), e.ID, int64(i)
	}
	out := make([]bool, n)
	r := placeRelation(places).text("event_id", ids).int("i", index)
	err := q.s.query(ctx, parkedBlocked, r, []any{consumer}, func(rows row) error {
		var i int
		err := rows.Scan(&i)
		out[i] = true
		return err
	})
	return out, err
}

// Due implements [queue.Parking].
func (q *Queue) Due(ctx context.Context, now time.Time, limit int, consumers ...string) ([]queue.Parked, error) {
	var out []queue.Parked
	r := newRel(len(consumers)).text("consumer", consumers)
	err := q.s.query(ctx, parkedDue, r, []any{q.s.at(now), limit}, func(rows row) error {
		p, err := scanParked(rows)
		out = append(out, p)
		return err
	})
	return out, err
}

func scanParked(rows row) (queue.Parked, error) {
	var p queue.Parked
	var text string
	err := rows.Scan(&p.Consumer, &text, &p.Attempts, instant{&p.Due}, &p.LastError, &p.Dead, instant{&p.At})
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal([]byte(text), &p.Envelope)
}

func consumedRelation(ids []queue.Consumed) *rel {
	n := len(ids)
	tenant, consumer, event := make([]string, n), make([]string, n), make([]string, n)
	for i, id := range ids {
		tenant[i], consumer[i], event[i] = string(id.Tenant), id.Consumer, id.EventID
	}
	return newRel(n).text("tenant", tenant).text("consumer", consumer).text("event_id", event)
}

// Settle implements [queue.Parking]: one queued write.
func (q *Queue) Settle(ctx context.Context, ids ...queue.Consumed) error {
	return q.s.WithinTx(ctx, func(ctx context.Context) error {
		return q.s.enqueue(ctx, write{table: "hc_parked", text: parkedSettle, rel: consumedRelation(ids), rows: -1})
	})
}

// Postpone implements [queue.Parking].
func (q *Queue) Postpone(ctx context.Context, m queue.Parked) error {
	_, err := q.s.change(ctx, parkedLater, m.Attempts, q.s.at(m.Due), storable(m.LastError), q.s.flag(m.Dead),
		string(m.Envelope.Tenant), m.Consumer, m.Envelope.ID, m.Attempts-1)
	return err
}

// Parked implements [queue.Parking].
func (q *Queue) Parked(ctx context.Context, f queue.Filter) ([]queue.Parked, error) {
	var out []queue.Parked
	args := []any{string(f.Tenant), f.Consumer, q.s.flag(f.DeadOnly), f.After.Envelope.ID, f.After.Consumer, q.s.at(f.After.At), f.Limit}
	err := q.s.query(ctx, parkedList, nil, args, func(rows row) error {
		p, err := scanParked(rows)
		out = append(out, p)
		return err
	})
	return out, err
}

// Retry implements [queue.Parking].
func (q *Queue) Retry(ctx context.Context, now time.Time, ids ...queue.Consumed) (n int64, err error) {
	err = q.s.WithinTx(ctx, func(ctx context.Context) error {
		n = 0
		return q.s.query(ctx, parkedRetry, consumedRelation(ids), []any{q.s.at(now)}, func(row) error {
			n++
			return nil
		})
	})
	return n, err
}
