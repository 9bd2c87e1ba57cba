package retail

import (
	"strings"
	"testing"
	"time"
)

func TestParseDate(t *testing.T) {
	t.Parallel()
	morning := time.Date(2010, 12, 1, 8, 26, 0, 0, time.UTC)
	for _, tc := range []struct {
		text  string
		order DateOrder
		want  time.Time
	}{
		{"12/1/10 8:26", MonFirst, morning},
		{"1/12/10 8:26", DayFirst, morning},
		{"1.12.2010 08:26", DayFirst, morning},
		{"12/1/2010 8:26 AM", MonFirst, morning},
		{"12/1/2010  8:26:00 am", MonFirst, morning},
		{"12/1/2010 8:26\u202fPM", MonFirst, morning.Add(12 * time.Hour)},
		{"12/1/2010 12:26AM", MonFirst, morning.Add(-8 * time.Hour)},
		{"12/1/2010 12:26 PM", MonFirst, morning.Add(4 * time.Hour)},
		{"2010-12-01 08:26:00", DayFirst, morning},
		{"2010-12-01 08:26", MonFirst, morning},
		{"2010-12-01T08:26:00Z", DayFirst, morning},
		{"2010-12-01T08:26:00.000", DayFirst, morning},
		{"2010-12-01T08:26:00.123456789Z", DayFirst, morning},
		{"2010-12-01T08:26:00+00:00", DayFirst, morning},
		{"2010-12-01T09:26:00.5+01:00", DayFirst, morning},
		{"2010-12-01 02:56:00 -0530", DayFirst, morning},
		{"2010-12-01", DayFirst, morning.Truncate(24 * time.Hour)},
		{"1/2/70", DayFirst, time.Date(1970, 2, 1, 0, 0, 0, 0, time.UTC)},
		{"1/2/69", DayFirst, time.Date(2069, 2, 1, 0, 0, 0, 0, time.UTC)},
		{"29/2/2024 8:26", DayFirst, time.Date(2024, 2, 29, 8, 26, 0, 0, time.UTC)},
	} {
		if got, ok := parseDate([]byte(tc.text), tc.order); !ok || !got.Equal(tc.want) {
			t.Errorf("%q as %s: %v %v, want %v", tc.text, tc.order, got, ok, tc.want)
		}
	}
	for _, text := range []string{
		"today", "30/2/2024 08:00", "1/2/2024 24:00", "1/2/2024 08:00 XM", "1/2/2024 13:00 PM", "1/2/2024 0:00 AM",
		"1/2/2024 08", "1/2/2024 08:00:00.", "1/2/2024 08:00 +1", "1/2/2024 08:00 +01", "1/2/2024 08:00+15:00", "1/2/2024T", "1/2/2024 ", "1/2/024", "13/13/2024",
		"1/2/1969", "1970-01-01 00:00+01:00", "9999-12-31 23:59 -01:00", "2010-12-01 08:26 AM Z", "1/2", "45000", "20101201",
	} {
		if got, ok := parseDate([]byte(text), DayFirst); ok {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

// What order of day and month a file is read in, by its dates together.
func TestReadDateOrder(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, dates string
		want        DateOrder
	}{
		{"no evidence", "1/2/2024|2/3/2024|3/1/2024", DayFirst},
		{"nothing to read", "never||2024-05-06", DayFirst},
		{"one proof", "1/2/2024|2/13/2024", MonFirst},
		{"proof with two digits", "1/2/24|2/13/24", MonFirst},
		{"proofs against each other", "13/2/2024|2/13/2024 8:00 AM", DayFirst},
		{"proof against a clock of twelve hours", "13/2/2024 8:00 AM|3/2/2024 8:00 AM", DayFirst},
		{"a clock of twelve hours", "1/2/2024 8:00 PM|2/3/2024 8:00 PM", MonFirst},
		{"the first days of December", "12/1/2010 8:26|12/1/2010 8:28|12/2/2010 9:00|12/3/2010 9:00", MonFirst},
		{"the first days of December, day first", "1/12/2010 8:26|1/12/2010 8:28|2/12/2010 9:00|3/12/2010 9:00 AM", DayFirst},
		{"two days are too few", "12/1/2010|12/2/2010", DayFirst},
		{"numbers that are no date", "13.5|14.5|15.5|1/2/2024", DayFirst},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			text := columnsLine
			for date := range strings.SplitSeq(tc.dates, "|") {
				text += "1;20010;Loaf;1;" + date + ";1;;\n"
			}
			if f := read(t, text); f.Dialect.Dates != tc.want || len(f.Rejected) > 0 {
				t.Errorf("%s, rejected %+v, want %s", f.Dialect.Dates, f.Rejected, tc.want)
			}
		})
	}
}

// A date that cannot be read costs the date, not the row.
func TestReadNotesDates(t *testing.T) {
	t.Parallel()
	f := read(t, columnsLine+"1;20010;Loaf;1;31/6/2024 08:00;1;;\n1;20010;Loaf;2;5/6/2024 08:00;1;;\n1;20010;Loaf;0;soon;1;;\n")
	if len(f.Documents) != 1 || len(f.Documents[0].Rows) != 2 || len(f.Rejected) != 1 {
		t.Fatalf("documents %+v, rejected %+v", f.Documents, f.Rejected)
	}
	if want := time.Date(2024, 6, 5, 8, 0, 0, 0, time.UTC); !f.Documents[0].At.Equal(want) {
		t.Errorf("at %v, want %v", f.Documents[0].At, want)
	}
	if len(f.Notes) != 1 || f.Notes[0].Line != 2 || f.Notes[0].Document != "1" || f.Notes[0].Reason != NoteDate ||
		!strings.Contains(f.Notes[0].Text, "31/6/2024") {
		t.Errorf("notes %+v", f.Notes)
	}
}

func TestReadBoundsNotes(t *testing.T) {
	t.Parallel()
	f := read(t, columnsLine+strings.Repeat("C1;20010;Loaf;-1;soon;1;;\n", maxNotes+5))
	if len(f.Notes) != maxNotes || f.MoreNotes != 5 || f.Rows != maxNotes+5 {
		t.Errorf("%d notes and %d more of %d rows", len(f.Notes), f.MoreNotes, f.Rows)
	}
}
