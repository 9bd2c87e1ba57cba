package hyperlocal

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Upcaster lifts the payload of an event by one version, so that whoever reads the event only
// has to know the latest form. Events of the old version are never rewritten: they may lie in
// an outbox, in a broker or parked, and are lifted each time they are read.
type Upcaster struct {
	Event string // name, such as "order.placed"
	From  int    // the version it reads; it writes the next one
	// Lift returns the payload in the form of version From+1. It depends on nothing but the
	// payload, and does not change the bytes that it is given.
	Lift func(payload json.RawMessage) (json.RawMessage, error)
}

// Errors of reading events of other versions.
var (
	// ErrNewerEvent: the event has a version that its reader does not know. Reading it as an
	// older one would lose or misread what it says.
	ErrNewerEvent = NewError(CodePrecondition, "event/newer",
		"the event is newer than its consumer: deploy the consumer that knows this version, before what emits it")
	// ErrUpcast: an old payload could not be lifted to the version that its reader knows.
	ErrUpcast = NewError(CodeInvalid, "event/upcast", "the old event cannot be lifted to the version of today")
	// ErrUpcasters: the upcasters contradict each other or leave a version out.
	ErrUpcasters = NewError(CodeInvalid, "event/upcasters", "the upcasters do not fit together")
)

// Upcasters are the upcasters of a program. Nil and the zero value hold none. They are
// safe for concurrent use.
type Upcasters struct {
	chains map[string][]Upcaster // by event; the one from version v is at v-1
}

// NewUpcasters puts upcasters together, in any order. Each event's have to lead from version 1
// to its latest without a gap, because version 1 may still lie somewhere. It reports all that
// is wrong at once: [ErrUpcasters].
func NewUpcasters(list ...Upcaster) (*Upcasters, error) {
	var problems []error
	wrong := func(format string, args ...any) {
		problems = append(problems, ErrUpcasters.WithMessage(format, args...))
	}
	steps := make(map[string]map[int]Upcaster)
	for _, u := range list {
		switch _, twice := steps[u.Event][u.From]; {
		case u.Event == "":
			wrong("an upcaster names its event")
		case u.From < 1:
			wrong("an upcaster of %s reads version %d; versions begin with 1", u.Event, u.From)
		case u.Lift == nil:
			wrong("the upcaster of %s from version %d has no Lift", u.Event, u.From)
		case twice:
			wrong("%s has two upcasters from version %d", u.Event, u.From)
		case steps[u.Event] == nil:
			steps[u.Event] = map[int]Upcaster{u.From: u}
		default:
			steps[u.Event][u.From] = u
		}
	}
	out := &Upcasters{chains: make(map[string][]Upcaster, len(steps))}
	for _, event := range slices.Sorted(maps.Keys(steps)) {
		known := slices.Sorted(maps.Keys(steps[event]))
		last, next := known[len(known)-1], 1
		for _, from := range known {
			if from != next {
				wrong("%s has an upcaster from version %d, but none from version %d", event, last, next)
				break
			}
			out.chains[event] = append(out.chains[event], steps[event][from])
			next++
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return out, nil
}

// Latest returns the version that the upcasters of an event lead to: 1 if it has none.
func (u *Upcasters) Latest(event string) int {
	if u == nil {
		return 1
	}
	return len(u.chains[event]) + 1
}

// Lift returns the event as a reader who knows it in the given version has to see it: with
// that version, and with the payload lifted to it one version at a time. Everything else stays.
//
// Errors: [ErrNewerEvent] if the event's version is higher, [ErrUpcast] if it is below 1, if
// an upcaster is missing, fails or writes what is not JSON.
func (u *Upcasters) Lift(e Envelope, version int) (Envelope, error) {
	if e.Version > version {
		return Envelope{}, ErrNewerEvent.WithMessage("%s has version %d, its consumer knows %d: deploy the consumer that knows "+
			"version %d, before what emits it", e.Name, e.Version, version, e.Version)
	}
	if e.Version == version {
		return e, nil
	}
	if latest := u.Latest(e.Name); e.Version < 1 || version > latest {
		return Envelope{}, ErrUpcast.WithMessage("%s cannot be lifted from version %d to %d: there are upcasters from version 1 to %d",
			e.Name, e.Version, version, latest)
	}
	for _, step := range u.chains[e.Name][e.Version-1 : version-1] {
		payload, err := step.Lift(slices.Clone(e.Payload))
		if err == nil && !json.Valid(payload) {
			err = errors.New("the upcaster wrote no JSON")
		}
		if err != nil {
			return Envelope{}, ErrUpcast.WithMessage("%s cannot be lifted from version %d to %d", e.Name, step.From, step.From+1).
				WithCause(fmt.Errorf("event %s: %w", e.ID, err))
		}
		e.Payload, e.Version = payload, step.From+1
	}
	return e, nil
}
