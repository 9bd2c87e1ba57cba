package bunstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal"
	"github.com/hyperlocal-sdk/hyperlocal/adapters/audit"
)

// contents are digests of the files of a directory, by name. The index of a log is left out:
// readers write into it.
func contents(t *testing.T, dir string) map[string][sha256.Size]byte {
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
		if !strings.HasSuffix(e.Name(), "-shm") {
			out[e.Name()] = sha256.Sum256(data)
		}
	}
	return out
}

// left makes a migrated database in a directory of its own: with its log, as a process that was
// killed leaves it, or closed.
func left(t *testing.T, killed bool) (dir, path string) {
	t.Helper()
	made := filepath.Join(t.TempDir(), "a.db")
	s, err := Open(t.Context(), "sqlite:"+made)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !killed {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	} else {
		defer s.Close()
	}
	dir = t.TempDir()
	path = filepath.Join(dir, "a.db")
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(made + suffix)
		if err == nil {
			err = os.WriteFile(path+suffix, data, 0o644)
		}
		if err != nil && (killed || suffix == "") {
			t.Fatal(err)
		}
	}
	return dir, path
}

// look reads all that is in a database without the right to write.
func look(t *testing.T, path string) error {
	t.Helper()
	s, err := Open(t.Context(), "sqlite:"+path, WithReadOnly())
	if err != nil {
		return err
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := s.CheckSchema(t.Context()); err != nil {
		return err
	}
	if err := s.Migrate(t.Context()); err == nil {
		t.Error("a database that is only read was migrated")
	}
	_, err = audit.Run(t.Context(), s.Audit())
	return err
}

func TestReadOnlyChangesNothing(t *testing.T) {
	t.Parallel()
	killed, killedFile := left(t, true)
	empty := t.TempDir()
	if err := os.WriteFile(filepath.Join(empty, "a.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := t.TempDir()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(foreign, "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		dir    string
		reason string
	}{
		"killed":           {killed, ""},
		"0 bytes":          {empty, "store/pending_schema"},
		"somebody else's ": {foreign, "store/pending_schema"},
	} {
		t.Run(name, func(t *testing.T) {
			before := contents(t, c.dir)
			if err := look(t, filepath.Join(c.dir, "a.db")); hyperlocal.ReasonOf(err) != c.reason {
				t.Errorf("got %v, want %q", err, c.reason)
			}
			for name, sum := range contents(t, c.dir) {
				if before[name] != sum {
					t.Errorf("%s was changed", name)
				}
			}
			if len(contents(t, c.dir)) != len(before) {
				t.Error("files came or went")
			}
		})
	}
	s := openAt(t, "sqlite:"+killedFile) // whoever may write still finds everything
	if err := s.CheckSchema(t.Context()); err != nil {
		t.Error(err)
	}
	if err := look(t, filepath.Join(t.TempDir(), "missing.db")); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("a missing file: %v", err)
	}
}

// TestReadOnlyBesideAWriter reads one moment while somebody writes.
func TestReadOnlyBesideAWriter(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, d Dialect) {
		dsn := dsnFor(t, d)
		s := openAt(t, dsn)
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		r, err := Open(t.Context(), dsn, WithReadOnly())
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		shelf(t, s)
		for range 3 {
			if err := s.WithinTx(t.Context(), func(ctx context.Context) error {
				_, err := s.change(ctx, "DELETE FROM hc_box")
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if _, err := audit.Run(t.Context(), r.Audit()); err != nil {
				t.Fatal(err)
			}
		}
		err = r.WithinTx(t.Context(), func(ctx context.Context) error {
			_, err := r.change(ctx, "DELETE FROM hc_box")
			return err
		})
		if err == nil {
			t.Error("somebody who may only read deleted something")
		}
	})
}
