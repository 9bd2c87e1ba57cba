package order

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/looplab/fsm"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Trigger is what moves a machine from one state to the next.
type Trigger string

// Guard names a condition that chooses between rows of the same trigger.
type Guard string

// Timer names what the clock does when nobody else does anything.
type Timer string

// Row is one line of a transition table. It is data: what follows from a transition is done
// by the service, inside the transaction.
type Row[S ~string] struct {
	Trigger Trigger `json:"trigger"`
	From    []S     `json:"from"`
	To      S       `json:"to"`
	// Guard must hold for the row to be chosen; "" always holds. Two rows of one trigger and
	// one source may not hold at the same time.
	Guard Guard `json:"guard,omitempty"`
	// Actors are the kinds of actor that may fire the row; without any, only the service itself may.
	Actors []string `json:"actors,omitempty"`
	// Timer is armed on arrival; "" on arrival in a terminal state. All rows into a state name the same.
	Timer Timer `json:"timer,omitempty"`
	// Emits names the events of the transition.
	Emits []string `json:"emits,omitempty"`
}

// Alarm says what a timer does when it goes off.
type Alarm struct {
	Timer Timer `json:"timer"`
	// After returns how long after the arrival in the state the timer goes off.
	After func(Policy) time.Duration `json:"-"`
	// Trigger is fired by the system. "" for the timers that the service handles itself.
	Trigger Trigger `json:"trigger,omitempty"`
	Reason  string  `json:"reason,omitempty"` // recorded in the history
}

// Table is a transition table with everything that its rows refer to. V is what guards look
// at. A table is a value: With and its siblings return changed copies.
type Table[S ~string, V any] struct {
	Name     string
	Initial  S
	Start    Timer // runs in the initial state, should anything ever rest there
	Terminal []S   // no timer of its own runs there; a row may still lead out, such as a late payment
	Rows     []Row[S]
	// Overrides name timers that run instead of the state's own; the first that fits counts.
	Overrides []Override[S]
	Guards    map[Guard]func(V) bool
	Alarms    []Alarm
}

// Override replaces the timer of some states while a guard holds.
type Override[S ~string] struct {
	In    []S   `json:"in"`
	When  Guard `json:"when"`
	Timer Timer `json:"timer"`
}

// With returns the table with further rows.
func (t Table[S, V]) With(rows ...Row[S]) Table[S, V] {
	t.Rows = slices.Concat(t.Rows, rows)
	return t
}

// WithGuard returns the table with a further guard, or with one replaced.
func (t Table[S, V]) WithGuard(name Guard, holds func(V) bool) Table[S, V] {
	guards := make(map[Guard]func(V) bool, len(t.Guards)+1)
	maps.Copy(guards, t.Guards)
	guards[name] = holds
	t.Guards = guards
	return t
}

// WithAlarm returns the table with a further timer, or with one replaced.
func (t Table[S, V]) WithAlarm(a Alarm) Table[S, V] {
	t.Alarms = slices.DeleteFunc(slices.Clone(t.Alarms), func(b Alarm) bool { return b.Timer == a.Timer })
	t.Alarms = append(t.Alarms, a)
	return t
}

// Allow returns the table with more kinds of actor allowed to fire a trigger, such as a
// host's "cashier" for TriggerAccept. Rows that only the service fires stay as they are.
func (t Table[S, V]) Allow(trigger Trigger, kinds ...string) Table[S, V] {
	t.Rows = slices.Clone(t.Rows)
	for i, r := range t.Rows {
		if r.Trigger == trigger && len(r.Actors) > 0 {
			t.Rows[i].Actors = slices.Concat(r.Actors, kinds)
		}
	}
	return t
}

// States returns every state of the table in the order in which it is first named.
func (t Table[S, V]) States() []S {
	states := []S{t.Initial}
	add := func(s S) {
		if !slices.Contains(states, s) {
			states = append(states, s)
		}
	}
	for _, r := range t.Rows {
		for _, s := range r.From {
			add(s)
		}
		add(r.To)
	}
	for _, s := range t.Terminal {
		add(s)
	}
	return states
}

// Triggers returns every trigger of the table in the order in which it is first named.
func (t Table[S, V]) Triggers() []Trigger {
	var all []Trigger
	for _, r := range t.Rows {
		if !slices.Contains(all, r.Trigger) {
			all = append(all, r.Trigger)
		}
	}
	return all
}

// Timer returns the timer that runs in a state for what v is, "" for none.
func (t Table[S, V]) Timer(s S, v V) Timer {
	for _, o := range t.Overrides {
		if slices.Contains(o.In, s) && t.Guards[o.When](v) {
			return o.Timer
		}
	}
	return t.timer(s)
}

// timer returns the timer that a state itself has, "" for none.
func (t Table[S, V]) timer(s S) Timer {
	if s == t.Initial {
		return t.Start
	}
	for _, r := range t.Rows {
		if r.To == s {
			return r.Timer
		}
	}
	return ""
}

// timed reports whether the states of the table have timers of their own.
func (t Table[S, V]) timed() bool { return len(t.Alarms) > 0 }

// alarm returns what a timer does.
func (t Table[S, V]) alarm(name Timer) (Alarm, bool) {
	i := slices.IndexFunc(t.Alarms, func(a Alarm) bool { return a.Timer == name })
	if i < 0 {
		return Alarm{}, false
	}
	return t.Alarms[i], true
}

// Machine interprets a validated table. It keeps nothing of the rows that it is asked for, so one
// machine serves all rows of a store concurrently.
type Machine[S ~string, V any] struct {
	table  Table[S, V]
	choice map[step[S]][]way // by source and trigger
	events []string          // the FSM event of each row
	pool   sync.Pool
}

type step[S ~string] struct {
	from    S
	trigger Trigger
}

// way is a row out of a source. made says that the library has made this transition and
// arrived where the row says: as it has no callbacks and the table never changes, it would
// arrive there again.
type way struct {
	row  int
	made *atomic.Bool
}

// NewMachine validates a table and returns its interpreter. All defects are reported at
// once: code invalid, reason "order/invalid_table".
func NewMachine[S ~string, V any](t Table[S, V]) (*Machine[S, V], error) {
	m := &Machine[S, V]{table: t, choice: make(map[step[S]][]way), events: make([]string, len(t.Rows))}
	descriptions := make([]fsm.EventDesc, len(t.Rows))
	for i, r := range t.Rows {
		// Each row is an event of its own: with one event for several rows the library
		// silently takes the last target.
		m.events[i] = string(r.Trigger) + "#" + strconv.Itoa(i)
		from := make([]string, len(r.From))
		for k, s := range r.From {
			from[k] = string(s)
			m.choice[step[S]{s, r.Trigger}] = append(m.choice[step[S]{s, r.Trigger}], way{i, new(atomic.Bool)})
		}
		descriptions[i] = fsm.EventDesc{Name: m.events[i], Src: from, Dst: string(r.To)}
	}
	if err := t.validate(m.choice); err != nil {
		return nil, err
	}
	m.pool.New = func() any { return fsm.NewFSM(string(t.Initial), descriptions, nil) }
	return m, nil
}

// Table returns the table that the machine interprets.
func (m *Machine[S, V]) Table() Table[S, V] { return m.table }

// Terminal reports whether a state is terminal.
func (m *Machine[S, V]) Terminal(s S) bool { return slices.Contains(m.table.Terminal, s) }

// Fire returns the row that a trigger takes from a state. kind is the kind of actor that
// fires it, "" for the service itself. v is what the guards look at.
//
// Errors: ErrNotAllowed with the fields state and trigger when no row fits; ErrActor when
// the trigger is never for actors of that kind; code internal, reason "order/ambiguous",
// when two rows fit.
func (m *Machine[S, V]) Fire(ctx context.Context, from S, trigger Trigger, kind string, v V) (Row[S], error) {
	chosen := way{row: -1}
	for _, w := range m.choice[step[S]{from, trigger}] {
		r := &m.table.Rows[w.row]
		if !allowed(r.Actors, kind) || r.Guard != "" && !m.table.Guards[r.Guard](v) {
			continue
		}
		if chosen.row >= 0 {
			return Row[S]{}, errAmbiguous.With("table", m.table.Name).With("state", from).With("trigger", trigger)
		}
		chosen = w
	}
	if chosen.row < 0 {
		return Row[S]{}, m.refusal(from, trigger, kind)
	}
	if !chosen.made.Load() {
		if err := m.step(ctx, from, chosen.row); err != nil {
			return Row[S]{}, err
		}
		chosen.made.Store(true)
	}
	return m.table.Rows[chosen.row], nil
}

// step lets the library make the transition on an instance of its own. It is asked once for
// each: see way.
func (m *Machine[S, V]) step(ctx context.Context, from S, row int) error {
	instance, ok := m.pool.Get().(*fsm.FSM)
	if !ok {
		return errMachine.With("table", m.table.Name)
	}
	instance.SetState(string(from))
	// A context that ends during the call leaves the instance stuck for ever. An instance
	// whose call failed is not put back for the same reason.
	err := instance.Event(context.WithoutCancel(ctx), m.events[row])
	var same fsm.NoTransitionError
	if err != nil && (!errors.As(err, &same) || same.Err != nil) {
		return errMachine.With("table", m.table.Name).With("event", m.events[row]).WithCause(err)
	}
	if got := instance.Current(); got != string(m.table.Rows[row].To) {
		return errMachine.With("table", m.table.Name).With("event", m.events[row]).With("reached", got)
	}
	m.pool.Put(instance)
	return nil
}

// Can reports whether Fire would find a row.
func (m *Machine[S, V]) Can(from S, trigger Trigger, kind string, v V) bool {
	return slices.ContainsFunc(m.choice[step[S]{from, trigger}], func(w way) bool {
		r := &m.table.Rows[w.row]
		return allowed(r.Actors, kind) && (r.Guard == "" || m.table.Guards[r.Guard](v))
	})
}

func (m *Machine[S, V]) refusal(from S, trigger Trigger, kind string) error {
	known := false
	for i := range m.table.Rows {
		r := &m.table.Rows[i]
		if r.Trigger != trigger {
			continue
		}
		if allowed(r.Actors, kind) {
			return ErrNotAllowed.With("state", from).With("trigger", trigger)
		}
		known = true
	}
	if known {
		return ErrActor.With("state", from).With("trigger", trigger).With("actor", kind)
	}
	return ErrNotAllowed.With("state", from).With("trigger", trigger)
}

func allowed(kinds []string, kind string) bool { return kind == "" || slices.Contains(kinds, kind) }

// Limits of a table.
const maxRows = 1000

// validate reports everything that is wrong with a table.
func (t Table[S, V]) validate(choice map[step[S]][]way) error {
	var wrong []error
	say := func(format string, args ...any) {
		wrong = append(wrong, hyperlocal.Invalid("order", "table", t.Name+": "+fmt.Sprintf(format, args...)))
	}
	if t.Name == "" || t.Initial == "" || len(t.Rows) == 0 || len(t.Rows) > maxRows {
		say("a table has a name, an initial state and 1 to %d rows", maxRows)
	}
	for i, r := range t.Rows {
		if r.Trigger == "" || r.To == "" || len(r.From) == 0 || slices.Contains(r.From, "") {
			say("row %d lacks its trigger, source or target", i)
		}
		if _, ok := t.Guards[r.Guard]; r.Guard != "" && !ok {
			say("row %d names the guard %q, which does not exist", i, r.Guard)
		}
		for k, s := range r.From {
			if slices.Contains(r.From[:k], s) {
				say("row %d names the source %q twice", i, s)
			}
		}
		for _, name := range r.Emits {
			if _, ok := newEvent(name, Changed{}, ""); !ok {
				say("row %d emits %q, which is no event of this context", i, name)
			}
		}
		t.checkTimer(r, say)
	}
	for i, o := range t.Overrides {
		if _, ok := t.Guards[o.When]; !ok {
			say("override %d names the guard %q, which does not exist", i, o.When)
		}
		if _, ok := t.alarm(o.Timer); !ok {
			say("nobody handles the timer %q of override %d", o.Timer, i)
		}
	}
	if _, ok := t.alarm(t.Start); t.timed() && !ok {
		say("nobody handles the timer %q of the initial state", t.Start)
	}
	for at, ways := range choice {
		t.checkChoice(at, ways, say)
	}
	t.checkReach(say)
	return errors.Join(wrong...)
}

// checkTimer: every state that is not terminal has one timer, and somebody handles it.
func (t Table[S, V]) checkTimer(r Row[S], say func(string, ...any)) {
	if !t.timed() {
		if r.Timer != "" {
			say("the table has no timers, but a row names %q", r.Timer)
		}
		return
	}
	if slices.Contains(t.Terminal, r.To) {
		if r.Timer != "" {
			say("the timer %q would run in the terminal state %q", r.Timer, r.To)
		}
		return
	}
	if _, ok := t.alarm(r.Timer); !ok {
		say("nobody handles the timer %q of the state %q", r.Timer, r.To)
	}
	if r.Timer != t.timer(r.To) {
		say("the state %q has two timers, %q and %q", r.To, t.timer(r.To), r.Timer)
	}
}

// checkChoice: where several rows could be taken, each needs a guard of its own, unless they
// are for different actors.
func (t Table[S, V]) checkChoice(at step[S], ways []way, say func(string, ...any)) {
	for k, one := range ways {
		for _, other := range ways[:k] {
			i, j := one.row, other.row
			a, b := t.Rows[i], t.Rows[j]
			if a.Guard == b.Guard || a.Guard == "" || b.Guard == "" {
				say("rows %d and %d both take %q from %q", j, i, at.trigger, at.from)
			}
		}
	}
}

// checkReach: every state can be reached, and only declared terminal states are dead ends.
func (t Table[S, V]) checkReach(say func(string, ...any)) {
	reached := []S{t.Initial}
	for i := 0; i < len(reached); i++ {
		for _, r := range t.Rows {
			if slices.Contains(r.From, reached[i]) && !slices.Contains(reached, r.To) {
				reached = append(reached, r.To)
			}
		}
	}
	for _, s := range t.States() {
		if !slices.Contains(reached, s) {
			say("the state %q cannot be reached", s)
		}
		leads := slices.ContainsFunc(t.Rows, func(r Row[S]) bool { return slices.Contains(r.From, s) && r.To != s })
		if !leads && !slices.Contains(t.Terminal, s) {
			say("no row leads out of %q, and it is not declared terminal", s)
		}
	}
	for _, a := range t.Alarms {
		if a.Trigger != "" && !slices.Contains(t.Triggers(), a.Trigger) {
			say("the timer %q fires %q, which no row has", a.Timer, a.Trigger)
		}
	}
}
