package bunstore

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/hyperlocal-sdk/hyperlocal"
)

func mustConfig(t *testing.T) *pgx.ConnConfig {
	t.Helper()
	c, err := pgx.ParseConfig("postgres://nobody@127.0.0.1:1/nothing")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOpenErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]struct {
		code hyperlocal.Code
		text string
	}{
		"mysql://root:s3cret@host/db": {hyperlocal.CodeInvalid, "postgres://"},
		"":                            {hyperlocal.CodeInvalid, "sqlite:"},
		"sqlite:":                     {hyperlocal.CodeInvalid, "PATH"},
		"sqlite:a?mode=ro":            {hyperlocal.CodeInvalid, "no ?"},
		"postgres://user:s3cret@127.0.0.1:bad/db":                           {hyperlocal.CodeInvalid, "percent-encode"},
		"postgres://user:s3cret@127.0.0.1:1/db?sslmode=disable":             {hyperlocal.CodeUnavailable, "check host"},
		"postgresql://user:s3%zzcret@127.0.0.1/db":                          {hyperlocal.CodeInvalid, "percent-encode"},
		"sqlite:" + filepath.Join(t.TempDir(), "missing", "directory", "f"): {hyperlocal.CodeUnavailable, "directory"},
	} {
		s, err := Open(t.Context(), dsn)
		if s != nil || !hyperlocal.IsCode(err, want.code) || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%q: %v, want code %s and %q", dsn, err, want.code, want.text)
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(e.Error(), "s3") {
				t.Errorf("the error shows the password: %v", e)
			}
		}
	}
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	dsn := dsnFor(t, Postgres)
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	bad := strings.Replace(dsn, c.Password, "s3cret", 1)
	if c.Password == "" || bad == dsn {
		t.Skip("the server asks for no password")
	}
	s, err := Open(t.Context(), bad)
	if err == nil {
		_ = s.Close()
		t.Skip("the server asks for no password")
	}
	if !hyperlocal.IsCode(err, hyperlocal.CodeUnavailable) || !strings.Contains(err.Error(), "password") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v", err)
	}
}

func TestTrustedSQLite(t *testing.T) {
	t.Parallel()
	for version, good := range map[string]bool{
		"3.51.2": false, "3.51.3": true, "3.51.10": true, "3.52.0": false, "3.52.1": true, "3.53.0": true, "4.0.0": true, "3.9.0": false, "beta": false,
	} {
		if err := trustedSQLite(version); (err == nil) != good {
			t.Errorf("%s: %v", version, err)
		}
	}
}

// The settings that durability and integrity rest on.
func TestSQLiteSettings(t *testing.T) {
	t.Parallel()
	s := openStore(t, SQLite)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "5000"} {
		for name, db := range map[string]interface {
			Scan(string) (string, error)
		}{"writer": pragmaOf{t, s, true}, "readers": pragmaOf{t, s, false}} {
			if got, err := db.Scan(pragma); err != nil || got != want {
				t.Errorf("%s of the %s is %q, %v, want %q", pragma, name, got, err, want)
			}
		}
	}
	for pragma, want := range map[string]string{"cache_size": "-8192", "wal_autocheckpoint": "4000", "journal_size_limit": "67108864"} {
		if got, err := (pragmaOf{t, s, true}).Scan(pragma); err != nil || got != want {
			t.Errorf("%s of the writer is %q, %v, want %q", pragma, got, err, want)
		}
	}
	if got, _ := (pragmaOf{t, s, false}).Scan("query_only"); got != "1" {
		t.Error("the readers may write")
	}
}

type pragmaOf struct {
	t      *testing.T
	s      *Store
	writer bool
}

func (p pragmaOf) Scan(name string) (value string, err error) {
	db := p.s.pool
	if p.writer {
		p.s.pinned.drop()
		db = p.s.writer
	}
	err = db.QueryRowContext(p.t.Context(), "PRAGMA "+name).Scan(&value)
	return value, err
}
