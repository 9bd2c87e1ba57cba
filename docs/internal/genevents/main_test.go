package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
)

const root = "../../.."

func TestCommittedPageIsCurrent(t *testing.T) {
	t.Parallel()
	want, err := render(root)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, page))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is out of date; run go generate (%v)", page, err)
	}
}

// TestSamplesDecode reads every payload that was ever committed, lifted if its version is an old
// one, into the type of today, which has to know all its fields and to write them again.
func TestSamplesDecode(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, samples, "*.json"))
	if err != nil || len(files) < len(events()) {
		t.Fatalf("%d samples for %d events, %v; run go generate", len(files), len(events()), err)
	}
	lift, err := upcasters()
	if err != nil {
		t.Fatal(err)
	}
	today := make(map[string]hyperlocal.Event)
	for _, ev := range events() {
		if _, twice := today[ev.EventName()]; twice {
			t.Errorf("two events are called %s", ev.EventName())
		}
		today[ev.EventName()] = ev
		if lift.Latest(ev.EventName()) != ev.EventVersion() {
			t.Errorf("%s has version %d, its upcasters lead to %d", ev.EventName(), ev.EventVersion(), lift.Latest(ev.EventName()))
		}
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			old, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			e, err := stored(filepath.Base(name), old)
			if err != nil {
				t.Fatal(err)
			}
			ev, ok := today[e.Name]
			if !ok {
				t.Fatal("nobody can read this event any more")
			}
			if e, err = lift.Lift(e, ev.EventVersion()); err != nil {
				t.Fatal(err)
			}
			old = e.Payload
			v := reflect.New(reflect.TypeOf(ev))
			dec := json.NewDecoder(bytes.NewReader(old))
			dec.DisallowUnknownFields()
			if err := dec.Decode(v.Interface()); err != nil {
				t.Fatal(err)
			}
			again, err := json.Marshal(v.Elem().Interface())
			if err != nil {
				t.Fatal(err)
			}
			if err := grows(old, again); err != nil {
				t.Errorf("written again it lost something: %v", err)
			}
		})
	}
}

// stored returns the event that a sample is of, by its file's name, such as "order.placed.v1.json".
func stored(file string, payload []byte) (e hyperlocal.Envelope, err error) {
	name := strings.TrimSuffix(file, ".json")
	at := strings.LastIndex(name, ".v")
	if at < 0 {
		return e, fmt.Errorf("%s is not named <event>.v<version>.json", file)
	}
	e = hyperlocal.Envelope{Name: name[:at], Payload: payload}
	e.Version, err = strconv.Atoi(name[at+len(".v"):])
	return e, err
}

// TestNames keeps names to the form that topics, brokers and consumers rely on.
func TestNames(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[a-z]+\.[a-z]+(_[a-z]+)*$`)
	for _, ev := range events() {
		pkg := reflect.TypeOf(ev).PkgPath()
		if !form.MatchString(ev.EventName()) || !strings.HasSuffix(pkg, "/"+strings.Split(ev.EventName(), ".")[0]) || ev.EventVersion() < 1 {
			t.Errorf("%s v%d of %s", ev.EventName(), ev.EventVersion(), pkg)
		}
	}
}

func TestGrows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		old, made string
		ok        bool
	}{
		{`{"a":1}`, `{"a":2,"b":3}`, true},
		{`{"a":{"b":[1]}}`, `{"a":{"b":[1],"c":true}}`, true},
		{`{"a":1}`, `{"b":1}`, false},
		{`{"a":1}`, `{"a":"1"}`, false},
		{`{"a":{"b":1}}`, `{"a":{}}`, false},
		{`{"a":[{"b":1}]}`, `{"a":[{}]}`, false},
	} {
		if err := grows([]byte(c.old), []byte(c.made)); (err == nil) != c.ok {
			t.Errorf("%s to %s: %v", c.old, c.made, err)
		}
	}
}
