package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
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

// TestSamplesDecode reads every payload that was ever committed into the type of today, which
// has to know all its fields and to write them again.
func TestSamplesDecode(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, samples, "*.json"))
	if err != nil || len(files) < len(events()) {
		t.Fatalf("%d samples for %d events, %v; run go generate", len(files), len(events()), err)
	}
	types := make(map[string]reflect.Type)
	for _, ev := range events() {
		if _, twice := types[file(ev)]; twice {
			t.Errorf("two events are called %s", file(ev))
		}
		types[file(ev)] = reflect.TypeOf(ev)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			old, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			kind, ok := types[filepath.Base(name)]
			if !ok {
				t.Fatal("nobody can read this event any more")
			}
			v := reflect.New(kind)
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
