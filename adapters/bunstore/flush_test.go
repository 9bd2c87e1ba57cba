package bunstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

// recorder collects the statements that a store sends.
type recorder struct {
	mu    sync.Mutex
	texts []string
}

func (r *recorder) hook(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts = append(r.texts, text)
}

// take returns the first words of what was sent since the last call.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]string, 0, len(r.texts))
	for _, t := range r.texts {
		word, _, _ := strings.Cut(strings.TrimSpace(t), " ")
		out = append(out, word)
	}
	r.texts = nil
	return out
}

// ddl runs statements that make tables for a test.
func ddl(t *testing.T, s *Store, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if _, err := s.change(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
}

// shelf makes a table hc_box and a table hc_thing whose rows lie in boxes.
func shelf(t *testing.T, s *Store) {
	t.Helper()
	ddl(t, s,
		`CREATE TABLE hc_box (tenant text NOT NULL, id text NOT NULL, size bigint NOT NULL, CONSTRAINT hc_box_size CHECK (size >= 0), PRIMARY KEY (tenant, id))`,
		`CREATE TABLE hc_thing (tenant text NOT NULL, id text NOT NULL, box text NOT NULL, label text UNIQUE, PRIMARY KEY (tenant, id),
			FOREIGN KEY (tenant, box) REFERENCES hc_box (tenant, id))`,
		`CREATE UNIQUE INDEX hc_thing_lower ON hc_thing (lower(id))`)
	s.constraints["hc_box(tenant,id)"] = errBox
	s.constraints["hc_box_size"] = errSize
	s.constraints["hc_thing(label)"] = errLabel
	s.constraints["hc_thing_lower"] = errLower
}

var (
	errBox   = hyperlocal.NewError(hyperlocal.CodeAlreadyExists, "kit/box", "there is such a box")
	errSize  = hyperlocal.NewError(hyperlocal.CodeExhausted, "kit/size", "the box is full")
	errLabel = hyperlocal.NewError(hyperlocal.CodeAlreadyExists, "kit/label", "the label is taken")
	errLower = hyperlocal.NewError(hyperlocal.CodeAlreadyExists, "kit/lower", "the name is taken")
	errStale = hyperlocal.NewError(hyperlocal.CodeConflict, "kit/stale", "somebody was faster")
)

func addBoxes(ids ...string) write {
	return write{
		table: "hc_box", text: "INSERT INTO hc_box (tenant, id, size) SELECT tenant, id, size FROM {k} k",
		rel:  newRel(len(ids)).text("tenant", repeat("north", len(ids))).text("id", ids).int("size", repeat(int64(3), len(ids))),
		rows: int64(len(ids)),
	}
}

func addThings(box string, ids ...string) write {
	return write{
		table: "hc_thing", text: "INSERT INTO hc_thing (tenant, id, box, label) SELECT tenant, id, box, label FROM {k} k",
		rel: newRel(len(ids)).text("tenant", repeat("north", len(ids))).text("id", ids).text("box", repeat(box, len(ids))).
			textNull("label", repeat("", len(ids))),
		rows: -1,
	}
}

func fill(by int64, ids ...string) write {
	return write{
		table: "hc_box", text: "UPDATE hc_box AS b SET size = b.size - k.delta FROM {k} k WHERE b.tenant = k.tenant AND b.id = k.id",
		rel:  newRel(len(ids)).text("tenant", repeat("north", len(ids))).text("id", ids).int("delta", repeat(by, len(ids))),
		rows: int64(len(ids)), failed: errStale,
	}
}

// within runs the writes in one transaction.
func within(s *Store, ctx context.Context, writes ...write) error {
	return s.WithinTx(ctx, func(ctx context.Context) error {
		for _, w := range writes {
			if err := s.enqueue(ctx, w); err != nil {
				return err
			}
		}
		return nil
	})
}

func sizes(t *testing.T, s *Store, ctx context.Context) string {
	t.Helper()
	var out []string
	err := s.query(ctx, "SELECT id, size FROM hc_box ORDER BY id", nil, nil, func(rows row) error {
		var id string
		var size int64
		err := rows.Scan(&id, &size)
		out = append(out, fmt.Sprintf("%s=%d", id, size))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func TestFlushIsOneRoundTrip(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		var rec recorder
		s := openStore(t, d, WithQueryHook(rec.hook))
		shelf(t, s)
		rec.take()
		err := s.WithinTx(t.Context(), func(ctx context.Context) error {
			return errors.Join(
				s.enqueue(ctx, addBoxes("a", "b")), s.enqueue(ctx, addThings("a", "x")), s.enqueue(ctx, addThings("b", "y", "z")),
				s.Outbox().Append(ctx, someEvent(1)), s.enqueue(ctx, addBoxes()), s.Outbox().Append(ctx, someEvent(2), someEvent(3)))
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"BEGIN", "INSERT"} // a pipeline, and the commit goes along
		if d == SQLite {
			want = []string{"BEGIN", "INSERT", "COMMIT"}
		}
		if got := rec.take(); !slices.Equal(got, want) {
			t.Errorf("sent %q, want %q", got, want)
		}
		events, err := s.Outbox().Pending(t.Context(), 10)
		if err != nil || len(events) != 3 {
			t.Errorf("%d events, %v", len(events), err)
		}
		rec.take()
		// What must see an earlier change does.
		if err := within(s, t.Context(), fill(1, "a"), fill(1, "b", "a"), addThings("a", "w"), addBoxes("c"), fill(2, "c")); err != nil {
			t.Fatal(err)
		}
		want = []string{"BEGIN", "UPDATE"}
		if d == SQLite {
			want = []string{"BEGIN", "UPDATE", "COMMIT"}
		}
		if got := rec.take(); !slices.Equal(got, want) {
			t.Errorf("sent %q, want %q", got, want)
		}
		if got := sizes(t, s, t.Context()); got != "a=1 b=2 c=1" {
			t.Errorf("the boxes are %s", got)
		}
		// Nothing to do is sent as nothing.
		rec.take()
		if err := within(s, t.Context()); err != nil {
			t.Fatal(err)
		}
		want = nil
		if d == SQLite {
			want = []string{"BEGIN", "COMMIT"}
		}
		if got := rec.take(); !slices.Equal(got, want) {
			t.Errorf("an empty transaction sent %q", got)
		}
	})
}

func someEvent(version int64) hyperlocal.Envelope {
	return hyperlocal.Envelope{
		ID: hyperlocal.RandomIDs{}.NewID(), Name: "kit.happened", Version: 1, Tenant: "north",
		Aggregate: hyperlocal.NewRef("box", "a"), AggregateVersion: version, Time: time.Now(),
		Actor: hyperlocal.System("kit"), Payload: json.RawMessage("{}"),
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	s := &Store{dialect: Postgres, schema: "public"}
	q := func(table, text string, after bool) queued {
		st, err := s.statement(text, newRel(1).text("id", []string{"x"}), 0)
		if err != nil {
			t.Fatal(err)
		}
		return queued{write: write{table: table, text: text, rel: newRel(1).text("id", []string{"x"}), rows: -1, after: after}, st: st}
	}
	insert := func(table string) queued { return q(table, "INSERT INTO "+table+" SELECT id FROM {k} k", false) }
	for _, c := range []struct {
		name  string
		queue []queued
		want  []int // rows of the relations, by group
	}{
		{"different tables", []queued{insert("hc_a"), insert("hc_b")}, []int{2}},
		{"one form joins", []queued{insert("hc_a"), insert("hc_b"), insert("hc_a")}, []int{3}},
		{"another form of one table", []queued{insert("hc_a"), q("hc_a", "UPDATE hc_a SET id = k.id FROM {k} k", false)}, []int{1, 1}},
		{"a table that was changed is read", []queued{insert("hc_a"), q("hc_b", "INSERT INTO hc_b SELECT k.id FROM {k} k JOIN hc_a ON true", false)}, []int{1, 1}},
		{"a form that reads joins no run that changed it", []queued{
			q("hc_b", "INSERT INTO hc_b SELECT k.id FROM {k} k JOIN hc_a ON true", false), insert("hc_a"),
			q("hc_b", "INSERT INTO hc_b SELECT k.id FROM {k} k JOIN hc_a ON true", false),
		}, []int{2, 1}},
		{"after", []queued{insert("hc_a"), q("hc_b", "INSERT INTO hc_b SELECT id FROM {k} k", true), insert("hc_c")}, []int{1, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []int
			for _, g := range groups(c.queue) {
				n := 0
				for _, w := range g {
					n += w.rel.n
				}
				got = append(got, n)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("groups of %v rows, want %v", got, c.want)
			}
		})
	}
}

func TestAffectedRows(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		s := openStore(t, d)
		shelf(t, s)
		if err := within(s, t.Context(), addBoxes("a", "b")); err != nil {
			t.Fatal(err)
		}
		for name, writes := range map[string][]write{
			"alone":         {fill(1, "a", "gone")},
			"among others":  {fill(1, "a", "gone"), addThings("a", "x")},
			"before others": {fill(1, "gone"), fill(1, "a")},
			"behind others": {fill(1, "a"), fill(1, "gone")},
		} {
			if err := within(s, t.Context(), writes...); !errors.Is(err, errStale) {
				t.Errorf("%s: %v", name, err)
			}
		}
		silent := fill(1, "gone")
		silent.failed = nil
		if err := within(s, t.Context(), silent); hyperlocal.ReasonOf(err) != "store/affected_rows" {
			t.Errorf("without an error of its own: %v", err)
		}
		// Swallowing the error does not help.
		err := s.WithinTx(t.Context(), func(ctx context.Context) error {
			_ = s.enqueue(ctx, fill(1, "a"))
			_ = s.enqueue(ctx, fill(1, "gone"))
			if err := s.flush(ctx); !errors.Is(err, errStale) {
				t.Errorf("flush: %v", err)
			}
			if err := s.enqueue(ctx, addBoxes("c")); !errors.Is(err, errStale) {
				t.Errorf("enqueue after a failure: %v", err)
			}
			return nil
		})
		if !errors.Is(err, errStale) {
			t.Errorf("commit after a failure: %v", err)
		}
		if got := sizes(t, s, t.Context()); got != "a=3 b=3" {
			t.Errorf("the boxes are %s", got)
		}
	})
}

func TestConstraints(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		s := openStore(t, d)
		shelf(t, s)
		trigger := []string{
			`CREATE FUNCTION hc_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				RAISE EXCEPTION 'immutable' USING ERRCODE = 'P0001', CONSTRAINT = 'hc_box_forever'; END $$`,
			`CREATE TRIGGER hc_box_forever BEFORE DELETE ON hc_box FOR EACH ROW EXECUTE FUNCTION hc_refuse()`,
		}
		if d == SQLite {
			trigger = []string{`CREATE TRIGGER hc_box_forever BEFORE DELETE ON hc_box BEGIN SELECT RAISE(ABORT, 'hc_box_forever'); END`}
		}
		for _, text := range trigger { // not through the translator, which is for ordinary statements
			db := s.pool
			if d == SQLite {
				db = s.writer
				s.pinned.drop()
			}
			if _, err := db.ExecContext(t.Context(), qualify(text, s.schema)); err != nil {
				t.Fatal(err)
			}
		}
		forever := hyperlocal.NewError(hyperlocal.CodePrecondition, "kit/forever", "boxes stay")
		s.constraints["hc_box_forever"] = forever
		labelled := func(label string, ids ...string) write {
			w := addThings("a", ids...)
			w.rel = newRel(len(ids)).text("tenant", repeat("north", len(ids))).text("id", ids).text("box", repeat("a", len(ids))).
				textNull("label", repeat(label, len(ids)))
			return w
		}
		if err := within(s, t.Context(), addBoxes("a"), labelled("blue", "x")); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			write write
			want  *hyperlocal.Error
		}{
			"primary key":          {addBoxes("b", "a"), errBox},
			"unique column":        {labelled("blue", "y"), errLabel},
			"unique expression":    {labelled("", "X"), errLower},
			"check":                {fill(4, "a"), errSize},
			"foreign key":          {addThings("nowhere", "z"), errReference},
			"primary key, unnamed": {labelled("", "x"), nil},
			"trigger":              {write{table: "hc_box", text: "DELETE FROM hc_box WHERE tenant = $1", args: []any{"north"}, rows: -1}, forever},
			"not null":             {write{table: "hc_box", text: "INSERT INTO hc_box (tenant, id, size) SELECT tenant, id, NULL FROM {k} k", rel: addBoxes("q").rel, rows: 1}, errFailed},
		} {
			for place, writes := range map[string][]write{"alone": {c.write}, "with another": {addBoxes("other"), c.write}} {
				err := within(s, t.Context(), writes...)
				if c.want == nil { // which of two violated constraints is named is the database's choice
					if !hyperlocal.IsCode(err, hyperlocal.CodeAlreadyExists) {
						t.Errorf("%s %s: %v", name, place, err)
					}
				} else if !errors.Is(err, c.want) {
					t.Errorf("%s %s: %v, want %s", name, place, err, c.want.Reason)
				}
			}
		}
		if got := sizes(t, s, t.Context()); got != "a=3" {
			t.Errorf("the boxes are %s", got)
		}
	})
}

// A joined closure whose writes were sent cannot be taken back alone.
func TestJoinedClosurePartlySent(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		s := openStore(t, d)
		shelf(t, s)
		inner := errors.New("refused")
		err := s.WithinTx(t.Context(), func(ctx context.Context) error {
			if err := s.enqueue(ctx, addBoxes("a")); err != nil {
				return err
			}
			err := s.WithinTx(ctx, func(ctx context.Context) error {
				if got := sizes(t, s, ctx); got != "a=3" { // sends what the outer closure queued, which is no obstacle
					t.Errorf("the boxes are %s", got)
				}
				return errors.Join(s.enqueue(ctx, addBoxes("b")), inner)
			})
			if !errors.Is(err, inner) {
				t.Errorf("the joined closure returned %v", err)
			}
			return s.enqueue(ctx, addBoxes("c"))
		})
		if err != nil {
			t.Fatalf("only queued writes were in the way: %v", err)
		}
		err = s.WithinTx(t.Context(), func(ctx context.Context) error {
			_ = s.WithinTx(ctx, func(ctx context.Context) error {
				return errors.Join(s.enqueue(ctx, addBoxes("d")), s.flush(ctx), inner)
			})
			return nil
		})
		if hyperlocal.ReasonOf(err) != "tx/partly_sent" || !errors.Is(err, inner) {
			t.Errorf("got %v", err)
		}
		err = s.WithinTx(t.Context(), func(ctx context.Context) error {
			func() {
				defer func() { _ = recover() }()
				_ = s.WithinTx(ctx, func(ctx context.Context) error { panic(s.enqueue(ctx, addBoxes("e"))) })
			}()
			return nil
		})
		if err != nil {
			t.Errorf("a joined closure whose panic was stopped: %v", err)
		}
		if got := sizes(t, s, t.Context()); got != "a=3 c=3" {
			t.Errorf("the boxes are %s", got)
		}
	})
}

func TestValuesRoundTrip(t *testing.T) {
	t.Parallel()
	id := hyperlocal.RandomIDs{}.NewID()
	moment := time.Date(2025, 2, 28, 23, 59, 59, 999999999, time.FixedZone("", -5*3600))
	number := int64(-1 << 63)
	type record struct {
		Text, Nullable, UUID, UUIDNull, Decimal string
		Int                                     int64
		IntNull                                 *int64
		Bool                                    bool
		At, AtNull                              time.Time
		JSON                                    json.RawMessage
		Raw                                     []byte
	}
	full := record{
		Text: "日本語 🥟 it's \"q\" \\ \u2028 {k} $1 ?1 \t\n\u0001", Nullable: "x", UUID: id, UUIDNull: id, Decimal: "-12345678901234567890.000100",
		Int: 1<<63 - 1, IntNull: &number, Bool: true, At: moment, AtNull: moment, JSON: json.RawMessage(`{"a": [1, "ü"]}`), Raw: []byte{0, 1, 255, '\''},
	}
	empty := record{UUID: id, At: time.Time{}}
	onBoth(t, func(t *testing.T, d Dialect) {
		s := openStore(t, d)
		ddl(t, s, `CREATE TABLE hc_all (n bigint PRIMARY KEY, text text NOT NULL, nullable text, uuid {pg uuid}{sqlite text} NOT NULL, uuid_null {pg uuid}{sqlite text},
			"decimal" {pg numeric}{sqlite text}, "int" bigint NOT NULL, int_null bigint, bool {pg boolean}{sqlite integer} NOT NULL,
			at {pg timestamptz}{sqlite integer} NOT NULL, at_null {pg timestamptz}{sqlite integer}, json {pg jsonb}{sqlite text}, raw {pg bytea}{sqlite blob})`)
		add := func(from int64, rows ...record) write {
			n := len(rows)
			place, text, nullable, uuid, uuidNull, decimal := make([]int64, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
			number, numberNull, flag := make([]int64, n), make([]*int64, n), make([]bool, n)
			at, atNull, doc, raw := make([]time.Time, n), make([]time.Time, n), make([]json.RawMessage, n), make([][]byte, n)
			for i, r := range rows {
				place[i], text[i], nullable[i], uuid[i], uuidNull[i], decimal[i] = from+int64(i), r.Text, r.Nullable, r.UUID, r.UUIDNull, r.Decimal
				number[i], numberNull[i], flag[i], at[i], atNull[i], doc[i], raw[i] = r.Int, r.IntNull, r.Bool, r.At, r.AtNull, r.JSON, r.Raw
			}
			return write{
				table: "hc_all",
				text:  `INSERT INTO hc_all SELECT n, text, nullable, uuid, uuid_null, "decimal", "int", int_null, bool, at, at_null, json, raw FROM {k} k`,
				rel: newRel(n).int("n", place).text("text", text).textNull("nullable", nullable).uuid("uuid", uuid).uuidNull("uuid_null", uuidNull).
					decimal("decimal", decimal).int("int", number).intNull("int_null", numberNull).bool("bool", flag).
					at("at", at).atNull("at_null", atNull).json("json", doc).bytes("raw", raw),
				rows: int64(n),
			}
		}
		for _, w := range []write{add(1, full), add(2, empty), add(3, full, empty), add(5, repeat(full, 40)...)} {
			if err := within(s, t.Context(), w); err != nil {
				t.Fatal(err)
			}
		}
		n := 0
		read := `SELECT text, nullable, uuid, uuid_null, "decimal", "int", int_null, bool, at, at_null, json, raw FROM hc_all WHERE at = $1 OR at = $2 ORDER BY n`
		err := s.query(t.Context(), read, nil, []any{s.at(moment), s.at(time.Time{})}, func(rows row) error {
			n++
			var got record
			err := rows.Scan(&got.Text, nullText[string]{&got.Nullable}, &got.UUID, nullText[string]{&got.UUIDNull}, nullText[string]{&got.Decimal},
				&got.Int, &got.IntNull, &got.Bool, instant{&got.At}, nullInstant{&got.AtNull}, document{&got.JSON}, &got.Raw)
			want := full
			if n == 2 || n == 4 {
				want = empty
			}
			want.At, want.AtNull = hyperlocal.Instant(want.At), hyperlocal.Instant(want.AtNull)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("row %d:\n got %+v\nwant %+v", n, got, want)
			}
			return err
		})
		if err != nil || n != 44 {
			t.Errorf("%d rows, %v", n, err)
		}
	})
}

// placement is what the placement of one order sends, as far as this package knows.
func placement(s *Store, ctx context.Context, n int) error {
	keys := make([]hyperlocal.IdempotencyKey, n)
	ids := make([]string, n)
	events := make([]hyperlocal.Envelope, n)
	for i := range n {
		ids[i] = hyperlocal.RandomIDs{}.NewID()
		keys[i] = hyperlocal.IdempotencyKey{Tenant: "north", Caller: "c", Route: "place", Key: ids[i], Fingerprint: "f"}
		events[i] = someEvent(1)
		events[i].Aggregate.ID = ids[i]
	}
	return s.WithinTx(ctx, func(ctx context.Context) error {
		if _, err := s.Idempotency().Claim(ctx, keys); err != nil {
			return err
		}
		if err := s.lock(ctx, hyperlocal.RankStock); err != nil {
			return err
		}
		var size int64
		err := s.query(ctx, "SELECT size FROM hc_box WHERE tenant = $1 AND id = $2 ORDER BY id {for update}", nil, []any{"north", "a"},
			func(rows row) error { return rows.Scan(&size) })
		if err != nil {
			return err
		}
		return errors.Join(
			s.enqueue(ctx, fill(0, "a")), s.enqueue(ctx, addThings("a", ids...)),
			s.Outbox().Append(ctx, events...), s.Idempotency().Complete(ctx, keys, make([]json.RawMessage, n)))
	})
}

func TestRoundTripsOfAPlacement(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		var rec recorder
		s := openStore(t, d, WithQueryHook(rec.hook))
		shelf(t, s)
		if err := within(s, t.Context(), addBoxes("a")); err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, 50} {
			rec.take()
			if err := placement(s, t.Context(), n); err != nil {
				t.Fatal(err)
			}
			most := map[Dialect]int{Postgres: 3, SQLite: 5}[d]
			if got := rec.take(); len(got) > most {
				t.Errorf("placing %d orders takes %d round trips, at most %d are allowed: %q", n, len(got), most, got)
			}
		}
	})
}
