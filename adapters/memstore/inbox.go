package memstore

import (
	"context"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

type seenKey struct {
	tenant          hyperlocal.TenantID
	consumer, event string
}

type inboxTables struct{ seen *table[seenKey, time.Time] }

func newInboxTables() *inboxTables { return &inboxTables{seen: newTable[seenKey, time.Time]()} }

// Inbox implements [hyperlocal.Inbox].
type Inbox struct {
	db *DB
	t  *inboxTables
}

var _ hyperlocal.Inbox = (*Inbox)(nil)

// Inbox returns the database's inbox.
func (db *DB) Inbox() *Inbox { return &Inbox{db: db, t: part(db, newInboxTables)} }

// TxScope implements [hyperlocal.Scoped].
func (i *Inbox) TxScope() hyperlocal.Scope { return i.db.TxScope() }

// Claim implements [hyperlocal.Inbox]. An id given twice is returned once.
func (i *Inbox) Claim(ctx context.Context, consumer string, tenant hyperlocal.TenantID, ids ...string) ([]string, error) {
	t, err := i.db.must(ctx)
	if err != nil {
		return nil, err
	}
	fresh := make([]string, 0, len(ids))
	for _, id := range ids {
		key := seenKey{tenant, consumer, id}
		if _, seen := i.t.seen.get(key); seen {
			continue
		}
		i.t.seen.put(t, key, i.db.clock.Now())
		fresh = append(fresh, id)
	}
	return fresh, nil
}

// Prune forgets at most limit of the events that were handled before the given time, and
// returns how many. An event that is delivered again after that is handled again, so keep
// them for longer than the outbox keeps what it has published.
func (i *Inbox) Prune(ctx context.Context, before time.Time, limit int) (n int64, err error) {
	err = i.db.write(ctx, func(t *tx) error {
		n = 0
		for key, at := range i.t.seen.all() {
			if n < int64(limit) && at.Before(before) {
				i.t.seen.del(t, key)
				n++
			}
		}
		return nil
	})
	return n, err
}
