package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func txKey(name, fingerprint string) hyperlocal.IdempotencyKey {
	return hyperlocal.IdempotencyKey{Tenant: kitTenant, Caller: "caller", Route: "place", Key: name, Fingerprint: fingerprint}
}

// do claims a key, and completes it with result if it is fresh.
func (k *txKit) do(ctx context.Context, id hyperlocal.IdempotencyKey, result string) (claim hyperlocal.Claim, err error) {
	err = k.Tx.WithinTx(ctx, func(ctx context.Context) error {
		keys := []hyperlocal.IdempotencyKey{id}
		claims, err := k.Idempotency.Claim(ctx, keys)
		if err != nil {
			return err
		}
		if claim = claims[0]; !claim.Fresh {
			return nil
		}
		return k.Idempotency.Complete(ctx, keys, []json.RawMessage{json.RawMessage(result)})
	})
	return claim, err
}

func (k *txKit) idempotency() {
	t := k.T
	const result = `{ "id" : "日本", "a":[1.50,null] }`
	first, err := k.do(k.ctx, txKey("k", "f"), result)
	if err != nil || !first.Fresh {
		t.Fatalf("the first claim is %+v, %v", first, err)
	}
	again, err := k.do(k.ctx, txKey("k", "f"), "")
	if err != nil || again.Fresh || again.Err != nil || string(again.Result) != result {
		t.Errorf("a repetition gets %+v %s, %v", again, again.Result, err)
	}
	other, err := k.do(k.ctx, txKey("k", "another"), "")
	if err != nil || !errors.Is(other.Err, hyperlocal.ErrKeyReused) {
		t.Errorf("another request under the key gets %+v, %v", other, err)
	}
	// Claimed and committed, but never completed.
	mustOK(t, k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		_, err := k.Idempotency.Claim(ctx, []hyperlocal.IdempotencyKey{txKey("open", "f")})
		return err
	}))
	open, err := k.do(k.ctx, txKey("open", "f"), "1")
	if err != nil || !errors.Is(open.Err, hyperlocal.ErrKeyInProgress) {
		t.Errorf("a key without a result gets %+v, %v", open, err)
	}
	long := make([]byte, hyperlocal.MaxIdempotencyKey+1)
	for i := range long {
		long[i] = 'k'
	}
	_, err = k.do(k.ctx, txKey(string(long), "f"), "1")
	if !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
		t.Errorf("a key of 256 characters: %v", err)
	}
	if c, err := k.do(k.ctx, txKey(string(long[1:]), "f"), "1"); err != nil || !c.Fresh {
		t.Errorf("a key of 255 characters: %+v, %v", c, err)
	}
}

func (k *txKit) idempotencyBatch() {
	t := k.T
	_, err := k.do(k.ctx, txKey("old", "f"), `"old"`)
	mustOK(t, err)
	keys := []hyperlocal.IdempotencyKey{
		txKey("z", "f"), {}, txKey("old", "f"), txKey("a", "f"), txKey("z", "f"), txKey("old", "x"), txKey("z", "x"), txKey("old", "f"), {},
	}
	want := []string{"fresh", "fresh", `"old"`, "fresh", "progress", "reused", "reused", `"old"`, "fresh"}
	mustOK(t, k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		claims, err := k.Idempotency.Claim(ctx, keys)
		if err != nil {
			return err
		}
		for i, c := range claims {
			got := string(c.Result)
			switch {
			case c.Fresh:
				got = "fresh"
			case errors.Is(c.Err, hyperlocal.ErrKeyInProgress):
				got = "progress"
			case errors.Is(c.Err, hyperlocal.ErrKeyReused):
				got = "reused"
			}
			if got != want[i] {
				t.Errorf("key %d (%s) gets %s, want %s", i, keys[i].Key, got, want[i])
			}
		}
		return k.Idempotency.Complete(ctx, []hyperlocal.IdempotencyKey{keys[0], {}, keys[3]},
			[]json.RawMessage{json.RawMessage(`"z"`), json.RawMessage(`"none"`), nil})
	}))
	for name, want := range map[string]string{"z": `"z"`, "a": "null", "old": `"old"`} {
		if c, err := k.do(k.ctx, txKey(name, "f"), ""); err != nil || string(c.Result) != want {
			t.Errorf("key %s holds %s, %v, want %s", name, c.Result, err, want)
		}
	}
	err = k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		return k.Idempotency.Complete(ctx, []hyperlocal.IdempotencyKey{txKey("z", "f")}, []json.RawMessage{json.RawMessage(`"changed"`)})
	})
	wantReason(t, err, hyperlocal.CodeInternal, "idempotency/not_claimed")
	mustOK(t, k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		claims, err := k.Idempotency.Claim(ctx, nil)
		if len(claims) != 0 {
			t.Errorf("no keys get %d claims", len(claims))
		}
		return err
	}))
}

func (k *txKit) idempotencyFree() {
	t := k.T
	keys := []hyperlocal.IdempotencyKey{txKey("k", "f"), {}, txKey("l", "f")}
	err := k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		if _, err := k.Idempotency.Claim(ctx, keys); err != nil {
			return err
		}
		return errors.Join(k.Idempotency.Complete(ctx, keys, make([]json.RawMessage, 3)), errKit)
	})
	if !errors.Is(err, errKit) {
		t.Fatal(err)
	}
	mustOK(t, k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		claims, err := k.Idempotency.Claim(ctx, keys)
		if err != nil || !claims[0].Fresh || !claims[2].Fresh {
			t.Errorf("after a rollback: %+v, %v", claims, err)
		}
		return k.Idempotency.Free(ctx, keys)
	}))
	for _, id := range []hyperlocal.IdempotencyKey{keys[0], keys[2]} {
		if c, err := k.do(k.ctx, id, "1"); err != nil || !c.Fresh {
			t.Errorf("a freed key gets %+v, %v", c, err)
		}
	}
	err = k.Tx.WithinTx(k.ctx, func(ctx context.Context) error { return k.Idempotency.Free(ctx, keys) })
	wantReason(t, err, hyperlocal.CodeInternal, "idempotency/not_claimed")
}

// idempotencyForeseen claims keys together with the results that are foreseen.
func (k *txKit) idempotencyForeseen() {
	t := k.T
	const result = `{ "id" : "日", "a":[1.50,null] }`
	foreseen := func(name string) hyperlocal.IdempotencyKey {
		id := txKey(name, "f")
		id.Result = json.RawMessage(result)
		return id
	}
	claim := func(ctx context.Context, want string, keys ...hyperlocal.IdempotencyKey) error {
		claims, err := k.Idempotency.Claim(ctx, keys)
		if err != nil {
			return err
		}
		for i, c := range claims {
			got := string(c.Result)
			switch {
			case c.Fresh:
				got = "fresh"
			case errors.Is(c.Err, hyperlocal.ErrKeyInProgress):
				got = "progress"
			case errors.Is(c.Err, hyperlocal.ErrKeyReused):
				got = "reused"
			}
			if got != want {
				t.Errorf("key %s (%d) gets %s, want %s", keys[i].Key, i, got, want)
			}
			want = "progress" // a twin within the call, whatever the first one foresees
		}
		return nil
	}
	in := func(fn func(ctx context.Context) error) error { return k.Tx.WithinTx(k.ctx, fn) }

	// Rolled back, nothing was foreseen.
	if err := in(func(ctx context.Context) error {
		return errors.Join(claim(ctx, "fresh", foreseen("kept"), foreseen("kept")), errKit)
	}); !errors.Is(err, errKit) {
		t.Fatal(err)
	}
	mustOK(t, in(func(ctx context.Context) error { return claim(ctx, "fresh", foreseen("kept"), foreseen("kept")) }))
	other := foreseen("kept")
	other.Result = json.RawMessage(`"ignored"`)
	mustOK(t, in(func(ctx context.Context) error { return claim(ctx, result, other) }))
	other.Fingerprint = "another"
	mustOK(t, in(func(ctx context.Context) error { return claim(ctx, "reused", other) }))

	// It went otherwise than foreseen.
	mustOK(t, in(func(ctx context.Context) error {
		keys := []hyperlocal.IdempotencyKey{foreseen("otherwise"), foreseen("refused"), foreseen("beside")}
		if _, err := k.Idempotency.Claim(ctx, keys); err != nil {
			return err
		}
		return errors.Join(k.Idempotency.Complete(ctx, keys[:1], []json.RawMessage{json.RawMessage(`"otherwise"`)}),
			k.Idempotency.Free(ctx, keys[1:2]))
	}))
	mustOK(t, in(func(ctx context.Context) error { return claim(ctx, `"otherwise"`, foreseen("otherwise")) }))
	mustOK(t, in(func(ctx context.Context) error { return claim(ctx, result, foreseen("beside")) }))
	if c, err := k.do(k.ctx, txKey("refused", "g"), "1"); err != nil || !c.Fresh {
		t.Errorf("a freed key gets %+v, %v", c, err)
	}

	// What was decided differently is nobody's to change.
	for name, change := range map[string]func(ctx context.Context, keys []hyperlocal.IdempotencyKey) error{
		"completed": func(ctx context.Context, keys []hyperlocal.IdempotencyKey) error {
			return k.Idempotency.Complete(ctx, keys, make([]json.RawMessage, len(keys)))
		},
		"freed": k.Idempotency.Free,
	} {
		for _, id := range []hyperlocal.IdempotencyKey{foreseen("otherwise"), txKey("kept", "f"), foreseen("never")} {
			err := in(func(ctx context.Context) error { return change(ctx, []hyperlocal.IdempotencyKey{id}) })
			if err == nil {
				t.Errorf("the key %s is %s by a stranger", id.Key, name)
				continue
			}
			wantReason(t, err, hyperlocal.CodeInternal, "idempotency/not_claimed")
		}
	}
	mustOK(t, in(func(ctx context.Context) error { return claim(ctx, result, foreseen("kept")) }))
}

func (k *txKit) idempotencyIsolation() {
	t := k.T
	base := txKey("k", "f")
	tenant, caller, route := base, base, base
	tenant.Tenant, caller.Caller, route.Route = "south", "other", "pay"
	for i, id := range []hyperlocal.IdempotencyKey{base, tenant, caller, route} {
		if c, err := k.do(k.ctx, id, strconv.Itoa(i)); err != nil || !c.Fresh {
			t.Errorf("key %d gets %+v, %v", i, c, err)
		}
	}
	for i, id := range []hyperlocal.IdempotencyKey{base, tenant, caller, route} {
		if c, err := k.do(k.ctx, id, ""); err != nil || string(c.Result) != strconv.Itoa(i) {
			t.Errorf("key %d holds %s, %v", i, c.Result, err)
		}
	}
}

func (k *txKit) idempotencyTwins() {
	t := k.T
	const twins = 100
	var fresh, answered, busy atomic.Int64
	var all sync.WaitGroup
	start := make(chan struct{})
	for range twins {
		all.Go(func() {
			<-start
			for {
				c, err := k.do(k.ctx, txKey("same", "f"), `"done"`)
				switch {
				case err != nil:
					t.Error(err)
					return
				case c.Fresh:
					fresh.Add(1)
					return
				case c.Err == nil && string(c.Result) == `"done"`:
					answered.Add(1)
					return
				case errors.Is(c.Err, hyperlocal.ErrKeyInProgress):
					busy.Add(1)
				default:
					t.Errorf("a twin gets %+v", c)
					return
				}
			}
		})
	}
	close(start)
	all.Wait()
	if fresh.Load() != 1 || answered.Load() != twins-1 {
		t.Errorf("of %d twins %d were fresh and %d answered with the result", twins, fresh.Load(), answered.Load())
	}
	t.Logf("in progress was answered %d times", busy.Load())
}

// hold claims a key in a transaction that stays open until release is called, and then rolls back.
func (k *txKit) hold(t *testing.T, id hyperlocal.IdempotencyKey) (release func()) {
	t.Helper()
	claimed, free, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_ = k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
			if _, err := k.Idempotency.Claim(ctx, []hyperlocal.IdempotencyKey{id}); err != nil {
				t.Error(err)
			}
			close(claimed)
			<-free
			return errKit
		})
	}()
	<-claimed
	return sync.OnceFunc(func() { close(free); <-done })
}

func (k *txKit) idempotencySlowTwin() {
	t := k.T
	if !k.h.ManyWriters {
		t.Skip("one writer at a time: a twin waits for its turn to begin, not for the key")
	}
	release := k.hold(t, txKey("m", "f"))
	defer release()
	keys := []hyperlocal.IdempotencyKey{txKey("z", "f"), txKey("m", "f"), txKey("a", "f"), txKey("b", "f"), txKey("m", "f")}
	start := hyperlocal.Stopwatch()
	runs := 0
	mustOK(t, k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		runs++
		claims, err := k.Idempotency.Claim(ctx, keys)
		if err != nil {
			return err
		}
		for i, c := range claims {
			if held := keys[i].Key == "m"; held != errors.Is(c.Err, hyperlocal.ErrKeyInProgress) || held == c.Fresh {
				t.Errorf("key %s gets %+v", keys[i].Key, c)
			}
		}
		if err := k.Outbox.Append(ctx, txEvent("a", 1, 0)); err != nil {
			return err
		}
		ours := []hyperlocal.IdempotencyKey{keys[0], keys[2], keys[3]}
		return k.Idempotency.Complete(ctx, ours, make([]json.RawMessage, 3))
	}))
	if d := hyperlocal.Since(start); d < time.Second || d > 6*time.Second {
		t.Errorf("the twin was waited for %v, want about 2s", d)
	}
	if runs != 1 {
		t.Errorf("the closure ran %d times", runs)
	}
	k.wantPending(t, "a@1.0")
	release()
	if c, err := k.do(k.ctx, txKey("m", "f"), "1"); err != nil || !c.Fresh {
		t.Errorf("after the twin rolled back the key gets %+v, %v", c, err)
	}
	if c, err := k.do(k.ctx, txKey("z", "f"), "1"); err != nil || c.Fresh {
		t.Errorf("the other keys of the batch get %+v, %v", c, err)
	}
}

func (k *txKit) idempotencySlowTwinLater() {
	t := k.T
	if !k.h.ManyWriters {
		t.Skip("one writer at a time: a twin waits for its turn to begin, not for the key")
	}
	defer k.hold(t, txKey("m", "f"))()
	err := k.Tx.WithinTx(k.ctx, func(ctx context.Context) error {
		if err := k.Outbox.Append(ctx, txEvent("a", 1, 0)); err != nil {
			return err
		}
		k.pending(t, ctx) // something has been sent, so beginning anew would lose it
		_, err := k.Idempotency.Claim(ctx, []hyperlocal.IdempotencyKey{txKey("m", "f")})
		return err
	})
	if !errors.Is(err, hyperlocal.ErrKeyInProgress) {
		t.Errorf("got %v, want ErrKeyInProgress", err)
	}
	k.wantPending(t)
}
