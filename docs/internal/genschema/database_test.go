package main

import (
	"database/sql"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // to look at a database without the store
	_ "modernc.org/sqlite"             // as above

	"github.com/hyperlocal-sdk/hyperlocal/adapters/bunstore"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/storetest/dbtest"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Main(m)) }

// facts are sentences about a schema, so that two of them can be compared.
type facts map[string]bool

func (f facts) add(format string, args ...any) { f[fmt.Sprintf(format, args...)] = true }

// compare names what one side knows and the other does not.
func compare(t *testing.T, page, database facts) {
	t.Helper()
	for _, fact := range missing(page, database) {
		t.Errorf("the page says, and the database does not: %s", fact)
	}
	for _, fact := range missing(database, page) {
		t.Errorf("the database says, and the page does not: %s", fact)
	}
}

func missing(from, in facts) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(from)), func(fact string) bool { return in[fact] })
}

func spelled(kind string) string {
	return strings.TrimSuffix(strings.ToLower(kind), ` collate "c"`)
}

// said returns the facts that the page tells of a dialect.
func said(s *schema) facts {
	f := make(facts)
	for _, t := range s.tables {
		for i, c := range t.columns {
			f.add("%s.%s is column %d, %s, not null %t, default %q", t.name, c.name, i+1, spelled(c.kind), c.required, c.preset)
		}
		f.add("%s has the primary key %s", t.name, t.primary)
		for _, c := range t.uniques {
			f.add("%s is unique by %s", t.name, strings.Trim(c.text, "()"))
		}
		for _, c := range t.foreign {
			f.add("%s refers by %s", t.name, strings.ReplaceAll(c.text, " (", "("))
		}
		for _, x := range t.indexes {
			f.add("%s has index %s by %s, unique %t, partial %t", t.name, x.name, x.columns, x.unique, x.where != "")
		}
		for _, g := range t.triggers {
			f.add("%s has trigger %s", t.name, g.name)
		}
	}
	return f
}

func open(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func migrate(t *testing.T, dsn string) {
	t.Helper()
	store, err := bunstore.Open(t.Context(), dsn, bunstore.WithSchema("public"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// rows calls scan with every row of a query.
func rows(t *testing.T, db *sql.DB, scan func(read func(...any)), query string, args ...any) {
	t.Helper()
	found, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	for found.Next() {
		scan(func(into ...any) {
			if err := found.Scan(into...); err != nil {
				t.Fatal(err)
			}
		})
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
}

// lite returns the facts about a migrated SQLite database.
func lite(t *testing.T, db *sql.DB) facts {
	t.Helper()
	f := make(facts)
	rows(t, db, func(read func(...any)) {
		var table, name, kind, preset string
		var n int
		var required bool
		read(&table, &n, &name, &kind, &required, &preset)
		f.add("%s.%s is column %d, %s, not null %t, default %q", table, name, n+1, strings.ToLower(kind), required, preset)
	}, `SELECT m.name, c.cid, c.name, c.type, c."notnull", coalesce(c.dflt_value, '')
		FROM sqlite_schema AS m, pragma_table_xinfo(m.name) AS c WHERE m.type = 'table' AND m.name <> 'hc_migrations'`)
	rows(t, db, func(read func(...any)) {
		var table, columns string
		read(&table, &columns)
		f.add("%s has the primary key %s", table, columns)
	}, `SELECT m.name, (SELECT group_concat(name, ', ') FROM (SELECT name FROM pragma_table_info(m.name) WHERE pk > 0 ORDER BY pk))
		FROM sqlite_schema AS m WHERE m.type = 'table' AND m.name <> 'hc_migrations'`)
	rows(t, db, func(read func(...any)) {
		var table, name, origin, columns string
		var unique, partial bool
		read(&table, &name, &unique, &origin, &partial, &columns)
		switch origin {
		case "u":
			f.add("%s is unique by %s", table, columns)
		case "c":
			f.add("%s has index %s by %s, unique %t, partial %t", table, name, columns, unique, partial)
		}
	}, `SELECT m.name, i.name, i."unique", i.origin, i.partial,
			(SELECT group_concat(name, ', ') FROM (SELECT name FROM pragma_index_info(i.name) ORDER BY seqno))
		FROM sqlite_schema AS m, pragma_index_list(m.name) AS i WHERE m.type = 'table' AND m.name <> 'hc_migrations'`)
	rows(t, db, func(read func(...any)) {
		var table, other, from, to, deleted string
		read(&table, &other, &from, &to, &deleted)
		if deleted = " ON DELETE " + deleted; deleted == " ON DELETE NO ACTION" {
			deleted = ""
		}
		f.add("%s refers by (%s) REFERENCES %s(%s)%s", table, from, other, to, deleted)
	}, `SELECT name, other, group_concat("from", ', '), group_concat("to", ', '), on_delete FROM (
			SELECT m.name, k.id, k."table" AS other, k."from", k."to", k.on_delete
			FROM sqlite_schema AS m, pragma_foreign_key_list(m.name) AS k WHERE m.type = 'table' ORDER BY m.name, k.id, k.seq)
		GROUP BY name, id`)
	rows(t, db, func(read func(...any)) {
		var table, name string
		read(&table, &name)
		f.add("%s has trigger %s", table, name)
	}, `SELECT tbl_name, name FROM sqlite_schema WHERE type = 'trigger'`)
	return f
}

func TestSQLiteIsWhatThePageSays(t *testing.T) {
	t.Parallel()
	dsn := dbtest.SQLite(t)
	migrate(t, dsn)
	compare(t, said(understood(t, bunstore.SQLite)), lite(t, open(t, "sqlite", strings.TrimPrefix(dsn, "sqlite:"))))
}

// TestALieIsFound changes a database behind the page's back, a little at a time.
func TestALieIsFound(t *testing.T) {
	t.Parallel()
	page := said(understood(t, bunstore.SQLite))
	for change, want := range map[string]string{
		"ALTER TABLE hc_prices ADD COLUMN tier TEXT":                         "hc_prices.tier is column 5",
		"ALTER TABLE hc_refunds DROP COLUMN reason":                          "hc_refunds.operation is column 9",
		"DROP TABLE hc_prices":                                               "",
		"CREATE INDEX hc_more ON hc_shops (name)":                            "hc_more",
		"DROP INDEX hc_outbox_held":                                          "",
		"CREATE TRIGGER hc_no BEFORE DELETE ON hc_shops BEGIN SELECT 1; END": "hc_no",
	} {
		t.Run(change, func(t *testing.T) {
			t.Parallel()
			dsn := dbtest.SQLite(t)
			migrate(t, dsn)
			db := open(t, "sqlite", strings.TrimPrefix(dsn, "sqlite:"))
			if _, err := db.ExecContext(t.Context(), change); err != nil {
				t.Fatal(err)
			}
			database := lite(t, db)
			if want == "" {
				if len(missing(page, database)) == 0 {
					t.Error("the page may say what is no more")
				}
				return
			}
			if found := strings.Join(missing(database, page), "\n"); !strings.Contains(found, want) {
				t.Errorf("nobody misses %s on the page, only:\n%s", want, found)
			}
		})
	}
}

// TestPostgresIsWhatThePageSays compares names, types and keys with PostgreSQL's catalogues.
func TestPostgresIsWhatThePageSays(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t)
	migrate(t, dsn)
	db := open(t, "pgx", dsn)
	f := make(facts)
	short := strings.NewReplacer("timestamp with time zone", "timestamptz", "character(3)", "char(3)")
	rows(t, db, func(read func(...any)) {
		var table, name, kind, preset string
		var n int
		var required bool
		read(&table, &n, &name, &kind, &required, &preset)
		preset, _, _ = strings.Cut(preset, "::") // PostgreSQL adds the type
		f.add("%s.%s is column %d, %s, not null %t, default %q", table, name, n, short.Replace(kind), required, preset)
	}, `SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, coalesce(pg_get_expr(d.adbin, d.adrelid), '')
		FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
		WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname <> 'hc_migrations'`)
	rows(t, db, func(read func(...any)) {
		var table, form string
		read(&table, &form)
		switch columns, _ := strings.CutSuffix(form[strings.IndexByte(form, '(')+1:], ")"); {
		case strings.HasPrefix(form, "PRIMARY KEY"):
			f.add("%s has the primary key %s", table, columns)
		case strings.HasPrefix(form, "UNIQUE"):
			f.add("%s is unique by %s", table, columns)
		default:
			f.add("%s refers by %s", table, strings.TrimPrefix(form, "FOREIGN KEY "))
		}
	}, `SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
		WHERE contype IN ('p', 'u', 'f') AND connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'hc_migrations'`)
	rows(t, db, func(read func(...any)) {
		var table, name, columns string
		var unique, partial bool
		read(&table, &name, &columns, &unique, &partial)
		f.add("%s has index %s by %s, unique %t, partial %t", table, name, columns, unique, partial)
	}, `SELECT i.indrelid::regclass::text, i.indexrelid::regclass::text,
			(SELECT string_agg(pg_get_indexdef(i.indexrelid, n, true), ', ' ORDER BY n) FROM generate_series(1, i.indnkeyatts) AS n),
			i.indisunique, i.indpred IS NOT NULL
		FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid AND c.relnamespace = 'public'::regnamespace
		WHERE NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = i.indexrelid AND contype IN ('p', 'u'))`)
	rows(t, db, func(read func(...any)) {
		var table, name string
		read(&table, &name)
		f.add("%s has trigger %s", table, name)
	}, `SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE NOT tgisinternal`)
	compare(t, said(understood(t, bunstore.Postgres)), f)
}
