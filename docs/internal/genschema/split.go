package main

import (
	"fmt"
	"regexp"
	"strings"
)

// statement is one statement of a migration, without the semicolon, and what is said about it.
type statement struct {
	text  string // comments included
	above string // the comment that stands right above it
	after string // the comment behind its semicolon
}

// split cuts a migration into its statements. intro is the comment at its top, if an empty
// line parts it from the first statement.
func split(text string) (intro string, statements []statement, err error) {
	var above []string
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		switch trimmed := strings.TrimSpace(line); {
		case trimmed == "":
			if len(statements) == 0 && len(above) > 0 {
				intro = strings.Join(above, " ")
			}
			above, text = nil, rest
		case strings.HasPrefix(trimmed, "--split"):
			text = rest
		case strings.HasPrefix(trimmed, "--"):
			above, text = append(above, comment(trimmed)), rest
		default:
			end := ending(text)
			if end < 0 {
				return "", nil, fmt.Errorf("no semicolon ends %q", line)
			}
			s := statement{text: strings.TrimSpace(text[:end]), above: strings.Join(above, " ")}
			behind, rest, _ := strings.Cut(text[end+1:], "\n")
			switch behind = strings.TrimSpace(behind); {
			case strings.HasPrefix(behind, "--"):
				s.after = comment(behind)
			case behind != "":
				return "", nil, fmt.Errorf("%q follows a statement on its line", behind)
			}
			statements, above, text = append(statements, s), nil, rest
		}
	}
	return intro, statements, nil
}

func comment(line string) string { return strings.TrimSpace(strings.TrimLeft(line, "-")) }

// body is what makes SQLite's triggers hold statements of their own.
var body = regexp.MustCompile(`(?is)^CREATE TRIGGER\b.*\bBEGIN\b`)

// ending returns where the semicolon of the first statement is, -1 if there is none.
func ending(text string) int {
	for i := 0; i < len(text); {
		if next := skip(text, i); next > i {
			i = next
			continue
		}
		if text[i] == ';' {
			before := text[:i]
			if !body.MatchString(before) || strings.HasSuffix(strings.ToUpper(before), "END") {
				return i
			}
		}
		i++
	}
	return -1
}

// skip returns the end of the comment, the quoted text or the dollar-quoted body that begins
// at i, or i if none does.
func skip(text string, i int) int {
	until := func(start int, end string) int {
		if n := strings.Index(text[start:], end); n >= 0 {
			return start + n + len(end)
		}
		return len(text)
	}
	switch {
	case strings.HasPrefix(text[i:], "--"):
		return until(i, "\n")
	case text[i] == '\'' || text[i] == '"': // a doubled quote is two texts side by side
		return until(i+1, text[i:i+1])
	case strings.HasPrefix(text[i:], "$$"):
		return until(i+2, "$$")
	}
	return i
}

// flat returns the text without comments, on one line.
func flat(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		next := skip(text, i)
		switch {
		case strings.HasPrefix(text[i:], "--"):
			b.WriteByte(' ')
		case next > i:
			b.WriteString(text[i:next])
		default:
			b.WriteByte(text[i])
			next = i + 1
		}
		i = next
	}
	out := strings.Join(strings.Fields(b.String()), " ")
	return strings.ReplaceAll(strings.ReplaceAll(out, "( ", "("), " )", ")")
}

// part is one of the things that are listed in the parentheses of CREATE TABLE.
type part struct{ text, about string }

// parts cuts the inside of the parentheses that open at i, and returns where they close.
func parts(text string, open int) (list []part, end int, err error) {
	var now part
	said := func(p *part, what string) { p.about = strings.TrimSpace(p.about + " " + what) }
	depth, start, newline := 0, open+1, true
	flush := func(to int) {
		if now.text = flat(text[start:to]); now.text != "" {
			list = append(list, now)
		}
		now, start, newline = part{}, to+1, false
	}
	for i := open; i < len(text); {
		next := skip(text, i)
		if strings.HasPrefix(text[i:], "--") {
			// Behind a comma it is about what the comma ends, on a line of its own about what follows.
			if what := comment(strings.TrimSpace(text[i:next])); flat(text[start:i]) == "" && !newline && len(list) > 0 {
				said(&list[len(list)-1], what)
			} else {
				said(&now, what)
			}
			newline = true
		}
		if next > i {
			i = next
			continue
		}
		switch c := text[i]; {
		case c == '\n':
			newline = true
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				flush(i)
				return list, i, nil
			}
		case c == ',' && depth == 1:
			flush(i)
		}
		i++
	}
	return nil, 0, fmt.Errorf("a parenthesis is not closed in %q", flat(text))
}
