package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/bunstore"
)

const root = "../../../"

func TestCommittedPageIsCurrent(t *testing.T) {
	t.Parallel()
	want, err := page()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(root + output)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is out of date; run go generate (%v)", output, err)
	}
}

// TestDialectsAreAlike: the page shows both in one table, so both need the same columns.
func TestDialectsAreAlike(t *testing.T) {
	t.Parallel()
	if err := alike(understood(t, bunstore.SQLite), understood(t, bunstore.Postgres)); err != nil {
		t.Error(err)
	}
}

func understood(t *testing.T, d bunstore.Dialect) *schema {
	t.Helper()
	s, err := read(bunstore.Migrations(d))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAlikeFindsDifferences(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s *schema){
		"no table hc_prices":      func(s *schema) { delete(s.tables, "hc_prices") },
		"columns of hc_prices":    func(s *schema) { p := s.tables["hc_prices"]; p.columns = p.columns[1:] },
		"hc_shops are":            func(s *schema) { p := s.tables["hc_shops"]; p.columns[3].required = false },
		"primary key of hc_shops": func(s *schema) { s.tables["hc_shops"].primary = "merchant" },
		"migrations":              func(s *schema) { s.files = s.files[1:] },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lite := understood(t, bunstore.SQLite)
			change(lite)
			if err := alike(lite, understood(t, bunstore.Postgres)); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func migrations(text string) fstest.MapFS {
	return fstest.MapFS{"0001_core.sql": {Data: []byte(text)}}
}

func TestRead(t *testing.T) {
	t.Parallel()
	s, err := read(migrations(`-- About the file,
-- on two lines.

-- Things; and more.
CREATE TABLE a (
    -- on a line of its own
    x text COLLATE "C" NOT NULL, -- it's x, not y; see (b
    y char(3) NOT NULL DEFAULT 'a, b;',
    z integer, -- last but the key
    CONSTRAINT a_key PRIMARY KEY (x, y), -- spoken of
    CONSTRAINT a_y UNIQUE (y),
    CHECK (y IN ('a', 'b') -- within
        AND x <> '')
) WITH (fillfactor = 50); -- busy
--split
-- Finds.
CREATE UNIQUE INDEX a_z ON a (z, x)
    WHERE z IS NOT NULL;
CREATE INDEX a_gone ON a (z);
DROP INDEX a_gone;
CREATE FUNCTION f() RETURNS trigger AS $$
BEGIN
    RAISE EXCEPTION 'no; never';
END
$$;
CREATE TRIGGER a_keep BEFORE UPDATE ON a
BEGIN
    SELECT RAISE(ABORT, 'no');
END;
ALTER TABLE a ADD COLUMN w bigint NOT NULL DEFAULT 0; -- came later
`))
	if err != nil {
		t.Fatal(err)
	}
	if s.files[0].intro != "About the file, on two lines." {
		t.Errorf("intro %q", s.files[0].intro)
	}
	a := s.tables["a"]
	want := []column{
		{name: "x", kind: `text COLLATE "C"`, required: true, about: "on a line of its own it's x, not y; see (b"},
		{name: "y", kind: "char(3)", required: true, preset: "'a, b;'"},
		{name: "z", kind: "integer", about: "last but the key"},
		{name: "w", kind: "bigint", required: true, preset: "0", about: "came later"},
	}
	if !slices.Equal(a.columns, want) {
		t.Errorf("columns\n%+v, want\n%+v", a.columns, want)
	}
	if a.about != "Things; and more." || a.primary != "x, y" || a.options != "WITH (fillfactor = 50)" || a.optionsNote != "busy" {
		t.Errorf("table %+v", a)
	}
	if len(a.uniques) != 1 || a.uniques[0] != (constraint{"a_y", "(y)"}) {
		t.Errorf("unique %+v", a.uniques)
	}
	if len(a.checks) != 1 || a.checks[0].text != "(y IN ('a', 'b') AND x <> '')" {
		t.Errorf("checks %+v", a.checks)
	}
	if len(a.indexes) != 1 || a.indexes[0] != (index{"a_z", "z, x", "z IS NOT NULL", true, "Finds."}) {
		t.Errorf("indexes %+v", a.indexes)
	}
	if len(a.triggers) != 1 || a.triggers[0].does != "BEGIN SELECT RAISE(ABORT, 'no'); END" {
		t.Errorf("triggers %+v", a.triggers)
	}
}

func TestReadRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"statement":   "ALTER TABLE a DROP COLUMN b;\n",
		"column":      "CREATE TABLE a (b integer GENERATED ALWAYS AS IDENTITY);\n",
		"no table":    "CREATE INDEX i ON a (b);\n",
		"no index":    "DROP INDEX i;\n",
		"twice":       "CREATE TABLE a (b text);\nCREATE TABLE a (b text);\n",
		"unfinished":  "CREATE TABLE a (b text)\n",
		"parenthesis": "CREATE TABLE a (b text;\n",
		"expression":  "CREATE TABLE a (b text);\nCREATE INDEX i ON a (lower(b));\n",
		"one line":    "CREATE TABLE a (b text); CREATE TABLE c (b text);\n",
	} {
		if s, err := read(migrations(text)); err == nil {
			t.Errorf("%s: understood as %+v", name, s.tables)
		}
	}
	if _, err := read(fstest.MapFS{}); err == nil {
		t.Error("no migrations are a schema")
	}
}
