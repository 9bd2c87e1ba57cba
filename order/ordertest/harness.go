package ordertest

import (
	"context"
	"encoding/json"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/order"
)

// Harness is a fresh, empty database for one test.
type Harness struct {
	Store order.Store
	Tx    hyperlocal.TxRunner
	// Outbox and Idempotency of the same database; RunService needs them.
	Outbox      hyperlocal.Outbox
	Idempotency hyperlocal.Idempotency
	// Intake, if set, is what RunService gathers single calls with.
	Intake *order.Intake
}

// Clock is a clock that stands still until it is told to move. It is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands at a fixed instant.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 3, 14, 9, 26, 53, 589793000, time.UTC)} }

// Now implements hyperlocal.Clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock forward.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Set moves the clock to an instant.
func (c *Clock) Set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = hyperlocal.Instant(at)
}

// Names that the tests use.
const (
	tenant = hyperlocal.TenantID("acme")
	other  = hyperlocal.TenantID("other")
)

func gbp(minor int64) hyperlocal.Money {
	m, err := hyperlocal.NewMoney(minor, "GBP")
	if err != nil {
		panic(err) // GBP is a currency
	}
	return m
}

func within(t *testing.T, tx hyperlocal.TxRunner, fn func(ctx context.Context) error) {
	t.Helper()
	if err := tx.WithinTx(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantReason(t *testing.T, err error, want *hyperlocal.Error) {
	t.Helper()
	if hyperlocal.ReasonOf(err) != want.Reason {
		t.Fatalf("got error %v, want %s", err, want.Reason)
	}
}

func wantCode(t *testing.T, err error, want hyperlocal.Code) {
	t.Helper()
	if !hyperlocal.IsCode(err, want) {
		t.Fatalf("got error %v, want code %s", err, want)
	}
}

// spell brings values into a form in which equal values are equal: JSON may be kept with
// other spacing and key order, empty lists may come back as nil, and times may be in
// another location. Fields that JSON leaves out are compared by reading them.
func spell(t *testing.T, v any) any {
	t.Helper()
	raw, err := json.Marshal(v)
	noError(t, err)
	var plain any
	noError(t, json.Unmarshal(raw, &plain))
	hidden := []any{plain}
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Slice {
		for i := range rv.Len() {
			hidden = append(hidden, spell(t, rv.Index(i).Interface()))
		}
	}
	switch x := v.(type) {
	case order.Order:
		hidden = append(hidden, x.Fingerprint, x.PaidWith)
	case order.Credit:
		hidden = append(hidden, x.Fingerprint)
	}
	return hidden
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if a, b := spell(t, got), spell(t, want); !reflect.DeepEqual(a, b) {
		t.Fatalf("got\n%+v\nwant\n%+v", a, b)
	}
}
