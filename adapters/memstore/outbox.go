package memstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/eventbus/queue"
)

// place is where an event stands among those of its aggregate.
type place struct {
	tenant    hyperlocal.TenantID
	aggregate hyperlocal.Ref
	version   int64
	n         int
}

type outboxRow struct {
	envelope    hyperlocal.Envelope
	published   bool
	publishedAt time.Time
}

type outboxTables struct {
	rows    *table[place, outboxRow]
	pending *table[place, delivery] // of rows that have not been published
}

func newOutboxTables() *outboxTables {
	return &outboxTables{rows: newTable[place, outboxRow](), pending: newTable[place, delivery]()}
}

// Outbox implements [hyperlocal.Outbox].
type Outbox struct {
	db *DB
	t  *outboxTables
}

var _ hyperlocal.Outbox = (*Outbox)(nil)

// Outbox returns the database's outbox.
func (db *DB) Outbox() *Outbox { return &Outbox{db: db, t: part(db, newOutboxTables)} }

// TxScope implements [hyperlocal.Scoped].
func (o *Outbox) TxScope() hyperlocal.Scope { return o.db.TxScope() }

var (
	errOutboxTwice = hyperlocal.NewError(hyperlocal.CodeInternal, "outbox/duplicate",
		"two events claim the same place (aggregate version, n) of one aggregate")
	errInvalidID = hyperlocal.NewError(hyperlocal.CodeInvalid, "store/invalid_id", "an identifier is not a UUID in lower case")
)

// Append implements [hyperlocal.Outbox]. Two events at the same place of one aggregate are
// refused with code internal, reason "outbox/duplicate".
func (o *Outbox) Append(ctx context.Context, envelopes ...hyperlocal.Envelope) error {
	t, err := o.db.must(ctx)
	if err != nil {
		return err
	}
	for _, e := range envelopes {
		if !hyperlocal.ValidID(e.ID) {
			return errInvalidID.With("field", "id")
		}
		at := place{e.Tenant, e.Aggregate, e.AggregateVersion, e.N}
		if _, taken := o.t.rows.get(at); taken {
			return errOutboxTwice
		}
		e.Time = hyperlocal.Instant(e.Time)
		e.Payload = slices.Clone(e.Payload)
		o.t.rows.put(t, at, outboxRow{envelope: e})
		o.t.pending.put(t, at, delivery{shard: queue.Shard(e.PartitionKey())})
	}
	return nil
}

// Pending returns up to limit events that have not been published, by aggregate and within
// it in order. It is for inspection and tests; a relay claims its work by shard.
func (o *Outbox) Pending(ctx context.Context, limit int) ([]hyperlocal.Envelope, error) {
	var out []hyperlocal.Envelope
	err := o.db.read(ctx, func() error {
		for _, row := range o.t.rows.all() {
			if !row.published {
				out = append(out, row.envelope)
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b hyperlocal.Envelope) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Aggregate.Kind, b.Aggregate.Kind),
			cmp.Compare(a.Aggregate.ID, b.Aggregate.ID), cmp.Compare(a.AggregateVersion, b.AggregateVersion), cmp.Compare(a.N, b.N))
	})
	out = out[:min(limit, len(out))]
	for i := range out {
		out[i].Payload = slices.Clone(out[i].Payload)
	}
	return out, err
}
