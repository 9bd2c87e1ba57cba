package main

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/storetest/dbtest"
)

// TestLookingMakesNothing: verify and migrate status neither make a file nor change one.
func TestLookingMakesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	missing, empty, foreign := filepath.Join(dir, "missing.db"), filepath.Join(dir, "empty.db"), filepath.Join(dir, "foreign.db")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	execute(t, foreign, "CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)")
	before := snapshot(t, dir)
	for _, path := range []string{missing, empty, foreign} {
		command(t, exitCannot, "verify", "--db", "sqlite:"+path)
		want := exitOK
		if path == missing {
			want = exitCannot
		}
		command(t, want, "migrate", "status", "--db", "sqlite:"+path)
	}
	after := snapshot(t, dir)
	for name, sum := range after {
		if before[name] != sum {
			t.Errorf("%s was made or changed", name)
		}
	}
	if len(after) != len(before) {
		t.Errorf("there were %d files, now there are %d", len(before), len(after))
	}
}

func snapshot(t *testing.T, dir string) map[string][sha256.Size]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string][sha256.Size]byte)
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = sha256.Sum256(data)
	}
	return out
}

// TestVerifyUnderLoad looks at one moment while trade goes on.
func TestVerifyUnderLoad(t *testing.T) {
	t.Parallel()
	for name, dsn := range map[string]string{
		"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "shop.db"), "postgres": dbtest.Postgres(t),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command(t, exitOK, "migrate", "up", "--db", dsn)
			done := make(chan struct{})
			go func() {
				defer close(done)
				var out, errOut strings.Builder
				if code := run([]string{"replay", "--db", dsn, "--clients", "8"}, &out, &errOut); code != exitOK {
					t.Errorf("the replay beside it failed: %s", errOut.String())
				}
			}()
			for looks := 1; ; looks++ {
				command(t, exitOK, "verify", "--db", dsn)
				command(t, exitOK, "migrate", "status", "--db", dsn)
				select {
				case <-done:
					t.Logf("looked %d times", looks)
					return
				default:
				}
			}
		})
	}
}

func TestMigrateStatusNamesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	dsn, path := fileDSN(t)
	execute(t, path, "INSERT INTO hc_migrations (number, name, sum, applied_at) VALUES (9999, '9999_future', 'x', 1)")
	out, errOut := command(t, exitFailed, "migrate", "status", "--db", dsn)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for i, line := range lines {
		if unknown := strings.HasSuffix(line, "unknown to this program"); unknown != (i == len(lines)-1) {
			t.Errorf("printed %q", line)
		}
	}
	if strings.Count(errOut, "\n") != 1 || !strings.Contains(errOut, "9999_future") {
		t.Errorf("printed %q", errOut)
	}
}

// TestReplayUnderSerializable: on a database whose default is SERIALIZABLE, where neighbours
// lose to each other all the time, everything is done all the same.
func TestReplayUnderSerializable(t *testing.T) {
	t.Parallel()
	dsn, mark := dbtest.Postgres(t), "?"
	if strings.Contains(dsn, "?") {
		mark = "&"
	}
	out, errOut := command(t, exitOK, "replay", "--db", dsn+mark+"default_transaction_isolation=serializable", "--clients", "16")
	if errOut != "" || !strings.Contains(out, "0 of ") {
		t.Errorf("printed %s\n%s", out, errOut)
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"memory:":                     "memory:",
		"sqlite::memory:":             "sqlite::memory:",
		"sqlite:./a%zz/b.db":          "sqlite:./a%zz/b.db",
		"postgres://u@h/x":            "postgres://u@h/x",
		"postgres://u:hush@h:1/x":     "postgres://u:xxxxx@h:1/x",
		"postgres://u:hush@h:bad/x":   "postgres:...",
		"postgres://u:hu%zzsh@h/x":    "postgres:...",
		"postgres://h/x?a=%zz&p=hush": "postgres:...",
		"postgres:hush":               "postgres:...",
		"hush":                        "a DSN of no known scheme",
		"host=h password=hush:x":      "a DSN of no known scheme",
		"postgres://127.0.0.1/x?user=me&password=hush":                            "postgres://127.0.0.1/x?password=xxxxx&user=me",
		"postgres://h/x?PASSWORD=hush&sslpassword=hush&passfile=hush&sslkey=hush": "postgres://h/x?PASSWORD=xxxxx&passfile=xxxxx&sslkey=xxxxx&sslpassword=xxxxx",
	} {
		if got := redact(dsn); got != want {
			t.Errorf("%s is shown as %s, want %s", dsn, got, want)
		}
	}
}
