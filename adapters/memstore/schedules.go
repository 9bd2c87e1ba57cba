package memstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

type scheduleKey struct {
	tenant hyperlocal.TenantID
	key    string
}

type scheduleTables struct {
	entries *table[scheduleKey, hyperlocal.Scheduled]
}

func newScheduleTables() *scheduleTables {
	return &scheduleTables{entries: newTable[scheduleKey, hyperlocal.Scheduled]()}
}

// Schedules implements [hyperlocal.Schedules].
type Schedules struct {
	db *DB
	t  *scheduleTables
}

var _ hyperlocal.Schedules = (*Schedules)(nil)

// Schedules returns the database's schedules.
func (db *DB) Schedules() *Schedules { return &Schedules{db: db, t: part(db, newScheduleTables)} }

// TxScope implements [hyperlocal.Scoped].
func (c *Schedules) TxScope() hyperlocal.Scope { return c.db.TxScope() }

// Schedule implements [hyperlocal.Schedules]. Of entries with equal keys the last one stays.
func (c *Schedules) Schedule(ctx context.Context, entries ...hyperlocal.Scheduled) error {
	t, err := c.db.must(ctx)
	if err != nil {
		return err
	}
	for _, e := range entries {
		e.Due = hyperlocal.Instant(e.Due)
		e.Envelope.Payload = slices.Clone(e.Envelope.Payload)
		c.t.entries.put(t, scheduleKey{e.Envelope.Tenant, e.Key}, e)
	}
	return nil
}

// Unschedule implements [hyperlocal.Schedules].
func (c *Schedules) Unschedule(ctx context.Context, tenant hyperlocal.TenantID, keys ...string) error {
	t, err := c.db.must(ctx)
	if err != nil {
		return err
	}
	for _, k := range keys {
		c.t.entries.del(t, scheduleKey{tenant, k})
	}
	return nil
}

// Due returns up to limit entries that are due at the given time, earliest first. It takes
// nothing away: a relay removes an entry in the transaction that moves it to the outbox.
func (c *Schedules) Due(ctx context.Context, at time.Time, limit int) ([]hyperlocal.Scheduled, error) {
	var out []hyperlocal.Scheduled
	err := c.db.read(ctx, func() error {
		for _, e := range c.t.entries.all() {
			if !e.Due.After(at) {
				out = append(out, e)
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b hyperlocal.Scheduled) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.Envelope.Tenant, b.Envelope.Tenant), cmp.Compare(a.Key, b.Key))
	})
	out = out[:min(limit, len(out))]
	for i := range out {
		out[i].Envelope.Payload = slices.Clone(out[i].Envelope.Payload)
	}
	return out, err
}
