package order

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// tableJSON is the exported form of a table: everything but the code of its guards.
type tableJSON[S ~string] struct {
	Name      string        `json:"name"`
	Initial   S             `json:"initial"`
	Start     Timer         `json:"start_timer,omitempty"`
	Terminal  []S           `json:"terminal"`
	States    []S           `json:"states"`
	Triggers  []Trigger     `json:"triggers"`
	Rows      []Row[S]      `json:"rows"`
	Overrides []Override[S] `json:"timer_overrides,omitempty"`
	Alarms    []Alarm       `json:"alarms,omitempty"`
}

// ExportJSON writes the table as indented JSON, the same bytes for the same table.
func (t Table[S, V]) ExportJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(tableJSON[S]{
		Name: t.Name, Initial: t.Initial, Start: t.Start, Terminal: t.Terminal, States: t.States(), Triggers: t.Triggers(),
		Rows: t.Rows, Overrides: t.Overrides, Alarms: t.Alarms,
	})
}

// ExportMermaid writes the table as a Markdown page with a Mermaid state diagram and a list
// of its rows.
func (t Table[S, V]) ExportMermaid(w io.Writer) error {
	var page []byte
	say := func(format string, args ...any) { page = fmt.Appendf(page, format, args...) }
	say("# Transition table: %s\n\n", t.Name)
	say("Generated from package order; do not edit. %d states, %d triggers, %d rows.\n\n", len(t.States()), len(t.Triggers()), len(t.Rows))
	say("```mermaid\nstateDiagram-v2\n    [*] --> %s\n", t.Initial)
	for _, r := range t.Rows {
		label := string(r.Trigger)
		if r.Guard != "" {
			label += " [" + string(r.Guard) + "]"
		}
		for _, from := range r.From {
			say("    %s --> %s: %s\n", from, r.To, label)
		}
	}
	for _, s := range t.Terminal {
		say("    %s --> [*]\n", s)
	}
	say("```\n\n| trigger | from | to | guard | who | timer | events |\n|---|---|---|---|---|---|---|\n")
	for _, r := range t.Rows {
		who := strings.Join(r.Actors, ", ")
		if who == "" {
			who = "the service itself"
		}
		say("| %s | %s | %s | %s | %s | %s | %s |\n", r.Trigger, join(r.From), r.To, r.Guard, who, r.Timer, strings.Join(r.Emits, ", "))
	}
	if len(t.Alarms) > 0 {
		say("\n| timer | fires | reason |\n|---|---|---|\n")
		for _, a := range t.Alarms {
			fires := string(a.Trigger)
			if fires == "" {
				fires = "handled by the service"
			}
			say("| %s | %s | %s |\n", a.Timer, fires, a.Reason)
		}
	}
	for _, o := range t.Overrides {
		say("\nWhile %s, the timer in %s is %s.\n", o.When, join(o.In), o.Timer)
	}
	_, err := w.Write(page)
	return err
}

func join[S ~string](all []S) string {
	parts := make([]string, len(all))
	for i, s := range all {
		parts[i] = string(s)
	}
	return strings.Join(parts, ", ")
}
