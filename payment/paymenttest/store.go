package paymenttest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/payment"
)

func storeCases() []testCase {
	return []testCase{
		{"round trip of every field", roundTrip},
		{"versions", versions},
		{"parallel updates", parallelUpdates},
		{"rollback leaves nothing", rollback},
		{"writes need a transaction", needTx},
		{"cancellation", cancellation},
		{"references", references},
		{"tenants apart", tenantsApart},
		{"returned values are the caller's", ownership},
		{"database refuses what contradicts itself", refusesNonsense},
		{"bounds of what is stored", storedBounds},
	}
}

func id() string { return hyperlocal.RandomIDs{}.NewID() }

// fullIntent has every field set, the texts in several scripts.
func fullIntent(owners ...hyperlocal.Ref) payment.Intent {
	in := payment.Intent{
		ID: id(), Tenant: tenant, Customer: hyperlocal.NewRef("customer", "客户-Ünï-🛒"), Gateway: "sandbox", Currency: "GBP",
		Attempts: 3, Payment: "pi_ß", Version: 1, CreatedAt: monday, UpdatedAt: monday.Add(1234567 * time.Microsecond),
	}
	for i, o := range owners {
		n := int64(i)
		in.Allocations = append(in.Allocations, payment.Allocation{
			Owner: o, Merchant: hyperlocal.NewRef("merchant", "m-店"), Amount: 100000 + n, Charging: 1 + n, Authorized: 200 + n,
			Claimed: 3 + n, Captured: 4000 + n, Refunding: 5 + n, Refunded: 6 + n,
		})
	}
	return in
}

func fullOperation(in payment.Intent) payment.Operation {
	op := payment.Operation{
		ID: id(), Tenant: in.Tenant, Intent: in.ID, Owner: in.Allocations[0].Owner, Verb: authorize, Amount: gbp(1999),
		Reference: "pay/Ж", Gateway: in.Gateway, Method: "tok_€", Attempt: 2, Key: "intent/" + in.ID + "/attempt/2/authorize",
		Outcome: unknown, Sent: true, Payment: "pi_1", Provider: "prov_1", Class: hyperlocal.DeclineSoft, Code: "no_funds",
		RetryAfter: 90 * time.Second, Action: "https://example.invalid/?a=1", Fee: gbp(42),
		NextAt: monday.Add(time.Hour), Lookups: 4, Attention: "a_reason", Actor: shopper,
		At: monday.Add(-time.Hour), CreatedAt: monday, BegunAt: monday.Add(-time.Minute),
		UpdatedAt: monday.Add(time.Microsecond), Version: 1,
	}
	for _, a := range in.Allocations {
		op.Shares = append(op.Shares, payment.Share{Owner: a.Owner, Merchant: a.Merchant, Amount: gbp(a.Amount)})
	}
	return op
}

func fullWebhook() payment.Webhook {
	return payment.Webhook{
		Tenant: tenant, Gateway: "sandbox", Event: "evt_ñ_" + id(), Body: []byte("{\"a\":\"\x00\xff\"}"),
		Notice: payment.Notice{Event: "e", Key: "k", Intent: "i", Verb: charge, Outcome: succeeded, Amount: gbp(5), Fee: gbp(1),
			Provider: "p", Class: hyperlocal.DeclineHard, Code: "c", Action: "a"},
		State: payment.WebhookPending, Reason: "r", Operation: id(), Attempts: 2, NextAt: monday, ReceivedAt: monday,
		ProcessedAt: monday.Add(time.Second),
	}
}

func tx(t *testing.T, h Harness, fn func(ctx context.Context) error) {
	t.Helper()
	if err := h.Tx.WithinTx(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// allSet fails for a field that a full value leaves empty: a forgotten column.
func allSet(t *testing.T, v any) {
	t.Helper()
	rv := reflect.ValueOf(v)
	for i := range rv.NumField() {
		if rv.Field(i).IsZero() {
			t.Fatalf("%s.%s is empty in the value that tests the round trip", rv.Type(), rv.Type().Field(i).Name)
		}
	}
}

func sameJSON(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s came back as\n%+v\nwant\n%+v", what, got, want)
	}
}

func roundTrip(t *testing.T, h Harness) {
	ctx := t.Context()
	a, b := hyperlocal.NewRef("order", id()), hyperlocal.NewRef("booking", "büchung/1")
	in := fullIntent(a, b)
	op, hook := fullOperation(in), fullWebhook()
	move := payment.Movement{Tenant: tenant, Kind: payment.MovedCapture, Operation: op.ID, Intent: in.ID, Owner: a,
		Amount: gbp(1999), Provider: "p_1", At: monday.Add(time.Microsecond)}
	back := move
	back.Kind, back.Owner, back.At = payment.MovedRefund, b, monday
	for _, v := range []any{in, in.Allocations[1], op, op.Shares[0], hook, hook.Notice, move} {
		allSet(t, v)
	}
	tx(t, h, func(ctx context.Context) error {
		return errors.Join(
			h.Store.SaveIntents(ctx, []payment.Intent{in}),
			h.Store.InsertOperations(ctx, []payment.Operation{op}),
			h.Store.AppendMovements(ctx, []payment.Movement{move, back}))
	})
	found, err := h.Store.Intents(ctx, hyperlocal.TenantRef{Tenant: tenant, Ref: b})
	if err != nil || len(found) != 1 {
		t.Fatalf("%v, %v", found, err)
	}
	slices.SortFunc(found[0].Allocations, func(x, y payment.Allocation) int { return -len(x.Owner.Kind) + len(y.Owner.Kind) })
	slices.Reverse(found[0].Allocations)
	sameJSON(t, "intent", found[0], in)
	ops, err := h.Store.Operations(ctx, tenant, op.ID)
	if err != nil || len(ops) != 1 {
		t.Fatalf("%v, %v", ops, err)
	}
	sameJSON(t, "operation", ops[0], op)
	byKey, ok, err := h.Store.ByKey(ctx, tenant, op.Gateway, op.Key)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	sameJSON(t, "operation by key", byKey, op)
	byRef, err := h.Store.ByReference(ctx, payment.ReferenceKey{Tenant: tenant, Owner: a, Verb: authorize, Reference: op.Reference})
	if err != nil || len(byRef) != 1 {
		t.Fatalf("%v, %v", byRef, err)
	}
	sameJSON(t, "operation by reference", byRef[0], op)
	moves, err := h.Store.Movements(ctx, tenant, in.ID)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, "movements", moves, []payment.Movement{back, move})

	var fresh bool
	tx(t, h, func(ctx context.Context) (err error) {
		fresh, err = h.Store.InsertWebhook(ctx, hook)
		return err
	})
	if !fresh {
		t.Error("the webhook is said to be known")
	}
	page, err := h.Store.ListWebhooks(ctx, tenant, "", hyperlocal.PageRequest{})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	sameJSON(t, "webhook", page.Items[0], hook)

	// Changed, every field that may change.
	later := op
	later.Attempt, later.Key, later.Outcome, later.Sent, later.Payment, later.Provider = 3, "k3", declined, false, "pi_2", "prov_2"
	later.Class, later.Code, later.RetryAfter, later.Action, later.Fee = "", "", 0, "", hyperlocal.Money{}
	later.NextAt, later.Lookups, later.Attention, later.At = time.Time{}, 0, "", monday.Add(5*time.Hour)
	later.UpdatedAt, later.Version = monday.Add(9*time.Hour), 2
	changed := in
	changed.Attempts, changed.Payment, changed.Version, changed.UpdatedAt = 9, "", 2, monday.Add(time.Minute)
	changed.Allocations = slices.Clone(in.Allocations)
	changed.Allocations[0].Captured, changed.Allocations[1].Amount = 4500, 100007
	done := hook
	done.State, done.Reason, done.Operation, done.Attempts = payment.WebhookApplied, "", "", 3
	done.NextAt, done.ProcessedAt = time.Time{}, monday.Add(time.Hour)
	tx(t, h, func(ctx context.Context) error {
		return errors.Join(
			h.Store.SaveIntents(ctx, []payment.Intent{changed}),
			h.Store.SaveOperations(ctx, []payment.Operation{later}),
			h.Store.SaveWebhook(ctx, done))
	})
	tx(t, h, func(ctx context.Context) error { // a locking read gives the same
		locked, err := h.Store.Lock(ctx, hyperlocal.TenantRef{Tenant: tenant, Ref: a}, hyperlocal.TenantRef{Tenant: tenant, Ref: b})
		if err != nil || len(locked) != 1 {
			t.Fatalf("%v, %v", locked, err)
		}
		got := locked[0].For(a)
		if got == nil || *got != changed.Allocations[0] || *locked[0].For(b) != changed.Allocations[1] || locked[0].Attempts != 9 {
			t.Errorf("locked %+v", locked[0])
		}
		return nil
	})
	if ops, err = h.Store.Operations(ctx, tenant, op.ID); err != nil {
		t.Fatal(err)
	}
	sameJSON(t, "changed operation", ops[0], later)
	if page, err = h.Store.ListWebhooks(ctx, tenant, payment.WebhookApplied, hyperlocal.PageRequest{}); err != nil || len(page.Items) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	sameJSON(t, "changed webhook", page.Items[0], done)
	if _, ok, err := h.Store.ByKey(ctx, tenant, op.Gateway, op.Key); ok || err != nil {
		t.Errorf("the old key still finds it (%v)", err)
	}
}

func versions(t *testing.T, h Harness) {
	in := fullIntent(newOrder())
	op := fullOperation(in)
	tx(t, h, func(ctx context.Context) error {
		return errors.Join(h.Store.SaveIntents(ctx, []payment.Intent{in}), h.Store.InsertOperations(ctx, []payment.Operation{op}))
	})
	for _, v := range []int64{1, 3} {
		bad := in
		bad.Version = v
		err := h.Tx.WithinTx(t.Context(), func(ctx context.Context) error { return h.Store.SaveIntents(ctx, []payment.Intent{bad}) })
		if err == nil || (v == 3 && hyperlocal.ReasonOf(err) != payment.ErrStale.Reason) {
			t.Errorf("intent at version %d over 1: %v", v, err)
		}
		worse := op
		worse.Version = v
		err = h.Tx.WithinTx(t.Context(), func(ctx context.Context) error { return h.Store.SaveOperations(ctx, []payment.Operation{worse}) })
		wantReason(t, err, payment.ErrStale)
	}
	hook := fullWebhook()
	hook.State = payment.WebhookApplied
	err := h.Tx.WithinTx(t.Context(), func(ctx context.Context) error { return h.Store.SaveWebhook(ctx, hook) })
	wantReason(t, err, payment.ErrStale)
}

// parallelUpdates: many transactions add to the same amount under the lock; none is lost.
func parallelUpdates(t *testing.T, h Harness) {
	owner := newOrder()
	in := fullIntent(owner)
	in.Allocations[0].Captured = 0
	in.Allocations[0].Refunding, in.Allocations[0].Refunded = 0, 0
	tx(t, h, func(ctx context.Context) error { return h.Store.SaveIntents(ctx, []payment.Intent{in}) })
	const n = 20
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			err := h.Tx.WithinTx(t.Context(), func(ctx context.Context) error {
				locked, err := h.Store.Lock(ctx, hyperlocal.TenantRef{Tenant: tenant, Ref: owner})
				if err != nil {
					return err
				}
				locked[0].Allocations[0].Captured += 10
				locked[0].Version++
				return h.Store.SaveIntents(ctx, locked)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	found, err := h.Store.Intents(t.Context(), hyperlocal.TenantRef{Tenant: tenant, Ref: owner})
	if err != nil {
		t.Fatal(err)
	}
	if found[0].Allocations[0].Captured != 10*n || found[0].Version != n+1 {
		t.Errorf("%+v: updates were lost", found[0])
	}
}

func rollback(t *testing.T, h Harness) {
	in := fullIntent(newOrder())
	op, hook := fullOperation(in), fullWebhook()
	err := h.Tx.WithinTx(t.Context(), func(ctx context.Context) error {
		_, err := h.Store.InsertWebhook(ctx, hook)
		err = errors.Join(err,
			h.Store.SaveIntents(ctx, []payment.Intent{in}),
			h.Store.InsertOperations(ctx, []payment.Operation{op}),
			h.Store.AppendMovements(ctx, []payment.Movement{{Tenant: tenant, Kind: payment.MovedCapture, Operation: op.ID,
				Intent: in.ID, Owner: op.Owner, Amount: gbp(1), At: monday}}))
		if err != nil {
			t.Error(err)
		}
		found, err := h.Store.Intents(ctx, hyperlocal.TenantRef{Tenant: tenant, Ref: op.Owner})
		if err != nil || len(found) != 1 {
			t.Errorf("a transaction does not see its own writes: %v, %v", found, err)
		}
		return errCrash
	})
	if !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	ctx := t.Context()
	ins, err1 := h.Store.Intents(ctx, hyperlocal.TenantRef{Tenant: tenant, Ref: op.Owner})
	ops, err2 := h.Store.Operations(ctx, tenant, op.ID)
	moves, err3 := h.Store.Movements(ctx, tenant, in.ID)
	hooks, err4 := h.Store.CountWebhooks(ctx, tenant, payment.WebhookPending)
	if err := errors.Join(err1, err2, err3, err4); err != nil || len(ins)+len(ops)+len(moves)+hooks != 0 {
		t.Errorf("left behind: %v %v %v %d, %v", ins, ops, moves, hooks, err)
	}
}

func needTx(t *testing.T, h Harness) {
	in := fullIntent(newOrder())
	op, hook := fullOperation(in), fullWebhook()
	ctx := t.Context()
	_, errLock := h.Store.Lock(ctx, hyperlocal.TenantRef{Tenant: tenant, Ref: op.Owner})
	_, errHook := h.Store.InsertWebhook(ctx, hook)
	_, _, errLease := h.Store.Lease(ctx, tenant, op.ID, monday, monday)
	_, _, errDue := h.Store.LeaseDue(ctx, monday, monday, 1)
	for name, err := range map[string]error{
		"Lock": errLock, "InsertWebhook": errHook, "Lease": errLease, "LeaseDue": errDue,
		"SaveIntents":      h.Store.SaveIntents(ctx, []payment.Intent{in}),
		"InsertOperations": h.Store.InsertOperations(ctx, []payment.Operation{op}),
		"SaveOperations":   h.Store.SaveOperations(ctx, []payment.Operation{op}),
		"AppendMovements":  h.Store.AppendMovements(ctx, []payment.Movement{{Tenant: tenant, Operation: op.ID, Intent: in.ID, Owner: op.Owner, Amount: gbp(1)}}),
		"SaveWebhook":      h.Store.SaveWebhook(ctx, hook),
	} {
		if hyperlocal.CodeOf(err) != hyperlocal.CodeInternal {
			t.Errorf("%s outside a transaction: %v", name, err)
		}
	}
}

func cancellation(t *testing.T, h Harness) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in := fullIntent(newOrder())
	if err := h.Tx.WithinTx(ctx, func(ctx context.Context) error { return h.Store.SaveIntents(ctx, []payment.Intent{in}) }); err == nil {
		t.Error("a cancelled transaction committed")
	}
	if _, err := h.Store.Operations(ctx, tenant, id()); err == nil {
		t.Error("a cancelled read succeeded")
	}
	half, cancelHalf := context.WithCancel(t.Context())
	err := h.Tx.WithinTx(half, func(ctx context.Context) error {
		err := h.Store.SaveIntents(ctx, []payment.Intent{in})
		cancelHalf()
		return err
	})
	if err == nil {
		t.Error("cancelled before the commit, and yet committed")
	}
	found, err := h.Store.Intents(t.Context(), hyperlocal.TenantRef{Tenant: tenant, Ref: in.Allocations[0].Owner})
	if err != nil || len(found) != 0 {
		t.Errorf("%v, %v", found, err)
	}
}

func references(t *testing.T, h Harness) {
	in := fullIntent(newOrder())
	op := fullOperation(in)
	tx(t, h, func(ctx context.Context) error {
		return errors.Join(h.Store.SaveIntents(ctx, []payment.Intent{in}), h.Store.InsertOperations(ctx, []payment.Operation{op}))
	})
	twin := op
	twin.ID, twin.Key = id(), "another"
	err := h.Tx.WithinTx(t.Context(), func(ctx context.Context) error { return h.Store.InsertOperations(ctx, []payment.Operation{twin}) })
	wantReason(t, err, hyperlocal.ErrTxRetry)
	twin.Verb = capture // another verb is another name space
	tx(t, h, func(ctx context.Context) error { return h.Store.InsertOperations(ctx, []payment.Operation{twin}) })
	upper := op
	upper.ID, upper.Key, upper.Reference = id(), "third", "PAY/Ж" // compared byte by byte
	tx(t, h, func(ctx context.Context) error { return h.Store.InsertOperations(ctx, []payment.Operation{upper}) })
	hook := fullWebhook()
	for i, want := range []bool{true, false, false} {
		var fresh bool
		tx(t, h, func(ctx context.Context) (err error) {
			fresh, err = h.Store.InsertWebhook(ctx, hook)
			return err
		})
		if fresh != want {
			t.Errorf("webhook %d: fresh is %v", i, fresh)
		}
	}
	elsewhere := hook
	elsewhere.Gateway = "another"
	tx(t, h, func(ctx context.Context) error {
		fresh, err := h.Store.InsertWebhook(ctx, elsewhere)
		if !fresh {
			t.Error("event ids are per gateway")
		}
		return err
	})
	move := payment.Movement{Tenant: tenant, Kind: payment.MovedCapture, Operation: op.ID, Intent: in.ID, Owner: op.Owner, Amount: gbp(1), At: monday}
	tx(t, h, func(ctx context.Context) error { return h.Store.AppendMovements(ctx, []payment.Movement{move}) })
	err = h.Tx.WithinTx(t.Context(), func(ctx context.Context) error {
		return h.Store.AppendMovements(ctx, []payment.Movement{move})
	})
	if err == nil {
		t.Error("the same movement was stored twice")
	}
}

func tenantsApart(t *testing.T, h Harness) {
	ctx := t.Context()
	in := fullIntent(newOrder())
	op, hook := fullOperation(in), fullWebhook()
	tx(t, h, func(ctx context.Context) error {
		_, err := h.Store.InsertWebhook(ctx, hook)
		return errors.Join(err, h.Store.SaveIntents(ctx, []payment.Intent{in}), h.Store.InsertOperations(ctx, []payment.Operation{op}))
	})
	theirs := hyperlocal.TenantRef{Tenant: other, Ref: op.Owner}
	ins, err1 := h.Store.Intents(ctx, theirs)
	ops, err2 := h.Store.Operations(ctx, other, op.ID)
	refs, err3 := h.Store.ByReference(ctx, payment.ReferenceKey{Tenant: other, Owner: op.Owner, Verb: op.Verb, Reference: op.Reference})
	_, ok, err4 := h.Store.ByKey(ctx, other, op.Gateway, op.Key)
	page, err5 := h.Store.ListOperations(ctx, other, payment.OperationFilter{}, hyperlocal.PageRequest{})
	hooks, err6 := h.Store.ListWebhooks(ctx, other, "", hyperlocal.PageRequest{})
	n, err7 := h.Store.CountWebhooks(ctx, other, payment.WebhookPending)
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7); err != nil {
		t.Fatal(err)
	}
	if len(ins)+len(ops)+len(refs)+len(page.Items)+len(hooks.Items)+n != 0 || ok {
		t.Errorf("another tenant sees %v %v %v %v %v %v %d", ins, ops, refs, ok, page, hooks, n)
	}
	tx(t, h, func(ctx context.Context) error {
		locked, err := h.Store.Lock(ctx, theirs)
		if len(locked) != 0 {
			t.Errorf("another tenant locks %v", locked)
		}
		_, ok, err2 := h.Store.Lease(ctx, other, op.ID, monday.Add(48*time.Hour), monday.Add(49*time.Hour))
		if ok {
			t.Error("another tenant takes the lease")
		}
		return errors.Join(err, err2)
	})
	foreign := op
	foreign.Tenant, foreign.Version = other, 2
	err := h.Tx.WithinTx(ctx, func(ctx context.Context) error { return h.Store.SaveOperations(ctx, []payment.Operation{foreign}) })
	wantReason(t, err, payment.ErrStale)
}

func ownership(t *testing.T, h Harness) {
	in := fullIntent(newOrder())
	op := fullOperation(in)
	ref := hyperlocal.TenantRef{Tenant: tenant, Ref: op.Owner}
	tx(t, h, func(ctx context.Context) error {
		return errors.Join(h.Store.SaveIntents(ctx, []payment.Intent{in}), h.Store.InsertOperations(ctx, []payment.Operation{op}))
	})
	want := in.Allocations[0]
	in.Allocations[0].Captured, op.Shares[0].Amount = 1, gbp(1)
	for range 2 {
		found, err := h.Store.Intents(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		if found[0].Allocations[0] != want {
			t.Errorf("somebody's slice is shared: %+v", found[0].Allocations[0])
		}
		found[0].Allocations[0].Captured = 2
		ops, err := h.Store.Operations(t.Context(), tenant, op.ID)
		if err != nil {
			t.Fatal(err)
		}
		if ops[0].Shares[0].Amount == gbp(1) || ops[0].Shares[0].Amount == gbp(2) {
			t.Errorf("somebody's slice is shared: %+v", ops[0].Shares)
		}
		ops[0].Shares[0].Amount = gbp(2)
	}
}

// refusesNonsense: the store is the last line of defence against amounts that contradict
// each other.
func refusesNonsense(t *testing.T, h Harness) {
	for name, change := range map[string]func(a *payment.Allocation){
		"refunded more than captured":  func(a *payment.Allocation) { a.Refunded = a.Captured + 1 },
		"refunding more than captured": func(a *payment.Allocation) { a.Refunding = a.Captured },
		"captured more than due":       func(a *payment.Allocation) { a.Captured = a.Amount + 1 },
		"claimed more than held":       func(a *payment.Allocation) { a.Claimed = a.Authorized + 1 },
		"negative":                     func(a *payment.Allocation) { a.Charging = -1 },
	} {
		in := fullIntent(newOrder())
		change(&in.Allocations[0])
		err := h.Tx.WithinTx(t.Context(), func(ctx context.Context) error { return h.Store.SaveIntents(ctx, []payment.Intent{in}) })
		if hyperlocal.CodeOf(err) != hyperlocal.CodeInternal {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func storedBounds(t *testing.T, h Harness) {
	ctx := t.Context()
	if found, err := h.Store.Intents(ctx); err != nil || len(found) != 0 {
		t.Errorf("no owners: %v, %v", found, err)
	}
	if found, err := h.Store.Operations(ctx, tenant); err != nil || len(found) != 0 {
		t.Errorf("no ids: %v, %v", found, err)
	}
	if found, err := h.Store.ByReference(ctx); err != nil || len(found) != 0 {
		t.Errorf("no references: %v, %v", found, err)
	}
	// One call for many rows.
	var ins []payment.Intent
	var ops []payment.Operation
	var ids []string
	var owners []hyperlocal.TenantRef
	for i := range 300 {
		in := fullIntent(newOrder())
		op := fullOperation(in)
		op.Reference = strconv.Itoa(i)
		ins, ops, ids = append(ins, in), append(ops, op), append(ids, op.ID)
		owners = append(owners, hyperlocal.TenantRef{Tenant: tenant, Ref: op.Owner})
	}
	tx(t, h, func(ctx context.Context) error {
		return errors.Join(h.Store.SaveIntents(ctx, ins), h.Store.InsertOperations(ctx, ops))
	})
	ids = append(ids, id(), ids[0]) // an unknown one, and one twice
	found, err := h.Store.Operations(ctx, tenant, ids...)
	if err != nil || len(found) != 300 {
		t.Errorf("%d operations, %v", len(found), err)
	}
	tx(t, h, func(ctx context.Context) error {
		locked, err := h.Store.Lock(ctx, owners...)
		if len(locked) != 300 {
			t.Errorf("%d intents", len(locked))
		}
		if !slices.IsSortedFunc(locked, func(a, b payment.Intent) int { return compare(a.ID, b.ID) }) {
			t.Error("intents are not locked in the order of their ids")
		}
		for i := range locked {
			locked[i].Version++
		}
		return errors.Join(err, h.Store.SaveIntents(ctx, locked))
	})
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
