package bunstore

import (
	"regexp"
	"slices"
	"strings"
)

// The forms of a text in which a relation of one row can be left out on SQLite: its columns
// become plain parameters. That spares the database a subquery, and for a change of one row
// the journal of the statement, which it keeps for what may fail halfway.
var (
	oneInsert = regexp.MustCompile(`(?s)^(\s*INSERT INTO .*?\))\s*SELECT\s+(.*?)\s+FROM \{k\} k(?:\s+WHERE true)?(\s+ON CONFLICT\b.*|\s*)$`)
	oneUpdate = regexp.MustCompile(`(?s)^(\s*UPDATE .*?)\s+FROM \{k\} k\s+(WHERE\b.*)$`)
	oneDelete = regexp.MustCompile(`(?s)^(\s*DELETE .*?)\bIN\s*\(SELECT ([^()]*) FROM \{k\} k\)(.*)$`)
	oneSelect = regexp.MustCompile(`(?s)^(\s*SELECT .*?\bFROM )\{k\} k CROSS JOIN (.*)$`)
	oneJoin   = regexp.MustCompile(`(?s)^(\s*SELECT .*?)\s+JOIN \{k\} k ON (.*)$`)
	// What a join that becomes the WHERE must not go with.
	notOneJoin = regexp.MustCompile(`\bWHERE\b|(?s:\{k\} k .*)\bJOIN\b|\b(LEFT|CROSS) JOIN \{k\}`)
)

// single writes a text for a relation of one row without it, the columns as {k.name}. It
// reports false for a text of another form, which it returns as it is.
func single(text string, r *rel) (out string, ok bool) {
	if strings.Count(text, "{k}") != 1 {
		return text, false
	}
	if m := oneInsert.FindStringSubmatch(text); m != nil {
		return m[1] + " VALUES (" + columns(m[2], r) + ")" + columns(m[3], nil), true
	}
	if m := oneUpdate.FindStringSubmatch(text); m != nil {
		return columns(m[1]+" "+m[2], nil), true
	}
	if m := oneDelete.FindStringSubmatch(text); m != nil {
		return columns(m[1], nil) + "= (" + columns(m[2], r) + ")" + columns(m[3], nil), true
	}
	if m := oneSelect.FindStringSubmatch(text); m != nil {
		return columns(m[1]+m[2], nil), true
	}
	if m := oneJoin.FindStringSubmatch(text); m != nil && !notOneJoin.MatchString(text) {
		return columns(m[1]+" WHERE "+m[2], nil), true
	}
	return text, false
}

// columns writes k.name as {k.name}, and where there is nothing but the relation to take a
// column from, so that r is given, its bare names too. It leaves out what is for PostgreSQL
// only.
func columns(text string, r *rel) string {
	var b strings.Builder
	b.Grow(len(text) + 64)
	last := ""
	for i := 0; i < len(text); {
		tok := next(text, i)
		i += len(tok)
		switch {
		case tok == "{" && strings.HasPrefix(text[i:], "pg ") && strings.IndexByte(text[i:], '}') >= 0:
			i += strings.IndexByte(text[i:], '}') + 1
			continue
		case last == ".":
		case tok == "k" && strings.HasPrefix(text[i:], "."):
			name := next(text, i+1)
			i += 1 + len(name)
			tok = "{k." + name + "}"
		case r != nil && slices.ContainsFunc(r.cols, func(c column) bool { return c.name == tok }):
			tok = "{k." + tok + "}"
		}
		b.WriteString(tok)
		last = tok
	}
	return b.String()
}
