package reconcile

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// Limits bound what is read of a statement. Zero fields mean the defaults.
type Limits struct {
	MaxLine  int // bytes of a line, line feeds inside quotes included; default 64 KiB
	MaxLines int // lines of the file; default 1,000,000
}

func (l Limits) withDefaults() Limits {
	if l.MaxLine == 0 {
		l.MaxLine = 64 << 10
	}
	if l.MaxLines == 0 {
		l.MaxLines = 1_000_000
	}
	return l
}

// Format opens a statement of one kind: it reads line by line and keeps nothing that it has
// returned. A byte order mark and carriage returns are tolerated.
type Format func(r io.Reader, limits Limits) Lines

// Lines is a statement that is being read.
type Lines interface {
	// Next returns the next line, io.EOF after the last one. An error says where: ErrMalformed,
	// ErrHeader, ErrArithmetic, ErrTotals, ErrLineTooLong, ErrTooManyLines, code unavailable
	// if the file itself cannot be read.
	Next() (Line, error)
}

// records reads physical lines, and CSV records over several of them.
type records struct {
	in     *bufio.Reader
	limits Limits
	line   int // number of the last physical line
	buf    []byte
}

func newRecords(r io.Reader, limits Limits) *records {
	return &records{in: bufio.NewReaderSize(r, 32<<10), limits: limits.withDefaults()}
}

var byteOrderMark = []byte("\uFEFF")

// physical appends the next physical line to buf, without its end.
func (r *records) physical() error {
	start := len(r.buf)
	read := false
	for {
		part, err := r.in.ReadSlice('\n')
		read = read || len(part) > 0
		r.buf = append(r.buf, part...)
		switch {
		case err == nil, errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			if !read {
				return io.EOF
			}
		default:
			return hyperlocal.NewError(hyperlocal.CodeUnavailable, "reconcile/unreadable", "the file cannot be read").
				With("line", r.line+1).WithCause(err)
		}
		if len(bytes.TrimRight(r.buf, "\r\n")) > r.limits.MaxLine {
			return ErrLineTooLong.With("line", r.line+1).With("limit_bytes", r.limits.MaxLine)
		}
		if err == nil || errors.Is(err, io.EOF) {
			break
		}
	}
	if r.line++; r.line > r.limits.MaxLines {
		return ErrTooManyLines.With("line", r.line).With("limit", r.limits.MaxLines)
	}
	if r.line == 1 {
		r.buf = append(r.buf[:start], bytes.TrimPrefix(r.buf[start:], byteOrderMark)...)
	}
	r.buf = r.buf[:start+len(bytes.TrimRight(r.buf[start:], "\r\n"))]
	if !utf8.Valid(r.buf[start:]) {
		return ErrMalformed.With("line", r.line).WithMessage("this line of the statement is not UTF-8")
	}
	return nil
}

// text returns the next physical line and its number.
func (r *records) text() (string, int, error) {
	r.buf = r.buf[:0]
	err := r.physical()
	return string(r.buf), r.line, err
}

// fields returns the next CSV record (RFC 4180) that is not empty, and where it began.
func (r *records) fields() ([]string, int, error) {
	for {
		r.buf = r.buf[:0]
		if err := r.physical(); err != nil {
			return nil, r.line, err
		}
		first := r.line
		if len(r.buf) == 0 {
			continue
		}
		for bytes.Count(r.buf, []byte{'"'})%2 == 1 { // a line feed inside quotes
			r.buf = append(r.buf, '\n')
			if err := r.physical(); errors.Is(err, io.EOF) {
				return nil, first, ErrMalformed.With("line", first).WithMessage("a quote is not closed on this line of the statement")
			} else if err != nil {
				return nil, first, err
			}
		}
		cells, ok := splitCSV(string(r.buf))
		if !ok {
			return nil, first, ErrMalformed.With("line", first)
		}
		return cells, first, nil
	}
}

// splitCSV cuts a record whose quotes are balanced.
func splitCSV(text string) ([]string, bool) {
	if !strings.Contains(text, `"`) {
		return strings.Split(text, ","), true
	}
	var cells []string
	for {
		if !strings.HasPrefix(text, `"`) {
			cell, rest, more := strings.Cut(text, ",")
			if strings.Contains(cell, `"`) {
				return nil, false
			}
			if cells = append(cells, cell); !more {
				return cells, true
			}
			text = rest
			continue
		}
		var cell strings.Builder
		text = text[1:]
		for {
			part, rest, closed := strings.Cut(text, `"`)
			if !closed {
				return nil, false
			}
			cell.WriteString(part)
			if text = rest; !strings.HasPrefix(text, `"`) {
				break
			}
			cell.WriteByte('"')
			text = text[1:]
		}
		cells = append(cells, cell.String())
		switch {
		case text == "":
			return cells, true
		case text[0] != ',':
			return nil, false
		}
		text = text[1:]
	}
}

// Columns that every format has.
const (
	columnCurrency = "currency"
	columnFee      = "fee"
)

// columns knows where the cells of a record stand.
type columns struct {
	at    map[string]int
	width int
}

// newColumns reads a header. names lists, for each column that is wanted, what it may be
// called; an entry whose first name is "" is optional.
func newColumns(line int, header []string, names map[string][]string) (*columns, error) {
	c := &columns{at: make(map[string]int, len(names)), width: len(header)}
	place := make(map[string]int, len(header))
	for i, name := range header {
		place[strings.ToLower(strings.TrimSpace(name))] = i
	}
	for column, known := range names {
		found := known[0] == ""
		c.at[column] = -1
		for _, name := range known {
			if i, ok := place[name]; ok && name != "" {
				c.at[column], found = i, true
				break
			}
		}
		if !found {
			return nil, ErrHeader.With("line", line).With("field", known[0])
		}
	}
	return c, nil
}

// row is one record under its columns. Its first problem is kept, so that it is asked once.
type row struct {
	line  int
	c     *columns
	cells []string
	clean func(string) string
	err   error
}

func (c *columns) row(line int, cells []string, clean func(string) string) *row {
	r := &row{line: line, c: c, cells: cells, clean: clean}
	if len(cells) != c.width {
		r.err = ErrMalformed.With("line", line).With("fields", len(cells)).With("wanted", c.width)
	}
	return r
}

func (r *row) fail(column string, cause error) {
	if r.err == nil {
		r.err = ErrMalformed.With("line", r.line).With("field", column).WithCause(cause)
	}
}

// text is "" for a column that is not there.
func (r *row) text(column string) string {
	at := r.c.at[column]
	if at < 0 || at >= len(r.cells) {
		return ""
	}
	return r.clean(r.cells[at])
}

// money reads an amount in major units; an empty cell is nothing of the currency.
func (r *row) money(column string, currency hyperlocal.Currency) hyperlocal.Money {
	text := r.text(column)
	if text == "" {
		text = "0"
	}
	m, err := hyperlocal.ParseMoney(text, currency)
	if err != nil {
		r.fail(column, err)
	}
	return m
}

func (r *row) currency(column string) hyperlocal.Currency {
	c, err := hyperlocal.ParseCurrency(strings.ToUpper(r.text(column)))
	if err != nil {
		r.fail(column, err)
	}
	return c
}

// time reads a time that is written in one of the layouts, in the zone.
func (r *row) time(column string, zone *time.Location, layouts ...string) time.Time {
	var last error
	for _, layout := range layouts {
		t, err := time.ParseInLocation(layout, r.text(column), zone)
		if err == nil {
			return hyperlocal.Instant(t)
		}
		last = err
	}
	r.fail(column, last)
	return time.Time{}
}

// sub is a - b.
func (r *row) sub(a, b hyperlocal.Money) hyperlocal.Money {
	if r.err != nil {
		return a
	}
	m, err := a.Sub(b)
	if err != nil {
		r.fail("amount", err)
	}
	return m
}

func (r *row) neg(a hyperlocal.Money) hyperlocal.Money {
	m, err := a.Neg()
	if err != nil {
		r.fail("amount", err)
	}
	return m
}

// line checks what was read.
func (r *row) checked(l Line) (Line, error) {
	if r.err != nil {
		return Line{}, r.err
	}
	if err := l.Validate(); err != nil {
		return Line{}, err
	}
	return l, nil
}

// references drops what is empty or repeated.
func references(texts ...string) []string {
	var out []string
next:
	for _, text := range texts {
		if text == "" {
			continue
		}
		for _, known := range out {
			if known == text {
				continue next
			}
		}
		out = append(out, text)
	}
	return out
}
