package bunstore

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Schedules implements [hyperlocal.Schedules] on the table hc_schedules.
type Schedules struct{ s *Store }

var _ hyperlocal.Schedules = (*Schedules)(nil)

// Schedules returns the store's schedules.
func (s *Store) Schedules() *Schedules { return &Schedules{s} }

// TxScope implements [hyperlocal.Scoped].
func (c *Schedules) TxScope() hyperlocal.Scope { return c.s.TxScope() }

const (
	scheduleAdd = `INSERT INTO hc_schedules (tenant, key, due, envelope)
SELECT tenant, key, due, envelope FROM {k} k WHERE true
ON CONFLICT (tenant, key) DO UPDATE SET due = excluded.due, envelope = excluded.envelope`
	scheduleRemove = `DELETE FROM hc_schedules WHERE (tenant, key) IN (SELECT tenant, key FROM {k} k)`
	scheduleDue    = `SELECT key, due, envelope FROM hc_schedules WHERE due <= $1 ORDER BY due, tenant, key LIMIT $2`
)

// Schedule implements [hyperlocal.Schedules]: one queued write. Of entries with equal keys
// the last one stays.
func (c *Schedules) Schedule(ctx context.Context, entries ...hyperlocal.Scheduled) error {
	type id struct {
		tenant hyperlocal.TenantID
		key    string
	}
	last := make(map[id]hyperlocal.Scheduled, len(entries))
	for _, e := range entries {
		last[id{e.Envelope.Tenant, e.Key}] = e
	}
	order := make([]id, 0, len(last))
	for k := range last {
		order = append(order, k)
	}
	slices.SortFunc(order, func(a, b id) int {
		if c := strings.Compare(string(a.tenant), string(b.tenant)); c != 0 {
			return c
		}
		return strings.Compare(a.key, b.key)
	})
	n := len(order)
	tenant, key, doc, due := make([]string, n), make([]string, n), make([]string, n), make([]time.Time, n)
	for i, k := range order {
		e := last[k]
		text, err := json.Marshal(e.Envelope)
		if err != nil {
			return internal("schedule/unencodable", "an envelope cannot be encoded").WithCause(err)
		}
		tenant[i], key[i], doc[i], due[i] = string(k.tenant), k.key, string(text), e.Due
	}
	r := newRel(n).text("tenant", tenant).text("key", key).at("due", due).text("envelope", doc)
	return c.s.enqueue(ctx, write{table: "hc_schedules", text: scheduleAdd, rel: r, rows: int64(n)})
}

// Unschedule implements [hyperlocal.Schedules]: one queued write.
func (c *Schedules) Unschedule(ctx context.Context, tenant hyperlocal.TenantID, keys ...string) error {
	keys = slices.Compact(slices.Sorted(slices.Values(keys)))
	r := newRel(len(keys)).text("tenant", repeat(string(tenant), len(keys))).text("key", keys)
	return c.s.enqueue(ctx, write{table: "hc_schedules", text: scheduleRemove, rel: r, rows: -1})
}

// Due returns up to limit entries that are due at the given time, earliest first. It takes
// nothing away: a relay removes an entry in the transaction that moves it to the outbox.
func (c *Schedules) Due(ctx context.Context, at time.Time, limit int) ([]hyperlocal.Scheduled, error) {
	var out []hyperlocal.Scheduled
	err := c.s.query(ctx, scheduleDue, nil, []any{c.s.at(at), limit}, func(rows row) error {
		var e hyperlocal.Scheduled
		var text string
		if err := rows.Scan(&e.Key, instant{&e.Due}, &text); err != nil {
			return err
		}
		out = append(out, e)
		return json.Unmarshal([]byte(text), &out[len(out)-1].Envelope)
	})
	return out, err
}
