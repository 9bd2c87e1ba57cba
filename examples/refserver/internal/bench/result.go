package bench

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"time"
)

func result(ours, raw Sample) Result {
	r := Result{OursPerSecond: int64(ours.PerSecond()), RawPerSecond: int64(raw.PerSecond()), RSS: residentMB()}
	r.Ratio = "0"
	if raw.PerSecond() > 0 {
		r.Ratio = strconv.FormatFloat(ours.PerSecond()/raw.PerSecond(), 'f', 3, 64)
	}
	r.P50, r.P95, r.P99 = millis(ours.P50), millis(ours.P95), millis(ours.P99)
	return r
}

func millis(d time.Duration) string {
	return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 3, 64)
}

// MarshalJSON writes ratio and times as JSON numbers with three decimals.
func (r Result) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{
		"ours_per_second": r.OursPerSecond, "raw_per_second": r.RawPerSecond, "ratio": json.Number(r.Ratio),
		"p50_ms": json.Number(r.P50), "p95_ms": json.Number(r.P95), "p99_ms": json.Number(r.P99), "rss_mb": r.RSS,
	})
}

// residentMB reads the resident set of this process from /proc, 0 where there is none.
func residentMB() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return kb / 1024
		}
	}
	return 0
}
