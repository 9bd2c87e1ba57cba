package cash

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

// Record is one request, and what became of it.
type Record struct {
	Tenant    hyperlocal.TenantID       `json:"tenant"`
	Key       string                    `json:"key"` // idempotency key, unique per tenant
	Intent    string                    `json:"intent"`
	Operation string                    `json:"operation"`
	Verb      hyperlocal.PaymentVerb    `json:"verb"`
	Amount    hyperlocal.Money          `json:"amount"`
	Method    string                    `json:"method,omitempty"`
	Payment   string                    `json:"payment"`  // reference of the charge or authorization it belongs to
	Provider  string                    `json:"provider"` // reference of this request
	Outcome   hyperlocal.PaymentOutcome `json:"outcome"`
	Code      string                    `json:"code,omitempty"` // of a decline
	At        time.Time                 `json:"at"`
	// Holder took the money, or gave it back. It is "" until then, and for what moves none.
	Holder     string           `json:"holder,omitempty"`
	Actor      hyperlocal.Actor `json:"actor"` // who confirmed or declined
	EndedAt    time.Time        `json:"ended_at,omitzero"`
	Settlement string           `json:"settlement,omitempty"` // reference of the settlement it was handed in with
}

// waits reports whether a person has to say something.
func (r *Record) waits() bool {
	return r.Outcome == hyperlocal.OutcomeAction || r.Outcome == hyperlocal.OutcomePending
}

// Settlement is the handing in of what a holder held in one currency.
type Settlement struct {
	Tenant     hyperlocal.TenantID `json:"tenant"`
	Holder     string              `json:"holder"`
	Reference  string              `json:"reference"`  // unique per (tenant, holder)
	Expected   hyperlocal.Money    `json:"expected"`   // by the records; negative for who gave out more than he took
	Counted    hyperlocal.Money    `json:"counted"`    // what was handed in
	Difference hyperlocal.Money    `json:"difference"` // Counted - Expected: negative is missing
	Records    int                 `json:"records"`
	Actor      hyperlocal.Actor    `json:"actor"`
	At         time.Time           `json:"at"`
}

// Log keeps records and settlements; every method uses a transaction of its own. Nothing is ever
// removed. Functions that are passed in must not call the log and may run more than once; what
// they return an error for is not stored.
type Log interface {
	// Append stores what decide returns for the key, unless the key has a record, which is then
	// returned. decide gets the records of the intent, oldest first, which nobody else adds to
	// or changes meanwhile.
	Append(ctx context.Context, tenant hyperlocal.TenantID, intent, key string, decide func(past []Record) (Record, error)) (Record, error)
	// Change replaces a record by what change returns; false if there is none.
	Change(ctx context.Context, tenant hyperlocal.TenantID, key string, change func(Record) (Record, error)) (Record, bool, error)
	// Find returns the record of a key.
	Find(ctx context.Context, tenant hyperlocal.TenantID, key string) (Record, bool, error)
	// Records returns the records of an intent, or of the whole tenant for intent "", oldest first.
	Records(ctx context.Context, tenant hyperlocal.TenantID, intent string) ([]Record, error)
	// Held returns the records with that holder and without a settlement, oldest first.
	Held(ctx context.Context, tenant hyperlocal.TenantID, holder string) ([]Record, error)
	// Settle stores what decide returns, and puts its reference into the records of its
	// currency, unless the reference exists, which is then returned. decide gets what Held
	// returns; nobody else confirms or settles for the holder meanwhile.
	Settle(ctx context.Context, tenant hyperlocal.TenantID, holder, reference string, decide func(held []Record) (Settlement, error)) (Settlement, error)
	// Settlements returns those of a holder, oldest first.
	Settlements(ctx context.Context, tenant hyperlocal.TenantID, holder string) ([]Settlement, error)
}

// MemoryLog is a Log that lives as long as the process. The zero value is ready to use.
type MemoryLog struct {
	mu          sync.Mutex
	records     map[logKey]Record
	intents     map[logKey][]string
	held        map[logKey][]string // keys by holder, not settled
	settlements map[logKey][]Settlement
}

type logKey struct {
	tenant hyperlocal.TenantID
	name   string
}

var _ Log = (*MemoryLog)(nil)

// begin locks the log for one method, unless ctx has ended.
func (l *MemoryLog) begin(ctx context.Context) (func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, payment.ErrNotSent.WithCause(err)
	}
	l.mu.Lock()
	if l.records == nil {
		l.records, l.intents = make(map[logKey]Record), make(map[logKey][]string)
		l.held, l.settlements = make(map[logKey][]string), make(map[logKey][]Settlement)
	}
	return l.mu.Unlock, nil
}

// Append implements [Log].
func (l *MemoryLog) Append(ctx context.Context, tenant hyperlocal.TenantID, intent, key string,
	decide func(past []Record) (Record, error),
) (Record, error) {
	end, err := l.begin(ctx)
	if err != nil {
		return Record{}, err
	}
	defer end()
	if r, ok := l.records[logKey{tenant, key}]; ok {
		return r, nil
	}
	r, err := decide(l.all(tenant, l.intents[logKey{tenant, intent}]))
	if err != nil {
		return Record{}, err
	}
	l.records[logKey{tenant, key}] = r
	l.intents[logKey{tenant, intent}] = append(l.intents[logKey{tenant, intent}], key)
	return r, nil
}

// Change implements [Log].
func (l *MemoryLog) Change(ctx context.Context, tenant hyperlocal.TenantID, key string, change func(Record) (Record, error)) (Record, bool, error) {
	end, err := l.begin(ctx)
	if err != nil {
		return Record{}, false, err
	}
	defer end()
	was, ok := l.records[logKey{tenant, key}]
	if !ok {
		return Record{}, false, nil
	}
	now, err := change(was)
	if err != nil {
		return Record{}, false, err
	}
	l.records[logKey{tenant, key}] = now
	if was.Holder == "" && now.Holder != "" {
		l.held[logKey{tenant, now.Holder}] = append(l.held[logKey{tenant, now.Holder}], key)
	}
	return now, true, nil
}

// Find implements [Log].
func (l *MemoryLog) Find(ctx context.Context, tenant hyperlocal.TenantID, key string) (Record, bool, error) {
	end, err := l.begin(ctx)
	if err != nil {
		return Record{}, false, err
	}
	defer end()
	r, ok := l.records[logKey{tenant, key}]
	return r, ok, nil
}

// Records implements [Log].
func (l *MemoryLog) Records(ctx context.Context, tenant hyperlocal.TenantID, intent string) ([]Record, error) {
	end, err := l.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if intent != "" {
		return l.all(tenant, l.intents[logKey{tenant, intent}]), nil
	}
	var found []Record
	for k, r := range l.records {
		if k.tenant == tenant {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b Record) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Key, b.Key)) })
	return found, nil
}

// Held implements [Log].
func (l *MemoryLog) Held(ctx context.Context, tenant hyperlocal.TenantID, holder string) ([]Record, error) {
	end, err := l.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	return l.all(tenant, l.held[logKey{tenant, holder}]), nil
}

// Settle implements [Log].
func (l *MemoryLog) Settle(ctx context.Context, tenant hyperlocal.TenantID, holder, reference string,
	decide func(held []Record) (Settlement, error),
) (Settlement, error) {
	end, err := l.begin(ctx)
	if err != nil {
		return Settlement{}, err
	}
	defer end()
	k := logKey{tenant, holder}
	for _, s := range l.settlements[k] {
		if s.Reference == reference {
			return s, nil
		}
	}
	s, err := decide(l.all(tenant, l.held[k]))
	if err != nil {
		return Settlement{}, err
	}
	l.settlements[k] = append(l.settlements[k], s)
	l.held[k] = slices.DeleteFunc(l.held[k], func(key string) bool {
		r := l.records[logKey{tenant, key}]
		if r.Amount.Currency() != s.Expected.Currency() {
			return false
		}
		r.Settlement = reference
		l.records[logKey{tenant, key}] = r
		return true
	})
	return s, nil
}

// Settlements implements [Log].
func (l *MemoryLog) Settlements(ctx context.Context, tenant hyperlocal.TenantID, holder string) ([]Settlement, error) {
	end, err := l.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	return slices.Clone(l.settlements[logKey{tenant, holder}]), nil
}

func (l *MemoryLog) all(tenant hyperlocal.TenantID, keys []string) []Record {
	found := make([]Record, len(keys))
	for i, key := range keys {
		found[i] = l.records[logKey{tenant, key}]
	}
	return found
}
