//go:build unix

package dbtest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const envHold = "DBTEST_HOLD"

// TestHold is no test: the tests below run it in a process that they kill.
func TestHold(t *testing.T) {
	t.Parallel()
	dir := os.Getenv(envHold)
	if dir == "" {
		t.Skip("a helper of the tests beside it")
	}
	if _, _, err := share(t.Context(), dir, stand(filepath.Dir(dir), os.Getenv(envPostgres))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(dir), "held"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	select {}
}

// stand stands in for a server: it counts its starts and stops as files in log.
func stand(log, dsn string) func(context.Context) (*server, error) {
	return func(context.Context) (*server, error) {
		f, err := os.CreateTemp(log, "start-")
		if err != nil {
			return nil, err
		}
		stop := []string{"sh", "-c", `touch "$1/stop-$$" # it's quoted`, "stop", log}
		return &server{dsn: dsn, stopCommand: stop, stop: func() {}}, f.Close()
	}
}

func count(t *testing.T, log, pattern string) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(log, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}

func needFlock(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("flock"); err != nil {
		t.Skip("servers are not shared here: install flock (Debian: util-linux)")
	}
}

func TestShareStopsWithTheLastUser(t *testing.T) {
	t.Parallel()
	needFlock(t)
	log, dsn := t.TempDir(), Postgres(t)
	dir := filepath.Join(log, "shared")
	for round := 1; round <= 3; round++ {
		releases := make([]func(), 0, 3)
		for range 3 {
			got, release, err := share(t.Context(), dir, stand(log, dsn))
			if err != nil {
				t.Fatal(err)
			}
			if got != dsn {
				t.Errorf("got %s, want %s", got, dsn)
			}
			releases = append(releases, release)
		}
		for i, release := range releases {
			if starts, stops := count(t, log, "start-*"), count(t, log, "stop-*"); starts != round || stops != round-1 {
				t.Fatalf("round %d, %d released: %d starts, %d stops", round, i, starts, stops)
			}
			release()
		}
		if stops := count(t, log, "stop-*"); stops != round {
			t.Fatalf("round %d: %d stops after the last user", round, stops)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Fatalf("round %d: the directory is still there: %v", round, err)
		}
	}
}

func TestShareStopsAfterAKill(t *testing.T) {
	t.Parallel()
	needFlock(t)
	log, dsn := t.TempDir(), Postgres(t)
	dir := filepath.Join(log, "shared")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	holder := exec.CommandContext(t.Context(), self, "-test.run=^TestHold$")
	holder.Env = append(os.Environ(), envHold+"="+dir, envPostgres+"="+dsn)
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other process uses the server", func() bool { return count(t, log, "held") == 1 })
	_, release, err := share(t.Context(), dir, stand(log, dsn))
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait()
	time.Sleep(500 * time.Millisecond) // time enough for a keeper that is wrong
	if starts, stops := count(t, log, "start-*"), count(t, log, "stop-*"); starts != 1 || stops != 0 {
		t.Errorf("one of two users was killed: %d starts, %d stops", starts, stops)
	}
	release()
	if stops := count(t, log, "stop-*"); stops != 1 {
		t.Errorf("%d stops after the last user", stops)
	}

	holder = exec.CommandContext(t.Context(), self, "-test.run=^TestHold$")
	holder.Env = append(os.Environ(), envHold+"="+dir, envPostgres+"="+dsn)
	if err := os.Remove(filepath.Join(log, "held")); err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other process uses the server", func() bool { return count(t, log, "held") == 1 })
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait()
	eventually(t, "the keeper stops the server", func() bool { return count(t, log, "stop-*") == 2 })
}

func TestShareRefusesAForeignDirectory(t *testing.T) {
	t.Parallel()
	needFlock(t)
	dir := filepath.Join(t.TempDir(), "shared")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, _, err := share(t.Context(), dir, stand(t.TempDir(), "")); err == nil {
		t.Error("a directory that others can write to was accepted")
	}
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 400 {
		if done() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("waited 20 s in vain: %s", what)
}
