package hyperlocal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// step is an upcaster that notes at the end of a list that it was there.
func step(event string, from int) hyperlocal.Upcaster {
	return hyperlocal.Upcaster{Event: event, From: from, Lift: func(payload json.RawMessage) (json.RawMessage, error) {
		var seen []int
		if err := json.Unmarshal(payload, &seen); err != nil {
			return nil, err
		}
		for i := range payload {
			payload[i] = ' ' // what it is given is its own
		}
		return json.Marshal(append(seen, from))
	}}
}

func listed(version int, payload string) hyperlocal.Envelope {
	return hyperlocal.Envelope{ID: "e1", Name: "order.listed", Version: version, Payload: json.RawMessage(payload), N: 3}
}

func TestNewUpcastersRefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	one, two, three := step("order.listed", 1), step("order.listed", 2), step("order.listed", 3)
	for name, c := range map[string]struct {
		list []hyperlocal.Upcaster
		want string
	}{
		"gap":           {[]hyperlocal.Upcaster{one, three}, "order.listed has an upcaster from version 3, but none from version 2"},
		"no beginning":  {[]hyperlocal.Upcaster{two, three}, "but none from version 1"},
		"twice":         {[]hyperlocal.Upcaster{one, one}, "two upcasters from version 1"},
		"version 0":     {[]hyperlocal.Upcaster{step("order.listed", 0)}, "versions begin with 1"},
		"no name":       {[]hyperlocal.Upcaster{step("", 1)}, "names its event"},
		"no Lift":       {[]hyperlocal.Upcaster{{Event: "order.listed", From: 1}}, "has no Lift"},
		"all in one go": {[]hyperlocal.Upcaster{two, {Event: "a.b", From: 1}}, "has no Lift\nevent/upcasters: order.listed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := hyperlocal.NewUpcasters(c.list...)
			if u != nil || !errors.Is(err, hyperlocal.ErrUpcasters) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestLift(t *testing.T) {
	t.Parallel()
	broken := hyperlocal.Upcaster{Event: "order.broken", From: 1, Lift: func(json.RawMessage) (json.RawMessage, error) {
		return json.RawMessage("{"), nil
	}}
	u, err := hyperlocal.NewUpcasters(step("order.listed", 2), broken, step("order.listed", 1))
	if err != nil {
		t.Fatal(err)
	}
	if u.Latest("order.listed") != 3 || u.Latest("order.other") != 1 || (*hyperlocal.Upcasters)(nil).Latest("order.listed") != 1 {
		t.Error("the latest version is the one that the chain leads to")
	}
	for name, c := range map[string]struct {
		from, to int
		payload  string
		want     string
		err      error
	}{
		"two steps":    {1, 3, `[0]`, `[0,1,2]`, nil},
		"one step":     {2, 3, `[0]`, `[0,2]`, nil},
		"not the last": {1, 2, `[]`, `[1]`, nil},
		"current":      {3, 3, `{"any":"thing"}`, `{"any":"thing"}`, nil},
		"newer":        {4, 3, `[]`, "", hyperlocal.ErrNewerEvent},
		"newer by far": {3, 1, `[]`, "", hyperlocal.ErrNewerEvent},
		"no version":   {0, 3, `[]`, "", hyperlocal.ErrUpcast},
		"beyond":       {1, 4, `[]`, "", hyperlocal.ErrUpcast},
		"fails":        {1, 3, `{}`, "", hyperlocal.ErrUpcast},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old := listed(c.from, c.payload)
			got, err := u.Lift(old, c.to)
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) || string(got.Payload) != c.want {
				t.Fatalf("got %s, %v", got.Payload, err)
			}
			if err == nil && (got.Version != c.to || got.ID != old.ID || got.N != old.N) {
				t.Errorf("got %+v", got)
			}
			if string(old.Payload) != c.payload {
				t.Errorf("the old payload has become %s", old.Payload)
			}
		})
	}
	e := hyperlocal.Envelope{Name: "order.broken", Version: 1, Payload: json.RawMessage(`{}`)}
	if _, err := u.Lift(e, 2); !errors.Is(err, hyperlocal.ErrUpcast) {
		t.Errorf("no JSON: %v", err)
	}
	if got, err := (*hyperlocal.Upcasters)(nil).Lift(listed(1, `[]`), 1); err != nil || got.Version != 1 {
		t.Errorf("without upcasters: %+v, %v", got, err)
	}
	if _, err := (*hyperlocal.Upcasters)(nil).Lift(listed(1, `[]`), 2); !errors.Is(err, hyperlocal.ErrUpcast) {
		t.Errorf("without upcasters: %v", err)
	}
}

// TestNewerEventSaysWhatToDo: the text ends up beside the parked message, for a person to read.
func TestNewerEventSaysWhatToDo(t *testing.T) {
	t.Parallel()
	_, err := (*hyperlocal.Upcasters)(nil).Lift(listed(2, `[]`), 1)
	if !hyperlocal.IsCode(err, hyperlocal.CodePrecondition) ||
		!strings.Contains(err.Error(), "order.listed has version 2, its consumer knows 1: deploy the consumer") {
		t.Error(err)
	}
}

// TestLiftPropertyInSteps: lifting a payload by hand, one version at a time and with a stop
// anywhere, gives what the chain gives at once, in whatever order it was registered.
func TestLiftPropertyInSteps(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		latest := rapid.IntRange(1, 8).Draw(t, "latest")
		var list []hyperlocal.Upcaster
		for from := 1; from < latest; from++ {
			list = append(list, step("order.listed", from), step("order.other", from))
		}
		u, err := hyperlocal.NewUpcasters(rapid.Permutation(list).Draw(t, "order")...)
		if err != nil {
			t.Fatal(err)
		}
		from := rapid.IntRange(1, latest).Draw(t, "from")
		to := rapid.IntRange(from, latest).Draw(t, "to")
		between := rapid.IntRange(from, to).Draw(t, "between")
		at := func(e hyperlocal.Envelope, version int) hyperlocal.Envelope {
			lifted, err := u.Lift(e, version)
			if err != nil {
				t.Fatal(err)
			}
			return lifted
		}
		old := listed(from, `[]`)
		whole, halves, byHand := at(old, to), at(at(old, between), to), old
		for i := slices.IndexFunc(list, func(s hyperlocal.Upcaster) bool { return s.Event == old.Name }); byHand.Version < to; {
			lifted, err := list[i+2*(byHand.Version-1)].Lift(slices.Clone(byHand.Payload))
			if err != nil {
				t.Fatal(err)
			}
			byHand.Payload, byHand.Version = lifted, byHand.Version+1
		}
		for name, got := range map[string]hyperlocal.Envelope{"in two": halves, "by hand": byHand} {
			if fmt.Sprint(got) != fmt.Sprint(whole) {
				t.Fatalf("%s it is %s, at once %s", name, got.Payload, whole.Payload)
			}
		}
	})
}
