package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hyperlocal-sdk/hyperlocal/adapters/storetest/dbtest"
)

// measured runs a measurement and returns its JSON fields, nil where there is null.
func measured(t *testing.T, args ...string) map[string]any {
	t.Helper()
	out, errOut := command(t, exitOK, append([]string{"bench", args[0], "--clients", "4", "--duration", "100ms", "--json"}, args[1:]...)...)
	var fields map[string]any
	if err := json.Unmarshal([]byte(out), &fields); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	for line := range strings.Lines(errOut) {
		if !strings.HasPrefix(line, "bench: ") {
			t.Errorf("printed %q", line)
		}
	}
	return fields
}

// benchFields are in every result, and may be null in some.
var benchFields = []string{
	"ours_per_second", "raw_per_second", "ratio", "p50_ms", "p95_ms", "p99_ms", "rss_mb", "statements_per_order", "wal_bytes_per_order",
}

// check tells whether exactly the given ones of the common fields are null, and all others
// and the further ones are numbers above zero.
func checkFields(t *testing.T, got map[string]any, null string, further ...string) {
	t.Helper()
	for _, name := range append(further, benchFields...) {
		value, there := got[name]
		number, isNumber := value.(float64)
		if strings.Contains(null, name) {
			if !there || value != nil {
				t.Errorf("%s is %v, want null", name, value)
			}
			continue
		}
		if !isNumber || number < 0 || number == 0 && name != "statements_per_order" { // what is cached asks nobody
			t.Errorf("%s is %v", name, value)
		}
	}
}

func TestBenchOnSQLite(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args    []string
		null    string
		further []string
	}{
		"place":       {[]string{"place", "--skus", "100"}, "wal_bytes_per_order", []string{"cpu_us_each"}},
		"intake":      {[]string{"place", "--intake"}, "wal_bytes_per_order", nil},
		"hot":         {[]string{"hot"}, "wal_bytes_per_order", nil},
		"post":        {[]string{"post", "--batch", "10"}, "wal_bytes_per_order", []string{"batch"}},
		"post one":    {[]string{"post", "--batch", "1", "--intake"}, "wal_bytes_per_order", nil},
		"post points": {[]string{"post", "--bounded", "--skus", "1"}, "wal_bytes_per_order", nil},
		"relay":       {[]string{"relay", "--events", "50", "--rate", "100"}, "raw_per_second ratio wal_bytes_per_order", []string{"events_per_second", "appended_per_second"}},
		"relay one":   {[]string{"relay", "--events", "50", "--rate", "100", "--single"}, "raw_per_second ratio wal_bytes_per_order", nil},
		"read":        {[]string{"read", "--skus", "50"}, "wal_bytes_per_order", []string{"pages_per_second", "pages_p50_ms", "pages_p99_ms"}},
		"http":        {[]string{"http", "--skus", "50"}, "wal_bytes_per_order", []string{"client_cpu_seconds", "server_cpu_seconds"}},
		"flow":        {[]string{"flow", "--skus", "50", "--duration", "500ms"}, "raw_per_second ratio wal_bytes_per_order", []string{"client_cpu_seconds", "server_cpu_seconds"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			got := measured(t, append(c.args, "--db", "sqlite:"+filepath.Join(dir, "x.db"))...)
			checkFields(t, got, c.null, c.further...)
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("bench left %v, %v", left, err)
			}
		})
	}
}

// TestBenchRush: there are fewer units than buyers, then fewer buyers than units.
func TestBenchRush(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ buyers, units, sold, refused string }{{"30", "10", "10", "20"}, {"10", "30", "10", "0"}} {
		var got map[string]json.Number
		out, _ := command(t, exitOK, "bench", "hot", "--buyers", c.buyers, "--units", c.units, "--json")
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatal(err)
		}
		if got["sold"].String() != c.sold || got["refused"].String() != c.refused || got["last_answer_ms"] == "" || got["rss_peak_mb"] == "" {
			t.Errorf("%v", got)
		}
	}
}

func TestBenchOnPostgres(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t)
	t.Run("place", func(t *testing.T) {
		t.Parallel()
		checkFields(t, measured(t, "place", "--db", dsn), "none", "batch_per_second")
	})
	t.Run("growth", func(t *testing.T) {
		t.Parallel()
		got := measured(t, "growth", "--db", dsn, "--from", "50", "--to", "200", "--duration", "600ms")
		checkFields(t, got, "raw_per_second ratio", "from_per_second", "to_per_second", "growth_ratio", "from_wal_bytes_per_order")
		if tables, _ := got["tables"].([]any); len(tables) == 0 {
			t.Errorf("tables: %v", got["tables"])
		}
	})
}

func TestBenchProfile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cpu.prof")
	measured(t, "place", "--cpuprofile", path)
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestBenchPrintsForPeople(t *testing.T) {
	t.Parallel()
	out, _ := command(t, exitOK, "bench", "place", "--clients", "2", "--duration", "100ms")
	for _, word := range []string{"ours", "raw", "ratio", "p99", "orders/s (one writer, FULL)"} {
		if !strings.Contains(out, word) {
			t.Errorf("no %q in\n%s", word, out)
		}
	}
}
