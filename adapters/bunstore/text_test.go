package bunstore

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func TestTranslate(t *testing.T) {
	t.Parallel()
	one := newRel(1).text("tenant", []string{"a"}).textNull("note", []string{""}).int("n", []int64{1})
	two := newRel(2).uuid("id", repeat("0198c7a0-0000-7000-8000-000000000000", 2)).atNull("at", make([]time.Time, 2)).bytes("raw", make([][]byte, 2))
	for _, c := range []struct {
		name, text       string
		rel              *rel
		args             int
		postgres, sqlite string
	}{
		{
			"plain arguments and a schema", "SELECT a FROM hc_x WHERE b = $2 AND c = $1 AND d = $2", nil, 2,
			`SELECT a FROM "shop".hc_x WHERE b = $2 AND c = $1 AND d = $2`, "SELECT a FROM hc_x WHERE b = ? AND c = ? AND d = ?",
		},
		{
			"aliases and columns are no tables",
			"SELECT o.hc_a, hc_y.id, 'hc_x' AS hc_z FROM hc_x AS o JOIN hc_y ON hc_y.id = o.id -- hc_x\nWHERE \"hc_x\".a = '''hc_x' /* hc_x */", nil, 0,
			"SELECT o.hc_a, hc_y.id, 'hc_x' AS hc_z FROM \"shop\".hc_x AS o JOIN \"shop\".hc_y ON hc_y.id = o.id -- hc_x\nWHERE \"hc_x\".a = '''hc_x' /* hc_x */",
			"SELECT o.hc_a, hc_y.id, 'hc_x' AS hc_z FROM hc_x AS o JOIN hc_y ON hc_y.id = o.id -- hc_x\nWHERE \"hc_x\".a = '''hc_x' /* hc_x */",
		},
		{
			"one row", "INSERT INTO hc_x (a) SELECT k.tenant FROM {k} k WHERE k.n > $1", one, 1,
			`INSERT INTO "shop".hc_x (a) SELECT k.tenant FROM (SELECT "tenant" AS "tenant",NULLIF("note",'') AS "note","n" AS "n" ` +
				`FROM unnest($2::text[],$3::text[],$4::bigint[]) AS u("tenant","note","n")) k WHERE k.n > $1`,
			`INSERT INTO hc_x (a) SELECT k.tenant FROM (SELECT ? AS "tenant",? AS "note",? AS "n") k WHERE k.n > ?`,
		},
		{
			"a row alone is inserted as values", "INSERT INTO hc_x (a, b) SELECT k.tenant, n + k.n FROM {k} k WHERE true\nON CONFLICT (a) DO UPDATE SET b = k.n", one, 1,
			`INSERT INTO "shop".hc_x (a, b) SELECT k.tenant, n + k.n FROM (SELECT "tenant" AS "tenant",NULLIF("note",'') AS "note","n" AS "n" ` +
				`FROM unnest($2::text[],$3::text[],$4::bigint[]) AS u("tenant","note","n")) k WHERE true` + "\nON CONFLICT (a) DO UPDATE SET b = k.n",
			"INSERT INTO hc_x (a, b) VALUES (?, ? + ?)\nON CONFLICT (a) DO UPDATE SET b = ?",
		},
		{
			"a row alone is updated by its key", "UPDATE hc_x AS x SET n = {pg CAST(k.n AS int)}{sqlite k.n} FROM {k} k WHERE x.k.tenant = k.tenant AND n = $1", one, 1,
			`UPDATE "shop".hc_x AS x SET n = CAST(k.n AS int) FROM (SELECT "tenant" AS "tenant",NULLIF("note",'') AS "note","n" AS "n" ` +
				`FROM unnest($2::text[],$3::text[],$4::bigint[]) AS u("tenant","note","n")) k WHERE x.k.tenant = k.tenant AND n = $1`,
			"UPDATE hc_x AS x SET n = ? WHERE x.k.tenant = ? AND n = ?",
		},
		{
			"a row alone is deleted by its key", "DELETE FROM hc_x WHERE (tenant, n) IN (SELECT tenant, k.n FROM {k} k) AND n > 1", one, 0,
			`DELETE FROM "shop".hc_x WHERE (tenant, n) IN (SELECT tenant, k.n FROM (SELECT "tenant" AS "tenant",NULLIF("note",'') AS "note","n" AS "n" ` +
				`FROM unnest($1::text[],$2::text[],$3::bigint[]) AS u("tenant","note","n")) k) AND n > 1`,
			"DELETE FROM hc_x WHERE (tenant, n) = (?, ?) AND n > 1",
		},
		{
			"a row alone is read by its key", "SELECT o.a, k.note FROM {k} k CROSS JOIN hc_x AS o WHERE o.n = k.n {for update of o}", one, 0,
			`SELECT o.a, k.note FROM (SELECT "tenant" AS "tenant",NULLIF("note",'') AS "note","n" AS "n" ` +
				`FROM unnest($1::text[],$2::text[],$3::bigint[]) AS u("tenant","note","n")) k CROSS JOIN "shop".hc_x AS o WHERE o.n = k.n for update of o`,
			"SELECT o.a, ? FROM hc_x AS o WHERE o.n = ? ",
		},
		{
			"a row alone that is joined", "SELECT o.a FROM hc_x AS o\nJOIN {k} k ON o.n = k.n ORDER BY o.a", one, 0,
			`SELECT o.a FROM "shop".hc_x AS o` + "\n" + `JOIN (SELECT "tenant" AS "tenant",NULLIF("note",'') AS "note","n" AS "n" ` +
				`FROM unnest($1::text[],$2::text[],$3::bigint[]) AS u("tenant","note","n")) k ON o.n = k.n ORDER BY o.a`,
			"SELECT o.a FROM hc_x AS o WHERE o.n = ? ORDER BY o.a",
		},
		{
			"a row alone that is one of several joined", "SELECT o.a FROM hc_x AS o JOIN {k} k ON o.n = k.n LEFT JOIN hc_y y ON y.a = o.a", one, 0,
			`SELECT o.a FROM "shop".hc_x AS o JOIN (SELECT "tenant" AS "tenant",NULLIF("note",'') AS "note","n" AS "n" ` +
				`FROM unnest($1::text[],$2::text[],$3::bigint[]) AS u("tenant","note","n")) k ON o.n = k.n LEFT JOIN "shop".hc_y y ON y.a = o.a`,
			`SELECT o.a FROM hc_x AS o JOIN (SELECT ? AS "tenant",? AS "note",? AS "n") k ON o.n = k.n LEFT JOIN hc_y y ON y.a = o.a`,
		},
		{
			"many rows", "SELECT k.id FROM {k} k", two, 0,
			`SELECT k.id FROM (SELECT "id"::uuid AS "id",NULLIF("at",'0001-01-01 00:00:00+00'::timestamptz) AS "at","raw" AS "raw" ` +
				`FROM unnest($1::text[],$2::timestamptz[],$3::bytea[]) AS u("id","at","raw")) k`,
			`SELECT k.id FROM (SELECT json_extract(j.value,'$[0]') AS "id",json_extract(j.value,'$[1]') AS "at",unhex(json_extract(j.value,'$[2]')) AS "raw" FROM jsonb_each(?) AS j) k`,
		},
		{
			"locks", "SELECT 1 FROM hc_x o {for update of o skip locked}", nil, 0,
			`SELECT 1 FROM "shop".hc_x o for update of o skip locked`, "SELECT 1 FROM hc_x o ",
		},
		{
			"blocks", "SELECT {pg a->>'x', $1::text}{sqlite json_extract(a,'$.x'), $1} FROM hc_x", nil, 1,
			`SELECT a->>'x', $1::text FROM "shop".hc_x`, "SELECT json_extract(a,'$.x'), ? FROM hc_x",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for d, want := range map[Dialect]string{Postgres: c.postgres, SQLite: c.sqlite} {
				schema := ""
				if d == Postgres {
					schema = "shop"
				}
				st, err := translate(c.text, c.rel, c.args, d, schema, whole(c.rel, d))
				if err != nil {
					t.Fatal(err)
				}
				if st.text != want {
					t.Errorf("%s:\n got %s\nwant %s", d, st.text, want)
				}
			}
		})
	}
}

func TestArrange(t *testing.T) {
	t.Parallel()
	r := newRel(1).text("a", []string{"x"}).int("b", []int64{7})
	st, err := translate("UPDATE hc_x AS x SET b = k.b FROM {k} k WHERE x.a = k.a AND x.b < k.b AND x.c = $2 AND x.d = $1", r, 2, SQLite, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := st.values([]any{"one", "two"}, r, SQLite), []any{int64(7), "x", int64(7), "two", "one"}; !slices.Equal(got, want) {
		t.Errorf("got %v for %s", got, st.text)
	}
	if _, err := translate("SELECT {k.c}", r, 0, SQLite, "", 1); hyperlocal.ReasonOf(err) != "store/text" {
		t.Errorf("a column that is not there: %v", err)
	}
}

func TestTranslateRefuses(t *testing.T) {
	t.Parallel()
	r := newRel(1).text("a", []string{""})
	for text, rel := range map[string]*rel{
		"SELECT $2": nil, "SELECT {k": r, "SELECT {k}": nil, "SELECT 1}": nil, "SELECT {nonsense} 1": r,
	} {
		if _, err := translate(text, rel, 1, Postgres, "public", formWhole); hyperlocal.ReasonOf(err) != "store/text" {
			t.Errorf("%q: %v", text, err)
		}
	}
	s := &Store{dialect: Postgres}
	for want, rel := range map[string]*rel{
		"store/relation":   newRel(2).text("a", []string{"x"}),
		"store/invalid_id": newRel(1).uuid("id", []string{"NOT-ONE"}),
	} {
		if _, err := s.statement("SELECT 1 FROM {k} k", rel, 0); hyperlocal.ReasonOf(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestStatementKinds(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct{ modifies, append, exact bool }{
		"SELECT 1 FROM hc_x FOR UPDATE":                                   {},
		"SELECT 1 FROM hc_x FOR NO KEY UPDATE":                            {},
		"WITH a AS (SELECT 1) SELECT * FROM a":                            {},
		"WITH a AS (DELETE FROM hc_x RETURNING 1) SELECT * FROM a":        {modifies: true},
		"UPDATE hc_x SET a = 1":                                           {modifies: true},
		"INSERT INTO hc_x SELECT 1":                                       {modifies: true, append: true, exact: true},
		"INSERT INTO hc_x (total, max) SELECT total, max FROM hc_y":       {modifies: true, append: true, exact: true},
		"INSERT INTO hc_x SELECT a FROM hc_y WHERE a > 1":                 {modifies: true, append: true},
		"INSERT INTO hc_x SELECT 1 ON CONFLICT DO NOTHING":                {modifies: true, append: true},
		"INSERT INTO hc_x SELECT 1 ON CONFLICT (a) DO UPDATE SET a = 1":   {modifies: true},
		"INSERT INTO hc_x SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM hc_x)": {modifies: true},
		"INSERT INTO hc_x SELECT count(*) FROM hc_y":                      {modifies: true},
		"INSERT INTO hc_x SELECT 1 RETURNING a":                           {modifies: true},
		"-- a comment\nINSERT INTO hc_x SELECT 'UPDATE' FROM hc_y":        {modifies: true, append: true, exact: true},
	} {
		st, err := translate(text, nil, 0, Postgres, "public", formWhole)
		if err != nil {
			t.Fatal(err)
		}
		if st.modifies != want.modifies || st.append != want.append || st.exact != want.exact {
			t.Errorf("%q: modifies %v, append %v, exact %v", text, st.modifies, st.append, st.exact)
		}
	}
}

func TestQualify(t *testing.T) {
	t.Parallel()
	text := `CREATE TABLE IF NOT EXISTS hc_a (id text, CONSTRAINT hc_a_check CHECK (id <> 'hc_a'), ref text REFERENCES hc_b (id));
CREATE UNIQUE INDEX IF NOT EXISTS hc_a_key ON hc_a (id);
CREATE INDEX CONCURRENTLY hc_a_other ON hc_a (id);
DROP INDEX hc_a_other;
CREATE FUNCTION hc_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM 1 FROM hc_b; RAISE EXCEPTION 'hc_a'; END $$;
CREATE TRIGGER hc_refuse_change BEFORE UPDATE ON hc_a FOR EACH ROW EXECUTE FUNCTION hc_refuse();
CREATE POLICY hc_tenant ON hc_a USING (tenant = '');
ALTER TABLE hc_a ADD CONSTRAINT hc_a_more CHECK (true);
INSERT INTO hc_a SELECT 1 ON CONFLICT ON CONSTRAINT hc_a_more DO NOTHING;
SELECT "hc_c"."id" FROM "hc_a" AS "hc_c", hc_b AS hc_d`
	want := `CREATE TABLE IF NOT EXISTS "s".hc_a (id text, CONSTRAINT hc_a_check CHECK (id <> 'hc_a'), ref text REFERENCES "s".hc_b (id));
CREATE UNIQUE INDEX IF NOT EXISTS hc_a_key ON "s".hc_a (id);
CREATE INDEX CONCURRENTLY hc_a_other ON "s".hc_a (id);
DROP INDEX "s".hc_a_other;
CREATE FUNCTION "s".hc_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM 1 FROM "s".hc_b; RAISE EXCEPTION 'hc_a'; END $$;
CREATE TRIGGER hc_refuse_change BEFORE UPDATE ON "s".hc_a FOR EACH ROW EXECUTE FUNCTION "s".hc_refuse();
CREATE POLICY hc_tenant ON "s".hc_a USING (tenant = '');
ALTER TABLE "s".hc_a ADD CONSTRAINT hc_a_more CHECK (true);
INSERT INTO "s".hc_a SELECT 1 ON CONFLICT ON CONSTRAINT hc_a_more DO NOTHING;
SELECT "hc_c"."id" FROM "s"."hc_a" AS "hc_c", "s".hc_b AS hc_d`
	got := strings.Split(qualify(text, "s"), "\n")
	for i, line := range strings.Split(want, "\n") {
		if got[i] != line {
			t.Errorf("line %d:\n got %s\nwant %s", i+1, got[i], line)
		}
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	got := split("\n--split\nCREATE a; BEGIN; END;\n--split behind a word\n\n--splitx\nB --split\n")
	if len(got) != 2 || !strings.Contains(got[0], "BEGIN; END;") || got[1] != "B --split\n" {
		t.Errorf("split into %q", got)
	}
}

func FuzzTranslate(f *testing.F) {
	f.Add("SELECT '{k}' FROM {k} k, hc_x WHERE a = $1 {pg x}{sqlite y} {for update}")
	f.Add(`INSERT INTO "hc_x" SELECT $2 -- }`)
	f.Add("{pg {k}} /* ")
	r := newRel(2).text("a", make([]string, 2))
	f.Fuzz(func(t *testing.T, text string) {
		for _, d := range dialects {
			st, err := translate(text, r, 2, d, "", whole(r, d))
			if err == nil && len(st.parts) != len(st.params)+1 {
				t.Errorf("%d parts around %d parameters", len(st.parts), len(st.params))
			}
		}
		if !strings.ContainsAny(text, "$") && qualify(text, "") != text {
			t.Error("a text changed without a schema")
		}
		if got := strings.ReplaceAll(qualify(text, "q"), `"q".`, ""); got != strings.ReplaceAll(text, `"q".`, "") {
			t.Errorf("qualifying %q changed more than names: %q", text, got)
		}
	})
}

// whole is the form that Store.statement chooses.
func whole(r *rel, d Dialect) form {
	if d == SQLite && r != nil && r.n == 1 {
		return 1
	}
	return formWhole
}
