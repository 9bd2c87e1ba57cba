package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/bench"
)

type benchCommand struct {
	Place benchPlace `cmd:"" help:"Place orders of two lines."`
}

type benchPlace struct {
	DB       string        `name:"db" default:"sqlite:" help:"sqlite:PATH (a new file beside it), sqlite: (a temporary file) or postgres://..." placeholder:"DSN"`
	Clients  int           `default:"32" help:"How many place at a time."`
	Skus     int           `default:"10000" help:"How many items are drawn from; 1 is one hot item."`
	Duration time.Duration `default:"10s" help:"Of each of the two measurements."`
	JSON     bool          `name:"json" help:"Print the result as JSON."`
}

// Run measures and prints.
func (c *benchPlace) Run(ctx context.Context, con *console) error {
	r, err := bench.Place(ctx, bench.Options{DSN: c.DB, Clients: c.Clients, Items: c.Skus, Duration: c.Duration})
	if errors.Is(err, bench.ErrOptions) {
		return usage(err)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		enc := json.NewEncoder(con.out)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	_, err = fmt.Fprintf(con.out, `ours   %8d orders/s   p50 %s ms   p95 %s ms   p99 %s ms
raw    %8d orders/s
ratio  %8s
rss    %8d MB
`, r.OursPerSecond, r.P50, r.P95, r.P99, r.RawPerSecond, r.Ratio, r.RSS)
	return err
}
