package main

import (
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fileDSN is a new SQLite file with the schema of this program.
func fileDSN(t *testing.T) (dsn, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "shop.db")
	dsn = "sqlite:" + path
	if out, _ := command(t, exitOK, "migrate", "up", "--db", dsn); !strings.Contains(out, "0001_core") {
		t.Fatalf("migrate up printed\n%s", out)
	}
	return dsn, path
}

func execute(t *testing.T, path, text string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), text); err != nil {
		t.Fatal(err)
	}
}

// TestOneClearLine checks that what a user can get wrong is answered in one line that says
// what to do.
func TestOneClearLine(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a local port in a test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() }) // the cases run after this function has returned
	newer, path := fileDSN(t)
	execute(t, path, "INSERT INTO hc_migrations (number, name, sum, applied_at) VALUES (9999, '9999_future', 'x', 1)")
	garbage := filepath.Join(t.TempDir(), "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty.db")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "missing.db")
	for name, c := range map[string]struct {
		code int
		args []string
		says string
	}{
		"taken port":        {exitFailed, []string{"--db", "memory:", "--addr", taken.Addr().String()}, "--addr"},
		"newer database":    {exitFailed, []string{"--db", newer, "--addr", "127.0.0.1:0"}, "newer"},
		"newer, verify":     {exitCannot, []string{"verify", "--db", newer}, "newer"},
		"no such scheme":    {exitCannot, []string{"--db", "mysql://x", "--addr", "127.0.0.1:0"}, "sqlite:"},
		"no such folder":    {exitFailed, []string{"--db", "sqlite:/no/such/folder/x.db", "--addr", "127.0.0.1:0"}, "directory"},
		"not a database":    {exitFailed, []string{"--db", "sqlite:" + garbage, "--addr", "127.0.0.1:0"}, "no database"},
		"no server":         {exitFailed, []string{"--db", "postgres://u:hush@127.0.0.1:1/x?connect_timeout=2", "--addr", "127.0.0.1:0"}, "host"},
		"verify, missing":   {exitCannot, []string{"verify", "--db", "sqlite:" + missing}, "there is no database"},
		"verify, in memory": {exitCannot, []string{"verify", "--db", "memory:"}, "memory"},
		"status, missing":   {exitCannot, []string{"migrate", "status", "--db", "sqlite:" + missing}, "there is no database"},
		"replay, no file":   {exitFailed, []string{"replay", "--file", missing + ".csv"}, "no such file"},
		"replay, clients":   {exitCannot, []string{"replay", "--clients", "0"}, "--clients"},
		"replay, currency":  {exitCannot, []string{"replay", "--currency", "XXQ"}, "--currency"},
		"bench, clients":    {exitCannot, []string{"bench", "place", "--clients", "0"}, "clients"},
		"bench, rush":       {exitCannot, []string{"bench", "hot", "--buyers", "5"}, "--units"},
		"bench, batch":      {exitCannot, []string{"bench", "post", "--batch", "0"}, "--batch"},
		"bench, events":     {exitCannot, []string{"bench", "relay", "--events", "0"}, "--events"},
		"bench, growth":     {exitCannot, []string{"bench", "growth", "--from", "5", "--to", "5"}, "--to"},
		"growth on SQLite":  {exitCannot, []string{"bench", "growth"}, "PostgreSQL"},
		"bench, client":     {exitFailed, []string{"bench", "client"}, "started by"},
		"bench, bad DSN":    {exitFailed, []string{"bench", "place", "--db", "postgres://u@h:bad/x?password=hush"}, "DSN"},
		"slow gateway":      {exitCannot, []string{"--db", "memory:", "--gateway-timeout", "60s"}, "--gateway-timeout: a payment gateway can be given at most 57s"},
		"negative drain":    {exitCannot, []string{"--db", "memory:", "--drain-delay", "-1s"}, "--drain-delay"},
		"forgetful":         {exitCannot, []string{"--db", "memory:", "--keep-keys", "1h"}, "24h"},
		"status, newer":     {exitFailed, []string{"migrate", "status", "--db", newer}, "newer"},
		"status, garbage":   {exitCannot, []string{"migrate", "status", "--db", "sqlite:" + garbage}, "no database"},
		"up, in memory":     {exitCannot, []string{"migrate", "up", "--db", "memory:"}, "no schema"},
		"up, in SQL memory": {exitCannot, []string{"migrate", "up", "--db", "sqlite::memory:"}, "no schema"},
		"status, in memory": {exitCannot, []string{"migrate", "status", "--db", "sqlite::memory:"}, "no schema"},
		"verify, directory": {exitCannot, []string{"verify", "--db", "sqlite:" + t.TempDir()}, "cannot be opened"},
		"verify, no tables": {exitCannot, []string{"verify", "--db", "sqlite:" + empty}, "run refserver migrate up --db sqlite:" + empty},
		"unknown command":   {exitCannot, []string{"frobnicate"}, "--help"},
		"unknown flag":      {exitCannot, []string{"replay", "--frobnicate"}, "--help"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, errOut := command(t, c.code, c.args...)
			last := strings.TrimRight(errOut, "\n")
			last = last[strings.LastIndexByte(last, '\n')+1:]
			if !strings.HasPrefix(last, "refserver: ") || !strings.Contains(last, c.says) || strings.Contains(errOut, "hush") {
				t.Errorf("printed %q, want one line with %q", errOut, c.says)
			}
			if !strings.Contains(name, "unknown") && strings.Count(errOut, "\n") != 1 {
				t.Errorf("printed more than a line:\n%s", errOut)
			}
		})
	}
}

func TestVerifyNamesViolationsAndNeverWrites(t *testing.T) {
	t.Parallel()
	dsn, path := fileDSN(t)
	replayed(t, "--db", dsn)
	digest := func() [sha256.Size]byte {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return sha256.Sum256(data)
	}
	before := digest()
	command(t, exitOK, "verify", "--db", dsn)
	if digest() != before {
		t.Error("verify changed the file")
	}
	execute(t, path, "UPDATE hc_stock_levels SET on_hand = on_hand + 1 WHERE item = (SELECT min(item) FROM hc_stock_levels)")
	out, errOut := command(t, exitFailed, "verify", "--db", dsn, "--json")
	var report struct {
		Invariants []struct {
			Name       string
			Violations int
			Samples    []string
		}
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	for _, inv := range report.Invariants {
		if want := map[string]int{"stock_level_equals_movements": 1}[inv.Name]; inv.Violations != want {
			t.Errorf("%s: %d violations, want %d: %v", inv.Name, inv.Violations, want, inv.Samples)
		}
	}
	if !strings.Contains(errOut, "1 violations") {
		t.Errorf("printed %q", errOut)
	}
}

func TestMigrateStatus(t *testing.T) {
	t.Parallel()
	dsn, path := fileDSN(t)
	execute(t, path, "DELETE FROM hc_migrations WHERE number = (SELECT max(number) FROM hc_migrations)")
	out, _ := command(t, exitOK, "migrate", "status", "--db", dsn)
	if strings.Count(out, "pending") != 1 {
		t.Errorf("printed\n%s", out)
	}
	command(t, exitCannot, "verify", "--db", dsn)
}
