package bunstore

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// Statements are written once for both databases, in the common subset of SQL, with these
// additions, all of which are translated once and cached:
//
//	hc_orders           a table (or function) of ours; qualified with the schema on PostgreSQL
//	$1, $2, ...         plain arguments
//	{k}                 the relation; use it as a table: FROM {k} k
//	{for update of o}   a locking clause; left out on SQLite, which has one writer anyway
//	{pg ...}            text for PostgreSQL only
//	{sqlite ...}        text for SQLite only
//	{k.name}            a column of the relation's one row (see sqlite_text.go)
//
// Write INSERT INTO t (...) SELECT ... FROM {k} k WHERE true ON CONFLICT ...: without the
// WHERE, SQLite takes ON for a join condition.

// statement is a translated text.
type statement struct {
	text     string   // ready to send on its own
	parts    []string // the text around its parameters: one more than there are parameters
	params   []int    // which argument each parameter is
	tables   []string // ours that are mentioned, sorted
	modifies bool     // it is not a plain SELECT
	append   bool     // an INSERT that treats each row on its own: rows may be sent together, or one by one
	exact    bool     // append, and one row is inserted for each row given
	single   bool     // for SQLite: the parameters are the columns of a relation of one row

	wires [2][formArrays + 1]atomic.Pointer[wire] // see Store.wire
}

type statementKey struct {
	text, sig string
	args      int
	form      form
}

// form is how a relation is written into a statement.
type form uint8

const (
	// formWhole is one argument per column on PostgreSQL, an array of what database/sql can
	// carry, and a single document of all rows on SQLite.
	formWhole form = 0
	// 1 to formRows rows are written out, with one argument per value. PostgreSQL then knows
	// how many there are when it plans, and keeps the plan.
	formRows form = 4
	// formArrays is one argument per column, an array of the column's own type.
	formArrays form = formRows + 1
)

// statement returns the translation of text, made on first use.
func (s *Store) statement(text string, r *rel, args int) (*statement, error) {
	f := formWhole
	if r != nil && r.n == 1 && s.dialect == SQLite {
		f = 1
	}
	return s.statementIn(text, r, args, f)
}

func (s *Store) statementIn(text string, r *rel, args int, f form) (*statement, error) {
	key := statementKey{text: text, args: args, form: f}
	if r != nil {
		if r.err != nil {
			return nil, r.err
		}
		key.sig = string(r.sig)
	}
	known, _ := s.statements.Load(key)
	if st, ok := known.(*statement); ok {
		return st, nil
	}
	st, err := translate(text, r, args, s.dialect, s.schema, f)
	if err != nil {
		return nil, err
	}
	// Equal statements are told by their address, so the first one counts.
	if twin, loaded := s.statements.LoadOrStore(key, st); loaded {
		if first, ok := twin.(*statement); ok {
			return first, nil
		}
	}
	return st, nil
}

// at renders the statement with its parameters numbered from base+1 on.
func (st *statement) at(b *strings.Builder, base int) {
	for i, part := range st.parts {
		b.WriteString(part)
		if i < len(st.params) {
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(base + st.params[i]))
		}
	}
}

func translate(text string, r *rel, args int, d Dialect, schema string, f form) (*statement, error) {
	alone := false
	if d == SQLite && f == 1 {
		text, alone = single(text, r)
	}
	t := &translator{text: text, r: r, args: args, d: d, form: f, q: qualifier{schema: schema}, st: &statement{}}
	for t.i < len(text) && t.err == nil {
		t.step(next(text, t.i))
	}
	if t.err != nil {
		return nil, t.err
	}
	st := t.st
	st.parts = append(st.parts, t.lit.String())
	slices.Sort(st.tables)
	st.modifies = !isRead(t.words)
	st.append = isAppend(t.words)
	st.exact = st.append && !slices.Contains(t.words, "WHERE") && !slices.Contains(t.words, "CONFLICT")
	st.single = alone
	var b strings.Builder
	if d == Postgres {
		st.at(&b, 0)
	} else {
		for i, part := range st.parts {
			b.WriteString(part)
			if i < len(st.params) {
				b.WriteByte('?') // see arrange
			}
		}
	}
	st.text = b.String()
	return st, nil
}

// translator goes through a text token by token.
type translator struct {
	text  string
	i     int // behind the present token
	r     *rel
	args  int
	d     Dialect
	form  form
	q     qualifier
	open  int      // {pg or {sqlite blocks that we are in
	words []string // which tell the kind of statement

	st  *statement
	lit strings.Builder // text since the last parameter
	err error
}

func (t *translator) failf(format string, a ...any) {
	t.err = internal("store/text", fmt.Sprintf(format, a...)+" in: "+t.text)
}

// param puts a parameter for the n-th argument.
func (t *translator) param(n int) {
	t.st.parts = append(t.st.parts, t.lit.String())
	t.st.params = append(t.st.params, n)
	t.lit.Reset()
}

func (t *translator) step(tok string) {
	t.i += len(tok)
	switch {
	case tok[0] == '$' && len(tok) > 1:
		n, err := strconv.Atoi(tok[1:])
		if err != nil || n < 1 || n > t.args {
			t.failf("there is no argument %s", tok)
			return
		}
		t.q.other(tok)
		t.param(n)
	case tok == "{":
		t.marker()
	case tok == "}":
		if t.open--; t.open < 0 {
			t.failf("a } too many")
		}
	default:
		word, table := t.q.token(tok, t.text[t.i:])
		if table != "" && !slices.Contains(t.st.tables, table) {
			t.st.tables = append(t.st.tables, table)
		}
		if up := strings.ToUpper(tok); isWord(tok) && (!aggregates[up] || strings.HasPrefix(t.text[t.i:], "(")) {
			t.words = append(t.words, up)
		}
		t.lit.WriteString(word)
	}
}

// marker handles what stands in braces; the opening one has been read.
func (t *translator) marker() {
	rest := t.text[t.i:]
	end := strings.IndexByte(rest, '}')
	if end < 0 {
		t.failf("a { is not closed")
		return
	}
	inside := rest[:end]
	word, _, _ := strings.Cut(inside, " ")
	if name, ok := strings.CutPrefix(word, "k."); ok {
		t.column(name)
		t.q.other(word)
		t.i += end + 1
		return
	}
	switch word {
	case "k":
		if t.r == nil || len(t.r.cols) == 0 {
			t.failf("{k} without a relation")
			return
		}
		renderRelation(&t.lit, t.r, t.args, t.d, t.form, t.param)
	case "for":
		if t.d == Postgres {
			t.lit.WriteString(inside)
		}
	case "pg", "sqlite":
		if (word == "pg") == (t.d == Postgres) { // its inside is read like other text
			t.open++
			t.i += min(len(word)+1, end)
			return
		}
	default:
		t.failf("unknown marker {%s}", inside)
	}
	t.q.other(word)
	t.i += end + 1
}

// column puts a parameter for a column of the relation's one row.
func (t *translator) column(name string) {
	if t.r != nil {
		for i, c := range t.r.cols {
			if c.name == name {
				t.param(t.args + i + 1)
				return
			}
		}
	}
	t.failf("there is no column %s", name)
}

// arrange puts arguments into the order of the parameters of a statement for SQLite. Those
// carry no numbers, because the driver looks for a numbered one among all arguments.
func (st *statement) arrange(args []any) []any {
	inOrder := len(st.params) == len(args)
	for i := 0; inOrder && i < len(args); i++ {
		inOrder = st.params[i] == i+1
	}
	if inOrder {
		return args
	}
	out := make([]any, len(st.params))
	for i, p := range st.params {
		out[i] = args[p-1]
	}
	return out
}

// isRead reports whether the words are those of a statement that changes nothing.
func isRead(words []string) bool {
	if len(words) == 0 {
		return true
	}
	if words[0] != "SELECT" && words[0] != "WITH" && words[0] != "VALUES" && words[0] != "EXPLAIN" && words[0] != "PRAGMA" {
		return false
	}
	for i, w := range words {
		switch w {
		case "INSERT", "DELETE", "MERGE":
			return false
		case "UPDATE":
			if i == 0 || words[i-1] != "FOR" && words[i-1] != "KEY" { // FOR UPDATE, FOR NO KEY UPDATE
				return false
			}
		}
	}
	return true
}

// aggregates make one row of many; as words without a parenthesis they are columns.
var aggregates = map[string]bool{
	"COUNT": true, "SUM": true, "MIN": true, "MAX": true, "AVG": true, "TOTAL": true, "STRING_AGG": true, "GROUP_CONCAT": true,
}

// isAppend reports whether the words are those of an INSERT ... SELECT that gives one row for
// one row, whatever the others are.
func isAppend(words []string) bool {
	if len(words) == 0 || words[0] != "INSERT" {
		return false
	}
	selects := 0
	for _, w := range words {
		switch w {
		case "SELECT":
			selects++
		case "UPDATE", "RETURNING", "GROUP", "DISTINCT", "LIMIT", "OFFSET", "UNION", "EXCEPT", "INTERSECT", "OVER", "JOIN", "HAVING":
			return false
		}
		if aggregates[w] {
			return false
		}
	}
	return selects == 1
}

// renderRelation writes the relation as a subquery whose parameters follow the plain ones.
func renderRelation(b *strings.Builder, r *rel, base int, d Dialect, f form, param func(int)) {
	if d == Postgres && f != formWhole {
		renderTyped(b, r, base, f, param)
		return
	}
	b.WriteString("(SELECT ")
	if d == Postgres {
		for i, c := range r.cols {
			comma(b, i)
			name := `"` + c.name + `"`
			value := name
			if c.null {
				switch c.kind {
				case kindText, kindUUID, kindJSON, kindDec:
					value = "NULLIF(" + name + ",'')"
				case kindInt, kindBool, kindRaw: // nil says it
				case kindAt:
					value = "NULLIF(" + name + ",'0001-01-01 00:00:00+00'::timestamptz)"
				}
			}
			switch c.kind {
			case kindUUID:
				value += "::uuid"
			case kindJSON:
				value += "::jsonb"
			case kindDec:
				value += "::numeric"
			case kindText, kindInt, kindBool, kindAt, kindRaw:
			}
			b.WriteString(value + " AS " + name)
		}
		b.WriteString(" FROM unnest(")
		for i, c := range r.cols {
			comma(b, i)
			param(base + i + 1)
			b.WriteString(arrayCast[c.kind])
		}
		b.WriteString(") AS u(")
		for i, c := range r.cols {
			comma(b, i)
			b.WriteString(`"` + c.name + `"`)
		}
		b.WriteString("))")
		return
	}
	for i, c := range r.cols {
		comma(b, i)
		if f == 1 {
			param(base + i + 1)
		} else {
			value := "json_extract(j.value,'$[" + strconv.Itoa(i) + "]')"
			if c.kind == kindRaw {
				value = "unhex(" + value + ")"
			}
			b.WriteString(value)
		}
		b.WriteString(` AS "` + c.name + `"`)
	}
	if f != 1 {
		b.WriteString(" FROM jsonb_each(") // since 3.51; a third of the time of json_each
		param(base + 1)
		b.WriteString(") AS j")
	}
	b.WriteString(")")
}

var arrayCast = map[kind]string{
	kindText: "::text[]", kindUUID: "::text[]", kindJSON: "::text[]", kindDec: "::text[]",
	kindInt: "::bigint[]", kindBool: "::boolean[]", kindAt: "::timestamptz[]", kindRaw: "::bytea[]",
}

// renderTyped writes the relation for PostgreSQL with parameters of the columns' own types:
// up to formRows rows written out, or one array per column.
func renderTyped(b *strings.Builder, r *rel, base int, f form, param func(int)) {
	if f == formArrays {
		b.WriteString("(SELECT ")
		for i, c := range r.cols {
			comma(b, i)
			b.WriteString(`"` + c.name + `"`)
			if c.kind == kindDec {
				b.WriteString(`::numeric AS "` + c.name + `"`)
			}
		}
		b.WriteString(" FROM unnest(")
		for i, c := range r.cols {
			comma(b, i)
			param(base + i + 1)
			b.WriteString(wireCast[c.kind] + "[]")
		}
		b.WriteString(") AS u(")
	} else {
		b.WriteString("(SELECT * FROM (VALUES ")
		for row := range int(f) {
			comma(b, row)
			b.WriteByte('(')
			for i, c := range r.cols {
				comma(b, i)
				param(base + row*len(r.cols) + i + 1)
				b.WriteString(wireCast[c.kind])
				if c.kind == kindDec {
					b.WriteString("::numeric")
				}
			}
			b.WriteByte(')')
		}
		b.WriteString(") AS u(")
	}
	for i, c := range r.cols {
		comma(b, i)
		b.WriteString(`"` + c.name + `"`)
	}
	b.WriteString("))")
}

var wireCast = map[kind]string{
	kindText: "::text", kindUUID: "::uuid", kindJSON: "::jsonb", kindDec: "::text",
	kindInt: "::bigint", kindBool: "::boolean", kindAt: "::timestamptz", kindRaw: "::bytea",
}

func comma(b *strings.Builder, i int) {
	if i > 0 {
		b.WriteByte(',')
	}
}

// qualify puts the schema before the names of our tables and functions in a text that is
// otherwise complete: a migration, or what bun built.
func qualify(text, schema string) string {
	if schema == "" {
		return text
	}
	var b strings.Builder
	b.Grow(len(text) + 64)
	q := qualifier{schema: schema}
	for i := 0; i < len(text); {
		tok := next(text, i)
		i += len(tok)
		word, _ := q.token(tok, text[i:])
		b.WriteString(word)
	}
	return b.String()
}

// qualifier follows the tokens of a text closely enough to tell the names of tables and
// functions from aliases, columns, and the names of indexes, constraints, triggers and
// policies, which belong to a table and take no schema.
type qualifier struct {
	schema string
	last   string // the token before, in upper case, spaces and comments left out
	local  bool   // the next name is not a table's
}

const prefix = "hc_"

// token returns what to write for tok, and the name of our table if it is one. after is the
// text behind it.
func (q *qualifier) token(tok, after string) (out, table string) {
	if isSpace(tok) {
		return tok, ""
	}
	name := tok
	quoted := tok[0] == '"'
	if quoted {
		name = strings.Trim(tok, `"`)
	}
	if !quoted && !isWord(tok) || !strings.HasPrefix(name, prefix) {
		q.other(tok)
		return tok, ""
	}
	local := q.local || q.last == "."
	q.local = false
	q.last = "NAME"
	if strings.HasPrefix(strings.TrimLeft(after, " \t\n"), ".") {
		return tok, name // a column's qualifier: the table, or an alias of that name
	}
	if local {
		return tok, ""
	}
	if q.schema == "" {
		return tok, name
	}
	return `"` + q.schema + `".` + tok, name
}

// other notes a token that is no name of ours.
func (q *qualifier) other(tok string) {
	if isSpace(tok) {
		return
	}
	up := strings.ToUpper(tok)
	switch up {
	case "AS", "CONSTRAINT", "TRIGGER", "POLICY":
		q.local = true
	case "INDEX":
		q.local = q.last != "DROP" && q.last != "ALTER"
	case "IF", "NOT", "EXISTS", "CONCURRENTLY":
		// between INDEX and its name
	default:
		q.local = false
	}
	q.last = up
}

// next returns the token at text[i]: space or comment, string, quoted name, word, $n, or a
// single character.
func next(text string, i int) string {
	rest := text[i:]
	switch c := rest[0]; {
	case c == ' ' || c == '\t' || c == '\n' || c == '\r':
		n := 1
		for n < len(rest) && strings.IndexByte(" \t\n\r", rest[n]) >= 0 {
			n++
		}
		return rest[:n]
	case strings.HasPrefix(rest, "--"):
		if n := strings.IndexByte(rest, '\n'); n >= 0 {
			return rest[:n+1]
		}
		return rest
	case strings.HasPrefix(rest, "/*"):
		if n := strings.Index(rest, "*/"); n >= 0 {
			return rest[:n+2]
		}
		return rest
	case c == '\'' || c == '"':
		for n := 1; n < len(rest); n++ {
			if rest[n] != c {
				continue
			}
			if n+1 < len(rest) && rest[n+1] == c {
				n++
				continue
			}
			return rest[:n+1]
		}
		return rest
	case c == '$':
		n := 1
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		return rest[:n]
	case letter(c):
		n := 1
		for n < len(rest) && (letter(rest[n]) || rest[n] >= '0' && rest[n] <= '9') {
			n++
		}
		return rest[:n]
	}
	return rest[:1]
}

func letter(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func isWord(tok string) bool { return letter(tok[0]) }

func isSpace(tok string) bool {
	return strings.IndexByte(" \t\n\r", tok[0]) >= 0 || strings.HasPrefix(tok, "--") || strings.HasPrefix(tok, "/*")
}
