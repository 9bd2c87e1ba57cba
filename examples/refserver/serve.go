package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/hyperlocal-sdk/hyperlocal/examples/refserver/internal/app"
)

type serveCommand struct {
	Addr string `default:"127.0.0.1:8080" help:"Where to listen; port 0 takes a free one." placeholder:"HOST:PORT"`
	DB   string `name:"db" default:"${db}" help:"Database: sqlite:PATH, sqlite::memory:, memory: or postgres://..." placeholder:"DSN"`
	Seed bool   `default:"true" negatable:"" help:"Fill an empty database with a small neighbourhood."`
	Log  string `default:"info" enum:"debug,info,warn,error" help:"Least level that is logged: debug, info, warn or error."`

	GatewayTimeout time.Duration `default:"10s" help:"How long a payment gateway may take to answer; afterwards the outcome counts as unknown and is looked up."`
}

// Run serves until it is interrupted.
func (c *serveCommand) Run(ctx context.Context, con *console) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Log)); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(con.err, &slog.HandlerOptions{Level: level}))
	a, err := app.New(ctx, app.Config{DSN: c.DB, Addr: c.Addr, Seed: c.Seed, Logger: log, GatewayTimeout: c.GatewayTimeout})
	if err != nil {
		return err
	}
	err = a.Run(ctx, func() {
		base := "http://" + a.Addr()
		fmt.Fprintf(con.out, `hyperlocal reference server, %s

  API       %s/v1
  OpenAPI   %s/docs
  health    %s/healthz   %s/readyz

  shopper   %s
  merchant  %s
  admin     %s

Send a key as "Authorization: Bearer <key>". Ctrl-C stops.
`, redact(c.DB), base, base, base, base, a.Keys.Shopper, a.Keys.Merchant, a.Keys.Admin)
	})
	if e := a.Close(); err == nil {
		err = e
	}
	return err
}

func sortedFields(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

func sortedInvariants(m map[string]int) []string { return slices.Sorted(maps.Keys(m)) }
