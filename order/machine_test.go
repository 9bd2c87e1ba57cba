package order

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

var (
	allStates = []State{
		Placed, AwaitingPayment, Confirmed, Accepted, Preparing, Ready, Dispatched, Delivered, Completed,
		Cancelled, Expired, DeliveryFailed, NeedsAttention,
	}
	allStatuses = []PaymentStatus{
		PaymentNoneDue, PaymentDue, PaymentProcessing, PaymentRetry, PaymentUnknown, PaymentAuthorized, PaymentPaid,
		PaymentPartRefunded, PaymentRefunded,
	}
	allFulfilments = []Fulfilment{
		FulfilmentDelivery, FulfilmentPickup, FulfilmentOnTheSpot, FulfilmentService, FulfilmentDigital,
	}
)

func TestTablesAreValid(t *testing.T) {
	t.Parallel()
	if _, err := NewMachine(DefaultTable()); err != nil {
		t.Error(err)
	}
	if _, err := NewMachine(DefaultPaymentTable()); err != nil {
		t.Error(err)
	}
	if _, err := NewMachine(DefaultRefundTable()); err != nil {
		t.Error(err)
	}
	if got := DefaultTable().States(); len(got) != len(allStates) {
		t.Errorf("the table has the states %v", got)
	}
	if got := DefaultPaymentTable().States(); len(got) != len(allStatuses) {
		t.Errorf("the table has the statuses %v", got)
	}
}

// Of all that an order can be, no trigger ever finds two rows.
func TestNoTriggerIsAmbiguous(t *testing.T) {
	t.Parallel()
	m, err := NewMachine(DefaultTable())
	if err != nil {
		t.Fatal(err)
	}
	kinds := []string{"", ActorShopper, ActorMerchant, ActorCourier, ActorAdmin, ActorSystem, "stranger"}
	fired := make(map[int]bool)
	everyOrder(func(o *Order) {
		for _, trigger := range m.Table().Triggers() {
			for _, kind := range kinds {
				row, err := m.Fire(t.Context(), o.State, trigger, kind, o)
				switch {
				case err == nil:
					i := slices.IndexFunc(m.table.Rows, func(r Row[State]) bool {
						return r.Trigger == row.Trigger && r.Guard == row.Guard && r.To == row.To && slices.Equal(r.From, row.From)
					})
					fired[i] = true
					if !m.Can(o.State, trigger, kind, o) {
						t.Fatal("Can and Fire disagree")
					}
				case errors.Is(err, ErrNotAllowed), errors.Is(err, ErrActor):
					e, _ := errors.AsType[*hyperlocal.Error](err)
					if e.Fields["state"] != string(o.State) || e.Fields["trigger"] != string(trigger) {
						t.Fatalf("the refusal does not name state and trigger: %v", err)
					}
				default:
					t.Fatalf("%s in %s and %s: %v", trigger, o.State, o.PaymentStatus, err)
				}
			}
		}
	})
	if len(fired) != len(m.table.Rows) {
		t.Errorf("%d of %d rows were ever taken", len(fired), len(m.table.Rows))
	}
}

var (
	penny, _   = hyperlocal.NewMoney(1, "GBP")
	nothing, _ = hyperlocal.NewMoney(0, "GBP")
)

// everyOrder calls fn with everything that the guards of an order can tell apart.
func everyOrder(fn func(*Order)) {
	for _, s := range allStates {
		for _, p := range allStatuses {
			for _, f := range allFulfilments {
				resume := []State{""}
				if s == NeedsAttention {
					resume = append(attended(), Completed)
				}
				for _, r := range resume {
					fn(&Order{State: s, PaymentStatus: p, Fulfilment: f, ResumeState: r})
					fn(&Order{State: s, PaymentStatus: p, Fulfilment: f, ResumeState: r, Authorized: penny})
					fn(&Order{
						State: s, PaymentStatus: p, Fulfilment: f, ResumeState: r, Authorized: penny,
						Total: penny, Captured: nothing, Refunded: nothing,
					})
				}
			}
		}
	}
}

// The same for the payment status, whose guards look at amounts.
func TestNoFactIsAmbiguous(t *testing.T) {
	t.Parallel()
	m, err := NewMachine(DefaultPaymentTable())
	if err != nil {
		t.Fatal(err)
	}
	money := func(n int64) hyperlocal.Money {
		v, err := hyperlocal.NewMoney(n, "GBP")
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	amounts := []int64{0, 1, 50, 99, 100, 101, 200}
	for _, status := range allStatuses {
		for _, captured := range amounts {
			for _, refunded := range amounts {
				for _, held := range amounts {
					for _, left := range []bool{false, true} {
						o := &Order{Total: money(100), Captured: money(captured), Refunded: money(refunded), Authorized: money(held)}
						for _, trigger := range m.table.Triggers() {
							_, err := m.Fire(t.Context(), status, trigger, "", PaymentCase{Order: o, RetryLeft: left})
							if err != nil && !errors.Is(err, ErrNotAllowed) {
								t.Fatalf("%s in %s with %d captured, %d refunded, %d held: %v", trigger, status, captured, refunded, held, err)
							}
						}
					}
				}
			}
		}
	}
}

// No order is ever without a next action.
func TestNextActionIsTotal(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	terminal := DefaultTable().Terminal
	everyOrder(func(o *Order) {
		o.CreatedAt, o.UpdatedAt = now, now.Add(time.Minute)
		timer, at := NextAction(*o, Policy{})
		switch {
		case !slices.Contains(terminal, o.State) && (timer == "" || at.Before(o.UpdatedAt)):
			t.Errorf("%s and %s: %q at %s", o.State, o.PaymentStatus, timer, at)
		case slices.Contains(terminal, o.State) && (timer != "") != (o.Authorized.Sign() > 0):
			t.Errorf("%s and %s is over, %s are held, and %q is due", o.State, o.PaymentStatus, o.Authorized, timer)
		case timer == "" && !at.IsZero():
			t.Errorf("%s and %s: a time without an action", o.State, o.PaymentStatus)
		}
	})
}

func TestNextActionWaitsForTheWindow(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	o := Order{State: Accepted, CreatedAt: now, UpdatedAt: now, RequestedTo: now.Add(72 * time.Hour)}
	if _, at := NextAction(o, Policy{}); !at.Equal(now.Add(96 * time.Hour)) {
		t.Errorf("due at %s", at)
	}
}

func TestNewMachineRefuses(t *testing.T) {
	t.Parallel()
	curbside := Row[State]{Trigger: "park", From: []State{Ready}, To: "curbside", Actors: []string{ActorShopper}, Timer: TimerReady}
	out := Row[State]{Trigger: "hand_over", From: []State{"curbside"}, To: Delivered, Actors: []string{ActorMerchant}, Timer: TimerComplete}
	if _, err := NewMachine(DefaultTable().With(curbside, out)); err != nil {
		t.Fatalf("a good extension is refused: %v", err)
	}
	change := func(r Row[State], fn func(*Row[State])) Row[State] { fn(&r); return r }
	for name, c := range map[string]struct {
		table StateTable
		want  string
	}{
		"the same twice":     {DefaultTable().With(DefaultTable().Rows[5]), "both take"},
		"another target":     {DefaultTable().With(Row[State]{Trigger: TriggerAccept, From: []State{Confirmed}, To: Ready, Timer: TimerReady}), "both take"},
		"no way out":         {DefaultTable().With(curbside), "no row leads out"},
		"no way in":          {DefaultTable().With(out), "cannot be reached"},
		"no timer":           {DefaultTable().With(change(curbside, func(r *Row[State]) { r.Timer = "" }), out), "nobody handles the timer"},
		"an unknown timer":   {DefaultTable().With(change(curbside, func(r *Row[State]) { r.Timer = "doze" }), out), "nobody handles the timer"},
		"two timers":         {DefaultTable().With(change(curbside, func(r *Row[State]) { r.To = Delivered })), "two timers"},
		"a timer at the end": {DefaultTable().With(change(curbside, func(r *Row[State]) { r.To = Completed })), "terminal state"},
		"an unknown guard":   {DefaultTable().With(change(curbside, func(r *Row[State]) { r.Guard = "mood" }), out), "does not exist"},
		"an unknown event":   {DefaultTable().With(change(curbside, func(r *Row[State]) { r.Emits = []string{"order.parked"} }), out), "no event"},
		"no trigger":         {DefaultTable().With(change(curbside, func(r *Row[State]) { r.Trigger = "" }), out), "lacks"},
		"a source twice":     {DefaultTable().With(change(curbside, func(r *Row[State]) { r.From = []State{Ready, Ready} }), out), "twice"},
		"an idle alarm":      {DefaultTable().WithAlarm(Alarm{Timer: "x", Trigger: "y"}), "which no row has"},
		"an override in a void": {func() StateTable {
			t := DefaultTable()
			t.Overrides = []Override[State]{{When: "mood", Timer: "doze"}}
			return t
		}(), "does not exist"},
		"nothing": {StateTable{}, "a table has a name"},
	} {
		_, err := NewMachine(c.table)
		if err == nil || !strings.Contains(err.Error(), c.want) || !hyperlocal.IsCode(err, hyperlocal.CodeInvalid) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// Two guards that hold at once are an error, not a silent choice.
func TestFireRefusesToChoose(t *testing.T) {
	t.Parallel()
	table := DefaultTable().
		WithGuard("a", func(*Order) bool { return true }).
		WithGuard("b", func(*Order) bool { return true }).
		With(
			Row[State]{Trigger: "toss", From: []State{Confirmed}, To: Accepted, Guard: "a", Timer: TimerPrepare},
			Row[State]{Trigger: "toss", From: []State{Confirmed}, To: Ready, Guard: "b", Timer: TimerReady},
		)
	m, err := NewMachine(table)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Fire(t.Context(), Confirmed, "toss", "", &Order{}); !errors.Is(err, errAmbiguous) {
		t.Errorf("got %v", err)
	}
}

// A context that has ended neither stops a transition nor spoils the instance.
func TestFireWithCancelledContext(t *testing.T) {
	t.Parallel()
	m, err := NewMachine(DefaultTable())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		if row, err := m.Fire(ctx, Confirmed, TriggerAccept, ActorMerchant, &Order{}); err != nil || row.To != Accepted {
			t.Fatalf("got %v, %v", row.To, err)
		}
	}
}

// A transition into the same state is one: the library calls it an error.
func TestFireIntoSameState(t *testing.T) {
	t.Parallel()
	m, err := NewMachine(DefaultTable())
	if err != nil {
		t.Fatal(err)
	}
	if row, err := m.Fire(t.Context(), NeedsAttention, TriggerRemind, "", &Order{}); err != nil || row.To != NeedsAttention {
		t.Errorf("got %v, %v", row.To, err)
	}
}

func TestMachineIsConcurrent(t *testing.T) {
	t.Parallel()
	m, err := NewMachine(DefaultTable())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, step := range []struct {
		from    State
		trigger Trigger
		to      State
	}{{Confirmed, TriggerAccept, Accepted}, {Accepted, TriggerReady, Ready}, {Ready, TriggerDeliver, Delivered}, {Delivered, TriggerComplete, Completed}} {
		wg.Go(func() {
			for range 500 {
				if row, err := m.Fire(t.Context(), step.from, step.trigger, "", &Order{}); err != nil || row.To != step.to {
					t.Errorf("got %v, %v, want %v", row.To, err, step.to)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestAllow(t *testing.T) {
	t.Parallel()
	m, err := NewMachine(DefaultTable().Allow(TriggerAccept, "cashier"))
	if err != nil {
		t.Fatal(err)
	}
	if !m.Can(Confirmed, TriggerAccept, "cashier", &Order{}) || m.Can(Confirmed, TriggerReject, "cashier", &Order{}) {
		t.Error("a cashier may accept and nothing else")
	}
	if slices.Contains(DefaultTable().Rows[5].Actors, "cashier") {
		t.Error("the default table was changed")
	}
}

func TestExportJSONIsComplete(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := DefaultTable().ExportJSON(&b); err != nil {
		t.Fatal(err)
	}
	var back struct {
		States []State      `json:"states"`
		Rows   []Row[State] `json:"rows"`
	}
	if err := json.Unmarshal([]byte(b.String()), &back); err != nil {
		t.Fatal(err)
	}
	if len(back.States) != len(allStates) || len(back.Rows) != len(DefaultTable().Rows) {
		t.Errorf("%d states, %d rows", len(back.States), len(back.Rows))
	}
}

// Not parallel, because AllocsPerRun counts for the whole process.
//
//nolint:paralleltest // see above
func TestFireDoesNotAllocate(t *testing.T) {
	m, err := NewMachine(DefaultTable())
	if err != nil {
		t.Fatal(err)
	}
	o, ctx := &Order{State: Confirmed}, t.Context()
	fire := func() {
		if row, err := m.Fire(ctx, Confirmed, TriggerAccept, ActorMerchant, o); err != nil || row.To != Accepted {
			t.Errorf("got %v, %v", row.To, err)
		}
	}
	fire() // the library proves the transition
	if n := testing.AllocsPerRun(100, fire); n != 0 {
		t.Errorf("a transition makes %v allocations", n)
	}
}

func BenchmarkMachine(b *testing.B) {
	m, err := NewMachine(DefaultTable())
	if err != nil {
		b.Fatal(err)
	}
	o := &Order{State: Confirmed}
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Fire(ctx, Confirmed, TriggerAccept, ActorMerchant, o); err != nil {
			b.Fatal(err)
		}
	}
}
