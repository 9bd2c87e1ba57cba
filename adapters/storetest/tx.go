package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Harness opens the database under test.
type Harness struct {
	// Open returns an empty, migrated database that belongs to tb alone and is closed with it.
	Open func(tb testing.TB) Parts
	// ManyWriters says that several transactions can be open at once, as on PostgreSQL.
	ManyWriters bool
}

// Parts is what a database offers besides the stores of the contexts. All parts share
// transactions.
type Parts struct {
	Tx          hyperlocal.TxRunner
	Outbox      hyperlocal.Outbox
	Inbox       hyperlocal.Inbox
	Schedules   hyperlocal.Schedules
	Idempotency hyperlocal.Idempotency
	// Pending lists up to limit unpublished events, by tenant, aggregate and place.
	Pending func(ctx context.Context, limit int) ([]hyperlocal.Envelope, error)
	// Due lists up to limit schedules that are due, earliest first.
	Due func(ctx context.Context, at time.Time, limit int) ([]hyperlocal.Scheduled, error)
}

// RunTx checks transactions, and the outbox, inbox, schedules and idempotency keys that
// live in them.
func RunTx(t *testing.T, h Harness) {
	t.Helper()
	cases := []struct {
		name string
		run  func(k *txKit)
	}{
		{"commit", (*txKit).commits},
		{"error rolls back", (*txKit).errorRollsBack},
		{"panic rolls back", (*txKit).panicRollsBack},
		{"goexit rolls back", (*txKit).goexitRollsBack},
		{"cancelled before it begins", (*txKit).cancelledBefore},
		{"cancelled before the commit", (*txKit).cancelledInside},
		{"join", (*txKit).joins},
		{"failed join takes back its own", (*txKit).failedJoin},
		{"after commit", (*txKit).afterCommit},
		{"nested without ctx", (*txKit).nestedWithoutCtx},
		{"ctx outlives its transaction", (*txKit).finished},
		{"transaction required", (*txKit).required},
		{"others see only what is committed", (*txKit).isolation},
		{"parallel writers", (*txKit).parallel},
		{"parts share a scope", (*txKit).scope},
		{"outbox round trip", (*txKit).outboxRoundTrip},
		{"outbox order and size", (*txKit).outboxOrder},
		{"outbox refuses a taken place", (*txKit).outboxDuplicate},
		{"inbox", (*txKit).inbox},
		{"inbox rollback", (*txKit).inboxRollback},
		{"inbox parallel", (*txKit).inboxParallel},
		{"schedules", (*txKit).schedules},
		{"idempotency", (*txKit).idempotency},
		{"idempotency batch", (*txKit).idempotencyBatch},
		{"idempotency rollback and free", (*txKit).idempotencyFree},
		{"idempotency foreseen", (*txKit).idempotencyForeseen},
		{"idempotency isolation", (*txKit).idempotencyIsolation},
		{"idempotency hundred twins", (*txKit).idempotencyTwins},
		{"idempotency slow twin", (*txKit).idempotencySlowTwin},
		{"idempotency slow twin later in the transaction", (*txKit).idempotencySlowTwinLater},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			k := &txKit{T: t, Parts: h.Open(t), h: h, ctx: ctx}
			c.run(k)
		})
	}
}

type txKit struct {
	*testing.T
	Parts

	h   Harness
	ctx context.Context //nolint:containedctx // one test's context, kept for its helper methods
}

const kitTenant = hyperlocal.TenantID("north")

var errKit = errors.New("the closure failed")

// event returns an envelope of aggregate id at a version.
func txEvent(id string, version int64, n int) hyperlocal.Envelope {
	return hyperlocal.Envelope{
		ID: hyperlocal.RandomIDs{}.NewID(), Name: "kit.happened", Version: 1, Tenant: kitTenant,
		Aggregate: hyperlocal.NewRef("thing", id), AggregateVersion: version, N: n,
		Time: time.Date(2025, 11, 21, 12, 30, 15, 123456000, time.UTC), Actor: hyperlocal.System("kit"), Payload: json.RawMessage(`{"a":1}`),
	}
}

// pending returns "aggregate@version.n" of all unpublished events.
func (k *txKit) pending(t *testing.T, ctx context.Context) []string {
	t.Helper()
	list, err := k.Pending(ctx, 10_000)
	if err != nil {
		t.Fatalf("Pending: %v", err)
	}
	out := make([]string, 0, len(list))
	for _, e := range list {
		out = append(out, fmt.Sprintf("%s@%d.%d", e.Aggregate.ID, e.AggregateVersion, e.N))
	}
	return out
}

func (k *txKit) wantPending(t *testing.T, want ...string) {
	t.Helper()
	if got := k.pending(t, k.ctx); !slices.Equal(got, want) {
		t.Errorf("the outbox holds %q, want %q", got, want)
	}
}

func wantReason(t *testing.T, err error, code hyperlocal.Code, reason string) {
	t.Helper()
	if !hyperlocal.IsCode(err, code) || hyperlocal.ReasonOf(err) != reason {
		t.Errorf("got error %v, want code %s and reason %s", err, code, reason)
	}
}

func mustOK(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (k *txKit) commits() {
	t := k.T
	mustOK(t, k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		if !hyperlocal.InTx(ctx) {
			t.Error("InTx is false inside a closure")
		}
		if err := k.Outbox.Append(ctx, txEvent("a", 1, 0)); err != nil {
			return err
		}
		if got := k.pending(t, ctx); !slices.Equal(got, []string{"a@1.0"}) {
			t.Errorf("inside, the transaction sees %q of its own write", got)
		}
		return k.Outbox.Append(ctx, txEvent("a", 2, 0))
	}))
	if hyperlocal.InTx(k.ctx) {
		t.Error("InTx is true outside")
	}
	k.wantPending(t, "a@1.0", "a@2.0")
}

func (k *txKit) errorRollsBack() {
	t := k.T
	for _, look := range []bool{false, true} { // also after the write has been sent
		err := k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
			if err := k.Outbox.Append(ctx, txEvent("a", 1, 0)); err != nil {
				return err
			}
			if look {
				k.pending(t, ctx)
			}
			return errKit
		})
		if err != errKit { //nolint:errorlint // it must be returned as it is
			t.Errorf("WithinTx returned %v", err)
		}
		k.wantPending(t)
	}
}

func (k *txKit) panicRollsBack() {
	t := k.T
	func() {
		defer func() {
			if got := recover(); got != "kit" {
				t.Errorf("recovered %v, want the closure's panic", got)
			}
		}()
		_ = k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
			mustOK(t, k.Outbox.Append(ctx, txEvent("a", 1, 0)))
			k.pending(t, ctx)
			panic("kit")
		})
	}()
	k.wantPending(t)
	mustOK(t, k.Tx.WithinTx(k.ctx, func(ctx context.Context) error { return k.Outbox.Append(ctx, txEvent("b", 1, 0)) }))
	k.wantPending(t, "b@1.0")
}

func (k *txKit) goexitRollsBack() {
	t := k.T
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
			if err := k.Outbox.Append(ctx, txEvent("a", 1, 0)); err != nil {
				t.Error(err)
			}
			runtime.Goexit()
			return nil
		})
	}()
	<-done
	k.wantPending(t)
	mustOK(t, k.Tx.WithinTx(k.ctx, func(ctx context.Context) error { return k.Outbox.Append(ctx, txEvent("b", 1, 0)) }))
}

func (k *txKit) cancelledBefore() {
	t := k.T
	ctx, cancel := context.WithCancel(k.ctx)
	cancel()
	ran := false
	err := k.Tx.WithinTx(ctx, func(context.Context) error { ran = true; return nil })
	if ran || !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) || !errors.Is(err, context.Canceled) {
		t.Errorf("with a cancelled context the closure ran: %v, error: %v", ran, err)
	}
}

func (k *txKit) cancelledInside() {
	t := k.T
	for _, look := range []bool{false, true} {
		ctx, cancel := context.WithCancel(k.ctx)
		err := k.Tx.WithinTx(ctx, func(ctx context.Context) error {
			if err := k.Outbox.Append(ctx, txEvent("a", 1, 0)); err != nil {
				return err
			}
			if look {
				k.pending(t, ctx)
			}
			cancel()
			return nil
		})
		if !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) || !errors.Is(err, context.Canceled) {
			t.Errorf("WithinTx returned %v, want code deadline", err)
		}
		k.wantPending(t)
	}
	mustOK(t, k.Tx.WithinTx(k.ctx, func(ctx context.Context) error { return k.Outbox.Append(ctx, txEvent("b", 1, 0)) }))
	k.wantPending(t, "b@1.0")
}

func (k *txKit) joins() {
	t := k.T
	err := k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		if err := k.Outbox.Append(ctx, txEvent("a", 1, 0)); err != nil {
			return err
		}
		if err := k.Tx.WithinTx(ctx, func(ctx context.Context) error {
			return k.Outbox.Append(ctx, txEvent("a", 2, 0))
		}); err != nil {
			return err
		}
		if got := k.pending(t, ctx); !slices.Equal(got, []string{"a@1.0", "a@2.0"}) {
			t.Errorf("inside there is %q", got)
		}
		return errKit
	})
	if !errors.Is(err, errKit) {
		t.Errorf("WithinTx returned %v", err)
	}
	k.wantPending(t) // the joined closure committed nothing by itself
}

func (k *txKit) failedJoin() {
	t := k.T
	mustOK(t, k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		if err := k.Outbox.Append(ctx, txEvent("a", 1, 0)); err != nil {
			return err
		}
		err := k.Tx.WithinTx(ctx, func(ctx context.Context) error {
			if err := k.Outbox.Append(ctx, txEvent("a", 2, 0)); err != nil {
				return err
			}
			return errKit
		})
		if err != errKit { //nolint:errorlint // it must be returned as it is
			t.Errorf("the joined closure's error came back as %v", err)
		}
		return k.Outbox.Append(ctx, txEvent("a", 3, 0))
	}))
	k.wantPending(t, "a@1.0", "a@3.0")
}

func (k *txKit) afterCommit() {
	t := k.T
	var log []string
	note := func(what string) func() { return func() { log = append(log, what) } }
	hyperlocal.AfterCommit(k.ctx, note("outside"))
	mustOK(t, k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		hyperlocal.AfterCommit(ctx, note("first"))
		_ = k.Tx.WithinTx(ctx, func(ctx context.Context) error {
			hyperlocal.AfterCommit(ctx, note("joined and failed"))
			return errKit
		})
		hyperlocal.AfterCommit(ctx, func() {
			log = append(log, "second")
			// The transaction is over, so another one may begin.
			if err := k.Tx.WithinTx(k.ctx, func(ctx context.Context) error { return k.Outbox.Append(ctx, txEvent("b", 1, 0)) }); err != nil {
				t.Error(err)
			}
		})
		log = append(log, "closure")
		return k.Outbox.Append(ctx, txEvent("a", 1, 0))
	}))
	_ = k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		hyperlocal.AfterCommit(ctx, note("rolled back"))
		return errKit
	})
	if want := []string{"outside", "closure", "first", "second"}; !slices.Equal(log, want) {
		t.Errorf("AfterCommit ran %q, want %q", log, want)
	}
	k.wantPending(t, "a@1.0", "b@1.0")
}

func (k *txKit) nestedWithoutCtx() {
	t := k.T
	mustOK(t, k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		start := hyperlocal.Stopwatch()
		err := k.Tx.WithinTx(k.ctx, func(context.Context) error { return nil }) //nolint:contextcheck // the mistake that is tested
		wantReason(t, err, hyperlocal.CodeInternal, "tx/nested_without_ctx")
		if d := hyperlocal.Since(start); d > 10*time.Second {
			t.Errorf("naming the mistake took %v", d)
		}
		return k.Outbox.Append(ctx, txEvent("a", 1, 0))
	}))
	k.wantPending(t, "a@1.0")
}

func (k *txKit) finished() {
	t := k.T
	var kept context.Context
	mustOK(t, k.Tx.WithinTx(k.ctx, func(ctx context.Context) error { kept = ctx; return nil })) //nolint:fatcontext // the mistake that is tested
	err := k.Tx.WithinTx(kept, func(context.Context) error { return nil })
	wantReason(t, err, hyperlocal.CodeInternal, "tx/finished")
	wantReason(t, k.Outbox.Append(kept, txEvent("a", 1, 0)), hyperlocal.CodeInternal, "tx/finished")
	if _, err := k.Pending(kept, 1); err == nil {
		t.Error("reading through a finished transaction succeeded")
	}
	k.wantPending(t)
}

func (k *txKit) required() {
	t := k.T
	key := []hyperlocal.IdempotencyKey{{Tenant: kitTenant, Caller: "c", Route: "r", Key: "k", Fingerprint: "f"}}
	_, inbox := k.Inbox.Claim(k.ctx, "consumer", kitTenant, "1")
	_, claim := k.Idempotency.Claim(k.ctx, key)
	for name, err := range map[string]error{
		"Outbox.Append":        k.Outbox.Append(k.ctx, txEvent("a", 1, 0)),
		"Inbox.Claim":          inbox,
		"Schedules.Schedule":   k.Schedules.Schedule(k.ctx, hyperlocal.Scheduled{Key: "k", Envelope: txEvent("a", 1, 0)}),
		"Schedules.Unschedule": k.Schedules.Unschedule(k.ctx, kitTenant, "k"),
		"Idempotency.Claim":    claim,
		"Idempotency.Complete": k.Idempotency.Complete(k.ctx, key, []json.RawMessage{nil}),
		"Idempotency.Free":     k.Idempotency.Free(k.ctx, key),
	} {
		t.Run(name, func(t *testing.T) { wantReason(t, err, hyperlocal.CodeInternal, "tx/required") })
	}
}

func (k *txKit) isolation() {
	t := k.T
	written, looked := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(looked)
		<-written
		ctx, cancel := context.WithTimeout(k.ctx, 100*time.Millisecond)
		defer cancel()
		list, err := k.Pending(ctx, 10) // sees nothing, or waits
		if len(list) > 0 || err != nil && !hyperlocal.IsCode(err, hyperlocal.CodeDeadline) {
			t.Errorf("a reader outside sees %d uncommitted events, error %v", len(list), err)
		}
	}()
	mustOK(t, k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		if err := k.Outbox.Append(ctx, txEvent("a", 1, 0)); err != nil {
			return err
		}
		k.pending(t, ctx) // the write has been sent
		close(written)
		<-looked
		return nil
	}))
	k.wantPending(t, "a@1.0")
}

func (k *txKit) parallel() {
	t := k.T
	const writers, each = 16, 8
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				err := k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
					if err := k.Outbox.Append(ctx, txEvent(fmt.Sprintf("w%02d", w), int64(i+1), 0)); err != nil {
						return err
					}
					if i%2 == 1 {
						_, err := k.Pending(ctx, 1)
						return errors.Join(err, errKit)
					}
					return nil
				})
				if (i%2 == 1) != errors.Is(err, errKit) || i%2 == 0 && err != nil {
					t.Errorf("writer %d, transaction %d: %v", w, i, err)
				}
			}
		})
	}
	all.Wait()
	if got := k.pending(t, k.ctx); len(got) != writers*each/2 {
		t.Errorf("%d events were committed, want %d", len(got), writers*each/2)
	}
}

func (k *txKit) scope() {
	t := k.T
	mustOK(t, hyperlocal.SameScope(k.Tx, k.Outbox, k.Inbox, k.Schedules, k.Idempotency))
	if s, ok := k.Tx.(hyperlocal.Scoped); !ok || s.TxScope() == nil {
		t.Error("the runner does not tell its scope")
	}
	other := k.h.Open(t)
	if err := hyperlocal.SameScope(k.Tx, other.Outbox); !errors.Is(err, hyperlocal.ErrMixedScopes) {
		t.Errorf("parts of two databases are taken for one: %v", err)
	}
}

func (k *txKit) outboxRoundTrip() {
	t := k.T
	want := []hyperlocal.Envelope{txEvent("ü/日本語 🥟", 7, 3), txEvent("plain", 1, 0), txEvent("plain", 1, 1)}
	want[0].Payload = json.RawMessage("{ \"text\" : \"it's \\\"quoted\\\" \\\\ $1 {k} ? 日本語 🥟 \\u0001\",\n\t\"z\":1.50, \"a\":null}")
	want[0].Correlation, want[0].Causation, want[0].TraceParent = "c'o\"r", "cause\\", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	want[0].Actor = hyperlocal.Actor{Kind: "shopper", ID: "名前"}
	want[0].Time = time.Date(1969, 7, 20, 20, 17, 40, 999999000, time.UTC)
	want[1].Time = time.Date(2999, 12, 31, 23, 59, 59, 1000, time.FixedZone("east", 8*3600))
	want[2].AggregateVersion = 1 << 60
	mustOK(t, k.Tx.WithinTx(k.ctx, func(ctx context.Context) error { return k.Outbox.Append(ctx, want...) }))
	got, err := k.Pending(k.ctx, 10)
	mustOK(t, err)
	byID := make(map[string]hyperlocal.Envelope)
	for _, e := range got {
		byID[e.ID] = e
	}
	for _, w := range want {
		g := byID[w.ID]
		if !g.Time.Equal(w.Time) || g.Time.Location() != time.UTC {
			t.Errorf("time %v came back as %v", w.Time, g.Time)
		}
		if string(g.Payload) != string(w.Payload) {
			t.Errorf("payload %q came back as %q", w.Payload, g.Payload)
		}
		g.Time, w.Time, g.Payload, w.Payload = time.Time{}, time.Time{}, nil, nil
		if fmt.Sprintf("%+v", g) != fmt.Sprintf("%+v", w) {
			t.Errorf("an envelope came back changed:\n got %+v\nwant %+v", g, w)
		}
	}
}

func (k *txKit) outboxOrder() {
	t := k.T
	const n = 700
	events := make([]hyperlocal.Envelope, n)
	for i := range events {
		events[n-1-i] = txEvent("a", int64(i/2+1), i%2)
	}
	mustOK(t, k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		return errors.Join(k.Outbox.Append(ctx), k.Outbox.Append(ctx, events[:1]...), k.Outbox.Append(ctx, events[1:]...))
	}))
	got, err := k.Pending(k.ctx, n+1)
	mustOK(t, err)
	if len(got) != n {
		t.Fatalf("%d events came back, want %d", len(got), n)
	}
	for i, e := range got {
		if e.AggregateVersion != int64(i/2+1) || e.N != i%2 {
			t.Fatalf("event %d is version %d.%d", i, e.AggregateVersion, e.N)
		}
	}
	if got, err := k.Pending(k.ctx, 3); err != nil || len(got) != 3 {
		t.Errorf("with limit 3: %d events, %v", len(got), err)
	}
}

func (k *txKit) outboxDuplicate() {
	t := k.T
	mustOK(t, k.Tx.WithinTx(k.ctx, func(ctx context.Context) error { return k.Outbox.Append(ctx, txEvent("a", 1, 0)) }))
	err := k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		return k.Outbox.Append(ctx, txEvent("b", 1, 0), txEvent("a", 1, 0))
	})
	wantReason(t, err, hyperlocal.CodeInternal, "outbox/duplicate")
	k.wantPending(t, "a@1.0")
	bad := txEvent("c", 1, 0)
	bad.ID = "not-a-uuid"
	err = k.Tx.WithinTx(k.ctx, func(ctx context.Context) error { return k.Outbox.Append(ctx, bad) })
	wantReason(t, err, hyperlocal.CodeInvalid, "store/invalid_id")
}

func (k *txKit) claimInbox(t *testing.T, consumer string, tenant hyperlocal.TenantID, ids ...string) []string {
	t.Helper()
	var fresh []string
	mustOK(t, k.Tx.WithinTx(k.ctx, func(ctx context.Context) (err error) {
		fresh, err = k.Inbox.Claim(ctx, consumer, tenant, ids...)
		return err
	}))
	return fresh
}

func (k *txKit) inbox() {
	t := k.T
	for _, c := range []struct {
		consumer string
		tenant   hyperlocal.TenantID
		ids      []string
		want     []string
	}{
		{"mail", kitTenant, []string{"3", "1", "2"}, []string{"3", "1", "2"}},
		{"mail", kitTenant, []string{"2", "4", "3", "4"}, []string{"4"}},
		{"mail", kitTenant, nil, nil},
		{"mail", kitTenant, []string{"1"}, nil},
		{"points", kitTenant, []string{"1"}, []string{"1"}},
		{"mail", "south", []string{"1"}, []string{"1"}},
	} {
		if got := k.claimInbox(t, c.consumer, c.tenant, c.ids...); !slices.Equal(got, c.want) {
			t.Errorf("%s of %s claims %q and gets %q, want %q", c.consumer, c.tenant, c.ids, got, c.want)
		}
	}
}

func (k *txKit) inboxRollback() {
	t := k.T
	err := k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		for _, want := range [][]string{{"1"}, nil} {
			got, err := k.Inbox.Claim(ctx, "mail", kitTenant, "1")
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("Claim = %q, %v, want %q", got, err, want)
			}
		}
		return errKit
	})
	if !errors.Is(err, errKit) {
		t.Fatal(err)
	}
	if got := k.claimInbox(t, "mail", kitTenant, "1"); len(got) != 1 {
		t.Error("the claim of a transaction that was rolled back still counts")
	}
}

func (k *txKit) inboxParallel() {
	t := k.T
	ids := []string{"5", "3", "9", "1", "7"}
	var mu sync.Mutex
	seen := make(map[string]int)
	var all sync.WaitGroup
	for g := range 20 {
		all.Go(func() {
			mine := slices.Clone(ids)
			if g%2 == 0 {
				slices.Reverse(mine)
			}
			fresh := k.claimInbox(t, "mail", kitTenant, mine...)
			mu.Lock()
			defer mu.Unlock()
			for _, id := range fresh {
				seen[id]++
			}
		})
	}
	all.Wait()
	for _, id := range ids {
		if seen[id] != 1 {
			t.Errorf("event %s was handled %d times", id, seen[id])
		}
	}
}

func (k *txKit) schedules() {
	t := k.T
	at := time.Date(2025, 11, 21, 9, 0, 0, 0, time.UTC)
	entry := func(tenant hyperlocal.TenantID, key string, due time.Time, id string) hyperlocal.Scheduled {
		e := txEvent(id, 1, 0)
		e.Tenant = tenant
		return hyperlocal.Scheduled{Key: key, Due: due, Envelope: e}
	}
	due := func(ctx context.Context, at time.Time) string {
		list, err := k.Due(ctx, at, 10)
		mustOK(t, err)
		var out []string
		for _, e := range list {
			out = append(out, string(e.Envelope.Tenant)+"/"+e.Key+"="+e.Envelope.Aggregate.ID)
		}
		return strings.Join(out, " ")
	}
	in := func(f func(ctx context.Context) error) { t.Helper(); mustOK(t, k.Tx.WithinTx(k.ctx, f)) }
	in(func(ctx context.Context) error {
		err := k.Schedules.Schedule(ctx,
			entry(kitTenant, "b", at.Add(2*time.Minute), "x"), entry(kitTenant, "a", at.Add(time.Minute), "y"),
			entry("south", "a", at, "z"), entry(kitTenant, "a", at.Add(3*time.Minute), "last"))
		if got := due(ctx, at.Add(time.Hour)); err == nil && got != "south/a=z north/b=x north/a=last" {
			t.Errorf("inside the transaction %q are due", got)
		}
		return errors.Join(err, k.Schedules.Schedule(ctx), k.Schedules.Unschedule(ctx, kitTenant))
	})
	if got := due(k.ctx, at.Add(2*time.Minute)); got != "south/a=z north/b=x" {
		t.Errorf("after two minutes %q are due", got)
	}
	_ = k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		return errors.Join(k.Schedules.Unschedule(ctx, "south", "a"), errKit)
	})
	in(func(ctx context.Context) error {
		return errors.Join(
			k.Schedules.Schedule(ctx, entry(kitTenant, "c", at, "c")),
			k.Schedules.Unschedule(ctx, kitTenant, "a", "never", "c"),
			k.Schedules.Schedule(ctx, entry(kitTenant, "b", at, "again")))
	})
	if got := due(k.ctx, at.Add(time.Hour)); got != "north/b=again south/a=z" {
		t.Errorf("at the end %q are due", got)
	}
}
