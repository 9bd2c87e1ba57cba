package bunstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func TestMigrateAtOnceAndAgain(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		dsn := dsnFor(t, d)
		if got := openAt(t, dsn, WithSchema("shop")); !errors.Is(got.CheckSchema(t.Context()), ErrPendingSchema) {
			t.Errorf("an empty database: %v", got.CheckSchema(t.Context()))
		}
		var all sync.WaitGroup
		for range 6 {
			s := openAt(t, dsn, WithSchema("shop"), WithPool(2))
			for range 2 {
				all.Go(func() {
					if err := s.Migrate(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
		}
		all.Wait()
		s := openAt(t, dsn, WithSchema("shop"))
		if err := errors.Join(s.Migrate(t.Context()), s.CheckSchema(t.Context())); err != nil {
			t.Fatal(err)
		}
		list, err := s.MigrationStatus(t.Context())
		if err != nil || len(list) == 0 || list[0].Name != "0001_core" || list[0].AppliedAt.IsZero() {
			t.Errorf("MigrationStatus = %+v, %v", list, err)
		}
		// Everything lies in the schema, and nothing beside it.
		if d == Postgres {
			var elsewhere int
			err := s.query(t.Context(), "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname LIKE 'hc\\_%' AND n.nspname <> 'shop'", nil, nil,
				func(rows row) error { return rows.Scan(&elsewhere) })
			if err != nil || elsewhere != 0 {
				t.Errorf("%d relations of ours lie outside our schema, %v", elsewhere, err)
			}
		}
	})
}

func TestMigrateRefuses(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		s := openStore(t, d)
		ddl(t, s, "UPDATE hc_migrations SET sum = 'other' WHERE number = 1")
		if err := s.Migrate(t.Context()); !errors.Is(err, ErrChangedMigration) {
			t.Errorf("a changed migration: %v", err)
		}
		if _, err := s.change(t.Context(), "INSERT INTO hc_migrations (number, name, sum, applied_at) VALUES (9999, '9999_future', '', $1)",
			s.at(hyperlocal.SystemClock{}.Now())); err != nil {
			t.Fatal(err)
		}
		ddl(t, s, "DELETE FROM hc_migrations WHERE number = 1")
		for name, err := range map[string]error{"Migrate": s.Migrate(t.Context()), "CheckSchema": s.CheckSchema(t.Context())} {
			if !errors.Is(err, ErrNewerSchema) || hyperlocal.ReasonOf(err) != "store/newer_schema" || !strings.Contains(err.Error(), "9999_future") {
				t.Errorf("%s on a newer database: %v", name, err)
			}
		}
		list, err := s.MigrationStatus(t.Context())
		if err != nil || !list[len(list)-1].Unknown || !list[0].AppliedAt.IsZero() {
			t.Errorf("MigrationStatus = %+v, %v", list, err)
		}
	})
}

func TestNotMigrated(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		s := openEmpty(t, d)
		_, err := s.Outbox().Pending(t.Context(), 1)
		if hyperlocal.ReasonOf(err) != "store/not_migrated" || !strings.Contains(err.Error(), "Migrate") {
			t.Errorf("got %v", err)
		}
	})
}

// ofNoTenant are tables that say something about processes.
var ofNoTenant = []string{"hc_relay_shards", "hc_relays"}

// Every table of a tenant's leads its key with the tenant, and both
// dialects have the same tables.
func TestTablesLeadWithTheTenant(t *testing.T) {
	t.Parallel()
	key := regexp.MustCompile(`(?i)PRIMARY KEY \(([a-z_]+)`)
	name := regexp.MustCompile(`(?i)^\s*CREATE TABLE (?:IF NOT EXISTS )?(hc_[a-z0-9_]+)`)
	tables := make(map[Dialect]string)
	for _, d := range dialects {
		all, err := known(d)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, m := range all {
			for _, text := range split(m.text) {
				var plain []string
				for line := range strings.Lines(text) {
					line, _, _ = strings.Cut(line, "--")
					plain = append(plain, line)
				}
				text = strings.TrimSpace(strings.Join(plain, "\n"))
				for statement := range strings.SplitSeq(text, ";\nCREATE") {
					if !strings.HasPrefix(statement, "CREATE") {
						statement = "CREATE" + statement
					}
					found := name.FindStringSubmatch(statement)
					if found == nil {
						continue
					}
					names = append(names, found[1])
					if slices.Contains(ofNoTenant, found[1]) {
						continue
					}
					if k := key.FindStringSubmatch(statement); len(k) != 2 || k[1] != "tenant" {
						t.Errorf("%s, %s: the key of %s does not lead with the tenant", d, m.Name, found[1])
					}
				}
			}
		}
		tables[d] = strings.Join(names, " ")
	}
	if tables[Postgres] != tables[SQLite] {
		t.Errorf("the tables differ:\npostgres %s\nsqlite   %s", tables[Postgres], tables[SQLite])
	}
}

func TestMigrationsForHosts(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		files, err := fs.Glob(Migrations(d), "*.sql")
		if err != nil || len(files) == 0 || files[0] != "0001_core.sql" {
			t.Errorf("%s: %q, %v", d, files, err)
		}
	}
}

// TestMigrateKilled kills a migrating process after various statements, then lets several
// finish at once.
func TestMigrateKilled(t *testing.T) {
	t.Parallel()
	gotool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("SKIPPED, so a kill during a migration is not tested: there is no go command to build the tagged binary with")
	}
	bin := filepath.Join(t.TempDir(), "migrate.test")
	build := exec.CommandContext(t.Context(), gotool, "test", "-c", "-tags", "failpoints", "-o", bin, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	onBoth(t, func(t *testing.T, d Dialect) {
		dsn := dsnFor(t, d)
		log := filepath.Join(t.TempDir(), "hits")
		run := func(failpoint string) (string, error) {
			cmd := exec.CommandContext(t.Context(), bin, "-test.run", "^TestMigrateHelper$")
			cmd.Env = append(os.Environ(), "MIGRATE_DSN="+dsn, "FAILPOINT="+failpoint, "FAILPOINT_LOG="+log)
			out, err := cmd.CombinedOutput()
			return string(out), err
		}
		for _, n := range []int{1, 2, 5, 9} {
			out, err := run(fmt.Sprintf("migrate.mid:kill@%d", n))
			if err == nil && n < 5 {
				t.Fatalf("killed after statement %d, the process ended well:\n%s", n, out)
			}
			s := openAt(t, dsn)
			if err := s.CheckSchema(t.Context()); n < 5 && !errors.Is(err, ErrPendingSchema) {
				t.Errorf("after the kill at statement %d: %v", n, err)
			}
		}
		if out, err := run("migrate.mid:error"); err != nil && !strings.Contains(out, "failpoint/injected") {
			t.Errorf("%v\n%s", err, out)
		}
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				if out, err := run(""); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
		all.Wait()
		s := openAt(t, dsn)
		if err := s.CheckSchema(t.Context()); err != nil {
			t.Error(err)
		}
		if err := s.WithinTx(t.Context(), func(ctx context.Context) error { return s.Outbox().Append(ctx, someEvent(1)) }); err != nil {
			t.Error(err)
		}
		if hits, err := os.ReadFile(log); err != nil || !strings.HasPrefix(string(hits), "migrate.mid\n") {
			t.Errorf("the log of failpoints is %q, %v", hits, err)
		}
	})
}

// TestMigrateHelper is the process that TestMigrateKilled kills.
func TestMigrateHelper(t *testing.T) { //nolint:paralleltest // alone in its process
	dsn := os.Getenv("MIGRATE_DSN")
	if dsn == "" {
		return
	}
	if err := openAt(t, dsn).Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
}
