package memstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox"
)

type sandboxKey struct {
	tenant hyperlocal.TenantID
	key    string
}

type sandboxTables struct {
	records *table[sandboxKey, sandbox.Record]
	intents *table[sandboxKey, []string] // keys of records by intent
}

func newSandboxTables() *sandboxTables {
	return &sandboxTables{records: newTable[sandboxKey, sandbox.Record](), intents: newTable[sandboxKey, []string]()}
}

// SandboxLog keeps the charge log of the sandbox gateway in the database, in transactions of
// its own: it stands for a provider, who knows nothing of ours.
type SandboxLog struct {
	db *DB
	t  *sandboxTables
}

var _ sandbox.Log = (*SandboxLog)(nil)

// SandboxLog returns the charge log of the sandbox gateway.
func (db *DB) SandboxLog() *SandboxLog { return &SandboxLog{db: db, t: part(db, newSandboxTables)} }

// Append implements [sandbox.Log].
func (l *SandboxLog) Append(ctx context.Context, tenant hyperlocal.TenantID, intent, key string,
	decide func(past []sandbox.Record) (sandbox.Record, error),
) (r sandbox.Record, fresh bool, err error) {
	if hyperlocal.InTx(ctx) {
		return sandbox.Record{}, false, hyperlocal.ErrNetworkInTx
	}
	err = l.db.write(ctx, func(t *tx) error {
		known, ok := l.t.records.get(sandboxKey{tenant, key})
		if ok {
			r = known
			return nil
		}
		var err error
		if r, err = decide(l.of(tenant, intent)); err != nil {
			return err
		}
		fresh = true
		l.t.records.put(t, sandboxKey{tenant, key}, r)
		keys, _ := l.t.intents.get(sandboxKey{tenant, intent})
		l.t.intents.put(t, sandboxKey{tenant, intent}, append(slices.Clip(keys), key))
		return nil
	})
	if err != nil {
		return sandbox.Record{}, false, err
	}
	return r, fresh, nil
}

// Change implements [sandbox.Log].
func (l *SandboxLog) Change(ctx context.Context, tenant hyperlocal.TenantID, key string,
	change func(sandbox.Record) (sandbox.Record, error),
) (r sandbox.Record, ok bool, err error) {
	if hyperlocal.InTx(ctx) {
		return sandbox.Record{}, false, hyperlocal.ErrNetworkInTx
	}
	err = l.db.write(ctx, func(t *tx) error {
		if r, ok = l.t.records.get(sandboxKey{tenant, key}); !ok {
			return nil
		}
		now, err := change(r)
		if err != nil {
			return err
		}
		r.Outcome, r.Class, r.Code, r.Fee = now.Outcome, now.Class, now.Code, now.Fee
		l.t.records.put(t, sandboxKey{tenant, key}, r)
		return nil
	})
	if err != nil {
		return sandbox.Record{}, false, err
	}
	return r, ok, nil
}

// Find implements [sandbox.Log].
func (l *SandboxLog) Find(ctx context.Context, tenant hyperlocal.TenantID, key string) (r sandbox.Record, ok bool, err error) {
	err = l.db.read(ctx, func() error {
		r, ok = l.t.records.get(sandboxKey{tenant, key})
		return nil
	})
	return r, ok, err
}

// Records implements [sandbox.Log].
func (l *SandboxLog) Records(ctx context.Context, tenant hyperlocal.TenantID, intent string) (found []sandbox.Record, err error) {
	err = l.db.read(ctx, func() error {
		if intent != "" {
			found = l.of(tenant, intent)
			return nil
		}
		for k, r := range l.t.records.all() {
			if k.tenant == tenant {
				found = append(found, r)
			}
		}
		return nil
	})
	sortRecords(found)
	return found, err
}

func (l *SandboxLog) of(tenant hyperlocal.TenantID, intent string) []sandbox.Record {
	keys, _ := l.t.intents.get(sandboxKey{tenant, intent})
	var found []sandbox.Record
	for _, k := range keys {
		r, _ := l.t.records.get(sandboxKey{tenant, k})
		found = append(found, r)
	}
	sortRecords(found)
	return found
}

func sortRecords(records []sandbox.Record) {
	slices.SortFunc(records, func(a, b sandbox.Record) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Key, b.Key)) })
}
