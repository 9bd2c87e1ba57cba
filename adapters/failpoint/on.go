//go:build failpoints

package failpoint

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Enabled reports whether this binary was built with the tag "failpoints".
const Enabled = true

type action struct {
	name, verb string
	at         int
}

// The counters live as long as the process, like the environment that they answer to.
var places = struct {
	sync.Mutex
	hits map[string]int
	acts []action
	read bool
}{hits: make(map[string]int)}

// Hit marks a place: it counts the passage, logs it, and does what the environment asks for.
func Hit(ctx context.Context, name string) error {
	verb := pass(name)
	switch verb {
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way
	case "error":
		return ErrInjected.With("failpoint", name)
	case "delay":
		t := time.NewTimer(time.Second)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// Hits returns how often the place was passed.
func Hits(name string) int {
	places.Lock()
	defer places.Unlock()
	return places.hits[name]
}

func pass(name string) string {
	places.Lock()
	defer places.Unlock()
	if !places.read {
		places.acts, places.read = parse(os.Getenv("FAILPOINT")), true
	}
	places.hits[name]++
	if path := os.Getenv("FAILPOINT_LOG"); path != "" {
		if f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err == nil {
			_, _ = f.WriteString(name + "\n")
			_ = f.Close()
		}
	}
	for _, a := range places.acts {
		if a.name == name && a.at == places.hits[name] {
			return a.verb
		}
	}
	return ""
}

// parse reads name:verb[@n] entries; one that it cannot read stops the program, because a
// test that injects nothing would pass for the wrong reason.
func parse(text string) []action {
	var out []action
	for entry := range strings.SplitSeq(text, ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		name, verb, ok := strings.Cut(entry, ":")
		verb, nth, counted := strings.Cut(verb, "@")
		n := 1
		if counted {
			var err error
			if n, err = strconv.Atoi(nth); err != nil || n < 1 {
				ok = false
			}
		}
		if !ok || name == "" || (verb != "kill" && verb != "error" && verb != "delay") {
			panic("failpoint: cannot read FAILPOINT entry " + strconv.Quote(entry) +
				"; write name:kill, name:error or name:delay, each with an optional @n")
		}
		out = append(out, action{name: name, verb: verb, at: n})
	}
	return out
}
