package retail

import (
	"strings"
	"testing"
)

func TestShorten(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text  string
		limit int
		want  string
	}{
		{"Loaf", 4, "Loaf"}, {"Loaf", 3, "Loa"}, {"Café", 4, "Caf"}, {"Café", 5, "Café"}, {"Two loaves", 4, "Two"},
		{"€", 2, ""}, {"", 0, ""},
	} {
		if got := Shorten(tc.text, tc.limit); got != tc.want {
			t.Errorf("%q in %d bytes: %q, want %q", tc.text, tc.limit, got, tc.want)
		}
	}
}

// A description never costs a row: what cannot be kept of it is left out and noted.
func TestReadKeepsDescriptions(t *testing.T) {
	t.Parallel()
	const proper = "1;20010;é;1;;1;;\n1;20010;é;1;;1;;\n1;20010;é;1;;1;;\n1;20010;é;1;;1;;\n" // the file is UTF-8
	for _, tc := range []struct {
		name, title, want string
		noted             bool
	}{
		{"plain", "Loaf", "Loaf", false},
		{"accents", "Crème", "Crème", false},
		{"white space", "A\t loaf", "A loaf", false},
		{"NUL", "Lo\x00af", "Loaf", true},
		{"bell between blanks", "A \a loaf", "A loaf", true},
		{"C1 control", "Lo\u0085\u0090af", "Loaf", true},
		{"stray Latin-1", "Crème br\xfbl\xe9e", "Crème brûlée", true},
		{"stray quote of Windows", "\x93Loaf\x94", "“Loaf”", true},
		{"byte without meaning", "Lo\x81af", "Loaf", true},
		{"nothing left", "\x00\x01", "", true},
		{"long", strings.Repeat("x", maxTitle-1) + "éé", strings.Repeat("x", maxTitle-1), true},
		{"as long as can be", strings.Repeat("x", maxTitle), strings.Repeat("x", maxTitle), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			f := read(t, columnsLine+proper+"2;20010;"+tc.title+";1;;1;;\n")
			if len(f.Documents) != 2 || len(f.Rejected) > 0 {
				t.Fatalf("documents %+v, rejected %+v", f.Documents, f.Rejected)
			}
			if got := f.Documents[1].Rows[0].Title; got != tc.want {
				t.Errorf("title %q, want %q", got, tc.want)
			}
			if noted := len(f.Notes) == 1 && f.Notes[0].Reason == NoteDescription && f.Notes[0].Line == 6; noted != tc.noted {
				t.Errorf("notes %+v", f.Notes)
			}
		})
	}
}

// The line end of old spreadsheets is one like any other, and a quoted field may hold it.
func TestReadBareCarriageReturns(t *testing.T) {
	t.Parallel()
	const text = columnsLine + "1;20010;\"A\nloaf\";1;13/5/2024 08:00;1;;\n1;20011;Bun;0;;1;;\n1;20012;Jam;2;;1;;\n"
	for name, end := range map[string]string{"LF": "\n", "CRLF": "\r\n", "CR": "\r"} {
		f := read(t, strings.ReplaceAll(text, "\n", end))
		if len(f.Documents) != 1 || len(f.Documents[0].Rows) != 2 || len(f.Rejected) != 1 || f.Rejected[0].Line != 4 {
			t.Errorf("%s: documents %+v, rejected %+v", name, f.Documents, f.Rejected)
			continue
		}
		if rows := f.Documents[0].Rows; rows[0].Title != "A loaf" || rows[1].Line != 5 {
			t.Errorf("%s: rows %+v", name, rows)
		}
	}
}

func TestReadPricesWithoutDigitsOnOneSide(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{",5": 50, ",50": 50, "1,": 100, "+01,": 100, "-,00": 0, "0,": 0} {
		f := read(t, columnsLine+"1;20010;Loaf;1;;"+text+";;\n")
		if len(f.Documents) != 1 || f.Documents[0].Rows[0].Price != pounds(t, want) {
			t.Errorf("%s: documents %+v, rejected %+v", text, f.Documents, f.Rejected)
		}
	}
}
