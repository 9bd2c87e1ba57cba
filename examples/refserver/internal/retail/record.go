package retail

import "bytes"

// maxRecord bounds a record, in bytes: a physical line, or a quoted record of several.
const maxRecord = 64 << 10

const textLineTooLong = "the line is longer than 64 KiB"

// record is one row of the table before anything in it is understood. Its fields alias the
// scanner's buffers and live until the next call of next.
type record struct {
	line   int      // physical line on which it begins, the header's line is 1
	fields [][]byte // trimmed, unquoted
	reason string   // why it cannot be split into fields, or ""
	text   string
}

// scanner splits text into records. It is a CSV reader (RFC 4180) of its own because what
// matters here is what happens on bad lines: a record is bounded, its physical line is known,
// and a quote that does not close costs one line, not the rest of the file.
//
// A quote inside an unquoted field is an ordinary character: shops sell 3" hearts. Blanks
// around a quoted field are not part of it; blanks before a quote that opens nothing are no
// more than blanks.
type scanner struct {
	text  []byte
	pos   int
	line  int // physical line at pos
	comma byte

	second     int // where the second physical line of the current record begins
	secondLine int

	rec     record
	scratch []byte
}

func newScanner(text []byte, comma byte) *scanner {
	return &scanner{text: text, line: 1, comma: comma}
}

// next reads the next record into s.rec and reports whether there was one. Empty lines and
// records that have only empty fields, which spreadsheets append, are skipped.
func (s *scanner) next() bool {
	for s.pos < len(s.text) {
		start := s.pos
		end, after := s.lineAt(start)
		s.rec = record{line: s.line, fields: s.rec.fields[:0]}
		s.second, s.secondLine = after, s.line+1
		line := s.text[start:end]
		switch {
		case len(line) > maxRecord:
			s.rec.reason, s.rec.text = ReasonLineTooLong, textLineTooLong
			s.resume()
			return true
		case bytes.IndexByte(line, '"') < 0:
			s.split(line)
			s.resume()
		default:
			if s.rec.reason, s.rec.text = s.splitQuoted(start); s.rec.reason != "" {
				s.rec.fields = s.rec.fields[:0]
				s.resume()
				return true
			}
		}
		if !blank(s.rec.fields) {
			return true
		}
	}
	return false
}

// resume makes the scanner go on with the physical line after the one on which the current
// record began, even if the record went further.
func (s *scanner) resume() { s.pos, s.line = s.second, s.secondLine }

// lineAt returns where the content of the physical line that begins at start ends, and
// where the next one begins.
func (s *scanner) lineAt(start int) (end, after int) {
	i := bytes.IndexByte(s.text[start:], '\n')
	if i < 0 {
		end, after = len(s.text), len(s.text)
	} else {
		end, after = start+i, start+i+1
	}
	if end > start && s.text[end-1] == '\r' {
		end--
	}
	return end, after
}

func (s *scanner) split(line []byte) {
	for {
		i := bytes.IndexByte(line, s.comma)
		if i < 0 {
			s.add(line)
			return
		}
		s.add(line[:i])
		line = line[i+1:]
	}
}

func (s *scanner) add(field []byte) {
	s.rec.fields = append(s.rec.fields, bytes.TrimSpace(field))
}

// splitQuoted reads a record that may have quoted fields and may go over several physical
// lines, and moves the scanner behind it; or it says why it cannot. It never looks further
// than a record may be long, so that hostile files cost no more than honest ones.
func (s *scanner) splitQuoted(start int) (reason, text string) {
	s.scratch = s.scratch[:0]
	bound := min(len(s.text), start+maxRecord+2) // a line end has up to two bytes
	lines := 1
	pos, done := start, false
	loose := false // blanks and a quote have begun a field that is not quoted
	for !done {
		if pos > bound {
			return ReasonLineTooLong, textLineTooLong
		}
		open := s.pastBlanks(pos, bound)
		if indented := open > pos; open == bound || s.text[open] != '"' || indented && loose {
			end, after, last := s.delimiterFrom(pos)
			s.add(s.text[pos:end])
			pos, done = after, last
			continue
		}
		field, after := s.unquote(open+1, bound)
		end, next, last := after, after, false
		if after >= 0 {
			end, next, last = s.delimiterFrom(after)
		}
		switch closed := after >= 0 && len(bytes.TrimSpace(s.text[after:end])) == 0; {
		case !closed && open > pos:
			loose = true // once per record, or a hostile one is searched to its end for every field
			continue
		case after < 0:
			return ReasonQuote, "a quoted field does not close"
		case !closed:
			return ReasonQuote, "a closing quote is followed by more text"
		}
		lines += bytes.Count(field, []byte{'\n'})
		s.add(field)
		pos, done = next, last
	}
	if pos > bound {
		return ReasonLineTooLong, textLineTooLong
	}
	s.pos, s.line = pos, s.line+lines
	return "", ""
}

// pastBlanks returns the position of the first byte at or behind pos that is no blank, at
// most bound.
func (s *scanner) pastBlanks(pos, bound int) int {
	for pos < bound && s.text[pos] == ' ' {
		pos++
	}
	return pos
}

// delimiterFrom returns where the first delimiter or line end at or behind pos begins, where
// it ends, and whether it is a line end. The end of the text is a line end.
func (s *scanner) delimiterFrom(pos int) (begin, end int, last bool) {
	for i, c := range s.text[pos:] {
		switch c {
		case s.comma:
			return pos + i, pos + i + 1, false
		case '\n':
			if i > 0 && s.text[pos+i-1] == '\r' {
				return pos + i - 1, pos + i + 1, true
			}
			return pos + i, pos + i + 1, true
		}
	}
	return len(s.text), len(s.text), true
}

// unquote reads a quoted field whose content begins at start. It returns the content and the
// position behind the closing quote, or -1 if there is none before bound.
func (s *scanner) unquote(start, bound int) (field []byte, after int) {
	from, escaped := start, false
	for {
		i := bytes.IndexByte(s.text[from:bound], '"')
		if i < 0 {
			return nil, -1
		}
		from += i + 1
		if from < bound && s.text[from] == '"' {
			escaped = true
			from++
			continue
		}
		break
	}
	field = s.text[start : from-1]
	if escaped {
		begin := len(s.scratch)
		for {
			i := bytes.Index(field, []byte(`""`))
			if i < 0 {
				s.scratch = append(s.scratch, field...)
				break
			}
			s.scratch = append(s.scratch, field[:i+1]...)
			field = field[i+2:]
		}
		field = s.scratch[begin:]
	}
	return field, from
}

func blank(fields [][]byte) bool {
	for _, f := range fields {
		if len(f) > 0 {
			return false
		}
	}
	return true
}
