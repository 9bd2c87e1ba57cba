package sandbox

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Record is one request that the sandbox has processed: what a provider would know.
type Record struct {
	Tenant    hyperlocal.TenantID       `json:"tenant"`
	Key       string                    `json:"key"` // idempotency key, unique per tenant
	Intent    string                    `json:"intent"`
	Operation string                    `json:"operation"`
	Attempt   int                       `json:"attempt"`
	Verb      hyperlocal.PaymentVerb    `json:"verb"`
	Amount    hyperlocal.Money          `json:"amount"`
	Method    string                    `json:"method"`
	Payment   string                    `json:"payment"`  // reference of the charge or authorization it belongs to
	Provider  string                    `json:"provider"` // reference of this request
	Outcome   hyperlocal.PaymentOutcome `json:"outcome"`
	Class     hyperlocal.DeclineClass   `json:"class,omitempty"`
	Code      string                    `json:"code,omitempty"`
	Fee       hyperlocal.Money          `json:"fee,omitzero"`
	ReadyAt   time.Time                 `json:"ready_at,omitzero"` // when a pending one succeeds by itself
	At        time.Time                 `json:"at"`
}

// Log keeps records. It is the sandbox's memory and not part of the host's transactions, as
// a provider's would not be: every method uses a transaction of its own. At most one record
// exists per (tenant, key), and none is ever removed.
type Log interface {
	// Append stores what decide returns for the key, unless the key has a record, which is
	// then returned with fresh false. decide gets the records of the intent, oldest first;
	// as long as it runs nobody else appends to an intent that has records. It may run more
	// than once and must not call the log. An error of decide stores nothing.
	Append(ctx context.Context, tenant hyperlocal.TenantID, intent, key string,
		decide func(past []Record) (Record, error)) (r Record, fresh bool, err error)
	// Change replaces the outcome, class, code and fee of a record by what change returns;
	// false if there is no such record.
	Change(ctx context.Context, tenant hyperlocal.TenantID, key string,
		change func(Record) (Record, error)) (Record, bool, error)
	// Find returns the record of a key.
	Find(ctx context.Context, tenant hyperlocal.TenantID, key string) (Record, bool, error)
	// Records returns the records of an intent, or of the whole tenant for intent "", oldest
	// first by (At, Key).
	Records(ctx context.Context, tenant hyperlocal.TenantID, intent string) ([]Record, error)
}

// MemoryLog is a Log that lives as long as the process. The zero value is ready to use.
type MemoryLog struct {
	mu      sync.Mutex
	records map[memoryKey]Record
	intents map[memoryKey][]string // keys of records by intent
}

type memoryKey struct {
	tenant hyperlocal.TenantID
	name   string
}

var _ Log = (*MemoryLog)(nil)

// Append implements [Log].
func (l *MemoryLog) Append(ctx context.Context, tenant hyperlocal.TenantID, intent, key string,
	decide func(past []Record) (Record, error),
) (Record, bool, error) {
	if err := alive(ctx); err != nil {
		return Record{}, false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if r, ok := l.records[memoryKey{tenant, key}]; ok {
		return r, false, nil
	}
	r, err := decide(l.of(tenant, intent))
	if err != nil {
		return Record{}, false, err
	}
	if l.records == nil {
		l.records, l.intents = make(map[memoryKey]Record), make(map[memoryKey][]string)
	}
	l.records[memoryKey{tenant, key}] = r
	l.intents[memoryKey{tenant, intent}] = append(l.intents[memoryKey{tenant, intent}], key)
	return r, true, nil
}

// Change implements [Log].
func (l *MemoryLog) Change(ctx context.Context, tenant hyperlocal.TenantID, key string,
	change func(Record) (Record, error),
) (Record, bool, error) {
	if err := alive(ctx); err != nil {
		return Record{}, false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r, ok := l.records[memoryKey{tenant, key}]
	if !ok {
		return Record{}, false, nil
	}
	now, err := change(r)
	if err != nil {
		return Record{}, false, err
	}
	r.Outcome, r.Class, r.Code, r.Fee = now.Outcome, now.Class, now.Code, now.Fee
	l.records[memoryKey{tenant, key}] = r
	return r, true, nil
}

// Find implements [Log].
func (l *MemoryLog) Find(ctx context.Context, tenant hyperlocal.TenantID, key string) (Record, bool, error) {
	if err := alive(ctx); err != nil {
		return Record{}, false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r, ok := l.records[memoryKey{tenant, key}]
	return r, ok, nil
}

// Records implements [Log].
func (l *MemoryLog) Records(ctx context.Context, tenant hyperlocal.TenantID, intent string) ([]Record, error) {
	if err := alive(ctx); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of(tenant, intent), nil
}

func (l *MemoryLog) of(tenant hyperlocal.TenantID, intent string) []Record {
	var found []Record
	if intent != "" {
		for _, key := range l.intents[memoryKey{tenant, intent}] {
			found = append(found, l.records[memoryKey{tenant, key}])
		}
	} else {
		for k, r := range l.records {
			if k.tenant == tenant {
				found = append(found, r)
			}
		}
	}
	slices.SortFunc(found, func(a, b Record) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Key, b.Key)) })
	return found
}

func alive(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return payment.ErrNotSent.WithCause(err)
	}
	return nil
}
