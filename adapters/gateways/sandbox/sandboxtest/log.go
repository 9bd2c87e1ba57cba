package sandboxtest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/gateways/sandbox"
)

const (
	mine   = hyperlocal.TenantID("mine")
	theirs = hyperlocal.TenantID("theirs")
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 987654000, time.UTC)

// RunLog checks a log. newLog is called once per case and returns an empty one.
func RunLog(t *testing.T, newLog func(t *testing.T) sandbox.Log) {
	t.Helper()
	for name, run := range map[string]func(t *testing.T, l sandbox.Log){
		"round trip": logRoundTrip, "one record per key": logOncePerKey, "refusal stores nothing": logRefusal,
		"limit of an intent": logLimit, "tenants": logTenants, "order": logOrder, "cancellation": logCancelled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, newLog(t))
		})
	}
}

func record(tenant hyperlocal.TenantID, intent, key string) sandbox.Record {
	amount, _ := hyperlocal.NewMoney(1999, "GBP")
	fee, _ := hyperlocal.NewMoney(3, "GBP")
	return sandbox.Record{
		Tenant: tenant, Key: key, Intent: intent, Operation: "op-Ж", Attempt: 2, Verb: hyperlocal.VerbAuthorize, Amount: amount,
		Method: "ok,refund=timeout:after", Payment: "pay_1", Provider: "sbx_1", Outcome: hyperlocal.OutcomePending,
		Class: hyperlocal.DeclineSoft, Code: "c", Fee: fee, ReadyAt: noon.Add(time.Hour), At: noon,
	}
}

func put(t *testing.T, l sandbox.Log, r sandbox.Record) (sandbox.Record, bool) {
	t.Helper()
	got, fresh, err := l.Append(t.Context(), r.Tenant, r.Intent, r.Key, func([]sandbox.Record) (sandbox.Record, error) { return r, nil })
	if err != nil {
		t.Fatal(err)
	}
	return got, fresh
}

func logRoundTrip(t *testing.T, l sandbox.Log) {
	r := record(mine, "i1", "k1")
	v := reflect.ValueOf(r)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Fatalf("%s is empty in the record that tests the round trip", v.Type().Field(i).Name)
		}
	}
	if got, fresh := put(t, l, r); !fresh || got != r {
		t.Errorf("stored %+v (fresh %v), want %+v", got, fresh, r)
	}
	if got, ok, err := l.Find(t.Context(), mine, "k1"); err != nil || !ok || got != r {
		t.Errorf("found %+v, %v, %v, want %+v", got, ok, err, r)
	}
	changed, ok, err := l.Change(t.Context(), mine, "k1", func(was sandbox.Record) (sandbox.Record, error) {
		if was != r {
			t.Errorf("change sees %+v", was)
		}
		was.Outcome, was.Class, was.Code, was.Fee = hyperlocal.OutcomeSucceeded, "", "", hyperlocal.Money{}
		was.Amount, was.Method = was.Fee, "changed" // not for it to change
		return was, nil
	})
	r.Outcome, r.Class, r.Code, r.Fee = hyperlocal.OutcomeSucceeded, "", "", hyperlocal.Money{}
	if err != nil || !ok || changed != r {
		t.Errorf("changed %+v, %v, %v, want %+v", changed, ok, err, r)
	}
	if all, err := l.Records(t.Context(), mine, "i1"); err != nil || len(all) != 1 || all[0] != r {
		t.Errorf("records %+v, %v", all, err)
	}
	if _, ok, err := l.Change(t.Context(), mine, "k2", func(r sandbox.Record) (sandbox.Record, error) { return r, nil }); ok || err != nil {
		t.Errorf("changed what is not there: %v, %v", ok, err)
	}
}

func logOncePerKey(t *testing.T, l sandbox.Log) {
	var fresh atomic.Int64
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			_, first, err := l.Append(t.Context(), mine, "i1", "k1", func([]sandbox.Record) (sandbox.Record, error) {
				return record(mine, "i1", "k1"), nil
			})
			if err != nil {
				t.Error(err)
			}
			if first {
				fresh.Add(1)
			}
		})
	}
	wg.Wait()
	if fresh.Load() != 1 {
		t.Errorf("%d callers were the first", fresh.Load())
	}
}

func logRefusal(t *testing.T, l sandbox.Log) {
	no := errors.New("no")
	_, _, err := l.Append(t.Context(), mine, "i1", "k1", func([]sandbox.Record) (sandbox.Record, error) { return sandbox.Record{}, no })
	if !errors.Is(err, no) {
		t.Errorf("error %v", err)
	}
	if _, ok, err := l.Find(t.Context(), mine, "k1"); ok || err != nil {
		t.Errorf("stored all the same (%v)", err)
	}
	put(t, l, record(mine, "i1", "k1"))
	if _, _, err := l.Change(t.Context(), mine, "k1", func(r sandbox.Record) (sandbox.Record, error) { return r, no }); !errors.Is(err, no) {
		t.Errorf("error %v", err)
	}
}

// logLimit: decide sees everything before it, so a limit over the intent holds.
func logLimit(t *testing.T, l sandbox.Log) {
	put(t, l, record(mine, "i1", "root"))
	full := errors.New("full")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			key := fmt.Sprint("k", i)
			_, _, err := l.Append(t.Context(), mine, "i1", key, func(past []sandbox.Record) (sandbox.Record, error) {
				if len(past) >= 4 {
					return sandbox.Record{}, full
				}
				return record(mine, "i1", key), nil
			})
			if err != nil && !errors.Is(err, full) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if all, err := l.Records(t.Context(), mine, "i1"); err != nil || len(all) != 4 {
		t.Errorf("%d records, %v; the limit is 4", len(all), err)
	}
}

func logTenants(t *testing.T, l sandbox.Log) {
	put(t, l, record(mine, "i1", "k1"))
	other := record(theirs, "i1", "k1")
	if _, fresh := put(t, l, other); !fresh {
		t.Error("keys are per tenant")
	}
	if all, err := l.Records(t.Context(), theirs, ""); err != nil || len(all) != 1 || all[0] != other {
		t.Errorf("%+v, %v", all, err)
	}
	if _, ok, err := l.Find(t.Context(), "nobody", "k1"); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

func logOrder(t *testing.T, l sandbox.Log) {
	for i, key := range []string{"c", "a", "b", "B"} {
		r := record(mine, fmt.Sprint("i", i%2), key)
		if i == 0 {
			r.At = noon.Add(-time.Microsecond)
		}
		put(t, l, r)
	}
	for intent, want := range map[string]string{"": "cBab", "i0": "cb", "i1": "Ba", "i2": ""} {
		all, err := l.Records(t.Context(), mine, intent)
		got := ""
		for _, r := range all {
			got += r.Key
		}
		if err != nil || got != want {
			t.Errorf("intent %q: %q, want %q (%v)", intent, got, want, err)
		}
	}
}

func logCancelled(t *testing.T, l sandbox.Log) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := l.Append(ctx, mine, "i1", "k1", func([]sandbox.Record) (sandbox.Record, error) { return record(mine, "i1", "k1"), nil })
	if err == nil {
		t.Error("a cancelled append succeeded")
	}
	if _, ok, err := l.Find(t.Context(), mine, "k1"); ok || err != nil {
		t.Errorf("stored all the same (%v)", err)
	}
}
