package bunstore

import (
	"context"
	"encoding/json"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// OutboxShards is the number of shards that partition keys are spread over.
const OutboxShards = 32

// OutboxShard returns the shard of a partition key: its FNV-1a hash in 32 bits, modulo
// OutboxShards.
func OutboxShard(partitionKey string) int {
	h := uint32(2166136261)
	for i := range len(partitionKey) {
		h = (h ^ uint32(partitionKey[i])) * 16777619
	}
	return int(h % OutboxShards)
}

var errOutboxTwice = internal("outbox/duplicate",
	"two events claim the same place (aggregate version, n) of one aggregate")

// Outbox implements [hyperlocal.Outbox] on the table hc_outbox.
type Outbox struct{ s *Store }

var _ hyperlocal.Outbox = (*Outbox)(nil)

// Outbox returns the store's outbox.
func (s *Store) Outbox() *Outbox { return &Outbox{s} }

// TxScope implements [hyperlocal.Scoped].
func (o *Outbox) TxScope() hyperlocal.Scope { return o.s.TxScope() }

const outboxAppend = `INSERT INTO hc_outbox (tenant, aggregate_kind, aggregate_id, aggregate_version, n, id, shard,
	name, version, occurred_at, correlation, causation, actor_kind, actor_id, trace_parent, payload, next_try_at)
SELECT tenant, aggregate_kind, aggregate_id, aggregate_version, n, id, shard,
	name, version, occurred_at, correlation, causation, actor_kind, actor_id, trace_parent, payload, occurred_at
FROM {k} k`

// Append implements [hyperlocal.Outbox]: one queued write, which joins others of the same
// transaction. Two events at the same place of one aggregate fail the transaction with code
// internal, reason "outbox/duplicate".
func (o *Outbox) Append(ctx context.Context, envelopes ...hyperlocal.Envelope) error {
	n := len(envelopes)
	var (
		tenant, kind, agg, id, name    = make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
		correlation, causation, trace  = make([]string, n), make([]string, n), make([]string, n)
		actorKind, actor, payload      = make([]string, n), make([]string, n), make([]string, n)
		aggVersion, place, shard, vers = make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
		occurred                       = make([]time.Time, n)
	)
	for i, e := range envelopes {
		tenant[i], kind[i], agg[i], id[i], name[i] = string(e.Tenant), e.Aggregate.Kind, e.Aggregate.ID, e.ID, e.Name
		correlation[i], causation[i], trace[i] = e.Correlation, e.Causation, e.TraceParent
		actorKind[i], actor[i], payload[i] = e.Actor.Kind, e.Actor.ID, string(e.Payload)
		aggVersion[i], place[i], shard[i], vers[i] = e.AggregateVersion, int64(e.N), int64(OutboxShard(e.PartitionKey())), int64(e.Version)
		occurred[i] = e.Time
	}
	r := newRel(n).text("tenant", tenant).text("aggregate_kind", kind).text("aggregate_id", agg).
		int("aggregate_version", aggVersion).int("n", place).uuid("id", id).int("shard", shard).
		text("name", name).int("version", vers).at("occurred_at", occurred).
		text("correlation", correlation).text("causation", causation).
		text("actor_kind", actorKind).text("actor_id", actor).text("trace_parent", trace).text("payload", payload)
	return o.s.enqueue(ctx, write{table: "hc_outbox", text: outboxAppend, rel: r, rows: int64(n)})
}

const outboxPending = `SELECT tenant, aggregate_kind, aggregate_id, aggregate_version, n, id, name, version, occurred_at,
	correlation, causation, actor_kind, actor_id, trace_parent, payload
FROM hc_outbox WHERE published_at IS NULL
ORDER BY tenant, aggregate_kind, aggregate_id, aggregate_version, n LIMIT $1`

// Pending returns up to limit events that have not been published, by aggregate and within
// it in order. It is for inspection and tests; a relay claims its work by shard.
func (o *Outbox) Pending(ctx context.Context, limit int) ([]hyperlocal.Envelope, error) {
	var out []hyperlocal.Envelope
	err := o.s.query(ctx, outboxPending, nil, []any{limit}, func(rows row) error {
		var e hyperlocal.Envelope
		var payload string
		err := rows.Scan(&e.Tenant, &e.Aggregate.Kind, &e.Aggregate.ID, &e.AggregateVersion, &e.N, &e.ID, &e.Name, &e.Version,
			instant{&e.Time}, &e.Correlation, &e.Causation, &e.Actor.Kind, &e.Actor.ID, &e.TraceParent, &payload)
		e.Payload = json.RawMessage(payload)
		out = append(out, e)
		return err
	})
	return out, err
}
