package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Figure is a number as it is printed, "" where there is none.
type Figure string

// MarshalJSON writes a JSON number, or null.
func (f Figure) MarshalJSON() ([]byte, error) {
	if f == "" {
		return []byte("null"), nil
	}
	return []byte(f), nil
}

func (f Figure) String() string {
	if f == "" {
		return "-"
	}
	return string(f)
}

func whole(v float64) Figure { return Figure(strconv.FormatFloat(v, 'f', 0, 64)) }

func decimals(v float64) Figure { return Figure(strconv.FormatFloat(v, 'f', 3, 64)) }

func millis(d time.Duration) Figure { return decimals(float64(d) / float64(time.Millisecond)) }

// per returns v divided by n, nothing for a v below zero or no n.
func per(v float64, n int) Figure {
	if v < 0 || n == 0 {
		return ""
	}
	return decimals(v / float64(n))
}

// Result of a run. Times are those of ours, in milliseconds. What does not apply is empty.
type Result struct {
	Unit  string // what is counted: "orders", "transfers", ...
	Limit string // what the raw limit is

	OursPerSecond, RawPerSecond, Ratio Figure
	P50, P95, P99                      Figure
	RSS                                Figure // of this process at the end; the database's own is not in it
	StatementsPerOrder                 Figure // round trips; per whatever is counted
	WALBytesPerOrder                   Figure // that the database server wrote, for others too
	More                               []Named
	Tables                             []Table // how large they are, if that is measured
}

// Named is a further figure.
type Named struct {
	Name  string // as in the JSON form
	Value Figure
}

// Table is how large a table of the database is, with its indexes.
type Table struct {
	Name       string  `json:"table"`
	Rows       int64   `json:"rows"` // as the database estimates them
	Bytes      int64   `json:"table_bytes"`
	IndexBytes int64   `json:"index_bytes"`
	Indexes    []Index `json:"indexes"`
}

// Index is how large an index is.
type Index struct {
	Name  string `json:"index"`
	Bytes int64  `json:"bytes"`
}

func (r *Result) more(name string, value Figure) {
	r.More = append(r.More, Named{Name: name, Value: value})
}

// ours takes over what was measured of ours.
func (r *Result) ours(s *Sample) {
	r.OursPerSecond = whole(s.PerSecond())
	r.P50, r.P95, r.P99 = millis(s.times.quantile(50)), millis(s.times.quantile(95)), millis(s.times.quantile(99))
	if mb := statusMB("VmRSS:"); mb > 0 {
		r.RSS = whole(float64(mb))
	}
}

// raw takes over the limit, after ours.
func (r *Result) raw(limit string, ours, raw float64) {
	r.Limit, r.RawPerSecond = limit, whole(raw)
	if raw > 0 {
		r.Ratio = decimals(ours / raw)
	}
}

// fields are what every run reports.
func (r *Result) fields() []Named {
	return []Named{
		{"ours_per_second", r.OursPerSecond}, {"raw_per_second", r.RawPerSecond}, {"ratio", r.Ratio},
		{"p50_ms", r.P50}, {"p95_ms", r.P95}, {"p99_ms", r.P99}, {"rss_mb", r.RSS},
		{"statements_per_order", r.StatementsPerOrder}, {"wal_bytes_per_order", r.WALBytesPerOrder},
	}
}

// MarshalJSON writes numbers, and null for what does not apply.
func (r Result) MarshalJSON() ([]byte, error) {
	all := make(map[string]any)
	for _, f := range append(r.fields(), r.More...) {
		all[f.Name] = f.Value
	}
	if r.Tables != nil {
		all["tables"] = r.Tables
	}
	return json.Marshal(all)
}

// Print writes the result for people: what applies, one figure per line.
func (r *Result) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, value Figure, unit string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\t %s\n", name, value, unit)
		}
	}
	row("ours", r.OursPerSecond, r.Unit+"/s")
	row("raw", r.RawPerSecond, r.Unit+"/s ("+r.Limit+")")
	row("ratio", r.Ratio, "")
	row("p50", r.P50, "ms")
	row("p95", r.P95, "ms")
	row("p99", r.P99, "ms")
	row("memory", r.RSS, "MB")
	row("round trips", r.StatementsPerOrder, "each")
	row("log", r.WALBytesPerOrder, "bytes each")
	for _, f := range r.More {
		row(strings.ReplaceAll(f.Name, "_", " "), f.Value, "")
	}
	for _, table := range r.Tables {
		fmt.Fprintf(t, "%s\t%d\t rows, %d MB and %d MB of indexes\n", table.Name, table.Rows, table.Bytes>>20, table.IndexBytes>>20)
		for _, index := range table.Indexes {
			fmt.Fprintf(t, "%s\t%d\t MB\n", index.Name, index.Bytes>>20)
		}
	}
	return t.Flush()
}

// statusMB reads a size of this process from /proc, 0 where there is none. VmRSS is what is
// resident now, VmHWM the most that ever was.
func statusMB(name string) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return kb / 1024
		}
	}
	return 0
}
