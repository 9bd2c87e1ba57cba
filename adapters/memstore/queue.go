package memstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
)

// delivery is what a relay knows about an event that has not been published.
type delivery struct {
	shard     int
	attempts  int
	nextTry   time.Time
	lastError string
}

type queueTables struct {
	leases *table[int, queue.Lease]
	relays *table[string, time.Time]
	parked *table[queue.Consumed, queue.Parked]
}

func newQueueTables() *queueTables {
	return &queueTables{
		leases: newTable[int, queue.Lease](), relays: newTable[string, time.Time](),
		parked: newTable[queue.Consumed, queue.Parked](),
	}
}

// Queue implements [queue.Queue] on the outbox and the schedules of the database.
type Queue struct {
	db        *DB
	t         *queueTables
	outbox    *outboxTables
	schedules *scheduleTables
}

var _ queue.Queue = (*Queue)(nil)

// Queue returns the database's queue for the event bus.
func (db *DB) Queue() *Queue {
	return &Queue{
		db: db, t: part(db, newQueueTables),
		outbox: part(db, newOutboxTables), schedules: part(db, newScheduleTables),
	}
}

// TxScope implements [hyperlocal.Scoped].
func (q *Queue) TxScope() hyperlocal.Scope { return q.db.TxScope() }

func queuePlace(p place) queue.Place {
	return queue.Place{Aggregate: queue.Aggregate{Tenant: p.tenant, Ref: p.aggregate}, Version: p.version, N: p.n}
}

func outboxPlace(p queue.Place) place {
	return place{tenant: p.Tenant, aggregate: p.Ref, version: p.Version, n: p.N}
}

// Pending implements [queue.Outgoing].
func (q *Queue) Pending(ctx context.Context, now time.Time, limit int, windows ...queue.Window) ([]queue.Pending, error) {
	var out []queue.Pending
	err := q.db.read(ctx, func() error {
		after := make(map[int]queue.Aggregate, len(windows))
		for _, w := range windows {
			after[w.Shard] = w.After
		}
		held := q.held(now)
		found := make(map[int][]place, len(windows))
		for at, d := range q.outbox.pending.all() {
			start, wanted := after[d.shard]
			p := queuePlace(at)
			if !wanted || p.Aggregate.Compare(start) <= 0 {
				continue
			}
			if h, ok := held[p.Aggregate]; ok && !p.Before(h) {
				continue
			}
			found[d.shard] = append(found[d.shard], at)
		}
		for _, w := range windows {
			places := found[w.Shard]
			slices.SortFunc(places, func(a, b place) int { return queuePlace(a).Compare(queuePlace(b)) })
			for _, at := range places[:min(limit, len(places))] {
				out = append(out, q.pendingAt(at))
			}
		}
		return nil
	})
	return out, err
}

// held returns the first event of each aggregate that keeps it from going on. It is called
// inside a read.
func (q *Queue) held(now time.Time) map[queue.Aggregate]queue.Place {
	held := make(map[queue.Aggregate]queue.Place)
	for at, d := range q.outbox.pending.all() {
		if d.attempts == 0 || d.attempts < queue.MaxAttempts && !d.nextTry.After(now) {
			continue
		}
		p := queuePlace(at)
		if first, ok := held[p.Aggregate]; !ok || p.Before(first) {
			held[p.Aggregate] = p
		}
	}
	return held
}

func (q *Queue) pendingAt(at place) queue.Pending {
	row, _ := q.outbox.rows.get(at)
	d, _ := q.outbox.pending.get(at)
	e := row.envelope
	e.Payload = slices.Clone(e.Payload)
	return queue.Pending{Envelope: e, Attempts: d.attempts, NextTry: d.nextTry, LastError: d.lastError}
}

// Mark implements [queue.Outgoing].
func (q *Queue) Mark(ctx context.Context, at time.Time, published []queue.Place, failed []queue.Failure) error {
	return q.db.write(ctx, func(t *tx) error {
		for _, p := range published {
			key := outboxPlace(p)
			row, ok := q.outbox.rows.get(key)
			if !ok || row.published {
				continue
			}
			row.published, row.publishedAt = true, hyperlocal.Instant(at)
			q.outbox.rows.put(t, key, row)
			q.outbox.pending.del(t, key)
		}
		for _, f := range failed {
			key := outboxPlace(f.Place)
			if d, ok := q.outbox.pending.get(key); ok {
				d.attempts, d.nextTry, d.lastError = f.Attempts, hyperlocal.Instant(f.NextTry), queue.Bound(f.Error)
				q.outbox.pending.put(t, key, d)
			}
		}
		return nil
	})
}

// MoveDue implements [queue.Outgoing].
func (q *Queue) MoveDue(ctx context.Context, now time.Time, limit int) (moved int, err error) {
	if none, err := q.noneDue(ctx, now); none || err != nil {
		return 0, err
	}
	err = q.db.write(ctx, func(t *tx) error {
		due := make([]scheduleKey, 0, 16)
		for key, e := range q.schedules.entries.all() {
			if !e.Due.After(now) {
				due = append(due, key)
			}
		}
		slices.SortFunc(due, func(a, b scheduleKey) int {
			x, _ := q.schedules.entries.get(a)
			y, _ := q.schedules.entries.get(b)
			return cmp.Or(x.Due.Compare(y.Due), cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.key, b.key))
		})
		due = due[:min(limit, len(due))]
		version := hyperlocal.Instant(now).UnixMicro()
		for n, key := range due {
			s, _ := q.schedules.entries.get(key)
			e := s.Envelope
			e.AggregateVersion, e.N = version, n
			for q.taken(e) {
				e.AggregateVersion++
			}
			at := outboxPlace(queue.PlaceOf(e))
			q.outbox.rows.put(t, at, outboxRow{envelope: e})
			q.outbox.pending.put(t, at, delivery{shard: queue.Shard(e.PartitionKey())})
			q.schedules.entries.del(t, key)
		}
		moved = len(due)
		return nil
	})
	return moved, err
}

func (q *Queue) noneDue(ctx context.Context, now time.Time) (none bool, err error) {
	none = true
	err = q.db.read(ctx, func() error {
		for _, e := range q.schedules.entries.all() {
			if !e.Due.After(now) {
				none = false
				return nil
			}
		}
		return nil
	})
	return none, err
}

func (q *Queue) taken(e hyperlocal.Envelope) bool {
	_, taken := q.outbox.rows.get(outboxPlace(queue.PlaceOf(e)))
	return taken
}

// Prune implements [queue.Outgoing].
func (q *Queue) Prune(ctx context.Context, before time.Time, limit int) (n int64, err error) {
	err = q.db.write(ctx, func(t *tx) error {
		n = 0
		for at, row := range q.outbox.rows.all() {
			if n == int64(limit) {
				break
			}
			if row.published && row.publishedAt.Before(before) {
				q.outbox.rows.del(t, at)
				n++
			}
		}
		return nil
	})
	return n, err
}

// Stuck implements [queue.Outgoing].
func (q *Queue) Stuck(ctx context.Context, limit int) ([]queue.Pending, error) {
	var out []queue.Pending
	err := q.db.read(ctx, func() error {
		for at, d := range q.outbox.pending.all() {
			if d.attempts >= queue.MaxAttempts {
				out = append(out, q.pendingAt(at))
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b queue.Pending) int {
		return queue.PlaceOf(a.Envelope).Compare(queue.PlaceOf(b.Envelope))
	})
	return out[:min(limit, len(out))], err
}

// Revive implements [queue.Outgoing].
func (q *Queue) Revive(ctx context.Context, places ...queue.Place) (n int64, err error) {
	err = q.db.write(ctx, func(t *tx) error {
		n = 0
		for _, p := range places {
			key := outboxPlace(p)
			if d, ok := q.outbox.pending.get(key); ok && d.attempts >= queue.MaxAttempts {
				d.attempts, d.nextTry = 0, time.Time{}
				q.outbox.pending.put(t, key, d)
				n++
			}
		}
		return nil
	})
	return n, err
}

// Statistics implements [queue.Outgoing].
func (q *Queue) Statistics(ctx context.Context, now time.Time) (queue.Statistics, error) {
	var s queue.Statistics
	err := q.db.read(ctx, func() error {
		stuck := make(map[queue.Aggregate]queue.Place)
		for at, d := range q.outbox.pending.all() {
			p := queuePlace(at)
			if first, ok := stuck[p.Aggregate]; d.attempts >= queue.MaxAttempts && (!ok || p.Before(first)) {
				stuck[p.Aggregate] = p
			}
		}
		for at := range q.outbox.pending.all() {
			p := queuePlace(at)
			if first, ok := stuck[p.Aggregate]; ok && !p.Before(first) {
				s.Stuck++
			} else {
				s.Pending++
			}
			row, _ := q.outbox.rows.get(at)
			if s.Oldest.IsZero() || row.envelope.Time.Before(s.Oldest) {
				s.Oldest = row.envelope.Time
			}
		}
		for _, e := range q.schedules.entries.all() {
			if !e.Due.After(now) {
				s.DueSchedules++
			}
		}
		first := q.firstParked()
		for id, p := range q.t.parked.all() {
			switch {
			case p.Dead:
				s.Dead++
			default:
				s.Parked++
				if !p.Due.After(now) && first[aggregateOf(p)] == id {
					s.ParkedDue++
				}
			}
		}
		return nil
	})
	return s, err
}

// Lease implements [queue.Leases].
func (q *Queue) Lease(ctx context.Context, owner string, now, until time.Time, busy []int) (held []int, err error) {
	err = q.db.write(ctx, func(t *tx) error {
		q.t.relays.put(t, owner, until)
		live := 0
		for name, seen := range q.t.relays.all() {
			if seen.After(now) || name == owner {
				live++
			} else {
				q.t.relays.del(t, name)
			}
		}
		leases := make([]queue.Lease, queue.Shards)
		for shard := range leases {
			leases[shard], _ = q.t.leases.get(shard)
		}
		held = queue.Share(leases, owner, live, now, until, busy)
		for shard, l := range leases {
			q.t.leases.put(t, shard, l)
		}
		return nil
	})
	return held, err
}

// Release implements [queue.Leases].
func (q *Queue) Release(ctx context.Context, owner string) error {
	return q.db.write(ctx, func(t *tx) error {
		q.t.relays.del(t, owner)
		for shard, l := range q.t.leases.all() {
			if l.Owner == owner {
				q.t.leases.del(t, shard)
			}
		}
		return nil
	})
}

// Park implements [queue.Parking].
func (q *Queue) Park(ctx context.Context, messages ...queue.Parked) error {
	return q.db.write(ctx, func(t *tx) error {
		for _, p := range messages {
			if _, there := q.t.parked.get(p.ID()); there {
				continue
			}
			p.Due, p.At, p.LastError = hyperlocal.Instant(p.Due), hyperlocal.Instant(p.At), queue.Bound(p.LastError)
			p.Envelope.Time = hyperlocal.Instant(p.Envelope.Time)
			p.Envelope.Payload = slices.Clone(p.Envelope.Payload)
			q.t.parked.put(t, p.ID(), p)
		}
		return nil
	})
}

// consumedAggregate is an aggregate in the eyes of one consumer.
type consumedAggregate struct {
	consumer  string
	aggregate queue.Aggregate
}

func aggregateOf(p queue.Parked) consumedAggregate {
	return consumedAggregate{p.Consumer, queue.PlaceOf(p.Envelope).Aggregate}
}

// firstParked returns the first message with tries left of each aggregate and consumer. It is
// called inside a read.
func (q *Queue) firstParked() map[consumedAggregate]queue.Consumed {
	first := make(map[consumedAggregate]queue.Consumed)
	for id, p := range q.t.parked.all() {
		if p.Dead {
			continue
		}
		key := aggregateOf(p)
		other, ok := first[key]
		if o, _ := q.t.parked.get(other); !ok || queue.PlaceOf(p.Envelope).Before(queue.PlaceOf(o.Envelope)) {
			first[key] = id
		}
	}
	return first
}

// Blocked implements [queue.Parking].
func (q *Queue) Blocked(ctx context.Context, consumer string, events ...hyperlocal.Envelope) ([]bool, error) {
	out := make([]bool, len(events))
	err := q.db.read(ctx, func() error {
		if q.t.parked.len() == 0 {
			return nil
		}
		first := q.firstParked()
		for i, e := range events {
			if _, itself := q.t.parked.get(queue.Consumed{Consumer: consumer, Tenant: e.Tenant, EventID: e.ID}); itself {
				out[i] = true
				continue
			}
			head, ok := first[consumedAggregate{consumer, queue.PlaceOf(e).Aggregate}]
			h, _ := q.t.parked.get(head)
			out[i] = ok && queue.PlaceOf(h.Envelope).Before(queue.PlaceOf(e))
		}
		return nil
	})
	return out, err
}

// Due implements [queue.Parking].
func (q *Queue) Due(ctx context.Context, now time.Time, limit int, consumers ...string) ([]queue.Parked, error) {
	var out []queue.Parked
	err := q.db.read(ctx, func() error {
		for _, id := range q.firstParked() {
			p, _ := q.t.parked.get(id)
			if !p.Due.After(now) && slices.Contains(consumers, p.Consumer) {
				out = append(out, cloneParked(p))
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b queue.Parked) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Consumer, b.Consumer), cmp.Compare(a.Envelope.ID, b.Envelope.ID))
	})
	return out[:min(limit, len(out))], err
}

func cloneParked(p queue.Parked) queue.Parked {
	p.Envelope.Payload = slices.Clone(p.Envelope.Payload)
	return p
}

// Settle implements [queue.Parking].
func (q *Queue) Settle(ctx context.Context, ids ...queue.Consumed) error {
	return q.db.write(ctx, func(t *tx) error {
		for _, id := range ids {
			q.t.parked.del(t, id)
		}
		return nil
	})
}

// Postpone implements [queue.Parking].
func (q *Queue) Postpone(ctx context.Context, m queue.Parked) error {
	return q.db.write(ctx, func(t *tx) error {
		p, ok := q.t.parked.get(m.ID())
		if !ok || p.Attempts != m.Attempts-1 {
			return nil
		}
		p.Attempts, p.Due, p.LastError, p.Dead = m.Attempts, hyperlocal.Instant(m.Due), queue.Bound(m.LastError), m.Dead
		q.t.parked.put(t, m.ID(), p)
		return nil
	})
}

// Parked implements [queue.Parking].
func (q *Queue) Parked(ctx context.Context, f queue.Filter) ([]queue.Parked, error) {
	order := func(a, b queue.Parked) int {
		return cmp.Or(cmp.Compare(a.Consumer, b.Consumer), a.At.Compare(b.At), cmp.Compare(a.Envelope.ID, b.Envelope.ID))
	}
	var out []queue.Parked
	err := q.db.read(ctx, func() error {
		for id, p := range q.t.parked.all() {
			if id.Tenant != f.Tenant || f.Consumer != "" && id.Consumer != f.Consumer || f.DeadOnly && !p.Dead ||
				f.After.Envelope.ID != "" && order(p, f.After) <= 0 {
				continue
			}
			out = append(out, cloneParked(p))
		}
		return nil
	})
	slices.SortFunc(out, order)
	return out[:min(f.Limit, len(out))], err
}

// Retry implements [queue.Parking].
func (q *Queue) Retry(ctx context.Context, now time.Time, ids ...queue.Consumed) (n int64, err error) {
	err = q.db.write(ctx, func(t *tx) error {
		n = 0
		for _, id := range ids {
			if p, ok := q.t.parked.get(id); ok {
				p.Attempts, p.Due, p.Dead = 0, hyperlocal.Instant(now), false
				q.t.parked.put(t, id, p)
				n++
			}
		}
		return nil
	})
	return n, err
}
