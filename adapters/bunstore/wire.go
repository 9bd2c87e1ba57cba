package bunstore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// On connections of our own, what a transaction has queued travels to PostgreSQL as a pipeline:
// one prepared statement per write, all in one round trip, with the COMMIT behind them when
// nothing else follows. Plans are kept, because the number of rows is part of the statement
// where there are few, and does not matter where there are many; values are encoded here, in
// the binary formats of PostgreSQL's *_send and *_recv functions, without reflection.

// wire is a statement as it is sent in a pipeline.
type wire struct {
	name string // of the prepared statement
	text string
	form form
	// checked has the database compare the number of rows with a last parameter and fail by
	// reading what is no number, so that a COMMIT may follow without looking at the answer.
	checked bool
}

// wire returns how the write is sent, made on first use.
func (s *Store) wire(w *queued) (*wire, error) {
	f := formWhole // no relation
	if w.rel != nil {
		f = wireForm(w.rel)
	}
	sure := w.st.exact && w.rel != nil && w.rows == int64(w.rel.n) && slices.Equal(w.st.tables, []string{w.table})
	checked := w.rows >= 0 && !sure
	at := &w.st.wires[0][f]
	if checked {
		at = &w.st.wires[1][f]
	}
	if known := at.Load(); known != nil {
		return known, nil
	}
	st, err := s.statementIn(w.text, w.rel, len(w.args), f)
	if err != nil {
		return nil, err
	}
	out := &wire{text: st.text, form: f, checked: checked}
	if checked {
		last := len(w.args)
		switch {
		case f == formArrays:
			last += len(w.rel.cols)
		case w.rel != nil:
			last += len(w.rel.cols) * int(f)
		}
		out.text = "WITH w AS (" + st.text + " RETURNING 1) SELECT CASE WHEN count(*) <> $" + strconv.Itoa(last+1) +
			"::bigint THEN CAST('" + miscount + "' || count(*) AS integer) END FROM w"
	}
	out.name = wireName(out.text)
	at.Store(out)
	return out, nil
}

const miscount = "hc_miscount_"

// miscounted recovers from the database's complaint how many rows a write affected.
func miscounted(err error) (rows int64, ok bool) {
	e, isPg := errors.AsType[*pgconn.PgError](err)
	if !isPg || e.Code != "22P02" {
		return 0, false
	}
	_, rest, found := strings.Cut(e.Message, miscount)
	if !found {
		return 0, false
	}
	digits := 0 // what follows are quotation marks of the server's language
	for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
		digits++
	}
	rows, err = strconv.ParseInt(rest[:digits], 10, 64)
	return rows, err == nil
}

// parentless are the tables that many parts of a transaction append to and that refer to no
// other: their rows may move ahead of other tables' rows.
var parentless = map[string]bool{ //nolint:gochecknoglobals // a table
	"hc_outbox": true, "hc_order_history": true, "hc_stock_movements": true,
}

// merged joins plain inserts of one form that follow each other, or where no write between
// them minds.
func merged(queue []queued) []queued {
	out := queue[:0:0]
next:
	for _, w := range queue {
		if w.st.append && !w.after && len(w.args) == 0 && w.rel != nil && (w.rows < 0 || w.rows == int64(w.rel.n)) {
			for i := len(out) - 1; i >= 0; i-- {
				o := &out[i]
				if o.st == w.st && !o.after && (o.rows < 0) == (w.rows < 0) {
					o.rel = o.rel.join(w.rel)
					if w.rows >= 0 {
						o.rows += w.rows
					}
					continue next
				}
				if !parentless[w.table] || o.after || o.table == w.table || slices.Contains(w.st.tables, o.table) || slices.Contains(o.st.tables, w.table) {
					break
				}
			}
		}
		out = append(out, w)
	}
	return out
}

// wantedByMany are the tables with rows that transactions queue for.
var wantedByMany = map[string]bool{"hc_stock_levels": true} //nolint:gochecknoglobals // a table

// wantedLast moves changes of rows that others wait for to the end, where no write between
// minds: the shorter they are held the better.
func wantedLast(queue []queued) []queued {
	at := slices.IndexFunc(queue, func(w queued) bool { return wantedByMany[w.table] && !w.st.append })
	if at < 0 {
		return queue
	}
	w := queue[at]
	for _, o := range queue[at+1:] {
		if w.after || o.after || o.table == w.table || slices.Contains(o.st.tables, w.table) || slices.Contains(w.st.tables, o.table) {
			return queue
		}
	}
	return append(slices.Delete(slices.Clone(queue), at, at+1), w)
}

const (
	beginName  = "hc_begin"
	hurryName  = "hc_hurry"
	commitName = "hc_commit"
)

// answer is a read at the end of a pipeline.
type answer struct {
	st   *statement // with the rows of w written in
	w    *queued    // the arguments
	scan func(row) error
}

// pipeline sends BEGIN if that is due, the queue, and then either a read or the COMMIT, in one
// round trip. It is called with mu held.
func (t *txn) pipeline(ctx context.Context, own *ownSession, queue []queued, read *answer, last bool) error {
	if queue = merged(queue); last {
		queue = wantedLast(queue)
	}
	if err := ctx.Err(); err != nil {
		return t.fail(cancelled(err)) // the queue is gone
	}
	if last { // leaving now would only make the outcome unknown
		if err := own.start(ctx); err != nil { // and so would a connection that had died unnoticed
			return t.fail(err)
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), commitPatience)
		defer cancel()
	}
	t.count += len(queue)
	if read != nil {
		t.count++
	}
	own.s.sentTogether(own.pending, queue, read, last)
	for tries := own.s.pool.Stats().Idle + 1; ; tries-- {
		p := pipeline{own: own, queue: queue, read: read, begin: own.pending, hurry: t.presumed && !t.hurried, last: last}
		err := p.send(ctx)
		if err == nil {
			t.hurried = t.hurried || p.hurry
			return nil
		}
		if p.begin && !p.begun && tries > 0 && ctx.Err() == nil && errors.Is(own.s.classify(err), errUnavailable) {
			// The connection died while it was idle; nothing has happened.
			if err := own.replace(ctx); err != nil {
				return t.fail(err)
			}
			continue
		}
		if rows, ok := miscounted(err); ok && p.done < len(queue) {
			return t.check(&queue[p.done], rows)
		}
		_, refused := errors.AsType[*pgconn.PgError](err)
		if last && p.sent && (p.done == len(queue) || !refused) { // else it never came to the COMMIT
			return t.fail(own.outcome(err))
		}
		if p.theirs {
			return err
		}
		return t.fail(own.stale(err))
	}
}

// pipeline is one round trip.
type pipeline struct {
	own         *ownSession
	queue       []queued
	read        *answer
	begin, last bool
	hurry       bool // whoever presumes waits for nobody for long: he asks, and then waits

	sent   bool // something may have reached the server
	begun  bool // BEGIN was answered
	done   int  // how many of the queue were
	theirs bool // the error is scan's

	committed bool
}

func (p *pipeline) send(ctx context.Context) error {
	own := p.own
	defer func() { own.broken = own.broken || own.pgx.IsClosed() }()
	var batch pgconn.Batch
	e, _ := encodings.Get().(*encoding)
	if e == nil {
		e = newEncoding()
	}
	defer encodings.Put(e)
	if p.begin {
		if err := p.control(ctx, &batch, beginName, "BEGIN"); err != nil {
			return err
		}
	}
	if p.hurry {
		if err := p.control(ctx, &batch, hurryName, "SET LOCAL lock_timeout = 500"); err != nil {
			return err
		}
	}
	for i := range p.queue {
		w, err := own.s.wire(&p.queue[i])
		if err != nil {
			return err
		}
		if err := p.add(ctx, &batch, e, w, &p.queue[i]); err != nil {
			return err
		}
	}
	if p.read != nil {
		if err := p.add(ctx, &batch, e, p.read.st.asWire(p.read.w), p.read.w); err != nil {
			return err
		}
	}
	if p.last {
		if err := p.control(ctx, &batch, commitName, "COMMIT"); err != nil {
			return err
		}
	}
	p.sent = true
	whole := false
	defer func() {
		if !whole { // scan panicked, so answers are left that nobody reads
			own.broken = true
		}
	}()
	answers := own.pgx.PgConn().ExecBatch(ctx, &batch)
	err := p.receive(answers)
	if e := answers.Close(); err == nil && !p.committed {
		err = e
	}
	whole = true
	return err
}

func (p *pipeline) control(ctx context.Context, batch *pgconn.Batch, name, text string) error {
	prepared, err := p.own.pgx.Prepare(ctx, name, text)
	if err == nil {
		batch.ExecStatement(prepared, nil, nil, nil)
	}
	return err
}

func (p *pipeline) add(ctx context.Context, batch *pgconn.Batch, e *encoding, w *wire, q *queued) error {
	prepared, err := p.own.pgx.Prepare(ctx, w.name, w.text)
	if err != nil {
		return err
	}
	if err := e.encode(p.own.pgx.TypeMap(), w, q, prepared.ParamOIDs); err != nil {
		return internal("store/encode", "a value cannot be encoded").WithCause(err)
	}
	var formats []int16
	for i := range prepared.Fields {
		format := int16(pgtype.TextFormatCode)
		if binaryResult(prepared.Fields[i].DataTypeOID) {
			format = pgtype.BinaryFormatCode
		}
		formats = append(formats, format)
	}
	batch.ExecStatement(prepared, e.values, e.formats, formats)
	return nil
}

func (p *pipeline) receive(answers *pgconn.MultiResultReader) error {
	if p.begin {
		if err := pass(answers); err != nil {
			return err
		}
		p.begun, p.own.pending = true, false
	}
	if p.hurry {
		if err := pass(answers); err != nil {
			return err
		}
	}
	for range p.queue {
		if err := pass(answers); err != nil {
			return err
		}
		p.done++
	}
	switch {
	case p.read != nil:
		if !answers.NextResult() {
			return answers.Close()
		}
		return p.scan(answers.ResultReader())
	case p.last:
		if !answers.NextResult() {
			return answers.Close()
		}
		tag, err := answers.ResultReader().Close()
		if err == nil && tag.String() != "COMMIT" { // an aborted transaction answers ROLLBACK
			err = errAborted
		}
		p.committed = err == nil
		return err
	}
	return nil
}

// pass reads one answer of which nothing but its error matters.
func pass(answers *pgconn.MultiResultReader) error {
	if !answers.NextResult() {
		return answers.Close()
	}
	_, err := answers.ResultReader().Close()
	return err
}

// scan hands out the rows. After an error of theirs the others are read and left.
func (p *pipeline) scan(rows *pgconn.ResultReader) error {
	var failed error
	r := wireRow{fields: rows.FieldDescriptions()}
	for rows.NextRow() {
		if failed != nil {
			continue
		}
		r.values = rows.Values()
		if failed = p.read.scan(&r); failed != nil && hyperlocal.ReasonOf(failed) == "" {
			failed = internal("store/scan", "a row cannot be read").WithCause(failed)
		}
	}
	if _, err := rows.Close(); err != nil {
		return err
	}
	p.theirs = failed != nil
	return failed
}

// asWire names a statement for a read.
func (st *statement) asWire(w *queued) *wire {
	if known := st.wires[0][0].Load(); known != nil {
		return known
	}
	f := formWhole
	if w.rel != nil {
		f = wireForm(w.rel)
	}
	out := &wire{name: wireName(st.text), text: st.text, form: f}
	st.wires[0][0].Store(out)
	return out
}

func wireForm(r *rel) form {
	if r.n <= int(formRows) {
		return form(r.n)
	}
	return formArrays
}

func wireName(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "hc_" + hex.EncodeToString(sum[:12])
}

// stale classifies an error, and gives up a connection whose prepared statements are no longer
// what they were: the transaction is run again on another one.
func (o *ownSession) stale(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && (e.Code == "26000" || e.Code == "42P05" ||
		e.Code == "0A000" && e.Routine == "RevalidateCachedQuery") {
		o.broken = true
		return hyperlocal.ErrTxRetry.WithCause(err)
	}
	return o.s.classify(err)
}

// sentTogether reports what goes in one round trip to the hook.
func (s *Store) sentTogether(begin bool, queue []queued, read *answer, last bool) {
	if s.hook == nil {
		return
	}
	texts := make([]string, 0, len(queue)+2)
	if begin {
		texts = append(texts, "BEGIN")
	}
	for i := range queue {
		texts = append(texts, queue[i].st.text)
	}
	if read != nil {
		texts = append(texts, read.st.text)
	}
	if last {
		texts = append(texts, "COMMIT")
	}
	s.hook(strings.Join(texts, ";\n"))
}

// encoding holds the arguments of one statement while a pipeline is put together.
type encoding struct {
	buffer  []byte
	ends    []int // of each argument in buffer; negative: NULL
	values  [][]byte
	formats []int16
}

var encodings sync.Pool //nolint:gochecknoglobals // only buffers, which belong to nobody

func newEncoding() *encoding { return &encoding{buffer: make([]byte, 0, 8<<10)} }

// keep bounds what is kept of a large flush.
const keep = 1 << 20

func (e *encoding) encode(types *pgtype.Map, w *wire, q *queued, oids []uint32) error {
	if cap(e.buffer) > keep {
		e.buffer = make([]byte, 0, keep)
	}
	e.buffer, e.ends, e.values, e.formats = e.buffer[:0], e.ends[:0], e.values[:0], e.formats[:0]
	for i, arg := range q.args {
		format := types.FormatCodeForOID(oids[i])
		if _, text := arg.(string); text {
			format = pgtype.TextFormatCode
		}
		b, err := types.Encode(oids[i], format, arg, e.buffer)
		if err != nil {
			return err
		}
		e.formats = append(e.formats, format)
		if b == nil {
			e.end(true)
			continue
		}
		e.buffer = b
		e.end(false)
	}
	if q.rel != nil {
		if w.form == formArrays {
			for i := range q.rel.cols {
				e.array(&q.rel.cols[i], q.rel.n)
				e.end(false)
			}
		} else {
			for row := range q.rel.n {
				for i := range q.rel.cols {
					e.end(!e.value(&q.rel.cols[i], row))
				}
			}
		}
	}
	if w.checked {
		e.buffer = binary.BigEndian.AppendUint64(e.buffer, uint64(q.rows)) //nolint:gosec // two's complement is the format
		e.end(false)
	}
	for len(e.formats) < len(e.ends) {
		e.formats = append(e.formats, pgtype.BinaryFormatCode)
	}
	from := 0
	for _, end := range e.ends {
		if end < 0 {
			e.values = append(e.values, nil)
			continue
		}
		e.values = append(e.values, e.buffer[from:end:end])
		from = end
	}
	return nil
}

func (e *encoding) end(null bool) {
	if null {
		e.ends = append(e.ends, -1)
		return
	}
	e.ends = append(e.ends, len(e.buffer))
}

// epoch is PostgreSQL's, 2000-01-01, in microseconds since 1970.
const epoch = 946_684_800_000_000

// value appends one value; false means that it is NULL.
func (e *encoding) value(c *column, row int) bool {
	switch c.kind {
	case kindInt:
		var v int64
		if c.null {
			if c.p[row] == nil {
				return false
			}
			v = *c.p[row]
		} else {
			v = c.i[row]
		}
		e.buffer = binary.BigEndian.AppendUint64(e.buffer, uint64(v)) //nolint:gosec // two's complement is the format
	case kindBool:
		b := byte(0)
		if c.b[row] {
			b = 1
		}
		e.buffer = append(e.buffer, b)
	case kindAt:
		if c.null && c.t[row].IsZero() {
			return false
		}
		e.buffer = binary.BigEndian.AppendUint64(e.buffer, uint64(micros(c.t[row])-epoch)) //nolint:gosec // two's complement is the format
	case kindRaw:
		if c.r[row] == nil {
			return false
		}
		e.buffer = append(e.buffer, c.r[row]...)
	case kindUUID:
		if c.null && c.s[row] == "" {
			return false
		}
		e.buffer = appendUUID(e.buffer, c.s[row])
	case kindJSON:
		if c.s[row] == "" {
			return false
		}
		e.buffer = append(append(e.buffer, 1), c.s[row]...) // the version of jsonb's format
	case kindText, kindDec:
		if c.null && c.s[row] == "" {
			return false
		}
		e.buffer = append(e.buffer, c.s[row]...)
	}
	return true
}

// appendUUID appends the 16 bytes of a UUID in canonical form, which rel has checked.
func appendUUID(b []byte, id string) []byte {
	var bytes [16]byte
	at := 0
	for i := 0; i+1 < len(id) && at < len(bytes); {
		if id[i] == '-' {
			i++
			continue
		}
		bytes[at] = nibble(id[i])<<4 | nibble(id[i+1])
		at++
		i += 2
	}
	return append(b, bytes[:]...)
}

func nibble(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c - 'a' + 10
}

var elementOID = map[kind]uint32{ //nolint:gochecknoglobals // a table
	kindText: pgtype.TextOID, kindUUID: pgtype.UUIDOID, kindJSON: pgtype.JSONBOID, kindDec: pgtype.TextOID,
	kindInt: pgtype.Int8OID, kindBool: pgtype.BoolOID, kindAt: pgtype.TimestamptzOID, kindRaw: pgtype.ByteaOID,
}

// array appends a column as a one-dimensional array: the number of dimensions, whether there
// are NULLs, the type, the length, the lower bound, and each element behind its length.
func (e *encoding) array(c *column, n int) {
	be := binary.BigEndian
	e.buffer = be.AppendUint32(e.buffer, 1)
	e.buffer = be.AppendUint32(e.buffer, 1) // a NULL is allowed; it need not be there
	e.buffer = be.AppendUint32(e.buffer, elementOID[c.kind])
	e.buffer = be.AppendUint32(e.buffer, uint32(n)) //nolint:gosec // a batch is short
	e.buffer = be.AppendUint32(e.buffer, 1)
	for row := range n {
		at := len(e.buffer)
		e.buffer = append(e.buffer, 0xff, 0xff, 0xff, 0xff) // the length of NULL
		if e.value(c, row) {
			be.PutUint32(e.buffer[at:], uint32(len(e.buffer)-at-4)) //nolint:gosec // bounded by the protocol
		}
	}
}
