package dbtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

func TestPostgresBelongsToOneTest(t *testing.T) { //nolint:tparallel // what the subtest leaves behind is looked at
	t.Parallel()
	var first string
	t.Run("first", func(t *testing.T) {
		first = Postgres(t)
		second := Postgres(t)
		if first == second {
			t.Fatalf("twice the same database: %s", first)
		}
		if got := ask(t, first, `SELECT count(*)::text FROM pg_tables WHERE schemaname = 'public'`); got != "0" {
			t.Errorf("a new database has %s tables", got)
		}
		if err := run(t.Context(), first, "CREATE TABLE mine (id int)"); err != nil {
			t.Fatal(err)
		}
		if err := run(t.Context(), second, "SELECT FROM mine"); err == nil {
			t.Error("a table of the first database shows in the second")
		}
		if got := ask(t, first, "SELECT current_database()"); !strings.HasPrefix(got, "t_testpostgresbelongstoonetest_first_") {
			t.Errorf("database %q does not carry the test's name", got)
		}
		if got := ask(t, first, "SHOW server_encoding"); got != "UTF8" {
			t.Errorf("encoding %s", got)
		}
		// Left open on purpose: it must not keep the database alive.
		if _, err := pgx.Connect(t.Context(), first); err != nil {
			t.Fatal(err)
		}
	})
	if first == "" {
		t.Skip("no server: see the subtest")
	}
	if err := run(t.Context(), first, "SELECT 1"); err == nil || !strings.Contains(err.Error(), "3D000") {
		t.Errorf("the database outlived its test: %v", err)
	}
}

func TestPostgresInParallel(t *testing.T) {
	t.Parallel()
	var seen sync.Map
	for range 8 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			if _, twice := seen.LoadOrStore(Postgres(t), true); twice {
				t.Error("twice the same database")
			}
		})
	}
}

func TestDatabaseNameFits(t *testing.T) {
	t.Parallel()
	name := databaseName(`TestLong/"quoted"/Ünïcode_` + strings.Repeat("x", 80))
	if len(name) > 63 || strings.ContainsAny(name, `"/Ü`) {
		t.Errorf("%q is no plain name of at most 63 bytes", name)
	}
}

func TestSQLiteIsAPathOfItsOwn(t *testing.T) {
	t.Parallel()
	a, b := SQLite(t), SQLite(t)
	path, ok := strings.CutPrefix(a, "sqlite:")
	if !ok || !filepath.IsAbs(path) || a == b {
		t.Errorf("SQLite returned %q and %q", a, b)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file exists already: %v", err)
	}
}

func TestRequire(t *testing.T) {
	t.Setenv(envRequire, "postgres, nats")
	for name, want := range map[string]bool{"postgres": true, "nats": true, "redis": false, "": false, "post": false} {
		if got := Require(name); got != want {
			t.Errorf("Require(%q) = %v", name, got)
		}
	}
}

func TestConfiguredServerHasToAnswer(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"host=localhost", "http://localhost", "postgres://127.0.0.1:1/none?connect_timeout=2"} {
		_, _, err := find(t.Context(), dsn)
		if err == nil || errors.Is(err, errNone) || !strings.Contains(err.Error(), envPostgres) {
			t.Errorf("%s: %v; want an error that names %s and is no reason to skip", dsn, err, envPostgres)
		}
	}
}

// verdict records how a test was ended.
type verdict struct {
	testing.TB

	skipped, failed string
}

func (*verdict) Helper() {}

func (v *verdict) Skip(args ...any) { v.skipped, _ = args[0].(string); panic(v) }

func (v *verdict) Fatal(args ...any) { v.failed, _ = args[0].(string); panic(v) }

func TestRefuse(t *testing.T) {
	judge := func(err error) (v *verdict) {
		v = &verdict{TB: t}
		defer func() { _ = recover() }()
		refuse(v, err)
		return v
	}
	t.Setenv(envRequire, "")
	v := judge(fmt.Errorf("%w (initdb:\nno such file)", errNone))
	if !strings.Contains(v.skipped, "install") || strings.Contains(v.skipped, "\n") || v.failed != "" {
		t.Errorf("without a server: %+v; want a skip that says in one line what to install", v)
	}
	if v := judge(errors.New("broken")); v.failed == "" {
		t.Error("a broken server is a failure, not a skip")
	}
	t.Setenv(envRequire, "postgres")
	if v := judge(errNone); v.failed == "" || v.skipped != "" {
		t.Errorf("required and absent: %+v; want a failure", v)
	}
}

// TestContainer starts a real container, wherever the other tests get their server from.
func TestContainer(t *testing.T) {
	t.Parallel()
	s, err := container(t.Context())
	if err != nil {
		if Require("docker") {
			t.Fatal(err)
		}
		t.Skip("the container is not tested: start Docker and have its images at hand (" + err.Error() + ")")
	}
	probe(t, s)
}

// TestLocal starts a server from this machine's binaries, wherever the others get theirs from.
func TestLocal(t *testing.T) {
	t.Parallel()
	if _, _, err := binaries(); err != nil {
		t.Skip("the local server is not tested: apt-get install postgresql (" + err.Error() + ")")
	}
	s, err := local(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	probe(t, s)
}

// probe uses the server, stops it and checks that it is gone.
func probe(t *testing.T, s *server) {
	t.Helper()
	t.Cleanup(func() { // the last one: after the databases are dropped
		if len(s.stopCommand) == 0 {
			t.Error("nothing outside this process can stop the server")
			s.stop()
		} else if out, err := exec.CommandContext(context.WithoutCancel(t.Context()), s.stopCommand[0], s.stopCommand[1:]...).CombinedOutput(); err != nil {
			t.Errorf("stop: %v: %s", err, out)
			s.stop()
		}
		if err := run(context.WithoutCancel(t.Context()), s.dsn, "SELECT 1"); err == nil {
			t.Error("the server still answers after it was stopped")
		}
	})
	dsn := create(t, s.dsn)
	for setting, want := range map[string]string{"max_connections": maxConnections, "fsync": "on"} {
		if got := ask(t, dsn, "SHOW "+setting); got != want {
			t.Errorf("%s = %s, want %s", setting, got, want)
		}
	}
}

func ask(t *testing.T, dsn, query string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var answer string
	if err := conn.QueryRow(t.Context(), query).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return answer
}
